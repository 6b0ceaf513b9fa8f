"""The folders of the spool, one for each session, and the processes that work on a session.

``session.json`` is the manifest: the run and its destination, never the token. Each process that writes has one
``WORKER.records`` file; ``files`` holds the files of results. The sender adds ``ledger``, ``lock``, ``sender.log`` and
``rejected.jsonl``. Folders have mode 0700, files 0600. A folder has a hidden name until its manifest is complete.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from contextlib import contextmanager, suppress
from io import FileIO
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.json import Decoder as JsonDecoder

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Field, Int64, Json, NewRun, decode, encode
from pytest_automation_report.errors import ForeignPlaceError, SpoolError
from pytest_automation_report.spool.records import FORMAT, SPOOL_KINDS, Decoder, EndRecord
from pytest_automation_report.spool.writer import COPY, SESSION_FILE, ManifestFile, SpoolWriter
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import (
    STATE_FOLDER,
    Disk,
    find_other_writers,
    make_ignored_folder,
    read_file,
    write_draft,
)
from pytest_automation_report.text.limits import sanitize
from pytest_automation_report.unpatched import Unpatched, lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_automation_report.spool.records import PositionedRecord

SESSION_ID_FIELD: Final = "Session id"
"""Name of the run's field by which a sender finds the session's run again, if the response to its creation was lost."""

RECORDS_SUFFIX: Final = ".records"
# Names of the leading process's file: with xdist, where it runs no tests, and without.
CONTROLLER: Final = "controller"
MAIN: Final = "main"
NOT_RUN: Final = "not-run"
"""Name of the file with the tests that were collected, and of the thread of those that were not run."""

FOLDER: Final = "files"  # of the files of results, in a session's folder

_FILE_NAME: Final = lazy_pattern(r"[A-Za-z0-9_-]{1,80}")
_SESSION_NAME: Final = lazy_pattern(r"\.?[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
# A manifest has some kilobytes; a foreign one may have any size.
_MAX_MANIFEST_BYTES: Final = 16 << 20
_END_BYTES: Final = 1 << 16
# With the copy of a ledger, which a killed process did not rename.
OF_SENDER: Final = frozenset({"ledger", f"ledger{COPY}", "sender.log", "lock", "report.html"})


def is_spooled_name(name: str) -> bool:
    """Whether a file in the spool may have this name; a forged record can have any."""
    return _FILE_NAME.fullmatch(name) is not None


def new_session_name() -> str:
    """Return the name of a session that starts now."""
    return f"{Unpatched.utc():%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"


def is_session_name(name: str) -> bool:
    """Whether a folder of this name can be a session's, published or hidden."""
    return _SESSION_NAME.fullmatch(name) is not None


