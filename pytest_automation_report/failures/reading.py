"""Make of a failure's texts what a reader looks for: the message once, and the compared values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.failures.comparisons import parse_assertion, table_from_text, table_from_values
from pytest_automation_report.failures.frames import Call, Fold, fold_frames, is_in_package
from pytest_automation_report.failures.tracebacks import Chaining, Raised, exception_parts, parse_traceback
from pytest_automation_report.text.limits import telling_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.failures.comparisons import Assertion, Table
    from pytest_automation_report.failures.values import Comparison

_MAX_TYPE: Final = 200
_ASSERT: Final = re.compile(r"^assert ", re.MULTILINE)


class ShownException(Struct, frozen=True):
    """One exception of a failure as it is shown.

    ``said`` is one line: the message, or the condition of the assertion. ``details`` are the other lines of the
    message, empty if ``table`` shows the same. ``link`` shows how it led to the exception before it. ``notes`` are the
    lines below the message, and messages and notes of a group's members.
    """

    type_name: str
    said: str
    details: str = ""
    table: Table | None = None
    calls: tuple[Call | Fold, ...] = ()
    link: Chaining = ""
    remark: str = ""
    notes: tuple[str, ...] = ()


def read_failure(
    text: str, message: str = "", type_name: str = "", comparison: Comparison | None = None, file: str = ""
) -> tuple[ShownException, ...]:
    """Return the exceptions in a failure's ``text``, first the exception that failed the test.

    ``message`` and ``type_name`` stand in for what the text does not show; without any exception there is one of them.
    ``file`` is the test's.
    """
    told = telling_text(message, text)
    # A text that says what its message does not is no traceback.
    exceptions = parse_traceback(text, file) if told == message else ()
    if not exceptions:
        line, _, rest = (told or text).strip().partition("\n")
        if type_name and line.startswith(f"{type_name}: "):
            line = line[len(type_name) + 2 :]
        return (ShownException(type_name, line, rest.strip("\n")),)
    return tuple(
        _shown(raised, comparison if number == 0 else None, ("", "") if number else (type_name, message))
        for number, raised in enumerate(exceptions)
    )


def _shown(raised: Raised, comparison: Comparison | None, fallback: tuple[str, str]) -> ShownException:
    text = "\n".join(raised.lines) or fallback[1]
    type_name, message = exception_parts(text)
    # The innermost frame in the user's own code has the statement that raised.
    own = [frame for frame in raised.frames if not is_in_package(frame.path)]
    assertion = parse_assertion(own[-1].statement if own else "")
    if comparison is not None:
        table: Table | None = table_from_values(comparison, assertion)
    else:
        table = table_from_text(message, assertion)
    said, details, notes = _said(message, assertion, table)
    return ShownException(
        (type_name or fallback[0])[:_MAX_TYPE],
        said,
        details,
        table,
        tuple(fold_frames(raised.frames)),
        raised.link,
        raised.remark,
        (*notes.splitlines(), *_members(raised.remark)),
    )


def _said(message: str, assertion: Assertion | None, table: Table | None) -> tuple[str, str, str]:
    """Return the line that says what happened, the lines that it leaves out, and the notes among these."""
    mark = _ASSERT.search(message)
    if mark is None or (assertion is None and table is None):
        line, _, rest = message.strip("\n").partition("\n")
        if table is not None and assertion is not None:
            rest = _notes(f"\n{rest}", " -+?")
        return line, rest.rstrip(), rest.strip()
    own_message = message[: mark.start()].strip("\n")
    values = message[mark.start() :].strip("\n")
    condition = f"assert {assertion.condition}" if assertion is not None else values.partition("\n")[0]
    notes = _notes(values, " ")
    details = notes if table is not None or values == condition else values
    if not own_message:
        return condition, details, notes
    line, _, rest = own_message.partition("\n")
    return line, "\n".join(part for part in (rest, condition, details) if part), notes


def _notes(explanation: str, marks: str) -> str:
    """Return the notes of an exception, which follow an explanation whose further lines begin with one of ``marks``."""
    lines = explanation.split("\n")
    first = next((number for number, line in enumerate(lines) if number and line and line[0] not in marks), len(lines))
    return "\n".join(lines[first:]).rstrip()


_MEMBER: Final = re.compile(r"\s*\| ?")


def _members(tree: str) -> Iterator[str]:
    """Yield the messages and notes of a group's members, without their calls and the lines around them."""
    is_call = False
    for line in tree.split("\n"):
        text = _MEMBER.sub("", line, count=1)
        if _MEMBER.match(line) is None or text.lstrip().startswith("+-"):
            is_call = False
        elif "Traceback (most recent call last)" in text or text.startswith("  File "):
            is_call = True
        elif not (is_call and text.startswith("  ")):
            is_call = False
            yield text
