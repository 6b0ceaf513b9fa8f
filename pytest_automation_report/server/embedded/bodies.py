"""Read the bodies that this package encodes, without msgspec: to import it takes as long as to store a short session.

Each function returns the value that the store gets, or None for a body that is not plain: with a property or a value
that is not known here. Such a body is read as the server reads it (`server.http.schemas`): it is accepted, or refused
with its mistakes. So this module refuses nothing, and a body that it accepts has the same rows either way.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.store.inputs import (
    INT64_MAX,
    RunSubmission,
    StoredAttachment,
    StoredTest,
    ThreadSubmission,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.statuses import StatusTable

__all__ = [
    "append_from",
    "attachments_from",
    "completion_from",
    "document_from",
    "durations_from",
    "run_from",
    "thread_from",
]

# The limits of `server.http.schemas`, or lower.
_MAX_BYTES: Final = 1_000_000
_NAME_LENGTH: Final = 4096
_KEY_LENGTH: Final = 64
_NOTE_LENGTH: Final = 80
_MAX_ENTRIES: Final = 1000
_MAX_TAGS: Final = 100
_MAX_TESTS: Final = 50_000
_MAX_RUNNING: Final = 100
_MAX_EXTENSION_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 20

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.", re.DOTALL)
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _text(value: object) -> bytes:
    return _encode(value).encode()


def document_from(body: bytes) -> Json | None:
    """Return the JSON object of a body, None if it is none, is large, or has texts that are stored in another form."""
    if len(body) > _MAX_BYTES or b"\\u0000" in body:
        return None
    try:
        document = json.loads(body)
        if b"\\ud" in body or b"\\uD" in body:  # half a pair of surrogates, or a pair, which is a character
            _encode(document).encode()  # fails for a half
    except (ValueError, RecursionError):  # that of a half is a ValueError, too
        return None
    return document if type(document) is dict else None


def run_from(body: Json) -> RunSubmission | None:
    """Return the run of a request that creates one."""
    attachments = _attachments(body)
    rest = {name: value for name, value in body.items() if name not in _ATTACHED}
    if attachments is None or not _is_plain(rest, _RUN, ("name", "source")):
        return None
    tags: list[str] = rest.get("tags", [])
    return RunSubmission(
        rest["name"],
        rest["source"],
        rest.get("config") or None,
        rest.get("config_id"),
        rest.get("milestone") or None,
        rest.get("milestone_id"),
        _encode(tags),
        attachments,
        tuple(dict.fromkeys(tags)),
    )


def attachments_from(body: Json) -> tuple[StoredAttachment, ...] | None:
    """Return the fields, artifacts and links of a request that adds to a run."""
    return _attachments(body) if body.keys() <= _ATTACHED.keys() else None


def completion_from(body: Json) -> bool | None:
    """Return whether the completion of a run measures its time since its creation."""
    measure = body.get("measure_elapsed", False)
    return measure if body.keys() <= {"measure_elapsed"} and type(measure) is bool else None


def durations_from(body: Json) -> tuple[int | None, int | None] | None:
    """Return the observed and the computed duration of a request that completes a thread."""
    return (body.get("elapsed_observed"), body.get("elapsed_computed")) if _is_plain(body, _DURATIONS) else None


def thread_from(body: Json) -> ThreadSubmission | None:
    """Return the thread of a request that creates one."""
    attachments = None if "links" in body else _attachments(body)
    rest = {name: value for name, value in body.items() if name not in _ATTACHED}
    if attachments is None or not _is_plain(rest, _THREAD):
        return None
    return ThreadSubmission(
        rest.get("elapsed_observed"),
        rest.get("elapsed_computed"),
        attachments,
        session_started=rest.get("session_started"),
    )


def append_from(body: Json, statuses: StatusTable) -> ThreadSubmission | None:
    """Return the addition of an append to a thread whose project has these statuses."""
    attachments = None if "links" in body else _attachments(body)
    rest = {name: value for name, value in body.items() if name not in _ATTACHED and name != "tests"}
    tests = body.get("tests", [])
    if attachments is None or type(tests) is not list or len(tests) > _MAX_TESTS or not _is_plain(rest, _APPEND):
        return None
    running = _text(rest["running"]) if "running" in rest else None
    if running is not None and len(running) > _MAX_EXTENSION_BYTES:
        return None
    ids = {alias: status.id for alias, status in statuses.by_alias.items()}
    rows: list[StoredTest] = []
    for test in tests:
        row = _row(test, ids)
        if row is None:
            return None
        rows.append(row)
    return ThreadSubmission(
        rest.get("elapsed_observed"),
        rest.get("elapsed_computed"),
        attachments,
        rows,
        statuses,
        rest.get("session_started"),
        None if running is None else running.decode(),
    )


def _row(test: Any, ids: Mapping[str, int]) -> StoredTest | None:  # noqa: ANN401 - anything that JSON can hold
    """Return a test as it is stored, None if it is not plain."""
    if type(test) is not dict or not _is_plain(test, _TEST, ("key", "name", "folder", "status")):
        return None
    status = ids.get(test["status"])
    fields = _entries("fields", test["fields"]) if "fields" in test else []
    artifacts = _entries("artifacts", test["artifacts"]) if "artifacts" in test else []
    if status is None or fields is None or artifacts is None:
        return None
    elapsed = test.get("elapsed")
    setup, _, teardown = test.get("phases", _NO_PHASES)
    if elapsed is None or setup is None or setup + teardown > elapsed:
        setup = teardown = None
    steps = comparison = None
    if "steps" in test or "comparison" in test:  # in few tests
        try:
            steps, comparison = _nested(test.get("steps"), _steps), _nested(test.get("comparison"), _comparison)
        except _NotPlainError:
            return None
    return StoredTest(
        test["key"],
        test["name"],
        test["folder"],
        status,
        elapsed,
        test.get("file"),
        test.get("line"),
        test.get("assertions"),
        f"[{','.join(fields)}]" if fields else None,
        f"[{','.join(artifacts)}]" if artifacts else None,
        test.get("started"),
        setup,
        teardown,
        steps,
        comparison,
    )


class _NotPlainError(Exception):
    """An extension is left to the server's code."""


