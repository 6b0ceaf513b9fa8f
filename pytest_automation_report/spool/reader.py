"""Read what processes of pytest append to the files of a session, in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.spool.folder import (
    CONTROLLER,
    MAIN,
    SessionFolder,
    bytes_from,
)
from pytest_automation_report.spool.records import (
    SPOOL_KINDS,
    CrashRecord,
    Decoder,
)
from pytest_automation_report.text.files import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.spool.records import PositionedRecord


_END: Final = b'{"k":"end"'
# Longest END: its reason is a text of a user, whose characters may all be escaped.
_END_BYTES: Final = 8192
# Read at once: about 2,000 tests with START and FINISH.
_PIECE_BYTES: Final = 512 << 10
# About 500 tests with START and FINISH, more than a batch of 250: reading sooner would not send more in a request.
_NEWS_BYTES: Final = 128 << 10


class SpoolReader(Struct):
    """Reads the records that were appended since the last read; ``is_behind`` if a file was left before its end."""

    folder: SessionFolder
    is_behind: bool = False
    # Number of the folder's entries at the last look: one more is a worker that begins.
    _entries: int = 0
    _decoders: dict[str, Decoder] = field(default_factory=dict)

    @property
    def damaged(self) -> int:
        """Number of records so far that were damaged, or are not as their kind declares them."""
        return sum(decoder.damaged for decoder in self._decoders.values())

    @property
    def torn(self) -> int:
        """Number of files that end in the middle of a record."""
        return sum(decoder.is_torn for decoder in self._decoders.values())

    @property
    def is_lost(self) -> bool:
        """Whether a file is gone that was read before."""
        return not self._decoders.keys() <= set(self.folder.workers())

    def position(self, worker: str) -> int:
        """Return the offset behind the worker's last complete record."""
        return self._decoders[worker].position

    def added(self, is_full: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[str, list[PositionedRecord]]]:
        """Yield each worker and its new records, the controller's last; no more of one while it ``is_full``."""
        workers = self.folder.workers()
        # xdist writes a crash report after everything that the crashed worker wrote, and before the test runs again. So
        # the controller's file is read first, and if it has one, all files are read to their end: the sender then knows
        # the crashed attempt before the next one's result.
        controllers = list(self._read(CONTROLLER)) if CONTROLLER in workers else []
        has_limit = not any(isinstance(placed.record, CrashRecord) for records in controllers for placed in records)
        self.is_behind = False
        for worker in workers:
            if worker == CONTROLLER:
                continue
            if has_limit and is_full(worker):
                self.is_behind = True
                continue
            for placed in self._read(worker):
                yield worker, placed
                if has_limit and is_full(worker):
                    self.is_behind = True
                    break
        for placed in controllers:
            yield CONTROLLER, placed

    def has_news(self) -> bool:
        """Whether the session ends, a worker begins, or many results were added, as a look at few bytes shows."""
        try:
            before, self._entries = self._entries, len(os.listdir(self.folder.path))  # noqa: PTH208 - a third of its time
            return self._entries != before or any(
                self._has_many(worker) for worker in (MAIN, CONTROLLER) if worker in self._decoders
            )
        except OSError:
            return True  # a test has deleted the folder, or put something else there: `added` handles both

    def _has_many(self, worker: str) -> bool:
        position = self._decoders[worker].position
        with open_file(self.folder.records(worker), is_foreign=True) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(position, size - _END_BYTES))
            return size - position >= _NEWS_BYTES or _END in file.read(_END_BYTES)

    def _read(self, worker: str) -> Iterator[list[PositionedRecord]]:
        decoder = self._decoders.setdefault(worker, Decoder(SPOOL_KINDS))
        decoder.rewind()
        path = self.folder.written(worker)
        try:
            if path.stat().st_size <= decoder.position:
                return
            for piece in bytes_from(path, decoder.position, piece_bytes=_PIECE_BYTES):
                yield decoder.feed(piece)
        except FileNotFoundError:
            return  # a test has deleted it: its writer makes it again, with all that it held
