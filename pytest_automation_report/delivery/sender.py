"""The sender's main loop: follow a session's spool files, deliver the results, end.

The sender always ends by itself: when everything is delivered, when its time after the session's end is up, or when the
session is over and the server accepts nothing more.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Generic, NoReturn, TypeVar

from msgspec import Struct, field, json
from msgspec.structs import replace

from pytest_automation_report.api.models import CAUSES
from pytest_automation_report.api.responses import ClientError, RefusedError
from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.dispatcher import Delivery, SessionFollower, session_options
from pytest_automation_report.delivery.launch import Runtime, SenderConfig, Timeouts
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.reconciliation import decided
from pytest_automation_report.delivery.recount import unshown
from pytest_automation_report.delivery.report import excerpt_from, write_report
from pytest_automation_report.delivery.requests import DeliveryOptions
from pytest_automation_report.delivery.stores import connected, import_client
from pytest_automation_report.errors import SpoolError, StoreError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import (
    MAIN,
    Lock,
    SessionFolder,
    SessionManifest,
    head_and_tail,
    remove_session,
)
from pytest_automation_report.spool.ledger import NewRunRecord, UnheldRecord
from pytest_automation_report.spool.log import LAST_WORDS, Log
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import DoneRecord, FindingsRecord, OpenRecord, ReadyRecord, ReportRecord
from pytest_automation_report.spool.sessions import LedgerFile, check_owner, ledger_from, locked, session_folders
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.findings.documents import FindingsExcerpt
    from pytest_automation_report.spool.records import Record


T = TypeVar("T")

# How many times the sender only looks for news before it reads the files, to save CPU time that the tests need.
_LOOKS_WHILE_TESTS_RUN: Final = 5
_SECONDS_TO_END: Final = 1.0  # that a sender needs at most, on a busy machine, from its last response to its end
_MIN_FREE_BYTES: Final = 1024 * 1024


class Sender(Struct):
    """One life of a sender; its owner holds the lock of the session's folder."""

    folder: SessionFolder
    session: SessionManifest
    timeouts: Timeouts
    client: Client
    runtime: Runtime
    controller: system.Process | None = None  # the pytest process that waits
    options: DeliveryOptions = DeliveryOptions()
    on_progress: Callable[[Delivery], None] = lambda _: None
    captured_output: CapturedOutput = field(default_factory=lambda: CapturedOutput(RecordingOptions()))
    epoch: float | None = None  # as in `SenderConfig`
    _locks: list[Lock] = field(default_factory=list)

    def run(self) -> Delivery:
        """Deliver until everything is sent or time is up; return the delivery, whose state shows the result."""
        ledger = LedgerFile(self.folder.ledger, self._restore)
        follower, delivery = self.begin(ledger)
        try:
            ledger.write(ReadyRecord(os.getpid()))
            self._prepare(follower, delivery)
            deadlines = self._loop(follower, delivery)
            delivery.await_responses()
            DeliveryEnd(follower, delivery, deadlines).complete()
        finally:
            follower.close()
            ledger.close()
            for lock in self._locks:
                lock.close()
        return delivery

    def begin(self, ledger: LedgerFile) -> tuple[SessionFollower, Delivery]:
        """Return what follows the session, and its delivery."""
        captured = self.captured_output
        queues = WorkerQueues(
            session_options(self.session),
            ledger.state.orphans,
            captured.last_words,
            lambda: CAUSES in self.client.extensions,
        )
        files = SpoolReader(self.folder)
        follower = SessionFollower(files, queues, self.timeouts, self.controller, captured, self.epoch)
        delivery = Delivery(self.session, self.client, ledger, queues, self.timeouts, self.runtime, self.options)
        return follower, delivery

    def _prepare(self, follower: SessionFollower, delivery: Delivery) -> None:
        """Look for results that the server did not show; apply what the user decided about held ones, and the run."""
        ledger = delivery.ledger
        if ledger.state.difference:
            self._recount(delivery)
            # Nothing is to be sent: unknown so far, or all is there.
            if ledger.state.difference or (ledger.state.is_recounted and not ledger.state.total("held")):
                return
        if self.options.unknown != "hold":
            ledger.write(UnheldRecord(self.options.unknown == "drop"))
        if not self.options.is_in_new_run or ledger.state.run is None:
            return
        # A run that refuses to answer is left all the same. One that cannot be reached may still show what arrived in
        # it: to leave it now could send results twice.
        if self._reconcile_open_intents(follower, delivery):
            for number in list(ledger.state.open_intents):
                ledger.write(decided(self.options.unknown, number, "its run was left for a new one"))
            delivery.retry_policy.resume()
            ledger.write(NewRunRecord())

    def _recount(self, delivery: Delivery) -> None:
        """Find out which confirmed results are to be sent again, unless the server does not answer."""
        follower, _ = self.begin(delivery.ledger)
        try:
            delivery.ledger.write(unshown(follower, delivery))
        except (ClientError, StoreError) as error:
            delivery.retry_policy.handle_error(error)
        finally:
            follower.close()

    def _reconcile_open_intents(self, follower: SessionFollower, delivery: Delivery) -> bool:
        """Reconcile every open intent, which may take minutes; return whether all are closed, or the server refuses."""
        follower.read()
        state, deadlines = delivery.state, SenderDeadlines(self.timeouts, self.runtime.clock)
        while state.open_intents and not delivery.retry_policy.stopped:
            deadlines.note_progress(state.answers, is_busy=delivery.is_busy)
            if deadlines.is_stalled:
                delivery.retry_policy.stop(state.error_class or "again", state.error or "there is no progress")
            elif not delivery.reconcile():
                time.sleep(self.timeouts.poll)
        return not delivery.retry_policy.stopped or state.error_class == "refused"

    def _restore(self) -> None:
        """Create and lock the folder that a test has deleted: a lock on the deleted file excludes no other sender."""
        manifest = self.folder.restorable(self.session)
        manifest.copy(Disk())
        lock = locked(self.folder)
        if lock is None:
            raise SpoolError(f"{self.folder.path} was deleted, and another sender has locked it since")
        self._locks.append(lock)
        manifest.show(Disk())

    def _loop(self, follower: SessionFollower, delivery: Delivery) -> SenderDeadlines:
        """Read, then send or wait, until everything is sent or time is up; return the time that was left."""
        deadlines = SenderDeadlines(self.timeouts, self.runtime.clock, self.controller)
        self._read(follower, delivery, deadlines)
        while not self._is_over(delivery, deadlines):
            if not delivery.step():
                self._wait(follower, delivery, _LOOKS_WHILE_TESTS_RUN if deadlines.session_ended_at is None else 1)
            deadlines.note_progress(delivery.state.answers)
            self.on_progress(delivery)
            self._read(follower, delivery, deadlines)
        return deadlines

    def _read(self, follower: SessionFollower, delivery: Delivery, deadlines: SenderDeadlines) -> None:
        """Read the new records, and act on the session's end when it is seen for the first time."""
        began = self.runtime.clock()
        follower.read()
        follower.decide_end(self.runtime.clock())
        deadlines.progress_at += self.runtime.clock() - began  # to read a large file is not a lack of progress
        if deadlines.session_ended_at is None and follower.has_ended:
            # 2 is pytest's exit status after Ctrl-C.
            deadlines.start_end(is_interrupted=follower.queues.ending.status == 2)  # noqa: PLR2004
            # pytest waits from now on: try at once, though a backoff may have begun while tests ran.
            delivery.retry_policy.skip_backoff()

    @staticmethod
    def _is_over(delivery: Delivery, deadlines: SenderDeadlines) -> bool:
        """Whether to end: all is sent, or the session has ended and its time is up or nothing more can be sent."""
        if delivery.is_finished:
            return True
        # While tests run the sender stays, even if it has stopped to send: it watches processes and output.
        if deadlines.session_ended_at is None:
            return False
        return bool(delivery.retry_policy.stopped) or deadlines.is_expired(is_busy=delivery.is_busy)

    def _wait(self, follower: SessionFollower, delivery: Delivery, looks: int) -> None:
        """Wait until there may be something to do, for ``looks`` poll intervals at most."""
        if delivery.in_flight:
            delivery.take_responses(self.timeouts.poll)
            return
        self.client.rest()
        if self.controller is None:
            time.sleep(self.timeouts.poll)
            return
        # A request with few results costs as much as one with many, so it pays to let results gather.
        for _ in range(looks):
            self.controller.wait(self.timeouts.poll)
            if follower.files.has_news() or not self.controller.is_alive():
                return


