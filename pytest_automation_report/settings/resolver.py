"""Resolve the settings one by one to typed values, and collect the warnings about wrong ones.

This module alone decides which mistake stops the session: one that a user typed does, one in the environment does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.pytest_config import SWITCH_OPTION
from pytest_automation_report.settings.sources import RawSetting
from pytest_automation_report.settings.table import is_override, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.settings.table import Setting

ValueT = TypeVar("ValueT")
DefaultT = TypeVar("DefaultT")


class SettingsResolver:
    """Parses raw values and collects warnings; `configuration_from` owns it while it builds one configuration.

    ``blocking_error`` is the first warning that keeps results from being sent, empty without one. ``refused`` holds the
    names of settings that have a wrong value in the environment, which is ignored.
    """

    def __init__(self, raw_settings: Mapping[str, RawSetting]) -> None:
        self.raw_settings = raw_settings
        self.warnings: list[str] = []
        self.blocking_error = ""
        self.refused: set[str] = set()

    def parsed(self, setting: Setting) -> object:
        """Return a setting's value by the parser of its row, its default if it is unset or refused."""
        parse = parsers.parser_of(setting)
        default = setting.default
        # Defaults are written as a user would write them ("32MB"); "", None and False stand for themselves.
        value = default if default in (None, "", False) else parse(RawSetting(default, setting.name))
        return self.value(setting.name, parse, value)

    def value(self, name: str, parse: Callable[[RawSetting], ValueT], default: DefaultT) -> ValueT | DefaultT:
        """Return a setting's value by this parser, the default if the setting is unset or refused."""
        raw = self.raw_settings.get(name)
        if raw is None:
            return default
        try:
            return parse(raw)
        except SettingError as error:
            self.refuse(name, error, raw)
            return default

    def refuse(self, name: str, error: SettingError, raw: RawSetting) -> None:
        """Raise the error of a value that a user typed; note that of a value from the environment.

        A variable may come from a CI provider or an image, so the tests run. Results are kept instead of sent, since a
        guess could send them to the wrong place.
        """
        if raw.source != "environment":
            raise error
        self.refused.add(name)
        self.block(str(error))

    def block(self, warning: str) -> None:
        """Note a warning that keeps results from being sent."""
        self.warnings.append(warning)
        self.blocking_error = self.blocking_error or warning


def absolute_path(text: str, root: Path) -> Path:
    """Return a path as users write it, ``~`` included, from the root folder."""
    path = Path(text)
    try:
        path = path.expanduser()
    except RuntimeError:
        # This machine has no user of that name, so the text is the name of a folder.
        path = Path(text)
    return root.absolute() / path


def spelled_like(name: str, raw: RawSetting) -> str:
    """Return a setting's name in the spelling that the user used for another one."""
    other = setting(name)
    if raw.source == "environment":
        return other.environment
    if raw.source == "ini file":
        return other.ini
    if is_override(raw.origin):
        return f"-o {other.ini}"
    if not raw.origin.startswith(SWITCH_OPTION):
        return other.plain_option
    return other.option if other.is_option else f"-o {other.ini}"
