"""Sessions at the edges: where the printed command runs, what is counted, what is told when pytest tells nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.sessions import TOKEN, run, run_session, session_environment
from support.terminal_summary import printed_send_command

LATER = "--automation-report-delivery=later"
PASSES = "def test_passes():\n    pass\n"


def _in_another_project(folder: Path) -> list[str]:
    (folder / "setup.cfg").write_text("[tool:pytest]\n")
    (folder / "inner").mkdir()
    (folder / "inner" / "test_suite.py").write_text(PASSES)
    return ["--rootdir=inner", "inner"]


def _with_settings_below(folder: Path) -> list[str]:
    (folder / "sub").mkdir()
    (folder / "sub" / "pytest.ini").write_text("[pytest]\nautomation_report_project_id = 7\n")
    (folder / "sub" / "test_suite.py").write_text(PASSES)
    return ["sub"]


def _with_a_project(folder: Path) -> list[str]:
    (folder / "test_suite.py").write_text(PASSES)
    return ["--automation-report-project-id=7"]


@pytest.mark.parametrize("prepare", [_in_another_project, _with_settings_below, _with_a_project])
def test_printed_command_sends_from_where_pytest_began(prepare: Callable[[Path], list[str]], tmp_path: Path) -> None:
    """Whatever root folder and ini file pytest used, the command that it names delivers what was kept."""
    ran = run_session(tmp_path, LATER, *prepare(tmp_path), exits=0)
    sent = run(printed_send_command(ran), tmp_path, session_environment(), exits=0)
    assert "1 result sent to run 1, nothing is left" in sent.err


def test_tests_are_counted_beside_many_modules_that_cannot_be_collected(tmp_path: Path) -> None:
    """The tests that were collected and not run are counted, however much is recorded of modules before."""
    for number in range(130):
        (tmp_path / f"test_broken_{number}.py").write_text("import module_that_is_not_installed\n" + "#" * 500)
    (tmp_path / "test_zero.py").write_text(PASSES)
    ran = run_session(tmp_path, exits=2)
    assert "1 test collected = 0 reported + 1 not run, and 130 modules that could not be collected" in ran.out


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


def test_strict_fails_a_session_that_could_not_be_reported_at_all(tmp_path: Path) -> None:
    """With strict, a spool that cannot be made is no success."""
    (tmp_path / "test_suite.py").write_text(PASSES)
    env = session_environment(HOME="nowhere", XDG_STATE_HOME="", TMPDIR="/proc/none")
    ran = run_session(
        tmp_path, "--automation-report-strict", "--automation-report-spool=/proc/none/spool", env=env, exits=11
    )
    assert "nothing can be reported" in ran.out
    assert ran.out.count("exit status 11: no test failed, but not all results were delivered") == 1


def test_ended_session_of_a_process_that_lives_on_is_sent(tmp_path: Path) -> None:
    """A session that is over is sent although its process goes on, as notebooks and watchers do."""
    (tmp_path / "test_suite.py").write_text(PASSES)
    (tmp_path / "watcher.py").write_text(
        "import subprocess, sys, pytest\n"
        f"pytest.main(['--automation-report', '{LATER}', '-p', 'no:cacheprovider'])\n"
        "sys.exit(subprocess.call([sys.executable, '-m', 'pytest_automation_report.cli', 'send']))\n"
    )
    ran = run([sys.executable, "watcher.py"], tmp_path, session_environment(), exits=0)
    assert "nothing is left" in ran.err


def test_session_without_a_summary_of_pytests_tells_where_it_went(tmp_path: Path) -> None:
    """After ``pytest.exit`` with a status of its own, for which pytest writes no summary, ours stands on stderr."""
    (tmp_path / "test_suite.py").write_text(
        "import pytest\n\ndef test_leaves():\n    pytest.exit('enough', returncode=7)\n"
    )
    ran = run_session(tmp_path, exits=7)
    assert "1 of 1 result delivered in 1 thread: 1 untested" in ran.err
    assert "look at it: automation-report open 1" in ran.err


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
