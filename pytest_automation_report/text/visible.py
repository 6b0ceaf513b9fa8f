"""Make control characters of texts visible, remove terminal sequences, hide parts without moving what follows.

Here is also the text whose colours are kept beside it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from typing_extensions import Self


Span: TypeAlias = "tuple[int, int, str]"
"""First character, the one after the last, and the style of a coloured part of a text."""

# C0 and C1 controls but tab and newline, marks that change the direction of writing, lone surrogates.
_INVISIBLE = lazy_pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Characters that XML 1.0 does not allow, and DEL. The complement of the allowed ones would take 2 ms to compile.
_NOT_IN_XML = lazy_pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# All others of ASCII.
_SHOWN = bytes((9, 10, *range(32, 127)))

# No others are removed: an escape character that a test is about must stay visible.
ANSI = lazy_pattern("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[()*+][0-9A-Z]")
"""Colours and cursor moves (CSI), titles and links (OSC), choice of a character set."""


class ColouredText(str):
    """A clean text with the colours that it had on a terminal; every text that is made of it is a plain one."""

    __slots__ = ("spans",)

    spans: tuple[Span, ...]

    def __new__(cls, text: str, spans: tuple[Span, ...]) -> Self:
        """Return the text with its spans, which are in order and do not overlap."""
        self = super().__new__(cls, text)
        self.spans = spans
        return self


def xml_escaped(text: str) -> str:
    """Return a text with pytest's escapes, as ``#x1B``, for characters that XML does not allow."""
    return _NOT_IN_XML.sub(lambda match: f"#x{ord(match[0]):02X}", text)


def visible(text: str) -> str:
    r"""Return a text with control characters, bidi controls and lone surrogates escaped (``\x00``, ``\ud800``).

    Newlines and tabs stay, ``\r\n`` becomes ``\n``. The result can always be encoded as UTF-8.
    """
    # Most texts need no change. In 32,000 characters of ASCII this finds it in 30 us, `isprintable` in 85.
    if text.isascii():
        if not text.encode("ascii").translate(None, _SHOWN):
            return text
    elif text.replace("\n", "").replace("\t", "").isprintable():
        return text
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return _INVISIBLE.sub(_escaped, text)


def without_ansi(text: str) -> str:
    """Return a text without terminal colours, cursor moves, titles and links."""
    return ANSI.sub("", text) if "\x1b" in text else text


