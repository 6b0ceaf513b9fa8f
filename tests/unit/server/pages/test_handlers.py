from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.server.pages.run.queries import READ_LENGTH
from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES
from support.service import a_test
from support.website import HOSTILE, Site, failing, hostile

if TYPE_CHECKING:
    from collections.abc import Iterable


def _names(html: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'<span class="mono name">(.*?)</span>', html)]


def _links(html: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="([^"]*)"', html)]


def test_several_projects_are_told_apart(site: Site) -> None:
    """The first page leads to each, and a project shows its own runs alone."""
    site.run_of(name="of one")
    site.run_of(name="of seven", project_id=7)
    assert {"/projects/1", "/projects/7"} <= set(_links(site.shown("/")))
    assert re.findall(r"of one|of seven", site.text("/projects/7")) == ["of seven"]
    assert "/projects/7" in _links(site.shown("/runs/2"))


def test_fields_that_take_long_to_read_are_only_on_the_page_of_their_test(site: Site) -> None:
    """The page of a run does without the message of a test with more fields than clients send."""
    long = {"type": 4, "name": "Output", "value": "x" * READ_LENGTH}
    kept, left = failing(1, message="a short story"), failing(2, message="a long story")
    run = site.run_of(kept, {**left, "fields": [*left["fields"], long]})
    text = site.text(f"/runs/{run}")
    assert ("a short story" in text, "a long story" in text, "test_2" in text) == (True, False, True)
    assert "x" * 1_000 in site.text(f"/results/{site.result_ids(run)[1]}")


def test_a_run_shows_failures_first_and_passed_tests_closed(site: Site) -> None:
    """What needs a reader is open, with its message; the rest is one click away."""
    run = site.run_of(a_test(0), a_test(1, "skipped"), failing(2, message="first line\nsecond"), a_test(3), failing(4))
    html = site.shown(f"/runs/{run}")
    assert _names(html) == ["test_2", "test_4", "test_1", "test_0", "test_3"]
    assert re.findall(r'<details class="panel tests" id="status-(\d)"( open)?>', html) == [
        ("3", " open"),
        ("6", " open"),
        ("2", ""),
    ]
    told = site.text(f"/runs/{run}")
    assert "first line" in told
    assert "second" not in told
    for word in ("Tests 5", "Failed 2", "Skipped 1", "Passed 2", "Thread 1", "Worker: gw0", "2.50 s"):
        assert word in told, word


def test_tests_that_were_not_run_are_among_the_numbers(site: Site) -> None:
    """What sessions say they did not come to, in the run or in threads of their own, is a number at the head."""
    run = site.run_of(a_test(0), is_open=True)
    assert "Not run" not in site.text(f"/runs/{run}")
    for name, value in (("Not run", "1200"), ("Not run", "many"), ("Session", "7")):
        field = {"type": 1, "name": name, "value": value}
        site.service.post(f"/automation/runs/{run}/append", {"fields": [field]})
    assert "Passed 1 Not run 1,200 Time" in " ".join(site.text(f"/runs/{run}").split())


def test_a_run_is_filtered_searched_and_grouped_by_its_address(site: Site) -> None:
    """Each state is a link, and they can be combined."""
    tests = [failing(0, folder="a"), failing(1, folder="b"), a_test(2, folder="b"), a_test(3, folder="b%_")]
    run = site.run_of(*tests)

    def shown(query: str) -> list[str]:
        return _names(site.shown(f"/runs/{run}?{query}"))

    assert shown("status=3") == ["test_0", "test_1"]
    assert shown("status=2,3&folder=b") == ["test_1", "test_2"]
    assert shown("q=TEST_3") == ["test_3"]
    assert shown("q=%25_") == ["test_3"]
    assert f"/runs/{run}?status=2%2C3" in _links(site.shown(f"/runs/{run}?status=3"))
    assert f"/runs/{run}?q=a" in _links(site.shown(f"/runs/{run}?status=3&q=a&page=2"))
    assert f"/runs/{run}?status=2" in _links(site.shown(f"/runs/{run}?status=2,3"))
    assert shown("q=&status=") == ["test_0", "test_1", "test_2", "test_3"]
    assert shown("q=absent") == []
    assert "No matching tests" in site.text(f"/runs/{run}?q=absent")
    grouped = site.shown(f"/runs/{run}?group=folder")
    assert [link for link in _links(grouped) if "folder=" in link][-3:] == [
        f"/runs/{run}?folder=a",
        f"/runs/{run}?folder=b",
        f"/runs/{run}?folder=b%25_",
    ]
    assert "1 failed 1 passed" in site.text(f"/runs/{run}?group=folder")
    assert re.findall(r"<td.*?>(\d)</td>", site.shown(f"/runs/{run}?group=folder&status=3"))[:2] == ["1", "1"]


