"""Store the contents of artifacts, each one once, detect their types, and read them in parts.

Contents are rows of the database: a copy of the store includes them, and no name from a client is used in a file
system. The type that a client sends is not trusted: a page with a script, stored as a picture, must not run in the
browser of a reader. So only recognised contents get their own type, and browsers run none of these types.
"""

from __future__ import annotations

import codecs
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias, TypedDict

from msgspec import Struct
from msgspec.structs import asdict

from pytest_automation_report.server.store.database import StoreConnection, lock, marks
from pytest_automation_report.server.store.values import DAY_US, ApiError, content_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

MAX_CONTENT_BYTES: Final = 32 * 1024 * 1024  # size limit of one content
MAX_TOTAL_BYTES: Final = 2 * 1024 * 1024 * 1024  # default limit of all contents of a store together
PART_BYTES: Final = 256 * 1024  # size of each part of a content but the last; one part is in memory at a time
HEAD_BYTES: Final = 4096  # number of bytes that `media_type` looks at
# The type of all contents that browsers save as a file instead of showing them.
DOWNLOAD: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"  # the type of text without markup
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# The brand at byte 8 of an ISO media file, after its length and `ftyp`.
_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6"), "video/mp4"),
    **dict.fromkeys((b"avc1", b"mp41", b"mp42", b"dash", b"M4V "), "video/mp4"),
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
    try:
        # The last character may be incomplete.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return DOWNLOAD
    return DOWNLOAD if "\0" in text or text.lstrip().startswith(("<", "%PDF")) else TEXT


_CONTENTS: Final = 'SELECT "hash", "size", "media_type" FROM "content" WHERE "hash" IN'
_OF_RUN: Final = (
    ' AND "id" IN (SELECT o."content_id" FROM "content_owner" AS o JOIN "run" AS r ON r."project_id" = o."project_id"'
    ' WHERE r."id" = ?)'
)
_UNUSED: Final = '"created" < ? AND NOT EXISTS (SELECT 1 FROM "content_use" AS u WHERE u."hash" = "content"."hash")'
_SOME_UNUSED: Final = f'SELECT "id" FROM "content" WHERE {_UNUSED} ORDER BY "id" LIMIT 100'


class StoredContent(Struct, frozen=True):
    """A stored content; ``size`` is in bytes, ``media_type`` is detected from its bytes and not sent by a client."""

    hash: str
    size: int
    media_type: str

    @property
    def mime_type(self) -> str:
        """The media type without its parameters."""
        return self.media_type.partition(";")[0]


def stored_contents(
    connection: StoreConnection, hashes: Iterable[str], run_id: int | None = None
) -> dict[str, StoredContent]:
    """Return the stored ones of these contents, by hash; with a run only those that its project has."""
    wanted: list[object] = [*hashes]
    if not wanted:
        return {}
    of_run, values = ("", wanted) if run_id is None else (_OF_RUN, [*wanted, run_id])
    rows = connection.execute(f"{_CONTENTS} ({marks(wanted)}){of_run}", values)
    return {content_hash: StoredContent(content_hash, size, media) for content_hash, size, media in rows}


def remove_unused(connection: StoreConnection, now: int) -> int:
    """Remove up to 100 contents that no run refers to and that are more than a day old; return their number."""
    # A client uploads an artifact before it sends the result that refers to it: a recent content may still get a run.
    lock(connection, "contents")
    ids = [content_id for (content_id,) in connection.execute(_SOME_UNUSED, (now - DAY_US,))]
    for table in ("content_part", "content_owner"):
        connection.change(f'DELETE FROM "{table}" WHERE "content_id" IN ({marks(ids)})', ids)
    return connection.change(f'DELETE FROM "content" WHERE "id" IN ({marks(ids)})', ids)


_OWN: Final = (
    'INSERT INTO "content_owner" ("content_id", "project_id") SELECT "id", ? FROM "content" WHERE "hash" = ?'
    " ON CONFLICT DO NOTHING"
)
_RENEW: Final = 'UPDATE "content" SET "created" = ? WHERE "hash" = ?'
_PART: Final = (
    'SELECT p."data" FROM "content_part" AS p JOIN "content" AS c ON c."id" = p."content_id"'
    ' WHERE c."hash" = ? AND p."position" = ?'
)