class SenderDeadlines:
    """The time that a sender has after the session's end; owned by the sender's loop.

    A sender that pytest started has ``exit_all + alone`` seconds in all, but only ``alone`` seconds once pytest, its
    ``controller``, is gone. A sender of the console command ends after ``send_progress`` seconds without a response.
    """

    def __init__(
        self, timeouts: Timeouts, clock: Callable[[], float], controller: system.Process | None = None
    ) -> None:
        self.timeouts, self.clock, self.controller = timeouts, clock, controller
        self.session_ended_at: float | None = None
        self.is_interrupted = False
        self.progress_at = clock()
        self._controller_gone_at: float | None = None
        self._responses = 0

    def start_end(self, *, is_interrupted: bool = False) -> None:
        """Start the time after the session's end, for which pytest waits less if it was interrupted."""
        self.session_ended_at, self.is_interrupted = self.clock(), is_interrupted

    def note_progress(self, responses: int, *, is_busy: bool = False) -> None:
        """Note that there is progress if the ledger's number of responses has changed, or one is awaited."""
        if responses != self._responses or is_busy:
            self._responses, self.progress_at = responses, self.clock()

    @property
    def is_stalled(self) -> bool:
        """Whether there was no progress for too long."""
        return self.clock() - self.progress_at > self.timeouts.send_progress

    @property
    def seconds_for_findings(self) -> float:
        """How long to wait for findings, 0 if there is no time left."""
        # Done long before pytest's wait ends: pytest would report that the delivery is not confirmed.
        return min(self.timeouts.findings, self.timeouts.exit_progress / 2, self.seconds_for_report)

    @property
    def seconds_for_report(self) -> float:
        """How long to wait until the report is written, 0 if there is no time left: as long as pytest waits."""
        if self.session_ended_at is None:
            return 0.0
        longest = self.timeouts.exit_interrupted if self.is_interrupted else self.timeouts.exit_all
        return max(0.0, longest - (self.clock() - self.session_ended_at) - _SECONDS_TO_END)

    def is_expired(self, *, is_busy: bool) -> bool:
        """Whether the sender's time is up; ``is_busy`` if a response, or a time the server needs, is awaited."""
        if self.session_ended_at is None:
            return False
        if self.controller is None:
            return self.is_stalled and not is_busy
        now, alone = self.clock(), self.timeouts.alone
        if self._controller_gone_at is None and not self.controller.is_alive():
            self._controller_gone_at = now
        is_left_alone = self._controller_gone_at is not None and now - self._controller_gone_at > alone
        return is_left_alone or now - self.session_ended_at > self.timeouts.exit_all + alone


