"""Read the URL of a test's page: each state of the page is a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from pytest_automation_report.server.store.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMS: Final[Mapping[str, str]] = {"stdout": "Output", "stderr": "Errors", "log": "Log"}
"""Captured output by the word in the URL: the name of its field."""

PICTURES: Final[Mapping[str, str]] = {"beside": "Side by side", "slider": "Slider", "difference": "Difference"}
"""Ways to show a picture beside an earlier one, by the word in the URL."""

_RUN_PARAMETERS: Final = frozenset(
    {"view", "base", "status", "change", "q", "group", "sort", "page", "folder", "reason", "lane", "open"}
)
_MAX_FROM: Final = 1_000
_is_number = re.compile(r"[1-9][0-9]{0,8}").fullmatch


@dataclass(frozen=True, slots=True)
class TestState:
    """State of a test's page.

    ``attempt`` is the chosen attempt, None for the last one. ``is_raw``: failures stand as pytest wrote them.
    ``stream`` is a key of `STREAMS`, empty for the first one that the test has. ``origin`` is the query of the run's
    page from which the reader came.
    """

    __test__ = False  # pytest must not collect it

    attempt: int | None = None
    is_raw: bool = False
    stream: str = ""
    pictures: str = "beside"
    has_all_branches: bool = False
    origin: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL, without those of the first state."""
        pairs = {
            "attempt": str(self.attempt or ""),
            "show": "pytest" if self.is_raw else "",
            "out": self.stream,
            "pictures": self.pictures if self.pictures != "beside" else "",
            "history": "all" if self.has_all_branches else "",
            "from_": self.origin,
        }
        return {name: value for name, value in pairs.items() if value}

    @property
    def origin_query(self) -> dict[str, str]:
        """The parameters of the run's page from which the reader came."""
        return {name: value for name, value in parse_qsl(self.origin) if name in _RUN_PARAMETERS}


def state_of(parameters: Mapping[str, Any]) -> TestState:
    """Return the state of a URL; raises `ApiError` (422) that lists the invalid parameters."""
    values = {name: str(value[-1] if isinstance(value, list) else value) for name, value in parameters.items()}
    errors: dict[str, list[str]] = {}
    attempt = values.get("attempt", "")
    if attempt and not _is_number(attempt):
        errors["attempt"] = ["Must be the number of an attempt."]
    for name, words in (("show", ("pytest",)), ("out", STREAMS), ("pictures", PICTURES), ("history", ("all",))):
        if values.get(name) and values[name] not in words:
            errors[name] = [f"Must be {', '.join(words)}."]
    if errors:
        raise validation_error(errors)
    return TestState(
        int(attempt) if attempt else None,
        values.get("show") == "pytest",
        values.get("out", ""),
        values.get("pictures") or "beside",
        values.get("history") == "all",
        values.get("from", "").rpartition("?")[2][:_MAX_FROM],
    )
