"""Read the bodies that this package encodes, without msgspec: to import it takes as long as to store a short session.

Each function returns the value that the store gets, or None for a body that is not plain: with a property or a value
that is not known here. Such a body is read as the server reads it (`server.http.schemas`): it is accepted, or refused
with its mistakes. So this module refuses nothing, and a body that it accepts has the same rows either way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.embedded.nested import (
    MAX_EXTENSION_BYTES,
    NotPlainError,
    attempts_text,
    colours_text,
    compact,
    comparison_text,
    steps_text,
)
from pytest_automation_report.server.embedded.plain import (
    APPEND,
    ATTACHED,
    DURATIONS,
    MAX_ENTRIES,
    NO_PHASES,
    RUN,
    TEST,
    THREAD,
    is_plain,
)
from pytest_automation_report.server.store.inputs import (
    RunSubmission,
    StoredAttachment,
    StoredTest,
    ThreadSubmission,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_MAX_TESTS: Final = 50_000
_NESTED: Final = frozenset({"steps", "comparison", "colours", "attempts"})


def document_from(body: bytes) -> Json | None:
    """Return the JSON object of a body, None if it is none, is large, or has texts that are stored in another form."""
    if len(body) > _MAX_BYTES or b"\\u0000" in body:
        return None
    try:
        document = json.loads(body)
        if b"\\ud" in body or b"\\uD" in body:  # half a pair of surrogates, or a pair, which is a character
            compact(document).encode()  # fails for a half
    except (ValueError, RecursionError):  # that of a half is a ValueError, too
        return None
    return document if type(document) is dict else None


def run_from(body: Json) -> RunSubmission | None:
    """Return the run of a request that creates one."""
    attachments = _attachments(body)
    rest = {name: value for name, value in body.items() if name not in ATTACHED}
    if attachments is None or not is_plain(rest, RUN, ("name", "source")):
        return None
    tags: list[str] = rest.get("tags", [])
    return RunSubmission(
        rest["name"],
        rest["source"],
        rest.get("config") or None,
        rest.get("config_id"),
        rest.get("milestone") or None,
        rest.get("milestone_id"),
        compact(tags),
        attachments,
        tuple(dict.fromkeys(tags)),
    )


def attachments_from(body: Json) -> tuple[StoredAttachment, ...] | None:
    """Return the fields, artifacts and links of a request that adds to a run."""
    return _attachments(body) if body.keys() <= ATTACHED.keys() else None


def completion_from(body: Json) -> bool | None:
    """Return whether the completion of a run measures its time since its creation."""
    measure = body.get("measure_elapsed", False)
    return measure if body.keys() <= {"measure_elapsed"} and type(measure) is bool else None


def durations_from(body: Json) -> tuple[int | None, int | None] | None:
    """Return the observed and the computed duration of a request that completes a thread."""
    return (body.get("elapsed_observed"), body.get("elapsed_computed")) if is_plain(body, DURATIONS) else None


def thread_from(body: Json) -> ThreadSubmission | None:
    """Return the thread of a request that creates one."""
    attachments = None if "links" in body else _attachments(body)
    rest = {name: value for name, value in body.items() if name not in ATTACHED}
    if attachments is None or not is_plain(rest, THREAD):
        return None
    return ThreadSubmission(
        rest.get("elapsed_observed"),
        rest.get("elapsed_computed"),
        attachments,
        **_thread_extensions(rest),
    )


def append_from(body: Json, statuses: StatusTable) -> ThreadSubmission | None:
    """Return the addition of an append to a thread whose project has these statuses."""
    attachments = None if "links" in body else _attachments(body)
    rest = {name: value for name, value in body.items() if name not in ATTACHED and name != "tests"}
    tests = body.get("tests", [])
    if attachments is None or type(tests) is not list or len(tests) > _MAX_TESTS or not is_plain(rest, APPEND):
        return None
    running = compact(rest["running"]) if "running" in rest else None
    if running is not None and len(running.encode()) > MAX_EXTENSION_BYTES:
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
        **_thread_extensions(rest),
        running=running,
        collection=compact(rest["collection"]) if "collection" in rest else None,
    )


def _thread_extensions(body: Json) -> Json:
    """Return those extensions of a thread that its creation and each append can have."""
    job: Json = body.get("job", {})
    return {"session_started": body.get("session_started"), "job": job.get("name"), "attempt": job.get("attempt")}


def _row(test: Any, ids: Mapping[str, int]) -> StoredTest | None:  # noqa: ANN401 - anything that JSON can hold
    """Return a test as it is stored, None if it is not plain."""
    if type(test) is not dict or not is_plain(test, TEST, ("key", "name", "folder", "status")):
        return None
    status = ids.get(test["status"])
    fields = _entries("fields", test["fields"]) if "fields" in test else []
    artifacts = _entries("artifacts", test["artifacts"]) if "artifacts" in test else []
    if status is None or fields is None or artifacts is None:
        return None
    elapsed = test.get("elapsed")
    setup, _, teardown = test.get("phases", NO_PHASES)
    if elapsed is None or setup is None or setup + teardown > elapsed:
        setup = teardown = None
    extensions: tuple[str | None, ...] = ()
    if not _NESTED.isdisjoint(test):  # in few tests
        try:
            extensions = (
                steps_text(test.get("steps")),
                comparison_text(test.get("comparison")),
                colours_text(test.get("colours")),
                attempts_text(test.get("attempts")),
            )
        except NotPlainError:
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
        *extensions,
    )


def _attachments(body: Json) -> tuple[StoredAttachment, ...] | None:
    """Return the fields, artifacts and links of a body, in this order."""
    attachments: list[StoredAttachment] = []
    for kind in ATTACHED:
        texts = _entries(kind, body.get(kind, ()))
        if texts is None:
            return None
        attachments += (StoredAttachment(kind, text) for text in texts)
    return tuple(attachments)


def _entries(kind: Kind, entries: Any) -> list[str] | None:  # noqa: ANN401 - anything that JSON can hold
    """Return each field, artifact or link of a list as JSON with its properties in the order of the declarations."""
    if not entries and type(entries) in (tuple, list):
        return []
    checks, required = ATTACHED[kind]
    if type(entries) is not list or len(entries) > MAX_ENTRIES:
        return None
    if not all(type(entry) is dict and is_plain(entry, checks, required) for entry in entries):
        return None
    return [compact({name: entry[name] for name in checks if name in entry}) for entry in entries]
