"""The batches of results that are sent, and the search for the results that a server refuses."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import BATCH_TESTS, Field, encode
from pytest_automation_report.api.results import TypedTest
from pytest_automation_report.delivery.attempts import cut_test
from pytest_automation_report.delivery.queues import BATCH_BYTES, CUT_UNITS, ENVELOPE_BYTES, Reduction, batch_from
from pytest_automation_report.delivery.requests import TOO_LARGE, named_result, refusal_reason
from pytest_automation_report.delivery.testmo import bare_test
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger import AliasRecord, AsideRecord, WorkerProgress
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.responses import RefusedError
    from pytest_automation_report.delivery.queues import Batch, Result, WorkerQueue
    from pytest_automation_report.delivery.retries import RetryPolicy


# After an append of this time, later ones get more results: the way to the server, or its cost for each request, is
# most of it. Four times the usual number, so that one trial shows whether the server takes them.
SLOW_SECONDS: Final = 0.1
MAX_TESTS: Final = 4 * BATCH_TESTS

# The server rejects everything, not single results, when more than this many in a row are refused in every form: by
# chance that is rare, and each has cost it two or three requests.
_MAX_REJECTED_IN_A_ROW: Final = 10

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
        test = TypedTest.of(bare_test(test, (Field("Left out", string(reason)),), ()))
    elif reduction == "cut":
        test = cut_test(test, CUT_UNITS)
    if alias is not None:
        test = replace(test, status=alias)
    return replace(result, test=test, reduction=reduction, size=len(encode(test)))


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

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._retry_policy, self._ledger, self._log = retry_policy, retry_policy.ledger, retry_policy.runtime.log
        # By pytest's status: what to send instead of aliases that the server does not know, and those that it refused.
        self._aliases = dict(self._ledger.state.aliases)
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
            index, part = named_result(path) or (len(results), "")
            if index < len(results):
                named.setdefault(index, []).append(part)
        if named:
            self._change_named(results, error, named)
        elif len(results) > BATCH_TESTS:
            # The size alone may be the reason: the same results are tried in batches of the usual number first.
            self._max_tests, self._may_grow = BATCH_TESTS, False
        elif error.errors and not any(path.startswith("tests") for path in error.errors):
            # Wrong is the request itself: other results change nothing.
            self._retry_policy.stop("refused", refusal_reason(error))
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
            self._ledger.write(change)
            self._log(f"the server does not know the status {change.before!r}: {change.now!r} from now on")

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
            self._retry_policy.stop("refused", refusal_reason(error))
        else:
            self._reject(result, reason)

    def _reject(self, result: Result, reason: str) -> None:
        """Append a result to the session's file of rejected ones, for people to read; it is not sent again.

        Each line is a JSON object: the worker, the node id, the server's reason, and the test as it was sent.
        """
        told = {"worker": result.worker, "id": result.nodeid, "why": reason, "test": to_builtins(result.contract())}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | system.OWN_FILE
        # The file first: after a kill in between, the result is rejected again, and stands in the file twice.
        path = SessionFolder(self._ledger.folder).rejected
        try:
            with os.fdopen(os.open(path, flags, 0o600), "a", encoding="ascii") as file:
                file.write(f"{json.dumps(told)}\n")
        except OSError as error:
            why = f"{path}: a result that the server refuses cannot be written ({error.strerror or error})"
            raise SpoolError(f"{why}: free disk space, then use automation-report send") from error
        self._ledger.write(AsideRecord(result.worker, result.offset, f"{result.nodeid}: {reason}"))
        self._log(f"rejected: {result.nodeid}: {reason}")
