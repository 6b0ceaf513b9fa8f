"""Read a file of known failures: tests that may fail until a date, each with a reason.

A line has a date, a test and a reason: ``2026-12-31 tests.test_cart.test_total waiting for the new price list``. Empty
lines and those that begin with ``#`` are passed over.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.terminal import printable

if TYPE_CHECKING:
    from pathlib import Path

_PARTS: Final = 3
_MOST_BYTES: Final = 16 << 20


class KnownFailuresError(ValueError):
    """A file of known failures cannot be read; the message names the file and the line."""


class KnownFailure(Struct, frozen=True):
    """A test, ``folder.name`` or its key, that may fail up to and including ``until``."""

    until: date
    test: str
    reason: str


def read_known_failures(path: Path) -> list[KnownFailure]:
    """Return the entries of a file; raises `KnownFailuresError` if it cannot be read, or has a wrong line."""
    try:
        lines = read_file(path, _MOST_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KnownFailuresError(f"{path}: cannot be read ({reason})") from error
    entries = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            entries.append(_entry(line, f"{path}:{number}"))
    return entries


def _entry(line: str, place: str) -> KnownFailure:
    parts = line.split(maxsplit=_PARTS - 1)
    if len(parts) < _PARTS:
        raise KnownFailuresError(
            f"{place}: {printable(line)!r}: write a date, a test and a reason: 2026-12-31 tests.test_a.test_b why"
        )
    try:
        until = date.fromisoformat(parts[0])
    except ValueError as error:
        raise KnownFailuresError(f"{place}: {printable(parts[0])!r} is no date: write it as 2026-12-31") from error
    return KnownFailure(until, parts[1], parts[2])
