"""The failure before and after the one that is shown."""

from __future__ import annotations

import pytest

from pytest_automation_report.server.pages.test.neighbours import listed_statuses, neighbours_of
from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES

ROWS = [{"id": number, "fingerprint": reason} for number, reason in enumerate((7, 8, 8, 9, 8), 1)]


@pytest.mark.parametrize(
    ("result_id", "origin", "shown"),
    [
        (2, {}, (None, 1, "1 of 3 reasons")),
        (5, {}, (None, 1, "1 of 3 reasons")),
        (1, {}, (2, 4, "2 of 3 reasons")),
        (4, {"view": "failures"}, (1, None, "3 of 3 reasons")),
        (3, {"view": "tests"}, (2, 4, "3 of 5 tests")),
        (5, {"group": "none"}, (4, None, "5 of 5 tests")),
    ],
)
def test_reasons_or_tests_in_their_order(
    result_id: int, origin: dict[str, str], shown: tuple[int | None, int | None, str]
) -> None:
    """Failures go from reason to reason, those of most tests first; any other list goes from test to test."""
    found = neighbours_of(ROWS, result_id, origin)
    assert found is not None
    assert (found.before, found.after, found.words) == shown


def test_new_reasons_stand_before_known_ones() -> None:
    """Reasons that the compared run has, too, come last, as on the page of the run."""
    found = neighbours_of(ROWS, 2, {}, {8})
    assert found is not None
    assert (found.before, found.after, found.words) == (4, None, "3 of 3 reasons")


def test_no_neighbours() -> None:
    """A result that is not in the list, or alone in it, has none."""
    assert neighbours_of(ROWS, 99, {}) is None
    assert neighbours_of(ROWS[:1], 1, {}) is None


def test_the_statuses_of_the_list() -> None:
    """They are those that the reader chose, or all of failed tests."""
    assert listed_statuses({"status": "5,6,x,777"}, DEFAULT_STATUSES) == [5, 6]
    assert listed_statuses({}, DEFAULT_STATUSES) == [3]
