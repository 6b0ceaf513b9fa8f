"""The log of a sender, in its session's folder."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import sanitize

if TYPE_CHECKING:
    from pathlib import Path


LOG_BYTES: Final = 256 << 10
LAST_WORDS: Final = "the sender died: "
"""Mark before the error that ended a sender: pytest looks for it in the last line, to show the reason."""

_LINE_UNITS: Final = 500


class Log:
    """Appends lines with the time to a file of `LOG_BYTES`, then only last words; ignores errors of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> None:
        """Append one line."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sanitize(text, _LINE_UNITS)}\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | system.OWN_FILE, 0o600)
            try:
                if os.fstat(descriptor).st_size < LOG_BYTES or text.startswith(LAST_WORDS):
                    os.write(descriptor, line.encode("utf-8", "backslashreplace"))
            finally:
                os.close(descriptor)
        except OSError:
            return  # the sender can report it nowhere else, and the summary needs only the ledger

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, none if there is no log."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]
