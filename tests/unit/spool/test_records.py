"""The lines that spool and ledger are made of, and what a record must have to be used."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_automation_report.spool.records import (
    SPOOL_KINDS,
    Decoder,
    IdsRecord,
    PlanRecord,
    Record,
    collected_names,
    framed,
)
from support.records import line

RECORDS = st.lists(st.lists(st.text(max_size=40), max_size=3).map(tuple).map(IdsRecord), max_size=6)


def _records(*pieces: bytes, decoder: Decoder | None = None) -> list[Record]:
    decoder = decoder or Decoder(SPOOL_KINDS)
    return [placed.record for piece in pieces for placed in decoder.feed(piece)]


@given(RECORDS, st.integers(1, 30))
def test_records_come_back_in_any_pieces(records: list[IdsRecord], size: int) -> None:
    """What was written is read again, however the bytes are cut on their way, with its place in the file."""
    data = b"".join(record.framed() for record in records)
    decoder = Decoder(SPOOL_KINDS)
    found = [each for start in range(0, len(data), size) for each in decoder.feed(data[start : start + size])]
    assert [each.record for each in found] == records
    assert (decoder.is_torn, decoder.damaged) == (False, 0)
    assert all(data[each.offset :].startswith(each.record.framed()) for each in found)


@given(RECORDS.filter(bool), st.data())
def test_torn_last_record_is_tolerated(records: list[IdsRecord], data: st.DataObject) -> None:
    """A file that ends in the middle of a record gives all records before it, and says that it is torn."""
    lines = [record.framed() for record in records]
    cut = data.draw(st.integers(1, len(lines[-1]) - 1))
    decoder = Decoder(SPOOL_KINDS)
    assert _records(b"".join(lines)[:-cut], decoder=decoder) == records[:-1]
    assert (decoder.is_torn, decoder.damaged) == (True, 0)


@given(RECORDS.filter(bool), st.data())
def test_flipped_byte_costs_at_most_its_record(records: list[IdsRecord], data: st.DataObject) -> None:
    """A changed byte damages the record it is in, or the next one too when it was a newline, and is counted."""
    whole = bytearray(b"".join(record.framed() for record in records))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    decoder = Decoder(SPOOL_KINDS)
    found = _records(bytes(whole) + b"\n", decoder=decoder)
    assert len(records) - len(found) in {1, 2}
    assert decoder.damaged >= 1
    assert all(each in records for each in found)


@pytest.mark.parametrize(
    "payload",
    [
        "[]", '{"k":1}', '{"k":"\xe9"}', "{", "[" * 100_000, '{"k":"of-another-version"}', '{"k":"end"}',
        '{"k":"open","pid":"1"}',
        '{"k":"open","pid":9223372036854775808}', '{"k":"start","n":1,"t":true,"id":"x","file":"f"}',
        '{"k":"finish","n":1,"t":1,"id":"x","attempt":{"status":"wonderful"}}',
        '{"k":"finish","n":1,"t":1,"id":"x","attempt":{"status":"passed","fields":[5]}}',
        '{"k":"finish","n":1,"t":1,"id":"x","attempt":{"status":"passed","steps":' + '[{"steps":' * 3000 + "}]" * 3000,
        '{"k":"artifact","n":1,"artifact":{"name":"n","url":"u","more":1}}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_damaged(payload: str) -> None:
    """A line whose checksum is right and whose JSON is no record of its kind counts as damaged and stops nothing."""
    decoder = Decoder(SPOOL_KINDS)
    good = PlanRecord(each=True)
    assert _records(framed(payload.encode("latin-1")) + good.framed(), decoder=decoder) == [good]
    assert decoder.damaged == 1


@given(st.integers(0, 1200))
@example(501)
def test_names_of_all_tests(count: int) -> None:
    """Records name every collected test once, in their order, at most 500 in one."""
    nodeids = [f"test_{number}" for number in range(count)]
    records = _records(*collected_names(nodeids))
    assert [name for record in records if isinstance(record, IdsRecord) for name in record.ids] == nodeids
    assert len(records) == -(-count // 500)


def test_longest_record() -> None:
    """A line of 64 MiB is waited for; one that is longer is given up, however its end looks."""
    longest, decoder = 64 << 20, Decoder(SPOOL_KINDS)
    assert decoder.feed(bytes(longest)) == []
    assert (decoder.damaged, decoder.is_torn) == (0, True)
    assert decoder.feed(b"0") == []
    assert (decoder.damaged, decoder.is_torn, decoder.position) == (1, False, longest + 1)
    assert _records(b"0\n" + line("plan", each=True), decoder=decoder) == [PlanRecord(each=True)]
    assert decoder.damaged == 1
