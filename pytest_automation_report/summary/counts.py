"""Count a session's results from its spool files and its ledger, and check that the totals agree.

Two sources count each result: the process that recorded it (its spool file) and the sender (the ledger). The ledger's
numbers are used once the sender is done; before that it may not have read every file to its end.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import decode_test
from pytest_automation_report.recording.failures import FAILED, SHOWN, FailedTest, Failures
from pytest_automation_report.recording.synthetic_results import UNTESTED
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, bytes_from, head_and_tail
from pytest_automation_report.spool.record_kinds import (
    SPOOL_KINDS,
    CloseRecord,
    CollectedRecord,
    FinishRecord,
    PassRecord,
)
from pytest_automation_report.spool.records import Decoder
from pytest_automation_report.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.ledger import LedgerState, WorkerProgress
    from pytest_automation_report.spool.ledger_records import LaneRecord

_LEADING: Final = frozenset({CONTROLLER, MAIN})


class _WorkerFile(Value):
    """The facts that one worker's spool file states about itself.

    ``counts`` are results by status. ``expected`` is the number of tests that the worker collected, None if it did not
    end its collection; ``repeated`` are the first tests that share a key. ``faults`` are errors of this package,
    ``messages`` are warnings about users' annotations and hooks.
    """

    worker: str
    counts: Mapping[str, int]
    expected: int | None
    repeated: tuple[tuple[str, int], ...]
    faults: Sequence[str]
    messages: Sequence[str]
    failures: tuple[FailedTest, ...]

    @classmethod
    def read(cls, worker: str, path: Path) -> _WorkerFile:
        """Read the COLLECTED and CLOSE records of a worker, or count its results if it did not end in order."""
        # Both records stand in the first or last 64 KiB, so the end of a large session reads no whole file.
        first, last = head_and_tail(path)
        collected = next((entry.record for entry in (*last, *first) if isinstance(entry.record, CollectedRecord)), None)
        closing = next((entry.record for entry in last if isinstance(entry.record, CloseRecord)), None)
        closing = closing or _count_results(path)
        return cls(
            worker=worker,
            counts=closing.counts,
            expected=None if collected is None else collected.count,
            repeated=() if collected is None else collected.repeated,
            faults=closing.faults,
            messages=closing.warnings,
            failures=tuple(FailedTest(*row) for row in closing.failures),
        )


class WorkerCounts(Value):
    """Numbers of results of one worker.

    ``reported`` is its own count, ``seen`` the sender's count of its spool file; the others are the results by the
    outcome of their delivery. ``threads`` is the number of threads that the server has for it.
    """

    worker: str
    reported: int
    seen: int
    acknowledged: int
    rejected: int
    held: int
    threads: int

    @classmethod
    def from_spool(cls, worker: str, counts: Mapping[str, int], progress: WorkerProgress) -> WorkerCounts:
        """Count the results by the worker's own file, for a sender that is not done."""
        reported = sum(counts.values())
        return cls._from(worker, progress, reported=reported, seen=reported)

    @classmethod
    def from_ledger(
        cls, worker: str, counts: Mapping[str, int], progress: WorkerProgress, final: LaneRecord | None
    ) -> WorkerCounts:
        """Count the results by the sender's final record of the worker, None if the sender never read it."""
        reported = sum(counts.values())
        return cls._from(worker, progress, reported=reported, seen=reported if final is None else final.seen)

    @classmethod
    def _from(cls, worker: str, progress: WorkerProgress, *, reported: int, seen: int) -> WorkerCounts:
        return cls(
            worker=worker,
            reported=reported,
            seen=seen,
            acknowledged=progress.acknowledged.count,
            rejected=progress.rejected.count,
            held=progress.held.count,
            threads=len(progress.threads),
        )

    @property
    def left(self) -> int:
        """Number of results that are kept to be sent."""
        return self.seen - self.acknowledged - self.rejected - self.held