class DeliveryEnd(Struct):
    """The end of one life of a sender, in which nothing is sent any more."""

    follower: SessionFollower
    delivery: Delivery
    deadlines: SenderDeadlines

    def complete(self) -> None:
        """Write findings, report and totals, and wait for what takes longer than pytest waits."""
        session, alone_seconds = self.delivery.session, self.delivery.timeouts.alone
        shown = self._ask_for_counts()
        findings = self._write_findings()
        report = self._write_report()
        self._write_totals(shown)
        if findings is not None and session.is_embedded:
            # The store computes in this process: pytest waits no longer, but later readers need the findings.
            findings.thread.join(alone_seconds)
        if report is not None:
            written = report.wait(alone_seconds) or ReportRecord(session.report, "late")
            # A later session's summary shows a failure. A folder that was removed meanwhile would be created again.
            is_late = self.delivery.state.report == ReportRecord(session.report, "late")
            if is_late and self.delivery.folder.ledger.exists():
                self._write_unless_full(written)

    def _ask_for_counts(self) -> LateAnswer[int] | None:
        """Ask how many results our threads have by the server's own count, once all are confirmed."""
        state, client, run = self.delivery.state, self.delivery.client, self.delivery.state.run
        # What stores the results in this process has confirmed its own transactions: to read it loads what pages need.
        if self.delivery.session.is_embedded or run is None:
            return None
        # Results in a run that was left are in none of this run's threads.
        if state.left_runs or state.is_recounted or not self.delivery.is_finished or not state.total("acknowledged"):
            return None
        own = {thread for each in state.progress_by_worker.values() for thread in each.threads}

        def shown() -> int:
            totals = {thread.id: thread.total for thread in client.run(run).threads}
            return sum(totals[thread] for thread in own)  # a server may show no threads: a KeyError is no answer

        return LateAnswer(f"counts of run {run}", shown, self.delivery.runtime.log)

    def _seconds_for_answers(self) -> float:
        waits = self.deadlines.controller is not None
        return self.deadlines.seconds_for_findings if waits else self.delivery.timeouts.findings

    def _write_findings(self) -> LateAnswer[FindingsExcerpt] | None:
        """Write the findings of our completed run to the ledger if a pytest waits for them, and they come in time."""
        state, client, controller = self.delivery.state, self.delivery.client, self.deadlines.controller
        if controller is None or self.delivery.queues.end is None or state.run is None or not state.is_complete:
            return None
        seconds = self._seconds_for_answers()
        if client.artifact_bytes is None or seconds <= 0 or not controller.is_alive():
            return None
        ask = partial(self._excerpt, client, state.run)
        request = LateAnswer(f"findings of run {state.run}", ask, self.delivery.runtime.log)
        excerpt = request.wait(seconds)
        if excerpt is not None:
            self._write_unless_full(FindingsRecord({**excerpt}))
        elif request.error is not None and not isinstance(request.error, RefusedError):  # as by a release before them
            self.delivery.queues.decorations.leave_out("findings", request.error)
        return request

    def _excerpt(self, client: Client, run_id: int) -> FindingsExcerpt:
        """Return what the summary shows of the findings of a run, with its digest if the session wants that."""
        document, now = client.findings_document(run_id), time.time_ns() // 1000
        excerpt = excerpt_from(document, self.delivery.session.run.source, now)
        if self.delivery.session.has_digest and (document["reasons"] or document.get("stops")):
            # Few sessions load what reads failures.
            from pytest_automation_report.export.digest import digest_run  # noqa: PLC0415
            from pytest_automation_report.export.results import ExportedTest  # noqa: PLC0415
            from pytest_automation_report.server.store.values import ResultClass  # noqa: PLC0415

            run = client.run(run_id, has_threads=False)
            # Of more failures than a page has, each reason has a few that are known.
            items = client.results_document(run_id, after=0, status_id=(ResultClass.FAILURE,))["tests"]
            tests = map(ExportedTest.from_item, items)
            excerpt["digest"] = digest_run(run, tests, document, now=now).text()
        return excerpt

    def _write_report(self) -> LateAnswer[ReportRecord] | None:
        """Write the report of our completed run, and to the ledger what became of it; pytest waits for it meanwhile."""
        session, client, state = self.delivery.session, self.delivery.client, self.delivery.state
        if not session.report or state.run is None:
            return None
        # A report from the spool has the session's own results: it needs no other job's.
        is_from_spool = not session.is_embedded and client.artifact_bytes is None and self.delivery.is_finished
        if not state.is_complete and not is_from_spool:
            why = f"run {state.run} is not completed: automation-report send completes it, and writes the report"
            if self.delivery.is_finished:
                command = f"automation-report html {state.run} -o {Path(session.report).name}"
                why = f"run {state.run} stays open for other jobs: write it with {command} once it is completed"
            self._write_unless_full(ReportRecord(session.report, "none", why))
            return None
        self._write_unless_full(ReportRecord(session.report, "begun"))
        # `automation-report send` waits as long as it takes.
        seconds = None if self.deadlines.controller is None else self.deadlines.seconds_for_report
        words = self.delivery.queues.shown_last_words.copy()
        write = partial(write_report, self.delivery, state.run, words, creates_folder=seconds is not None)
        report = LateAnswer(f"report of run {state.run}", write, self.delivery.runtime.log)
        self._write_unless_full(report.wait(seconds) or ReportRecord(session.report, "late"))
        return report

    def _write_unless_full(self, record: Record) -> None:
        """Write a record for the summary to the ledger, unless the disk is nearly full: the totals need the rest."""
        try:
            free = system.free_bytes(self.delivery.ledger.folder)
            if free is None or free > _MIN_FREE_BYTES:
                self.delivery.ledger.write(record)
        except (OSError, SpoolError) as error:
            self.delivery.runtime.log(f"the {record.__struct_config__.tag} could not be written: {error}")

    def _write_totals(self, counts: LateAnswer[int] | None) -> None:
        unsent, queues, files = self._count_unsent(), self.delivery.queues.by_worker.values(), self.follower.files
        shown = None if counts is None else counts.wait(self._seconds_for_answers())
        is_finished = self.delivery.is_finished
        why = self.delivery.retry_policy.stopped or self.delivery.state.error
        # Before the last record: with it pytest may remove the folder, and the log would be created in there again.
        kept = f"{quantity(unsent, 'result')} kept for automation-report send: {why or 'the time is up'}"
        self.delivery.runtime.log("done" if is_finished else kept)
        seen = {queue.worker: queue.counts.total() for queue in queues}
        by_status = sum((queue.counts for queue in queues), Counter[str]())
        difference = self.delivery.state.compare(shown)
        done = DoneRecord(is_finished, unsent, files.damaged, files.torn, why, by_status, difference)
        done = replace(done, left_out=tuple(self.delivery.queues.decorations.left_out.values()))
        self.delivery.ledger.write(self.delivery.state.totals(done, seen))

    def _count_unsent(self) -> int:
        """Count the unsent results, including those in files that were not read to their end."""
        unsent, follower, queues = 0, self.follower, self.delivery.queues
        # The queues are emptied on the way: a file of 100,000 results is never held in memory as a whole. Not records
        # are counted: only the queues know which ones of reruns and crashes are one result.
        while True:
            for queue in queues.by_worker.values():
                progress = self.delivery.state.progress(queue.worker)
                unsent += sum(not progress.is_settled(result.offset) for result in queue.results)
            if queues.is_decided or not follower.files.is_behind:
                return unsent
            for queue in queues.by_worker.values():
                queue.results.clear()
            follower.read()


