from __future__ import annotations

import io
import re
import signal
import struct
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zipfile import ZipFile
from zlib import compress, crc32

import pytest

from support.accessibility import accessibility_faults
from support.browsers import NARROW, WIDE, Windows, press, wait_until
from support.contract import Contract
from support.processes import line_of, running
from support.repository import ROOT
from support.service import SECOND, TOKEN, a_test
from support.website import HOSTILE, LONG, RETRIED, TRACEBACK, Site, failed_attempt, failing, field, hostile, on

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]


class Visit(Windows):
    """A browser with a pass at a served store."""

    def __init__(self, browser: Browser, address: str, link: str, site: Site) -> None:
        super().__init__(browser, base_url=address)
        self.address = address
        self.site = site
        first = self.page()
        first.goto(link)
        first.wait_for_url(f"{address}/")
        self.kept: Any = first.context.storage_state()
        self.options["storage_state"] = self.kept

    def is_at_home(self) -> bool:
        """Whether nothing was asked of any other server."""
        return all(url.startswith(f"{self.address}/") for url in self.asked)


@pytest.fixture
def visit(served: Visit) -> Iterator[Visit]:
    yield served
    served.close()


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Serve a store with a little of everything, as users do."""
    database = tmp_path_factory.mktemp("pages") / "store.db"
    contract = Contract()
    site = Site(database, contract)
    hostile(site)
    steps = [{"name": "pay", "status": "failed"}, {"name": "go", "status": "skipped"}]
    fields = [
        *failing()["fields"], field("issue", "https://issues.example.com/1", 5),
    ]  # fmt: skip
    first = failing(0, fields=fields, file="tests/a.py", **RETRIED, steps=steps)
    links = [{"name": "CI job", "url": "https://ci.example.com/1"}]
    files = [{"name": "coverage.xml", "url": "https://files.example.com/c.xml", "size": 7}]
    tests = (first, a_test(1, "skipped"), a_test(2, "blocked"), *map(a_test, range(3, 260)))
    site.run_of(*tests, name="backend, main, build 7", tags=["nightly"], links=links, artifacts=files)
    site.run_of(name="going on", is_open=True)
    site.run_of(a_test(0), failing(1), a_test(300, "skipped"), name="backend, main, build 8")
    argument = {**failing()["fields"][0], "value": f"what = '{LONG}'\n\n{TRACEBACK}"}
    selection = [field("Selection", f"-k {LONG}")]
    site.run_of(*map(a_test, range(3)), source="long", fields=selection)
    site.run_of(failing(0, fields=[argument]), source="long", fields=selection)
    code = database.with_name("pages.token")
    code.write_text("a-code-of-ten-colleagues")
    options = ["serve", "--port", "0", "--database", str(database), "--pages-token-file", str(code)]
    command = [sys.executable, "-m", "pytest_automation_report.cli", *options]
    environment = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN.value, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    with running(command, environment, database.parent) as server:
        address = line_of(server)
        assert server.stderr is not None
        (link,) = [line for line in (server.stderr.readline() for _ in range(3)) if line.startswith("look at it: ")]
        yield Visit(browser, address, link.removeprefix("look at it: ").strip(), site)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    site.service.store.close()
    assert contract.violations == []


PATHS = {
    "suites": "/", "runs": "/projects/1", "suite": "/sources/2", "search": "/search?q=test_1", "run": "/runs/2",
    "failures as a list": "/runs/2?group=none", "tests": "/runs/2?view=tests&open=tests.a",
    "search of a run": "/runs/2?q=test_1&status=2&folder=tests.a",
    "last page": "/runs/2?view=tests&group=none&page=2", "changes": "/runs/4?view=changes",
    "time": "/runs/2?view=time", "tests of a worker": "/runs/2?lane=2", "details": "/runs/2?view=details",
    "open run": "/runs/3", "test": "/results/3", "pytest's text": "/results/3?show=pytest",
    "test across runs": "/tests/3", "passed test": "/results/100", "hostile run": "/runs/1",
    "hostile test": "/results/1", "long selection": "/runs/6", "long argument": "/results/269",
    "long suite": "/sources/3", "flaky and slow tests": "/sources/2/tests",
}  # fmt: skip


def test_every_page_is_accessible_and_fits(visit: Visit) -> None:
    """In light and dark, wide and narrow, the checker finds nothing, nothing sticks out, no other server is asked."""
    page = visit.page(viewport=WIDE, reduced_motion="reduce")
    errors = list[str]()
    for name, path in PATHS.items():
        page.goto(path)
        if name.startswith("long") and "WWW" not in page.inner_text("main"):
            errors.append(f"{name}: without its long value")
        errors += [f"{name}: {fault}" for fault in accessibility_faults(page)]
    assert errors == []
    assert visit.is_at_home()


def test_narrow_pages_show_where_one_is(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tab of the shown view is in the window, also the last one; names of tests have room in tables."""
    page = visit.page(viewport=NARROW)
    page.goto("/runs/2?view=details")
    tab = page.locator(".tabs [aria-current]").bounding_box() or {"x": 999, "width": 0}
    assert 0 <= tab["x"] <= tab["x"] + tab["width"] <= NARROW["width"]
    # The page shows the last days of the server's clock.
    monkeypatch.setattr(visit.site.service.clock, "now", time.time_ns() // 1_000)
    name = "test_a_name_of_many_words_that_says_what_is_promised[chromium]"
    for tried in ([], [failed_attempt(1)], []):
        run = visit.site.run_of(a_test(0, name=name, attempts=tried, elapsed=900_000), source="costs", **on("main"))
    page.goto(f"/runs/{run}")
    suite = page.locator(".crumbs [data-key='g s']").get_attribute("href")
    page.goto(f"{suite}/tests")
    widths = [cell.evaluate("cell => cell.clientWidth") for cell in page.locator("td:first-child").all()]
    assert len(widths) == 2
    assert min(widths) > NARROW["width"] / 3


def test_a_long_branch_keeps_the_pages_of_a_test_in_the_window(visit: Visit) -> None:
    """Wide and narrow, with its outcomes on other branches in the rail."""
    branch = "feature/" + "-".join(["a-long-name-of-a-branch"] * 5)
    for name in ("main", branch):
        run = visit.site.run_of(failing(0, elapsed=900_000), source="branches", **on(name))
    for size in (WIDE, NARROW):
        page = visit.page(viewport=size)
        page.goto(f"/results/{visit.site.result_ids(run - 1)[0]}")
        assert page.locator(".branches", has_text=branch).count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_paper_has_all_reasons(visit: Visit) -> None:
    """Cards that are closed are printed open, on white."""
    run = visit.site.run_of(failing(0), failing(1, message="KeyError: 'x'"), source="paper")
    page = visit.page(color_scheme="dark")
    page.goto(f"/runs/{run}")
    assert page.locator("details.cause:not([open])").count() == 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details.cause:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_cards_are_stops_of_the_tab_key(visit: Visit) -> None:
    """From one card it goes to the next one; rows of a list are one stop together."""
    messages = ("AError: no", "BError: no", "CError: no")
    run = visit.site.run_of(*(failing(number, message=each) for number, each in enumerate(messages)), source="stops")
    page = visit.page()
    page.goto(f"/runs/{run}")
    cards = page.locator("details.cause > summary")
    cards.nth(1).focus()
    page.keyboard.press("Tab")
    assert cards.nth(2).evaluate("card => card === document.activeElement")
    page.goto(f"/runs/{run}?view=tests&group=none")
    assert page.locator('.leaf[tabindex="0"]').count() == 1


def test_a_link_on_another_site_opens_the_run(visit: Visit) -> None:
    """A click in the summary of a CI job shows the run to a browser that has its pass, and not to another one."""
    link = f'<a href="{visit.address}/automation/runs/view/3">the run</a>'
    for kept, shown, path in (
        (visit.kept, "No test has ended yet", "runs/3"),
        (None, "These pages open with a link", "automation/runs/view/3"),
    ):
        context = visit.browser.new_context(storage_state=kept)
        page = context.new_page()
        page.route("http://ci.example.test/", lambda route: route.fulfill(body=link, content_type="text/html"))
        page.goto("http://ci.example.test/")
        page.get_by_text("the run").click()
        page.get_by_role("heading", name=shown).wait_for()
        assert page.url == f"{visit.address}/{path}"
        context.close()


def test_no_hostile_value_runs_or_asks(visit: Visit) -> None:
    """The values are shown as they are; no script runs, no dialog opens, no policy has to stop anything."""
    visit.complaints.clear()
    page = visit.page(viewport=NARROW)
    for path in ("/", "/runs/1", "/runs/1?view=tests&group=none", "/runs/1?view=details", "/results/1"):
        page.goto(path, wait_until="networkidle")
        assert HOSTILE.replace("\u202e", "\\u202e") in page.inner_text("main")
        assert page.locator("main img, main script, main iframe, main style, main [onerror]").count() == 0
    assert visit.is_at_home()
    assert visit.complaints == []


def test_pages_read_without_scripts(visit: Visit) -> None:
    """Views, nodes of the tree, filters, search, base and commands are links, forms and details of HTML."""
    page = visit.page(java_script_enabled=False)
    page.goto("/runs/2")
    assert page.get_by_role("heading", name="1 of 260 tests failed").is_visible()
    assert page.get_by_text("assert discount(99, 10) == 89").is_visible()
    page.locator("summary", has_text="Run again").click()
    assert page.get_by_text("pytest --automation-report-rerun-failed=2").is_visible()
    command = page.locator("details.cause[open] .foot code").bounding_box() or {"width": 0}
    assert command["width"] > 100
    page.get_by_role("navigation", name="Views").get_by_role("link", name=re.compile("Tests")).click()
    page.locator("a.node", has_text="tests.a").click()
    assert page.locator("a.leaf").count() == 150
    page.locator("a.chip", has_text="Skipped").click()
    assert page.locator("a.leaf").count() == 1
    page.goto("/runs/2")
    page.get_by_label("Search tests, messages, files").fill("test_25")
    press(page, "Enter", url="**/runs/2?view=tests&q=test_25")
    assert page.locator("a.leaf").count() == 11
    page.goto("/results/3")
    assert page.get_by_role("button", name="Copy").count() == 0


def test_a_test_is_read_with_the_keyboard(visit: Visit) -> None:
    """Keys go to the next failure, to attempts, to the run before and back to the run, and copy the failure."""
    before = visit.site.run_of(failing(0), source="keys", name="before")
    attempt = failed_attempt(1, "KeyError: 'first'")
    failed = failing(0, message="KeyError: 'b'", file="tests/a.py")
    tests = ({**failed, "attempts": [attempt]}, failing(1, message="ValueError"))
    run = visit.site.run_of(*tests, source="keys", name="now")
    (earlier,), (first, second) = visit.site.result_ids(before), visit.site.result_ids(run)
    page = visit.page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/results/{first}")
    order = [f"{visit.address}/results/{number}" for number in (first, second)]
    for address in order[::-1]:
        press(page, "j" if page.locator("[data-key=j]").count() else "k", url=address)
    press(page, "h", url=f"{order[0]}?attempt=1")
    assert "'first'" in page.inner_text("main")
    press(page, "l", url=order[0])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "pytest tests/a.py::test_0"
    page.reload()
    page.keyboard.press("Shift+C")
    wait_until(page, "document.getElementById('said').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("### `tests.a.test_0`")
    press(page, "[", url=f"{visit.address}/results/{earlier}")
    press(page, "u", url=re.compile(rf"{visit.address}/runs/{before}#reason-[0-9a-f]{{16}}$"))


def test_a_slider_is_moved_with_the_keyboard(visit: Visit) -> None:
    """The edge between two pictures follows the slider; without scripts it can be dragged, and both are seen."""
    files = [[{"name": "form.png", "url": visit.site.kept(_png(width, 300), "form.png")}] for width in (400, 401)]
    visit.site.run_of(a_test(0, artifacts=files[0]), source="pictures", name="good")
    run = visit.site.run_of(failing(0, artifacts=files[1]), source="pictures", name="bad")
    address = f"/results/{visit.site.result_ids(run)[0]}?pictures=slider"
    page = visit.page()
    page.goto(address)
    page.get_by_role("slider").press("Home")
    assert page.locator(".over").evaluate("element => element.style.clipPath") == "inset(0px 100% 0px 0px)"
    assert accessibility_faults(page) == []
    page = visit.page(java_script_enabled=False)
    page.goto(address)
    assert not page.get_by_role("slider").is_visible()
    over, stage = (page.locator(each).bounding_box() or {"width": 0} for each in (".over", ".stage"))
    assert 0.4 * stage["width"] < over["width"] < 0.6 * stage["width"]


def test_an_open_run_updates_itself_until_it_is_completed(visit: Visit) -> None:
    """The head follows, an empty view, too; later failures wait in a pill and move nothing; the asking ends."""
    site = visit.site
    run = site.run_of(a_test(0), name="followed", is_open=True)
    thread = site.service.run(run)["threads"][0]["id"]
    page = visit.page()
    page.goto(f"/runs/{run}")
    page.get_by_label("Search tests, messages, files").focus()
    site.service.append(thread, failing(1), a_test(2))
    page.get_by_role("heading", name="3 tests ran, 1 failed").wait_for()
    page.locator("details.cause").wait_for()
    assert page.evaluate("document.activeElement.id") == "q"
    assert "● 3" in page.title()
    view = page.locator("section.view").inner_html()
    site.service.append(thread, failing(3, message="KeyError: 'id'"))
    pill = page.get_by_role("link", name="1 more failure below")
    pill.wait_for()
    assert page.locator("section.view").inner_html() == view
    site.service.post(f"/automation/runs/{run}/complete", {})
    page.get_by_role("heading", name="2 of 4 tests failed").wait_for()
    page.locator('#live[data-live=""]').wait_for()
    pill.click()
    page.locator("details.cause").nth(1).wait_for()
    assert visit.is_at_home()


def test_keys_of_a_run_do_as_their_twins(visit: Visit) -> None:
    """1 to 5 change the view, f n x filter, b opens the bases, [ and ] lead to other runs, j k o move and open."""
    site = visit.site
    branch: dict[str, Any] = {"fields": [{"type": 1, "name": "Branch", "value": "main"}], "source": "keys"}
    before = site.run_of(a_test(0), a_test(1), failing(2, message="KeyError: 'id'"), **branch)
    run = site.run_of(failing(0), a_test(1, **RETRIED), failing(2, message="KeyError: 'id'"), **branch)
    page = visit.page()
    page.goto(f"/runs/{run}")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.matches('details.cause:first-of-type > summary')")
    second = page.locator("details.cause").nth(1)
    assert second.get_attribute("open") is None
    # The tests of the first card, which is open, are on the way.
    for _ in range(2):
        page.keyboard.press("j")
    page.keyboard.press("o")
    assert second.get_attribute("open") is not None
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('details.cause') !== null")
    page.keyboard.press("b")
    assert page.locator("details.menu[open] .drop").get_by_text(f"#{before}").is_visible()
    page.keyboard.press("Escape")
    for key, view in (("2", "tests"), ("3", "changes"), ("4", "time"), ("5", "details"), ("1", "failures")):
        page.keyboard.press(key)
        page.locator(f"section.view[aria-label={view.capitalize()}]").wait_for()
    for key, query, count in (("f", "status=3", 2), ("n", "change=new", 1), ("x", "status=flaky", 1)):
        page.goto(f"/runs/{run}")
        press(page, key, url=f"**/runs/{run}?view=tests&{query}")
        assert page.locator("a.leaf").count() == count
    press(page, "[", url=f"**/runs/{before}")
    press(page, "]", url=f"**/runs/{run}")


def test_a_reader_goes_through_a_list_and_back_to_the_row(visit: Visit) -> None:
    """J goes on to the next skipped test, u back to the list with the focus at the row of the last one."""
    site = visit.site
    tests = [a_test(number, "skipped" if number % 3 == 0 else "passed") for number in range(9)]
    run = site.run_of(*tests, source="skips", name="with skips")
    ids = site.result_ids(run)
    page = visit.page()
    page.goto(f"/runs/{run}?view=tests&status=6")
    press(page, "j", "Enter", url=f"**/results/{ids[0]}?*")
    page.get_by_text("1 of 3 tests").wait_for()
    press(page, "j", url=f"**/results/{ids[3]}?*")
    press(page, "u", url=f"**/runs/{run}?view=tests&status=6#t-{ids[3]}")
    wait_until(page, f"document.activeElement.id === 't-{ids[3]}'")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == f"t-{ids[6]}"
    page.goto(f"/runs/{run}?view=tests&open=tests.a")
    page.locator(f"#t-{ids[1]}").click()
    page.get_by_text("2 of 9 tests").wait_for()
    page.keyboard.press("u")
    wait_until(page, f"document.activeElement.id === 't-{ids[1]}'")


def test_keys_copy_and_go_to_suites_and_latest_runs(visit: Visit) -> None:
    """Y copies the address, c the command of the selected reason, C opens all failures as text, g s and g l lead on."""
    site = visit.site
    other = failing(1, message="KeyError: 'b'", file="tests/b.py", folder="tests.b")
    run = site.run_of(failing(0, file="tests/a.py"), other, source="copied")
    newest = site.run_of(a_test(0), source="copied")
    page = visit.page(permissions=["clipboard-read", "clipboard-write"])

    def copied() -> str:
        wait_until(page, "document.getElementById('said').textContent === 'Copied'")
        page.evaluate("document.getElementById('said').textContent = ''")
        return str(page.evaluate("navigator.clipboard.readText()"))

    page.goto(f"/runs/{run}")
    page.keyboard.press("y")
    assert copied() == f"{visit.address}/runs/{run}"
    page.locator("details.cause > summary", has_text="KeyError").focus()
    press(page, "o", "c")
    assert copied() == "pytest tests/b.py::test_1"
    press(page, "Shift+C")
    assert copied().startswith("# Both tests failed, for 2 reasons")
    for keys, url in ((("g", "l"), f"/runs/{newest}"), (("g", "s"), "/sources/[0-9]+")):
        page.goto(f"/runs/{run}")
        press(page, *keys, url=re.compile(f"{url}$"))


def test_a_worker_and_a_block_of_the_timeline_open_their_lists(visit: Visit) -> None:
    """Blocks are links as they are without scripts: a click that draws no stretch goes to the list; + and 0 zoom."""
    service = visit.site.service
    run = service.new_run(source="blocks")
    thread = service.new_thread(run, session_started=service.clock.now)
    short = [a_test(number, elapsed=1_000, started=1_100 * number) for number in range(40)]
    service.append(thread, *short, a_test(40, elapsed=9_000_000, started=50_000))
    service.complete(run)
    page = visit.page()
    page.goto(f"/runs/{run}?view=time")
    drawing = page.locator("[data-lanes] svg")
    whole = drawing.get_attribute("viewBox")
    for key, is_whole in (("+", False), ("0", True)):
        page.keyboard.press(key)
        assert (drawing.get_attribute("viewBox") == whole) is is_whole
    drawing.locator("a", has=page.locator("rect.pass")).first.click()
    page.wait_for_url(re.compile(rf"/runs/{run}\?view=tests&lane="))
    assert page.locator("a.leaf").count() > 1
    assert page.get_by_text("in one stretch").is_visible()
    page.get_by_role("link", name="Timeline").click()
    drawing.locator("a.who").click()
    page.wait_for_url(re.compile(rf"/runs/{run}\?view=tests&lane=[0-9]+$"))
    assert page.locator("a.leaf").count() == 41


def test_the_time_to_go_counts_down_between_two_answers(visit: Visit) -> None:
    """It becomes less while nothing arrives, in the server's words, and says so once the last test takes too long."""
    service = visit.site.service
    last = a_test(1, elapsed=4000 * SECOND)
    visit.site.run_of(a_test(0), last, source="counted", **on("main"))
    service.clock.now = time.time_ns() // 1000
    run = service.new_run(source="counted", fields=[field("Branch", "main")], session={"collected": 2})
    thread = service.new_thread(run, session_started=service.clock.now)
    running = [{"key": last["key"], "name": last["name"], "folder": last["folder"], "since": 0}]
    service.append(thread, a_test(0), running=running)
    page = visit.page()
    page.route("**/live*", lambda route: route.fulfill(status=304))
    page.clock.install()
    page.goto(f"/runs/{run}")
    for seconds, words in ((1, "About 1 h 06 min to go"), (1015, "About 4[89] min [0-5]0 s to go"),
                           (2960, "About [0-9]+ s to go"), (60, "Longer than usual")):  # fmt: skip
        page.clock.fast_forward(seconds * 1000)
        page.clock.run_for(2_000)
        assert re.fullmatch(words, page.locator("[data-to-go] b").first.inner_text())
    service.complete(run)


def test_a_search_follows_the_letters_and_a_node_opens_in_its_place(visit: Visit) -> None:
    """The list and the numbers of the chips are replaced while one types; the rows of a node come below it."""
    page = visit.page()
    page.goto("/runs/2?view=tests")
    page.locator("a.node", has_text="tests.a").click()
    page.locator(".below a.leaf").first.wait_for()
    assert page.url == f"{visit.address}/runs/2?view=tests"
    page.locator(".below a.leaf").first.focus()
    page.keyboard.press("h")
    assert page.evaluate("document.activeElement.matches('a.node')")
    for key, is_open in (("h", False), ("l", True), ("o", False)):
        page.keyboard.press(key)
        assert page.locator(".below").is_visible() is is_open
    page.get_by_label("Search tests, messages, files").press_sequentially("test_25")
    page.get_by_text("11 tests with").wait_for()
    page.wait_for_url("**/runs/2?view=tests&q=test_25")
    assert page.locator("a.chip", has_text="Passed").inner_text().split() == ["Passed", "11"]
    assert page.evaluate("document.activeElement.id") == "q"
    page.get_by_label("Search tests, messages, files").press_sequentially(" is:odd")
    page.get_by_text("is:odd is left out").wait_for()


def test_keys_of_lists_do_as_their_twins(visit: Visit) -> None:
    """The focus moves along the runs with one stop of Tab, keys are off while typing, and `?` shows them all."""
    page = visit.page(color_scheme="light")
    page.goto("/projects/1")
    rows, stop = page.locator("[data-row]"), page.locator('[data-row][tabindex="0"]')
    addresses = [str(rows.nth(number).get_attribute("href")) for number in range(2)]
    assert stop.count() == 1

    def focused() -> str:
        return str(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.id"))

    for key, number in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        assert focused() == addresses[number]
    assert stop.get_attribute("href") == addresses[0]
    page.keyboard.press("/")
    page.keyboard.type("jt?")
    assert (focused(), page.locator("#q").input_value()) == ("q", "jt?")
    press(page, "Escape", "Escape")
    assert (focused(), page.locator("#q").input_value()) == ("", "")
    page.keyboard.press("?")
    keys, html = page.get_by_role("dialog", name="Keys"), page.locator("html")
    assert keys.is_visible()
    assert accessibility_faults(page) == []
    press(page, "t", "Escape")
    assert (keys.is_visible(), html.get_attribute("data-theme")) == (False, None)
    press(page, "t", "t")
    assert html.get_attribute("data-theme") == "dark"
    page.reload()
    assert html.get_attribute("data-theme") == "dark"
    page.get_by_label("Light or dark").click()
    page.get_by_role("link", name="As the system").click()
    assert html.get_attribute("data-theme") is None
    press(page, "j", "Enter", url=f"{visit.address}{addresses[0]}")
    press(page, "g", "r", url=f"{visit.address}/")
    assert visit.is_at_home()


def test_a_list_follows_what_runs(visit: Visit) -> None:
    """A run that begins shows up, its results are counted, filters submit at once, and the focus stays."""
    site = visit.site
    page = visit.page()
    page.goto("/projects/1")
    page.locator('[data-row][href="/runs/2"]').focus()
    run = site.run_of(a_test(0), name="begun meanwhile", is_open=True)
    row = page.locator(".run-row", has_text="begun meanwhile")
    row.wait_for()
    thread = site.service.run(run)["threads"][0]["id"]
    site.service.append(thread, failing(1))
    row.get_by_text("1 failed").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/runs/2"
    site.service.post(f"/automation/runs/{run}/complete", {})
    row.get_by_text("running", exact=True).wait_for(state="detached")
    page.get_by_label("Status").select_option("passed")
    page.wait_for_url(re.compile("status=passed"))
    assert row.count() == 0
    assert visit.is_at_home()


def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    """The first stop skips to the content; chips, tests and details are stops with a visible focus."""
    page = visit.page()
    page.goto("/runs/2")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    stops = []
    for _ in range(30):
        page.keyboard.press("Tab")
        stops.append(str(page.evaluate("document.activeElement.className || document.activeElement.tagName")))
        if stops[-1] == "BODY":
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", (stops, page.evaluate("document.activeElement.outerHTML")[:200])
    assert {"chip", "btn first", "SUMMARY"} <= set(stops)


def _png(width: int, height: int) -> bytes:
    rows = (b"\0" + b"\x22\x66\xcc" * width) * height
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), (b"IDAT", compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))
    return content


def test_kept_pictures_are_seen_and_kept_markup_runs_nothing(visit: Visit) -> None:
    """A picture is there and fits the window; no content that is opened runs a script or asks other servers."""
    script = b'<script>document.title = "ran"; fetch("http://evil.test/")</script>'
    contents = {
        HOSTILE: _png(3000, 300),
        "page.html": b"<!doctype html>" + script,
        "page.svg": b'<svg xmlns="http://www.w3.org/2000/svg">' + script + b"</svg>",
        "page.txt": b"text then " + script,
        "gif.html": b"GIF89a/*" + script,
    }
    urls = {name: visit.site.kept(content, name) for name, content in contents.items()}
    files = [{"name": name, "url": url, "mime_type": "text/html"} for name, url in urls.items()]
    run = visit.site.run_of(failing(0, artifacts=files), name="with pictures")
    visit.complaints.clear()
    for size in (NARROW, WIDE):
        page = visit.page(viewport=size)
        page.goto(f"/results/{visit.site.result_ids(run)[0]}")
        picture = page.locator("figure img").first
        picture.scroll_into_view_if_needed()
        wait_until(page, "document.querySelector('figure img').naturalWidth === 3000")
        assert (picture.bounding_box() or {"width": 9999})["width"] <= size["width"]
    assert accessibility_faults(page) == []
    for name in ("page.html", "page.svg"):
        with page.expect_download() as downloading:
            page.locator(f".files a[href$='{name}']").evaluate("link => { link.target = ''; link.click() }")
        assert downloading.value.suggested_filename == name
    for name in ("page.txt", "gif.html", HOSTILE):
        opened = visit.page()
        opened.goto(f"{visit.address}{urlsplit(urls[name]).path}", wait_until="load")
        assert opened.title() != "ran"
        assert opened.locator("script").count() == 0
    assert visit.is_at_home()
    assert [each for each in visit.complaints if "Failed to load" not in each] == []


def test_a_trace_is_saved_and_runs_nothing(visit: Visit) -> None:
    """A trace is a file with the command that opens it; no address shows it here, and nothing answers for the pages."""
    with io.BytesIO() as content:
        with ZipFile(content, "w") as archive:
            archive.writestr("trace.trace", "<script>document.title = 'ran'</script>")
        kept = visit.site.kept(content.getvalue(), "trace.zip")
    run = visit.site.run_of(failing(0, artifacts=[{"name": "trace.zip", "url": kept}]), name="with a trace")
    page = visit.page()
    page.goto(f"/results/{visit.site.result_ids(run)[0]}")
    assert accessibility_faults(page) == []
    page.get_by_text("playwright show-trace trace.zip").wait_for()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="trace.zip").click()
    assert downloading.value.suggested_filename == "trace.zip"
    for viewer in ("index", "snapshot"):
        answer = page.goto(f"/trace/{viewer}.html?trace={urlsplit(kept).path}")
        assert answer is not None
        assert answer.status == 404
        assert page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0


