"""From what was given for one setting to its typed value: one reader for each kind, each with its remedy.

Pure. Every reader raises SettingError that names the spelling, the value and what to write instead.
"""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING, Final, TypeVar, cast

from pytest_automation_report.api.artifacts import BUCKETS, OF_FILE, OF_RUN, braced, is_bucket
from pytest_automation_report.api.models import Field, FieldType, Link
from pytest_automation_report.api.urls import shown_address, web_address_hint
from pytest_automation_report.ci.facts import Shard, without_user
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.table import flag_word
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Status
    from pytest_automation_report.settings.sources import RawSetting

__all__ = [
    "IDENTIFIERS",
    "LARGEST_ID",
    "SIZE_REMEDY",
    "SOURCES",
    "artifact_store",
    "artifact_template",
    "choice",
    "fields",
    "flag",
    "identifier",
    "line",
    "links",
    "names",
    "page",
    "patterns",
    "run_key",
    "seconds",
    "shard",
    "size",
    "size_bytes",
    "source",
    "statuses",
    "tags",
    "templates",
    "text",
    "web_address",
]

LARGEST_ID: Final = 2**53 - 1
"""The largest id that every JSON reader keeps whole."""

IDENTIFIERS: Final = f"a whole number from 1 to {LARGEST_ID}"
SOURCES: Final = "a letter (a-z, A-Z), then letters, digits and dashes, from 2 to 750 characters"

LONGEST_WAIT_SECONDS: Final = 3600
LONGEST_KEPT_DAYS: Final = 3650

SIZE_REMEDY: Final = "use a number with KB, MB, GB or TB, such as 500MB"

_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]+")
_TAG: Final = re.compile(r"[A-Za-z0-9_-]+")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_SHARD: Final = re.compile(r"([0-9]{1,9})(?:\s*/\s*([0-9]{1,9}))?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{0,30}(\.[0-9]{0,30})?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_STATUSES: Final[Mapping[str, Status]] = {
    "passed": "passed",
    "failure": "failure",
    "error": "error",
    "skipped": "skipped",
}
_TEMPLATED: Final = ("case", "issue")
_COMMA_HINT: Final = "(a comma inside a value is written \\,)"
_HALF_BRACES: Final = re.compile(r"^[0-9]*\}|(?<!\\)\{[0-9]*$")

ChoiceT = TypeVar("ChoiceT", bound=str)


def text(given: RawSetting) -> str:
    """Return a text without control characters."""
    if not isinstance(given.value, str):
        raise SettingError(given.origin, given.value, "write one text, in TOML in quotes")
    if _CONTROL.search(given.value):
        raise SettingError(given.origin, given.value, "write it without control characters, on one line")
    return given.value


def line(given: RawSetting) -> str:
    """Return any text; what cannot be shown in it is spelled out later."""
    return given.value if isinstance(given.value, str) else text(given)


def identifier(given: RawSetting) -> int:
    """Return an id: a whole number from 1 to `LARGEST_ID`."""
    return _whole(given, 1, LARGEST_ID, "a whole number")


