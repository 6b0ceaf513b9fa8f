"""Sessions, commands and pages through the half for Windows, played on Linux as `windows/sitecustomize.py` says."""

import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from support.projects import Project
from support.session_processes import RunningSession, eventually
from support.sessions import Ran, clean_environment, run, session_environment

if sys.platform != "linux":
    pytest.skip("Windows is played on Linux", allow_module_level=True)

BREAK = 21
"""The number of Ctrl-Break there."""

PLAYED = str(Path(__file__).parent / "windows")

SUITE = r"""
import pytest

def test_ok():
    print("h\u00e9llo \u2192")

def test_fails():
    assert {"a": 1} == {"a": 2}

@pytest.mark.parametrize("path", ["C:\\temp\\new", r"\\server\share"])
def test_path(path):
    pass
"""
FREED = {"CREATE_NO_WINDOW": 0x08000000, "CREATE_NEW_PROCESS_GROUP": 0x200, "CREATE_BREAKAWAY_FROM_JOB": 0x01000000}


def windows(**more: str) -> dict[str, str]:
    return {**session_environment(PYTHONPATH=PLAYED), **more}


def report(project: Project, *arguments: str, exits: int = 1, env: dict[str, str] | None = None) -> Ran:
    command = [sys.executable, "-m", "pytest", "-q", "--automation-report", *arguments]
    return run(command, project.root, windows() if env is None else env, exits=exits, errors="replace")


def console(project: Project, *arguments: str, exits: int = 0, env: dict[str, str] | None = None) -> Ran:
    command = [sys.executable, "-m", "pytest_automation_report.cli", *arguments]
    return run(command, project.root, windows() if env is None else env, exits=exits, errors="replace")


def plain(text: str) -> str:
    """Return a text without what differs from session to session."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("look at it"))
    return re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}|[0-9:.]+( s)?|[0-9a-f]{8,}", "", text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.tests(SUITE)
    return project


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_session_is_recorded_delivered_and_removed(project: Project, workers: list[str]) -> None:
    """A session is delivered as on Linux, by a detached sender, and nothing of it is left."""
    notes = project.root / "flags"
    ran = report(project, *workers, env=windows(PLAYED_NOTES=str(notes)))
    assert "4 of 4 results delivered" in ran.out
    assert int(notes.read_text().split()[0], 16) == sum(FREED.values())
    eventually(lambda: project.sessions == [], "the session is removed")
    on_windows = plain(console(project, "run", "show", "--all").text)
    shutil.rmtree(project.state)
    report(project, *workers, env=session_environment())
    on_linux = plain(console(project, "run", "show", "--all", env=session_environment()).text)
    assert on_windows == on_linux


def test_sender_that_ends_with_pytest(project: Project) -> None:
    """Where the system lets no process out of pytest's job, the session waits for its delivery and says so."""
    ran = report(project, env=windows(PLAYED_JOB="1"))
    assert "4 of 4 results delivered" in ran.out
    assert "the sender ends with pytest here" in ran.out


def test_results_that_were_kept_are_sent(project: Project) -> None:
    """Kept results are listed, sent and removed; a second command finds nothing."""
    ran = report(project, "--automation-report-delivery=later")
    (session,) = project.sessions
    (printed,) = re.findall(r"^send: (.+)", ran.out, re.MULTILINE)
    assert f"--spool={project.state / 'spool'}" in printed
    assert f"{session.name}  kept" in console(project, "spool", "list").out
    assert "4 results sent" in console(project, "send").err
    assert project.sessions == []
    assert "the spool is empty" in console(project, "spool", "list").text


def test_addresses_are_kept_in_the_profile(project: Project) -> None:
    """The list of addresses that may get the token is in the user's folder, whose variable Windows names otherwise."""
    report(project, "--automation-report-delivery=later")
    project.write(
        "pytest.ini", "[pytest]\nautomation_report_url = https://a.invalid\nautomation_report_project_id = 1\n"
    )
    env = windows(USERPROFILE=str(project.root / "profile"))
    env = {name: text for name, text in env.items() if name != "HOME" and not name.startswith("XDG_")}
    ran = console(project, "send", exits=2, env=env)
    assert f"or write it into {project.root}/profile/.config/pytest-automation-report/addresses" in ran.err


def test_kept_results_are_dropped(project: Project) -> None:
    """A session is removed by the command that has its lock."""
    report(project, "--automation-report-delivery=later")
    console(project, "spool", "drop", "--all")
    assert project.sessions == []


def test_commands_and_one_file(project: Project) -> None:
    """Commands read the store, and the report of a run in one file is written."""
    report(project)
    assert "['a']: 1 == 2" in console(project, "failures").text
    console(project, "html", "1", "-o", "run.html")
    assert "test_fails" in (project.root / "run.html").read_text(encoding="utf-8")
    assert "failed" not in [line.split()[0] for line in console(project, "doctor").out.splitlines() if line]


