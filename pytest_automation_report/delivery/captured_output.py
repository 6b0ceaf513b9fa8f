"""What a worker that died had written last, read from the files of pytest's capture."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.system.here import system
from pytest_automation_report.text.visible import without_ansi

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_READ_BYTES: Final = 64 << 10


class CapturedOutput:
    """The files in which pytest's processes capture the output of tests: they have no name, and go with their process.

    They are opened while the process lives, and read after its death. They are found through ``/proc``, so there is no
    last output on systems other than Linux. Only files of this user without a name are read.

    Owned by the sender of a running session, and by the controller of xdist's workers: a test that kills its worker at
    once leaves a busy sender no time to open them.
    """

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self._descriptors: dict[str, list[tuple[str, int]]] = {}

    def watch(self, worker: str, pid: int, files: Iterable[Sequence[object]]) -> None:
        """Open the files of a worker's process, unless pytest has handed them over.

        ``files`` has of each the stream's name, its descriptor in that process, device and inode.
        """
        if worker in self._descriptors:
            return
        for stream, descriptor, device, inode in files:
            opened = _open_captured(f"/proc/{pid}/fd/{descriptor}", (device, inode))
            if opened is not None:
                self._descriptors.setdefault(worker, []).append((str(stream), opened))

    def take(self, worker: str, files: Iterable[Sequence[object]]) -> None:
        """Use files of a worker that this process has inherited open; ``files`` has the descriptors of this process."""
        for stream, inherited, device, inode in files:
            descriptor = int(str(inherited))
            try:
                is_captured = _is_captured(os.fstat(descriptor), (device, inode))
            except OSError:
                continue
            if is_captured:
                self._descriptors.setdefault(worker, []).append((str(stream), descriptor))

    def last_words(self, worker: str) -> str:
        """Return the last output of a worker's process since the phase of its test began, without secrets."""
        words: list[str] = []
        hide = cleaner_for(self._options)
        for stream, descriptor in self._descriptors.get(worker, ()):
            size = os.fstat(descriptor).st_size
            data = system.read_at(descriptor, _READ_BYTES, max(0, size - _READ_BYTES))
            # Read more than is shown, and cut last: a secret that the cut, or a colour code, splits would not be found.
            text = hide(without_ansi(data.decode("utf-8", "replace")))[-8192:]
            if text:
                words.append(f"Captured {stream}, the last of it\n{text}")
        return "\n\n".join(words)

    def forget(self, worker: str) -> None:
        """Close the files of a worker that has ended."""
        for _, descriptor in self._descriptors.pop(worker, ()):
            os.close(descriptor)

    def close(self) -> None:
        """Close the files."""
        for worker in list(self._descriptors):
            self.forget(worker)


def _open_captured(path: str, identity: tuple[object, object]) -> int | None:
    """Return a descriptor of a captured file, None if the path leads to any other file."""
    # Checked before it is opened, since to open a device or a pipe can have an effect, and again afterwards, since the
    # process may have put another file there in between.
    try:
        if not _is_captured(os.stat(path), identity):  # noqa: PTH116 - follows the link to a file without a name
            return None
        descriptor = os.open(path, os.O_RDONLY | system.NO_WAIT)
    except OSError:
        return None
    if _is_captured(os.fstat(descriptor), identity):
        return descriptor
    os.close(descriptor)
    return None


def _is_captured(status: os.stat_result, identity: tuple[object, object]) -> bool:
    """Whether this is the file with this device and inode, a regular one of this user without a name."""
    is_nameless = stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and system.is_own(status)
    return is_nameless and (status.st_dev, status.st_ino) == identity