def measure(source: BinaryIO) -> StoredContent:
    """Return hash, size and type of the rest of a file; raises `ApiError` (413) for one that is too large."""
    digest, size, head = sha256(), 0, b""
    for part in _parts(source):
        head = head or part[:HEAD_BYTES]
        size += len(part)
        digest.update(part)
        if size > MAX_CONTENT_BYTES:
            raise too_large()
    return StoredContent(digest.hexdigest(), size, media_type(head))


def too_large() -> ApiError:
    """Return the error (413) for a content that is too large."""
    return ApiError(413, f"An artifact may have at most {MAX_CONTENT_BYTES} bytes.")


def _add(connection: StoreConnection, source: BinaryIO, content: StoredContent, now: int) -> None:
    """Insert a content that was measured; raises `ApiError` (422) if the file has changed since."""
    content_id = connection.insert("content", **asdict(content), created=now)
    digest = sha256()
    for position, part in enumerate(_parts(source)):
        digest.update(part)
        connection.add("content_part", content_id=content_id, position=position, data=part)
    if digest.hexdigest() != content.hash:
        raise ApiError(422, "The artifact changed while it was read.")


def part_of(connection: StoreConnection, content_hash: str, position: int) -> bytes:
    """Return a part of a content; raises `ApiError` (404) if it is not stored."""
    rows = connection.execute(_PART, (content_hash, position))
    if not rows:
        raise ApiError(404, "This artifact is not stored any more.")
    return bytes(rows[0][0])


def _parts(source: BinaryIO) -> Iterator[bytes]:
    return iter(partial(source.read, PART_BYTES), b"")


class ArtifactContents(Struct, frozen=True):
    """The stored contents of one store, at most ``max_bytes`` together; several threads may use it."""

    store: Store
    max_bytes: int = MAX_TOTAL_BYTES

    def put(self, source: BinaryIO, project_id: int | None = None) -> StoredContent:
        """Store a seekable file from its position on, unless it is stored already; raises `ApiError` (413, 422).

        Then the project has it, if one is named.
        """
        # The file is read twice: hash and size decide whether it is stored, before the write lock is taken.
        start = source.tell()
        content = measure(source)

        def work(writer: Writer) -> None:
            connection = writer.connection
            # The lock lasts until the content is added, so that another upload of it waits and then finds it.
            lock(connection, "contents")
            if not connection.change(_RENEW, (writer.now, content.hash)):
                add(writer)
            if project_id is not None:
                connection.change(_OWN, (project_id, content.hash))

        def add(writer: Writer) -> None:
            connection = writer.connection
            writer.check_room()
            used = connection.number('SELECT SUM("size") FROM "content"')
            if used + content.size > self.max_bytes:
                raise ApiError(
                    422,
                    f"There is no room for {content.size} bytes: the store keeps {used} bytes of artifacts, and at most"
                    f" {self.max_bytes}. Remove old runs with automation-report store prune.",
                )
            source.seek(start)
            _add(connection, source, content, writer.now)

        self.store.write(work)
        return content

    def find(self, content_hash: str) -> StoredContent | None:
        """Return a stored content by its hash; None if it is missing."""
        return self.store.read(partial(stored_contents, hashes=[content_hash]), is_single=True).get(content_hash)

    def read(self, content_hash: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` to before ``end``, in parts; raises `ApiError` (404) for a removed part."""
        # One transaction for each part: a slow client must not hold one open.
        for position in range(start // PART_BYTES, -(-end // PART_BYTES)):
            part_start = position * PART_BYTES
            data = self.store.read(partial(part_of, content_hash=content_hash, position=position), is_single=True)
            yield data[max(0, start - part_start) : end - part_start]


class ArtifactAnswer(TypedDict):
    """The response to the upload of an artifact."""

    url: str
    name: str
    mime_type: str
    size: int


def stored_artifact(content: StoredContent, name: str) -> ArtifactAnswer:
    """Return the artifact that refers to a content, as the response to its upload."""
    return {
        "url": content_address(content.hash, name),
        "name": name,
        "mime_type": content.mime_type,
        "size": content.size,
    }


# Tests whose artifacts a report holds: none, those that failed, or all that have a page in it.
Which: TypeAlias = Literal["none", "failed", "all"]
DEFAULT_BYTES: Final = 5_000_000  # largest size of all artifacts of a report together


class FileRule(Struct, frozen=True):
    """The artifacts that a user wants in a report; ``max_bytes`` is for all together."""

    which: Which = "failed"
    max_bytes: int = DEFAULT_BYTES
