"""A file is written as a whole, or what was there before stays."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDoneError
from pathlib import Path

import pytest

from pytest_automation_report.text.files import PIPE_SECONDS, read_file
from pytest_automation_report.text.output import encoded, replace_file, write_output


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    """Line ends stay, half characters are escaped, and an earlier file's permissions are kept."""
    path = tmp_path / "report.html"
    path.write_text("earlier")
    path.chmod(0o640)
    replace_file(path, encoded(["a\r\n", "ü\ud800\n"]))
    assert path.read_bytes() == "a\r\nü\\ud800\n".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_that_ends_early_changes_nothing(tmp_path: Path) -> None:
    """If the text cannot be made to its end, the earlier file stays, and nothing is left beside it."""

    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise KeyError("the rest")

    path = tmp_path / "report.html"
    path.write_text("earlier")
    with pytest.raises(KeyError):
        replace_file(path, pieces())
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_take_no_file(tmp_path: Path) -> None:
    """A folder is not replaced, and a missing folder is not created."""
    with pytest.raises(IsADirectoryError):
        write_output(tmp_path, [b"text"])
    with pytest.raises(FileNotFoundError):
        write_output(tmp_path / "gone" / "report.html", [b"text"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "the same"])
def test_the_file_that_stdout_goes_to_is_appended_to(tmp_path: Path, name: str) -> None:
    """A name of stdout is stdout: what stands in its file stays, and the file is no other afterwards."""
    out = tmp_path / "out"
    out.write_bytes(b"before ")
    inode, kept = out.stat().st_ino, os.dup(1)
    with out.open("ab") as file:
        os.dup2(file.fileno(), 1)
        try:
            write_output(out if name == "the same" else Path(name), [b"after"])
        finally:
            os.dup2(kept, 1)
            os.close(kept)
    assert (out.read_bytes(), out.stat().st_ino) == (b"before after", inode)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A link to a file, or to one that is still missing, stays, and its target is written."""
    (tmp_path / "there").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(f"there/{name}.html")
    (tmp_path / "there" / "old.html").write_text("earlier")
    for name in ("old", "new"):
        write_output(tmp_path / name, [b"text"])
        assert (tmp_path / name).is_symlink()
    assert sorted(each.read_text() for each in (tmp_path / "there").iterdir()) == ["text", "text"]


def test_files_are_read_to_a_limit(tmp_path: Path) -> None:
    """A regular file is read, one that is too long is refused; a stranger's link, pipe or device is never opened."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    file, link, pipe = (tmp_path / name for name in ("file", "link", "pipe"))
    file.write_bytes(b"12345")
    link.symlink_to(file)
    os.mkfifo(pipe)
    assert read_file(link, 5) == b"12345"
    for wrong in (file, tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match=r"more than 4 bytes|Is a directory|it is not a file"):
            read_file(wrong, 4)
    for foreign in (link, pipe):
        with pytest.raises(OSError, match=r"symbolic link|it is not a file"):
            read_file(foreign, 9, is_foreign=True)


def test_a_pipe_needs_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that a program writes to is read to its end, however slow that is; none waits for a writer for ever."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    assert PIPE_SECONDS < 60
    monkeypatch.setattr("pytest_automation_report.text.files.PIPE_SECONDS", 0.01)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is a pipe that no program writes to"):
        read_file(pipe, 9)
    writer = os.open(pipe, os.O_RDWR)
    read = ThreadPoolExecutor(1).submit(read_file, pipe, 9)
    with pytest.raises(NotDoneError):  # with Python 3.10 it is no TimeoutError
        read.result(0.1)
    os.write(writer, b"slow")
    os.close(writer)
    assert read.result(20) == b"slow"
