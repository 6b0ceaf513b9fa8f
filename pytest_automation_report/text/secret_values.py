"""Find secrets by their form, by their position in a text and in URLs, and hide them without moving what follows."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.unpatched import compiled, lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


SecretSpan: TypeAlias = "tuple[int, int, bool]"
"""Start and end of a secret in a text, and whether it is surely one: then it is hidden everywhere else, too."""

MARK: Final = "[redacted]"
"""The text that replaces a secret."""

FILLER: Final = "\x01"
"""The character that stands for each hidden one in a masked text."""

_RUNS: Final = lazy_pattern(f"{FILLER}+")


def unmasked(text: str) -> str:
    """Return a text of the same length that has no filler yet, to be masked."""
    return text.replace(FILLER, "\x02")


def masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
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


def marked(text: str, mask: str) -> str:
    """Return a text with `MARK` for each run of fillers in its masked text."""
    pieces: list[str] = []
    done = 0
    for start, end in runs(mask):
        pieces += [text[done:start], MARK]
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


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


_VALUE: Final = r"(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\"|(?P<bare>[^\s'\"|;&]+))"
# Between arguments: spaces, or the quotes of a list.
_GAP: Final = r"(?:[ \t]{1,4}|['\"],\s{0,8}[bfru]?['\"])"
_ARGUMENTS: Final = rf"(?:{_GAP}[^\s|;&'\"]{{1,100}}){{0,8}}?{_GAP}"
_ARGUMENT_NAME: Final = r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|secret|private)[_-]?key)"
# Not the help of a command: there a word in capitals stands for the value, or a sentence follows.
_NO_HELP: Final = r"(?![-\[<]|[A-Z_]+\b|[a-z]+[ ][a-z]+[ .,])"
_LOGINS: Final = (
    rf"login\s{{1,8}}\S{{1,60}}\s{{1,8}}password\s{{1,8}}{_VALUE}",
    rf"docker{_GAP}login{_ARGUMENTS}-p{_GAP}?{_VALUE}",
)
_POSITIONS: Final = (
    ("--", rf"--(?<![\w-]--)(?=[a-z])[a-z_-]{{0,30}}(?i:{_ARGUMENT_NAME})[ \t]{{1,4}}{_NO_HELP}{_VALUE}"),
    *(("login", command) for command in _LOGINS),
    ("mysql", rf"mysql(?:dump|admin|import)?{_ARGUMENTS}-p{_VALUE}"),
    ("shpas", rf"sshpass{_GAP}-p{_GAP}?{_VALUE}"),
    (
        "curl",
        rf"curl{_ARGUMENTS}(?:-u|--user|--proxy-user|-U)(?:{_GAP}|[=]|)['\"]?[^\s:'\"]{{0,100}}:(?P<bare>[^'\"\s]+)",
    ),
    ("edis-", rf"redis-cli{_ARGUMENTS}-a{_GAP}?{_VALUE}"),
    ("pass:", rf"-(?:passin|passout|pass|k){_GAP}['\"]?pass:(?P<bare>[^\s'\"]+)"),
    # The line of a `.pgpass` file: host, port, database, user, password.
    (":5432", r"(?m:^)[^\s:]{1,200}:5432:[^\s:]{1,100}:[^\s:]{1,100}:(?P<bare>[^\r\n]+)"),
    # The signature of a request in the log of botocore.
    ("ure:\n", "ignature:\n(?P<bare>[0-9a-f]{64})"),
)
_WHERE: Final = lazy_pattern(r"where b?(?P<quote>['\"])")
_QUOTED_VALUES: Final = {quote: lazy_pattern(rf"((?:[^\\\n{quote}]|\\.)+){quote} = ") for quote in "\"'"}
# The source line of a failed comparison with such an operand, `>   assert user.password == "x"`, and its explanation.
_QUOTES: Final = "[\"'\\])]{0,3}"
_OPERAND: Final = lazy_pattern(
    rf"\n> +assert [^\n]{{0,200}}?"
    rf"(?:{_ARGUMENT_NAME}{_QUOTES} [=!]= |[=!]= [\w.()\[\"']{{0,80}}{_ARGUMENT_NAME}{_QUOTES}[,\n])",
    re.IGNORECASE,
)
_EXPLAINED: Final = lazy_pattern(
    r"\nE +(?:AssertionError: )?assert (?:b?(?P<q>['\"])(?P<left>[^\n]{1,200}?)(?P=q)|[^\n]{1,200}?) [=!]= "
    r"(?:b?(?P<p>['\"])(?P<right>[^\n]{1,200}?)(?P=p))?"
)
_SOURCE_CHARACTERS: Final = 1000
_NAMED: Final = lazy_pattern(
    r"(?:passw(?:or)?d|passphrase|secret|token|api_?key|(?:access|private|secret)_key|pwd)(?:\(\))?[ ]*\Z",
    re.IGNORECASE,
)
_NAME_CHARACTERS: Final = 40


def values_by_position(text: str) -> Iterator[SecretSpan]:
    """Yield the secrets that are known by their position alone."""
    for literal, pattern in _POSITIONS:
        if literal in text:
            for match in compiled(pattern).finditer(text):
                group = next(name for name in ("single", "double", "bare") if match.groupdict().get(name) is not None)
                if not is_innocent(match[group], Strength.STRONG):
                    yield *match.span(group), False
    if "where" in text:
        yield from _values_in_assertions(text)
    if "\n> " in text:
        yield from _operands(text)


def _operands(text: str) -> Iterator[SecretSpan]:
    """Yield the values that pytest shows for an operand with the name of a secret."""
    for source in _OPERAND.finditer(text):
        shown = _EXPLAINED.search(text, source.end() - 1, source.end() + _SOURCE_CHARACTERS)
        for side in () if shown is None else ("left", "right"):
            if shown and shown[side] and not is_innocent(shown[side], Strength.STRONG):
                yield *shown.span(side), True


def _values_in_assertions(text: str) -> Iterator[SecretSpan]:
    """Yield values in pytest's explanation of an assertion: `where 'x' = user.password`."""
    for match in _WHERE.finditer(text):
        value = _QUOTED_VALUES[match["quote"]].match(text, match.end())
        if value is not None:
            end = text.find("\n", value.end())
            end = len(text) if end < 0 else end
            if _NAMED.search(text[max(value.end(), end - _NAME_CHARACTERS) : end]):
                yield *value.span(1), True


