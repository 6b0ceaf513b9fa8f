"""Read structure out of foreign texts for the pages: lines of a traceback, steps, URLs, the command to run a test.

Nothing here creates markup: the templates escape every value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from pytest_automation_report.api.models import parse_steps
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.failures.highlighting import terminal_lines
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.names import is_argument, node_id, run_command
from pytest_automation_report.text.visible import visible, without_ansi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.failures.highlighting import TerminalLine
    from pytest_automation_report.text.visible import Span

LineKind: TypeAlias = Literal["plain", "error", "source", "place", "rule"]
StepStatus: TypeAlias = Literal["passed", "failed", "skipped"]

LINES_SHOWN: Final = 5_000
"""Most lines of one text that a page shows."""

_PLACE = re.compile(r"[^\s:][^:]*:[0-9]+:[ \w.]*")
_RULE = re.compile(r"(?:[-_=] ?){5,}.*")
_SOURCE = re.compile(r"(?:async def |def |class |@)[^\n]*\n(?:    |>)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text, with its kind in a traceback, and in pieces with classes for their colours."""

    kind: LineKind
    text: str
    pieces: TerminalLine = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test."""

    status: StepStatus
    text: str


def lines(text: str, spans: Sequence[Span] = ()) -> list[Line]:
    """Return the lines of a traceback as pytest writes it, each with its kind, at most `LINES_SHOWN` and a remark.

    ``spans`` are the coloured parts of the text; only lines with some have pieces.
    """
    coloured = _coloured_lines(text, spans) if spans else {}
    text = plain(text).rstrip("\n")
    # pytest strips the text of a traceback, and with it the margin of the first line.
    margin = "    " if _SOURCE.match(text) else ""
    text = f"{margin}{text}"
    if margin and 0 in coloured:
        coloured[0] = (("", margin), *coloured[0])
    parts = text.split("\n", LINES_SHOWN)
    rest_count = parts.pop().count("\n") + 1 if len(parts) > LINES_SHOWN else 0
    shown = [Line(_kind(line), line, coloured.get(number, ())) for number, line in enumerate(parts)]
    return [*shown, Line("rule", f"... {rest_count} more lines")] if rest_count else shown


def _coloured_lines(text: str, spans: Sequence[Span]) -> dict[int, TerminalLine]:
    """Return the lines with colours by their numbers, from 0."""
    screen = terminal_lines(text, spans)
    return {number - 1: line for number, line in screen.numbered if any(classes for classes, _ in line)}


def plain(text: str) -> str:
    """Return a text without terminal sequences, and with control and bidi characters escaped."""
    return visible(without_ansi(text))


def steps(markup: str) -> list[Step] | None:
    """Return the steps of the contract's markup; None for any other text, which the page then shows as text."""
    parsed = parse_steps(markup)
    return None if parsed is None else [Step(cast("StepStatus", status), plain(text)) for status, text in parsed]


def web_address(text: str | None) -> str | None:
    """Return the web address of a link; None for anything else, such as ``javascript:``."""
    address = (text or "").strip()
    return address if is_web_address(address) else None


def rerun_command(row: Mapping[str, object], fields: Sequence[Mapping[str, object]]) -> str | None:
    """Return the command that runs a test again; None if its file is not known.

    The node id comes from the field that the plugin adds, else from file, folder and name, as JUnit XML has them.
    """
    sent = (str(field.get("value") or "") for field in fields if field.get("name") == "Node id" and field["type"] == 1)
    known = next((string(text) for text in sent if is_argument(text)), "") or node_id(
        str(row["file"] or ""), str(row["folder"]), str(row["name"])
    )
    return run_command([known]) if known else None


def _kind(line: str) -> LineKind:
    if line.startswith("E ") or line == "E":
        return "error"
    if line.startswith(">"):
        return "source"
    if _RULE.fullmatch(line):
        return "rule"
    return "place" if _PLACE.fullmatch(line) else "plain"
