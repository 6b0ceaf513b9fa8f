"""What a ledger's records add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.ledger import Intent, LedgerState, Ranges
from pytest_automation_report.records import Record
from pytest_automation_report.sender.book import LedgerBook, ledger_from

if TYPE_CHECKING:
    from pathlib import Path


def _state(*records: tuple[str, dict[str, Any]]) -> LedgerState:
    state = LedgerState()
    for kind, members in records:
        state.apply(Record(kind, members))
    return state


def _append(number: int, first: int, last: int, count: int, **more: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
    intent = Intent(number, "append_thread", "gw0", 5, first, last, count, **more)
    return "intent", intent.members()


def _thread(number: int, made: int) -> list[tuple[str, dict[str, Any]]]:
    return [("intent", Intent(number, "create_thread", "gw0").members()), ("ack", {"i": number, "id": made})]


def test_acknowledged_batch_is_settled() -> None:
    """Results of a confirmed batch are not sent again; those outside its offsets are."""
    state = _state(*_thread(1, 5), _append(2, 100, 300, 3, observed=40, computed=30), ("ack", {"i": 2, "id": None}))
    account = state.account("gw0")
    assert [account.is_settled(offset) for offset in (99, 100, 200, 300, 301)] == [False, True, True, True, False]
    assert (account.thread, account.in_thread, account.acknowledged.count) == (5, 3, 3)
    assert (account.thread_observed, account.thread_computed) == (40, 30)
    assert state.open_intent is None


def test_intent_without_an_outcome_stays_open() -> None:
    """A POST of which nothing was noted is open after a restart, and its number is not used again."""
    state = _state(*_thread(1, 5), _append(2, 100, 300, 3))
    assert state.open_intent is not None
    assert state.open_intent.number == 2
    assert state.next_number == 3
    assert not state.account("gw0").is_settled(100)


def test_not_applied_batch_is_sent_again() -> None:
    """A batch that the server has not got is neither settled nor open."""
    state = _state(*_thread(1, 5), _append(2, 100, 300, 3), ("not", {"i": 2}))
    assert state.open_intent is None
    assert not state.account("gw0").is_settled(100)
    assert state.account("gw0").in_thread == 0


def test_rejected_and_held_batches_are_set_aside_with_their_reason() -> None:
    """What the server will not take, or nobody can tell, is not sent again and is counted apart."""
    state = _state(
        _append(1, 0, 9, 2), ("rejected", {"i": 1, "why": "bad key"}),
        _append(2, 10, 19, 3), ("held", {"i": 2, "why": "1 of 3 arrived"}),
    )  # fmt: skip
    account = state.account("gw0")
    assert account.is_settled(5)
    assert account.is_settled(15)
    assert (account.rejected.count, account.held.count, account.acknowledged.count) == (2, 3, 0)
    assert state.reasons == ["bad key", "1 of 3 arrived"]


def test_fence_leaves_the_thread() -> None:
    """After a fence the worker has no open thread, and a new one begins with nothing in it."""
    state = _state(*_thread(1, 5), _append(2, 0, 9, 2), ("fenced", {"worker": "gw0"}), ("ack", {"i": 2, "id": None}))
    assert state.account("gw0").thread is None
    state = _state(*_thread(1, 5), _append(2, 0, 9, 2), ("ack", {"i": 2, "id": None}), *_thread(3, 6))
    assert (state.account("gw0").thread, state.account("gw0").in_thread) == (6, 0)
    assert state.account("gw0").threads == [5, 6]


def test_outcome_of_another_intent_is_passed_over() -> None:
    """An outcome closes the intent whose number it names and no other."""
    state = _state(_append(2, 0, 9, 2), ("ack", {"i": 1, "id": None}))
    assert state.open_intent is not None


def test_attempts_once_reported_as_unfinished_stay_so() -> None:
    """The numbers of attempts that were announced as never finished are kept, whatever became of the POST."""
    state = _state(_append(2, 0, 9, 2, orphans=(7,)), ("not", {"i": 2}))
    assert state.account("gw0").orphans == {7}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=20))
def test_ranges_tell_every_offset(pieces: list[tuple[int, int]]) -> None:
    """Ranges hold exactly the offsets that were added, in whatever order they came."""
    ranges, held, start = Ranges(), set[int](), 0
    spans = []
    for gap, length in pieces:
        start += gap + 1
        spans.append((start, start + length))
        start += length
    for first, last in reversed(spans):
        ranges.add(first, last, 1)
        held.update(range(first, last + 1))
    assert {offset for offset in range(start + 5) if offset in ranges} == held
    assert ranges.count == len(pieces)


def test_book_on_disk_tells_the_same_state(tmp_path: Path) -> None:
    """A ledger read from disk tells what its writer knew, also behind a torn record."""
    path = tmp_path / "ledger"
    book = LedgerBook(path)
    intent = book.intend("create_run", at=1.5)
    book.write("ack", i=intent.number, id=12)
    book.close()
    with path.open("ab") as file:
        file.write(b"0000ffff torn")
    book = LedgerBook(path)
    book.intend("create_thread", at=2.5, worker="gw0")
    book.close()
    state = ledger_from(path)
    assert state.run == 12
    assert state.open_intent is not None
    assert (state.open_intent.operation, state.open_intent.number) == ("create_thread", 2)
