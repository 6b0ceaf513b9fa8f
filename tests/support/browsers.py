"""Debian's chromium, driven by playwright."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.needs import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

MAX_WAIT_SECONDS = 60.0
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 375, "height": 812}


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


def wait_until(page: Page, expression: str, argument: object = None) -> None:
    """Return when an expression of JavaScript, or a function that it names, is true in a page.

    Playwright's own `wait_for_function` evaluates again within the page where the first look says no, which the content
    policy of our pages refuses.
    """
    from playwright.sync_api import Error  # noqa: PLC0415 - as above

    deadline = time.monotonic() + MAX_WAIT_SECONDS
    is_true = False
    while not is_true:
        assert time.monotonic() < deadline, f"not within {MAX_WAIT_SECONDS:.0f} s: {expression}"
        page.wait_for_timeout(20)
        try:
            is_true = bool(page.evaluate(expression, argument))
        except Error as error:
            # Another page takes the place of this one just now.
            if "Execution context was destroyed" not in error.message:
                raise
