"""The lines that spool and ledger are made of."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_automation_report.spool.record_kinds import (
    AGAIN,
    SPOOL_KINDS,
    FinishRecord,
    IdsRecord,
    StartRecord,
    collected_names,
)
from pytest_automation_report.spool.records import (
    Decoder,
    attempt_header,
    finish_record,
    framed,
    pass_record,
    plain_record,
    start_record,
)
from support.records import members_of

TEXTS = st.text(max_size=40)
RECORDS = st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), max_size=6)


def _line(members: dict[str, str]) -> bytes:
    return plain_record("any", more=members)


def _kinds(decoder: Decoder, *pieces: bytes) -> list[str]:
    return [placed.record.kind for piece in pieces for placed in decoder.feed(piece)]


@given(RECORDS, st.integers(1, 30))
def test_records_come_back_in_any_pieces(records: list[dict[str, str]], size: int) -> None:
    """What was written is read again, however the bytes are cut on their way, with its place in the file."""
    data = b"".join(map(_line, records))
    decoder = Decoder()
    found = [each for start in range(0, len(data), size) for each in decoder.feed(data[start : start + size])]
    assert [members_of(each.record)["more"] for each in found] == records
    assert not decoder.is_torn
    assert decoder.damaged == 0
    assert all(data[each.offset :].startswith(_line(more)) for each, more in zip(found, records, strict=True))


@given(RECORDS.filter(bool), st.data())
def test_torn_last_record_is_tolerated(records: list[dict[str, str]], data: st.DataObject) -> None:
    """A file that ends in the middle of a record gives all records before it, and says that it is torn."""
    lines = [_line(each) for each in records]
    cut = data.draw(st.integers(1, len(lines[-1]) - 1))
    decoder = Decoder()
    found = decoder.feed(b"".join(lines)[:-cut])
    assert [members_of(each.record)["more"] for each in found] == records[:-1]
    assert decoder.is_torn
    assert decoder.damaged == 0


@given(RECORDS.filter(bool), st.data())
def test_flipped_byte_costs_at_most_its_record(records: list[dict[str, str]], data: st.DataObject) -> None:
    """A changed byte damages the record it is in, or the next one too when it was a newline, and is counted."""
    lines = [_line(each) for each in records]
    whole = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    decoder = Decoder()
    found = [members_of(each.record)["more"] for each in decoder.feed(bytes(whole) + b"\n")]
    assert len(records) - len(found) in {1, 2}
    assert decoder.damaged >= 1
    assert all(each in records for each in found)


def test_reader_goes_on_after_a_short_write() -> None:
    """After a record that was written in part, a newline is enough for the next one to be read."""
    decoder = Decoder()
    half = plain_record("half")[:20]
    assert _kinds(decoder, half, b"\n", plain_record("next")) == ["next"]
    assert decoder.damaged == 1


def test_extensions_stand_beside_the_test() -> None:
    """A FINISH may have extensions: their JSON goes through unchanged."""
    test = json.dumps({"name": ',"ext":{"k":1},"test":{}'})
    extensions = json.dumps({"steps": [{"name": '","test":{"x":1},"ext":{"y":2}'}]}, separators=(",", ":"))
    line = finish_record(3, 40, key="ab", status="passed", elapsed=7, is_final=True, test=test, extensions=extensions)
    (placed,) = Decoder(SPOOL_KINDS).feed(line)
    assert placed.record == FinishRecord(3, 40, "ab", "passed", 7, is_final=True, test=test, extensions=extensions)


def test_start_takes_any_node_id() -> None:
    """An attempt's start holds node ids with quotes, newlines, lone surrogates and the marks of other records."""
    nodeid = 'a.py::t[\n"\ud800,"test":]'
    (placed,) = Decoder(SPOOL_KINDS).feed(start_record(1, 2, attempt_header(nodeid, "a.py", None)))
    assert placed.record == StartRecord(1, 2, nodeid, "a.py")


