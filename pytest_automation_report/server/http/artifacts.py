"""The addresses of artifacts that the store itself keeps: an extension of ours, beside the contract's paths.

``POST /artifacts?name=NAME`` with the content as its body puts one there; its answer has the address that a test, run
or thread refers to. ``GET /artifacts/HASH`` and ``GET /artifacts/HASH/NAME`` show it. Contents come from anywhere, so
nothing of one is ever run: its type is one of a few that are recognised, and its page may load nothing and do nothing.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import quote

import falcon

from pytest_automation_report.api.artifacts import file_name
from pytest_automation_report.server.store.artifact_rows import too_large
from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES, content_address
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.media_types import DOWNLOAD

if TYPE_CHECKING:
    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.artifacts import ArtifactContents

CONTENT_POLICY: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
)
"""What a content may do when it is opened by itself; the style is the browser's own for pictures and videos."""

_IN_MEMORY_BYTES: Final = 1024 * 1024
_COPIED_BYTES: Final = 64 * 1024
_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ArtifactsResource:
    """Where contents are put."""

    def __init__(self, shelf: ArtifactContents) -> None:
        self._shelf = shelf

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep the body, and tell its address."""
        if (req.content_length or 0) > MAX_CONTENT_BYTES:
            raise too_large()
        name = req.get_param("name") or "file"
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            while part := req.bounded_stream.read(_COPIED_BYTES):
                body.write(part)
            body.seek(0)
            kept = self._shelf.put(cast("BinaryIO", body))
        told = {
            "url": content_address(kept.hash, name),
            "name": name,
            "mime_type": kept.mime_type,
            "size": kept.size,
        }
        resp.status = 201
        resp.data = json_text(told).encode("utf-8", "replace")


class ArtifactResource:
    """One content; its name is only for people."""

    def __init__(self, shelf: ArtifactContents) -> None:
        self._shelf = shelf

    def on_get(self, req: falcon.Request, resp: falcon.Response, content_hash: str, name: str = "file") -> None:
        """Send it, or a range of it."""
        kept = self._shelf.find(content_hash)
        if kept is None:
            raise ApiError(404, "This artifact is not kept here, or no longer.")
        start, end = _stretch(req, kept)
        resp.set_headers(_HEADERS)
        tag = f'"{kept.hash}"'
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
            return
        resp.content_type = kept.media_type
        placed = "attachment" if kept.media_type == DOWNLOAD else "inline"
        resp.set_header("Content-Disposition", f"{placed}; filename*=UTF-8''{quote(file_name(name), safe='')}")
        if end - start < kept.size:
            resp.status = 206
            resp.content_range = (start, end - 1, kept.size)
        resp.set_stream(self._shelf.read(kept.hash, start, end), end - start)


def _stretch(req: falcon.Request, kept: StoredContent) -> tuple[int, int]:
    """Return first byte and end of what is asked for; all of it, unless a range of bytes is."""
    asked = req.range if req.range_unit == "bytes" else None
    if asked is None:
        return 0, kept.size
    first, last = asked
    start = max(0, kept.size + first) if first < 0 else first
    end = kept.size if last < 0 else min(last + 1, kept.size)
    if start >= end:
        raise falcon.HTTPRangeNotSatisfiable(kept.size)
    return start, end
