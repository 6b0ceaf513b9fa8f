"""Open a report in one file as its script does: its archive, its pages, and the layers around them."""

from __future__ import annotations

import json
import lzma
import re
import zlib
from base64 import b64decode, b64encode, b85decode
from collections import Counter
from hashlib import sha256
from html import escape, unescape
from itertools import accumulate
from typing import Any

COLUMNS = (
    "kind",
    "elapsed",
    "strip",
    "file",
    "folder",
    "classes",
    "function",
    "parameters",
    "worker",
    "message",
    "changes",
    "reason",
    "id",
    "line",
    "thread",
    "page",
)
"""The columns of the tests, in the order of the script ``rows.js``."""

_HOLE = re.compile("⟦([a-z]+)⟧")


def _number(code: str) -> int:
    point = ord(code)
    return point - 0x20 if point < 0xD800 else point - 0x820


def text_of(html: str) -> str:
    """Return what HTML says, with single spaces."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html))).strip()


def opened(line: str) -> list[bytes]:
    """Return the chunks of a line of an archive."""
    if " " not in line:
        return [zlib.decompress(b64decode(line), -zlib.MAX_WBITS)]
    *numbers, text = line.split(" ")
    packed = b85decode(text.translate(str.maketrans(",./", "<>&")))
    method = {"id": lzma.FILTER_LZMA1, "lc": 4, "lp": 0, "pb": 0, "dict_size": 1 << 23}
    data = lzma.decompress(packed, lzma.FORMAT_RAW, filters=[method])
    sizes, checksums = ([int(number) for number in part.split(",")] for part in numbers)
    ends = list(accumulate(sizes))
    chunks = [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    assert (len(data), [zlib.adler32(chunk) for chunk in chunks]) == (ends[-1], checksums)
    return chunks


OUTCOMES = {
    "f": ("fail", "failed", 17),
    "r": ("flaky", "flaky", 13),
    "p": ("pass", "passed", 8),
    "s": ("skip", "skipped", 4),
    ".": ("idle", "not run", 2),
}
"""Tone, word and height of outcomes, in the script ``archive.js``."""


def strip(packed: str) -> str:
    """Return the strip of letters as the script draws it."""
    letters = packed.removesuffix("!")
    if not letters:
        return "<span></span>"
    paths: dict[str, str] = {}
    for place, letter in enumerate(letters):
        tone, _, height = OUTCOMES[letter]
        paths[tone] = f"{paths.get(tone, '')}M{place * 6} {18 - height}h4v{height}h-4z"
    width = len(letters) * 6 - 2
    if packed.endswith("!"):
        paths["now"] = f"M{width - 4} 21h4v2h-4z"
    words = Counter(OUTCOMES[letter][1] for letter in letters)
    runs = f"last {len(letters)} run{'s' if len(letters) > 1 else ''}"
    label = f"{runs}: {', '.join(f'{count} {word}' for word, count in words.items())}"
    shapes = "".join(f'<path class="{tone}" d="{path}"/>' for tone, path in paths.items())
    size = f'width="{width}" height="23" viewBox="0 0 {width} 23"'
    return f'<svg class="strip" {size} role="img" aria-label="{label}">{shapes}</svg>'


def bars(packed: str) -> str:
    """Return the bars of a test's runs as the script draws them."""
    positions, runs, letters, heights, times = packed.split("\n")
    shown = zip(positions.split(), runs.split(), letters, heights.split(), times.split("|"), strict=True)
    drawings = []
    for x, run, letter, height, time in shown:
        tone, word, _ = OUTCOMES[letter]
        words = f"#{run} {word}{time}"
        shape = f'<rect class="{tone}" x="{x}" y="{92 - int(height)}" width="8" height="{height}" rx="1.5"/>'
        link = f'<a data-outside tabindex="-1" aria-label="{words}" role="img">'
        drawings.append(f"{link}{shape}<title>{words}</title></a>")
    return "\n".join(drawings)


def drawn(text: str) -> str:
    """Return a page with its drawings."""
    return re.sub("\x1d([^\x1d]*)\x1d", lambda match: (bars if "\n" in match[1] else strip)(match[1]), text)


class ReportFile:
    """One file, taken apart."""

    def __init__(self, html: str) -> None:
        self.html = html
        lines = self._element("script", ' type="text/plain" id="archive"').split("\n")
        self.chunks = [chunk for line in lines for chunk in opened(line)]
        index, self.head, self.foot, self.style, self.script = self.chunks[0].decode().split("\x1e")
        self.index: dict[str, Any] = json.loads(index)

    @property
    def addresses(self) -> list[str]:
        """The addresses of the pages that it has."""
        return list(self.index["pages"])

    def page(self, address: str) -> str:
        """Return the content of a page."""
        chunk, place = self.index["pages"][address]
        shared, *pages = self.chunks[chunk].decode().split("\x1e")
        lines = shared.split("\n")
        text = "\n".join(lines[_number(code)] for code in pages[place]).split("\n\x1f\n")[2]
        own = re.match(r"/results/(\d+)", address)
        if own:
            text = text.replace("\x1c", own[1])
        texts = re.findall("<pre>(.*?)</pre>", self.plain, re.DOTALL)
        return drawn(re.sub("\x1b([0-9]+)\x1b", lambda match: str(texts[int(match[1])]), text))

    def column(self, name: str) -> list[str]:
        """Return the values of a column of the tests."""
        parts = self.chunks[self.index["rows"]].decode().split("\x1e")
        values, codes = (parts[2 * COLUMNS.index(name) + place] for place in (0, 1))
        texts = values.split("\x1f")
        if not self.index["total"]:
            return []
        return [texts[_number(code)] for code in codes] if codes else texts

    @property
    def rows(self) -> list[str]:
        """The rows of the list of tests, as the script fills their markup."""
        columns = {name: self.column(name) for name in COLUMNS}
        columns["id"] = [str(number) for number in accumulate(map(int, columns["id"]))]
        columns["elapsed"] = [text.partition("\t")[0] for text in columns["elapsed"]]
        columns["parameters"] = [text[1:-1] for text in columns["parameters"]]
        rows: list[str] = []
        for number, kind in enumerate(columns["kind"]):
            markup: str = json.loads(kind)["rows"][0]
            html = markup.replace("⟦strip⟧", strip(columns["strip"][number]))
            rows.append(_HOLE.sub(lambda hole, number=number: escape(columns[hole[1]][number]), html))  # type: ignore[misc]
        return rows

    @property
    def plain(self) -> str:
        """What stands in the file without its script."""
        return self.html.partition('<div id="page">')[2].partition("</main>")[0]

    @property
    def policy(self) -> str:
        """The content policy of the file."""
        match = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', self.html)
        assert match is not None
        return match[1]

    @property
    def hashes(self) -> list[str]:
        """The hashes of both styles and of both scripts, as a policy names them: each time that of the file first."""
        loader = self.html.rpartition("<script>")[2].partition("</script>")[0]
        texts = (self._element("style"), self.style, loader, self.script)
        return [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]

    def _element(self, name: str, attributes: str = "") -> str:
        return self.html.partition(f"<{name}{attributes}>")[2].partition(f"</{name}>")[0]
