"""Open a store, in a SQLite file or a PostgreSQL database, and run transactions on it.

A transaction is given as a function: the store runs it again when PostgreSQL rolls it back, and does not run it when
the same request was answered before.

A store in a file has one connection that writes and a few that read, each used by one thread at a time: readers of a
process wait for no writer and no long read. A file on a network file system gets a rollback journal instead of the
write-ahead log (WAL), whose shared memory does not work across machines.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from msgspec import Struct, field

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import ForeignPlaceError, StoreError
from pytest_automation_report.server.store.database import (
    StoreConnection,
    TimeLimitError,
    TransactionRolledBackError,
    try_lock,
)
from pytest_automation_report.server.store.migrations import OPENING, Opening, migrate, stored_state
from pytest_automation_report.server.store.values import DAY_US, ApiError, disk_full, try_again, validation_error
from pytest_automation_report.server.store.writes import Writer
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import STATE_FOLDER, find_other_writers, make_ignored_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_automation_report.server.store.postgres import PostgresConnections

T = TypeVar("T")
_logger = logging.getLogger(__name__)

# How long an idempotency key is stored; clients that repeat a request do so within hours.
_KEEP_KEYS_US = 7 * DAY_US
_PURGE_EVERY_REQUESTS = 256  # requests between two deletions of expired keys: most requests pay nothing for it
_ROOMY_SECONDS = 60.0  # without an error, until a full disk counts as usable again
_MAX_ATTEMPTS = 5  # how often a transaction is run that the database keeps rolling back
# An expired key is taken like a new one.
_TAKE_KEY = (
    'INSERT INTO "applied_request" ("key", "fingerprint", "created") VALUES (?, ?, ?) ON CONFLICT ("key") DO UPDATE SET'
    ' "fingerprint" = excluded."fingerprint", "record_id" = NULL, "created" = excluded."created"'
    ' WHERE "applied_request"."created" < ?'
)
_SET_RECORD = 'UPDATE "applied_request" SET "record_id" = ? WHERE "key" = ?'
_EARLIER = 'SELECT "fingerprint", "record_id" FROM "applied_request" WHERE "key" = ? AND "created" >= ?'


class IdempotentRequest(Struct, frozen=True):
    """An idempotency key with a hash of its request: a second request with another hash is a mistake."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, path: str, body: bytes) -> IdempotentRequest:
        """Return the key and the hash of a request."""
        return cls(key, sha256(f"{path}\n".encode("utf-8", "surrogatepass") + body).hexdigest())


