"""The result of one check: its state, the finding and the remedy."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Check(Struct, frozen=True):
    """One check: its name, its state, the finding, and the remedy, empty if there is nothing to do.

    Its keys are those of ``doctor --json``, which other programs read.
    """

    name: str
    state: State
    finding: str = field(name="told")
    remedy: str = ""

    @property
    def line(self) -> str:
        """The check as one line of text."""
        return f"{self.name}: {self.finding}{f': {self.remedy}' if self.remedy else ''}"


def skipped(names: tuple[str, ...], reason: str) -> list[Check]:
    """Return these checks as skipped, all for the same reason."""
    return [Check(name, "skipped", reason) for name in names]
