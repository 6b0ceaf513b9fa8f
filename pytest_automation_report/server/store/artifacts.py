"""Store the contents of artifacts, each one once, and read them in parts."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.contents import (
    HEAD_BYTES,
    MAX_CONTENT_BYTES,
    MAX_TOTAL_BYTES,
    PART_BYTES,
    StoredContent,
    content_address,
    media_type,
    stored_contents,
)
from pytest_automation_report.server.store.database import lock
from pytest_automation_report.server.store.values import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

_INSERT_CONTENT: Final = 'INSERT INTO "content" ("hash", "size", "media_type", "created") VALUES (?, ?, ?, ?)'
_INSERT_PART: Final = 'INSERT INTO "content_part" ("content_id", "position", "data") VALUES (?, ?, ?)'
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


def renew(connection: StoreConnection, content_hash: str, now: int) -> bool:
    """Refresh the upload time of a stored content; False if it is not stored."""
    # The lock lasts until the content is added, so that another upload of it waits and then finds it.
    lock(connection, "contents")
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


class ArtifactContents:
    """The stored contents of one store, at most ``max_bytes`` together; several threads may use it."""

    def __init__(self, store: Store, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes

    def put(self, source: BinaryIO) -> StoredContent:
        """Store a seekable file from its position to its end, unless its content is stored already; return it.

        Raises `ApiError` and stores nothing when the file is too large (413), does not fit into the store (422), or
        changes while it is read (422).
        """
        # The file is read twice: hash and size decide whether it is stored, before the write lock is taken.
        start = source.tell()
        content = measure(source)

        def work(writer: Writer) -> None:
            if renew(writer.connection, content.hash, writer.now):
                return
            writer.check_room()
            check_artifact_room(writer.connection, content.size, self._max_bytes)
            source.seek(start)
            add(writer.connection, source, content, writer.now)

        self._store.write(work)
        return content

    def find(self, content_hash: str) -> StoredContent | None:
        """Return a stored content by its hash; None if it is missing."""
        return self._store.look(lambda connection: stored_contents(connection, [content_hash])).get(content_hash)

    def read(self, content_hash: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a content from ``start`` to before ``end``, in parts.

        Raises `ApiError` (404) when a part was removed in the meantime.
        """
        # One transaction for each part: a slow client must not hold one open.
        for position in range(start // PART_BYTES, -(-end // PART_BYTES)):
            part_start = position * PART_BYTES
            data = self._store.look(partial(_read_part, content_hash, position))
            yield data[max(0, start - part_start) : end - part_start]


def stored_artifact(content: StoredContent, name: str) -> Json:
    """Return the artifact that refers to a content, as the response to its upload."""
    return {
        "url": content_address(content.hash, name),
        "name": name,
        "mime_type": content.mime_type,
        "size": content.size,
    }


def _read_part(content_hash: str, position: int, connection: StoreConnection) -> bytes:
    return part_of(connection, content_hash, position)
