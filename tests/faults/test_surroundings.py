"""Surroundings that are not as they should be: the session is reported all the same, and what is wrong is told."""

import subprocess
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.session_processes import spools
from support.sessions import reporting_arguments, session_environment


@pytest.fixture(autouse=True)
def fields_of_testmo(embedded_server: CheckedServer) -> None:
    """Let the server be as Testmo, so that all texts of a result are its fields."""
    embedded_server.is_testmo = True


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii"}, id="ascii"),
        pytest.param({"TERM": "dumb"}, id="dumb-terminal"),
        pytest.param({"TMPDIR": "/proc/none"}, id="no-temporary-folder"),
        pytest.param({"HOME": ""}, id="no-home"),
        pytest.param({"PATH": ""}, id="no-path"),
        pytest.param(
            {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb", "TMPDIR": "/proc/none", "HOME": ""}, id="all"
        ),
    ],
)
def test_poor_environment(tmp_path: Path, embedded_server: CheckedServer, variables: dict[str, str]) -> None:
    """Without encoding, terminal, home and temporary folder a result arrives whole, and pytest's code is kept."""
    project = tmp_path / "caf\u00e9"
    project.mkdir()
    (project / "test_caf\u00e9.py").write_text("def test_\u00fc(): assert '\u2603\U0001f7e2' == ''\n")
    command = [*reporting_arguments(embedded_server.address), "-p", "no:tmpdir"]
    env = {**session_environment(), **variables}
    ran = subprocess.run(command, cwd=project, env=env, check=False, capture_output=True, timeout=100)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    ((_, test),) = embedded_server.tests()
    assert (test["name"], "\u2603\U0001f7e2" in str(test["fields"])) == ("test_\u00fc", True)
    assert b"error in reporting" not in ran.stdout
    assert b"1 of 1 result delivered" in ran.stdout
    assert spools(project) == []


BROKEN = """
import os, sys
import pytest

kept = []

@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure():
    kept.extend([sys.stdout, sys.stderr])
    sys.stdout = sys.stderr = broken()

def pytest_sessionstart(session):
    session.config.pluginmanager.register(Last())

class Last:
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        sys.stdout, sys.stderr = kept

def broken():
"""


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("return None", id="none"),
        pytest.param("file = open(os.devnull, 'w'); file.close(); return file", id="closed"),
        pytest.param("return open(os.open('/dev/full', os.O_WRONLY), 'w', buffering=1, closefd=False)", id="full"),
    ],
)
def test_streams_that_take_nothing(tmp_path: Path, broken: str) -> None:
    """Where the standard streams are closed or full at the end, pytest's code is kept, and so are results."""
    (tmp_path / "conftest.py").write_text(f"{BROKEN}    {broken}\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    command = [*reporting_arguments("http://127.0.0.1:9"), "-p", "no:terminal"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=session_environment(), check=False, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(spools(tmp_path)) == 1


def test_file_of_the_project_in_the_place_of_a_package(tmp_path: Path) -> None:
    """A project's file with the name of a package that we import leaves the session alone, and it says so."""
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('the token is canary')\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    # Python itself starts: a fork has imported the package before.
    command, env = reporting_arguments(None), session_environment()
    ran = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True, timeout=100)
    assert "automation report: this session is not reported: a package cannot be imported (RuntimeError)" in ran.stdout
    assert "canary" not in ran.stdout + ran.stderr
