"""What a store says of a file that it has taken (floor 0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_automation_report.limits import STRING_UNITS, utf16_length
from pytest_automation_report.model import EMBEDDED_ORIGIN

KEEPS_HEADER: Final = "Automation-Report-Artifacts"
"""Header of all answers of a server that keeps files beside the API; its value is the size of the largest, in bytes.

Only a server of our own has that: without this header no other call than the contract's is ever sent.
"""

ARTIFACTS_PATH: Final = "/artifacts"
"""Where such a server is given files."""

_STARTS: Final = ("https://", "http://", f"{EMBEDDED_ORIGIN}/")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file can be read; ``mime_type`` is what the store takes it for, empty when it does not say."""

    url: str
    mime_type: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(_STARTS) or utf16_length(self.url) > STRING_UNITS:
            raise ValueError(f"an address that results cannot refer to: {self.url[:100]!r}")

    @classmethod
    def from_json(cls, answer: object) -> StoredFile:
        """Return what a server of ours has answered; raises `ValueError` for what makes no sense."""
        if not isinstance(answer, dict) or not isinstance(answer.get("url"), str):
            raise ValueError("no url")  # noqa: TRY004 - it is the value of an answer
        mime_type = answer.get("mime_type")
        return cls(answer["url"], mime_type if isinstance(mime_type, str) else "")
