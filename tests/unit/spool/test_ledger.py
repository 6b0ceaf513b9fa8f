"""What a ledger's records add up to."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.ledger import (
    AckRecord,
    Intent,
    LedgerState,
    OffsetRanges,
    Operation,
    WorkerProgress,
)
from pytest_automation_report.spool.ledger_file import LedgerFile, ledger_from
from support.records import ledger_record, line


def _state(*records: tuple[str, dict[str, Any]]) -> LedgerState:
    state = LedgerState()
    for kind, members in records:
        state.apply(ledger_record(kind, **members))
    return state


def _append(
    number: int,
    first: int,
    last: int,
    count: int,
    *,
    worker: str = "gw0",
    **more: Any,  # noqa: ANN401 - Intent's
) -> tuple[str, dict[str, Any]]:
    intent = Intent(number, "append_thread", worker, 5, first, last, count, **more)
    return "intent", to_builtins(intent)


def _thread(number: int, made: int, *, worker: str = "gw0") -> list[tuple[str, dict[str, Any]]]:
    return [("intent", to_builtins(Intent(number, "create_thread", worker))), ("ack", {"i": number, "id": made})]


def _run_intent(number: int, operation: Operation) -> dict[str, Any]:
    intent: dict[str, Any] = to_builtins(Intent(number, operation))
    return intent


def test_acknowledged_batch_is_settled() -> None:
    """Results of a confirmed batch are not sent again; those outside its offsets are."""
    state = _state(*_thread(1, 5), _append(2, 100, 300, 3, observed=40, computed=30), ("ack", {"i": 2, "id": None}))
    progress = state.progress_of("gw0")
    assert [progress.is_settled(offset) for offset in (99, 100, 200, 300, 301)] == [False, True, True, True, False]
    assert (progress.thread, progress.in_thread, progress.acknowledged.count) == (5, 3, 3)
    assert (progress.thread_observed, progress.thread_computed) == (40, 30)
    assert state.open_intent is None


def test_several_intents_are_open() -> None:
    """Intents of several threads are open until each has its own outcome, whatever the order."""
    intents = [_append(number, 100, 300, 3, worker=f"gw{number}") for number in (1, 2, 3)]
    state = _state(*intents, ("ack", {"i": 2, "id": None}), ("not", {"i": 1}))
    assert list(state.open_intents) == [3]
    assert [state.progress_of(f"gw{number}").is_settled(100) for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize(
    ("later", "is_there"),
    [({"known": 3}, True), ({"known": 4}, True), ({"known": 2}, False), ({"known": 3, "thread": 6}, False)],
    ids=["as-many", "more", "fewer", "other-thread"],
)
def test_damaged_acknowledgement(later: dict[str, int], is_there: bool) -> None:  # noqa: FBT001 - a parameter
    """That a batch arrived is known by what its thread had before the next one, should its acknowledgement be lost."""
    (kind, members) = _append(3, 400, 500, 2)
    state = _state(*_thread(1, 5), _append(2, 100, 300, 3), (kind, {**members, **later}))
    assert list(state.open_intents) == ([3] if is_there else [2, 3])
    assert state.progress_of("gw0").is_settled(100) is is_there


def test_rejected_and_held_batches_are_set_aside_with_their_reason() -> None:
    """What the server will not take, or nobody can tell, is not sent again and is counted apart."""
    state = _state(
        _append(1, 0, 9, 2), ("rejected", {"i": 1, "why": "bad key"}),
        _append(2, 10, 19, 3), ("held", {"i": 2, "why": "1 of 3 arrived"}),
    )  # fmt: skip
    progress = state.progress_of("gw0")
    assert progress.is_settled(5)
    assert progress.is_settled(15)
    assert (progress.rejected.count, progress.held.count, progress.acknowledged.count) == (2, 3, 0)
    assert state.reasons == ["bad key", "1 of 3 arrived"]


def test_fence_leaves_the_thread() -> None:
    """After a fence the worker has no open thread, and a new one begins with nothing in it."""
    state = _state(*_thread(1, 5), _append(2, 0, 9, 2), ("fenced", {"worker": "gw0"}), ("ack", {"i": 2, "id": None}))
    assert state.progress_of("gw0").thread is None
    state = _state(*_thread(1, 5), _append(2, 0, 9, 2), ("ack", {"i": 2, "id": None}), *_thread(3, 6))
    assert (state.progress_of("gw0").thread, state.progress_of("gw0").in_thread) == (6, 0)
    assert state.progress_of("gw0").threads == [5, 6]


def test_outcome_of_another_intent_is_passed_over() -> None:
    """An outcome closes the intent whose number it names and no other."""
    state = _state(_append(2, 0, 9, 2), ("ack", {"i": 1, "id": None}))
    assert state.open_intent is not None


def test_attempts_once_reported_as_unfinished_stay_so() -> None:
    """The numbers of attempts that were announced as never finished are kept, whatever became of the POST."""
    state = _state(_append(2, 0, 9, 2, orphans=(7,)), ("not", {"i": 2}))
    assert state.progress_of("gw0").orphans == {7}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=20))
def test_ranges_tell_every_offset(pieces: list[tuple[int, int]]) -> None:
    """Ranges hold exactly the offsets that were added, in whatever order they came."""
    ranges, held, start = OffsetRanges(), set[int](), 0
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
    ledger = LedgerFile(path)
    ledger.write(Intent(1, "create_run", at=1.5))
    ledger.write(AckRecord(1, 12))
    ledger.close()
    with path.open("ab") as file:
        file.write(b"0000ffff torn")
    ledger = LedgerFile(path)
    ledger.write(Intent(ledger.state.next_number, "create_thread", "gw0", at=2.5))
    ledger.close()
    state = ledger_from(path)
    assert state.run == 12
    assert state.open_intent is not None
    assert (state.open_intent.operation, state.open_intent.number) == ("create_thread", 2)


def _held(*more: tuple[str, dict[str, Any]]) -> LedgerState:
    """Return a state in which one batch of two results is held and another of three has arrived, and more."""
    return _state(
        *_thread(1, 5),
        _append(2, 0, 9, 2), ("held", {"i": 2, "why": "nobody knows"}),
        _append(3, 10, 19, 3), ("ack", {"i": 3, "id": None}),
        *more,
    )  # fmt: skip


@pytest.mark.parametrize("is_dropped", [True, False])
def test_held_results_are_let_go(is_dropped: bool) -> None:  # noqa: FBT001 - a parameter
    """What was held is to be sent again, or given up and counted as that; what has arrived stays."""
    state = _held(("unheld", {"dropped": is_dropped}))
    progress = state.progress_of("gw0")
    assert (progress.held.count, progress.dropped.count, progress.acknowledged.count) == (0, 2 * is_dropped, 3)
    assert progress.is_settled(5) is is_dropped
    assert progress.is_settled(15)


def test_new_run_leaves_the_old_one_with_its_threads() -> None:
    """After a run was left nothing of it is open, what has arrived there stays so, and it is not taken again."""
    state = _held(
        ("intent", _run_intent(4, "create_run")), ("ack", {"i": 4, "id": 12}), ("new-run", {}),
    )  # fmt: skip
    assert (state.run, state.left_runs, state.is_complete, state.is_noted) == (None, {12}, False, False)
    assert state.progress_of("gw0").thread is None
    assert state.progress_of("gw0").acknowledged.count == 3
    state.apply(ledger_record("new-run"))
    assert state.left_runs == {12}


def test_part_of_a_batch_is_acknowledged() -> None:
    """The part of a batch that has arrived is settled and counts in its thread, the rest is to be sent."""
    state = _state(*_thread(1, 5), _append(2, 0, 30, 3), ("part", {"i": 2, "ranges": [[0, 9, 1], [20, 30, 1]]}))
    progress = state.progress_of("gw0")
    assert (progress.acknowledged.count, progress.in_thread) == (2, 2)
    assert [progress.is_settled(each) for each in (5, 15, 25)] == [True, False, True]
    state = _state(
        *_thread(1, 5), _append(2, 0, 9, 2), ("fenced", {"worker": "gw0"}), ("part", {"i": 2, "ranges": [[0, 4, 1]]})
    )
    assert state.progress_of("gw0").in_thread == 0


def test_end_is_what_the_last_life_wrote() -> None:
    """What a sender says of the whole at its end is kept; a later life begins anew."""
    state = _state(("done", {"complete": True, "seen": {"gw0": 3}}))
    assert (state.is_done, state.done.seen) == (True, {"gw0": 3})
    state.apply(ledger_record("ready", pid=7))
    assert (state.is_done, state.is_ready, state.sender_pid) == (False, True, 7)


def test_words_of_the_server_are_kept() -> None:
    """How a status was renamed, and whether completed threads take results, is known to later lives."""
    state = _state(
        ("alias", {"status": "passed", "before": "passed", "now": "ok"}), ("fencing-is", {"fencing": "settles"})
    )
    assert (state.aliases, state.renamed, state.fencing) == ({"passed": "ok"}, {"passed": "ok"}, "settles")


def test_unusable_ledger_is_told(tmp_path: Path) -> None:
    """A record that is whole and says nothing makes the ledger unusable, and the error names it."""
    (tmp_path / "ledger").write_bytes(line("intent", i=1))
    with pytest.raises(SpoolError, match=r"ledger: a record cannot be used: Object missing required field `op`$"):
        ledger_from(tmp_path / "ledger")


def test_ranges_that_lie_around_others() -> None:
    """A range that lies around others, or over their ends, takes their place; each brings what it says."""
    ranges = OffsetRanges()
    for first, last in ((10, 20), (40, 50), (70, 80)):
        ranges.add(first, last, 1)
    ranges.add(15, 45, 2)
    assert [each in ranges for each in (9, 10, 30, 50, 51, 69, 70)] == [False, True, True, True, False, False, True]
    ranges.add(0, 100, 0)
    assert (0 in ranges, 60 in ranges, 100 in ranges, 101 in ranges, ranges.count) == (True, True, True, False, 5)
    other = OffsetRanges()
    other.add(200, 210, 4)
    other.absorb(ranges)
    assert (50 in other, 205 in other, 150 in other, other.count) == (True, True, False, 9)


def test_nothing_is_known_at_first() -> None:
    """A ledger without records tells of no run, no thread, no request and no trouble; the first intent is number 1."""
    state, progress = LedgerState(), WorkerProgress()
    flags = (state.is_joined, state.is_noted, state.is_complete, state.is_done, state.is_ready)
    assert (state.run, *flags) == (None, *[False] * 5)
    assert (state.open_intent, state.next_number, state.sender_pid, state.answers) == (None, 1, 0, 0)
    assert (state.trouble, state.trouble_class, state.fencing, state.unstored_reasons) == ("", "", None, ())
    counts = (progress.in_thread, progress.thread_observed, progress.thread_computed, progress.acknowledged.count)
    assert (progress.thread, *counts) == (None, 0, 0, 0, 0)
    assert progress.is_settled(0) is False


def test_intent_comes_back() -> None:
    """An intent is read as it was written, by members that all versions know."""
    intent = Intent(7, "append_thread", "gw1", 5, 100, 300, 3, 11, (8, 9), 40, 30, 1.5)
    assert _state(("intent", to_builtins(intent))).open_intent == intent


def test_answers_are_progress_and_end_troubles() -> None:
    """What the server says yes or no to is counted and ends the trouble; what has changed nothing only ends it."""
    state = _state(("trouble", {"why": "down", "class": "again"}))
    assert (state.trouble, state.trouble_class, state.answers) == ("down", "again", 0)
    endings: list[tuple[str, dict[str, Any], int]] = [
        ("not", {}, 0), ("ack", {"id": None}, 1), ("rejected", {"why": "no"}, 2), ("held", {"why": "no"}, 3),
        ("part", {"ranges": []}, 4),
    ]  # fmt: skip
    for number, (kind, members, answers) in enumerate(endings):
        state.apply(Intent(number, "append_thread", "gw0", 5, 0, 9, 2))
        state.apply(ledger_record("trouble", why="down", **{"class": "again"}))
        state.apply(ledger_record(kind, i=number, **members))
        assert (state.trouble, state.trouble_class, state.answers) == ("", "", answers)
    more: list[tuple[str, dict[str, Any]]] = [("fenced", {"worker": "gw0"}), ("stored", {"name": "a", "url": "u"})]
    for kind, told in more:
        before = state.answers
        state.apply(ledger_record("trouble", why="down", **{"class": "again"}))
        state.apply(ledger_record(kind, **told))
        assert (state.trouble, state.answers) == ("", before + 1)


def test_files_that_were_stored_or_not() -> None:
    """A file's address is kept by its name, or why it has none, the most frequent reason first, until it has one."""
    reasons = {"a": "too large", "b": "refused", "c": "refused"}
    state = _state(*(("unstored", {"name": name, "why": why}) for name, why in reasons.items()))
    assert state.unstored == reasons
    assert state.unstored_reasons == (("refused", 2), ("too large", 1))
    stored = ledger_record("stored", name="a", url="https://files.example.org/a", type="text/plain", at=1.0)
    state.apply(stored)
    assert state.stored == {"a": stored}
    assert state.unstored_reasons[0] == ("refused", 2)
    assert len(state.unstored_reasons) == 1


