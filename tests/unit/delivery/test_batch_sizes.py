"""Which results go into an append, and when."""

from __future__ import annotations

import json

import pytest

from pytest_automation_report.delivery.batches import BATCH_BYTES, batch_from, flush_reason
from pytest_automation_report.delivery.results import Result


def _result(number: int, *, key: str = "", size: int = 0) -> Result:
    test = json.dumps({"n": number, "x": "x" * size})
    return Result("gw0", number * 10, number, f"t.py::{number}", key or str(number), "passed", 3, number, test)


def test_batch_takes_at_most_250_results() -> None:
    """A batch is full at 250 results and then due at once."""
    batch = batch_from(_result(number) for number in range(251))
    assert len(batch.results) == 250
    assert (batch.first, batch.last) == (0, 2490)
    assert flush_reason(batch, age_seconds=0, age_limit_seconds=5, is_closing=False) == "full"
    exactly = batch_from(_result(number) for number in range(250))
    assert flush_reason(exactly, age_seconds=0, age_limit_seconds=5, is_closing=False) == "full"


def test_batch_stays_below_4_mib() -> None:
    """A batch's body has at most 4 MiB, unless a single result is larger."""
    batch = batch_from(_result(number, size=1_000_000) for number in range(6))
    assert len(batch.results) == 4
    assert len(batch.body(1)) <= BATCH_BYTES
    assert flush_reason(batch, age_seconds=0, age_limit_seconds=5, is_closing=False) == "full"
    single = batch_from([_result(1, size=BATCH_BYTES), _result(2)])
    assert len(single.results) == 1


def test_key_is_never_twice_in_a_batch() -> None:
    """A batch ends before a key that it has already."""
    batch = batch_from([_result(1, key="a"), _result(2, key="b"), _result(3, key="a")])
    assert [each.key for each in batch.results] == ["a", "b"]
    assert flush_reason(batch, age_seconds=0, age_limit_seconds=5, is_closing=False) == "full"


@pytest.mark.parametrize(
    ("age", "is_closing", "cause"), [(0.0, False, None), (4.9, False, None), (5.0, False, "age"), (0.0, True, "close")]
)
def test_small_batch_waits_for_age_or_end(age: float, is_closing: bool, cause: str | None) -> None:  # noqa: FBT001 - a parameter
    """A batch that is not full is sent after five seconds, or when its lane gets no more results."""
    batch = batch_from([_result(1)])
    assert flush_reason(batch, age_seconds=age, age_limit_seconds=5.0, is_closing=is_closing) == cause


def test_body_is_what_the_contract_asks_for() -> None:
    """The body has the share of elapsed times and the tests as they were spooled, in order."""
    body = json.loads(batch_from([_result(1), _result(2)]).body(77))
    assert body == {"elapsed_observed": 77, "elapsed_computed": 6, "tests": [{"n": 1, "x": ""}, {"n": 2, "x": ""}]}
