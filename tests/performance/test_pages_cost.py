import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

import pytest

from pytest_automation_report.server.pages.queries import PAGE_ROWS
from pytest_automation_report.server.pages.test.history import CHART_RUNS
from support.service import API, ON_BOTH, a_test
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
