"""The sender's main loop: follow a session's spool files, deliver the results, end.

The sender always ends by itself: when everything is delivered, when its time after the session's end is up, or when the
session is over and the server accepts nothing more.
"""

from __future__ import annotations

import functools
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.dispatcher import Delivery
from pytest_automation_report.delivery.ending import Deadlines, DeliveryEnd
from pytest_automation_report.delivery.follower import SessionFollower, note_from, options_of
from pytest_automation_report.delivery.handover import Runtime
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.reconciliation import DECISIONS
from pytest_automation_report.delivery.requests import DeliveryOptions, max_in_flight
from pytest_automation_report.delivery.stores import artifact_store_for, connected
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.cleaning import remove_session
from pytest_automation_report.spool.folder import MAIN, SessionFolder, session_folders
from pytest_automation_report.spool.ledger import (
    NewRunRecord,
    ReadyRecord,
    UnheldRecord,
)
from pytest_automation_report.spool.ledger_file import LedgerFile, ledger_from
from pytest_automation_report.spool.process import LAST_WORDS, Log, Process, process_start_time
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.text.files import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.handover import SenderConfig, Timeouts
    from pytest_automation_report.delivery.requests import InFlightRequests, Request
    from pytest_automation_report.spool.folder import SessionManifest


_LOOKS_WHILE_TESTS_RUN: Final = 5
"""How many times the sender only looks for news before it reads the files, to save CPU time that the tests need."""

_ReconciledRun: TypeAlias = Literal["reconciled", "refused", "unreachable"]
"""How the reconciliation of a run's open intents ended: all closed; the server refuses to answer; no answer."""


