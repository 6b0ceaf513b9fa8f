"""Wait for the sender at the session's end, by reading its ledger, within time limits."""

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
    """A message about a wait, shown once."""

    notify: Callable[[float], None]
    is_shown: bool = False

    def show_after(self, waited: float, longest: float) -> None:
        """Show the message when the wait has lasted for a second."""
        if waited >= _QUIET_SECONDS and not self.is_shown:
            self.is_shown = True
            self.notify(longest)


@dataclass(slots=True)
class LedgerTail:
    """The state of a ledger that another process writes; `read` applies its new records."""

    path: Path
    state: LedgerState = field(default_factory=LedgerState)
    _decoder: Decoder = field(default_factory=Decoder)
    _read: int = 0

    def read(self) -> bool:
        """Apply the new records; return whether there were any."""
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
    """Return when the sender is done, has died, or a time limit has passed.

    Three limits: the whole wait (shorter after Ctrl-C), the time without a response of the server, and the time while
    the server is known to be down. If the sender has died or never became ready, the state gets a warning. A further
    Ctrl-C ends the wait. ``notify`` is called once, after a second, with the longest wait in seconds.
    """
    longest = timeouts.exit_interrupted if is_interrupted else timeouts.exit_all
    sender: Process | None = None
    began = progress = clock()
    answers, notice = 0, _Notice(notify)
    try:
        while True:
            # Asked before the read: records that the sender wrote just before it ended are then read below.
            is_gone = sender is not None and not sender.is_alive()
            view.read()
            now, state = clock(), view.state
            if state.is_done or now - began >= longest:
                return
            if is_gone:
                _add_warning(view, f"the sender (process {state.sender_pid}) has died{_last_words(view)}")
                return
            # A response is progress, and so is the sender's start, which takes a while on a busy machine.
            if state.answers != answers or (sender is None and state.is_ready):
                answers, progress = state.answers, now
            is_down = state.trouble_class in {"again", "unknown"}
            if now - progress >= timeouts.exit_progress or (is_down and now - began >= timeouts.exit_down):
                if not state.is_ready:
                    _add_warning(view, f"the sender did not become ready{_last_words(view)}")
                return
            notice.show_after(now - began, longest)
            # Its process id is in the ledger since it became ready; before that its death cannot be noticed.
            if sender is None and state.is_ready:
                sender = Process(state.sender_pid)
            sleep(timeouts.poll / 2)
    except KeyboardInterrupt:
        return
    finally:
        if sender is not None:
            sender.close()


def _add_warning(view: LedgerTail, reason: str) -> None:
    view.state.apply(Record("trouble", {"class": "dead", "why": reason}))


def _last_words(view: LedgerTail) -> str:
    """Return the reason that the sender logged before it died, empty if it could not."""
    lines = Log(view.path.with_name("sender.log")).tail(1)
    _, mark, reason = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
    return f": {reason}" if mark else ""
