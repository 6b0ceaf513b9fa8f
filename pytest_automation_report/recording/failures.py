"""Collect the first failures of a process for the summary of the CI job.

Number and length are bounded: each process stores its failures until its end, and writes them into one record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.recording.identity import identity_of, one_based
from pytest_automation_report.text.limits import cut_end, string, utf16_length

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Status
    from pytest_automation_report.spool.record_kinds import FinishRecord

SHOWN: Final = 50
"""Most failures of one process that are stored."""

FAILED: Final = frozenset({"failure", "error"})
"""Statuses of a failed test."""

# Of the record with all failures; about the length of one long result.
_MAX_BYTES: Final = 20_000
_TEXT_UNITS: Final = 240


class FailedTest(Struct, frozen=True):
    """A failed test: its name, and the first line of its failure.

    ``line`` is the 1-based line at which it failed, or the line of the test if that is not known.
    """

    status: Status
    folder: str
    name: str
    message: str
    file: str = ""
    line: int | None = None

    @classmethod
    def of_record(cls, record: FinishRecord, prefix: str) -> FailedTest:
        """Return the failure of an attempt; ``prefix`` is that of the folders, the texts are clean already."""
        attempt, identity = record.attempt, identity_of(record.nodeid, prefix=prefix)
        failure = next((field for field in attempt.fields if field.is_highlight), None)
        text = "" if failure is None else failure.meta.get("message") or failure.value or ""
        return cls(
            attempt.status,
            cut_end(record.folder or identity.folder, _TEXT_UNITS),
            cut_end(record.name or identity.name, _TEXT_UNITS),
            cut_end(text.strip().partition("\n")[0], _TEXT_UNITS),
            cut_end(string(record.file), _TEXT_UNITS),
            one_based(record.line) if attempt.line is None else attempt.line,
        )

    @property
    def row(self) -> tuple[Status, str, str, str, str, int | None]:
        """All members, in their order."""
        return self.status, self.folder, self.name, self.message, self.file, self.line


class Failures:
    """The first failures of one process, in their order; owned by its runtest hooks."""

    __slots__ = ("_remaining_bytes", "kept")

    def __init__(self) -> None:
        self.kept: list[FailedTest] = []
        self._remaining_bytes = _MAX_BYTES

    def add(self, record: FinishRecord, prefix: str) -> None:
        """Store the failure of an attempt while there is room."""
        if len(self.kept) == SHOWN or self._remaining_bytes <= 0:
            return
        failure = FailedTest.of_record(record, prefix)
        texts = (failure.folder, failure.name, failure.message, failure.file)
        # The longest that ASCII JSON can be: two bytes for a quote or a backslash, six for a unit as \uXXXX.
        self._remaining_bytes -= sum(len(text) * 2 if text.isascii() else utf16_length(text) * 6 for text in texts)
        self.kept.append(failure)

    @property
    def rows(self) -> tuple[tuple[Status, str, str, str, str, int | None], ...]:
        """The members of all failures, as a record holds them."""
        return tuple(failure.row for failure in self.kept)
