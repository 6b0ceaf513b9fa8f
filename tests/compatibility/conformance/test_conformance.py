"""Every row of the mapping, crashes and ends of sessions: real sessions against a server that checks each request."""

from dataclasses import replace
from pathlib import Path

import pytest

from compatibility.conformance.conforming import check, expected, observe, on_other_hosts
from compatibility.real.verdicts import IS_OLD_PYTEST
from support.needs import needs_subtests

EXITS = expected("crash")
REPEATED = expected("repeated")
AGAIN = expected("again")
GROUPS = expected("groups")
TWO = ("-n", "2")
ALL_ELSEWHERE = on_other_hosts(*(f"gw{number}" for number in range(10)))
CRASHED = "crashed while it ran this test"


@needs_subtests
@pytest.mark.parametrize(
    ("processes", "prefix", "others"),
    [
        pytest.param(0, "", (), id="plain"),
        pytest.param(2, "team.unit", (), id="n2-prefixed"),
        pytest.param(2, "", ("gw0", "gw1"), id="n2-on-other-hosts"),
    ],
)
def test_hard_suite(tmp_path: Path, processes: int, prefix: str, others: tuple[str, ...]) -> None:
    """Each test of the hard suite is one result as the table has it, alone, on two workers and on other hosts."""
    options = [*(("-n", str(processes)) if processes else ()), *((f"--junit-prefix={prefix}",) if prefix else ())]
    conftest = on_other_hosts(*others) if others else ""
    observed = observe("hard", tmp_path, "--continue-on-collection-errors", *options, conftest=conftest)
    rows = expected("hard")
    if prefix:
        rows = [replace(each, folder=f"{prefix}.{each.folder}") for each in rows]
    # JUnit XML marks a whole test skipped for one skipped subtest.
    unknown = {"test_subtest_is_skipped"}
    collected = sum(each.line > 0 for each in rows)
    check(observed, rows, processes=processes, collected=collected, repeated={"test_twin"}, unknown_to_xml=unknown)


def test_workers_crash(tmp_path: Path) -> None:
    """The test that a worker died in is an error in that worker's thread; no other is lost."""
    observed = observe("crash", tmp_path, *TWO, "--dist", "worksteal")
    check(observed, EXITS, processes=2, collected=len(EXITS))
    assert CRASHED in observed.fields("test_leaves")["Error"]


def test_workers_crash_on_other_hosts(tmp_path: Path) -> None:
    """The controller records what workers cannot that see no spool, crashes included."""
    observed = observe("crash", tmp_path, *TWO, conftest=ALL_ELSEWHERE)
    check(observed, EXITS, processes=2, collected=len(EXITS))


@pytest.mark.parametrize(
    ("dist", "conftest"), [("loadscope", ""), ("loadfile", ALL_ELSEWHERE)], ids=["loadscope", "loadfile-on-other-hosts"]
)
def test_crashes_are_run_again_by_scope(tmp_path: Path, dist: str, conftest: str) -> None:
    """Where xdist runs a crashed test again with its scope, it is one result: an error, since pytest counts one."""
    options = (*TWO, "--dist", dist, "-k", "not always")
    observed = observe("reruns", tmp_path, *options, conftest=conftest)
    check(observed, AGAIN, processes=2, collected=len(AGAIN))
    assert CRASHED in observed.fields("test_crashes_first")["Attempt 1"]


@pytest.mark.parametrize(("restarts", "fields"), [("0", "Error"), ("1", "Error|Attempts=2|Attempt 1")])
def test_scope_is_given_up(tmp_path: Path, restarts: str, fields: str) -> None:
    """The last crash is the result when xdist gives a scope up; what was never run is counted, not shown."""
    limited = ("--dist", "loadfile", "--max-worker-restart", restarts)
    observed = observe("crash", tmp_path, *TWO, *limited)
    check(observed, [*EXITS[:5], replace(EXITS[5], fields=fields)], processes=2, collected=len(EXITS))


def test_groups(tmp_path: Path) -> None:
    """What xdist adds to the names of grouped tests is taken off, here and on another host, and if they crash."""
    # With a new pytest, xdist 3.8 adds no group, and hangs when a scope of one test has crashed.
    chosen = "test" if IS_OLD_PYTEST else "not crash"
    options = (*TWO, "--dist", "loadgroup", "-k", chosen)
    observed = observe("groups", tmp_path, *options, conftest=on_other_hosts("gw0"))
    rows = [each for each in GROUPS if IS_OLD_PYTEST or "crash" not in each.name]
    check(observed, rows, processes=2, collected=len(rows))


@pytest.mark.parametrize("conftest", ["", ALL_ELSEWHERE], ids=["here", "on-other-hosts"])
def test_crashes_are_repeated(tmp_path: Path, conftest: str) -> None:
    """A test that crashed and was run again by another worker is one result; the crash is an attempt of it."""
    options = (*TWO, "--reruns", "2")
    observed = observe("reruns", tmp_path, *options, conftest=conftest)
    check(observed, REPEATED, processes=2, collected=len(REPEATED))
    assert CRASHED in observed.fields("test_crashes_first")["Attempt 1"]
    assert CRASHED in observed.fields("test_crashes_always")["Attempt 2"]
    assert CRASHED not in observed.fields("test_fails_then_crashes")["Attempt 1"]
    assert CRASHED in observed.fields("test_fails_then_crashes")["Attempt 2"]
    assert CRASHED in observed.fields("test_crashes_then_fails")["Attempt 1"]
    assert "attempt 2" in observed.fields("test_crashes_then_fails")["Attempt 2"]
