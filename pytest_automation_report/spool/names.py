"""Names of sessions: the time of their start, so that they sort by age, and a random part."""

from __future__ import annotations

import os
from typing import Final

from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.unpatched import Unpatched

_RANDOM_BYTES: Final = 4
_SESSION_NAME: Final = lazy_pattern(rf"\.?[0-9]{{8}}T[0-9]{{6}}-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


def new_session_name() -> str:
    """Return the name of a session that starts now."""
    return f"{Unpatched.utc():%Y%m%dT%H%M%S}-{os.urandom(_RANDOM_BYTES).hex()}"


def is_session_name(name: str) -> bool:
    """Return whether a folder of this name can be a session's, published or hidden."""
    return _SESSION_NAME.fullmatch(name) is not None
