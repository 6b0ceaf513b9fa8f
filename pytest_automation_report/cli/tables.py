"""Lists as people read them (floor 4): in columns on a terminal, with moments of their own clock.

What a program reads stands on stdout alone. Where both outputs are one terminal it would stand there twice, so that it
is left out.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO

import click

from pytest_automation_report.cli.context import told
from pytest_automation_report.quantities import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))
_GAP: Final = "  "


def is_person_reading() -> bool:
    """Whether both outputs are terminals."""
    outputs: tuple[TextIO | None, TextIO | None] = (sys.stdout, sys.stderr)
    return all(each is not None and each.isatty() for each in outputs)


def printed(result: object) -> None:
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
        told(
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
            return quantity(int(seconds // size), noun)
    return "under a minute"
