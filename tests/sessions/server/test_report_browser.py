"""The report of a run in one file, in a browser that has nothing but the file."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.accessibility import accessibility_faults
from support.browsers import NARROW, WIDE, Windows, wait_until
from support.contract import Contract
from support.report_file import text_of
from support.service import SECOND, a_test
from support.website import Site, failed_attempt, failing, field, hostile, missing, on

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

SERVER = (
    "/runs/2?view=tests&group=none",
    "/runs/2?view=tests&group=none&sort=slowest",
    "/runs/2?view=tests&group=none&sort=ran",
    "/runs/2?q=test_sum",
    "/runs/2?q=owner:shop+browser:webkit",
    "/runs/2?q=mark:slow+param:webkit",
    "/runs/2?q=browser:webkit+browser:firefox+owner:shop",
    "/runs/2?q=is:new+status:failed+5432",
    "/runs/2?q=file:deep+is:new-tests",
    "/runs/2?status=6",
    "/runs/2?status=flaky",
    "/runs/2?status=3,flaky",
    "/runs/2?status=3&change=new",
    "/runs/2?view=tests&change=new",
    "/runs/2?view=tests&folder=tests.cart.deep.test_x",
    "/runs/2?view=tests&lane=2",
    "/runs/2?view=tests&lane=2.401.402.failed",
    "/results/403",
    "/results/403?show=pytest",
    "/results/404?attempt=1&show=pytest&from=view%3Dtests",
)
"""Addresses of the server; the file must show the same texts there."""

PICTURE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
SKIP = {
    "type": 4,
    "name": "Skipped",
    "value": "tests/a.py:3: <no> printer",
    "is_highlight": True,
    "meta": {"type": "pytest.skip", "message": "<no> printer"},
}
JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
"""The policy under which Jenkins shows files of a build by default."""


class Reader(Windows):
    """Someone who was sent files."""

    def __init__(self, browser: Browser, file: Path, hostile_file: Path) -> None:
        super().__init__(browser)
        self.texts: dict[str, str] = {}
        self.file = file
        self.hostile_file = hostile_file

    def opened(self, place: str = "", **options: Any) -> Page:  # noqa: ANN401 - those of playwright
        """Open the file at a place, and wait until its script shows it."""
        page = self.page(**options)
        self.go(page, place)
        page.locator("header.top").wait_for()
        return page

    def go(self, page: Page, place: str) -> None:
        page.goto(f"{self.file.as_uri()}{place}")


def rules() -> list[dict[str, Any]]:
    """Return twelve tests: of a class with parameters and beside it, in a folder below, without a file."""
    place: dict[str, Any] = {"file": "tests/cart/test_rules.py", "folder": "tests.cart.test_rules.TestTotals"}
    times = (900, 45_000, 1_200_000, 61_000_000)
    timed: list[dict[str, Any]] = [{"elapsed": time} for time in times]
    output = [field("Output", "counted to 3", 4), field("Log", "a line of the log", 4)]
    deep = {"file": "tests/cart/deep/test_x.py", "folder": "tests.cart.deep.test_x"}
    return [
        *(a_test(500 + n, name=f"test_sum[{n}-€]", line=7, **place, **more) for n, more in enumerate([*timed, {}])),
        failing(505, name="test_sum[<b>&amp;'\"]", elapsed=3_000, **place),
        a_test(506, name="test_alone", elapsed=2_000, fields=output, **place),
        a_test(507, name="test_beside", elapsed=50, file=place["file"], folder="tests.cart.test_rules"),
        a_test(508, name="test_other", elapsed=2_500, fields=[field("owner", "web")], **deep),
        a_test(509, name="without a file", folder="a folder", elapsed=10_000, fields=[field("owner", "web")]),
        a_test(510, name="test_owned[webkit]", fields=[field("owner", "shop"), field("slow", "yes")], **deep),
        a_test(511, name="test_owned[firefox]", fields=[field("owner", "shop")], **deep),
    ]


@pytest.fixture
def reader(recipient: Reader) -> Iterator[Reader]:
    yield recipient
    recipient.close()


@pytest.fixture(scope="module")
def recipient(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Write the report of a run of 400 tests with failures, flaky and skipped tests, and that of a hostile run."""
    folder = tmp_path_factory.mktemp("report")
    site = Site(folder / "store.db", Contract())
    shop: dict[str, Any] = {**on("main"), "source": "shop"}
    site.run_of(a_test(0), failing(1), *map(a_test, range(2, 400)), **shop)
    site.service.clock.now += 60 * SECOND
    shot = {"name": "shot.png", "url": site.kept(PICTURE, "shot.png")}
    run = site.run_of(
        *(failing(number, file="tests/a.py") for number in (0, 1)),
        failing(2, "connection refused by port 5432", file="tests/a.py", artifacts=[shot]),
        a_test(3, attempts=[failed_attempt(1, "KeyError: 'first'")], file="tests/a.py"),
        *(a_test(4, "skipped", fields=[SKIP]), *map(a_test, range(5, 388)), *rules()),
        **shop,
    )
    bad, _ = hostile(site)
    site.service.complete(bad)
    shown = Reader(browser, folder / "report.html", folder / "hostile.html")
    shown.texts = {address: site.text(address) for address in SERVER}
    shown.file.write_text(site.get(f"/runs/{run}/report.html").text, encoding="utf-8")
    shown.hostile_file.write_text(site.get(f"/runs/{bad}/report.html").text, encoding="utf-8")
    site.service.store.close()
    return shown


