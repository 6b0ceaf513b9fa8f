"""What a ledger's records add up to, and how it is written: what is on disk when, and what is made again."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from pytest_automation_report.api.responses import StoredFile
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.session.end import LedgerTail
from pytest_automation_report.spool.ledger import (
    AckRecord,
    Intent,
    JoinedRecord,
    LedgerState,
    OffsetRanges,
    Operation,
    StoredRecord,
)
from pytest_automation_report.spool.records import DoneRecord, Record
from pytest_automation_report.spool.sessions import LedgerFile, ledger_from
from pytest_automation_report.system.here import system
from support.records import ledger_record

URL = "https://files.example.org/a"


def _state(*records: tuple[str, dict[str, Any]]) -> LedgerState:
    state = LedgerState()
    for kind, members in records:
        state.apply(ledger_record(kind, **members))
    return state


def _intent(*members: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - Intent's
    return "intent", to_builtins(Intent(*members))


@pytest.mark.parametrize("place", [12, 40, -1], ids=["checksum", "content", "newline"])
def test_damaged_ledger(path: Path, place: int) -> None:
    """A ledger with a damaged record is refused, since what arrived is not known; a record that was cut did nothing."""
    ledger = LedgerFile(path)
    for record in (Intent(1, "create_run"), AckRecord(1, 7), Intent(2, "create_thread", "gw0")):
        ledger.write(record)
    ledger.close()
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines[:-1]):
        damaged = bytearray(line)
        damaged[place] ^= 1
        path.write_bytes(b"".join([*lines[:number], bytes(damaged), *lines[number + 1 :]]))
        with pytest.raises(SpoolError, match="a record cannot be used: it is damaged"):
            ledger_from(path)
        assert ledger_from(path, is_strict=False).next_number > 1
    for cut in (lines[2][:30], lines[2][:10], b"\0" * 60):
        path.write_bytes(b"".join([*lines[:2], cut, b"\n", lines[2]]))
        assert ledger_from(path).run == 7


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12), st.integers(0, 12))
def test_ranges_tell_every_offset(pieces: list[tuple[int, int]], own: int) -> None:
    """Ranges hold exactly the offsets that were added, in whatever order and however they overlap; each is counted."""
    ranges, others, held = OffsetRanges(), OffsetRanges(), set[int]()
    for number, (first, length) in enumerate(pieces):
        (ranges if number < own else others).add(first, first + length, 2)
        held.update(range(first, first + length + 1))
    ranges.absorb(others)
    assert {offset for offset in range(100) if offset in ranges} == held
    assert ranges.count == 2 * len(pieces)


def test_answers_are_progress_and_end_errors(path: Path) -> None:
    """What the server says yes or no to is counted and ends the error; what has changed nothing only ends it.

    Pytest, which waits for the sender, sees the same.
    """
    ledger, tail, down = LedgerFile(path), LedgerTail(path), {"why": "down", "class": "again"}
    state = ledger.state

    def written(*records: Record) -> tuple[str, str, int]:
        for record in records:
            ledger.write(record)
        assert tail.read()
        assert (tail.error_class, tail.answers) == (state.error_class, state.answers)
        return state.error, state.error_class, state.answers

    assert written(ledger_record("error", **down)) == ("down", "again", 0)
    endings: list[tuple[str, dict[str, Any], int]] = [
        ("not", {}, 0), ("ack", {"id": None}, 1), ("held", {"why": "no", "dropped": True}, 2),
        ("held", {"why": "no"}, 3), ("ack", {"ranges": [[0, 4, 1]]}, 4),
    ]  # fmt: skip
    for number, (kind, members, answers) in enumerate(endings):
        assert written(Intent(number, "append_thread", "gw0", 5, 0, 9, 2), ledger_record("error", **down))[0] == "down"
        assert written(ledger_record(kind, i=number, **members)) == ("", "", answers)
    more: list[tuple[str, dict[str, Any]]] = [
        ("fenced", {"worker": "gw0"}),
        ("stored", {"name": "a", "file": {"url": URL}}),
    ]
    for kind, told in more:
        before = state.answers
        written(ledger_record("error", **down))
        assert written(ledger_record(kind, **told)) == ("", "", before + 1)
    ledger.close()


def test_files_that_were_stored_or_not() -> None:
    """A file's address is kept by its name, or why it has none, the most frequent reason first, until it has one."""
    reasons = {"a": "too large", "b": "refused", "c": "refused"}
    state = _state(*(("unstored", {"name": name, "why": why}) for name, why in reasons.items()))
    assert state.unstored == reasons
    assert state.totals(DoneRecord(), {}).unstored_reasons == (("refused", 2), ("too large", 1))
    stored = ledger_record("stored", name="a", file={"url": URL, "mime_type": "text/plain"}, at=1.0)
    state.apply(stored)
    assert state.stored == {"a": stored}
    assert state.totals(DoneRecord(), {}).unstored_reasons == (("refused", 2),)


@pytest.mark.parametrize("operation", ["append_run", "note_thread"])
def test_notes_are_made_once(operation: Operation) -> None:
    """A note of the session's end is made when the server has it, or will not have it; one nobody knows of is not."""
    for kind, is_noted in (("ack", True), ("held", True), ("not", False)):
        state = _state(_intent(1, operation), (kind, {"i": 1, "id": None, "why": "no", "dropped": True}))
        assert (state.is_noted, state.is_complete) == (is_noted, False)


