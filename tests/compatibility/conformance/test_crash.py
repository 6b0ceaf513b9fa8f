"""Processes that end in the middle of a test, in real sessions, against a server that checks each request."""

from dataclasses import replace
from pathlib import Path

import pytest

from compatibility.conformance.conforming import (
    check,
    observe,
    on_other_hosts,
    rows,
)
from compatibility.real.verdicts import IS_OLD_PYTEST
from compatibility.world.differing import ONLY_RERUNFAILURES

EXITS = [
    *rows(
        "suite_exits.py", "suite_exits",
        (9, "test_passes_before", "passed"),
        (13, "test_among_others[0]", "passed"),
        (13, "test_among_others[1]", "passed"),
        (13, "test_among_others[2]", "failure", "Failure"),
        (13, "test_among_others[3]", "passed"),
        (18, "test_leaves", "error", "Error"),
        (35, "test_leaves_in_setup", "error", "Error"),
        (39, "test_passes_after", "passed"),
    ),
    *rows("suite_exits.py", "suite_exits.TestKilled", (25, "test_is_killed[a[b]]", "error", "Error")),
]  # fmt: skip

AGAIN = rows(
    "suite_crashes.py", "suite_crashes",
    (22, "test_passes", "passed"),
    (26, "test_crashes_first", "error", "Error|Attempts=2|Attempt 1"),
    (36, "test_fails_then_crashes", "failure", "Failure"),
    (43, "test_crashes_then_fails", "error", "Error|Failure|Attempts=2|Attempt 1"),
    (50, "test_passes_too", "passed"),
)  # fmt: skip

REPEATED = rows(
    "suite_crashes.py", "suite_crashes",
    (22, "test_passes", "passed"),
    (26, "test_crashes_first", "passed", "Attempts=2|Attempt 1"),
    (31, "test_crashes_always", "error", "Error|Attempts=3|Attempt 1|Attempt 2"),
    (36, "test_fails_then_crashes", "passed", "Attempts=3|Attempt 1|Attempt 2"),
    (43, "test_crashes_then_fails", "failure", "Failure|Attempts=3|Attempt 1|Attempt 2"),
    (50, "test_passes_too", "passed"),
)  # fmt: skip

GROUPS = [
    *rows(
        "suite_groups.py", "suite_groups",
        (9, "test_grouped", "passed"),
        (14, "test_grouped_with[a@b]", "passed"),
        (14, "test_grouped_with[c[d]]", "failure", "Failure"),
        (20, "test_two_groups", "passed"),
        (26, "test_default_group", "passed"),
        (37, "test_crashes_first", "error", "Error|Attempts=2|Attempt 1"),
        (45, "test_after_the_crash", "passed"),
        (50, "test_ungrouped", "passed"),
    ),
    *rows("suite_groups.py", "suite_groups.TestGroup", (32, "test_method", "skipped", "Skipped")),
]  # fmt: skip

TWO = ("-n", "2")
ALL_ELSEWHERE = on_other_hosts(*(f"gw{number}" for number in range(10)))
CRASHED = "crashed while it ran this test"


def test_workers_crash(tmp_path: Path) -> None:
    """The test that a worker died in is an error in that worker's thread; no other is lost."""
    observed = observe("crash", tmp_path, *ONLY_RERUNFAILURES, *TWO, "--dist", "worksteal")
    check(observed, EXITS, processes=2, collected=len(EXITS))
    assert CRASHED in observed.fields("test_leaves")["Error"]


def test_workers_crash_on_other_hosts(tmp_path: Path) -> None:
    """The controller records what workers cannot that see no spool, crashes included."""
    observed = observe("crash", tmp_path, *ONLY_RERUNFAILURES, *TWO, conftest=ALL_ELSEWHERE)
    check(observed, EXITS, processes=2, collected=len(EXITS))


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        pytest.param("not killed", "test_leaves", id="exit"),
        pytest.param("among or killed", "test_is_killed[a[b]]", id="kill"),
    ],
)
def test_only_process_crashes(tmp_path: Path, chosen: str, name: str) -> None:
    """Without workers the sender outlives pytest: it reports the test that was running and completes the run."""
    observed = observe("crash", tmp_path, *ONLY_RERUNFAILURES, "-k", chosen)
    before = [each for each in EXITS if each.line < 18 and ("among" in each.name or "among" not in chosen)]
    check(observed, [*before, *(each for each in EXITS if each.name == name)], processes=0, collected=None)
    assert "died before it finished" in observed.fields(name)["Error"]


@pytest.mark.parametrize(
    ("dist", "conftest"), [("loadscope", ""), ("loadfile", ALL_ELSEWHERE)], ids=["loadscope", "loadfile-on-other-hosts"]
)
def test_crashes_are_run_again_by_scope(tmp_path: Path, dist: str, conftest: str) -> None:
    """Where xdist runs a crashed test again with its scope, it is one result: an error, since pytest counts one."""
    options = (*ONLY_RERUNFAILURES, *TWO, "--dist", dist, "-k", "not always")
    observed = observe("reruns", tmp_path, *options, conftest=conftest)
    check(observed, AGAIN, processes=2, collected=len(AGAIN))
    assert CRASHED in observed.fields("test_crashes_first")["Attempt 1"]


@pytest.mark.parametrize(("restarts", "fields"), [("0", "Error"), ("1", "Error|Attempts=2|Attempt 1")])
def test_scope_is_given_up(tmp_path: Path, restarts: str, fields: str) -> None:
    """The last crash is the result when xdist gives a scope up; what was never run is counted, not shown."""
    limited = ("--dist", "loadfile", "--max-worker-restart", restarts)
    observed = observe("crash", tmp_path, *ONLY_RERUNFAILURES, *TWO, *limited)
    check(observed, [*EXITS[:5], replace(EXITS[5], fields=fields)], processes=2, collected=len(EXITS))


def test_groups(tmp_path: Path) -> None:
    """What xdist adds to the names of grouped tests is taken off, here and on another host, and if they crash."""
    # With a new pytest, xdist 3.8 adds no group, and hangs when a scope of one test has crashed.
    chosen = "test" if IS_OLD_PYTEST else "not crash"
    options = (*ONLY_RERUNFAILURES, *TWO, "--dist", "loadgroup", "-k", chosen)
    observed = observe("groups", tmp_path, *options, conftest=on_other_hosts("gw0"))
    expected = [each for each in GROUPS if IS_OLD_PYTEST or "crash" not in each.name]
    check(observed, expected, processes=2, collected=len(expected))


@pytest.mark.parametrize("conftest", ["", ALL_ELSEWHERE], ids=["here", "on-other-hosts"])
def test_crashes_are_repeated(tmp_path: Path, conftest: str) -> None:
    """A test that crashed and was run again by another worker is one result; the crash is an attempt of it."""
    options = (*ONLY_RERUNFAILURES, *TWO, "--reruns", "2")
    observed = observe("reruns", tmp_path, *options, conftest=conftest)
    check(observed, REPEATED, processes=2, collected=len(REPEATED))
    assert CRASHED in observed.fields("test_crashes_first")["Attempt 1"]
    assert CRASHED in observed.fields("test_crashes_always")["Attempt 2"]
    assert CRASHED not in observed.fields("test_fails_then_crashes")["Attempt 1"]
    assert CRASHED in observed.fields("test_fails_then_crashes")["Attempt 2"]
    assert CRASHED in observed.fields("test_crashes_then_fails")["Attempt 1"]
    assert "attempt 2" in observed.fields("test_crashes_then_fails")["Attempt 2"]
