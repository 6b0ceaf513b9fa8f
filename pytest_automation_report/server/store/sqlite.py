"""Open a store in a SQLite file and run its transactions.

A store has one connection that writes and one that reads, each used by one thread at a time. So readers of a process
never wait for its writers, and threads that end leave no connection open. Other processes are kept apart by SQLite's
own locks. A file on a network file system gets a rollback journal instead of the write-ahead log (WAL), whose shared
memory does not work across machines.
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
from pytest_automation_report.server.store.private_files import make_state_folder
from pytest_automation_report.server.store.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTS = Path("/proc/mounts")
"""Table of mounted file systems on Linux; on other systems it is missing, and every file counts as local."""

_NETWORK_TYPES = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "davfs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "orangefs", "ocfs2", "gfs2"),
        *("9p", "virtiofs", "vboxsf", "vmhgfs"),
    )
)
# FUSE serves file systems of unknown programs; these are known to be local.
_LOCAL_FUSE_TYPES = frozenset({"fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.mergerfs", "fuse.ntfs-3g", "fuse.bindfs"})
_OCTAL_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_type(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that a file is on; None for a local file."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    file_system, depth = "", -1
    real_path = path.resolve()
    for line in lines:
        _, mount_point, mounted_type, *_ = [*line.split(" "), "", "", ""]
        folder = Path(_OCTAL_ESCAPE.sub(lambda match: chr(int(match[1], 8)), mount_point))
        # Of several mounts on one folder, the last one is visible.
        if len(folder.parts) >= depth and real_path.is_relative_to(folder):
            file_system, depth = mounted_type, len(folder.parts)
    return file_system if _is_network(file_system) else None


def _is_network(file_system: str) -> bool:
    is_unknown_fuse = file_system.startswith("fuse.") and file_system not in _LOCAL_FUSE_TYPES
    return file_system in _NETWORK_TYPES or is_unknown_fuse


APPLICATION_ID = 0x41525031
"""SQLite's application id of our stores, which marks a file as ours ("ARP1")."""

BUSY_SECONDS = 5.0
"""How long SQLite waits for the lock of another process."""

_CACHE_KIBIBYTES = 8 * 1024
"""Page cache of a connection. Keys of tests are hashes, so an append reads pages from all over their index."""

_WAL_LIMIT_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut to this size after a large transaction; SQLite by default never makes it smaller."""

_FULL = "database or disk is full"
_MIN_FREE_BYTES = 64 * 1024
"""Free space that a store needs to be opened: its shared memory alone takes half of it."""

# Twice `BUSY_SECONDS`: a prune of another process may hold the lock for longer than one wait.
_BEGIN_ATTEMPTS = 2
_OPEN_SECONDS = 10.0
_OPEN_PAUSE_SECONDS = 0.02


STORAGE_ERRORS = (PeeweeException, sqlite3.Error)
"""Errors of a damaged file. peewee wraps only those that come before the first row of a query."""


class Connections:
    """The connections to one store file; several threads may use it.

    ``notes`` has sentences for the user about the location of the file.
    Raises `StoreError` when the file cannot be opened, is not a store, or belongs to a newer release.
    """

    def __init__(self, path: Path, mounts: Path = MOUNTS) -> None:
        self._writer = _connection(path)
        self._reader = _connection(path)
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self.notes: tuple[str, ...] = ()
        try:
            _create_file(path)
            file_system = network_type(path, mounts)
            self.notes = (_network_note(path, file_system),) if file_system else ()
            _prepare(self._writer, path, "delete" if file_system else "wal")
            self._reader.connect()
        except (OSError, PeeweeException) as error:
            self.close()
            raise StoreError(f"{path}: cannot be opened as a store: {_open_failure(path, error)}") from error
        except StoreError:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[SqliteDatabase]:
        """Enter a transaction that changes the store; it is committed when the block ends without an error."""
        with self._write_lock, _map_errors(), ExitStack() as transaction:
            _begin(self._writer, transaction)
            yield self._writer

    @contextmanager
    def outside_transaction(self) -> Iterator[SqliteDatabase]:
        """Use the writing connection without a transaction, for statements like VACUUM that need that."""
        with self._write_lock, _map_errors():
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[SqliteDatabase]:
        """Enter a transaction that reads one snapshot of the store."""
        with self._read_lock, _map_errors(), self._reader.atomic():
            yield self._reader

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store.

        VACUUM writes the whole file into the log first. Space on the disk gets free only when the log is cut.
        """
        with self.outside_transaction() as database:
            try:
                execute(database, "VACUUM")
            finally:
                is_truncated = _truncate_log(database)
        if not is_truncated:
            raise try_again()

    def close(self) -> None:
        """Close both connections; closing twice is harmless."""
        with self._read_lock:
            self._reader.close()
        with self._write_lock:
            self._writer.close()


