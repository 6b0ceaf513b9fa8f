"""What changed in a run, which tests are flaky, and the gate: by console command, on stores that sessions filled."""

import json
from datetime import date, timedelta
from html import unescape
from itertools import takewhile
from pathlib import Path

import pytest

from support.projects import Project, console
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, Ran, session_environment

FIRST = """
import pytest

def test_ok():
    pass

def test_total():
    pass

def test_price():
    raise LookupError("no price for this article")

def test_old():
    pass
"""

SECOND = """
import pytest

def test_ok():
    pass

def test_total():
    assert 1 == 2

def test_price():
    pass

@pytest.mark.parametrize("port", [1, 2])
def test_outage(port):
    raise ConnectionRefusedError(f"port {port}")
"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Ran, Ran]:
    """Return a project with two runs in its embedded store, and what their sessions showed.

    The second one is a job of GitHub's, whose page is the file ``summary.md``.
    """
    project = Project(tmp_path_factory.mktemp("project"), FIRST)
    first = project.report()
    project.write("test_suite.py", SECOND)
    page = project.root / "summary.md"
    env = session_environment({"findings": 10.0}, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page))
    second = project.report(env=env)
    assert (first.exit, second.exit) == (1, 1)
    return project, first, second


@pytest.fixture(scope="module")
def project(reported: tuple[Project, Ran, Ran]) -> Project:
    return reported[0]


def report_of(session: Ran) -> list[str]:
    """Return the lines of a session's report, from the numbers on."""
    lines = session.out.partition("= automation report =")[2].splitlines()
    return list(takewhile(lambda line: "short test summary" not in line, lines[2:]))


def test_a_session_shows_changes_and_reasons(reported: tuple[Project, Ran, Ran]) -> None:
    """Below the numbers a session shows what changed since which run and why; the first run shows nothing."""
    _, first, second = reported
    assert report_of(first)[0] == "4 tests collected = 4 reported + 0 not run"
    assert not [line for line in report_of(first) if "since run" in line or "LookupError" in line]
    collected, delivered, changes, *reasons, look = report_of(second)
    assert collected == "5 tests collected = 5 reported + 0 not run"
    assert delivered.startswith("5 of 5 results delivered")
    assert changes.startswith("3 new failures since run 1 (")
    assert changes.endswith("), 1 fixed, 2 new tests, 1 gone")
    assert reasons == ["  2 new: ConnectionRefusedError: port 1", "  1 new: assert 1 == 2"]
    assert look.startswith("look at it: ")


def test_the_page_of_a_job_shows_them(reported: tuple[Project, Ran, Ran]) -> None:
    """The job's page has the same sentence, a table of reasons, and of each failure since when."""
    page = unescape((reported[0].root / "summary.md").read_text())
    assert "3 new failures since run 1 (" in page
    assert "| <code>ConnectionRefusedError: port 1</code> | 2 | new |" in page
    assert "| <code>test_suite.test_total</code> | <code>assert 1 == 2</code> | new |" in page


def findings(project: Project, *arguments: str) -> Ran:
    return console(project.root, "run", "findings", *arguments)


def test_changes_and_reasons(project: Project) -> None:
    """The newest run is compared with the one before it, test by test, with the reasons of its failures."""
    shown = findings(project)
    assert (shown.exit, shown.out) == (0, "2\n")
    said, *lines = shown.err.splitlines()
    assert said == "3 of 5 tests failed, for 2 reasons"
    assert lines[0].startswith("3 new failures since run 1 (")
    assert lines[0].endswith("), 1 fixed, 2 new tests, 1 gone")
    assert lines[1] == "compared with run 1, the last one before it"
    assert [line.strip() for line in lines[2:8]] == [
        "newly failing: test_suite.test_outage[1]",
        "newly failing: test_suite.test_outage[2]",
        "newly failing: test_suite.test_total",
        "fixed: test_suite.test_price",
        "new: test_suite.test_outage[1]",
        "new: test_suite.test_outage[2]",
    ]
    assert lines[8:] == [
        "  gone: test_suite.test_old",
        "  reason: 2 new: ConnectionRefusedError: port 1",
        "  reason: 1 new: assert 1 == 2",
    ]


def test_the_document_is_the_one_of_the_api(project: Project) -> None:
    """With --json the document stands alone on stdout."""
    document = json.loads(findings(project, "2", "--json").out)
    assert (document["version"], document["run"], document["base"]["run"]) == (5, 2, 1)
    assert document["counts"]["newly_failing"] == 3


def test_two_runs_in_either_direction(project: Project) -> None:
    """Any two runs can be compared; a run of nothing else is refused by its id."""
    forth = console(project.root, "run", "diff", "1", "2")
    back = console(project.root, "run", "diff", "2", "1")
    assert "newly failing: test_suite.test_total" in forth.err
    assert "fixed: test_suite.test_total" in back.err
    missing = console(project.root, "run", "diff", "1", "99")
    assert (missing.exit, missing.out) == (1, "")
    assert "404" in missing.err


def test_a_first_run(tmp_path: Path) -> None:
    """The first run has nothing to be compared with, and says so; the gate lets it pass."""
    project = Project(tmp_path, FIRST)
    project.report()
    assert "run 1 has no earlier run to be compared with" in findings(project).err
    gate = console(project.root, "gate")
    assert (gate.exit, gate.err.splitlines()) == (
        0,
        ["run 1: no new failure, as there is no earlier run to compare with"],
    )
    needed = console(project.root, "gate", "--require-base")
    assert (needed.exit, needed.err.splitlines()[-1]) == (
        5,
        "run 1: no new failure, as there is no earlier run to compare with, which --require-base wants",
    )


