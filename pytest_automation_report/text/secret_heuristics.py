"""Judge a value that stands beside a name: a secret, or a word, a number, a placeholder, a message, a piece of code."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

__all__ = ["MARK", "Strength", "is_code", "is_innocent", "is_placeholder", "is_prose", "looks_random"]

MARK: Final = "[redacted]"
"""The text that replaces a secret."""


class Strength(IntEnum):
    """How surely a name has a secret beside it."""

    WEAK = 0
    """`auth`, `app_key`: only where the value looks random."""
    MEDIUM = 1
    """`token`, `secret`, `pass`: not where the value is one word or a number."""
    STRONG = 2
    """`password`: unless the value says nothing."""


# Values of programs and names of types; remarks of servers and forms on a value; how a sentence goes on behind a name.
_CONSTANTS_TEXT: Final = (
    "none null nil true false undefined unset empty yes no on off default n/a na nan self str bytes int bool float "
    "string text any object optional[str] secretstr basic bearer digest inherit "
    "missing required optional invalid incorrect expired wrong denied accepted changed unknown hidden redacted "
    "masked filtered removed password passwd token your_token "
    "is was has are and or if else for in the a an to of with from must should cannot can does do not this needs "
    "takes requires expects given option options flag flags argument arguments parameter parameters instead "
    "without when via"
)
_CONSTANTS: Final = frozenset(_CONSTANTS_TEXT.split())
_LONGEST_WORD: Final = 16
_SHORTEST_RANDOM: Final = 16
_SHORTEST_IN_SENTENCE: Final = 8
_LONGEST_NUMBER: Final = {Strength.STRONG: 3, Strength.MEDIUM: 5, Strength.WEAK: 30}

# Nothing but signs, masks, numbers; names in braces, which a program fills in.
_MASK: Final = re.compile(r"[^\w]*|[*xX•.#-]+|#[0-9A-Fa-f]{3,8}|<[^<>]*>|\[[A-Za-z ]+\]|\*{2,}.*|.*\*{4,}")
_PLACEHOLDER: Final = re.compile(
    r"\$\{.*|\$\(.*|\{\{.*|\{[\w.!:]*\}?|%\(\w+\)?s?|%[srd]|\$[A-Za-z_]\w*|%\w+%|your[_ -].*|<.*|![a-z]+ .*|@\w+@",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?[a-z%]?")
_WORDS: Final = re.compile(r"[A-Za-z]+(?:[_ .:/-][A-Za-z]+)*[.:!?]?")
# The name of a variable or of a member: `AWS_ACCESS_KEY_ID`, `aws_session_token`, `Page.NextMarker`.
_NAME: Final = re.compile(
    "[A-Z]+(?:_[A-Z]+)+|[A-Za-z]+(?:[.][A-Za-z]+)+|[a-z]+(?:[_-][a-z]+)*[_-](?:id|key|name|secret|token)"
)
_MESSAGE: Final = re.compile(
    r".*(?:^|[ ])(?:is|are|was|must|may|should|cannot|can't|required|invalid|incorrect|missing|expired|not|too|field|"
    r"characters|found|enter|please|denied|failed|does|do|has|have)(?:[ .,!]|$)",
    re.IGNORECASE | re.DOTALL,
)
# A list, a mapping, a call, a subscript; names joined by dots, the last of them perhaps before a bracket.
_CODE: Final = re.compile(r"[\[({]|(?:await |not )?(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*[(\[]")
_DOTTED: Final = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*(?:[)\]}].*)?")
_OPERATORS: Final = re.compile(
    r"(?:^|\s)(?:if|else|or|and|not|await|lambda|in|is|class|new|extends|function|async|yield|[-+*/%|&<>=]=?)(?:\s|$)"
)
_PROSE: Final = re.compile(
    r"^[A-Z(`]|[.:!?]$|[(,]|(?:^|\s)(?:the|a|an|of|to|for|if|or|and|is|in|on|by|with|from|that|this|was|used)\s"
)
_UUID: Final = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# `s3_session_auth`, `AWS4-HMAC-SHA256`: words with a number at their ends.
_JOINED: Final = re.compile(r"[A-Za-z]*[0-9]{0,4}(?:[_./-][A-Za-z]*[0-9]{0,4})+")
_TOKEN_LIKE: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w.~+/=!@#$%^&*-]+")


def looks_random(value: str, shortest: int = _SHORTEST_RANDOM) -> bool:
    """Whether a value is one long word of letters and digits, as programs generate keys."""
    if len(value) < shortest or _TOKEN_LIKE.fullmatch(value) is None or _UUID.fullmatch(value):
        return False
    return not ((value.islower() or value.isupper()) and _JOINED.fullmatch(value))


# The same lines come again and again in what tests print.
@lru_cache(maxsize=128)
def is_code(value: str) -> bool:
    """Whether an unquoted value is an expression of a program: a call, a subscript, an attribute, an operation."""
    value = value.strip().rstrip(",;:)}]")
    return any((_CODE.match(value), _OPERATORS.search(value), _DOTTED.fullmatch(value)))


def is_prose(value: str) -> bool:
    """Whether an unquoted value of several words is a sentence, as in the description of a parameter."""
    return " " in value and _PROSE.search(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether a value is a mask or a name that is filled in later, and no value."""
    return _MASK.fullmatch(value) is not None or _PLACEHOLDER.fullmatch(value) is not None


@lru_cache(maxsize=128)
def is_innocent(value: str, strength: Strength) -> bool:
    """Whether a value beside a name of this strength is certainly no secret."""
    whole = value.strip()
    value = whole.rstrip(",;:)]}.")
    if value.lower() in _CONSTANTS or is_placeholder(whole) or (value != whole and is_placeholder(value)):
        return True
    if _NUMBER.fullmatch(value):
        return len(value) <= _LONGEST_NUMBER[strength]
    if " " in value and _MESSAGE.match(value):
        return True
    if strength is Strength.STRONG:
        return False
    if strength is Strength.MEDIUM:
        is_word = len(value) < _LONGEST_WORD and _WORDS.fullmatch(value) is not None
        return is_word or _NAME.fullmatch(value) is not None
    return not looks_random(value)
