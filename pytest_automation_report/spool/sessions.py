"""List the sessions in a spool, and remove those that are delivered or too old.

Pytest's process removes old sessions with this module and seldom finds one, so the modules that read a ledger are
imported in the functions that need them.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import empty_folders, hidden_folders, is_lock_taken, session_folders
from pytest_automation_report.spool.process import process_start_time
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import FinishRecord
from pytest_automation_report.spool.removal import LeftoverCounts, foreign_in, last_change_under, remove_session

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder, SessionManifest
    from pytest_automation_report.spool.ledger import LedgerState

State: TypeAlias = Literal["kept", "running", "sending", "unreadable"]
"""State of a session: no process works on it, its pytest runs, a sender holds its lock, its manifest is unreadable."""

DAY_SECONDS: Final = 24 * 3600
# The state of each session is looked up while pytest ends: of more sessions, the newer ones are left to later sessions.
_MAX_SESSIONS_LOOKED_AT: Final = 200


def state_of(folder: SessionFolder) -> State:
    """Return the state of a session."""
    if _is_locked(folder):
        return "sending"
    try:
        session = folder.read_session()
    except SpoolError:
        return "unreadable"
    return "running" if _is_running(folder, session) else "kept"


def age_of(folder: SessionFolder, now: float) -> float:
    """Return the seconds since the last write to a session; ``now`` is in seconds since 1970."""
    return max(0.0, now - max((file.stat().st_mtime for file in files_of(folder)), default=folder.path.stat().st_mtime))


def discard_session(folder: SessionFolder) -> str:
    """Remove a session that no process works on; return the reason if it stays, "" if it is gone."""
    if why := foreign_in(folder.path):
        return why
    state = state_of(folder)
    if state == "running":
        return "its pytest is still running"
    try:
        lock = None if state == "sending" else folder.locked()
    except FileNotFoundError:
        return ""  # another process has removed it meanwhile
    except SpoolError as error:
        return str(error)
    if lock is None:
        return "a sender is at work on it"
    try:
        return remove_session(folder.path)
    finally:
        os.close(lock)


def remove_empty(spool: Path) -> None:
    """Remove the folders of sessions whose removal was cut short: they hold nothing that can be sent."""
    for folder in empty_folders(spool):
        if not _is_locked(folder):
            remove_session(folder.path)


def is_delivered(folder: SessionFolder) -> bool:
    """Return whether a session is delivered as a whole, and nothing was written after its sender's last record."""
    return _delivered_state(folder) is not None


def _delivered_state(folder: SessionFolder) -> LedgerState | None:
    """Return the ledger's state of a session that `is_delivered`, else None."""
    from pytest_automation_report.spool.ledger_file import ledger_from  # noqa: PLC0415 - only where a session was left

    try:
        state = ledger_from(folder.ledger)
        # A process that outlived the sender may have written a result since: that one was not sent.
        done_ns = folder.ledger.stat().st_mtime_ns
        is_last = all(folder.written(worker).stat().st_mtime_ns <= done_ns for worker in folder.workers())
    except (OSError, SpoolError):
        return None
    kept = state.total("rejected") or state.total("held") or state.done.left or state.done.damaged
    return state if state.is_done and state.done.complete and not kept and is_last else None


def expire_old_sessions(spool: Path, own: SessionFolder, *, keep_days: int, now: float) -> LeftoverCounts:
    """Count the earlier sessions in the spool, and remove those older than ``keep_days``; 0 days keep for ever.

    A delivered session is removed, and returned if its report is missing. ``now`` is in seconds since 1970.
    """
    alone = remove_abandoned(spool, now=now)
    remove_empty(spool)
    counts = Counter[str]()
    reports: list[tuple[str, str]] = []
    others = [folder for folder in session_folders(spool) if folder.id != own.id]
    for folder in others[:_MAX_SESSIONS_LOOKED_AT]:
        try:
            is_old = 0 < keep_days * DAY_SECONDS < age_of(folder, now)
            if is_old and (why := foreign_in(folder.path)):
                alone.append(f"{folder.path.name}: {why}")
            if not (folder.has_manifest or folder.workers()) or state_of(folder) in {"running", "sending"}:
                continue
            delivered = _delivered_state(folder)
            if delivered is not None and not discard_session(folder):
                # Its pytest was killed before it could remove it, or its report failed after pytest had ended.
                if delivered.report is not None and (why := delivered.lost_report):
                    reports.append((delivered.report.file, why))
                continue
            counts["removed" if is_old and not discard_session(folder) else "kept"] += 1
        except FileNotFoundError:
            continue  # another session has removed it meanwhile
        except PermissionError:
            counts["kept"] += 1  # another user's
    return LeftoverCounts(counts["kept"], counts["removed"], tuple(alone), tuple(reports))


