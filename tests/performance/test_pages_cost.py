import gc
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter, thread_time

import pytest

from pytest_automation_report.server.pages.run.queries import PAGE_ROWS, query_tests
from pytest_automation_report.server.pages.test.history import CHART_RUNS
from pytest_automation_report.server.pages.test.queries import HISTORY
from support.service import API, ON_BOTH, ON_SQLITE, a_test
from support.website import Site, failing

TESTS = 10_000
SECONDS = 0.3
MANY_TESTS = 100_000
MANY_SECONDS = 1.0
ELEMENTS = 2_500


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Leave what earlier tests of this process have left out of collections of garbage, which take up to 0.3 s."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Fail when the block takes longer than this on the processor, or ten times as long by the clock.

    Other processes of a busy machine take the clock's time alone, a slow PostgreSQL server, too.
    """
    cpu, begun = thread_time(), perf_counter()
    yield
    assert thread_time() - cpu < seconds, what
    assert perf_counter() - begun < 10 * seconds, what


def _plan(database: Path, sql: str, values: Sequence[object]) -> list[str]:
    with closing(sqlite3.connect(database)) as store:
        return [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@ON_SQLITE
def test_page_reads_only_its_part_of_one_index(site: Site, tmp_path: Path) -> None:
    """Tests of a status, and the last outcomes of a test, come in order from an index: nothing is sorted or scanned."""
    site.run_of(a_test())
    (status,) = _plan(tmp_path / "store.db", *query_tests(1, 3, limit=PAGE_ROWS, offset=400).sql())
    assert re.fullmatch(r"SEARCH .* USING INDEX result_run_id_status \(run_id=\? AND status=\?\)", status)
    history = _plan(tmp_path / "store.db", HISTORY, (1,))
    assert [re.sub(" AS .", "", step) for step in history] == [
        "SEARCH r USING INDEX result_case_id_run_id (case_id=?)",
        "SEARCH u USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",  # the results of one run
    ]


@ON_SQLITE
def test_each_view_of_a_run_finds_its_rows_by_an_index(site: Site, tmp_path: Path) -> None:
    """No statement of a view looks at a whole table of results, tests or histories; nor do those of its first page."""
    site.run_of(a_test(0), failing(1))
    run = site.run_of(failing(0), a_test(1, file="tests/a.py"))
    file, statements, steps = site.service.file, list[str](), list[str]()
    file._readers.queue[-1].raw.set_trace_callback(statements.append)
    for query in ("", "?group=file", "?view=tests&open=tests/a.py", "?q=test", "?status=flaky", "?view=changes"):
        statements.clear()
        site.shown(f"/runs/{run}{query}")
        assert len(statements) > 5, query
        with closing(sqlite3.connect(tmp_path / "store.db")) as store:
            for sql in statements:
                if sql.startswith("SELECT"):
                    plan = store.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
                    steps += [f"{step[3]} of {sql}" for step in plan]
    file._readers.queue[-1].raw.set_trace_callback(None)
    assert steps
    large = re.compile(r'SCAN (?:result|case)\b|SCAN (\w+) of .*"(?:result|case)" AS "?\1"?')
    assert [step for step in steps if large.match(step)] == []


@ON_BOTH
def test_no_page_grows_with_the_number_of_tests(site: Site) -> None:
    """With ten times the tests, threads of results and folders a page has as many rows as before."""
    few = site.run_of(*(failing(each, folder=f"f{each}") for each in range(PAGE_ROWS + 1)))
    many = site.run_of(*(failing(each, folder=f"f{each}") for each in range(5 * PAGE_ROWS)))
    views = ("", "?group=file", "?view=tests", "?q=test", "?status=3&page=2", "?view=changes", "?view=time")
    for query in views:
        elements = [len(re.findall("<[a-z]", site.shown(f"/runs/{run}{query}"))) for run in (few, many)]
        assert max(elements) <= ELEMENTS, query
    for _ in range(CHART_RUNS + 5):
        site.run_of(failing(0))
    drawing = site.shown("/results/1").partition('class="spark"')[2].partition("</svg>")[0]
    assert drawing.count("<a ") <= CHART_RUNS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "amount", "seconds"),
    [
        ("sqlite", TESTS, SECONDS),
        ("sqlite", MANY_TESTS, MANY_SECONDS),
        ("postgresql", TESTS, SECONDS),  # many take half a minute to get there
    ],
    indirect=["place"],
)
def test_pages_of_large_runs_come_soon(site: Site, amount: int, seconds: float) -> None:
    """Every page of a run comes in time, from the first to the last, searched and grouped."""
    run = site.service.new_run()
    thread = site.service.new_thread(run)
    for first in range(0, amount, 250):
        tests = [
            failing(each) if each % 50 == 0 else a_test(each, folder=f"tests.test_{each % 997}")
            for each in range(first, first + 250)
        ]
        # Not by `append`: to check all bodies against the contract takes longer than to store them.
        path = f"{API}/automation/runs/threads/{thread}/append"
        assert site.service.raw("POST", path, json.dumps({"tests": tests}).encode()).status_code == 204
    last = amount // PAGE_ROWS
    for query in (
        "",
        f"?view=tests&group=none&page={last}",
        "?view=tests&status=2&page=7",
        "?q=absent",
        "?q=test_9",
        "?view=tests",
        "?view=tests&open=tests.a",
        "?view=tests&group=none&sort=slowest",
        "?view=changes",
        "?view=time",
        "?view=details",
        "?folder=tests.a",
    ):
        if not query:
            # Findings and overview of a completed run are computed once, by the first page that needs them.
            site.service.post(f"/automation/runs/{run}/complete", {})
            site.shown(f"/runs/{run}")
        with within(seconds, query):
            site.shown(f"/runs/{run}{query}")
    with within(seconds, "other pages"):
        site.shown("/")
        site.shown("/results/1")
