"""Recognise failures that have the same reason: a fingerprint of each failure, equal for equal reasons.

It is made of the kind of the failure, the type of the exception, the first line of its message with everything masked
that differs from run to run, and, where that line says little, the place in the user's code and the statement there.
Of a failed comparison the statement counts, and not its values. A change to any of this needs a migration that makes
the stored ones anew (`renew_reasons`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.text.limits import telling_text

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 3

ReasonKind: TypeAlias = Literal[
    "call", "setup", "teardown", "collection", "crash", "timeout", "xpass", "fixture setup", "fixture teardown"
]
"""Phase or cause of a failure: two failures of different kinds never have one reason."""

# A line is cut before it is masked: messages with a whole document in one line have their reason at the beginning, and
# the time for one failure stays below a millisecond.
_MAX_CHARACTERS: Final = 600

# With fewer words than this outside of masks a line is no reason by itself: `assert <number> == <number>`.
_FEW_WORDS: Final = 3
# A fixture fails many tests and is one reason. If its line says little, the statement counts, too.
_OF_FIXTURES: Final = frozenset({"setup", "teardown"})

# What differs from run to run, by the name that stands for it; an earlier kind wins. Each pattern begins with a
# literal, a lookbehind or a bounded repetition, and none nests repetitions that can match one text in two ways: the
# time is linear in the length of the line. No name of a mask is itself masked, and no path, host or address begins
# behind a mask: masking a second time changes nothing.
KINDS: Final[Mapping[str, str]] = {
    "email": r"(?<![\w.+>-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?!\w)",
    "url": r"(?<!\w)[a-z][a-z0-9+]{1,10}://[^\s'\"<>)\]},]+",
    "tmp": (
        # pytest's own folders have a number that grows with each session; what a test made below its folder stays.
        r"(?<![\w.>])(?:[A-Za-z]:)?[/\\][^\s'\"<>:*?|]{0,200}?pytest-of-[^\s'\"<>:/\\]{1,64}[/\\]{1,2}pytest-[0-9]+"
        r"(?:[/\\]{1,2}popen-gw[0-9]+)?(?:[/\\]{1,2}[\w.+\[\]-]{1,100})?"
        r"|(?<![\w.>])/(?:private/)?(?:var/)?tmp/[\w.+-]{1,100}"
        r"|(?<![\w.>])/(?:private/)?var/folders/[\w+]{1,10}/[\w+]{1,60}/T(?:/[\w.+-]{1,100})?"
        r"|(?<![\w.>])[A-Za-z]:[/\\]{1,2}[^\s'\"<>:*?|]{1,100}?[/\\]Temp[/\\]{1,2}[\w.+-]{1,100}"
    ),
    # Where a checkout or an environment is differs between machines; the name of the file does not.
    "path": (
        r"(?<![\w.>])/(?:[\w.+@~-]{1,100}/){1,30}(?=[\w.+@~-])"
        r"|(?<![\w.>])[A-Za-z]:\\{1,2}(?:[\w.+@~\ -]{1,100}\\{1,2}){1,30}"
    ),
    # Before hosts: a time of day would be an IPv6 address.
    "date": (
        r"(?<!\w)[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T\ ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
        r"(?:\ ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?)?(?!\w)"
        r"|(?<!\w)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\ (?:[0-9]{1,2}\ )?"
        r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:\ {1,2}[0-9]{1,2})?(?:\ [0-9]{4})?"
        r"\ [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\ (?:GMT|UTC|[0-9]{4}|[+-][0-9]{4}))?(?!\w)"
        r"|(?<!\w)[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}(?!\w)"
        r"|(?<!\w)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?!\w)"
        r"|(?<!\w)datetime\.(?:datetime|date|time|timedelta)\([^()]{0,120}\)"
    ),
    "host": (
        r"(?<![\w.>])\[?(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}\]?(?![\w:.])"
        r"|(?<![\w.>])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])"
        r"|(?<![\w.>-])localhost(?![\w.-])"
        r"|(?<![\w.>-])(?:[\w-]{1,63}\.){1,8}"
        r"(?:com|net|org|io|dev|app|cloud|local|localdomain|internal|lan|example|invalid|test)(?![\w.-])"
        r"|(?<![\w.>-])[A-Za-z][\w-]{0,62}(?:\.[\w-]{1,63}){0,8}(?=:[0-9]{2,5}(?![\w.:]))"
    ),
    "trace": r"(?<!\w)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?!\w)",
    "uuid": r"(?<!\w)[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)",
    "object": r"<[^<>]{1,300}?\ at\ 0x[0-9a-fA-F]+>",
    "worker": r"(?<![A-Za-z0-9])gw[0-9]+(?![A-Za-z0-9])",
    # Hashes and ids: a digit and a letter at least, so that neither "facade" nor a number is one.
    "hex": (
        r"(?<!\w)0[xX][0-9a-fA-F]+(?!\w)"
        r"|(?<!\w)(?=[a-f]{0,64}[0-9])(?=[0-9]{0,64}[a-f])[0-9a-f]{7,64}(?!\w)"
        r"|(?<!\w)(?=[A-F]{0,64}[0-9])(?=[0-9]{0,64}[A-F])[0-9A-F]{7,64}(?!\w)"
    ),
    "duration": (
        r"(?<!\w)[0-9]+(?:\.[0-9]+)?\ ?(?:ns|us|\u00b5s|\u03bcs|ms|s|secs?|seconds?|min|minutes?|h|hours?)(?!\w)"
    ),
    "size": r"(?<!\w)[0-9]+(?:\.[0-9]+)?\ ?(?:[kKMGT]i?B|bytes?|B)(?!\w)",
    "value": r"(?<=\w=)(?:'[^']{0,200}'|\"[^\"]{0,200}\"|(?:True|False)(?!\w))",
    # Those at the end of a word count, as in "tmp_10" and "user42", but for "utf8", "int64" and "x86_64".
    "number": (
        r"(?<!\w)[+-]?(?:[0-9]+(?:[._][0-9]+)*(?:[eE][+-]?[0-9]+)?|\.[0-9]+|nan|inf)(?!\w)"
        r"|(?<=[A-Za-z_])(?<!\bx)(?<!\b(?:cp|md))(?<!\b(?:int|sha|utf))(?<!\b(?:base|uint|x86_))(?<!\bfloat)"
        r"[0-9]+(?:[._][0-9]+)*(?![A-Za-z0-9])"
    ),
}
# A line without this has nothing of these kinds, and most lines are not searched for most kinds. There are few groups,
# since each combination is a pattern of its own.
_SIGNS: Final = (
    ({"email", "url"}, re.compile("@|://")),
    ({"tmp", "path"}, re.compile(r"[/\\]")),
    (
        {"date", "host", "trace", "uuid", "object", "hex"},
        re.compile(
            r"[0-9a-fA-F][:/-][0-9a-fA-F]|:[0-9a-fA-F]|datetime\.|localhost|[\w-]\.[a-z0-9]|[0-9a-fA-F]{7}|0[xX]"
        ),
    ),
    ({"worker", "duration", "size", "value"}, re.compile(r"gw[0-9]|[0-9] ?[bhkmnsuBGKMT\u00b5\u03bc]|\w=['\"TF]")),
)

# One mistake whose words differ between Python versions, or with options of pytest: (its words, pattern, replacement).
_RESPELLED: Final = (
    # "...Full output truncated (12 lines hidden), use '-vv' to show", pytest's end of a long comparison.
    ("Full output truncated", re.compile(r"\s*\.\.\.\s*Full output truncated \([^()]{1,40}\).*"), ""),
    # 3.14 adds how many values there were.
    ("too many values", re.compile(r"(too many values to unpack \(expected [0-9]+), got [0-9]+\)"), r"\1)"),
    # 3.12 turned the sentence about missing methods round.
    (
        "abstract class",
        re.compile(
            r"(Can't instantiate abstract class \w+) (?:with abstract methods?|without an implementation for).*"
        ),
        r"\1",
    ),
    # 3.10 and later suggest names, each version others.
    ("Did you mean", re.compile(r"\.? Did you mean:? [^?]{1,100}\?"), ""),
    # Enum members in a format or a comparison: the class has stood before the name in some versions only.
    (">", re.compile(r"<(\w+)\.(\w+): [^<>]{1,100}>"), r"\1.\2"),
)


IN_PHASE: Final = re.compile(r'failed on (setup|teardown) with "')
"""The beginning of pytest's message for a failure of a fixture."""

