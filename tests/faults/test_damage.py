"""A damaged spool: what can be read arrives, what cannot is counted and told; a spool of others is left alone."""

from pathlib import Path

import pytest

from support.delivered_results import assert_complete, field_texts, result_named
from support.fault_projects import NUMBERED
from support.scripted_server.server import ScriptedServer
from support.session_processes import sent, spools


def finish_of(records: bytes, number: int) -> int:
    """Return where the record of this result's end begins."""
    lines = records.splitlines(keepends=True)
    places = [sum(map(len, lines[:index])) for index, line in enumerate(lines) if b'"k":"finish"' in line]
    return places[number]


@pytest.mark.parametrize("place", [12, 60], ids=["checksum", "test"])
def test_flipped_byte(tmp_path: Path, server: ScriptedServer, session: Path, place: int) -> None:
    """A damaged record is passed over, counted and told; its test is reported as lost, the others as they were."""
    path = session / "main.records"
    data = bytearray(path.read_bytes())
    data[finish_of(bytes(data), 1) + place] ^= 1
    path.write_bytes(bytes(data))
    for _ in range(2):
        ran = sent(tmp_path, server, exits=3)
        assert "1 damaged record that cannot be read" in ran.err
        assert f"kept in {session}" in ran.err
        assert path.read_bytes() == data
        assert_complete(server, NUMBERED)
    assert result_named(server, "test_number[1]")["status"] == "error"
    assert "the record of this result is damaged" in field_texts(result_named(server, "test_number[1]"))
    assert [result_named(server, f"test_number[{number}]")["status"] for number in (0, 2, 3)] == ["passed"] * 3


def test_flipped_byte_of_a_beginning(tmp_path: Path, server: ScriptedServer, session: Path) -> None:
    """What a damaged START said its FINISH says, too: it is counted, and nothing is lost."""
    path = session / "main.records"
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if b'"k":"start"' in line)
    lines[number] = lines[number].replace(b"test_number", b"test_xumber")
    path.write_bytes(b"".join(lines))
    assert path.read_bytes() != data
    ran = sent(tmp_path, server)
    assert (ran.exit, "1 damaged record that cannot be read" in ran.err) == (3, True)
    assert_complete(server, NUMBERED)
    assert {result_named(server, f"test_number[{number}]")["status"] for number in range(4)} == {"passed"}


def test_cut_tail(tmp_path: Path, server: ScriptedServer, session: Path) -> None:
    """A file that ends in the middle of a record is told; its last test is reported as died."""
    path = session / "main.records"
    data = path.read_bytes()
    path.write_bytes(data[: finish_of(data, 2) + 40])
    ran = sent(tmp_path, server, exits=0)
    assert "1 of its files end in the middle of a record" in ran.err
    assert_complete(server, ["test_number[0]", "test_number[1]", "test_number[2]"])
    assert "died before it finished" in field_texts(result_named(server, "test_number[2]"))
    assert spools(tmp_path) == []
