"""The result of one check: its state, the finding and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json

__all__ = ["Check", "State", "skipped"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Check(Value):
    """One check: its name, its state, the finding, and the remedy, empty if there is nothing to do."""

    name: str
    state: State
    finding: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The check as one line of text."""
        return f"{self.name}: {self.finding}{f': {self.remedy}' if self.remedy else ''}"

    def to_json(self) -> Json:
        """Return the check as a JSON object. Its keys are those of ``doctor --json``, which other programs read."""
        return {"name": self.name, "state": self.state, "told": self.finding, "remedy": self.remedy}

    @classmethod
    def from_json(cls, body: Json) -> Check:
        """Parse the JSON object of `to_json`."""
        return cls(str(body["name"]), body["state"], str(body["told"]), str(body["remedy"]))


def skipped(names: tuple[str, ...], reason: str) -> list[Check]:
    """Return these checks as skipped, all for the same reason."""
    return [Check(name, "skipped", reason) for name in names]
