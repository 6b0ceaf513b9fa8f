"""Read the text of a failure into exceptions and frames, in every style that pytest has.

By ``--tb`` that is ``long``, ``short``, ``line``, ``native`` or ``no``; ``auto`` mixes long and short entries.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Chaining: TypeAlias = Literal["", "cause", "context"]
"""How an exception led to the one after it: ``raise ... from`` it, or raised while it was handled; empty for none."""

_MAX_CHARACTERS: Final = 400_000
_MAX_LINES: Final = 20_000

_CAUSE: Final = "The above exception was the direct cause of the following exception:"
_CONTEXT: Final = "During handling of the above exception, another exception occurred:"
_SEPARATOR: Final = re.compile(r"(?:_ ){5,}_?\s*")
# "tests/test_cart.py:29: AssertionError" and "tests/test_cart.py:29: " end an entry of the long style,
# "tests/test_cart.py:29: in test_total" begins one of the short style.
_PLACE: Final = re.compile(
    r"(?P<path>[^\s:>|][^:\n]{0,400}|[A-Za-z]:[\\/][^:\n]{0,400}):(?P<line>[0-9]{1,9}):(?P<rest>.*)"
)
_IN_FUNCTION: Final = re.compile(r" in (?P<function>\S.{0,300})")
_EXCEPTION_NAME: Final = re.compile(r"\s*[\w.]*\s*")
_NATIVE_PLACE: Final = re.compile(
    r'  File "(?P<path>[^"\n]{1,400})", line (?P<line>[0-9]{1,9})(?:, in (?P<function>.{1,300}))?'
)
_REPEATED: Final = re.compile(r"  \[Previous line repeated (?P<count>[0-9]{1,9}) more times?\]")
_DEFINITION: Final = re.compile(r"\s*(?:async\s+)?def\s+(\w+)\s*\(")
_LAMBDA: Final = re.compile(r"\(?lambda\b")
_CARETS: Final = re.compile(r"\s*[\^~]+\s*")
_LOCAL: Final = re.compile(r"([A-Za-z_@][\w@]{0,200})\s* = (.*)")
_ARGUMENT: Final = re.compile(r"(?:^|, )([A-Za-z_]\w{0,100}) = ")
_CUT: Final = re.compile(r"\.\.\. [0-9,]+ characters cut \.\.\.")
_TYPE: Final = re.compile(r"([A-Za-z_][\w.]{0,200})(?::\s(?P<message>.*)|:?\s*)", re.DOTALL)
_ERROR_MARK: Final = re.compile(r"E( +|$)")
# What pytest says above the traceback of a module that cannot be imported; the exception says it again.
_OF_IMPORT: Final = re.compile(
    r"ImportError while importing test module '.*'\.|Traceback:"
    r"|Hint: make sure your test modules/packages have valid Python names\."
)
_SOURCE_FIRST: Final = re.compile(r"(?:async def |def |class |@)[^\n]*\n(?:    |>)")


class CodeLine(Struct, frozen=True):
    """One line of source code; ``number`` is None if it is not known. ``is_hit``: this line raised."""

    number: int | None
    text: str
    is_hit: bool = False


class Frame(Struct, frozen=True):
    """One call: where it is, its code as far as pytest printed it, and its local variables as (name, text).

    ``line`` is 1-based and 0 if not known; ``function`` is empty if not known. ``repeats`` counts the calls of the same
    line after this one that Python left out.
    """

    path: str
    line: int
    function: str
    code: tuple[CodeLine, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    repeats: int = 0

    @property
    def statement(self) -> str:
        """The statement that raised: the marked line and the lines after it; empty if not known."""
        lines = [line.text for line in self.code]
        hits = [position for position, line in enumerate(self.code) if line.is_hit]
        return "\n".join(lines[hits[-1] :]) if hits else ""


def one_line(code: Sequence[CodeLine]) -> str:
    """Return the statement that raised in one line; empty if its end is not among these lines."""
    hits = [place for place, line in enumerate(code) if line.is_hit]
    text = ""
    for line in code[hits[-1] :] if hits else ():
        text = f"{text} {line.text.strip()}".strip().replace("( ", "(")
        if sum(map(text.count, "([{")) <= sum(map(text.count, ")]}")):
            return text
    return ""


class Raised(Struct, frozen=True):
    """One exception: its lines, its frames, outermost first, how it led to the next one, further text of pytest."""

    lines: tuple[str, ...]
    frames: tuple[Frame, ...]
    link: Chaining = ""
    remark: str = ""


class _Entry(Struct):
    path: str = ""
    line: int = 0
    function: str = ""
    code: list[str] = field(default_factory=list)
    hit: int | None = None
    variables: list[tuple[str, str]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    is_short: bool = False
    has_locals: bool = False


def exception_parts(text: str) -> tuple[str, str]:
    """Return type and message of an exception as Python prints it; an empty type if the text begins with none."""
    if text.startswith("assert "):  # a bare one has no type in its text
        return "AssertionError", text
    match = _TYPE.match(text)
    if match is None or (match["message"] is None and match.end() < len(text)):
        return "", text
    return match[1], match["message"] or ""


def first_margin(text: str) -> str:
    """Return the margin that the first line of a traceback had: pytest strips the text, and with it this margin."""
    return "    " if _SOURCE_FIRST.match(text) else ""


# A page reads the text of a failure for what it shows, and again for its Markdown.
@lru_cache(maxsize=4)
def parse_traceback(text: str, file: str = "") -> tuple[Raised, ...]:
    """Return the exceptions of a failure's text, first the exception that failed the test; none for an unknown form.

    ``file`` is the test's, from the root folder: paths below this folder are shortened.
    """
    text = text[-_MAX_CHARACTERS:].replace("\r\n", "\n")
    lines = f"{first_margin(text)}{text}".rstrip().split("\n")[-_MAX_LINES:]
    raised = [exception for part, link in _chain(lines) if (exception := _exception(part, link)) is not None]
    is_known = any(exception.frames or exception.lines for exception in raised)
    return _from_root([_with_source(exception) for exception in reversed(raised)], file) if is_known else ()


def _with_source(raised: Raised) -> Raised:
    """Return a SyntaxError with the file that it is about as its innermost frame; pytest has it in the message."""
    place = _NATIVE_PLACE.fullmatch(f"  {raised.lines[0].strip()}") if raised.lines else None
    end = next((number for number, line in enumerate(raised.lines) if number and not line.startswith(" ")), 0)
    if place is None or not end:
        return raised
    number = int(place["line"])
    shown = [CodeLine(None if _CARETS.fullmatch(line) else number, line[2:]) for line in raised.lines[1:end]]
    code = (replace(shown[0], is_hit=True), *shown[1:]) if shown else ()
    frame = Frame(place["path"], number, place["function"] or "", code)
    return replace(raised, lines=raised.lines[end:], frames=(*raised.frames, frame))


def _from_root(exceptions: Sequence[Raised], file: str) -> tuple[Raised, ...]:
    """Return the exceptions with paths from the root folder, if a frame shows where this folder is."""
    paths = [frame.path for raised in exceptions for frame in raised.frames]
    root = next((path[: -len(file)] for path in paths if file and path.replace("\\", "/").endswith(f"/{file}")), "")
    if not root:
        return tuple(exceptions)
    return tuple(
        replace(
            raised,
            frames=tuple(replace(frame, path=frame.path.removeprefix(root)) for frame in raised.frames),
            remark=raised.remark.replace(f'File "{root}', 'File "'),
        )
        for raised in exceptions
    )


def _chain(lines: Sequence[str]) -> Iterator[tuple[list[str], Chaining]]:
    """Yield the lines of each exception, oldest first, and how it led to the next one."""
    part: list[str] = []
    for line in lines:
        if line in {_CAUSE, _CONTEXT}:
            yield part, "cause" if line == _CAUSE else "context"
            part = []
        else:
            part.append(line)
    yield part, ""


def _exception(lines: Sequence[str], link: Chaining) -> Raised | None:
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("Traceback (most recent call last):"):
        return _native(lines, link)
    if "Exception Group Traceback (most recent call last):" in first:
        return _group(lines, link)
    reader = _EntryReader()
    for line in lines:
        reader.read(line)
    return reader.result(link)


def _native(lines: Sequence[str], link: Chaining) -> Raised | None:
    frames: list[Frame] = []
    description: list[str] = []
    for line in lines:
        if description:
            description.append(line)
        elif place := _NATIVE_PLACE.fullmatch(line):
            frames.append(Frame(place["path"], int(place["line"]), place["function"] or ""))
        elif repeated := _REPEATED.fullmatch(line):
            if frames:
                frames[-1] = replace(frames[-1], repeats=int(repeated["count"]))
        elif line.startswith("    ") and frames:
            if not frames[-1].code and not _CARETS.fullmatch(line):
                code = (CodeLine(frames[-1].line, line[4:], is_hit=True),)
                frames[-1] = replace(frames[-1], code=code)
        elif line.strip() and not line.startswith("Traceback (most"):
            description.append(line)
    while description and not description[-1].strip():
        description.pop()
    return Raised(tuple(description), tuple(frames), link)


def _group(lines: Sequence[str], link: Chaining) -> Raised | None:
    """Return an exception group: its own frames and description, and the tree of its members as a remark."""
    own: list[str] = []
    tree: list[str] = []
    for line in lines:
        if tree or line.lstrip().startswith("+-"):
            tree.append(line)
        else:
            own.append(line.lstrip(" +|") if "Traceback (most" in line else re.sub(r"^ {0,4}\| ?", "", line))
    own = [line.removeprefix("Exception Group ") for line in own]
    raised = _native(own, link)
    return None if raised is None else Raised(raised.lines, raised.frames, link, "\n".join(tree))


class _EntryReader:
    """Read the entries of pytest's long and short styles, line by line; they may alternate in one text."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._errors: list[str] = []
        self._margin = 0
        self._entry = _Entry()
        self._remark: list[str] = []
        self._is_after_error = False

    def read(self, line: str) -> None:
        """Read the next line."""
        if _SEPARATOR.fullmatch(line):
            self._end_entry()
        elif mark := _ERROR_MARK.match(line):
            self._read_error(line, mark)
        elif (place := _PLACE.fullmatch(line)) and self._read_place(place):
            pass
        elif line.startswith("!!! ") or _CUT.fullmatch(line) or self._remark:
            self._end_entry()
            self._remark.append(line)
        else:
            self._read_text(line)

    def result(self, link: Chaining) -> Raised | None:
        """Return the exception; None if no line of it was in a known form."""
        self._end_entry()
        while self._errors and not self._errors[-1].strip():
            self._errors.pop()
        if not self._frames and not self._errors:
            return None
        return Raised(tuple(self._errors), tuple(self._frames), link, "\n".join(self._remark).strip())

    def _read_error(self, line: str, mark: re.Match[str]) -> None:
        """Read a line that describes the exception: ``E`` and the margin of the code that raised it."""
        # Below a cut stands the rest of the message that it began in.
        is_rest = bool(self._errors) and any(map(_CUT.fullmatch, self._remark))
        if not self._is_after_error and not is_rest:
            # A test may have several such blocks, as a missing fixture has: the last one is the exception.
            self._errors, self._margin = [], len(mark.group())
        self._is_after_error = True
        self._errors.append(line[self._margin :] if not line[1 : self._margin].strip() else line[1:].lstrip())

    def _read_place(self, place: re.Match[str]) -> bool:
        """Read the line with file and line number; return False for another that only looks like it."""
        rest = place["rest"]
        function = _IN_FUNCTION.fullmatch(rest)
        if function is None and not _EXCEPTION_NAME.fullmatch(rest):
            return False
        if function is not None and not (self._entry.code and not self._entry.path and not self._entry.is_short):
            self._end_entry()
            self._entry = _Entry(place["path"], int(place["line"]), function["function"], is_short=True)
            return True
        self._entry.path, self._entry.line = place["path"], int(place["line"])
        self._end_entry()
        return True

    def _read_text(self, line: str) -> None:
        entry = self._entry
        is_in_code = not entry.has_locals and not self._is_after_error
        if self._is_after_error and not (entry.code or entry.path) and not self._frames and line.startswith("    "):
            # --tb=line and --tb=no mark the first line of a message alone.
            self._errors.append(line[4:])
        elif is_in_code and line.startswith((">", "    ")):
            self._read_code(line)
        elif not line.strip():
            if is_in_code and entry.code:
                entry.code.append("")
        elif entry.code:
            self._read_local(line)
        else:
            self._read_argument(line)

    def _read_code(self, line: str) -> None:
        code = self._entry.code
        if line.startswith(">"):
            self._entry.hit = len(code)
            code.append(f" {line[1:]}")
        elif not (code and _CARETS.fullmatch(line)):
            code.append(line)

    def _read_local(self, line: str) -> None:
        """Read a local variable below the code; ``pprint`` may have given it several lines."""
        entry = self._entry
        if local := _LOCAL.fullmatch(line):
            entry.has_locals = True
            entry.variables.append((local[1], local[2]))
        elif entry.variables:
            name, value = entry.variables[-1]
            entry.variables[-1] = name, f"{value}\n{line}"

    def _read_argument(self, line: str) -> None:
        """Read arguments above the code, several in a line, or a remark of pytest."""
        if _LOCAL.fullmatch(line):
            self._entry.arguments.append(line)
        elif self._entry.arguments:
            self._entry.arguments[-1] += line
        elif not self._errors and not _OF_IMPORT.fullmatch(line):
            self._remark.append(line)

    def _end_entry(self) -> None:
        entry, self._entry = self._entry, _Entry()
        self._is_after_error = False
        if entry.code or entry.path:
            self._frames.append(_frame(entry))


