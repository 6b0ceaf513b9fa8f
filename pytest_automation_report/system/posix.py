"""Linux and macOS, with the names that `windows` has, too."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.unpatched import Unpatched

assert sys.platform != "win32"

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self


OWN_FILE: Final = os.O_NOFOLLOW
"""Flag of `os.open` for files that we make: a link in their place is not followed."""

NO_WAIT: Final = os.O_NONBLOCK
"""Flag of `os.open` for files of others: opening a pipe does not wait for the program at its other end."""

IS_CLOSED_FIRST: Final = False
"""Whether a file must be closed in all processes before it, or a folder that holds it, is removed or renamed."""

IS_INHERITED: Final = True
"""Whether another process can have open files of this one: so the sender reads what a killed test had printed."""


def is_lock_taken(descriptor: int) -> bool:
    """Lock an open file for this process; False if another one has it. Raises `OSError` without locks, as on NFS."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync(descriptor: int) -> None:
    """Wait until what was written to a file survives a power cut."""
    if sys.platform == "darwin":
        with suppress(OSError):  # a file system that has only the weaker call
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)


def wait_again(descriptor: int) -> None:
    """Let a file that was opened with `NO_WAIT` be read as others."""
    os.set_blocking(descriptor, True)


read_at: Final = os.pread
replace: Final = os.replace


def free_bytes(place: str | Path, descriptor: int | None = None) -> int | None:
    """Return the free space for this user on the disk of a path, or of an open file, None where it does not say."""
    disk = os.statvfs(place if descriptor is None else descriptor)
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None


def is_own(status: os.stat_result) -> bool:
    """Whether this user owns a file."""
    return status.st_uid == os.geteuid()


def permission_bits(status: os.stat_result) -> int:
    """Return the permission bits of a file."""
    return status.st_mode & 0o777


class Folder:
    """An open folder: what is done in it reaches no other one, whatever its path leads to meanwhile.

    Raises `OSError` for a link. ``inside`` is the open folder that holds it.
    """

    def __init__(self, path: str | Path, *, inside: Folder | None = None) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        self.descriptor: int = os.open(path, flags, dir_fd=None if inside is None else inside.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def names(self) -> list[str]:
        """Return the names in it."""
        return os.listdir(self.descriptor)  # noqa: PTH208 - a descriptor

    def status(self, name: str = "") -> os.stat_result:
        """Return the status of what has a name in it, of a link itself; without a name its own."""
        if not name:
            return os.fstat(self.descriptor)
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str, flags: int) -> int:
        """Return a descriptor of a file in it, which only this user may read if it is new."""
        return os.open(name, flags, 0o600, dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file in it."""
        os.unlink(name, dir_fd=self.descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder in it."""
        os.rmdir(name, dir_fd=self.descriptor)


def process_start_time(pid: int) -> str:
    """Return the start time of a process, since ids are used again; "" if there is none, or no ``/proc``."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - no Path is needed
            text = file.read()
    except OSError:
        return ""
    # The process's name comes before the last parenthesis, and may hold spaces and parentheses.
    state, *numbers = text.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else numbers[18]


class Process:
    """Another process, watched from the creation of this object on; one that does not exist then counts as dead.

    So does one with another start time than ``birth``, if that is known.
    """

    def __init__(self, pid: int, birth: str = "") -> None:
        self._pid = pid
        self._descriptor: int | None = None
        self._is_gone = False
        opener = getattr(os, "pidfd_open", None)
        try:
            if opener is not None:
                self._descriptor = opener(pid)
            else:
                os.kill(pid, 0)
        except ProcessLookupError:
            self._is_gone = True
        except OSError:
            self._descriptor = None  # an old kernel or a sandbox without the call: ask by id
        # Asked last: from here on another process with this id is not taken for it.
        if birth and process_start_time(pid) not in {"", birth}:
            self._is_gone = True

    def is_alive(self) -> bool:
        """Whether the process lives; a zombie does not, except on systems without process descriptors."""
        self.wait(0.0)
        return not self._is_gone

    def wait(self, seconds: float) -> None:
        """Wait until the process ends, at most for this time."""
        if self._is_gone:
            Unpatched.sleep(seconds)
        elif self._descriptor is not None:
            self._is_gone = bool(ready([self._descriptor], seconds))
        else:
            Unpatched.sleep(seconds)
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                self._is_gone = True
            except PermissionError:
                pass  # it lives, and belongs to another user

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def ready(descriptors: Collection[int], seconds: float | None) -> set[int]:
    """Wait for descriptors of pipes to read from, None for ever; return those that have something, or their end."""
    waiting = select.poll()  # `select.select` refuses descriptors above 1,023
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(None if seconds is None else seconds * 1000)}


HOME: Final = "HOME"
"""Variable with the path of the user's own folder."""

ROOT: Final = "/"
"""The current folder of processes that outlive this one: nobody wants to remove it."""

# Without these some interpreters do not find their own libraries.
LOADER_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that an isolated interpreter needs."""

BOOT: Final = """\
import os
if os.fork():
    os._exit(0)
"""
"""First code of the sender: pytest's own child ends at once, and the sender is not pytest's child."""


def start_detached(
    command: Sequence[str], environ: Mapping[str, str], inherited: Iterable[int]
) -> tuple[subprocess.Popen[bytes], bool]:
    """Start a process that begins with `BOOT`, with a pipe as its stdin; return it, and whether it outlives this one.

    ``inherited`` are the descriptors that it keeps open. Raises `OSError`.
    """
    import subprocess  # noqa: PLC0415 - the sender needs none

    process = subprocess.Popen(  # noqa: S603 - the caller's text
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0, cwd=ROOT,
        env=environ, start_new_session=True, pass_fds=list(inherited),
    )  # fmt: skip
    return process, True


def detached_status(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status of the child that `start_detached` has started, 0 once the process is independent."""
    return process.wait()


TIME_IS_UP: Final = -signal.SIGALRM
"""Exit status of a process that `end_after` has ended."""


def end_after(seconds: int) -> None:
    """Let the system end this process after a time, whatever clocks say; 0 takes that back."""
    signal.alarm(seconds)


def start_script(script: str, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a script of a POSIX shell, with readable output, until `end_script` ends it; raises `OSError`."""
    import subprocess  # noqa: PLC0415 - the sender needs none

    return subprocess.Popen(  # noqa: S603 - the caller's text
        ["/bin/sh", "-c", script], cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
    )  # fmt: skip


def end_script(process: subprocess.Popen[bytes]) -> None:
    """End a script together with its programs."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


relative: Final = os.path.relpath
"""Return a path from a folder, with slashes; one that is outside of it, or on another drive, begins with two dots."""

quoted: Final = shlex.join
"""Return words as they are typed in a shell."""


def is_on_share(path: Path) -> bool:
    """Whether the system shows by a path that its file is on another machine."""
    del path
    return False


def reachable(folder: Path) -> Path:
    """Return the path of a folder by which files below it can be opened, however long their paths are."""
    return folder