def test_a_new_thread_begins_with_nothing_in_it() -> None:
    """Times and results of a batch count in its thread alone; a worker's next thread begins at zero."""
    append = _intent(2, "append_thread", "gw0", 5, 0, 9, 2, 0, (), 40, 30)
    state = _state(_intent(1, "create_thread", "gw0"), ("ack", {"i": 1, "id": 5}), append, ("ack", {"i": 2}))
    progress = state.progress("gw0")
    assert (progress.in_thread, progress.thread_observed, progress.thread_computed) == (2, 40, 30)
    late = [_intent(number, "append_thread", "gw0", 5, 10, 19, 2, 2, (), 40, 30) for number in (3, 4)]
    created = _intent(5, "create_thread", "gw0"), ("ack", {"i": 5, "id": 6})
    for kind, members in (*late, *created, ("ack", {"i": 3}), ("ack", {"i": 4, "ranges": [[10, 14, 1]]})):
        state.apply(ledger_record(kind, **members))
    assert (progress.in_thread, progress.thread_observed, progress.thread_computed) == (0, 0, 0)
    assert progress.threads == [5, 6]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "session").mkdir()
    return tmp_path / "session" / "ledger"


def test_what_is_announced_is_on_disk_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a POST depends on is on disk before the record counts; what says nothing of one is not waited for."""
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(path.read_text().splitlines()[-1].partition('"k":"')[2].partition('"')[0])
        os.fsync(descriptor)

    monkeypatch.setattr(system, "sync", note)
    ledger = LedgerFile(path)
    for kind, members in (
        ("ready", {"pid": 1}), ("error", {"why": "", "class": ""}),
        ("done", {}), ("stored", {"name": "a", "file": {"url": URL}}),
        ("unstored", {"name": "a", "why": ""}), ("joined", {"run": 5}),
        ("fenced", {"worker": "gw0"}),
    ):  # fmt: skip
        ledger.write(ledger_record(kind, **members))
    ledger.write(Intent(1, "create_thread", "gw0", at=1.0))
    ledger.write(AckRecord(1, 7))
    ledger.close()
    assert synced == ["joined", "fenced", "intent", "ack"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_ledger_that_is_deleted_is_made_again(path: Path) -> None:
    """A deleted ledger comes back with all that it held, after its folder was made and locked again."""
    ledger = LedgerFile(path, path.parent.mkdir)
    ledger.write(JoinedRecord(12))
    before = path.read_bytes()
    shutil.rmtree(path.parent)
    for answer in (1, 2):
        ledger.write(StoredRecord(f"file-{answer}", StoredFile(URL)))
    ledger.close()
    assert [each.name for each in path.parent.iterdir()] == ["ledger"]
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[0] == before
    assert [each[18:30] for each in lines[1:]] == [b'{"k":"stored'] * 2
    assert (ledger_from(path).run, len(ledger_from(path).stored)) == (12, 2)


def test_ledger_that_takes_a_part(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that the disk takes in part is an error; the next one begins on a line of its own."""
    ledger = LedgerFile(path)
    ledger.write(JoinedRecord(12))
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:-3]))
    with pytest.raises(SpoolError, match=r"ledger cannot be written: only \d+ of \d+ bytes were taken"):
        ledger.write(JoinedRecord(13))
    assert ledger.state.run == 12
    monkeypatch.setattr(os, "write", write)
    ledger.write(JoinedRecord(14))
    assert ledger_from(path).run == 14
    ledger.write(JoinedRecord(15))
    ledger.close()
    assert b"\n\n" not in path.read_bytes()
    assert ledger_from(path).run == 15


@pytest.mark.parametrize("kept", [0, 4, 30])
def test_ledger_whose_last_line_is_cut(path: Path, kept: int) -> None:
    """A ledger that ends in the middle of a line is read up to it, and the next sender goes on behind it."""
    ledger = LedgerFile(path)
    ledger.write(JoinedRecord(12))
    whole = path.stat().st_size
    ledger.write(StoredRecord("cut", StoredFile(URL)))
    ledger.close()
    os.truncate(path, whole + kept)
    assert (ledger_from(path).run, ledger_from(path).stored) == (12, {})
    again = LedgerFile(path)
    again.write(StoredRecord("next", StoredFile(URL)))
    again.close()
    assert (ledger_from(path).run, list(ledger_from(path).stored)) == (12, ["next"])


def test_ledger_of_another_kind(path: Path) -> None:
    """A folder in a ledger's place is told, and one that cannot be made as well; a closed one takes nothing."""
    ledger = LedgerFile(path)
    ledger.close()
    with pytest.raises(SpoolError, match="cannot be written: Bad file descriptor"):
        ledger.write(JoinedRecord(12))
    path.unlink()
    path.mkdir()
    with pytest.raises(SpoolError, match="cannot be used: it is not a file"):
        ledger_from(path)
    with pytest.raises(SpoolError, match="cannot be written: No such file or directory"):
        LedgerFile(path.parent / "gone" / "ledger")
