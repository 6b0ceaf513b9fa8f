"""The test before and after the one that is shown, and the way back to its row."""

import re
from html import unescape
from typing import Any
from urllib.parse import quote

from pytest_automation_report.server.pages.test.links import neighbours_of
from support.service import a_test
from support.website import Site, failing

ROWS = [{"id": number, "fingerprint": reason} for number, reason in enumerate((7, 8, 8, 9, 8), 1)]
FILE = {"file": "tests/a.py", "folder": "tests.a"}


def test_new_reasons_stand_before_known_ones() -> None:
    """Reasons that the compared run has, too, come last, as on the page of the run."""
    found = neighbours_of(ROWS, 2, {8})
    assert found is not None
    assert (found.before, found.after, found.words) == (4, None, "3 of 3 reasons")


def test_no_neighbours() -> None:
    """A result that is not in the list, or alone in it, has none; without reasons a list goes from test to test."""
    assert neighbours_of(ROWS, 99) is None
    assert neighbours_of(ROWS[:1], 1) is None
    found = neighbours_of([*ROWS, {"id": 6, "fingerprint": None}], 3)
    assert found is not None
    assert (found.before, found.after, found.words) == (2, 4, "3 of 6 tests")


def walked(site: Site, result: int, origin: str) -> list[int]:
    """Return the results to which *Next* leads from one, as far as it goes, with the words at the last one."""
    seen = [result]
    while True:
        html = site.shown(f"/results/{seen[-1]}?from={quote(origin)}")
        match = re.search(r'rel="next"[^>]*href="/results/([0-9]+)', html)
        if match is None:
            return seen
        seen.append(int(match[1]))


def test_next_goes_through_the_list_that_one_came_from(site: Site) -> None:
    """Filters, searches, orders and files are kept; without one a test leads to its kind."""
    again: dict[str, Any] = {"fields": [{"type": 1, "name": "Attempts", "value": "2", "meta": {"counts": "attempts"}}]}
    tests = [
        failing(0, **FILE),
        a_test(1, "skipped", elapsed=50, **FILE),
        a_test(2, elapsed=900, **FILE),
        a_test(3, "skipped", elapsed=70, file="tests/b.py", folder="tests.b"),
        a_test(4, elapsed=10, **FILE, **again),
        a_test(5, file="tests/b.py", folder="tests.b", **again),
        a_test(6, elapsed=800, file="tests/b.py", folder="tests.b"),
    ]
    site.run_of(*[a_test(number) for number in range(7)])
    run = site.run_of(*tests)
    ids = site.result_ids(run)

    def numbers(first: int, origin: str) -> list[int]:
        return [ids.index(result) for result in walked(site, ids[first], origin)]

    assert numbers(1, "") == numbers(1, "view=tests&status=6") == [1, 3]
    assert numbers(4, "") == numbers(4, "view=tests&status=flaky") == [4, 5]
    assert numbers(2, "") == [2]
    assert numbers(0, "view=tests&open=tests/a.py") == [0, 1, 2, 4]
    assert numbers(0, "view=tests&group=none") == [0, 1, 3, 2, 4, 5, 6]
    assert numbers(2, "view=tests&sort=slowest&group=none")[:3] == [2, 6, 3]
    assert numbers(3, "view=tests&q=tests/b.py") == [3, 5, 6]
    site.shown(f"/runs/{run}?view=tests&change=newly_skipped")
    assert numbers(1, "view=tests&change=newly_skipped") == [1, 3]
    assert numbers(0, "view=tests&status=999") == [0]
    html = site.shown(f"/results/{ids[3]}?from={quote('view=tests&q=tests/b.py')}")
    assert "1 of 3 tests" in html


def test_u_leads_back_to_the_row(site: Site) -> None:
    """The address of the run's page has the list, and the place of the test in it exists there."""
    run = site.run_of(failing(0, **FILE), a_test(1, "skipped", **FILE), a_test(2, **FILE))
    ids = site.result_ids(run)
    for number, origin in (
        (0, ""),
        (0, "view=failures&group=none"),
        (0, "view=failures&group=file"),
        (1, "view=tests&status=6"),
        (2, "view=tests&open=tests/a.py"),
        (2, "view=tests&group=none&sort=ran"),
        (2, "/runs/99?view=tests&group=none&evil=1"),
    ):
        html = site.shown(f"/results/{ids[number]}?from={quote(origin)}")
        match = re.search(r'<a href="([^"]*)" data-key="u"', html)
        assert match is not None
        address, _, place = unescape(match[1]).partition("#")
        assert address.startswith(f"/runs/{run}")
        assert "evil" not in address
        assert f'id="{place}"' in site.shown(address), (origin, place)
