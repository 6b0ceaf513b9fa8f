"""Sessions where the environment has little to offer: everything arrives, and the exit code is pytest's own."""

import subprocess
from pathlib import Path

from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import clean_environment, reporting_arguments, session_environment

SUITE = """
import pytest

@pytest.mark.parametrize("word", ["gr\u00fcn", "\u7dd1", "\U0001f7e2"])
def test_word(word):
    print(word)
    assert word == "green"
"""


def test_ascii_terminal_without_a_home(tmp_path: Path, server: CheckedServer) -> None:
    """Under a plain C locale, a dumb terminal, no home and no folder for temporary files nothing is lost or mangled."""
    poor = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb", "TMPDIR": str(tmp_path / "gone"), "HOME": ""}
    ran = Project(tmp_path, SUITE).report(address=server.address, env={**session_environment(), **poor})
    assert ran.exit == 1
    assert "3 of 3 results delivered" in ran.out
    assert "error in reporting" not in ran.text
    texts = [str(test["fields"]) for _, test in server.tests()]
    assert all(any(word in text for text in texts) for word in ("gr\u00fcn", "\u7dd1", "\U0001f7e2"))


def test_terminal_that_takes_nothing(tmp_path: Path) -> None:
    """Where it cannot be told that the server is down, the exit code is pytest's own and the results are kept."""
    project, quiet = Project(tmp_path, SUITE), ["-p", "no:terminal", "-p", "no:pytest-retry"]
    reported = reporting_arguments("http://127.0.0.1:1")
    bare = [*reported[:5], "-p", "no:automation-report"]
    codes = []
    for command, env in ((reported, session_environment({"alone": 0.1})), (bare, clean_environment())):
        with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - no file
            done = subprocess.run(
                [*command, *quiet], cwd=project.root, env=env, stdout=full, stderr=full, timeout=60, check=False
            )
        codes.append(done.returncode)
    assert codes == [1, 1]
    (session,) = project.sessions
    assert sum(b'"k":"finish"' in line for line in (session / "main.records").read_bytes().splitlines()) == 3


def test_file_of_the_project_in_the_place_of_a_package(tmp_path: Path) -> None:
    """A project's file with the name of a package that we import leaves the session alone, and it says so."""
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('the token is canary')\n")
    ran = Project(tmp_path, "def test_ok(): pass\n").report(exits=0)
    assert "automation report: this session is not reported: a package cannot be imported (RuntimeError)" in ran.out
    assert "canary" not in ran.text
