"""Hide everything that looks like a credential: tokens of providers, private keys, URLs, headers, named values.

Nearly all texts have none. Each pattern therefore has a literal without which it cannot match: it is searched first,
and the regular expression is compiled only when it was found. Every expression is linear in the length of a text: it
begins with a literal, one class of characters follows, and no repetition contains another one that matches the same
characters.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.secret_values import (
    STRONG,
    SecretSpan,
    is_innocent,
    is_placeholder,
    looks_random,
    lowered,
    values_beside,
)
from pytest_automation_report.text.visible import FILLER, masked, runs
from pytest_automation_report.unpatched import compiled, lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_KEY_LENGTH: Final = 20_000
# The lines of a key, read backwards from its END: also behind the `E` of pytest, and with line ends as JSON and `repr`
# write them. Only the last line is shorter than the others, and the first one where it was cut.
_LINE_END: Final = r"(?:[\s\"',]|[nr]\\{1,4}|(?<=\s)[E>+?-](?=\s))"
_KEY_LINES: Final = (
    rf"{_LINE_END}*[A-Za-z0-9+/=]+(?!\\)(?:{_LINE_END}+[A-Za-z0-9+/]{{40,}}(?!\\))*"
    rf"(?:{_LINE_END}+[A-Za-z0-9+/]{{16,}})?"
)

_TOKENS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "_",
        "_(?:(?<=hf_)|(?<=(?:gh[pousr]|gsk|igd|sbp|ntn|ive|est|sec|npm|ems|_v1|pat|pca|ppa|pss|lsa|api)_))[A-Za-z0-9+/=]{16}",
        (
            "gh[pousr]_[A-Za-z0-9]{36,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}"
            "|npm_[A-Za-z0-9]{36,}|rubygems_[a-f0-9]{48}|hf_[A-Za-z]{34,}|gsk_[A-Za-z0-9]{40,}"
            r"|figd_[\w-]{40,}|sbp_[a-f0-9]{40}|ntn_[A-Za-z0-9]{40,}|dop_v1_[a-f0-9]{64}"
            "|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|lin_api_[A-Za-z0-9]{40}"
        ),
    ),
    ("gl", r"gl(?:agent|cbt|dt|ffct|ft|imt|oas|pat|ptt|rt|soat)-[\w.-]{20,}"),
    (
        "A",
        "A(?:KIA|SIA|Iza|TATT3|TCTT3|GE-SECRET|KCp)",
        (
            r"A[KS]IA[A-Z0-9]{16}|AIza[\w-]{35}|AT[AC]TT3[\w=-]{50,}|AKCp[A-Za-z0-9]{60,}"
            "|AGE-SECRET-KEY-1[A-Z0-9]{58}"
        ),
    ),
    ("48941", r"GR1348941[\w-]{20,}"),
    ("CSPX-", r"GOCSPX-[\w-]{28,}"),
    ("xox", "xox[a-z]-[A-Za-z0-9-]{10,}"),
    ("xapp-", "xapp-[A-Za-z0-9-]{20,}"),
    ("sk-", r"sk-(?:(?:admin|ant|or-v1|proj|svcacct)-[\w-]{20,}|[A-Za-z0-9]{48})"),
    ("xai-", "xai-[A-Za-z0-9]{60,}"),
    ("vapi-", r"nvapi-[\w-]{60,}"),
    ("skey-", "tskey-[a-z]{3,12}-[A-Za-z0-9-]{20,}"),
    ("dp.", r"dp\.(?:ct|pt|st|sa|scim|audit)\.[\w.-]{40,}"),
    ("_pat_", r"github_pat_\w{40,}"),
    ("dckr_", r"dckr_[op]at_[\w-]{20,}"),
    ("HRKU-", r"HRKU-[\w-]{36,}"),
    ("PMAK-", "PMAK-[a-f0-9]{24,}-[a-f0-9]{24,}"),
    ("scale", r"pscale_(?:pw|tkn|oauth)_[\w-]{32,}"),
    ("i-AgE", r"pypi-AgE[\w-]{40,}"),
    ("ya29.", r"ya29\.[\w-]{20,}"),
    ("SG.", r"SG\.[\w-]{22}\.[\w-]{43}"),
    ("dapi", "dapi[a-f0-9]{32}"),
    ("hv", r"hv[bs]\.[\w-]{24,}"),
    ("NRAK-", "NRAK-[A-Z0-9]{27}"),
    ("sntry", r"sntry[su]_[\w=+/-]{40,}"),
    ("_api_", r"testmo_api_[\w.=-]{20,}"),
    # JSON Web Tokens: header, payload and signature, or five parts when encrypted. They begin a word, also behind an
    # escape sequence of `repr`: `\neyJ...`.
    ("eyJ", r"eyJ(?:(?<![\w-]eyJ)|(?<=\\[nrt]eyJ))[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){1,3}"),
    ("Q~", r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),
    ("sv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    # A URL within another one.
    ("%40", r"((?i:%3a%2f%2f)[^\s%&'\"]{0,60}(?i:%3a))(?:(?!%2[fF])[^\s&'\"]){1,200}(?=%40)"),
    # A token that pytest has shortened.
    (
        "...",
        (
            r"(?:gh[pousr]_|github_pat_|glpat-|npm_|sk-|[sr]k_live_|xox[a-z]-|hv[bs]\.|hf_|pypi-|AKIA|eyJ)[\w-]{3,60}"
            r"\.\.\.(?=[A-Za-z_.=-]{0,60}[0-9])[\w.=-]{6,60}"
        ),
    ),
    ("-Line", r"(Private-Lines: [0-9]{1,3}\s)(?:[A-Za-z0-9+/=]{1,64}(?:(?:\s|\\[nr]){1,4}|\Z)){1,99}"),
    (":AA", r"[0-9]{8,10}:AA[\w-]{33}"),
    ("slack", "(hooks.slack.com/(?:services|workflows)/)[A-Za-z0-9/]{20,}"),
    ("hooks", r"(/api/webhooks/[0-9]{10,}/)[\w-]{40,}"),
    ("earer", r"([Bb]earer(?:\s{1,4}|%20))(?=[A-Za-z._~+/=-]{0,200}[0-9])[\w.~+/=-]{16,}"),
)
"""Tokens: a literal in each of them, and the expression for one, whose first group stays in front of the mark.

