import re
from html import unescape

import pytest

from support.service import a_test
from support.website import HOSTILE, Site, hostile, links


def test_a_status_that_is_neither_passed_nor_failed_is_shown(site: Site) -> None:
    """It is shown, counted and filtered like any other."""
    run = site.run_of(a_test(0), a_test(1, "blocked"))
    assert "1 blocked, 1 passed" in site.shown("/projects/1")
    assert "test_1" in site.text(f"/runs/{run}?status=5")
    assert "test_0" not in site.text(f"/runs/{run}?status=5")


def test_hostile_values_stay_text(site: Site) -> None:
    """A value that is markup, a template or a turn of direction is shown as the characters that it has."""
    run, test = hostile(site)
    views = [f"/runs/{run}?view={view}" for view in ("failures", "tests&group=none", "changes", "time", "details")]
    for path in ("/", *views, f"/runs/{run}?group=file", f"/runs/{run}/live", f"/results/{test}"):
        html = site.shown(path)
        foreign = r"<script(?! type=\"module\" src=\"/static/)|<img src=x|<b>x|<b>note|\u202e|javascript:[^<]*\""
        assert not re.search(foreign, html), path
        assert "{{7*7}}\\u202eabc" in unescape(html)
        assert [link for link in links(html) if not re.match(r"/|#|\?|https://evil\.test/", link)] == []
    spelled = HOSTILE.replace("\u202e", "\\u202e")
    assert spelled in unescape(site.shown(f"/results/{test}"))


@pytest.mark.parametrize("query", ["q=%00%ff%22%3E%3Cscript%3E", "folder=%22%3E%3Cscript%3E", "q=a&q=%3Cscript%3E"])
def test_hostile_addresses_stay_text(site: Site, query: str) -> None:
    """What stands in an address is shown as text, and cannot break the page."""
    run = site.run_of(a_test())
    html = site.shown(f"/runs/{run}?{query}")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html or "%3Cscript" in html


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/runs/1", "page=0 page=x status=26 status=failed view=all change=other base=main reason=xyz sort=name"),
        ("/runs/1", "group=folder lane=5.71.79 lane=gw0"),
        ("/results/1", "attempt=0 attempt=x show=x out=x pictures=x history=x"),
        ("/projects/1", "page=0 page=-1 page=x source=x status=blue status=9"),
    ],
)
def test_a_wrong_parameter_is_named(site: Site, path: str, queries: str) -> None:
    """A page of an address that means nothing says which parameter is wrong."""
    site.run_of(a_test())
    for query in queries.split():
        answer = site.get(f"{path}?{query}")
        text = re.sub(r"<[^>]*>", "", answer.text)
        assert (answer.status_code, f"{query.partition('=')[0]}: Must be" in text) == (422, True), query
