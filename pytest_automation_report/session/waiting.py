"""Pytest's wait for the sender at the session's end (floor 3): by the ledger, within limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_automation_report.spool.folder import bytes_from
from pytest_automation_report.spool.ledger import LedgerState
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.log import LAST_WORDS, Log
from pytest_automation_report.spool.records import Decoder, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.delivery.handover import Timeouts


_QUIET_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Notice:
    """A notice of a wait, given once."""

    notify: Callable[[float], None]
    is_given: bool = False

    def show_after(self, waited: float, longest: float) -> None:
        """Give it when the wait has lasted for a second."""
        if waited >= _QUIET_SECONDS and not self.is_given:
            self.is_given = True
            self.notify(longest)


@dataclass(slots=True)
class LedgerTail:
    """The ledger as another process writes it; each `read` takes what is new."""

    path: Path
    state: LedgerState = field(default_factory=LedgerState)
    _decoder: Decoder = field(default_factory=Decoder)
    _read: int = 0

    def read(self) -> bool:
        """Take the new records; return whether there were any."""
        if not self.path.exists():
            return False
        is_new = False
        for piece in bytes_from(self.path, self._read):
            self._read += len(piece)
            for placed in self._decoder.feed(piece):
                self.state.apply(placed.record)
                is_new = True
        return is_new


def wait_for_sender(
    view: LedgerTail,
    timeouts: Timeouts,
    *,
    is_interrupted: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    notify: Callable[[float], None] = lambda _: None,
) -> None:
    """Return when the sender is done, or when waiting longer is not worth it.

    Limits: in all (shorter after Ctrl-C), without an answer of the server, and while the server is known to be down. A
    sender that has died, or never became ready, becomes the state's trouble. That it became ready is progress: a start
    takes a while on a busy machine. A further Ctrl-C ends the wait. ``notify`` is called once with the longest wait in
    seconds, when it has lasted for a second.
    """
    longest = timeouts.exit_interrupted if is_interrupted else timeouts.exit_all
    sender: Process | None = None
    began = progress = clock()
    answers, notice = 0, _Notice(notify)
    try:
        while True:
            # Asked first: what it wrote before it ended is then read below.
            is_gone = sender is not None and not sender.is_alive()
            view.read()
            now, state = clock(), view.state
            if state.is_done or now - began >= longest:
                return
            if is_gone:
                _tell(view, f"the sender (process {state.sender_pid}) has died{_last_words(view)}")
                return
            if state.answers != answers or (sender is None and state.is_ready):
                answers, progress = state.answers, now
            is_down = state.trouble_class in {"again", "unknown"}
            if now - progress >= timeouts.exit_progress or (is_down and now - began >= timeouts.exit_down):
                if not state.is_ready:
                    _tell(view, f"the sender did not become ready{_last_words(view)}")
                return
            notice.show_after(now - began, longest)
            if sender is None and state.is_ready:
                sender = Process(state.sender_pid)
            sleep(timeouts.poll / 2)
    except KeyboardInterrupt:
        return
    finally:
        if sender is not None:
            sender.close()


def _tell(view: LedgerTail, why: str) -> None:
    view.state.apply(Record("trouble", {"class": "dead", "why": why}))


def _last_words(view: LedgerTail) -> str:
    """Return why the sender died where it could still say so."""
    lines = Log(view.path.with_name("sender.log")).tail(1)
    _, mark, why = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
    return f": {why}" if mark else ""
