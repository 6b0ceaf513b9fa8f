"""Who gets in, what a browser may do with an answer, and how pages are sent."""

import gzip
import re
from contextlib import closing
from html import unescape
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import pytest
from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import PostgresDatabase, Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions, passes_secret
from pytest_automation_report.server.pages import rendering
from pytest_automation_report.server.pages.rendering import ASSETS, SCRIPTS, STYLE_LAYERS, asset_path
from pytest_automation_report.server.pages.site import PASS_SECONDS, PageAccess, Pages, ProxyUser
from pytest_automation_report.server.store.store import Store
from support.service import TOKEN, a_test
from support.website import COOKIE, Site, missing

CLICK = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize(
    "path", ["/", "/projects/1", "/runs/1", "/runs/1/live", "/results/1", "/automation/runs/view/1", "/nothing"]
)
def test_a_browser_without_a_pass_is_told_how_to_get_in(site: Site, path: str) -> None:
    """It learns where the link stands, and nothing of what is kept."""
    site.run_of(name="a secret name")
    for cookie in ("", f"{COOKIE}=x", f"{COOKIE}=a.b", "automation-report-81=x"):
        answer = site.raw(path, Cookie=cookie)
        assert answer.status_code == 403
        assert "automation-report serve" in answer.text
        assert "secret" not in answer.text


def test_the_address_that_a_session_prints_leads_to_its_run(site: Site) -> None:
    """Testmo's own address of a run, which the summary names, is a way to the run's page here, too."""
    run = site.run_of(name="as printed")
    moved = site.get(f"/automation/runs/view/{run}")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"/runs/{run}")
    assert "as printed" in site.get(moved.headers["Location"]).text


def test_a_link_opens_once(site: Site) -> None:
    """It sets a cookie that scripts and other sites cannot use; then only the next link opens."""
    link = site.pages.opening_path
    opened = site.raw(link)
    cookie = opened.cookies[COOKIE]
    assert (opened.status_code, cookie.http_only, cookie.same_site, cookie.path) == (200, True, "Strict", "/")
    assert site.raw("/", Cookie=f"{COOKIE}={cookie.value}").status_code == 200
    again = site.raw(link)
    assert (again.status_code, dict(again.cookies)) == (403, {})
    assert site.links == [site.pages.opening_path]
    assert site.raw(site.links[0]).status_code == 200
    assert site.raw("/open/guess").status_code == 403
    assert site.raw("/open/").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        *({"Sec_Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X_Purpose": "preview"}),
        *({"X_Moz": "prefetch"}, {"Sec_Fetch_Mode": "cors", "Sec_Fetch_Site": "same-origin"}, {"method": "HEAD"}),
        {"User_Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        *({"User_Agent": "facebookexternalhit/1.1"}, {"User_Agent": "WhatsApp/2.23.20.0"}),
        {"User_Agent": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"},
        {"User_Agent": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"},
    ],
)
def test_what_no_user_sees_uses_no_link_up(site: Site, headers: dict[str, str]) -> None:
    """A browser that fetches ahead, or a chat that previews the link, must not be the one time that it opens."""
    link = site.pages.opening_path
    answer = site.raw(link, **headers)
    assert (answer.status_code, dict(answer.cookies)) == (405 if "method" in headers else 403, {})
    browser = {"User_Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"}
    assert site.raw(link, **browser, Sec_Fetch_Site="none", **CLICK).status_code == 200


LOCAL = {"Host": "127.0.0.1:8000", "Sec_Fetch_Site": "none"}
REMOTE = {"Host": "reports.example.com"}


@pytest.mark.parametrize(
    ("is_secure", "headers"),
    [
        (False, [{}, LOCAL, {**LOCAL, "Host": "localhost"}, REMOTE]),
        (True, [{**REMOTE, "Sec_Fetch_Site": "none"}, {**REMOTE, "X_Forwarded_Proto": "https"}]),
        (True, [{"Host": "localhost", "X_Forwarded_Proto": "https"}]),
    ],
)
def test_a_pass_that_came_over_tls_is_sent_over_tls_only(
    site: Site,
    is_secure: bool,  # noqa: FBT001 - a table
    headers: list[dict[str, str]],
) -> None:
    """The cookie is Secure behind a proxy with TLS, and not where the browser would throw it away; it has an age."""
    for each in headers:
        (cookie,) = site.raw(site.pages.opening_path, **each).cookies.values()
        assert (cookie.secure, cookie.max_age, cookie.http_only) == (is_secure, PASS_SECONDS, True), each


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        (LOCAL, "http://127.0.0.1:8000"),
        (REMOTE, "http://reports.example.com"),
        ({**REMOTE, "Sec_Fetch_Site": "same-origin"}, "https://reports.example.com"),
        ({"Host": "reports.example.com:8443", "X_Forwarded_Proto": "https"}, "https://reports.example.com:8443"),
        ({**REMOTE, "X_Forwarded_Proto": 'ftp"><b>'}, "http://reports.example.com"),
    ],
)
def test_links_to_share_have_the_address_of_the_browser(site: Site, headers: dict[str, str], address: str) -> None:
    """Behind a proxy with TLS they begin with https; a header can choose nothing but http and https."""
    run = site.run_of(a_test(status="failed"))
    cookie = site.raw(site.pages.opening_path, **headers).cookies.popitem()[1]
    sent = {**headers, "Cookie": f"{cookie.name}={cookie.value}"}
    for path in (f"/runs/{run}", f"/runs/{run}/live?seen=1.1.1"):
        assert f'id="share-link">{address}/runs/{run}' in site.raw(path, **sent).text
    assert f"{address}/results/1" in site.raw(f"/runs/{run}/failures.txt", **sent).text


