"""Make a Python on Linux take its system for Windows: before the package is imported, what Windows lacks is gone.

What Windows has instead is played: `msvcrt`, `_winapi`, flags of processes, and a disk that neither removes nor renames
what a process has open. Pythons start it with this folder in ``PYTHONPATH``; to isolated ones the played `Popen` hands
it over. What the standard library itself needs stays reachable for it. ``PLAYED_JOB`` names a job that processes may
not leave, and ``PLAYED_NOTES`` a file for the flags of each process that is started.
"""

import contextlib
import ctypes
import errno
import fcntl
import importlib
import io
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import sysconfig
import termios
import types
from typing import Any

# These look for the system when they are imported.
EARLY = "asyncio platform selectors shutil ssl tempfile webbrowser zoneinfo click click.termui execnet colorama"
for name in EARLY.split():
    with contextlib.suppress(ImportError):  # an isolated interpreter finds some of them later
        importlib.import_module(name)
sysconfig.get_config_vars()

assert sys.platform == "linux"

OURS = "pytest_automation_report"
STATE = ".automation-report"
MODULES = "fcntl resource pwd grp termios tty pty syslog readline curses"
OF_OS = (
    "fork forkpty getuid geteuid getgid getegid setuid setgid setsid getpgid killpg wait3 wait4 WNOHANG chown lchown"
    " fchown fchmod fdatasync sync pread pwrite preadv pwritev statvfs fstatvfs mkfifo mknod pidfd_open nice uname"
    " register_at_fork getloadavg openpty posix_spawn sendfile pipe2"
    " O_NOFOLLOW O_CLOEXEC O_NONBLOCK O_DIRECTORY O_SYNC O_DSYNC"
)
OF_SIGNAL = "alarm setitimer pthread_sigmask pthread_kill sigwait sigwaitinfo sigtimedwait sigpending pause"
SIGNALS = {"SIGINT", "SIGTERM", "SIGABRT", "SIGFPE", "SIGILL", "SIGSEGV", "SIG_DFL", "SIG_IGN"}
BINARY = 1 << 29

real_os = types.SimpleNamespace(**vars(os))
real_select = types.SimpleNamespace(**vars(select))
real_popen = subprocess.Popen


def is_ours(depth: int = 2) -> bool:
    """Whether a module of the package has called the function that calls this."""
    return str(sys._getframe(depth).f_globals.get("__name__", "")).startswith(OURS)


def put(module: types.ModuleType, **members: object) -> None:
    for name, member in members.items():
        setattr(module, name, member)


def drop(module: types.ModuleType, name: str) -> None:
    if hasattr(module, name):
        delattr(module, name)


# Modules for Windows


def module(name: str, **members: object) -> types.ModuleType:
    made = types.ModuleType(name)
    put(made, **members)
    sys.modules[name] = made
    return made


def locking(descriptor: int, mode: int, length: int) -> None:
    assert (mode, length) == (2, 1)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(errno.EACCES, "Permission denied") from error


def open_process(rights: int, is_inherited: bool, pid: int) -> int:  # noqa: FBT001 - its signature
    assert rights in {0x1000, 0x100000}
    assert not is_inherited
    try:
        return int(real_os.pidfd_open(pid))
    except OSError as error:
        raise OSError(errno.EINVAL, "The parameter is incorrect") from error


def wait_for(handle: int, milliseconds: int) -> int:
    waiting = real_select.poll()
    waiting.register(handle, real_select.POLLIN)
    return 0 if waiting.poll(milliseconds) else 0x102


def peek(handle: int, size: int) -> tuple[int, int]:
    assert size == 0
    (found,) = struct.unpack("i", fcntl.ioctl(handle, termios.FIONREAD, b"0000"))
    waiting = real_select.poll()
    waiting.register(handle, 0)
    if not found and waiting.poll(0):
        raise BrokenPipeError(errno.EPIPE, "The pipe has been ended")
    return found, 0


class Kernel:
    """The functions of kernel32 that are used."""

    @staticmethod
    def GetProcessTimes(handle: ctypes.c_void_p, began: Any, ended: Any, *_: object) -> int:  # noqa: N802
        with open(f"/proc/self/fdinfo/{handle.value}") as info:
            (pid,) = [line.split()[1] for line in info if line.startswith("Pid:")]
        try:
            with open(f"/proc/{pid}/stat") as file:
                state, *numbers = file.read().rpartition(")")[2].split()
        except OSError:
            return 0
        began._obj.value, ended._obj.value = int(numbers[18]), int(state in "ZX")
        return 1

    @staticmethod
    def IsProcessInJob(process: ctypes.c_void_p, job: None, found: Any) -> int:  # noqa: N802
        assert process.value
        assert job is None
        found._obj.value = int("PLAYED_JOB" in os.environ)
        return 1


