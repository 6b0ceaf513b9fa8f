"""Find secrets by their position: arguments of commands, lines of password files, output of pytest and botocore.

Each expression has a literal without which it cannot match: that is searched first, since most texts have none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.patterns import compiled, lazy_pattern
from pytest_automation_report.text.secret_heuristics import Strength, is_innocent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.text.named_secrets import SecretSpan

_VALUE: Final = r"(?:'(?P<single>[^'\n]+)'|\"(?P<double>[^\"\n]+)\"|(?P<bare>[^\s'\"|;&]+))"
# Between arguments: spaces, or the quotes of a list.
_GAP: Final = r"(?:[ \t]{1,4}|['\"],\s{0,8}[bfru]?['\"])"
_ARGUMENTS: Final = rf"(?:{_GAP}[^\s|;&'\"]{{1,100}}){{0,8}}?{_GAP}"
_NAME: Final = r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|secret|private)[_-]?key)"
# Not the help of a command: there a word in capitals stands for the value, or a sentence follows.
_NO_HELP: Final = r"(?![-\[<]|[A-Z_]+\b|[a-z]+[ ][a-z]+[ .,])"
_LOGINS: Final = (
    rf"login\s{{1,8}}\S{{1,60}}\s{{1,8}}password\s{{1,8}}{_VALUE}",
    rf"docker{_GAP}login{_ARGUMENTS}-p{_GAP}?{_VALUE}",
)
_POSITIONS: Final = (
    ("--", rf"--(?<![\w-]--)(?=[a-z])[a-z_-]{{0,30}}(?i:{_NAME})[ \t]{{1,4}}{_NO_HELP}{_VALUE}"),
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
_QUOTED: Final = {quote: lazy_pattern(rf"((?:[^\\\n{quote}]|\\.)+){quote} = ") for quote in "\"'"}
# The source line of a failed comparison with such an operand, `>   assert user.password == "x"`, and its explanation.
_QUOTES: Final = "[\"'\\])]{0,3}"
_OPERAND: Final = lazy_pattern(
    rf"\n> +assert [^\n]{{0,200}}?(?:{_NAME}{_QUOTES} [=!]= |[=!]= [\w.()\[\"']{{0,80}}{_NAME}{_QUOTES}[,\n])",
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
        value = _QUOTED[match["quote"]].match(text, match.end())
        if value is not None:
            end = text.find("\n", value.end())
            end = len(text) if end < 0 else end
            if _NAMED.search(text[max(value.end(), end - _NAME_CHARACTERS) : end]):
                yield *value.span(1), True
