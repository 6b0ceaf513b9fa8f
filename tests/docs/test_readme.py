"""The README is true: its tables are the code's, its commands run, its picture is what the terminal shows."""

import html
import os
import re
import sys
from pathlib import Path

import click
import pytest
import yaml

from docs.written import bash, block, blocks, environment, page
from pytest_automation_report.cli.context import EXIT_CODES, Exit
from pytest_automation_report.cli.main import main
from pytest_automation_report.session.plugin_hooks import STRICT_EXIT_STATUS
from support.checked_server import CheckedServer
from support.installs import Wheelhouse, unpacked_sdist
from support.repository import ROOT
from support.sessions import clean_environment, run_session

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_known_to_the_page_of_commands() -> None:
    """Each console command stands in its page."""
    context = click.Context(main)
    for name in main.list_commands(context):
        inner = getattr(main.get_command(context, name), "commands", None)
        for words in [f"{name} {each}" for each in inner] if inner else [name]:
            assert f"`automation-report {words}" in page("docs/console.md")


def test_ci_runs_the_readmes_test_command() -> None:
    """What CI runs at the end is the README's line for the tests, to the letter."""
    line = block("README.md", "[test]").strip()
    assert [each.strip() for each in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()].count(line) == 1


@pytest.mark.slow
def test_first_command_runs_the_main_job(tmp_path: Path) -> None:
    """From the sources, the README's line installs the project and reports the shop to the embedded store."""
    clone = unpacked_sdist(tmp_path)
    done = bash(block("README.md", "examples/shop"), clone, clean_environment(), exits=1)
    assert "15 of 15 results delivered: 10 passed, 1 failed, 1 error, 3 skipped" in done.stdout
    assert (clone / "examples" / "shop" / ".automation-report" / "store.sqlite3").exists()


def test_embedded_commands_run(shop: Path) -> None:
    """Reporting to the embedded store and reading it work as they are written; the summary ends as the page says."""
    assert ("console", "$ pytest --automation-report\n") in blocks("README.md")
    bash("pytest --automation-report", shop, environment(), exits=1)
    done = bash("pytest --automation-report", shop, environment(), exits=1)
    assert "look at it: automation-report open 2\n" in done.stdout
    done = bash("set -e\n" + block("README.md", "run list"), shop, environment())
    ids, verdict = done.stdout[:6], done.stdout[6:].partition("\n")[0]
    assert (done.returncode, ids, verdict) == (0, "2\n1\n2\n", "2 of 15 tests failed, for 2 reasons"), done.stderr


@pytest.mark.slow
def test_way_of_a_newcomer(shop: Path, tmp_path: Path, wheelhouse: Wheelhouse) -> None:
    """Installed from its sources into a project's own environment, which has pytest, the plugin reports its tests."""
    unpacked_sdist(tmp_path).rename(tmp_path / "pytest-automation-report")
    python = wheelhouse.empty_venv(shop / ".venv").executable
    programs = Path(python).parent
    for name, line in (
        ("pytest", f"exec {python} -m pytest"),
        ("pip", f"exec {sys.executable} -m pip --python {python}"),
    ):
        (programs / name).write_text(f'#!/bin/sh\n{line} "$@"\n')
        (programs / name).chmod(0o755)
    env = environment(programs, PIP_NO_BUILD_ISOLATION="0", PIP_NO_INDEX="1")
    done = bash(f"set -e\n{block('README.md', 'pip install ../')}\npytest --automation-report", shop, env, exits=1)
    assert "15 of 15 results delivered" in done.stdout
    bare = {**env, "PATH": "/usr/bin:/bin"}
    again = bash(".venv/bin/pytest --automation-report", shop, bare)
    assert f"look at it: {programs}/automation-report open 2\n" in again.stdout


def test_readme_is_short() -> None:
    """A newcomer can read the page at a sitting: it has at most 200 lines and 1,500 words."""
    assert len(README.splitlines()) <= 200
    assert len(README.split()) <= 1500


def test_nothing_is_installed_from_an_index_that_does_not_have_it() -> None:
    """No page, recipe or message names the package as if an index had it."""
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.*")]
    texts += [
        *(path for path in (ROOT / "examples" / "ci").rglob("*") if path.is_file()),
        *(ROOT / "pytest_automation_report").rglob("*.py"),
    ]
    for path in texts:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            assert not re.search(r"pip install[^`]*(?<![/@\w.-])pytest-automation-report(?!\S*\.git)", line), (
                f"{path}: {line}"
            )