def test_all_of_a_run_is_in_the_file(reader: Reader) -> None:
    """Views by key, tests by link, attempts, search, filters and pages of the list work without a network."""
    page = reader.opened()
    heading = page.get_by_role("heading", level=1)
    assert "4 of 400 tests failed" in heading.inner_text()
    for key, label in enumerate(("Failures", "Tests", "Changes", "Time", "Details"), 1):
        page.keyboard.press(str(key))
        page.locator(f'section.view[aria-label="{label}"]').wait_for()
    page.keyboard.press("2")
    page.get_by_role("link", name="Flat").click()
    page.locator(".leaf").first.wait_for()
    assert page.locator(".leaf").count() == 150
    page.get_by_role("button", name="100 more of 400 tests").wait_for(state="detached")
    page.get_by_role("button", name="150 more of 400 tests").click()
    page.get_by_role("button", name="100 more of 400 tests").click()
    wait_until(page, "() => document.querySelectorAll('.leaf').length === 400")
    assert page.locator(".rest").count() == 0
    visited = page.evaluate("history.length")
    page.keyboard.press("/")
    page.keyboard.type("REFUSED")
    page.get_by_text("1 test", exact=True).wait_for()
    assert page.evaluate("history.length") == visited
    assert page.locator(".leaf .name").inner_text().startswith("test_2")
    page.locator(".leaf").click()
    page.get_by_role("heading", name="test_2").wait_for()
    assert page.title().startswith("✗ test_2")
    page.locator("#q").press("Enter")
    page.get_by_text("1 test", exact=True).wait_for()
    page.locator("#q").fill("tests/a.py::test_3")
    page.locator(".leaf").click()
    page.get_by_role("link", name="Attempt 1").first.click()
    page.get_by_text("KeyError: 'first'").first.wait_for()
    reader.go(page, "#/runs/2?view=tests&status=6")
    page.get_by_text("1 test", exact=True).wait_for()
    page.locator(".chip", has_text="Passed").click()
    page.get_by_text("396 tests", exact=True).wait_for()
    assert all(url.startswith(("file:", "blob:")) for url in reader.asked)
    assert reader.complaints == []


def test_the_plain_reports_style_does_not_show_through_the_pages(reader: Reader) -> None:
    """Code has no frame of its own inside of a panel, as on the server; the plain report frames it."""
    border = "() => getComputedStyle(document.querySelector('main pre')).borderTopWidth"
    assert reader.opened().evaluate(border) == "0px"
    plain = reader.page(java_script_enabled=False)
    plain.goto(reader.file.as_uri())
    assert plain.evaluate(border) == "1px"


def test_nothing_is_offered_that_the_file_lacks(reader: Reader) -> None:
    """Links to lists of runs and keys that lead out of the file are left out; the base is text and no button."""
    page = reader.opened()
    assert page.locator(".trend").get_by_text("All runs").is_hidden()
    assert all(bar.is_visible() for bar in page.locator(".trend rect:not(.now)").all())
    assert page.get_by_text("#1 on main", exact=True).evaluate("text => getComputedStyle(text).borderStyle") == "none"
    page.keyboard.press("?")
    keys = page.get_by_role("dialog").inner_text()
    assert missing(keys, "all runs", "the suite", "choose the run", "the run before", "back to the run") == [
        "all runs", "the suite", "choose the run", "the run before",
    ]  # fmt: skip
    reader.go(page, "#/results/403")
    page.get_by_text("About the test").wait_for()
    assert page.get_by_text("Whole history").is_hidden()