def _frame(entry: _Entry) -> Frame:
    """Return the frame of an entry with its code numbered and without its margin."""
    while entry.code and not entry.code[-1].strip():
        entry.code.pop()
    # Pytest marks no empty line, but another client may.
    hit = entry.hit if entry.hit is not None and entry.hit < len(entry.code) else None
    if entry.is_short and entry.code:
        hit = 0
    code = tuple(
        CodeLine(
            entry.line + position - hit if entry.line and hit is not None else None,
            text[4:] if text.strip() else "",
            position == hit,
        )
        for position, text in enumerate(entry.code)
    )
    function = entry.function or _function_name(entry.code, hit)
    return Frame(entry.path, entry.line, function, code, _variables(entry))


def _function_name(code: Sequence[str], hit: int | None) -> str:
    """Return the function that a long entry shows: the first definition in its code."""
    for text in code[: None if hit is None else hit + 1]:
        if match := _DEFINITION.match(text):
            return match[1]
    return "<lambda>" if code and _LAMBDA.search(code[hit or 0]) else ""


def _variables(entry: _Entry) -> tuple[tuple[str, str], ...]:
    """Return the variables of an entry by name: its arguments, then its locals, which have the later values."""
    variables: dict[str, str] = {}
    for line in entry.arguments:
        _, *pieces = _ARGUMENT.split(line)
        variables.update(zip(pieces[::2], pieces[1::2], strict=True))
    variables.update(entry.variables)
    return tuple(variables.items())
