"""Tests that a session did not come to are reported by name, where that is asked for."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.session_processes import eventually, spools
from support.sessions import run_session, send

SUITE = """
import os, signal, threading, pytest

@pytest.mark.parametrize("number", range(4))
def test_before(number): pass

def test_it():
    {end}

@pytest.mark.xdist_group("last")
@pytest.mark.parametrize("number", range(1_000))
def test_after(number): pass
"""

NOT_RUN = "-oautomation_report_report_not_run=true"


def names(server: CheckedServer) -> dict[str, set[str]]:
    """Return the names of the tests by their status; no test may have arrived twice."""
    tests = [test for _, test in server.tests()]
    assert max(Counter(each["key"] for each in tests).values()) == 1
    found: dict[str, set[str]] = {}
    for each in tests:
        assert each["key"] == sha256(f"test_suite.{each['name']}".encode()).hexdigest()
        found.setdefault(each["status"], set()).add(each["name"])
    return found


@pytest.mark.parametrize(
    ("end", "arguments", "status"),
    [
        pytest.param("assert 0", ["-x"], "failure", id="x"),
        pytest.param("assert 0", ["--maxfail=1", "-n2", "--dist=loadgroup"], "failure", id="maxfail-n2"),
        pytest.param("os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(9)", [], "untested", id="ctrl-c"),
        pytest.param("os._exit(0)", [], "error", id="died"),
    ],
)
def test_tests_that_were_not_run_are_named(
    tmp_path: Path, server: CheckedServer, end: str, arguments: list[str], status: str
) -> None:
    """Each test that nothing has begun arrives once as untested, with key, folder and name as ever."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=end))
    ran = run_session(tmp_path, NOT_RUN, *arguments, address=server.address)
    eventually(lambda: bool(server.posts("/complete")) and not spools(tmp_path), "the sender ends")
    found = names(server)
    assert "test_it" in found[status], ran.text
    assert sum(map(len, found.values())) == 1_005
    assert "test_after[999]" in found["untested"]
    assert {f"test_before[{each}]" for each in range(4)} <= found["passed"] | found["untested"]
    untested = [test for worker, test in server.tests() if test["status"] == "untested" and worker == "not-run"]
    assert len(untested) == len(found["untested"] - {"test_it"})
    assert {each["folder"] for each in untested} == {"test_suite"}
    if "os._exit" not in end:
        run = len(found["passed"]) + len(found.get("failure", ()))
        assert f"1,005 tests collected = {run:,} reported + {1_005 - run:,} not run" in ran.out
        assert f"{1_005 - run:,} untested" in ran.out


def test_kept_sessions_name_them_too(tmp_path: Path, server: CheckedServer) -> None:
    """A session that is sent later names the tests that were not run as well."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end="assert 0"))
    run_session(tmp_path, NOT_RUN, "-x", "--automation-report-delivery=later", address=server.address)
    send(tmp_path, "--url", server.address, "--project-id", "1", exits=0)
    assert {status: len(found) for status, found in names(server).items()} == {
        "passed": 4,
        "failure": 1,
        "untested": 1_000,
    }


def test_nothing_is_named_unless_asked(tmp_path: Path, server: CheckedServer) -> None:
    """Without the setting, and where all tests ran, no result is untested and no thread is made for them."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end="assert 0"))
    run_session(tmp_path, "-x", address=server.address)
    run_session(tmp_path, NOT_RUN, "-k", "before", address=server.address)
    assert {test["status"] for _, test in server.tests()} == {"passed", "failure"}
    assert "not-run" not in server.workers().values()
