"""Commands that tests run in forks are what they are after a start of Python."""

import json
import shlex
import signal
import sys
from typing import Any

import pytest

from support import prepared
from support.checked_server import CheckedServer
from support.prepared import commands_of_scripts
from support.projects import Project
from support.sessions import Ran, clean_environment, run

LOOKING = """
import json, os, signal, sys, time

def test_look():
    os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    looked = {
        "arguments": sys.argv, "path": sys.path, "folder": os.getcwd(), "variables": dict(os.environ),
        "signals": {each: str(signal.getsignal(each)) for each in signal.valid_signals()},
        "streams": [f"{each.encoding} {each.errors} {each.isatty()}" for each in (sys.__stdout__, sys.__stderr__)],
        "flags": str(sys.flags), "umask": os.umask(0o77), "zone": time.tzname, "bin": os.path.dirname(sys.executable),
        "main": getattr(sys.modules["__main__"].__spec__, "name", ""), "descriptors": len(os.listdir("/proc/self/fd")),
        "ours": sorted(name for name in sys.modules if name.startswith("pytest_automation_report")),
    }
    with open("looked.json", "w") as file:
        json.dump(looked, file)

def test_fail():
    print("caf\\u00e9")
    assert 0
"""

LOOKING_AROUND = """
import json, os, pathlib

def words(process):
    try:
        return (process / "cmdline").read_text().split("\\0")
    except OSError:  # it has ended
        return []

def test_look():
    (session,) = pathlib.Path(".automation-report/spool").glob("[!.]*")
    (sender,) = [each for each in pathlib.Path("/proc").glob("[0-9]*") if session.name in words(each)]
    with open("looked.json", "w") as file:
        command = [word for word in words(sender) if word and word != session.name]
        is_apart = os.getsid(int(sender.name)) != os.getsid(0) and os.getpgid(int(sender.name)) != os.getpgid(0)
        json.dump([command, os.readlink(sender / "cwd"), is_apart], file)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python starts for each command")


def looked(project: Project, command: list[str], **variables: str) -> tuple[Ran, dict[str, Any]]:
    """Run a command with an own start of Python or in a fork; return what it printed, and saw of its process."""
    file = project.root / "looked.json"
    file.unlink(missing_ok=True)
    given = clean_environment(TZ="Asia/Tokyo", SIGNAL="0", **variables)
    del given["HOME"]
    ran = run([*command], project.root, given)
    seen = json.loads(file.read_text())
    for name in ("BASH_ENV", "PWD", "SHLVL", "_"):  # a shell sets the others
        seen["variables"].pop(name, None)
    return Ran(ran.exit, ran.out.partition(" in 0.")[0], ran.err), seen


@pytest.mark.parametrize("script", ["python -m pytest", "pytest"])
def test_command_in_a_fork_is_as_one_after_a_start(project: Project, script: str) -> None:
    """Everything that a session can see of its process is the same, and so are its output and its end."""
    project.write("inner/test_looking.py", LOOKING)
    script += " -q -p no:cacheprovider inner"
    started = looked(project, ["bash", "-c", script])
    assert "1 failed, 1 passed" in started[0].out
    assert looked(project, ["bash", "-c", script], BASH_ENV=str(commands_of_scripts())) == started
    if script.startswith("python"):
        assert looked(project, [sys.executable, *shlex.split(script)[1:]]) == started


@pytest.mark.parametrize("workers", ["0", "1"])
def test_sender_in_a_fork_is_as_one_after_a_start(
    project: Project, server: CheckedServer, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """It has its command, its folder and a session of its own, whichever process runs the tests."""
    project.tests(LOOKING_AROUND)
    seen = []
    for is_possible in (True, False):
        monkeypatch.setattr(prepared, "IS_POSSIBLE", is_possible)
        project.report("-n", workers, address=server.address, exits=0)
        seen.append(json.loads((project.root / "looked.json").read_text()))
    assert seen[0] == seen[1]
    assert seen[0][2]


def test_death_of_a_fork_is_its_commands(project: Project) -> None:
    """A test that kills its session kills the command that a script waits for."""
    project.tests(LOOKING)
    env = clean_environment(SIGNAL=str(int(signal.SIGKILL)), BASH_ENV=str(commands_of_scripts()))
    run(["bash", "-c", "pytest; exit $?"], project.root, env, exits=128 + signal.SIGKILL)
    project.pytest(env=env, exits=-signal.SIGKILL)
