import re

from pytest_automation_report.server.pages.test.history import CHART_RUNS
from pytest_automation_report.server.store.results import PAGE_ROWS
from support.service import ON_BOTH
from support.website import Site, failing

ELEMENTS = 2_500


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
