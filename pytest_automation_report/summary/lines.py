"""Count a session's results, and write the lines of the terminal summary about them.

The counts come from the spool's files, or from the ledger once the sender is done; both must agree.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.recording.options import FAILED, UNTESTED
from pytest_automation_report.recording.results import SHOWN, FailedTest, Failures
from pytest_automation_report.settings.settings import setting_of
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, bytes_from, head_and_tail
from pytest_automation_report.spool.records import SPOOL_KINDS, CloseRecord, CollectedRecord, Decoder, FinishRecord
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.text.limits import STRING_UNITS, quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.ledger import LedgerState, ReportRecord
    from pytest_automation_report.spool.sessions import LeftoverCounts
    from pytest_automation_report.summary.shell import Shell

_REASONS: Final = 3
_WORDS: Final = {
    "passed": "passed",
    "failure": "failed",
    "error": "error",
    "skipped": "skipped",
    "untested": "untested",
}
_REMEDIES: Final[Mapping[str, str]] = {
    "token": "the token was refused: set AUTOMATION_REPORT_TOKEN to one that is valid for this project, then send",
    "again": "the server could not be reached",
    "throttled": "the server asks to wait",
    "unknown": "the server's answers were lost or broken",
    "refused": "the server refused it",
    "store": "the store could not be used",
}
_LEADING: Final = frozenset({CONTROLLER, MAIN})


class _WorkerFile(Struct, frozen=True):
    """What one worker's spool file states about itself; ``collected`` is None if it did not end its collection."""

    worker: str
    collected: CollectedRecord | None
    closing: CloseRecord

    @classmethod
    def read(cls, worker: str, path: Path, prefix: str) -> _WorkerFile:
        """Read the COLLECTED and CLOSE records of a worker, or count its results if it did not end in order."""
        # Both records stand in the first or last 64 KiB, so the end of a large session reads no whole file.
        first, last = head_and_tail(path)
        collected = next((entry.record for entry in (*last, *first) if isinstance(entry.record, CollectedRecord)), None)
        closing = next((entry.record for entry in last if isinstance(entry.record, CloseRecord)), None)
        return cls(worker, collected, closing or _count_results(path, prefix))


class SessionCounts(Struct, frozen=True):
    """A session's numbers.

    ``seen`` are all results; the server has confirmed ``acknowledged`` of them, refuses ``rejected``, and may have
    ``held``. ``counts`` are results by pytest's statuses, ``modules`` those that stand for modules. ``expected`` is the
    number of tests that were to run, None if the collection did not end. ``repeated`` are tests that share a key.
    ``lost`` are sentences about workers whose files hold fewer results than they recorded. ``faults`` are errors of
    this package, ``warnings`` are about users' annotations and hooks.
    """

    run: int | None
    seen: int
    acknowledged: int
    rejected: int
    held: int
    threads: int
    counts: Mapping[str, int]
    expected: int | None
    modules: int
    skipped_modules: int
    repeated: tuple[tuple[str, int], ...]
    is_done: bool
    is_complete: bool
    damaged: int
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

    @property
    def mismatches(self) -> list[str]:
        """Sums that disagree: each is a bug of this package or a damaged disk."""
        mismatches = list(self.lost)
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


