"""Pages of a report that share their lines."""

from __future__ import annotations

import zlib
from hashlib import sha256

from pytest_automation_report.server.pages.report.lines import SharedLines


def read(shared: SharedLines) -> list[list[str]]:
    """Return the pages, as the script reads them."""
    text, *pages = shared.fragments()
    lines = text.split("\n")
    return [[lines[ord(code) - 0x20] for code in page] for page in pages]


def test_pages_are_read_again() -> None:
    """Each page has its lines in their order, also empty and repeated ones."""
    shared = SharedLines()
    pages = [["b", "", "a"], ["a", "a"], [""]]
    assert [shared.add(page) for page in pages] == [0, 1, 2]
    assert read(shared) == pages


def test_lines_that_pages_share_are_stored_once() -> None:
    """Pages whose common lines are far apart need less space than by compression alone."""
    common = [sha256(str(number).encode()).hexdigest() for number in range(1_000)]
    pages = [[*common, str(page)] for page in range(4)]
    shared = SharedLines()
    for page in pages:
        shared.add(page)
    whole = zlib.compress("\n".join(line for page in pages for line in page).encode(), 9)
    assert sum(len(zlib.compress(part.encode(), 9)) for part in shared.fragments()) < len(whole) / 3


def test_a_chunk_has_an_end() -> None:
    """Lines of more than 4 MB are not read together to show one page."""
    shared = SharedLines()
    shared.add(["x" * 3_000_000, "y"])
    assert not shared.is_full
    shared.add(["x" * 3_000_000, "z" * 1_000_001])
    assert shared.is_full
