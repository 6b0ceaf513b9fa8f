"""The archive of a report in one file."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pytest_automation_report.server.pages.report.archive import BETWEEN_FRAGMENTS, Archive
from support.report_file import opened

MODULE = "pytest_automation_report.server.pages.report.archive"


def chunks_of(archive: Archive, *first: str) -> list[bytes]:
    """Return the chunks of an archive, as the script counts them."""
    return [chunk for line in archive.text(first).split("\n") for chunk in opened(line)]


def test_chunks_and_the_first_one() -> None:
    """The chunk that is given last is the first one, each other has its number; no line has markup."""
    archive = Archive()
    first = archive.add(["<p>one</p>", "</script>"])
    file = archive.add_file(b"<&>" * 9)
    second = archive.add(["ü" * 5_000, "".join(chr(0x20 + number % 50_000) for number in range(70_000))])
    assert (first, file, second) == (1, 2, 3)
    chunks = chunks_of(archive, "index", "head")
    assert chunks[0].decode() == f"index{BETWEEN_FRAGMENTS}head"
    assert chunks[first].decode().split(BETWEEN_FRAGMENTS) == ["<p>one</p>", "</script>"]
    assert len(chunks[second].decode("utf-8", "surrogatepass").split(BETWEEN_FRAGMENTS)[0]) == 5_000
    assert chunks[file] == b"<&>" * 9
    assert not set("<>&") & set(archive.text(["index", "head"]))


def test_what_chunks_have_in_common_is_packed_once() -> None:
    """Chunks that follow each other are packed as one text."""
    text = "".join(sha256(str(number).encode()).hexdigest() for number in range(500))
    one, two = Archive(), Archive()
    for archive, count in ((one, 1), (two, 3)):
        for _ in range(count):
            archive.add([text])
    assert len(two.text(["index"])) < 1.02 * len(one.text(["index"]))
    assert [chunk.decode() for chunk in chunks_of(two, "index")] == ["index", *[text] * 3]


@pytest.mark.parametrize(
    ("name", "value", "sizes"), [("HAS_LZMA", False, [0, 0, 0]), ("MOST_LZMA_BYTES", 500, [2, 0]), ("", 0, [3])]
)
def test_without_lzma(monkeypatch: pytest.MonkeyPatch, name: str, value: object, sizes: list[int]) -> None:
    """A Python without LZMA deflates each chunk, and a text that takes a reader too long is deflated anyway."""
    if name:
        monkeypatch.setattr(f"{MODULE}.{name}", value)
    archive = Archive()
    archive.add(["another"])
    archive.add(["a text " * 100])
    lines = archive.text(["index"]).split("\n")
    assert [len(opened(line)) if " " in line else 0 for line in lines] == sizes
    assert [chunk.decode() for chunk in chunks_of(archive, "index")] == ["index", "another", "a text " * 100]


def test_a_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are too much to be unpacked together are in several lines."""
    monkeypatch.setattr(f"{MODULE}.MOST_LZMA_BYTES", 1_000)
    archive = Archive()
    for letter in "abc":
        archive.add([letter * 600])
    lines = archive.text(["index"]).split("\n")
    assert [[len(chunk) for chunk in opened(line)] for line in lines] == [[5, 600], [600], [600]]


def test_an_empty_chunk() -> None:
    """A chunk without a text is one."""
    assert chunks_of(Archive()) == [b""]