# pytest's error for a fixture that is not there begins with the place of the test or fixture that asks for it.
_LOOKUP: Final = re.compile(r"file .+, line [0-9]+")
_ERROR_LINE: Final = re.compile(r"^E +(\S.*)", re.MULTILINE)
_CRASHED: Final = re.compile(r"The (?:worker .{1,200} crashed while it|process that) ran this test")
_TIMED_OUT: Final = re.compile(r"Failed: Timeout(?: \(|>| >)|\w*Timeout\w*: .{0,40}from pytest-timeout")
_STRICT_XPASS: Final = re.compile(r"\[XPASS\(strict\)\]")
_OUTAGES: Final = ("ConnectionError", "TimeoutError", "ConnectionRefusedError", "ConnectionResetError")
# "KeyError: 'id'", "shop.NotFound": files of other tools have no type beside the message.
_TYPE: Final = re.compile(r"([A-Za-z_][\w.]{0,200})(?::\s|$)")
MASK: Final = re.compile(r"<[a-z]+>")
"""What `mask_variables` puts in the place of a part."""

# How pytest's assertions and unittest's begin: "assert not ", "AssertionError: Lists differ: ".
# pytest leaves the type out if the values have no quotes.
_ASSERTION: Final = re.compile(r"(?:[\w.]*AssertionError: )?(assert (?:not )?|[A-Z]\w+ differ: )?")
_OPERATOR: Final = (
    r" (?:==|!=|<=?|>=?|is not|is|not in|in|not found in|unexpectedly found in"
    r"|not (?:less|greater) than(?: or equal to)?) "
)
# A value at the left, up to its operator. pytest shortens values in the middle, so they begin and end as they should.
_LEFT: Final = re.compile(
    r"(?:[bru]{0,2}(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?:[A-Za-z_][\w.]{0,200})?(?:\{.*?\}|\[.*?\]|\(.*?\))"
    rf"|[^\s'\"{{\[(]{{1,200}})(?={_OPERATOR})"
)
_OPERATOR_NEXT: Final = re.compile(_OPERATOR)
# The beginning of a text, or of values that may belong to a class: "[", "Cart(", "OrderedDict({".
_TEXT: Final = re.compile(r"[bru]{0,2}['\"]")
_CLOSING: Final = {"{": "}", "[": "]", "(": ")"}
_DISPLAY: Final = re.compile(r"([A-Za-z_][\w.]{0,200})?([{\[(])")