RECORD = """
() => new Promise(done => {
  const canvas = document.createElement("canvas");
  const drawing = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm" });
  let frame = 0;
  recorder.ondataavailable = async event => done([...new Uint8Array(await event.data.arrayBuffer())]);
  recorder.start();
  (function draw() {
    drawing.fillStyle = `hsl(${frame * 20} 80% 50%)`;
    drawing.fillRect(0, 0, canvas.width, canvas.height);
    if (frame++ < 20) requestAnimationFrame(draw); else recorder.stop();
  })();
})
"""
"""Records a short video in the browser and returns its bytes."""


def test_kept_videos_are_played(visit: Visit) -> None:
    """The browser gets a video of the store in ranges and knows its size."""
    recorder = visit.page()
    recorder.goto("/")
    content = bytes(recorder.evaluate(RECORD))
    files = [{"name": "run.webm", "url": visit.site.kept(content, "run.webm")}]
    run = visit.site.run_of(failing(0, artifacts=files), name="with a video")
    visit.complaints.clear()
    page = visit.page()
    page.goto(f"/results/{visit.site.result_ids(run)[0]}")
    wait_until(page, "document.querySelector('figure video').videoWidth === 300")
    assert page.locator("figure video").get_attribute("controls") is not None
    assert accessibility_faults(page) == []
    assert visit.complaints == []
