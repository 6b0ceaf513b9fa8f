"""Debian's chromium, driven by playwright."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 375, "height": 812}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and close it at the end."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everyone who tests has it

    with sync_playwright() as playwright:
        # In a container chromium has neither a user of its own nor much shared memory.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()
