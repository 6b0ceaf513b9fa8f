"""Check that a record of a spool has the members of its kind, with their types.

A right checksum only shows that a line is whole. A spool may come from another machine, and be forged: without these
checks one record could end the sender with a TypeError, each time that it is started. Readers skip and count a record
that fails them, as they do with damaged ones. Security does not rest on them: no record names a path or a host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from pytest_automation_report.api.models import Artifact, Field, Status, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.spool.records import Record

    Check: TypeAlias = Callable[[object], bool]

# Integers of a forged record may have thousands of digits; those of a real one fit into 64 bits.
_MAX_INTEGER: Final = 2**63
# Name, descriptor, device and inode: `delivery.captured_output` takes them apart.
_CAPTURED_MEMBERS: Final = 4
_STATUSES: Final = frozenset(get_args(Status))


def _is_integer(value: object) -> bool:
    return type(value) is int and -_MAX_INTEGER <= value < _MAX_INTEGER


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
        field = Field.from_body(value)  # type: ignore[arg-type]  # that is what the call finds out
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return _is_text(field.name) and isinstance(field.meta, dict)


def _is_artifact(value: object) -> bool:
    try:
        artifact = Artifact(**value)  # type: ignore[arg-type]  # as above
    except TypeError:
        return False
    return (
        all(map(_is_text, (artifact.name, artifact.url)))
        and all(text is None or _is_text(text) for text in (artifact.note, artifact.mime_type))
        and _may_be_integer(artifact.size)
    )


def _is_property(members: Mapping[str, object]) -> bool:
    """Whether a record has an artifact or a field of the run."""
    return _is_artifact(members["artifact"]) if "artifact" in members else _is_field(members.get("field"))


def _are_captured(value: object) -> bool:
    return type(value) is list and all(
        type(file) is list and len(file) == _CAPTURED_MEMBERS and _is_text(file[0]) and all(map(_is_integer, file[1:]))
        for file in value
    )


# Only the members that `WorkerQueues` needs: records of other versions may lack the others.
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
        "setup": _may_be_integer,
        "teardown": _may_be_integer,
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
    """Return whether a record has the members of its kind; unknown kinds, of later versions, are sound."""
    members = record.members
    if record.kind == "property":
        return _is_property(members)
    for name, check in _NEEDED.get(record.kind, {}).items():
        if not check(members.get(name)):
            return False
    if record.kind != "finish":
        return True
    # A final test is sent as it stands and need not be decoded; another is merged into the next attempt's result.
    return record.test.startswith("{") if members["final"] else _is_test(record.test)


def _is_test(text: str) -> bool:
    try:
        Test.from_body(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    return True
