"""The rows of contents that the store itself keeps (floor 2), inside a transaction that its caller holds.

They are rows of the database and not files beside it: a copy of the store has its pictures, several servers of one
database show the same, and no name from outside ever meets a file system.
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

_DAY_MICROSECONDS: Final = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A content that the store keeps; ``size`` in bytes, ``media_type`` is what it is, not what somebody called it."""

    hash: str
    size: int
    media_type: str

    @property
    def mime_type(self) -> str:
        """The type without its parameters."""
        return self.media_type.partition(";")[0]


def kept(database: Database, hashes: Iterable[str]) -> dict[str, StoredContent]:
    """Return those of some contents that are kept, by their hashes."""
    query: Any = ContentRow.select(ContentRow.hash, ContentRow.size, ContentRow.media_type).where(
        ContentRow.hash.in_(list(hashes))
    )
    rows: Iterable[Json] = query.dicts().execute(database)
    return {row["hash"]: StoredContent(**row) for row in rows}


def use(database: Database, run_id: int, hashes: Collection[str]) -> None:
    """Note that a run refers to these contents, so that they stay as long as the run."""
    if hashes:
        share_contents(database)
    for content_hash in sorted(hashes):
        ContentUseRow.insert(run=run_id, hash=content_hash).on_conflict_ignore().execute(database)


def remove_unused(database: Database, now: int) -> int:
    """Remove the contents that no run refers to and that were put there more than a day ago; return how many."""
    lock_contents(database)
    used = ContentUseRow.select(ContentUseRow.hash).where(ContentUseRow.hash == ContentRow.hash)
    unused: Any = (ContentRow.created < now - _DAY_MICROSECONDS) & ~fn.EXISTS(used)
    gone = ContentRow.select(ContentRow.id).where(unused)
    ContentPartRow.delete().where(ContentPartRow.content.in_(gone)).execute(database)
    removed: int = ContentRow.delete().where(unused).execute(database)
    return removed


def measured(source: BinaryIO) -> StoredContent:
    """Return what the rest of a file is; raises `ApiError` (413) for one that is too large."""
    digest, size, head = sha256(), 0, b""
    for part in _parts(source):
        head = head or part[:HEAD_BYTES]
        size += len(part)
        digest.update(part)
        if size > MAX_CONTENT_BYTES:
            raise too_large()
    return StoredContent(digest.hexdigest(), size, media_type(head))


def too_large() -> ApiError:
    """Return the refusal of a content that is too large."""
    return ApiError(413, f"An artifact may have at most {MAX_CONTENT_BYTES} bytes.")


def renew(database: Database, content_hash: str, now: int) -> bool:
    """Note that a content was put there again; return whether it is kept."""
    lock_contents(database)
    again: Any = ContentRow.update(created=now).where(ContentRow.hash == content_hash)
    return bool(again.execute(database))


def check_shelf(database: Database, size: int, max_bytes: int) -> None:
    """Refuse (422) a content of this size when all together would have more than they may."""
    used = int(ContentRow.select(fn.SUM(ContentRow.size)).scalar(database) or 0)
    if used + size > max_bytes:
        raise ApiError(
            422,
            f"There is no room for {size} bytes: the store keeps {used} bytes of artifacts, and at most {max_bytes}."
            " Remove old runs with automation-report store prune.",
        )


def add(database: Database, source: BinaryIO, found: StoredContent, now: int) -> None:
    """Keep a content that was measured; raises `ApiError` (422) when it is no longer what it was."""
    row: Any = ContentRow.insert(hash=found.hash, size=found.size, media_type=found.media_type, created=now)
    content: int = row.execute(database)
    digest = sha256()
    for position, part in enumerate(_parts(source)):
        digest.update(part)
        ContentPartRow.insert(content=content, position=position, data=part).execute(database)
    if digest.hexdigest() != found.hash:
        raise ApiError(422, "The artifact changed while it was read.")


def part_of(database: Database, content_hash: str, position: int) -> bytes:
    """Return a part of a content; raises `ApiError` (404) when it is not kept."""
    query: Any = ContentPartRow.select(ContentPartRow.data).join(ContentRow)
    query = query.where(ContentRow.hash == content_hash, ContentPartRow.position == position)
    rows = list(query.dicts().execute(database))
    if not rows:
        raise ApiError(404, "This artifact is kept no longer.")
    return bytes(rows[0]["data"])


def _parts(source: BinaryIO) -> Iterator[bytes]:
    """Yield what a file has in parts of one size, whatever it gives at once."""
    part = b""
    while more := source.read(PART_BYTES - len(part)):
        part += more
        if len(part) == PART_BYTES:
            yield part
            part = b""
    if part:
        yield part
