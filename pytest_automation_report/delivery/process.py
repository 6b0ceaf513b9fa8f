"""The sender's main loop: follow the session's files, deliver, end (floor 3).

It ends by itself, always: when all is delivered; when the time after the session's end is up; when the server has
said that it will take nothing more and the session is over.
"""

from __future__ import annotations

import functools
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.delivery.artifact_stores import artifact_store_for
from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.connection import connected
from pytest_automation_report.delivery.dispatcher import Dispatcher
from pytest_automation_report.delivery.handover import DeliveryContext, Runtime
from pytest_automation_report.delivery.in_flight import max_in_flight
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.reconciliation import DECISIONS
from pytest_automation_report.delivery.rejections import RejectedResults
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import MAIN, SessionFolder
from pytest_automation_report.spool.ledger_file import LedgerFile
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.log import LAST_WORDS, Log
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.writer import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.artifact_stores import ArtifactStore
    from pytest_automation_report.delivery.handover import SenderConfig, Timeouts
    from pytest_automation_report.delivery.in_flight import InFlightRequests
    from pytest_automation_report.delivery.reconciliation import Unknown
    from pytest_automation_report.delivery.request_outcomes import PendingRequest
    from pytest_automation_report.spool.manifest import SessionManifest

DIED_NOTE: Final = "pytest died before the session ended"

_DOUBT: Final = "a test deleted the spool while it ran, and with it the ledger that says what was sent"

_READ_AHEAD: Final = 1000
"""Results of a lane, waiting to be sent, from which on its file is not read further: the spool is the queue."""

_LOOKS: Final = 5
"""So many times the sender only looks whether there is news before it reads what there is."""


@dataclass(slots=True)
class SessionFollower:
    """A session's files turned into lanes, and whether the session goes on; owned by the sender.

    ``moment`` is asked for the time of the session's clock, in microseconds, 0 if that cannot be known.
    """

    files: SpoolReader
    queues: WorkerQueues
    timeouts: Timeouts
    controller: Process | None
    captured: CapturedOutput | None = None
    moment: Callable[[], int] = lambda: 0
    _workers: dict[str, Process] = field(default_factory=dict)
    _died_at: float | None = None

    def read(self) -> None:
        """Take all new records."""
        for worker, records in self.files.added(self._is_full):
            for placed in records:
                self.queues.apply(worker, placed)
            queue = self.queues.of(worker)
            queue.position = self.files.position(worker)
            if queue.pid and worker not in self._workers and self.controller is not None:
                self._workers[worker] = Process(queue.pid)
            if queue.captured and self.captured is not None:
                self.captured.watch(worker, queue.pid, queue.captured)
                queue.captured = ()
        self.queues.merge_crashed()

    def _is_full(self, worker: str) -> bool:
        return len(self.queues.of(worker).results) >= _READ_AHEAD

    @property
    def has_ended(self) -> bool:
        """Whether the session has ended; it may be that not all was read, since results wait to be sent."""
        has_ended = self.queues.is_decided or self.queues.end is not None
        return has_ended or (self.files.is_behind and self._is_left_alone())

    def _is_left_alone(self) -> bool:
        """Whether the process that led the session is gone, or there was none to follow."""
        return self.controller is None or not self.controller.is_alive()

    def decide_end(self, now: float) -> None:
        """Decide what never finished, once the session has ended or all its processes are dead."""
        if self.queues.is_decided or self.files.is_behind:
            return
        if self.queues.end is not None:
            self.queues.finalize("interrupted")
        elif self._is_left_alone():
            self._died_at = now if self._died_at is None else self._died_at
            is_waiting = any(each.is_alive() for each in self._workers.values())
            if not is_waiting or now - self._died_at > self.timeouts.worker_grace:
                self._decide_after_death()

    def _decide_after_death(self) -> None:
        """Read what the processes wrote last: one that ended in order between two looks has written its end."""
        self.read()
        if not self.files.is_behind:
            self.queues.finalize("died" if self.queues.end is None else "interrupted", self.moment())

    def close(self) -> None:
        """Close the descriptors of processes and of what they have captured."""
        for each in (self.controller, *self._workers.values(), self.captured):
            if each is not None:
                each.close()


