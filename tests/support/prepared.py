"""Runs commands of Python in forks of processes that have imported what the commands import.

Each command is a process of its own: its arguments, folder, environment, descriptors and end are as after a start of
Python, its parent is not. Only imports are done, which take half of the processor time of a small session; pytest loads
the plugin by itself, since it rewrites plugins. Where `IS_POSSIBLE` is False Python starts.

Tests start commands by `popen`, and their scripts of bash the functions of `commands_of_scripts`; the workers of
pytest-xdist and our senders are forks where pytest is one. As a script this file is the process that forks; its
arguments are the address of its socket, the descriptor of that, which listens, a module of `_IMPORTS`, the folders of
packages, and room in which the system's list of processes shows the command of a fork.
"""

import atexit
import gc
import importlib
import importlib.metadata
import marshal
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_COMMANDS = ("main", "doctor", "findings", "finish", "run", "send", "serve", "show", "store", "submit")
_IMPORTS = {
    "pytest": ("pytest", "execnet", "hmac", "msgspec", "packaging.version", "pdb", "secrets"),
    "pytest_automation_report.cli": tuple(f"pytest_automation_report.cli.{name}" for name in _COMMANDS),
    "sender": tuple(f"pytest_automation_report.{name}" for name in ("delivery.sender", "server.api.embedded")),
}
"""For each module that commands run: what it imports. No plugin is here: pytest rewrites those when it imports them."""

_START = dict(os.environ)
_READ_AT_THE_START = ("PYTHON", "COV", "LC_", "LANG", "LD_")
"""How the variables begin that matter when Python starts."""

# What is measured starts as users start it.
IS_POSSIBLE = sys.platform == "linux" and not any(name.startswith("COV") for name in _START)

_CLIENT = [sys.executable, "-I", "-S", str(Path(__file__).with_name("prepared_client.py"))]
_ISOLATED = ["-I", "-S", "-X", "utf8"]
"""The flags of Python for a sender (`delivery.launch`)."""

_IN_SCRIPTS = """
prepared() {{
  local place=$1 name=$2
  shift 2
  if [ "$(type -P "$name")" = {scripts}/"$name" ]; then
    {client} "$place" {scripts}/"$name" "$@"
  else
    command "$name" "$@"
  fi
}}
pytest() {{ prepared {pytest} pytest "$@"; }}
automation-report() {{ prepared {console} automation-report "$@"; }}
python() {{
  if [ "$1 $2 $(type -P python)" = "-m pytest {scripts}/python" ]; then
    {client} {pytest} "$@"
  else
    command python "$@"
  fi
}}
"""


def popen(command: Sequence[str], env: Mapping[str, str], **given: Any) -> subprocess.Popen[Any]:  # noqa: ANN401 - those of `Popen`
    """Start a command: in a fork, or by a start of Python where it must start for it."""
    is_known = list(command[:2]) == [sys.executable, "-m"] and command[2] in _IMPORTS
    is_fork = IS_POSSIBLE and is_known and _at_the_start(env) == _at_the_start(_START)
    return (_Forked if is_fork else subprocess.Popen)(command, env=dict(env), **given)


class _Forked(subprocess.Popen[Any]):
    """A process that is no child of this one: its start and its end come through a socket."""

    def _execute_child(self, command: Sequence[str], *given: Any) -> None:  # noqa: ANN401 - those of `Popen`'s own
        folder, env, pipes, is_leader = given[4], given[5], given[9:15], given[20]
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(_place(command[2]))
        request = marshal.dumps(([*command[1:]], str(folder or Path.cwd()), env, is_leader, [0, 1, 2]))
        streams = [number if pipe == -1 else pipe for number, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
        socket.send_fds(self._connection, [request], streams)
        self.pid = int(self._connection.recv(99))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        return self._ended(0.0)

    def _wait(self, timeout: float | None) -> int:
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def _ended(self, seconds: float | None) -> int | None:
        """Wait for the end; return the exit status, `None` when there is none in time."""
        if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
            self.returncode = int(self._connection.recv(99))
            self._connection.close()
        return self.returncode


@cache
def commands_of_scripts() -> Path:
    """Return a file with functions of bash for the commands; one after ``exec`` or ``command`` starts Python."""
    file = _folder() / "commands.sh"
    places = {"pytest": _place("pytest"), "console": _place("pytest_automation_report.cli")} if IS_POSSIBLE else {}
    names = {"client": shlex.join(_CLIENT), "scripts": Path(sys.executable).parent, **places}
    file.write_text(_IN_SCRIPTS.format(**names) if places else "")
    return file


def _loading(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith("LD_")}


def _at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_THE_START)}


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _place(module: str) -> str:
    """Start the process that forks for a module, until this process ends; return the address of its socket."""
    if module == "pytest":
        _place("sender")
    place = str(_folder() / module)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as its:
        its.bind(place)
        its.listen(64)
        flags, env = (_ISOLATED, _loading(_START)) if module == "sender" else ([], _START)
        found = [find_spec(name) for name in ("msgspec", "pytest_automation_report")]
        sites = os.pathsep.join(str(Path(str(each and each.origin)).parents[1]) for each in found)
        command = [sys.executable, *flags, __file__, place, str(its.fileno()), module, sites, " " * 4000]
        # Python looks at its start whether streams can seek: commands' streams are often pipes.
        pipe = subprocess.PIPE
        forking = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, pass_fds=[its.fileno()])
    atexit.register(_end, forking)
    return place


