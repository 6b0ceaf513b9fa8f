"""Debian's chromium, driven by playwright."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from support.needs import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

MAX_WAIT_SECONDS = 60.0
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 375, "height": 812}


class Windows:
    """Windows of a browser; what their pages ask for and complain of is kept."""

    def __init__(self, browser: Browser, **options: Any) -> None:  # noqa: ANN401 - those of playwright
        self.browser = browser
        self.options = options
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []

    def page(self, **options: Any) -> Page:  # noqa: ANN401 - those of playwright
        """Return a page of a new window."""
        context = self.browser.new_context(**self.options, **options)
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        return page

    def close(self) -> None:
        """Close all windows: pages that stay open go on asking the server."""
        while self._contexts:
            self._contexts.pop().close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and close it at the end."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everyone who tests has it

    with sync_playwright() as playwright:
        # In a container chromium has neither a user of its own nor much shared memory.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=str(needed("chromium")), args=arguments)
        yield browser
        browser.close()


def press(page: Page, *keys: str, url: str | re.Pattern[str] | None = None) -> None:
    """Press keys one after another; return when the page has this URL, if one is given."""
    for key in keys:
        page.keyboard.press(key)
    if url is not None:
        page.wait_for_url(url)


def wait_until(page: Page, expression: str, argument: object = None) -> None:
    """Return when an expression of JavaScript, or a function that it names, is true in a page.

    Playwright's own `wait_for_function` evaluates again within the page where the first look says no, which the content
    policy of our pages refuses.
    """
    from playwright.sync_api import Error  # noqa: PLC0415 - an extra of the tests

    deadline = time.monotonic() + MAX_WAIT_SECONDS
    is_true, last_error = False, None
    while not is_true:
        assert time.monotonic() < deadline, f"not within {MAX_WAIT_SECONDS:.0f} s: {expression}: {last_error}"
        page.wait_for_timeout(20)
        try:
            is_true = bool(page.evaluate(expression, argument))
        except Error as error:
            last_error = error  # another page takes the place of this one just now, or has no body yet
