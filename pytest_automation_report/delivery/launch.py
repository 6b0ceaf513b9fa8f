"""Start interpreters with this package's code that are independent of the tested project, and hand over to the sender.

Such an interpreter starts isolated and without ``site``, so that no ``.pth`` file, no coverage tool, no file and no
variable of the tested project has an effect on it. Its standard input says where this package and its dependencies are
installed. Imported in both processes, so what only one of them needs is imported in its functions.
"""

from __future__ import annotations

import os
import random
import sys
import time
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.api.models import ArtifactStoreConfig, Endpoint, Token, encode
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.system.here import system
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable


class Timeouts(Struct, frozen=True):
    """All durations of the sender, and of pytest's wait for it, in seconds; tests shorten them."""

    request: float = 30.0  # one request as a whole
    batch_age: float = 5.0  # the longest that a result waits for others while tests run
    poll: float = 0.05
    retry_base: float = 0.5  # the upper bound of the first backoff, and its cap
    retry_cap: float = 30.0
    probe: float = 5.0  # between appends without tests, while appends go unanswered, and its cap
    probe_cap: float = 60.0
    throttle: float = 60.0  # after a 429 without a Retry-After
    read_back: float = 2.0  # between two reads that must agree
    settle: float = 120.0  # how long a late copy of a request may arrive at a completed thread that takes results
    join_poll: float = 2.0
    join_wait: float = 30.0  # how long a job waits for the first one to create their run
    cut: float = 60.0  # how long a job asks by which durations the jobs of its run cut their tests
    worker_grace: float = 15.0  # how long workers may outlive the leading process
    # pytest's wait at the session's end: in all, without progress, while the server is down, and after Ctrl-C.
    exit_all: float = 30.0
    exit_progress: float = 5.0
    exit_down: float = 1.0
    exit_interrupted: float = 3.0
    findings: float = 3.0  # how long the sender waits for the findings of a completed run, less than exit_progress
    alone: float = 30.0  # how long the sender goes on when pytest does not wait for it any more
    send_progress: float = 30.0  # how long `automation-report send` goes on without a response
    reach: float = 10.0  # the same, while there was none at all
    same_signal: float = 1.0  # signals to `exec` within this time count as one


class SenderConfig(Struct, frozen=True):
    """Everything that pytest hands over to the sender, as JSON through a pipe and never in a file: it has the token."""

    folder: str
    endpoint: Endpoint
    token: Token
    controller: int  # process id of the leading pytest process
    timeouts: Timeouts = field(default_factory=Timeouts)
    store: ArtifactStoreConfig | None = None
    options: RecordingOptions = RecordingOptions()  # hide secrets in texts that only the sender sees
    # The files in which that process captures the output of tests and which the sender inherits open: of each the
    # stream's name, its descriptor, device and inode.
    captured: tuple[tuple[str, int, int, int], ...] = ()
    # When the session's clock began, in seconds of the performance counter, which all processes of a machine share;
    # None if that is unknown.
    epoch: float | None = None


class Runtime(Struct, frozen=True):
    """The outside world of the sender, which tests replace."""

    log: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    wall: Callable[[], float] = time.time


# Packages that the sender imports, for a server and for the embedded store.
NEEDED: Final = ("pytest_automation_report", "msgspec", "requests", "urllib3", "certifi", "idna")
NEEDED_EMBEDDED: Final = ("pytest_automation_report", "msgspec")
NEEDED_CONSOLE: Final = (*NEEDED, "click")
# Of the pages, from which the sender writes a report of the embedded store; a server writes its own.
_OF_REPORTS: Final = ("falcon", "jinja2", "markupsafe")
# Dependencies of some versions of those: their folders are added if they are installed.
_OPTIONAL: Final = ("charset_normalizer", "chardet", "packaging", "typing_extensions", "backports")

# The sender reads a second line when pytest's session begins, its configuration: only through this pipe are secrets
# passed on. In between it imports its modules, on another core.
# msgspec would load typing_extensions for names that Python has since 3.11: 3 % of what it costs to load all modules.
BEGIN: Final = """\
import json, os, signal, sys
lines = os.fdopen(0, 'rb', closefd=False)
start = json.loads(lines.readline())
sys.path += start['folders']
if sys.version_info >= (3, 11):
    sys.modules['typing_extensions'] = None
    import msgspec
    del sys.modules['typing_extensions']
"""
_BOOT: Final = f"""\
'pytest_automation_report sender'
{system.BOOT}{BEGIN}
from pytest_automation_report.delivery.sender import run_started
run_started(start, lines)
"""


