import re
from html import unescape
from urllib.parse import quote

import pytest
from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.pages.access import PageAccess
from pytest_automation_report.server.pages.site import Pages
from support.service import TOKEN, a_test
from support.website import COOKIE, Site

CODE = Token("a-code-of-ten-colleagues")


def _target(opened: Result) -> str:
    """Return where the page of a link that was used goes on."""
    (path,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', opened.text)
    return unescape(path)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "/"),
        ("?run=14", "/runs/14"),
        ("?run=x", "/"),
        (f"?to={quote('/runs/14?view=tests&q=a b', safe='')}", "/"),
        (f"?to={quote('/runs/14?view=tests&q=a%20b#x', safe='')}", "/runs/14?view=tests&q=a%20b#x"),
        ("?to=//evil.test/", "/"),
        ("?to=%2F%5Cevil.test", "/"),
        ("?to=https://evil.test/", "/"),
        ("?to=javascript:alert(1)", "/"),
        ("?to=%2Fx%0D%0ASet-Cookie:+a", "/"),
    ],
)
def test_a_link_goes_on_to_a_path_of_the_site_alone(site: Site, query: str, path: str) -> None:
    """Any page can be named in the link; an address of another site leads to the first page."""
    assert _target(site.raw(site.pages.opening_path + query)) == path


def test_a_browser_goes_on_to_the_page_that_it_asked_for(site: Site) -> None:
    """A closed page remembers its address for the link that lets the browser in, which may come from anywhere."""
    site.run_of(a_test())
    closed = site.raw("/runs/1?view=tests&q=a%3Bb")
    assert "the page that you asked for" in " ".join(closed.text.split())
    remembered = closed.cookies[f"{COOKIE}-to"]
    assert (remembered.http_only, remembered.same_site, remembered.max_age) == (True, "Lax", 600)
    cookies = f"{COOKIE}-to={remembered.value}"
    opened = site.raw(site.pages.opening_path, Cookie=cookies)
    assert _target(opened) == "/runs/1?view=tests&q=a%3Bb"
    assert opened.cookies[f"{COOKIE}-to"].value == ""
    assert opened.cookies[f"{COOKIE}-to"].expires is not None
    named = site.raw(f"{site.pages.opening_path}?to=/projects/1", Cookie=cookies)
    assert _target(named) == "/projects/1"
    for hostile in ("https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "x"):
        assert _target(site.raw(site.pages.opening_path, Cookie=f"{COOKIE}-to={hostile}")) == "/"


def test_parts_of_pages_are_no_page_to_go_to(site: Site) -> None:
    """What a script of an open page asks for after the pass has expired is not remembered."""
    assert not site.raw("/runs/1/live", Sec_Fetch_Mode="cors", Sec_Fetch_Site="same-origin").cookies
    assert not site.raw("/runs/" + "1" * 2000).cookies


def test_the_link_of_a_team_opens_for_each_colleague(site: Site) -> None:
    """The code of the file opens any number of times, beside the link that opens once, which it does not use up."""
    pages = Pages(site.service.store, TOKEN, team_code=CODE)
    client = TestClient(create_application(site.service.store, TOKEN, extension=pages.extension))
    before = pages.opening_path
    for _ in range(3):
        opened = client.simulate_get(f"/open/{CODE.value}", query_string="to=/projects/1")
        assert _target(opened) == "/projects/1"
        assert CODE.value not in opened.text
        cookie = opened.cookies[COOKIE].value
        assert client.simulate_get("/", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 200
    assert pages.opening_path == before
    assert client.simulate_get("/open/another-code-of-colleagues").status_code == 403
    assert PageAccess(TOKEN).new_pass(CODE.value) is None


def test_a_closed_page_takes_the_link(site: Site) -> None:
    """A user can paste the whole link or its code; anything else shows the form again."""
    code = site.pages.opening_path.removeprefix("/open/")
    for text in (code, f"http://127.0.0.1:8000/open/{code}", f" http://localhost/open/{code}?run=3 "):
        answer = site.raw(f"/open?link={quote(text, safe='')}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/open/{code}")
    for text in ("", "short", "http://evil.test/", "../../runs/1", "a b c d e f g h i j k l"):
        answer = site.raw(f"/open?link={quote(text, safe='')}")
        assert answer.status_code == 403
        assert 'action="/open"' in answer.text
