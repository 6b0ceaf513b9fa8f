"""The sender's log: what it met, for whoever asks why results did not arrive; bounded, without the token."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from pathlib import Path

LOG_BYTES: Final = 256 << 10
LAST_WORDS: Final = "the sender died: "
"""What the log says before the error that ended a sender."""

_LINE_UNITS: Final = 500


class Log:
    """Appends lines with the time to a file, up to its bound; a log that cannot be written is given up."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> None:
        """Append one line."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sanitize(text, _LINE_UNITS)}\n"
        try:
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                if os.fstat(descriptor).st_size < LOG_BYTES:
                    os.write(descriptor, line.encode("utf-8", "backslashreplace"))
            finally:
                os.close(descriptor)
        except OSError:
            # There is nowhere left to tell it: what matters stands in the ledger, and the summary reads that.
            return

    def tail(self, lines: int) -> list[str]:
        """Return the last lines; none when there is no log."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]