class SessionFolder:
    """One session's folder, with the paths of its files: ``rejected`` has what the server refused, for people."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name.lstrip(".")
        self.ledger = path / "ledger"
        self.log = path / "sender.log"
        self.rejected = path / "rejected.jsonl"
        self.report = path / "report.html"
        # The manifest that this object wrote or read, and its time, to restore it if a test deletes it.
        self._known: tuple[SessionManifest, int] | None = None
        # The folder's lock, if this object has it.
        self.lock: Lock | None = None

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest is there: not on another host, and not while a test has deleted it."""
        return self._session_path.exists()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to send: the folder holds at most the sender's own files."""
        try:
            return OF_SENDER.issuperset(os.listdir(self.path))  # noqa: PTH208 - as fast as it can be
        except OSError:
            return False  # gone, or another user's: opening it raises the error

    @property
    def began_ns(self) -> int:
        """The time when the session was spooled, by the disk's clock, in nanoseconds since 1970."""
        return self._session_path.stat().st_mtime_ns

    @property
    def _session_path(self) -> Path:
        """The manifest, or the longest copy of it if every process died before renaming its copy."""
        path = self.path / SESSION_FILE
        if path.exists():
            return path
        return max(self.path.glob(f"{SESSION_FILE}{COPY}*"), key=lambda copy: copy.lstat().st_size, default=path)

    def records(self, worker: str) -> Path:
        """Return the path of a worker's records."""
        return self.path / (worker + RECORDS_SUFFIX)

    def written(self, worker: str) -> Path:
        """Return the path to read a worker's records from: a copy, if its process died before renaming that."""
        path = self.records(worker)
        copy = path.with_name(path.name + COPY)
        return copy if not is_regular(path) and is_regular(copy) else path

    @property
    def has_ended(self) -> bool:
        """Whether the leading process has written the session's END."""
        leading = [path for path in (self.records(CONTROLLER), self.records(MAIN)) if is_regular(path)]
        return any(isinstance(placed.record, EndRecord) for path in leading for placed in head_and_tail(path)[1])

    def workers(self) -> list[str]:
        """Return the names of all workers with a regular file, sorted."""
        try:
            names = {path.name.removesuffix(COPY) for path in self.path.iterdir() if is_regular(path)}
        except FileNotFoundError:
            return []  # a test has deleted it: the next process that writes a record creates it again
        return sorted(name.removesuffix(RECORDS_SUFFIX) for name in names if name.endswith(RECORDS_SUFFIX))

    def writer(self, worker: str) -> SpoolWriter:
        """Return a writer of this worker's records, which restores the session if a test deletes it."""
        if self._known is None and self.has_manifest:
            self.read_session()
        return SpoolWriter(self.records(worker), None if self._known is None else self.restorable(self._known[0]))

    def write_session(self, session: SessionManifest) -> None:
        """Write ``session.json``."""
        write_draft(Disk(), os.fspath(self.path / SESSION_FILE), [encode(session)])
        self._known = session, self.began_ns

    def bind(self, session: SessionManifest) -> None:
        """Replace ``session.json`` by one with a destination, under the folder's lock; its time stays."""
        path = self.path / SESSION_FILE
        began_ns = self.began_ns
        file = ManifestFile(os.fspath(path), encode(session), began_ns, ())
        try:
            file.write_copy(Disk(), is_durable=True)
            file.show(Disk())
        except OSError as error:
            raise SpoolError(f"{path}: cannot be written: {error.strerror or error}") from error
        self._known = session, began_ns

    def restore(self, session: SessionManifest) -> None:
        """Create the folder and ``session.json`` again if a test has deleted them; raises `OSError` if that fails."""
        self.restorable(session).restore(Disk())

    def restorable(self, session: SessionManifest) -> ManifestFile:
        """Return the manifest to restore: as this object wrote or read it, else the given one."""
        manifest, written_ns = self._known or (session, 0)
        ignored = tuple(map(os.fspath, _ignored_with(self.path.parent)))
        return ManifestFile(os.fspath(self.path / SESSION_FILE), encode(manifest), written_ns, ignored)

    def read_session(self) -> SessionManifest:
        """Read the manifest; raises `SpoolError` if it is missing, unreadable or of another format."""
        path = self.path / SESSION_FILE
        try:
            path = self._session_path
            text = read_file(path, _MAX_MANIFEST_BYTES, is_foreign=True)
            format_ = decode(text, _ANY_MANIFEST).format
            if format_ != FORMAT:
                raise SpoolError(f"{path}: written by another version (format {format_}, this version reads {FORMAT})")
            session = decode(text, _MANIFEST)
            self._known = session, self.began_ns
        except FileNotFoundError as error:
            raise SpoolError(f"{self.path}: no session was spooled here (no {SESSION_FILE})") from error
        except OSError as error:
            raise SpoolError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise SpoolError(f"{path}: cannot be read: {error}") from error
        return session

    def publish(self) -> SessionFolder:
        """Rename the hidden folder to its final name, and return it: senders may send it now."""
        path = self.path.with_name(self.id)
        self.path.rename(path)
        published = SessionFolder(path)
        published._known = self._known
        return published


def new_session_folder(spool: Path, name: str) -> SessionFolder:
    """Create the folder of a new session, hidden: senders pass over it until it is published. Raises `SpoolError`."""
    try:
        check_place(spool)
        for folder in _ignored_with(spool):
            make_ignored_folder(folder)
        path = system.reachable(spool) / f".{name}"
        path.mkdir(mode=0o700)
    except OSError as error:
        raise SpoolError(f"the spool folder {spool} cannot be used: {error.strerror or error}") from error
    return SessionFolder(path)


def check_place(spool: Path) -> None:
    """Raise `SpoolError` for a spool that another user can change, or a link in a project's place for it.

    A foreign repository may contain the link, to have another place used.
    """
    hint = "name another folder for the spool with automation_report_spool"
    for folder in _ignored_with(spool):
        is_ours = spool.parent.name == STATE_FOLDER
        if is_ours and folder.is_symlink():
            raise SpoolError(f"{folder} is a link: remove it, or {hint}")
        if reason := find_other_writers(folder, is_shared=not is_ours):
            raise ForeignPlaceError(f"the spool {folder} is not used: {reason}, or {hint}")


def _ignored_with(spool: Path) -> tuple[Path, ...]:
    return (spool.parent, spool) if spool.parent.name == STATE_FOLDER else (spool,)


