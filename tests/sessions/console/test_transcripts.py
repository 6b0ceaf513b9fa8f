"""What console commands print, state by state: each file in ``expected`` is a session in a shell (support/transcripts).

Its folder is the state in which its commands begin. ``$SERVER`` are the options of a server of ours that has nothing
yet, ``$ADDRESS`` its address; ``requests`` shows what it was asked since the last time, ``outputs`` which output of
commands it was sent, and ``results`` what it has.
``$TESTMO`` are the options of a server that stands for a Testmo instance.
"""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, session_environment
from support.transcripts import Transcript

EXPECTED = Path(__file__).with_name("expected")


def _empty(folder: Path) -> None:
    folder.mkdir()


def _project(folder: Path) -> None:
    Project(folder)


def _compared(folder: Path) -> None:
    """Report two runs: in the second one tests fail anew or still, one is fixed, some are new, one is gone."""
    project = Project(folder, FIRST)
    names = ("-oautomation_report_config=py311", "-oautomation_report_milestone=Release 2")
    project.report(*names, exits=1)
    project.write("test_suite.py", SECOND)
    project.report(*names, exits=1)


FIRST = """
import pytest

def test_ok():
    print("fine")

def test_total():
    pass

def test_price():
    raise LookupError("no price for this article")

def test_old():
    pass

@pytest.mark.parametrize("number", range(11))
def test_many(number):
    assert number < 0, "wrong number"
"""
SECOND = """
import pytest

def test_ok():
    print("fine")

def test_total():
    assert 1 == 2

def test_price():
    pass

@pytest.fixture
def server():
    raise ConnectionRefusedError("no server")

@pytest.mark.parametrize("port", [1, 2])
def test_outage(server, port):
    pass

@pytest.mark.parametrize("number", range(11))
def test_many(number):
    assert number < 0, "wrong number"
"""


def _branches(folder: Path) -> None:
    """Report a run on main, one on feat-a that fails, and one on feat-b that passes and has a key."""
    suite = "import os\n\ndef test_ok(): pass\n\ndef test_total():\n    assert 'BROKEN' not in os.environ\n"
    project = Project(folder, suite)
    project.report(env=_job("main", "a"))
    project.report(env=_job("feat-a", "b", BROKEN="1"))
    project.report(env=_job("feat-b", "c", AUTOMATION_REPORT_RUN_KEY="build-3"))
    console(project.root, "run", "complete", "3")


def _job(branch: str, digit: str, **more: str) -> dict[str, str]:
    """Return the environment of a job of GitHub's, for a commit of one digit, repeated."""
    ref = {"GITHUB_SHA": digit * 40, "GITHUB_REF": f"refs/heads/{branch}", "GITHUB_REF_NAME": branch}
    return {**session_environment(), "GITHUB_ACTIONS": "true", **ref, **more}


STATES: dict[str, Callable[[Path], None]] = {
    "empty": _empty, "project": _project, "compared": _compared, "branches": _branches,
}  # fmt: skip
"""How the folder of a transcript is made."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a state once, and returns its folder."""

    @cache
    def make(state: str) -> Path:
        folder = tmp_path_factory.mktemp(state) / "shop"
        STATES[state](folder)
        return folder

    return make


@pytest.mark.parametrize(
    "path", sorted(EXPECTED.glob("*/*.txt")), ids=lambda path: path.relative_to(EXPECTED).with_suffix("").as_posix()
)
def test_commands_print_what_is_expected(
    path: Path, made: Callable[[str], Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each command of a transcript prints what stands below it, on stdout and stderr, and has its exit code."""
    folder = tmp_path / "shop"
    shutil.copytree(made(path.parent.name), folder, symlinks=True)
    env, masks = (
        session_environment(COLUMNS="80", HOME=str(tmp_path), TZ="UTC", XDG_STATE_HOME="", XDG_CONFIG_HOME=""),
        {},
    )
    answers: dict[str, Callable[[], str]] = {}
    if any(word in path.read_text(encoding="utf-8") for word in ("$SERVER", "$ADDRESS")):
        server: CheckedServer = request.getfixturevalue("server")
        env["SERVER"] = f"--url {server.address} --project-id 1"
        env["ADDRESS"] = server.address
        masks = {server.address: "http://SERVER"}
        answers = {
            "requests": lambda: _requests(server),
            "results": lambda: _results(server),
            "outputs": lambda: _outputs(server),
        }
    with ScriptedServer(token=TOKEN) as testmo:
        env["TESTMO"] = f"--url {testmo.address} --project-id 1"
        transcript = Transcript(path, folder, {**masks, testmo.address: "http://TESTMO"}, env)
        transcript.answers.update(answers)
        transcript.check(is_renewed=bool(request.config.getoption("--renew")))


def _requests(server: CheckedServer) -> str:
    asked = "".join(f"{seen.method} {seen.path}\n" for seen in server.log)
    server.log.clear()
    return asked


def _results(server: CheckedServer) -> str:
    return "".join(sorted(f"{test['folder']}.{test['name']} {test['status']}\n" for _, test in server.tests()))


def _outputs(server: CheckedServer) -> str:
    """Return the lines of each output, sorted: those of two streams have no order."""
    assert TOKEN not in str([seen.body for seen in server.log])
    sent = [
        f"{seen.path.partition('/automation/')[2]}: {sorted(each['value'].splitlines())}\n"
        for seen in server.posts("/append")
        for each in seen.body.get("fields", ())
        if each["name"] == "Output"
    ]
    server.log.clear()
    return "".join(sent)
