"""Whether a store's file is on a network file system (floor 2): the write-ahead log does not work there.

The store in a SQLite file: opening it, and its transactions (floor 2).

One connection writes and one reads, each for one thread at a time: readers in this process never wait for its writers,
and no connection is left behind by threads that come and go. Other processes meet on SQLite's own locks.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from peewee import OperationalError, PeeweeException, SchemaManager, SqliteDatabase

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import execute
from pytest_automation_report.server.store.errors import DiskFullError, try_again
from pytest_automation_report.server.store.migrations import migrate
from pytest_automation_report.server.store.private_files import check_state_folder
from pytest_automation_report.server.store.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTS = Path("/proc/mounts")
"""Where Linux tells what is mounted; elsewhere there is no such file, and every file counts as local."""

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "davfs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "orangefs", "ocfs2", "gfs2"),
        *("9p", "virtiofs", "vboxsf", "vmhgfs"),
    )
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.mergerfs", "fuse.ntfs-3g", "fuse.bindfs"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_type(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that a file is on, ``None`` for a file on this machine."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    found, best = "", -1
    place = path.resolve()
    for line in lines:
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        folder = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), point))
        # The last of several mounts on one point is the one that is seen.
        if len(folder.parts) >= best and place.is_relative_to(folder):
            found, best = kind, len(folder.parts)
    return found if _is_network(found) else None


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)


APPLICATION_ID = 0x41525031
"""Marks a SQLite file as ours."""

BUSY_SECONDS = 5.0
"""How long SQLite itself waits for another process' lock."""

_CACHE_KIBIBYTES = 8 * 1024
"""Page cache of a connection; keys are hashes, so each append touches pages all over their index."""

_LOG_BYTES = 16 * 1024 * 1024
"""How large the log stays after a large transaction, such as the removal of a run; SQLite alone never cuts it."""

_FULL = "database or disk is full"
_LEAST_BYTES = 64 * 1024
"""With less room than this a store cannot be opened: its shared memory alone takes half of it."""

_BEGIN_ATTEMPTS = 2
_OPEN_SECONDS = 10.0
_OPEN_PAUSE_SECONDS = 0.02


STORAGE_ERRORS = (PeeweeException, sqlite3.Error)
"""What a damaged file raises: peewee turns only those errors into its own that come before the first row."""


class Connections:
    """The connections to one store file; safe to use from several threads.

    ``notes`` tells, in sentences, what its user should know about the place of the file.
    Raises `StoreError` when the file cannot be opened, is not a store, or was made by a newer release.
    """

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        self._writer = _connection(path)
        self._reader = _connection(path)
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self.notes: tuple[str, ...] = ()
        try:
            _make_file(path)
            network = network_type(path, mounts)
            self.notes = (_network_note(path, network),) if network else ()
            _prepare(self._writer, path, "delete" if network else "wal")
            self._reader.connect()
        except (OSError, PeeweeException) as error:
            self.close()
            raise StoreError(f"{path}: cannot be opened as a store: {_opening_words(path, error)}") from error
        except StoreError:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[SqliteDatabase]:
        """Hold the write lock of the store; what was done is kept when the block ends without an error."""
        with self._write_lock, _refusing(), ExitStack() as transaction:
            _begin(self._writer, transaction)
            yield self._writer

    @contextmanager
    def alone(self) -> Iterator[SqliteDatabase]:
        """Use the writing connection without a transaction, for what SQLite does in none."""
        with self._write_lock, _refusing():
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[SqliteDatabase]:
        """See the store as it is at one moment, whatever is written meanwhile."""
        with self._read_lock, _refusing(), self._reader.atomic():
            yield self._reader

    def compact(self) -> None:
        """Give back the space of what was removed; raises `RefusalError` (429) while others use the store.

        What was written anew stands in the log first, as large as the file: only when that is cut the disk has room.
        """
        with self.alone() as database:
            try:
                execute(database, "VACUUM")
            finally:
                is_cut = _is_log_cut(database)
        if not is_cut:
            raise try_again()

    def close(self) -> None:
        """Close both connections; harmless when they are closed."""
        with self._read_lock:
            self._reader.close()
        with self._write_lock:
            self._writer.close()