def _nested(value: Any, canonical: Callable[[Any, int], object]) -> str | None:  # noqa: ANN401 - anything that JSON can hold
    """Return an extension as JSON, with its properties in the order of their declarations; None if there is none."""
    if not value:
        if value is None or value == []:
            return None
        raise _NotPlainError
    text = _text(canonical(value, 0))
    if len(text) > _MAX_EXTENSION_BYTES:
        raise _NotPlainError
    return text.decode()


def _steps(value: Any, depth: int) -> list[Json]:  # noqa: ANN401 - as above
    if type(value) is not list or depth > _MAX_DEPTH:
        raise _NotPlainError
    return [_part(step, _STEP, ("name", "status"), {"steps": _steps}, depth) for step in value]


def _comparison(value: Any, depth: int) -> Json:  # noqa: ANN401 - as above
    return _part(value, _COMPARISON, tuple(_COMPARISON), {"left": _value, "right": _value}, depth)


def _value(value: Any, depth: int) -> Json:  # noqa: ANN401 - as above
    parts = {"items": _values, "entries": _pairs_of_values, "fields": _named_values}
    return _part(value, _VALUE, ("type",), parts, depth)


def _values(value: Any, depth: int) -> list[Json]:  # noqa: ANN401 - as above
    if type(value) is not list or depth > _MAX_DEPTH:
        raise _NotPlainError
    return [_value(part, depth) for part in value]


def _pairs_of_values(value: Any, depth: int) -> list[list[Json]]:  # noqa: ANN401 - as above
    if type(value) is not list or not all(type(pair) is list and len(pair) == 2 for pair in value):  # noqa: PLR2004
        raise _NotPlainError
    return [_values(pair, depth) for pair in value]


def _named_values(value: Any, depth: int) -> list[list[object]]:  # noqa: ANN401 - as above
    if type(value) is not list or not all(type(pair) is list and len(pair) == 2 for pair in value):  # noqa: PLR2004
        raise _NotPlainError
    if depth > _MAX_DEPTH or not all(_is_name_or_empty(name) for name, _ in value):
        raise _NotPlainError
    return [[name, _value(part, depth)] for name, part in value]


def _part(
    value: Any,  # noqa: ANN401 - as above
    checks: Mapping[str, Callable[[Any], bool]],
    required: Sequence[str],
    parts: Mapping[str, Callable[[Any, int], object]],
    depth: int,
) -> Json:
    """Return an object of an extension in the order of ``checks``, without its defaults."""
    if type(value) is not dict or not _is_plain(value, checks, required):
        raise _NotPlainError
    body: Json = {}
    for name in checks:
        if name in value and (name, value[name]) not in _LEFT_OUT:
            part = parts.get(name)
            body[name] = value[name] if part is None else part(value[name], depth + 1)
    return body


