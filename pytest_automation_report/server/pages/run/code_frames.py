"""The lines of code around the one that raised, for the card of a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.failures.highlighting import coloured
from pytest_automation_report.failures.reading import is_in_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.failures.tracebacks import CodeLine, Frame, Traceback

_LINES_BEFORE: Final = 4
_LINES_AFTER: Final = 3
# Lines above those that show whether they begin inside of a docstring.
_LINES_ABOVE: Final = 100
_ERROR_LINES: Final = 6
_LINE_LENGTH: Final = 240
_TRIPLE_QUOTES: Final = ('"""', "'''")


def code_frame(traceback: Traceback | None) -> Json | None:
    """Return the code of the innermost frame in the user's code, with the lines that describe the exception.

    None if the traceback shows no code. ``depth`` is the number of calls of the same function around it.
    """
    if traceback is None or not traceback.exceptions:
        return None
    raised = traceback.exceptions[0]
    frames = [frame for frame in raised.frames if frame.code] or list(raised.frames)
    if not frames:
        return None
    own = [frame for frame in frames if not is_in_package(frame.path)]
    frame = (own or frames)[-1]
    before, lines = _shown(frame)
    texts = [line.text for line in lines]
    # With one end of a docstring among them, code would be coloured as text and the text as code.
    is_torn = any("\n".join(texts).count(quotes) % 2 for quotes in _TRIPLE_QUOTES)
    tokens = coloured([*(line.text for line in before), *texts])[len(before) :] if is_torn else coloured(texts)
    depth = sum(1 + other.repeats for other in raised.frames if other.function == frame.function)
    errors = [line[:_LINE_LENGTH] for line in raised.lines if line.strip()]
    if len(errors) > _ERROR_LINES:
        errors = [*errors[: _ERROR_LINES - 1], f"… {len(errors) - _ERROR_LINES + 1} more lines"]
    return {
        "place": f"{frame.path}:{frame.line}" if frame.line else frame.path,
        "function": frame.function,
        "depth": depth if depth > 2 else 0,  # noqa: PLR2004 - a function that calls itself once is nothing special
        "lines": [
            {"number": line.number, "is_hit": line.is_hit, "tokens": parts}
            for line, parts in zip(lines, tokens, strict=True)
        ],
        "errors": errors,
        "hit": _statement(lines),
    }


def _statement(lines: Sequence[CodeLine]) -> str:
    """Return the statement that raised in one line; empty if its end is not shown."""
    hits = [place for place, line in enumerate(lines) if line.is_hit]
    text = ""
    for line in lines[hits[-1] :] if hits else ():
        text = f"{text} {line.text.strip()}".strip().replace("( ", "(")
        if sum(map(text.count, "([{")) <= sum(map(text.count, ")]}")):
            return text
    return ""


def _shown(frame: Frame) -> tuple[Sequence[CodeLine], list[CodeLine]]:
    """Return the lines around the one that raised, and before them those above; a long line is cut."""
    hits = [place for place, line in enumerate(frame.code) if line.is_hit]
    place = hits[-1] if hits else len(frame.code) - 1
    first = max(0, place - _LINES_BEFORE)
    around = frame.code[first : place + 1 + _LINES_AFTER]
    return frame.code[max(0, first - _LINES_ABOVE) : first], [
        line if len(line.text) <= _LINE_LENGTH else type(line)(line.number, f"{line.text[:_LINE_LENGTH]}…", line.is_hit)
        for line in around
    ]
