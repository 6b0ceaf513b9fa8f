"""What one process writes into the spool, whatever a test does to it: records and copies of files."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.delivery.stores import open_spooled, remove_spooled
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.user_code import ArtifactSpool
from pytest_automation_report.session.collection import write_collected_ids
from pytest_automation_report.spool.folder import SessionFolder, SessionManifest, is_spooled_name, new_session_folder
from pytest_automation_report.spool.records import (
    SPOOL_KINDS,
    Decoder,
    IdsRecord,
    PlanRecord,
    Record,
    framed,
    spooled_address,
    spooled_file,
)
from pytest_automation_report.spool.sessions import session_folders
from pytest_automation_report.spool.writer import SpoolWriter, WriteLosses
from support.records import line, members_in


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    (tmp_path / "folder").mkdir(mode=0o700)
    made = SpoolWriter(tmp_path / "folder" / "main.records")
    yield made
    made.close()


def _numbers(path: Path) -> list[int]:
    return [each["n"] for each in members_in(path.read_bytes())]


def _path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "main.records"


def test_folders_are_private_and_git_ignores_them(tmp_path: Path) -> None:
    """The default spool's folders have mode 0700, its files 0600, and git sees none of them unless told to."""
    spool = tmp_path / ".automation-report" / "spool"
    folder = new_session_folder(spool, "20260101T000000-00000000").publish()
    folder.write_session(SessionManifest("id", "http://127.0.0.1:1", 1, "", NewRun("n", "s"), None, {}, 1))
    SpoolWriter(folder.records("main")).close()
    for path in (folder.path, spool, spool.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in folder.path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ignored = spool.parent / ".gitignore"
    assert ignored.read_text() == "*\n"
    ignored.write_text("mine")
    new_session_folder(spool, "20260101T000000-00000001").publish()
    assert ignored.read_text() == "mine"


def test_short_write_that_cannot_be_taken_back_damages_one_record(writer: SpoolWriter, tmp_path: Path) -> None:
    """Where a part of a record stays, the next record begins on a line of its own and none is lost."""
    working, shorten = writer._disk.write, writer._disk.ftruncate

    def refuse(*_: Any) -> None:  # noqa: ANN401 - stands for os.ftruncate
        raise OSError(5, "Input/output error")

    writer._disk.write = lambda descriptor, data: working(descriptor, bytes(data)[:9])
    writer._disk.ftruncate = refuse
    writer.write(line("x", n=1))
    writer._disk.ftruncate = shorten
    writer.write(line("x", n=2))
    writer._disk.write = working
    writer.write(line("x", n=3))
    assert _numbers(_path(tmp_path)) == [1, 2, 3]


def test_memory_holds_the_last_thousand_records(writer: SpoolWriter) -> None:
    """What waits for the disk does not grow for ever; each result that had to go is counted."""
    writer._disk.write = lambda *_: 0
    for number in range(1500):
        writer.write(line("finish" if number % 3 else "start", n=number))
    assert (len(writer._waiting), writer.losses.results, writer.losses.records) == (1000, 1000, 333)


def test_texts_are_left_out_while_the_disk_is_nearly_full(writer: SpoolWriter, tmp_path: Path) -> None:
    """The last room of a disk is for outcomes: a record with texts goes without them, a short one as it is."""
    writer._disk.free_bytes = lambda place, descriptor=None: 60 * 4096  # noqa: ARG005 - as it is called
    writer.write(line("finish", n=1, text="x" * 2000), lambda: line("finish", n=2))
    writer.write(line("finish", n=3, text="x" * 200), lambda: line("finish", n=4))
    assert _numbers(_path(tmp_path)) == [2, 3]
    assert writer.losses == WriteLosses(0, 0, 1, f"{_path(tmp_path)}: the disk is nearly full")


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    """A link in place of a record file is refused, its target stays as it is."""
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "main.records").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        SpoolWriter(tmp_path / "main.records")