def _attachments(body: Json) -> tuple[StoredAttachment, ...] | None:
    """Return the fields, artifacts and links of a body, in this order."""
    attachments: list[StoredAttachment] = []
    for kind in _ATTACHED:
        texts = _entries(kind, body.get(kind, ()))
        if texts is None:
            return None
        attachments += (StoredAttachment(kind, text) for text in texts)
    return tuple(attachments)


def _entries(kind: Kind, entries: Any) -> list[str] | None:  # noqa: ANN401 - anything that JSON can hold
    """Return each field, artifact or link of a list as JSON with its properties in the order of the declarations."""
    if not entries and type(entries) in (tuple, list):
        return []
    checks, required = _ATTACHED[kind]
    if type(entries) is not list or len(entries) > _MAX_ENTRIES:
        return None
    if not all(type(entry) is dict and _is_plain(entry, checks, required) for entry in entries):
        return None
    return [_encode({name: entry[name] for name in checks if name in entry}) for entry in entries]


def _is_plain(value: Json, checks: Mapping[str, Callable[[Any], bool]], required: Sequence[str] = ()) -> bool:
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


def _is_name_or_empty(value: Any) -> bool:  # noqa: ANN401
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
    return type(value) is dict and len(value) <= _MAX_ENTRIES and all(map(_is_text, value.values()))


def _is_step_status(value: Any) -> bool:  # noqa: ANN401
    return type(value) is str and value in {"passed", "failed", "skipped"}


def _is_running(value: Any) -> bool:  # noqa: ANN401
    """Accept the running tests as the sender writes them, with their properties in the order of the declarations."""
    if type(value) is not list or len(value) > _MAX_RUNNING:
        return False
    return all(type(test) is dict and list(test) == list(_RUNNING) and _is_plain(test, _RUNNING) for test in value)


def _is_tags(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and len(value) <= _MAX_TAGS and all(map(_is_name, value))


def _is_phases(value: Any) -> bool:  # noqa: ANN401
    return type(value) is list and len(value) == len(_NO_PHASES) and all(map(_is_count, value))


def _is_any(value: Any) -> bool:  # noqa: ANN401
    """Accept a list that is looked at elsewhere."""
    del value
    return True


_NO_PHASES: Final = (None, None, None)
_DURATIONS: Final = {"elapsed_observed": _is_count, "elapsed_computed": _is_count}
_THREAD: Final = {**_DURATIONS, "session_started": _is_count}
_APPEND: Final = {**_THREAD, "running": _is_running}
_RUNNING: Final = {"key": _is_name_or_empty, "name": _is_name_or_empty, "folder": _is_name_or_empty, "since": _is_count}
_STEP: Final = {"name": _is_name_or_empty, "status": _is_step_status, "elapsed": _is_count, "steps": _is_any}
_VALUE: Final = {
    "type": _is_name_or_empty,
    "text": _is_text,
    "items": _is_any,
    "entries": _is_any,
    "fields": _is_any,
    "size": _is_count,
    "start": _is_count,
}
_COMPARISON: Final = {"operator": _is_name_or_empty, "left": _is_any, "right": _is_any}
# Defaults, which the server does not store: a step without steps, a value from its beginning.
_LEFT_OUT: Final[tuple[tuple[str, object], ...]] = (("steps", []), ("start", 0))
_RUN: Final = {
    "name": _is_name,
    "source": _is_name,
    "config": _is_name_or_empty,
    "config_id": _is_id,
    "milestone": _is_name_or_empty,
    "milestone_id": _is_id,
    "tags": _is_tags,
}
_TEST: Final = {
    "key": _is_key,
    "name": _is_name,
    "folder": _is_name,
    "status": _is_text,
    "elapsed": _is_count,
    "file": _is_name_or_empty,
    "line": _is_count,
    "assertions": _is_count,
    "fields": _is_any,
    "artifacts": _is_any,
    "started": _is_count,
    "phases": _is_phases,
    "steps": _is_any,
    "comparison": _is_any,
}
# The order of the properties is that in which the server stores them.
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
    "mime_type": lambda value: value is None or _is_name_or_empty(value),
    "size": lambda value: value is None or _is_count(value),
}
_LINK: Final = {"name": _is_name, "note": _is_note, "url": _is_url}
_Checks = tuple[dict[str, Any], tuple[str, ...]]
_ATTACHED: Final[dict[Kind, _Checks]] = {
    "fields": (_FIELD, ("type", "name")),
    "artifacts": (_ARTIFACT, ("name", "url")),
    "links": (_LINK, ("name", "url")),
}
