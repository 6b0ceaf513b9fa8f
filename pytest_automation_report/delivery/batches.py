"""Form the batch of the next append; find what is wrong in a refused one.

A server that refuses an append refuses all of it. The response may name the wrong results by their paths; if not, they
are found by bisection. A wrong result is sent again in a reduced form, since its key, name and status are worth more
than nothing. If even that is refused, it is rejected: written to a file of the session's folder, never sent again. All
other results arrive.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import BATCH_TESTS, Field, FieldType, encode
from pytest_automation_report.delivery.attempts import NO_EXTENSIONS
from pytest_automation_report.spool.ledger import AliasRecord
from pytest_automation_report.text.limits import cut_middle, string
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.delivery.queues import Result, WorkerQueue
    from pytest_automation_report.errors import RefusedError
    from pytest_automation_report.spool.ledger import WorkerProgress


BATCH_BYTES: Final = 4 << 20
"""Longest body of an append in bytes, except that a single result is sent whatever its size."""

_ENVELOPE_BYTES: Final = 200  # at least the body's length without its tests


class Batch(Struct, frozen=True):
    """Results for one append, in order.

    No key occurs twice: if only a part of the batch arrives, keys show which part.
    """

    results: tuple[Result, ...]
    is_full: bool

    @property
    def computed(self) -> int:
        """Sum of the tests' durations in microseconds."""
        return sum(result.test.elapsed or 0 for result in self.results)

    def body(self, observed: int | None, extensions: Collection[str] = (), members: Json | None = None) -> bytes:
        """Return the contract's AppendToAutomationRunThread as JSON.

        ``observed`` is the time since the batch before in microseconds, None if it was not measured. ``extensions`` are
        those that the server stores, ``members`` the thread's own ones.
        """
        times = {"elapsed_computed": self.computed} | ({} if observed is None else {"elapsed_observed": observed})
        tests = b",".join([result.body(extensions) for result in self.results])
        return b'%b,"tests":[%b]}' % (encode({**(members or {}), **times})[:-1], tests)


def batch_from(
    results: Iterable[Result], *, max_tests: int = BATCH_TESTS, max_bytes: int = BATCH_BYTES, is_full: bool = False
) -> Batch:
    """Return the longest batch from the head of the waiting results, of which there must be at least one.

    The first result is part of it whatever its size. With ``is_full`` the batch counts as full even if it is not.
    """
    batch: list[Result] = []
    keys: set[str] = set()
    size = _ENVELOPE_BYTES
    for result in results:
        key = result.test.key
        if batch and (len(batch) == max_tests or size + result.size > max_bytes or key in keys):
            return Batch(tuple(batch), is_full=True)
        batch.append(result)
        keys.add(key)
        size += result.size
    return Batch(tuple(batch), is_full=is_full or len(batch) >= max_tests)


Reduction: TypeAlias = Literal["whole", "cut", "bare"]
"""How far a result is reduced: as recorded; with its texts cut; with one field alone that names the reason."""

TOO_LARGE: Final = 413

SLOW_SECONDS: Final = 0.1
"""Time of an append from which on later ones get more results, if more are waiting: a slow server costs fewer trips.

The embedded store takes 3 ms for one: from 0.1 s on the way to a server, or its cost for each request, is most of it.
"""

MAX_TESTS: Final = 1_000
"""Most tests of an append to a slow server: four times the usual number, so that one trial finds out.

If it refuses one, no later append has more than the usual number.
"""

CUT_UNITS: Final = 1_000
"""Longest field value of a cut result, in UTF-16 units."""

LEFT_OUT_FIELD: Final = "Left out"
"""Name of the field that a bare result has in the place of all others."""

# The server rejects everything, not single results, when more than this many in a row are refused in every form: by
# chance that is rare, and each has cost it two or three requests.
_MAX_REJECTED_IN_A_ROW: Final = 10

# "tests.3.fields.0.value" and "tests[3].status": the index of a result, and the part of it that is wrong.
_PATH: Final = lazy_pattern(r"tests(?:\.|\[)(\d+)\]?(?:\.(.*))?")
_REDUCIBLE_PARTS: Final = ("fields", "artifacts")

# Aliases that servers are known to accept for an outcome, the contract's first; administrators rename them.
_KNOWN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "passed": ("passed", "pass", "success", "ok"),
    "failure": ("failure", "failed", "fail"),
    "error": ("error", "failure", "failed", "fail"),
    "skipped": ("skipped", "skip", "untested"),
    "untested": ("untested", "skipped"),
}


