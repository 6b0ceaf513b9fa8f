"""Cut texts to the API's limits, after what must not be seen is cleaned away; make lines for a terminal or a CI log.

All functions are linear in the length of their input. A long text is first narrowed to its ends, and only these are
cleaned. A narrowed text is cut again at the new edges, where half a secret or half an escape sequence may stand that no
pattern recognises. For `console` this looks so::

    the text    | head window |............................| tail window |
    cleaned     | head  |edge |............................|edge |  tail |
    the result  | head | ... 1,234 characters cut ... |             tail |
                       ^------- omitted characters -------^

Lengths named ``units`` are UTF-16 code units, which the API counts. Lengths named ``characters`` are Python's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.text.visible import restore_colours, visible, without_ansi
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STRING_UNITS = 750
"""Longest name, URL, folder, path, status, meta key, meta value and value of field types 1 and 5, in units."""

TEXT_UNITS = 16_384
"""Longest value of field types 2, 3 and 4, in units."""

NOTE_UNITS = 80

SHORT_COMMIT: Final = 7
ANCESTOR_DIGITS: Final = 10  # of an id by which a commit is found among the ancestors of another
"""Characters that are shown of a commit's hash, as git does."""

Redact: TypeAlias = "Callable[[str], str]"

# Characters of a text that are cleaned. Four times the limit for a string, since cleaning may shorten it.
_STRING_WINDOW = 4 * STRING_UNITS
_TEXT_WINDOW = TEXT_UNITS
# Characters at the edge of a narrowed text that are dropped after cleaning: more than nearly all secrets have.
_EDGE = 256
# Encoding a long text in pieces keeps memory flat.
_CHUNK = 65_536


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units; a lone surrogate counts one."""
    if text.isascii():
        return len(text)
    starts = range(0, len(text), _CHUNK)
    return sum(len(text[start : start + _CHUNK].encode("utf-16-le", "surrogatepass")) // 2 for start in starts)


def cut_middle(text: str, units: int) -> str:
    """Return the text, or its head and tail around a line with the number of characters that were cut."""
    if fits_in(text, units):
        return text
    # Head and tail are both the whole text: they overlap, so the number of characters between them is negative.
    return _joined_ends(text, -len(text), text, units)


def cut_end(text: str, units: int, omitted_characters: int = 0) -> str:
    """Return the text, or its head and a remark with the number of characters that were cut.

    ``omitted_characters`` followed the text.
    """
    if not omitted_characters and fits_in(text, units):
        return text
    remark = " ... {:,} characters cut"
    remaining_units = units - len(remark.format(len(text) + omitted_characters))
    if remaining_units <= 0:
        return _longest_head(text, units)
    shown = _longest_head(text, remaining_units)
    return shown + remark.format(len(text) - len(shown) + omitted_characters)


def fits_in(text: str, units: int) -> bool:
    """Whether a text has at most this many units."""
    # A text that is certainly too long is not encoded to count them.
    return len(text) * 2 <= units or (len(text) <= units and utf16_length(text) <= units)


def string(text: str, redact: Redact | None = None) -> str:
    r"""Return a text as one visible line (newlines escaped as ``\n``) of at most `STRING_UNITS`."""
    if redact is None and len(text) <= STRING_UNITS and text.isascii() and text.isprintable():
        return text
    head = text[:_STRING_WINDOW]
    head = visible(redact(head) if redact else head).replace("\n", "\\n")
    return _cut_window(head, len(text))


def paragraph(text: str, redact: Redact | None = None) -> str:
    """Return a text without ANSI sequences, visible, with its line breaks, of at most `STRING_UNITS`."""
    return _cut_window(_clean(text[:_STRING_WINDOW], redact), len(text))


def _cut_window(clean: str, length: int) -> str:
    """Return the clean beginning of a text of this length, cut to `STRING_UNITS`."""
    head, omitted_characters = _without_edge(clean, max(0, length - _STRING_WINDOW))
    return cut_end(head, STRING_UNITS, omitted_characters)


def console(*parts: str, redact: Redact | None = None) -> str:
    """Return the parts as one visible text, cut in its middle to `TEXT_UNITS`; with colours it is a `ColouredText`."""
    length = sum(map(len, parts))
    if length <= 2 * _TEXT_WINDOW:
        return _cut_whole("".join(parts), redact)
    # The first and the last characters, without joining all of the parts.
    head = tail = ""
    for part in parts:
        head += part[: _TEXT_WINDOW - len(head)]
    for part in reversed(parts):
        tail = part[max(0, len(part) + len(tail) - _TEXT_WINDOW) :] + tail
    return console_ends(head, length - 2 * _TEXT_WINDOW, tail, redact=redact)


def console_ends(head: str, missing: int, tail: str, redact: Redact | None = None) -> str:
    """Return the two ends of a text as `console` does; ``missing`` characters stood between them."""
    if not missing:
        return _cut_whole(head + tail, redact)
    clean_head, clean_tail = _clean(head, redact), _clean(tail, redact)
    shown_head, omitted_characters = _without_edge(clean_head, missing)
    edge, shown_tail = clean_tail[:_EDGE], clean_tail[_EDGE:]
    value = _joined_ends(shown_head, omitted_characters + len(edge), shown_tail, TEXT_UNITS)
    return restore_colours(value, (head, clean_head), (tail, clean_tail)) if "\x1b" in head or "\x1b" in tail else value


def _cut_whole(text: str, redact: Redact | None) -> str:
    clean = _clean(text, redact)
    value = cut_middle(clean, TEXT_UNITS)
    # Nearly all texts have no colours: this look costs 0.05 us, the call 0.5.
    return restore_colours(value, (text, clean)) if "\x1b" in text else value


def _clean(text: str, redact: Redact | None) -> str:
    # In this order: a colour in the middle of a secret would hide it from redaction.
    plain = without_ansi(text)
    return visible(redact(plain) if redact else plain)


def _without_edge(head: str, omitted_characters: int) -> tuple[str, int]:
    """Return a head without its edge, and the number of characters omitted after it; a whole text has no edge."""
    if not omitted_characters:
        return head, 0
    return head[:-_EDGE], omitted_characters + min(len(head), _EDGE)


def _joined_ends(head: str, omitted_characters: int, tail: str, units: int) -> str:
    """Return head and tail of a text, cut to ``units``, around a remark; ``omitted_characters`` stood between them."""
    # The remark for the largest number that can occur is the longest one.
    longest_remark = _middle_remark(len(head) + omitted_characters + len(tail))
    remaining_units = units - len(longest_remark)
    if remaining_units <= 0:
        return _longest_head(head, units)
    shown_head = _longest_head(head, remaining_units // 2)
    shown_tail = _longest_head(tail[::-1], remaining_units - utf16_length(shown_head))[::-1]
    cut_characters = omitted_characters + (len(head) - len(shown_head)) + (len(tail) - len(shown_tail))
    return f"{shown_head}{_middle_remark(cut_characters)}{shown_tail}"


def _middle_remark(cut_characters: int) -> str:
    return f"\n... {cut_characters:,} characters cut ...\n"


def _longest_head(text: str, units: int) -> str:
    """Return the longest beginning of a text that has at most this many units."""
    head = text[:units]
    while (excess_units := utf16_length(head) - units) > 0:
        # A character has one or two units, so at least half as many characters must go.
        head = head[: len(head) - (excess_units + 1) // 2]
    return head


# A message of the server, the id of a test or the name of a file may contain a command for the terminal or the CI
# runner: every foreign text passes here before it is printed or logged.
# Commands that runners accept anywhere in a line: ##[error], ##vso[...] and ##teamcity[...].
_ANYWHERE: Final = lazy_pattern(r"##(?=\w{0,16}\[)")
# Commands at the beginning of a line: GitHub's ::add-mask::, GitLab's section_start:, the groups of Buildkite.
_AT_START: Final = ("::", "section_start:", "section_end:", "---", "+++", "~~~", "^^^")
# Marks that change the order or the joining of letters. Texts of several languages need them, so `visible` keeps them.
_INVISIBLE: Final = lazy_pattern("[\u200b-\u200f\u2028\u2029\u2060-\u2064\u061c\ufeff\ufff9-\ufffb]")


def sanitize(text: str, units: int = 200) -> str:
    r"""Return a foreign text as one line without commands, with ``\x1b`` for a control character, cut to ``units``."""
    return cut_end(printable(text), units)


def printable(text: str) -> str:
    """Return a line with foreign texts so that no terminal and no runner obeys it; nothing is cut."""
    shown = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    # Hardly any line needs the expressions, which would take 1 ms to compile at the end of each session.
    if not shown.isascii():
        shown = _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
    if "##" in shown:
        shown = _ANYWHERE.sub("# #", shown)
    return f"| {shown}" if shown.lstrip().startswith(_AT_START) else shown


_MILLISECOND, _SECOND, _MINUTE, _HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000


def quantity(number: int, noun: str = "") -> str:
    """Return a number, or with a noun an amount: ``1 result``, ``12,000 results``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if noun else f"{number:,}"


