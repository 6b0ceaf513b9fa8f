"""The contents of artifacts that the store keeps (floor 2): put once, read in parts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_automation_report.server.store.artifact_rows import add, check_shelf, kept, measured, part_of, renew
from pytest_automation_report.server.store.artifact_urls import MAX_TOTAL_BYTES, PART_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


class ArtifactContents:
    """The contents of one store; safe to use from several threads, like the store.

    ``max_bytes`` is how much all contents may have together.
    """

    def __init__(self, store: Store, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes

    def put(self, source: BinaryIO) -> StoredContent:
        """Keep what a file has from here to its end, once, and return it; the file must be seekable.

        Raises `RefusalError` when it is too large (413), when there is no room for it or when it changes while it is
        read (422); nothing of it is kept then.
        """
        start = source.tell()
        found = measured(source)

        def work(writer: Writer) -> None:
            if renew(writer.database, found.hash, writer.now):
                return
            writer.check_room()
            check_shelf(writer.database, found.size, self._max_bytes)
            source.seek(start)
            add(writer.database, source, found, writer.now)

        self._store.write(work)
        return found

    def find(self, content_hash: str) -> StoredContent | None:
        """Return a content by its hash, where it is kept."""
        return self._store.read(lambda reader: kept(reader.database, [content_hash])).get(content_hash)

    def read(self, content_hash: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a content from ``start`` to before ``end``, in parts.

        Raises `RefusalError` (404) at the first part that is there no more.
        """
        for position in range(start // PART_BYTES, -(-end // PART_BYTES)):
            first = position * PART_BYTES
            data = self._store.read(partial(_part, content_hash, position))
            yield data[max(0, start - first) : end - first]


def _part(content_hash: str, position: int, reader: Reader) -> bytes:
    return part_of(reader.database, content_hash, position)
