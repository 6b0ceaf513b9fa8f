"""Read what the jobs of a run ran of what they collected (`findings.wholeness`)."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict

from pytest_automation_report.findings.comparison import Share, wholeness_of

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection

# A session's threads have the time of its start in common.
_THREADS: Final = (
    'SELECT "id", "job", "attempt", "session_started", "collection" FROM "thread" WHERE "run_id" = ?'
    ' AND "job" IS NOT NULL AND "collection" IS NOT NULL ORDER BY "id"'
)
# Not those that are only named since they did not run, whose status is 1 in the contract.
_CASES: Final = 'SELECT "thread_id", "case_id", "folder", "name" FROM "result" WHERE "run_id" = ? AND "status" <> 1'


def wholeness(connection: StoreConnection, run_id: int) -> Json | None:
    """Return how many tests of a run were collected, are missing and came twice, and from which jobs.

    None if its sessions do not say what they collected, as those of a run that no jobs share.
    """
    threads = connection.execute(_THREADS, (run_id,))
    if not threads:
        return None
    cases: dict[int, set[int]] = defaultdict(set)
    for thread_id, case_id, folder, name in connection.execute(_CASES, (run_id,)):
        # A module that could not be collected, or skipped itself, is no test.
        if folder != name and not folder.endswith(f".{name}"):
            cases[thread_id].add(case_id)
    sessions: dict[tuple[str, int, int, str], set[int]] = defaultdict(set)
    for thread_id, job, attempt, started, collection in threads:
        sessions[job, attempt, started or thread_id, collection] |= cases[thread_id]
    shares = []
    for (job, attempt, _, text), ran in sessions.items():
        collection = json.loads(text)
        shares.append(
            Share(job, attempt, collection["digest"], collection["tests"], collection["chosen"], frozenset(ran))
        )
    found = wholeness_of(shares)
    return None if found is None else asdict(found)
