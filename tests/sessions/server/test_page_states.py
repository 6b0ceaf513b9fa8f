from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.accessibility import accessibility_faults
from support.browsers import NARROW, WIDE, chromium
from support.contract import Contract
from support.page_states import State, page_states, show

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, State]]:
    contract = Contract()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as monkeypatch:
        found = page_states(tmp_path_factory.mktemp("states"), contract, monkeypatch)
        for site in {id(state.site): state.site for state in found.values()}.values():
            stack.callback(site.service.store.close)
        yield found
    assert contract.violations == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_each_state_says_what_it_is_and_can_be_read(
    browser: Browser, states: dict[str, State], size: dict[str, int]
) -> None:
    """Heading and sentence are on the screen, nothing sticks out, the checker of accessibility finds nothing."""
    context = browser.new_context(viewport=cast("Any", size), reduced_motion="reduce")
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name, state in states.items():
        show(page, state)
        text = " ".join(page.locator("main").inner_text().split())
        for words in (state.heading, state.sentence):
            if words not in text:
                complaints.append(f"{name}: {words!r} is not in {text[:400]!r}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            complaints.append(f"{name}: wider than the window")
        complaints += [f"{name}: {fault}" for fault in accessibility_faults(page)]
    context.close()
    assert complaints == []
