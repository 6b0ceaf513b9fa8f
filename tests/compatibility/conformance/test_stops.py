"""Sessions that end before their tests do, and sessions in which each worker runs every test."""

from dataclasses import replace
from pathlib import Path

import pytest

from compatibility.conformance.conforming import (
    check,
    observe,
    rows,
    rows_of,
)
from compatibility.world.differing import ONLY_RERUNFAILURES, Pair

STOPS = rows(
    "suite_stops.py", "suite_stops",
    (6, "test_passes", "passed"),
    (10, "test_fails", "failure", "Failure"),
    (14, "test_skips", "skipped", "Skipped"),
    (18, "test_fails_more[0]", "failure", "Failure"),
    (18, "test_fails_more[1]", "failure", "Failure"),
    (18, "test_fails_more[2]", "failure", "Failure"),
    (23, "test_passes_last", "passed"),
)  # fmt: skip

LEAVES = rows(
    "suite_leaves.py", "suite_leaves",
    (6, "test_passes_first", "passed"),
    (10, "test_ends_the_session", "untested", "Not run"),
    (14, "test_never", "passed"),
)  # fmt: skip

TWO = ("-n", "2")
INTERRUPTED = "interrupted (Ctrl-C, pytest.exit or -x) before it finished"


@pytest.mark.parametrize(
    ("option", "number"), [pytest.param("-x", 2, id="exitfirst"), pytest.param("--maxfail=2", 4, id="maxfail")]
)
def test_stopping_at_failures(tmp_path: Path, option: str, number: int) -> None:
    """A session that stops at failures reports what has run, says why it ended and counts what has not run."""
    observed = observe("stops", tmp_path, *ONLY_RERUNFAILURES, option, "suite_stops.py")
    check(observed, STOPS[:number], processes=0, collected=len(STOPS))
    assert "stopping after" in note(observed)


def test_stopping_workers_at_failures(tmp_path: Path) -> None:
    """With workers, each test that has run is reported once, and no other."""
    observed = observe("stops", tmp_path, *ONLY_RERUNFAILURES, *TWO, "--maxfail=2", "suite_stops.py")
    assert set(rows_of(observed)) <= set(STOPS)
    assert sum(each.status == "failure" for each in rows_of(observed)) >= 2
    check(observed, None, processes=2, collected=len(STOPS))
    assert "stopping after" in note(observed)


def test_leaving(tmp_path: Path) -> None:
    """A test that ends the session by pytest.exit was interrupted; the exit code is the one that it asked for."""
    observed = observe("stops", tmp_path, *ONLY_RERUNFAILURES, "suite_leaves.py")
    assert observed.reported.ran.exit == 7
    check(observed, LEAVES[:2], processes=0, collected=None, unknown_to_xml={"test_ends_the_session"})
    assert INTERRUPTED in observed.fields("test_ends_the_session")["Not run"]
    assert "enough is enough" in note(observed)


@pytest.mark.parametrize(
    ("suite", "is_told"), [("suite_leaves.py", False), ("suite_quits.py", True)], ids=["with-code", "without"]
)
def test_leaving_a_worker(tmp_path: Path, suite: str, *, is_told: bool) -> None:
    """A test that ends its worker by pytest.exit was interrupted, once; what the other worker has run is reported."""
    observed = observe("stops", tmp_path, *ONLY_RERUNFAILURES, *TWO, suite)
    leaves = [replace(each, file=suite, folder=suite.removesuffix(".py")) for each in LEAVES]
    assert leaves[1] in rows_of(observed)
    assert set(rows_of(observed)) <= set(leaves)
    collected = len(LEAVES) if is_told else None
    check(observed, None, processes=2, collected=collected, unknown_to_xml={each.name for each in LEAVES})
    assert INTERRUPTED in observed.fields("test_ends_the_session")["Not run"]


def note(observed: Pair) -> str:
    """Return what the run says about the session's end."""
    return observed.run_fields["Session"]