def test_a_place_can_be_sent(reader: Reader) -> None:
    """An address behind the # opens the file at a test; one that the file does not have says so."""
    page = reader.opened("#/results/403?from=view%3Dtests")
    assert page.get_by_role("heading", name="test_2").is_visible()
    assert page.locator("header .crumbs").inner_text().endswith("#2\nTest")
    wait_until(page, "() => document.querySelector('#files img')?.naturalWidth === 1")
    assert page.locator("a[download]").first.get_attribute("download") == "shot.png"
    assert page.locator("a[download][target]").count() == 0
    reader.go(page, "#/results/403?show=pytest")
    assert page.locator("#failure .hit").inner_text().startswith(">")
    assert page.locator("#failure .err").first.inner_text().startswith("E ")
    reader.go(page, "#/results/9999")
    page.get_by_role("alert").wait_for()
    assert "it has no page /results/9999" in page.get_by_role("alert").inner_text()
    reader.go(page, "#/results/403")
    page.get_by_role("alert").wait_for(state="hidden")
    page.locator(".skip-to").press("Enter")
    assert page.evaluate("[document.activeElement.id, location.hash]") == ["content", "#/results/403"]
    low = reader.opened("#/results/403#files", viewport={"width": 999, "height": 99})
    wait_until(low, "() => document.getElementById('files').getBoundingClientRect().top < 99")


def test_the_script_shows_what_the_server_shows(reader: Reader) -> None:
    """Lists and texts of pytest, which the script fills with data, are those of the server's page, in its order."""
    page = reader.opened()
    for address in SERVER:
        reader.go(page, f"#{address}")
        selector = "section#failure" if "/results/" in address else ".tree"
        wait_until(page, "address => shown === canonical(address)", address)
        html = page.locator(selector).inner_html().partition('<button type="button" class="btn rest"')[0]
        assert text_of(html) in reader.texts[address], address
        assert page.locator(f"{selector} a.leaf, {selector} pre").count() > 0, address
    assert reader.complaints == []


def test_the_script_reads_searches_as_the_server_does(reader: Reader) -> None:
    """Each case of the parser's table has the same words and fields."""
    cases = json.loads((Path(__file__).parents[2] / "unit/server/store/search_cases.json").read_text())
    parser = "texts => texts.map((text) => termsOf(text).map(({ field, value }) => [field, value]))"
    assert reader.opened().evaluate(parser, [text for text, _ in cases]) == [terms for _, terms in cases]


def test_chips_of_fields_change_the_search(reader: Reader) -> None:
    """A chip adds its field to what is searched and takes it away again; a value that does not exist is named."""
    page = reader.opened("#/runs/2?view=tests&q=test_")
    chip = page.locator(".count-line .chip", has_text="owner: shop")
    chip.click()
    page.locator(".within", has_text="2 tests with “test_ owner:shop”").wait_for()
    assert chip.get_attribute("aria-current") == "true"
    assert page.locator("#q").input_value() == "test_ owner:shop"
    # As on the server: of the run's failures, some of which are new, none is of this owner.
    numbers = page.locator(".count-line .chip:not([data-term])").all_inner_texts()
    assert [text.split() for text in numbers] == [["Failed", "0"], ["Flaky", "0"], ["Skipped", "0"], ["Passed", "2"]]
    chip.click()
    page.locator(".within", has_text="with “test_”").wait_for()
    reader.go(page, "#/runs/2?view=tests&q=is:odd")
    page.locator(".mistake", has_text="is:odd is left out: write is: with flaky, xpass, new").wait_for()
    assert reader.complaints == []


def test_chips_of_statuses_and_changes_add_up(reader: Reader) -> None:
    """As on the server, a chip adds its filter to the others, and takes it away again."""
    page = reader.opened("#/runs/2?view=tests")
    for chip, shown in (("Failed", "4 tests"), ("Skipped", "5 tests"), ("New", "3 tests"), ("Skipped", "3 tests")):
        page.locator(".count-line .chip", has_text=chip).click()
        page.locator(".tools > .small", has_text=shown).wait_for()
    assert page.evaluate("location.hash") == "#/runs/2?change=new&status=3&view=tests"
    assert page.locator(".chip[aria-current]").count() == 2
    assert reader.complaints == []


