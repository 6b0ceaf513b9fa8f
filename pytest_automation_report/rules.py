"""How results are made from reports (floor 1): what the settings say, as one value that workers can be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.model import Json, Status

Output: TypeAlias = Literal["failed", "all", "none"]
"""Which tests keep their captured output."""

_REDACTED = "[redacted]"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the recorder is told.

    ``prefix`` stands before folders, ``statuses`` maps each status to its alias on the wire, ``redact`` holds regular
    expressions whose matches are hidden in fields (never in key, name or folder). ``markers`` names the user's markers
    that become fields, ``link_templates`` maps ``case`` and ``issue`` to addresses with ``{}`` in them,
    ``output_annotations`` tells whether captured output is searched for what it says about its test.
    """

    prefix: str = ""
    output: Output = "failed"
    statuses: Mapping[Status, str] = field(default_factory=dict)
    redact: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    link_templates: Mapping[str, str] = field(default_factory=dict)
    output_annotations: bool = False

    def alias(self, status: Status) -> str:
        """Return what a status is called on the wire; its own name when no alias is given."""
        return self.statuses.get(status, status)

    def keeps_output(self, status: Status) -> bool:
        """Whether a test with this status keeps its captured output."""
        return self.output == "all" or (self.output == "failed" and status in {"failure", "error"})

    def to_json(self) -> Json:
        """Return the rules as a JSON object."""
        return {
            "prefix": self.prefix,
            "output": self.output,
            "statuses": dict(self.statuses),
            "redact": list(self.redact),
            "markers": list(self.markers),
            "link_templates": dict(self.link_templates),
            "output_annotations": self.output_annotations,
        }

    @classmethod
    def from_json(cls, body: Json) -> Rules:
        """Return the rules that `to_json` wrote."""
        return cls(
            body["prefix"],
            body["output"],
            dict(body["statuses"]),
            tuple(body["redact"]),
            tuple(body.get("markers", ())),
            dict(body.get("link_templates", {})),
            bool(body.get("output_annotations", False)),
        )


class Texts:
    """Makes foreign texts fit for fields: secrets hidden, control characters visible, cut to the limits.

    Raises ``re.error`` for a pattern that is no regular expression.
    """

    def __init__(self, redact: tuple[str, ...]) -> None:
        self._patterns = tuple(map(re.compile, redact))
        self._redact = self._without_secrets if redact else None

    def console(self, *parts: str) -> str:
        """Return the parts as one console text."""
        return limits.console(*parts, redact=self._redact)

    def paragraph(self, text: str) -> str:
        """Return a text of few lines."""
        return limits.paragraph(text, self._redact)

    def string(self, text: str) -> str:
        """Return a text as one line."""
        return limits.string(text, self._redact)

    def _without_secrets(self, text: str) -> str:
        """Return the text with every match of a pattern hidden."""
        for pattern in self._patterns:
            # A pattern that also matches nothing would otherwise write its mark between all characters.
            text = pattern.sub(lambda match: _REDACTED if match.group() else "", text)
        return text


@lru_cache(maxsize=16)
def texts(redact: tuple[str, ...]) -> Texts:
    """Return the texts for a tuple of patterns, compiled once."""
    return Texts(redact)


def spelled(value: object) -> str:
    """Return a value of a user's test as text, whatever its ``__str__`` does."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a foreign __str__ may raise anything; the text tells what it raised
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"