@pytest.mark.parametrize("line", [True, 2.0, "7"])
def test_line_that_is_none(line: int) -> None:
    """What a plugin gives for the line of its test, and is no integer, is left out: the test is told."""
    (placed,) = Decoder(SPOOL_KINDS).feed(start_record(1, 2, attempt_header("a.py::t", "a.py", line)))
    assert placed.record == StartRecord(1, 2, "a.py::t", "a.py")


WHICH = attempt_header("a.py::b", "a.py", 1)
BEGUN = start_record(12, 3, WHICH)


def test_start_with_its_pass_is_left_out() -> None:
    """A START is told by its place alone when its PASS follows; in two pieces both come."""
    passed = pass_record(12, 9, 3, (6, 2, 1), WHICH)
    decoder = Decoder()
    first, second, third, last = decoder.feed(
        plain_record("any") + BEGUN + passed + BEGUN + passed + plain_record("any")
    )
    assert (first.begun, second.record.kind, third.record.kind, last.begun) == (-1, "pass", "pass", -1)
    place = len(plain_record("any"))
    assert (second.begun, second.offset) == (place, place + len(BEGUN))
    assert (third.begun, third.offset) == (second.offset + len(passed), second.offset + len(passed) + len(BEGUN))
    start, passed_alone = [each for piece in (BEGUN, passed) for each in decoder.feed(piece)]
    assert (start.record.kind, start.begun) == ("start", -1)
    assert (passed_alone.record.kind, passed_alone.begun) == ("pass", -1)
    assert decoder.damaged == 0


@pytest.mark.parametrize(
    ("following", "kinds"),
    [
        (pass_record(1, 9, 3, (6, 2, 1), WHICH), ["start", "pass"]),
        (pass_record(123, 9, 3, (6, 2, 1), WHICH), ["start", "pass"]),
        (pass_record(12, 9, 3, (6, 2, 1), WHICH).replace(b"a.py", b"b.py"), ["start"]),
        (finish_record(12, 9, key="k", status="failure", elapsed=1, is_final=True, test="{}"), ["start", "finish"]),
        (start_record(12, 9, WHICH), ["start", "start"]),
        (b"\n", ["start"]),
    ],
    ids=["other", "longer", "damaged", "finish", "start", "blank"],
)
def test_start_without_its_pass_is_told(following: bytes, kinds: list[str]) -> None:
    """A START is left out for the whole PASS of the same attempt alone."""
    assert _kinds(Decoder(), BEGUN + following) == kinds


def test_what_is_no_record_is_damaged() -> None:
    """A line whose checksum is right but whose JSON is no object with a kind counts as damaged and stops nothing."""
    lines: list[Any] = [framed("[]"), framed('{"k":1}'), framed("{"), framed("[" * 100_000), plain_record("good")]
    decoder = Decoder()
    assert _kinds(decoder, *lines) == ["good"]
    assert decoder.damaged == 4


def test_attempt_that_is_no_result() -> None:
    """An attempt after which another follows is none of the results; a later reader knows it by the same words."""
    line = finish_record(1, 2, key="ab", status="failure", elapsed=7, is_final=False, test='{"name":"x"}')
    assert line[18:] == (
        b'{"k":"finish","n":1,"t":2,"key":"ab","status":"failure","elapsed":7,"final":false,"test":{"name":"x"}}\n'
    )
    assert AGAIN == "again"


@given(st.integers(0, 1200))
@example(501)
def test_names_of_all_tests(count: int) -> None:
    """Records name every collected test once, in their order, at most 500 in one."""
    nodeids = [f"test_{number}" for number in range(count)]
    records = [each.record for each in Decoder(SPOOL_KINDS).feed(b"".join(collected_names(nodeids)))]
    assert [name for record in records if isinstance(record, IdsRecord) for name in record.ids] == nodeids
    assert len(records) == -(-count // 500)


def test_longest_record() -> None:
    """A line of 64 MiB is waited for; one that is longer is given up, however its end looks."""
    longest, decoder = 64 << 20, Decoder()
    assert decoder.feed(bytes(longest)) == []
    assert (decoder.damaged, decoder.is_torn) == (0, True)
    assert decoder.feed(b"0") == []
    assert (decoder.damaged, decoder.is_torn, decoder.position) == (1, False, longest + 1)
