"""Write and read the sender's log: errors and decisions, for people who ask why results did not arrive.

The sender has no terminal, so its log is a file of bounded size in the session's folder. It never holds the token.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from pathlib import Path

LOG_BYTES: Final = 256 << 10
LAST_WORDS: Final = "the sender died: "
"""Mark before the error that ended a sender: pytest looks for it in the last line, to show the reason."""

_LINE_UNITS: Final = 500


class Log:
    """Appends lines with the time to a file of at most `LOG_BYTES`; ignores errors of the disk."""

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
            # The sender can report it nowhere else. The summary needs only the ledger.
            return

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, none if there is no log."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]
