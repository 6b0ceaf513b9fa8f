"""Read dates and times in one form, ``2026-12-31T23:59:59.5Z``: what `fromisoformat` takes differs by Python."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from pytest_automation_report.unpatched import lazy_pattern

_DAY: Final = lazy_pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = lazy_pattern(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


def day_from(text: str) -> date:
    """Return a date like 2026-12-31; raises ValueError for another text."""
    if _DAY.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a date")
    return date.fromisoformat(text)


def time_from(text: str) -> datetime:
    """Return a date with time, of which a date alone is the beginning; raises ValueError for another text."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no date with time")
    day, minute, second, fraction, zone = match.groups()
    whole = f"{day}T{minute or '00:00'}{second or ':00'}.{(fraction or '')[:6]:0<6}"
    return datetime.fromisoformat(whole + ("+00:00" if zone in {"Z", "z"} else zone or ""))
