"""Requests, the batches of results in them, and what follows from errors: a pause, a stop, or a search for the reason.

A request that changes something on the server is written to the ledger before it is made, under the operation's name,
and its outcome afterwards. All other requests may be repeated, so they need no record. The sender's own thread alone
writes the ledger.
"""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import takewhile
from queue import Empty, Queue
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import BATCH_TESTS, CONNECTIONS, ArtifactStoreConfig, Field, encode
from pytest_automation_report.api.responses import (
    ClientError,
    InProgressError,
    NotSentError,
    RefusedError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)
from pytest_automation_report.delivery.attempts import NO_EXTENSIONS
from pytest_automation_report.delivery.queues import BATCH_BYTES, ENVELOPE_BYTES, batch_from
from pytest_automation_report.delivery.testmo import fitted_field
from pytest_automation_report.errors import SpoolError, StoreError
from pytest_automation_report.spool.folder import SessionFolder, SessionManifest
from pytest_automation_report.spool.ledger import AliasRecord, AsideRecord, Intent, WorkerProgress
from pytest_automation_report.spool.records import ErrorRecord
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import string
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.responses import FieldText
    from pytest_automation_report.delivery.launch import Runtime, Timeouts
    from pytest_automation_report.delivery.queues import Batch, Result, WorkerQueue, WorkerQueues
    from pytest_automation_report.spool.sessions import LedgerFile


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


class Life(Struct, dict=True, eq=False):
    """One life of a sender: what all parts of its delivery share."""

    session: SessionManifest
    client: Client
    ledger: LedgerFile
    queues: WorkerQueues
    timeouts: Timeouts
    runtime: Runtime
    options: DeliveryOptions = DeliveryOptions()

    def __post_init__(self) -> None:
        self.folder, self.state = SessionFolder(self.ledger.folder), self.ledger.state
        self.in_flight = InFlightRequests()
        self.retry_policy = RetryPolicy(self.ledger, self.timeouts, self.runtime)
        self.refusals = RefusalHandling(self)


