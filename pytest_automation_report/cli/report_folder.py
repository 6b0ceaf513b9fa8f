"""The folder beside an HTML report, with its style sheet, pictures and other files.

A later report of the same name replaces the files. Only files that an earlier report put there are removed: a list in
the folder has their names. A folder with anything else is refused.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import click

from pytest_automation_report.text.files import replace_bytes, replace_file
from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

__all__ = ["FolderBeside"]

_LIST: Final = "files.txt"
_HEAD: Final = "Files of an HTML report of pytest-automation-report; the next report of this name replaces them."
_LIST_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class FolderBeside:
    """The folder of the files of one report, named after the report's file."""

    def __init__(self, report: Path) -> None:
        self._path = report.with_name(f"{report.stem}-files")

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self._path.name

    def check(self) -> None:
        """Raise `click.UsageError` if something else is in the place of the folder, or in the folder."""
        if not os.path.lexists(self._path):
            return
        shown = sanitize(str(self._path))
        if self._path.is_symlink() or not self._path.is_dir():
            raise click.UsageError(f"--beside: {shown} is no folder: remove it, or name another file with -o")
        known = self._listed()
        foreign = [entry.name for entry in os.scandir(self._path) if not _is_known(entry, known)]
        if foreign:
            raise click.UsageError(
                f"--beside: {shown} holds {sanitize(min(foreign))}, which is not of a report: name another file with -o"
            )

    def write(self, files: Mapping[str, Callable[[], Iterator[bytes]]]) -> None:
        """Write the files by name; raises `click.UsageError` if that fails.

        Files of an earlier report stay until `remove_all_but`, so that each report on the disk has all of its files.
        """
        names = _checked(files)
        try:
            self._path.mkdir(exist_ok=True)
            # First, so that a folder of which a part is written is known as one of a report.
            self._write_list(self._listed() | names)
            for name in sorted(names):
                replace_bytes(self._path / name, files[name]())
        except OSError as error:
            raise click.UsageError(
                f"--beside: {self._path} cannot be written ({error.strerror or error}): name a file in another folder"
            ) from error

    def remove_all_but(self, names: Collection[str]) -> None:
        """Remove the files of an earlier report that this one has not, and what an interrupted one left."""
        known = self._listed()
        for entry in list(os.scandir(self._path)):
            if entry.name not in names and entry.name != _LIST and _is_known(entry, known):
                (self._path / entry.name).unlink(missing_ok=True)
        self._write_list(set(names))

    def _write_list(self, names: Collection[str]) -> None:
        replace_file(self._path / _LIST, [f"{line}\n" for line in (_HEAD, *sorted(names))])

    def _listed(self) -> set[str]:
        """Return the names of files that earlier reports put there; none of any other folder."""
        path = self._path / _LIST
        if path.is_symlink() or not path.is_file():
            return set()
        with path.open(encoding="utf-8", errors="replace") as file:
            head, *names = file.read(_LIST_BYTES).split("\n")
        # A list may come from elsewhere: only plain names are of files in this folder.
        return {name for name in names if _NAME.fullmatch(name)} if head == _HEAD else set()


def _is_known(entry: os.DirEntry[str], known: Collection[str]) -> bool:
    """Whether an entry of the folder is a file of a report, the list, or one of these that was being written."""
    if entry.is_dir(follow_symlinks=False):
        return False
    names = {*known, _LIST} if known else set[str]()
    return entry.name in names or any(entry.name.startswith(f".{name}.") for name in names)


def _checked(names: Collection[str]) -> set[str]:
    """Return the names of files to write; raises `click.UsageError` for one that a server must not choose."""
    for name in names:
        if not _NAME.fullmatch(name) or name == _LIST:
            raise click.UsageError(f"--beside: the server named a file {sanitize(name)!r}, which is not written")
    return set(names)
