"""What is known of a test that was interrupted: how, where, and what it printed last."""

from pathlib import Path
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.session_processes import eventually, wait_for_senders
from support.sessions import run_session, session_environment

SUITE = """
import logging, os, pathlib, signal, sys, threading, time, pytest

def test_before():
    print("of another test")

def test_it():
    print("x" * 20_000 + "said last")
    print("complained Authorization: Bearer s3cr3t-s3cr3t", file=sys.stderr)
    logging.getLogger().warning("logged")
    {end}
"""

CTRL_C = "os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(60)"
LEAVES = "pytest.exit('the database is gone')"


@pytest.fixture(autouse=True)
def fields_of_testmo(embedded_server: CheckedServer) -> None:
    """Let the server be as Testmo, so that all texts of a result are its fields."""
    embedded_server.is_testmo = True


def told_of(server: CheckedServer, status: str = "untested", field: str = "Not run") -> str:
    """Return what is said of the test that did not finish; one that was interrupted is no failure."""
    (test,) = [test for _, test in server.tests() if test["name"] == "test_it"]
    assert test["status"] == status
    fields: list[dict[str, Any]] = test["fields"]
    return str(next(each["value"] for each in fields if each["name"] == field))


@pytest.mark.parametrize(
    ("end", "how", "workers"),
    [
        pytest.param(CTRL_C, "Interrupted by Ctrl-C at ", (), id="ctrl-c"),
        pytest.param(LEAVES, "Ended by pytest.exit: the database is gone", (), id="exit"),
        pytest.param(LEAVES, "Ended by pytest.exit: the database is gone", ("-n1",), id="exit-n1"),
    ],
)
def test_interrupted_test_has_its_last_words(
    tmp_path: Path, embedded_server: CheckedServer, end: str, how: str, workers: tuple[str, ...]
) -> None:
    """An interrupted test says what interrupted it and shows the end of what it printed, without secrets."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=end))
    ran = run_session(tmp_path, *workers, address=embedded_server.address)
    text = told_of(embedded_server)
    assert text.startswith("This test was interrupted"), ran.text
    assert how in text
    assert "Captured stdout call\nxxx" in text
    assert "said last" in text
    assert "Captured stderr call\ncomplained Authorization: Bearer [redacted]" in text
    assert "logged" in text
    assert "of another test" not in text
    assert len(text) < 16_384


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["here", "n1"])
def test_failed_test_whose_teardown_is_interrupted_has_failed(
    tmp_path: Path, embedded_server: CheckedServer, workers: tuple[str, ...]
) -> None:
    """A test that failed before the session was interrupted is a failure, as in pytest's last line."""
    fixture = f"@pytest.fixture\ndef leaving():\n    yield\n    {LEAVES}\n"
    suite = f"import pytest\n\n{fixture}\ndef test_it(leaving):\n    value = 1\n    assert value == 2\n"
    (tmp_path / "test_suite.py").write_text(suite)
    ran = run_session(tmp_path, *workers, address=embedded_server.address)
    assert "assert value == 2" in told_of(embedded_server, "failure", "Failure")
    assert "1 of 1 result delivered" in ran.text
    assert ": 1 failed" in ran.text


BREAKS = """
def pytest_runtest_logreport(report):
    if report.when == "call":
        raise RuntimeError("this plugin is broken")
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["here", "n1"])
def test_internal_error_that_ends_a_test_is_named(
    tmp_path: Path, embedded_server: CheckedServer, workers: tuple[str, ...]
) -> None:
    """A test that ends because a plugin breaks pytest names the error of the plugin."""
    (tmp_path / "conftest.py").write_text(BREAKS)
    (tmp_path / "test_suite.py").write_text("def test_it(): pass")
    run_session(tmp_path, *workers, address=embedded_server.address)
    assert "Ended by an internal error of pytest: RuntimeError: this plugin is broken" in told_of(embedded_server)


def test_no_rest_of_a_secret_is_left_where_output_is_cut(tmp_path: Path, embedded_server: CheckedServer) -> None:
    """A secret at the edge of what is shown of an interrupted test's output is hidden whole."""
    end = f"print(os.environ['MY_PASSWORD'] + 'y' * 8180); {CTRL_C}"
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=end))
    run_session(tmp_path, address=embedded_server.address, env=session_environment(MY_PASSWORD=SECRET))
    text = told_of(embedded_server)
    assert "acted]yyy" in text
    assert "environment" not in text


