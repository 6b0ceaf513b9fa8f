"""``automation-report submit``: what it takes, what it refuses, and what it does when the server is not there."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.result_files import written
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, lost_answer
from support.sessions import Ran, run, send, session_environment

NOBODY = ["--url", "http://127.0.0.1:9", "--project-id", "1", "--source", "suite"]


def _last(ran: Ran) -> str:
    """Return the last line that was told; there is no traceback."""
    assert "Traceback" not in ran.err
    return ran.err.splitlines()[-1]


def test_what_a_server_that_is_down_did_not_get_is_sent_later(project: Project) -> None:
    """The results are kept and told with exit code 3; ``send`` delivers them, once, to a run of the same name."""
    written(project.root / "a.xml", [f"t{number}" for number in range(600)])
    env = session_environment({"send_progress": 0.3})
    ran = console(project.root, "submit", "a.xml", *NOBODY, "--name", "later", env=env)
    assert (ran.exit, ran.out) == (3, ""), ran.text
    assert "kept in" in _last(ran)
    assert "600 to be sent" in _last(ran)
    with checked_scripted_server() as server:
        (folder,) = project.sessions
        session = folder / "session.json"
        session.write_text(session.read_text().replace("http://127.0.0.1:9", server.address))
        server.script([Rule("POST", r"/threads/\d+/append$", lost_answer(), first=2)])
        send(project.root, *server.options, exits=0)
        assert sorted(test["name"] for _, _, test in server.results) == sorted(f"t{number}" for number in range(600))
    assert project.sessions == []


def test_refusals_have_exit_codes_of_their_own(project: Project, server_options: list[str], tmp_path: Path) -> None:
    """A run that is not there exits with 1, a token that is refused with 4; the results are kept."""
    written(project.root / "a.xml", ["one"])
    ran = console(project.root, "submit", "a.xml", *server_options, "--run-id", "77")
    assert (ran.exit, ran.out) == (1, "77\n"), ran.text
    assert "1 to be sent" in _last(ran)
    with CheckedServer(tmp_path / "other.sqlite3", "another") as other:
        ran = console(project.root, "submit", "a.xml", *other.options, "--source", "suite")
    assert (ran.exit, ran.out) == (4, ""), ran.text
    assert len(project.sessions) == 2


def test_settings_of_the_ini_file_shape_the_results(
    project: Project, server: CheckedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Address (listed by the user), prefix, aliases and patterns to hide come from the ini file, as pytest has them."""
    lines = [f"automation_report_url = {server.address}", "automation_report_project_id = 1"]
    lines += ["automation_report_source = suite", "automation_report_folder_prefix = job"]
    lines += ["automation_report_statuses = failure=failed", "automation_report_redact = bec\\w+"]
    project.write("pytest.ini", "\n".join(["[pytest]", *lines]))
    written(project.root / "a.xml", ["one"], failed="one")
    # Of an address that only an ini file names the token is kept away, unless the user's own list has it.
    home = tmp_path_factory.mktemp("home")
    own = home / "pytest-automation-report" / "addresses"
    own.parent.mkdir()
    own.write_text(f"{server.address}\n")
    own.chmod(0o600)
    env = session_environment(XDG_CONFIG_HOME=str(home))
    console(project.root, "submit", "a.xml", env=env, exits=0)
    ((_, test),) = server.tests()
    assert (test["folder"], test["status"]) == ("job.tests.mod", "failed")
    assert test["fields"][0]["value"] == "[redacted]"


def test_many_cases_take_no_more_memory_than_few(project: Project, request: pytest.FixtureRequest) -> None:
    """As many cases as ``--cases`` says, in one file, are sent with the memory that 5,000 take."""
    many = int(request.config.getoption("--cases") or 0)
    peaks = []
    for count in (5_000, many):
        written(project.root / "many.xml", (f"test_case[{number}]" for number in range(count)))
        words = ["-c", _MEASURING, "submit", "many.xml", "--source", "suite"]
        ran = run([sys.executable, *words], project.root, session_environment(), exits=0)
        assert f"{count:,} results sent" in ran.err
        peaks.append(int(ran.out.split()[-1]))
    assert peaks[1] < peaks[0] + 12 * 1024, peaks


# Not getrusage's ru_maxrss: that of a new program begins with what its parent had.
_MEASURING = """
from pathlib import Path
from pytest_automation_report.cli.main import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text()
    print(status.partition("VmHWM:")[2].split()[0])
"""


def test_result_file_can_be_a_pipe(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """What another command writes can be submitted without a file."""
    words = [sys.executable, "-m", "pytest_automation_report.cli", "submit", *server_options]
    written(project.root / "a.xml", ["one"])
    run(["bash", "-c", f"{shlex.join(words)} <(cat a.xml)"], project.root, session_environment(), exits=0)
    assert [test["name"] for _, test in server.tests()] == ["one"]


def test_killed_while_reading_nothing_is_left_to_be_sent(project: Project) -> None:
    """A submission that was killed before it was whole is sent by nobody: it can simply be repeated."""
    pipe = project.root / "slow.xml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pytest_automation_report.cli", "submit", str(pipe), "--source", "suite"]
    process = subprocess.Popen(command, cwd=project.root, env=session_environment())
    with process, pipe.open("wb", buffering=0) as writer:  # opened once the command reads
        writer.write(b"<testsuites><testcase classname='a' name='b'/>")
        process.kill()
        process.wait()
    assert len(list((project.state / "spool").glob(".*-*"))) == 1
    sent = send(project.root)
    assert (sent.exit, sent.out) == (0, "")
    assert sent.err.startswith("nothing to send")


BROWSERS = """\
<testsuites>
<testsuite hostname="chromium"><testcase classname="shop" name="pays"><failure message="no"/></testcase></testsuite>
<testsuite hostname="firefox"><testcase classname="shop" name="pays"/>
<testcase classname="shop" name="looks"/></testsuite>
</testsuites>
"""


def test_browsers_of_one_file_are_told_apart(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """A test that failed in one browser failed, whichever comes last, and each result says which it is of."""
    (project.root / "a.xml").write_text(BROWSERS, encoding="utf-8")
    (project.root / "b.xml").write_text(BROWSERS.replace("shop", "bad") + "<", encoding="utf-8")
    ran = console(project.root, "submit", "a.xml", "b.xml", "--ignore-parse-error", *server_options)
    assert (ran.exit, ran.out) == (0, "1\n"), ran.text
    sent = [
        (test["name"], [field["value"] for field in test["fields"] if field["name"] == "Hostname"])
        for _, test in server.tests()
    ]
    assert sorted(sent) == [("looks", ["firefox"]), ("pays", ["chromium"]), ("pays", ["firefox"])]
    assert sorted(thread.body["job"]["name"] for thread in server.posts("/threads")) == ["chromium", "firefox"]
    found = console(project.root, "run", "findings", "1", "--json", *server_options[:4])
    document = json.loads(found.out)
    assert [reason["count"] for reason in document["reasons"]] == [1]
    assert (document["flaky"], document["counts"]["in_several_jobs"]) == ([], 1)
    told = console(project.root, "run", "complete", "1", *server_options[:4])
    assert "1 test with results of several jobs: one that failed in any of them failed" in told.err