_WORD: Final = re.compile(r"[A-Za-z_]{2,}")

# An entry of pytest's traceback: "tests/test_cart.py:29: AssertionError", "tests/test_cart.py:29: in test_total".
_ENTRY: Final = re.compile(r"^(?P<path>[^\s:>][^:\n]{0,300}\.py):[0-9]+: ?(?:in (?P<function>[\w<>]+))?", re.MULTILINE)
# The same of Python's own traceback: --tb=native, and errors of a collection.
_NATIVE: Final = re.compile(
    r'^(?:  \|)?\s*File "(?P<path>[^"\n]{1,300}\.py)", line [0-9]+, in (?P<function>[\w<>]+)', re.MULTILINE
)
# The first line of a result's text has lost its margin.
_DEFINITION: Final = re.compile(r"(?:^[ >]\s*|\A)(?:async )?def (\w+)\(", re.MULTILINE)
# An exception group has a bar before each line.
_BELOW: Final = re.compile(r"\n(?:  \| )? {4,6}(\S[^\n]*)")
_MARKED: Final = re.compile(r"^>\s+(\S[^\n]*)", re.MULTILINE)
# What stands outside of the user's code: libraries, and the standard library.
_OUTSIDE: Final = re.compile(r"^(?:\.\.[/\\]|[/\\]|[A-Za-z]:)")
_LIBRARY: Final = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python[0-9]|^<")


