"""What credentials look like, and texts without them (floor 0, pure): addresses, headers, keys, tokens of providers.

Nearly all texts hold no credential, so each shape has literal texts without which it cannot occur: those are looked for
first, and a regular expression is compiled when its literal was met. Every expression is linear in the length of a
text: a literal begins it, one class of characters follows, and no repetition stands within another that could share it.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.named_secrets import named_values
from pytest_automation_report.text.secret_heuristics import MARK, Strength, is_innocent, is_placeholder
from pytest_automation_report.text.secret_positions import placed_values
from pytest_automation_report.text.secret_urls import without_parameters, without_users

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MARK", "without_credentials"]

# Python takes five times as long to look for a longer literal than this: its end is looked for first.
_PROBE: Final = 5
_KEY_CHARACTERS: Final = 20_000
_KEY_LINE_CHARACTERS: Final = 40

# Where a word begins, also behind an escape that `repr` has written: `\neyJ...`.
_EDGE: Final = r"(?:(?<![\w-]{literal})|(?<=\\[nrt]{literal}))"

_TOKENS: Final[tuple[tuple[str, str], ...]] = (
    *((f"gh{kind}_", "[A-Za-z0-9]{36,}") for kind in "pousr"),
    *((f"{kind}_{mode}_", "[A-Za-z0-9]{16,}") for kind in ("sk", "rk") for mode in ("live", "test")),
    ("whsec_", "[A-Za-z0-9+/=]{24,}"),
    ("npm_", "[A-Za-z0-9]{36,}"),
    ("rubygems_", "[a-f0-9]{48}"),
    ("hf_", "[A-Za-z]{34,}"),
    ("dop_v1_", "[a-f0-9]{64}"),
    *((f"shp{kind}_", "[a-fA-F0-9]{32}") for kind in ("at", "ca", "pa", "ss")),
    ("glsa_", "[A-Za-z0-9]{32}_[a-fA-F0-9]{8}"),
    ("lin_api_", "[A-Za-z0-9]{40}"),
    *(
        (f"gl{kind}-", r"[\w.-]{20,}")
        for kind in ("agent", "cbt", "dt", "ffct", "ft", "imt", "oas", "pat", "ptt", "rt")
    ),
    ("glsoat-", r"[\w-]{20,}"),
    *((kind, "[A-Z0-9]{16}") for kind in ("AKIA", "ASIA")),
    ("AIza", r"[\w-]{35}"),
    ("ATATT3", r"[\w=-]{50,}"),
    ("AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    ("GR1348941", r"[\w-]{20,}"),
    ("GOCSPX-", r"[\w-]{28,}"),
    ("xox", "[a-z]-[A-Za-z0-9-]{10,}"),
    ("xapp-", "[A-Za-z0-9-]{20,}"),
    ("sk-ant-", r"[\w-]{20,}"),
    ("sk-proj-", r"[\w-]{20,}"),
    ("github_pat_", r"\w{40,}"),
    ("dckr_pat_", r"[\w-]{20,}"),
    ("pypi-AgE", r"[\w-]{40,}"),
    ("ya29.", r"[\w-]{20,}"),
    ("SG.", r"[\w-]{22}\.[\w-]{43}"),
    ("dapi", "[a-f0-9]{32}"),
    ("hvs.", r"[\w-]{24,}"),
    ("NRAK-", "[A-Z0-9]{27}"),
    ("sntrys_", r"[\w=+/-]{40,}"),
    ("testmo_api_", r"[\w.=-]{20,}"),
)
"""Prefixes of tokens, and what follows them."""

_PROBES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "_(?:(?<=hf_)|(?<=(?:gh[pousr]|ive|est|sec|npm|ems|_v1|pat|pca|ppa|pss|lsa|api)_))[A-Za-z0-9+/=]{16}",
        ("gh", "sk_", "rk_", "whsec_", "npm_", "rubygems_", "hf_", "dop_", "shp", "glsa_", "lin_"),
    ),
    (r"gl[a-z]{2,5}-[\w.-]{20}", ("gl",)),
    ("A(?:KIA|SIA|Iza|TATT3|GE-SECRET)", ("A",)),
    ("G(?:R13489|OCSPX)", ("GR", "GO")),
    ("x(?:ox[a-z]|app)-", ("xox", "xapp-")),
    ("sk-(?:ant|proj)-", ("sk-",)),
    ("_pat_", ("github_pat_", "dckr_pat_")),
)
"""Expressions without which no token with one of these prefixes occurs: one search instead of many."""

_SHAPES: Final[tuple[tuple[str, str], ...]] = (
    # JSON Web Tokens: header, payload and signature, or five parts when encrypted.
    ("eyJ", rf"eyJ{_EDGE.format(literal='eyJ')}[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*){{1,3}}"),
    ("Q~", r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    (":AA", r"[0-9]{8,10}:AA[\w-]{33}"),
)
"""Literals, and the expressions that match what they stand in."""

_AFTER: Final[tuple[tuple[str, str], ...]] = (
    ("slack", "(hooks.slack.com/(?:services|workflows)/)[A-Za-z0-9/]{20,}"),
    ("hooks", r"(/api/webhooks/[0-9]{10,}/)[\w-]{40,}"),
    *(
        ("earer", rf"({word}\s{{1,4}})(?=[A-Za-z._~+/=-]{{0,200}}[0-9])[\w.~+/=-]{{16,}}")
        for word in ("Bearer", "bearer")
    ),
)
"""The same, with a first group that stays in front of the mark."""

_BASIC: Final = r"(Basic\s{1,4})([A-Za-z0-9+/]{8,}={0,2})"
_HEADER_LITERALS: Final = ("thori", "ookie", "THORI", "OOKIE")
_HEADER_NAME: Final = "[AaCc](?:(?i:uthorization)|(?i:ookie))"
_HEADER: Final = (
    r"(authorization|cookie)([\"']?)"
    r"(?:\s{0,4}:\s{0,4}|(?<=[\"'])\s{0,4},\s{0,4}|(?<=[nN])=)(?:[bfru]{1,2}(?=[\"']))?([\"']?)"
)
_SCHEMES: Final = r"(?:aws4-hmac-sha256|apikey|basic|bearer|digest|dpop|hmac|key|negotiate|ntlm|token)\s+(?=\S)"
# A name with an underscore, an attribute, a call, an annotation: `{"Authorization": auth_token}`, `cookie: str | None`.
_EXPRESSION: Final = (
    r"[A-Za-z]+(?:[._][A-Za-z_]+)+[(\[),}\s]*$|(?:[A-Za-z_]+\.)*[A-Za-z_]+[(\[]|[A-Za-z]+(?: \|| =)|authorization\b"
)
# A switch or a number is no session.
_PLAIN_COOKIE: Final = r"[\w-]+=(?:[0-9]{1,3}|true|false|yes|no|on|off)"
_NO_VALUES: Final = frozenset({"", "None", "null", "undefined"})
_SIGNED: Final = r"(?:X-(?:Amz|Goog)-[\w-]{1,30}|sig(?:nature)?)=\Z"
_SIGNED_CHARACTERS: Final = 48
_SURE_VALUES: Final = 16

_compiled: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(re.compile)
_compiled_any_case: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(
    lambda text: re.compile(text, re.IGNORECASE)
)


def without_credentials(text: str, *, is_address: bool = False) -> str:
    """Return the text with `MARK` in the place of everything that has the shape of a credential.

    An address that is to be followed keeps its signature, which opens one file for a time and without which it leads
    nowhere.
    """
    text = _without_named(_without_keys(text) if "TE KE" in text else text, is_address=is_address)
    text = _without_tokens(text)
    if "asic " in text:
        text = _compiled(_BASIC).sub(_basic, text)
    if "://" in text and "@" in text:
        text = without_users(text)
    if "=" in text and ("?" in text or "&" in text):
        text = without_parameters(text, is_signed=is_address)
    return _without_headers(text) if any(literal in text for literal in _HEADER_LITERALS) else text


def _without_named(text: str, *, is_address: bool) -> str:
    """Return the text without the values of names that say secret, there and wherever else they stand in it."""
    found = sorted((*named_values(text), *placed_values(text)))
    if not found:
        return text
    pieces: list[str] = []
    sure: dict[str, None] = {}
    done = 0
    for begin, end, is_sure in found:
        start = max(begin, done)  # one may begin within the one before
        if start >= end or (is_address and _is_signature(text, start)):
            continue
        pieces += [text[done:start], MARK]
        done = end
        if is_sure and start == begin and len(sure) < _SURE_VALUES:
            sure[text[start:end]] = None
    text = "".join((*pieces, text[done:]))
    for value in sorted(sure, key=len, reverse=True):
        text = text.replace(value, MARK)
    return text


def _is_signature(text: str, start: int) -> bool:
    before = text[max(0, start - _SIGNED_CHARACTERS) : start]
    return _compiled_any_case(_SIGNED).search(before) is not None


@lru_cache(maxsize=1)
def _probed() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return the tokens in groups, each with the expression to look for first; alone, a token's prefix is that."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for literal, tail in _TOKENS:
        probe = next((probe for probe, prefixes in _PROBES if literal.startswith(prefixes)), literal)
        groups.setdefault(probe, []).append((literal, tail))
    return tuple((probe, tuple(entries)) for probe, entries in groups.items())


def _without_tokens(text: str) -> str:
    """Return the text without what the tables of tokens match."""
    for probe, entries in _probed():
        if _compiled(probe).search(text) if entries[1:] else probe[-_PROBE:] in text:
            for literal, tail in entries:
                if literal[-_PROBE:] in text:
                    text = _compiled(re.escape(literal) + tail).sub(MARK, text)
    for literal, pattern in _SHAPES:
        if literal[-_PROBE:] in text:
            text = _compiled(pattern).sub(MARK, text)
    for literal, pattern in _AFTER:
        if literal[-_PROBE:] in text:
            text = _compiled(pattern).sub(_after, text)
    return text


def _after(match: re.Match[str]) -> str:
    return f"{match[1]}{MARK}"


def _basic(match: re.Match[str]) -> str:
    """Return the word and the mark where what follows is a user and a password in base64, and no other word."""
    try:
        is_pair = b":" in a2b_base64(match[2] + "=" * (-len(match[2]) % 4))
    except Base64Error:
        is_pair = False
    return f"{match[1]}{MARK}" if is_pair else match[0]


def _without_headers(text: str) -> str:
    """Return the text without the values of ``Authorization`` and ``Cookie`` headers, however they are written."""
    pattern = _compiled_any_case(_HEADER)
    pieces: list[str] = []
    done = 0
    for place in _compiled(_HEADER_NAME).finditer(text):
        found = pattern.match(text, place.start()) if place.start() >= done else None
        if found is not None:
            end = _end_of_value(text, found)
            value = _hidden_value(found[1].lower(), text[found.end() : end], is_quoted=bool(found[3]))
            pieces += [text[done : found.end()], value]
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _end_of_value(text: str, found: re.Match[str]) -> int:
    """Return where a header's value ends: at the quote that closes it, at the end of its line or its word."""
    closing, opening = found[2], found[3]
    if opening:
        end = rf"(?:[^\\\r\n{opening}]|\\.)*"
    elif found[0].endswith("="):
        end = rf"(?:{_SCHEMES})?[^\s\"']*"
    elif closing:  # the name of a mapping, whose value is no text: None, a number, a list
        end = r"[\[(][^\r\n]*|[^\s,}\])]*"
    else:
        # A header within quotes, as curl is given it, ends with them.
        around = text[found.start() - 1] if found.start() else ""
        quote = around if around in {'"', "'"} else ""
        end = rf"(?:[^\\\r\n{quote}]|\\[^rn])*"
    match = _compiled_any_case(end).match(text, found.end())
    return found.end() if match is None else match.end()


