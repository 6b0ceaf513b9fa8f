"""How the ledger is written: what is on disk when, and what is made again."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool import ledger_file as module
from pytest_automation_report.spool.ledger import AckRecord, Intent, JoinedRecord, StoredRecord
from pytest_automation_report.spool.ledger_file import LedgerFile, ledger_from
from support.records import ledger_record


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

    monkeypatch.setattr(module, "_sync", note)
    ledger = LedgerFile(path)
    for kind, members in (
        ("ready", {"pid": 1}), ("trouble", {"why": "", "class": ""}),
        ("done", {}), ("stored", {"name": "a", "url": "u"}),
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
        ledger.write(StoredRecord(f"file-{answer}", "u"))
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


def test_ledger_of_another_kind(path: Path) -> None:
    """A folder in a ledger's place is told, and one that cannot be made as well; a closed one takes nothing."""
    ledger = LedgerFile(path)
    ledger.close()
    with pytest.raises(SpoolError, match="cannot be written: Bad file descriptor"):
        ledger.write(JoinedRecord(12))
    path.unlink()
    path.mkdir()
    with pytest.raises(SpoolError, match="cannot be used: it is no file"):
        ledger_from(path)
    with pytest.raises(SpoolError, match="cannot be written: No such file or directory"):
        LedgerFile(path.parent / "gone" / "ledger")
