"""Lists as people read them: in columns on a terminal, with moments of their own clock.

What a program reads stands on stdout alone. Where both outputs are one terminal it would stand there twice, so that it
is left out.

How far a delivery is: a bar on a terminal, a line now and then in a log.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from pytest_automation_report.cli.context import echo_stderr
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from pytest_automation_report.delivery.dispatcher import Dispatcher

_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))
_GAP: Final = "  "


def is_person_reading() -> bool:
    """Whether both outputs are terminals."""
    outputs: tuple[TextIO | None, TextIO | None] = (sys.stdout, sys.stderr)
    return all(each is not None and each.isatty() for each in outputs)


def echo_result(result: object) -> None:
    """Write what a program reads, a line on stdout, unless a person reads both outputs."""
    if not is_person_reading():
        click.echo(result)


def tell_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Tell rows in columns, numbers to the right; nothing without rows."""
    if not rows:
        return
    shown = [[*head], *([str(each) for each in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    is_number = [all(isinstance(each, int) for each in column) for column in zip(*rows, strict=True)]
    for line in shown:
        cells = zip(line, widths, is_number, strict=True)
        echo_stderr(
            _GAP.join(cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in cells).rstrip()
        )


def moment(text: str | None) -> str:
    """Return a moment of the server's, UTC in ISO 8601, by this machine's clock; what is none as it is."""
    try:
        found = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return text or ""
    return f"{found.astimezone():%Y-%m-%d %H:%M:%S}"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest whole unit."""
    for size, noun in _UNITS:
        if seconds >= size:
            return pluralize(int(seconds // size), noun)
    return "under a minute"


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

    def show(self, delivery: Dispatcher) -> None:
        """Show where the delivery is, if it is time to."""
        is_terminal = self._stream is not None and self._stream.isatty()
        if self._clock() - self._last < (_BAR_SECONDS if is_terminal else _LINE_SECONDS):
            return
        self._last = self._clock()
        read = sum(each.seen for each in delivery.queues.by_worker.values())
        sent = delivery.state.total("acknowledged")
        if not is_terminal:
            more = " so far" if not delivery.queues.is_decided else ""
            echo_stderr(f"sent {sent:,} of {read:,} results{more}")
            return
        if self._bar is None:
            bar = click.progressbar(length=max(1, read), label="sending", file=self._stream)
            self._bar = self._exits.enter_context(bar)
        self._bar.length = max(1, read)
        self._bar.update(sent - self._bar.pos)