def test_a_pass_is_good_after_a_restart_and_not_with_another_secret() -> None:
    """It is signed with a secret of its own and tells nothing of it.

    After 30 days the browser needs another link, whatever it keeps; nothing in the pass can be made younger.
    """
    now = [1_700_000_000.0]
    first, second, other = (PageAccess(Token(text), clock=lambda: now[0]) for text in ("secret", "secret", "secreu"))
    made = first.new_pass(first.path.rpartition("/")[2])
    assert made is not None
    assert "secret" not in made
    now[0] -= 5
    assert second.is_pass(made), "the clock of another server may be behind"
    now[0] += PASS_SECONDS + 4
    assert (first.is_pass(made), second.is_pass(made), other.is_pass(made)) == (True, True, False)
    assert not first.is_pass(f"x{made}")
    assert first.path != second.path
    now[0] += 1
    assert not first.is_pass(made)
    number, _, signature = made.partition(".")
    assert not first.is_pass(f"{int(now[0])}-{number.partition('-')[2]}.{signature}")


def test_servers_of_one_store_accept_the_same_passes(new_place: Path | PostgresDatabase) -> None:
    """The store has the secret of the passes, so that no file must be copied; --revoke-browsers makes another one."""
    with closing(Store(new_place)) as one, closing(Store(new_place)) as other:
        secret = passes_secret(one)
        assert len(secret.value) > 40
        assert passes_secret(other) == passes_secret(one) == secret
        revoked = passes_secret(other, is_new=True)
        assert passes_secret(one) == revoked != secret
    assert not isinstance(new_place, Path) or list(new_place.parent.glob("*pages*")) == []


@pytest.mark.parametrize("path", ["/", "/runs/1", "/results/1", "/nothing", "/open/x", next(iter(ASSETS))])
def test_every_answer_is_locked_down(site: Site, path: str) -> None:
    """Whatever the answer is: nothing but our own style and script runs, no other site may frame or include it."""
    site.run_of()
    wanted = {
        "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin", **({} if path in ASSETS else {"Cache-Control": "no-store"}),
    }  # fmt: skip
    for answer in (site.get(path), site.raw(path)):
        assert {name: answer.headers[name] for name in wanted} == wanted
        assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_style_and_script_are_the_only_files(site: Site) -> None:
    """A fixed table has them; no address leads to another file."""
    for path, asset in ASSETS.items():
        answer = site.raw(path)
        assert (answer.content, answer.headers["Content-Type"]) == (asset.content, asset.media_type)
    for name in ("", "../site.py", "..%2fsite.py", "%2e%2e/site.py", "style.css"):
        assert site.get(f"/static/{name}").status_code == 404


