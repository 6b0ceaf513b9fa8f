"""Describe a request that the scheduler has chosen, and build the client's call that makes it.

A request that changes something on the server is written to the ledger before it is made, under the operation's name,
and its outcome is written afterwards. All other requests may be repeated, whatever their outcome, so they need no
record.
"""

from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_automation_report.api.client import encoded
from pytest_automation_report.api.extensions import STARTED
from pytest_automation_report.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Artifact, Field, Json, NewRun, Resources
    from pytest_automation_report.api.responses import FieldText
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.in_flight import Call
    from pytest_automation_report.spool.ledger_records import Operation
    from pytest_automation_report.spool.manifest import SessionManifest

RepeatableOperation: TypeAlias = Literal[
    "use_run",  # join the run that the settings name; no request at all
    "find_shared_run",  # one step on the way to the run that jobs share
    "check_server",  # read the run, to learn which server this is, or whether it answers again
    "store_artifact",  # upload a file: a second upload changes nothing
    "show_running",  # append without tests, to show which one runs
    "probe_thread",  # append without tests, to learn whether appends are answered again
    "reconcile",  # find out whether the first request with an unknown response was applied
]


class Request(Value):
    """One request to make; its operation determines which of the other members are used.

    ``worker`` names its queue. ``observed`` and ``computed`` are elapsed times in microseconds: of the batch for an
    append, of the whole thread for its completion. ``batch`` holds the results as they wait, without the URLs of their
    files. ``extensions`` is the JSON of the thread's own extensions, each with a comma behind it; ``job`` is that of a
    new thread.
    """

    operation: Operation | RepeatableOperation
    worker: str = ""
    thread: int = 0
    batch: Batch | None = None
    observed: int = 0
    computed: int = 0
    resources: Resources | None = None
    artifact: Artifact | None = None
    extensions: str = ""
    job: Json | None = None

    def intent_members(self) -> dict[str, Any]:
        """Return the arguments of `LedgerFile.intend` for this request, except its operation and time."""
        members: dict[str, Any] = {"worker": self.worker, "thread": self.thread}
        if self.batch is not None:
            members["span"] = self.batch.first, self.batch.last, len(self.batch.results)
            members["orphans"] = tuple(result.attempt_number for result in self.batch.results if result.is_orphan)
            members["observed"], members["computed"] = self.observed, self.computed
        if self.operation in {"append_run", "note_thread"}:
            fields = _resources(self).fields
            members["span"] = 0, 0, len(fields)
            members["note"] = digest_of(fields)
        return members


def digest_of(fields: Iterable[Field | FieldText]) -> str:
    """Return a digest of the names and values of fields, by which a note is known on the server."""
    return sha256(json.dumps([(field.name, field.value or "") for field in fields]).encode()).hexdigest()


def call_for(
    request: Request, client: Client, session: SessionManifest, run: int | None, *, sent: Batch | None, key: str
) -> Call:
    """Build the client's call for a request that is in the ledger; ``key`` is its Idempotency-Key.

    ``sent`` is the batch of an append as it is sent, with the URLs of its files. ``run`` is the session's run, None
    before it is created.
    """
    if request.operation == "create_run":
        return partial(client.create_run, _described(session.run, request), key=key)
    if request.thread:
        return _thread_call(request, client, session, sent, key=key)
    assert run is not None
    return _run_call(request, client, run, is_measured=session.is_measured, key=key)


def _described(run: NewRun, request: Request) -> NewRun:
    """Return the session's run with the fields that became known since its start."""
    fields = () if request.resources is None else request.resources.fields
    return replace(run, resources=replace(run.resources, fields=(*run.resources.fields, *fields)))


def _run_call(request: Request, client: Client, run: int, *, is_measured: bool, key: str) -> Call:
    match request.operation:
        case "create_thread":
            return partial(client.create_thread, run, _resources(request), job=request.job, key=key)
        case "append_run":
            return partial(client.append_run, run, _resources(request), key=key)
        case "complete_run":
            return partial(client.complete_run, run, measure_elapsed=is_measured, key=key)
    raise AssertionError(f"{request.operation} is no request to a run")


def _thread_call(request: Request, client: Client, session: SessionManifest, sent: Batch | None, *, key: str) -> Call:
    # Without a measured time, as for an imported result file, it is left out: the server adds up all times it gets.
    observed = request.observed if session.is_measured else None
    match request.operation:
        case "append_thread":
            assert sent is not None
            # A test's start means nothing without the session's.
            extensions = client.extensions if session.started_us else client.extensions - {STARTED}
            body = sent.body(observed, extensions, request.extensions)
            return partial(client.append_thread, request.thread, body, key=key)
        case "note_thread":
            return partial(client.append_thread, request.thread, encoded(_resources(request).body()), key=key)
        case "complete_thread":
            return partial(
                client.complete_thread,
                request.thread,
                elapsed_observed=observed,
                elapsed_computed=request.computed,
                key=key,
            )
    raise AssertionError(f"{request.operation} is no request to a thread")


def _resources(request: Request) -> Resources:
    assert request.resources is not None
    return request.resources