def seconds(given: RawSetting) -> float:
    """Return a number of seconds from 0 to `LONGEST_WAIT_SECONDS`."""
    value = given.value
    if isinstance(value, str) and _NUMBER.fullmatch(value) and re.search(r"[0-9]", value):
        value = float(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(cast("float", value)) if is_number else math.nan
    if not 0 <= number <= LONGEST_WAIT_SECONDS:
        remedy = f"write a number of seconds from 0 to {LONGEST_WAIT_SECONDS}, without a unit"
        raise SettingError(given.origin, given.value, remedy)
    return number


def days(given: RawSetting) -> int:
    """Return a number of days from 0 to `LONGEST_KEPT_DAYS`."""
    return _whole(given, 0, LONGEST_KEPT_DAYS, "a whole number of days")


def size(given: RawSetting) -> int:
    """Return a size in bytes."""
    found = size_bytes(text(given))
    if found is None:
        raise SettingError(given.origin, given.value, SIZE_REMEDY)
    return found


def size_bytes(text: str) -> int | None:
    """Return the bytes of a size such as ``500MB``, None for what is none."""
    match = re.fullmatch(r"([0-9]{1,9}) ?(KB|MB|GB|TB)", text.strip().upper())
    return int(match[1]) * _UNITS[match[2]] if match and int(match[1]) else None


def flag(given: RawSetting) -> bool:
    """Return yes or no."""
    value = flag_word(given.value) if isinstance(given.value, str) else given.value
    if not isinstance(value, bool):
        raise SettingError(given.origin, given.value, "write 1 or 0 (or true or false)")
    return value


def choice(given: RawSetting, choices: Sequence[ChoiceT]) -> ChoiceT:
    """Return one of the words that there are."""
    found = next((each for each in choices if each == given.value), None)
    if found is None:
        raise SettingError(given.origin, given.value, f"write {' or '.join(choices)}")
    return found


def source(given: RawSetting) -> str:
    """Return the name of a source: a letter, then letters, digits and dashes, at least two characters."""
    value = text(given)
    if not _SOURCE.fullmatch(value) or len(value) > STRING_UNITS:
        raise SettingError(given.origin, value, f"write {SOURCES}")
    return value


def shard(given: RawSetting) -> Shard:
    """Return which of several parallel jobs this is."""
    found = _SHARD.fullmatch(text(given))
    index, total = (int(found[1]), int(found[2]) if found[2] else None) if found else (0, None)
    if index < 1 or (total is not None and index > total):
        raise SettingError(given.origin, given.value, "write its number, from 1, and the number of all: 2/5")
    return Shard(index, total)


def page(given: RawSetting) -> str:
    """Return the web address of a page, which never holds a user and a password; empty values have no page."""
    value = web_address(given)
    if utf16_length(value) > STRING_UNITS:
        raise SettingError(given.origin, shown_address(value), f"write at most {STRING_UNITS} characters")
    return without_user(value) or value


def tags(given: RawSetting) -> tuple[str, ...]:
    """Return the tags, each once."""
    for tag in _texts(given):
        if not _TAG.fullmatch(tag) or len(tag) > STRING_UNITS:
            allowed = "letters (a-z, A-Z), digits, underscores and dashes"
            raise SettingError(given.origin, tag, f"write tags of {allowed}, between commas, in ini files one a line")
    return tuple(dict.fromkeys(_texts(given)))


def fields(given: RawSetting) -> tuple[Field, ...]:
    """Return fields of a run: web addresses as such, all other values as strings."""
    return tuple(
        Field(string(name), string(value), FieldType.STRING if web_address_hint(value) else FieldType.URL)
        for name, value in _pairs(given)
    )


def links(given: RawSetting) -> tuple[Link, ...]:
    """Return links of a run; their addresses are never cut, since half an address leads nowhere."""
    found: list[Link] = []
    for name, address in _pairs(given):
        trouble = web_address_hint(address)
        if not trouble and utf16_length(address) > STRING_UNITS:
            trouble = f"write a web address of at most {STRING_UNITS} characters"
        if trouble:
            raise SettingError(given.origin, f"{name}={shown_address(address)}", f"behind {name}=, {trouble}")
        found.append(Link(string(name), address))
    return tuple(found)


def names(given: RawSetting) -> tuple[str, ...]:
    """Return names of markers, each once."""
    for name in _texts(given):
        if not name.isidentifier():
            raise SettingError(given.origin, name, "write names of markers, such as owner, between commas")
    return tuple(dict.fromkeys(_texts(given)))


def templates(given: RawSetting) -> dict[str, str]:
    """Return addresses with ``{}`` in the place of an id, for what there is an id of."""
    found: dict[str, str] = {}
    for name, address in _pairs(given):
        if name not in _TEMPLATED:
            raise SettingError(given.origin, f"{name}=", f"in front of = write {' or '.join(_TEMPLATED)}")
        trouble = web_address_hint(address)
        if not trouble and "{}" not in address:
            trouble = "write {} where the id belongs"
        if trouble:
            raise SettingError(given.origin, f"{name}={shown_address(address)}", f"behind {name}=, {trouble}")
        found[name] = address
    return found


def statuses(given: RawSetting) -> dict[Status, str]:
    """Return what the server calls our statuses, those that were given alone."""
    found: dict[Status, str] = {}
    for name, alias in _pairs(given):
        status = _STATUSES.get(name)
        if status is None:
            raise SettingError(given.origin, f"{name}={alias}", f"in front of = write {' or '.join(_STATUSES)}")
        if not alias or utf16_length(alias) > STRING_UNITS or not alias.isprintable():
            raise SettingError(given.origin, f"{name}={alias}", f"behind {name}= write the server's word for it")
        if found.get(status, alias) != alias:
            raise SettingError(given.origin, f"{name}={alias}", f"write {name}= once; {found[status]!r} was given too")
        found[status] = alias
    return found


def patterns(given: RawSetting) -> tuple[str, ...]:
    """Return regular expressions that compile."""
    for pattern in _texts(given):
        if _HALF_BRACES.search(pattern):
            # Both halves of a{2,3} compile, and hide nothing of what the whole would have hidden.
            raise SettingError(given.origin, pattern, "write a comma inside a pattern as \\,")
        try:
            with warnings.catch_warnings():
                # What a future Python will read otherwise is no mistake today.
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            remedy = f"write a regular expression of Python ({error}) {_COMMA_HINT}"
            raise SettingError(given.origin, pattern, remedy) from error
    return _texts(given)


def web_address(given: RawSetting) -> str:
    """Return a web address, or a template of one."""
    value = text(given)
    trouble = web_address_hint(value)
    if trouble:
        raise SettingError(given.origin, shown_address(value), trouble)
    return value


def run_key(given: RawSetting) -> str:
    """Return the key of a run that jobs share; its places are filled later, when it is known what is built."""
    key = line(given)
    trouble = key_trouble(key)
    if trouble:
        raise SettingError(given.origin, key, trouble)
    return key


def artifact_template(given: RawSetting) -> str:
    """Return the web address, or the template of the addresses, of files that are kept elsewhere."""
    known = (*OF_FILE, *OF_RUN)
    value = text(given)
    trouble = web_address_hint(value.replace("{job_url}", "https://host", 1) if value.startswith("{job_") else value)
    if trouble:
        raise SettingError(given.origin, shown_address(value), trouble)
    if any(each not in known for each in braced(value)):
        words = ", ".join(f"{{{each}}}" for each in known)
        raise SettingError(given.origin, value, f"in braces write one of {words}")
    return value


def artifact_store(given: RawSetting) -> str:
    """Return the address of a bucket, or the path of a folder."""
    value = text(given)
    value = value.removeprefix("file://")
    if "://" in value and not is_bucket(value):
        words = ", ".join(f"{each}://" for each in BUCKETS[:4])
        raise SettingError(given.origin, shown_address(value), f"write the path of a folder, or a bucket: {words}")
    return value


def _whole(given: RawSetting, least: int, most: int, noun: str) -> int:
    """Return a whole number within limits; True and False, which Python counts among them, are none."""
    value = given.value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingError(given.origin, given.value, f"write {noun} from {least} to {most}")
    return value


def _texts(given: RawSetting) -> tuple[str, ...]:
    """Return the entries of a list."""
    entries = given.value if isinstance(given.value, tuple) else (given.value,)
    for entry in entries:
        if not isinstance(entry, str):
            raise SettingError(given.origin, entry, "write one value a line, in TOML a list of texts")
    return cast("tuple[str, ...]", entries)


def _pairs(given: RawSetting) -> tuple[tuple[str, str], ...]:
    """Return the entries of a list of ``name=value``."""
    found: list[tuple[str, str]] = []
    for entry in _texts(given):
        name, separator, value = entry.partition("=")
        if not name.strip() or not separator:
            raise SettingError(given.origin, entry, f"write name=value {_COMMA_HINT}")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def key_trouble(key: str) -> str:
    """Return what to write instead of a key with a place that nothing is known as, empty for a good one."""
    wrong = next((name for name in _PLACE.findall(key) if name not in PLACES), None)
    known = ", ".join(f"{{{each}}}" for each in PLACES)
    return "" if wrong is None else f"nothing is known as {{{wrong}}}; write one of {known}"


PLACES: Final = ("build", "attempt", "branch", "tag", "commit", "pull_request", "provider")
"""What a key can be made of, beside its own words."""


_PLACE: Final = re.compile(r"\{([^{}]*)\}")