def now_us() -> int:
    """Return the time of the machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


class Store:
    """One open store; several threads may use it, and several processes may have the same store open.

    ``clock`` returns microseconds since 1970. A store that has reached ``max_bytes`` refuses (422) every change that
    would make it larger; with ``are_references_strict`` it refuses (422) runs that name an unknown configuration or
    milestone. ``note`` is a sentence for the user about the location, or "".

    A store of an earlier version is brought to the newest one, as ``opening`` says. Raises `StoreError` when the
    location cannot be opened, is not a store, or is one of a later version.
    """

    def __init__(
        self,
        location: Path | PostgresDatabase,
        *,
        clock: Callable[[], int] = now_us,
        max_bytes: int | None = None,
        are_references_strict: bool = False,
        must_exist: bool = False,
        opening: Opening = OPENING,
    ) -> None:
        self.now = clock
        self._max_bytes = max_bytes
        self._are_references_strict = are_references_strict
        self._connections = _connections(location, opening, must_exist=must_exist)
        self.note = self._connections.note
        self.driver_error = self._connections.driver_error
        self.main_branch = ""  # of new sources
        # Findings are computed by one thread at a time: more would share one interpreter.
        self.findings_lock = threading.Lock()
        # The first request with a key purges: a store may have been closed for longer than keys are kept.
        self._requests_until_purge = 1
        self._bad_states = _BadStates(str(location))

    def change(self, work: Callable[[Writer], int | None], request: IdempotentRequest | None = None) -> int | None:
        """Run a change, once for each idempotency key, and return the id of what it created when that is on disk."""
        # An `ApiError` out of ``work`` undoes all of it, and the key stays free.
        if request is None:
            return self.write(work)
        # Jobs that join a run send the same key at the same moment. This read needs no write lock, so once the first
        # of them is answered the others do not wait for each other. In PostgreSQL a transaction itself begins with it.
        if isinstance(self._connections, Connections):
            earlier = self.read(lambda connection: _earlier_record(connection, request, self.now()), is_single=True)
            if earlier:
                return earlier[0]
        return self._run(self._connections.writing, lambda connection: self._apply_once(connection, work, request))

    def write(self, work: Callable[[Writer], T]) -> T:
        """Run a change in one transaction and return its value, once it is on disk."""
        return self._run(self._connections.writing, lambda connection: work(self._writer(connection)))

    def read(self, question: Callable[[StoreConnection], T], *, is_single: bool = False) -> T:
        """Run statements on one snapshot of the store and return their value; ``is_single`` for one statement."""
        return self._run(partial(self._connections.reading, is_single=is_single), question)

    def tidy(self) -> None:
        """Let new rows use the space of removed ones, which a file does anyway; others can use the store meanwhile."""
        self._connections.tidy()

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store."""
        self._connections.compact()

    def close(self) -> None:
        """Close the store for good; closing it twice is harmless."""
        self._connections.close()

    def _run(
        self, enter: Callable[[], AbstractContextManager[StoreConnection]], work: Callable[[StoreConnection], T]
    ) -> T:
        """Run ``work`` in a transaction, and again when the database rolled it back because of a concurrent one."""
        try:
            for _ in range(_MAX_ATTEMPTS):
                with suppress(TransactionRolledBackError):
                    with enter() as connection:
                        value = work(connection)
                    self._bad_states.end(has_written=enter == self._connections.writing)
                    return value
            raise try_again()
        except ApiError as error:
            self._bad_states.begin(error)
            raise

    def _apply_once(
        self, connection: StoreConnection, work: Callable[[Writer], int | None], request: IdempotentRequest
    ) -> int | None:
        now = self.now()
        earlier = _earlier_record(connection, request, now) if connection.is_postgres else []
        if earlier:
            return earlier[0]
        # The key is taken first. Of two requests with the same key the second one waits at this point until the first
        # is committed or undone: in SQLite for the write lock, in PostgreSQL for the row.
        if not connection.change(_TAKE_KEY, (request.key, request.fingerprint, now, now - _KEEP_KEYS_US)):
            return _earlier_record(connection, request, now)[0]
        record_id = work(self._writer(connection))
        if record_id is not None:
            connection.change(_SET_RECORD, (record_id, request.key))
        self._requests_until_purge -= 1
        # Two purges at once would lock the same rows in different orders.
        if self._requests_until_purge <= 0 and try_lock(connection, "purge"):
            self._requests_until_purge = _PURGE_EVERY_REQUESTS
            connection.change('DELETE FROM "applied_request" WHERE "created" < ?', (now - _KEEP_KEYS_US,))
        return record_id

    def _writer(self, connection: StoreConnection) -> Writer:
        return Writer(connection, self.now(), self._max_bytes, self.main_branch, self._are_references_strict)


class _BadStates(Struct):
    """Log when the database is gone or the disk is full, and when that is over, each in one line."""

    place: str
    since: dict[str, float] = field(default_factory=dict)  # monotonic seconds, by `ApiError.kind`
    last: float = 0.0  # monotonic seconds of the last of these errors

    def begin(self, error: ApiError) -> None:
        """Log the begin of a state, unless it has begun before."""
        if not error.kind:
            return
        now = self.last = time.monotonic()
        if self.since.setdefault(error.kind, now) == now:
            _logger.info("%s: %s", self.place, error.message)

    def end(self, *, has_written: bool) -> None:
        """Log the end of the states that a transaction without an error shows to be over."""
        # While the disk is full, reads go on, and so do small changes.
        is_roomy = has_written and time.monotonic() - self.last > _ROOMY_SECONDS
        for kind in [kind for kind in self.since if is_roomy or kind != "disk"]:
            since = self.since.pop(kind, None)
            if since is not None:  # no other thread was first
                seconds = time.monotonic() - since
                _logger.info("%s: the %s is usable again, after %.0f s", self.place, kind, seconds)


def _connections(
    location: Path | PostgresDatabase, opening: Opening, *, must_exist: bool
) -> Connections | PostgresConnections:
    if not isinstance(location, PostgresDatabase):
        if must_exist and not location.exists():
            raise StoreError(f"{location}: there is no store; name the file of one")
        return Connections(location, opening)
    try:
        from pytest_automation_report.server.store.postgres import PostgresConnections  # noqa: PLC0415 - not for files
    except ImportError as error:
        # Only a missing driver is the user's to install; an error in a module of ours is a bug and shows itself.
        if (error.name or "psycopg").partition(".")[0] not in {"psycopg", "psycopg_pool"}:
            raise
        raise StoreError(
            f"{location}: the driver for PostgreSQL is missing ({error}): pip install 'psycopg[binary,pool]>=3.1'"
        ) from error
    return PostgresConnections(location, opening, must_exist=must_exist)


