"""Parse the raw value of one setting to its typed value: one parser for each type of value.

Every parser raises SettingError with the setting's spelling, the value and a hint.
"""

from __future__ import annotations

import ast
import math
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, cast

from msgspec import Struct

from pytest_automation_report.api.models import (
    BUCKETS,
    OF_FILE,
    OF_RUN,
    Field,
    FieldType,
    Link,
    Status,
    braced,
    is_bucket,
    shown_address,
    web_address_hint,
)
from pytest_automation_report.ci.facts import PLACEHOLDER, without_user
from pytest_automation_report.errors import SettingError
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RawValue: TypeAlias = "str | int | float | bool | tuple[object, ...]"
"""A value before it is parsed: a text, or the value that pytest or TOML made of it."""

SettingSource: TypeAlias = 'Literal["command line", "environment", "ini file"]'

LARGEST_ID: Final = 2**53 - 1
"""The largest integer that a JSON reader with double precision keeps exact."""

SOURCES: Final = "a letter (a-z, A-Z), then letters, digits and dashes, from 2 to 750 characters"
LONGEST_WAIT_SECONDS: Final = 3600
SIZE_HINT: Final = "use a number with KB, MB, GB or TB, such as 500MB"
_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_STATUSES: Final = ("passed", "failure", "error", "skipped")
_TEMPLATED: Final = ("case", "issue")
_COMMA_HINT: Final = "(a comma inside a value is written \\,)"
_RUN_KEY_NAMES: Final = ("pipeline", "build", "attempt", "branch", "tag", "commit", "pull_request", "provider")

_INI_HINTS: Final[Mapping[str, str]] = {
    "text": "write one text, in TOML in quotes",
    "choice": "write one word, in TOML in quotes",
    "integer": "write a whole number, in native TOML without quotes",
    "seconds": "write a number of seconds, in native TOML without quotes",
    "flag": "write true or false, in native TOML without quotes",
    "list": "write one value a line, in TOML a list of texts",
    "pairs": "write one name=value a line, in TOML a list of texts",
}

ChoiceT = TypeVar("ChoiceT", bound=str)


class RawSetting(Struct, frozen=True):
    """Hold one value that a user wrote; ``origin`` is its spelling, such as ``pytest.ini: automation_report_url``."""

    value: RawValue
    origin: str
    source: SettingSource = "command line"


def text(raw: RawSetting) -> str:
    """Return a text without control characters."""
    if not isinstance(raw.value, str):
        raise SettingError(raw.origin, raw.value, _INI_HINTS["text"])
    if re.search(r"[\x00-\x1f\x7f]", raw.value):
        raise SettingError(raw.origin, raw.value, "write it without control characters, on one line")
    return raw.value


def path(raw: RawSetting) -> Path:
    """Return a path."""
    return expanded(text(raw))


def expanded(name: str) -> Path:
    """Return a path as users write it, ``~`` included."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)  # this machine has no user of that name, so the text is the name of a folder


def html_file(raw: RawSetting) -> str:
    """Return the name of an HTML file, of a device or a pipe, or `STDOUT`."""
    value = text(raw)
    if value in {STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}:
        return STDOUT
    is_device = os.path.exists(value) and not os.path.isfile(value) and not os.path.isdir(value)  # noqa: PTH110, PTH112, PTH113 - a text
    if not is_device and not value.lower().endswith((".html", ".htm")):
        hint = "name a file that ends in .html or .htm, a device or a pipe, or - for stdout"
        raise SettingError(raw.origin, value, hint)
    return value


def line(raw: RawSetting) -> str:
    """Return any text, also with control characters: its users escape them."""
    return raw.value if isinstance(raw.value, str) else text(raw)


def identifier(raw: RawSetting) -> int:
    """Return an id: a whole number from 1 to `LARGEST_ID`."""
    return _whole(raw, 1, LARGEST_ID, "a whole number")


def seconds(raw: RawSetting) -> float:
    """Return a number of seconds from 0 to `LONGEST_WAIT_SECONDS`."""
    value = raw.value
    if isinstance(value, str) and re.fullmatch(r"(?=.*[0-9])[+-]?[0-9]{0,30}(\.[0-9]{0,30})?", value):
        value = float(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(cast("float", value)) if is_number else math.nan
    if not 0 <= number <= LONGEST_WAIT_SECONDS:
        hint = f"write a number of seconds from 0 to {LONGEST_WAIT_SECONDS}, without a unit"
        raise SettingError(raw.origin, raw.value, hint)
    return number


def days(raw: RawSetting) -> int:
    """Return a number of days from 0 to 3650."""
    return _whole(raw, 0, 3650, "a whole number of days")


def size(raw: RawSetting) -> int:
    """Return a size in bytes."""
    size_in_bytes = size_bytes(text(raw))
    if size_in_bytes is None:
        raise SettingError(raw.origin, raw.value, SIZE_HINT)
    return size_in_bytes


def size_bytes(text: str) -> int | None:
    """Return the bytes of a size such as ``500MB``, None for any other text."""
    match = re.fullmatch(r"([0-9]{1,9}) ?(KB|MB|GB|TB)", text.strip().upper())
    return int(match[1]) * _UNITS[match[2]] if match and int(match[1]) else None


def choice(raw: RawSetting, choices: Sequence[ChoiceT]) -> ChoiceT:
    """Return one of a setting's words."""
    word = next((word for word in choices if word == raw.value), None)
    if word is None:
        raise SettingError(raw.origin, raw.value, f"write {' or '.join(choices)}")
    return word