def test_style_and_scripts_are_small() -> None:
    """A first visit on a slow network has them soon: 40 KB of style, 20 KB of scripts, 9.5 and 7 KB compressed."""
    for names, most, most_packed in ((["style.css"], 40_000, 9_500), (SCRIPTS, 20_000, 7_000)):
        content = b"".join(ASSETS[asset_path(name)].content for name in names)
        assert (len(content) <= most, len(gzip.compress(content, 5)) <= most_packed) == (True, True), names


def test_templates_have_short_lines() -> None:
    """A template has at most 160 characters in a line: an indented line continues the one above."""
    templates = (Path(rendering.__file__).parent / "templates").rglob("*.html")
    long = {path.name: line for path in templates for line in path.read_text().splitlines() if len(line) > 160}
    assert long == {}


def test_the_style_sheet_is_whole(site: Site) -> None:
    """Without its comments and spaces it has every rule: its braces match, and no file of it is left out."""
    text = site.raw(asset_path("style.css")).text
    assert text.count("{") == text.count("}")
    assert "/*" not in text
    files = (Path(rendering.__file__).parent / "static").glob("*.css")
    assert {path.stem for path in files} == {*STYLE_LAYERS, "report", "plain"}
    assert ".verdict{display:flex;" in text


def test_a_narrow_window_has_no_other_colours() -> None:
    """What can be read in a wide window can be read in a narrow one: the style for a width adds one quiet ink."""
    files = (Path(rendering.__file__).parent / "static").glob("*.css")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    blocks = "".join(re.findall(r"^@media \((?:min|max)-width.*?^\}", text, re.DOTALL | re.MULTILINE))
    assert re.findall(r"(?:color|background|opacity).*", blocks) == ["color: var(--ink-3);"]


def test_markup_has_no_script_or_style_of_its_own(site: Site) -> None:
    """The policy would stop it, so nothing may need it."""
    run = site.run_of({"key": "a", "name": "n", "folder": "f", "status": "failed"})
    for path in ("/", f"/runs/{run}", f"/results/{site.result_ids(run)[0]}"):
        html = site.shown(path)
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)|\son[a-z]+=", html)
        assert re.findall(r'(?:src|href)="(http[^"]*)"', html) == []


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_a_link_on_another_site_leads_to_the_page(site: Site, where: str) -> None:
    """The browser is sent once more from here, where it shows its pass; the first answer has nothing of the store."""
    site.run_of(name="a secret name")
    there = {"Sec_Fetch_Site": where, **CLICK}
    for path in ("/", "/runs/1?status=2&q=%3Cb%3E%22", "/automation/runs/view/1", "/nothing", "/artifacts/x"):
        for answer in (site.raw(path, **there), site.get(path, **there)):
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert (_target(answer), "secret" in answer.text) == (path, False)


def test_a_link_on_another_site_leads_nowhere_else(site: Site) -> None:
    """No address makes the answer point to another host; a link that opens once is not used up by the first answer."""
    for path in ("//evil.test/", "///evil.test", "/\\evil.test", "/\\/evil.test", "/%5Cevil.test"):
        text = site.raw(path, Sec_Fetch_Site="cross-site", **CLICK).text
        assert re.search(r'content="0; url=/[^/\\"][^"]*"', text), text
    link = site.pages.opening_path
    assert site.raw(link, Sec_Fetch_Site="cross-site", **CLICK).cookies == {}
    assert site.raw(link, Sec_Fetch_Site="same-origin", **CLICK).status_code == 200


def test_only_a_click_on_another_site_is_answered(site: Site) -> None:
    """Frames, scripts and forms of another site are refused, whatever their pass, and its requests for the API."""
    site.run_of()
    there = {"Sec_Fetch_Site": "cross-site"}
    for headers in (
        {}, {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}, {"method": "POST", **CLICK},
        {"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, {"method": "HEAD", **CLICK},
        {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "document"}, {"Sec_Fetch_Site": "same-site"},
    ):  # fmt: skip
        assert site.get("/runs/1", **{**there, **headers}).status_code == 403
    api = site.raw("/api/v1/automation/runs/1", Authorization=f"Bearer {TOKEN.value}", **there, **CLICK)
    assert api.status_code == 403
    assert site.get("/runs/1", Sec_Fetch_Site="same-origin").status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert site.get("/runs/1", method=method).status_code == 405


@pytest.mark.parametrize(
    ("status", "paths"),
    [
        (404, "/nothing /runs/99 /runs/99?base=1 /runs/x /runs/99999999999999999999 /results/99 /projects/7"),
        (422, "/runs/1/junit.xml?base=x"),
    ],
)
def test_mistakes_are_pages_too(site: Site, status: int, paths: str) -> None:
    """What is not there, or cannot be made, is told on a page with a way back."""
    site.run_of()
    for path in paths.split():
        answer = site.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), path
        assert missing(answer.text, 'href="/"', '<h1 class="big">') == [], path