class Lock(FileIO):
    """The lock of a session's folder, which this process holds until it closes the file."""


def is_regular(path: Path) -> bool:
    """Whether a regular file has this path."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def bytes_from(path: Path, offset: int, *, piece_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Yield the bytes of a file from this offset on, in pieces."""
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(piece_bytes):
            yield piece


def head_and_tail(path: Path) -> tuple[list[PositionedRecord], list[PositionedRecord]]:
    """Return the records in the first and in the last 64 KiB of a file, without reading the rest."""
    with path.open("rb") as file:
        first = Decoder(SPOOL_KINDS).feed(file.read(_END_BYTES))
        size = file.seek(0, os.SEEK_END)
        if size <= _END_BYTES:
            return first, first
        file.seek(size - _END_BYTES)
        return first, Decoder(SPOOL_KINDS).feed(file.read(_END_BYTES))


class SessionManifest(Struct, frozen=True, omit_defaults=True, tag_field="format", tag=FORMAT):
    """The run that one session reports, and its destination."""

    id: str
    # Scheme, host and port of the server. Empty, or 0 for the project, if the settings had no usable one: then
    # ``automation-report send`` decides it.
    origin: str
    project_id: Int64
    # Path of the embedded store, empty for a remote server.
    database: str
    run: NewRun
    # Id of a run that exists already, None if the session creates its run.
    joined_run: Int64 | None
    # The recording options, for the results that only the sender can create.
    options: Json = field(name="rules")
    # Pytest's process, and its start time: ids are used again. "" where the system does not show start times.
    pid: Int64
    pid_birth: str = ""
    # This session completes the joined run. Others leave that to the one who created it.
    is_closing: bool = False
    # False if the times of the records do not come from a clock: `submit` makes them up from durations.
    is_measured: bool = True
    # The tag by which jobs find the run that they share, empty if the run is the session's alone.
    run_tag: str = ""
    # Whether this job creates the shared run, None if the CI provider does not number its jobs.
    is_first: bool | None = None
    # The job runs a shard: what asks for its cut creates the shared run, or the sender once the tests are known.
    is_cut: bool = False
    # A sender was started with the session: unlike one that is kept for later, the next session delivers it.
    is_followed: bool = False
    # Fields of each thread, to show whose it is in a run of several jobs.
    thread_fields: tuple[Field, ...] = ()
    # The job of each thread in such a run, as `api.models.JOB` describes it; empty for a separate run.
    job: Json = field(default_factory=dict)
    # Of an imported session with results of several hosts: which host's a worker's records are.
    hosts: Mapping[str, str] = field(default_factory=dict)
    # When the session's clock began, in microseconds since 1970, 0 if unknown.
    started_us: Int64 = 0
    # The commits that led to the run's, as `api.models.ANCESTORS` has them.
    ancestors: tuple[str, ...] = ()
    # Path of the HTML file for the report of the run, empty for none.
    report: str = ""
    # Pytest's summary shows the digest of the run.
    has_digest: bool = False

    @property
    def has_destination(self) -> bool:
        """Whether server and project are known."""
        return bool(self.origin and self.project_id)

    @property
    def is_embedded(self) -> bool:
        """Whether the session's results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN

    @property
    def is_pytest_alive(self) -> bool:
        """Whether pytest's process lives; False where the system does not show start times."""
        return self.pid_birth != "" and system.process_start_time(self.pid) == self.pid_birth


class _AnyManifest(Struct):
    """The part of a manifest that every version has."""

    format: Int64


_ANY_MANIFEST: Final = JsonDecoder(_AnyManifest)
_MANIFEST: Final = JsonDecoder(SessionManifest)


# Removed after all others, in this order. A process that dies in between must leave nothing that is sent twice: as long
# as there are records, there is the ledger that shows which of them were sent, and its lock.
_LAST: Final = ("session.json", "ledger", "sender.log", "lock")
_OTHER_NAMES: Final = OF_SENDER | {SESSION_FILE, "rejected.jsonl"}
_SHOWN_NAMES: Final = 3
_NO_FOLDER: Final = (FileNotFoundError, NotADirectoryError)  # the latter also for a link


