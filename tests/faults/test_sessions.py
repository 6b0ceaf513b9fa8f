"""Rows 33 to 42 of the faults that no other module shows: how sessions end, fork, overflow, repeat and meet."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.fault_projects import GatedProject
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, spools
from support.sessions import TOKEN, reporting_arguments, run_session, session_environment


def statuses(server: CheckedServer) -> dict[str, str]:
    """Return the status of each test by its name; no test may have arrived twice."""
    tests = [test for _, test in server.tests()]
    assert max(Counter(each["key"] for each in tests).values(), default=0) <= 1
    return {each["name"]: each["status"] for each in tests}


def test_a_session_holds_no_connection_while_a_test_runs(project: Path) -> None:
    """A long test leaves the server's connections to others; what comes after it arrives over a new one."""
    gated = GatedProject(project, 2, 0, 1)
    with ScriptedServer(token=TOKEN) as server, RunningSession(project, address=server.address) as session:
        for gate in range(2):
            session.until(lambda: gated.is_at(gate) and len(server.log) > gate, "the test runs and its run is there")  # noqa: B023 - it is called at once
            server.wait_until(lambda: not server.open_connections)
            gated.let_through(gate)
        assert session.end().exit == 0
        assert [test["name"] for _, _, test in server.results] == gated.names


def test_results_of_a_worker_that_crashed_are_counted(project: Path, embedded_server: CheckedServer) -> None:
    """The summary counts what a worker has brought that crashed, by what it wrote: it could not count itself."""
    tests = "".join(f"def test_before_{number}(): pass\n" for number in range(3))
    (project / "test_it.py").write_text(f"import os\n{tests}def test_crashes(): os._exit(1)\ndef test_after(): pass\n")
    later = "--automation-report-delivery=later"
    ran = run_session(project, "-n", "1", "-p", "no:randomly", later, address=embedded_server.address, exits=1)
    assert "0 of 4 results delivered: 4 passed" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        pytest.param(["test_absent.py"], 4, {}, id="35-usage"),
        pytest.param(["-k", "nothing", "test_it.py"], 5, {}, id="35-no-tests"),
        pytest.param(["test_broken.py"], 2, {"test_broken": "error"}, id="35-collection"),
        pytest.param(["-p", "breaking", "test_it.py"], 3, {"test_it": "passed"}, id="35-internal"),
    ],
)
def test_sessions_that_end_early(
    project: Path, embedded_server: CheckedServer, arguments: list[str], code: int, expected: dict[str, str]
) -> None:
    """Exit codes are pytest's; what there is to report arrives, and without anything there is no run."""
    (project / "test_it.py").write_text("def test_it(): pass\ndef test_last(): pass\n")
    (project / "test_broken.py").write_text("import absent_module\n")
    (project / "breaking.py").write_text(
        "def pytest_runtest_logfinish(nodeid):\n    if 'test_last' in nodeid:\n        raise RuntimeError('breaks')\n"
    )
    env = {**session_environment(), "PYTHONPATH": str(project)}
    run_session(project, *arguments, address=embedded_server.address, env=env, exits=code)
    found = statuses(embedded_server)
    assert {name: found.get(name) for name in expected} == expected
    assert len(embedded_server.runs()) == (1 if expected else 0)
    assert spools(project) == []


NAMES = """
import pytest
@pytest.mark.parametrize("value", ["\\x00", "\\x1b[31m", "\\u202e", "\\ud800", "\\x9b", "a/b::c[d]", "caf\\u00e9"])
def test_it(value):
    print(value)
    assert value == ""
"""


def test_odd_names_and_texts_arrive(project: Path, embedded_server: CheckedServer) -> None:
    """38: control characters, lone surrogates and brackets in ids and output arrive as text, each test with a key."""
    (project / "test_it.py").write_text(NAMES)
    run_session(project, address=embedded_server.address, exits=1)  # pytest-xdist's own wire takes no lone surrogate
    tests = [test for _, test in embedded_server.tests()]
    assert len({each["key"] for each in tests}) == len(tests) == 7
    for each in tests:
        for text in (each["name"], each["folder"], *(one["value"] or "" for one in each["fields"])):
            assert "\x00" not in text
            text.encode()


def test_one_test_run_twice_is_two_results(project: Path, embedded_server: CheckedServer) -> None:
    """41: a test that is named twice and run twice has two results, never both in one request."""
    (project / "test_it.py").write_text("def test_it(): pass\ndef test_other(): pass\n")
    ran = run_session(
        project, "--keep-duplicates", "test_it.py", "test_it.py", address=embedded_server.address, exits=0
    )
    names = Counter(test["name"] for _, test in embedded_server.tests())
    assert f"{sum(names.values())} passed" in ran.out
    for each in embedded_server.posts("/append"):
        keys = Counter(test["key"] for test in each.body.get("tests", []))
        assert max(keys.values(), default=1) == 1


def test_two_sessions_of_one_project_at_once(project: Path, embedded_server: CheckedServer) -> None:
    """42: two sessions in one folder at the same time have a run each, with their own tests."""
    (project / "test_it.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    processes = [
        subprocess.Popen(
            [*reporting_arguments(embedded_server.address), "-k", each],
            cwd=project,
            env=session_environment(),
            stdout=subprocess.PIPE,
        )
        for each in ("one", "two")
    ]
    for each in processes:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0, out
    assert statuses(embedded_server) == {"test_one": "passed", "test_two": "passed"}
    assert len(embedded_server.runs()) == 2
    assert spools(project) == []
