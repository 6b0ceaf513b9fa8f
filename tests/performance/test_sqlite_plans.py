"""How SQLite reads and writes a store: every statement along an index, none over a table that grows."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from pytest_automation_report.server.store.contents import ArtifactContents
from support.service import ON_SQLITE, Service, a_test
from support.website import Site, failing

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


@contextmanager
def steps_of(service: Service) -> Iterator[list[tuple[str, str]]]:
    """Collect the steps in which SQLite does each statement of this block, with the statements."""
    statements, steps = list[str](), list[tuple[str, str]]()
    connections = (service.reader.raw, service.file._writer.raw)
    for connection in connections:
        connection.set_trace_callback(statements.append)
    yield steps
    for connection in connections:
        connection.set_trace_callback(None)
    with closing(sqlite3.connect(str(service.place))) as database:
        for sql in statements:
            if sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                steps += [(step[3], sql) for step in database.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert steps


def _whole(steps: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the steps that look at every row of a table, or sort what they found.

    `case_key_new` has 4,096 rows at most, however large the store is.
    """
    return [each for each in steps if re.match(r"SCAN (?!case_key_new\b)|USE TEMP", each[0])]


@pytest.mark.parametrize("name", API)
def test_what_the_api_reads_comes_from_an_index(service: Service, name: str) -> None:
    """No list and no record looks at a whole table, and lists come in their order, without sorting."""
    service.append(service.new_thread(service.new_run(tags=["a"])), a_test())
    path, _, query = API[name].partition("?")
    with steps_of(service) as steps:
        service.get(path, query)
    assert [step for step, _ in steps if step.startswith("SEARCH")]
    assert _whole(steps) == []


def test_what_is_written_is_found_by_an_index(service: Service) -> None:
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
        with steps_of(service) as steps:
            action()
        assert _whole(steps) == []


def test_page_reads_only_its_part_of_one_index(site: Site) -> None:
    """Tests of a status, and the last outcomes of a test, come in order from an index: nothing is sorted or scanned."""
    run = site.run_of(a_test(0), failing(1))
    with steps_of(site.service) as steps:
        site.shown(f"/runs/{run}?view=tests&group=none&page=1")
        site.shown("/results/1")
    of_status = {step for step, sql in steps if 'ORDER BY "status", "id"' in sql}
    assert of_status == {"SEARCH result USING INDEX result_run_id_status (run_id=? AND status>? AND status<?)"}
    assert [step for step, sql in steps if sql.startswith('SELECT r."id", r."run_id"')] == [
        "SEARCH r USING INDEX result_case_id_run_id (case_id=?)",
        "SEARCH u USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",  # the results of one run
    ]


def test_each_view_of_a_run_finds_its_rows_by_an_index(site: Site) -> None:
    """No statement of a view looks at a whole table of results, tests or histories; nor do those of its first page."""
    site.run_of(a_test(0), failing(1))
    run = site.run_of(failing(0), a_test(1, file="tests/a.py"))
    large = re.compile(r'SCAN (?:result|case)\b|SCAN (\w+) of .*"(?:result|case)" AS "?\1"?')
    for query in ("", "?group=file", "?view=tests&open=tests/a.py", "?q=test", "?status=flaky", "?view=changes"):
        with steps_of(site.service) as steps:
            site.shown(f"/runs/{run}{query}")
        assert [step for step in (f"{step} of {sql}" for step, sql in steps) if large.match(step)] == []
