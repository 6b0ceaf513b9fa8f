from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import pytest

from pytest_automation_report.server.pages import rendering
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.removal import remove_run
from pytest_automation_report.server.store.values import unreachable
from support.accessibility import accessibility_faults
from support.browsers import NARROW, WIDE
from support.contract import Contract
from support.service import a_test
from support.website import RETRIED, Site, failing, field, killed, on

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Route
    from playwright.sync_api import Page as BrowserPage

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

HOME = "http://pages.test"
REASONS = 25


class State(NamedTuple):
    """A page that shows a state: its site, its path, its heading, a sentence below it."""

    site: Site
    path: str
    heading: str
    sentence: str
    has_pass: bool = True


def page_states(folder: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> dict[str, State]:
    """Return the states by their names; the sites' stores are in the folder, and one of them cannot be read."""
    site, empty, busy = (Site(folder / f"{name}.db", contract) for name in ("store", "empty", "busy"))
    clock = site.service.clock
    now_us = clock.now
    # The clock of the pages stands still, however long a test takes.
    monkeypatch.setattr(rendering, "now_us", lambda: now_us)
    clock.now = now_us - 120_000_000
    silent = site.run_of(a_test(0), a_test(1), source="silent", session={"collected": 9}, is_open=True)
    clock.now += 60_000_000
    main: dict[str, Any] = {**on("main", commit=40 * "a"), "source": "backend"}
    removed = site.run_of(a_test(0), a_test(1), **main)
    findings(site.service.store, removed)
    site.run_of(a_test(0), a_test(1), a_test(2, "skipped"), **main)
    passed = site.run_of(a_test(0), a_test(1, **RETRIED), a_test(2, "skipped"), **main)
    failed = site.run_of(failing(0), a_test(1), **main)
    tests = (failing(0), failing(1, message="KeyError: 'id'"))
    first_on_branch = site.run_of(*tests, **on("fix/rounding"), source="backend")
    first = site.run_of(a_test(0), source="frontend")
    site.run_of(a_test(0), a_test(1), source="died")
    told = {"ending": {"state": "died"}, "not_run": 1214}
    died = site.run_of(a_test(0), killed(1), source="died", session=told)
    causes = [failing(number, message=f"{chr(65 + number)}lphaError: no") for number in range(REASONS)]
    huge = site.run_of(*causes, *map(a_test, range(REASONS, 400)), source="huge")
    clock.now = now_us - 3_000_000
    running = site.service.new_run(source="running", name="now", session={"collected": 4})
    thread = site.service.new_thread(running, session_started=clock.now)
    now = [{"key": "key3", "name": "test_3[x]", "folder": "tests.a", "since": 0}]
    site.service.append(thread, a_test(0), failing(1), running=now)
    retry = site.result_ids(site.run_of(_tried(6), source="tried", **on("main")))[0]
    site.service.store.write(partial(remove_run, removed))
    busy.run_of(a_test(0))

    def refuse(_: object) -> NoReturn:
        raise unreachable()

    # A browser that has its pass comes to a store that cannot be read.
    busy.get("/")
    monkeypatch.setattr(busy.service.store, "read", refuse)
    shown = {
        "running": (f"/runs/{running}", "2 of 4 tests ran, 1 failed", "Running now"),
        "results still to arrive": (f"/runs/{silent}", "2 of 9 results are here", "automation-report send"),
        "nothing failed": (f"/runs/{passed}", "Both tests passed", "Worth a look"),
        "failed": (f"/runs/{failed}", "1 of 2 tests failed", "Compared with #4 on main: 1 new"),
        "first run on a branch": (f"/runs/{first_on_branch}", "Both tests failed", "No earlier run on fix/rounding"),
        "first run at all": (f"/runs/{first}", "The only test passed", "first run of this suite that is known here"),
        "nothing to compare": (f"/runs/{first}?view=changes", "Nothing to compare with", "from the second run on"),
        "session died": (f"/runs/{died}", "The session died after 1 of 1,215 tests", "Not run 1,214"),
        "nothing found": (f"/runs/{huge}?q=tesst_1", "No test matches “tesst_1”", "Did you mean test_1"),
        "many reasons": (f"/runs/{huge}", "25 of 400 tests failed, for 25 reasons", "5 more reasons"),
        "the rest of many reasons": (f"/runs/{huge}?page=2", "25 of 400", "The reasons before these"),
        "the last of six attempts": (f"/results/{retry}", "test_0", "drawn with a depth of 2.1 m"),
        "an earlier attempt": (f"/results/{retry}?attempt=2&show=pytest", "Attempt 6", "drawn with a depth of 1.4 m"),
        "run removed": (
            f"/runs/{removed}", f"Run #{removed} is no longer stored", f"Show run #{first_on_branch}, the newest",
        ),
        "not found": ("/runs/99", "Not found", "Show the runs"),
        "wrong address": (f"/runs/{failed}?sort=up", "sort=up is left out", "must be one of"),
    }  # fmt: skip
    closed = (f"/runs/{failed}", "These pages open with a link", "then the page that you asked for")
    return {
        "nothing yet": State(empty, "/", "Waiting for the first run", "pytest --automation-report"),
        "store busy": State(busy, "/runs/1", "The store is busy", "tries again in 5 seconds"),
        "closed": State(site, *closed, has_pass=False),
        **{name: State(site, *state) for name, state in shown.items()},
    }


def show(page: BrowserPage, state: State) -> None:
    """Open the page of a state: its site answers the browser in this process."""

    def answer(route: Route) -> None:
        split = urlsplit(route.request.url)
        path = f"{split.path}?{split.query}" if split.query else split.path
        ask = state.site.get if state.has_pass or path.startswith("/static/") else state.site.raw
        found = ask(path)
        headers = {name: value for name, value in found.headers.items() if name != "content-length"}
        route.fulfill(status=found.status_code, headers=headers, body=found.content)

    page.unroute_all()
    page.route(f"{HOME}/**", answer)
    page.goto(f"{HOME}{state.path}")


def _tried(count: int) -> dict[str, Any]:
    """Return a test that failed in each attempt, with colours, steps, a comparison and output of each."""
    said = "assert 71 == 72"
    text = f">       assert depth == 2\nE       {said}\n\ntests/test_map.py:12: AssertionError"
    earlier = [
        {
            "number": number,
            "status": "failure",
            "causes": [{"kind": "failure", "name": "Failure", "text": text, "message": said, "phase": "call"}],
            "output": {"Output": f"drawn with a depth of 1.{number + 2} m", "Log": "a warning"},
            "phases": [100_000, 200_000, 0],
            "steps": [
                {"name": "draw", "status": "passed", "elapsed": 2_000_000},
                {"name": "measure", "status": "failed", "elapsed": 90_000},
            ],
            "colours": {"Failure": [[0, 1, "1;31"], [26, 50, "31"]], "Output": [[0, 5, "32"], [6, 10, "2;33"]]},
            "comparison": {
                "operator": "==", "left": {"type": "int", "text": "71"}, "right": {"type": "int", "text": "72"},
            },
        }
        for number in range(1, count)
    ]  # fmt: skip
    last = {**field("Failure", text, 4), "is_highlight": True, "meta": {"message": said}}
    output = field("Output", "drawn with a depth of 2.1 m\nand more", 4)
    spans = ["1;31", "32", "33", "34", "35", "36", "2", "7;31", "1;4;93"]
    return failing(
        0,
        fields=[last, output],
        steps=[{"name": f"step {number}", "status": "passed", "elapsed": 5_000 * number} for number in range(3)],
        colours={"Output": [[place * 3, place * 3 + 3, span] for place, span in enumerate(spans)]},
        attempts=earlier,
    )


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, State]]:
    contract = Contract()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as monkeypatch:
        found = page_states(tmp_path_factory.mktemp("states"), contract, monkeypatch)
        for site in {id(state.site): state.site for state in found.values()}.values():
            stack.callback(site.service.store.close)
        yield found
    assert contract.violations == []


def test_each_state_says_what_it_is_and_can_be_read(browser: Browser, states: dict[str, State]) -> None:
    """Heading and sentence are on the screen, nothing sticks out, the checker of accessibility finds nothing."""
    context = browser.new_context(reduced_motion="reduce")
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name, state in states.items():
        show(page, state)
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            text = " ".join(page.locator("main").inner_text().split())
            for words in (state.heading, state.sentence):
                if words not in text:
                    complaints.append(f"{name}: {words!r} is not in {text[:400]!r}")
        complaints += [f"{name}: {fault}" for fault in accessibility_faults(page)]
    context.close()
    assert complaints == []