def reduced(result: Result, reduction: Reduction, reason: str = "", alias: str | None = None) -> Result:
    """Return a result in a reduced form, and with another alias if one is given.

    ``reason`` is why the server refused it: a bare result shows it.
    """
    if reduction == "whole" and alias is None:
        return result
    test = result.test
    if reduction == "bare":
        test = replace(test, fields=(Field(LEFT_OUT_FIELD, string(reason)),), artifacts=())
    elif reduction == "cut":
        test = replace(test, fields=tuple(map(_cut, test.fields)))
    if alias is not None:
        test = replace(test, status=alias)
    extensions = result.extensions if reduction == "whole" else NO_EXTENSIONS
    return replace(result, test=test, extensions=extensions, size=len(encode(test)) + len(encode(extensions)))


def _cut(field: Field) -> Field:
    """Return a field with a short value; HTML becomes text, since it is broken when it is cut."""
    if field.value is None or len(field.value) <= CUT_UNITS:
        return field
    field_type = FieldType.TEXT if field.type is FieldType.HTML else field.type
    return replace(field, value=cut_middle(field.value, CUT_UNITS), type=field_type)


class RefusalDecision(Struct, frozen=True):
    """The way to go on after a refused append; with ``is_final`` nothing more is to be sent.

    ``rejections`` are results that the server refuses in every form, each with the reason.
    """

    rejections: tuple[tuple[Result, str], ...] = ()
    alias_changes: tuple[AliasRecord, ...] = ()
    is_final: bool = False


class BisectionState(Struct):
    """The search for the results of one worker that the server cannot take; owned by `RefusalHandling`.

    A wrong result lies at or before the offset ``until``, -1 if none is searched for. ``size`` suspects were left when
    ``next_size`` was last set; the next append has ``next_size`` of them. ``reductions`` are by offset, each with the
    server's reason.
    """

    until: int = -1
    size: int = 0
    next_size: int = 0
    reductions: dict[int, tuple[Reduction, str]] = field(default_factory=dict)

    def reduction_of(self, result: Result) -> tuple[Reduction, str]:
        """Return how far a result is reduced so far, and the server's reason."""
        return self.reductions.get(result.offset, ("whole", ""))