def test_command_is_run(project: Project) -> None:
    """``exec`` keeps a command's output and exit code, and Ctrl-C ends it with its run completed."""
    script = "print('out'); raise SystemExit(3)"
    ran = console(project, "exec", "--", sys.executable, "-c", script, exits=3)
    assert "out" in ran.out
    assert project.sessions == []
    script = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.3); raise SystemExit(7)"
    console(project, "exec", "--", sys.executable, "-c", script, exits=7)
    assert project.sessions == []


def test_git_is_asked_by_its_own_shell(project: Project) -> None:
    """Branch and commit come from git, by the shell that Git for Windows brings along."""
    git = project.root / "Git"
    (git / "cmd").mkdir(parents=True)
    (git / "usr" / "bin").mkdir(parents=True)
    real = shutil.which("git")
    assert real is not None
    (git / "cmd" / "git.EXE").symlink_to(real)
    (git / "usr" / "bin" / "sh.exe").symlink_to("/bin/sh")
    run(["git", "init", "-q", "-b", "topic"], project.root, clean_environment(), exits=0)
    environ = windows(PATHEXT=".EXE")
    report(project, env={**environ, "PATH": f"{git / 'cmd'}{os.pathsep}{environ['PATH']}"})
    assert "Branch: topic" in console(project, "run", "show", "--all").text


def test_ctrl_c(project: Project) -> None:
    """A session that Ctrl-C ends is delivered."""
    project.tests("import os, signal\ndef test_ok(): pass\ndef test_ends(): os.kill(os.getpid(), signal.SIGINT)\n")
    ran = report(project, exits=2)
    assert "2 of 2 results delivered" in ran.text
    eventually(lambda: project.sessions == [], "the session is removed")
    assert "interrupted by Ctrl-C" in console(project, "run", "show", "--all").text


def test_killed_session_is_delivered_by_the_sender(project: Project) -> None:
    """The sender outlives a pytest that is killed, delivers, and removes the session."""
    project.tests("import os, time\ndef test_ok(): pass\ndef test_dies(): open('here', 'w').close(); time.sleep(60)\n")
    with RunningSession(project.root, env=windows()) as session:
        session.until((project.root / "here").exists, "the test runs")
        session.process.kill()
        session.end()
    eventually(lambda: project.sessions == [], "the session is removed")
    assert "2 results" in console(project, "run", "show").text


def test_terminal_without_these_characters(project: Project) -> None:
    """What the encoding of a stream lacks is written as an escape, by pytest and by commands."""
    project.tests("def test_it(): assert 'caf\u00e9 \u2192' == ''\n")
    environ = windows(PYTHONIOENCODING="cp1252")
    assert "1 of 1 result delivered" in report(project, env=environ).text
    assert "\\u2192" in console(project, "failures", env=environ).text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:/short", "C:/short"),
        (f"/{'x' * 200}", f"\\\\?\\/{'x' * 200}"),
        (f"//server/share/{'x' * 200}", None),
    ],
)
def test_long_paths(path: str, expected: str | None) -> None:
    """A folder whose files have long paths gets the prefix by which Windows opens them."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom pytest_automation_report.system.here import system\n"
        "print(system.reachable(Path(sys.argv[1])))"
    )
    ran = run([sys.executable, "-c", script, path], Path("/"), windows(), exits=0)
    assert expected is None or ran.out == f"{expected}\n"


def test_pages_are_served(project: Project) -> None:
    """A page shows the run that was recorded, and Ctrl-Break ends the server."""
    report(project)
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=project.root, env=windows(), stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            link = next(found[1] for line in server.stderr if (found := re.search(r"look at it: (\S+)", line)))
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            address, page = link, opener.open(link).read().decode()
            while to := re.search(r"content=\"0; url=([^\"]+)", page):
                address = urllib.parse.urljoin(address, to[1])
                page = opener.open(address).read().decode()
        finally:
            server.send_signal(BREAK)
        assert server.wait(30) == 0
    assert "test_fails" in page or "1 of 4" in page, re.sub("<[^>]+>", " ", page)[-2000:]


def test_paths_from_another_drive() -> None:
    """A path is written with slashes, and one on another drive is outside of the folder."""
    script = (
        "import ntpath, os\nfrom pytest_automation_report.system.here import system\n"
        "os.path.relpath = ntpath.relpath\n"
        r"print(system.relative('C:\\a\\tests\\test_a.py', 'C:\\a'), system.relative('D:\\b', 'C:\\a'))"
    )
    ran = run([sys.executable, "-c", script], Path("/"), windows(), exits=0)
    assert ran.out == "tests/test_a.py ../D:/b\n"