def test_output_that_is_not_kept_is_not_shown(tmp_path: Path, embedded_server: CheckedServer) -> None:
    """Where no output is kept, an interrupted test tells how it was interrupted alone."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=CTRL_C))
    run_session(tmp_path, "--automation-report-output=none", address=embedded_server.address)
    text = told_of(embedded_server)
    assert "Interrupted by Ctrl-C at " in text
    assert "said last" not in text


DIES = "os.kill(os.getpid(), signal.SIGKILL)"
LEAVES_AT_ONCE = "os._exit(0)"
SECRET = "s3cret-of-this-environment"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="captured files are found through /proc")
@pytest.mark.parametrize(
    ("end", "workers", "how"),
    [
        pytest.param(DIES, (), "The process that ran this test died before it finished", id="killed"),
        pytest.param(LEAVES_AT_ONCE, (), "The process that ran this test died before it finished", id="left"),
        pytest.param(DIES, ("-n1",), "crashed while it ran this test", id="killed-n1"),
    ],
)
def test_dead_process_has_its_last_words(
    tmp_path: Path, embedded_server: CheckedServer, end: str, workers: tuple[str, ...], how: str
) -> None:
    """The test whose process died shows the end of what it had printed, without secrets and nothing of other tests."""
    said = f"""
    ledgers = pathlib.Path(".automation-report/spool").glob  # the sender is there: it has sent the test before
    while not any(b"append_thread" in each.read_bytes() for each in ledgers("*/ledger")):
        time.sleep(0.01)
    secret = os.environ["MY_PASSWORD"]
    print(secret[:9] + "\\x1b[31m" + secret[9:], "hidden-by-pattern")
    os.write(1, b"from below \\xff\\n")
    {end}"""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=said))
    env = session_environment(MY_PASSWORD=SECRET)
    run_session(
        tmp_path, *workers, "-o", "automation_report_redact=hidden-by-.*?n", address=embedded_server.address, env=env
    )
    wait_for_senders(tmp_path)
    text = told_of(embedded_server, "error", "Error")
    assert how in text
    assert "Captured stdout, the last of it\nxxx" in text
    assert "said last\n[redacted] [redacted]\n" in text
    assert "from below \ufffd" in text
    assert "Captured stderr, the last of it\ncomplained Authorization: Bearer [redacted]" in text
    assert not [each for each in ("of another test", "\x1b", SECRET, "s3cr3t") if each in text]
    assert "-environment" not in text
    assert len(text) < 9_000  # of each stream the last 8,192 characters


DIES_AT_ONCE = """
import os

def test_it():
    print("said at once", flush=True)
    os.write(1, b"from below")
    os._exit(0)
"""


def test_process_that_dies_at_once_has_its_last_words(tmp_path: Path, embedded_server: CheckedServer) -> None:
    """A test that dies before a sender can have begun shows what it printed, and the time since its start."""
    (tmp_path / "test_suite.py").write_text(DIES_AT_ONCE)
    run_session(tmp_path, address=embedded_server.address)
    wait_for_senders(tmp_path)
    eventually(lambda: bool(embedded_server.tests()), "the result arrives")
    assert "Captured stdout, the last of it\nsaid at once\nfrom below" in told_of(embedded_server, "error", "Error")
    ((_, test),) = embedded_server.tests()
    assert test["elapsed"] > 0


STOPS_SENDER = """
import os, signal
import pytest
from pathlib import Path

def signalled(number):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\\0")
        except OSError:
            continue
        if any(session in words for session in os.listdir(".automation-report/spool")):
            os.kill(int(process.name), number)

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if hasattr(config, "workerinput"):
        signalled(signal.SIGSTOP)

def pytest_testnodedown():
    signalled(signal.SIGCONT)
"""


def test_worker_that_dies_before_the_sender_looks(tmp_path: Path, embedded_server: CheckedServer) -> None:
    """A test that ends its worker at once has its last words, also if the sender was busy for as long as it lived."""
    (tmp_path / "conftest.py").write_text(STOPS_SENDER)
    (tmp_path / "test_suite.py").write_text("import os\ndef test_dies():\n    print('last words')\n    os._exit(3)\n")
    run_session(tmp_path, "-n", "1", "--max-worker-restart=0", address=embedded_server.address, exits=1)
    wait_for_senders(tmp_path)
    ((_, test),) = embedded_server.tests()
    assert "Captured stdout, the last of it\nlast words\n" in test["fields"][0]["value"]
