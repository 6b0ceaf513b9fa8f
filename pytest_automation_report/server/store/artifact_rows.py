"""Read and write the rows of stored contents, inside a transaction that the caller holds.

Contents are rows of the database and not files beside it: a copy of the store includes them, several servers of one
database show the same ones, and no name from a client is ever used in a file system.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES, PART_BYTES
from pytest_automation_report.server.store.database import lock_contents, marks, share_contents
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.media_types import HEAD_BYTES, media_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import BinaryIO

    from pytest_automation_report.server.store.database import StoreConnection

_DAY_US: Final = 24 * 3600 * 1_000_000
_INSERT_CONTENT: Final = 'INSERT INTO "content" ("hash", "size", "media_type", "created") VALUES (?, ?, ?, ?)'
_CONTENTS: Final = 'SELECT "hash", "size", "media_type" FROM "content" WHERE "hash" IN'
_INSERT_PART: Final = 'INSERT INTO "content_part" ("content_id", "position", "data") VALUES (?, ?, ?)'
_INSERT_USE: Final = 'INSERT INTO "content_use" ("run_id", "hash") VALUES (?, ?) ON CONFLICT DO NOTHING'
_PART: Final = (
    'SELECT p."data" FROM "content_part" AS p JOIN "content" AS c ON c."id" = p."content_id"'
    ' WHERE c."hash" = ? AND p."position" = ?'
)
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
        share_contents(connection)
    for content_hash in sorted(hashes):
        connection.change(_INSERT_USE, (run_id, content_hash))


def remove_unused(connection: StoreConnection, now: int) -> int:
    """Remove the contents that no run refers to and that were uploaded more than a day ago; return their number.

    A client uploads an artifact before it sends the result that refers to it, so a recent content may still get a run.
    """
    lock_contents(connection)
    oldest = now - _DAY_US
    connection.change(_DELETE_UNUSED_PARTS, (oldest,))
    return connection.change(_DELETE_UNUSED, (oldest,))


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


def renew(connection: StoreConnection, content_hash: str, now: int) -> bool:
    """Refresh the upload time of a stored content; False if it is not stored."""
    # The lock lasts until the content is added, so that another upload of it waits and then finds it.
    lock_contents(connection)
    return bool(connection.change('UPDATE "content" SET "created" = ? WHERE "hash" = ?', (now, content_hash)))


def check_artifact_room(connection: StoreConnection, size: int, max_bytes: int) -> None:
    """Raise `ApiError` (422) when all contents with one of this size would be larger than ``max_bytes``."""
    used = connection.number('SELECT SUM("size") FROM "content"')
    if used + size > max_bytes:
        raise ApiError(
            422,
            f"There is no room for {size} bytes: the store keeps {used} bytes of artifacts, and at most {max_bytes}."
            " Remove old runs with automation-report store prune.",
        )


def add(connection: StoreConnection, source: BinaryIO, content: StoredContent, now: int) -> None:
    """Insert a content that was measured; raises `ApiError` (422) if the file has changed since."""
    content_id = connection.insert(_INSERT_CONTENT, (content.hash, content.size, content.media_type, now))
    digest = sha256()
    for position, part in enumerate(_parts(source)):
        digest.update(part)
        connection.change(_INSERT_PART, (content_id, position, part))
    if digest.hexdigest() != content.hash:
        raise ApiError(422, "The artifact changed while it was read.")


def part_of(connection: StoreConnection, content_hash: str, position: int) -> bytes:
    """Return a part of a content; raises `ApiError` (404) if it is not stored."""
    rows = connection.execute(_PART, (content_hash, position))
    if not rows:
        raise ApiError(404, "This artifact is not stored any more.")
    return bytes(rows[0][0])


def _parts(source: BinaryIO) -> Iterator[bytes]:
    """Yield a file in parts of one size; a single read of a socket's stream may return less."""
    part = b""
    while more := source.read(PART_BYTES - len(part)):
        part += more
        if len(part) == PART_BYTES:
            yield part
            part = b""
    if part:
        yield part
