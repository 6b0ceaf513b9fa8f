"""Which run a command reads: the one that is named, in CI that of the job's commit, else the newest."""

import json
import re
import socket
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, Ran, session_environment

TESTS = "import os\n\ndef test_ok():\n    pass\n\ndef test_total():\n    assert 'BROKEN' not in os.environ\n"
MAIN, A, B = "a" * 40, "b" * 40, "c" * 40
ONES = [
    ("run", "show"), ("run", "findings"), ("run", "failed"), ("run", "export", "--format", "json"), ("gate",),
]  # fmt: skip
"""Commands that read one run, and print its id on stdout or stderr."""


def job(branch: str, commit: str, **more: str) -> dict[str, str]:
    """Return the environment of a job of GitHub's."""
    ref = {"GITHUB_SHA": commit, "GITHUB_REF": f"refs/heads/{branch}", "GITHUB_REF_NAME": branch}
    return {**session_environment(), "GITHUB_ACTIONS": "true", **ref, **more}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a run on main, one on feat-a that fails, and one on feat-b that passes, with a key."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    folder.mkdir()
    project = Project(folder, TESTS)
    project.report(env=job("main", MAIN))
    project.report(env=job("feat-a", A, BROKEN="1"))
    project.report(env=job("feat-b", B, AUTOMATION_REPORT_RUN_KEY="build-3"))
    console(project.root, "run", "complete", "3")
    return project


def run_in(ran: Ran, words: tuple[str, ...]) -> int:
    """Return the run that a command of `ONES` read."""
    assert ran.exit in {0, 5}, ran.text
    if words[:2] == ("run", "export"):
        return int(json.loads(ran.out)["run"]["id"])
    return int(ran.out.split()[0] if ran.out else ran.err.splitlines()[-1].split()[1].rstrip(":"))


@pytest.mark.parametrize("words", ONES, ids=" ".join)
def test_a_job_reads_the_run_of_its_commit(project: Project, words: tuple[str, ...]) -> None:
    """In CI it is the run of this commit and branch, ``last`` the newest, and without such a run an error says so."""
    assert run_in(console(project.root, *words, env=job("feat-a", A)), words) == 2
    assert run_in(console(project.root, *words, "last", env=job("feat-a", A)), words) == 3
    assert run_in(console(project.root, *words), words) == 3
    nothing = console(project.root, *words, env=job("feat-a", B))
    assert (nothing.exit, nothing.out) == (2, ""), nothing.text
    (line,) = [each for each in nothing.err.splitlines() if each.startswith("Error: ")]
    assert f"of commit {B[:7]} on branch feat-a: name one by its id, --run-id or --run-key, or write last" in line


@pytest.mark.parametrize("words", ONES, ids=" ".join)
def test_settings_name_the_run(project: Project, words: tuple[str, ...]) -> None:
    """A run is named by its id, by --run-id and --run-key, and by the variables that the jobs have."""
    assert run_in(console(project.root, *words, "2"), words) == 2
    assert run_in(console(project.root, *words, "--run-id", "2"), words) == 2
    assert run_in(console(project.root, *words, env=session_environment(AUTOMATION_REPORT_RUN_ID="2")), words) == 2
    assert run_in(console(project.root, *words, "--run-key", "build-3"), words) == 3
    key = session_environment(AUTOMATION_REPORT_RUN_KEY="build-3")
    assert run_in(console(project.root, *words, env=key), words) == 3
    unknown = console(project.root, *words, "--run-key", "build-4")
    assert (unknown.exit, "there is no run of the key 'build-4'" in unknown.err) == (2, True), unknown.text


def test_the_report_is_that_of_the_jobs_run(project: Project, tmp_path: Path) -> None:
    """``html`` writes the run of the job's commit; ``open`` of a server prints the address of that run."""
    written = console(project.root, "html", "-o", str(tmp_path / "report.html"), env=job("feat-a", A))
    assert written.err.startswith("run 2 is in "), written.text