def _connection(path: Path) -> SqliteDatabase:
    return SqliteDatabase(
        str(path),
        pragmas={
            "synchronous": "FULL",
            "foreign_keys": 1,
            "cache_size": -_CACHE_KIBIBYTES,
            "journal_size_limit": _LOG_BYTES,
        },
        timeout=BUSY_SECONDS,
        thread_safe=False,
        autoconnect=False,
        check_same_thread=False,
    )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what SQLite has undone into a refusal: it found a lock for too long, or no room on the disk.

    Without the write-ahead log readers and writers wait for each other; a commit that waits in vain is undone.
    """
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        if _is_full(error):
            raise DiskFullError from error
        if not _is_locked(error):
            raise
        raise try_again() from error


def _network_note(path: Path, kind: str) -> str:
    return (
        f"{path} is on a network file system ({kind}): it is kept with a rollback journal, which is slower,"
        " and only one machine may use it at a time"
    )


def _begin(database: SqliteDatabase, transaction: ExitStack) -> None:
    """Enter a write transaction; another process may hold the lock for longer than SQLite waits once."""
    for _ in range(_BEGIN_ATTEMPTS):
        if _is_begun(database, transaction):
            return
    raise try_again()


def _is_begun(database: SqliteDatabase, transaction: ExitStack) -> bool:
    try:
        transaction.enter_context(database.atomic("IMMEDIATE"))
    except OperationalError as error:
        if not _is_locked(error):
            raise
        return False
    return True


def _is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is that of a full disk.

    SQLite has undone the transaction then, so that peewee's own attempt fails in its turn.
    """
    return error is not None and (_FULL in str(error) or _is_full(error.__context__))


def _is_log_cut(database: SqliteDatabase) -> bool:
    """Write all of the log into the file and give back its space; False while others read from it."""
    ((is_busy, _, _),) = execute(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    return not is_busy


def _opening_words(path: Path, error: Exception) -> str:
    """Return why a store cannot be opened; for its shared memory SQLite calls a full disk an I/O error."""
    is_full = _is_full(error) or getattr(error, "errno", None) == errno.ENOSPC
    try:
        free = os.statvfs(path.parent)
        is_full = is_full or ("disk I/O" in str(error) and free.f_bavail * free.f_frsize < _LEAST_BYTES)
    except OSError:
        return str(error)
    return "the disk is full: free space there, or set another database" if is_full else str(error)


def _is_locked(error: Exception) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _make_file(path: Path) -> None:
    """Create the file for its owner only; SQLite gives the files beside it the same permissions."""
    check_state_folder(path.parent)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))


def _prepare(database: SqliteDatabase, path: Path, journal: str) -> None:
    """Connect and make the tables where they are missing.

    Switching to the write-ahead log takes an exclusive lock for which SQLite does not wait, so that processes which
    open a new file at the same moment have to take turns here.
    """
    deadline = time.monotonic() + _OPEN_SECONDS
    while not _is_prepared(database, path, journal, is_last=time.monotonic() > deadline):
        _pause()


def _pause() -> None:
    time.sleep(_OPEN_PAUSE_SECONDS)


def _is_prepared(database: SqliteDatabase, path: Path, journal: str, *, is_last: bool) -> bool:
    try:
        database.connect(reuse_if_open=True)
        _check(database, path)
        database.journal_mode = journal
        with database.atomic("IMMEDIATE"):
            _create_tables(database, path)
    except OperationalError as error:
        if is_last or not _is_locked(error):
            raise
        return False
    return True


def _check(database: SqliteDatabase, path: Path) -> None:
    """Refuse, before anything in it is touched, a file that is not ours or too new for us."""
    is_ours = database.application_id == APPLICATION_ID
    if not is_ours and (database.application_id or database.user_version or database.get_tables()):
        raise StoreError(f"{path}: this SQLite database belongs to something else; name another file for the store")
    if database.user_version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: this store has version {database.user_version}, made by a newer release;"
            f" this release reads up to {SCHEMA_VERSION}: upgrade, or name another file",
        )


def _create_tables(database: SqliteDatabase, path: Path) -> None:
    _check(database, path)
    version = database.user_version
    if version == SCHEMA_VERSION:
        return
    if version:
        migrate(database, version)
    else:
        for table in TABLES:
            SchemaManager(table, database).create_all()
    database.application_id = APPLICATION_ID
    database.user_version = SCHEMA_VERSION
