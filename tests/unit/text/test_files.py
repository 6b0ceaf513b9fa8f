"""A file is written as a whole, or what was there before stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.text.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    """Line ends stay, half characters are escaped, and an earlier file's permissions are kept."""
    path = tmp_path / "report.html"
    path.write_text("earlier")
    path.chmod(0o640)
    replace_file(path, ["a\r\n", "ü\ud800\n"])
    assert path.read_bytes() == "a\r\nü\\ud800\n".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_that_ends_early_changes_nothing(tmp_path: Path) -> None:
    """If the text cannot be made to its end, the earlier file stays, and nothing is left beside it."""

    def pieces() -> Iterator[str]:
        yield "half"
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
        replace_file(tmp_path, ["text"])
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "gone" / "report.html", ["text"])
    assert list(tmp_path.iterdir()) == []
