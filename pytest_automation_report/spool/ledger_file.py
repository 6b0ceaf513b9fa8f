"""Read and write the ledger, the file in which the sender records each request before and after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import bytes_from
from pytest_automation_report.spool.ledger import (
    LEDGER_KINDS,
    DoneRecord,
    FindingsRecord,
    LedgerState,
    ReadyRecord,
    ReportRecord,
    StoredRecord,
    TroubleRecord,
    UnstoredRecord,
)
from pytest_automation_report.spool.records import Decoder
from pytest_automation_report.spool.writer import APPEND_FLAGS, is_moved, restored
from pytest_automation_report.text.files import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.spool.records import Record

# A power cut may cost these kinds: no decision about a result depends on them, and a sync takes 1.4 ms (p99 15 ms).
_NOT_SYNCED: Final = (
    ReadyRecord, TroubleRecord, FindingsRecord, ReportRecord, DoneRecord, StoredRecord, UnstoredRecord,
)  # fmt: skip

_sync: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def ledger_from(path: Path) -> LedgerState:
    """Read a ledger and return its state; a missing ledger is an empty one.

    Raises `SpoolError` if the path is not a file, and if an undamaged record has not the members of its kind.
    """
    state, decoder = LedgerState(), Decoder(LEDGER_KINDS, is_strict=True)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise SpoolError(f"{path}: cannot be used: it is no file")  # opening a pipe would wait for its writer
    try:
        for piece in bytes_from(path, 0):
            for placed in decoder.feed(piece):
                state.apply(placed.record)
    except FileNotFoundError:
        return state
    except ValueError as error:
        raise SpoolError(f"{path}: a record cannot be used: {error}") from error
    return state


class LedgerFile:
    """Writes the ledger and keeps its state; owned by the sender that holds the session's lock.

    A ledger that a test deletes is created again with its content, after a call of ``on_deleted``. Raises `SpoolError`
    if a record cannot be written whole: no POST goes out without its intent on disk.
    """

    def __init__(self, path: Path, on_deleted: Callable[[], None] = lambda: None) -> None:
        self.state = ledger_from(path)
        self.folder = path.parent
        self._path = path
        self._on_deleted = on_deleted
        try:
            self._descriptor = os.open(path, APPEND_FLAGS, 0o600)
        except OSError as error:
            raise SpoolError(f"the ledger {path} cannot be written: {error.strerror or error}") from error
        self._is_torn = path.stat().st_size > 0  # the last record may be torn: a newline before the next one

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def write(self, record: Record) -> None:
        """Append one record and apply it; raises `SpoolError` if it cannot be written whole."""
        framed = record.framed()
        line = b"\n" + framed if self._is_torn else framed
        path, disk = os.fspath(self._path), Disk()
        try:
            status = os.fstat(self._descriptor)
            if not status.st_nlink or is_moved(disk, path, status):  # by a test
                self._on_deleted()
                self._descriptor = restored(disk, self._descriptor, path)
            written = os.write(self._descriptor, line)
            self._is_torn = written != len(line)
            if not (self._is_torn or isinstance(record, _NOT_SYNCED)):
                _sync(self._descriptor)
        except OSError as error:
            raise SpoolError(f"the ledger {path} cannot be written: {error.strerror or error}") from error
        if self._is_torn:
            raise SpoolError(f"the ledger {path} cannot be written: only {written} of {len(line)} bytes were taken")
        # Decoded from its own bytes, so that the state is the one that a later sender reads from the file.
        for placed in Decoder(LEDGER_KINDS, is_strict=True).feed(framed):
            self.state.apply(placed.record)
