"""Every row of the mapping, on hard suites in real sessions, against a server that checks each request."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from compatibility.conformance import hard_table
from compatibility.conformance.conforming import (
    check,
    observe,
    on_other_hosts,
    rows,
)
from compatibility.world.differing import ONLY_FLAKY, ONLY_RERUNFAILURES, ONLY_RETRY

RETRIES = rows(
    "suite_retry.py", "suite_retry",
    (15, "test_passes_at_second", "passed", "Attempts=2|Attempt 1"),
    (20, "test_fails_always", "failure", "Failure|Attempts=2|Attempt 1"),
    (25, "test_passes_at_once", "passed"),
    (30, "test_fails_once", "failure", "Failure"),
)  # fmt: skip

FLAKES = rows(
    "suite_flaky.py", "suite_flaky",
    (15, "test_passes_at_second", "passed", "Attempts=2|Attempt 1"),
    (20, "test_fails_always", "failure", "Failure|Attempts=2|Attempt 1"),
    (25, "test_passes_at_once", "passed"),
    (30, "test_fails_once", "failure", "Failure"),
)  # fmt: skip

has_subtests = pytest.mark.skipif(
    pytest.version_tuple < (9,) and find_spec("pytest_subtests") is None,
    reason="before pytest 9 the suite's subtests need pytest-subtests",
)


@has_subtests
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
    options = [*_workers(processes), *((f"--junit-prefix={prefix}",) if prefix else ())]
    conftest = on_other_hosts(*others) if others else ""
    observed = observe(
        "hard", tmp_path, *ONLY_RERUNFAILURES, "--continue-on-collection-errors", *options, conftest=conftest
    )
    expected = [*hard_table.TESTS, *hard_table.MODULES]
    if prefix:
        expected = [replace(each, folder=f"{prefix}.{each.folder}") for each in expected]
    # JUnit XML marks a whole test skipped for one skipped subtest.
    unknown = {"test_subtest_is_skipped"}
    collected = len(hard_table.TESTS)
    check(observed, expected, processes=processes, collected=collected, repeated={"test_twin"}, unknown_to_xml=unknown)


@pytest.mark.parametrize("processes", [pytest.param(0, id="plain"), pytest.param(2, id="n2")])
def test_retries(tmp_path: Path, processes: int) -> None:
    """A test that pytest-retry repeats is one result with the attempts before the last."""
    observed = observe("by_retry", tmp_path, *ONLY_RETRY, *_workers(processes))
    check(observed, RETRIES, processes=processes, collected=4)


def test_flakes(tmp_path: Path) -> None:
    """A test that flaky repeats is one result with the attempts before the last."""
    observed = observe("by_flaky", tmp_path, *ONLY_FLAKY)
    check(observed, FLAKES, processes=0, collected=4)


def _workers(processes: int) -> tuple[str, ...]:
    return ("-n", str(processes)) if processes else ()