def test_single_results_are_set_aside() -> None:
    """A result that the server cannot take is settled, alone, with its reason."""
    state = _state(("aside", {"worker": "gw1", "offset": 40, "why": "test_x: bad key"}))
    progress = state.progress_by_worker["gw1"]
    assert [progress.is_settled(each) for each in (39, 40, 41)] == [False, True, False]
    assert (progress.rejected.count, state.reasons) == (1, ["test_x: bad key"])


@pytest.mark.parametrize("operation", ["append_run", "note_thread"])
def test_notes_are_made_once(operation: Operation) -> None:
    """A note of the session's end is made when the server has it, or will not have it; one nobody knows of is not."""
    for kind, is_noted in (("ack", True), ("rejected", True), ("not", False)):
        state = _state(("intent", _run_intent(1, operation)), (kind, {"i": 1, "id": None, "why": "no"}))
        assert (state.is_noted, state.is_complete) == (is_noted, False)


def test_completions() -> None:
    """A completed run is complete; a completed thread is left, the run stays open."""
    state = _state(("intent", _run_intent(1, "complete_run")), ("ack", {"i": 1, "id": None}))
    assert (state.is_complete, state.is_noted) == (True, False)
    closing = to_builtins(Intent(2, "complete_thread", "gw0", 5))
    state = _state(*_thread(1, 5), ("intent", closing), ("ack", {"i": 2, "id": None}))
    assert (state.progress_of("gw0").thread, state.is_complete) == (None, False)


@pytest.mark.parametrize("operation", ["create_run", "create_thread", "complete_thread"])
def test_refusal_of_what_has_no_results(operation: Operation) -> None:
    """A refused request that brings no results takes none out of what is to be sent."""
    refused = to_builtins(Intent(1, operation, "gw0", 5, 0, 9, 2))
    state = _state(("intent", refused), ("rejected", {"i": 1, "why": "no"}))
    assert not state.progress_of("gw0").is_settled(5)
    assert state.total("rejected") == state.total("dropped") == 0


def test_dropped_batch() -> None:
    """A batch that was given up is settled and counted apart."""
    state = _state(_append(1, 0, 9, 2), ("dropped", {"i": 1, "why": "asked for"}))
    assert state.progress_of("gw0").is_settled(5)
    assert (state.total("dropped"), state.total("held")) == (2, 0)
