"""What ended a session early is told with its worker and its test: an internal error, pytest.exit, a usage error."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.report_file import ReportFile, text_of
from support.session_processes import wait_for_senders
from support.sessions import run, run_session, session_environment

CONSOLE = [sys.executable, "-m", "pytest_automation_report.cli"]
SUITE = """
import os
import signal
import pytest

@pytest.mark.parametrize("number", range(3))
def test_first(number):
    pass

def test_victim(record_property):
    {}

@pytest.mark.parametrize("number", range(3))
def test_later(number):
    pass
"""
VICTIM = "test_it.py::test_victim"
INTERNAL = """
def pytest_runtest_logreport(report):
    if "victim" in report.nodeid and report.when == "call":
        raise ZeroDivisionError("division by zero")
"""
ALARM = """
import os
import signal

def fail(*_):
    raise TimeoutError("too long")

signal.signal(signal.SIGALRM, fail)

def pytest_runtest_logstart(nodeid):
    if "victim" in nodeid:
        os.kill(os.getpid(), signal.SIGALRM)
"""
USAGE = "import pytest\n\ndef {}:\n    raise pytest.UsageError('give --db')\n"
EXIT = 'pytest.exit("no database")'
SERIALISED = 'record_property("value", object())'
PYTEST_ERROR = "an internal error of pytest: "


def told(folder: Path, *options: str, exits: int, suite: str = "pass", conftest: str = "") -> tuple[Any, str, str]:
    """Report a session; return what `failures` has as JSON, what the gate says, and the text in Markdown."""
    (folder / "test_it.py").write_text(SUITE.format(suite))
    (folder / "conftest.py").write_text(conftest)
    (folder / "pytest.ini").write_text("[pytest]\n")
    run_session(folder, "-p", "no:cacheprovider", *options, exits=exits)
    wait_for_senders(folder)
    commands = (["failures", "--format", "json"], ["gate"], ["failures", "--format", "markdown"])
    ran = [run([*CONSOLE, *command], folder, session_environment()) for command in commands]
    assert ran[1].exit == 3, ran[1].text
    return json.loads(ran[0].out)["reasons"], ran[1].err, ran[2].out


@pytest.mark.parametrize("worker", ["", "gw0"])
@pytest.mark.parametrize(
    ("suite", "conftest", "status", "title", "place"),
    [
        ("pass", INTERNAL, 3, f"{PYTEST_ERROR}ZeroDivisionError: division by zero", "conftest.py:4"),
        ("pass", ALARM, 3, f"{PYTEST_ERROR}TimeoutError: too long", "conftest.py:6"),
        (EXIT, "", 2, "pytest.exit: no database", "test_it.py:11"),
    ],
    ids=["internal", "alarm", "exit"],
)
def test_an_error_that_ended_the_session_is_the_first_reason(
    tmp_path: Path, worker: str, suite: str, conftest: str, status: int, title: str, place: str
) -> None:
    """JSON, Markdown and gate name the error, its place, the worker, the test that ran and the command for it."""
    reasons, gate, markdown = told(tmp_path, *(["-n1"] if worker else []), exits=status, suite=suite, conftest=conftest)
    (reason,) = reasons
    assert (reason["title"], reason["place"], reason["phase"]) == (title, place, "session")
    assert (reason["tests"], reason["command"]) == ([VICTIM], f"pytest {VICTIM}")
    assert reason["line"] == (f"on {worker}" if worker else "")
    where = f"{place} on {worker}" if worker else place
    assert f"ended by {title}, at {where}, while {VICTIM} ran" in gate
    assert f"- ended the session: `{title}`" in markdown


def test_a_value_that_xdist_cannot_send_is_named_with_its_test(tmp_path: Path) -> None:
    """The worker's error is told, not the controller's, which only repeats its text."""
    (reason,), gate, _ = told(tmp_path, "-n1", exits=3, suite=SERIALISED)
    assert "DumpError: can't serialize <class 'object'>" in reason["title"]
    assert (reason["tests"], reason["line"]) == ([VICTIM], "on gw0")
    assert f"on gw0, while {VICTIM} ran" in gate


def test_the_gate_names_the_test_of_a_killed_process(tmp_path: Path) -> None:
    """Its reason is that of the test, told once."""
    (reason,), gate, _ = told(tmp_path, exits=-9, suite="os.kill(os.getpid(), signal.SIGKILL)")
    assert (reason["phase"], reason["tests"]) == ("crash", [VICTIM])
    assert f"its process died, while {VICTIM} ran" in gate


def test_a_worker_that_is_killed_is_named_with_its_test(tmp_path: Path) -> None:
    """By pytest-xdist's verdict the test failed: digest, JSON, the run's page and the gate name it and the worker."""
    crash = "The worker gw0 crashed while it ran this test (os._exit, a signal or a lost machine)."
    for suite, exits in (("pass", 0), ("os._exit(3)", 1)):
        (tmp_path / "test_it.py").write_text(SUITE.format(suite))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        run_session(tmp_path, "-p", "no:cacheprovider", "-n1", "--automation-report-html=run.html", exits=exits)
    wait_for_senders(tmp_path)
    commands = (["failures", "--format", "json"], ["failures"], ["gate"])
    document, digest, gate = (run([*CONSOLE, *command], tmp_path, session_environment()) for command in commands)
    (reason,) = json.loads(document.out)["reasons"]
    assert (reason["phase"], reason["title"], reason["tests"]) == ("crash", crash, [VICTIM])
    assert f"{crash}\n" in digest.out
    assert f"pytest {VICTIM}\n" in digest.out
    assert (gate.exit, f"new failure: test_it.test_victim: {crash}" in gate.err) == (5, True), gate.text
    report = ReportFile((tmp_path / "run.html").read_text())
    assert any(
        "The worker gw0 crashed while it ran this test" in text_of(report.page(each)) for each in report.addresses
    )


@pytest.mark.parametrize("hook", ["pytest_configure(config)", "pytest_sessionstart(session)",
                                  "pytest_collection_modifyitems(items)"])  # fmt: skip
def test_a_usage_error_of_a_hook_makes_a_run(tmp_path: Path, hook: str) -> None:
    """The session was to be reported, so it has a run without tests, which says why."""
    (reason,), gate, _ = told(tmp_path, exits=4, conftest=USAGE.format(hook))
    assert (reason["title"], reason["place"], reason["tests"]) == ("a usage error: give --db", "conftest.py:4", [])
    assert "ended by a usage error: give --db, at conftest.py:4" in gate


def test_a_usage_error_of_a_user_makes_no_run(tmp_path: Path) -> None:
    """A path that does not exist is a mistake at the keyboard, and an option that does not, too."""
    for words in ("missing.py", "--no-such-option"):
        run_session(tmp_path, words, exits=4)
    assert "there is no store" in run([*CONSOLE, "run", "list"], tmp_path, session_environment()).err