class LateAnswer(Generic[T]):
    """The answer of a thread that asks the server or writes a report; it may go on when the sender waits no longer."""

    def __init__(self, what: str, ask: Callable[[], T], log: Callable[[str], None]) -> None:
        self._what, self._ask, self._log = what, ask, log
        self._answer: T | None = None
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def wait(self, seconds: float | None) -> T | None:
        """Wait at most this long, without a limit for None; return the answer, None if it has not come."""
        self.thread.join(None if seconds is None else max(0.0, seconds))
        if self.thread.is_alive():
            self._log(f"no {self._what} within {seconds:.1f} s")
            return None
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # noqa: BLE001 - a later release of the server may have another document
            self.error = error
            self._log(f"no {self._what}: {error!r}")


def _remove_after_pytest(folder: SessionFolder, lock: Lock, config: SenderConfig) -> None:
    """Remove a delivered session when pytest is gone, unless pytest removes it first, or lives on and may read it."""
    if system.IS_CLOSED_FIRST:
        lock.close()
    controller = system.Process(config.controller)
    end = time.monotonic() + config.timeouts.alone
    try:
        while controller.is_alive():
            if not folder.path.exists() or time.monotonic() > end:
                return
            controller.wait(config.timeouts.poll)
    finally:
        controller.close()
    remove_session(folder.path, lock, is_own=True)