def test_flaky_tests(tmp_path: Path) -> None:
    """Flaky tests are listed with the numbers behind the word; without any a line says so."""
    project = Project(tmp_path)
    project.report()
    assert console(project.root, "flaky").err == "no flaky tests\n"
    project.write("test_suite.py", "import pathlib\n\ndef test_some():\n    assert pathlib.Path('there').exists()\n")
    for number, is_there in enumerate((True, False, True, False, True)):
        there = project.root / "there"
        there.touch() if is_there else there.unlink()
        # As in a CI job: failures of no commit are those of an author at work.
        project.report("-o", f"automation_report_fields=Commit={number:040x}")
    shown = console(project.root, "flaky")
    assert shown.err == "flaky: test_suite.test_some: 2 of 5 runs, 40.0 % (11.8-76.9 %)\n"
    document = json.loads(console(project.root, "flaky", "--json").out)
    assert [test["key"] for test in document["tests"]] == shown.out.split()
    stopped = console(project.root, "gate", "--flaky", "0")
    assert (stopped.exit, stopped.err.splitlines()[-1]) == (
        5,
        "run 6 (0000000): no new failure since run 5; 1 flaky test, at most 0 are allowed",
    )


def test_gate_stops_at_new_failures(project: Project) -> None:
    """More new failures than allowed stop the gate with exit code 5, and are named."""
    stopped = console(project.root, "gate")
    assert (stopped.exit, stopped.out) == (5, "")
    assert stopped.err.splitlines() == [
        "gone: test_suite.test_old",
        "new failure: test_suite.test_outage[1]",
        "new failure: test_suite.test_outage[2]",
        "new failure: test_suite.test_total",
        "run 2: 3 new failures since run 1, at most 0 are allowed",
    ]
    assert console(project.root, "gate", "--new-failures", "3").exit == 0
    assert console(project.root, "gate", "--base", "2").exit == 0


def test_known_failures(project: Project) -> None:
    """Known failures are excused until their date; what is past or fixed is named."""
    tomorrow = date.today() + timedelta(days=2)  # noqa: DTZ011 - two days are later in each time zone
    known = project.write(
        "known.txt",
        f"# until it is mended\n\n{tomorrow} test_suite.test_outage[1] no server\n"
        f"{tomorrow} test_suite.test_outage[2] no server\n{tomorrow} test_suite.test_total wrong sum\n",
    )
    passed = console(project.root, "gate", "--known", str(known))
    assert (passed.exit, passed.err) == (0, "gone: test_suite.test_old\nrun 2: no new failure since run 1\n")
    known.write_text(f"2020-01-01 test_suite.test_total wrong sum\n{tomorrow} test_suite.test_price mended\n")
    stopped = console(project.root, "gate", "--known", str(known), "--new-failures", "5", exits=5)
    assert stopped.err.splitlines() == [
        "known failure test_suite.test_price: it does not fail any more, or is not in this run: remove the line",
        "gone: test_suite.test_old",
        "known failure test_suite.test_total: its date 2020-01-01 is past (wrong sum)",
        "run 2: 3 new failures since run 1; 1 known failure past the date",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-12-31 test_a", "known.txt:1: '2026-12-31 test_a': write a date, a test and a reason"),
        ("tomorrow test_a why", "known.txt:1: 'tomorrow' is no date: write it as 2026-12-31"),
    ],
)
def test_wrong_lines_of_known_failures(project: Project, text: str, message: str) -> None:
    """A line that cannot be read is a usage error that names file, line and remedy."""
    known = project.write("known.txt", text)
    refused = console(project.root, "gate", "--known", str(known), exits=2)
    assert message in refused.err.replace("\n", "")


@pytest.mark.parametrize(
    "words", [["run", "findings", "1"], ["run", "diff", "1", "2"], ["gate", "1"], ["flaky", "--source", "shop"]]
)
def test_a_server_that_is_not_ours_has_no_findings(project: Project, words: list[str]) -> None:
    """With a server without findings the commands say so, with exit code 2."""
    with ScriptedServer(token=TOKEN) as server:
        refused = console(project.root, *words, "--url", server.address, "--project-id", "1")
    assert refused.exit == 2, refused.err
    assert "findings need the embedded store or a server of automation-report serve" in " ".join(refused.err.split())


def test_main_branches_of_serve(project: Project) -> None:
    """A main branch of a source that the store lacks, or without a name, is a usage error; the store keeps its own."""
    unknown = console(project.root, "serve", "--main-branch", "shop=stable")
    assert (unknown.exit, unknown.out) == (2, "")
    assert "the store has no source 'shop'; it has project" in unknown.err
    nameless = console(project.root, "serve", "--main-branch", "shop=", exits=2)
    assert "write the name of a branch, or SOURCE=NAME" in nameless.err


def test_a_project_that_is_renamed(tmp_path: Path) -> None:
    """The first session under a new name names the old one, whose setting goes on with the history of the tests."""
    tests = "".join(f"def test_{name}():\n    pass\n\n" for name in ("a", "b", "c", "d", "e"))
    project = Project(tmp_path, tests)
    env = session_environment({"findings": 10.0})
    project.write("pyproject.toml", '[project]\nname = "shop"\n')
    first = project.report(env=env)
    project.write("pyproject.toml", '[project]\nname = "shop-app"\n')
    renamed, again = project.report(env=env), project.report(env=env)
    # A user who names a source knows that it begins anew.
    named = project.report("--automation-report-source=nightly", env=env)
    line = "source shop-app is new, and its tests have a history of 1 run as source shop:"
    assert f"{line} automation_report_source = shop goes on with it" in renamed.out
    assert not [ran.out for ran in (first, again, named) if " is new, and its tests " in ran.out]