def source(raw: RawSetting) -> str:
    """Return the name of a source: a letter, then letters, digits and dashes, at least two characters."""
    value = text(raw)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]+", value) or len(value) > STRING_UNITS:
        raise SettingError(raw.origin, value, f"write {SOURCES}")
    return value


def page(raw: RawSetting) -> str:
    """Return the web address of a page, without user and password: it is shown to everyone who sees the run."""
    value = text(raw)
    _check_address(raw, value, _address_hint(value))
    return without_user(value) or value


def tags(raw: RawSetting) -> tuple[str, ...]:
    """Return the tags, each once."""
    allowed = "letters (a-z, A-Z), digits, underscores and dashes"
    return _words(raw, rf"[A-Za-z0-9_-]{{1,{STRING_UNITS}}}", f"write tags of {allowed}")


def names(raw: RawSetting) -> tuple[str, ...]:
    """Return names of markers, each once."""
    return _words(raw, r"[^\W\d]\w*", "write names of markers, such as owner")


def _words(raw: RawSetting, pattern: str, hint: str) -> tuple[str, ...]:
    for word in _texts(raw):
        if not re.fullmatch(pattern, word):
            raise SettingError(raw.origin, word, f"{hint}, between commas, in ini files one a line")
    return tuple(dict.fromkeys(_texts(raw)))


def fields(raw: RawSetting) -> tuple[Field, ...]:
    """Return fields of a run: web addresses as such, all other values as strings."""
    return tuple(
        Field(string(name), string(value), FieldType.STRING if web_address_hint(value) else FieldType.URL)
        for name, value in _pairs(raw)
    )


def links(raw: RawSetting) -> tuple[Link, ...]:
    """Return links of a run; an address is never cut, since half an address leads nowhere."""
    for name, address in _pairs(raw):
        _check_address(raw, address, _address_hint(address), f"{name}=")
    return tuple(Link(string(name), address) for name, address in _pairs(raw))


def templates(raw: RawSetting) -> dict[str, str]:
    """Return web addresses with ``{}`` in place of an id, by the marker that gives the id: case or issue."""
    for name, address in _pairs(raw, _TEMPLATED):
        is_fixed = "{}" not in address
        hint = web_address_hint(address) or ("write {} where the id belongs" if is_fixed else "")
        _check_address(raw, address, hint, f"{name}=")
    return dict(_pairs(raw))


def _address_hint(address: str) -> str:
    is_long = utf16_length(address) > STRING_UNITS
    return web_address_hint(address) or (f"write a web address of at most {STRING_UNITS} characters" if is_long else "")


def _check_address(raw: RawSetting, address: str, hint: str, before: str = "") -> None:
    """Raise the error of a web address that stands behind a name, if there is a hint."""
    if hint:
        shown = f"{before}{shown_address(address)}"
        raise SettingError(raw.origin, shown, f"after {before}, {hint}" if before else hint)


