"""Find the values of names that say secret: `password=x`, `"api_key": "x"`, `--token x`, `<password>x</password>`.

A literal begins each expression, so that texts without it are passed over at the speed of a search for it. What stands
around a hit is read by expressions of bounded length, and each search goes on behind the value that was found: the
work is linear in the length of a text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.text.secret_heuristics import (
    MARK,
    Strength,
    is_code,
    is_innocent,
    is_prose,
    looks_random,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Found", "is_named_secret", "named_values"]

_STRONG: Final = Strength.STRONG
_MEDIUM: Final = Strength.MEDIUM
_WEAK: Final = Strength.WEAK

# `cache_key` and `sort_key` hold no secret: a key needs a word before it that says so.
_KEYS: Final = (
    "api", "access", "secret", "private", "encryption", "encrypt", "signing", "master", "account", "shared", "auth",
    "service", "deploy", "ssh", "subscription", "license", "webhook", "hmac", "jwt", "fernet", "admin", "sharedaccess",
)  # fmt: skip
_BEFORE_KEY: Final = "|".join(f"(?<={word}{joint}key)" for word in _KEYS for joint in ("", "[_. -]"))

_NAMES: Final[tuple[tuple[str, str, Strength], ...]] = (
    ("passw", "passw(?:or)?d", _STRONG),
    ("phras", "passphrase", _STRONG),
    ("sscod", "passcode", _STRONG),
    # `bypass` and `compass` are words.
    ("pass", "pass(?:(?<![a-z]pass)|(?<=(?:db|my|pg)pass)|(?<=(?:user|smtp|mail|root)pass))", _MEDIUM),
    ("pwd", "pwd(?<!oldpwd)", _MEDIUM),
    ("secre", "secret(?:[_-]?(?:id|key|access[_-]?key))?", _MEDIUM),
    ("token", "token(?<!page.token)(?<!pagetoken)(?<!next.token)(?<!nexttoken)", _MEDIUM),
    ("key", f"key(?:{_BEFORE_KEY})", _MEDIUM),
    ("_key", f"_key(?!(?:{_BEFORE_KEY}))(?<!public_key)(?<!foreign_key)(?<!primary_key)", _WEAK),
    ("t-key", "client-key", _STRONG),
    ("reden", "credentials?", _WEAK),
    ("auth", "auth(?<![a-z]auth)", _WEAK),
    ("jwt", "jwt", _WEAK),
    ("gnatu", "signature", _WEAK),
    ("sess", "sess(?:ion)?id", _WEAK),
)
"""The literal to search for, the expression of a name's end, and how surely such a name has a secret beside it.