def remove_session(
    folder: Path,
    lock: Lock | None = None,
    *,
    is_own: bool = False,
    is_dry: bool = False,
    unwritten_since: float | None = None,
) -> str:
    """Remove a session's folder; return why it, or a part of it, is still there, "" if it is gone.

    Nothing is removed if anything in it is not a session's or not this user's, or was written after ``unwritten_since``
    (seconds since 1970, no reason), nor with ``is_dry``, which only asks for the reason. With ``is_own``, for the
    process that created or delivered the session, the session's files are removed and others stay. ``lock`` is the
    folder's, if this process has it.
    """
    try:
        with _opened(folder) as (spool, opened):
            # Of the open folder: meanwhile it may have been published, and the path may be another one's.
            statuses = (opened.status(), *_contents(opened).values())
            if unwritten_since is not None and max(status.st_mtime for status in statuses) > unwritten_since:
                return ""
            why = "" if is_own else _foreign_under(opened)
            if why or is_dry:
                return why
            _empty(opened, lock)
            # Asked again, since another process may have written a file after the check.
            left = _contents(opened)
            if not left:
                spool.remove_folder(folder.name)
            has_files = any("/" in name for name in left)
            return _reason([name for name in left if not (has_files and name == FOLDER)])
    except FileNotFoundError:
        return ""
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[system.Folder, system.Folder]]:
    """Yield the spool and a session's folder; raises `SpoolError` for anything else."""
    if not is_session_name(folder.name):
        raise SpoolError("it is not named like a session")
    with system.Folder(os.path.realpath(folder.parent)) as spool:
        if not stat.S_ISDIR(spool.status(folder.name).st_mode):
            raise SpoolError("it is a link or a file, not a session's folder")
        with system.Folder(folder.name, inside=spool) as opened:
            yield spool, opened


def _contents(opened: system.Folder) -> dict[str, os.stat_result]:
    """Return the status of everything in an open folder by its name, files of results as ``files/NAME``."""
    found = _statuses(opened)
    with suppress(*_NO_FOLDER), system.Folder(FOLDER, inside=opened) as files:
        found |= {f"{FOLDER}/{name}": status for name, status in _statuses(files).items()}
    return found


def _statuses(opened: system.Folder) -> dict[str, os.stat_result]:
    found = {}
    for name in opened.names():
        with suppress(FileNotFoundError):  # another process removes the same session
            found[name] = opened.status(name)
    return found


def _foreign_under(opened: system.Folder) -> str:
    """Return why an open folder is not removed: what no session creates in it, or another owner."""
    contents = _contents(opened)
    if why := _reason([name for name, status in contents.items() if not _is_ours(name, status)]):
        return why
    if not system.is_own(own := opened.status()):
        return f"it belongs to user {own.st_uid}"
    for name, status in contents.items():
        if not system.is_own(status):
            return f"{sanitize(name)} in it belongs to user {status.st_uid}"
    return ""


def _is_ours(name: str, status: os.stat_result) -> bool:
    folder, _, file = name.rpartition("/")
    if name == FOLDER:
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISREG(status.st_mode) and (is_spooled_name(file) if folder else _is_session_file(name))


# Without regular expressions, which each session would compile to remove its folder.
def _is_session_file(name: str) -> bool:
    number = name.removeprefix("session.json~")
    is_copy = number != name and (not number or (number.isascii() and number.isdigit()))
    return name in _OTHER_NAMES or is_copy or _is_records(name)


def _is_records(name: str) -> bool:
    worker = name.removesuffix("~")
    return worker.endswith(RECORDS_SUFFIX) and worker != RECORDS_SUFFIX


def _empty(opened: system.Folder, lock: Lock | None) -> None:
    """Remove the session's files from an open folder: records first, the files of `_LAST` last."""
    names = [name for name, status in _statuses(opened).items() if name != FOLDER and _is_ours(name, status)]
    _unlink([name for name in names if _is_records(name)], opened)
    with suppress(*_NO_FOLDER), system.Folder(FOLDER, inside=opened) as files:
        _unlink([name for name in files.names() if is_spooled_name(name)], files)
        with suppress(OSError):  # something else is in it
            opened.remove_folder(FOLDER)
    _unlink([name for name in names if not _is_records(name) and name not in _LAST], opened)
    if lock is not None and system.IS_CLOSED_FIRST:
        lock.close()
    _unlink([name for name in _LAST if name in names], opened)


def _unlink(names: Sequence[str], opened: system.Folder) -> None:
    """Remove the regular files with these names; links and folders stay."""
    for name in names:
        with suppress(FileNotFoundError):  # another process removes the same session
            if stat.S_ISREG(opened.status(name).st_mode):
                opened.remove(name)


def _reason(names: Sequence[str]) -> str:
    return f"it holds {name_some(sorted(names))}, which no session writes" if names else ""


def name_some(names: Sequence[str]) -> str:
    """Return the first names as a list for people, with the number of those that are left out."""
    shown, more = [sanitize(name) for name in names[:_SHOWN_NAMES]], len(names) - _SHOWN_NAMES
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
