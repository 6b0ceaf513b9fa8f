"""The addresses of contents that the store itself keeps (floor 2, pure).

A result refers to its artifacts by address. One that the store keeps has an address that is the same wherever the
store is served: its hash, and a name for people. No part of an address is ever a path.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from pytest_automation_report.api.artifacts import ARTIFACTS_PATH, file_name
from pytest_automation_report.api.models import EMBEDDED_ORIGIN

PATH: Final = ARTIFACTS_PATH
"""Where contents are put, and below which they are read."""

ADDRESS: Final = f"{EMBEDDED_ORIGIN}{PATH}/"
"""What the address of every content that a store keeps begins with."""

MAX_CONTENT_BYTES: Final = 32 * 1024 * 1024
"""Largest content that is kept."""

MAX_TOTAL_BYTES: Final = 2 * 1024 * 1024 * 1024
"""How much all contents of a store may have together, unless its server was told otherwise."""

PART_BYTES: Final = 256 * 1024
"""Size of all parts of a content but the last."""

_content = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})(?:/([A-Za-z0-9._~%-]{{1,900}}))?").fullmatch
_contents = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})").findall


def content_address(content_hash: str, name: str) -> str:
    """Return the address of a content; the name is only for people, and may be anything."""
    return f"{ADDRESS}{content_hash}/{quote(file_name(name), safe='')}"


def content_hash(address: str) -> str | None:
    """Return the hash in the address of a content; None for every other address."""
    match = _content(address)
    return match[1] if match else None


def content_path(address: str) -> str | None:
    """Return the path at which this server shows what an address refers to; None where it refers to no content."""
    match = _content(address)
    if match is None:
        return None
    return f"{PATH}/{match[1]}" if match[2] in (None, ".", "..") else f"{PATH}/{match[1]}/{match[2]}"


def hashes_in(text: str | None) -> set[str]:
    """Return the hashes of all contents that a text refers to."""
    return set(_contents(text)) if text and ADDRESS in text else set()