def run_started(start: Mapping[str, Any], lines: BinaryIO) -> NoReturn:
    """Deliver the session whose configuration comes as the next line; `launch` starts a process with this call."""
    import_client(is_embedded=start["is_embedded"])
    config = lines.readline()
    if not config.endswith(b"\n"):
        os._exit(0)  # pytest ended before its session began
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    run_sender(json.decode(config, type=SenderConfig))
    os._exit(0)  # all is closed, and to unload each module would be an eighth of the cost of a short session


def run_sender(config: SenderConfig) -> None:
    """Deliver one session: the whole life of a sender process after its start."""
    folder = SessionFolder(Path(config.folder))
    log = Log(folder.log)
    try:
        # Who asks for a session's state has its lock for a moment.
        lock = locked(folder, config.timeouts.exit_progress)
    except SpoolError as error:
        log.write(f"{LAST_WORDS}{error}")
        raise
    if lock is None:
        log.write("another sender holds this session")
        return
    try:
        if config.endpoint.is_embedded:
            _deliver_killed(folder, config, log)
        session, controller = folder.read_session(), system.Process(config.controller)
        log.write(f"sender {os.getpid()} follows session {session.id} of pytest {config.controller}")
        delivery = _deliver(folder, session, config, log, controller)
        if delivery.is_finished and not delivery.state.has_kept and not delivery.state.lost_report:
            # Without its report the session stays: pytest removes it when it has shown the reason, else the next one.
            _remove_after_pytest(folder, lock, config)
    except BaseException as error:
        log.write(f"{LAST_WORDS}{error!r}")
        raise
    finally:
        lock.close()


