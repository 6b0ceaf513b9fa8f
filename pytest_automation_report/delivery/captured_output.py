"""What the test of a process that died had printed last (floor 3).

What pytest captures goes into files without a name, which are gone with its process. A sender that has opened them
before can read them still; that costs the tests nothing. They are found through ``/proc``: elsewhere there is nothing.
Nothing here opens a path that a record names: a record tells descriptors, of the process that wrote it, and only files
of this user that nothing but a process holds are read.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.limits import without_ansi

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.text.redaction import Redaction

_READ_BYTES: Final = 64 << 10
_LAST_CHARACTERS: Final = 8192


class CapturedOutput:
    """The files into which pytest's processes capture what tests print; owned by the sender of a session that lives."""

    def __init__(self, hide: Redaction) -> None:
        self._hide = hide
        self._files: dict[str, list[tuple[str, int]]] = {}
        self._handed_over: set[str] = set()

    def watch(self, worker: str, pid: int, files: Iterable[Sequence[object]]) -> None:
        """Open the files of a worker's process: of each the stream's name, its descriptor there, device and inode.

        What cannot be opened, or is another file by now, is passed over; so is a worker whose files were handed over.
        """
        if worker in self._handed_over:
            return
        for stream, descriptor, device, inode in files:
            opened = _opened(f"/proc/{pid}/fd/{descriptor}", (device, inode))
            if opened is not None:
                self._files.setdefault(worker, []).append((str(stream), opened))

    def take(self, worker: str, files: Iterable[Sequence[object]]) -> None:
        """Take the files of a worker that this process has inherited open: no process is too short-lived for that.

        Of each the stream's name, its descriptor here, device and inode; what is another file is passed over.
        """
        for stream, descriptor, device, inode in files:
            number = int(str(descriptor))
            try:
                is_captured = _is_captured(os.fstat(number), (device, inode))
            except OSError:
                continue
            if is_captured:
                self._handed_over.add(worker)
                self._files.setdefault(worker, []).append((str(stream), number))

    def last_words(self, worker: str) -> str:
        """Return the end of what the worker's process has captured since its test's phase began, without secrets."""
        texts = ((stream, self._end_of(descriptor)) for stream, descriptor in self._files.get(worker, ()))
        return "\n\n".join(f"Captured {stream}, the last of it\n{text}" for stream, text in texts if text)

    def close(self) -> None:
        """Close the files."""
        for files in self._files.values():
            for _, descriptor in files:
                os.close(descriptor)
        self._files.clear()

    def _end_of(self, descriptor: int) -> str:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, _READ_BYTES, max(0, size - _READ_BYTES))
        # Nothing would be found of a secret that colours or our own end cut in two.
        return self._hide(without_ansi(data.decode("utf-8", "replace")))[-_LAST_CHARACTERS:]


def _opened(path: str, found: tuple[object, object]) -> int | None:
    """Return a descriptor of a captured file, ``None`` where it is none; nothing else is opened."""
    try:
        if not _is_captured(os.stat(path), found):  # noqa: PTH116 - follows the link to a file without a name
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    if _is_captured(os.fstat(descriptor), found):
        return descriptor
    os.close(descriptor)
    return None


def _is_captured(status: os.stat_result, found: tuple[object, object]) -> bool:
    is_nameless = stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_uid == os.geteuid()
    return is_nameless and (status.st_dev, status.st_ino) == found