def test_open_shows_the_jobs_run(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """``open`` takes the run of the job's commit, too."""
    for branch, commit in (("feat-a", A), ("feat-b", B)):
        project.report(address=server.address, env=job(branch, commit))
    opened = console(project.root, "open", *server_options[:4], env=job("feat-a", A, BROWSER="true"))
    assert opened.out == f"{server.address}/automation/runs/view/1\n", opened.text


def test_the_verdict_names_run_branch_commit_and_base(project: Project) -> None:
    """The last line of the gate says which run was judged, and compared with which."""
    failed = console(project.root, "gate", "2")
    assert (failed.exit, failed.err.splitlines()) == (5, [
        "new failure: test_suite.test_total",
        "run 2 (feat-a, bbbbbbb): 1 new failure since run 1 (main), at most 0 are allowed",
    ])  # fmt: skip
    passed = console(project.root, "gate", "3")
    assert (passed.exit, passed.err) == (0, "run 3 (feat-b, ccccccc): no new failure since run 1 (main)\n")


def test_an_open_run_is_not_judged(tmp_path: Path) -> None:
    """A run whose jobs may still send results ends with exit code 3; --allow-partial judges what is there."""
    project = Project(tmp_path, TESTS)
    project.report("--automation-report-run-key", "k")
    refused = console(project.root, "gate", exits=3)
    reason = "run 1 is open: its jobs may still send results\n"
    verdict = "run 1: 2 tests ran\n"
    assert refused.err == f"{verdict}{reason}--allow-partial judges what is there\n"
    allowed = console(project.root, "gate", "--allow-partial")
    judged = "run 1: no new failure, as there is no earlier run to compare with\n"
    assert (allowed.exit, allowed.err) == (0, verdict + reason + judged)


def test_flaky_tests_of_the_runs_branch(project: Project) -> None:
    """``flaky`` takes source and branch of the named run, else the main branch; an unknown branch is an error."""
    assert console(project.root, "flaky").err == "no flaky tests on main\n"
    assert console(project.root, "flaky", "2").err == "no flaky tests on feat-a\n"
    unknown = console(project.root, "flaky", "--branch", "feat-c", exits=2)
    assert unknown.err.splitlines()[-1] == "Error: no run is of branch 'feat-c': did you mean feat-b or feat-a?"
    nobody = console(project.root, "flaky", "--source", "shopp")
    assert nobody.err.splitlines()[-1] == "Error: no run is of source 'shopp': did you mean shop?"


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (["--status", "failed"], "2"),
        (["--status", "passed"], "3 1"),
        (["--status", "failed", "--status", "passed"], "3 2 1"),
        (["--status", "open"], ""),
        (["--branch", "feat-a"], "2"),
        (["--source", "shop", "--newer-than", "2h"], "3 2 1"),
        (["--older-than", "2h"], ""),
        (["--tag", "nightly"], ""),
    ],
    ids=" ".join,
)
def test_runs_are_listed_by_what_they_are(project: Project, words: list[str], runs: str) -> None:
    """``run list`` has the filters of the API, and that of the branch."""
    listed = console(project.root, "run", "list", *words)
    assert (listed.exit, listed.out.split()) == (0, runs.split()), listed.text


def test_a_server_without_the_filter_says_how_far_it_was_looked(project: Project) -> None:
    """A server that is not ours cannot filter by branch and commit: its newest runs are looked at, and how many."""
    with ScriptedServer(token=TOKEN) as server:
        where = ["--url", server.address, "--project-id", "1"]
        made = console(project.root, "run", "create", *where, "--source", "suite", env=job("feat-a", A))
        found = console(project.root, "run", "list", *where, "--branch", "feat-a")
        refused = console(project.root, "run", "show", *where, env=job("feat-a", B))
    assert (made.exit, found.out) == (0, "1\n"), found.text
    assert "this server cannot filter by branch: these are of its newest 300 runs" in found.err
    assert (refused.exit, "on branch feat-a among the newest 300: " in refused.err) == (2, True), refused.text


READERS = [
    (("run", "list"), 0), (("run", "show"), 2), (("run", "findings"), 2), (("run", "failed"), 2), (("flaky",), 2),
    (("gate",), 2), (("open",), 2), (("html", "-o", "-"), 2), (("run", "export", "--format", "csv"), 2),
    (("store", "check"), 2), (("serve", "--port", "0", "--run", "1"), 2), (("run", "append", "1", "--field", "a=b"), 2),
    (("run", "complete", "1"), 2), (("doctor",), 0),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code"), READERS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else "")
def test_who_reads_creates_nothing(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    """In a folder without a store commands leave none, say where they looked, and name the stores of folders below."""
    below = tmp_path / "b" / ".automation-report" / "store.sqlite3"
    below.parent.mkdir(parents=True)
    below.touch()
    ran = console(tmp_path, *words, exits=code)
    if words != ("doctor",):
        assert "there is no store .automation-report/store.sqlite3: " in ran.err
        assert "name one of these with --database: b/.automation-report/store.sqlite3" in ran.err
    assert [*tmp_path.iterdir()] == [tmp_path / "b"]


def test_serve_on_a_taken_port_leaves_nothing(tmp_path: Path) -> None:
    """A server that cannot listen says what to do in one line, and leaves neither a store nor a token."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = console(tmp_path, "serve", "--port", str(port), exits=2)
    assert re.search(rf"--port: {port} .*0 for any free one$", ran.err.strip().splitlines()[-1]), ran.text
    assert "Traceback" not in ran.text
    assert [*tmp_path.iterdir()] == []


def test_the_store_of_a_project_that_cannot_be_written(tmp_path: Path) -> None:
    """Where pytest keeps the store in the user's folder, commands read it there, and say so."""
    project = Project(tmp_path / "project", TESTS)
    project.state.write_text("a file where the folder would be")
    env = session_environment(XDG_STATE_HOME=str(tmp_path / "state"))
    assert project.report(env=env).exit == 0
    (store,) = (tmp_path / "state").rglob("store.sqlite3")
    for words in (("run", "list"), ("run", "show")):
        ran = console(project.root, *words, env=env)
        assert (ran.exit, ran.out) == (0, "1\n"), ran.text
        assert f"the store of this project is {store}" in ran.err