def remove_abandoned(spool: Path, *, now: float) -> list[str]:
    """Remove folders whose process was killed before it published them; a younger one may still be filled.

    Returns the folders that are left alone since they hold something else, too, each with the reason.
    """
    alone: list[str] = []

    def is_old(descriptor: int) -> bool:
        """Use the descriptor: meanwhile the folder may have been published, and the path may be another one's."""
        return now - last_change_under(descriptor) > DAY_SECONDS

    for folder in hidden_folders(spool):
        if not _is_own(folder):
            continue  # its owner's next session removes it
        if why := remove_session(folder.path, is_wanted=is_old):
            alone.append(f"{folder.path.name}: {why}")
    return alone


def _is_own(folder: SessionFolder) -> bool:
    try:
        return folder.path.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False  # published meanwhile


def abandoned_alone(spool: Path, *, now: float) -> list[str]:
    """Return the hidden folders that `remove_abandoned` would leave alone, each with the reason; removes nothing."""
    reasons = [(folder.path, foreign_in(folder.path)) for folder in hidden_folders(spool) if _is_own(folder)]
    return [f"{path.name}: {why}" for path, why in reasons if why and now - path.lstat().st_mtime > DAY_SECONDS]


def files_of(folder: SessionFolder) -> list[Path]:
    """Return the files of a session without the copied files of its results."""
    return [path for path in folder.path.iterdir() if path.is_file() and not path.is_symlink()]


def _is_running(folder: SessionFolder, session: SessionManifest) -> bool:
    return session.pid_birth != "" and process_start_time(session.pid) == session.pid_birth and not folder.has_ended


def _is_locked(folder: SessionFolder) -> bool:
    """Return whether a sender holds a session's lock; creates no lock file."""
    try:
        descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not is_lock_taken(descriptor)
    except OSError:
        return False  # without locks no sender can hold it; `locked` raises the error for those that want to
    finally:
        os.close(descriptor)


class SpooledSession(Struct, frozen=True):
    """One session in the spool, as ``spool list`` shows it; its JSON has the same names.

    ``age_seconds`` is the time since the last write, ``address`` the server's origin or the embedded store's path.
    ``results``, ``acknowledged``, ``rejected`` and ``held`` are numbers of results. ``trouble`` is the reason why the
    session cannot be read, empty if it can.
    """

    id: str
    state: State
    age_seconds: float
    size_bytes: int
    results: int = 0
    acknowledged: int = 0
    rejected: int = 0
    held: int = 0
    name: str = ""
    address: str = ""
    project_id: int = 0
    trouble: str = ""

    @property
    def left(self) -> int:
        """Number of results that remain to be sent; a test that never finished is not counted."""
        return max(0, self.results - self.acknowledged - self.rejected - self.held)


def read_spooled_session(folder: SessionFolder, now: float) -> SpooledSession:
    """Return one session with its counts; reads all its records, in pieces."""
    # Pytest's process removes old sessions with this module, and must not load the ledger's file for that.
    from pytest_automation_report.spool.ledger_file import ledger_from  # noqa: PLC0415 - see above

    try:
        state, size = state_of(folder), sum(file.stat().st_size for file in files_of(folder))
        age = age_of(folder, now)
    except PermissionError as error:
        age = max(0.0, now - folder.path.stat().st_mtime)
        return SpooledSession(folder.id, "unreadable", age, 0, trouble=f"{folder.path}: {error.strerror}")
    try:
        session = folder.read_session()
        ledger = ledger_from(folder.ledger)
    except SpoolError as error:
        return SpooledSession(folder.id, state, age, size, trouble=str(error))
    return SpooledSession(
        id=folder.id,
        state=state,
        age_seconds=age,
        size_bytes=size,
        results=_results(folder),
        acknowledged=ledger.total("acknowledged"),
        rejected=ledger.total("rejected"),
        held=ledger.total("held"),
        name=session.run.name,
        address=session.database if session.is_embedded else session.origin,
        project_id=session.project_id,
    )


def _results(folder: SessionFolder) -> int:
    """Return the number of final results; attempts that are followed by another one are not counted."""
    records = (placed.record for _, added in SpoolReader(folder).added() for placed in added)
    return sum(isinstance(record, FinishRecord) and record.is_final for record in records)
