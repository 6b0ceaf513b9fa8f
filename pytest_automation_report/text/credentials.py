"""Hide what looks like a credential: tokens, private keys, URLs, headers, named values, values at known positions.

Nearly all texts have none, and are passed over at the speed of a text search: each expression has a literal without
which it cannot match, and is compiled when that was found. The search for a named value has three steps: `_NAMES` finds
a name, `_AFTER` matches the sign between name and value, and `_value` chooses the reader for this sign, which finds the
end of the value; `is_innocent` decides whether it is a secret.

The work is linear in the length of a text: expressions begin with a literal and have a bounded length around it, no
repetition contains another one that matches the same characters, and the next search starts behind the value.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.text.visible import FILLER, MARK, mask_spans, runs
from pytest_automation_report.unpatched import compiled, lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator


SecretSpan: TypeAlias = "tuple[int, int, bool]"
"""Start and end of a secret in a text, and whether it is surely one: then it is hidden everywhere else, too."""


CODE, WEAK, MEDIUM, STRONG = -1, 0, 1, 2
"""How much a name says that its value is a secret.

Code, `pin`: only if the value has four to eight digits. Weak, `auth` or `app_key`: only if the value looks random.
Medium, `token`, `secret` or `pass`: unless the value is one word or a number. Strong, `password`: unless the value is
empty, a placeholder or a message.
"""


# Constants and types of programs; remarks of servers and forms about a value; words that follow a name in a sentence.
_CONSTANTS_TEXT: Final = (
    "none null nil true false undefined unset empty yes no on off default n/a na nan self str bytes int bool float "
    "string text any object optional[str] secretstr basic bearer digest inherit "
    "missing required optional invalid incorrect expired wrong denied accepted changed unknown hidden redacted "
    "masked filtered removed password passwd token your_token "
    "is was has are and or if else for in the a an to of with from must should cannot can does do not this needs "
    "takes requires expects given option options flag flags argument arguments parameter parameters instead "
    "without when via "
    # Translations.
    "passwort kennwort contraseña senha wachtwoord lösenord heslo hasło salasana parola şifre jelszó пароль "
    "密码 密碼 パスワード 비밀번호"
)
_CONSTANTS: Final = frozenset(_CONSTANTS_TEXT.split())
_MAX_WORD_LENGTH: Final = 16
_MIN_RANDOM_LENGTH: Final = 16
_MAX_DIGITS: Final = {STRONG: 3, MEDIUM: 5, WEAK: 30}

# Punctuation, masks (`****`), colours; names in braces, which a program fills in.
_MASK: Final = lazy_pattern(r"[^\w]*|[*xX•.#-]+|#[0-9A-Fa-f]{3,8}|<[^<>]*>|\[[A-Za-z ]+\]|\*{2,}.*|.*\*{4,}")
_PLACEHOLDER: Final = lazy_pattern(
    r"\$\{.*|\$\(.*|\{\{.*|\{[\w.!:]*\}?|%\(\w+\)?s?|%[srd]|\$(?:[A-Za-z_]\w*|[0-9])|%\w+%|your[_ -].*|<.*|![a-z]+ .*"
    r"|@\w+@|[*&][a-z_]+",
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
    value = whole.rstrip(",;:)]}>.")
    if strength == CODE:
        return re.fullmatch("[0-9]{3,8}|[0-9A-Fa-f]{4,8}(?:-[0-9A-Fa-f]{4,8})+", value) is None
    if value.lower() in _CONSTANTS or is_placeholder(whole) or (value != whole and is_placeholder(value)):
        return True
    if _NUMBER.fullmatch(value):
        return len(value) <= _MAX_DIGITS[strength]
    if strength == STRONG or (" " in value and _MESSAGE.match(value)):
        return " " in value and _MESSAGE.match(value) is not None
    if strength == MEDIUM:
        is_word = len(value) < _MAX_WORD_LENGTH and _WORDS.fullmatch(value) is not None
        return is_word or _NAME.fullmatch(value) is not None
    return not (looks_random(value) or is_basic(value))


def is_basic(value: str) -> bool:
    """Whether a value is user and password in base64."""
    try:
        user, colon, password = a2b_base64(value + "=" * (-len(value) % 4)).partition(b":")
    except ValueError:  # no base64, or not of ASCII characters
        return False
    return bool(user and colon and password) and user.isascii() and password.isascii() and len(value) >= _SHORTEST_SURE


# `cache_key` and `sort_key` are not secrets: only a key with one of these words before it is.
_KEYS: Final = (
    "api", "access", "secret", "private", "encryption", "encrypt", "signing", "master", "account", "shared", "auth",
    "service", "deploy", "ssh", "subscription", "license", "webhook", "hmac", "jwt", "fernet", "admin", "sharedaccess",
)  # fmt: skip
_BEFORE_KEY: Final = "|".join(f"(?<={word}{joint}key)" for word in _KEYS for joint in ("", "[_. -]"))
_CODES: Final = ("verification", "security", "confirmation", "recovery", "one.time", "backup", "mfa", "sms", "2fa")
_BEFORE_CODE: Final = "|".join(f"(?<={word}[_ -]code)" for word in _CODES)

# The literal to search for, the expression for the end of a name, and the strength of that name. Literals have 5
# characters at most: Python searches longer ones by another method, which takes five times as long. Names share a
# literal where they can: each costs a search of every text, 4 us in one of 32,000 characters.
_OTHER_KEYS: Final = ("public", "foreign", "primary", "bucket", "schema", "sequence", "natural")
_NOT_KEYS: Final = "".join(f"(?<!{word}_key)" for word in _OTHER_KEYS)
_NOT_TOKENS: Final = (
    "(?<!page.token)(?<!pagetoken)(?<!next.token)(?<!nexttoken)(?<!public.token)(?<!publictoken)(?<!webtoken)"
)
_NAMES: Final[tuple[tuple[str, str, int], ...]] = (
    ("pass", "pass(?:w(?:or)?[dt]|phrase|code|key|e(?:(?<=mot.de.passe)|(?<=motdepasse)))", STRONG),
    # `bypass` and `compass` are words.
    ("pass", "pass(?:(?<![a-z]pass)|(?<=(?:db|my|pg)pass)|(?<=(?:user|smtp|mail|root)pass))", MEDIUM),
    ("pw", "pw(?<![a-z]pw)d?(?<!oldpwd)|(?<=[a-z])pwd(?<!oldpwd)", MEDIUM), ("psk", "psk(?<![a-z]psk)", MEDIUM),
    ("secre", "secret(?:[_-]?(?:id|key|access[_-]?key))?", MEDIUM), ("token", f"token{_NOT_TOKENS}", MEDIUM),
    ("key", f"key(?:{_BEFORE_KEY})", MEDIUM), ("key", f"_key(?!(?:{_BEFORE_KEY})){_NOT_KEYS}", WEAK),
    ("key", "client-key", STRONG), ("cred", "cred(?:ential)?s?", WEAK), ("auth", "auth(?<![a-z]auth)", WEAK),
    ("jwt", "jwt", WEAK), ("gnatu", "signature", WEAK), ("sess", "sess(?:ion)?id", WEAK),
    # Codes of digits.
    ("pin", "pin(?<![a-z]pin)(?:[_ -]?(?:code|number))?", CODE), ("otp", "otp(?<![a-z]otp)(?:[_ -]?code)?", CODE),
    ("cvv", "cvv2?", CODE), ("code", f"code(?:{_BEFORE_CODE})", CODE),
    # Words of other languages, as they are written in ASCII.
    ("trase", r"contrase(?:n|\\u00f1|ñ|n\u0303)a", STRONG), ("clave", "clave(?<![a-z]clave)", WEAK),
    ("nwort", "kennwort", STRONG), ("senha", "senha(?<![a-z]senha)", STRONG), ("twoor", "wachtwoord", STRONG),
    ("heslo", "heslo(?<![a-z]heslo)", STRONG), ("lasan", "salasana", STRONG),
    ("parol", "parola(?:[ ]d.ordine)?(?<![a-z]parola)", MEDIUM),
    # Of parameters in addresses.
    ("key=", "(?<=[?&])key", WEAK), ("sig=", "(?<=[?&])sig", WEAK),
)  # fmt: skip
# In texts that are not ASCII. Letters without a Latin one in front are not lowered.
_FOREIGN: Final = (
    r"[Пп]\u0430\u0440\u043eл[ья\u0430]|密[码碼]|口令|パスワード|비밀번호|암호|hasło|lösenord|[Şş]ifre|jelszó|κωδικός"
    "|รหัสผ่าน|mật khẩu|סיסמה"
)
# How sure parameters are by word and strength of their name, where they are not as sure as a password:
# `?key=name`, `?pass=12` and `?sort_key=created` are no secrets.
_PARAMETERS: Final = {
    ("_key", WEAK): WEAK, ("credentials", WEAK): WEAK, ("auth", WEAK): MEDIUM, ("key", WEAK): MEDIUM,
    ("pass", MEDIUM): MEDIUM,
}  # fmt: skip
_LITERALS: Final = tuple(dict.fromkeys((*(literal for literal, _, _ in _NAMES), "priva")))  # of private keys

_SUFFIX: Final = (
    "(?:[_-]?(?:value|data|base64|b64|hash|salt|plain|new|old|confirm(?:ation)?|for_[a-z_]{1,30}|[0-9]{1,2}))?"
)
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
    r"(?=\S\S)(?!(?:none|null|true|false|[0-9]{1,3}|%[sr]|\.\.\.|(?P=name))(?:[\s,;)}\]]|\Z)|\*\*|</|\$[{(]|\{\{)"
)
SIGNS: Final[tuple[tuple[str, str], ...]] = (
    ("password: |\n  ⟦two words⟧", r"(?P<block>:[ ][|>]-?\n[ ]{1,16})"),
    (
        # An assignment, a mapping, a comparison; pprint writes long values on the next line.
        "password=⟦x1⟧\n\"password\": \"⟦x2⟧\"\npassword = ['⟦x3⟧']\npassword={'value': '⟦x4⟧'}",
        (rf"[ \t]{{0,40}}\n?[ \t]{{0,4}}(?P<sign>===?|!=|:=|[=-]>|=|:(?![:/?]){_TYPE}|\uff1a|%3[ad])(?:\s{{0,40}}"
         rf"(?:(?P<list>[\[(])\s{{0,40}})?{_AHEAD}{_SOME}|\s{{0,8}}(?=(?P<nest>{_NEST}))|[ \t]{{0,8}}{_SOME})"),
    ),
    (
        # Lists of Kubernetes, settings of .NET, objects: name and value are two members; others may stand between them.
        '{"name": "DB_PASSWORD", "value": "⟦x1⟧"}',
        (rf"(?P<member>(?(close)(?:,\s{{0,8}}[^\s,=:]{{1,30}}[=:][^,\n]{{0,60}}){{0,2}},\s{{0,8}}|(?!))(?:{_QUOTE})?value"
         rf"(?:{_QUOTE})?[ ]?[=:][ ]{{0,2}}|\s{{1,8}}value[ ]?[=:][ ]{{0,2}})"),
    ),
    # Emphasis and elements around the name.
    (
        "**password:** ⟦x1⟧",
        r"(?P<emphasis>:?(?:\*\*|</[a-z]{1,10}>):?[ ]|</t[hd]>\s{0,9}<td>|</dt>\s{0,9}<dd>)(?=[^<\s])",
    ),
    ("<password>⟦x1⟧</password>", r"(?P<xml>(?:[ ][^<>]{1,100})?>)(?=[^<\s])"),
    ('name="password"\n\n⟦x1⟧', r"(?P<form>(?:(?:\\r)?\\n|\r?\n){2})"),
    ("('password', '⟦x1⟧')", rf"(?P<pair>,\s{{0,4}}{_AHEAD})"),
    # The line below, and below a line under the name.
    (
        "password:\n⟦hunter-2x1⟧",
        (r"(?P<below>(?:[ ]is)?(?::\*{0,2}[ \t]{0,8}|[ \t]{0,8}\n[ \t]{0,8}[=~-]{3,80}[ \t]{0,8})\n\s{0,40})"
         r"(?=[^\s]{8,256}[ \t]{0,8}(?:\n|\Z))"),
    ),
    # A sentence, or a row of a table: only a value with a digit can be a secret.
    (
        "log in with password ⟦hunter-2x1⟧",
        (r"(?P<gap>(?:[ ](?:is|was|provided))?:?(?:[ \t]{0,8}(?:[|│→?-]|\.{3,40})[ ]|[ ][\[(](?=\S)|[ \t]{1,40}))"
         r"(?=[^\s0-9]{0,40}[0-9])"),
    ),
    # The heading of a column, with other cells beside it or alone: the secrets stand in the lines below.
    ("user,password\nann,⟦hunter-2x1⟧", r"(?P<column>(?=[\"'`]?[ \t]{0,40}(?:[|\u2502,;\t]|[ ]{2}|\n)))"),
)  # fmt: skip
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
_HEAD: Final = lazy_pattern(r"(?P<name>[\w.$:/#-]*)(?P<quote>[\"'`]?)")
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
# What is read of a table below a heading, what parts its columns, and what stands around the text of a cell.
_MIN_COLUMNS: Final = 2
_MAX_ROWS: Final = 20
_TABLE_CHARACTERS: Final = 2000
_SEPARATORS: Final = "|\u2502\t;,"
_AROUND_CELL: Final = " \"'`*"
_TABLE_LINE: Final = lazy_pattern(r"[^\n]+")
_WORD_OF_CELL: Final = lazy_pattern(r"\w")
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
        return _last_word(value) == _last_word(self.whole_name)

    @property
    def whole_name(self) -> str:
        """The name from its beginning on."""
        return self.name + self.text[slice(*self.match.span("name"))]


def _last_word(dotted: str) -> str:
    """Return the last part of a dotted name, lowered and without underscores: `tokenvalue` of `a.token_value`."""
    return dotted.rstrip(",;:)").rpartition(".")[2].replace("_", "").replace("-", "").lower()


def lowered(text: str) -> str:
    """Return the text with its ASCII letters lowered, so that all positions are the same."""
    if text.isascii():
        return text.lower()
    # Some other letters become two characters, and then all positions behind would be wrong.
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def names_in(lower: str) -> set[str]:
    """Return the literals of names in a lowered text: no name stands in a text without its literal."""
    return {literal for literal in _LITERALS if literal in lower}


def values_beside(text: str, lower: str, literals: set[str]) -> list[SecretSpan]:
    """Return the secrets beside names, in no order; ``lower`` is the lowered text with these literals."""
    spans: list[SecretSpan] = []
    names = [entry for entry in _NAMES if entry[0] in literals] if literals else []
    for _, name, strength in names if lower.isascii() else (*names, ("", _FOREIGN, STRONG)):
        spans += _values(text, lower, compiled(f"(?P<name>(?:{name}){_SUFFIX}){_PLURAL}{_AFTER}"), strength)
    return spans


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
            if match["column"] is not None:
                yield from _column(hit)
                continue
            value = _value(hit) if done == hit.start else None
            if value is not None:
                if value[1] >= hit.last:
                    hit.last = len(text)
                    value = _value(hit) or value
                yield value
                done = max(done, value[1])


def _value(hit: _Hit) -> SecretSpan | None:
    match = hit.match
    if match["sign"] is not None and not match["open"]:
        return _unquoted(hit)
    if match["gap"] is not None or match["below"] is not None:
        return _in_sentence(hit)
    if match["pair"] is not None:
        return _second_of_pair(hit)
    if match["xml"] is not None or match["form"] is not None:
        return _in_markup(hit)
    if match["open"] is not None:
        return _quoted(hit)
    end = _end(_LINE if match["block"] else _XML_TEXT if "<" in (match["emphasis"] or "") else _WORD, hit)
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
    is_told = hit.strength == CODE and hit.match["gap"] is not None and hit.match["gap"].strip() != ""
    return _unless_innocent(hit, end) if is_told or looks_random(value.rstrip(".,:"), _SHORTEST_SURE) else None


def _column(hit: _Hit) -> Iterator[SecretSpan]:
    """Yield the secrets in the column of a table whose heading is the name."""
    text, start = hit.text, hit.match.start()
    first = max(start - _LINE_CHARACTERS, text.rfind("\n", 0, start) + 1)
    lines = list(_TABLE_LINE.finditer(text, first, start + _TABLE_CHARACTERS))
    sign = next((sign for sign in _SEPARATORS if sign in lines[0][0]), "")
    cells = compiled(rf"[^\n{sign}]+" if sign else r"\S+(?:[ ]\S+)*")
    heading = [cell[0].strip(_AROUND_CELL) for cell in cells.finditer(lines[0][0])]
    if len(heading) < _MIN_COLUMNS or hit.whole_name not in heading:
        return
    for line in lines[1:_MAX_ROWS]:
        if sign and line[0].count(sign) != lines[0][0].count(sign) and _WORD_OF_CELL.search(line[0]):
            return
        row = list(cells.finditer(text, *line.span()))
        if len(row) == len(heading):
            cell = row[heading.index(hit.whole_name)]
            value = cell[0].strip(_AROUND_CELL)
            if looks_random(value, _SHORTEST_SURE) and not is_innocent(value, hit.strength):
                at = text.index(value, cell.start())
                yield at, at + len(value), is_sure(value, hit.strength)


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


_MAX_KEY_LENGTH: Final = 20_000
# The lines of a key, read backwards from its END: also behind the `E` of pytest, and with line ends as JSON and `repr`
# write them. Only the last line is shorter than the others, and the first one where it was cut.
_LINE_END: Final = r"(?:[\s\"',]|[nr]\\{1,4}|(?<=\s)[E>+?-](?=\s))"
_KEY_LINE: Final = r"-----?[ ]?{} [A-Z0-9 ]{{0,30}}PRIVATE KEY(?: BLOCK)?[ ]?-----?"
_PRIVATE_KEY: Final = (
    rf"{_KEY_LINE.format('BEGIN')}(?:[\s\S]{{0,{_MAX_KEY_LENGTH}}}?{_KEY_LINE.format('END')}|[A-Za-z0-9+/=\s\\:,-]*)"
    rf"|(?P<cut>{_KEY_LINE.format('END')})"
)
_KEY_LINES: Final = (
    rf"{_LINE_END}*[A-Za-z0-9+/=]+(?!\\)(?:{_LINE_END}+[A-Za-z0-9+/]{{40,}}(?!\\))*"
    rf"(?:{_LINE_END}+[A-Za-z0-9+/]{{16,}})?"
)

# What tokens begin with; 16 characters follow that look random.
_PREFIX_WORDS: Final = """
ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glagent- glcbt- gldt- glffct- glft- glimt- gloas- glpat- glptt- glrt- glsoat- xoxa-
xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp- sk_live_ sk_test_ rk_live_ rk_test_ whsec_ sk- npm_ hf_ gsk_ pplx-
xai- r8_ lsv2_pt_ lsv2_sk_ pcsk_ nvapi- dop_v1_ doo_v1_ dor_v1_ duffel_live_ duffel_test_ fo1_ fm2_ fio-u- glsa_ glc_
HRKU- lin_api_ nfp_ NRAK- NRII- API- pscale_pw_ pscale_tkn_ pscale_oauth_ PMAK- pnu_ pul- pypi- rdme_ rubygems_ sntrys_
sntryu_ shippo_live_ shippo_test_ shpat_ shpca_ shppa_ shpss_ squ_ sqp_ sqa_ sgp_ sq0atp- sq0csp- sbp_ tskey- tfp_ ops_
p8e- bkua_ CCIPAT_ CLOJARS_ CFPAT- figd_ ntn_ dckr_pat_ dckr_oat_ xkeysib- GOCSPX- testmo_api_ sb_secret_ waka_ tvly-
key- v1.0- pat-na1- pat-eu1-
"""
_PREFIXES: Final = tuple(_PREFIX_WORDS.split())
# Those of them that words begin with, too.
_OF_WORDS: Final = ("key-", "v1.0-")
# Words in small letters alone are passed over at once; a prefix stands at the beginning of a word.
_RUNS: Final = {sign: rf"{sign}(?=[\w+/=-]{{16}})(?=[a-z_+/=-]{{0,15}}[A-Z0-9])" for sign in "_-"}
_EDGE: Final = r"(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F]{2})"
# Behind a token may stand the next one, whose prefix the first one has taken.
_REST: Final = r"(?:[\w-]|[.:=~](?=[\w.-]{8}))*"
_BODY: Final = r"(?:[\w+/-]|[.:=~](?=[\w.-]{8}))+"
_LONGEST_PREFIX: Final = max(map(len, _PREFIXES))
_UNIFORM: Final = "(?=[A-Z]*[a-z])(?=[a-z]*[A-Z])[A-Za-z]{20}|[0-9]{16}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{20}"

_TOKENS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "A",
        (
            "A(?:[BKS]IA[A-Z0-9]{16}|Iza|TATT3|TCTT3|GE-SECRET|KCp|BSK|I(?<=LTAI)|ZDO[A-Za-z0-9]|K(?<=EZAK)"
            r"|A(?<=(?:E|:)AA)[\w-]{20})"
        ),
        (
            r"A[BKS]IA(?!X{8})[A-Z0-9]{16}|AIza[\w-]{35}|AT[AC]TT3[\w=-]{50,}|AKCp[A-Za-z0-9]{60,}"
            "|AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58}|ABSK[A-Za-z0-9+/]{100,}|LTAI[A-Za-z0-9]{16,}"
            r"|[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}|EAA[A-Za-z0-9]{40,}|EZAK[A-Za-z0-9]{50,}|[0-9]{8,10}:AA[\w-]{33}"
        ),
    ),
    ("48941", r"GR1348941[\w-]{20,}"), ("SK", "(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9a-f])"),
    ("-us", "(?<![0-9a-f])[0-9a-f]{32}-us[0-9]{1,2}"), ("1//0", r"1//0[\w-]{40,}"), ("dapi", "dapi[a-f0-9]{32}"),
    ("pat", r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"), ("hv", r"hv[bs]\.[\w-]{24,}"),
    ("t0c01", r"dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"), (".G", r"[MNO][\w-]{23,27}\.G[\w-]{5}\.[\w-]{27,}"),
    ("dp.", r"dp\.(?:ct|pt|st|sa|scim|audit)\.[\w.-]{40,}"), ("ya29.", r"ya29\.[\w-]{20,}"),
    ("SG.", r"SG\.[\w-]{22}\.[\w-]{43}"), ("sv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    ("~", r"[0-9Q6]~[\w-]{30}", r"sha256~[\w-]{43}|[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),
    # JSON Web Tokens: header, payload and signature, or five parts when encrypted. They begin a word, also behind an
    # escape sequence of `repr`: `\neyJ...`. Those of Mapbox have two parts.
    ("eyJ", r"eyJ(?:(?<![\w-]eyJ)|(?<=\\[nrt]eyJ))[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){1,3}|sk\.eyJ[\w-]{8,}\.[\w-]{16,}"),
    # Passwords as programs store them, `$6$salt$hash`.
    ("$", r"\$(?=[\w$=,./+-]{0,150}[0-9])[\w=,.:-]{1,40}(?:\$[\w=,./+-]{1,64}){0,3}\$[./\w+-]{20,}={0,2}"),
    # A URL within another one.
    ("%", "%40", r"((?i:%3a%2f%2f)[^\s%&'\"]{0,60}(?i:%3a))(?:(?!%2[fF])[^\s&'\"]){1,200}(?=%40)"),
    # A token that pytest has shortened.
    (
        "...",
        r"\.\.\.(?<=[\w-]\.\.\.)(?=[A-Za-z_.=-]{0,60}[0-9])[\w.=-]{6}",
        rf"(?:{_EDGE})(?:{'|'.join(_PREFIXES)}|hv[bs]\.|AKIA|eyJ)[\w-]{{3,60}}\.{{3}}(?=[A-Za-z_.=-]{{0,60}}[0-9])[\w.=-]{{6,60}}",
    ),
    ("hook", r"((?:hooks\.slack\.com/[a-z]{1,12}|/api/webhooks/[0-9]{10,}|\.office\.com/webhookb2)/)[\w@/-]{20,}"),
    ("earer", r"([Bb]earer(?:\s{1,4}|%20))(?=[A-Za-z._~+/=-]{0,200}[0-9])[\w.~+/=-]{16,}"),
)  # fmt: skip
"""Tokens: a literal in each of them, and the expression for one, whose first group stays in front of the mark.

