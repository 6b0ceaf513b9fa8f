"""A sender's delivery in this process, step by step, on a spool made by hand and a clock that a test moves."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.models import Artifact, ArtifactStoreConfig, Field, FieldType, NewRun
from pytest_automation_report.delivery.dispatcher import Delivery, SessionFollower
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.requests import DeliveryOptions, Unknown
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.spool.folder import FOLDER, SESSION_ID_FIELD, SessionFolder, SessionManifest
from pytest_automation_report.spool.records import Attempt, spooled_address
from pytest_automation_report.spool.sessions import LedgerFile
from pytest_automation_report.spool.writer import SpoolWriter
from pytest_automation_report.system.here import system
from support.records import finish_line, line, start_line
from support.scripted_adapter import client_of
from support.scripted_server.server import ScriptedServer
from support.sessions import SHORT_LIMITS

Pending: TypeAlias = "list[Callable[[], None]]"
"""Requests that are under way and have not arrived: each arrives when it is called."""

SESSION_ID = "20260102T030405-00000001"


@dataclass
class Clock:
    """A monotonic clock that stands still, and random numbers that are all the same."""

    now: float = 1000.0
    number: float = 0.5
    lines: list[str] = field(default_factory=list)

    def runtime(self) -> Runtime:
        return Runtime(
            clock=lambda: self.now,
            random=lambda: self.number,
            log=self.lines.append,
            wall=lambda: 1_800_000_000 + self.now,
        )


class WrittenSession:
    """A session's folder as pytest's process leaves it; results are written one by one."""

    def __init__(
        self, folder: Path, origin: str, *, joined_run: int | None = None, fields: tuple[Field, ...] = ()
    ) -> None:
        path = folder / SESSION_ID
        path.mkdir(mode=0o700)
        self.folder = SessionFolder(path)
        own = (Field(SESSION_ID_FIELD, SESSION_ID),)
        self.session = SessionManifest(
            id=SESSION_ID,
            origin=origin,
            project_id=1,
            database="",
            run=NewRun(name="ours", source="suite", fields=(*own, *fields)),
            joined_run=joined_run,
            options={},
            pid=1,
        )
        self.folder.write_session(self.session)
        self._writer = self.folder.writer("main")
        self._count = 0
        self._writer.write(line("open", format=1, worker="main", pid=0, t=0))

    @classmethod
    def reopened(cls, other: WrittenSession) -> WrittenSession:
        again = cls.__new__(cls)
        again.folder, again.session, again._count = other.folder, other.session, other._count
        again._writer = other.folder.writer("main")
        return again

    @classmethod
    def left_in(cls, folder: Path) -> WrittenSession:
        """Return the session that another process has left in this folder, for senders: nobody writes it any more."""
        found = cls.__new__(cls)
        found.folder = SessionFolder(folder / SESSION_ID)
        found.session = found.folder.read_session()
        return found

    def collect(self, count: int) -> None:
        self._writer.write(line("collected", count=count, repeated=[]))

    def start(self, name: str) -> None:
        self._count += 1
        moment = 10 * self._count
        self._writer.write(start_line(self._count, moment, f"test_it.py::{name}", "test_it.py", 0))

    def finish(self, name: str, text: str = "", file: str = "", *, has_failed: bool = False) -> None:
        """End the test that has begun; ``file`` is the name in the stash of one that it adds."""
        moment = 10 * self._count + 5
        artifacts = (Artifact(file, spooled_address(file, file)),) if file else ()
        attempt = Attempt("passed", 5, 2, 1)
        if text or file or has_failed:
            fields = (Field("Text", text, FieldType.TEXT),)
            attempt = Attempt("failure" if has_failed else "passed", 5, fields=fields, artifacts=artifacts)
        nodeid, began = f"test_it.py::{name}", moment - 5
        self._writer.write(finish_line(self._count, moment, nodeid, "test_it.py", 0, attempt, began=began))

    def add(self, *names: str, text: str = "") -> None:
        for name in names:
            self.start(name)
            self.finish(name, text)

    def add_worker(self, worker: str, *names: str, dies_in: str = "", file: str = "") -> None:
        """Run these tests on a worker of pytest-xdist, to its end.

        ``dies_in`` is a test that crashes it, ``file`` the name in the stash of what each of the others adds.
        """
        main, self._writer = self._writer, SpoolWriter(self.folder.records(worker))
        try:
            self._writer.write(line("open", format=1, worker=worker, pid=0, t=0))
            for name in names:
                self.start(name)
                self.finish(name, file=file)
            if file:
                self._keep(file)
            if dies_in:
                self.start(dies_in)
            else:
                self._writer.write(line("close", t=10 * self._count + 9, counts={"passed": len(names)}))
        finally:
            self._writer.close()
            self._writer = main

    def describe(self, file: str) -> None:
        """Add a file of this name in the stash to the run."""
        self._keep(file)
        self._writer.write(line("property", artifact={"name": file, "url": spooled_address(file, file)}))

    def fail_with(self, name: str, file: str, size: int) -> None:
        """Run a test that adds a file of this size and fails."""
        self.start(name)
        self._keep(file)
        os.truncate(self.folder.path.joinpath(FOLDER, file), size)
        self.finish(name, file=file, has_failed=True)

    def _keep(self, file: str) -> None:
        self.folder.path.joinpath(FOLDER).mkdir(mode=0o700, exist_ok=True)
        self.folder.path.joinpath(FOLDER, file).write_text(f"content of {file}")

    def end(self) -> None:
        self._writer.write(line("close", t=10 * self._count + 9, counts={"passed": self._count}))
        self._writer.write(line("end", t=10 * self._count + 9, exit=0, reason="all tests passed"))

    def close(self) -> None:
        self._writer.close()


def ended_session(
    folder: Path, server: ScriptedServer, count: int = 3, *, text: str = "", joined_run: int | None = None
) -> WrittenSession:
    """Return a session of so many tests, each with this text, that ended in order and of which nothing was sent."""
    written = WrittenSession(folder, server.address, joined_run=joined_run)
    written.add(*numbered(count), text=text)
    written.end()
    return written


def session_of_workers(
    folder: Path, server: ScriptedServer, count: int, *, joined_run: int | None = None
) -> WrittenSession:
    """Return a session of so many workers, each with a test of its own, that ended in order and was not sent."""
    written = WrittenSession(folder, server.address, joined_run=joined_run)
    for number, name in enumerate(numbered(count)):
        written.add_worker(f"gw{number}", name)
    written.end()
    return written


@dataclass
class Stepper:
    """One life of a sender: its delivery and what it follows."""

    delivery: Delivery
    following: SessionFollower
    clock: Clock
    idle: Callable[[], bool] = lambda: False

    def read(self) -> None:
        self.following.read()
        self.following.decide_end(self.clock.now)

    def step(self) -> bool:
        """Take what is new, then send at most one request."""
        self.read()
        return self.delivery.step()

    def wait(self, seconds: float = 0.0) -> None:
        """Let time pass, then step until there is nothing to do."""
        self.clock.now += seconds
        while self.step():
            pass

    def run(self, *, seconds_a_step: float = 0.5, steps: int = 2000) -> None:
        """Step until all is done or nothing more will be; the clock moves when there is nothing to do, even idly."""
        for _ in range(steps):
            did = self.step()
            if self.delivery.is_finished or self.delivery.retry_policy.stopped:
                return
            if not did and not self.idle():
                self.clock.now += seconds_a_step
        raise AssertionError("the delivery never ended:\n" + "\n".join(self.clock.lines[-20:]))


@contextmanager
def stepping(
    written: WrittenSession,
    clock: Clock | None = None,
    timeouts: Timeouts | None = None,
    *,
    request_seconds: float = 5.0,
    unknown: Unknown = "hold",
    pending: Pending | None = None,
) -> Iterator[Stepper]:
    """Yield a life of a sender on this session.

    With a list for what is ``pending``, up to four requests are under way at the same time.
    """
    clock, timeouts = clock or Clock(), timeouts or Timeouts()
    ledger = LedgerFile(written.folder.ledger)
    # This process stands for a pytest that lives: nothing is decided before the session's end is written.
    controller, options = (
        system.Process(os.getpid()),
        DeliveryOptions(unknown, max_in_flight=1 if pending is None else 4),
    )
    with client_of(written.session.origin, deadline_seconds=request_seconds) as client:
        sender = Sender(written.folder, written.session, timeouts, client, clock.runtime(), controller, options)
        following, delivery = sender.begin(ledger)
        if pending is not None:
            delivery.in_flight.spawn = pending.append
        try:
            yield Stepper(delivery, following, clock)
        finally:
            following.close()
            ledger.close()
            written.close()


def delivered(written: WrittenSession, clock: Clock | None = None) -> Delivery:
    """Let a sender live on this session until all is done, or nothing more will be; return its delivery."""
    with stepping(written, clock) as stepper:
        stepper.run()
        return stepper.delivery


def settled(written: WrittenSession, clock: Clock | None = None) -> Delivery:
    """Deliver a session to its end, with nothing kept; return the delivery."""
    delivery = delivered(written, clock)
    assert delivery.is_finished
    assert not delivery.state.has_kept
    return delivery


def lived(
    written: WrittenSession,
    server: ScriptedServer,
    unknown: Unknown = "hold",
    *,
    controller: system.Process | None = None,
    is_in_new_run: bool = False,
    max_in_flight: int = 1,
    on_progress: Callable[[Delivery], None] = lambda _: None,
    **more: float,
) -> Delivery:
    """Let a whole sender live on this session, as the console command does, and return its delivery.

    ``more`` are limits of its own, in seconds.
    """
    timeouts = Timeouts(
        **{**SHORT_LIMITS, "send_progress": 0.5, "alone": 0.5, "retry_cap": 0.05, "poll": 0.005, **more}
    )
    runtime = Runtime(clock=clock_for(30.0), random=lambda: 0.5, log=lambda _: None)
    with client_of(server.address) as client:
        return Sender(
            written.folder,
            written.session,
            timeouts,
            client,
            runtime,
            controller,
            DeliveryOptions(unknown, is_in_new_run=is_in_new_run, max_in_flight=max_in_flight),
            on_progress,
        ).run()


def awaited_life(
    written: WrittenSession,
    client: Client,
    timeouts: Timeouts,
    *,
    is_awaited: bool = True,
    log: Callable[[str], None] = lambda _: None,
    artifact_store: ArtifactStoreConfig | None = None,
    **members: Any,  # noqa: ANN401 - of several types
) -> Delivery:
    """End a session, and let a sender live on it whose pytest is this process; without one if it is not awaited.

    ``members`` of its manifest are others than it was written with.
    """
    written.end()
    written.close()
    runtime = Runtime(clock=time.monotonic, random=random.random, log=log)
    controller = system.Process(os.getpid()) if is_awaited else None
    session, options = replace(written.session, **members), DeliveryOptions(artifact_store=artifact_store)
    return Sender(written.folder, session, timeouts, client, runtime, controller, options).run()


def clock_for(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds

    def clock() -> float:
        now = time.monotonic()
        assert now < end, f"the sender does not end within {seconds:g} s"
        return now

    return clock


def numbered(count: int) -> list[str]:
    return [f"test_{number}" for number in range(count)]


def until_appends_are_under_way(stepper: Stepper, pending: Pending, count: int) -> None:
    """Let requests arrive until so many appends are under way, each to a thread of its own."""
    intents = stepper.delivery.state.open_intents
    for _ in range(200):
        if sum(each.operation == "append_thread" for each in intents.values()) == count:
            return
        while pending:
            pending.pop(0)()
        while stepper.step():
            pass
    raise AssertionError("they are not")


def step_until(stepper: Stepper, condition: Callable[[], bool], *, seconds_a_step: float = 0.0) -> None:
    """Step until the condition holds; the clock moves when there is nothing to do, if it moves at all."""
    for _ in range(400):
        if condition():
            return
        stepper.clock.now += 0.0 if stepper.step() else seconds_a_step
    raise AssertionError("it did not happen:\n" + "\n".join(stepper.clock.lines[-20:]))
