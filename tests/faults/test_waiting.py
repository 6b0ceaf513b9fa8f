"""Pytest's wait at the session's end: never longer than its limits, and no longer than it is worth."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.session.end import LedgerTail, wait_for_sender
from pytest_automation_report.spool.ledger import ReportRecord
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

    def write(self, kind: str, **members: object) -> None:
        """Append a record."""
        with self.path.open("ab") as file:
            file.write(line(kind, **members))

    def intend(self) -> None:
        """Append an intent."""
        self.number += 1
        self.write("intent", i=self.number, observed=0, computed=0, **INTENT)

    def acknowledge(self) -> None:
        """Append an intent and its acknowledgement."""
        self.intend()
        self.write("ack", i=self.number, id=1)

    def fail(self, trouble: str) -> None:
        """Append an intent that did not reach the server."""
        self.intend()
        self.write("not", i=self.number)
        self.write("trouble", why="no route", **{"class": trouble})

    def sleep(self, seconds: float) -> None:
        """Let time pass, and the sender write what is due."""
        self.now += seconds
        while self.plan and self.plan[0][0] <= self.now:
            self.plan.pop(0)[1]()

    def wait(self, *, is_interrupted: bool = False) -> LedgerTail:
        """Wait as pytest does."""
        view = LedgerTail(self.path)
        wait_for_sender(
            view,
            LIMITS,
            is_interrupted=is_interrupted,
            clock=lambda: self.now,
            sleep=self.sleep,
            notify=lambda longest, report: self.notices.append((self.now, longest, report)),
        )
        return view


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


def test_wait_ends_with_the_sender(ledger: Ledger) -> None:
    """A sender that is done is not waited for."""
    ledger.write("done", complete=True, left=0, damaged=0, torn=0, why="")
    ledger.wait()
    assert ledger.now == 0.0


def test_wait_goes_on_while_the_server_answers(ledger: Ledger) -> None:
    """Each answer gives the sender another 5 s."""
    ledger.plan = [(float(second), ledger.acknowledge) for second in range(4, 21, 4)]
    ledger.plan.append((22.0, lambda: ledger.write("done", complete=True, left=0, damaged=0, torn=0, why="")))
    assert ledger.wait().state.is_done
    assert ledger.now == pytest.approx(22.0, abs=0.1)


def test_wait_ends_without_an_answer(ledger: Ledger) -> None:
    """Without an answer for 5 s pytest goes; requests that are only tried are no progress."""
    ledger.plan = [(float(second), lambda: ledger.fail("throttled")) for second in range(1, 30)]
    ledger.wait()
    assert ledger.now == pytest.approx(5.0, abs=0.1)


def test_wait_for_a_report(ledger: Ledger) -> None:
    """While the sender writes the report no answers arrive: pytest waits for it, within the limit for all."""
    ledger.write("report", file="/report.html", state="begun", why="")
    ledger.plan = [
        (12.0, lambda: ledger.write("report", file="/report.html", state="written", why="")),
        (12.1, lambda: ledger.write("done", complete=True, left=0, damaged=0, torn=0, why="")),
    ]
    state = ledger.wait().state
    assert (state.is_done, state.report) == (True, ReportRecord("/report.html", "written"))
    ledger.path.unlink()
    ledger.write("report", file="/report.html", state="begun", why="")
    began = ledger.now
    assert not ledger.wait().state.is_done
    assert ledger.now - began == pytest.approx(LIMITS.exit_all, abs=0.1)


def test_wait_for_a_report_is_shown(ledger: Ledger) -> None:
    """A line shows that only the report is awaited, once that takes a second, with the time that is left."""
    begun = {"file": "/report.html", "state": "begun", "why": ""}
    done = {"complete": True, "left": 0, "damaged": 0, "torn": 0, "why": ""}
    ledger.plan = [(3.0, lambda: ledger.write("report", **begun)), (8.0, lambda: ledger.write("done", **done))]
    ledger.wait()
    (_, _, results), (moment, longest, report) = ledger.notices
    assert (results, report) == ("", "/report.html")
    assert (round(moment), round(longest)) == (4, round(LIMITS.exit_all) - 4)
    ledger.path.unlink()
    ledger.notices.clear()
    ledger.now = 0.0
    ledger.plan = [(0.5, lambda: ledger.write("report", **begun)), (1.4, lambda: ledger.write("done", **done))]
    ledger.wait()
    assert ledger.notices == []


def test_wait_has_an_end(ledger: Ledger) -> None:
    """Whatever the sender does, pytest goes after 30 s."""
    ledger.plan = [(float(second), ledger.acknowledge) for second in range(1, 100)]
    ledger.wait()
    assert ledger.now == pytest.approx(30.0, abs=0.1)


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


@pytest.mark.parametrize("trouble", ["again", "unknown"])
def test_wait_for_a_server_that_is_down(ledger: Ledger, trouble: str) -> None:
    """A server that is known to be down is worth 1 s."""
    ledger.fail(trouble)
    ledger.plan = [(float(tenth) / 10, lambda: ledger.fail(trouble)) for tenth in range(1, 30)]
    ledger.wait()
    assert ledger.now == pytest.approx(1.0, abs=0.1)


def test_wait_for_a_server_that_answers_again(ledger: Ledger) -> None:
    """A fence that was answered shows that the server is there: what follows is waited for."""
    ledger.intend()
    ledger.write("trouble", why="reset", **{"class": "unknown"})
    ledger.plan = [
        (0.5, lambda: ledger.write("fenced", worker="main")),
        (2.6, lambda: ledger.write("ack", i=1, id=1)),
        (2.7, lambda: ledger.write("done", complete=True, left=0, damaged=0, torn=0, why="")),
    ]
    assert ledger.wait().state.is_done


def test_wait_after_an_interruption(ledger: Ledger) -> None:
    """After Ctrl-C pytest goes after 3 s, answers or not."""
    ledger.plan = [(float(second), ledger.acknowledge) for second in range(1, 100)]
    ledger.wait(is_interrupted=True)
    assert ledger.now == pytest.approx(3.0, abs=0.1)


def test_wait_ends_with_a_second_interruption(ledger: Ledger) -> None:
    """A Ctrl-C during the wait ends it, and nothing else."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    ledger.plan = [(1.0, interrupt)]
    ledger.wait()
    assert ledger.now == pytest.approx(1.0, abs=0.1)


def test_wait_ends_with_a_dead_sender(ledger: Ledger) -> None:
    """A sender that has died is not waited for, and the state says so; what it wrote before counts."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sender:

        def die() -> None:
            ledger.acknowledge()
            sender.kill()
            sender.wait()

        ledger.write("ready", pid=sender.pid)
        ledger.plan = [(1.0, die)]
        state = ledger.wait().state
    assert ledger.now == pytest.approx(1.0, abs=0.1)
    assert state.trouble == f"the sender (process {sender.pid}) has died"
    assert state.trouble_class == "dead"
    assert state.run == 1


def test_wait_without_a_ledger(ledger: Ledger) -> None:
    """A sender that never becomes ready is waited for like one that gets no answer, and told."""
    assert ledger.wait().state.trouble == "the sender did not become ready"
    assert ledger.now == pytest.approx(5.0, abs=0.1)


def test_last_words_of_a_sender(ledger: Ledger) -> None:
    """The error that a sender died of is told."""
    (ledger.path.parent / "sender.log").write_text("12:00 x\n12:01 the sender died: SpoolError('no room')\n")
    assert ledger.wait().state.trouble == "the sender did not become ready: SpoolError('no room')"
