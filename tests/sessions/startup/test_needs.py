"""The project's own tests on a machine that lacks programs."""

import os
import sys
from pathlib import Path

from support.sessions import run

TESTS = Path(__file__).parents[2]

CONFTEST = """
from support import needs

needs._FOLDERS = ()

def pytest_configure(config):
    config.pluginmanager.register(needs.NeedsPlugin())
"""

SUITE = """
import pytest
from support.needs import needed

@pytest.fixture(scope="session")
def checkout():
    raise AssertionError("there is no git that could make it")

@pytest.mark.needs("git")
@pytest.mark.parametrize("number", [1, 2])
def test_git(checkout, number):
    pass

def test_trace():
    needed("strace")

def test_plain():
    pytest.skip("of its own")
"""


def test_what_is_missing_is_counted_in_one_line(tmp_path: Path) -> None:
    """Tests without their programs are skipped and told in one line."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)
    env = {**os.environ, "PATH": str(tmp_path / "nothing"), "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "pytest", "-p", "no:automation-report"]
    ran = run(command, tmp_path, env, exits=0)
    assert ran.out.count("\n3 tests skipped for want of git (2), strace (1)\n") == 1