def test_pages_of_a_run_have_200_tests_each_once(site: Site) -> None:
    """Turning pages shows every test, failures first, whatever their statuses."""
    statuses = ("passed", "failed", "passed", "skipped")
    run = site.run_of(*(a_test(number, statuses[number % 4]) for number in range(450)))
    pages = [_names(site.shown(f"/runs/{run}?page={number}")) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [200, 200, 50]
    assert pages[0][:2] == ["test_1", "test_5"]
    assert sorted(name for page in pages for name in page) == sorted(f"test_{number}" for number in range(450))
    found = [_names(site.shown(f"/runs/{run}?q=test_&page={number}")) for number in (1, 2, 3)]
    assert found == pages
    assert "Page 3 of 3" in site.text(f"/runs/{run}?page=3")
    assert "No matching tests" in site.text(f"/runs/{run}?page=4")


def test_an_open_run_tells_whether_anything_changed(site: Site) -> None:
    """What changes has a tag: asked again it answers 304, after an append with the new state, and it says its end."""
    run = site.run_of(a_test(), is_open=True)
    assert f'data-live="/runs/{run}/live?status=2"' in site.shown(f"/runs/{run}?status=2")
    first = site.get(f"/runs/{run}/live")
    again = site.get(f"/runs/{run}/live", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    site.service.append(1, failing(1))
    changed = site.get(f"/runs/{run}/live", If_None_Match=first.headers["ETag"])
    assert changed.status_code == 200
    assert 'data-open="true"' in changed.text
    assert "<html" not in changed.text
    assert _names(changed.text) == ["test_1", "test_0"]
    assert 'class="reload" href="/runs/1"' in changed.text
    site.service.post(f"/automation/runs/{run}/complete", {})
    assert 'data-open="false"' in site.get(f"/runs/{run}/live").text
    assert 'data-live=""' in site.shown(f"/runs/{run}")


def test_statuses_of_a_project_are_called_by_its_names(site: Site) -> None:
    """A status that a project added or renamed is shown, counted and filtered like any other."""
    site.run_of(a_test())
    known = DEFAULT_STATUSES.by_id[5]
    site.service.store.write(lambda writer: writer.set_status(1, replace(known, name="Stuck", aliases=("stuck",))))
    run = site.run_of(a_test(0), a_test(1, "stuck"), source="t")
    assert "1 stuck, 1 passed" in site.shown("/projects/1")
    assert _names(site.shown(f"/runs/{run}?status=5")) == ["test_1"]


def test_hostile_values_stay_text(site: Site) -> None:
    """A value that is markup, a template or a turn of direction is shown as the characters that it has."""
    run, test = hostile(site)
    for path in ("/", f"/runs/{run}", f"/runs/{run}?group=folder", f"/runs/{run}/live", f"/results/{test}"):
        html = site.shown(path)
        assert not re.search(r"<script(?! src=\"/static/)|<img src=x|<b>x|<b>note|\u202e|javascript:[^<]*\"", html), (
            path
        )
        assert "{{7*7}}\\u202eabc" in unescape(html)
        assert not _unsafe(_links(html))
    spelled = HOSTILE.replace("\u202e", "\\u202e")
    assert spelled in unescape(site.shown(f"/results/{test}"))


def _unsafe(links: Iterable[str]) -> list[str]:
    return [link for link in links if not re.match(r"/|#|\?|https://evil\.test/", link)]


@pytest.mark.parametrize("query", ["q=%00%ff%22%3E%3Cscript%3E", "folder=%22%3E%3Cscript%3E", "q=a&q=%3Cscript%3E"])
def test_hostile_addresses_stay_text(site: Site, query: str) -> None:
    """What stands in an address is shown as text, and cannot break the page."""
    run = site.run_of(a_test())
    html = site.shown(f"/runs/{run}?{query}")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html or "%3Cscript" in html
