"""Count a session's results: from the spool's files, or from the ledger once the sender is done; both must agree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.recording.options import FAILED, UNTESTED
from pytest_automation_report.recording.phases import SHOWN, FirstFailures
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, SessionFolder, bytes_from, head_and_tail
from pytest_automation_report.spool.records import (
    SPOOL_KINDS,
    CloseRecord,
    CollectedRecord,
    Decoder,
    DoneRecord,
    FailedTest,
    FinishRecord,
    ReportRecord,
    WorkerTotals,
)
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.findings.documents import FindingsExcerpt
    from pytest_automation_report.spool.sessions import LeftoverCounts


_LEADING: Final = frozenset({CONTROLLER, MAIN})


class SessionCounts(Struct, frozen=True):
    """A session's numbers.

    ``seen`` are all results; the server has confirmed ``acknowledged`` of them, refuses ``rejected``, and may have
    ``held``; ``workers`` sent some of them. ``counts`` are results by pytest's statuses, ``modules`` those for modules.
    ``expected`` is the number of tests that were to run, None if the collection did not end. ``repeated`` are tests
    that share a key. ``lost`` are sentences about workers whose files hold fewer results than they recorded.
    ``faults`` are errors of this package, ``warnings`` are about users' annotations and hooks.
    """

    seen: int
    acknowledged: int
    rejected: int
    held: int
    workers: int
    counts: Mapping[str, int]
    expected: int | None
    modules: int
    skipped_modules: int
    repeated: tuple[tuple[str, int], ...]
    lost: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[FailedTest, ...] = ()

    @property
    def left(self) -> int:
        """Number of results that are kept to be sent."""
        return self.seen - self.acknowledged - self.rejected - self.held

    @property
    def not_run(self) -> int:
        """Number of collected tests without a result; negative if there are more results than tests."""
        return 0 if self.expected is None else self.expected - self.reported

    @property
    def reported(self) -> int:
        """Number of tests that were run and have a result."""
        # UNTESTED results stand for tests that were not run; the sender adds them with `report_not_run`.
        return self.seen - self.modules - self.counts.get(UNTESTED, 0)


def tally_from(  # noqa: PLR0913 - what each process knows
    folder: SessionFolder,
    state: DoneRecord,
    leading_counts: Mapping[str, int],
    *,
    modules: int,
    skipped_modules: int,
    is_each: bool,
    prefix: str = "",
    crashed: Sequence[FailedTest] = (),
) -> SessionCounts:
    """Return the session's numbers, with the results of the leading process and the tests whose worker crashed.

    ``state`` has the sender's counts of results, by status and by worker, only if it has ended.
    """
    files = {worker: _worker_ends(folder.written(worker), prefix) for worker in folder.workers()}
    closing = {worker: record for worker, (_, record) in files.items()}
    collected = [record for record, _ in files.values() if record is not None]
    # Workers whose files are gone are not counted.
    recorded = {worker: sum(record.counts.values()) for worker, record in closing.items()}
    progress = [state.workers.get(worker, WorkerTotals()) for worker in recorded]
    counts = [record.count for record in collected]
    # More results than the file holds are no error: the sender adds results of crashed and of skipped tests.
    seen = [count if each.seen is None else each.seen for each, count in zip(progress, recorded.values(), strict=True)]
    totals = Counter(leading_counts)
    for worker, record in closing.items():
        # The leading process has its counts in memory: its file may lack records that the disk refused.
        totals.update({} if worker in _LEADING else record.counts)
    return SessionCounts(
        seen=sum(seen),
        acknowledged=sum(each.acknowledged for each in progress),
        rejected=sum(each.rejected for each in progress),
        held=sum(each.held for each in progress),
        workers=sum(worker != CONTROLLER and each.threads > 0 for worker, each in zip(recorded, progress, strict=True)),
        lost=tuple(
            f"{worker} recorded {quantity(count, 'result')}, its file holds {total}"
            for (worker, count), total in zip(recorded.items(), seen, strict=True)
            if total < count
        ),
        counts=state.counts or dict(totals),
        # Every xdist worker collects all tests and runs its share of them, unless each worker runs all.
        expected=None if not collected else sum(counts) if is_each else max(counts),
        modules=modules,
        skipped_modules=skipped_modules,
        # Every worker collects the same tests, so the first list that names some is the whole list.
        repeated=next((record.repeated for record in collected if record.repeated), ()),
        faults=tuple(fault for record in closing.values() for fault in record.faults),
        # A dictionary for its order without duplicates: workers report the same warning about the same conftest.
        warnings=tuple(dict.fromkeys(message for record in closing.values() for message in record.warnings)),
        # Crashed tests come first, so that the workers' own failures do not push them out of the bounded list.
        failures=tuple([*crashed, *(failure for record in closing.values() for failure in record.failures)][:SHOWN]),
    )


def _worker_ends(path: Path, prefix: str) -> tuple[CollectedRecord | None, CloseRecord]:
    """Return the COLLECTED and CLOSE records of a worker; of one that did not end in order the results are counted."""
    # Both records stand in the first or last 64 KiB, so the end of a large session reads no whole file.
    first, last = head_and_tail(path)
    collected = next((entry.record for entry in (*last, *first) if isinstance(entry.record, CollectedRecord)), None)
    closing = next((entry.record for entry in last if isinstance(entry.record, CloseRecord)), None)
    return collected, closing or _count_results(path, prefix)


def _count_results(path: Path, prefix: str) -> CloseRecord:
    """Return the missing CLOSE record of a worker, from its results."""
    counts: Counter[str] = Counter()
    failures = FirstFailures()
    decoder = Decoder(SPOOL_KINDS)
    for piece in bytes_from(path, 0):
        for record in (entry.record for entry in decoder.feed(piece)):
            if isinstance(record, FinishRecord) and record.is_final:
                counts[record.attempt.status] += 1
                if record.attempt.status in FAILED:
                    failures.add(record, prefix)
    return CloseRecord(0, counts, tuple(failures.kept))


class SessionOutcome(Struct, frozen=True):
    """End of a session's reporting; ``ended`` is its time in microseconds since 1970.

    ``state`` has the totals: the sender wrote them at its end, or its ledger has them so far. ``findings`` are what
    changed in the run, ``report`` is what became of its HTML report. ``log`` has the last lines of a sender that failed
    at its start. ``leftovers`` are None if there are no other sessions in the spool. ``unexplained_exit`` is pytest's
    exit status if a plugin set it although no test failed.
    """

    tally: SessionCounts
    state: DoneRecord
    folder: str
    is_sent: bool
    findings: FindingsExcerpt | None = None
    report: ReportRecord | None = None
    log: Sequence[str] = ()
    losses: WriteLosses = WriteLosses()
    leftovers: LeftoverCounts | None = None
    ended: int = 0
    unexplained_exit: int = 0

    @property
    def exit_words(self) -> str:
        """What pytest's exit status says beside the results; empty if nothing, or if the run's verdict says it."""
        counts, verdict = self.tally.counts, None if self.findings is None else self.findings["verdict"]
        is_said = self.tally.not_run > 0 or (verdict is not None and verdict["kind"] == "exit")
        if is_said or not self.unexplained_exit:
            return ""
        from pytest_automation_report.findings.sentences import exit_words  # noqa: PLC0415 - few sessions end so

        return exit_words(self.unexplained_exit, has_failed=any(counts.get(status) for status in FAILED))

    @property
    def mismatches(self) -> list[str]:
        """Sums that disagree: each is a bug of this package or a damaged disk."""
        tally, damaged = self.tally, self.state.damaged
        mismatches = list(tally.lost)
        if tally.not_run < 0:
            mismatches.append(f"{quantity(-tally.not_run, 'more result')} than tests")
        if self.state.complete and tally.left:
            mismatches.append(f"{quantity(tally.left, 'result')} neither confirmed nor refused")
        if damaged:
            mismatches.append(f"{quantity(damaged, 'damaged record')} in the spool")
        return mismatches

    @property
    def is_whole(self) -> bool:
        """Whether every result is confirmed by the server and every number adds up."""
        return self._is_delivered and not (self.mismatches or self.losses.results or self.losses.records)

    @property
    def shown_run(self) -> int | None:
        """Id of the run to look at; None without one, also if the server has no run of the id that the user gave."""
        return None if self.state.is_run_gone and not self.tally.acknowledged else self.state.run

    @property
    def is_removable(self) -> bool:
        """Whether nothing in the session's folder is still needed."""
        return self._is_delivered and not (self.report is not None and self.report.state == "late")

    @property
    def _is_delivered(self) -> bool:
        tally = self.tally
        kept = tally.rejected or tally.held or tally.left or self.state.damaged or self.state.difference
        return self.state.complete and not kept