class Failure(Struct, frozen=True):
    """One failed test: kind, type of the exception, first line of the message, place.

    ``type_name`` is empty if it is not known. ``place`` is ``file:function`` of the innermost frame in the user's code,
    the test itself if the traceback shows none; ``statement`` is the first line of the failed statement there, empty if
    unknown.
    """

    kind: ReasonKind
    type_name: str
    line: str
    place: str
    statement: str = ""


class Fingerprint(Struct, frozen=True):
    """``value`` is 16 hexadecimal digits; ``title`` is the failure's line with its masks, ``place`` the added place."""

    value: str
    title: str
    place: str


def mask_variables(line: str) -> str:
    """Return at most 600 characters of a line with a mask for all that differs from run to run, as ``<number>``."""
    return _masked(" ".join(line[: 4 * _MAX_CHARACTERS].split())[:_MAX_CHARACTERS])


# A line is masked for its fingerprint and again for the findings, a statement for each test that failed there.
@lru_cache(maxsize=256)
def _masked(text: str) -> str:
    for words, pattern, replacement in _RESPELLED:
        if words in text:
            text = pattern.sub(replacement, text)
    masks = _masks(tuple(sign.search(text) is not None for _, sign in _SIGNS))
    return masks.sub(lambda match: f"<{match.lastgroup}>", text)[:_MAX_CHARACTERS]


@cache
def _masks(has_signs: tuple[bool, ...]) -> re.Pattern[str]:
    """Return the pattern of all kinds but those of the groups without a sign."""
    absent = {kind for (kinds, _), has_sign in zip(_SIGNS, has_signs, strict=True) if not has_sign for kind in kinds}
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in KINDS.items() if name not in absent))


def describe_failure(
    message: str, type_name: str, text: str, *, file: str = "", name: str = "", is_collection: bool = False
) -> Failure:
    """Read a failure from the texts of a result: ``text`` is its traceback; an empty type is taken from the message."""
    line = telling_text(message, text).strip().partition("\n")[0]
    kind: ReasonKind = "collection" if is_collection else "call"
    if in_phase := IN_PHASE.match(line):
        kind = "setup" if in_phase[1] == "setup" else "teardown"
        line = line[in_phase.end() :].removesuffix('"')
    elif _CRASHED.match(line):
        kind = "crash"
    elif _STRICT_XPASS.match(line):
        kind = "xpass"
    if _LOOKUP.fullmatch(line) and (error := _ERROR_LINE.search(text)):
        line = error[1]
    if _TIMED_OUT.match(line):
        kind = "timeout"
    if not type_name:
        begins_with_type = _TYPE.match(line)
        type_name = begins_with_type[1] if begins_with_type else "AssertionError" if line.startswith("assert ") else ""
    place, statement = _place(text, file)
    return Failure(kind, type_name, line, place or f"{file}:{name.partition('[')[0]}", statement)


# Of an outage, and of a test with many parameters, many failures are the same.
@lru_cache(maxsize=64)
def make_fingerprint(failure: Failure) -> Fingerprint:
    """Return the fingerprint of a failure."""
    place = failure.place if _needs_place(failure) else ""
    compared = _without_values(failure.line) if place else ""
    title = mask_variables(compared or failure.line)
    content = [str(VERSION), failure.kind, failure.type_name, title, place]
    is_vague_fixture = failure.kind in _OF_FIXTURES and not _is_outage(failure) and _says_little(failure)
    if compared or is_vague_fixture or (place and failure.statement):
        content.append(mask_variables(failure.statement))
    # 8 bytes: among a million different reasons two are alike once in 40,000 stores.
    return Fingerprint(sha256("\0".join(content).encode(errors="replace")).hexdigest()[:16], title, place)


