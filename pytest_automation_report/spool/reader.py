"""Follows all files of one session's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_automation_report.spool.folder import CONTROLLER, MAIN, READ, bytes_from
from pytest_automation_report.spool.records import Decoder, PositionedRecord
from pytest_automation_report.spool.validation import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.spool.folder import SessionFolder


_END: Final = b'{"k":"end"'
_END_BYTES: Final = 8192
"""So much at most has the record of the end, whose reason may be all escapes."""
_PIECE_BYTES: Final = 512 << 10
"""So much is read in one go: about 2,000 results with nothing to say."""
_MUCH_BYTES: Final = 128 << 10
"""So much holds the results of an append, and more."""


def _opened(path: str, _: int) -> int:
    return os.open(path, READ)  # who opens a pipe otherwise waits for its writer


@dataclass(slots=True)
class SpoolReader:
    """Reads what was appended since the last time; workers' files may appear at any moment.

    ``is_behind`` tells that a file was left before its end.
    """

    folder: SessionFolder
    is_behind: bool = False
    _entries: int = 0
    _unsound: int = 0
    _decoders: dict[str, Decoder] = field(default_factory=dict)

    @property
    def damaged(self) -> int:
        """Number of records so far that were damaged, or held nothing that can be used."""
        return self._unsound + sum(each.damaged for each in self._decoders.values())

    @property
    def torn(self) -> int:
        """Number of files that end in the middle of a record."""
        return sum(each.is_torn for each in self._decoders.values())

    def position(self, worker: str) -> int:
        """Return the offset behind the worker's last complete record."""
        return self._decoders[worker].position

    def added(self, is_full: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[str, list[PositionedRecord]]]:
        """Yield the new records of each file; the controller's last.

        They are read first: a crash report stands in the controller's file before the test runs again elsewhere, and
        after all that the crashed worker wrote. So with a crash report all that is there is yielded; else a worker for
        whom ``is_full`` says so gets no more of its file for now.
        """
        workers = self.folder.workers()
        controllers = list(self._read(CONTROLLER)) if CONTROLLER in workers else []
        has_limit = not any(placed.record.kind == "crash" for records in controllers for placed in records)
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
        """Whether to read at once: the session ends, a worker begins, or much was added.

        It looks at few bytes and is asked often. What it does not see is read a little later.
        """
        try:
            before, self._entries = self._entries, len(os.listdir(self.folder.path))  # noqa: PTH208 - a third of its time
            return self._entries != before or any(
                self._has_much(worker) for worker in (MAIN, CONTROLLER) if worker in self._decoders
            )
        except OSError:
            return True  # what a test has deleted is to be made again; what it has put there instead is told by reading

    def _has_much(self, worker: str) -> bool:
        position = self._decoders[worker].position
        with open(self.folder.records(worker), "rb", buffering=0, opener=_opened) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(position, size - _END_BYTES))
            return size - position >= _MUCH_BYTES or _END in file.read(_END_BYTES)

    def _sound(self, records: list[PositionedRecord]) -> list[PositionedRecord]:
        """Return those that can be used, and count the others."""
        found = [each for each in records if is_sound(each.record)]
        self._unsound += len(records) - len(found)
        return found

    def _read(self, worker: str) -> Iterator[list[PositionedRecord]]:
        decoder = self._decoders.setdefault(worker, Decoder())
        decoder.rewind()
        path = self.folder.written(worker)
        try:
            if path.stat().st_size <= decoder.position:
                return
            for piece in bytes_from(path, decoder.position, piece_bytes=_PIECE_BYTES):
                yield self._sound(decoder.feed(piece))
        except FileNotFoundError:
            return  # a test has deleted it: its writer makes it again, with all that it held
