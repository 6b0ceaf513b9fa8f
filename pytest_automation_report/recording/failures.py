"""The first failures of a session, in few words (floor 1): what a job's summary shows of them.

Bounded in number and in length, since each process keeps its own until its end, and writes them into one record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.text.limits import cut_end, utf16_length

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Status, Test

__all__ = ["FAILED", "SHOWN", "FailedTest", "Failures"]

SHOWN: Final = 50
"""Most failures that are kept."""

FAILED: Final = frozenset({"failure", "error"})

_BYTES: Final = 20_000
_UNITS: Final = 240


@dataclass(frozen=True, slots=True)
class FailedTest:
    """One test that failed: what it is called, and the first line of what it failed with.

    ``line`` is the 1-based line at which it failed, of the test itself where that is not known.
    """

    status: Status
    folder: str
    name: str
    message: str
    file: str = ""
    line: int | None = None

    @property
    def title(self) -> str:
        """What the test is called in one line; a module's result has its name twice."""
        return self.name if self.folder in {"", self.name} else f"{self.folder}.{self.name}"

    @classmethod
    def of_test(cls, test: Test, status: Status, line: int | None = None) -> FailedTest:
        """Return the failure of a result, at this line of its file; its texts are clean already."""
        told = next((each for each in test.fields if each.is_highlight), None)
        text = "" if told is None else told.meta.get("message") or told.value or ""
        return cls(
            status,
            cut_end(test.folder, _UNITS),
            cut_end(test.name, _UNITS),
            cut_end(text.strip().partition("\n")[0], _UNITS),
            cut_end(test.file or "", _UNITS),
            test.line if line is None else line,
        )

    def to_json(self) -> list[object]:
        """Return the failure as plain data."""
        return [self.status, self.folder, self.name, self.message, self.file, self.line]

    @classmethod
    def from_json(cls, body: list[Any]) -> FailedTest:
        """Return the failure that `to_json` wrote."""
        status, folder, name, message, file, line = body
        return cls(status, str(folder), str(name), str(message), str(file), line)


class Failures:
    """The first failures of one process, in the order in which they came; owned by its recording."""

    __slots__ = ("_room", "kept")

    def __init__(self) -> None:
        self.kept: list[FailedTest] = []
        self._room = _BYTES

    def add(self, test: Test, status: Status, line: int | None = None) -> None:
        """Keep the failure of a result, at this line of its file, while there is room."""
        if len(self.kept) == SHOWN or self._room <= 0:
            return
        failure = FailedTest.of_test(test, status, line)
        texts = (failure.folder, failure.name, failure.message, failure.file)
        # Twice for quotes and backslashes, six times for each unit that JSON spells \\uXXXX.
        self._room -= sum(len(each) * 2 if each.isascii() else utf16_length(each) * 6 for each in texts)
        self.kept.append(failure)

    def members(self) -> Mapping[str, object]:
        """Return what a record tells of them, nothing when there are none."""
        return {"failures": [each.to_json() for each in self.kept]} if self.kept else {}