Between them may stand an expression that matches wherever the last one does: in 32,000 characters it takes 10 to 25 us,
and to compile the last one takes 0.5 ms and more, which the short texts of a session without failures do not need.
"""

_BASIC: Final = r"(Basic\s{1,4})([A-Za-z0-9+/]{8,}={0,2})"
# In any spelling: `"Cookie": "value"`, `authorization=value`, `"Cookie": None` or a number or a list, `Cookie: value`
# up to the end of the line, or of the quotes around the header, as in `curl -H "Cookie: value"`.
_HEADER: Final = (
    r"(?P<name>[AaCc](?:(?i:uthorization)(?P<before>(?<=[\"'].{13}))?|(?i:ookie)(?P<ahead>(?<=[\"'].{6}))?))(?P<quote>[\"'])?"
    r"(?:\s{0,4}:\s{0,4}|(?<=[\"'])\s{0,4},\s{0,4}|(?P<equals>(?<=[nN])=))(?:[bfruBFRU]{1,2}(?=[\"']))?(?P<open>[\"'])?"
    r"(?P<value>(?(open)(?:(?!(?P=open))[^\\\r\n]|\\.)*|(?(equals)(?:{SCHEMES})?[^\s\"']*"
    r"|(?(quote)(?:[\[(][^\r\n]*|[^\s,}\])]*)|(?:(?(before)[^\\\r\n\"']|(?(ahead)[^\\\r\n\"']|[^\\\r\n]))|\\[^rn])*))))"
)
_SCHEMES: Final = r"(?i:aws4-hmac-sha256|apikey|basic|bearer|digest|dpop|hmac|key|negotiate|ntlm|token)\s+(?=\S)"
# Code instead of a value, as in `{"Authorization": auth_token}` and `cookie: str | None`.
_EXPRESSION: Final = (
    r"[A-Za-z]+(?:[._][A-Za-z_]+)+[(\[),}\s]*$|(?:[A-Za-z_]+\.)*[A-Za-z_]+[(\[]|[A-Za-z]+(?: \|| =)|authorization\b"
)
# A switch or a short number is not a session.
_PLAIN_COOKIE: Final = r"[\w-]+=(?:[0-9]{1,3}|true|false|yes|no|on|off)"
_NO_VALUES: Final = frozenset({"", "None", "null", "undefined"})
_SIGNED: Final = r"(?i)(?:X-(?:Amz|Goog)-[\w-]{1,30}|sig(?:nature)?)=\Z"
_SIGNED_WINDOW: Final = 48
# Values of one text that are also hidden elsewhere in it: each costs one more search.
_MAX_SURE_VALUES: Final = 16
_MAX_FOUND_VALUES: Final = 64
_PARTS: Final = r"[\s;,\"'&@:=]+"
_SHORTEST_PART: Final = 12


def masked_credentials(text: str, found: dict[str, None], *, is_address: bool = False) -> str:
    """Mask all credentials, but no signature of an address, and add those that are surely secrets to ``found``."""
    # Once for all that follows: hiding a secret adds no literal.
    lower = lowered(text)
    names = names_in(lower)
    mask = mask_spans(text, _keys(text)) if "priva" in names else text
    spans = sorted((*values_beside(mask, lower, names), *values_by_position(mask, lower, names)))
    if is_address:
        signed = compiled(_SIGNED)
        spans = [span for span in spans if not signed.search(mask[max(0, span[0] - _SIGNED_WINDOW) : span[0]])]
    if spans:
        mask = mask_spans(mask, [(start, end) for start, end, _ in spans])
    mask = _masked_tokens(mask)
    if "asic " in mask:
        mask = compiled(_BASIC).sub(lambda match: _hidden(match) if is_basic(match[2]) else match[0], mask)
    if "@" in mask and ("://" in mask or ":\\/" in mask):
        mask = _USERS.sub(_user, mask)
    if "auth" in names or "ookie" in lower:
        headers = compiled(_HEADER.replace("{SCHEMES}", _SCHEMES)).finditer(mask)
        mask = mask_spans(mask, [(header.start("value") + _kept_length(header), header.end()) for header in headers])
    if FILLER not in mask:
        return mask
    sure = [text[start:end] for start, end, is_sure in spans if is_sure]
    sure += [value for start, end in runs(mask) for value in _sure_parts(text[start:end])]
    values = dict.fromkeys(sure[:_MAX_SURE_VALUES])
    if len(found) < _MAX_FOUND_VALUES:
        found.update(values)
    for value in sorted(values, key=len, reverse=True):
        mask = mask.replace(value, FILLER * len(value))
    return mask


def _sure_parts(value: str) -> list[str]:
    """Return a hidden value if it is certainly a secret, else its parts that are: of a cookie, of a user in a URL."""
    if looks_random(value, _SHORTEST_SURE):
        return [value]
    return [part for part in compiled(_PARTS).split(value) if looks_random(part, _SHORTEST_PART)]


def _masked_tokens(text: str) -> str:
    text = mask_spans(text, sorted(span for sign in _RUNS if sign in text for span in _prefixed(text, sign)))
    for literal, *probes, pattern in _TOKENS:
        if literal in text and all(compiled(probe).search(text) for probe in probes):
            text = compiled(f"(?:{pattern}){_REST}").sub(_hidden, text)
    return text


def _prefixed(text: str, sign: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of tokens whose prefix ends with this sign."""
    done = 0
    for run in compiled(_RUNS[sign]).finditer(text):
        if run.start() < done or not text.endswith(_PREFIXES, max(done, run.end() - _LONGEST_PREFIX), run.end()):
            continue
        prefix = max((prefix for prefix in _PREFIXES if text.endswith(prefix, done, run.end())), key=len)
        head = text[run.end() : run.end() + _HEAD_CHARACTERS]
        body = compiled(r"[\w+/=.~-]+").match(head)
        if prefix in _OF_WORDS:
            is_random = compiled(r"[0-9a-f]{24}[0-9a-f-]{8}").match(head) is not None
        else:
            is_random = body is not None and (looks_random(body[0]) or compiled(_UNIFORM).search(body[0]) is not None)
        start = run.end() - len(prefix)
        if is_random and compiled(_EDGE).match(text, start):
            end = compiled(_BODY).match(text, run.end())
            done = run.end() if end is None else end.end()
            yield start, done


