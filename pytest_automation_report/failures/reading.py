"""Make of a failure's texts what a reader looks for: the message once, the compared values, the calls that matter.

For pages, split code and terminal output into pieces with the style sheet's classes for their colours.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from itertools import accumulate, chain, groupby
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct

from pytest_automation_report.failures.comparisons import parse_assertion, table_from_text, table_from_values
from pytest_automation_report.failures.tracebacks import Chaining, Frame, Raised, exception_parts, parse_traceback
from pytest_automation_report.text.limits import telling_text
from pytest_automation_report.text.markdown import code_block, code_span, table_row
from pytest_automation_report.text.node_ids import join_place
from pytest_automation_report.text.visible import SGR, Span, StyleState, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def fold_frames(frames: Sequence[Frame]) -> list[Call | Fold]:
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


def _paragraphs(failure: ReportedFailure) -> Iterator[str]:
    yield f"### {code_span(failure.title)}"
    if failure.sentence:
        yield failure.sentence
    if failure.place:
        yield f"At {code_span(failure.place)}"
    if failure.text or failure.message:
        told = (failure.text, failure.message, failure.type_name, failure.comparison, failure.file)
        for exception in read_failure(*told):
            yield from _exception(exception)
    if failure.command:
        yield f"Run it again:\n\n{code_block(failure.command, 'sh')}"
    if failure.url:
        yield f"<{failure.url}>"


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
    place = code_span(join_place(frame.path, frame.line))
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
    lines = [table_row(*cells) for cells in rows]
    more = table.more + len(table.rows) - len(table.rows[:_MAX_ROWS])
    remarks = [f"{more:,} more differences"] if more else []
    if table.equal_count:
        remarks.append(f"{table.equal_count:,} equal")
    return "\n".join(lines) + (f"\n\n({', '.join(remarks)})" if remarks else "")


def _side(side: Segments | None) -> str:
    return "not there" if side is None else code_span("".join(text for text, _ in side))


CodeTokens: TypeAlias = "list[tuple[str, str]]"
"""One line in pieces: (class, text); an empty class is plain text."""

_MOST_CODE: Final = 60_000
_KNOWN_CHARACTERS: Final = 4_000
# Of these types and all below them; an earlier one wins.
_CLASSES: Final[Mapping[str, str]] = {
    "Token.Comment": "c",
    "Token.Keyword": "k",
    "Token.Operator.Word": "k",
    "Token.Literal.String": "t",
    "Token.Literal.Number": "n",
}


def colour_code(lines: Sequence[str]) -> list[CodeTokens]:
    """Return each line in pieces with their classes; the lines are one piece of code, read together."""
    characters = sum(map(len, lines))
    if characters > _MOST_CODE:
        return [[("", line)] for line in lines]
    pieces = _known_pieces(tuple(lines)) if characters < _KNOWN_CHARACTERS else _pieces(lines)
    return [list(tokens) for tokens in pieces]


def _pieces(lines: Sequence[str]) -> list[CodeTokens]:
    code = "\n".join(lines)
    result: list[CodeTokens] = [[]]
    for _, token_type, text in _lexer().get_tokens_unprocessed(code):
        class_ = _token_class(str(token_type))
        for number, part in enumerate(text.split("\n")):
            if number:
                result.append([])
            if part:
                result[-1].append((class_, part))
    return result[: len(lines)] + [[] for _ in range(len(lines) - len(result))]


# Failures of one run have many calls in common, and this is a tenth of the time of a page.
_known_pieces: Final = lru_cache(maxsize=256)(_pieces)


@cache
def _token_class(token_type: str) -> str:
    return next((name for prefix, name in _CLASSES.items() if f"{token_type}.".startswith(f"{prefix}.")), "")


@cache
def _lexer() -> Any:  # noqa: ANN401 - Pygments has no types
    # 25 ms: a server starts without it, and the first page of a failure pays.
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no stubs

    return PythonLexer()


TerminalLine: TypeAlias = "tuple[tuple[str, str], ...]"
"""One line in pieces: (classes, text); empty classes are plain text."""

MAX_LINES: Final = 5_000
"""Most lines of one text that are returned: its first and its last ones."""

_HEAD_LINES: Final = 1_000
_MAX_LINE: Final = 10_000
_MAX_CHARACTERS: Final = 400_000
# Every other sequence: moves of the cursor, titles, links, character sets. They have no place on a page.
_OTHER: Final = re.compile(
    r"\x1b\[[0-?]{0,60}[ -/]{0,10}[@-~]|\x1b\][^\x07\x1b\n]{0,5000}(?:\x07|\x1b\\)|\x1b[()*+][0-9A-Z]|\x1b[=>NOM78]"
)
# Black and dim text are shown as quiet text, white and light grey as plain text: both must be read on a page.
_COLOURS: Final = ("dim", "bad", "ok", "warn", "info", "note", "aqua", "")
_WORDS: Final = {"1": "bold", "2": "dim", "3": "italic", "4": "underline"}


class Screen(Struct, frozen=True):
    """The lines of a text; ``omitted`` lines are left out after the first ``head`` ones."""

    lines: tuple[TerminalLine, ...]
    head: int
    omitted: int = 0

    @property
    def numbered(self) -> list[tuple[int, TerminalLine]]:
        """The lines with their numbers in the whole text, from 1."""
        return [
            (number + (self.omitted if number > self.head else 0), line) for number, line in enumerate(self.lines, 1)
        ]


@lru_cache(maxsize=512)
def _classes(style: str) -> str:
    names: list[str] = []
    for code in style.split(";") if style else ():
        number = int(code)
        if code in _WORDS:
            names.append(_WORDS[code])
        elif number % 10 < len(_COLOURS):
            name = _COLOURS[number % 10]
            is_ground = number // 10 in {4, 10}
            # The page has the bright colours, too; text keeps its own colour on a ground.
            names.append(f"on-{name or 'plain'}" if is_ground else name)
    return " ".join(f"ansi-{name}" for name in dict.fromkeys(names) if name)


def terminal_lines(text: str, spans: Iterable[Span] = ()) -> Screen:
    """Return the lines of a text with their colours, ``spans`` of a text without sequences; long ones are cut."""
    text = sequences_from(text, spans) if spans else text
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    head, tail = _shown_lines(lines)
    omitted = len(lines) - head - tail
    if omitted:
        lines = lines[:head] + lines[len(lines) - tail :]
    state = StyleState()
    return Screen(tuple(_line(line, state) for line in lines), head, omitted)


def sequences_from(text: str, spans: Iterable[Span]) -> str:
    """Return the text with sequences for its spans, but not for those outside of it or out of order."""
    pieces: list[str] = []
    done = 0
    for start, end, style in spans:
        if start < done or end <= start or end > len(text):
            continue
        part = text[start:end].replace("\n", f"\x1b[m\n\x1b[{style}m")
        pieces += [text[done:start], f"\x1b[{style}m{part}\x1b[m"]
        done = end
    return "".join((*pieces, text[done:]))


def _shown_lines(lines: Sequence[str]) -> tuple[int, int]:
    """Return how many lines of the beginning and of the end are shown: all, or those within the limits."""
    lengths = [min(len(line), _MAX_LINE) for line in lines]
    if len(lines) <= MAX_LINES and sum(lengths) <= _MAX_CHARACTERS:
        return len(lines), 0
    head = _fitting(lengths[:_HEAD_LINES], _MAX_CHARACTERS // 4)
    return head, _fitting(
        lengths[: head - 1 : -1] if head else lengths[::-1], _MAX_CHARACTERS * 3 // 4, MAX_LINES - head
    )


def _fitting(lengths: Sequence[int], characters: int, count: int = MAX_LINES) -> int:
    """Return how many of the first lines have no more than this number of characters together."""
    return bisect_right(list(accumulate(lengths[:count])), characters)


def _line(line: str, state: StyleState) -> TerminalLine:
    if "\r" in line:
        # It writes over its line, as progress bars do: a terminal shows the last state.
        line = line.rstrip("\r").rpartition("\r")[2]
    rest = len(line) - _MAX_LINE
    if rest > 0:
        line = line[:_MAX_LINE]
    pieces: list[tuple[str, str]] = []
    position = 0
    for match in SGR.finditer(line):
        _add(pieces, state.style, line[position : match.start()])
        state.apply(match[1])
        position = match.end()
    _add(pieces, state.style, line[position:])
    if rest > 0:
        pieces.append(("quiet", f" … {rest:,} more characters"))
    return tuple(pieces)


def _add(pieces: list[tuple[str, str]], style: str, text: str) -> None:
    text = visible(_OTHER.sub("", text))
    if text:
        pieces.append((_classes(style), text))
