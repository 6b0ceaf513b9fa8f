"""The details of a run: where it ran, whether everything arrived, threads, files."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import COLLECTED_FIELD, NOT_RUN_FIELD
from pytest_automation_report.server.pages.statuses import RUN_WORDS, parts
from pytest_automation_report.server.pages.words import attached, quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.run.head import RunFacts
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.values import StatusTable

ATTACHMENTS_SHOWN: Final = 200
"""Most fields, artifacts or links of a run that its page shows."""

MAIN_WORKER: Final = "main"
"""Name of the worker that is pytest's own process."""

_WORKER: Final = "Worker"
_SHOWN_APART: Final = frozenset(
    {"Branch", "Commit", "Commit subject", "Commits", "Packages", COLLECTED_FIELD, NOT_RUN_FIELD}
)
_RAIL_FIELDS: Final = ("Python", "pytest", "Platform", "Machine", "CI")


class WorkerNames:
    """Names of the threads of a run: those of pytest-xdist's workers, else their numbers."""

    def __init__(self, names: Mapping[int, str], positions: Mapping[int, int]) -> None:
        self._names = names
        self._positions = positions

    def name(self, thread: int) -> str:
        """Return the name of a thread; empty for one that the page does not read."""
        name = self._names.get(thread)
        if name:
            return name
        position = self._positions.get(thread)
        return f"thread {position}" if position is not None and len(self._positions) > 1 else ""


def worker_names(record: RunRecord) -> WorkerNames:
    """Return the names of a run's threads; a name that several jobs have for a worker has the thread's number, too.

    The only thread of a run needs no name if it is pytest's own process: *main* reads like a branch.
    """
    names: dict[int, str] = {}
    for entry in record.attachments:
        if entry["thread"] is not None and entry["kind"] == "fields":
            field = json.loads(entry["body"])
            if field.get("name") == _WORKER and field.get("value"):
                names[entry["thread"]] = str(field["value"])
    positions = {row["id"]: row["position"] for row in record.threads}
    if record.row["thread_count"] == 1 and MAIN_WORKER in names.values():
        names.clear()
    repeated = Counter(names.values())
    names = {
        thread: f"{name}, thread {positions[thread]}" if repeated[name] > 1 and thread in positions else name
        for thread, name in names.items()
    }
    return WorkerNames(names, positions)


def where_it_ran(facts: RunFacts, counts: RunNumbers) -> list[tuple[str, str]]:
    """Return the few facts of the rail."""
    values = [(name, facts.field(name)) for name in _RAIL_FIELDS]
    shown = [(name, value) for name, value in values if value]
    collected = _collected(facts, counts)
    return [*shown, *([] if collected is None else [(COLLECTED_FIELD, _arrived(counts, collected))])]


def details_of(facts: RunFacts, counts: RunNumbers, workers: WorkerNames) -> Json:
    """Return the values of the view of the details."""
    record = facts.record
    fields = attached(record, "fields")
    collected = _collected(facts, counts)
    threads = [_thread(record, row, facts.statuses, workers) for row in record.threads]
    return {
        "fields": [field for field in fields if field["name"] not in _SHOWN_APART][:ATTACHMENTS_SHOWN],
        "packages": facts.field("Packages").splitlines(),
        "artifacts": attached(record, "artifacts")[:ATTACHMENTS_SHOWN],
        "threads": threads,
        "hidden_threads": max(0, record.row["thread_count"] - len(threads)),
        "expected": collected,
        "reported": counts.finished,
        "is_complete": collected == counts.finished,
        "not_run": counts.not_run,
        "workers": [(thread["name"], thread["total"]) for thread in threads][:16],
    }


def _collected(facts: RunFacts, counts: RunNumbers) -> int | None:
    """Return the number of collected tests; at least that of the results if there are threads that are not read."""
    record = facts.record
    return facts.number(COLLECTED_FIELD) if record.row["thread_count"] <= len(record.threads) else counts.collected


def _arrived(counts: RunNumbers, collected: int) -> str:
    """Return in words whether each of the collected tests has a result."""
    missing = collected - counts.finished
    if missing < 0:
        # Of modules that cannot be collected, or several of one test: nothing says how many tests these results are of.
        return f"{collected:,}, {quantity(counts.finished, 'result')}"
    if not missing:
        return f"{collected:,}, all reported"
    if counts.is_open:
        return f"{collected:,}, {missing:,} to come"
    return f"{collected:,}, {quantity(missing, 'test')} without a result"


def _thread(record: RunRecord, row: Mapping[str, Any], table: StatusTable, workers: WorkerNames) -> Json:
    word, tone = RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    observed = row["elapsed_observed"]
    fields = attached(record, "fields", row["id"])
    return {
        "position": row["position"],
        "name": workers.name(row["id"]) or f"thread {row['position']}",
        "word": word,
        "tone": tone,
        "parts": parts(row, table),
        "total": row["total_count"],
        "elapsed": row["elapsed_computed"] if observed is None else observed,
        "fields": [field for field in fields if field["name"] != _WORKER],
        "artifacts": attached(record, "artifacts", row["id"]),
    }
