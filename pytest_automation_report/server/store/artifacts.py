"""Store the contents of artifacts, each one once, and read them in parts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_automation_report.server.store.artifact_rows import (
    add,
    check_artifact_room,
    measure,
    part_of,
    renew,
    stored_contents,
)
from pytest_automation_report.server.store.artifact_urls import MAX_TOTAL_BYTES, PART_BYTES, content_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


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