class InFlightRequests:
    """Up to ``max_count`` requests whose responses are awaited; all methods are called by one thread.

    A request spends its time in the network, so the end of a session is sent in a few round trips however many workers
    it had. ``spawn`` starts the work of one request and returns at once, by default in a separate thread.
    """

    def __init__(self, spawn: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.max_count = 1
        self._spawn = spawn or (lambda work: threading.Thread(target=work, daemon=True).start())
        self._count = 0
        self._finished: Queue[tuple[Request, SendStep]] = Queue()

    def __len__(self) -> int:
        return self._count

    def start(self, request: Request) -> None:
        """Make a request, without waiting for its response."""
        self._count += 1
        self._spawn(partial(self._make, request))

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


class RetryPolicy:
    """One pause for all workers after an error; owned by the delivery."""

    def __init__(self, ledger: LedgerFile, timeouts: Timeouts, runtime: Runtime) -> None:
        self.ledger, self.timeouts, self.runtime = ledger, timeouts, runtime
        self.stopped = ""  # why nothing more is sent in this life of the sender
        # Our own backoff and a wait that the server asked for end at their own times: only ours may be skipped.
        self._backoff_until = self._throttled_until = 0.0
        # Class and reason of the last error, written to the ledger by `record_error`: pytest's summary shows them.
        self._last_error = "", ""
        self._is_run_gone = False
        self._failures = self._probes = 0
        # Appends in a row whose responses are unknown.
        self.unanswered_appends = 0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.stopped) or self.runtime.clock() < max(self._backoff_until, self._throttled_until)

    @property
    def is_circuit_open(self) -> bool:
        """Whether appends go unanswered; each more would cost a thread, so only appends without tests are sent."""
        return self.unanswered_appends >= 2  # noqa: PLR2004 - one may be by chance

    def skip_backoff(self) -> None:
        """End our own backoff; a wait that the server asked for goes on."""
        self._backoff_until = 0.0

    def attempt(self, call: Callable[[], int | None]) -> int | None:
        """Make a request that may be repeated whatever its outcome; return its result, None after an error."""
        try:
            made = call()
        except (ClientError, StoreError) as error:
            self.handle_error(error)
            return None
        self.succeeded()
        return made

    def probe(self, append: Callable[[], None]) -> None:
        """Append without tests, to learn whether the server answers appends again; wait twice as long each time."""
        try:
            append()
        except (NotSentError, UnknownAnswerError) as error:
            seconds = min(self.timeouts.probe_cap, self.timeouts.probe * 2.0 ** min(self._probes, 30))
            self._probes += 1
            self._pause("unknown", str(error), seconds)
        except RefusedError as error:
            self.runtime.log(f"{error}: the response counts anyway")
            self.unanswered_appends = 0
        except (ClientError, StoreError) as error:
            self.handle_error(error)
        else:
            self._probes = self.unanswered_appends = 0

    def succeeded(self) -> None:
        """Reset the backoff: the next error waits for a short time."""
        self._failures = 0

    def handle_error(self, error: RequestError, *, is_run_completed: bool | None = None) -> None:
        """Back off after a failed request, or stop if a retry cannot help.

        ``is_run_completed`` is whether the server shows the run as completed; None if it was not read.
        """
        if isinstance(error, (ThrottledError, InProgressError)):
            # Up to ``retry_base`` longer than the server asks for: senders must not return all at once.
            asked = self.timeouts.throttle if error.retry_after_seconds is None else error.retry_after_seconds
            self._pause("throttled", str(error), asked + self.timeouts.retry_base * self.runtime.random())
        elif isinstance(error, StoreError):
            self.stop("store", str(error))
        elif isinstance(error, TokenRefusedError):
            self.stop("token", str(error))
        elif isinstance(error, RefusedError):
            # A 422 about the run names no wrong property.
            is_about_run = error.status in NOT_FOUND_OR_GONE or (error.status == UNPROCESSABLE and not error.errors)
            is_run_gone = is_about_run and self.ledger.state.run is not None
            is_run_gone = is_run_gone if is_run_completed is None else is_run_completed
            self.stop("refused", refusal_reason(error), is_run_gone=is_run_gone)
        else:
            # A random time, whose upper bound doubles with each failure ("full jitter"). Requests that were in flight
            # may fail during the wait: they do not lengthen it, and do not count.
            ceiling = 0.0
            if not self.is_waiting:
                # 30 bounds the power: a float overflows after 1,023 failures, which a night without a server can bring.
                ceiling = min(self.timeouts.retry_cap, self.timeouts.retry_base * 2.0 ** min(self._failures, 30))
                self._failures += 1
            error_class = "again" if isinstance(error, NotSentError) else "unknown"
            self._pause(error_class, str(error), ceiling * self.runtime.random())

    def stop(self, error_class: str, reason: str, *, is_run_gone: bool = False) -> None:
        """Send nothing more; the first reason counts, even if requests in flight fail for others.

        With ``is_run_gone`` the remaining results can only go to a new run.
        """
        if not self.stopped:
            self.stopped, self._last_error, self._is_run_gone = reason, (error_class, reason), is_run_gone
        self.record_error()
        self.runtime.log(f"stopped: {reason}")

    def record_error(self) -> None:
        """Write the reason of the wait, or of the stop, to the ledger."""
        error_class, reason = self._last_error
        self.ledger.write(ErrorRecord(reason, error_class, self._is_run_gone))

    def resume(self) -> None:
        """Send again, as if there had been no error."""
        self.stopped, self._backoff_until, self._throttled_until, self._failures = "", 0.0, 0.0, 0
        self._is_run_gone = False

    def _pause(self, error_class: str, reason: str, seconds: float) -> None:
        now = self.runtime.clock()
        if error_class == "throttled":
            self._throttled_until = max(self._throttled_until, now + seconds)
        else:
            self._backoff_until = max(self._backoff_until, now + seconds)
        if not self.stopped:
            self._last_error = error_class, reason
        self.record_error()
        wait_seconds = max(self._backoff_until, self._throttled_until) - now
        self.runtime.log(f"{error_class}: {reason}; next try in {wait_seconds:.1f} s")


# How far a result is reduced: as recorded; with its texts cut; with one field alone that names the reason.
Reduction: TypeAlias = Literal["whole", "cut", "bare"]

# After an append of this time, later ones get more results: the way to the server, or its cost for each request, is
# most of it. Four times the usual number, so that one trial shows whether the server takes them.
SLOW_SECONDS: Final = 0.1
MAX_TESTS: Final = 4 * BATCH_TESTS

CUT_UNITS: Final = 1_000  # longest field value of a cut result, in UTF-16 units

# The server rejects everything, not single results, when more than this many in a row are refused in every form: by
# chance that is rare, and each has cost it two or three requests.
_MAX_REJECTED_IN_A_ROW: Final = 10

# "tests.3.fields.0.value" and "tests[3].status": the index of a result, and the part of it that is wrong.
_PATH: Final = lazy_pattern(r"tests(?:\.|\[)(\d+)\]?(?:\.(.*))?")

# Aliases that servers are known to accept for an outcome, the contract's first; administrators rename them.
_KNOWN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "passed": ("passed", "pass", "success", "ok"),
    "failure": ("failure", "failed", "fail"),
    "error": ("error", "failure", "failed", "fail"),
    "skipped": ("skipped", "skip", "untested"),
    "untested": ("untested", "skipped"),
}


