"""Tests that a session never came to are counted in a field of its run, and are no results."""

from pathlib import Path

import pytest

from compatibility.world.differing import differ
from support.checked_server import CheckedServer
from support.session_processes import eventually, spools
from support.sessions import run_session, session_environment

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
