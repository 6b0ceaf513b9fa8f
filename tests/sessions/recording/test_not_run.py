"""Tests that a session never came to are counted in a field of its run, and are no results."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from compatibility.world.differing import differ
from support.checked_server import CheckedServer
from support.session_processes import eventually, spools
from support.sessions import run_session, send, session_environment

_SUITE = """
import os
import time

import pytest

@pytest.mark.parametrize("number", range(10))
def test_each(number):
    if number == 3:
        {}
"""


def fields_of(folder: Path, server: CheckedServer, suite: str, *arguments: str, **env: str) -> dict[str, str]:
    """Report a session of this suite, which may end in disorder; return the fields of its run."""
    (folder / "test_suite.py").write_text(suite, encoding="utf-8")
    run_session(folder, *arguments, address=server.address, env=session_environment(None, **env))
    eventually(lambda: spools(folder) == [], "the sender has taken the last of it away")
    return server.run_fields()


@pytest.mark.parametrize(
    ("end", "arguments", "reported", "not_run", "note"),
    [
        ("assert False", (), 10, None, "tests failed (exit status 1)"),
        ("pytest.skip()", ("-k", "3"), 1, None, "no test failed (exit status 0)"),
        ("assert False", ("-x",), 4, "6", "tests failed, stopping after 1 failures (exit status 1)"),
        ("pytest.exit('enough', 7)", (), 4, "7", "ended by pytest.exit: enough"),
        ("raise KeyboardInterrupt", (), 4, "7", "interrupted by Ctrl-C"),
        ("os._exit(0)", (), 4, "6", "pytest died before the session ended"),
        ("os.abort()", ("-n", "1"), 10, None, "tests failed (exit status 1)"),
        ("assert False", ("-n", "1", "--maxfail=1", "--maxschedchunk=1"), None, "", "stopping after 1 failures"),
        ("assert False", ("-n", "2", "--dist", "each"), 20, None, "tests failed (exit status 1)"),
        ("os.abort()", ("-n", "1", "--max-worker-restart=0"), 4, "6", "exit status"),
    ],
    ids=["whole", "skipped", "x", "exit", "ctrl-c", "os-exit", "crash", "maxfail", "each", "last-crash"],
)
def test_not_run_is_counted(
    tmp_path: Path,
    server: CheckedServer,
    end: str,
    arguments: tuple[str, ...],
    reported: int | None,
    not_run: str | None,
    note: str,
) -> None:
    """However a session stops, the tests that it did not come to are a number in the run, and nothing else."""
    fields = fields_of(tmp_path, server, _SUITE.replace("{}", end), *arguments)
    tests = server.tests()
    assert note in fields["Session"]
    assert reported is None or len(tests) == reported
    if not_run == "":  # how many were under way when the session stopped is a matter of luck
        assert int(fields["Not run"]) == 10 - len(tests) > 0
    else:
        assert fields.get("Not run") == not_run
    passed = [test["name"] for _, test in tests if test["status"] == "passed"]
    assert "test_each[3]" not in passed


def test_not_run_of_each_worker(tmp_path: Path, server: CheckedServer) -> None:
    """Under ``--dist each`` every worker was to run every test: those not run are counted for each."""
    suite = _SUITE.replace("{}", "pass").replace("number == 3", "os.environ['PYTEST_XDIST_WORKER'] == 'gw0'")
    suite = suite.replace("        pass", "        os._exit(1)")
    fields = fields_of(tmp_path, server, suite, "-n", "2", "--dist", "each", "--max-worker-restart=0")
    assert int(fields["Not run"]) == 20 - len(server.tests())
    assert {worker for worker, _ in server.tests()} == {"gw0", "gw1"}


def test_not_run_after_a_collection_error(tmp_path: Path) -> None:
    """A module that cannot be collected keeps all others from running: they are not run, it is a result."""
    (tmp_path / "suite.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    conftest = "def pytest_configure(config):\n    (config.rootpath / 'test_broken.py').write_text('1 / 0')\n"
    plugin = tmp_path / "plugins"
    plugin.mkdir()
    (plugin / "breaking.py").write_text(conftest)
    pair = differ(tmp_path / "pair", tmp_path / "suite.py", "-p", "breaking", env={"PYTHONPATH": str(plugin)})
    assert pair.reported.ran.exit == pair.bare.ran.exit == 2
    assert [test["status"] for _, test in pair.tests] == ["error"]
    assert pair.run_fields["Not run"] == "2"
    assert pair.run_fields["Session"].startswith("stopped: 1 error")


SUITE = """
import os, signal, threading, pytest