def test_a_theme_is_chosen_without_a_script(site: Site) -> None:
    """A link stores it and goes back; the server then writes it into each page; the system's is no choice."""
    site.run_of()
    assert "data-theme=" not in site.shown("/runs/1")
    assert "/theme/dark?to=%2Fruns%2F1%3Fview%3Dtests" in site.shown("/runs/1?view=tests")
    for path, location, theme in (
        *(("/theme/dark?to=/runs/1", "/runs/1", "dark"), ("/theme/system?to=//evil.test", "/", "")),
    ):
        answer = site.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, location)
        assert answer.cookies["automation-report-theme"].value == theme
    pair = f"{COOKIE}={site.raw(site.pages.opening_path).cookies[COOKIE].value}; automation-report-theme="
    assert '<html lang="en" data-theme="dark">' in site.raw("/runs/1", Cookie=f"{pair}dark").text
    assert '<html lang="en">' in site.raw("/runs/1", Cookie=f'{pair}"><script>').text
    assert site.get("/theme/pink").status_code == 404


def test_a_defect_is_a_page_that_tells_only_a_number(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The details are in the log under that number."""
    site.shown("/")
    site.service.store.close()
    answer = site.get("/runs/1")
    assert answer.status_code == 500
    (number,) = re.findall(r"\b[0-9a-f]{32}\b", answer.text)
    assert "Traceback" not in answer.text
    assert [number in record.getMessage() for record in caplog.records] == [True]


def test_the_api_stays_as_it_is(site: Site) -> None:
    """It asks for the token, whatever pass a browser has, and answers with JSON."""
    site.run_of()
    refused = site.get("/api/v1/automation/runs/1")
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/json")
    answer = site.raw("/api/v1/automation/runs/1", Authorization="Bearer a-token-of-these-tests")
    assert answer.json["result"]["name"] == "a run"
    assert "Content-Security-Policy" not in answer.headers
    assert site.raw("/healthz").json == {"status": "ok"}


CODE = Token("a-code-of-ten-colleagues")


def _target(opened: Result) -> str:
    """Return where the page of a link that was used goes on."""
    (path,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', opened.text)
    return unescape(path)


def test_a_link_goes_on_to_a_path_of_the_site_alone(site: Site) -> None:
    """Any page can be named in the link; an address of another site leads to the first page."""
    page = "/runs/14?view=tests&q=a%20b#x"
    paths = {
        "": "/", "?run=14": "/runs/14", "?run=x": "/", f"?to={quote('/runs/14?view=tests&q=a b', safe='')}": "/",
        f"?to={quote(page, safe='')}": page, "?to=//evil.test/": "/", "?to=%2F%5Cevil.test": "/",
        "?to=https://evil.test/": "/", "?to=javascript:alert(1)": "/", "?to=%2Fx%0D%0ASet-Cookie:+a": "/",
    }  # fmt: skip
    assert {query: _target(site.raw(site.pages.opening_path + query)) for query in paths} == paths


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
    forgotten = opened.cookies[f"{COOKIE}-to"]
    assert (forgotten.value, forgotten.expires is None) == ("", False)
    assert _target(site.raw(f"{site.pages.opening_path}?to=/projects/1", Cookie=cookies)) == "/projects/1"
    for hostile in ("https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "x"):
        assert _target(site.raw(site.pages.opening_path, Cookie=f"{COOKIE}-to={hostile}")) == "/"
    # What a script of an open page asks for after the pass has expired is no page to go to.
    assert not site.raw("/runs/1/live", Sec_Fetch_Mode="cors", Sec_Fetch_Site="same-origin").cookies
    assert not site.raw("/runs/" + "1" * 2000).cookies


def test_the_link_of_a_team_opens_for_each_colleague(site: Site) -> None:
    """The code of the file opens any number of times, beside the link that opens once, which it does not use up."""
    pages = Pages(site.service.store, TOKEN, team_code=CODE)
    client = TestClient(create_application(site.service.store, TOKEN, ServerOptions(extension=pages.extension)))
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


def test_users_of_a_trusted_proxy_need_no_link(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The header lets in whom the proxy names, from the proxy alone, to the pages alone; the log has the name."""
    caplog.set_level("DEBUG")
    site.run_of()
    user = ProxyUser("X-Forwarded-User", (ip_network("10.0.0.0/24"), ip_network("::1")))
    pages = Pages(site.service.store, TOKEN, proxy_user=user)
    client = TestClient(create_application(site.service.store, TOKEN, ServerOptions(extension=pages.extension)))

    def asked(path: str, address: str, name: str = "ann@example.com", **more: str) -> int:
        headers = {"X-Forwarded-User": name, **{key.replace("_", "-"): value for key, value in more.items()}}
        return client.simulate_get(path, headers=headers, remote_addr=address).status_code

    for path in ("/", "/runs/1", "/runs/1/report.html"):
        assert [asked(path, address) for address in ("10.0.0.7", "::1", "::ffff:10.0.0.7")] == [200] * 3
        assert [asked(path, address) for address in ("10.0.1.7", "127.0.0.1")] == [403, 403]
        assert asked(path, "10.0.1.7", X_Forwarded_For="10.0.0.7") == 403
        assert asked(path, "10.0.0.7", "") == asked(path, "10.0.0.7", " ") == 403
    assert asked("/api/v1/automation/runs/1", "10.0.0.7") == 401
    assert asked("/metrics", "10.0.0.7") == 401
    assert "10.0.0.7 (ann@example.com): GET /runs/1 200" in caplog.text


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


def test_a_page_is_compressed_for_browsers_that_take_it(site: Site) -> None:
    """The compressed page is the page, and caches learn of its two forms; who takes it not, or unclearly, gets text."""
    site.run_of(*map(a_test, range(50)))
    plain = site.get("/runs/1")
    assert plain.text.startswith("<!doctype html>")
    for accepted in ("gzip", "deflate, gzip;q=1.0, *;q=0.5", "gzip, br, zstd", "GZIP"):
        packed = site.get("/runs/1", Accept_Encoding=accepted)
        names = ("content-encoding", "vary", "content-length")
        assert [packed.headers[name] for name in names] == ["gzip", "Accept-Encoding", str(len(packed.content))]
        assert gzip.decompress(packed.content) == plain.content
        assert len(packed.content) < len(plain.content) / 3
    for accepted in ("", "identity", "gzip;q=0", "gzip;q=0.0, br", "xgzip", "br", "gzip;q=.", "gzip;q=1.2.3"):
        answer = site.get("/runs/1", Accept_Encoding=accepted)
        assert ("content-encoding" in answer.headers, answer.content) == (False, plain.content)


# Most of the report is compressed already, but as a text whose letters take a quarter more than its bytes.
@pytest.mark.parametrize(
    ("name", "most"), [("junit.xml", 0.5), ("run.json", 0.5), ("tests.csv", 0.5), ("report.html", 0.85)]
)
def test_a_download_is_compressed_as_it_is_sent(site: Site, name: str, most: float) -> None:
    """What *Share* offers comes compressed to a browser that takes it, with the same content, else as it is."""
    run = site.run_of(*map(a_test, range(400)))
    plain = site.get(f"/runs/{run}/{name}")
    packed = site.get(f"/runs/{run}/{name}", Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) * most


def test_style_and_errors_are_compressed_and_the_api_is_not(site: Site) -> None:
    """All text of pages is; a response of the API stays as clients know it, and one without content has none."""
    site.run_of(a_test(), is_open=True)
    taken = {"Accept_Encoding": "gzip"}
    style = site.get(asset_path("style.css"), **taken)
    assert (style.headers["content-encoding"], style.headers["content-type"]) == ("gzip", "text/css; charset=utf-8")
    assert site.get("/nothing", **taken).headers["content-encoding"] == "gzip"
    unchanged = site.get("/runs/1/live", **taken, If_None_Match=site.get("/runs/1/live").headers["etag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert "content-encoding" not in site.service.raw("GET", "/api/v1/automation/runs/1", b"", **taken).headers