def test_a_filter_can_be_left_out(reader: Reader) -> None:
    """A search that finds nothing says for what, and each filter has a link that leaves it out and keeps the others."""
    page = reader.opened("#/runs/2?view=tests&q=<b>absent&status=3&lane=2.401.402.failed")
    page.get_by_role("heading", name="No test matches “<b>absent”").wait_for()
    within = text_of(page.locator(".within").inner_html())
    assert within == "0 tests with “ <b>absent ” Clear the search that failed on gw0 All workers"
    page.locator(".within").get_by_role("link", name="Clear the search").click()
    page.locator(".leaf").first.wait_for()
    assert page.evaluate("location.hash") == "#/runs/2?lane=2.401.402.failed&status=3&view=tests"
    page.get_by_role("link", name="All workers").click()
    wait_until(page, "() => document.querySelectorAll('.leaf').length === 4")
    reader.go(page, "#/runs/2?view=tests&status=4")
    page.get_by_role("link", name="Show all tests").click()
    page.locator(".node").first.wait_for()
    assert reader.complaints == []


def test_a_reason_has_its_name(reader: Reader) -> None:
    """The list of the tests that failed for one reason names it, also where the name is markup."""
    page = reader.opened()
    reason = page.evaluate("at('reason', 0)")
    reader.go(page, f"#/runs/2?reason={reason}")
    page.locator(".leaf").first.wait_for()
    assert text_of(page.locator(".within").inner_html()) == "that failed for assert 90 == 89 All reasons"
    hostile_page = reader.page()
    hostile_page.goto(reader.hostile_file.as_uri())
    hostile_page.locator("header.top").wait_for()
    reason = hostile_page.evaluate("Object.entries(reasons).find(([, name]) => name.includes('&lt;script'))[0]")
    hostile_page.goto(f"{reader.hostile_file.as_uri()}#{hostile_page.evaluate('data.run')}?reason={reason}")
    hostile_page.locator(".within .mono").wait_for()
    assert "<script" in hostile_page.locator(".within .mono").inner_text()
    assert hostile_page.locator("#page script").count() == 0
    assert reader.complaints == []


def test_tests_that_passed_have_a_page(reader: Reader) -> None:
    """A test that passed shows place, time, worker, command and output by stream, a skipped one why it was skipped."""
    page = reader.opened()
    main = page.locator("main")

    def opened(query: str, words: str) -> str:
        reader.go(page, f"#/runs/2?view=tests&{query}")
        page.locator(".leaf").click()
        page.get_by_text(words).first.wait_for()
        return main.inner_text()

    opened("q=test_sum[2", "test_sum[2-€]")
    page.get_by_role("heading", name="test_sum[2-€]").wait_for()
    facts = page.locator(".facts").inner_text()
    assert missing(facts, "tests/cart/test_rules.py:7", "1.20 s", "gw0") == []
    assert page.locator("#command").inner_text() == "pytest 'tests/cart/test_rules.py::TestTotals::test_sum[2-€]'"
    assert "This test has no message and no output." in main.inner_text()
    assert page.title().startswith("✓ test_sum[2-€]")
    page.keyboard.press("u")
    page.locator("section.view").wait_for()
    opened("q=test_alone", "counted to 3")
    page.locator("#output nav a", has_text="log").click()
    page.get_by_text("a line of the log").wait_for()
    assert "no message" not in opened("status=6", "<no> printer")
    opened("q=without a file", "without a file")
    page.get_by_role("heading", name="without a file").wait_for()
    assert page.locator(".cmd").count() == 0
    assert reader.complaints == []


def test_files_open_in_their_place(reader: Reader) -> None:
    """A click or a key opens and closes a file with its tests, and leaves all others as they are."""
    page = reader.opened("#/runs/2?view=tests")
    page.locator("a.node", has_text="test_rules.py").click()
    page.locator("a.node", has_text="tests/a.py").click()
    page.locator(".leaf", has_text="<b>&amp;'").wait_for()
    page.locator("a.node", has_text="test_rules.py").focus()
    page.keyboard.press("h")
    page.locator(".leaf", has_text="<b>&amp;'").wait_for(state="hidden")
    page.keyboard.press("l")
    page.locator(".leaf", has_text="<b>&amp;'").wait_for()
    assert page.locator(".leaf", has_text="test_alone").is_visible()
    names = [text_of(html) for html in page.locator("a.node code").all_inner_texts()]
    page.get_by_role("link", name="As they ran").click()
    wait_until(page, "() => !document.querySelector('.leaf')")
    assert sorted(page.locator("a.node code").all_inner_texts()) == sorted(names)
    reader.go(page, "#/runs/2?view=tests&open=tests/cart/test_rules.py::TestTotals")
    page.locator(".leaf", has_text="test_alone").wait_for()
    assert page.locator(".leaf", has_text="test_2").count() == 0
    low = reader.opened("#/runs/2?view=tests&open=tests/cart/test_rules.py", viewport={"width": 999, "height": 99})
    wait_until(low, "() => document.querySelector('a.node[aria-expanded=true]')?.getBoundingClientRect().top < 99")
    low.locator(".leaf", has_text="test_alone").click()
    wait_until(low, "() => document.querySelector('h1').textContent.includes('test_alone') && scrollY === 0")
    assert reader.complaints == []


