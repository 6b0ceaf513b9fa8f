"""What foreign texts become before a page shows them: lines of a kind, steps, addresses, commands.

Nothing here makes markup: the templates escape every value, whatever it looks like.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pytest_automation_report.text.limits import string, visible, without_ansi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LineKind: TypeAlias = Literal["plain", "error", "source", "place", "rule"]
StepStatus: TypeAlias = Literal["passed", "failed", "skipped"]

LINES_SHOWN: Final = 5_000
"""How many lines of one text a page shows."""

_PLACE = re.compile(r"[^\s:][^:]*:[0-9]+:[ \w.]*")
_RULE = re.compile(r"(?:[-_=] ?){5,}.*")
_SOURCE = re.compile(r"(?:async def |def |class |@)[^\n]*\n(?:    |>)")
_STEPS = re.compile(r"<test-steps>(?P<steps>.*)</test-steps>", re.DOTALL)
_STEP = re.compile(r'\s*<test-step status="(passed|failed|skipped)">([^<]*)</test-step>\s*')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text, and what it is in a traceback."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test."""

    status: StepStatus
    text: str


def lines(text: str) -> list[Line]:
    """Return the lines of a traceback as pytest writes it, each with its kind; no more than `LINES_SHOWN`."""
    shown = _with_first_margin(plain(text).rstrip("\n")).split("\n", LINES_SHOWN)
    rest = shown.pop().count("\n") + 1 if len(shown) > LINES_SHOWN else 0
    told = [Line(_kind(each), each) for each in shown]
    return [*told, Line("rule", f"... {rest} more lines")] if rest else told


def _with_first_margin(text: str) -> str:
    """Return a traceback whose first line stands where pytest wrote it: pytest takes the text's edges off."""
    return f"    {text}" if _SOURCE.match(text) else text


def plain(text: str) -> str:
    """Return a text without the colours of terminals, and with what else no page can show spelled out."""
    return visible(without_ansi(text))


def steps(markup: str) -> list[Step] | None:
    """Return the steps of the contract's markup; None for anything else, however little it differs."""
    found = _STEPS.fullmatch(markup.strip())
    if found is None:
        return None
    inner, position, told = found["steps"], 0, list[Step]()
    while position < len(inner):
        step = _STEP.match(inner, position)
        if step is None:
            return None
        status: StepStatus = "passed" if step[1] == "passed" else "failed" if step[1] == "failed" else "skipped"
        told.append(Step(status, plain(unescape(step[2]))))
        position = step.end()
    return told


def web_address(text: str | None) -> str | None:
    """Return an address that a page may link to; None for every scheme but http and https."""
    address = (text or "").strip()
    if not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.hostname else None


def rerun_command(row: Mapping[str, object], fields: Sequence[Mapping[str, object]]) -> str | None:
    """Return the command that runs a test again; None for tests whose file is not known.

    pytest's own node id counts where a field has it; else it is made of file, folder and name, as JUnit XML has them.
    """
    for field in fields:
        node_id = string(str(field.get("value") or ""))
        if field.get("name") == "Node id" and field.get("type") == 1 and _is_argument(node_id):
            return shlex.join(["pytest", node_id])
    file, folder, name = str(row["file"] or ""), str(row["folder"]), str(row["name"])
    module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
    if not file or not file.endswith(".py") or not _is_argument(file):
        return None
    _, found, tail = f".{folder}.".rpartition(f".{module}.")
    if not found:
        return None
    classes = [each for each in tail.split(".") if each]
    # No test's own name has a dot before its parameters; that of a doctest begins with its module's.
    options = ["--doctest-modules"] if "." in name.partition("[")[0] else []
    return shlex.join(["pytest", *options, string("::".join([file, *classes, name]))])


def _is_argument(text: str) -> bool:
    """Whether pytest takes a text for a test: what begins with these characters is an option, or a file of options."""
    return bool(text) and not text.startswith(("-", "@"))


def _kind(line: str) -> LineKind:
    if line.startswith("E ") or line == "E":
        return "error"
    if line.startswith(">"):
        return "source"
    if _RULE.fullmatch(line):
        return "rule"
    return "place" if _PLACE.fullmatch(line) else "plain"
