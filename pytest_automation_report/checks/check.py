"""What was checked before anything is sent, and what to do about it (floor 0): one value a check, for any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json

__all__ = ["Check", "State", "skipped"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, how it went, what was found, and what to do about it (empty when there is nothing to do)."""

    name: str
    state: State
    told: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The check as one line for people."""
        return f"{self.name}: {self.told}{f': {self.remedy}' if self.remedy else ''}"

    def to_json(self) -> Json:
        """Return the check as a JSON object."""
        return {"name": self.name, "state": self.state, "told": self.told, "remedy": self.remedy}

    @classmethod
    def from_json(cls, body: Json) -> Check:
        """Return the check that `to_json` wrote."""
        return cls(str(body["name"]), body["state"], str(body["told"]), str(body["remedy"]))


def skipped(names: tuple[str, ...], why: str) -> list[Check]:
    """Return checks that could not be made."""
    return [Check(name, "skipped", why) for name in names]
