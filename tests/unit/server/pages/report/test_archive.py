"""The archive of a report in one file."""

from __future__ import annotations

import zlib
from base64 import b64decode

from pytest_automation_report.server.pages.report.archive import BETWEEN_FRAGMENTS, Archive


def opened(line: str) -> str:
    return zlib.decompress(b64decode(line), -zlib.MAX_WBITS).decode()


def test_chunks_and_index() -> None:
    """The index is the first line, each chunk is the line of its number, and no line can end the element around it."""
    archive = Archive()
    first = archive.add(["<p>one</p>", "</script>"])
    second = archive.add(["a", "b"])
    lines = archive.text({"b": 1, "a": "ü"}).split("\n")
    assert (first, second) == (1, 2)
    assert opened(lines[0]) == '{"a":"\\u00fc","b":1}'
    assert [opened(line).split(BETWEEN_FRAGMENTS) for line in lines[1:]] == [
        ["<p>one</p>", "</script>"],
        ["a", "b"],
    ]
    assert "<" not in "".join(lines)


def test_an_empty_report() -> None:
    """Without fragments there is no chunk but that of the index."""
    assert opened(Archive().text({})) == "{}"
