"""Find the failure before and after the one that is shown, in the list from which the reader came."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.statuses import StatusTable

__all__ = ["Neighbours", "listed_statuses", "neighbours_of"]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Results before and after this one, None at the ends of the list.

    ``position`` counts from 1; ``words`` name the position in the list.
    """

    before: int | None
    after: int | None
    position: int
    words: str


def listed_statuses(origin: Mapping[str, str], statuses: StatusTable) -> list[int]:
    """Return the statuses of the list from which the reader came; those of failed tests if it does not say."""
    chosen = [int(text) for text in origin.get("status", "").split(",") if text.isdecimal() and len(text) < 3]  # noqa: PLR2004 - two digits
    return chosen or [status.id for status in statuses.by_id.values() if status.is_failed]


def neighbours_of(
    rows: Sequence[Json], result_id: int, origin: Mapping[str, str], known: Collection[int] = ()
) -> Neighbours | None:
    """Return the neighbours of a result in a list of rows with id and fingerprint; None if it is not in there.

    A list of failures goes from reason to reason, as the page of the run has them: new ones before the ``known`` ones
    of the run that it is compared with, and those of most tests first. Any other goes from test to test.
    """
    by_test = origin.get("view", "failures") != "failures" or origin.get("group", "reason") != "reason"
    ids = [row["id"] for row in rows]
    if result_id not in ids:
        return None
    if by_test or any(row["fingerprint"] is None for row in rows):
        return _at(ids, ids.index(result_id), "test")
    counts = Counter(row["fingerprint"] for row in rows)
    order = sorted(counts, key=lambda fingerprint: (fingerprint in known, -counts[fingerprint], fingerprint))
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row["fingerprint"], row["id"])
    own = next(row["fingerprint"] for row in rows if row["id"] == result_id)
    return _at([firsts[fingerprint] for fingerprint in order], order.index(own), "reason")


def _at(ids: Sequence[int], place: int, noun: str) -> Neighbours | None:
    if len(ids) < 2:  # noqa: PLR2004 - no neighbour
        return None
    return Neighbours(
        ids[place - 1] if place else None,
        ids[place + 1] if place + 1 < len(ids) else None,
        place + 1,
        f"{place + 1:,} of {len(ids):,} {noun}s",
    )
