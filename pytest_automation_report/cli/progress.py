"""How far a delivery is (floor 4): a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from pytest_automation_report.cli.context import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from pytest_automation_report.sender.delivery import Delivery

_LINE_SECONDS: Final = 10.0
_BAR_SECONDS: Final = 0.5


class Progress:
    """Shows how many results have arrived of those that were read so far; owned by the command that sends.

    ``stream`` is None where there is nobody to be told; ``clock`` is in seconds. Short deliveries show nothing.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._last = clock()
        self._bar: Any = None
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def show(self, delivery: Delivery) -> None:
        """Show where the delivery is, if it is time to."""
        is_terminal = self._stream is not None and self._stream.isatty()
        if self._clock() - self._last < (_BAR_SECONDS if is_terminal else _LINE_SECONDS):
            return
        self._last = self._clock()
        read = sum(each.seen for each in delivery.lanes.by_worker.values())
        sent = delivery.state.total("acknowledged")
        if not is_terminal:
            more = " so far" if not delivery.lanes.is_decided else ""
            told(f"sent {sent:,} of {read:,} results{more}")
            return
        if self._bar is None:
            bar = click.progressbar(length=max(1, read), label="sending", file=self._stream)
            self._bar = self._exits.enter_context(bar)
        self._bar.length = max(1, read)
        self._bar.update(sent - self._bar.pos)
