"""``run show``, and what ``run create`` and ``run append`` put into a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.projects import Project, console
from support.sessions import session_environment

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(12))
def test_many(number):
    assert number < 0, "wrong number"

def test_total():
    assert 1 == 2

def test_ok():
    pass
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose second run has a new failure."""
    project = Project(tmp_path_factory.mktemp("projects"), SUITE.replace("1 == 2", "1 == 1"))
    names = ("-o", "automation_report_config=py311", "-o", "automation_report_milestone=Release 2")
    project.report(*names)
    project.write("test_suite.py", SUITE)
    project.report(*names)
    return project


def test_what_failed_is_shown_first(project: Project) -> None:
    """The verdict, the reasons with their counts, and ten failed tests with message and since; the rest is counted."""
    shown = console(project.root, "run", "show")
    _, said, verdict, *lines = shown.err.splitlines()
    assert said == "  13 of 14 tests failed, for 2 reasons"
    assert verdict.startswith("  1 new failure since run 1 (")
    assert verdict.endswith(", 12 still failing")
    assert lines[:2] == ["  reason: 12 AssertionError: wrong number", "  reason: 1 new: assert 1 == 2"]
    failed = [line for line in lines if line.startswith("  failed: ")]
    assert len(failed) == 10
    assert "  failed: test_suite.test_many[0]: AssertionError: wrong number (since run 1)" in failed
    assert "  and 3 more" in lines
    assert {"  configuration: py311", "  milestone: Release 2", "  results: 1 Passed, 13 Failed"} <= set(lines)


def test_long_facts_are_left_out(project: Project) -> None:
    """Packages and other long facts are named, and printed with --all."""
    shown, everything = console(project.root, "run", "show"), console(project.root, "run", "show", "--all")
    assert "Packages: " not in shown.err
    (named,) = [line for line in shown.err.splitlines() if line.startswith("  --all shows ")]
    assert "Packages" in named
    (packages,) = [line for line in everything.err.splitlines() if line.startswith("  Packages: ")]
    assert ", click " in packages
    assert "\\n" not in packages
    assert "--all" not in everything.err


def test_an_unknown_run_is_told_without_paths_of_the_api(project: Project) -> None:
    """No message has a path of the API in it, and the one about an unknown run says what to do."""
    where = "the embedded store .automation-report/store.sqlite3: automation-report run list shows those it has"
    for words in (("run", "show", "99"), ("gate", "99"), ("run", "findings", "1", "--base", "99")):
        ran = console(project.root, *words)
        assert (ran.exit, ran.err) == (1, f"Error: there is no run 99 in {where}\n")
    late = console(project.root, "run", "append", "1", "--field", "a=b")
    assert (late.exit, "/api/v1" in late.err) == (1, False), late.text


def test_resources_are_typed_one_by_one(tmp_path: Path, server_options: list[str]) -> None:
    """A field has a type and may come from a file or stdin, a link a note; an artifact has name and address."""
    project = Project(tmp_path)
    project.write("notes.html", "<b>bold</b>\nand more")
    command = [sys.executable, "-m", "pytest_automation_report.cli", "run", "create", *server_options]
    words = ["--field", "Notes=@notes.html", "--field-type", "html", "--field", "Log=-", "--field-type", "console"]
    words += ["--link", "Job=https://x.example/1", "--link-note", "the job", "--artifact", "Log=https://x.example/a=b"]
    env = session_environment()
    made = subprocess.run(
        [*command, *words], cwd=project.root, env=env, input=b"typed\n", capture_output=True, check=True
    )
    assert made.stdout == b"1\n"
    added = ["--field", "A=1", "--field", "B=2", "--field-type", "text"]
    console(project.root, "run", "append", "1", *server_options, *added)
    run = json.loads(console(project.root, "run", "show", "1", "--json", *server_options).out)["result"]
    assert [(each["name"], each["value"], each["type"]) for each in run["fields"] if each["name"] not in FACTS] == [
        ("Notes", "<b>bold</b>\nand more", 3), ("Log", "typed\n", 4), ("A", "1", 2), ("B", "2", 2),
    ]  # fmt: skip
    assert [(each["name"], each["url"], each["note"]) for each in run["links"]] == [
        ("Job", "https://x.example/1", "the job")
    ]
    assert [(each["name"], each["url"]) for each in run["artifacts"]] == [("Log", "https://x.example/a=b")]


FACTS = {"Branch", "Commit", "Commit subject", "Commits", "Uncommitted changes", "CI"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--field", "a"], "--field: 'a': write a name, = and a value"),
        (["--field", "a=@none"], "--field: none cannot be read: No such file or directory"),
        (["--field", "a=1", "--field", "b=2", "--field", "c=3", "--field-type", "text", "--field-type", "url"],
         "--field-type: 2 for 3: give it once, or once for each"),
        (["--link", "a=x"], "--link: behind a=, write a web address that begins with https:// or http://"),
        (["--artifact", "=x"], "--artifact: '=x': write a name, = and a value"),
    ],
)  # fmt: skip
def test_wrong_resources_are_usage_errors(tmp_path: Path, words: list[str], message: str) -> None:
    """A mistake in a field, link or artifact names the option and what to write, and creates nothing."""
    refused = console(tmp_path, "run", "create", *words)
    assert (refused.exit, refused.err.splitlines()[-1]) == (2, f"Error: {message}")
    assert [*tmp_path.iterdir()] == []