class RefusalHandling:
    """Forms the batches of all workers, and learns from refused ones; owned by the delivery.

    ``aliases`` are those that the ledger has, by pytest's status: the server refused others in an earlier life.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        # Aliases to send instead of those that the server does not know, and those that it refused; by pytest's status.
        self._aliases = dict(aliases)
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
            if suspects:
                if len(suspects) < bisection.size:
                    # Some were taken: the next append has half of those that remain.
                    bisection.size, bisection.next_size = len(suspects), max(1, len(suspects) // 2)
                # Full, whatever its size: to find the wrong result does not wait for more results.
                sent = (self._in_form(bisection, result) for result in suspects)
                return batch_from(sent, max_tests=bisection.next_size, max_bytes=self._max_bytes, is_full=True)
            bisection.until = -1
            waiting = (result for result in queue.results if not progress.is_settled(result.offset))
        if bisection.reductions or self._aliases:
            waiting = (self._in_form(bisection, result) for result in waiting)
        return batch_from(waiting, max_tests=self._max_tests, max_bytes=self._max_bytes)

    def append_applied(self, queue: WorkerQueue, batch: Batch, seconds: float) -> None:
        """Learn from an append that the server applied within this time."""
        self._rejected_in_a_row = 0
        reductions = self._bisections[queue.worker].reductions
        if reductions:
            for result in batch.results:
                reductions.pop(result.offset, None)
        if self._may_grow and seconds > SLOW_SECONDS and len(queue.results) - len(batch.results) >= self._max_tests:
            self._max_tests = min(MAX_TESTS, 4 * self._max_tests)

    def append_refused(self, worker: str, batch: Batch, error: RefusedError) -> RefusalDecision:
        """Decide how to go on after an append that the server refused as a whole."""
        bisection, results = self._bisections[worker], batch.results
        named = _named_results(error, len(results))
        if len(results) > BATCH_TESTS and not named:
            # The size alone may be the reason: the same results are tried in batches of the usual number first.
            self._max_tests, self._may_grow = BATCH_TESTS, False
            return RefusalDecision()
        if named:
            return self._decide_named(bisection, batch, error, named)
        if error.errors and not any(path.startswith("tests") for path in error.errors):
            return RefusalDecision(is_final=True)  # wrong is the request itself: other results change nothing
        if len(results) == 1:
            return self._decide_single(bisection, results[0], error)
        if error.status == TOO_LARGE:
            self._max_bytes = min(self._max_bytes, (_ENVELOPE_BYTES + sum(result.size for result in results)) // 2)
        else:
            # The next append has half of the refused batch.
            bisection.until, bisection.size, bisection.next_size = results[-1].offset, len(results), len(results) // 2
        return RefusalDecision()

    def _in_form(self, bisection: BisectionState, result: Result) -> Result:
        """Return a waiting result in the form in which it is sent."""
        reduction, reason = bisection.reduction_of(result)
        return reduced(result, reduction, reason, self._aliases.get(result.status))

    def _decide_named(
        self, bisection: BisectionState, batch: Batch, error: RefusedError, named: Mapping[int, Sequence[str]]
    ) -> RefusalDecision:
        """Rename, reduce or reject the results that the response names."""
        rejections: list[tuple[Result, str]] = []
        alias_changes: list[AliasRecord] = []
        for index, parts in named.items():
            result, reason = batch.results[index], _reason(error, index)
            is_bare = bisection.reduction_of(result)[0] == "bare"
            if "status" in parts:
                alias = self._next_alias(result.status, result.test.status)
                if alias is None:
                    rejections.append((result, reason))
                    continue
                change = AliasRecord(result.status, result.test.status, alias)
                if change not in alias_changes:
                    alias_changes.append(change)
            # A bare result leaves out the parts that are wrong.
            elif all(part.startswith(_REDUCIBLE_PARTS) for part in parts) and not is_bare:
                bisection.reductions[result.offset] = ("bare", reason)
            else:
                rejections.append((result, reason))
        return RefusalDecision(tuple(rejections), tuple(alias_changes))

    def _next_alias(self, status: str, refused: str) -> str | None:
        """Return the alias to send after the server refused one, None if no other is left to try.

        All results of a status get the same alias.
        """
        current = self._aliases.get(status)
        if current is not None and current != refused:
            return current  # another result of the same response, or another worker's, has changed it already
        tried = self._refused_aliases.setdefault(status, set())
        tried.add(refused)
        following = next((alias for alias in _KNOWN_ALIASES.get(status, ()) if alias not in tried), None)
        if following is not None:
            self._aliases[status] = following
        return following

    def _decide_single(self, bisection: BisectionState, result: Result, error: RefusedError) -> RefusalDecision:
        """Reduce a result that was refused alone: whole, then cut if it is too large, then bare, then rejected."""
        reduction, reason = bisection.reduction_of(result)[0], _reason(error, 0)
        if reduction != "bare":
            is_to_cut = reduction == "whole" and error.status == TOO_LARGE
            bisection.reductions[result.offset] = ("cut" if is_to_cut else "bare", reason)
            return RefusalDecision()
        self._rejected_in_a_row += 1
        if self._rejected_in_a_row > _MAX_REJECTED_IN_A_ROW:
            return RefusalDecision(is_final=True)
        return RefusalDecision(((result, reason),))


def _named_results(error: RefusedError, count: int) -> dict[int, list[str]]:
    """Return the results that the response names: by index in the batch, each with the parts of it that are wrong."""
    parts_by_index: dict[int, list[str]] = {}
    for path in error.errors:
        match = _PATH.fullmatch(path)
        if match and int(match[1]) < count:
            parts_by_index.setdefault(int(match[1]), []).append(match[2] or "")
    return dict(sorted(parts_by_index.items()))


def _reason(error: RefusedError, index: int) -> str:
    """Return why the server refused one result: the error, and up to three messages about this result."""
    matches = ((_PATH.fullmatch(path), path, texts) for path, texts in error.errors.items())
    messages = [f"{path}: {texts[0]}" for match, path, texts in matches if match and int(match[1]) == index and texts]
    return "; ".join([str(error), *messages[:3]])


_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def write_rejected(path: Path, result: Result, reason: str) -> None:
    """Append a result to the session's file of rejected ones, for people to read; raises `OSError`.

    Each line is a JSON object: the worker, the node id, the server's reason, and the test as it was sent.
    """
    line = json.dumps({"worker": result.worker, "id": result.nodeid, "why": reason, "test": to_builtins(result.test)})
    with os.fdopen(os.open(path, _FLAGS, 0o600), "a", encoding="ascii") as file:
        file.write(f"{line}\n")
