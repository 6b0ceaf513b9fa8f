"""Windows, with the names that `posix` has, too. What each of them promises stands there."""

from __future__ import annotations

import _winapi
import errno
import msvcrt
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_automation_report.unpatched import Unpatched

assert sys.platform == "win32"

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from typing_extensions import Self


T = TypeVar("T")

# Python writes \r\n for \n into a file without this flag. Only administrators make links.
OWN_FILE: Final = os.O_BINARY
NO_WAIT: Final = os.O_BINARY
IS_CLOSED_FIRST: Final = True
IS_INHERITED: Final = False

_PATIENCE_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.02
_LINK_TAGS: Final = (stat.IO_REPARSE_TAG_SYMLINK, stat.IO_REPARSE_TAG_MOUNT_POINT)
# Rights to a process: to wait for it, and to read its times.
_SYNCHRONIZE: Final = 0x100000
_QUERY: Final = 0x1000


def is_lock_taken(descriptor: int) -> bool:
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except PermissionError:
        return False
    return True


sync: Final = os.fsync


def wait_again(descriptor: int) -> None:
    del descriptor


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Read bytes of a file that is only appended to, which moves to the end by itself."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def _patiently(change: Callable[[], T]) -> T:
    """Change a file; wait a little while another process has it open, as a scanner for viruses may."""
    end = Unpatched.counter() + _PATIENCE_SECONDS
    while True:
        try:
            return change()
        except PermissionError:
            if Unpatched.counter() > end:
                raise
        Unpatched.sleep(_PAUSE_SECONDS)


def replace(source: str | Path, target: str | Path) -> None:
    _patiently(lambda: os.replace(source, target))  # noqa: PTH105 - both may be texts


def free_bytes(place: str | Path, descriptor: int | None = None) -> int | None:
    del descriptor
    return shutil.disk_usage(place).free


def is_own(status: os.stat_result) -> bool:
    """Whether this user owns a file: who may change it stands in lists of access, which Python does not read."""
    del status
    return True


def permission_bits(status: os.stat_result) -> int:
    """Return the permission bits of this user: Python shows those also as the bits of all others."""
    return status.st_mode & stat.S_IRWXU


class Folder:
    """A folder by its real path. It is no link and no junction when it is opened."""

    def __init__(self, path: str | Path, *, inside: Folder | None = None) -> None:
        self._path = os.path.realpath(path) if inside is None else inside.path(str(path))
        status = os.lstat(path if inside is None else self._path)
        if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_reparse_tag", 0) in _LINK_TAGS:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no folder is kept open."""

    def names(self) -> list[str]:
        return os.listdir(self._path)  # noqa: PTH208 - `os`, as in posix.py

    def status(self, name: str = "") -> os.stat_result:
        return os.lstat(self.path(name))

    def open(self, name: str, flags: int) -> int:
        return os.open(self.path(name), flags | os.O_BINARY, 0o600)

    def remove(self, name: str) -> None:
        _patiently(lambda: os.unlink(self.path(name)))  # noqa: PTH108 - `os`, as in posix.py

    def remove_folder(self, name: str) -> None:
        _patiently(lambda: os.rmdir(self.path(name)))  # noqa: PTH106 - `os`, as in posix.py

    def path(self, name: str) -> str:
        return os.path.join(self._path, name) if name else self._path  # noqa: PTH118 - `os`, as in posix.py


def process_start_time(pid: int) -> str:
    import ctypes  # noqa: PLC0415 - once in a session

    began, ended, kernel, user = (ctypes.c_ulonglong() for _ in range(4))
    try:
        handle = _winapi.OpenProcess(_QUERY, False, pid)  # noqa: FBT003 - its signature
    except OSError:
        return ""
    try:
        times = map(ctypes.byref, (began, ended, kernel, user))
        is_known = ctypes.WinDLL("kernel32").GetProcessTimes(ctypes.c_void_p(handle), *times)
    finally:
        _winapi.CloseHandle(handle)
    return str(began.value) if is_known and not ended.value else ""


class Process:
    """Another process, watched from the creation of this object on."""

    def __init__(self, pid: int, birth: str = "") -> None:
        self._handle: int | None = None
        self._is_gone = False
        try:
            self._handle = _winapi.OpenProcess(_SYNCHRONIZE, False, pid)  # noqa: FBT003 - its signature
        except PermissionError:
            pass  # it lives, and belongs to another user
        except OSError:
            self._is_gone = True
        if birth and process_start_time(pid) not in {"", birth}:
            self._is_gone = True

    def is_alive(self) -> bool:
        self.wait(0.0)
        return not self._is_gone

    def wait(self, seconds: float) -> None:
        if self._handle is None or self._is_gone:
            Unpatched.sleep(seconds)
        else:
            self._is_gone = _winapi.WaitForSingleObject(self._handle, int(seconds * 1000)) == _winapi.WAIT_OBJECT_0

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            _winapi.CloseHandle(handle)