_SURE_NAMES: Final = (
    "access_token|api[_-]?key|apikey|client_secret|id_token|passwd|password|private_token|pwd|refresh_token|secret|"
    "token"
)
# The value decides: `?key=name`, `?pass=12` and `?auth=basic` are not secrets.
_OTHER_NAMES: Final = "auth|key|pass"
_SIGNATURE_NAMES: Final = (
    "sig|signature|X-Amz-Credential|X-Amz-Security-Token|X-Amz-Signature|X-Goog-Credential|X-Goog-Signature"
)
_PARAMETER: Final = lazy_pattern(
    rf"[?&](?:(?P<sure>{_SURE_NAMES})|(?P<other>{_OTHER_NAMES})|{_SIGNATURE_NAMES})=(?P<value>[^&\s\"'<>#\\]+)",
    re.IGNORECASE,
)

_USER: Final = lazy_pattern(r"://([^\s/?#@:\"'<>\\\[]*)([:@])")
_PORT: Final = lazy_pattern(r"[0-9]{1,5}(?=[/?#\s\"'<>),;\]}`\\]|\Z)")
# An "@" before a host. Passwords may contain it, so the last one counts.
_AT: Final = lazy_pattern(r"@(?=(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?#\s\"'<>(),;\]}`\\&]|\Z))")
# The scheme of a URL and the quote before it, read backwards.
_SCHEME: Final = lazy_pattern(r"[\w+.:-]*([\"'`]\\{0,3})?")
_QUOTED: Final = {quote: lazy_pattern(rf"(?:[^\\\n{quote}]|\\.)*") for quote in "\"'`"}
_RUN: Final = lazy_pattern(r"[^\s<>]*")
_LINE: Final = lazy_pattern(r"[^\r\n]*")
_MAX_PASSWORD_LENGTH: Final = 256
_MAX_SCHEME_LENGTH: Final = 40
_MIN_TOKEN_LENGTH: Final = 16


def masked_parameters(text: str, *, is_signed: bool) -> str:
    """Mask the values of secret parameters; ``is_signed`` keeps signatures."""

    def hidden(match: re.Match[str]) -> str:
        if match["other"]:
            is_kept = is_innocent(match["value"], Strength.MEDIUM)
        else:
            is_kept = (is_signed and not match["sure"]) or is_placeholder(match["value"])
        length = len(match["value"])
        return match[0] if is_kept else f"{match[0][:-length]}{FILLER * length}"

    return _PARAMETER.sub(hidden, text)


def masked_users(text: str) -> str:
    """Mask users and passwords in URLs; a short user without a password stays."""
    spans: list[tuple[int, int]] = []
    done = 0
    # A URL has a user only if an "@" follows: looking for the next one first passes over nearly all URLs.
    next_at = text.find("@")
    while next_at >= 0 and (match := _USER.search(text, done)) is not None:
        if next_at < match.end() - 1:
            next_at = text.find("@", match.end() - 1)
            if next_at < 0:
                break
        end = _end_of_user(text, match, next_at)
        done = match.end() if end is None else end
        if end is not None:
            spans.append((match.start(1), end))
    return masked(text, spans)


def _end_of_user(text: str, match: re.Match[str], next_at: int) -> int | None:
    """Return the index of the "@" behind user and password, None if there is no secret; ``next_at`` is the next "@"."""
    if match[2] == "@":
        # Without a password a long user is a token: `https://TOKEN@github.com`.
        return match.end() - 1 if len(match[1]) >= _MIN_TOKEN_LENGTH else None
    start = match.end()
    if next_at - start > _MAX_PASSWORD_LENGTH or text[start].isspace() or _PORT.match(text, start):
        return None
    ends = [at.start() for at in _AT.finditer(text, start, _end_of_url(text, match))]
    return ends[-1] if ends and not is_placeholder(text[start : ends[-1]]) else None


def _end_of_url(text: str, match: re.Match[str]) -> int:
    """Return the end of a URL: its closing quote, else a space; a space within a password is recognised."""
    start = match.end()
    next_url = text.find("://", start, start + _MAX_PASSWORD_LENGTH)
    last = start + _MAX_PASSWORD_LENGTH if next_url < 0 else next_url
    scheme = _SCHEME.match(text[max(0, match.start() - _MAX_SCHEME_LENGTH) : match.start()][::-1])
    quote = scheme[1] if scheme else None
    if quote is not None:
        if len(quote) == 1:
            return _end(_QUOTED[quote], text, start, last)
        closing = text.find(quote[::-1], start, last)
        return last if closing < 0 else closing
    end = _end(_RUN, text, start, last)
    # Up to the space there is a path or an "@", so the URL is complete; otherwise the space belongs to the password.
    if "/" in text[start:end] or text.find("@", start, end) >= 0:
        return end
    return _end(_LINE, text, start, last)


def _end(pattern: re.Pattern[str], text: str, start: int, last: int) -> int:
    match = pattern.match(text, start, last)
    return start if match is None else match.end()
