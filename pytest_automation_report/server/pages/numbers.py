"""Write numbers and times for readers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND, _SECOND, _MINUTE, _HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000
_DAY: Final = 24 * _HOUR
# A change of less than a twentieth, or of less than half a second, is noise.
_SMALLEST_CHANGE: Final = 0.05
_SMALLEST_CHANGE_US: Final = _SECOND // 2


def duration(microseconds: int | None) -> str:
    """Return a duration with one unit, or with two from a minute on; a dash for None.

    The limits are half of the last shown digit below a unit, so that no duration is rounded to 1000 ms or 60.0 s.
    """
    if microseconds is not None and 0 < microseconds < _MILLISECOND // 20:
        return "<0.1 ms"
    if microseconds is None:
        return "–"  # noqa: RUF001 - typography
    if microseconds < _SECOND - _MILLISECOND // 2:
        return f"{microseconds / _MILLISECOND:.{0 if microseconds >= 10 * _MILLISECOND else 1}f} ms"
    if microseconds < _MINUTE - 50 * _MILLISECOND:
        return f"{microseconds / _SECOND:.{1 if microseconds >= 10 * _SECOND else 2}f} s"
    if microseconds < _HOUR - _SECOND // 2:
        microseconds += _SECOND // 2
        return f"{microseconds // _MINUTE} min {microseconds % _MINUTE // _SECOND:02d} s"
    microseconds += _SECOND // 2
    return f"{microseconds // _HOUR} h {microseconds % _HOUR // _MINUTE:02d} min"


def duration_change(microseconds: int | None, before: int | None) -> tuple[str, str] | None:
    """Return the change of a duration with its sign, and ``up`` or ``down``; None if it is small or unknown."""
    if microseconds is None or not before:
        return None
    change = microseconds - before
    if abs(change) < max(_SMALLEST_CHANGE_US, _SMALLEST_CHANGE * before):
        return None
    sign, direction = ("+", "up") if change > 0 else ("\u2212", "down")
    return f"{sign}{duration(abs(change))}", direction


def percentage_change(ratio: float) -> str:
    """Return a ratio of two durations as the percentage of the change, with its sign."""
    change = round((ratio - 1) * 100)
    return f"{'+' if change >= 0 else chr(0x2212)}{quantity(abs(change))} %"


def ago(microseconds: int, now: int) -> str:
    """Return how long before ``now`` a moment was; both in microseconds since 1970."""
    past = now - microseconds
    if past < _MINUTE:
        # Clocks of two machines may differ a little.
        return "just now" if past >= -_MINUTE else moment(microseconds)
    if past < _HOUR:
        return f"{past // _MINUTE} min ago"
    if past < _DAY:
        return f"{past // _HOUR} h ago"
    return f"{quantity(past // _DAY, 'day')} ago"


def day(microseconds: int, now: int) -> str:
    """Return the day of a moment in this machine's time: a word for today and yesterday, else the date."""
    date, today = (_datetime(moment_us).astimezone().date() for moment_us in (microseconds, now))
    return {0: "Today", 1: "Yesterday"}.get((today - date).days, f"{date:%A, %d %b %Y}".replace(" 0", " "))


def by_day(rows: Iterable[Mapping[str, Any]], now: int) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return each day with its rows, in their order, by the moment ``created`` of each; see `day`."""
    return [(title, list(group)) for title, group in groupby(rows, key=lambda row: day(row["created"], now))]


def moment(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, for readers, in UTC; the page's script replaces it by local time."""
    return f"{_datetime(microseconds):%d %b %Y, %H:%M} UTC".lstrip("0")


def machine_moment(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, for the ``datetime`` attribute."""
    return f"{_datetime(microseconds):%Y-%m-%dT%H:%M:%SZ}"


def quantity(number: int, noun: str = "") -> str:
    """Return a number with commas between the thousands, with a noun in singular or plural."""
    return f"{number:,}{' ' if noun else ''}{noun}{'s' if noun and number != 1 else ''}"


def file_size(size: int) -> str:
    """Return a number of bytes in the largest fitting unit."""
    if size < 1_000:  # noqa: PLR2004 - a unit
        return quantity(size, "byte")
    exponent = min(3, (len(str(size)) - 1) // 3)
    return f"{size / 1_000**exponent:.{0 if size >= 10 * 1_000**exponent else 1}f} {('kB', 'MB', 'GB')[exponent - 1]}"


def _datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
