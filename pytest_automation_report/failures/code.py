"""The code of a frame in pieces, as it is coloured."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
