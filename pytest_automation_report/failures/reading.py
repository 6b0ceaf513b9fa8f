"""Make of a failure's texts what a reader looks for: the message once, the compared values, the calls that matter."""

from __future__ import annotations

import re
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.failures.comparisons import assertion_of, table_from_text, table_from_values
from pytest_automation_report.failures.tracebacks import Frame, Link, Raised, exception_parts, parse_traceback
from pytest_automation_report.text.limits import telling_text
from pytest_automation_report.text.node_ids import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_automation_report.failures.comparisons import Assertion, Table
    from pytest_automation_report.failures.values import Comparison, Segments


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
    link: Link = ""
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
    assertion = assertion_of(own[-1].statement if own else "")
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
        tuple(folded(raised.frames)),
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


# What stands outside of the user's code: libraries, the standard library, code without a file.
_IN_PACKAGE: Final = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages)[/\\]|[/\\]lib[/\\]python[0-9.]+[/\\]|^<|[/\\]Lib[/\\](?!site)"
)
_LONGEST_CYCLE: Final = 4
_LEAST_REPEATS: Final = 3


class Call(Struct, frozen=True):
    """One frame that is shown by itself; ``is_open``: with its code."""

    frame: Frame
    is_open: bool = False


class Fold(Struct, frozen=True):
    """Frames behind one line; ``title`` says which: ``3 calls in packages``, ``58 more calls of walk``."""

    title: str
    frames: tuple[Frame, ...]


def folded(frames: Sequence[Frame]) -> list[Call | Fold]:
    """Return the frames innermost first, with folds; the innermost one of the user's own code is open."""
    own = [position for position, frame in enumerate(frames) if not is_in_package(frame.path)]
    open_position = own[-1] if own else len(frames) - 1
    places = [(frame.path, frame.line, frame.function) for frame in frames]
    parts: list[Call | Fold] = []
    position = 0
    while position < len(frames):
        length, repeats = _cycle(places, position)
        end = position + length * repeats
        if position <= open_position < end:
            # The open frame must not vanish in a fold: the calls before it are enough of one.
            repeats = (open_position - position) // length
            end = position + length * repeats
        if repeats >= _LEAST_REPEATS:
            shown, behind = frames[position : position + length], frames[position + length : end]
            # Python itself may have left some of them out.
            count = len(behind) + sum(frame.repeats for frame in behind)
            parts.append(Fold(_repeat_title(shown, count), tuple(behind)))
            parts += _single(shown, position, open_position)
            position = end
        else:
            parts += _single(frames[position : position + 1], position, open_position)
            position += 1
    return _with_packages(reversed(parts))


def is_in_package(path: str) -> bool:
    """Whether a file belongs to a library or to Python itself."""
    return _IN_PACKAGE.search(path) is not None


def _single(frames: Sequence[Frame], position: int, open_position: int) -> list[Call | Fold]:
    parts: list[Call | Fold] = []
    for number, frame in enumerate(frames, position):
        if frame.repeats:
            parts.append(Fold(_repeat_title([frame], frame.repeats), ()))
        parts.append(Call(frame, number == open_position))
    return parts


def _cycle(places: Sequence[tuple[str, int, str]], position: int) -> tuple[int, int]:
    """Return length and repetitions of the shortest cycle of calls that begins here; (1, 1) for none."""
    for length in range(1, _LONGEST_CYCLE + 1):
        repeats, start = 1, position + length
        while places[start : start + length] == places[position : position + length]:
            repeats, start = repeats + 1, start + length
        if repeats >= _LEAST_REPEATS:
            return length, repeats
    return 1, 1


def _repeat_title(frames: Sequence[Frame], count: int) -> str:
    names = list(dict.fromkeys(frame.function or frame.path for frame in frames))
    return f"{count:,} more calls of {' and '.join(names)}"


def _with_packages(parts: Iterable[Call | Fold]) -> list[Call | Fold]:
    """Return the parts with neighbouring calls in packages as one fold."""
    result: list[Call | Fold] = []
    for is_foreign, group in groupby(parts, key=_is_foreign):
        if is_foreign:
            groups = [reversed(part.frames) if isinstance(part, Fold) else (part.frame,) for part in group]
            frames = tuple(chain.from_iterable(groups))
            noun = "call" if len(frames) == 1 else "calls"
            result.append(Fold(f"{len(frames):,} {noun} in packages", frames))
        else:
            result += group
    return result


