"""Judge whether a value beside a name is a secret, or a word, number, placeholder, message or piece of code.

The more surely a name stands for a secret (`Strength`), the fewer values beside it count as innocent. Words and
expressions come from the output of real tests, tools and servers; the tests have examples of both kinds.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

from pytest_automation_report.text.patterns import lazy_pattern


class Strength(IntEnum):
    """Probability that the value beside a name is a secret."""

    WEAK = 0
    """`auth`, `app_key`: only if the value looks random."""
    MEDIUM = 1
    """`token`, `secret`, `pass`: unless the value is one word or a number."""
    STRONG = 2
    """`password`: unless the value is empty, a placeholder or a message."""


# Constants and types of programs; remarks of servers and forms about a value; words that follow a name in a sentence.
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
_MAX_WORD_LENGTH: Final = 16
_MIN_RANDOM_LENGTH: Final = 16
_MAX_DIGITS: Final = {Strength.STRONG: 3, Strength.MEDIUM: 5, Strength.WEAK: 30}

# Punctuation, masks (`****`), colours; names in braces, which a program fills in.
_MASK: Final = lazy_pattern(r"[^\w]*|[*xX•.#-]+|#[0-9A-Fa-f]{3,8}|<[^<>]*>|\[[A-Za-z ]+\]|\*{2,}.*|.*\*{4,}")
_PLACEHOLDER: Final = lazy_pattern(
    r"\$\{.*|\$\(.*|\{\{.*|\{[\w.!:]*\}?|%\(\w+\)?s?|%[srd]|\$[A-Za-z_]\w*|%\w+%|your[_ -].*|<.*|![a-z]+ .*|@\w+@",
    re.IGNORECASE,
)
_NUMBER: Final = lazy_pattern(r"[+-]?[0-9]+(?:\.[0-9]+)?[a-z%]?")
_WORDS: Final = lazy_pattern(r"[A-Za-z]+(?:[_ .:/-][A-Za-z]+)*[.:!?]?")
# The name of a variable or of a member: `AWS_ACCESS_KEY_ID`, `aws_session_token`, `Page.NextMarker`.
_NAME: Final = lazy_pattern(
    "[A-Z]+(?:_[A-Z]+)+|[A-Za-z]+(?:[.][A-Za-z]+)+|[a-z]+(?:[_-][a-z]+)*[_-](?:id|key|name|secret|token)"
)
_MESSAGE: Final = lazy_pattern(
    r".*(?:^|[ ])(?:is|are|was|must|may|should|cannot|can't|required|invalid|incorrect|missing|expired|not|too|field|"
    r"characters|found|enter|please|denied|failed|does|do|has|have)(?:[ .,!]|$)",
    re.IGNORECASE | re.DOTALL,
)
# A list, a mapping, a call, a subscript; names joined by dots, the last of them perhaps before a bracket.
_CODE: Final = lazy_pattern(r"[\[({]|(?:await |not )?(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*[(\[]")
_DOTTED: Final = lazy_pattern(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*(?:[)\]}].*)?")
_OPERATORS: Final = lazy_pattern(
    r"(?:^|\s)(?:if|else|or|and|not|await|lambda|in|is|class|new|extends|function|async|yield|[-+*/%|&<>=]=?)(?:\s|$)"
)
_PROSE: Final = lazy_pattern(
    r"^[A-Z(`]|[.:!?]$|[(,]|(?:^|\s)(?:the|a|an|of|to|for|if|or|and|is|in|on|by|with|from|that|this|was|used)\s"
)
_UUID: Final = lazy_pattern("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# `s3_session_auth`, `AWS4-HMAC-SHA256`: words with a number at their ends.
_JOINED: Final = lazy_pattern(r"[A-Za-z]*[0-9]{0,4}(?:[_./-][A-Za-z]*[0-9]{0,4})+")
_TOKEN_LIKE: Final = lazy_pattern(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w.~+/=!@#$%^&*-]+")


def looks_random(value: str, shortest: int = _MIN_RANDOM_LENGTH) -> bool:
    """Whether a value is one long word of letters and digits, as generated keys are."""
    if len(value) < shortest or _TOKEN_LIKE.fullmatch(value) is None or _UUID.fullmatch(value):
        return False
    return not ((value.islower() or value.isupper()) and _JOINED.fullmatch(value))


# Cached, since the output of tests repeats the same lines.
@lru_cache(maxsize=128)
def is_code(value: str) -> bool:
    """Whether an unquoted value is an expression of a program: a call, a subscript, an attribute, an operation."""
    value = value.strip().rstrip(",;:)}]")
    return any((_CODE.match(value), _OPERATORS.search(value), _DOTTED.fullmatch(value)))


def is_prose(value: str) -> bool:
    """Whether an unquoted value of several words is a sentence, as in the description of a parameter."""
    return " " in value and _PROSE.search(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether a value is a mask, or a name that a program replaces by the value."""
    return _MASK.fullmatch(value) is not None or _PLACEHOLDER.fullmatch(value) is not None


@lru_cache(maxsize=128)
def is_innocent(value: str, strength: Strength) -> bool:
    """Whether a value beside a name of this strength is certainly not a secret."""
    whole = value.strip()
    value = whole.rstrip(",;:)]}.")
    if value.lower() in _CONSTANTS or is_placeholder(whole) or (value != whole and is_placeholder(value)):
        return True
    if _NUMBER.fullmatch(value):
        return len(value) <= _MAX_DIGITS[strength]
    if " " in value and _MESSAGE.match(value):
        return True
    if strength is Strength.STRONG:
        return False
    if strength is Strength.MEDIUM:
        is_word = len(value) < _MAX_WORD_LENGTH and _WORDS.fullmatch(value) is not None
        return is_word or _NAME.fullmatch(value) is not None
    return not looks_random(value)