module("msvcrt", locking=locking, LK_NBLCK=2, get_osfhandle=int, setmode=lambda *_: 0)
module(
    "_winapi", OpenProcess=open_process, WaitForSingleObject=wait_for, CloseHandle=real_os.close, WAIT_OBJECT_0=0,
    PeekNamedPipe=peek,
)  # fmt: skip
put(ctypes, WinDLL=lambda name: {"kernel32": Kernel}[name])
put(io, _WindowsConsoleIO=type("_WindowsConsoleIO", (), {}))
put(stat, IO_REPARSE_TAG_SYMLINK=0xA000000C, IO_REPARSE_TAG_MOUNT_POINT=0xA0000003)
put(socket, SO_EXCLUSIVEADDRUSE=socket.SO_REUSEADDR)


# Processes


class Popen(real_popen):  # type: ignore[type-arg]
    """Starts processes with flags of Windows, and without what only POSIX has."""

    def __init__(self, args: Any, *more: Any, creationflags: int = 0, **options: Any) -> None:
        if is_ours():
            given = {"start_new_session", "preexec_fn", "pass_fds"} & options.keys()
            assert not given, given
        if notes := os.environ.get("PLAYED_NOTES"):
            with open(notes, "a") as file:
                print(f"{creationflags:#x}", file=file)
        if creationflags & CREATE_BREAKAWAY_FROM_JOB and "PLAYED_JOB" in os.environ:
            raise PermissionError(errno.EACCES, "Access is denied")
        if isinstance(args, list) and args[0] == sys.executable and "-I" in args and "-c" in args:
            # Behind the docstring, which shows in lists of processes.
            at = args.index("-c") + 1
            title, _, code = args[at].partition("\n")
            own = f"exec(open({__file__!r}).read(), {{'__file__': {__file__!r}}})"
            args = [*args[:at], f"{title}\n{own}\n{code}", *args[at + 1 :]]
        if creationflags & 0x200:
            options["start_new_session"] = True
        super().__init__(args, *more, **options)
        self._handle = self.pid


CREATE_BREAKAWAY_FROM_JOB = 0x01000000
put(subprocess,
    CREATE_NO_WINDOW=0x08000000, CREATE_NEW_PROCESS_GROUP=0x200, CREATE_BREAKAWAY_FROM_JOB=CREATE_BREAKAWAY_FROM_JOB,
    Popen=Popen,
)  # fmt: skip


def kill(pid: int, number: int) -> None:
    assert not is_ours(), "it would end the process, whatever the number"
    real_os.kill(pid, number)


# The disk


def users_of(path: str) -> list[str]:
    """Return the open files that are this one, or in this folder."""
    own, found = os.path.realpath(path), []
    for pid in filter(str.isdigit, real_os.listdir("/proc")):
        with contextlib.suppress(OSError):
            links = [f"/proc/{pid}/cwd", *(f"/proc/{pid}/fd/{name}" for name in real_os.listdir(f"/proc/{pid}/fd"))]
            for link in links:
                with contextlib.suppress(OSError):
                    target = real_os.readlink(link)
                    found += [f"{link} -> {target}"] if target == own or target.startswith(f"{own}/") else []
    return found


def closed_first(name: str) -> Any:
    def changed(path: Any, *paths: Any, **options: Any) -> None:
        assert not (is_ours() and options), f"{name} has no folders by descriptors"
        for each in (path, *paths):
            if not options and STATE in os.path.abspath(os.fspath(each)) and (users := users_of(os.fspath(each))):
                raise PermissionError(errno.EACCES, f"The file is used by {users}", os.fspath(each))
        if name == "rename" and paths and os.path.lexists(paths[0]):
            raise FileExistsError(errno.EEXIST, "The file exists", os.fspath(paths[0]))
        getattr(real_os, name)(path, *paths, **options)

    return changed


def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    if is_ours():
        assert dir_fd is None
        # Python writes \r\n for \n without this flag; a descriptor that nothing is written to needs none.
        is_unwritten = path == os.devnull or flags == os.O_RDWR | os.O_CREAT or flags & os.O_EXCL
        assert flags & BINARY or is_unwritten, (path, flags)
    return int(real_os.open(path, flags & ~BINARY, mode, dir_fd=dir_fd))


for name in ("subprocess", "shutil", "platform", "tempfile"):
    put(sys.modules[name], os=real_os)
put(subprocess, signal=types.SimpleNamespace(**vars(signal)))
for name in OF_OS.split():
    drop(os, name)
for name in [*OF_SIGNAL.split(), *(each for each in dir(signal) if each.startswith("SIG") and each not in SIGNALS)]:
    drop(signal, name)
for name in ("poll", "epoll", "POLLIN", "POLLOUT"):
    drop(select, name)
sys.modules.update(dict.fromkeys(MODULES.split()))  # type: ignore[arg-type] # importing them fails
put(signal, SIGBREAK=21)
put(os, O_BINARY=BINARY, open=opened, kill=kill)
put(os, **{name: closed_first(name) for name in ("unlink", "remove", "rename", "replace", "rmdir")})
os.environ.setdefault("SYSTEMROOT", "/")
sys.platform = "win32"
