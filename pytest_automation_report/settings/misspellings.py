"""Find the setting that a user meant with a misspelled name in an ini file.

pytest only warns of an unknown name; the session would then report to the wrong place, or not at all.
"""

from __future__ import annotations

import difflib
from typing import Final

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.table import (
    PREFIX,
    SETTINGS,
    SWITCH_NAME,
    normalized_ini_name,
    setting,
)

_CLOSE: Final = 0.8
_TOKEN: Final = f"{PREFIX}token"
_NAMES: Final = (SWITCH_NAME, *(setting.ini for setting in SETTINGS))
_KNOWN: Final = (*_NAMES, _TOKEN)
_REASON: Final = "is not a setting"


def misspelling(name: str, origin: str) -> tuple[SettingError | None, bool]:
    """Return the error for a name in an ini file that is not a setting, and whether the user meant one.

    The error is None for a setting's name, and for a name without our prefix that resembles no setting. No message has
    the value, since it can be the token.
    """
    word = normalized_ini_name(name)
    if name in _NAMES:
        return None, False
    near = _nearest(word)
    if word.endswith("_token") or near == _TOKEN:
        remedy = (
            f"an API token never belongs into an ini file: take it out, make a new one if others could read it, and"
            f" set {_TOKEN.upper()}, or name a file that holds it with {setting('token_file').ini}"
        )
        return SettingError(origin, None, remedy, reason=_REASON), True
    if near:
        return SettingError(origin, None, f"did you mean {near}?", reason=_REASON), True
    if not word.startswith(PREFIX):
        return None, False
    return SettingError(origin, None, "take it out, or choose one that pytest --help shows", reason=_REASON), False


def _nearest(word: str) -> str:
    """Return the name that a word resembles most, empty for none.

    Of a word with our prefix only the rest is compared: the prefix alone makes any two names look alike.
    """
    if word in _KNOWN:
        return word
    if word.startswith(PREFIX):
        endings = [known.removeprefix(PREFIX) for known in _KNOWN if known.startswith(PREFIX)]
        near = difflib.get_close_matches(word.removeprefix(PREFIX), endings, n=1)
        return f"{PREFIX}{near[0]}" if near else ""
    near = difflib.get_close_matches(word, _KNOWN, n=1, cutoff=_CLOSE)
    return near[0] if near else ""