def tally_from(  # noqa: PLR0913 - what each process knows
    folder: SessionFolder,
    state: LedgerState,
    leading_counts: Mapping[str, int],
    *,
    modules: int,
    skipped_modules: int,
    is_each: bool,
    prefix: str = "",
    crashed: Sequence[FailedTest] = (),
) -> SessionCounts:
    """Return the session's numbers, with those of the leading process and the tests whose worker crashed."""
    files = [_WorkerFile.read(worker, folder.written(worker), prefix) for worker in folder.workers()]
    # Crashed tests come first, so that the workers' own failures do not push them out of the bounded list.
    failures = [*crashed, *(FailedTest(*row) for file in files for row in file.closing.failures)]
    # The sender's own count of a file, once it has read all of it. Workers whose files are gone are not counted.
    seen = {file.worker: sum(file.closing.counts.values()) for file in files}
    progress = [state.progress_of(worker) for worker in seen]
    collected = [file.collected for file in files if file.collected is not None]
    counts = [record.count for record in collected]
    lost = []
    if state.is_done:
        reported, seen = seen, {worker: state.done.seen.get(worker, count) for worker, count in seen.items()}
        # More in the file than reported is no error: the sender adds results of crashed and of skipped tests.
        lost = [
            f"{worker} recorded {reported[worker]} results, its file holds {count}"
            for worker, count in seen.items()
            if count < reported[worker]
        ]
    return SessionCounts(
        run=state.run,
        seen=sum(seen.values()),
        acknowledged=sum(each.acknowledged.count for each in progress),
        rejected=sum(each.rejected.count for each in progress),
        held=sum(each.held.count for each in progress),
        threads=sum(len(each.threads) for each in progress),
        lost=tuple(lost),
        counts=_status_counts(files, state, leading_counts),
        # Every xdist worker collects all tests and runs its share of them, unless each worker runs all.
        expected=None if not collected else sum(counts) if is_each else max(counts),
        modules=modules,
        skipped_modules=skipped_modules,
        # Every worker collects the same tests, so the first list that names some is the whole list.
        repeated=next((record.repeated for record in collected if record.repeated), ()),
        is_done=state.is_done,
        is_complete=state.done.complete,
        damaged=state.done.damaged,
        faults=tuple(fault for file in files for fault in file.closing.faults),
        # A dictionary for its order without duplicates: workers report the same warning about the same conftest.
        warnings=tuple(dict.fromkeys(message for file in files for message in file.closing.warnings)),
        failures=tuple(failures[:SHOWN]),
    )


def _status_counts(
    files: Sequence[_WorkerFile], state: LedgerState, leading_counts: Mapping[str, int]
) -> Mapping[str, int]:
    if state.is_done:
        return state.done.counts
    totals = Counter(leading_counts)
    for file in files:
        # The leading process has its counts in memory: its file may lack records that the disk refused.
        if file.worker not in _LEADING:
            totals.update(file.closing.counts)
    return dict(totals)


def _count_results(path: Path, prefix: str) -> CloseRecord:
    """Return the missing CLOSE record of a worker, from its results."""
    counts: Counter[str] = Counter()
    failures = Failures()
    decoder = Decoder(SPOOL_KINDS)
    for piece in bytes_from(path, 0):
        for record in (entry.record for entry in decoder.feed(piece)):
            if isinstance(record, FinishRecord) and record.is_final:
                counts[record.attempt.status] += 1
                if record.attempt.status in FAILED:
                    failures.add(record, prefix)
    return CloseRecord(0, counts, failures.rows)


class SessionOutcome(Struct, frozen=True):
    """End of a session's reporting; ``ended`` is its time in microseconds since 1970.

    ``state`` is that of the ledger. ``log`` has the last lines of a sender that failed at its start. ``leftovers`` are
    None if there are no other sessions in the spool.
    """

    tally: SessionCounts
    state: LedgerState
    folder: str
    is_sent: bool
    log: Sequence[str] = ()
    losses: WriteLosses = WriteLosses()
    leftovers: LeftoverCounts | None = None
    ended: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every result is confirmed by the server and every number adds up."""
        tally = self.tally
        adds_up = not (tally.mismatches or self.state.difference)
        return tally.is_removable and adds_up and not (self.losses.results or self.losses.records)

    @property
    def is_removable(self) -> bool:
        """Whether nothing in the session's folder is still needed."""
        return self.tally.is_removable and not self.state.is_report_late


