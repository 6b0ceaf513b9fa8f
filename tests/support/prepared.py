"""Runs commands of Python in forks of processes that have imported what the commands import.

Each command is a process of its own: its arguments, folder, environment, streams and end are as after a start of
Python. Only imports are done, which take half of the processor time of a small session. No module of ours is among
them: each command loads the package by itself.

Tests run what `prepared` returns, and their scripts of bash the functions of `commands_of_scripts`. As a script this
file is the process that forks; its arguments are the descriptor of a socket that listens, and a module of `_IMPORTS`.
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
from pathlib import Path

_IMPORTS = {
    "pytest": ("pytest", "execnet", "hmac", "msgspec", "packaging.version", "pdb", "secrets"),
    "pytest_automation_report.cli": ("click", "falcon", "jinja2", "msgspec", "requests", "sqlite3", "waitress"),
}
"""For each module that commands run: what it imports. No plugin is here: pytest rewrites those when it imports them."""

_START = dict(os.environ)
_READ_AT_THE_START = ("PYTHON", "COV", "LC_", "LANG", "LD_")
"""How the variables begin that matter when Python starts."""

# What is measured starts as users start it.
_IS_POSSIBLE = sys.platform == "linux" and not any(name.startswith("COV") for name in _START)

_CLIENT = [sys.executable, "-I", "-S", str(Path(__file__).with_name("prepared_client.py"))]
_STARTED: list[subprocess.Popen[bytes]] = []
"""The processes that fork: each ends when its stdin does, with this process."""

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


def prepared(command: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Return a command that runs this one in a fork, or this one where Python must start for it."""
    is_known = list(command[:2]) == [sys.executable, "-m"] and command[2] in _IMPORTS
    if _IS_POSSIBLE and is_known and _at_the_start(env) == _at_the_start(_START):
        return [*_CLIENT, _place(command[2]), *command[1:]]
    return list(command)


@cache
def commands_of_scripts() -> Path:
    """Return a file with functions of bash for the commands; one after ``exec`` or ``command`` starts Python."""
    file = _folder() / "commands.sh"
    places = {"pytest": _place("pytest"), "console": _place("pytest_automation_report.cli")} if _IS_POSSIBLE else {}
    names = {"client": shlex.join(_CLIENT), "scripts": Path(sys.executable).parent, **places}
    file.write_text(_IN_SCRIPTS.format(**names) if places else "")
    return file


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
    place = str(_folder() / module)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as its:
        its.bind(place)
        its.listen(64)
        command = [sys.executable, __file__, str(its.fileno()), module]
        # Python looks at its start whether streams can seek: commands' streams are often pipes.
        pipe = subprocess.PIPE
        forking = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=_START, pass_fds=[its.fileno()])
    _STARTED.append(forking)
    return place


def _prepare(module: str) -> None:
    for name in _IMPORTS[module]:
        with suppress(ModuleNotFoundError):  # execnet is xdist's
            importlib.import_module(name)
    if module == "pytest":
        for name in importlib.import_module("_pytest.config").default_plugins:
            importlib.import_module(f"_pytest.{name}")
    importlib.metadata.entry_points()  # their files are kept in memory
    gc.collect()
    gc.freeze()


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
    """Fork for a request, and answer with the exit status; return the command's arguments in the fork."""
    request, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        ended = os.pidfd_open(pid)
        if connection.fileno() in select.select([connection.fileno(), ended], [], [])[0]:
            os.kill(pid, signal.SIGKILL)  # no one waits for it any more
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            connection.send(b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    connection.close()
    arguments: list[str]
    arguments, folder, env = marshal.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    return arguments


if __name__ == "__main__":
    descriptor, module = sys.argv[1:]
    del sys.path[0]  # this file's folder
    _prepare(module)
    sys.argv = _arguments_in_a_fork(_connection_in_a_fork(socket.socket(fileno=int(descriptor))))
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
