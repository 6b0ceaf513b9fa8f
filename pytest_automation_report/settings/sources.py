"""What users gave for the settings, and where: command line, environment, ini file.

Apart from what the values mean (``configuration``), since pytest and the console command find them in different places
but must resolve them alike: command line before environment before ini, and empty is unset everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.settings.table import SETTINGS, Setting, file_value, is_override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

__all__ = ["RawSetting", "SettingSource", "Value", "given_from", "read_given", "split_list"]

Value: TypeAlias = "str | int | float | bool | tuple[object, ...]"
"""A value as it was given: a text, or what an ini file or option has already made of it."""

SettingSource: TypeAlias = Literal["command line", "environment", "ini file"]

_COMMA: Final = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class RawSetting:
    """One value that a user gave; ``origin`` is the spelling in which it was given, for messages."""

    value: Value
    origin: str
    place: SettingSource = "command line"


def read_given(config: pytest.Config, environ: Mapping[str, str]) -> dict[str, RawSetting]:
    """Return the settings of a pytest session, by name: option, then ``-o``, then environment, then ini file.

    Every ini value is read, also one that another place overrides, so that every run reports a wrong one. Raises
    SettingError where pytest cannot read it.
    """
    found: dict[str, RawSetting] = {}
    for each in SETTINGS:
        value, origin = file_value(config, each.ini, each.kind)
        option = config.getoption(each.ini) if each.is_option else None
        override = _from_file(each, value, origin, "command line") if is_override(origin) else None
        given = (
            _from_option(each, option, each.off_option if option is False else each.option)
            or override
            or _from_environment(each, environ)
            or _from_file(each, value, origin)
        )
        if given is not None:
            found[each.name] = given
    return found


def given_from(
    options: Mapping[str, object],
    environ: Mapping[str, str],
    ini: Mapping[str, object],
    *,
    ini_name: str = "ini file",
) -> dict[str, RawSetting]:
    """Return what was given to the console command, by the settings' names.

    ``options`` holds the options' values by the settings' names (``None`` where unset); ``ini`` the values of an ini
    file by their ini names, as texts or as TOML's own values; ``ini_name`` is what messages call that file.
    """
    found: dict[str, RawSetting] = {}
    for each in SETTINGS:
        option = options.get(each.name)
        no_option = f"--no-{each.plain_option[2:]}"
        given = (
            _from_option(each, option, no_option if option is False else each.plain_option)
            or _from_environment(each, environ)
            or _from_file(each, ini.get(each.ini), f"{ini_name}: {each.ini}")
        )
        if given is not None:
            found[each.name] = given
    return found


def split_list(text: str) -> tuple[str, ...]:
    r"""Return the values between commas, without their edges; ``\,`` is a comma inside a value."""
    return _cleaned(piece.replace("\\,", ",") for piece in _COMMA.split(text))


def _from_option(each: Setting, value: object, origin: str) -> RawSetting | None:
    """Return what an option gave; a list's option can be repeated, and commas separate."""
    if isinstance(value, (list, tuple)) and each.kind in ("list", "pairs"):
        value = tuple(piece for text in value for piece in split_list(str(text)))
    elif isinstance(value, str) and each.kind in ("list", "pairs"):
        value = split_list(value)
    return _given(value, origin, "command line")


def _from_environment(each: Setting, environ: Mapping[str, str]) -> RawSetting | None:
    """Return what an environment variable gave."""
    text = environ.get(each.environment, "")
    value = split_list(text) if each.kind in ("list", "pairs") else text
    return _given(value, each.environment, "environment")


def _from_file(each: Setting, value: object, origin: str, place: SettingSource = "ini file") -> RawSetting | None:
    """Return the setting from an ini value: lists have one value a line, or are lists already."""
    if each.kind in ("list", "pairs") and isinstance(value, str):
        value = value.split("\n")
    if isinstance(value, (list, tuple)):
        texts = [item for item in value if isinstance(item, str)]
        value = _cleaned(texts) if len(texts) == len(value) else tuple(value)
    return _given(value, origin, place)


def _given(value: object, origin: str, place: SettingSource) -> RawSetting | None:
    """Return the value with its origin, ``None`` when it is unset or empty."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value in ("", ()):
        return None
    # A TOML file may hold a date or a table where a value belongs: as a text it is told like any other wrong value.
    return RawSetting(value if isinstance(value, (str, int, float, tuple)) else str(value), origin, place)


def _cleaned(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts without their edges and without empty ones."""
    return tuple(text for each in texts if (text := each.strip()))