def _is_foreign(part: Call | Fold) -> bool:
    if isinstance(part, Fold):
        return bool(part.frames) and all(is_in_package(frame.path) for frame in part.frames)
    return not part.is_open and is_in_package(part.frame.path)


_MAX_CODE_LINES: Final = 12
_MAX_ROWS: Final = 20
_MAX_DETAILS: Final = 4_000
_BAR: Final = "\\|"
_LINKS: Final = {"cause": "because of", "context": "while handling"}


class ReportedFailure(Struct, frozen=True):
    """A failed test of ``file`` for its report, ``text`` as pytest wrote it; ``sentence`` says since when it fails."""

    title: str
    text: str = ""
    message: str = ""
    type_name: str = ""
    place: str = ""
    sentence: str = ""
    command: str = ""
    url: str = ""
    comparison: Comparison | None = None
    file: str = ""


def failure_markdown(failure: ReportedFailure) -> str:
    """Return a failure as Markdown: what it says, where, the compared values, the code, how to run it again."""
    return "\n\n".join(_paragraphs(failure)) + "\n"


def code_span(text: str) -> str:
    """Return a text as one span of code, whatever backticks it has."""
    text = " ".join(text.split())
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * (max(runs) + 1 if runs else 1)
    return f"{fence} {text} {fence}" if text.startswith("`") or text.endswith("`") else f"{fence}{text}{fence}"


def code_block(text: str, language: str = "") -> str:
    """Return a text as a block of code, whatever fences it has."""
    runs = [len(run) for run in re.findall("`{3,}", text)]
    fence = "`" * (max(runs) + 1 if runs else 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _paragraphs(failure: ReportedFailure) -> Iterator[str]:
    yield f"### {code_span(failure.title)}"
    if failure.sentence:
        yield failure.sentence
    if failure.place:
        yield f"At {code_span(failure.place)}"
    if failure.text or failure.message:
        for exception in _read(failure):
            yield from _exception(exception)
    if failure.command:
        yield f"Run it again:\n\n{code_block(failure.command, 'sh')}"
    if failure.url:
        yield f"<{failure.url}>"


def _read(failure: ReportedFailure) -> tuple[ShownException, ...]:
    return read_failure(failure.text, failure.message, failure.type_name, failure.comparison, failure.file)


def _exception(exception: ShownException) -> Iterator[str]:
    said = f"{exception.type_name}: {exception.said}" if exception.type_name else exception.said
    prefix = f"{_LINKS[exception.link]} " if exception.link else ""
    yield f"{prefix}**{code_span(said)}**" if said else prefix.strip()
    if exception.table is not None:
        yield _table(exception.table)
    for text in (exception.details, exception.remark):
        if text:
            yield code_block(text[:_MAX_DETAILS])
    for frame in [call.frame for call in exception.calls if isinstance(call, Call) and call.is_open]:
        yield _frame(frame)


def _frame(frame: Frame) -> str:
    """Return the place of a frame and its code around the line that raised."""
    hits = [number for number, line in enumerate(frame.code) if line.is_hit]
    end = max(hits[-1] + 4, _MAX_CODE_LINES) if hits else _MAX_CODE_LINES
    lines = [
        f"{'>' if line.is_hit else ' '} {line.text}".rstrip()
        for line in frame.code[max(0, end - _MAX_CODE_LINES) : end]
    ]
    place = code_span(place_of(frame.path, frame.line))
    function = f" in {code_span(frame.function)}" if frame.function else ""
    code = "\n".join(lines)
    return f"{place}{function}" + (f"\n\n{code_block(code, 'python')}" if lines else "")


def _table(table: Table) -> str:
    head = "differs" if table.operator == "==" else "compared"
    rows = [(head, code_span(table.left_title), code_span(table.right_title)), ("---", "---", "---")]
    rows += [
        (code_span(row.path) if row.path else "value", _side(row.left), _side(row.right))
        for row in table.rows[:_MAX_ROWS]
    ]
    lines = [f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |" for cells in rows]
    more = table.more + len(table.rows) - len(table.rows[:_MAX_ROWS])
    remarks = [f"{more:,} more differences"] if more else []
    if table.equal_count:
        remarks.append(f"{table.equal_count:,} equal")
    return "\n".join(lines) + (f"\n\n({', '.join(remarks)})" if remarks else "")


def _side(side: Segments | None) -> str:
    return "not there" if side is None else code_span("".join(text for text, _ in side))
