"""Find the values of names that stand for secrets: `password=x`, `"api_key": "x"`, `<password>x</password>`.

The search has three steps. `_NAMES` finds a name, `_AFTER` matches the sign between name and value, and `_value`
chooses the reader for this sign: a quoted text, a word, the rest of a line, a pair, a sentence, markup. The reader
finds the end of the value, and `is_innocent` decides whether it is a secret.

Texts without the literal of a name are passed over at the speed of a text search. The expressions around a match have a
bounded length, and the next search starts behind the value: the work is linear in the length of a text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.text.visible import FILLER, MARK
from pytest_automation_report.unpatched import compiled, lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator


SecretSpan: TypeAlias = "tuple[int, int, bool]"
"""Start and end of a secret in a text, and whether it is surely one: then it is hidden everywhere else, too."""


WEAK, MEDIUM, STRONG = 0, 1, 2
"""How much a name says that its value is a secret.

Weak, `auth` or `app_key`: only if the value looks random. Medium, `token`, `secret` or `pass`: unless the value is one
word or a number. Strong, `password`: unless the value is empty, a placeholder or a message.
"""


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
_MAX_DIGITS: Final = {STRONG: 3, MEDIUM: 5, WEAK: 30}

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


def is_placeholder(value: str) -> bool:
    """Whether a value is a mask, or a name that a program replaces by the value."""
    return _MASK.fullmatch(value) is not None or _PLACEHOLDER.fullmatch(value) is not None


@lru_cache(maxsize=128)
def is_innocent(value: str, strength: int) -> bool:
    """Whether a value beside a name of this strength is certainly not a secret."""
    whole = value.strip()
    value = whole.rstrip(",;:)]}.")
    if value.lower() in _CONSTANTS or is_placeholder(whole) or (value != whole and is_placeholder(value)):
        return True
    if _NUMBER.fullmatch(value):
        return len(value) <= _MAX_DIGITS[strength]
    if " " in value and _MESSAGE.match(value):
        return True
    if strength == STRONG:
        return False
    if strength == MEDIUM:
        is_word = len(value) < _MAX_WORD_LENGTH and _WORDS.fullmatch(value) is not None
        return is_word or _NAME.fullmatch(value) is not None
    return not looks_random(value)


# `cache_key` and `sort_key` are not secrets: only a key with one of these words before it is.
_KEYS: Final = (
    "api", "access", "secret", "private", "encryption", "encrypt", "signing", "master", "account", "shared", "auth",
    "service", "deploy", "ssh", "subscription", "license", "webhook", "hmac", "jwt", "fernet", "admin", "sharedaccess",
)  # fmt: skip
_BEFORE_KEY: Final = "|".join(f"(?<={word}{joint}key)" for word in _KEYS for joint in ("", "[_. -]"))

# The literal to search for, the expression for the end of a name, and the strength of that name. Literals have 5
# characters at most: Python searches longer ones by another method, which takes five times as long. Names share a
# literal where they can: each costs a search of every text, 4 us in one of 32,000 characters.
_NAMES: Final[tuple[tuple[str, str, int], ...]] = (
    ("pass", "passw(?:or)?d", STRONG),
    ("pass", "passphrase", STRONG),
    ("pass", "passcode", STRONG),
    # `bypass` and `compass` are words.
    ("pass", "pass(?:(?<![a-z]pass)|(?<=(?:db|my|pg)pass)|(?<=(?:user|smtp|mail|root)pass))", MEDIUM),
    ("pwd", "pwd(?<!oldpwd)", MEDIUM),
    ("secre", "secret(?:[_-]?(?:id|key|access[_-]?key))?", MEDIUM),
    ("token", "token(?<!page.token)(?<!pagetoken)(?<!next.token)(?<!nexttoken)", MEDIUM),
    ("key", f"key(?:{_BEFORE_KEY})", MEDIUM),
    ("key", f"_key(?!(?:{_BEFORE_KEY}))(?<!public_key)(?<!foreign_key)(?<!primary_key)", WEAK),
    ("key", "client-key", STRONG),
    ("reden", "credentials?", WEAK),
    ("auth", "auth(?<![a-z]auth)", WEAK),
    ("jwt", "jwt", WEAK),
    ("gnatu", "signature", WEAK),
    ("sess", "sess(?:ion)?id", WEAK),
    # Of parameters in addresses.
    ("key=", "(?<=[?&])key", WEAK),
    ("sig=", "(?<=[?&])sig", WEAK),
)
# How sure parameters are by word and strength of their name, where they are not as sure as a password:
# `?key=name`, `?pass=12` and `?sort_key=created` are no secrets.
_PARAMETERS: Final = {
    ("_key", WEAK): WEAK, ("credentials", WEAK): WEAK, ("auth", WEAK): MEDIUM, ("key", WEAK): MEDIUM,
    ("pass", MEDIUM): MEDIUM,
}  # fmt: skip
_LITERALS: Final = tuple(dict.fromkeys(literal for literal, _, _ in _NAMES))

_SUFFIX: Final = "(?:[_-]?(?:value|data|base64|b64|hash|plain|new|old|confirm(?:ation)?|[0-9]{1,2}))?"
# Several secrets, but not how many. Tokens of a parser are none.
_PLURAL: Final = r"(?P<plural>s(?!\W{1,4}[0-9]+(?![\w.])))?"
_QUOTE: Final = r"'''|\"{3}|\\{0,7}[\"'`]|&quot;|&#(?:34|39|x22|x27);|%2[27]"
_TYPE: Final = r"(?:[ ]?(?:str|bytes|secretstr|optional\[str\]|(?:str|bytes)[ ]\|[ ]none)[ ]?=)?"
_AHEAD: Final = r"(?=[bfru]{0,2}\\{0,7}[\"'])"
# A value with parts: `{'value': 'x'}`, `[('x',)]`, and the `repr` of an object, `Secret(value='x')`.
_NEST: Final = r"\{|[\[(]\s{0,8}[\[({]|[a-z_][\w.]{0,60}\((?:[a-z_]\w{0,40}=|[\"'])"
# Rejects most innocent values before any reader runs: constants, short numbers, placeholders.
# The name again as well, as in `login(token=token)`.
_SOME: Final = (
    r"(?=\S\S)(?!(?:none|null|true|false|[0-9]{1,3}|%[sr]|\.\.\.|(?P=name))(?:[\s,;)}\]]|\Z)|\*\*|\$[{(]|\{\{)"
)
SIGNS: Final[tuple[tuple[str, str], ...]] = (
    ("password: |\n  ⟦two words⟧", r"(?P<block>:[ ][|>]-?\n[ ]{1,16})"),
    (
        # An assignment, a mapping, a comparison; pprint writes long values on the next line.
        "password=⟦x1⟧\n\"password\": \"⟦x2⟧\"\npassword = ['⟦x3⟧']\npassword={'value': '⟦x4⟧'}",
        (
            rf"[ \t]{{0,40}}\n?[ \t]{{0,4}}(?P<sign>===?|!=|:=|[=-]>|=|:(?![:/]){_TYPE}|%3[ad])(?:\s{{0,40}}"
            rf"(?:(?P<list>[\[(])\s{{0,40}})?{_AHEAD}{_SOME}|\s{{0,8}}(?=(?P<nest>{_NEST}))|[ \t]{{0,8}}{_SOME})"
        ),
    ),
    (
        # Lists of Kubernetes, settings of .NET, objects: name and value are two members; others may stand between them.
        '{"name": "DB_PASSWORD", "value": "⟦x1⟧"}',
        (
            rf"(?P<member>(?(close)(?:,\s{{0,8}}[^\s,=:]{{1,30}}[=:][^,\n]{{0,60}}){{0,2}},\s{{0,8}}|(?!))(?:{_QUOTE})?value"
            rf"(?:{_QUOTE})?[ ]?[=:][ ]{{0,2}}|\s{{1,8}}value[ ]?[=:][ ]{{0,2}})"
        ),
    ),
    ("<password>⟦x1⟧</password>", r"(?P<xml>(?:[ ][^<>]{1,100})?>)(?=[^<\s])"),
    ('name="password"\n\n⟦x1⟧', r"(?P<form>(?:(?:\\r)?\\n|\r?\n){2})"),
    ("('password', '⟦x1⟧')", rf"(?P<pair>,\s{{0,4}}{_AHEAD})"),
    # A sentence: only a value with a digit can be a secret.
    ("log in with password ⟦hunter-2x1⟧", r"(?P<gap>(?:[ ](?:is|was|provided))?:?[ \t]{1,8})(?=[^\s0-9]{0,40}[0-9])"),
)
"""What stands between a name and its value: an example with the values in ⟦⟧, and the expression for `_value`."""
_EXPRESSIONS: Final = "|".join(expression for _, expression in SIGNS)
_AFTER: Final = (
    rf"(?P<close>{_QUOTE})?\]?(?:{_EXPRESSIONS})(?:secretstr\()?(?:[bfru]{{0,2}}(?=\\{{0,7}}[\"'`]))?"
    rf"(?P<open>{_QUOTE})?"
)
_LINE: Final = lazy_pattern(r"[^\n\r\0\\]*(?:\\(?!x00|[rn])[^\n\r\0\\]*)*")
# An unquoted value, up to a space or a separator.
_WORD: Final = lazy_pattern(
    r"(?:[^\s\0\"'`<>,;&|)}\]\\]+|\\(?!x00|[rn\"'])|[\"'`](?=[a-z0-9_])|"
    r"[,;&|)}\]](?!\s|[\"'<>,;:&|)}\]\\]|$|[a-z_][a-z_. -]{0,30}[=:]))+",
    re.IGNORECASE,
)
_PARAMETER: Final = lazy_pattern(r"[^&\s\"'<>#\\]+")
_FORM_LINE: Final = lazy_pattern(r"[^\r\n\\]+")
_XML_TEXT: Final = lazy_pattern(r"[^<\n]+")
# These two match the reversed text before a name.
_HEAD: Final = lazy_pattern(r"(?P<name>[\w.$:/-]*)(?P<quote>[\"'`]?)")
_ALONE: Final = lazy_pattern(r"(?: -| tropxe| x- eralced| tes)?(?P<indent>[ \t]*)(?:[\n\r\0]|00x\\|\Z)")
_SIBLING: Final = lazy_pattern(r";|,[ ]?[\w-]{1,40}[ ]?[:=]|[ \t]+[A-Za-z_]+=")
# In the parts of a value: a text that is no key, or a bracket.
_PART: Final = lazy_pattern(r"'(?:[^\\\n']|\\.)*'|\"(?:[^\\\n\"]|\\.)*\"|[\[\](){}]")
_KEY: Final = lazy_pattern(r"\s{0,8}:")
_HEAD_CHARACTERS: Final = 80
# A longer value is judged by its beginning, and then hidden to its end: the same characters may follow several names.
_VALUE_CHARACTERS: Final = 256
_NEST_CHARACTERS: Final = 500
_MAX_DEPTH: Final = 8
_LINE_CHARACTERS: Final = 2000
_AFTER_TEXTS: Final = frozenset({"", " ", ",", ")", "]", "}", "+", ";", "\n"})
_SHORTEST_SURE: Final = 8
_MIN_SURE_LENGTH: Final = 16
_BRACKETS: Final = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class _Hit:
    """A name that was found in a text, with the text before it."""

    __slots__ = ("before", "last", "match", "name", "quote", "start", "strength", "text")

    def __init__(self, text: str, match: re.Match[str], strength: int) -> None:
        self.text, self.match, self.strength = text, match, strength
        # Index of the value, and where the search for its end stops.
        self.start = match.end()
        self.last = self.start + _VALUE_CHARACTERS
        start = match.start()
        backwards = text[max(0, start - _HEAD_CHARACTERS) : start][::-1]
        head = _HEAD.match(backwards)
        assert head is not None, "the expression also matches an empty text"
        # Beginning of the name, before the word of `_NAMES`: `db_` of `db_password`.
        self.name = head["name"][::-1]
        self.quote = head["quote"]
        # Reversed text before the name and its quote.
        self.before = backwards[head.end() :]

    def is_named(self, value: str) -> bool:
        """Whether the value repeats the name, as in `token=self.token` and in tables of names."""
        name = self.name + self.text[slice(*self.match.span("name"))]
        return _last_word(value) == _last_word(name)


def _last_word(dotted: str) -> str:
    """Return the last part of a dotted name, lowered and without underscores: `tokenvalue` of `a.token_value`."""
    return dotted.rstrip(",;:)").rpartition(".")[2].replace("_", "").replace("-", "").lower()


def lowered(text: str) -> str:
    """Return the text with its ASCII letters lowered, so that all positions are the same."""
    if text.isascii():
        return text.lower()
    # Some other letters become two characters, and then all positions behind would be wrong.
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def values_beside(text: str, lower: str) -> list[SecretSpan]:
    """Return the secrets beside names, in no order; ``lower`` is the lowered text."""
    # No name stands in a text without its literal.
    literals = {literal for literal in _LITERALS if literal in lower}
    spans: list[SecretSpan] = []
    for literal, name, strength in _NAMES if literals else ():
        if literal in literals:
            spans += _values(text, lower, compiled(f"(?P<name>{name}{_SUFFIX}){_PLURAL}{_AFTER}"), strength)
    return spans


def is_named_secret(name: str, value: str, *, is_nested: bool = False) -> bool:
    """Whether a field with this name and value holds a secret; a nested value has names of its own before."""
    lower = name.strip()[-_HEAD_CHARACTERS:].lower()
    return any(
        literal in lower
        and compiled(rf"(?:{word}){_SUFFIX}\Z").search(lower)
        and not is_innocent(value, min(strength, MEDIUM) if is_nested else strength)
        for literal, word, strength in _NAMES
    )


def _values(text: str, lower: str, pattern: re.Pattern[str], strength: int) -> Iterator[SecretSpan]:
    """Yield the secrets beside one kind of name."""
    done = 0
    while (match := pattern.search(lower, done)) is not None:
        done = match.end()
        # Nothing to hide: the name ends the text, or the value is hidden already.
        if done < len(text) and not text.startswith((MARK, FILLER), done):
            hit = _Hit(text, match, WEAK if match["plural"] and strength == MEDIUM else strength)
            if match["nest"]:
                for span in _parts(hit):
                    yield span
                    done = span[1]
            value = _value(hit) if done == hit.start else None
            if value is not None:
                if value[1] >= hit.last:
                    hit.last = len(text)
                    value = _value(hit) or value
                yield value
                done = max(done, value[1])


def _value(hit: _Hit) -> SecretSpan | None:
    match = hit.match
    if match["sign"] is not None:
        return _quoted(hit) if match["open"] else _unquoted(hit)
    if match["gap"] is not None:
        return _in_sentence(hit)
    if match["pair"] is not None:
        return _second_of_pair(hit)
    if match["xml"] is not None or match["form"] is not None:
        return _in_markup(hit)
    if match["open"] is not None:
        return _quoted(hit)
    end = _end(_LINE if match["block"] else _WORD, hit)
    return None if match["member"] and is_code(hit.text[hit.start : end]) else _unless_innocent(hit, end)


def _parts(hit: _Hit) -> Iterator[SecretSpan]:
    """Yield the secrets in the brackets behind a name: quoted texts that are no keys."""
    opening = hit.text[slice(*hit.match.span("nest"))]
    if opening[0] not in _BRACKETS and not opening.partition("(")[0].rpartition(".")[2][:1].isupper():
        return  # a call in source code
    depth = 0
    start = hit.match.start("nest")
    for part in _PART.finditer(hit.text, start, start + _NEST_CHARACTERS):
        if part[0] in _BRACKETS:
            depth += _BRACKETS[part[0]]
            if not 0 < depth < _MAX_DEPTH:
                return
        elif _KEY.match(hit.text, part.end()) is None:
            value = part[0][1:-1]
            if not is_innocent(value, min(hit.strength, MEDIUM)) and not hit.is_named(value):
                yield part.start() + 1, part.end() - 1, is_sure(value, MEDIUM)


def _in_markup(hit: _Hit) -> SecretSpan | None:
    """Return the secret in an XML element, or in a part of a multipart form."""
    if hit.match["xml"] is not None:
        if hit.before[:1] != "<":
            return None
        hit.last = len(hit.text)
        end = _end(_XML_TEXT, hit)
        return _unless_innocent(hit, end) if hit.text.startswith("</", end) else None
    is_field = hit.quote and hit.match["close"] and hit.before.startswith("=eman")
    return _unless_innocent(hit, _end(_FORM_LINE, hit)) if is_field else None


def _end(pattern: re.Pattern[str], hit: _Hit) -> int:
    match = pattern.match(hit.text, hit.start, hit.last)
    return hit.start if match is None else match.end()


def _unless_innocent(hit: _Hit, end: int, strength: int | None = None) -> SecretSpan | None:
    value = hit.text[hit.start : end]
    if is_innocent(value, hit.strength if strength is None else strength) or hit.is_named(value):
        return None
    return hit.start, end, is_sure(value, hit.strength)


def is_sure(value: str, strength: int) -> bool:
    """Whether a value beside a name of this strength is a secret wherever it stands."""
    is_long = len(value) >= _MIN_SURE_LENGTH or (len(value) >= _SHORTEST_SURE and not value.isalpha())
    return looks_random(value, _SHORTEST_SURE) or (strength == STRONG and is_long)


def _quoted(hit: _Hit) -> SecretSpan | None:
    """Return the secret between quotes; without a closing one it ends with the line."""
    if _is_closing(hit):
        return None
    end = _end_of_quoted(hit)
    span = _unless_innocent(hit, end)
    if span is None or hit.match["list"] is None:
        return span
    closing = compiled(r"[^\]\)\n]*").match(hit.text, end, hit.last)
    last = end if closing is None else closing.end()
    start, _, is_sure = span
    if last >= hit.last:
        return start, last, is_sure
    return start, max(end, hit.text.rfind(hit.match["open"], end, last)), is_sure


def _is_closing(hit: _Hit) -> bool:
    """Whether the quote behind a name closes a text that contains the name: `"?token=" + token`."""
    if hit.text[hit.start : hit.start + 1] not in _AFTER_TEXTS or hit.match["close"]:
        return False
    start = hit.match.start()
    line = hit.text[max(0, start - _LINE_CHARACTERS) : start].rpartition("\n")[2]
    return line.count(hit.match["open"]) % 2 == 1


def _end_of_quoted(hit: _Hit) -> int:
    opened = hit.match["open"]
    if len(opened) == 1:
        return _end(compiled(rf"(?:[^\\\n{opened}]|\\.)*"), hit)
    # A quote behind backslashes, or as HTML and URLs escape it.
    is_escaped = opened.startswith("\\")
    quote = rf"(?<!\\)\\{{{len(opened) - 1}}}{opened[-1]}" if is_escaped else f"(?i:{opened})"
    closing = compiled(rf"{quote}|\n").search(hit.text, hit.start, hit.last)
    return min(len(hit.text), hit.last) if closing is None else closing.start()


def _second_of_pair(hit: _Hit) -> SecretSpan | None:
    """Return the secret of a pair: `('password', 'x')` or `['--password', 'x']`, but not of a list of names."""
    match = hit.match
    if match["close"] is None or match["open"] is None:
        return None
    end = _end_of_quoted(hit)
    if hit.name.startswith("--"):
        return None if hit.text.startswith("-", hit.start) else _unless_innocent(hit, end)
    is_pair = hit.before.lstrip("b")[:1] in {"(", "["} and hit.text[end + len(match["open"]) :][:1] in {")", "]"}
    # In a longer list, as of a command's words, a name may stand beside another name.
    is_shown = is_pair or looks_random(hit.text[hit.start : end])
    return _unless_innocent(hit, end, min(hit.strength, MEDIUM)) if is_shown else None


def _in_sentence(hit: _Hit) -> SecretSpan | None:
    """Return a secret in a sentence, behind a space: `login with password x`."""
    if hit.match["close"] is not None:
        return None
    end = _end_of_quoted(hit) if hit.match["open"] else _end(_WORD, hit)
    value = hit.text[hit.start : end]
    return _unless_innocent(hit, end) if looks_random(value.rstrip(".,:"), _SHORTEST_SURE) else None


def _unquoted(hit: _Hit) -> SecretSpan | None:
    """Return an unquoted secret: a word, or the rest of a line that begins with the name."""
    name, sign = hit.name, hit.match["sign"]
    if sign in {"==", "===", "!="}:
        return None
    if sign == ":" and ("://" in name or name.startswith("arn:")):
        return None  # a URL with user and password, the name of an AWS resource
    if hit.before[:1] in {"?", "&"}:
        strength = _PARAMETERS.get((hit.match["name"], hit.strength), STRONG)
        return _unless_innocent(hit, _end(_PARAMETER, hit), strength)
    alone = None if hit.quote else _ALONE.match(hit.before)
    if alone is not None:
        return _rest_of_line(hit, is_indented=bool(alone["indent"]))
    end = _end(_WORD, hit)
    return None if _is_word_of_code(hit, hit.text[hit.start : end], end) else _unless_innocent(hit, end)


def _is_variable(hit: _Hit) -> bool:
    """Whether the name is an environment variable: `DB_PASSWORD=`."""
    start, end = hit.match.start(), hit.match.start("sign")
    return hit.match["sign"] == "=" and hit.match[0][-1] == "=" and hit.text[start:end].isupper()


def _is_word_of_code(hit: _Hit, value: str, end: int) -> bool:
    """Whether a value is the name of a variable, as in `login(password=password)`, not part of a connection string."""
    if not is_code(value):
        return False
    is_string = hit.strength == STRONG and hit.match[0].endswith("=") and value.isalpha()
    return not (is_string and _SIBLING.match(hit.text, end)) and not (_is_variable(hit) and value.isalpha())


def _rest_of_line(hit: _Hit, *, is_indented: bool) -> SecretSpan | None:
    """Return the secret in a line of an environment, an ini or a YAML file."""
    end = _end(_LINE, hit)
    line = hit.text[hit.start : end].rstrip()
    end = hit.start + len(line)
    word_end = _end(_WORD, hit)
    word = hit.text[hit.start : word_end]
    if _SIBLING.match(hit.text, word_end):
        return None if _is_word_of_code(hit, word, word_end) else _unless_innocent(hit, word_end)
    if _is_variable(hit):
        is_path = hit.match[0].startswith("pwd") and line.startswith("/")
        return None if is_path else _unless_innocent(hit, end, STRONG)
    is_assignment = hit.match["sign"] == "="
    is_word = not is_assignment or is_indented or not line.isalpha() or hit.strength != STRONG
    # A sentence, as in the description of a parameter, or code.
    if (" " in line and _PROSE.search(line)) or (is_code(line) and is_word):
        # A remark may follow the secret: `client_secret=x (from the vault)`.
        return _unless_innocent(hit, word_end) if looks_random(word, _SHORTEST_SURE) else None
    return _unless_innocent(hit, end)
