"""How a person gets from what is printed to the page of a run: commands and links work as they stand there."""

import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.cli.findings import show_lists
from pytest_automation_report.summary.lines import Shell
from support.projects import Project, console
from support.serving import asking, served
from support.sessions import run, session_environment

SYSTEM = "/usr/bin:/bin"
HERE = Path(sys.executable).parent


def _printed(text: str) -> str:
    (line,) = re.findall(r"^look at it: (.*)$", text, re.MULTILINE)
    return str(line)


def _browser(folder: Path) -> Path:
    """Return a program that writes the address it is to open into a pipe, which is beside it."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    os.mkfifo(folder / "opened")
    script = folder / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {shlex.quote(str(folder / "opened"))}\n')
    script.chmod(0o700)
    return script


def _opened_by(words: list[str], project: Project, env: Mapping[str, str]) -> tuple[str, str]:
    """Run a command that serves until it has opened a browser; return the page that the browser ends at, and stderr."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    folder = project.root
    browser = _browser(folder)
    reading = os.open(folder / "opened", os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen(
        words, cwd=folder, env={**env, "BROWSER": f"{browser} %s"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as server:  # fmt: skip
        try:
            assert select.select([reading], [], [], 60)[0], "nothing was opened"
            page = _page_behind(os.read(reading, 1000).decode().strip())
        finally:
            os.close(reading)
            server.send_signal(signal.SIGTERM)
            _, err = server.communicate(timeout=30)
    assert server.returncode == 0, err
    return page, err


def _page_behind(link: str) -> str:
    with asking() as session:
        opened = session.get(link, timeout=20)
        (path,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', opened.text)
        page = session.get(link.partition("/open/")[0] + unescape(path), timeout=20)
    assert page.status_code == 200, page.text
    return page.text


def _title(page: str) -> str:
    (title,) = re.findall(r"<title>(.*?)</title>", page.partition("</head>")[0], re.DOTALL)
    return unescape(str(title))


def test_printed_command_opens_the_run_where_nothing_is_activated(project: Project) -> None:
    """The line of the summary opens the page of that run, as printed, whatever the PATH and the configured server."""
    env = session_environment(PATH=SYSTEM)
    project.report("--automation-report-name", "first", env=env)
    project.report("--automation-report-name", "second", env=env)
    assert shlex.split(_printed(project.report(env=env).out)) == [str(HERE / "automation-report"), "open", "3"]
    env["AUTOMATION_REPORT_URL"] = "https://nobody.invalid"
    ran = project.report("--automation-report-name=fourth", "--automation-report-url=local", env=env)
    command = shlex.split(_printed(ran.out))
    assert command == [str(HERE / "automation-report"), "open", "4", "--url", "local"]
    page, _ = _opened_by(command, project, env)
    assert "fourth" in _title(page)


def test_printed_command_that_sends_runs_where_nothing_is_activated(project: Project) -> None:
    """The line that sends the rest runs as it is printed, too, whatever the PATH."""
    env = session_environment(PATH=SYSTEM)
    ran = project.report("--automation-report-delivery=later", env=env)
    (command,) = re.findall(r"^send: (.*)$", ran.out, re.MULTILINE)
    sent = run(shlex.split(command), project.root, env)
    assert (sent.exit, "1 result sent to run 1" in sent.err) == (0, True), sent.text


def test_printed_command_is_short_where_it_is_on_the_path(project: Project) -> None:
    """In an activated environment the command stands there by its name."""
    ran = project.report(env=session_environment(PATH=f"{HERE}:{SYSTEM}"))
    assert _printed(ran.out) == "automation-report open 1"


def _script(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "automation-report"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _command(environ: Mapping[str, str], python: Path) -> tuple[str, ...]:
    return Shell(python.parent, environ, str(python)).command


def test_command_of_another_environment_is_not_named(tmp_path: Path) -> None:
    """Where the PATH leads to another environment's command, the path of this one's own is named."""
    other, own = _script(tmp_path / "other"), _script(tmp_path / "own" / "bin")
    python = own.with_name("python")
    environ = {"PATH": str(other.parent)}
    assert _command(environ, python) == (str(own),)
    assert _command({"PATH": ""}, python) == (str(own),)
    assert _command(environ, own.parent / ".." / "bin" / "python") == (str(own),)
    (tmp_path / "linked").symlink_to(own.parent)
    assert _command({"PATH": str(tmp_path / "linked")}, python) == ("automation-report",)


def test_command_without_a_script_is_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no script was installed, the interpreter runs the command's module."""
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    python = tmp_path / "python"
    words = _command({"PATH": str(tmp_path)}, python)
    assert words == (str(python), "-m", "pytest_automation_report.cli")
    ran = run([sys.executable, *words[1:], "--version"], tmp_path, session_environment())
    assert ran.out.startswith("automation-report, version ")


def test_serve_opens_on_a_free_port_when_its_own_is_taken(project: Project) -> None:
    """``serve --open`` shows the run although another server has the usual port, and says that it took another."""
    project.report()
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # somebody else has it: it is taken all the same
        command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--open", "--run", "1"]
        page, err = _opened_by(command, project, session_environment())
    assert "port 8000 is taken" in err
    assert "suite" in page


def test_the_last_run_opens_without_its_number(project: Project) -> None:
    """``open`` shows the newest run of the store; one that the store does not have is refused."""
    project.report("--automation-report-name", "first")
    project.report("--automation-report-name", "second")
    command = [sys.executable, "-m", "pytest_automation_report.cli", "open"]
    page, _ = _opened_by(command, project, session_environment())
    assert "second" in page
    ran = console(project.root, "open", "7")
    assert (ran.exit, "run 7" in ran.err, "run list" in ran.err) == (1, True, True), ran.text


def test_link_of_a_run_opens_nothing_else(project: Project) -> None:
    """The run in an opening link is a number; anything else leads to the list of runs."""
    project.report()
    with served(project.root) as (_, server):
        assert server.stderr is not None
        link = next(line for line in server.stderr if line.startswith("look at it: ")).split()[-1]
        opened = asking().get(f"{link}?run=//evil.test/", timeout=20)
    assert 'content="0; url=/"' in opened.text
    assert "evil" not in opened.text


def test_serve_prints_address_and_the_line_that_reports_to_it(project: Project) -> None:
    """The first line on stdout is the address alone; the printed pytest line reports to it; SIGTERM ends it with 0."""
    # The settings of sessions are not those of the server that they report to.
    project.write("pytest.ini", "[pytest]\nautomation_report_url = https://other.example\n")
    with served(project.root) as (address, process):
        assert process.stderr is not None
        told = "".join(process.stderr.readline() for _ in range(4))
        assert f"\nlook at it: {address}/open/" in told
        (line,) = [each for each in told.splitlines() if each.startswith("report to it: ")]
        name, *words = shlex.split(line.removeprefix("report to it: "))
        assert name == "pytest"
        env = {name: value for name, value in session_environment().items() if name != "AUTOMATION_REPORT_TOKEN"}
        ran = run([sys.executable, "-m", "pytest", *words, "--automation-report-source", "suite"], project.root, env)
        assert (ran.exit, "1 of 1 result delivered" in ran.out) == (0, True), ran.text


def test_changed_durations_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Slower and faster tests stand among the changes, with how much and since which run."""
    slow = {"folder": "a", "name": "test_a", "elapsed": 900_000, "median": 300_000, "ratio": 3.0, "since": {"run": 4}}
    fast = {**slow, "name": "test_b", "elapsed": 100_000, "ratio": 0.33, "since": None}
    lists = ("newly_failing", "still_failing", "fixed", "passed_again", "newly_skipped", "new_tests", "gone", "not_run")
    document: Any = {
        "run": 5, "tests": dict.fromkeys(lists, ()), "counts": dict.fromkeys(lists, 0), "reasons": [],
        "slower": [slow], "faster": [fast],
    }  # fmt: skip
    show_lists(document)
    assert capsys.readouterr().err.splitlines() == [
        "  slower: a.test_a (900 ms, 300 ms before, ×3.0, since run 4)",  # noqa: RUF001 - as printed
        "  faster: a.test_b (100 ms, 300 ms before, ×0.33)",  # noqa: RUF001 - as printed
    ]
