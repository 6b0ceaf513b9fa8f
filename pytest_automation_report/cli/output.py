"""Print results of commands: ids for programs on stdout, tables, times and the progress of a delivery for users.

Tables go to stderr and hold the ids, too. If both outputs are one terminal, the ids on stdout are left out: a user
would read them twice.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from pytest_automation_report.cli.context import echo_stderr
from pytest_automation_report.text.files import STDOUT, encoded, write_output
from pytest_automation_report.text.terminal import printable, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.delivery.dispatcher import Delivery

_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def is_person_reading() -> bool:
    """Return whether both outputs are terminals."""
    outputs: tuple[TextIO | None, TextIO | None] = (sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in outputs)


def echo_result(result: object) -> None:
    """Print an id for programs on stdout, unless a user reads both outputs."""
    if not is_person_reading():
        click.echo(result)


def echo_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns on stderr, numbers to the right; nothing without rows."""
    if not rows:
        return
    lines = [[*head], *([str(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_number = [all(isinstance(value, int) for value in column) for column in zip(*rows, strict=True)]
    for line in lines:
        cells = zip(line, widths, is_number, strict=True)
        aligned = (cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in cells)
        echo_stderr("  ".join(aligned).rstrip())


def moment(text: str | None) -> str:
    """Return a time of the server, UTC in ISO 8601, in this machine's time zone; any other text unchanged."""
    try:
        time = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return text or ""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def write_file(name: str, pieces: Iterable[str]) -> None:
    """Write a file from its pieces as `write_output` does; raises `click.UsageError` if it cannot be written.

    The name ``-`` is stdout.
    """
    if name == STDOUT:
        for piece in encoded(pieces):
            # Bytes: the text is UTF-8 in every locale, and its line ends stay as they are.
            click.echo(piece, nl=False, file=sys.stdout)
        return
    try:
        write_output(Path(name), encoded(pieces))
    except OSError as error:
        raise click.UsageError(
            f"-o {name}: cannot be written ({error.strerror or error}): name a file in a folder that exists"
        ) from error


def run_state(run: Run) -> str:
    """Return whether a run is completed, in a word."""
    return "completed" if run.is_completed else "open"


def run_line(run: Run) -> str:
    """Return a run in one line: its id, state, counts, time and name."""
    counts = run_verdict(run)
    if run.is_completed or not run.verdict:  # the verdict of an open run counts its results
        counts = f"{quantity(run.total, 'result')}, {counts}"
    return f'{run.id}: {run_state(run)}, {counts}, created {moment(run.created_at)}: "{run.name}"'


def run_verdict(run: Run) -> str:
    """Return what is to be said of a run in a few words; by its counts alone if its server says nothing of it."""
    return printable(run.verdict) or f"{run.failure:,} failed"


def age(seconds: float) -> str:
    """Return a span of time in its largest whole unit."""
    for size, noun in _UNITS:
        if seconds >= size:
            return quantity(int(seconds // size), noun)
    return "under a minute"


_LINE_SECONDS: Final = 10.0
# How often a line that stays the same is shown: CI providers end jobs whose log is silent for long.
_SAME_LINE_SECONDS: Final = 60.0
_BAR_SECONDS: Final = 0.5


class Progress(ExitStack):
    """Shows the number of delivered results beside that of all read so far; owned by the command that sends.

    A bar on a terminal, a line every ten seconds in a log, or every minute if it says nothing new. Short deliveries
    show nothing. ``stream`` is None if stderr is closed, ``clock`` is in seconds.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream, self._clock = stream, clock
        self._last = clock()
        self._bar: Any = None
        self._line, self._line_at = "", clock()

    def show(self, delivery: Delivery) -> None:
        """Show the progress of the delivery, if it is time to."""
        is_terminal = self._stream is not None and self._stream.isatty()
        if self._clock() - self._last < (_BAR_SECONDS if is_terminal else _LINE_SECONDS):
            return
        self._last = self._clock()
        read = sum(queue.seen for queue in delivery.queues.by_worker.values())
        sent = delivery.state.total("acknowledged")
        if not is_terminal:
            more = "" if delivery.queues.is_decided else " so far"
            trouble = f": {printable(delivery.state.trouble)}" if delivery.state.trouble else ""
            line = f"sent {sent:,} of {quantity(read, 'result')}{more}{trouble}"
            if line != self._line or self._last - self._line_at >= _SAME_LINE_SECONDS:
                echo_stderr(line)
                self._line, self._line_at = line, self._last
            return
        if self._bar is None:
            bar = click.progressbar(length=max(1, read), label="sending", file=self._stream)
            self._bar = self.enter_context(bar)
        self._bar.length = max(1, read)
        self._bar.update(sent - self._bar.pos)