@pytest.mark.parametrize("number", range(4))
def test_before(number): pass

def test_it():
    {end}

@pytest.mark.xdist_group("last")
@pytest.mark.parametrize("number", range(1_000))
def test_after(number): pass
"""

NOT_RUN = "-oautomation_report_report_not_run=true"


def names(server: CheckedServer) -> dict[str, set[str]]:
    """Return the names of the tests by their status; no test may have arrived twice."""
    tests = [test for _, test in server.tests()]
    assert max(Counter(each["key"] for each in tests).values()) == 1
    found: dict[str, set[str]] = {}
    for each in tests:
        assert each["key"] == sha256(f"test_suite.{each['name']}".encode()).hexdigest()
        found.setdefault(each["status"], set()).add(each["name"])
    return found


@pytest.mark.parametrize(
    ("end", "arguments", "status"),
    [
        pytest.param("assert 0", ["-x"], "failure", id="x"),
        pytest.param("assert 0", ["--maxfail=1", "-n2", "--dist=loadgroup"], "failure", id="maxfail-n2"),
        pytest.param("os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(9)", [], "untested", id="ctrl-c"),
        pytest.param("os._exit(0)", [], "error", id="died"),
    ],
)
def test_untested_are_named(tmp_path: Path, server: CheckedServer, end: str, arguments: list[str], status: str) -> None:
    """Each test that nothing has begun arrives once as untested, with key, folder and name as ever."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end=end))
    ran = run_session(tmp_path, NOT_RUN, *arguments, address=server.address)
    eventually(lambda: bool(server.posts("/complete")) and not spools(tmp_path), "the sender ends")
    found = names(server)
    assert "test_it" in found[status], ran.text
    assert sum(map(len, found.values())) == 1_005
    assert "test_after[999]" in found["untested"]
    assert {f"test_before[{each}]" for each in range(4)} <= found["passed"] | found["untested"]
    untested = [test for worker, test in server.tests() if test["status"] == "untested" and worker == "not-run"]
    assert len(untested) == len(found["untested"] - {"test_it"})
    assert {each["folder"] for each in untested} == {"test_suite"}
    if "os._exit" not in end:
        run = len(found["passed"]) + len(found.get("failure", ()))
        assert f" after {run:,} of 1,005" in ran.out
        assert f"{1_005 - run:,} untested" in ran.out


def test_kept_sessions_name_them_too(tmp_path: Path, server: CheckedServer) -> None:
    """A session that is sent later names the tests that were not run as well."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end="assert 0"))
    run_session(tmp_path, NOT_RUN, "-x", "--automation-report-delivery=later", address=server.address)
    send(tmp_path, *server.options, exits=0)
    assert {status: len(found) for status, found in names(server).items()} == {
        "passed": 4,
        "failure": 1,
        "untested": 1_000,
    }


def test_nothing_is_named_unless_asked(tmp_path: Path, server: CheckedServer) -> None:
    """Without the setting, and where all tests ran, no result is untested and no thread is made for them."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(end="assert 0"))
    run_session(tmp_path, "-x", address=server.address)
    run_session(tmp_path, NOT_RUN, "-k", "before", address=server.address)
    assert {test["status"] for _, test in server.tests()} == {"passed", "failure"}
    assert "not-run" not in server.workers().values()