def test_exit_codes_have_meanings() -> None:
    """Each exit code of the console command has a meaning, and that of ``strict`` is in the page."""
    assert list(EXIT_CODES) == list(Exit)
    assert f"\n| {STRICT_EXIT_STATUS} | only with `strict`" in page("docs/console.md")


def test_pytest_toml_reports(shop: Path, tmp_path: Path) -> None:
    """The settings in pytest.toml report to their server, in CI only, as the file says."""
    if pytest.version_tuple < (9,):
        pytest.skip("this pytest knows no native TOML")
    with CheckedServer(tmp_path / "server.sqlite3", "...") as server:
        settings = block("docs/settings.md", "# pytest.toml").replace("https://example.testmo.net", server.address)
        (shop / "pytest.toml").write_text(f'{settings}pythonpath = ["."]\n')
        token = {"AUTOMATION_REPORT_TOKEN": "..."}
        assert "automation report" not in bash("pytest", shop, environment(**token)).stdout
        done = bash("pytest", shop, environment(CI="true", GITLAB_CI="true", **token))
        assert "15 of 15 results delivered" in done.stdout, done.stdout + done.stderr
        (reported,) = server.runs()
        assert (reported["source"], reported["tags"]) == ("backend", ["nightly", "linux"])


def add_settings(shop: Path, settings: str) -> None:
    """Add the lines of a block for pyproject.toml to that of the shop, which ends with pytest's table."""
    with (shop / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(settings.partition("ini_options]\n")[2])


def test_switch_of_a_project_reports(shop: Path) -> None:
    """With the line of the page each session of the project is reported, but for one that leaves itself out."""
    add_settings(shop, block("docs/start.md", "# pyproject.toml"))
    assert "15 of 15 results delivered" in bash("pytest", shop, environment(), exits=1).stdout
    assert "delivered" not in bash("pytest --no-automation-report", shop, environment(), exits=1).stdout


@pytest.mark.parametrize(("name", "command"), [("README.md", "-n 4"), ("docs/testmo.md", "doctor")])
def test_testmo_commands_run(shop: Path, tmp_path: Path, name: str, command: str) -> None:
    """The settings and commands for a server check it, and report to it, with pytest-xdist."""
    pytest.importorskip("xdist", reason="the README's line uses -n 4")
    settings = block(name, "# pyproject.toml")
    with CheckedServer(tmp_path / "server.sqlite3", "...") as server:
        add_settings(shop, settings.replace("https://example.testmo.net", server.address))
        if command == "doctor":
            done = bash(block(name, command), shop, environment(AUTOMATION_REPORT_URL=server.address), exits=0)
            assert "token" in done.stdout + done.stderr
        bash(block("README.md", "-n 4"), shop, environment(), exits=1)
        assert len(server.tests()) == 15
        assert [each["source"] for each in server.runs()] == ["backend"]


def test_commands_for_several_jobs_run(shop: Path) -> None:
    """A run that is made first, joined by sessions, added to and completed holds the sessions' results."""
    bash(block("docs/ci.md", "run create"), shop, environment(), exits=0)
    shown = bash("automation-report run show 1 --json", shop, environment())
    assert '"is_completed": true' in shown.stdout
    assert '"total_count": 15' in shown.stdout
    assert '"81%"' in shown.stdout


def test_commands_for_jobs_of_one_key_run(shop: Path) -> None:
    """Sessions with one key share a run, which is completed when as many jobs are in as there are."""
    session, completion = block("docs/ci.md", "--run-key").splitlines()
    env = environment(GITLAB_CI="true", CI_PIPELINE_ID="7")
    bash(f"{session}; {session}; {completion.replace('jobs 4', 'jobs 2')}", shop, env, exits=0)
    shown = bash("automation-report run show 1 --json; automation-report run list", shop, environment()).stdout
    assert '"is_completed": true' in shown
    assert '"total_count": 30' in shown
    assert shown.endswith("}\n1\n")


def test_a_job_goes_on_at_failed_tests_alone(shop: Path) -> None:
    """The line of a job that a gate judges later ends with 0 if tests fail, and with an error if pytest fails.

    Without a token no gate judges the job, so failed tests make it red.
    """
    line = block("docs/gate.md", "|| { test $?").splitlines()[0]
    env = environment(AUTOMATION_REPORT_TOKEN="a-token-of-the-job")
    bash(line, shop, env, exits=0)
    bash(line.replace("pytest ", "pytest --no-such-option "), shop, env, exits=1)
    bash(line, shop, environment(), exits=1)


def test_comparison_runs(shop: Path) -> None:
    """Both report once, as the page of the migration says, and nothing differs."""
    done = bash(block("docs/migration.md", "compare_junit"), shop, environment(), exits=1)
    assert "compared with junit.xml: keys and statuses are the same (15 compared)" in done.stdout


def test_command_for_results_of_other_tools_runs(shop: Path) -> None:
    """Result files of a pattern go to a run of their own."""
    command = block("docs/console.md", "automation-report submit")
    bash("pytest -q --junitxml=reports/deep/junit.xml", shop, environment())
    done = bash(command, shop, environment())
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert "15 results sent to run 1" in done.stderr


def test_commands_that_run_a_tool_run_it(shop: Path) -> None:
    """The tool's files, and pytest's sessions, are results of the run made for them; exit codes are the tool's."""
    npm = shop / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\nexec pytest -q --junitxml=reports/deep/junit.xml\n")
    npm.chmod(0o755)
    env = environment()
    env["PATH"] = os.pathsep.join((str(npm.parent), env["PATH"]))
    for command in block("docs/console.md", "-- npm test").splitlines():
        bash(command, shop, env, exits=1)
    shown = bash("automation-report run list", shop, env)
    assert (shown.stdout, shown.stderr.count(": completed, 15 results, 2 failed")) == ("2\n1\n", 2), shown.stderr


def test_command_that_runs_again_what_failed(shop: Path) -> None:
    """After a reported session the README's line runs its failures alone."""
    bash("pytest --automation-report", shop, environment())
    done = bash(block("README.md", "rerun-failed"), shop, environment(), exits=1)
    assert "1 failed, 13 deselected, 1 error" in done.stdout


def test_step_that_always_runs_sends_the_rest(shop: Path, tmp_path: Path) -> None:
    """The first step of the README's job keeps what it cannot send; the second one sends it."""
    job = yaml.safe_load(block("README.md", "# GitHub Actions"))
    first, second = job["steps"]
    assert second["if"] == "always() && env.AUTOMATION_REPORT_TOKEN != ''"
    assert job["env"] == {"AUTOMATION_REPORT_TOKEN": "${{ secrets.AUTOMATION_REPORT_TOKEN }}"}
    with CheckedServer(tmp_path / "server.sqlite3", "a-token") as server:
        env = environment(
            AUTOMATION_REPORT_URL=server.address, AUTOMATION_REPORT_PROJECT_ID="1", AUTOMATION_REPORT_SOURCE="shop"
        )
        done = bash(first["run"], shop, env)
        assert "15 results kept" in done.stdout, done.stdout + done.stderr
        done = bash(second["run"], shop, {**env, "AUTOMATION_REPORT_TOKEN": "a-token"}, exits=0)
        assert len(server.tests()) == 15


def test_shell_completes_commands(tmp_path: Path) -> None:
    """After the line bash completes the commands."""
    asked = "COMP_WORDS=(automation-report run c) COMP_CWORD=2; _automation_report_completion automation-report run c"
    asked += '; echo "${COMPREPLY[@]}"'
    done = bash(f"{block('docs/console.md', 'bash_source')}\n{asked}", tmp_path, environment())
    assert sorted(done.stdout.split()) == ["complete", "create"], done.stderr


def test_picture_shows_what_the_terminal_shows(shop: Path) -> None:
    """Each line of the summary stands in the picture, but for the time of the run."""
    picture = html.unescape(re.sub(r"<[^>]+>", "", (ROOT / "docs" / "terminal.svg").read_text(encoding="utf-8")))
    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", picture.replace("\xa0", " "))
    ran = run_session(shop)
    summary = ran.out.partition(" automation report ==")[2].partition("= short test summary")[0].splitlines()[1:-1]
    assert len(summary) == 3
    for line in summary:
        assert re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", line) in shown
