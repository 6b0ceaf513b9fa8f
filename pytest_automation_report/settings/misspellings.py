"""Find the setting that a name in an ini file was meant to be.

Pytest warns of a key that it does not know; a session would then report to the wrong place, or not at all.
"""

from __future__ import annotations

import difflib
from typing import Final

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.table import PREFIX, SETTINGS, SWITCH_NAME, ini_word, setting

__all__ = ["misspelling"]

_CLOSE: Final = 0.8
_TOKEN: Final = f"{PREFIX}token"
_NAMES: Final = (SWITCH_NAME, *(each.ini for each in SETTINGS))
_KNOWN: Final = (*_NAMES, _TOKEN)
_REASON: Final = "is not a setting"


def misspelling(name: str, origin: str) -> tuple[SettingError | None, bool]:
    """Return the error for an ini file's name that looks like ours and is none, and whether a setting was meant.

    There is no error for a setting's own name, nor for a name that resembles none and has no prefix of ours. The value
    is in no message, since it can be the token.
    """
    word = ini_word(name)
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

    Behind the prefix only the rest is compared: the prefix alone makes any two names look alike.
    """
    if word in _KNOWN:
        return word
    if word.startswith(PREFIX):
        endings = [each.removeprefix(PREFIX) for each in _KNOWN if each.startswith(PREFIX)]
        near = difflib.get_close_matches(word.removeprefix(PREFIX), endings, n=1)
        return f"{PREFIX}{near[0]}" if near else ""
    near = difflib.get_close_matches(word, _KNOWN, n=1, cutoff=_CLOSE)
    return near[0] if near else ""
