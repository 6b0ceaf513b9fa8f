"""Whether records of a spool hold what their kind needs.

A checksum that is right says that a line is whole, not that a sender can do something with it: a spool is a file that
may come from another machine. What does not hold is passed over and counted like what is damaged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from pytest_automation_report.api.models import Artifact, Field, Status, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.spool.records import Record

    Check: TypeAlias = Callable[[object], bool]

_MOST: Final = 2**63
_CAPTURED: Final = 4
_STATUSES: Final = frozenset(get_args(Status))


def _is_integer(value: object) -> bool:
    return type(value) is int and -_MOST <= value < _MOST


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _may_be_integer(value: object) -> bool:
    return value is None or _is_integer(value)


def _is_status(value: object) -> bool:
    return type(value) is str and value in _STATUSES


def _is_field(value: object) -> bool:
    try:
        field = Field.from_body(value)  # type: ignore[arg-type]  # whether it is what this takes is the question
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return _is_text(field.name) and isinstance(field.meta, dict)


def _is_artifact(value: object) -> bool:
    try:
        artifact = Artifact(**value)  # type: ignore[arg-type]  # as above
    except TypeError:
        return False
    texts = (artifact.name, artifact.url), (artifact.note, artifact.mime_type)
    return (
        all(map(_is_text, texts[0]))
        and all(each is None or _is_text(each) for each in texts[1])
        and _may_be_integer(artifact.size)
    )


def _is_property(members: Mapping[str, object]) -> bool:
    """Whether a record has one thing that a run can have."""
    return _is_artifact(members["artifact"]) if "artifact" in members else _is_field(members.get("field"))


def _are_captured(value: object) -> bool:
    return type(value) is list and all(
        type(each) is list and len(each) == _CAPTURED and _is_text(each[0]) and all(map(_is_integer, each[1:]))
        for each in value
    )


_NEEDED: Final[Mapping[str, Mapping[str, Check]]] = {
    "open": {"pid": _is_integer, "began": _may_be_integer},
    "collected": {"count": _is_integer},
    "plan": {"each": _is_flag},
    "start": {"n": _is_integer, "t": _is_integer, "id": _is_text, "file": _is_text, "line": _may_be_integer},
    "pass": {
        "n": _is_integer,
        "t": _is_integer,
        "began": _is_integer,
        "elapsed": _is_integer,
        "id": _is_text,
        "file": _is_text,
        "line": _may_be_integer,
    },
    "finish": {
        "n": _is_integer,
        "t": _is_integer,
        "key": _is_text,
        "status": _is_status,
        "elapsed": _is_integer,
        "final": _is_flag,
    },
    "close": {"t": _is_integer, "more": _may_be_integer},
    "crash": {
        "t": _is_integer,
        "worker": _is_text,
        "id": _is_text,
        "file": _is_text,
        "line": _may_be_integer,
        "outcome": _is_text,
        "text": _is_text,
    },
    "end": {"reason": _is_text},
    "artifact": {"n": _is_integer, "artifact": _is_artifact},
    "captured": {"files": _are_captured},
}


def is_sound(record: Record) -> bool:
    """Return whether a record can be used; kinds of later versions are sound, whatever they hold."""
    members = record.members
    if record.kind == "property":
        return _is_property(members)
    for name, check in _NEEDED.get(record.kind, {}).items():
        if not check(members.get(name)):
            return False
    if record.kind != "finish":
        return True
    # A test is sent as it stands, and read only to be put together with the attempts before it.
    return record.test.startswith("{") if members["final"] else _is_test(record.test)


def _is_test(text: str) -> bool:
    try:
        Test.from_body(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    return True