class Sender(Struct):
    """One life of a sender; its owner holds the lock of the session's folder.

    ``session_time_us`` and ``captured_output`` are for the follower.
    """

    folder: SessionFolder
    session: SessionManifest
    timeouts: Timeouts
    client: Client
    runtime: Runtime
    controller: Process | None = None
    options: DeliveryOptions = DeliveryOptions()
    on_progress: Callable[[Delivery], None] = lambda _: None
    captured_output: CapturedOutput | None = None
    session_time_us: Callable[[], int] = lambda: 0
    _locks: list[int] = field(default_factory=list)

    def run(self) -> Delivery:
        """Deliver until everything is sent or time is up; return the delivery, whose state shows the result."""
        ledger = LedgerFile(self.folder.ledger, self._restore)
        follower, delivery = self.begin(ledger)
        try:
            ledger.write(ReadyRecord(os.getpid()))
            self._prepare(follower, delivery)
            deadlines = self._loop(follower, delivery)
            delivery.await_responses()
            DeliveryEnd(follower, delivery, deadlines, self.controller).complete()
        finally:
            follower.close()
            ledger.close()
            for lock in self._locks:
                os.close(lock)
        return delivery

    def begin(self, ledger: LedgerFile) -> tuple[SessionFollower, Delivery]:
        """Return what follows the session, and its delivery."""
        orphans = {worker: progress.orphans for worker, progress in ledger.state.progress_by_worker.items()}
        last_words = () if self.captured_output is None else (self.captured_output.last_words,)
        queues = WorkerQueues(options_of(self.session), orphans, *last_words)
        follower = SessionFollower(
            SpoolReader(self.folder),
            queues,
            self.timeouts,
            self.controller,
            self.captured_output,
            self.session_time_us,
        )
        delivery = Delivery(self.session, self.client, ledger, queues, self.timeouts, self.runtime, self.options)
        return follower, delivery

    def _prepare(self, follower: SessionFollower, delivery: Delivery) -> None:
        """Apply what the user decided about held results of an earlier sender, and about its run."""
        ledger = delivery.ledger
        if self.options.unknown != "hold":
            ledger.write(UnheldRecord(self.options.unknown == "drop"))
        if not self.options.is_in_new_run or ledger.state.run is None:
            return
        # A run that refuses to answer is left all the same. One that cannot be reached may still show what arrived in
        # it: to leave it now could send results twice.
        if self._reconcile_open_intents(follower, delivery) != "unreachable":
            for number in list(ledger.state.open_intents):
                ledger.write(DECISIONS[self.options.unknown](number, "its run was left for a new one"))
            delivery.retry_policy.resume()
            ledger.write(NewRunRecord())

    def _reconcile_open_intents(self, follower: SessionFollower, delivery: Delivery) -> _ReconciledRun:
        """Reconcile every open intent of the run that is about to be left, which may take minutes."""
        follower.read()
        state, deadlines = delivery.state, Deadlines(self.timeouts, self.runtime.clock)
        while state.open_intents and not delivery.retry_policy.stopped:
            deadlines.note_responses(state.answers)
            if delivery.is_busy:
                deadlines.touch()
            if deadlines.is_stalled:
                delivery.retry_policy.stop(state.trouble_class or "again", state.trouble or "there is no progress")
            elif not delivery.reconcile():
                time.sleep(self.timeouts.poll)
        if not delivery.retry_policy.stopped:
            return "reconciled"
        return "refused" if state.trouble_class == "refused" else "unreachable"

    def _restore(self) -> None:
        """Create and lock the folder that a test has deleted: a lock on the deleted file excludes no other sender."""
        manifest = self.folder.file_of(self.session)
        manifest.copy(Disk())
        lock = self.folder.locked()
        if lock is None:
            raise SpoolError(f"{self.folder.path} was deleted, and another sender has locked it since")
        self._locks.append(lock)
        manifest.show(Disk())

    def _loop(self, follower: SessionFollower, delivery: Delivery) -> Deadlines:
        """Read, then send or wait, until everything is sent or time is up; return the time that was left."""
        deadlines = Deadlines(self.timeouts, self.runtime.clock, self.controller)
        self._read(follower, delivery, deadlines)
        while not self._is_over(delivery, deadlines):
            if not delivery.step():
                looks = _LOOKS_WHILE_TESTS_RUN if deadlines.session_ended_at is None else 1
                self._wait(follower, delivery.in_flight, looks)
            deadlines.note_responses(delivery.state.answers)
            self.on_progress(delivery)
            self._read(follower, delivery, deadlines)
        return deadlines

    def _read(self, follower: SessionFollower, delivery: Delivery, deadlines: Deadlines) -> None:
        """Read the new records, and act on the session's end when it is seen for the first time."""
        began = self.runtime.clock()
        follower.read()
        follower.decide_end(self.runtime.clock())
        deadlines.exclude(self.runtime.clock() - began)  # to read a large file is not a lack of progress
        if follower.queues.is_decided:
            delivery.scheduler.note = note_from(follower.queues)
        if deadlines.session_ended_at is None and follower.has_ended:
            deadlines.start_end()
            # pytest waits from now on: try at once, though a backoff may have begun while tests ran.
            delivery.retry_policy.skip_backoff()

    @staticmethod
    def _is_over(delivery: Delivery, deadlines: Deadlines) -> bool:
        """Whether to end: all is sent, or the session has ended and its time is up or nothing more can be sent."""
        if delivery.is_finished:
            return True
        # While tests run the sender stays, even if it has stopped to send: it watches processes and output.
        if deadlines.session_ended_at is None:
            return False
        return bool(delivery.retry_policy.stopped) or deadlines.is_expired(is_busy=delivery.is_busy)

    def _wait(self, follower: SessionFollower, in_flight: InFlightRequests[Request], looks: int) -> None:
        """Wait until there may be something to do, for ``looks`` poll intervals at most.

        A request with few results costs as much as one with many, so it pays to let results gather.
        """
        if in_flight:
            in_flight.wait(self.timeouts.poll)
            return
        self.client.rest()
        if self.controller is None:
            time.sleep(self.timeouts.poll)
            return
        for _ in range(looks):
            self.controller.wait(self.timeouts.poll)
            if follower.files.has_news() or not self.controller.is_alive():
                return


