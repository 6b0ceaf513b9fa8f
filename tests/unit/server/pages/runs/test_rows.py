import pytest

from pytest_automation_report.server.pages.runs.rows import is_default_name, summary_sentence


@pytest.mark.parametrize(
    ("name", "is_default"),
    [
        ("harbour 2026-11-23 08:08:14", True),
        ("harbour 2026-11-23 08:08", True),
        ("harbour main #1214", True),
        ("harbour #7", True),
        ("harbour", True),
        ("harbour nightly", False),
        ("harbour release #7", False),
        ("nightly", False),
        ("harbourmaster", False),
    ],
)
def test_only_a_name_that_a_user_chose_is_shown(name: str, *, is_default: bool) -> None:
    """Clients derive a name from source, branch, number of the build or time: a list has all of that already."""
    assert is_default_name(name, "harbour", "main") is is_default


@pytest.mark.parametrize(
    ("total", "failed", "reasons", "is_completed", "expected"),
    [
        (600, 0, 0, True, ("pass", "All 600 tests passed")),
        (1, 0, 0, True, ("pass", "1 test passed")),
        (2418, 319, 5, True, ("fail", "319 of 2,418 tests failed, for 5 reasons")),
        (1, 1, 1, True, ("fail", "1 of 1 test failed, for 1 reason")),
        (5, 1, None, True, ("fail", "1 of 5 tests failed")),
        (0, 0, 0, True, ("idle", "The last run has no tests")),
        (1204, 2, None, False, ("live", "1,204 tests ran, 2 failed")),
    ],
)
def test_the_last_run_is_one_sentence(
    total: int, failed: int, reasons: int | None, *, is_completed: bool, expected: tuple[str, str]
) -> None:
    """The number of failures comes with the number of tests and of reasons."""
    row = {
        "total_count": total,
        "failure_count": failed,
        "success_count": total - failed,
        "is_completed": is_completed,
    }
    assert summary_sentence(row, None if reasons is None else {"reasons": reasons}) == expected


def test_a_suite_without_a_run_says_so() -> None:
    """There is nothing to count."""
    assert summary_sentence(None, None) == ("idle", "No run yet")