def _earlier_record(connection: StoreConnection, request: IdempotentRequest, now: int) -> list[int | None]:
    """Return the id of what a request created, None for nothing; an empty list if it was not applied yet."""
    rows = connection.execute(_EARLIER, (request.key, now - _KEEP_KEYS_US))
    if any(fingerprint != request.fingerprint for fingerprint, _ in rows):
        raise validation_error({"Idempotency-Key": ["This key was used for a request with other content."]})
    return [record_id for _, record_id in rows]


# Table of mounted file systems on Linux; on other systems it is missing, and every file counts as local.
MOUNTS = Path("/proc/mounts")
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


def network_type(path: Path) -> str | None:
    """Return the type of the network file system that a file is on; None for a local file."""
    if system.is_on_share(path):
        return "a share"
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
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
    is_unknown_fuse = file_system.startswith("fuse.") and file_system not in _LOCAL_FUSE_TYPES
    return file_system if is_unknown_fuse or file_system in _NETWORK_TYPES else None


BUSY_SECONDS = 10.0  # how long SQLite waits for the lock of another process, such as a prune
# Most connections that read. Pages take four of them at most, findings and upkeep one each: others, such as an append
# that looks for its idempotency key, never wait for these.
_READERS = 8
# Page cache of a connection. Keys of tests are hashes, so an append reads pages from all over their index.
_CACHE_KIBIBYTES = 8 * 1024
# The write-ahead log is cut to this size after a large transaction; SQLite by default never makes it smaller.
_WAL_LIMIT_BYTES = 16 * 1024 * 1024
_FULL = "database or disk is full"
_STEPS = 10_000  # of SQLite's machine between two looks at the clock: about a millisecond
_MIN_FREE_BYTES = 64 * 1024  # free space that a store needs to be opened: its shared memory alone takes half of it
_OPEN_SECONDS = 10.0
_OPEN_PAUSE_SECONDS = 0.02


