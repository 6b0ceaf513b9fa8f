"""Read and write the rows of stored contents, inside a transaction that the caller holds.

Contents are rows of the database and not files beside it: a copy of the store includes them, several servers of one
database show the same ones, and no name from a client is ever used in a file system.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES, PART_BYTES
from pytest_automation_report.server.store.database import lock_contents, share_contents
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.media_types import HEAD_BYTES, media_type
from pytest_automation_report.server.store.tables import ContentPartRow, ContentRow, ContentUseRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import BinaryIO

    from peewee import Database

    from pytest_automation_report.api.models import Json

_DAY_US: Final = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A stored content; ``size`` is in bytes, ``media_type`` is detected from its bytes and not sent by a client."""

    hash: str
    size: int
    media_type: str

    @property
    def mime_type(self) -> str:
        """The media type without its parameters."""
        return self.media_type.partition(";")[0]


def stored_contents(database: Database, hashes: Iterable[str]) -> dict[str, StoredContent]:
    """Return those of these contents that are stored, by hash."""
    query: Any = ContentRow.select(ContentRow.hash, ContentRow.size, ContentRow.media_type).where(
        ContentRow.hash.in_(list(hashes))
    )
    rows: Iterable[Json] = query.dicts().execute(database)
    return {row["hash"]: StoredContent(**row) for row in rows}


def use(database: Database, run_id: int, hashes: Collection[str]) -> None:
    """Record that a run refers to these contents, so that they are stored as long as the run."""
    if hashes:
        share_contents(database)
    for content_hash in sorted(hashes):
        ContentUseRow.insert(run=run_id, hash=content_hash).on_conflict_ignore().execute(database)


def remove_unused(database: Database, now: int) -> int:
    """Remove the contents that no run refers to and that were uploaded more than a day ago; return their number.

    A client uploads an artifact before it sends the result that refers to it, so a recent content may still get a run.
    """
    lock_contents(database)
    uses = ContentUseRow.select(ContentUseRow.hash).where(ContentUseRow.hash == ContentRow.hash)
    is_unused: Any = (ContentRow.created < now - _DAY_US) & ~fn.EXISTS(uses)
    unused_ids = ContentRow.select(ContentRow.id).where(is_unused)
    ContentPartRow.delete().where(ContentPartRow.content.in_(unused_ids)).execute(database)
    removed: int = ContentRow.delete().where(is_unused).execute(database)
    return removed


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


def renew(database: Database, content_hash: str, now: int) -> bool:
    """Refresh the upload time of a stored content; False if it is not stored."""
    # The lock lasts until the content is added, so that another upload of it waits and then finds it.
    lock_contents(database)
    update: Any = ContentRow.update(created=now).where(ContentRow.hash == content_hash)
    return bool(update.execute(database))


def check_artifact_room(database: Database, size: int, max_bytes: int) -> None:
    """Raise `ApiError` (422) when all contents with one of this size would be larger than ``max_bytes``."""
    used = int(ContentRow.select(fn.SUM(ContentRow.size)).scalar(database) or 0)
    if used + size > max_bytes:
        raise ApiError(
            422,
            f"There is no room for {size} bytes: the store keeps {used} bytes of artifacts, and at most {max_bytes}."
            " Remove old runs with automation-report store prune.",
        )


def add(database: Database, source: BinaryIO, content: StoredContent, now: int) -> None:
    """Insert a content that was measured; raises `ApiError` (422) if the file has changed since."""
    insert: Any = ContentRow.insert(hash=content.hash, size=content.size, media_type=content.media_type, created=now)
    content_id: int = insert.execute(database)
    digest = sha256()
    for position, part in enumerate(_parts(source)):
        digest.update(part)
        ContentPartRow.insert(content=content_id, position=position, data=part).execute(database)
    if digest.hexdigest() != content.hash:
        raise ApiError(422, "The artifact changed while it was read.")


def part_of(database: Database, content_hash: str, position: int) -> bytes:
    """Return a part of a content; raises `ApiError` (404) if it is not stored."""
    query: Any = ContentPartRow.select(ContentPartRow.data).join(ContentRow)
    query = query.where(ContentRow.hash == content_hash, ContentPartRow.position == position)
    rows = list(query.dicts().execute(database))
    if not rows:
        raise ApiError(404, "This artifact is not stored any more.")
    return bytes(rows[0]["data"])


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
