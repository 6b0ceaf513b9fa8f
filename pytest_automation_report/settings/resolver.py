"""The resolving of what was given, one setting at a time, and what goes wrong on the way.

One place decides whose mistake stops the session: what was typed does, what stands in the environment is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers as values
from pytest_automation_report.settings.table import SWITCH_OPTION, is_override, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.settings.sources import RawSetting

__all__ = ["SettingsResolver", "absolute_path", "spelled_like"]

ValueT = TypeVar("ValueT")
DefaultT = TypeVar("DefaultT")
WordT = TypeVar("WordT", bound=str)


class SettingsResolver:
    """Reads given values and gathers troubles; lives while one configuration is made.

    ``hindrance`` is the first trouble that keeps results from being sent, empty without one. ``refused`` holds the
    names of settings whose value in the environment was left out.
    """

    def __init__(self, given: Mapping[str, RawSetting]) -> None:
        self.given = given
        self.troubles: list[str] = []
        self.hindrance = ""
        self.refused: set[str] = set()

    def value(self, name: str, read: Callable[[RawSetting], ValueT], default: DefaultT) -> ValueT | DefaultT:
        """Return a setting's value, the default when it was not given or was refused."""
        given = self.given.get(name)
        if given is None:
            return default
        try:
            return read(given)
        except SettingError as error:
            self.refuse(name, error, given)
            return default

    def choice(self, name: str, default: WordT, *others: WordT) -> WordT:
        """Return one of a setting's words."""
        return self.value(name, lambda given: values.choice(given, (default, *others)), default)

    def path(self, name: str, root: Path, default: Path) -> Path:
        """Return a setting's path; a relative one starts from the root folder."""
        return self.value(name, lambda given: absolute_path(values.text(given), root), default)

    def refuse(self, name: str, error: SettingError, given: RawSetting) -> None:
        """Raise a mistake that was typed, tell one of the environment."""
        if given.place != "environment":
            raise error
        self.refused.add(name)
        self.hinder(str(error))

    def hinder(self, trouble: str) -> None:
        """Tell a trouble that keeps results from being sent."""
        self.troubles.append(trouble)
        self.hindrance = self.hindrance or trouble


def absolute_path(text: str, root: Path) -> Path:
    """Return a path as users write it, ``~`` included, from the root folder."""
    path = Path(text)
    try:
        path = path.expanduser()
    except RuntimeError:
        # Nobody has a home folder of that name here: then it is the name of a folder.
        path = Path(text)
    return root.absolute() / path


def spelled_like(name: str, given: RawSetting) -> str:
    """Return a setting's name in the spelling that the user used for another one."""
    other = setting(name)
    if given.place == "environment":
        return other.environment
    if given.place == "ini file":
        return other.ini
    if is_override(given.origin):
        return f"-o {other.ini}"
    if not given.origin.startswith(SWITCH_OPTION):
        return other.plain_option
    return other.option if other.is_option else f"-o {other.ini}"
