"""Split lines of Python code into tokens with the class of the style sheet that colours them."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tokens: TypeAlias = "list[tuple[str, str]]"
"""One line in pieces: (class, text); an empty class is plain text."""

_MAX_CHARACTERS: Final = 60_000
_KNOWN_CHARACTERS: Final = 4_000
# Of these types and all below them; an earlier one wins.
_CLASSES: Final[Mapping[str, str]] = {
    "Token.Comment": "c",
    "Token.Keyword": "k",
    "Token.Operator.Word": "k",
    "Token.Literal.String": "t",
    "Token.Literal.Number": "n",
}


def coloured(lines: Sequence[str]) -> list[Tokens]:
    """Return each line in pieces with their classes; the lines are one piece of code, read together."""
    characters = sum(map(len, lines))
    if characters > _MAX_CHARACTERS:
        return [[("", line)] for line in lines]
    pieces = _known(tuple(lines)) if characters < _KNOWN_CHARACTERS else _pieces(lines)
    return [list(tokens) for tokens in pieces]


# Failures of one run have many calls in common, and this is a tenth of the time of a page.
@lru_cache(maxsize=256)
def _known(lines: tuple[str, ...]) -> list[Tokens]:
    return _pieces(lines)


def _pieces(lines: Sequence[str]) -> list[Tokens]:
    code = "\n".join(lines)
    result: list[Tokens] = [[]]
    for _, token_type, text in _lexer().get_tokens_unprocessed(code):
        class_ = _class_of(str(token_type))
        for number, part in enumerate(text.split("\n")):
            if number:
                result.append([])
            if part:
                result[-1].append((class_, part))
    return result[: len(lines)] + [[] for _ in range(len(lines) - len(result))]


@cache
def _class_of(token_type: str) -> str:
    return next((name for prefix, name in _CLASSES.items() if f"{token_type}.".startswith(f"{prefix}.")), "")


@cache
def _lexer() -> Any:  # noqa: ANN401 - Pygments has no types
    # 25 ms: a server starts without it, and the first page of a failure pays.
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]  # noqa: PLC0415 - as above, and no stubs

    return PythonLexer()