def whole_number(text: object, digits: int = 9) -> int | None:
    """Return the number that a client wrote as a text; None for what is none, or has more digits."""
    # Python refuses to read thousands of digits, and a number of hundreds fits into no float.
    is_number = isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= digits
    return int(str(text)) if is_number else None


def listed(names: Sequence[str], count: int) -> str:
    """Return names in a line, and how many more there are of ``count``: ``test_a, test_b, 3 more``."""
    return ", ".join([*names, *([f"{count - len(names):,} more"] if count > len(names) else [])])


def dotted(nodeid: str) -> str:
    """Return a node id as JUnit XML has folder and name: ``a/b.py::c`` and ``a.b::c`` are both ``a.b.c``."""
    return nodeid.replace("/", ".").replace(".py::", ".").replace("::", ".")


def duration(microseconds: int | None) -> str:
    """Return a duration with one unit, or with two from a minute on; a dash for None."""
    # The limits are half of the last shown digit below a unit, so that no duration is rounded to 1000 ms or 60.0 s.
    if microseconds is not None and 0 < microseconds < _MILLISECOND // 20:
        return "<0.1 ms"
    if microseconds is None:
        return "–"  # noqa: RUF001 - typography
    if microseconds < _SECOND - _MILLISECOND // 2:
        return f"{microseconds / _MILLISECOND:.{0 if microseconds >= 10 * _MILLISECOND else 1}f} ms"
    if microseconds < _MINUTE - 50 * _MILLISECOND:
        return f"{microseconds / _SECOND:.{1 if microseconds >= 10 * _SECOND else 2}f} s"
    # A sum of more than 64 bits comes from a stored document as a float.
    microseconds = int(microseconds) + _SECOND // 2
    if microseconds < _HOUR:
        return f"{microseconds // _MINUTE} min {microseconds % _MINUTE // _SECOND:02d} s"
    return f"{microseconds // _HOUR} h {microseconds % _HOUR // _MINUTE:02d} min"


def telling_text(message: str, text: str) -> str:
    """Return what a failure says: its message, or of a message of one word that its text lacks the text."""
    # Go's tests all say "Failed", between lines that name the test.
    if len(message.split()) != 1 or message.strip() in text:
        return message
    lines = [line for line in text.strip().split("\n") if not line.startswith(("=== ", "--- "))]
    return "\n".join(lines).strip() or message
