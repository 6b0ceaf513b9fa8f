"""List runs in small pages, and without their threads if the server can leave them out.

The API returns each run with all its threads: a page of 25 runs with a thousand jobs each would be longer than the
client reads (`client.ANSWER_BYTES`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pytest_automation_report.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Unpack

    from pytest_automation_report.api.client import Client, RunExpand, RunFilters
    from pytest_automation_report.api.responses import Page, Run

PAGE_RUNS: Final = 15
"""Runs of one page; the API allows no smaller one."""

MOST_RUNS: Final = 300
"""Most runs that are looked at: a Testmo instance cannot filter by branch and commit, and answers few requests."""


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
    client: Client, *, expands: Iterable[RunExpand] = (), **filters: Unpack[RunFilters]
) -> Iterator[Page[Run]]:
    """Yield the newest `MOST_RUNS` runs that match in pages, newest first; each page is one request."""
    for page_number in range(1, MOST_RUNS // PAGE_RUNS + 1):
        page = client.runs(page=page_number, per_page=PAGE_RUNS, expands=expands, has_threads=False, **filters)
        yield replace(page, result=tuple(run for run in page.result if _matches(run, filters)))
        if page.next_page is None or not page.result:
            return


def _matches(run: Run, filters: RunFilters) -> bool:
    """Return whether a run has the tag, branch and commit of the filters: a server may ignore or not know them."""
    tags = {*filters.get("tags", ())}
    return (
        (not tags or not tags.isdisjoint(run.tags))
        and filters.get("branch", "") in {"", run.field_value("Branch")}
        and filters.get("commit", "") in {"", run.field_value("Commit")}
    )
