"""Apply the requests that change the store, for the server and for the embedded client.

``body`` is the request's body as JSON; ``request`` its idempotency key, None without one. Each function raises
`ApiError`: for a body with mistakes (422), and for what the store refuses.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.json import Decoder

from pytest_automation_report.server.api.bodies import (
    RunAppendBody,
    RunBody,
    RunCompletionBody,
    ThreadAppendBody,
    ThreadBody,
    ThreadCompletionBody,
)
from pytest_automation_report.server.api.decoding import body_from
from pytest_automation_report.server.store.store import StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.server.store.store import IdempotentRequest, Store
    from pytest_automation_report.server.store.writes import Writer

    Change: TypeAlias = Callable[[Store, int, bytes, IdempotentRequest | None], StoredResponse]


# Made here and not by the first request: msgspec ends the process by a segmentation fault when two threads read a class
# for the first time at the same moment.
_RUN: Final = Decoder(RunBody)
_RUN_APPEND: Final = Decoder(RunAppendBody)
_RUN_COMPLETION: Final = Decoder(RunCompletionBody)
_THREAD: Final = Decoder(ThreadBody)
_THREAD_APPEND: Final = Decoder(ThreadAppendBody)
_THREAD_COMPLETION: Final = Decoder(ThreadCompletionBody)


def create_run(
    store: Store,
    project_id: int,
    body: bytes,
    request: IdempotentRequest | None,
    *,
    are_references_strict: bool = False,
) -> StoredResponse:
    """Create a run; with strict references it may only name existing records."""
    run = body_from(body, _RUN).submission()
    is_strict = are_references_strict
    return _applied(store, request, lambda writer: writer.create_run(project_id, run, are_references_strict=is_strict))


def append_to_run(store: Store, run_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Add fields, artifacts and links to a run."""
    attachments = body_from(body, _RUN_APPEND).attachments()
    return _applied(store, request, lambda writer: writer.append_to_run(run_id, attachments))


def complete_run(store: Store, run_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Complete a run and its open threads."""
    measure = body_from(body, _RUN_COMPLETION).measure_elapsed
    return _applied(store, request, lambda writer: writer.complete_run(run_id, measure_elapsed=measure))


def create_thread(store: Store, run_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Create a thread."""
    thread = body_from(body, _THREAD).submission()
    return _applied(store, request, lambda writer: writer.create_thread(run_id, thread))


def append_to_thread(store: Store, thread_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Add all tests of the body to a thread, or none of them."""
    addition = body_from(body, _THREAD_APPEND).addition()
    return _applied(store, request, lambda writer: writer.append_to_thread(thread_id, addition))


def complete_thread(store: Store, thread_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Complete a thread."""
    observed, computed = body_from(body, _THREAD_COMPLETION).durations()
    return _applied(store, request, lambda writer: writer.complete_thread(thread_id, observed, computed))


def _applied(store: Store, request: IdempotentRequest | None, change: Callable[[Writer], int | None]) -> StoredResponse:
    """Apply a change once for each idempotency key: 201 with the id that it returns, or 204 if it returns None."""
    return store.change(partial(StoredResponse.of, change), request)


CHANGES: Final[Mapping[str, Change]] = {
    "/projects/{}/automation/runs": create_run,
    "/automation/runs/{}/append": append_to_run,
    "/automation/runs/{}/complete": complete_run,
    "/automation/runs/{}/threads": create_thread,
    "/automation/runs/threads/{}/append": append_to_thread,
    "/automation/runs/threads/{}/complete": complete_thread,
}
"""What a POST does, by its path with ``{}`` for the id of the project, run or thread."""

OPTIONAL_BODIES: Final = frozenset({complete_run, create_thread, complete_thread})
"""The changes that need no body."""