@pytest.mark.parametrize("link", [".automation-report", ".automation-report/spool"])
def test_link_in_place_of_the_spool_is_not_followed(tmp_path: Path, link: str) -> None:
    """A repository can bring a link along: nothing is written or sent where it leads, and the error has the hint."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    spool = tmp_path / ".automation-report" / "spool"
    for use in (lambda: new_session_folder(spool, "20260101T000000-00000000"), lambda: session_folders(spool)):
        with pytest.raises(SpoolError, match=f"{link} is a link: remove it"):
            use()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def stash(folder: Path, worker: str = "main", most: int = 100, together: int = 1000) -> ArtifactSpool:
    return ArtifactSpool(str(folder), worker, most_bytes=most, most_together=together)


def read(folder: Path, name: str) -> bytes:
    with open_spooled(folder, name) as file:
        return file.read()


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    """A file and bytes are there under names of ours, private, whatever becomes of the file."""
    own, path = stash(tmp_path), tmp_path / "a b.txt"
    path.write_bytes(b"from a file")
    assert own.add(path) == ("main-1", 11)
    path.write_bytes(b"changed")
    assert own.add(b"bytes") == ("main-2", 5)
    assert own.add(b"") == ("main-3", 0)
    assert [read(tmp_path, f"main-{number}") for number in (1, 2, 3)] == [b"from a file", b"bytes", b""]
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "files/main-1").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_being_written_counts_once(tmp_path: Path) -> None:
    """When what waits is counted again in the middle of a file, what is there of this file is not counted besides."""
    megabyte = 1 << 20
    own, path = stash(tmp_path, most=3 * megabyte, together=5 * megabyte // 2), tmp_path / "video"
    path.write_bytes(b"x" * 2 * megabyte)
    remove_spooled(tmp_path, own.add(b"x" * megabyte)[0])
    assert own.add(path) == ("main-2", 2 * megabyte)


def test_workers_share_the_folder(tmp_path: Path) -> None:
    """Each worker's files have its name; no worker's name is a path."""
    names = [stash(tmp_path, worker).add(b"1")[0] for worker in ("gw0", "gw1", "../a/b")]
    assert names == ["gw0-1", "gw1-1", "___a_b-1"]
    assert len(list((tmp_path / "files").iterdir())) == 3


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    """What lies where a file is to be written, a link for one, is left alone."""
    (tmp_path / "files").mkdir()
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "files/main-1").symlink_to(tmp_path / "target")
    own = stash(tmp_path)
    with pytest.raises(FileExistsError):
        own.add(b"new")
    assert own.add(b"new") == ("main-2", 3)
    assert (tmp_path / "target").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc/passwd", "../session.json", "a/b", "a\n", "a b", "a" * 81, "a.b"]
)
def test_only_our_names_are_opened(tmp_path: Path, name: str) -> None:
    """Whatever a record calls a file, a path is never one."""
    stash(tmp_path).add(b"1")
    assert not is_spooled_name(name)
    with pytest.raises(SpoolError, match="does not name a file"):
        open_spooled(tmp_path, name)


def test_addresses_are_read_back() -> None:
    """An address gives back the name and what is shown to people; no other address does."""
    address = spooled_address("gw0-3", "/tmp/a b c.png")
    assert spooled_file(address) == ("gw0-3", "/tmp/a b c.png")
    assert spooled_file(spooled_address("gw0-3", "")) == ("gw0-3", "")
    for other in ("https://example.org/spooled:a", "Spooled:a", "file:///a", ""):
        assert spooled_file(other) is None


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
    """A changed byte damages the record it is in, or the next one too when it was a newline, and is counted.

    In the length of a record it costs nothing: the checksum shows that the record is whole.
    """
    whole = bytearray(b"".join(record.framed() for record in records))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    decoder = Decoder(SPOOL_KINDS)
    found = _records(bytes(whole) + b"\n", decoder=decoder)
    lost = len(records) - len(found)
    assert lost in {0, 1, 2}
    assert (decoder.damaged >= 1) is (lost >= 1)
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


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
def test_names_of_all_tests(tmp_path: Path, count: int) -> None:
    """Records name every collected test once, in their order, at most 500 in one."""
    nodeids = [f"test_{number}" for number in range(count)]
    write_collected_ids(SessionFolder(tmp_path), nodeids)
    records = _records((tmp_path / "not-run.records").read_bytes())
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