def _end(forking: subprocess.Popen[bytes]) -> None:
    """Let a process that forks end, as it does when its stdin ends."""
    for stream in (forking.stdin, forking.stdout, forking.stderr):
        if stream is not None:
            stream.close()
    forking.wait()


def _prepare(module: str, place: str, sites: str) -> None:
    path = [*sys.path]
    sys.path.extend(sites.split(os.pathsep))  # what is isolated has no packages before it is told where they are
    for name in _IMPORTS[module]:
        with suppress(ModuleNotFoundError):  # execnet is xdist's
            importlib.import_module(name)
    sys.path[:] = path
    if "execnet" in sys.modules:
        _fork_workers(place)
    if module == "pytest":
        _fork_senders(str(Path(place).with_name("sender")))
        for name in importlib.import_module("_pytest.config").default_plugins:
            importlib.import_module(f"_pytest.{name}")
    importlib.metadata.entry_points()  # their files are kept in memory
    gc.collect()
    gc.freeze()


def _fork_workers(place: str) -> None:
    """Let the workers that execnet starts with its defaults be forks, too."""
    execnet: Any = importlib.import_module("execnet.gateway_io")
    command_for = execnet.popen_args

    def popen_args(spec: Any) -> list[str]:  # noqa: ANN401 - execnet's
        command: list[str] = command_for(spec)
        is_same = command[:3] == [sys.executable, "-u", "-c"] and _at_the_start(os.environ) == _at_the_start(_START)
        return [*_CLIENT, place, *command[1:]] if is_same else command

    execnet.popen_args = popen_args


def _fork_senders(place: str) -> None:
    """Let the processes that `subprocess` starts with the flags of a sender be forks, too."""
    own: Any = subprocess.Popen
    execute = own._execute_child

    def execute_child(self: subprocess.Popen[Any], command: Sequence[str], *given: Any) -> None:  # noqa: ANN401 - those of `Popen`'s own
        is_isolated = list(command[:6]) == [sys.executable, *_ISOLATED, "-c"]
        is_same = is_isolated and _loading(given[5]) == _loading(_START)
        execute(self, [*_CLIENT, place, *command[1:]] if is_same else command, *given)

    own._execute_child = execute_child


def _connection_in_a_fork(listening: socket.socket) -> socket.socket:
    """Fork for each connection; return in each fork."""
    while True:
        if select.select([sys.stdin, listening], [], [])[0] == [sys.stdin]:
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return connection
        connection.close()


def _arguments_in_a_fork(connection: socket.socket) -> list[str]:
    """Fork for a request, and answer with process id and exit status; return the command's arguments in the fork."""
    request, streams, *_ = socket.recv_fds(connection, 1 << 20, 99)
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        connection.send(b"%d" % pid)
        ended = os.pidfd_open(pid)
        if connection.fileno() in select.select([connection.fileno(), ended], [], [])[0]:
            os.kill(pid, signal.SIGKILL)  # no one waits for it any more
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            connection.send(b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    connection.close()
    arguments: list[str]
    arguments, folder, env, is_leader, numbers = marshal.loads(request)
    if is_leader:
        os.setsid()
    # Numbers that are taken by others of the descriptors, first.
    highest = max(*streams, *numbers) + 1
    for place, stream in enumerate(streams, highest):
        os.dup2(stream, place)
        os.close(stream)
    for place, number in enumerate(numbers, highest):
        os.dup2(place, number)
        os.close(place)
    _show(arguments)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    return arguments


def _show(arguments: Sequence[str]) -> None:
    """Let the system's list of processes show a command, in the memory where it has the arguments of this process."""
    words = Path("/proc/self/stat").read_bytes().rpartition(b") ")[2].split()
    begin, end = int(words[45]), int(words[46])
    text = "\0".join([sys.executable, *arguments]).encode(errors="surrogateescape")[: end - begin - 1]
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        memory.write(text.ljust(end - begin, b"\0"))


if __name__ == "__main__":
    address, descriptor, module, sites, _ = sys.argv[1:]
    if not sys.flags.isolated:
        del sys.path[0]  # this file's folder
    _prepare(module, address, sites)
    sys.argv = _arguments_in_a_fork(_connection_in_a_fork(socket.socket(fileno=int(descriptor))))
    match sys.argv:
        case ["-u", "-c", code]:
            sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
            sys.argv = ["-c"]
            sys.path.insert(0, "")
            exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
        case ["-I", "-S", "-X", "utf8", "-c", code, *words]:
            sys.argv = ["-c", *words]
            exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
        case ["-m", *arguments]:
            sys.argv = arguments
            sys.path.insert(0, str(Path.cwd()))
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        case _:
            sys.path.insert(0, str(Path(sys.argv[0]).parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
