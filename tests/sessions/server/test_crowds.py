"""Runs that a thousand jobs have joined: lists and pages of them stay small, and so does the server."""

import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.server.pages.lists import project_context
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.run.facts import THREADS_SHOWN
from pytest_automation_report.server.pages.urls import ListFilters
from pytest_automation_report.server.store.store import Store
from support.crowded_runs import FIELDS, create_crowded_runs
from support.service import API, ON_BOTH, ON_SQLITE, TOKEN, Service
from support.serving import asking, served

RUNS = "/projects/1/automation/runs"
MEBIBYTE = 1024 * 1024
FLAT_BYTES = 64 * MEBIBYTE
"""By how much the server may grow while it lists more than twice as much."""


@ON_BOTH
def test_threads_are_left_out_of_runs_when_they_are_not_asked_for(service: Service) -> None:
    """With ``threads=0`` a run, alone or in a list, has all it has otherwise, but an empty list of threads."""
    (run_id,) = create_crowded_runs(service.store, 1, 3)
    whole = service.run(run_id)
    assert [len(thread["fields"]) for thread in whole["threads"]] == [FIELDS] * 3
    assert service.get(RUNS).json["result"] == service.get(RUNS, "threads=1").json["result"] == [whole]
    bare = {**whole, "threads": []}
    assert (bare["thread_count"], bare["fields"][0]["value"]) == (3, "main")
    for flag in ("0", "false"):
        assert service.get(RUNS, f"threads={flag}").json["result"] == [bare]
        assert service.get(f"/automation/runs/{run_id}", f"threads={flag}").json["result"] == bare


@ON_BOTH
def test_a_page_of_large_runs_comes_whole_in_pieces(service: Service) -> None:
    """A list, which is sent run by run, has the runs, threads and page numbers that each run has alone."""
    ids = [
        run_id
        for runs, threads in ((2, 3), (3, 2), (1, 9))
        for run_id in create_crowded_runs(service.store, runs, threads)
    ]
    page = service.get(RUNS, "order=asc&expands=automation_sources").json
    assert page["result"] == [service.run(run_id) for run_id in ids]
    assert [run["thread_count"] for run in page["result"]] == [len(run["threads"]) for run in page["result"]]
    assert (page["page"], page["next_page"], page["last_page"], page["total"]) == (1, None, 1, 6)
    assert [source["name"] for source in page["expands"]["automation_sources"]] == ["suite"]


@ON_SQLITE
def test_pages_read_no_threads_but_those_they_show(service: Service) -> None:
    """The page of a project reads no thread at all; that of a run tells how many there are and reads the first."""
    create_crowded_runs(service.store, 2, THREADS_SHOWN + 20)
    seen: list[str] = []
    with service.file.reading() as connection:
        connection.raw.set_trace_callback(seen.append)
    ask(service.store, lambda reader: project_context(reader, 1, ListFilters()))
    assert seen
    assert [statement for statement in seen if 'FROM "thread"' in statement] == []


@pytest.mark.slow
def test_memory_of_the_server_stays_flat(tmp_path: Path) -> None:
    """A list of 25 runs of 1,000 threads, read whole, costs the server a fraction of what it holds."""
    place = tmp_path / "store.db"
    with closing(Store(place)) as store:
        create_crowded_runs(store, 25, 1_000)
    given = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN.value}
    with served(tmp_path, "--database", str(place), **given) as (url, server), asking(TOKEN.value) as session:
        address = f"{url}{API}{RUNS}"
        bare = session.get(address, params={"threads": "0"})
        assert (len(bare.json()["result"]), len(bare.content) < MEBIBYTE) == (25, True)
        before = _peak_bytes(server)
        whole = session.get(address)
        grown = _peak_bytes(server) - before
    result: list[dict[str, Any]] = whole.json()["result"]
    assert [len(run["threads"]) for run in result] == [1_000] * 25
    assert len(whole.content) > 20 * MEBIBYTE
    assert grown < FLAT_BYTES, f"grown by {grown // MEBIBYTE} MiB"


def _peak_bytes(process: subprocess.Popen[str]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+([0-9]+) kB", status)
    assert match is not None
    return int(match[1]) * 1024
