"""Open a report in one file as its script does: the JSON of its pages, and the layers around them."""

import json
import re
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from html import unescape
from typing import Any


def text_of(html: str) -> str:
    """Return what HTML says, with single spaces, and one in the place of each tag."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html))).strip()


class ReportFile:
    def __init__(self, html: str) -> None:
        self.html = html
        self.data: dict[str, Any] = json.loads(self.inflated('id="data"'))

    def inflated(self, attributes: str) -> bytes:
        text = self.html.partition(f'<script type="text/plain" {attributes}>')[2].partition("</script>")[0]
        return zlib.decompress(b64decode(text))

    @property
    def files(self) -> dict[str, str]:
        return dict(re.findall(r'id="file-([0-9a-f]{64})" data-type="([^"]*)"', self.html))

    @property
    def addresses(self) -> list[str]:
        return list(self.data["pages"])

    def page(self, address: str) -> str:
        content: str = self.data["pages"][address][2]
        return content

    def column(self, name: str) -> list[Any]:
        column = self.data["tests"]["columns"][name]
        values: list[Any] = column["values"]
        return [values[number] for number in column["at"]] if "at" in column else values

    @property
    def plain(self) -> str:
        """What stands in the file without its script."""
        return self.html.partition('<div id="page">')[2].partition("</main>")[0]

    @property
    def policy(self) -> str:
        match = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', self.html)
        assert match is not None
        return match[1]

    @property
    def loader(self) -> str:
        """The script of the file that shows all others."""
        return self.html.rpartition("<script>")[2].partition("</script>")[0]

    @property
    def hashes(self) -> list[str]:
        """The hashes of both styles and of both scripts, as a policy names them: each time that of the file first."""
        style = self.html.partition("<style>")[2].partition("</style>")[0]
        texts = (style, self.data["style"], self.loader, self.data["script"])
        return [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]
