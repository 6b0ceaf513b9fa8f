import socket
import sys
from pathlib import Path

import pytest

from compatibility.world.differing import ALL_PLUGINS
from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import TOKEN, run, run_session, session_environment

OPTION = "--automation-report-"


def test_wait_at_the_end_is_shown(project: Project) -> None:
    """While pytest waits for a server that does not answer, it says for what, for how long, and that Ctrl-C ends it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        limits = {"exit_all": 3600.0, "exit_progress": 2.5, "request": 20.0}
        ran = project.report(address=address, env=session_environment(limits))
    assert ran.exit == 0, ran.text
    waiting = f"automation report: waiting for the last results to reach {address}, project 1, at most 3600 s"
    before, line, after = ran.out.partition(f"{waiting} (Ctrl-C ends the wait; what is not delivered is kept)\n")
    assert line, ran.out
    assert before.endswith("[100%]\n")
    assert "= automation report =" in after


def test_warnings_as_errors_find_nothing(project: Project, server: CheckedServer) -> None:
    """A reported session raises no warning of its own, with development mode on too."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    # other plugins warn under development mode
    for name in ("pytest-retry", "flaky", "rerunfailures", "time_machine"):
        command += ["-p", f"no:{name}"]
    where = [f"{OPTION}url={server.address}", f"{OPTION}project-id=1", f"{OPTION}source=suite"]
    env = session_environment(None, **ALL_PLUGINS)
    ran = run([*command, "--automation-report", *where], project.root, env, exits=0)
    assert "Warning" not in ran.text
    assert len(server.tests()) == 1


LATER = "--automation-report-delivery=later"
PASSES = "def test_passes():\n    pass\n"


ODD_START = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    if item.name == "test_second":
        {start}
        runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""


ODD = "item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=(item.path, 1, item.name))"


@pytest.mark.parametrize(
    ("start", "names", "told"),
    [
        ("pass", ["test_first", "test_second", "test_third"], "3 of 3 results delivered"),
        (ODD, ["test_first", "test_third"], "pytest_runtest_logstart: TypeError"),
    ],
    ids=["none", "odd"],
)
def test_untold_start_is_not_of_the_test_before(tmp_path: Path, start: str, names: list[str], told: str) -> None:
    """A test that a plugin runs without telling its start is reported as itself; one told oddly is told as a fault."""
    (tmp_path / "conftest.py").write_text(ODD_START.format(start=start))
    (tmp_path / "test_suite.py").write_text("def test_first(): pass\ndef test_second(): pass\ndef test_third(): pass\n")
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        ran = run_session(tmp_path, address=server.address, exits=0)
        found = sorted(test["name"] for _, test in server.tests())
    assert found == names
    assert told in ran.out


def test_ended_session_of_a_process_that_lives_on_is_sent(tmp_path: Path) -> None:
    """A session that is over is sent although its process goes on, as notebooks and watchers do."""
    (tmp_path / "test_suite.py").write_text(PASSES)
    (tmp_path / "watcher.py").write_text(
        "import subprocess, sys, pytest\n"
        f"pytest.main(['--automation-report', '{LATER}', '-p', 'no:cacheprovider'])\n"
        "sys.exit(subprocess.call([sys.executable, '-m', 'pytest_automation_report.cli', 'send']))\n"
    )
    ran = run([sys.executable, "watcher.py"], tmp_path, session_environment(), exits=0)
    assert "sent to run" in ran.err


def test_sender_gets_the_paths_of_libraries_alone(tmp_path: Path) -> None:
    """Of the environment the sender has what its interpreter may need to start, and nothing of the user's."""
    (tmp_path / "conftest.py").write_text(
        "import pathlib, pytest\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionfinish():\n"
        "    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
        "        try:\n"
        "            command, environ = path.read_bytes(), (path.parent / 'environ').read_bytes()\n"
        "        except OSError:\n"
        "            continue\n"
        "        if b'pytest_automation_report sender' in command and b'/of/ours' in environ:\n"
        "            pathlib.Path('seen').write_bytes(environ)\n"
    )
    (tmp_path / "test_suite.py").write_text(PASSES)
    run_session(tmp_path, env=session_environment(LD_LIBRARY_PATH="/of/ours", MINE="secret"), exits=0)
    assert (tmp_path / "seen").read_bytes().split(b"\0") == [b"LD_LIBRARY_PATH=/of/ours", b""]


INTERRUPTED = """
import os, pathlib, signal, threading

def test_it():
    os.kill(os.getppid(), signal.SIGINT)
    while not pathlib.Path("stopped").exists():
        threading.Event().wait(0.01)
"""


@pytest.mark.usefixtures("no_forks")
def test_what_workers_report_after_ctrl_c_is_nobodys_fault(project: Project, server: CheckedServer) -> None:
    """Pytest does not count it any more: the summary blames no plugin for that."""
    project.write("conftest.py", "import pathlib\ndef pytest_keyboard_interrupt(): pathlib.Path('stopped').touch()\n")
    project.write("test_suite.py", INTERRUPTED)
    ran = project.report("-n1", address=server.address, exits=2)
    assert "1 of 1 result delivered: 1 passed" in ran.text
    assert "pytest counts" not in ran.text


def test_a_source_of_another_name_is_told(project: Project) -> None:
    """A new source with the tests of an older one is named with the setting that goes on; not if the user named it."""
    project.tests("import pytest\n@pytest.mark.parametrize('n', range(8))\ndef test_n(n): pass\n")
    for name in ("shop", "shop-app"):
        project.write("pyproject.toml", f"[project]\nname = '{name}'\n")
        ran = project.report(exits=0)
    assert "source shop-app is new, but its tests have 1 earlier run as source shop; " in ran.out
    assert "is new" not in project.report("--automation-report-source=web", exits=0).out
