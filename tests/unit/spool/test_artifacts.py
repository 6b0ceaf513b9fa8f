"""Copies of files in the spool: written within limits, read only where they are."""

from pathlib import Path

import pytest

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.artifacts import (
    MARK,
    ArtifactSpool,
    open_spooled,
    remove_spooled,
    spooled_address,
    spooled_file,
    spooled_name,
)
from pytest_automation_report.spool.folder import is_spooled_name


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
    with pytest.raises(SpoolError, match="names no file"):
        open_spooled(tmp_path, name)


def test_addresses_are_read_back() -> None:
    """An address gives back the name and what is shown to people; no other address does."""
    address = spooled_address(spooled_name("gw0", 3), "/tmp/a b c.png")
    assert spooled_file(address) == ("gw0-3", "/tmp/a b c.png")
    assert spooled_file(spooled_address("gw0-3", "")) == ("gw0-3", "")
    assert f'"url":"{address}"'.startswith(MARK)
    for other in ("https://example.org/spooled:a", "Spooled:a", "file:///a", ""):
        assert spooled_file(other) is None
