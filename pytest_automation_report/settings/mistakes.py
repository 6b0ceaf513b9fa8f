"""Find the setting that a user meant by a misspelled name in an ini file or the environment."""

from __future__ import annotations

import difflib
from typing import Final

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.pytest_config import SWITCH_NAME, normalized_ini_name
from pytest_automation_report.settings.settings import PREFIX, SETTINGS, TOKEN_VARIABLES, setting_of

_INI_NAMES: Final = (SWITCH_NAME, *(setting.ini for setting in SETTINGS))
# All names that a user may have meant.
_KNOWN: Final = (*_INI_NAMES, *(name.lower() for name in TOKEN_VARIABLES))


def unknown_variable(name: str) -> str:
    """Return the warning for an environment variable that has our prefix and is not a setting."""
    near = _nearest(name.lower()).upper()
    return f"{name}: does nothing" + (f"; did you mean {near}?" if near else "")


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
        hint = (
            f"an API token never belongs into an ini file: take it out, make a new one if others could read it, and"
            f" set AUTOMATION_REPORT_TOKEN, or name a file that holds it with {setting_of('token_file').ini}"
        )
    elif near:
        hint = f"did you mean {near}?"
    elif word.startswith(PREFIX):
        hint = "take it out, or choose one that pytest --help shows"
    else:
        return None, False
    return SettingError(origin, None, hint, reason="is not a setting"), is_token or bool(near)


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
