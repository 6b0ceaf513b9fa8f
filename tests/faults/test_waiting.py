"""Pytest's wait at the session's end: never longer than its limits, and no longer than it is worth."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.session.end import LedgerTail, wait_for_sender
from pytest_automation_report.spool.records import DoneRecord, ReportRecord
from support.records import line

LIMITS = Timeouts()
INTENT = {"op": "create_run", "worker": "", "thread": 0, "first": 0, "last": 0, "count": 0, "known": 0, "orphans": []}


@dataclass
class Ledger:
    """A ledger on disk, a clock that moves when pytest sleeps, and what the sender writes at which second."""

    path: Path
    now: float = 0.0
    plan: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    number: int = 0
    notices: list[tuple[float, float, str]] = field(default_factory=list)
    tail: LedgerTail = field(init=False)

    def write(self, kind: str, **members: object) -> None:
        with self.path.open("ab") as file:
            file.write(line(kind, **members))

    def intend(self) -> None:
        self.number += 1
        self.write("intent", i=self.number, observed=0, computed=0, **INTENT)

    def acknowledge(self) -> None:
        self.intend()
        self.write("ack", i=self.number, id=1)

    def fail(self, error: str) -> None:
        """Append an intent that did not reach the server."""
        self.intend()
        self.write("not", i=self.number)
        self.write("error", why="no route", **{"class": error})

    def finish(self) -> None:
        self.write("done", complete=True, left=0, damaged=0, torn=0, why="")

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.plan and self.plan[0][0] <= self.now:
            self.plan.pop(0)[1]()

    def wait(self, *, is_interrupted: bool = False) -> DoneRecord:
        self.tail = LedgerTail(self.path)
        return wait_for_sender(
            self.tail,
            LIMITS,
            is_interrupted=is_interrupted,
            clock=lambda: self.now,
            sleep=self.sleep,
            notify=lambda longest, report: self.notices.append((self.now, longest, report)),
        )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def test_a_wait_is_shown_once_after_a_second(ledger: Ledger) -> None:
    """A wait of more than a second is shown once, with its limit; a shorter one is not."""
    ledger.plan = [(0.5, lambda: ledger.write("done", complete=True, queues={}))]
    ledger.wait()
    assert ledger.notices == []
    ledger.path.unlink()
    ledger.wait()
    ((moment, longest, report),) = ledger.notices
    assert (round(moment - 0.5, 1), longest, report) == (1.0, LIMITS.exit_all, "")


def interrupted() -> None:
    raise KeyboardInterrupt


Plan: TypeAlias = "Callable[[Ledger], list[tuple[float, Callable[[], None]]]]"


def each(step: float, act: Callable[[Ledger], None], end: float = 100.0) -> Plan:
    """Let something happen every so many seconds, and let the sender end then."""
    return lambda ledger: [
        *((number * step, partial(act, ledger)) for number in range(1, int(end / step) + 1)),
        (end, ledger.finish),
    ]


@pytest.mark.parametrize(
    ("plan", "seconds", "is_done"),
    [
        pytest.param(lambda ledger: [(0.0, ledger.finish)], 0.0, True, id="a sender that is done is not waited for"),
        pytest.param(each(4.0, Ledger.acknowledge, 22.0), 22.0, True, id="each answer gives another 5 s"),
        pytest.param(each(1.0, partial(Ledger.fail, error="throttled")), 5.0, False, id="attempts are no progress"),
        pytest.param(each(1.0, Ledger.acknowledge), 30.0, False, id="30 s are the end, whatever the sender does"),
        pytest.param(each(0.1, partial(Ledger.fail, error="again")), 1.0, False, id="a server that is down"),
        pytest.param(each(0.1, partial(Ledger.fail, error="unknown")), 1.0, False, id="a server without answers"),
        # A fence that was answered shows that the server is there: what follows is waited for.
        pytest.param(
            lambda ledger: [
                (0.0, partial(ledger.fail, "unknown")),
                (0.5, partial(ledger.write, "fenced", worker="main")),
                (2.6, partial(ledger.write, "ack", i=1, id=1)),
                (2.7, ledger.finish),
            ],
            2.7, True, id="a server that answers again",
        ),
        pytest.param(lambda _: [(1.0, interrupted)], 1.0, False, id="a further Ctrl-C"),
        pytest.param(lambda _: [], 5.0, False, id="a sender that never becomes ready"),
    ],
)  # fmt: skip
def test_wait_has_an_end(ledger: Ledger, plan: Plan, seconds: float, *, is_done: bool) -> None:
    """Pytest's wait ends with its sender, by a limit, or when more time would bring nothing."""
    ledger.plan = plan(ledger)
    ledger.sleep(0.0)
    assert ledger.wait().complete is is_done
    assert ledger.now == pytest.approx(seconds, abs=0.1)