@dataclass(slots=True)
class Sender:
    """One life of a sender on one session's folder, which it holds the lock of."""

    folder: SessionFolder
    session: SessionManifest
    timeouts: Timeouts
    client: Client
    runtime: Runtime
    controller: Process | None = None
    on_progress: Callable[[Dispatcher], None] = lambda _: None
    unknown: Unknown = "hold"
    artifact_store: ArtifactStore | None = None
    is_in_new_run: bool = False
    captured: CapturedOutput | None = None
    max_in_flight: int = 1
    moment: Callable[[], int] = lambda: 0
    _alone_at: float | None = None
    _locks: list[int] = field(default_factory=list)

    def run(self) -> Dispatcher:
        """Deliver until there is nothing left to do or no time; return what became of it."""
        show = functools.partial(self.folder.file_of(self.session).show, Disk())
        ledger = LedgerFile(self.folder.ledger, self._restore, show)
        if ledger.is_new and self.controller is None and self.session.is_doubtful:
            ledger.write("doubted")
        orphans = {worker: account.orphans for worker, account in ledger.state.accounts.items()}
        words = () if self.captured is None else (self.captured.last_words,)
        queues = WorkerQueues(rules_of(self.session), orphans, *words)
        following = SessionFollower(
            SpoolReader(self.folder), queues, self.timeouts, self.controller, self.captured, self.moment
        )
        rejects = RejectedResults(self.folder.rejected)
        context = DeliveryContext(self.client, ledger, queues, self.session, self.timeouts, self.runtime)
        delivery = Dispatcher(
            context,
            rejects,
            unknown=self.unknown,
            artifact_store=self.artifact_store,
            max_in_flight=self.max_in_flight,
        )
        try:
            ledger.write("ready", pid=os.getpid())
            if ledger.state.is_doubted and self.unknown != "send":
                self._hold(following, ledger)
            self._prepare(following, delivery)
            if ledger.state.is_doubted:
                delivery.retry_policy.stop("unknown", _DOUBT)
            self._loop(following, delivery)
            delivery.await_responses()
            self._account(following, delivery)
        finally:
            following.close()
            ledger.close()
            for lock in self._locks:
                os.close(lock)
        return delivery

    def _prepare(self, following: SessionFollower, delivery: Dispatcher) -> None:
        """Do with an earlier life's unknown results, and with its run, what is asked for."""
        ledger = delivery.ledger
        if self.unknown != "hold":
            ledger.write("unheld", dropped=self.unknown == "drop")
        if self.is_in_new_run and ledger.state.run is not None and self._reconcile_open_intents(following, delivery):
            for number in list(ledger.state.open_intents):
                ledger.write(DECISIONS[self.unknown], i=number, why="its run was left for a new one")
            delivery.retry_policy.resume()
            ledger.write("new-run")

    def _reconcile_open_intents(self, following: SessionFollower, delivery: Dispatcher) -> bool:
        """Settle what is open in the run that is to be left; return whether the server has told what it can."""
        following.read()
        clock, state, answers, progress_at = self.runtime.clock, delivery.state, -1, 0.0
        while state.open_intents and not delivery.stopped:
            if state.answers != answers or delivery.is_busy:
                answers, progress_at = state.answers, clock()
            if clock() - progress_at > self.timeouts.send_progress:
                delivery.retry_policy.stop(state.trouble_class or "again", state.trouble or "there is no progress")
            elif not delivery.reconcile():
                time.sleep(self.timeouts.poll)
        return not delivery.stopped or state.trouble_class == "refused"

    def _hold(self, following: SessionFollower, ledger: LedgerFile) -> None:
        """Hold all results: an earlier sender may have sent them, and nobody can tell since its ledger is gone."""
        if ledger.state.open_intent is not None:  # a sender was killed in the middle of this
            ledger.write("held", i=ledger.state.open_intent.number, why=_DOUBT)
        while True:
            following.read()
            for worker, queue in following.queues.by_worker.items():
                account = ledger.state.account(worker)
                found = [each for each in queue.results if not account.is_settled(each.offset)]
                queue.results.clear()
                if found:
                    span = found[0].offset, found[-1].offset, len(found)
                    orphans = tuple(each.number for each in found if each.is_orphan)
                    at = self.runtime.wall()
                    intent = ledger.intend("append_thread", at=at, worker=worker, span=span, orphans=orphans)
                    ledger.write("held", i=intent.number, why=_DOUBT)
            if not following.files.is_behind:
                return

    def _restore(self) -> None:
        """Make and lock the folder that a test has deleted: the lock on the deleted file would keep nobody out."""
        self.folder.file_of(self.session).copy(Disk())
        lock = self.folder.locked()
        if lock is None:
            raise SpoolError(f"{self.folder.path} was deleted, and another sender has taken it since")
        self._locks.append(lock)

    def _loop(self, following: SessionFollower, delivery: Dispatcher) -> None:
        clock, progress_at, answers, over_at = self.runtime.clock, self.runtime.clock(), 0, 0.0
        while True:
            began = clock()
            following.read()
            following.decide_end(clock())
            progress_at += clock() - began  # a large file is no lack of progress
            if following.queues.is_decided:
                delivery.scheduler.note = note_from(following.queues)
            if not over_at and following.has_ended:
                over_at = clock()
                delivery.retry_policy.skip_backoff()
            if delivery.is_finished or (
                over_at and (delivery.stopped or self._is_out_of_time(over_at, progress_at, is_busy=delivery.is_busy))
            ):
                return
            if not delivery.step():
                self._wait(following, delivery.in_flight, looks=1 if over_at else _LOOKS)
            if delivery.state.answers != answers:
                answers, progress_at = delivery.state.answers, clock()
            self.on_progress(delivery)

    def _is_out_of_time(self, over_at: float, progress_at: float, *, is_busy: bool) -> bool:
        now = self.runtime.clock()
        if self.controller is None:
            return now - progress_at > self.timeouts.send_progress and not is_busy
        if self._alone_at is None and not self.controller.is_alive():
            self._alone_at = now
        is_too_long = now - over_at > self.timeouts.exit_all + self.timeouts.alone
        return is_too_long or (self._alone_at is not None and now - self._alone_at > self.timeouts.alone)

    def _wait(self, following: SessionFollower, in_flight: InFlightRequests[PendingRequest], looks: int) -> None:
        """Wait until there may be something to do: few results in one go cost as much as many."""
        if in_flight:
            in_flight.wait(self.timeouts.poll)
            return
        self.client.rest()
        if self.controller is None:
            time.sleep(self.timeouts.poll)
            return
        for _ in range(looks):
            self.controller.wait(self.timeouts.poll)
            if following.files.has_news() or not self.controller.is_alive():
                return

    def _account(self, following: SessionFollower, delivery: Dispatcher) -> None:
        """Write what became of each worker's results, for the summary and for whoever reads the spool."""
        ledger, left = delivery.ledger, self._count_unsent(following, delivery)
        for worker, queue in following.queues.by_worker.items():
            account = ledger.state.account(worker)
            ledger.write(
                "lane",
                worker=worker,
                seen=queue.seen,
                counts=dict(queue.counts),
                acknowledged=account.acknowledged.count,
                rejected=account.rejected.count,
                held=account.held.count,
                left=left[worker],
            )
        is_finished = delivery.is_finished
        # Before the last record: with it pytest may remove the folder, and the log would be created in there again.
        self.runtime.log("done" if is_finished else f"{left.total()} results left: {delivery.stopped}")
        ledger.write(
            "done",
            complete=is_finished,
            left=left.total(),
            damaged=following.files.damaged,
            torn=following.files.torn,
            why=delivery.stopped or ledger.state.trouble,
        )

    @staticmethod
    def _count_unsent(following: SessionFollower, delivery: Dispatcher) -> Counter[str]:
        """Count by worker what is still to be sent, also in files that were not read to their end."""
        left: Counter[str] = Counter()
        while True:
            for worker, queue in following.queues.by_worker.items():
                left[worker] += delivery.scheduler.unsettled(queue)
            if following.queues.is_decided or not following.files.is_behind:
                return left
            for queue in following.queues.by_worker.values():
                queue.results.clear()
            following.read()