Between them may stand an expression that matches wherever the last one does: in 32,000 characters it takes 10 to 25 us,
and to compile the last one takes 0.5 ms and more, which the short texts of a session without failures do not need.
"""

# Behind a token may stand the next one, whose prefix the first one has taken.
_REST: Final = r"(?:[\w-]|[.:=~](?=[\w.-]{8}))*"
_BASIC: Final = r"(Basic\s{1,4})([A-Za-z0-9+/]{8,}={0,2})"
_HEADER_LITERALS: Final = ("thori", "ookie")
_HEADER_NAME: Final = "[AaCc](?:(?i:uthorization)|(?i:ookie))"
_HEADER: Final = (
    r"(?i)(authorization|cookie)([\"']?)"
    r"(?:\s{0,4}:\s{0,4}|(?<=[\"'])\s{0,4},\s{0,4}|(?<=[nN])=)(?:[bfru]{1,2}(?=[\"']))?([\"']?)"
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
_SHORTEST_SURE: Final = 8
_SHORTEST_PART: Final = 12


def masked_credentials(text: str, found: dict[str, None], *, is_address: bool = False) -> str:
    """Mask all credentials, but no signature of an address, and add those that are surely secrets to ``found``."""
    mask = masked(text, _keys(text)) if "TE KE" in text else text
    # Once for all that follows: hiding a secret adds no literal.
    lower = lowered(mask)
    spans = sorted((*values_beside(mask, lower), *values_by_position(mask)))
    if is_address:
        signed = compiled(_SIGNED)
        spans = [span for span in spans if not signed.search(mask[max(0, span[0] - _SIGNED_WINDOW) : span[0]])]
    if spans:
        mask = masked(mask, [(start, end) for start, end, _ in spans])
    mask = _masked_tokens(mask)
    if "asic " in mask:
        mask = compiled(_BASIC).sub(_basic, mask)
    if "@" in mask and ("://" in mask or ":\\/" in mask):
        mask = masked_users(mask)
    if any(literal in lower for literal in _HEADER_LITERALS):
        mask = masked(mask, _headers(mask))
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
    for literal, *probes, pattern in _TOKENS:
        if literal in text and all(compiled(probe).search(text) for probe in probes):
            text = compiled(f"(?:{pattern}){_REST}").sub(_hidden, text)
    return text


def _hidden(match: re.Match[str]) -> str:
    kept = match[1] if match.re.groups else ""
    return f"{kept}{FILLER * (len(match[0]) - len(kept))}"


def _basic(match: re.Match[str]) -> str:
    """Mask user and password in base64 behind `Basic`; other words stay."""
    try:
        is_pair = b":" in a2b_base64(match[2] + "=" * (-len(match[2]) % 4))
    except Base64Error:
        is_pair = False
    return _hidden(match) if is_pair else match[0]


def _headers(text: str) -> list[tuple[int, int]]:
    """Return the spans of secrets in ``Authorization`` and ``Cookie`` headers, in any spelling."""
    pattern = compiled(_HEADER)
    spans: list[tuple[int, int]] = []
    done = 0
    for name in compiled(_HEADER_NAME).finditer(text):
        header = pattern.match(text, name.start()) if name.start() >= done else None
        if header is not None:
            done = _end_of_value(text, header)
            kept = _kept_length(header[1].lower(), text[header.end() : done], is_quoted=bool(header[3]))
            spans.append((header.end() + kept, done))
    return spans


def _end_of_value(text: str, header: re.Match[str]) -> int:
    """Return the end of a header's value, which depends on its spelling."""
    name_quote, value_quote = header[2], header[3]
    if value_quote:  # "Cookie": "value"
        value = rf"(?:[^\\\r\n{value_quote}]|\\.)*"
    elif header[0].endswith("="):  # authorization=value
        value = rf"(?:{_SCHEMES})?[^\s\"']*"
    elif name_quote:  # "Cookie": None, or a number or a list
        value = r"[\[(][^\r\n]*|[^\s,}\])]*"
    else:  # Cookie: value, up to the end of the line, or of the quotes around the header: curl -H "Cookie: value"
        before = text[header.start() - 1] if header.start() else ""
        quote = before if before in {'"', "'"} else ""
        value = rf"(?:[^\\\r\n{quote}]|\\[^rn])*"
    match = compiled(f"(?i){value}").match(text, header.end())
    return header.end() if match is None else match.end()