def test_wait_after_an_interruption(ledger: Ledger) -> None:
    """After Ctrl-C pytest goes after 3 s, answers or not."""
    ledger.plan = each(1.0, Ledger.acknowledge)(ledger)
    ledger.wait(is_interrupted=True)
    assert ledger.now == pytest.approx(3.0, abs=0.1)


def test_wait_for_a_report(ledger: Ledger) -> None:
    """While the sender writes the report no answers arrive: pytest waits for it, within the limit for all."""
    ledger.write("report", file="/report.html", state="begun", why="")
    ledger.plan = [
        (12.0, lambda: ledger.write("report", file="/report.html", state="written", why="")),
        (12.1, ledger.finish),
    ]
    assert ledger.wait().complete
    assert ledger.tail.report == ReportRecord("/report.html", "written")
    ledger.path.unlink()
    ledger.write("report", file="/report.html", state="begun", why="")
    began = ledger.now
    assert not ledger.wait().complete
    assert ledger.now - began == pytest.approx(LIMITS.exit_all, abs=0.1)


def test_wait_for_a_report_is_shown(ledger: Ledger) -> None:
    """A line shows that only the report is awaited, once that takes a second, with the time that is left."""
    begun = {"file": "/report.html", "state": "begun", "why": ""}
    ledger.plan = [(3.0, lambda: ledger.write("report", **begun)), (8.0, ledger.finish)]
    ledger.wait()
    (_, _, results), (moment, longest, report) = ledger.notices
    assert (results, report) == ("", "/report.html")
    assert (round(moment), round(longest)) == (4, round(LIMITS.exit_all) - 4)
    ledger.path.unlink()
    ledger.notices.clear()
    ledger.now = 0.0
    ledger.plan = [(0.5, lambda: ledger.write("report", **begun)), (1.4, ledger.finish)]
    ledger.wait()
    assert ledger.notices == []


def test_wait_has_an_end_with_a_clock_that_stands_still(ledger: Ledger) -> None:
    """Where a test has stopped the clock of pytest's process the pauses count: the wait ends after as many looks."""
    pauses: list[float] = []
    wait_for_sender(
        LedgerTail(ledger.path),
        LIMITS,
        is_interrupted=False,
        clock=lambda: 0.0,
        sleep=pauses.append,
        notify=lambda *_: None,
    )
    assert sum(pauses) == pytest.approx(LIMITS.exit_progress, abs=0.1)


def test_wait_ends_with_a_dead_sender(ledger: Ledger) -> None:
    """A sender that has died is not waited for, and the state says so; what it wrote before counts."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sender:

        def die() -> None:
            ledger.acknowledge()
            sender.kill()
            sender.wait()

        ledger.write("ready", pid=sender.pid)
        ledger.plan = [(1.0, die)]
        totals = ledger.wait()
    assert ledger.now == pytest.approx(1.0, abs=0.1)
    assert totals.error == f"the sender (process {sender.pid}) has died"
    assert totals.error_class == "dead"
    assert totals.run == 1


def test_last_words_of_a_sender(ledger: Ledger) -> None:
    """A sender that does not become ready is told, with the error that it died of, if it could write that."""
    assert ledger.wait().error == "the sender did not become ready"
    (ledger.path.parent / "sender.log").write_text("12:00 x\n12:01 the sender died: SpoolError('no room')\n")
    assert ledger.wait().error == "the sender did not become ready: SpoolError('no room')"
