"""Split lines of Python code into tokens with the class of the style sheet that colours them."""

from __future__ import annotations

import re
from functools import lru_cache
from keyword import kwlist
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Tokens", "coloured"]

Tokens: TypeAlias = "list[tuple[str, str]]"
"""One line in pieces: (class, text); an empty class is plain text. Neighbours have different classes."""

_MAX_CHARACTERS: Final = 60_000
_KNOWN_CHARACTERS: Final = 4_000
_KEYWORDS: Final = frozenset(kwlist)
# Comments, texts with their prefix, numbers, words, in the order in which they are tried. Code may begin or end within
# a text: a long one without an end goes on to the last line, a short one without an end is none.
_TOKEN: Final = re.compile(
    r"""
    (?P<c>\#[^\n]*)
    | (?P<t>(?P<prefix>[rbfu]|[rR][bf]|[bf][rR])?
        (?: \"{3}(?:[^\\]|\\.)*?(?:\"{3}|\Z) | '{3}(?:[^\\]|\\.)*?(?:'{3}|\Z)
          | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' ))
    | (?P<n>0[xob][0-9a-f_]+ | (?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:e[+-]?[0-9_]+)?j?)
    | (?P<w>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_MATCH_OR_CASE: Final = re.compile(r"^[ \t]*(match|case)\b(?=[^=:\n]*:[ \t]*(?:\#.*)?$)", re.MULTILINE)
# The values in a text with the prefix f: doubled braces are none.
_VALUE: Final = re.compile(r"\{\{|\}\}|\{(?P<code>[^{}!:\n]+)(?=[!:}=])")


def coloured(lines: Sequence[str]) -> list[Tokens]:
    """Return each line in pieces with their classes; the lines are one piece of code, read together."""
    characters = sum(map(len, lines))
    if characters > _MAX_CHARACTERS:
        return [[("", line)] for line in lines]
    pieces = _known(tuple(lines)) if characters < _KNOWN_CHARACTERS else _pieces(lines)
    return [list(tokens) for tokens in pieces]


# Failures of one run have many calls in common.
@lru_cache(maxsize=256)
def _known(lines: tuple[str, ...]) -> list[Tokens]:
    return _pieces(lines)


def _pieces(lines: Sequence[str]) -> list[Tokens]:
    code = "\n".join(lines)
    result: list[Tokens] = [[]]
    last = 0
    for start, end, class_ in _spans(code):
        _add(result, "", code[last:start])
        _add(result, class_, code[start:end])
        last = end
    _add(result, "", code[last:])
    return result[: len(lines)]


def _add(result: list[Tokens], class_: str, text: str) -> None:
    """Add a text, which may go over several lines."""
    for number, part in enumerate(text.split("\n")):
        if number:
            result.append([])
        line = result[-1]
        if part and line and line[-1][0] == class_:
            line[-1] = (class_, line[-1][1] + part)
        elif part:
            line.append((class_, part))


def _spans(code: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and class of each part that is coloured."""
    soft = {match.start(1) for match in _MATCH_OR_CASE.finditer(code)} if "match" in code or "case" in code else ()
    for match in _TOKEN.finditer(code):
        kind, start, end = match.lastgroup, match.start(), match.end()
        if kind == "w":
            if match[0] in _KEYWORDS or start in soft:
                yield start, end, "k"
        elif kind == "t" and "f" in (match["prefix"] or "").lower():
            yield from _formatted(code, start, end)
        elif kind:
            yield start, end, kind


def _formatted(code: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield the parts of a text with values in it, whose code is coloured as any other."""
    last = start
    for match in _VALUE.finditer(code, start, end):
        if match["code"] is not None:
            first, after = match.span("code")
            yield last, first, "t"
            yield from ((first + a, first + b, class_) for a, b, class_ in _spans(match["code"]))
            last = after
    yield last, end, "t"