def header_line(configuration: Settings, shell: Shell, *, key: str = "") -> str:
    """Return the line for pytest's header; ``key`` is that of a run which jobs share, with its placeholders filled."""
    how = "" if configuration.delivery == "live" else ", to be sent later"
    shared = f", in the run of the key {key}" if key else ""
    joined = f", joining run {configuration.run_id}" if configuration.run_id is not None else shared
    return f"automation report: to {shell.target(configuration)}, source {configuration.source}{joined}{how}"


def report_lines(
    configuration: Settings,
    ending: SessionOutcome | None,
    troubles: Sequence[str],
    *,
    shell: Shell,
    verbosity: int = 0,
    stats: Mapping[str, Sequence[object]] | None = None,
) -> list[str]:
    """Return the lines of the summary, for a user at this shell.

    ``stats`` are pytest's reports by the words of its last line, if it writes one. With verbosity -1 a delivered
    session has its numbers, its digest or one line with what changed, and its link; below that nothing. Problems are
    always shown.
    """
    lines = _troubles(ending, troubles)
    if ending is None or ending.tally.seen == 0:
        return lines
    tally = ending.tally
    if ending.is_whole and verbosity < 0:
        return [*(_shorter(configuration, ending, shell, stats or {}) if verbosity == -1 else []), *lines]
    if verbosity >= 0 and ending.leftovers is not None:
        lines += _left_behind(configuration, ending.leftovers, shell)
    delivered = _delivered(configuration, ending, shell, counted_otherwise(stats or {}, tally.counts))
    undelivered = [] if ending.is_whole else _undelivered(configuration, ending, shell)
    return [*delivered, *lines, *undelivered]


def _shorter(
    configuration: Settings, ending: SessionOutcome, shell: Shell, stats: Mapping[str, Sequence[object]]
) -> list[str]:
    found, otherwise = _findings(configuration, ending), counted_otherwise(stats, ending.tally.counts)
    has_digest = ending.state.findings is not None and "digest" in ending.state.findings
    changes = found if has_digest else found[:1]
    return [_counted(ending.tally), *filter(None, [otherwise]), *changes, *_link(configuration, ending, shell)]


def counted_otherwise(stats: Mapping[str, Sequence[object]], counts: Mapping[str, int]) -> str:
    """Return why the results by status differ from pytest's last line; empty if they do not, or if it has none."""
    words = ("passed", "failed", "error", "skipped")
    ours = [counts.get("failure" if word == "failed" else word, 0) for word in words]
    if not stats or ours == [len(stats.get(word, ())) for word in words]:
        return ""
    nodeids = Counter(getattr(report, "nodeid", "") for word in words for report in stats.get(word, ()))
    repeated = sum(1 for amount in nodeids.values() if amount > 1)
    subtests = sum(len(reports) for word, reports in stats.items() if word.startswith("subtests"))
    reasons = [
        (len(stats.get("xfailed", ())), "xfailed {} among the skipped"),
        (len(stats.get("xpassed", ())), "xpassed {} among the passed"),
        (len(stats.get("known", ())), "known {} among the failed"),
        (len(stats.get("rerun", ())), "rerun {} part of their tests"),
        (subtests, "subtests {} part of their tests"),
        (repeated, "with several outcomes {} counted once"),
    ]
    parts = [f"{amount:,} {text.format('is' if amount == 1 else 'are')}" for amount, text in reasons if amount]
    return f"counted otherwise than in pytest's last line: {', '.join(parts) or 'a plugin changes or repeats reports'}"


def job_lines(
    configuration: Settings, ending: SessionOutcome, troubles: Sequence[str], *, shell: Shell
) -> tuple[list[str], list[str]]:
    """Return the lines about warnings, and those about results that were not delivered, for the page of a CI job."""
    is_whole = ending.is_whole or ending.tally.seen == 0
    return _troubles(ending, troubles), [] if is_whole else _undelivered(configuration, ending, shell)


