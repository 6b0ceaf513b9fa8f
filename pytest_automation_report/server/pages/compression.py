"""Compress pages for browsers: on a slow network a page of 70 KB takes half a second, and a tenth of it compressed."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    import falcon

_SMALLEST_BYTES: Final = 1_000
# More would cost more time than it saves: 71 KB become 4.2 KB with 6 and 4.4 KB with 5.
_LEVEL: Final = 5
_GZIP: Final = zlib.MAX_WBITS | 16
_is_text = re.compile(r"text/|image/svg|application/(?:json|xml)").match
_find_encoding = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=([01](?:\.[0-9]*)?)\s*)?(?=,|$)", re.IGNORECASE).search


def compress(req: falcon.Request, resp: falcon.Response) -> None:
    """Compress the text of a response if the client takes gzip and the text is not short; a stream as it is sent."""
    pieces = resp.stream if isinstance(resp.stream, Iterator) else None
    if (pieces is None and len(resp.data or b"") < _SMALLEST_BYTES) or not _is_text(resp.content_type or ""):
        return
    resp.append_header("Vary", "Accept-Encoding")
    match = _find_encoding(req.get_header("Accept-Encoding", default=""))
    if match is None or (match[1] is not None and not float(match[1])):
        return
    if pieces is not None:
        resp.stream = _compressed(pieces)
    else:
        # Without a time in it the same page has the same bytes.
        resp.data = gzip.compress(resp.data or b"", _LEVEL, mtime=0)
    resp.set_header("Content-Encoding", "gzip")


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream compressed, in pieces as they become full."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()
