"""Dates and times have one form, which each version of Python reads alike."""

from datetime import date, datetime, timedelta, timezone

import pytest

from pytest_automation_report.text.dates import day_from, time_from

MIDNIGHT = datetime(2026, 12, 31, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text", ["20261231", "2026-W53-4", "2026-365", "2026-12-31T00:00", "2026-2-3", "\u0662026-12-31", ""]
)
def test_a_day_has_one_form(text: str) -> None:
    """A day is written as 2026-12-31: what some versions of Python take beside it is refused by all."""
    with pytest.raises(ValueError, match="is not a date"):
        day_from(text)
    assert day_from("2026-12-31") == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2026-12-31T00:00:00.000Z", timedelta(0)),
        ("2026-12-31 01:30z", timedelta(minutes=90)),
        ("2026-12-31T00:00:01.5+00:00", timedelta(seconds=1.5)),
        ("2026-12-31T02:00:00.123456789+02:00", timedelta(microseconds=123456)),
    ],
)
def test_forms_of_a_time(text: str, after: timedelta) -> None:
    """A time has hyphens and colons, any fraction of a second, and a zone."""
    assert time_from(text) == MIDNIGHT + after


def test_a_day_is_its_beginning() -> None:
    """A date alone is a time without a zone, the first of its day."""
    assert time_from("2026-12-31") == datetime(2026, 12, 31)  # noqa: DTZ001 - it has none


@pytest.mark.parametrize(
    "text", ["20261231T000000Z", "2026-W53-4T00:00", "2026-12-31T00", "2026-12-31x00:00", "2026-12-31T0000", "now"]
)
def test_other_times_are_refused(text: str) -> None:
    """Other forms of ISO 8601 are refused, though some versions of Python take them."""
    with pytest.raises(ValueError, match="is no date with time"):
        time_from(text)