def reduced(result: Result, reduction: Reduction, reason: str = "", alias: str | None = None) -> Result:
    """Return a result in a reduced form, and with another alias if one is given; a bare result shows the reason."""
    if reduction == "whole" and alias is None:
        return result
    test = result.test
    if reduction == "bare":
        test = replace(test, fields=(Field("Left out", string(reason)),), artifacts=())
    elif reduction == "cut":
        test = replace(test, fields=tuple(fitted_field(each, CUT_UNITS) for each in test.fields))
    if alias is not None:
        test = replace(test, status=alias)
    extensions = result.extensions if reduction == "whole" else NO_EXTENSIONS
    return replace(result, test=test, extensions=extensions, size=len(encode(test)) + len(encode(extensions)))


class BisectionState(Struct):
    """The search for the results of one worker that the server cannot take; owned by `RefusalHandling`."""

    until: int = -1  # a wrong result lies at or before this offset; -1 if none is searched for
    size: int = 0  # suspects that were left when ``next_size`` was set
    next_size: int = 0  # suspects in the next append
    reductions: dict[int, tuple[Reduction, str]] = field(default_factory=dict)  # by offset, with the server's reasons

    def reduction(self, result: Result) -> tuple[Reduction, str]:
        """Return how far a result is reduced so far, and the server's reason."""
        return self.reductions.get(result.offset, ("whole", ""))