def ready(descriptors: Collection[int], seconds: float | None) -> set[int]:
    """Wait for pipes to read from: Windows shows only what is in them now."""
    end = None if seconds is None else Unpatched.counter() + seconds
    while True:
        found = {descriptor for descriptor in descriptors if _has_something(descriptor)}
        if found or (end is not None and Unpatched.counter() >= end):
            return found
        Unpatched.sleep(_PAUSE_SECONDS / 4)


def _has_something(descriptor: int) -> bool:
    try:
        return _winapi.PeekNamedPipe(msvcrt.get_osfhandle(descriptor), 0)[0] != 0
    except OSError:  # nobody writes to it any more
        return True


HOME: Final = "USERPROFILE"
ROOT: Final = os.environ.get("SYSTEMROOT", "C:\\")
# Sockets need the first, and SQLite puts large changes into temporary files.
LOADER_VARIABLES: Final = ("SYSTEMROOT", "TEMP", "TMP")
BOOT: Final = ""


def start_detached(
    command: Sequence[str], environ: Mapping[str, str], inherited: Iterable[int]
) -> tuple[subprocess.Popen[bytes], bool]:
    """Start a process that Ctrl-C and a closed window do not end.

    Where the processes of a job end together, as on some CI runners, it leaves the job if that is allowed.
    """
    assert not list(inherited), "no file is shared"
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP

    def started(more: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the caller's text
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0, cwd=ROOT,
            env=environ, creationflags=flags | more,
        )  # fmt: skip

    try:
        return started(subprocess.CREATE_BREAKAWAY_FROM_JOB), True
    except PermissionError:
        process = started(0)
        return process, not _is_in_job(process)


def _is_in_job(process: subprocess.Popen[bytes]) -> bool:
    import ctypes  # noqa: PLC0415 - few processes may not leave their job

    found = ctypes.c_int(1)
    handle = ctypes.c_void_p(int(process._handle))  # type: ignore[attr-defined] # noqa: SLF001 - it has no other name
    ctypes.WinDLL("kernel32").IsProcessInJob(handle, None, ctypes.byref(found))
    return bool(found.value)


def detached_status(process: subprocess.Popen[bytes]) -> int:
    """Return 0 unless the process has ended already; forget it, since it is never waited for."""
    status = process.poll() or 0
    process.returncode = status
    return status


TIME_IS_UP: Final = 142


def end_after(seconds: int) -> None:
    """Let a thread end this process after a time."""
    import threading  # noqa: PLC0415 - for few processes

    global _timer  # noqa: PLW0603 - a process has one, as it has one alarm on other systems
    if _timer is not None:
        _timer.cancel()
    _timer = threading.Timer(seconds, os._exit, [TIME_IS_UP])
    _timer.daemon = True
    if seconds:
        _timer.start()


_timer: Any = None


def _shell() -> str:
    """Return the shell that Git for Windows brings along, "" without it."""
    git = shutil.which("git")
    parents = [] if git is None else [*Path(git).parents][:3]
    shells = (parent / place / "sh.exe" for parent in parents for place in ("bin", "usr/bin"))
    return next((str(shell) for shell in shells if shell.is_file()), "")


def start_script(script: str, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - the caller's text
        [_shell(), "-s"], cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, bufsize=0, creationflags=subprocess.CREATE_NO_WINDOW,
    )  # fmt: skip
    assert process.stdin is not None
    # Not as an argument: its shell reads quotes and backslashes there in another way than Python writes them.
    with process.stdin as stdin:
        stdin.write(f"{script}\n".encode())
    return process


def end_script(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a number  # nosec B607
        process.kill()


def relative(path: str | Path, start: str | Path) -> str:
    try:
        found = os.path.relpath(path, start)
    except ValueError:  # on another drive
        found = f"{os.pardir}/{path}"
    return found.replace("\\", "/")


quoted: Final = subprocess.list2cmdline

# Longer paths are opened only with this prefix; below a folder ours have up to 140 characters.
_LONG: Final = "\\\\?\\"
_MOST_CHARACTERS: Final = 260 - 140


def is_on_share(path: Path) -> bool:
    """Whether a path leads to another machine, also by the letter of a drive."""
    real = os.path.realpath(path)
    return real.startswith(f"{_LONG}UNC") or (real.startswith("\\\\") and not real.startswith(_LONG))


def reachable(folder: Path) -> Path:
    """Return the path of a folder, with the prefix that allows longer paths where it is needed."""
    text = str(folder)
    if len(text) < _MOST_CHARACTERS or text.startswith(_LONG) or not folder.is_absolute():
        return folder
    return Path(f"{_LONG}UNC{text[1:]}" if text.startswith("\\\\") else f"{_LONG}{text}")
