"""Write the findings of a run as lines for a terminal: one sentence of changes, and the reasons of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.limits import cut_end
from pytest_automation_report.text.terminal import pluralize, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json

__all__ = ["ago", "changes_line", "reason_lines", "test_title"]

MAX_REASONS: Final = 5
"""Most lines with a reason; one more says how many there are."""

_TITLE_UNITS: Final = 140
_SHORT_COMMIT: Final = 7
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_MINUTE_US: Final = 60_000_000
# Counts of the sentence, each with its words for one and for many.
_WORDS: Final = (
    ("newly_failing", "new failure", "new failures"),
    ("still_failing", "still failing", "still failing"),
    ("fixed", "fixed", "fixed"),
    ("flaky", "flaky", "flaky"),
    ("slower", "slower", "slower"),
)


def changes_line(findings: Json, now: int) -> str:
    """Return what changed since the base in one sentence; empty without a base, and if nothing is worth a word.

    ``now`` is in microseconds since 1970.
    """
    base, counts = findings["base"], findings["counts"]
    if base is None:
        return ""
    parts = [f"{counts[name]} {one if counts[name] == 1 else many}" for name, one, many in _WORDS if counts[name]]
    if not parts:
        return ""
    details = [printable(str(base["commit"]))[:_SHORT_COMMIT]] if base.get("commit") else []
    if base.get("at"):
        details.append(ago(now - base["at"]))
    described = f" ({', '.join(details)})" if details else ""
    since = f" since run {base['run']}{described}"
    return ", ".join((parts[0] + since, *parts[1:]))


def reason_lines(findings: Json) -> list[str]:
    """Return a line for each reason of the failures, the most tests first; nothing if only one test failed."""
    reasons: Sequence[Json] = findings["reasons"]
    if sum(reason["count"] for reason in reasons) <= 1:
        return []
    lines = [
        f"{reason['count']} {'new: ' if reason['is_new'] else ''}{cut_end(printable(reason['title']), _TITLE_UNITS)}"
        for reason in reasons[:MAX_REASONS]
    ]
    left = len(reasons) - MAX_REASONS
    return [*lines, f"and {pluralize(left, 'more reason')}"] if left > 0 else lines


def test_title(test: Json) -> str:
    """Return folder and name of a test in one printable line; for a module both are the same."""
    folder, name = printable(test["folder"]), printable(test["name"])
    return name if folder in {"", name} else f"{folder}.{name}"


def ago(microseconds: int) -> str:
    """Return how long ago something was, as one would say it."""
    if microseconds < _MINUTE_US:
        return "just now"
    if microseconds < _HOUR_US:
        return f"{microseconds // _MINUTE_US} min ago"
    if microseconds < _DAY_US:
        return f"{microseconds // _HOUR_US} h ago"
    days = microseconds // _DAY_US
    return "yesterday" if days == 1 else f"{days} days ago"