def _hidden_value(name: str, value: str, *, is_quoted: bool) -> str:
    """Return the value of a header without its secret; a word, a placeholder or code is none."""
    if value.strip() in _NO_VALUES or (not is_quoted and _compiled(_EXPRESSION).match(value)):
        return value
    if name == "cookie":
        return value if "=" not in value or _compiled(_PLAIN_COOKIE).fullmatch(value) else MARK
    scheme = _compiled_any_case(_SCHEMES).match(value)
    if scheme is None:
        return value if is_innocent(value, Strength.STRONG) else MARK
    credentials = value[scheme.end() :]
    word = credentials.split(None, 1)[0].strip("`.,\"')")
    is_plain = is_placeholder(credentials) or is_placeholder(word) or word.lower() in {"token", "secret"}
    return value if is_plain else f"{scheme[0]}{MARK}"


def _without_keys(text: str) -> str:
    """Return the text without private keys, whole or cut at either end."""
    pieces: list[str] = []
    done = 0
    for found in _compiled("-----(BEGIN|END) ([A-Z0-9 ]{0,30})PRIVATE KEY(?: BLOCK)?-----").finditer(text):
        if found.start() < done:
            continue
        if found[1] == "BEGIN":
            pieces += [text[done : found.start()], MARK]
            done = _end_of_key(text, found.end())
        else:
            pieces += [_without_key_lines(text[done : found.start()]), MARK]
            done = found.end()
    return "".join((*pieces, text[done:])) if pieces else text


def _end_of_key(text: str, start: int) -> int:
    """Return where a key ends: behind its last line, or where it was cut."""
    pattern = _compiled("-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
    found = pattern.search(text, start, start + _KEY_CHARACTERS)
    if found is not None:
        return found.end()
    cut = _compiled(r"[A-Za-z0-9+/=\s\\:,-]*").match(text, start)
    return start if cut is None else cut.end()


def _without_key_lines(text: str) -> str:
    """Return the text without the lines at its end that are a key whose beginning was cut off."""
    lines = text.split("\n")
    place = len(lines)
    while place and (not lines[place - 1].strip() or _is_key_line(lines[place - 1], is_last=place >= len(lines) - 1)):
        place -= 1
    return "\n".join((*lines[:place], "")) if place < len(lines) else text


def _is_key_line(line: str, *, is_last: bool) -> bool:
    shortest = 1 if is_last else _KEY_LINE_CHARACTERS
    return _compiled(rf"\s*[A-Za-z0-9+/=]{{{shortest},}}\s*").fullmatch(line) is not None