def _hidden(match: re.Match[str]) -> str:
    kept = match[1] if match.re.groups else ""
    return f"{kept}{FILLER * (len(match[0]) - len(kept))}"


def _kept_length(header: re.Match[str]) -> int:
    """Return the length of the beginning of a header's value that is no secret: words, placeholders and code."""
    value = header["value"]
    whole = len(value)
    if value.strip() in _NO_VALUES or (not header["open"] and compiled(_EXPRESSION).match(value)):
        return whole
    if header["name"].lower() == "cookie":
        return whole if "=" not in value or compiled(_PLAIN_COOKIE).fullmatch(value) else 0
    scheme = compiled(_SCHEMES).match(value)
    if scheme is None:
        return whole if is_innocent(value, STRONG) else 0
    credentials = value[scheme.end() :]
    word = credentials.split(None, 1)[0].strip("`.,\"')")
    # What is hidden already looks like a placeholder.
    is_plain = FILLER not in word and (
        is_placeholder(credentials) or is_placeholder(word) or word.lower() in {"token", "secret"}
    )
    return whole if is_plain else scheme.end()


def _keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of private keys, also of those that were cut at one end."""
    done = 0
    for key in compiled(_PRIVATE_KEY).finditer(text):
        start = key.start()
        if key["cut"]:  # an END without a BEGIN: the beginning of the key was cut off
            lines = compiled(_KEY_LINES).match(text[max(done, start - _MAX_KEY_LENGTH) : start][::-1])
            start -= lines.end() if lines else 0
        done = key.end()
        yield start, done


_IN_QUOTES: Final = r"(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\")"
_VALUE: Final = rf"(?:{_IN_QUOTES}|(?P<bare>[^\s'\"|;&]+))"
# Between arguments: spaces, or the quotes of a list.
_GAP: Final = r"(?:[ \t]{1,4}|['\"],\s{0,8}[bfru]?['\"])"
_ARGUMENTS: Final = rf"(?:{_GAP}[^\s|;&'\"]{{1,100}}){{0,8}}?{_GAP}"
_ARGUMENT_NAME: Final = r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|secret|private)[_-]?key)"
# Not the help of a command: there a word in capitals stands for the value, or a sentence follows.
_NO_HELP: Final = r"(?![-\[<]|[A-Z_]+\b|[a-z]+[ ][a-z]+[ .,])"
# Two texts behind a name, of which the second one is the secret.
_USER_AND: Final = (
    r"['\"]?(?:\s{0,10}[=:])?\s{0,4}[(\[]\s{0,8}b?['\"][^'\"\n]{1,100}['\"],\s{0,8}b?"
    rf"{_IN_QUOTES}\s{{0,8}}[,)\]]"
)
_OF_ARGUMENTS: Final = "pass secre token key"
# What calls are given; all of them have a bracket.
_CALLS: Final = (
    ("login", rf"ogin(?<![a-z][a-z]login){_USER_AND}"), ("ign_i", rf"ign_in{_USER_AND}"),
    ("ernet", rf"Fernet\(b?{_IN_QUOTES}"), ("hmac.", rf"hmac\.new\(b?{_IN_QUOTES}"),
    ("lient", rf"lient\(['\"]AC[0-9a-f]{{32}}['\"],[ ]{_IN_QUOTES}"),
)  # fmt: skip
_POSITIONS: Final = (
    ("o-sec", rf"To-SecureString[ ]{_IN_QUOTES}"), ("denti", rf"IDENTIFIED BY {_IN_QUOTES}"),
    ("docke", rf"docker{_GAP}login{_ARGUMENTS}-p{_GAP}?{_VALUE}"),
    ("edis-", rf"redis-cli{_ARGUMENTS}-a{_GAP}?{_VALUE}"),
    ("mysql", rf"mysql(?:dump|admin|import)?{_ARGUMENTS}-p{_VALUE}"),
    ("curl", rf"curl{_ARGUMENTS}(?:-u|--user|--proxy-user|-U)(?:{_GAP}|=|)['\"]?[^\s:'\"]{{0,99}}:(?P<bare>[^'\"\s]+)"),
    ("penss", rf"openssl{_ARGUMENTS}-k{_GAP}(?!pass:){_VALUE}"),
    # The line of a `.pgpass` file: host, port, database, user, password. The signature of a request in botocore's log.
    (":5432", r"(?m:^)[^\s:]{1,200}:5432:[^\s:]{1,100}:[^\s:]{1,100}:(?P<bare>[^\r\n]+)"),
    ("ure:\n", "ignature:\n(?P<bare>[0-9a-f]{64})"),
)  # fmt: skip
# The same, of texts with the literals of names.
_NAMED_POSITIONS: Final = (
    ("priva", r"Private-Lines: [0-9]{1,3}\s(?P<bare>(?:[A-Za-z0-9+/=]{1,64}(?:(?:\s|\\[nr]){1,4}|\Z)){1,99})"),
    (_OF_ARGUMENTS, rf"--(?<![\w-]--)(?=[a-z])[a-z_-]{{0,30}}(?i:{_ARGUMENT_NAME})[ \t]{{1,4}}{_NO_HELP}{_VALUE}"),
    # An error of pydantic, below the name of its field.
    (_OF_ARGUMENTS, rf"(?i:{_ARGUMENT_NAME})\n(?:E[ ])?[ ]{{1,12}}[^\n]{{1,300}}\binput_value={_IN_QUOTES}"),
    ("pass", rf"login\s{{1,8}}\S{{1,60}}\s{{1,8}}password\s{{1,8}}{_VALUE}"),
    # `auth=("ann", "x")`, `HTTPBasicAuth("ann", "x")`, `"auth": ["ann", "x"]`.
    ("auth", rf"uth(?:enticate)?(?<![Oo][Aa]uth){_USER_AND}"), ("cred", rf"redentials?{_USER_AND}"),
    ("jwt", r"jwt\.(?:en|de)code\([^,\n]{1,200},[ ]b?['\"](?P<bare>(?=[^'\"\n]{16})[^'\"\n]+)['\"]"),
    ("pass", rf"assw(?:or)?d(?:(?<=(?:set|eck|ify|nge|ash|ter)_password)|(?<=etPassword))\({_IN_QUOTES}"),
    ("pass", rf"assw(?:or)?d[^\n]{{0,40}}\.send_keys\({_IN_QUOTES}"),
    ("pass", rf"variable \"[a-z_]{{0,60}}passw(?:or)?d\" \{{[^{{}}]{{0,200}}?default\s{{0,9}}=[ ]{_IN_QUOTES}"),
    ("pass", r"<input(?=[^<>]{0,200}type=[\"']?password)[^<>]{0,200}[ ]value=[\"'](?P<bare>[^\"'<>]+)"),
    ("pass", rf"sshpass{_GAP}-p{_GAP}?{_VALUE}"),
    ("pass", rf"-(?:passin|passout|pass|k){_GAP}['\"]?pass:(?P<bare>[^\s'\"]+)"),
)  # fmt: skip
# A value of a name in pytest's explanation of an assertion: `where 'x' = user.password`.
_WHERE: Final = lazy_pattern(
    r"where b?(?P<quote>['\"])(?P<text>(?:(?!(?P=quote))[^\\\n]|\\.)+)(?P=quote) = "
    rf"[^\n]{{0,400}}?(?:{_ARGUMENT_NAME}|pwd)(?:\(\))?[ ]*$",
    re.IGNORECASE | re.MULTILINE,
)
# The statement that failed, as the long and the short style of pytest and Python itself show it, and the lines of its
# exception.
_STATEMENT: Final = lazy_pattern(
    r"^(?:> +|(?:[^\s:][^:\n]{0,300}:[0-9]{1,9}: in|  File [^\n]{1,300}, in) [^\n]{1,200}\n {4,})"
    r"(?P<code>(?:assert|raise|[\w.()]{1,80}\.assert\w+)\b[^\n]*(?:\n {5,}[^\n]*){0,9})",
    re.MULTILINE,
)
_EXCEPTION: Final = lazy_pattern(r"\n(?:E [^\n]*(?:\nE [^\n]*){0,40}|[\w.]{1,100}Error: [^\n]*(?:\n [^\n]*){0,40})")
# A variable, a member or a subscript with the name of a secret, and not a text, an argument's name or an object.
_OPERAND: Final = lazy_pattern(
    rf"(?:[\[(][\"']|(?<![\w\"'-]))[\w.]{{0,60}}?{_ARGUMENT_NAME}s?(?:\(\))?[\"'\])]{{0,3}}(?![\w.(\"'-]|=[^=]|[ ]?:)",
    re.IGNORECASE,
)
# A comparison with one of its sides, and both sides as pytest shows them.
_QUOTES: Final = "[\"'\\])]{0,3}"
_COMPARED: Final = lazy_pattern(
    rf"assert [^\n]{{0,200}}?(?:{_ARGUMENT_NAME}(?:\(\))?{_QUOTES} (?:[=!]=|is(?! not)) "
    rf"|(?:[=!]= |assert not )[\w.()\[\"']{{0,80}}?{_ARGUMENT_NAME}(?:\(\))?{_QUOTES}(?:[,\n]|\Z))",
    re.IGNORECASE,
)
_SIDE: Final = lazy_pattern(
    r"(?:assert|[=!]=|is|not) b?(?P<quote>['\"])(?P<text>[^\n]{1,200}?)(?P=quote)(?= [=!]= | is |\n|\Z)"
)
_TEXT: Final = lazy_pattern(r"(?P<quote>['\"])(?P<text>(?:(?!(?P=quote))[^\\\n]|\\.){8,200})(?P=quote)")
_EXCEPTION_CHARACTERS: Final = 4000


def values_by_position(text: str, lower: str, names: set[str]) -> Iterator[SecretSpan]:
    """Yield the secrets that are known by their position alone; ``names`` are the literals of names in the text."""
    entries = (*_CALLS, *_POSITIONS) if "(" in lower or "[" in lower else _POSITIONS
    patterns = [pattern for literal, pattern in entries if literal in lower]
    if names:
        patterns += [pattern for literals, pattern in _NAMED_POSITIONS if not names.isdisjoint(literals.split())]
    for pattern in patterns:
        for match in compiled(pattern).finditer(text):
            group = match.lastgroup or ""
            if not is_innocent(match[group], STRONG):
                yield *match.span(group), False
    shown = [
        *((match.span("text") for match in _WHERE.finditer(text)) if names and "where" in text else ()),
        *(_operands(text) if names and ("\nE " in text or "rror: " in text) else ()),
    ]
    for start, end in shown:
        yield start, end, end - start >= _SHORTEST_SURE
    # The lines below show the same values. A short one is hidden as a word alone: a test may call its secret "a".
    values = list(dict.fromkeys(text[start:end] for start, end in shown))[:_MAX_SURE_VALUES]
    words = [re.escape(value) for value in values if 1 < len(value) < _SHORTEST_SURE]
    if words:
        for match in re.finditer(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", text):
            yield *match.span(), False


def _operands(text: str) -> Iterator[tuple[int, int]]:
    """Yield the values that an exception shows of what its statement names as a secret."""
    for statement in _STATEMENT.finditer(text):
        code = statement["code"]
        shown = _EXCEPTION.search(text, statement.end(), statement.end() + _EXCEPTION_CHARACTERS)
        if shown is None or not _OPERAND.search(code):
            continue
        end_of_line = text.find("\n", shown.start() + 1)
        end_of_line = len(text) if end_of_line < 0 else end_of_line
        if _COMPARED.search(code):
            for side in _SIDE.finditer(text, shown.start(), end_of_line):
                if not is_innocent(side["text"], STRONG):
                    yield side.span("text")
        for value in _TEXT.finditer(text, *shown.span()):
            if looks_random(value["text"], _SHORTEST_SURE):
                yield value.span("text")


# User and password of a URL; JSON may have a backslash before each slash. `:8080` is a port. A password ends at the "@"
# before a host. It has a space only where no path has begun: `http://host:port/path and me@example.org`.
_HOST_BEHIND: Final = r"(?=@(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?#\s\"'<>(),;\]}`\\&]|\Z))"
_USERS: Final = lazy_pattern(
    r":\\?/\\?/(?P<user>[^\s/?#@:\"'<>\\\[]*)(?:(?=@)|:(?![0-9]{1,5}(?:[/?#\s\"'<>),;\]}`\\]|\Z))"
    rf"(?P<password>(?:(?!:\\?/\\?/)[^\s<>]){{1,256}}?|[^\s/<>@\"'][^\r\n/<>@\"']{{0,255}}){_HOST_BEHIND})"
)
_MIN_TOKEN_LENGTH: Final = 16


def _user(match: re.Match[str]) -> str:
    """Mask user and password of a URL; a short user without a password stays."""
    is_secret = (
        len(match["user"]) >= _MIN_TOKEN_LENGTH if match["password"] is None else not is_placeholder(match["password"])
    )
    start = match.start("user") - match.start()
    return match[0][:start] + FILLER * (len(match[0]) - start) if is_secret else match[0]