def _needs_place(failure: Failure) -> bool:
    """Whether the masked line alone would join failures that have nothing to do with each other."""
    if failure.kind.startswith("fixture"):  # shared ones are themselves the places
        return True
    # An outage meets many tests in many places and is one reason: fixtures, connections and time limits get no place.
    if failure.kind in {*_OF_FIXTURES, "crash", "timeout", "collection"} or _is_outage(failure):
        return False
    if failure.kind == "xpass" or failure.type_name in {"AssertionError", "Failed", ""}:
        return True
    return _says_little(failure)


def _is_outage(failure: Failure) -> bool:
    return failure.type_name.endswith(_OUTAGES)


def _says_little(failure: Failure) -> bool:
    title = mask_variables(failure.line)
    return len(_WORD.findall(MASK.sub(" ", title.removeprefix(f"{failure.type_name}:")))) < _FEW_WORDS


def _without_values(line: str) -> str:
    """Return a failed comparison with the kinds of its values: ``assert {<values>} == None``; empty for others."""
    line = " ".join(line[: 4 * _MAX_CHARACTERS].split())
    start = _ASSERTION.match(line)
    if start is None or not start[0]:
        return ""
    words, rest = start[1] or "", line[start.end() :]
    left = _LEFT.match(rest)
    if left is None:
        return words + _display_kind(rest) if words.startswith("assert") else ""
    operator = _OPERATOR_NEXT.match(rest, left.end())
    assert operator is not None
    return words + _display_kind(left[0]) + operator[0] + _display_kind(rest[operator.end() :])


def _display_kind(value: str) -> str:
    """Return the kind of a displayed text or container: ``<text>``, ``Cart(<values>)``; other values stay."""
    if _TEXT.match(value):
        return "<text>"
    display = _DISPLAY.match(value)
    if display is None:
        return value
    return f"{display[0]}<values>{_CLOSING[display[2]]}"


def _place(text: str, file: str) -> tuple[str, str]:
    """Return the innermost frame in the user's code, ``file:function``, and its statement; ``file`` is the test's."""
    place = statement = ""
    start = 0
    for entry in _ENTRY.finditer(text):
        function = entry["function"]
        if not _OUTSIDE.search(entry["path"]) and not _LIBRARY.search(entry["path"]):
            # Short tracebacks show the statement below the entry, long ones above it, marked.
            shown = _BELOW.match(text, entry.end()) if function else _MARKED.search(text, start, entry.start())
            statement = shown[1] if shown else ""
            if function is None:
                definitions = _DEFINITION.findall(text, start, entry.start())
                function = definitions[0] if definitions else ""
            place = f"{entry['path']}:{function}"
        start = entry.end()
    # With slashes, so that Windows and Linux name one place alike.
    if place:
        return place.replace("\\", "/"), statement
    return _native_place(text, file.replace("\\", "/"))


def _native_place(text: str, file: str) -> tuple[str, str]:
    """Return the same of Python's traceback, whose paths begin with folders of the machine."""
    found = [(frame, frame["path"].replace("\\", "/")) for frame in _NATIVE.finditer(text)]
    root = next((path.removesuffix(file) for _, path in found if file and path.endswith(f"/{file}")), "")
    own = [
        (frame, path.removeprefix(root))
        for frame, path in found
        if not _LIBRARY.search(path) and not (root and _OUTSIDE.search(path.removeprefix(root)))
    ]
    if not own:
        return "", ""
    frame, path = own[-1]
    if _OUTSIDE.search(path):
        # A fixture's traceback may lack the test: the name of the file is the same on each machine.
        path = path.rpartition("/")[2]
    shown = _BELOW.match(text, frame.end())
    return f"{path}:{frame['function']}", shown[1] if shown else ""
