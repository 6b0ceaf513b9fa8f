"""Build and parse the URLs of artifacts, detect their types, and read which contents are stored and used.

Contents are rows of the database and not files beside it: a copy of the store includes them, several servers of one
database show the same ones, and no name from a client is ever used in a file system. A result refers to its artifacts
by URL. The URL of a stored one has its hash and a name for people, and is the same wherever the store is served.

Name and type that a client sends with a file are not trusted: a page with a script, stored as a picture, must not run
in the browser of a reader. So only recognised contents get their own type, and browsers run none of these types.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from msgspec import Struct

from pytest_automation_report.api.models import EMBEDDED_ORIGIN
from pytest_automation_report.api.urls import ARTIFACTS_PATH, file_name
from pytest_automation_report.server.store.database import lock, marks, share

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_automation_report.server.store.database import StoreConnection


PATH: Final = ARTIFACTS_PATH
"""Path of uploads; stored contents are read below it."""

ADDRESS: Final = f"{EMBEDDED_ORIGIN}{PATH}/"
"""Beginning of the URL of every stored content."""

MAX_CONTENT_BYTES: Final = 32 * 1024 * 1024
"""Size limit of one content."""

MAX_TOTAL_BYTES: Final = 2 * 1024 * 1024 * 1024
"""Default limit of all contents of a store together."""

PART_BYTES: Final = 256 * 1024
"""Size of each part of a content but the last; one part is in memory at a time."""

_content = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})(?:/([A-Za-z0-9._~%-]{{1,900}}))?").fullmatch
_contents = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})").findall


def content_address(content_hash: str, name: str) -> str:
    """Return the URL of a content; the name is only for people and may be any text."""
    return f"{ADDRESS}{content_hash}/{quote(file_name(name), safe='')}"


def content_hash(address: str) -> str | None:
    """Return the hash in the URL of a stored content; None for every other URL."""
    match = _content(address)
    return match[1] if match else None


def content_path(address: str) -> str | None:
    """Return the path at which this server shows a stored content; None for every other URL."""
    match = _content(address)
    if match is None:
        return None
    # A browser would resolve `.` and `..` and ask for another path.
    has_name = match[2] not in (None, ".", "..")
    return f"{PATH}/{match[1]}/{match[2]}" if has_name else f"{PATH}/{match[1]}"


def hashes_in(text: str | None) -> set[str]:
    """Return the hashes of all stored contents whose URLs stand in a text."""
    # The search for a fixed text comes first: most results have artifacts of other stores, and the pattern is slower.
    return set(_contents(text)) if text and ADDRESS in text else set()


HEAD_BYTES: Final = 4096
"""Number of bytes that `media_type` looks at."""

DOWNLOAD: Final = "application/octet-stream"
"""The type of all contents that browsers save as a file instead of showing them."""

TEXT: Final = "text/plain; charset=utf-8"
"""The type of text without markup."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# The brand at byte 8 of an ISO media file, after its length and `ftyp`.
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"isom": "video/mp4",
    b"iso2": "video/mp4",
    b"iso4": "video/mp4",
    b"iso5": "video/mp4",
    b"iso6": "video/mp4",
    b"avc1": "video/mp4",
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"dash": "video/mp4",
    b"M4V ": "video/mp4",
}
_MATROSKA: Final = b"\x1a\x45\xdf\xa3"


def media_type(head: bytes) -> str:
    """Return the type of a content with these first bytes: a picture, a video, text without markup, or a download."""
    for signature, detected_type in _SIGNATURES:
        if head.startswith(signature):
            return detected_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], DOWNLOAD)
    # WebM is Matroska with the document type "webm"; browsers do not play other Matroska files.
    if head.startswith(_MATROSKA):
        return "video/webm" if b"webm" in head[:64] else DOWNLOAD
    return TEXT if _is_plain(head) else DOWNLOAD


def is_picture(mime_type: str) -> bool:
    """Return whether a page can show content of this type as a picture."""
    return mime_type.startswith("image/")


def is_video(mime_type: str) -> bool:
    """Return whether a page can play content of this type."""
    return mime_type.startswith("video/")


def _is_plain(head: bytes) -> bool:
    """Return whether these bytes begin a UTF-8 text without markup; the last character may be incomplete."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and not text.lstrip().startswith(("<", "%PDF"))


_DAY_US: Final = 24 * 3600 * 1_000_000
_CONTENTS: Final = 'SELECT "hash", "size", "media_type" FROM "content" WHERE "hash" IN'
_INSERT_USE: Final = 'INSERT INTO "content_use" ("run_id", "hash") VALUES (?, ?) ON CONFLICT DO NOTHING'
_UNUSED: Final = '"created" < ? AND NOT EXISTS (SELECT 1 FROM "content_use" AS u WHERE u."hash" = "content"."hash")'
_DELETE_UNUSED_PARTS: Final = (
    f'DELETE FROM "content_part" WHERE "content_id" IN (SELECT "id" FROM "content" WHERE {_UNUSED})'
)
_DELETE_UNUSED: Final = f'DELETE FROM "content" WHERE {_UNUSED}'


class StoredContent(Struct, frozen=True):
    """A stored content; ``size`` is in bytes, ``media_type`` is detected from its bytes and not sent by a client."""

    hash: str
    size: int
    media_type: str

    @property
    def mime_type(self) -> str:
        """The media type without its parameters."""
        return self.media_type.partition(";")[0]


def stored_contents(connection: StoreConnection, hashes: Iterable[str]) -> dict[str, StoredContent]:
    """Return those of these contents that are stored, by hash."""
    wanted = list(hashes)
    if not wanted:
        return {}
    rows = connection.execute(f"{_CONTENTS} ({marks(wanted)})", wanted)
    return {content_hash: StoredContent(content_hash, size, media) for content_hash, size, media in rows}


def use(connection: StoreConnection, run_id: int, hashes: Collection[str]) -> None:
    """Record that a run refers to these contents, so that they are stored as long as the run."""
    if hashes:
        share(connection, "contents")
    for content_hash in sorted(hashes):
        connection.change(_INSERT_USE, (run_id, content_hash))


def remove_unused(connection: StoreConnection, now: int) -> int:
    """Remove the contents that no run refers to and that were uploaded more than a day ago; return their number.

    A client uploads an artifact before it sends the result that refers to it, so a recent content may still get a run.
    """
    lock(connection, "contents")
    oldest = now - _DAY_US
    connection.change(_DELETE_UNUSED_PARTS, (oldest,))
    return connection.change(_DELETE_UNUSED, (oldest,))