def _connection(path: Path) -> SqliteDatabase:
    return SqliteDatabase(
        str(path),
        pragmas={
            # With NORMAL, a power cut could undo commits that were answered: clients do not send those again.
            "synchronous": "FULL",
            "foreign_keys": 1,  # SQLite checks none by default
            "cache_size": -_CACHE_KIBIBYTES,
            "journal_size_limit": _WAL_LIMIT_BYTES,
        },
        timeout=BUSY_SECONDS,
        # One connection for all threads instead of one for each: the locks of `Connections` keep the threads apart.
        thread_safe=False,
        autoconnect=False,
        check_same_thread=False,
    )


@contextmanager
def _map_errors() -> Iterator[None]:
    """Raise `ApiError` (429) for a transaction that SQLite rolled back because of a lock or a full disk.

    With a rollback journal, readers and writers wait for each other, and a commit that waits too long is rolled back.
    """
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        if _is_full(error):
            raise DiskFullError from error
        if not _is_locked(error):
            raise
        raise try_again() from error


def _network_note(path: Path, file_system: str) -> str:
    return (
        f"{path} is on a network file system ({file_system}): it is kept with a rollback journal, which is slower,"
        " and only one machine may use it at a time"
    )


def _begin(database: SqliteDatabase, transaction: ExitStack) -> None:
    """Enter a write transaction, or raise `ApiError` (429) if another process holds the lock for too long."""
    for _ in range(_BEGIN_ATTEMPTS):
        if _try_begin(database, transaction):
            return
    raise try_again()


def _try_begin(database: SqliteDatabase, transaction: ExitStack) -> bool:
    try:
        # IMMEDIATE takes the write lock now. A lock that is taken at the first write could fail in the middle.
        transaction.enter_context(database.atomic("IMMEDIATE"))
    except OperationalError as error:
        if not _is_locked(error):
            raise
        return False
    return True


def _is_full(error: BaseException | None) -> bool:
    """Return whether an error, or an error in its context, reports a full disk.

    SQLite rolls the transaction back by itself, so peewee's own rollback fails and hides the first error.
    """
    return error is not None and (_FULL in str(error) or _is_full(error.__context__))


def _truncate_log(database: SqliteDatabase) -> bool:
    """Copy the write-ahead log into the file and empty the log; False while others read from it."""
    ((is_busy, _, _),) = execute(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    return not is_busy


def _open_failure(path: Path, error: Exception) -> str:
    """Return the reason why a store cannot be opened.

    When the shared memory of the log does not fit on the disk, SQLite reports an I/O error and no full disk.
    """
    is_full = _is_full(error) or getattr(error, "errno", None) == errno.ENOSPC
    try:
        disk = os.statvfs(path.parent)
        is_full = is_full or ("disk I/O" in str(error) and disk.f_bavail * disk.f_frsize < _MIN_FREE_BYTES)
    except OSError:
        return str(error)
    return "the disk is full: free space there, or set another database" if is_full else str(error)


def _is_locked(error: Exception) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _create_file(path: Path) -> None:
    """Create the file, readable by its owner only; SQLite gives its journal the same permissions.

    SQLite would create it with the permissions of the umask, which others can mostly read.
    """
    make_state_folder(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))


def _prepare(database: SqliteDatabase, path: Path, journal: str) -> None:
    """Connect and create the tables if they are missing.

    The switch to the write-ahead log takes an exclusive lock, and SQLite does not wait for that one. So processes that
    open a new file at the same moment have to try again here.
    """
    deadline = time.monotonic() + _OPEN_SECONDS
    while not _try_prepare(database, path, journal, is_last=time.monotonic() > deadline):
        _pause()


def _pause() -> None:
    time.sleep(_OPEN_PAUSE_SECONDS)


def _try_prepare(database: SqliteDatabase, path: Path, journal: str, *, is_last: bool) -> bool:
    """Prepare the file once; False if another process has it locked, and an error if this was the last attempt."""
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
    """Raise `StoreError` for a file of another program or of a newer release, before anything in it changes."""
    is_ours = database.application_id == APPLICATION_ID
    if not is_ours and (database.application_id or database.user_version or database.get_tables()):
        raise StoreError(f"{path}: this SQLite database belongs to something else; name another file for the store")
    if database.user_version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: this store has version {database.user_version}, made by a newer release;"
            f" this release reads up to {SCHEMA_VERSION}: upgrade, or name another file",
        )


def _create_tables(database: SqliteDatabase, path: Path) -> None:
    # Again, now with the write lock: another process may have created or migrated the tables since the first check.
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
