"""Store and send artifact files: an extension of the API by this server.

``POST /artifacts?name=NAME`` with the file as body stores it, and returns the URL that a test, run or thread refers to.
``GET /artifacts/HASH`` and ``GET /artifacts/HASH/NAME`` send it. Anyone's tests may have written a file, so browsers
must never execute one: it is sent as one of a few recognised types, with a policy that forbids scripts and requests.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import quote

import falcon

from pytest_automation_report.api.artifacts import file_name
from pytest_automation_report.server.store.artifact_rows import too_large
from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES
from pytest_automation_report.server.store.artifacts import stored_artifact
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.media_types import DOWNLOAD

if TYPE_CHECKING:
    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.artifacts import ArtifactContents

CONTENT_POLICY: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
)
"""Policy of an opened file. Inline styles are allowed, since browsers use them to show pictures and videos."""

# A larger upload waits in a temporary file: its hash must be known before it can be stored.
_IN_MEMORY_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 64 * 1024
_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    # A URL has the hash of its content, so the content never changes.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ArtifactsResource:
    """Uploads of artifact files."""

    def __init__(self, contents: ArtifactContents) -> None:
        self._contents = contents

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the body and answer with its URL."""
        if (req.content_length or 0) > MAX_CONTENT_BYTES:
            raise too_large()
        name = req.get_param("name") or "file"
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            while part := req.bounded_stream.read(_PART_BYTES):
                body.write(part)
            body.seek(0)
            content = self._contents.put(cast("BinaryIO", body))
        resp.status = 201
        resp.data = json_text(stored_artifact(content, name)).encode("utf-8", "replace")


class ArtifactResource:
    """A stored file. The name in its URL is for users alone: the hash identifies the file."""

    def __init__(self, contents: ArtifactContents) -> None:
        self._contents = contents

    def on_get(self, req: falcon.Request, resp: falcon.Response, content_hash: str, name: str = "file") -> None:
        """Send the file, or a range of its bytes."""
        content = self._contents.find(content_hash)
        if content is None:
            raise ApiError(404, "This artifact is not stored here, or was removed.")
        start, end = _byte_range(req, content)
        resp.set_headers(_HEADERS)
        tag = f'"{content.hash}"'
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
            return
        resp.content_type = content.media_type
        disposition = "attachment" if content.media_type == DOWNLOAD else "inline"
        resp.set_header("Content-Disposition", f"{disposition}; filename*=UTF-8''{quote(file_name(name), safe='')}")
        if end - start < content.size:
            resp.status = 206
            resp.content_range = (start, end - 1, content.size)
        resp.set_stream(self._contents.read(content.hash, start, end), end - start)


def _byte_range(req: falcon.Request, content: StoredContent) -> tuple[int, int]:
    """Return the offsets of the first requested byte and of the end: of the whole file, if the request has no range."""
    requested = req.range if req.range_unit == "bytes" else None
    if requested is None:
        return 0, content.size
    first, last = requested
    # falcon writes "the last N bytes" as first = -N, and "to the end" as last = -1.
    start = max(0, content.size + first) if first < 0 else first
    end = content.size if last < 0 else min(last + 1, content.size)
    if start >= end:
        raise falcon.HTTPRangeNotSatisfiable(content.size)
    return start, end