def statuses(raw: RawSetting) -> dict[Status, str]:
    """Return the server's words for statuses, without the statuses that the setting does not name."""
    parsed: dict[Status, str] = {}
    for name, alias in _pairs(raw, _STATUSES):
        status = cast("Status", name)
        hint = "" if parsed.get(status, alias) == alias else f"write {name}= once; {parsed[status]!r} was given too"
        if not alias or utf16_length(alias) > STRING_UNITS or not alias.isprintable():
            hint = f"after {name}= write the server's word for it"
        if hint:
            raise SettingError(raw.origin, f"{name}={alias}", hint)
        parsed[status] = alias
    return parsed


def patterns(raw: RawSetting) -> tuple[str, ...]:
    """Return regular expressions that compile."""
    for pattern in _texts(raw):
        if re.search(r"^[0-9]*\}|(?<!\\)\{[0-9]*$", pattern):
            # A list is split at commas: both halves of a{2,3} compile, and match none of the texts to hide.
            raise SettingError(raw.origin, pattern, "write a comma inside a pattern as \\,")
        try:
            with warnings.catch_warnings():
                # A pattern that a later Python will read differently is valid today.
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            hint = f"write a regular expression of Python ({error}) {_COMMA_HINT}"
            raise SettingError(raw.origin, pattern, hint) from error
    return _texts(raw)


def run_key(raw: RawSetting) -> str:
    """Return the key of a run that jobs share, with its placeholders: `filled_key` fills them later."""
    key = line(raw)
    wrong = next((name for name in re.findall(PLACEHOLDER, key) if name not in _RUN_KEY_NAMES), None)
    if wrong is not None:
        known = ", ".join(f"{{{name}}}" for name in _RUN_KEY_NAMES)
        raise SettingError(raw.origin, key, f"unknown placeholder {{{wrong}}}; write one of {known}")
    return key


def artifact_template(raw: RawSetting) -> str:
    """Return the web address, or the template of the addresses, of files that another service stores."""
    known = (*OF_FILE, *OF_RUN)
    value = text(raw)
    # {job_url} stands for a whole address, so it may be the beginning of one.
    hint = web_address_hint(value.replace("{job_url}", "https://host", 1) if value.startswith("{job_") else value)
    _check_address(raw, value, hint)
    if any(name not in known for name in braced(value)):
        words = ", ".join(f"{{{name}}}" for name in known)
        raise SettingError(raw.origin, value, f"in braces write one of {words}")
    return value


def parse_artifact_store(raw: RawSetting) -> str:
    """Return the address of a bucket, or the path of a folder."""
    value = text(raw).removeprefix("file://")
    if "://" in value and not is_bucket(value):
        words = ", ".join(f"{scheme}://" for scheme in BUCKETS[:4])
        raise SettingError(raw.origin, shown_address(value), f"write the path of a folder, or a bucket: {words}")
    return value


def _whole(raw: RawSetting, least: int, most: int, noun: str) -> int:
    """Return a whole number within limits; Python's True and False are integers, and are refused."""
    value = raw.value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,30}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingError(raw.origin, raw.value, f"write {noun} from {least} to {most}")
    return value


def _texts(raw: RawSetting) -> tuple[str, ...]:
    entries = raw.value if isinstance(raw.value, tuple) else (raw.value,)
    for entry in entries:
        if not isinstance(entry, str):
            raise SettingError(raw.origin, entry, _INI_HINTS["list"])
    return cast("tuple[str, ...]", entries)


def _pairs(raw: RawSetting, names: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
    """Return names with their values; an error of a name shows no value, which may be a secret."""
    pairs: list[tuple[str, str]] = []
    for entry in _texts(raw):
        name, separator, value = (part.strip() for part in entry.partition("="))
        if not name or not separator:
            raise SettingError(raw.origin, entry, f"write name=value {_COMMA_HINT}")
        if names and name not in names:
            raise SettingError(raw.origin, f"{name}=", f"before = write {' or '.join(names)}")
        pairs.append((name, value))
    return tuple(pairs)


def refused_value(message: str, kind: str, origin: str) -> SettingError | None:
    """Return the error for an ini value of this kind that pytest refused with a message; None if it is empty."""
    # The message quotes the value at its end; no public function returns the raw value.
    quoted = re.search(r"(?:base 10: |float: |\bgot: |\b(?:got|is) \w+: |truth value )(.*)", message, re.DOTALL)
    value: object = message if quoted is None else quoted[1]
    if quoted is not None:
        with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            value = ast.literal_eval(quoted[1])
    return None if value == "" else SettingError(origin, value, _INI_HINTS[kind])