def _kept_length(name: str, value: str, *, is_quoted: bool) -> int:
    """Return the length of the beginning of a header's value that is no secret: words, placeholders and code."""
    whole = len(value)
    if value.strip() in _NO_VALUES or (not is_quoted and compiled(_EXPRESSION).match(value)):
        return whole
    if name == "cookie":
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


def _keys(text: str) -> list[tuple[int, int]]:
    """Return the spans of private keys, also of those that were cut at one end."""
    spans: list[tuple[int, int]] = []
    done = 0
    for line in compiled("-----?[ ]?(BEGIN|END) ([A-Z0-9 ]{0,30})PRIVATE KEY(?: BLOCK)?[ ]?-----?").finditer(text):
        if line.start() < done:
            continue
        if line[1] == "BEGIN":
            start, done = line.start(), _end_of_key(text, line.end())
        else:  # an END without a BEGIN: the beginning of the key was cut off
            part = text[max(done, line.start() - _MAX_KEY_LENGTH) : line.start()]
            key = compiled(_KEY_LINES).match(part[::-1])
            start, done = line.start() - (key.end() if key else 0), line.end()
        spans.append((start, done))
    return spans


def _end_of_key(text: str, start: int) -> int:
    """Return the end of a private key: behind its END line, or at its last character if it was cut."""
    pattern = compiled("-----?[ ]?END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?[ ]?-----?")
    last_line = pattern.search(text, start, start + _MAX_KEY_LENGTH)
    if last_line is not None:
        return last_line.end()
    cut = compiled(r"[A-Za-z0-9+/=\s\\:,-]*").match(text, start)
    return start if cut is None else cut.end()


_IN_QUOTES: Final = r"(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\")"
_VALUE: Final = rf"(?:{_IN_QUOTES}|(?P<bare>[^\s'\"|;&]+))"
# Between arguments: spaces, or the quotes of a list.
_GAP: Final = r"(?:[ \t]{1,4}|['\"],\s{0,8}[bfru]?['\"])"
_ARGUMENTS: Final = rf"(?:{_GAP}[^\s|;&'\"]{{1,100}}){{0,8}}?{_GAP}"
_ARGUMENT_NAME: Final = r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|secret|private)[_-]?key)"
# Not the help of a command: there a word in capitals stands for the value, or a sentence follows.
_NO_HELP: Final = r"(?![-\[<]|[A-Z_]+\b|[a-z]+[ ][a-z]+[ .,])"
_POSITIONS: Final = (
    ("--", rf"--(?<![\w-]--)(?=[a-z])[a-z_-]{{0,30}}(?i:{_ARGUMENT_NAME})[ \t]{{1,4}}{_NO_HELP}{_VALUE}"),
    ("DENTI", rf"IDENTIFIED BY {_IN_QUOTES}"),
    # An error of pydantic, below the name of its field.
    ("put_v", rf"(?i:{_ARGUMENT_NAME})\n(?:E[ ])?[ ]{{1,12}}[^\n]{{1,300}}\binput_value={_IN_QUOTES}"),
    ("login", rf"login\s{{1,8}}\S{{1,60}}\s{{1,8}}password\s{{1,8}}{_VALUE}"),
    # User and password for requests and httpx: `auth=("ann", "x")`, `HTTPBasicAuth("ann", "x")`.
    (
        "uth",
        (
            rf"(?:auth['\"]?\s{{0,10}}[=:]\s{{0,4}}|(?:Basic|Digest|Proxy)Auth)\(\s{{0,8}}"
            rf"b?['\"][^'\"\n]{{1,100}}['\"],\s{{0,8}}b?{_IN_QUOTES}\s{{0,8}}\)"
        ),
    ),
    ("login", rf"docker{_GAP}login{_ARGUMENTS}-p{_GAP}?{_VALUE}"),
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


def values_by_position(text: str) -> Iterator[SecretSpan]:
    """Yield the secrets that are known by their position alone."""
    for literal, pattern in _POSITIONS:
        if literal in text:
            for match in compiled(pattern).finditer(text):
                group = match.lastgroup or ""
                if not is_innocent(match[group], STRONG):
                    yield *match.span(group), False
    shown = [
        *((match.span("text") for match in _WHERE.finditer(text)) if "where" in text else ()),
        *(_operands(text) if "\nE " in text or "rror: " in text else ()),
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


# JSON may have a backslash before each slash.
_USER: Final = lazy_pattern(r":\\?/\\?/([^\s/?#@:\"'<>\\\[]*)([:@])")
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
    """Return the index of the "@" behind user and password, None if there is no secret."""
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
