"""Requests, what deliveries differ in, and the requests whose responses are awaited.

A request that changes something on the server is written to the ledger before it is made, under the operation's name,
and its outcome afterwards. All other requests may be repeated, so they need no record. The sender's own thread alone
writes the ledger.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from functools import partial
from hashlib import sha256
from queue import Empty, Queue
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import CONNECTIONS, ArtifactStoreConfig, Field
from pytest_automation_report.api.responses import ClientError, RefusedError
from pytest_automation_report.errors import StoreError
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pytest_automation_report.api.responses import FieldText
    from pytest_automation_report.delivery.queues import Batch
    from pytest_automation_report.spool.ledger import Intent


NOT_FOUND: Final = 404
NOT_FOUND_OR_GONE: Final = frozenset({NOT_FOUND, 410})
TOO_LARGE: Final = 413
UNPROCESSABLE: Final = 422

# What to do with results if the server does not show whether they arrived.
Unknown: TypeAlias = Literal["hold", "send", "drop"]
# An error with which a request can fail.
RequestError: TypeAlias = ClientError | StoreError
# Makes a request; returns the id of the created object, None if it creates none, or raises the request's error.
SendStep: TypeAlias = "Callable[[], int | None]"
# Makes a request that may be repeated, and acts on its response.
RepeatableStep: TypeAlias = "Callable[[], None]"


class Request(Struct, frozen=True):
    """A request that changes something on the server: what the ledger records before it, and the call that makes it."""

    intent: Intent
    call: SendStep
    began: float  # by the sender's clock in seconds
    # The results of an append as they wait, and as they are sent, with the URLs of their files.
    batch: Batch | None = None
    sent: Batch | None = None


class DeliveryOptions(Struct, frozen=True):
    """The ways in which deliveries differ."""

    unknown: Unknown = "hold"
    is_in_new_run: bool = False  # the remaining results go to a new run
    artifact_store: ArtifactStoreConfig | None = None  # stores files instead of the server
    max_in_flight: int = CONNECTIONS  # requests at a time once all workers have ended, never two of the same worker
    files_folder: Path | None = None  # the session's folder if the ledger is in another one: its files stay


class InFlightRequests:
    """Up to ``max_count`` requests whose responses are awaited; all methods are called by one thread.

    A request spends its time in the network, so the end of a session is sent in a few round trips however many workers
    it had. ``spawn`` starts the work of one request and returns at once, by default in a separate thread.
    """

    def __init__(self) -> None:
        self.max_count = 1
        self.spawn: Callable[[Callable[[], None]], object] = lambda work: threading.Thread(
            target=work, daemon=True
        ).start()
        self._count = 0
        self._finished: Queue[tuple[Request, SendStep]] = Queue()

    def __len__(self) -> int:
        return self._count

    def start(self, request: Request) -> None:
        """Make a request, without waiting for its response."""
        self._count += 1
        self.spawn(partial(self._make, request))

    def finished(self, seconds: float) -> Iterator[tuple[Request, SendStep]]:
        """Yield the requests with responses, each with a call that returns its result or raises its error.

        Waits for the first one, at most this long.
        """
        with suppress(Empty):
            while self._count:
                finished = self._finished.get(timeout=seconds)
                self._count, seconds = self._count - 1, 0.0
                yield finished

    def _make(self, request: Request) -> None:
        try:
            finished = partial(_repeated, request.call(), None)
        except BaseException as error:  # noqa: BLE001 - raised in the sender's thread, as without threads
            finished = partial(_repeated, None, error)
        self._finished.put((request, finished))


def _repeated(made: int | None, error: BaseException | None) -> int | None:
    """Return the result of a request that was made, or raise its error."""
    if error is not None:
        raise error
    return made


# "tests.3.fields.0.value" and "tests[3].status": the index of a result, and the part of it that is wrong.
_PATH: Final = lazy_pattern(r"tests(?:\.|\[)(\d+)\]?(?:\.(.*))?")


def named_result(path: str) -> tuple[int, str] | None:
    """Return the index of the result that a path names, and its part: 3, "status" for ``tests[3].status``."""
    match = _PATH.fullmatch(path)
    return None if match is None else (int(match[1]), match[2] or "")


def refusal_reason(error: RefusedError, index: int | None = None) -> str:
    """Return the reason of a refusal in one line: the error, and up to three messages, of one result if it is named."""
    messages: list[str] = []
    for path, texts in error.errors.items():
        if texts and (index is None or (named_result(path) or (None,))[0] == index):
            messages.append(f"{path}: {texts[0]}")
    return "; ".join([str(error), *messages[:3]])


def note_digest(fields: Iterable[Field | FieldText]) -> str:
    """Return a digest of the names and values of fields, by which a note is known on the server."""
    return sha256(json.dumps([(field.name, field.value or "") for field in fields]).encode()).hexdigest()
