"""Read the raw value of each setting, and where the user wrote it: command line, environment or ini file.

pytest and the console command read different places and must resolve the values alike, so the reading is apart from
`configuration`: command line before environment before ini file, and empty is unset everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.settings.pytest_config import ini_values
from pytest_automation_report.settings.table import SETTINGS, Setting, is_override
from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

RawValue: TypeAlias = "str | int | float | bool | tuple[object, ...]"
"""A value before it is parsed: a text, or the value that pytest or TOML made of it."""

SettingSource: TypeAlias = 'Literal["command line", "environment", "ini file"]'

_COMMA: Final = lazy_pattern(r"(?<!\\),")


class RawSetting(Value):
    """Hold one value that a user wrote; ``origin`` is its spelling, such as ``pytest.ini: automation_report_url``."""

    value: RawValue
    origin: str
    source: SettingSource = "command line"


def read_pytest_settings(config: pytest.Config, environ: Mapping[str, str]) -> dict[str, RawSetting]:
    """Return the settings of a pytest session by name: option, then ``-o``, then environment, then ini file.

    Every ini value is read, also one that another source overrides, so that every session reports a wrong one. Raises
    SettingError where pytest cannot read it.
    """
    raw_settings: dict[str, RawSetting] = {}
    values = ini_values(config, [(setting.ini, setting.kind) for setting in SETTINGS])
    for setting, (value, origin) in zip(SETTINGS, values, strict=True):
        option = config.getoption(setting.ini) if setting.is_option else None
        override = _from_file(setting, value, origin, "command line") if is_override(origin) else None
        raw = (
            _from_option(setting, option, setting.off_option if option is False else setting.option)
            or override
            or _from_environment(setting, environ)
            or _from_file(setting, value, origin)
        )
        if raw is not None:
            raw_settings[setting.name] = raw
    return raw_settings


def read_console_settings(
    options: Mapping[str, object],
    environ: Mapping[str, str],
    ini: Mapping[str, object],
    *,
    ini_name: str = "ini file",
) -> dict[str, RawSetting]:
    """Return the settings of a console command by name: option, then environment, then ini file.

    ``options`` holds the options' values by the settings' names (``None`` where unset); ``ini`` the values of an ini
    file by their ini names, as texts or as TOML's own values; ``ini_name`` is the file's name in messages.
    """
    raw_settings: dict[str, RawSetting] = {}
    for setting in SETTINGS:
        option = options.get(setting.name)
        no_option = f"--no-{setting.plain_option[2:]}"
        raw = (
            _from_option(setting, option, no_option if option is False else setting.plain_option)
            or _from_environment(setting, environ)
            or _from_file(setting, ini.get(setting.ini), f"{ini_name}: {setting.ini}")
        )
        if raw is not None:
            raw_settings[setting.name] = raw
    return raw_settings


def split_list(text: str) -> tuple[str, ...]:
    r"""Return the values between commas, stripped and without empty ones; ``\,`` is a comma inside a value."""
    return _stripped(piece.replace("\\,", ",") for piece in _COMMA.split(text)) if text else ()


def _from_option(setting: Setting, value: object, origin: str) -> RawSetting | None:
    """Return the value of an option; a user can repeat a list's option, and commas separate."""
    if isinstance(value, (list, tuple)) and setting.kind in ("list", "pairs"):
        value = tuple(piece for text in value for piece in split_list(str(text)))
    elif isinstance(value, str) and setting.kind in ("list", "pairs"):
        value = split_list(value)
    return _raw_setting(value, origin, "command line")


def _from_environment(setting: Setting, environ: Mapping[str, str]) -> RawSetting | None:
    text = environ.get(setting.environment, "")
    if not text:
        return None
    value = split_list(text) if setting.kind in ("list", "pairs") else text
    return _raw_setting(value, setting.environment, "environment")


def _from_file(setting: Setting, value: object, origin: str, source: SettingSource = "ini file") -> RawSetting | None:
    """Return the setting from an ini value: lists have one value a line, or are lists in TOML."""
    if setting.kind in ("list", "pairs") and isinstance(value, str):
        value = value.split("\n")
    if isinstance(value, (list, tuple)):
        texts = [item for item in value if isinstance(item, str)]
        value = _stripped(texts) if len(texts) == len(value) else tuple(value)
    return _raw_setting(value, origin, source)


def _raw_setting(value: object, origin: str, source: SettingSource) -> RawSetting | None:
    """Return the value with its origin, ``None`` if it is unset or empty."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value in ("", ()):
        return None
    # A TOML file may hold a date or a table: as a text it is reported like any other wrong value.
    return RawSetting(value if isinstance(value, (str, int, float, tuple)) else str(value), origin, source)


def _stripped(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(stripped for text in texts if (stripped := text.strip()))
