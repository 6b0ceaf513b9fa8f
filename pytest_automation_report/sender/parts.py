"""Which results of a batch a thread has (floor 3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.answers import RunTest
    from pytest_automation_report.client import Client
    from pytest_automation_report.sender.results import Result

Ranges: TypeAlias = list[tuple[int, int, int]]
"""First offset, last offset and number of results of each piece."""

_PER_PAGE: Final = 250


def arrived_ranges(
    client: Client, run: int, thread: int, arrived: int, batch: Sequence[Result]
) -> tuple[Ranges | None, str]:
    """Return which of a batch's results are the thread's latest, or ``None`` and why nobody can tell.

    Only this sender writes to the thread, so its latest results are of the last batch, in which no key stands twice.
    Raises the errors of the client, except that reading is refused.
    """
    try:
        rows = _latest(client, run, thread, arrived)
    except RefusedError as error:
        return None, f"the server does not show a run's results ({error})"
    ids = [row.id or 0 for row in rows]
    if len(rows) != arrived or 0 in ids or sorted(set(ids), reverse=True) != ids:
        return None, "the server's list of the run's results cannot be followed"
    found = {row.key or (row.folder, row.name) for row in rows}
    is_there = [each.key in found or _place(each) in found for each in batch]
    if sum(is_there) != arrived:
        return None, "the latest results of the thread are not those of one batch"
    return ranges_of(is_there, batch), ""


def _place(result: Result) -> tuple[str, str]:
    test = json.loads(result.test)
    return test["folder"], test["name"]


def ranges_of(is_there: Sequence[bool], batch: Sequence[Result]) -> Ranges:
    """Return the results that are there, those that stand side by side in the batch as one piece."""
    pieces: list[list[int]] = []
    for here, result in zip(is_there, batch, strict=True):
        if not here:
            pieces.append([])
        elif pieces and pieces[-1]:
            pieces[-1].append(result.offset)
        else:
            pieces.append([result.offset])
    return [(piece[0], piece[-1], len(piece)) for piece in pieces if piece]


def _latest(client: Client, run: int, thread: int, count: int) -> list[RunTest]:
    """Return the thread's latest results, the last one first."""
    rows: list[RunTest] = []
    page: int | None = 1
    while page is not None and len(rows) < count:
        answer = client.run_tests(run, page=page, per_page=_PER_PAGE, thread_id=thread, sort="id", order="desc")
        rows += answer.result
        page = answer.next_page if answer.result and answer.next_page == page + 1 else None
    return rows[:count]
