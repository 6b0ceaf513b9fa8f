"""``--automation-report-html``: a session's report is written once its run is complete, and pytest waits for it."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.spool.sessions import session_folders, session_state
from pytest_automation_report.testing import serving
from support.projects import MIXED, SUITE, Project
from support.report_file import ReportFile, text_of
from support.scripted_server.server import ScriptedServer
from support.session_processes import eventually
from support.sessions import TOKEN, Ran, run_session, send, session_environment

OPTION = "--automation-report-html"
# Put together in the test: the line of its code must not look like what it prints.
LAST_SEEN = "the-harbour"
KILLED = """
import os, signal

def test_killed():
    print("seen", "-".join(["the", "harbour"]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
# A busy machine needs seconds to load the pages: only the state of the report ends the wait.
ENV = session_environment({"exit_all": 60.0, "findings": 10.0})


def lines_about(ran: Ran) -> list[str]:
    return [line for line in ran.out.splitlines() if line.startswith(("report: ", "no report"))]


def heading(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition("<h1>")[2].partition("</h1>")[0]


@contextmanager
def pages_server(folder: Path, middleware: Callable[[Any], Any] = lambda application: application) -> Iterator[str]:
    """Serve a store with pages; give its address."""
    with closing(Store(folder / "server.db")) as store:
        pages = Pages(store, Token(TOKEN))
        application = create_application(store, Token(TOKEN), ServerOptions(extension=pages.extension))
        with serving(middleware(application)) as server:
            yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_stdout(tmp_path: Path, name: str) -> None:
    """The report stands behind all that pytest writes, and nothing of the session is left."""
    ran = Project(tmp_path, SUITE).report(f"{OPTION}={name}", env=ENV)
    assert (ran.exit, lines_about(ran)) == (0, ["report: -"]), ran.text
    lines, _, html = ran.out.partition("<!doctype html>")
    assert "1 passed in" in lines
    assert "<h1>The only test passed</h1>" in html
    assert html.endswith("</html>\n")
    assert session_folders(tmp_path / ".automation-report" / "spool") == []


def test_pipes_and_devices(tmp_path: Path) -> None:
    """What is there and no file is written to, and stays."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    project, pipe = Project(tmp_path, SUITE), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text, "utf-8")
        piped = project.report(f"{OPTION}={pipe}", env=ENV)
        assert lines_about(piped) == ["report: pipe"]
        assert "<h1>The only test passed</h1>" in read.result(60)
    assert pipe.is_fifo()
    assert lines_about(project.report(f"{OPTION}=/dev/null", env=ENV)) == ["report: /dev/null"]
    assert Path("/dev/null").is_char_device()


def test_a_forged_spool_overwrites_no_file(tmp_path: Path) -> None:
    """The path in a kept session counts below the project or if the environment names it; else a line says how to."""
    project, precious = Project(tmp_path / "project", SUITE), tmp_path / "precious.html"
    precious.write_text("precious")
    for environ, text in (({}, "precious"), ({"AUTOMATION_REPORT_HTML": str(precious)}, "<!doctype html>")):
        project.report(f"{OPTION}=report.html", "--automation-report-delivery=later", env=ENV)
        (session,) = project.sessions
        manifest = json.loads((session / "session.json").read_text())
        (session / "session.json").write_text(json.dumps({**manifest, "report": str(precious)}))
        sent = send(project.root, env={**ENV, **environ}, exits=0)
        assert (f"write it with automation-report html 1 -o {precious}" in sent.err) is (text == "precious"), sent.text
        assert precious.read_text(encoding="utf-8").startswith(text)


def test_embedded_store(tmp_path: Path) -> None:
    """The report of two workers' tests has the page of the failure, and knows the run before.

    An option's path starts where pytest was called, one of the ini file or of the environment at the root.
    """
    project = Project(tmp_path, SUITE)
    project.write("pytest.ini", "[pytest]\nautomation_report_html = reports/ini.html\n")
    first = project.report(env=ENV)
    assert (first.exit, lines_about(first)) == (0, ["report: reports/ini.html"])
    project.write("test_suite.py", MIXED)
    (tmp_path / "sub").mkdir()
    second = run_session(tmp_path / "sub", "-n2", f"{OPTION}=own.html", "..", env=ENV)
    assert (second.exit, lines_about(second)) == (1, ["report: own.html"]), second.text
    assert second.out.index("report: own.html") < second.out.index("look at it: ")
    file = tmp_path / "sub" / "own.html"
    assert heading(file) == "1 of 3 tests failed"
    assert any(address.startswith("/results/") for address in ReportFile(file.read_text(encoding="utf-8")).addresses)
    assert "Compared with run 1: 1 new failure" in text_of(ReportFile(file.read_text(encoding="utf-8")).plain)
    third = run_session(tmp_path / "sub", "..", env={**ENV, "AUTOMATION_REPORT_HTML": "env.htm"})
    assert lines_about(third) == [f"report: {tmp_path / 'env.htm'}"]
    assert heading(tmp_path / "env.htm") == "1 of 3 tests failed"
    assert project.sessions == []


def test_server_of_ours(tmp_path: Path) -> None:
    """A server with pages makes the report, with its own history; the session writes it."""
    project = Project(tmp_path, MIXED)
    with pages_server(tmp_path) as address:
        ran = project.report(f"{OPTION}=report.html", address=address, env=ENV)
    assert (ran.exit, lines_about(ran)) == (1, ["report: report.html"]), ran.text
    assert heading(tmp_path / "report.html") == "1 of 3 tests failed"


def test_other_server(tmp_path: Path) -> None:
    """A Testmo instance has no pages: the report has the session's own results, and the summary says so."""
    project = Project(tmp_path, MIXED)
    with ScriptedServer(token=TOKEN) as server:
        ran = project.report(f"{OPTION}=report.html", "-n2", address=server.address, env=ENV)
        address = server.address
    assert (ran.exit, lines_about(ran)) == (1, ["report: report.html (of this session's results, without history)"])
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert heading(tmp_path / "report.html") == "1 of 3 tests failed"
    assert f"The results went to {address}. This file has only this session&#39;s results" in html
    assert TOKEN not in html
    assert project.sessions == []


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="captured files are found through /proc")  # noqa: PTH110 - at hand here
@pytest.mark.parametrize("workers", ["0", "1"], ids=["pytest", "worker"])
def test_last_words_of_a_killed_process(tmp_path: Path, workers: str) -> None:
    """The report from the spool has what a test whose process was killed printed last, as the delivered result has."""
    project = Project(tmp_path, KILLED)
    file = tmp_path / "report.html"
    with ScriptedServer(token=TOKEN) as server:
        project.report(f"{OPTION}=report.html", "-n", workers, address=server.address, env=ENV)
        eventually(file.exists, "the report", 120)
        delivered = json.dumps([test for _, _, test in server.results])
    assert f"the last of it\\nseen {LAST_SEEN}" in delivered
    report = ReportFile(file.read_text(encoding="utf-8"))
    pages = text_of("".join(map(report.page, report.addresses)))
    assert f"seen {LAST_SEEN}" in pages
    assert f"seen {LAST_SEEN}" in text_of(report.plain)


def test_report_that_fails_after_pytest(tmp_path: Path) -> None:
    """The next session's summary shows why there is no report of a session whose pytest did not wait for it."""
    project, file = Project(tmp_path, SUITE), tmp_path / "report.html"
    may_go_on = threading.Event()

    def slow(application: Any) -> Any:  # noqa: ANN401 - as WSGI has them
        def answer(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - WSGI's callable
            if environ["PATH_INFO"].endswith("/report"):
                assert may_go_on.wait(120)
            return application(environ, start_response)

        return answer

    with pages_server(tmp_path, slow) as address:
        env = session_environment({"exit_all": 2.0, "alone": 120.0, "request": 60.0})
        ran = project.report(f"{OPTION}=report.html", address=address, env=env)
        assert (ran.exit, "no report" in ran.text) == (0, False), ran.text
        file.mkdir()
        may_go_on.set()
        (folder,) = session_folders(project.state / "spool")
        eventually(lambda: session_state(folder) == "kept", "the sender's end", 120)
        after = project.report(address=address, env=ENV)
    reason = "it cannot be written (it is a folder): name a file in a folder that can be written"
    assert lines_about(after) == [f"no report of an earlier session in {file}: {reason}"]
    assert (after.exit, project.sessions) == (0, [])


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A report that cannot be written is shown with its reason; exit code and delivery are as without it."""
    project = Project(tmp_path, SUITE)
    ran = project.report(f"{OPTION}=test_suite.py/report.html", env=ENV, exits=0)
    (line,) = lines_about(ran)
    assert line.startswith(f"no report in {tmp_path}/test_suite.py/report.html: it cannot be written (")
    assert line.endswith("): name a file in a folder that can be written")
    assert "1 of 1 result delivered" in ran.out
    assert project.sessions == []
    refused = project.report(f"{OPTION}=test_suite.py", env=ENV, exits=4)
    assert "name a file that ends in .html or .htm, a device or a pipe, or - for stdout" in refused.text


def test_session_that_is_sent_later(tmp_path: Path) -> None:
    """The report of a session that is sent later is written then."""
    project = Project(tmp_path, SUITE)
    ran = project.report(f"{OPTION}=report.html", "--automation-report-delivery=later", env=ENV)
    assert (ran.exit, lines_about(ran), (tmp_path / "report.html").exists()) == (0, [], False)
    sent = send(tmp_path, exits=0)
    assert f": report: {tmp_path / 'report.html'}\n" in sent.err
    assert heading(tmp_path / "report.html") == "The only test passed"


def test_run_that_jobs_share(tmp_path: Path) -> None:
    """A run that stays open for other jobs has no report yet, and the summary names the command that writes it."""
    project = Project(tmp_path, SUITE)
    ran = project.report(f"{OPTION}=report.html", "--automation-report-run-key=build-7", env=ENV, exits=0)
    (line,) = lines_about(ran)
    assert "run 1 stays open for other jobs: write it with automation-report html 1 -o report.html" in line
    assert not (tmp_path / "report.html").exists()
