"""List runs in small pages, and without their threads if the server can leave them out.

The API returns each run with all its threads: a page of 25 runs with a thousand jobs each would be longer than the
client reads (`client.ANSWER_BYTES`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.client import Client, RunExpand
    from pytest_automation_report.api.responses import Page, Run

PAGE_RUNS: Final = 15
"""Runs of one page; the API allows no smaller one."""

_MAX_PAGES: Final = 7


def learn_kind(client: Client) -> None:
    """Learn whether the server can leave threads out, by a request for an empty page; once is enough."""
    if client.has_answered:
        return
    try:
        client.count_runs(tags=())
    except RefusedError:
        # The headers of a refusal are enough. If the server refuses the list itself, too, the caller gets that error.
        return


def run_pages(
    client: Client, *, tags: Iterable[str] = (), status: Iterable[int] = (), expands: Iterable[RunExpand] = ()
) -> Iterator[Page[Run]]:
    """Yield the newest hundred runs with these tags and statuses in pages, newest first; each page is one request."""
    tags, status, expands = tuple(tags), tuple(status), tuple(expands)
    for page_number in range(1, _MAX_PAGES + 1):
        page = client.runs(
            page=page_number, per_page=PAGE_RUNS, tags=tags, status=status, expands=expands, has_threads=False
        )
        yield page
        if page.next_page is None or not page.result:
            return
