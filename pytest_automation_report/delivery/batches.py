"""Which results go into the next append, and when it is due (floor 3, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.limits import BATCH_TESTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.delivery.results import Result

Cause: TypeAlias = Literal["full", "age", "close"]

BATCH_BYTES: Final = 4 << 20
_ENVELOPE_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """Results for one append, in order; no key twice, so that a part of it could be told by its keys."""

    results: tuple[Result, ...]
    is_full: bool

    @property
    def first(self) -> int:
        """Offset of the first result."""
        return self.results[0].offset

    @property
    def last(self) -> int:
        """Offset of the last result."""
        return self.results[-1].offset

    @property
    def computed(self) -> int:
        """Sum of the tests' durations in microseconds."""
        return sum(each.elapsed for each in self.results)

    @property
    def size(self) -> int:
        """About the length of the body in bytes."""
        return _ENVELOPE_BYTES + sum(len(each.test) + 1 for each in self.results)

    def body(self, observed: int | None) -> bytes:
        """Return the contract's AppendToAutomationRunThread.

        ``observed``: microseconds since the batch before, ``None`` when nobody has measured them.
        """
        tests = ",".join(each.test for each in self.results)
        told = "" if observed is None else f'"elapsed_observed":{observed},'
        return f'{{{told}"elapsed_computed":{self.computed},"tests":[{tests}]}}'.encode("ascii")


def batch_from(queue: Iterable[Result], *, most_tests: int = BATCH_TESTS, most_bytes: int = BATCH_BYTES) -> Batch:
    """Return the longest batch that the head of this queue, which is not empty, can make.

    It has at least one result, whatever its size.
    """
    taken: list[Result] = []
    keys: set[str] = set()
    size = _ENVELOPE_BYTES
    for result in queue:
        more = len(result.test) + 1
        if taken and (len(taken) == most_tests or size + more > most_bytes or result.key in keys):
            return Batch(tuple(taken), is_full=True)
        taken.append(result)
        keys.add(result.key)
        size += more
    return Batch(tuple(taken), is_full=len(taken) >= most_tests)


def flush_reason(batch: Batch, *, age_seconds: float, age_limit_seconds: float, is_closing: bool) -> Cause | None:
    """Return why the batch is to be sent now, or ``None`` when it can wait for more results.

    ``age_seconds`` is how long its first result has waited; ``is_closing`` that its lane gets no more results.
    """
    if batch.is_full:
        return "full"
    if is_closing:
        return "close"
    if age_seconds >= age_limit_seconds:
        return "age"
    return None