def _findings(configuration: Settings, ending: SessionOutcome) -> list[str]:
    if ending.state.findings is None:
        return []
    from pytest_automation_report.summary.findings_lines import earlier_source_line, findings_lines  # noqa: PLC0415 - only servers of ours have findings

    # A user who names a source knows that it is another one.
    is_named = "source" in configuration.origins or configuration.run_id
    earlier = "" if is_named else earlier_source_line(ending.state.findings, configuration.source)
    return [*filter(None, (earlier,)), *findings_lines(ending.state.findings, ending.ended)]


def _left_behind(configuration: Settings, leftovers: LeftoverCounts, shell: Shell) -> list[str]:
    lines = []
    if leftovers.kept:
        kept = f"{quantity(leftovers.kept, 'earlier session')} {'is' if leftovers.kept == 1 else 'are'} kept"
        where = shell.typed(configuration.spool)
        lines.append(f"{kept} in {where}: send with {shell.send_command(configuration)}")
    if leftovers.removed:
        removed, days = quantity(leftovers.removed, "earlier session"), quantity(configuration.keep_spool, "day")
        lines.append(f"{removed} removed, kept for {days} without being sent")
    lines += [
        f"left alone in {shell.typed(configuration.spool)}: {sanitize(reason)}" for reason in leftovers.alone[:_REASONS]
    ]
    if len(leftovers.alone) > _REASONS:
        lines.append(f"{len(leftovers.alone) - _REASONS} more folders are left alone: see automation-report spool list")
    return lines


def _lost(losses: WriteLosses) -> list[str]:
    lines, trouble = [], sanitize(losses.trouble, STRING_UNITS)
    if losses.results or losses.records:
        what = quantity(losses.results, "result") if losses.results else "the session's end"
        lines.append(f"{what} could not be written to disk and went with the process: {trouble}")
    if losses.shortened:
        short = quantity(losses.shortened, "result")
        lines.append(f"{short} went without texts, since the disk took no more: {trouble}")
    return lines


def unstored_lines(unstored: Sequence[tuple[str, int]]) -> list[str]:
    """Return the lines about artifacts that were not stored: their number by reason."""
    return [
        f"{quantity(count, 'artifact')} named in results, but not stored: {sanitize(reason, STRING_UNITS)}"
        for reason, count in unstored[:_REASONS]
    ]


def report_line(report: ReportRecord, shell: Shell | None = None) -> str:
    """Return the line about the report of a run: its path as it is typed in this shell, or why not."""
    path = Path(report.file)
    file = sanitize(str(path) if shell is None else shell.typed(path), STRING_UNITS)
    if report.state == "none":
        return f"no report in {file}: {sanitize(report.why, STRING_UNITS)}"
    note = report.why if report.state == "written" else "still being written"
    return f"report: {file}{f' ({sanitize(note)})' if note else ''}"


def _troubles(ending: SessionOutcome | None, troubles: Sequence[str]) -> list[str]:
    """Return the warnings and errors, without those about undelivered results."""
    lines = [sanitize(warning, STRING_UNITS) for warning in troubles]
    if ending is None:
        return lines
    tally = ending.tally
    lines += [
        sanitize(message, STRING_UNITS)
        for message in (ending.state.joined_note, ending.state.difference, *tally.warnings)
        if message
    ]
    for before, now in ending.state.renamed.items():
        renamed = f"the server does not know the status {sanitize(before)}: sent as {sanitize(now)}"
        lines.append(f"{renamed} (set automation_report_statuses)")
    lines += unstored_lines(ending.state.unstored_reasons)
    if ending.state.report is not None and ending.state.report.state == "none":
        lines.append(report_line(ending.state.report))
    lines += [
        f"no report of an earlier session in {sanitize(file, STRING_UNITS)}: {sanitize(why, STRING_UNITS)}"
        for file, why in (() if ending.leftovers is None else ending.leftovers.reports)
    ]
    lines += [f"error in reporting: {sanitize(error, STRING_UNITS)}" for error in (*tally.faults, *tally.mismatches)]
    # Each line once: every process reports an unknown hook.
    return [*dict.fromkeys((*lines, *_lost(ending.losses)))]


