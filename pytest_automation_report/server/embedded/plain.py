"""Declare which values of each property are plain: those that this package encodes, and the server stores unchanged.

The limits are those of `server.http.schemas`, or lower.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.store.inputs import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import Kind

__all__ = [
    "APPEND",
    "ATTACHED",
    "ATTEMPT",
    "COMPARISON",
    "DURATIONS",
    "MAX_ENTRIES",
    "NO_PHASES",
    "RUN",
    "STEP",
    "TEST",
    "THREAD",
    "VALUE",
    "is_coloured",
    "is_name_or_empty",
    "is_plain",
]

MAX_ENTRIES: Final = 1000
"""Most fields, artifacts or links of one body, and most pairs of a meta."""

_NAME_LENGTH: Final = 4096
_KEY_LENGTH: Final = 64
_NOTE_LENGTH: Final = 80
_MAX_TAGS: Final = 100
_MAX_RUNNING: Final = 100

_MAX_ATTEMPT: Final = 999_999_999
_STYLE: Final = re.compile(r"[0-9]{1,3}(;[0-9]{1,3}){0,5}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.", re.DOTALL)


def is_plain(value: Json, checks: Mapping[str, Callable[[Any], bool]], required: Sequence[str] = ()) -> bool:
    """Whether each property is known and as it must be, and none of the required ones is missing."""
    # Without generators, which took a third of the time.
    for name in required:
        if name not in value:
            return False
    for name, entry in value.items():  # noqa: SIM110 - as above
        if name not in checks or not checks[name](entry):
            return False
    return True


def _is_text(value: Any) -> bool:  # noqa: ANN401 - anything that JSON can hold, as in all of these
    return type(value) is str


def _is_text_or_null(value: Any) -> bool:  # noqa: ANN401
    return value is None or type(value) is str


def _is_name(value: Any) -> bool:  # noqa: ANN401
    return type(value) is str and 0 < len(value) <= _NAME_LENGTH


def is_name_or_empty(value: Any) -> bool:  # noqa: ANN401
    """Accept a name, and an empty text."""
    return type(value) is str and len(value) <= _NAME_LENGTH


def _is_key(value: Any) -> bool:  # noqa: ANN401
    # ASCII letters and digits without capitals; an expression takes three times as long.
    is_short = type(value) is str and 0 < len(value) <= _KEY_LENGTH
    return is_short and value.isascii() and value.isalnum() and value == value.lower()


def _is_url(value: Any) -> bool:  # noqa: ANN401
    return type(value) is str and _SCHEME.match(value) is not None


def _is_note(value: Any) -> bool:  # noqa: ANN401
    return value is None or (type(value) is str and len(value) <= _NOTE_LENGTH)


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return type(value) is int and 0 <= value <= INT64_MAX


def _is_id(value: Any) -> bool:  # noqa: ANN401
    return type(value) is int and 1 <= value <= INT64_MAX


def _is_type(value: Any) -> bool:  # noqa: ANN401
    return type(value) is int and 1 <= value <= 5  # noqa: PLR2004 - the types of fields in the contract


def _is_flag(value: Any) -> bool:  # noqa: ANN401
    return type(value) is bool


def _is_pairs(value: Any) -> bool:  # noqa: ANN401
    return type(value) is dict and len(value) <= MAX_ENTRIES and all(map(_is_text, value.values()))


def _is_step_status(value: Any) -> bool:  # noqa: ANN401
    return type(value) is str and value in {"passed", "failed", "skipped"}


def _is_counts(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and all(map(_is_count, value))


def _is_attempt_number(value: Any) -> bool:  # noqa: ANN401
    return type(value) is int and 1 <= value <= _MAX_ATTEMPT


def _is_output(value: Any) -> bool:  # noqa: ANN401
    return type(value) is dict and all(map(is_name_or_empty, value)) and all(map(_is_text, value.values()))


def is_coloured(value: Any) -> bool:  # noqa: ANN401
    """Accept the coloured parts of a text: start, end and style of each."""
    return type(value) is list and all(map(_is_coloured_part, value))


def _is_coloured_part(value: Any) -> bool:  # noqa: ANN401
    if type(value) is not list or len(value) != 3 or type(value[2]) is not str:  # noqa: PLR2004 - see above
        return False
    return _is_count(value[0]) and _is_count(value[1]) and _STYLE.fullmatch(value[2]) is not None


def _is_running(value: Any) -> bool:  # noqa: ANN401
    """Accept the running tests as the sender writes them, with their properties in the order of the declarations."""
    if type(value) is not list or len(value) > _MAX_RUNNING:
        return False
    return all(type(test) is dict and list(test) == list(_RUNNING) and is_plain(test, _RUNNING) for test in value)


def _is_job(value: Any) -> bool:  # noqa: ANN401
    return type(value) is dict and is_plain(value, {"name": _is_name, "attempt": _is_count}, ("name", "attempt"))


def _is_collection(value: Any) -> bool:  # noqa: ANN401
    """Accept the collected tests as the sender writes them, with their properties in the order of the declarations."""
    if type(value) is not dict or list(value) != ["digest", "tests", "chosen"]:
        return False
    digest = value["digest"]
    is_digest = type(digest) is str and re.fullmatch("[0-9a-f]{16,64}", digest) is not None
    return is_digest and _is_count(value["tests"]) and _is_count(value["chosen"])


def _is_tags(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and len(value) <= _MAX_TAGS and all(map(_is_name, value))


def _is_phases(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and len(value) == len(NO_PHASES) and all(map(_is_count, value))


def _is_any(value: Any) -> bool:  # noqa: ANN401
    """Accept a list that is looked at elsewhere."""
    del value
    return True


NO_PHASES: Final = (None, None, None)
"""The phases of a test that has none."""

# Each table has the properties of a body, or of a part of one, with the check of each.
DURATIONS: Final = {"elapsed_observed": _is_count, "elapsed_computed": _is_count}
THREAD: Final = {**DURATIONS, "session_started": _is_count, "job": _is_job}
APPEND: Final = {**THREAD, "running": _is_running, "collection": _is_collection}
_RUNNING: Final = {"key": is_name_or_empty, "name": is_name_or_empty, "folder": is_name_or_empty, "since": _is_count}
STEP: Final = {
    "name": is_name_or_empty,
    "status": _is_step_status,
    "elapsed": _is_count,
    "files": _is_counts,
    "steps": _is_any,
}
VALUE: Final = {
    "type": is_name_or_empty,
    "text": _is_text,
    "items": _is_any,
    "entries": _is_any,
    "fields": _is_any,
    "size": _is_count,
    "start": _is_count,
}
COMPARISON: Final = {"operator": is_name_or_empty, "left": _is_any, "right": _is_any}
ATTEMPT: Final = {
    "number": _is_attempt_number,
    "output": _is_output,
    "phases": _is_phases,
    "steps": _is_any,
    "comparison": _is_any,
    "colours": _is_any,
}
RUN: Final = {
    "name": _is_name,
    "source": _is_name,
    "config": is_name_or_empty,
    "config_id": _is_id,
    "milestone": is_name_or_empty,
    "milestone_id": _is_id,
    "tags": _is_tags,
}
TEST: Final = {
    "key": _is_key,
    "name": _is_name,
    "folder": _is_name,
    "status": _is_text,
    "elapsed": _is_count,
    "file": is_name_or_empty,
    "line": _is_count,
    "assertions": _is_count,
    "fields": _is_any,
    "artifacts": _is_any,
    "started": _is_count,
    "phases": _is_phases,
    "steps": _is_any,
    "comparison": _is_any,
    "colours": _is_any,
    "attempts": _is_any,
}
# The order of these properties is that in which the server stores them.
_FIELD: Final = {
    "type": _is_type,
    "name": _is_name,
    "value": _is_text_or_null,
    "meta": _is_pairs,
    "is_highlight": _is_flag,
}
_ARTIFACT: Final = {
    "name": _is_name,
    "note": _is_note,
    "url": _is_url,
    "mime_type": lambda value: value is None or is_name_or_empty(value),
    "size": lambda value: value is None or _is_count(value),
}
_LINK: Final = {"name": _is_name, "note": _is_note, "url": _is_url}
_Checks = tuple[dict[str, Any], tuple[str, ...]]
ATTACHED: Final[dict[Kind, _Checks]] = {
    "fields": (_FIELD, ("type", "name")),
    "artifacts": (_ARTIFACT, ("name", "url")),
    "links": (_LINK, ("name", "url")),
}
"""The properties of fields, artifacts and links, and those that none may lack."""