def plain(text: str) -> str:
    """Return a text without terminal sequences, and with control and bidi characters escaped."""
    return visible(without_ansi(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the largest two-digit escape


def common_length(left: str, right: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    # By halves: Python compares slices much faster than single characters.
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


MARK: Final = "[redacted]"
"""The text that replaces a secret."""

FILLER: Final = "\x01"
"""The character that stands for each hidden one in a masked text."""

_RUNS: Final = lazy_pattern(f"{FILLER}+")


def unmasked(text: str) -> str:
    """Return a text of the same length that has no filler yet, to be masked."""
    return text.replace(FILLER, "\x02")


def mask_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with fillers in these spans, which are in order and may overlap."""
    pieces: list[str] = []
    done = 0
    for begin, end in spans:
        start = max(begin, done)
        if start < end:
            pieces += [text[done:start], FILLER * (end - start)]
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def filled(match: re.Match[str]) -> str:
    """Return fillers for a match."""
    return FILLER * (match.end() - match.start())


def runs(mask: str) -> list[tuple[int, int]]:
    """Return the spans of fillers in a masked text."""
    return [match.span() for match in _RUNS.finditer(mask)] if FILLER in mask else []


def mark_fillers(text: str, mask: str) -> str:
    """Return a text with `MARK` for each run of fillers in its masked text."""
    pieces: list[str] = []
    done = 0
    for start, end in runs(mask):
        pieces += [text[done:start], MARK]
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


SGR: Final = lazy_pattern(r"\x1b\[([0-9;:]{0,60})m")

# red, green and blue of the 16 colours, as xterm shows them.
_PALETTE: Final = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
_CUBE: Final = (0, 95, 135, 175, 215, 255)
_FIRST_OF_CUBE: Final = 16
_FIRST_GREY: Final = 232
_BRIGHT: Final = 8
_LARGEST: Final = 255
_LIGHT_GREY: Final = 7
# The parts of a style: colours by their numbers, all others by their codes in the one spelling.
_PLAIN: Final[Mapping[str, int | None]] = {
    "1": 0, "2": 0, "3": 0, "4": 0, "inverse": 0, "colour": None, "ground": None
}  # fmt: skip
_EFFECTS: Final[Mapping[int, Mapping[str, int | None]]] = {
    0: _PLAIN,
    **{code: {str(code): 1} for code in (1, 2, 3, 4)},
    21: {"4": 1},
    22: {"1": 0, "2": 0},
    23: {"3": 0},
    24: {"4": 0},
    7: {"inverse": 1},
    27: {"inverse": 0},
    39: {"colour": None},
    49: {"ground": None},
    **{
        code + number: {part: first + number}
        for part, code, first in (("colour", 30, 0), ("colour", 90, 8), ("ground", 40, 0), ("ground", 100, 8))
        for number in range(8)
    },
}
"""What each code changes; unknown ones are ignored."""


class StyleState:
    """The style of a terminal at one place of a text."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts = dict(_PLAIN)

    @property
    def style(self) -> str:
        """The present style in its one spelling; empty for plain text."""
        colour, ground = self._parts["colour"], self._parts["ground"]
        if self._parts["inverse"]:
            colour, ground = ground, _LIGHT_GREY if colour is None else colour
        codes = [code for code in "1234" if self._parts[code]]
        for number, base in ((colour, 30), (ground, 40)):
            if number is not None:
                codes.append(str(base + number if number < _BRIGHT else base + 60 + number - _BRIGHT))
        return ";".join(codes)

    def apply(self, codes: str) -> None:
        """Change the style by the codes of one sequence."""
        parts = [[_number(sub) for sub in part.split(":")] for part in (codes or "0").split(";")]
        position = 0
        while position < len(parts):
            code, *values = parts[position]
            position += 1
            if code not in {38, 48}:
                # 4:0 ends what 4 begins.
                is_off = code == 4 and values[:1] == [0]  # noqa: PLR2004 - codes of the standard
                self._parts.update(_EFFECTS.get(24 if is_off else max(code, 0), {}))
                continue
            if not values:
                # 38;5;n and 38;2;r;g;b: the numbers follow as codes.
                count = {5: 2, 2: 4}.get(parts[position][0] if position < len(parts) else 0, 0)
                values = [part[0] for part in parts[position : position + count]]
                position += count
            number = _nearest_colour(values)
            if number is not None:
                self._parts["colour" if code == 38 else "ground"] = number  # noqa: PLR2004 - codes of the standard


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else -1  # noqa: PLR2004 - longer ones are no codes


def _nearest_colour(values: Sequence[int]) -> int | None:
    """Return the nearest of the 16 colours for ``5, n`` or ``2, r, g, b``; None for anything else."""
    match values:
        case [5, number, *_] if 0 <= number <= _LARGEST:
            if number < _FIRST_OF_CUBE:
                return number
            if number >= _FIRST_GREY:
                return _nearest(*[8 + 10 * (number - _FIRST_GREY)] * 3)
            place = number - _FIRST_OF_CUBE
            return _nearest(_CUBE[place // 36], _CUBE[place // 6 % 6], _CUBE[place % 6])
        # With colons the number of a colour space may stand before.
        case [2, red, green, blue] | [2, _, red, green, blue, *_]:
            parts = (red, green, blue)
            return _nearest(*parts) if min(parts) >= 0 and max(parts) <= _LARGEST else None
        case _:
            return None


@lru_cache(maxsize=512)
def _nearest(red: int, green: int, blue: int) -> int:
    return min(
        range(len(_PALETTE)),
        key=lambda number: sum((a - b) ** 2 for a, b in zip(_PALETTE[number], (red, green, blue), strict=True)),
    )


def restore_colours(value: str, *ends: tuple[str, str]) -> str:
    """Return a clean text with the colours that the raw one had, or the same object if it had none.

    ``ends`` are pairs of a raw and a clean text: one for a text that was cleaned as a whole, else head and tail.
    ``value`` was cut out of the clean ones: it begins as the first and ends as the last does.
    """
    (raw, clean), (last_raw, last_clean) = ends[0], ends[-1]
    head = common_length(value, clean)
    tail = min(common_length(value[::-1], last_clean[::-1]), len(value) - head)
    spans = list(_within(_spans(raw, clean), 0, 0, head))
    if tail:
        shift = len(value) - len(last_clean)
        spans += _within(_spans(last_raw, last_clean), shift, len(value) - tail, len(value))
    return ColouredText(value, tuple(spans)) if spans else value


def mark_picture(text: ColouredText, mask: str) -> str:
    """Return a coloured text with `MARK` for the runs of its masked text, and its colours around them."""
    spans: list[Span] = []
    start = first = 0
    for stop, following in (*runs(mask), (len(text), len(text))):
        spans += _within(text.spans, first - start, first, first + stop - start)
        first += stop - start + len(MARK)
        start = following
    return ColouredText(mark_fillers(text, mask), tuple(spans))


def _within(spans: Iterable[Span], shift: int, first: int, end: int) -> Iterator[Span]:
    """Yield the parts of the spans that are in a range after they were moved."""
    for start, stop, style in spans:
        start, stop = max(first, start + shift), min(end, stop + shift)  # noqa: PLW2901 - the part within
        if start < stop:
            yield start, stop, style


def _spans(raw: str, clean: str) -> list[Span]:
    """Return the coloured parts of a clean text by the sequences in the raw one; nothing if they cannot be placed."""
    shown, spans = _placed(_runs(raw))
    if shown == clean or not spans:
        return spans
    # Redaction put its mark into the places of secrets: the parts between are as they were.
    parts = _same_parts(shown, clean)
    return [span for first, start, end in parts for span in _within(spans, first - start, first, first + end - start)]


def _runs(raw: str) -> Iterator[tuple[str, str]]:
    """Yield the text between sequences, each with its style."""
    state, done = StyleState(), 0
    for match in ANSI.finditer(raw):
        if done < match.start():
            yield raw[done : match.start()], state.style
        if sgr := SGR.fullmatch(match[0]):
            state.apply(sgr[1])
        done = match.end()
    yield raw[done:], state.style


def _placed(runs: Iterable[tuple[str, str]]) -> tuple[str, list[Span]]:
    """Return the runs as one visible text, and the spans of those that have a style."""
    pieces: list[str] = []
    spans: list[Span] = []
    position, pending = 0, ""
    for text, style in runs:
        text = pending + text  # noqa: PLW2901 - with the end of the run before
        # A line break of two characters is shown as one, also around a sequence.
        pending = "\r" if text.endswith("\r") else ""
        piece = visible(text.removesuffix("\r"))
        end = position + len(piece)
        if style and piece.strip("\n"):
            if spans and spans[-1][1:] == (position, style):
                spans[-1] = (spans[-1][0], end, style)
            else:
                spans.append((position, end, style))
        pieces.append(piece)
        position = end
    pieces.append(visible(pending))
    return "".join(pieces), spans


def _same_parts(shown: str, clean: str) -> list[tuple[int, int, int]]:
    """Return the parts that redaction left: place in the clean text, beginning and end in the shown one."""
    parts: list[tuple[int, int, int]] = []
    place = start = 0
    pieces = clean.split(MARK)
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        found = len(shown) - len(piece) if is_last else shown.find(piece, start)
        if found < start or (number == 0 and found) or not shown.startswith(piece, found):
            return []
        parts.append((place, found, found + len(piece)))
        place, start = place + len(piece) + len(MARK), found + len(piece)
    return parts
