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

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MARK", "without_credentials"]

MARK: Final = "[redacted]"
"""What stands in the place of a secret."""

_KEY_CHARACTERS: Final = 20_000
_KEY_LINE_CHARACTERS: Final = 40

# Where a word begins, also behind an escape that `repr` has written: `\neyJ...`.
_EDGE: Final = r"(?:(?<![\w-]{literal})|(?<=\\[nrt]{literal}))"

_TOKENS: Final[tuple[tuple[str, str], ...]] = (
    *((f"gh{kind}_", "[A-Za-z0-9]{36,}") for kind in "pousr"),
    ("github_pat_", r"\w{40,}"),
    *(
        (f"gl{kind}-", r"[\w.-]{20,}")
        for kind in ("agent", "cbt", "dt", "ffct", "ft", "imt", "oas", "pat", "ptt", "rt")
    ),
    ("glsoat-", r"[\w-]{20,}"),
    ("GR1348941", r"[\w-]{20,}"),
    *((kind, "[A-Z0-9]{16}") for kind in ("AKIA", "ASIA")),
    ("xox", "[a-z]-[A-Za-z0-9-]{10,}"),
    ("xapp-", "[A-Za-z0-9-]{20,}"),
    *((f"{kind}_{mode}_", "[A-Za-z0-9]{16,}") for kind in ("sk", "rk") for mode in ("live", "test")),
    ("whsec_", "[A-Za-z0-9+/=]{24,}"),
    ("npm_", "[A-Za-z0-9]{36,}"),
    ("pypi-AgE", r"[\w-]{40,}"),
    ("rubygems_", "[a-f0-9]{48}"),
    ("AIza", r"[\w-]{35}"),
    ("ya29.", r"[\w-]{20,}"),
    ("GOCSPX-", r"[\w-]{28,}"),
    ("sk-ant-", r"[\w-]{20,}"),
    ("sk-proj-", r"[\w-]{20,}"),
    ("hf_", "[A-Za-z]{34,}"),
    ("dop_v1_", "[a-f0-9]{64}"),
    ("dckr_pat_", r"[\w-]{20,}"),
    ("SG.", r"[\w-]{22}\.[\w-]{43}"),
    *((f"shp{kind}_", "[a-fA-F0-9]{32}") for kind in ("at", "ca", "pa", "ss")),
    ("dapi", "[a-f0-9]{32}"),
    ("hvs.", r"[\w-]{24,}"),
    ("glsa_", "[A-Za-z0-9]{32}_[a-fA-F0-9]{8}"),
    ("NRAK-", "[A-Z0-9]{27}"),
    ("lin_api_", "[A-Za-z0-9]{40}"),
    ("ATATT3", r"[\w=-]{50,}"),
    ("sntrys_", r"[\w=+/-]{40,}"),
    ("AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    ("testmo_api_", r"[\w.=-]{20,}"),
)
"""Prefixes of tokens, and what follows them."""

_SHAPES: Final[tuple[tuple[str, str], ...]] = (
    # JSON Web Tokens: header, payload and signature, or five parts when encrypted.
    ("eyJ", rf"eyJ{_EDGE.format(literal='eyJ')}[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*){{1,3}}"),
    ("Q~", r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"),
    (":AA", r"[0-9]{8,10}:AA[\w-]{33}"),
)
"""Literals, and the expressions that match what they stand in."""

_AFTER: Final[tuple[tuple[str, str], ...]] = (
    ("AccountKey=", "(AccountKey=)[A-Za-z0-9+/]{40,}={0,2}"),
    ("aws_secret_access_key", r"(aws_secret_access_key[\"']?\s{0,4}[=:]\s{0,4}[\"']?)[A-Za-z0-9/+]{40}"),
    ("AWS_SECRET_ACCESS_KEY", r"(AWS_SECRET_ACCESS_KEY[\"']?\s{0,4}[=:]\s{0,4}[\"']?)[A-Za-z0-9/+]{40}"),
    ("hooks.slack.com/", "(hooks.slack.com/(?:services|workflows)/)[A-Za-z0-9/]{20,}"),
    ("/api/webhooks/", r"(/api/webhooks/[0-9]{10,}/)[\w-]{40,}"),
    *((word, rf"({word}\s{{1,4}})(?=[A-Za-z._~+/=-]{{0,200}}[0-9])[\w.~+/=-]{{16,}}") for word in ("Bearer", "bearer")),
)
"""The same, with a first group that stays in front of the mark."""

_QUERY_NAMES: Final = (
    "access_token|api[_-]?key|apikey|auth|client_secret|id_token|key|pass|passwd|password|private_token|pwd|"
    "refresh_token|secret|token"
)
_SIGNATURE_NAMES: Final = (
    "sig|signature|X-Amz-Credential|X-Amz-Security-Token|X-Amz-Signature|X-Goog-Credential|X-Goog-Signature"
)
_QUERY: Final = rf"([?&](?:{_QUERY_NAMES})=)[^&\s\"'<>#\\]+"
_SIGNATURE: Final = rf"([?&](?:{_SIGNATURE_NAMES})=)[^&\s\"'<>#\\]+"
_USER: Final = r"(://)([^\s/?#\"'<>\\]+)@"
_BASIC: Final = r"(Basic\s{1,4})([A-Za-z0-9+/]{8,}={0,2})"
_HEADER_LITERALS: Final = ("uthoriz", "ookie", "UTHORIZ", "OOKIE")
_HEADER: Final = (
    r"(authorization|cookie)([\"']?)"
    r"(?:\s{0,4}:\s{0,4}|(?<=[\"'])\s{0,4},\s{0,4}|(?<=[nN])=)(?:b(?=[\"']))?([\"']?)"
)
_SCHEMES: Final = r"(?:aws4-hmac-sha256|apikey|basic|bearer|digest|dpop|hmac|key|negotiate|ntlm|token)\s+(?=\S)"
_NO_VALUES: Final = frozenset({"", "None", "null", "undefined"})
_LONGEST_USER_NAME: Final = 16

_compiled: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(re.compile)
_compiled_any_case: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(
    lambda text: re.compile(text, re.IGNORECASE)
)


def without_credentials(text: str, *, is_address: bool = False) -> str:
    """Return the text with `MARK` in the place of everything that has the shape of a credential.

    An address that is to be followed keeps its signature, which opens one file for a time and without which it leads
    nowhere.
    """
    text = _without_tokens(_without_keys(text) if "PRIVATE KEY" in text else text)
    if "Basic " in text:
        text = _compiled(_BASIC).sub(_basic, text)
    if "://" in text and "@" in text:
        text = _compiled(_USER).sub(_user, text)
    if "=" in text and ("?" in text or "&" in text):
        text = _compiled_any_case(_QUERY).sub(_after, text)
        text = text if is_address else _compiled_any_case(_SIGNATURE).sub(_after, text)
    return _without_headers(text) if any(each in text for each in _HEADER_LITERALS) else text


def _without_tokens(text: str) -> str:
    """Return the text without what the tables of tokens match."""
    for literal, tail in _TOKENS:
        if literal in text:
            text = _compiled(re.escape(literal) + tail).sub(MARK, text)
    for literal, pattern in _SHAPES:
        if literal in text:
            text = _compiled(pattern).sub(MARK, text)
    for literal, pattern in _AFTER:
        if literal in text:
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


def _user(match: re.Match[str]) -> str:
    """Return an address's beginning without its user and password; a short user alone is no secret."""
    user = match[2]
    is_secret = ":" in user or len(user) >= _LONGEST_USER_NAME
    return f"{match[1]}{MARK}@" if is_secret else match[0]


def _without_headers(text: str) -> str:
    """Return the text without the values of ``Authorization`` and ``Cookie`` headers, however they are written."""
    pattern = _compiled_any_case(_HEADER)
    pieces: list[str] = []
    done = 0
    while (found := pattern.search(text, done)) is not None:
        end = _end_of_value(text, found)
        pieces += [text[done : found.end()], _hidden_value(found[1].lower(), text[found.end() : end])]
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


def _hidden_value(name: str, value: str) -> str:
    if value.strip() in _NO_VALUES or (name == "cookie" and "=" not in value):
        return value
    scheme = _compiled_any_case(_SCHEMES).match(value) if name == "authorization" else None
    return f"{scheme[0] if scheme else ''}{MARK}"


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
