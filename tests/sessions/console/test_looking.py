"""How a person gets from what is printed to the page of a run: commands and links work as they stand there."""

import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest
import requests

from pytest_automation_report.summary.console_command import console_command
from sessions.console.test_tables import on_terminal
from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import run, session_environment

SYSTEM = "/usr/bin:/bin"
HERE = Path(sys.executable).parent


def _printed(text: str) -> str:
    (line,) = re.findall(r"^look at it: (.*)$", text, re.MULTILINE)
    return str(line)


def _browser(folder: Path) -> Path:
    """Return a program that writes the address it is to open into a pipe, which is beside it."""
    os.mkfifo(folder / "opened")
    script = folder / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {shlex.quote(str(folder / "opened"))}\n')
    script.chmod(0o700)
    return script


def _opened_by(words: list[str], project: Project, env: Mapping[str, str]) -> tuple[str, str]:
    """Run a command that serves until it has opened a browser; return the page that the browser ends at, and stderr."""
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
    with requests.Session() as session:
        session.trust_env = False
        opened = session.get(link, timeout=20)
        (path,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', opened.text)
        page = session.get(link.partition("/open/")[0] + unescape(path), timeout=20)
    assert page.status_code == 200, page.text
    return page.text


def _title(page: str) -> str:
    (title,) = re.findall(r"<title>(.*?)</title>", page.partition("</head>")[0], re.DOTALL)
    return unescape(str(title))


def test_printed_command_opens_the_run_where_nothing_is_activated(project: Project) -> None:
    """With the environment's folder not on the PATH the line of the summary opens the page of that run, as printed."""
    env = session_environment(PATH=SYSTEM)
    project.report("--automation-report-name", "first", env=env)
    project.report("--automation-report-name", "second", env=env)
    ran = project.report("--automation-report-name", "third", env=env)
    command = shlex.split(_printed(ran.out))
    assert command == [str(HERE / "automation-report"), "open", "3"]
    env["PATH"] = SYSTEM
    page, _ = _opened_by(command, project, env)
    assert "third" in _title(page)


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


def test_command_of_another_environment_is_not_named(tmp_path: Path) -> None:
    """Where the PATH leads to another environment's command, the path of this one's own is named."""
    other, own = _script(tmp_path / "other"), _script(tmp_path / "own" / "bin")
    python = own.with_name("python")
    environ = {"PATH": str(other.parent)}
    assert console_command(environ, str(python)) == (str(own),)
    assert console_command({"PATH": ""}, str(python)) == (str(own),)
    assert console_command(environ, str(own.parent / ".." / "bin" / "python")) == (str(own),)
    (tmp_path / "linked").symlink_to(own.parent)
    assert console_command({"PATH": str(tmp_path / "linked")}, str(python)) == ("automation-report",)


def test_command_without_a_script_is_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no script was installed, the interpreter runs the command's module."""
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    python = str(tmp_path / "python")
    words = console_command({"PATH": str(tmp_path)}, python)
    assert words == (python, "-m", "pytest_automation_report.cli")
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


def test_serve_of_an_unknown_run(project: Project) -> None:
    """A run that the store does not have is a usage error, which names the command that lists those it has."""
    project.report()
    ran = console(project.root, "serve", "--open", "--run", "7", exits=2)
    assert "--run: 7" in ran.err
    assert "automation-report run list" in ran.err


def test_serve_says_that_its_store_is_new_and_empty(project: Project) -> None:
    """Who serves in the wrong folder learns at once that this store was just created, and where it is."""
    store = project.state / "store.sqlite3"
    remedy = "if you expected runs, start serve in their project's folder or name their store with --database"
    assert _told_by_serve(project.root)[-1] == f"this store is new and empty: {store}; {remedy}"
    assert _told_by_serve(project.root)[-1] == f"this store is empty: {store}; {remedy}"
    project.report()
    assert not [line for line in _told_by_serve(project.root) if "empty" in line]


def _told_by_serve(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=session_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=30)
    return err.splitlines()


def test_empty_store_has_no_runs_yet(project: Project) -> None:
    """Before the first session ``run list`` says so, in every form that it has, and exits with 0."""
    remedy = "report a session here, or name the file of a store with --database"
    line = f"there is no store .automation-report/store.sqlite3: {remedy}\n"
    for shown in (console(project.root, "run", "list"), console(project.root, "run", "list")):
        assert (shown.exit, shown.out, shown.err) == (0, "", line), shown.text
    listed = console(project.root, "run", "list", "--json")
    assert (listed.exit, json.loads(listed.out)["result"]) == (0, []), listed.text
    assert on_terminal(project.root, "run", "list").startswith("there is no store ")
    assert not project.state.exists()
    _told_by_serve(project.root)
    listed = console(project.root, "run", "list")
    assert (listed.exit, listed.err) == (0, "no runs yet in the embedded store .automation-report/store.sqlite3\n")


def test_last_run_is_shown_without_an_id(project: Project) -> None:
    """``run show`` without an id shows the newest run of the project, or of the source that is named."""
    project.report("--automation-report-name", "first", "--automation-report-source", "one")
    project.report("--automation-report-name", "second", "--automation-report-source", "two")
    shown = console(project.root, "run", "show")
    assert (shown.exit, shown.out) == (0, "2\n"), shown.text
    assert '"second"' in shown.err
    of_source = console(project.root, "run", "show", "--source", "one")
    assert (of_source.exit, of_source.out) == (0, "1\n"), of_source.text
    assert json.loads(console(project.root, "run", "show", "--json").out)["result"]["id"] == 2
    nothing = console(project.root, "run", "show", "--source", "three", exits=2)
    assert nothing.err.splitlines()[-1] == "Error: no run is of source 'three': there is two, one"


def test_run_shown_from_the_store_names_the_command_that_opens_it(project: Project) -> None:
    """``run show`` of the embedded store ends with the line that opens the run's page."""
    project.report()
    env = session_environment(PATH=f"{HERE}:{SYSTEM}")
    assert _printed(console(project.root, "run", "show", env=env).err) == "automation-report open 1"
    env["PATH"] = SYSTEM
    command = shlex.split(_printed(console(project.root, "run", "show", env=env).err))
    assert shutil.which(command[0])


def test_commands_against_an_address_print_links(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """Each command about runs says where in the web the run is; stdout stays the ids alone."""
    link, where = f"{server.address}/automation/runs/view/", server_options[:4]
    made = console(project.root, "run", "create", *server_options)
    assert (made.out, _printed(made.err)) == ("1\n", f"{link}1")
    for words in (("append", "1", "--fields", "a=b"), ("complete", "1"), ("show",), ("failed", "1")):
        ran = console(project.root, "run", *words, *where)
        assert (ran.exit, _printed(ran.err)) == (0, f"{link}1"), ran.text
        assert "http" not in ran.out
    console(project.root, "run", "create", *server_options)
    listed = console(project.root, "run", "list", *where)
    assert (listed.out, re.findall(r"http\S+", listed.err)) == ("2\n1\n", [f"{link}2", f"{link}1"])
    opened = console(project.root, "open", *where, env=session_environment(BROWSER="true"))
    assert (opened.exit, opened.out, opened.err) == (0, f"{link}2\n", ""), opened.text
    table = on_terminal(project.root, "run", "list", *where).splitlines()
    assert [line.split()[-1] for line in table[-3:]] == ["link", f"{link}2", f"{link}1"]


def test_project_of_an_address_to_which_nothing_was_reported(project: Project, server: CheckedServer) -> None:
    """A server that does not know the project refuses; the message says what that may mean."""
    ran = console(project.root, "run", "list", "--url", server.address, "--project-id", "5", exits=1)
    assert "nothing was reported to project 5 yet, or there is no such project" in ran.err


def test_link_of_a_run_opens_nothing_else(project: Project) -> None:
    """The run in an opening link is a number; anything else leads to the list of runs."""
    project.report()
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=project.root, env=session_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            link = next(line for line in server.stderr if line.startswith("look at it: ")).split()[-1]
            opened = requests.get(f"{link}?run=//evil.test/", timeout=20)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
    assert 'content="0; url=/"' in opened.text
    assert "evil" not in opened.text
