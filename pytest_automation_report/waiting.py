"""Pytest's wait for the sender at the session's end (floor 3): by the ledger, within limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_automation_report.ledger import LedgerState
from pytest_automation_report.records import Decoder
from pytest_automation_report.spool import bytes_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.sender.handover import Limits


@dataclass(slots=True)
class LedgerView:
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
    view: LedgerView,
    limits: Limits,
    *,
    is_interrupted: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Return when the sender is done, or when waiting longer is not worth it.

    Limits: in all (shorter after Ctrl-C), without progress, and while the server is known to be down. A further
    Ctrl-C ends the wait.
    """
    began = progress = clock()
    posts = -1
    longest = limits.exit_interrupted if is_interrupted else limits.exit_all
    try:
        while True:
            view.read()
            now, state = clock(), view.state
            if state.posts != posts:
                posts, progress = state.posts, now
                if not state.trouble:
                    continue
            is_down = state.trouble_class in {"again", "unknown"}
            patience = min(limits.exit_progress, limits.exit_down if is_down else limits.exit_progress)
            if state.is_done or now - began >= longest or now - (began if is_down else progress) >= patience:
                return
            sleep(limits.poll / 2)
    except KeyboardInterrupt:
        return
