"""Read the raw value of each setting, and where the user wrote it: command line, environment or ini file.

pytest and the console command read different places in one order: command line, environment, ini file. Empty is unset.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.pytest_config import (
    SWITCH_NAME,
    SWITCH_OPTION,
    ini_values,
    is_override,
    normalized_ini_name,
)
from pytest_automation_report.settings.settings import PREFIX, SETTINGS, Setting, setting_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pytest

    from pytest_automation_report.settings.parsers import SettingSource

OTHER_VARIABLES: Final = frozenset({"AUTOMATION_REPORT_TOKEN", "AUTOMATION_REPORT_SERVER_TOKEN"})


def read_pytest_settings(config: pytest.Config, environ: Mapping[str, str]) -> dict[str, RawSetting]:
    """Return a session's settings by name; raises `SettingError` for an ini value that pytest cannot read."""
    values = ini_values(config, [(setting.ini, setting.kind) for setting in SETTINGS])
    found: dict[str, RawSetting] = {}
    for setting, in_file in zip(SETTINGS, values, strict=True):
        option = config.getoption(setting.ini) if setting.is_option else None
        spelled = setting.off_option if option is False else setting.option
        if raw := _decided(setting, (option, spelled), environ, in_file):
            found[setting.name] = raw
    return found


def read_console_settings(
    options: Mapping[str, object], environ: Mapping[str, str], ini: Mapping[str, object], *, ini_name: str = "ini file"
) -> dict[str, RawSetting]:
    """Return the settings of a console command by name: option, then environment, then ini file.

    ``options`` holds the options' values by the settings' names (``None`` where unset); ``ini`` the values of the ini
    file ``ini_name`` by their ini names, as texts or as TOML's own values.
    """
    found: dict[str, RawSetting] = {}
    for setting in SETTINGS:
        option = options.get(setting.name)
        spelled = setting.plain_off_option if option is False else setting.plain_option
        in_file = ini.get(setting.ini), f"{ini_name}: {setting.ini}"
        if raw := _decided(setting, (option, spelled), environ, in_file):
            found[setting.name] = raw
    return found


def _decided(
    setting: Setting, option: tuple[object, str], environ: Mapping[str, str], in_file: tuple[object, str]
) -> RawSetting | None:
    """Return a setting by the first place that has it; option and ini value come with their origins."""
    value, origin = in_file
    if setting.is_list and isinstance(value, str):
        value = value.split("\n")
    if isinstance(value, (list, tuple)):
        texts = [item for item in value if isinstance(item, str)]
        value = _stripped(texts) if len(texts) == len(value) else tuple(value)
    from_file = _raw_setting(value, origin, "command line" if is_override(origin) else "ini file")
    return (
        _typed(setting, *option, "command line")
        or (from_file if is_override(origin) else None)
        or _typed(setting, environ.get(setting.environment), setting.environment, "environment")
        or from_file
    )


def _typed(setting: Setting, value: object, origin: str, source: SettingSource) -> RawSetting | None:
    r"""Return the value of an option or a variable; commas separate those of a list, ``\,`` is a comma in one."""
    if setting.is_list and isinstance(value, (str, list, tuple)):
        texts = [value] if isinstance(value, str) else value
        pieces = (piece for text in texts for piece in re.split(r"(?<!\\),", str(text)))
        value = _stripped(piece.replace("\\,", ",") for piece in pieces)
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


def spelled_like(name: str, raw: RawSetting) -> str:
    """Return a setting's name in the spelling that the user used for another one."""
    other = setting_of(name)
    if raw.source == "environment":
        return other.environment
    if raw.source == "ini file":
        return other.ini
    if is_override(raw.origin):
        return f"-o {other.ini}"
    if not raw.origin.startswith(SWITCH_OPTION):
        return other.plain_option
    return other.option if other.is_option else f"-o {other.ini}"


_INI_NAMES: Final = (SWITCH_NAME, *(setting.ini for setting in SETTINGS))
# All names that a user may have meant.
_KNOWN: Final = (*_INI_NAMES, *sorted(name.lower() for name in OTHER_VARIABLES))


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each environment variable that has our prefix and is not a setting."""
    for name in sorted(environ):
        if name.startswith(PREFIX.upper()) and name.lower() not in _KNOWN:
            near = _nearest(name.lower()).upper()
            yield f"{name}: does nothing" + (f"; did you mean {near}?" if near else "")


def misspelling(name: str, origin: str) -> tuple[SettingError | None, bool]:
    """Return the error for a name in an ini file that is not a setting, and whether the user meant one.

    pytest only warns of such a name. The error is None for a name that resembles none; none has the value, which can be
    the token.
    """
    word = normalized_ini_name(name)
    if name in _INI_NAMES:
        return None, False
    near = _nearest(word)
    is_token = word.endswith("_token") or near.endswith("_token")
    if is_token:
        remedy = (
            f"an API token never belongs into an ini file: take it out, make a new one if others could read it, and"
            f" set AUTOMATION_REPORT_TOKEN, or name a file that holds it with {setting_of('token_file').ini}"
        )
    elif near:
        remedy = f"did you mean {near}?"
    elif word.startswith(PREFIX):
        remedy = "take it out, or choose one that pytest --help shows"
    else:
        return None, False
    return SettingError(origin, None, remedy, reason="is not a setting"), is_token or bool(near)


def _nearest(word: str) -> str:
    """Return the name that a word resembles most, empty for none."""
    if word in _KNOWN:
        return word
    if not word.startswith(PREFIX):
        return next(iter(difflib.get_close_matches(word, _KNOWN, n=1, cutoff=0.8)), "")
    # Without the prefix, which alone makes any two names look alike.
    endings = [name.removeprefix(PREFIX) for name in _KNOWN if name.startswith(PREFIX)]
    near = difflib.get_close_matches(word.removeprefix(PREFIX), endings, n=1)
    return f"{PREFIX}{near[0]}" if near else ""