def rules_of(session: SessionManifest) -> RecordingOptions:
    """Return the recording options of a session; raises `SpoolError` when its manifest holds none.

    Parsed here and not when the manifest is read: the spool knows nothing of recording.
    """
    try:
        return RecordingOptions.from_json(session.rules)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpoolError(f"session {session.id}: its recording options cannot be read: {error!r}") from error


def note_from(queues: WorkerQueues) -> str:
    """Return how the session ended, for people."""
    if queues.end is None:
        return DIED_NOTE
    return str(queues.end["reason"])


def _moment(epoch: float | None) -> int:
    """Return the time of the clock of a session that runs on this machine, in microseconds."""
    return 0 if epoch is None else max(0, int((time.perf_counter() - epoch) * 1_000_000))


def _remove_after_pytest(folder: SessionFolder, handover: SenderConfig) -> None:
    """Remove a delivered session as soon as pytest is gone, if it does not do so itself.

    One that was killed, or that waits no longer, leaves the folder behind; one that lives may still read it.
    """
    controller = Process(handover.controller)
    end = time.monotonic() + handover.timeouts.alone
    try:
        while controller.is_alive():
            if not folder.path.exists() or time.monotonic() > end:
                return
            controller.wait(handover.timeouts.poll)
    finally:
        controller.close()
    folder.remove()


def run(handover: SenderConfig) -> None:
    """Deliver one session; the sender process's whole life after its start."""
    folder = SessionFolder(Path(handover.folder))
    log = Log(folder.log)
    try:
        lock = folder.locked()
    except SpoolError as error:
        log.write(f"{LAST_WORDS}{error}")
        raise
    if lock is None:
        log.write("another sender holds this session")
        return
    try:
        session = folder.read_session()
        runtime = Runtime(clock=time.monotonic, random=random.random, log=log.write)
        controller = Process(handover.controller)
        log.write(f"sender {os.getpid()} follows session {session.id} of pytest {handover.controller}")
        with connected(handover.endpoint, handover.token, deadline_seconds=handover.timeouts.request) as client:
            artifact_store, captured = (
                artifact_store_for(handover.store, runtime.clock),
                CapturedOutput(handover.hiding.redaction()),
            )
            captured.take(MAIN, handover.captured)
            delivery = Sender(
                folder, session, handover.timeouts, client, runtime, controller, artifact_store=artifact_store,
                captured=captured, max_in_flight=max_in_flight(handover.endpoint),
                moment=functools.partial(_moment, handover.epoch),
            ).run()  # fmt: skip
        if delivery.is_finished and not delivery.has_kept:
            _remove_after_pytest(folder, handover)
    except BaseException as error:
        log.write(f"{LAST_WORDS}{error!r}")
        raise
    finally:
        os.close(lock)
