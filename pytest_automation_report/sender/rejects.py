"""The file of a session's folder with the results that the server cannot take (floor 3)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.sender.results import Result

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Rejects:
    """Adds a JSON object a line, for people: the worker, the node id, the server's reason, the test as it was sent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, result: Result, why: str) -> None:
        """Add a result; raise `OSError` when the file cannot be written."""
        line = json.dumps({"worker": result.worker, "id": result.nodeid, "why": why, "test": json.loads(result.test)})
        descriptor = os.open(self._path, _FLAGS, 0o600)
        with os.fdopen(descriptor, "a", encoding="ascii") as file:
            file.write(f"{line}\n")
