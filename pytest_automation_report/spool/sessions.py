"""What sessions have left in the spool: counted, and removed when nobody works on it.

What is known about each session in the spool, for those who ask what there is to be sent.

Apart from `keeping`, which pytest loads at each start: here a session's ledger and records are read.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import empty_folders, hidden_folders, is_lock_taken, session_folders
from pytest_automation_report.spool.liveness import process_start_time
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.removal import foreign_in, last_change_under, remove_session

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.manifest import SessionManifest

State: TypeAlias = Literal["kept", "running", "sending", "unreadable"]
"""What is with a session: nobody works on it, its pytest runs, a sender is at work, it cannot be read."""

DAY_SECONDS: Final = 24 * 3600
_MOST_LOOKED_AT: Final = 200


@dataclass(frozen=True, slots=True)
class LeftoverCounts:
    """How many earlier sessions are kept, and how many were removed since they were kept for too long.

    ``alone`` names the folders that are as old and look like a session's, but hold something else, each with what.
    """

    kept: int = 0
    removed: int = 0
    alone: tuple[str, ...] = ()


def state_of(folder: SessionFolder) -> State:
    """Return what is with a session."""
    if _is_locked(folder):
        return "sending"
    try:
        session = folder.read_session()
    except SpoolError:
        return "unreadable"
    return "running" if _is_running(folder, session) else "kept"


def age_of(folder: SessionFolder, now: float) -> float:
    """Return the seconds since anything was written to a session; ``now`` is the system's clock."""
    return max(0.0, now - max((each.stat().st_mtime for each in files_of(folder)), default=folder.path.stat().st_mtime))


def discard_session(folder: SessionFolder) -> str:
    """Remove a session that nobody works on; return why it was not removed, empty when it was."""
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
    """Remove what is left of sessions whose folders another process did not remove to the end; nobody can send it."""
    for folder in empty_folders(spool):
        if not _is_locked(folder):
            remove_session(folder.path)


def is_delivered(folder: SessionFolder) -> bool:
    """Whether all of a session has arrived, and nothing was written after its sender has noted that."""
    from pytest_automation_report.spool.ledger_file import ledger_from  # noqa: PLC0415 - only where a session was left

    try:
        state = ledger_from(folder.ledger)
        noted = folder.ledger.stat().st_mtime_ns
        is_last = all(folder.written(each).stat().st_mtime_ns <= noted for each in folder.workers())
    except (OSError, SpoolError):
        return False
    kept = state.total("rejected") or state.total("held") or state.done.get("left") or state.done.get("damaged")
    return state.is_done and bool(state.done.get("complete")) and not kept and is_last


def expire_old_sessions(spool: Path, own: SessionFolder, *, keep_days: int, now: float) -> LeftoverCounts:
    """Count the sessions that earlier ones have left, and remove those kept for longer; 0 days keep for ever."""
    alone = remove_abandoned(spool, now=now)
    remove_empty(spool)
    counts = Counter[str]()
    others = [each for each in session_folders(spool) if each.id != own.id]
    for folder in others[:_MOST_LOOKED_AT]:
        try:
            is_old = 0 < keep_days * DAY_SECONDS < age_of(folder, now)
            if is_old and (why := foreign_in(folder.path)):
                alone.append(f"{folder.path.name}: {why}")
            if not (folder.has_manifest or folder.workers()) or state_of(folder) in {"running", "sending"}:
                continue
            if is_delivered(folder) and not discard_session(folder):
                continue  # its pytest was killed before it could remove it: neither kept nor lost
            counts["removed" if is_old and not discard_session(folder) else "kept"] += 1
        except FileNotFoundError:
            continue  # another session has removed it meanwhile
        except PermissionError:
            counts["kept"] += 1  # by another user, to whom it is left
    return LeftoverCounts(counts["kept"], counts["removed"], tuple(alone))


def remove_abandoned(spool: Path, *, now: float) -> list[str]:
    """Remove folders that were never filled to their end and that nobody has touched for a day.

    Returns those that are left alone since not all in them is a session's, each with the reason.
    """
    alone: list[str] = []

    def is_old(descriptor: int) -> bool:
        """Ask the folder itself: it may have been completed and shown while its path was looked at."""
        return now - last_change_under(descriptor) > DAY_SECONDS

    for folder in hidden_folders(spool):
        if not _is_own(folder):
            continue  # to its owner it may be a session that has just begun
        if why := remove_session(folder.path, is_wanted=is_old):
            alone.append(f"{folder.path.name}: {why}")
    return alone


def _is_own(folder: SessionFolder) -> bool:
    try:
        return folder.path.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False  # it has just been shown


def abandoned_alone(spool: Path, *, now: float) -> list[str]:
    """Return the hidden folders that `remove_abandoned` would leave alone, each with the reason; removes nothing."""
    found = [(each, foreign_in(each.path)) for each in hidden_folders(spool) if _is_own(each)]
    return [f"{each.path.name}: {why}" for each, why in found if why and now - each.path.lstat().st_mtime > DAY_SECONDS]


def files_of(folder: SessionFolder) -> list[Path]:
    """Return the files of a session, apart from those of its results."""
    return [each for each in folder.path.iterdir() if each.is_file() and not each.is_symlink()]


def _is_running(folder: SessionFolder, session: SessionManifest) -> bool:
    return session.pid_birth != "" and process_start_time(session.pid) == session.pid_birth and not folder.has_ended


def _is_locked(folder: SessionFolder) -> bool:
    """Whether a sender holds a session; asked without leaving a file behind."""
    try:
        descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not is_lock_taken(descriptor)
    except OSError:
        return False  # without locks no sender can hold it; who wants to work on the session is told by `locked`
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class SpooledSession:
    """One session in the spool; ``age_seconds`` since anything was written to it, numbers are of results.

    ``left`` are those that no server has as far as is known, and that were not rejected or held: a test that never
    finished is not among them. ``trouble`` says why a session cannot be read.
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
        """Number of results that are to be sent."""
        return max(0, self.results - self.acknowledged - self.rejected - self.held)


def read_spooled_session(folder: SessionFolder, now: float) -> SpooledSession:
    """Return what is known about one session; reads its records once, one after the other."""
    # Pytest's process removes old sessions with this module, and must not load the ledger's file for that.
    from pytest_automation_report.spool.ledger_file import ledger_from  # noqa: PLC0415 - see above

    try:
        state, size = state_of(folder), sum(each.stat().st_size for each in files_of(folder))
        age = age_of(folder, now)
    except PermissionError as error:
        age = max(0.0, now - folder.path.stat().st_mtime)
        return SpooledSession(folder.id, "unreadable", age, 0, trouble=f"{folder.path}: {error.strerror}")
    try:
        session = folder.read_session()
        accounts = ledger_from(folder.ledger).accounts.values()
    except SpoolError as error:
        return SpooledSession(folder.id, state, age, size, trouble=str(error))
    return SpooledSession(
        id=folder.id,
        state=state,
        age_seconds=age,
        size_bytes=size,
        results=_results(folder),
        acknowledged=sum(each.acknowledged.count for each in accounts),
        rejected=sum(each.rejected.count for each in accounts),
        held=sum(each.held.count for each in accounts),
        name=session.run.name,
        address=session.database if session.is_embedded else session.origin,
        project_id=session.project_id,
    )


def _results(folder: SessionFolder) -> int:
    """Return the number of results that have ended."""
    records = (each.record for _, added in SpoolReader(folder).added() for each in added)
    return sum(each.kind == "pass" or (each.kind == "finish" and bool(each.members["final"])) for each in records)