class LaunchError(Exception):
    """The sender could not be started; the message is the reason."""


def command_for(code: str, *words: str) -> list[str]:
    """Return the command that runs Python code in an isolated interpreter."""
    flags = ["-I", "-S", *(["-B"] if sys.flags.dont_write_bytecode else []), "-X", "utf8"]
    return [sys.executable, *flags, "-c", code, *words]


class SenderProcess:
    """A sender that imports its modules while pytest prepares the session.

    Owned by pytest's leading process, which hands over the configuration once, or closes it. ``inherited`` are the
    descriptors that the sender keeps open. An error is raised by `hand_over`.
    """

    def __init__(
        self, session: str, *, is_embedded: bool, has_bucket: bool, inherited: Iterable[int], has_report: bool = False
    ) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._error: LaunchError | None = None
        self.is_independent = True
        needed = (
            *(NEEDED_EMBEDDED if is_embedded else NEEDED),
            *(("obstore",) if has_bucket else ()),
            *(_OF_REPORTS if has_report and is_embedded else ()),
        )
        try:
            start = {"folders": package_folders(needed), "is_embedded": is_embedded}
            # The session's name is not read: it shows in a list of processes which session the sender is of.
            command = command_for(_BOOT, session)
            self._process, self.is_independent = system.start_detached(command, loader_environment(), inherited)
            self._write(Unpatched.encode(start))
        except LaunchError as error:
            self._error = error
        except OSError as error:
            self._error = LaunchError(f"{sys.executable} could not be started: {error.strerror or error}")

    def hand_over(self, config: SenderConfig) -> None:
        """Let the sender deliver a session; raises `LaunchError` if it could not be started, or ended before."""
        try:
            if self._error is None:
                self._write(encode(config).decode())
        except OSError:
            self._error = LaunchError(f"{sys.executable} ended before the sender got its session")
        status = self.close()
        if self._error is not None:
            raise self._error
        if status != 0:
            raise LaunchError(f"{sys.executable} ended with status {status} before the sender was independent")

    def close(self) -> int:
        """Let a sender without a session end; return the exit status of pytest's own child, 0 without one."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.stdin is not None:
            process.stdin.close()
        return system.detached_status(process)

    def _write(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        data = memoryview(f"{line}\n".encode())
        while data:  # unbuffered, so a long line may take several writes
            data = data[self._process.stdin.write(data) :]


def loader_environment() -> dict[str, str]:
    """Return the environment for an isolated interpreter."""
    return {name: os.environ[name] for name in system.LOADER_VARIABLES if name in os.environ}


def package_folders(packages: Iterable[str]) -> list[str]:
    """Return the folders that hold these packages and the optional ones, each once, in order.

    Raises `LaunchError` if a package is missing: a file of the project with its name does not count.
    """
    folders: list[str] = [str(Path(__file__).parents[2])]
    for name in packages:
        folder = _package_folder(name, folders)
        if folder is None:
            raise LaunchError(f"the package {name} is not installed for {sys.executable}")
        folders.append(folder)
    folders += [folder for name in _OPTIONAL if (folder := _package_folder(name, folders)) is not None]
    return list(dict.fromkeys(folders))


def _package_folder(name: str, folders: Iterable[str]) -> str | None:
    """Return the folder that holds a package, None if it is not installed; ``folders`` are those found before."""
    # The sender will find it there first. Most often all are in one folder, and a search takes 0.1 ms.
    for folder in folders:
        if _holds(folder, name):
            return folder
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - 25 ms that the sender saves
    from importlib.util import find_spec  # noqa: PLC0415 - 25 ms that the sender saves

    try:
        installed = str(distribution(name).locate_file(""))
    except PackageNotFoundError:
        installed = ""
    if installed and _holds(installed, name):
        return installed
    spec = find_spec(name)  # without metadata, or an editable installation
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    return str(path.parent.parent if spec.submodule_search_locations is not None else path.parent)


def _holds(folder: str, name: str) -> bool:
    return isfile(f"{folder}/{name}/__init__.py") or isfile(f"{folder}/{name}.py")  # noqa: PTH113 - faster than a Path