class SqliteConnection(StoreConnection):
    """One connection to a store file (see `StoreConnection`)."""

    is_postgres = False

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        place = f"{path.absolute().as_uri()}?mode=ro" if is_read_only else path
        # Without an isolation level Python begins no transaction by itself.
        self.raw: sqlite3.Connection = sqlite3.connect(
            place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=is_read_only
        )
        try:
            for name, value in _PRAGMAS:
                self.raw.execute(f"PRAGMA {name} = {value}")
        except sqlite3.Error:
            self.raw.close()
            raise

    def pragma(self, name: str) -> Any:  # noqa: ANN401 - a number or a text
        """Return a setting of the connection or a number in the file's header."""
        return self.raw.execute(f"PRAGMA {name}").fetchone()[0]

    def cursor(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Execute a statement and return the driver's cursor."""
        return self.raw.execute(sql, values)

    @contextmanager
    def limited(self, end: float) -> Iterator[None]:
        """Cut statements off at this monotonic time (see `StoreConnection`)."""
        self.raw.set_progress_handler(lambda: time.monotonic() >= end, _STEPS)
        try:
            yield
        except sqlite3.OperationalError as error:
            if time.monotonic() < end:
                raise
            raise TimeLimitError from error
        finally:
            self.raw.set_progress_handler(None, 0)


class Connections:
    """The connections to one store file, for several threads; raises `StoreError` for a file that is not ours."""

    driver_error: ClassVar[type[Exception]] = sqlite3.Error

    def __init__(self, path: Path, opening: Opening) -> None:
        self._path = path = system.reachable(path.parent) / path.name
        self._write_lock = threading.Lock()
        # The last one that was used is the next one, so that most processes open a single one; None is still closed.
        self._readers: LifoQueue[SqliteConnection | None] = LifoQueue()
        self._is_closed = False
        for _ in range(_READERS):
            self._readers.put(None)
        self.note = ""
        try:
            make_state_folder(path)
            # SQLite would create the file with the permissions of the umask, which others can mostly read; it gives
            # its journal the permissions of the file.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            file_system = network_type(path)
            if file_system:
                self.note = (
                    f"{path} is on a network file system ({file_system}): it is kept with a rollback journal, which is"
                    " slower, and only one machine may use it at a time"
                )
            self._writer = _prepared(path, "delete" if file_system else "wal")
            with ExitStack() as undo:
                undo.callback(self._writer.raw.close)
                migrate(self._writer, path, partial(_alone, self._writer), opening)
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: cannot be opened as a store: {_open_failure(path, error)}") from error

    @contextmanager
    def writing(self) -> Iterator[SqliteConnection]:
        """Enter a transaction that changes the store; it is committed when the block ends without an error."""
        with self._write_lock, _map_errors():
            # IMMEDIATE takes the write lock now. A lock that is taken at the first write could fail in the middle.
            self._writer.execute("BEGIN IMMEDIATE")
            with self._writer.raw:
                yield self._writer

    @contextmanager
    def reading(self, *, is_single: bool = False) -> Iterator[SqliteConnection]:
        """Enter a transaction that reads one snapshot of the store; waits while all readers are in use."""
        reader = self._readers.get()
        try:
            if self._is_closed:
                raise sqlite3.InterfaceError("the store is closed")
            reader = reader or SqliteConnection(self._path)
            with _map_errors():
                if not is_single:
                    reader.execute("BEGIN")
                with reader.raw:
                    yield reader
        finally:
            self._readers.put(reader)

    def tidy(self) -> None:
        """Do nothing: SQLite uses the space of removed rows again."""

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store."""
        with self._write_lock, _map_errors():
            try:
                self._writer.execute("VACUUM")
            finally:
                # VACUUM writes the whole file into the log. This empties the log, unless others read from it.
                ((is_busy, _, _),) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_busy:
            raise try_again()

    def close(self) -> None:
        """Close all connections, each at the end of its transaction; closing twice is harmless."""
        self._is_closed = True
        with self._write_lock:
            for reader in [self._readers.get() for _ in range(_READERS)]:
                if reader is not None:
                    reader.raw.close()
                self._readers.put(reader)
            self._writer.raw.close()


_PRAGMAS = (
    # With NORMAL, a power cut could undo commits that were answered: clients do not send those again.
    ("synchronous", "FULL"),
    ("foreign_keys", 1),  # SQLite checks none by default
    ("cache_size", -_CACHE_KIBIBYTES),
    ("journal_size_limit", _WAL_LIMIT_BYTES),
    # Appends of new tests change pages all over the index of keys, and many of them again soon: copied into the file
    # four times as seldom as by default, they cost a fifth fewer bytes on the disk.
    ("wal_autocheckpoint", 4000),
)


@contextmanager
def _map_errors() -> Iterator[None]:
    """Raise `ApiError` (429) for a transaction that SQLite rolled back because of a lock or a full disk."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _FULL in str(error):
            raise disk_full() from error
        if not _is_locked(error):
            raise
        raise try_again() from error


def _open_failure(path: Path, error: Exception) -> str:
    is_full = _FULL in str(error) or getattr(error, "errno", None) == errno.ENOSPC
    try:
        # When the shared memory of the log does not fit on the disk, SQLite reports an I/O error and no full disk.
        free = system.free_bytes(path.parent)
        is_full = is_full or ("disk I/O" in str(error) and free is not None and free < _MIN_FREE_BYTES)
    except OSError:
        return str(error)
    return "the disk is full: free space there, or set another database" if is_full else str(error)


def _is_locked(error: Exception) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def make_state_folder(path: Path) -> None:
    """Create the folder of a store's file for its owner only.

    Raises `StoreError` if another user can change the folder or the file, or if one in a project is a link.
    """
    folder, hint = path.parent, "name the place of the store with --database (automation_report_database)"
    is_ours = folder.name == STATE_FOLDER
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    for place in (folder, *files):
        # A foreign repository can contain such a link, and its target would be written.
        if is_ours and place.is_symlink():
            raise StoreError(f"{place} is a link, so that the store would be somewhere else: remove it, or {hint}")
        if reason := find_other_writers(place, is_shared=place is folder and not is_ours):
            raise ForeignPlaceError(f"{place} is not used: {reason}, or {hint}")
    if not is_ours:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    # The folder holds the server's token: `git add .` must not add it, also if no session has created the folder.
    make_ignored_folder(folder, is_ours=True)


def _prepared(path: Path, journal: str) -> SqliteConnection:
    """Return a connection to the file."""
    # The switch to the write-ahead log takes an exclusive lock, for which SQLite does not wait. So processes that open
    # a new file at the same moment have to try again here.
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        is_last = time.monotonic() > deadline
        try:
            with ExitStack() as undo:
                connection = SqliteConnection(path)
                undo.callback(connection.raw.close)
                stored_state(connection, path)  # nothing of a file that is not ours is changed
                if connection.pragma("journal_mode") != journal:
                    connection.pragma(f"journal_mode = {journal}")
                undo.pop_all()
                return connection
        except sqlite3.OperationalError as error:
            if is_last or not _is_locked(error):
                raise
            time.sleep(_OPEN_PAUSE_SECONDS)


@contextmanager
def _alone(connection: SqliteConnection) -> Iterator[None]:
    """Enter a transaction with the write lock; raises `TransactionRolledBackError` if others hold it for long."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        with connection.raw:
            yield
    except sqlite3.OperationalError as error:
        if _is_locked(error):
            raise TransactionRolledBackError from error
        raise
