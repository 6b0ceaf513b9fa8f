"""What is known about each session in the spool (floor 3), for those who ask what there is to be sent.

Apart from `keeping`, which pytest loads at each start: here a session's ledger and records are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.keeping import age_of, files_of, state_of
from pytest_automation_report.sender.book import ledger_from
from pytest_automation_report.sender.files import RecordFiles

if TYPE_CHECKING:
    from pytest_automation_report.keeping import State
    from pytest_automation_report.spool import SessionFolder


@dataclass(frozen=True, slots=True)
class KeptSession:
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


def kept_session(folder: SessionFolder, now: float) -> KeptSession:
    """Return what is known about one session; reads its records once, one after the other."""
    try:
        state, size = state_of(folder), sum(each.stat().st_size for each in files_of(folder))
        age = age_of(folder, now)
    except PermissionError as error:
        age = max(0.0, now - folder.path.stat().st_mtime)
        return KeptSession(folder.id, "unreadable", age, 0, trouble=f"{folder.path}: {error.strerror}")
    try:
        session = folder.read_session()
        accounts = ledger_from(folder.ledger).accounts.values()
    except SpoolError as error:
        return KeptSession(folder.id, state, age, size, trouble=str(error))
    return KeptSession(
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
    records = (each.record for _, added in RecordFiles(folder).added() for each in added)
    return sum(each.kind == "pass" or (each.kind == "finish" and bool(each.members["final"])) for each in records)