Literals have 5 characters at most: Python looks for longer ones in another way, which takes five times as long.
"""

_SUFFIX: Final = "(?:[_-]?(?:value|data|base64|b64|hash|plain|new|old|confirm(?:ation)?|[0-9]{1,2}))?"
_QUOTE: Final = r"\\{0,7}[\"'`]|&quot;|&#(?:34|39|x22|x27);|%2[27]"
_TYPE: Final = r"(?:[ ]?(?:str|bytes|secretstr|optional\[str\]|(?:str|bytes)[ ]\|[ ]none)[ ]?=)?"
_AHEAD: Final = r"(?=[bfru]{0,2}\\{0,7}[\"'])"
# Most values that are none are passed over here already.
_SOME: Final = r"(?=\S\S)(?!(?:none|null|true|false|[0-9]{1,3}|%[sr]|\.\.\.)(?:[\s,;)}\]]|\Z)|\*\*|\$[{(]|\{\{)"
_AFTER: Final = (
    rf"(?P<close>{_QUOTE})?\]?(?:"
    r"(?P<block>:[ ][|>]-?\n[ ]{1,16})"
    # An assignment, a mapping, a comparison; pprint writes long values on the next line.
    rf"|[ \t]{{0,40}}\n?[ \t]{{0,4}}(?P<sign>===?|!=|:=|=>|=|:(?![:/]){_TYPE}|%3[ad])"
    rf"(?:\s{{0,40}}(?:(?P<list>[\[(])\s{{0,40}})?{_AHEAD}|[ \t]{{0,8}}){_SOME}"
    # A list of Kubernetes or of .NET's settings: the name is one member, its value the next.
    rf"|(?P<member>(?:,\s{{0,8}}(?:{_QUOTE})value(?:{_QUOTE})|\s{{1,8}}value)[ ]?[=:][ ]{{0,2}})"
    r"|(?P<xml>>)(?=[^<\s])"
    r"|(?P<form>(?:(?:\\r)?\\n|\r?\n){2})"
    rf"|(?P<pair>,\s{{0,4}}{_AHEAD})"
    # A sentence shows a value only where that is no word.
    r"|(?P<gap>(?:[ ](?:is|was|provided))?:?[ \t]{1,8})(?=[^\s0-9]{0,40}[0-9])"
    rf")(?:secretstr\()?(?:[bfru]{{0,2}}(?=\\{{0,7}}[\"'`]))?(?P<open>{_QUOTE})?"
)
_compiled: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(re.compile)
_LINE: Final = re.compile(r"[^\n\r\0\\]*(?:\\(?!x00|[rn])[^\n\r\0\\]*)*")
# The end of an unquoted value: space, or what separates it from what follows.
_WORD: Final = re.compile(
    r"(?:[^\s\0\"'`<>,;&|)}\]\\]+|\\(?!x00|[rn\"'])|[\"'`](?=[a-z0-9_])|"
    r"[,;&|)}\]](?!\s|[\"'<>,;:&|)}\]\\]|$|[a-z_][a-z_. -]{0,30}[=:]))+",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(r"[^&\s\"'<>#\\]+")
_FORM_LINE: Final = re.compile(r"[^\r\n\\]+")
_XML_TEXT: Final = re.compile(r"[^<\n]+")
# These two read backwards, from the name to what stands before it.
_HEAD: Final = re.compile(r"(?P<name>[\w.$:/-]*)(?P<quote>[\"'`]?)")
_ALONE: Final = re.compile(r"(?: -| tropxe| x- eralced| tes)?(?P<indent>[ \t]*)(?:[\n\r\0]|00x\\|\Z)")
_SIBLING: Final = re.compile(r";|,[ ]?[\w-]{1,40}[ ]?[:=]|[ \t]+[A-Za-z_]+=")
_HEAD_CHARACTERS: Final = 80
_LINE_CHARACTERS: Final = 2000
_AFTER_TEXTS: Final = frozenset({"", " ", ",", ")", "]", "}", "+", ";", "\n"})
_SHORTEST_SURE: Final = 8


class Found(NamedTuple):
    """A secret in a text, from `start` to before `end`; ``is_sure`` where the same value is one elsewhere, too."""

    start: int
    end: int
    is_sure: bool = False


class _Place:
    """A name in a text, with what stands before it; made for each hit, so what is rarely asked for is found late."""

    __slots__ = ("before", "match", "name", "quote", "start", "strength", "text")

    def __init__(self, text: str, match: re.Match[str], strength: Strength) -> None:
        self.text, self.match, self.strength = text, match, strength
        self.start = match.end()
        """Where the value begins."""
        start = match.start()
        backwards = text[max(0, start - _HEAD_CHARACTERS) : start][::-1]
        head = _HEAD.match(backwards)
        assert head is not None, "it matches nothing, too"
        self.name = head["name"][::-1]
        """The beginning of the name, before the word that says secret."""
        self.quote = head["quote"]
        self.before = backwards[head.end() :]
        """What stands before the name and its quote, backwards."""

    def is_named(self, value: str) -> bool:
        """Whether a value repeats its name, as in `token=self.token` and in tables of names."""
        name = self.name + self.text[slice(*self.match.span("name"))]
        return _last_word(value) == _last_word(name)


def _last_word(dotted: str) -> str:
    """Return the last part of a dotted name in one spelling: `tokenValue` is `token_value`."""
    return dotted.rstrip(",;:)").rpartition(".")[2].replace("_", "").replace("-", "").lower()


def named_values(text: str) -> list[Found]:
    """Return the values in the text that stand beside names that say secret, in no order."""
    if text.isascii():
        lower = text.lower()
    else:  # ASCII letters alone: others are slow to lower, and some become two, which would move all places behind
        lower = text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
    found: list[Found] = []
    for literal, name, strength in _NAMES:
        if literal in lower:
            found += _values(text, lower, _compiled(f"(?P<name>{name}{_SUFFIX}){_AFTER}"), strength)
    return found


def is_named_secret(name: str, value: str) -> bool:
    """Whether the value of a field, of which nothing else is known than its name, is a secret."""
    lower = name.strip()[-_HEAD_CHARACTERS:].lower()
    return any(
        literal in lower and _compiled(rf"(?:{word}){_SUFFIX}\Z").search(lower) and not is_innocent(value, strength)
        for literal, word, strength in _NAMES
    )


def _values(text: str, lower: str, pattern: re.Pattern[str], strength: Strength) -> Iterator[Found]:
    """Yield the values of one kind of name."""
    done = 0
    while (match := pattern.search(lower, done)) is not None:
        done = match.end()
        # What was hidden before stays as it is; so does a name at the end of a text.
        if done < len(text) and not text.startswith(MARK, done):
            value = _value(_Place(text, match, strength))
            if value is not None:
                yield value
                done = max(done, value.end)


def _value(place: _Place) -> Found | None:
    """Return the secret behind a name, ``None`` where what stands there is none."""
    match = place.match
    if match["sign"] is not None:
        return _quoted(place) if match["open"] else _unquoted(place)
    if match["gap"] is not None:
        return _in_sentence(place)
    if match["pair"] is not None:
        return _second_of_pair(place)
    if match["xml"] is not None or match["form"] is not None:
        return _in_markup(place)
    if match["open"] is not None:
        return _quoted(place)
    end = _end(_LINE if match["block"] else _WORD, place)
    return None if match["member"] and is_code(place.text[place.start : end]) else _unless_innocent(place, end)


def _in_markup(place: _Place) -> Found | None:
    """Return the text of an XML element, or of a field in a form of several parts."""
    if place.match["xml"] is not None:
        end = _end(_XML_TEXT, place)
        is_element = place.text.startswith("</", end) and place.before[:1] == "<"
        return _unless_innocent(place, end) if is_element else None
    is_field = place.quote and place.match["close"] and place.before.startswith("=eman")
    return _unless_innocent(place, _end(_FORM_LINE, place)) if is_field else None


def _end(pattern: re.Pattern[str], place: _Place) -> int:
    match = pattern.match(place.text, place.start)
    return place.start if match is None else match.end()


def _unless_innocent(place: _Place, end: int, strength: Strength | None = None) -> Found | None:
    value = place.text[place.start : end]
    if is_innocent(value, place.strength if strength is None else strength) or place.is_named(value):
        return None
    is_sure = len(value) >= _SHORTEST_SURE and looks_random(value, _SHORTEST_SURE)
    return Found(place.start, end, is_sure)


def _quoted(place: _Place) -> Found | None:
    """Return what stands between the quote behind the name and the one that closes it, or the end of the line."""
    if _is_closing(place):
        return None
    end = _end_of_quoted(place)
    found = _unless_innocent(place, end)
    if found is None or place.match["list"] is None:
        return found
    closing = _compiled(r"[^\]\)\n]*").match(place.text, end)
    last = end if closing is None else closing.end()
    return Found(found.start, max(end, place.text.rfind(place.match["open"], end, last)), found.is_sure)


def _is_closing(place: _Place) -> bool:
    """Whether the quote behind a name ends a text that the name is a part of: `"?token=" + token`."""
    if place.text[place.start : place.start + 1] not in _AFTER_TEXTS or place.match["close"]:
        return False
    start = place.match.start()
    line = place.text[max(0, start - _LINE_CHARACTERS) : start].rpartition("\n")[2]
    return line.count(place.match["open"]) % 2 == 1


def _end_of_quoted(place: _Place) -> int:
    opened = place.match["open"]
    if opened.startswith("\\"):
        depth = len(opened) - 1
        closing = _compiled(rf"(?<!\\)\\{{{depth}}}{opened[-1]}|\n").search(place.text, place.start)
        return len(place.text) if closing is None else closing.start()
    if len(opened) > 1:  # as HTML and addresses spell a quote
        closing = _compiled(rf"(?i:{opened})|\n").search(place.text, place.start)
        return len(place.text) if closing is None else closing.start()
    return _end(_compiled(rf"(?:[^\\\n{opened}]|\\.)*"), place)


def _second_of_pair(place: _Place) -> Found | None:
    """Return the value of `('password', 'x')` and of `['--password', 'x']`; in lists of names each is a word."""
    match = place.match
    if match["close"] is None or match["open"] is None:
        return None
    end = _end_of_quoted(place)
    if place.name.startswith("--"):
        return None if place.text.startswith("-", place.start) else _unless_innocent(place, end)
    is_pair = place.before.lstrip("b")[:1] in {"(", "["} and place.text[end + len(match["open"]) :][:1] in {")", "]"}
    return _unless_innocent(place, end, min(place.strength, _MEDIUM)) if is_pair else None


def _in_sentence(place: _Place) -> Found | None:
    """Return a value that only a space parts from its name: `login with password x`."""
    if place.match["close"] is not None:
        return None
    end = _end_of_quoted(place) if place.match["open"] else _end(_WORD, place)
    value = place.text[place.start : end]
    return _unless_innocent(place, end) if looks_random(value.rstrip(".,:"), _SHORTEST_SURE) else None


def _unquoted(place: _Place) -> Found | None:
    """Return an unquoted value: a word, or the rest of a line that begins with the name."""
    name, sign = place.name, place.match["sign"]
    if sign in {"==", "===", "!="}:
        return None
    if sign == ":" and ("://" in name or name.startswith("arn:")):
        return None  # the user and the password of an address, the name of a resource
    if place.before[:1] in {"?", "&"}:
        return _unless_innocent(place, _end(_PARAMETER, place))
    alone = None if place.quote else _ALONE.match(place.before)
    if alone is not None:
        return _rest_of_line(place, is_indented=bool(alone["indent"]))
    end = _end(_WORD, place)
    return None if _is_word_of_code(place, place.text[place.start : end], end) else _unless_innocent(place, end)


def _is_variable(place: _Place) -> bool:
    """Whether the name is written as those of an environment are: `DB_PASSWORD=`."""
    start, end = place.match.start(), place.match.start("sign")
    return place.match["sign"] == "=" and place.match[0][-1] == "=" and place.text[start:end].isupper()


def _is_word_of_code(place: _Place, value: str, end: int) -> bool:
    """Whether a value is the name of a variable, as in `login(password=password)`, and no connection string."""
    if not is_code(value):
        return False
    is_string = place.strength is _STRONG and place.match[0].endswith("=") and value.isalpha()
    return not (is_string and _SIBLING.match(place.text, end)) and not (_is_variable(place) and value.isalpha())


def _rest_of_line(place: _Place, *, is_indented: bool) -> Found | None:
    """Return the value of a line of an environment, an ini or a YAML file."""
    end = _end(_LINE, place)
    line = place.text[place.start : end].rstrip()
    end = place.start + len(line)
    word_end = _end(_WORD, place)
    word = place.text[place.start : word_end]
    if _SIBLING.match(place.text, word_end):
        return None if _is_word_of_code(place, word, word_end) else _unless_innocent(place, word_end)
    if _is_variable(place):
        is_path = place.match[0].startswith("pwd") and line.startswith("/")
        return None if is_path else _unless_innocent(place, end, _STRONG)
    is_assignment = place.match["sign"] == "="
    if is_prose(line):
        return None
    if is_code(line) and (not is_assignment or is_indented or not line.isalpha() or place.strength is not _STRONG):
        return None
    return _unless_innocent(place, end)
