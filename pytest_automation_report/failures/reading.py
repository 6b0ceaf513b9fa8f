"""Make of a failure's texts what a reader looks for: the message once, the compared values, the calls that matter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.failures.comparisons import assertion_of, table_from_text, table_from_values
from pytest_automation_report.failures.folding import folded, is_in_package
from pytest_automation_report.failures.tracebacks import exception_parts, parse_traceback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.failures.comparisons import Assertion, Table
    from pytest_automation_report.failures.folding import Call, Fold
    from pytest_automation_report.failures.tracebacks import Frame, Link, Raised
    from pytest_automation_report.failures.values import Comparison

_MAX_TYPE: Final = 200
_ASSERT: Final = re.compile(r"^assert ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ShownException:
    """One exception of a failure as it is shown.

    ``said`` is one line: the message, or the condition of the assertion as the source code has it. ``details`` are the
    other lines of the message, empty if ``table`` shows the same. ``link`` shows how it led to the exception before it.
    """

    type_name: str
    said: str
    details: str = ""
    table: Table | None = None
    calls: tuple[Call | Fold, ...] = ()
    link: Link = ""
    remark: str = ""


def read_failure(
    text: str, message: str = "", type_name: str = "", comparison: Comparison | None = None
) -> tuple[ShownException, ...]:
    """Return the exceptions of a failure, the one that let the test fail first.

    ``message`` and ``type_name`` stand in for what ``text`` does not show. ``comparison`` has both sides, if the client
    sent them. Without any exception in the text there is one without calls.
    """
    traceback = parse_traceback(text)
    if traceback is None:
        line, _, rest = (message or text).strip().partition("\n")
        if type_name and line.startswith(f"{type_name}: "):
            line = line[len(type_name) + 2 :]
        return (ShownException(type_name, line, rest.strip("\n")),)
    shown = [
        _shown(raised, comparison if number == 0 else None, ("", "") if number else (type_name, message))
        for number, raised in enumerate(traceback.exceptions)
    ]
    return tuple(shown)


def _shown(raised: Raised, comparison: Comparison | None, fallback: tuple[str, str]) -> ShownException:
    text = "\n".join(raised.lines) or fallback[1]
    type_name, message = exception_parts(text)
    assertion = assertion_of(_statement(raised.frames))
    if comparison is not None:
        table: Table | None = table_from_values(comparison, assertion)
    else:
        table = table_from_text(message, assertion)
    said, details = _said(message, assertion, table)
    return ShownException(
        (type_name or fallback[0])[:_MAX_TYPE],
        said,
        details,
        table,
        tuple(folded(raised.frames)),
        raised.link,
        raised.remark,
    )


def _statement(frames: Sequence[Frame]) -> str:
    """Return the statement that raised: that of the innermost frame in the user's own code."""
    own = [frame for frame in frames if not is_in_package(frame.path)]
    return own[-1].statement if own else ""


def _said(message: str, assertion: Assertion | None, table: Table | None) -> tuple[str, str]:
    """Return the line that says what happened, and the lines that it leaves out."""
    mark = _ASSERT.search(message)
    if mark is None or (assertion is None and table is None):
        line, _, rest = message.strip("\n").partition("\n")
        return line, "" if table is not None and assertion is not None else rest.rstrip()
    own_message = message[: mark.start()].strip("\n")
    values = message[mark.start() :].strip("\n")
    condition = f"assert {assertion.condition}" if assertion is not None else values.partition("\n")[0]
    details = "" if table is not None or values == condition else values
    if not own_message:
        return condition, details
    line, _, rest = own_message.partition("\n")
    return line, "\n".join(part for part in (rest, condition, details) if part)
