"""Lists of runs in small pages, without threads where the server can leave them out (floor 2).

A run of the API has all its threads with it: 25 runs that a thousand jobs have joined are more than an answer may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.client import Client, RunExpand
    from pytest_automation_report.api.responses import RunPage

PAGE_RUNS: Final = 15
"""The smallest page of the API."""

_MOST_PAGES: Final = 7


def learn_kind(client: Client) -> None:
    """Learn whether the server can leave threads out, unless it has answered before, by a list without a run."""
    if client.has_answered:
        return
    try:
        client.count_runs(tags=())
    except RefusedError:
        # Its headers have shown what it is; where the list itself is refused, too, its reader hears why.
        return


def run_pages(
    client: Client, *, tags: Iterable[str] = (), status: Iterable[int] = (), expands: Iterable[RunExpand] = ()
) -> Iterator[RunPage]:
    """Give the pages of the newest hundred runs with these tags and statuses, newest first, one request for each."""
    tags, status, expands = tuple(tags), tuple(status), tuple(expands)
    for number in range(1, _MOST_PAGES + 1):
        page = client.runs(
            page=number, per_page=PAGE_RUNS, tags=tags, status=status, expands=expands, has_threads=False
        )
        yield page
        if page.next_page is None or not page.result:
            return