def counts_by_status(counts: Mapping[str, int], order: Iterable[str] = ()) -> str:
    """Return results by pytest's statuses in words: ``10 passed, 1 failed``, or in another order."""
    return ", ".join(f"{counts[status]:,} {_WORDS[status]}" for status in order or _WORDS if counts.get(status))


def _counted(tally: SessionCounts) -> str:
    where = f" in {quantity(tally.threads, 'thread')}" if tally.threads else ""
    delivered = f"{tally.acknowledged:,} of {quantity(tally.seen, 'result')} delivered{where}"
    return f"{delivered}: {counts_by_status(tally.counts)}"


def _delivered(configuration: Settings, ending: SessionOutcome, shell: Shell, otherwise: str) -> list[str]:
    tally = ending.tally
    # Where each collected test has its result, the numbers of results say all.
    is_plain = tally.expected is not None and not (tally.not_run or tally.modules)
    lines = [*([] if is_plain else [_collected(tally)]), _counted(tally), *filter(None, [otherwise])]
    lines += [
        f"{count} tests share one key, the server cannot tell them apart: {sanitize(name)}"
        for name, count in tally.repeated
    ]
    lines += _findings(configuration, ending)
    if ending.state.report is not None and ending.state.report.state != "none":
        lines.append(report_line(ending.state.report, shell))
    return [*lines, *_link(configuration, ending, shell)]


def _link(configuration: Settings, ending: SessionOutcome, shell: Shell) -> list[str]:
    run = ending.tally.run
    return [] if run is None else [f"look at it: {shell.look_at(configuration, run)}"]


def _collected(tally: SessionCounts) -> str:
    tests = f"{quantity(tally.reported, 'test')} reported"
    if tally.expected is not None:
        collected = quantity(tally.expected, "test")
        tests = f"{collected} collected = {tally.reported:,} reported + {tally.not_run:,} not run"
    # The modules whose tests pytest does not know.
    skipped = tally.skipped_modules
    broken = tally.modules - skipped
    parts = [f"{quantity(broken, 'module')} that could not be collected"] if broken else []
    if skipped:
        parts.append(f"{quantity(skipped, 'module')} that skipped {'itself' if skipped == 1 else 'themselves'}")
    return f"{tests}, and {' and '.join(parts)}" if parts else tests


def _undelivered(configuration: Settings, ending: SessionOutcome, shell: Shell) -> list[str]:
    tally, folder, lines = ending.tally, shell.typed(Path(ending.folder)), []
    if tally.rejected:
        lines.append(f"{quantity(tally.rejected, 'result')} rejected by the server, kept in {folder}")
    if tally.held:
        held = quantity(tally.held, "result")
        lines.append(f"{held} held in {folder}: delivery unconfirmed: the server may or may not have them")
    lines += [f"  {sanitize(reason)}" for reason in ending.state.reasons[:3]]
    if tally.left or not tally.is_complete:
        kept = f"{quantity(tally.left, 'result')} kept in {folder}" if tally.left else "the run is not completed"
        needed = (("url", configuration.endpoint.origin), ("project_id", configuration.project_id))
        missing = [setting_of(name).environment for name, value in needed if not value]
        lines.append(f"{kept}: set {' and '.join(missing)} first" if missing else f"{kept}{_why(ending)}")
        lines.append(f"send: {shell.send_command(configuration, is_new_run=ending.state.is_run_gone)}")
    lines += [f"  sender: {sanitize(line)}" for line in ending.log]
    return lines


def _why(ending: SessionOutcome) -> str:
    if not ending.is_sent:
        return ""
    remedy = _REMEDIES.get(ending.state.trouble_class, "")
    if trouble := sanitize(ending.state.trouble or ending.state.done.why):
        return f": {remedy} ({trouble})" if remedy else f": {trouble}"
    late = ": the sender did not finish within the time that pytest waits; it may go on for a while"
    return "" if ending.tally.is_done else late