class RefusalHandling:
    """Forms the batches of all workers, and learns from refused ones; owned by the delivery.

    A server that refuses an append refuses all of it. The response may name the wrong results by their paths; if not,
    they are found by bisection. A wrong result is sent again in a reduced form, since its key, name and status are
    worth more than nothing. If even that is refused, it is rejected: written to a file of the session's folder, and
    never sent again. All other results arrive.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        # By pytest's status: what to send instead of aliases that the server does not know, and those that it refused.
        self._aliases = dict(life.state.aliases)
        self._refused_aliases: dict[str, set[str]] = {}
        self._max_tests = BATCH_TESTS
        self._max_bytes = BATCH_BYTES
        self._may_grow = True
        self._rejected_in_a_row = 0
        self._bisections: defaultdict[str, BisectionState] = defaultdict(BisectionState)

    def batch(self, queue: WorkerQueue, progress: WorkerProgress) -> Batch:
        """Form the next batch of a worker, the head of whose queue is still to be sent."""
        bisection = self._bisections[queue.worker]
        # Lazy: of 1,000 waiting results no more are looked at than a batch holds, and that for each new result.
        waiting: Iterable[Result] = (result for result in queue.results if not progress.is_settled(result.offset))
        if bisection.until >= 0:
            suspects = list(takewhile(lambda result: result.offset <= bisection.until, waiting))
            if 0 < len(suspects) < bisection.size:
                # The server took some: the next append has half of the remaining suspects.
                bisection.size, bisection.next_size = len(suspects), max(1, len(suspects) // 2)
            if suspects:
                # Full, whatever its size: to find the wrong result does not wait for more results.
                sent = (self._in_form(bisection, result) for result in suspects)
                return batch_from(sent, max_tests=bisection.next_size, max_bytes=self._max_bytes, is_full=True)
            bisection.until = -1
            return self.batch(queue, progress)
        if bisection.reductions or self._aliases:
            waiting = (self._in_form(bisection, result) for result in waiting)
        return batch_from(waiting, max_tests=self._max_tests, max_bytes=self._max_bytes)

    def append_applied(self, queue: WorkerQueue, batch: Batch, seconds: float) -> None:
        """Learn from an append that the server applied within this time."""
        self._rejected_in_a_row = 0
        for result in batch.results:
            self._bisections[queue.worker].reductions.pop(result.offset, None)
        if self._may_grow and seconds > SLOW_SECONDS and len(queue.results) - len(batch.results) >= self._max_tests:
            self._max_tests = MAX_TESTS

    def append_refused(self, results: Sequence[Result], error: RefusedError) -> None:
        """Learn from an append that the server refused as a whole: the next one differs, or nothing more is sent."""
        bisection = self._bisections[results[0].worker]
        # By index in the batch: what is wrong in the results that the response names.
        named: dict[int, list[str]] = {}
        for path in error.errors:
            match = _PATH.fullmatch(path)
            if match and int(match[1]) < len(results):
                named.setdefault(int(match[1]), []).append(match[2] or "")
        if named:
            self._change_named(results, error, named)
        elif len(results) > BATCH_TESTS:
            # The size alone may be the reason: the same results are tried in batches of the usual number first.
            self._max_tests, self._may_grow = BATCH_TESTS, False
        elif error.errors and not any(path.startswith("tests") for path in error.errors):
            # Wrong is the request itself: other results change nothing.
            self._life.retry_policy.stop("refused", refusal_reason(error))
        elif len(results) == 1:
            self._change_single(results[0], error)
        elif error.status == TOO_LARGE:
            self._max_bytes = min(self._max_bytes, (ENVELOPE_BYTES + sum(result.size for result in results)) // 2)
        else:
            # The next append has half of the refused batch.
            bisection.until, bisection.size, bisection.next_size = results[-1].offset, len(results), len(results) // 2

    def _in_form(self, bisection: BisectionState, result: Result) -> Result:
        reduction, reason = bisection.reduction(result)
        return reduced(result, reduction, reason, self._aliases.get(result.status))

    def _change_named(self, results: Sequence[Result], error: RefusedError, named: Mapping[int, Sequence[str]]) -> None:
        """Rename, reduce or reject the results that the response names."""
        bisection = self._bisections[results[0].worker]
        changes: dict[AliasRecord, None] = {}
        for index, parts in sorted(named.items()):
            result, reason = results[index], refusal_reason(error, index)
            is_bare = bisection.reduction(result)[0] == "bare"
            alias = self._next_alias(result.status, result.test.status) if "status" in parts else None
            if alias is not None:
                changes[AliasRecord(result.status, result.test.status, alias)] = None
            # A bare result leaves out the parts that are wrong.
            elif all(part.startswith(("fields", "artifacts")) for part in parts) and not is_bare:
                bisection.reductions[result.offset] = ("bare", reason)
            else:
                self._reject(result, reason)
        for change in changes:
            self._life.ledger.write(change)
            self._life.runtime.log(f"the server does not know the status {change.before!r}: {change.now!r} from now on")

    def _next_alias(self, status: str, refused: str) -> str | None:
        """Return the alias for all results of a status after the server refused one, None if no other is left."""
        current = self._aliases.get(status)
        if current is not None and current != refused:
            return current  # another result of the same response, or another worker's, has changed it already
        tried = self._refused_aliases.setdefault(status, set())
        tried.add(refused)
        following = next((alias for alias in _KNOWN_ALIASES.get(status, ()) if alias not in tried), None)
        if following is not None:
            self._aliases[status] = following
        return following

    def _change_single(self, result: Result, error: RefusedError) -> None:
        """Reduce a result that was refused alone: whole, then cut if it is too large, then bare, then rejected."""
        bisection = self._bisections[result.worker]
        reduction, reason = bisection.reduction(result)[0], refusal_reason(error, 0)
        if reduction != "bare":
            is_to_cut = reduction == "whole" and error.status == TOO_LARGE
            bisection.reductions[result.offset] = ("cut" if is_to_cut else "bare", reason)
            return
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row > _MAX_REJECTED_IN_A_ROW:
            self._life.retry_policy.stop("refused", refusal_reason(error))
        else:
            self._reject(result, reason)

    def _reject(self, result: Result, reason: str) -> None:
        """Append a result to the session's file of rejected ones, for people to read; it is not sent again.

        Each line is a JSON object: the worker, the node id, the server's reason, and the test as it was sent.
        """
        told = {"worker": result.worker, "id": result.nodeid, "why": reason, "test": to_builtins(result.test)}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | system.OWN_FILE
        # The file first: after a kill in between, the result is rejected again, and stands in the file twice.
        path = self._life.folder.rejected
        try:
            with os.fdopen(os.open(path, flags, 0o600), "a", encoding="ascii") as file:
                file.write(f"{json.dumps(told)}\n")
        except OSError as error:
            why = f"{path}: a result that the server refuses cannot be written ({error.strerror or error})"
            raise SpoolError(f"{why}: free disk space, then use automation-report send") from error
        self._life.ledger.write(AsideRecord(result.worker, result.offset, f"{result.nodeid}: {reason}"))
        self._life.runtime.log(f"rejected: {result.nodeid}: {reason}")


def refusal_reason(error: RefusedError, index: int | None = None) -> str:
    """Return the reason of a refusal in one line: the error, and up to three messages, of one result if it is named."""
    messages: list[str] = []
    for path, texts in error.errors.items():
        match = _PATH.fullmatch(path)
        if texts and (index is None or (match and int(match[1]) == index)):
            messages.append(f"{path}: {texts[0]}")
    return "; ".join([str(error), *messages[:3]])


def note_digest(fields: Iterable[Field | FieldText]) -> str:
    """Return a digest of the names and values of fields, by which a note is known on the server."""
    return sha256(json.dumps([(field.name, field.value or "") for field in fields]).encode()).hexdigest()
