"""The archive of a report in one file."""

from __future__ import annotations

import pytest

from pytest_automation_report.server.pages.report.archive import BETWEEN_FRAGMENTS, Archive
from support.report_file import opened

MODULE = "pytest_automation_report.server.pages.report.archive"


def test_chunks_and_the_first_one() -> None:
    """The chunk that is given last is the first line, each other is the line of its number; no line has markup."""
    archive = Archive()
    first = archive.add(["<p>one</p>", "</script>"])
    second = archive.add(["ü" * 5_000, "".join(chr(0x20 + number % 50_000) for number in range(70_000))])
    file = archive.add_file(b"<&>" * 9)
    lines = archive.text(["index", "head"]).split("\n")
    assert (first, second, file) == (1, 2, 3)
    assert opened(lines[0]).decode() == f"index{BETWEEN_FRAGMENTS}head"
    assert opened(lines[1]).decode().split(BETWEEN_FRAGMENTS) == ["<p>one</p>", "</script>"]
    assert len(opened(lines[2]).decode("utf-8", "surrogatepass").split(BETWEEN_FRAGMENTS)[0]) == 5_000
    assert opened(lines[3]) == b"<&>" * 9
    assert not set("<>&") & set("".join(lines))


@pytest.mark.parametrize(("name", "value"), [("HAS_LZMA", False), ("MOST_LZMA_BYTES", 100)])
def test_without_lzma(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """A Python without LZMA deflates all chunks, and a text that takes a reader too long is deflated anyway."""
    monkeypatch.setattr(f"{MODULE}.{name}", value)
    archive = Archive()
    archive.add(["a text " * 100])
    index, line = archive.text(["index"]).split("\n")
    assert (" " in index, " " in line) == (name != "HAS_LZMA", False)
    assert opened(line).decode() == "a text " * 100


def test_an_empty_chunk() -> None:
    """A chunk without a text is one."""
    assert opened(Archive().text([])) == b""