class SessionCounts(Value):
    """A session's numbers.

    ``expected`` is the number of tests that were to run, None if the collection did not end. ``modules`` is the number
    of results that stand for modules, ``skipped_modules`` of those that skipped themselves. ``counts`` are results by
    pytest's statuses. ``repeated`` are tests that share a key. ``faults`` are errors of this package, ``warnings`` are
    about users' annotations and hooks. ``failures`` are the first failed tests. ``difference`` is how the results
    that the server shows differ from those that it confirmed, empty if they agree or were not read.
    """

    run: int | None
    lanes: tuple[WorkerCounts, ...]
    counts: Mapping[str, int]
    expected: int | None
    modules: int
    skipped_modules: int
    repeated: tuple[tuple[str, int], ...]
    is_done: bool
    is_complete: bool
    damaged: int
    faults: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    failures: tuple[FailedTest, ...] = field(default=())
    difference: str = ""

    @property
    def seen(self) -> int:
        """Number of results."""
        return sum(worker.seen for worker in self.lanes)

    @property
    def acknowledged(self) -> int:
        """Number of results that the server has confirmed."""
        return sum(worker.acknowledged for worker in self.lanes)

    @property
    def rejected(self) -> int:
        """Number of results that the server has refused for good."""
        return sum(worker.rejected for worker in self.lanes)

    @property
    def held(self) -> int:
        """Number of results whose delivery is unconfirmed."""
        return sum(worker.held for worker in self.lanes)

    @property
    def left(self) -> int:
        """Number of results that are kept to be sent."""
        return sum(worker.left for worker in self.lanes)

    @property
    def threads(self) -> int:
        """Number of threads of the run that this session created."""
        return sum(worker.threads for worker in self.lanes)

    @property
    def not_run(self) -> int:
        """Number of collected tests without a result; negative if there are more results than tests."""
        return 0 if self.expected is None else self.expected - self.reported

    @property
    def reported(self) -> int:
        """Number of tests that were run and have a result."""
        # UNTESTED results stand for tests that were not run; the sender adds them with `report_not_run`.
        return self.seen - self.modules - self.counts.get(UNTESTED, 0)

    @property
    def mismatches(self) -> list[str]:
        """Sums that disagree: each is a bug of this package or a damaged disk."""
        mismatches = [
            f"{worker.worker} recorded {worker.reported} results, its file holds {worker.seen}"
            for worker in self.lanes
            # More in the file than reported is no error: the sender adds results of crashed and of skipped tests.
            if self.is_done and worker.seen < worker.reported
        ]
        if self.not_run < 0:
            mismatches.append(f"{-self.not_run} more results than tests")
        if self.is_done and self.is_complete and self.left:
            mismatches.append(f"{self.left} results are neither confirmed nor refused")
        if self.damaged:
            mismatches.append(f"{self.damaged} damaged records in the spool")
        return mismatches

    @property
    def is_removable(self) -> bool:
        """Whether the session's spool folder holds nothing that is still needed."""
        return self.is_done and self.is_complete and not (self.rejected or self.held or self.left or self.damaged)


def tally_from(
    folder: SessionFolder,
    state: LedgerState,
    leading_counts: Mapping[str, int],
    *,
    modules: int,
    skipped_modules: int,
    is_each: bool,
    crashed: Sequence[FailedTest] = (),
) -> SessionCounts:
    """Return the session's numbers.

    ``leading_counts`` are the results of the leading process by status. ``is_each`` means that every worker ran every
    test (``--dist=each``). ``crashed`` are tests whose worker crashed; their failures stand in no worker's file.
    """
    files = [_WorkerFile.read(worker, folder.written(worker)) for worker in folder.workers()]
    # Crashed tests come first, so that the workers' own failures do not push them out of the bounded list.
    failures = [*crashed, *(failure for file in files for failure in file.failures)]
    return SessionCounts(
        run=state.run,
        lanes=tuple(_worker_counts(file, state) for file in files),
        counts=_status_counts(files, state, leading_counts),
        expected=_expected_tests(files, is_each=is_each),
        modules=modules,
        skipped_modules=skipped_modules,
        # Every worker collects the same tests, so the first list that names some is the whole list.
        repeated=next((file.repeated for file in files if file.repeated), ()),
        is_done=state.is_done,
        is_complete=state.done.complete,
        damaged=state.done.damaged,
        faults=tuple(fault for file in files for fault in file.faults),
        # A dictionary for its order without duplicates: workers report the same warning about the same conftest.
        warnings=tuple(dict.fromkeys(message for file in files for message in file.messages)),
        failures=tuple(failures[:SHOWN]),
        difference=state.difference,
    )


def _worker_counts(file: _WorkerFile, state: LedgerState) -> WorkerCounts:
    progress = state.progress_of(file.worker)
    if state.is_done:
        return WorkerCounts.from_ledger(file.worker, file.counts, progress, state.lanes.get(file.worker))
    return WorkerCounts.from_spool(file.worker, file.counts, progress)


def _status_counts(
    files: Sequence[_WorkerFile], state: LedgerState, leading_counts: Mapping[str, int]
) -> Mapping[str, int]:
    """Return the results by status: from the ledger if the sender is done, else from the workers' files."""
    totals: Counter[str] = Counter()
    if state.is_done:
        for final in state.lanes.values():
            totals.update(final.counts)
        return dict(totals)
    totals.update(leading_counts)
    for file in files:
        # The leading process has its counts in memory: its file may lack records that the disk refused.
        if file.worker not in _LEADING:
            totals.update(file.counts)
    return dict(totals)


def _expected_tests(files: Sequence[_WorkerFile], *, is_each: bool) -> int | None:
    """Return the number of tests that were to run, None if no worker ended its collection."""
    collected = [file.expected for file in files if file.expected is not None]
    if not collected:
        return None
    # Every xdist worker collects all tests and runs its share of them, unless each worker runs all.
    return sum(collected) if is_each else max(collected)


def _count_results(path: Path) -> CloseRecord:
    """Count the results of a worker without a CLOSE record, in the form of that record."""
    counts: Counter[str] = Counter()
    failures = Failures()
    decoder = Decoder(SPOOL_KINDS)
    for piece in bytes_from(path, 0):
        for record in (entry.record for entry in decoder.feed(piece)):
            if isinstance(record, PassRecord):
                counts["passed"] += 1
            elif isinstance(record, FinishRecord) and record.is_final:
                counts[record.status] += 1
                if record.status in FAILED:
                    failures.add(decode_test(record.test), record.status)
    return CloseRecord(0, counts, failures.rows)
