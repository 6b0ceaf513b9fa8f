"""Build and parse the URLs of artifacts that the store itself holds.

A result refers to its artifacts by URL. The URL of a stored artifact has its hash and a name for people. It is the
same wherever the store is served, and no part of it is ever used as a path of a file.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from pytest_automation_report.api.artifacts import ARTIFACTS_PATH, file_name
from pytest_automation_report.api.models import EMBEDDED_ORIGIN

PATH: Final = ARTIFACTS_PATH
"""Path of uploads; stored contents are read below it."""

ADDRESS: Final = f"{EMBEDDED_ORIGIN}{PATH}/"
"""Beginning of the URL of every stored content."""

MAX_CONTENT_BYTES: Final = 32 * 1024 * 1024
"""Size limit of one content."""

MAX_TOTAL_BYTES: Final = 2 * 1024 * 1024 * 1024
"""Default limit of all contents of a store together."""

PART_BYTES: Final = 256 * 1024
"""Size of each part of a content but the last; one part is in memory at a time."""

_content = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})(?:/([A-Za-z0-9._~%-]{{1,900}}))?").fullmatch
_contents = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})").findall


def content_address(content_hash: str, name: str) -> str:
    """Return the URL of a content; the name is only for people and may be any text."""
    return f"{ADDRESS}{content_hash}/{quote(file_name(name), safe='')}"


def content_hash(address: str) -> str | None:
    """Return the hash in the URL of a stored content; None for every other URL."""
    match = _content(address)
    return match[1] if match else None


def content_path(address: str) -> str | None:
    """Return the path at which this server shows a stored content; None for every other URL."""
    match = _content(address)
    if match is None:
        return None
    # A browser would resolve `.` and `..` and ask for another path.
    has_name = match[2] not in (None, ".", "..")
    return f"{PATH}/{match[1]}/{match[2]}" if has_name else f"{PATH}/{match[1]}"


def hashes_in(text: str | None) -> set[str]:
    """Return the hashes of all stored contents whose URLs stand in a text."""
    # The search for a fixed text comes first: most results have artifacts of other stores, and the pattern is slower.
    return set(_contents(text)) if text and ADDRESS in text else set()