def _deliver_killed(own: SessionFolder, config: SenderConfig, log: Log) -> None:
    """Deliver the sessions for the same store whose pytest and sender were killed; what cannot be delivered stays."""
    target = config.endpoint.database, config.endpoint.project_id
    config = replace(config, timeouts=replace(config.timeouts, send_progress=config.timeouts.exit_progress))
    for folder in session_folders(own.path.parent):
        lock = None
        try:
            session = folder.read_session()
            is_ours = session.is_embedded and session.is_followed and (session.database, session.project_id) == target
            if not is_ours or not session.pid_birth or session.is_pytest_alive:
                continue
            check_owner(folder)
            if _has_living_worker(folder):  # this session does not wait for its end
                continue
            lock = locked(folder)
            if lock is None or ledger_from(folder.ledger).is_done:
                continue
            # Without their reports: a path in a file is followed for users who ask for it alone.
            delivery = _deliver(folder, replace(session, report=""), config, Log(folder.log))
            if delivery.is_finished and not delivery.state.has_kept:
                remove_session(folder.path, lock, is_own=True)
        except Exception as error:  # noqa: BLE001 - whatever was left behind must not cost this session its results
            log.write(f"session {folder.id} was killed and stays: {error}")
        finally:
            if lock is not None:
                lock.close()


def _has_living_worker(folder: SessionFolder) -> bool:
    """Whether a process of a killed session lives on for a while: it may still write a result."""
    heads = (head_and_tail(folder.written(worker))[0] for worker in folder.workers())
    opened = (placed.record for head in heads for placed in head if isinstance(placed.record, OpenRecord))
    return any(record.birth and system.process_start_time(record.pid) == record.birth for record in opened)


def _deliver(
    folder: SessionFolder,
    session: SessionManifest,
    config: SenderConfig,
    log: Log,
    controller: system.Process | None = None,
) -> Delivery:
    # The wait for a store that is being migrated is one of the retry policy: the summary shows it.
    seconds = config.timeouts.request
    with connected(config.endpoint, config.token, deadline_seconds=seconds, migration_seconds=1.0) as client:
        sender = Sender(folder, session, config.timeouts, client, Runtime(log.write), controller)
        sender.options = DeliveryOptions(artifact_store=config.store)
        if controller is not None:
            sender.epoch, sender.captured_output = config.epoch, CapturedOutput(config.options)
            sender.captured_output.take(MAIN, config.captured)
        return sender.run()
