"""Counts of a session from what its processes wrote (floor 3): the numbers that must add up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import Test
from pytest_automation_report.recording.failures import FAILED, SHOWN, FailedTest, Failures
from pytest_automation_report.recording.synthetic_results import UNTESTED
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, bytes_from, head_and_tail
from pytest_automation_report.spool.records import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.ledger import LedgerState

_LEADING: Final = frozenset({CONTROLLER, MAIN})


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """One worker: results by its own count, results that its file led to, and what became of them.

    ``threads`` is the number of threads that the server has for it.
    """

    worker: str
    reported: int
    seen: int
    acknowledged: int
    rejected: int
    held: int
    threads: int

    @property
    def left(self) -> int:
        """Number of results that are kept to be sent."""
        return self.seen - self.acknowledged - self.rejected - self.held


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """A session's numbers.

    ``expected`` is the number of tests that were to run (``None`` when collection did not end), ``modules`` how many
    results stand for modules, ``counts`` are by pytest's statuses, ``repeated`` names tests that share a key, ``told``
    is what processes have to tell about their users' annotations and hooks, ``failures`` are the first ones.
    """

    run: int | None
    lanes: tuple[WorkerCounts, ...]
    counts: Mapping[str, int]
    expected: int | None
    modules: int
    repeated: tuple[tuple[str, int], ...]
    is_done: bool
    is_complete: bool
    damaged: int
    faults: tuple[str, ...] = field(default=())
    told: tuple[str, ...] = field(default=())
    failures: tuple[FailedTest, ...] = field(default=())

    @property
    def seen(self) -> int:
        """Number of results."""
        return sum(each.seen for each in self.lanes)

    @property
    def acknowledged(self) -> int:
        """Number of results that the server has confirmed."""
        return sum(each.acknowledged for each in self.lanes)

    @property
    def rejected(self) -> int:
        """Number of results that the server will not take."""
        return sum(each.rejected for each in self.lanes)

    @property
    def held(self) -> int:
        """Number of results of which nobody can tell whether they arrived."""
        return sum(each.held for each in self.lanes)

    @property
    def left(self) -> int:
        """Number of results that are kept to be sent."""
        return sum(each.left for each in self.lanes)

    @property
    def threads(self) -> int:
        """Number of threads of the run that this session made."""
        return sum(each.threads for each in self.lanes)

    @property
    def not_run(self) -> int:
        """Number of tests that were collected and have no result; negative when there are more results than tests."""
        return 0 if self.expected is None else self.expected - self.reported

    @property
    def reported(self) -> int:
        """Number of tests that were run and have a result."""
        return self.seen - self.modules - self.counts.get(UNTESTED, 0)

    @property
    def mismatches(self) -> list[str]:
        """What does not add up: each a defect of ours or of the disk."""
        found = [
            f"{each.worker} recorded {each.reported} results, its file holds {each.seen}"
            for each in self.lanes
            if self.is_done and each.seen < each.reported
        ]
        if self.not_run < 0:
            found.append(f"{-self.not_run} more results than tests")
        if self.is_done and self.is_complete and self.left:
            found.append(f"{self.left} results are neither confirmed nor refused")
        if self.damaged:
            found.append(f"{self.damaged} damaged records in the spool")
        return found

    @property
    def is_removable(self) -> bool:
        """Whether the spool holds nothing that anyone could still need."""
        return self.is_done and self.is_complete and not (self.rejected or self.held or self.left or self.damaged)


def tally_from(
    folder: SessionFolder,
    state: LedgerState,
    own: Mapping[str, int],
    *,
    modules: int,
    is_each: bool,
    kept: Sequence[FailedTest] = (),
) -> SessionCounts:
    """Return the session's numbers.

    ``own`` are the results by status of the leading process; ``is_each`` that every worker was to run every test,
    ``kept`` the failures that the leading process knows of besides its own file: tests whose worker crashed.
    """
    lanes, collected, totals, faults, failures = [], [], Counter(own), [], list(kept)
    repeated: tuple[tuple[str, int], ...] = ()
    told: dict[str, None] = {}
    workers = folder.workers()
    for worker in workers:
        account, accounted = state.account(worker), state.lanes.get(worker, {})
        first, last = head_and_tail(folder.written(worker))
        noted = next((each.record.members for each in (*last, *first) if each.record.kind == "collected"), None)
        if noted is not None:
            collected.append(int(noted["count"]))
            repeated = repeated or tuple((str(name), int(count)) for name, count in noted["repeated"])
        closing = next((each.record.members for each in last if each.record.kind == "close"), None)
        closing = closing or _closing_of(folder.written(worker))
        counts = Counter(closing["counts"])
        faults.extend(closing.get("texts", ()))
        told.update(dict.fromkeys(closing.get("told", ())))
        failures.extend(FailedTest.from_json(each) for each in closing.get("failures", ()))
        if worker not in _LEADING:
            totals.update(counts)
        reported = sum(counts.values())
        lanes.append(
            WorkerCounts(
                worker=worker,
                reported=reported,
                seen=accounted.get("seen", reported) if state.is_done else reported,
                acknowledged=account.acknowledged.count,
                rejected=account.rejected.count,
                held=account.held.count,
                threads=len(account.threads),
            )
        )
    if state.is_done:
        totals = Counter()
        for each in state.lanes.values():
            totals.update(each["counts"])
    return SessionCounts(
        run=state.run,
        lanes=tuple(lanes),
        counts=dict(totals),
        expected=_expected(collected, is_each=is_each),
        modules=modules,
        repeated=repeated,
        is_done=state.is_done,
        is_complete=bool(state.done.get("complete", False)),
        damaged=int(state.done.get("damaged", 0)),
        faults=tuple(faults),
        told=tuple(told),
        failures=tuple(failures[:SHOWN]),
    )


def _expected(collected: list[int], *, is_each: bool) -> int | None:
    if not collected:
        return None
    return sum(collected) if is_each else max(collected)


def _closing_of(path: Path) -> Mapping[str, Any]:
    """Return what a worker that did not end in order would have told at its end: results by status, first failures."""
    counts: Counter[str] = Counter()
    failures = Failures()
    decoder = Decoder()
    for piece in bytes_from(path, 0):
        for record in (each.record for each in decoder.feed(piece)):
            if record.kind == "pass":
                counts["passed"] += 1
            elif record.kind == "finish" and record.members["final"]:
                status = record.members["status"]
                counts[status] += 1
                if status in FAILED:
                    failures.add(Test.from_body(json.loads(record.test)), status)
    return {"counts": counts, **failures.members()}
