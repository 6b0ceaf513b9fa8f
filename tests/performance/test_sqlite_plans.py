"""How SQLite reads and writes a store: every statement of the API along an index, none over a table that grows."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from pytest_automation_report.server.store.contents import ArtifactContents
from support.service import ON_SQLITE, Service, a_test

pytestmark = ON_SQLITE

API = {
    "get run": "/automation/runs/1",
    "list runs": "/projects/1/automation/runs",
    "list runs of a status": "/projects/1/automation/runs?status=4",
    "list runs of a source": "/projects/1/automation/runs?source_id=1",
    "list runs by tag": "/projects/1/automation/runs?tags=a,b",
    "list tests": "/automation/runs/1/tests",
    "list tests of a thread": "/automation/runs/1/tests?thread_id=1",
}


@pytest.fixture
def planned(service: Service) -> Callable[[Callable[[], object]], list[str]]:
    """Return a function that does something and gives the steps in which SQLite did it."""

    def steps(action: Callable[[], object]) -> list[str]:
        asked: list[str] = []
        for connection in (service.file._readers.queue[-1], service.file._writer):
            connection.raw.set_trace_callback(asked.append)
        action()
        for connection in (service.file._readers.queue[-1], service.file._writer):
            connection.raw.set_trace_callback(None)
        found: list[str] = []
        with closing(sqlite3.connect(str(service.place))) as database:
            for sql in asked:
                if sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                    plan = database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
                    found += [f"{step[3]} of {sql}" for step in plan]
        return found

    return steps


def _whole(steps: list[str]) -> list[str]:
    """Return the steps that look at every row of a table, or sort what they found.

    `case_key_new` has 4,096 rows at most, however large the store is.
    """
    return [step for step in steps if re.match("SCAN|USE TEMP", step) and not step.startswith("SCAN case_key_new ")]


@pytest.mark.parametrize("name", API)
def test_what_the_api_reads_comes_from_an_index(
    service: Service, planned: Callable[[Callable[[], object]], list[str]], name: str
) -> None:
    """No list and no record looks at a whole table, and lists come in their order, without sorting."""
    service.append(service.new_thread(service.new_run(tags=["a"])), a_test())
    path, _, query = API[name].partition("?")
    steps = planned(lambda: service.get(path, query))
    assert [step for step in steps if step.startswith("SEARCH")]
    assert _whole(steps) == []


def test_what_is_written_is_found_by_an_index(
    service: Service, planned: Callable[[Callable[[], object]], list[str]]
) -> None:
    """Creating, appending, completing and keeping artifacts cost the same in a large store."""
    run = service.new_run()
    thread = service.new_thread(run)
    actions: tuple[Callable[[], object], ...] = (
        lambda: service.new_run(tags=["a"], milestone="m", config="c"),
        lambda: service.new_thread(run),
        lambda: service.append(thread, a_test(), fields=[{"type": 1, "name": "n", "value": "v"}]),
        lambda: ArtifactContents(service.store).find("0" * 64),
        lambda: service.post(f"/automation/runs/threads/{thread}/complete", {}),
        lambda: service.post(f"/automation/runs/{run}/complete", {}),
    )
    for action in actions:
        steps = planned(action)
        assert steps
        assert _whole(steps) == []