def _session_time_us(epoch: float | None) -> int:
    """Return the time of the session's clock in microseconds, 0 if the session does not run on this machine."""
    return 0 if epoch is None else max(0, int((time.perf_counter() - epoch) * 1_000_000))


def _remove_after_pytest(folder: SessionFolder, config: SenderConfig) -> None:
    """Remove a delivered session when pytest is gone, unless pytest removes it first.

    A pytest that was killed, or that waits no longer, leaves the folder behind. One that lives may still read it, so it
    stays after ``alone`` seconds.
    """
    controller = Process(config.controller)
    end = time.monotonic() + config.timeouts.alone
    try:
        while controller.is_alive():
            if not folder.path.exists() or time.monotonic() > end:
                return
            controller.wait(config.timeouts.poll)
    finally:
        controller.close()
    remove_session(folder.path, is_own=True)


def run(config: SenderConfig) -> None:
    """Deliver one session: the whole life of a sender process after its start."""
    folder = SessionFolder(Path(config.folder))
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
        if config.endpoint.is_embedded:
            _deliver_killed(folder, config, log)
        delivery = _deliver(folder, config, log)
        if delivery.is_finished and not delivery.has_kept and not delivery.state.lost_report:
            # Without its report the session stays: pytest removes it when it has shown the reason, else the next one.
            _remove_after_pytest(folder, config)
    except BaseException as error:
        log.write(f"{LAST_WORDS}{error!r}")
        raise
    finally:
        os.close(lock)


def _deliver_killed(own: SessionFolder, config: SenderConfig, log: Log) -> None:
    """Deliver the sessions for the same embedded store whose pytest and sender were killed, while our tests run.

    Their reports in one file stay unwritten: a path in a file is followed for users who ask for it alone. What cannot
    be delivered stays, and pytest's summary tells of it.
    """
    target = config.endpoint.database, config.endpoint.project_id
    timeouts = replace(config.timeouts, send_progress=config.timeouts.exit_progress)
    for folder in session_folders(own.path.parent):
        lock = None
        try:
            session = folder.read_session()
            is_ours = session.is_embedded and session.is_followed and (session.database, session.project_id) == target
            if not is_ours or not session.pid_birth or process_start_time(session.pid) == session.pid_birth:
                continue
            folder.check_owner()
            lock = folder.locked()
            if lock is None or ledger_from(folder.ledger).is_done:
                continue
            runtime = Runtime(clock=time.monotonic, random=random.random, log=Log(folder.log).write)
            with connected(config.endpoint, config.token, deadline_seconds=config.timeouts.request) as client:
                options = DeliveryOptions(artifact_store=artifact_store_for(config.store, runtime.clock))
                sender = Sender(folder, replace(session, report=""), timeouts, client, runtime, options=options)
                delivery = sender.run()
            if delivery.is_finished and not delivery.has_kept:
                remove_session(folder.path, is_own=True)
        except Exception as error:  # noqa: BLE001 - whatever was left behind must not cost this session its results
            log.write(f"session {folder.id} was killed and stays: {error}")
        finally:
            if lock is not None:
                os.close(lock)


def _deliver(folder: SessionFolder, config: SenderConfig, log: Log) -> Delivery:
    session = folder.read_session()
    runtime = Runtime(clock=time.monotonic, random=random.random, log=log.write)
    controller = Process(config.controller)
    log.write(f"sender {os.getpid()} follows session {session.id} of pytest {config.controller}")
    with connected(config.endpoint, config.token, deadline_seconds=config.timeouts.request) as client:
        captured_output = CapturedOutput(config.hiding.redaction())
        captured_output.take(MAIN, config.captured)
        return Sender(
            folder,
            session,
            config.timeouts,
            client,
            runtime,
            controller,
            options=DeliveryOptions(
                artifact_store=artifact_store_for(config.store, runtime.clock),
                max_in_flight=max_in_flight(config.endpoint),
            ),
            captured_output=captured_output,
            session_time_us=functools.partial(_session_time_us, config.epoch),
        ).run()
