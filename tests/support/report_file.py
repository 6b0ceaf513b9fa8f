"""Open a report in one file as its script does: its archive, its pages, and the layers around them."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from html import unescape
from typing import Any


def text_of(html: str) -> str:
    """Return what HTML says, with single spaces."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html))).strip()


class ReportFile:
    """One file, taken apart."""

    def __init__(self, html: str) -> None:
        self.html = html
        lines = self._element("script", ' type="text/plain" id="archive"').split("\n")
        self.chunks = [zlib.decompress(b64decode(line), -zlib.MAX_WBITS) for line in lines]
        self.index: dict[str, Any] = json.loads(self.chunks[0])

    @property
    def addresses(self) -> list[str]:
        """The addresses of the pages that it has."""
        return list(self.index["pages"])

    def page(self, address: str) -> str:
        """Return the content of a page."""
        chunk, place = self.index["pages"][address]
        content: str = self.chunks[chunk].decode().split("\x1e")[place].split("\x1f")[2]
        return content

    @property
    def rows(self) -> list[str]:
        """The rows of the list of tests."""
        return [row for chunk in self.index["rows"] for row in self.chunks[chunk].decode().split("\x1e")]

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
    def hashes(self) -> tuple[str, str]:
        """The hashes of the style and of the script, as a policy names them."""
        script = self.html.rpartition("<script>")[2].partition("</script>")[0]
        style, script = (
            b64encode(sha256(text.encode()).digest()).decode() for text in (self._element("style"), script)
        )
        return f"sha256-{style}", f"sha256-{script}"

    def _element(self, name: str, attributes: str = "") -> str:
        return self.html.partition(f"<{name}{attributes}>")[2].partition(f"</{name}>")[0]