def test_it_is_accessible_and_fits(reader: Reader) -> None:
    """In both themes and both widths the checker finds nothing, and nothing sticks out sideways, plain or not."""
    page = reader.opened(viewport=WIDE, reduced_motion="reduce")
    wrong = []
    for place in ("", "#/runs/2?view=tests", "#/runs/2?view=tests&group=none", "#/results/403", "#/results/410"):
        reader.go(page, place)
        page.locator("header.top").wait_for()
        wrong += [f"{place}: {fault}" for fault in accessibility_faults(page)]
    plain = reader.page(java_script_enabled=False)
    reader.go(plain, "")
    for size in (WIDE, NARROW):
        plain.set_viewport_size(size)
        assert plain.get_by_role("heading", level=1).inner_text() == "4 of 400 tests failed, for 2 reasons"
    assert wrong == []


def test_jenkins_shows_the_plain_report(reader: Reader) -> None:
    """Under the policy of Jenkins, which stops style and script, verdict, reasons and failures can be read."""
    page = reader.page(viewport=NARROW)
    headers = {"Content-Security-Policy": JENKINS, "Content-Type": "text/html; charset=utf-8"}
    html = reader.file.read_text(encoding="utf-8")
    page.route("http://jenkins.test/", lambda route: route.fulfill(body=html, headers=headers))
    page.goto("http://jenkins.test/")
    assert page.get_by_role("heading", level=1).inner_text() == "4 of 400 tests failed, for 2 reasons"
    assert not page.locator("header.top").is_visible()
    page.get_by_text("connection refused by port 5432").first.wait_for()
    failure = page.locator("details", has_text="test_2")
    failure.locator("summary").click()
    assert "E       assert 90 == 89" in failure.locator("pre").inner_text()
    assert reader.asked[-1] == "http://jenkins.test/"


def test_a_damaged_file_leaves_the_plain_report(reader: Reader, tmp_path: Path) -> None:
    """A file that was cut or changed says so, and shows the plain report."""
    html = reader.file.read_text(encoding="utf-8")
    before, mark, rest = html.partition('id="data">')
    pages, end, after = rest.partition("</script>")
    picture = after.partition("data-type=")[0] + 'data-type="image/png">'
    place = len(pages) // 2
    changed = f"{pages[:place]}{'B' if pages[place] == 'A' else 'A'}{pages[place + 1 :]}"
    for number, (broken, following, address) in enumerate([
        (changed, after, ""),
        (pages[:80], after, ""),
        ("", after, ""),
        (pages, f"{picture}!!!</script>{after.partition('</script>')[2]}", "#/results/403"),
    ]):  # fmt: skip
        file = tmp_path / f"{number}.html"
        file.write_text(before + mark + broken + end + following, encoding="utf-8")
        page = reader.page()
        page.goto(f"{file.as_uri()}{address}")
        page.get_by_role("alert").wait_for()
        assert "The pages of this report cannot be read" in page.get_by_role("alert").inner_text()
        if not address:
            assert page.get_by_role("heading", level=1).inner_text() == "4 of 400 tests failed, for 2 reasons"


def test_nothing_in_a_hostile_run_runs(reader: Reader) -> None:
    """Texts with scripts, pictures and templates in every place stay texts, in all views and pages of tests."""
    reader.complaints.clear()
    page = reader.page()
    page.goto(reader.hostile_file.as_uri())
    page.locator("header.top").wait_for()
    filled = [f"/results/{name}" for name in page.evaluate("ids")]
    for address in [*page.evaluate("Object.keys(data.pages)"), f"{page.evaluate('data.run')}?q=a", *filled]:
        page.goto(f"{reader.hostile_file.as_uri()}#{address}")
        wait_until(page, "address => shown === canonical(address)", address)
        assert page.locator("#page script, #page img").count() == 0
    assert reader.complaints == []
    assert all(url.startswith(("file:", "blob:", "http://jenkins.test/")) for url in reader.asked)
