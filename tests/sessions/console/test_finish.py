"""`run finish`: the last step of a pipeline waits for its jobs, proves their run whole, judges it and passes it on."""

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from support.checked_server import CheckedServer
from support.junit_schema import mistakes
from support.projects import Project, console
from support.scripted_server.faults import Fault, Rule, answer, hang
from support.scripted_server.server import ScriptedServer
from support.session_processes import wait_for_senders
from support.sessions import TOKEN, Ran, session_environment

KEY = ("--run-key", "build-{build}")
PARTS = """
import os
def pytest_collection_modifyitems(config, items):
    number, total = map(int, os.environ["PART"].split("/"))
    left = items[number - 1 :: total]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left
"""
GREEN = "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\ndef test_d(): pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, GREEN)
    project.write("conftest.py", PARTS)
    return project


def job(
    project: Project, build: int, part: str, *arguments: str, address: str | None = None, name: str = "unit"
) -> None:
    """Run one job of a build, with its part of the suite."""
    env = session_environment(
        AUTOMATION_REPORT_BUILD=str(build),
        AUTOMATION_REPORT_JOB=f"{name} {part}",
        PART=part,
        AUTOMATION_REPORT_BRANCH="b",
    )
    project.report("--automation-report-run-key", "build-{build}", *arguments, env=env, address=address)


def finish(project: Project, build: int, *arguments: str, exits: int | None = None, **more: str) -> Ran:
    env = {**session_environment(AUTOMATION_REPORT_BUILD=str(build), AUTOMATION_REPORT_BRANCH="b"), **more}
    return console(project.root, "run", "finish", *KEY, *arguments, env=env, exits=exits)


def test_whole_run_is_completed_and_judged(project: Project, tmp_path: Path) -> None:
    """With all jobs in, each test once and nothing new, it ends with 0, and leaves summary, comment and report."""
    for part in ("1/2", "2/2"):
        job(project, 1, part)
    files = ("--summary", "--comment", "comment.md", "--html", "run.html")
    page = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    ran = finish(project, 1, "--expect-jobs", "unit 1/2,unit 2/2", "--gate", *files, exits=0, **page)
    assert ran.out == "1\n"
    assert "run 1 is completed" in ran.err
    assert "4 tests, each once in 2 jobs\n" in ran.err
    assert "no new failure" in ran.err
    comment = (tmp_path / "comment.md").read_text()
    assert comment.startswith("### ✅ All 4 tests passed")
    assert (tmp_path / "summary.md").read_text() == comment
    assert "<!doctype html>" in (tmp_path / "run.html").read_text().lower()


def test_jobs_that_are_missing_are_named(project: Project) -> None:
    """Without a job the run stays open and the exit code is 3; the job is named, also of a number of jobs."""
    for part in ("1/2", "2/2"):
        job(project, 1, part)
    finish(project, 1, "--expect-jobs", "2", exits=0)
    job(project, 2, "1/2")
    ran = finish(project, 2, "--expect-jobs", "2", "--timeout", "1s", exits=3)
    assert ran.out == "2\n"
    assert "run 2 stays open after 1 second: 1 of 2 jobs are in; missing: unit 2/2\n" in ran.err
    ran = finish(project, 2, "--expect-jobs", "unit 1/2,unit 2/2", "--timeout", "1s", exits=3)
    assert "stays open after 1 second: 1 of 2 jobs are in; missing: unit 2/2\n" in ran.err
    job(project, 2, "2/2")
    assert "4 tests, each once" in finish(project, 2, "--expect-jobs", "2", exits=0).err
    for jobs, words in (
        ("3", "2 of 3 jobs are in"),
        ("unit 1/2,web", "1 of 2 jobs are in; missing: web; others that are in: unit 2/2"),
        ("web,", "0 of 1 job is in; missing: web; others that are in: unit 1/2, unit 2/2"),
    ):
        ran = finish(project, 2, "--expect-jobs", jobs, exits=3)
        assert f"run 2 was completed before: {words}\n" in ran.err


def test_missing_shards_are_those_of_this_run(project: Project) -> None:
    """If the last run had more shards than this one, the missing one is named by this run's own number of shards.

    A job that this run does not number is named as the last run had it.
    """
    for part in ("1/3", "2/3", "3/3"):
        job(project, 1, part)
    job(project, 1, "1/1", name="lint")
    finish(project, 1, "--expect-jobs", "4", exits=0)
    job(project, 2, "1/2")
    for jobs, missing in (("2", "unit 2/2"), ("3", "unit 2/2, lint 1/1 (it was in the last run)")):
        ran = finish(project, 2, "--expect-jobs", jobs, "--timeout", "1s", exits=3)
        assert f"1 of {jobs} jobs are in; missing: {missing}\n" in ran.err


def test_files_of_a_run_say_which_jobs_are_missing(project: Project, tmp_path: Path) -> None:
    """Summary and comment of a run that stays open have the jobs that it lacks."""
    job(project, 1, "1/2")
    page = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    arguments = ("--expect-jobs", "unit 1/2,unit 2/2", "--timeout", "1s", "--summary", "--comment", "comment.md")
    ran = finish(project, 1, "--gate", *arguments, exits=3, **page)
    assert "is open: its jobs may still send results" in ran.err
    assert "--allow-partial" not in ran.err  # an option of gate
    comment = (tmp_path / "comment.md").read_text()
    assert "1 of 2 jobs are in; missing: unit 2/2" in comment
    assert (tmp_path / "summary.md").read_text() == comment


def test_jobs_that_never_came(project: Project) -> None:
    """If no job has begun when the time is over, jobs are missing: the exit code is 3, also in a new project.

    On a CI provider the first line says that other machines cannot reach a store, unless its user asked for it.
    """
    unreached = "a job on another machine cannot reach the embedded store .automation-report/store.sqlite3: set"
    ran = finish(project, 2, "--expect-jobs", "2", "--timeout", "0s", exits=3, CI="true")
    assert ran.err.startswith(f"{unreached} AUTOMATION_REPORT_URL\n")
    job(project, 1, "1/2")
    ran = finish(project, 2, "--expect-jobs", "2", "--timeout", "0s", exits=3)
    assert "no job came in 0 seconds: there is no run of the key 'build-2'" in ran.err
    assert unreached not in ran.err
    assert ran.out == ""
    ran = finish(project, 2, "--expect-jobs", "2", "--timeout", "0s", "--url", "local", exits=3, CI="true")
    assert unreached not in ran.err


def test_no_run_without_expected_jobs(project: Project) -> None:
    """Without --expect-jobs a missing run is code 3, too, at once.

    The line says where the run was looked for, and that no server is named.
    """
    ran = finish(project, 2, exits=3)
    where = "in the embedded store .automation-report/store.sqlite3: no AUTOMATION_REPORT_URL is set"
    assert f"there is no run of the key 'build-2' {where}\n" in ran.err
    assert "Usage" not in ran.err


@pytest.mark.parametrize("fault", [None, hang(), answer(503)], ids=["down", "silent", "failing"])
@pytest.mark.parametrize(("gate", "exits"), [((), 0), (("--gate",), 3)], ids=["", "gate"])
def test_server_that_does_not_answer_makes_no_job_red(
    project: Project, testmo: ScriptedServer, gate: tuple[str, ...], exits: int, fault: Fault | None
) -> None:
    """The last step ends when its time is over, with a warning; only a gate that cannot be asked stops it.

    The limit is that of the whole command: each request gets what is left of it.
    """
    if fault is None:
        testmo.down()
    else:
        testmo.script([Rule("*", "", fault, count=None)])
    options = ("--url", testmo.address, "--project-id", "1", "--source", "suite", "--timeout", "2s")
    began = time.monotonic()
    ran = finish(project, 1, *options, *gate, exits=exits)
    assert time.monotonic() - began < 20
    assert testmo.address in ran.err.splitlines()[-1]
    assert ran.err.splitlines()[-1].startswith("Error: " if gate else "warning: ")


def test_reason_of_a_server_that_is_down_is_said_at_the_end(project: Project, testmo: ScriptedServer) -> None:
    """The last line says what the server lacked, and not that the command's time is over."""
    testmo.down()
    options = ("--url", testmo.address, "--project-id", "1", "--timeout", "1s")
    ran = console(project.root, "run", "finish", "7", *options, env=session_environment(), exits=0)
    assert f"warning: {testmo.address}: Connection refused: " in ran.err.splitlines()[-1]


def test_server_that_fails_halfway_changes_no_verdict(project: Project, testmo: ScriptedServer) -> None:
    """What was found before the server failed stays found: missing jobs are 3 though the comment cannot be read."""
    job(project, 1, "1/2", address=testmo.address)
    testmo.script([Rule("GET", "/tests", hang(), count=None)])
    options = ("--url", testmo.address, "--project-id", "1", "--source", "suite", "--timeout", "4s")
    ran = finish(project, 1, *options, "--expect-jobs", "2", "--comment", "comment.md", exits=3)
    assert "run 1 stays open after 3 seconds" in ran.err
    assert f"warning: {testmo.address}: " in ran.err
    assert not (project.root / "comment.md").exists()


def test_run_of_another_commit(project: Project) -> None:
    """A job of another commit, such as a workflow for forks, finds the run by key and branch; else the run is named."""
    env = session_environment(
        AUTOMATION_REPORT_BUILD="1",
        AUTOMATION_REPORT_BRANCH="b",
        GITHUB_ACTIONS="true",
        GITHUB_SHA="a" * 40,
        PART="1/1",
    )
    project.report("--automation-report-run-key", "build-{build}", env=env)
    other = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "b" * 40, "GITHUB_REF": "refs/heads/main"}
    ran = finish(project, 1, exits=3, **other)
    hint = "if you mean it, give its id, 1, instead of the key"
    assert f"run 1 of this key is of commit aaaaaaaaaa and not bbbbbbbbbb: {hint}" in ran.err
    assert finish(project, 1, "--branch", "b", exits=0, **other).out == "1\n"
    assert finish(project, 1, "--branch", "main", exits=3, **other).out == ""


def test_files_that_cannot_be_written(project: Project) -> None:
    """A file in a folder that is not there is named with its option, and changes no verdict: the gate's code stays."""
    job(project, 1, "1/1")
    finish(project, 1, exits=0)
    files = {
        "--comment": "none/comment.md", "--html": "none/run.html",
        "--junit": "none/junit.xml", "--code-quality": "none/quality.json",
    }  # fmt: skip
    arguments = [word for pair in files.items() for word in pair]
    assert finish(project, 1, *arguments, exits=2).out == "1\n"
    project.tests("def test_a(): assert 0\n")
    job(project, 2, "1/1")
    ran = finish(project, 2, "--gate", *arguments, exits=5)
    for option, file in files.items():
        assert f"Error: {option} {file}: cannot be written (No such file or directory): name a file in a" in ran.err


@pytest.mark.parametrize(
    ("parts", "words"),
    [(("1/3", "2/3"), "1 missing, from unit 3/3"), (("1/2", "2/2", "1/3"), "2 twice, from unit 1/3")],
    ids=["missing", "twice"],
)
def test_tests_that_are_missing_or_twice(project: Project, parts: tuple[str, ...], words: str) -> None:
    """A run of wrong shards is completed, and ends with 3 and the jobs to blame; a new failure wins over it: 5."""
    for part in ("1/2", "2/2"):
        job(project, 1, part)
    finish(project, 1, exits=0)
    for part in parts:
        job(project, 2, part)
    ran = finish(project, 2, exits=3)
    assert ran.out == "2\n"
    assert "run 2 is completed" in ran.err
    assert words in ran.err
    project.tests(GREEN.replace("test_a(): pass", "test_a():\n    assert 0"))
    job(project, 3, "1/3")
    ran = finish(project, 3, "--gate", "--summary", exits=5, GITHUB_ACTIONS="true")
    assert ran.out == "3\n"
    assert "new failure: test_suite.test_a" in ran.err
    assert "::error file=test_suite.py,line=2,title=test_a::test_suite.test_a: assert 0" in ran.err


def test_several_configurations(project: Project, tmp_path: Path) -> None:
    """A matrix has a run for each configuration: all are judged, each has its own report and is in the summary."""
    for config in ("py310", "py313"):
        job(project, 1, "1/1", "-oautomation_report_config=" + config)
    ran = finish(project, 1, "--html", "run.html", "--comment", "comment.md", exits=0)
    assert ran.out == "1\n2\n"
    assert {path.name for path in tmp_path.glob("run*.html")} == {"run-1.html", "run-2.html"}
    headings = [line for line in (tmp_path / "comment.md").read_text().splitlines() if line.startswith("###")]
    assert headings == ["### ✅ `py310`: All 4 tests passed", "### ✅ `py313`: All 4 tests passed"]
    finish(project, 1, "--summary", exits=0, GITLAB_CI="true", CI_JOB_URL="https://gitlab.example/1")
    (links,) = json.loads((project.state / "gitlab-annotations.json").read_text()).values()
    labels = [link["external_link"]["label"].partition(" build-1 ")[2] for link in links]
    assert labels == ["(py310)", "(py313)"], "one for each run: GitLab shows what the file has at the end of the job"
    job(project, 2, "1/1", "-oautomation_report_config=py310")
    job(project, 2, "1/1", "-oautomation_report_config=py313")
    project.tests(GREEN.replace("test_a(): pass", "test_a(): assert 0"))
    job(project, 2, "1/1", "-oautomation_report_config=py310")
    assert finish(project, 2, "--gate", exits=5).out == "3\n4\n"
    ran = finish(project, 2, "--gate", exits=5)
    assert ran.out == "3\n4\n"
    assert "run 3 was completed before" in ran.err
    assert "run 3 (py310, b): 1 new failure" in ran.err


RED = """
def test_a(artifact):
    assert 0
def test_b(): pass
"""
ATTACHES = """
import pytest
@pytest.fixture
def artifact(automation_report):
    automation_report.artifact("https://files.example/a.png")
"""
GITLAB = {"GITLAB_CI": "true"}
REPORTS = ("--junit", "junit.xml", "--code-quality", "quality.json")


def reported(project: Project, server: CheckedServer, *configs: str, known: str = "", **more: str) -> tuple[str, Any]:
    """Return the JUnit XML and the Code Quality of a build, with a failure in each of its configurations."""
    project.write("shop/test_suite.py", RED)
    project.write("shop/conftest.py", ATTACHES)
    project.write("known.txt", known)
    options = ("shop", "-oautomation_report_known=known.txt") if known else ("shop",)
    for config in configs:
        job(project, 1, "1/1", *options, *([f"-oautomation_report_config={config}"] if config else []),
            address=server.address)  # fmt: skip
    place = ("--url", server.address, "--project-id", "1", "--source", "suite")
    finish(project, 1, *place, *REPORTS, exits=0, AUTOMATION_REPORT_TOKEN=TOKEN, **more)
    junit = (project.root / "junit.xml").read_text(encoding="utf-8")
    return junit, json.loads((project.root / "quality.json").read_text(encoding="utf-8"))


def test_jenkins_gets_junit_with_links(project: Project, server: CheckedServer) -> None:
    """The JUnit XML is valid by the schema of Jenkins, and each failure begins with the address of its test's page."""
    junit, _ = reported(project, server, "")
    assert mistakes(junit) == []
    failed, passed = ET.fromstring(junit).iter("testcase")
    assert (failed.get("classname"), failed.get("name"), passed.get("name")) == ("shop.test_suite", "test_a", "test_b")
    address, _, text = (failed.findtext("failure") or "").partition("\n\n")
    assert text.startswith("artifact = None\n\n    def test_a(artifact):\n>       assert 0")
    answers = [seen.answer["result"] for seen in server.log if seen.path.endswith("/results")]
    listed = [test for answer in answers for test in answer["tests"]]
    assert {test["automation_test_id"] for test in listed if test["name"] == "test_a"} == {
        int(address.rpartition("/")[2])
    }
    assert address.startswith(f"{server.address}/results/")
    assert failed.findtext("system-out") == "[[ATTACHMENT|https://files.example/a.png]]"


def test_gitlab_gets_what_its_widgets_show(project: Project, server: CheckedServer) -> None:
    """At GitLab tests have their file from the repository's root, and failures are in the report of Code Quality."""
    junit, quality = reported(project, server, "", **GITLAB, CI_PROJECT_DIR=str(project.root.parent))
    failed, _ = ET.fromstring(junit).iter("testcase")
    file = f"{project.root.name}/shop/test_suite.py"
    assert failed.get("file") == file
    # GitLab would look for an attachment among the files of the job that has the report.
    assert failed.findtext("system-out") == "a.png: https://files.example/a.png"
    (entry,) = quality
    assert re.fullmatch("[0-9a-f]{64}", entry.pop("fingerprint"))
    assert entry == {
        "description": "shop.test_suite.test_a: assert 0", "check_name": "test failure", "severity": "major",
        "location": {"path": file, "lines": {"begin": 3}},
    }  # fmt: skip


def test_known_failures_are_no_new_problem_of_quality(project: Project, server: CheckedServer) -> None:
    """A known failure is in the report of Code Quality as an information."""
    _, (entry,) = reported(project, server, "", known="until 2999-12-31 shop/test_suite.py::test_a SHOP-1\n")
    assert (entry["severity"], entry["check_name"]) == ("info", "known failure")


def test_reports_of_several_configurations(project: Project, server: CheckedServer) -> None:
    """One file has the tests of all configurations, each under its name; nothing of one replaces the other's."""
    junit, quality = reported(project, server, "py310", "py313")
    assert mistakes(junit) == []
    root = ET.fromstring(junit)
    assert (root.get("tests"), root.get("failures")) == ("4", "2")
    suites = [suite.get("name") for suite in root]
    assert suites == ["py310: shop/test_suite.py", "py313: shop/test_suite.py"]
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert names == [
        (f"{config}.shop.test_suite", name) for config in ("py310", "py313") for name in ("test_a", "test_b")
    ]
    assert len({entry["fingerprint"] for entry in quality}) == 2
    assert [entry["description"] for entry in quality] == [
        f"{config}: shop.test_suite.test_a: assert 0" for config in ("py310", "py313")
    ]


def test_links_of_a_job_lead_to_its_tests(project: Project, server: CheckedServer) -> None:
    """GitLab's links of --summary lead to the page of each failed test."""
    reported(project, server, "")
    place = ("--url", server.address, "--project-id", "1", "--source", "suite")
    finish(project, 1, *place, "--summary", exits=0, AUTOMATION_REPORT_TOKEN=TOKEN, **GITLAB)
    (links,) = json.loads((project.state / "gitlab-annotations.json").read_text()).values()
    run, test = (link["external_link"]["url"].removeprefix(server.address) for link in links)
    assert run == "/automation/runs/view/1"
    assert re.fullmatch("/results/[0-9]+", test)


def test_reports_of_testmo_have_what_it_lists(project: Project, testmo: ScriptedServer) -> None:
    """A Testmo instance lists neither texts nor files: the JUnit XML has names, and a line says what is left out."""
    options = ("--url", testmo.address, "--project-id", "1", "--source", "suite")
    project.tests("def test_a(): assert 0\n")
    job(project, 1, "1/1", address=testmo.address)
    ran = finish(project, 1, *options, *REPORTS, exits=0)
    (failed,) = ET.fromstring((project.root / "junit.xml").read_text()).iter("testcase")
    assert failed.findtext("failure") == f"{testmo.address}/automation/runs/view/1"
    assert json.loads((project.root / "quality.json").read_text()) == []
    assert "--code-quality: 1 failure left out: the server names no file of it\n" in ran.err


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"TF_BUILD": "true"}, "##vso[task.logissue type=error;sourcepath=test_suite.py;linenumber=1;]"),
        ({"TEAMCITY_VERSION": "2026"}, "##teamcity[message text='"),
        ({"BUILDKITE": "true", "PATH": ""}, "the build is not annotated: buildkite-agent is not in the PATH\n"),
        ({"DRONE": "true"}, "--summary: this CI provider shows no summary\n"),
    ],
    ids=["Azure", "TeamCity", "Buildkite", "a provider without marks"],
)
def test_summary_marks_failures_for_each_provider(project: Project, provider: dict[str, str], words: str) -> None:
    """--summary marks failures on the page of the job without a setting, or says that the provider shows none."""
    project.tests("def test_a(): assert 0\n")
    job(project, 1, "1/1")
    assert words in finish(project, 1, "--summary", exits=0, **provider).err


def test_known_failures_of_a_first_run_are_marked_as_known(project: Project) -> None:
    """Without a run to compare with, too, the mark of a known failure is a warning that says so."""
    project.tests("def test_a(): assert 0\n")
    project.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    project.write("known.txt", "until 2999-12-31 test_suite.py::test_a SHOP-1\n")
    job(project, 1, "1/1")
    marks = finish(project, 1, "--summary", exits=0, GITHUB_ACTIONS="true").err
    assert "::warning file=test_suite.py,line=1,title=test_a::test_suite.test_a: known: assert 0" in marks
    assert "::error" not in marks


def test_testmo(project: Project, testmo: ScriptedServer) -> None:
    """A Testmo instance has no findings: the run is completed, and --gate, which judges nothing then, is an error.

    Its results are read only for what is written of them.
    """
    options = ("--url", testmo.address, "--project-id", "1", "--source", "suite")
    for build, gate, exits in ((1, (), 0), (2, ("--gate",), 2)):
        job(project, build, "1/1", address=testmo.address)
        ran = finish(project, build, *options, *gate, exits=exits)
        assert ran.out == f"{build}\n"
        assert f"run {build} is completed" in ran.err
        assert "this server does not tell whether each test ran once" in ran.err
        assert ("--gate: findings need the embedded store" in ran.err) is bool(gate)
    testmo.script([Rule("GET", r"/tests", answer(404, {"message": "There is no such page."}))])
    finish(project, 1, *options, exits=0)
    ran = finish(project, 1, *options, "--comment", "comment.md", exits=2)
    assert "Error: the results of run 1 need the embedded store" in ran.err


@pytest.fixture
def messages() -> Iterator[tuple[str, list[str]]]:
    """Serve an address that takes messages; yield it with what came."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            if self.path.endswith("slow"):
                self.slowly(b"HTTP/1.1 200 OK\r\nX: ")
            self.send_response(302 if self.path.endswith("moved") else 200)
            self.end_headers()

        def slowly(self, start: bytes) -> None:
            with suppress(OSError):  # the other end has given up
                self.wfile.write(start)
                for _ in range(120):
                    self.wfile.write(b"x")
                    time.sleep(0.25)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Be silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret-path", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("gate", [(), ("--gate",)], ids=["any failure", "the gate"])
def test_webhook(project: Project, messages: tuple[str, list[str]], gate: tuple[str, ...]) -> None:
    """One message when a branch turns red and one when it is green again; its address is shown nowhere."""
    address, came = messages
    project.write("hook.txt", address + "\n")
    for build, result in enumerate(("pass", "assert 0", "assert 0", "pass"), 1):
        project.tests(GREEN.replace("test_a(): pass", f"test_a(): {result}"))
        job(project, build, "1/1")
        ran = finish(
            project, build, "--webhook-url-file", "hook.txt", *gate, exits=5 if gate and result != "pass" else 0
        )
        assert "secret-path" not in ran.text
    told = ["red: 1 failed, run 2", "green again: passed, run 4"]
    assert [text.partition(" is ")[2] for text in came] == told


def test_gate_of_a_pull_request(project: Project, tmp_path: Path) -> None:
    """A pull request is red until its failure is mended, however often it is pushed, as `gate` and `run finish` say.

    Summary and comment make the gate's comparison: what it calls new, they call new.
    """
    ref = {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_HEAD_REF": "topic", "GITHUB_BASE_REF": "main"}
    request: dict[str, Any] = {"GITHUB_ACTIONS": "true", **ref}
    on_main: dict[str, Any] = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}
    builds = (on_main, "pass"), (request, "assert 0"), (request, "assert 0"), (request, "pass")
    for build, (provider, result) in enumerate(builds, 1):
        project.tests(GREEN.replace("test_a(): pass", f"test_a(): {result}"))
        env = session_environment(AUTOMATION_REPORT_BUILD=str(build), GITHUB_SHA=f"{build:040}", PART="1/1", **provider)
        project.report("--automation-report-run-key", "build-{build}", env=env)
        exits = 0 if result == "pass" else 5
        env["GITHUB_STEP_SUMMARY"] = str(tmp_path / f"summary-{build}.md")
        files = ("--comment", "comment.md", "--summary")
        for command in (["run", "finish", *KEY, "--gate", *files], ["gate", str(build)]):
            ran = console(project.root, *command, env=env, exits=exits)
            assert build == 1 or "compared with run 1 (main)" in ran.err
        comment = (tmp_path / "comment.md").read_text()
        assert ("1 new failure, compared with run 1" in comment) is (exits == 5)
        assert "still failing" not in comment
        gate = "stopped: 1 new failure compared with run 1 (main); none is allowed" if exits else "open: no new failure"
        assert f"\n**Gate {gate}" in comment
        assert (tmp_path / f"summary-{build}.md").read_text() == comment


FLAKY = """
from pathlib import Path
def test_e():
    is_again = Path("once").exists()
    Path("once").touch()
    assert is_again
"""
WORSE = GREEN.replace("test_a(): pass", "test_a(): assert 0").replace("def test_d(): pass\n", "")
DIES = GREEN.replace("test_a(): pass", "test_a(): assert 0").replace("test_d(): pass", "test_d(): os._exit(3)")


def test_gate_has_its_options_as_the_last_step(project: Project) -> None:
    """`run finish --gate` takes every option of `gate` and does what it does; without --gate they are a mistake."""
    helps = [console(project.root, *words, "--help", exits=0).out for words in (("gate",), ("run", "finish"))]
    own, last = ({*re.findall("^  (--[a-z-]+)", text, re.MULTILINE)} for text in helps)
    assert {"--new-failures", "--flaky", "--gone", "--base", "--require-base", "--allow-partial", "--known"} <= own
    assert own <= last
    suites = {1: GREEN, 2: WORSE + FLAKY, 3: WORSE, 4: f"import os\n{DIES}"}
    for build, arguments, exits in (
        (1, (), 0),
        (1, ("--require-base",), 5),
        (2, (), 5),
        (2, ("--new-failures", "1"), 0),
        (2, ("--new-failures", "1", "--gone", "0"), 5),
        (2, ("--new-failures", "1", "--gone", "1"), 0),
        (2, ("--new-failures", "1", "--flaky", "0"), 5),
        (2, ("--new-failures", "1", "--flaky", "1"), 0),
        (3, (), 5),
        (3, ("--base", "2"), 0),
        (4, ("--new-failures", "1"), 3),
        (4, ("--new-failures", "1", "--allow-partial"), 0),
    ):
        if suite := suites.pop(build, ""):
            project.tests(suite)
            job(project, build, "1/1", "--reruns", "1")
            wait_for_senders(project.root)
            finish(project, build)
        console(project.root, "gate", str(build), *arguments, exits=exits)
        finish(project, build, "--gate", *arguments, exits=exits)
    assert "add --gate" in finish(project, 1, "--gone", "0", exits=2).err


def test_webhook_of_a_session_that_died(project: Project, messages: tuple[str, list[str]]) -> None:
    """A dead session is red, though no run is compared with it, and the next good one is green again."""
    address, came = messages
    project.write("hook.txt", address + "\n")
    dies = "__import__('os')._exit(3)"
    for build, (result, exits) in enumerate((("pass", 0), (dies, 3), (dies, 3), ("pass", 0)), 1):
        project.tests(GREEN.replace("test_d(): pass", f"test_d(): {result}"))
        job(project, build, "1/1")
        wait_for_senders(project.root)
        finish(project, build, "--webhook-url-file", "hook.txt", exits=exits)
    told = ["red: died after 3 of 4, run 2", "green again: passed, run 4"]
    assert [text.partition(" is ")[2] for text in came] == told


def test_one_job_that_ends_with_1_although_no_test_failed(project: Project, messages: tuple[str, list[str]]) -> None:
    """It shuts the gate with exit code 3 and makes the branch red, until the job ends with 0."""
    address, came = messages
    project.write("hook.txt", address + "\n")
    ends = "\ndef pytest_sessionfinish(session): session.exitstatus = int(os.environ['PART'] == '2/4')\n"
    for build, (more, exits) in enumerate((("", 0), (ends, 3), ("", 0)), 1):
        project.write("conftest.py", f"{PARTS}{more}")
        for part in ("1/4", "2/4", "3/4", "4/4"):
            job(project, build, part)
        ran = finish(project, build, "--gate", "--webhook-url-file", "hook.txt", exits=exits)
        assert ("pytest ended with 1 although no test failed" in ran.err) is bool(exits)
    told = [text.partition(" is ")[2].partition(",")[0] for text in came]
    assert told == ["red: ended with 1", "green again: passed"]


def test_known_failures_make_no_branch_red(project: Project, messages: tuple[str, list[str]]) -> None:
    """A known failure of several jobs is none that turns the branch red, until its day, in UTC, is past.

    The run before is judged by the day on which it was created.
    """
    address, came = messages
    today = datetime.now(tz=timezone.utc).date()
    project.write("hook.txt", address)
    project.tests(GREEN.replace("test_a(): pass", "test_a(): assert 0"))
    options = ("--known", "known.txt", "--webhook-url-file", "hook.txt")
    for build, until in ((1, today), (2, today - timedelta(days=1))):
        project.write("known.txt", f"until {until} test_suite.py::test_a SHOP-1\n")
        for name in ("py310", "py313"):
            job(project, build, "1/1", name=name)
        finish(project, build, *options, exits=0)
        with closing(sqlite3.connect(project.state / "store.sqlite3")) as store, store:
            store.execute("UPDATE run SET created = created - ?", (86_400_000_000,))
    assert [text.partition(" is ")[2] for text in came] == ["red: 2 failed, run 2"]


def test_a_run_that_is_not_whole_turns_no_branch_green(project: Project, messages: tuple[str, list[str]]) -> None:
    """If a shard is missing, nobody knows that nothing fails: the message waits for the next whole run."""
    address, came = messages
    project.write("hook.txt", address)
    fails = GREEN.replace("test_a(): pass", "test_a(): assert 0")
    for build, (suite, part, exits) in enumerate(((fails, "1/1", 0), (GREEN, "1/2", 3), (GREEN, "1/1", 0)), 1):
        project.tests(suite)
        job(project, build, part)
        finish(project, build, "--webhook-url-file", "hook.txt", exits=exits)
    assert [text.partition(" is ")[2] for text in came] == ["red: 1 failed, run 1", "green again: passed, run 3"]


BOTH = GREEN.replace("test_a(): pass", "test_a(): assert 0").replace("test_b(): pass", "test_b(): assert 0")
HALF = GREEN.replace("test_a(): pass", "test_a(): assert 0")


@pytest.mark.parametrize(
    ("options", "suite", "known", "selection"),
    [
        ((), HALF, "until 2999-12-31 test_suite.py::test_a SHOP-1\n", ()),
        (("--gate", "--new-failures", "1"), HALF, "", ()),
        ((), BOTH, "", ("-k", "test_c")),
    ],
    ids=["the rest is known", "the rest is allowed", "the rest is not run"],
)
def test_no_green_while_something_fails_that_turned_it_red(
    project: Project,
    messages: tuple[str, list[str]],
    options: tuple[str, ...],
    suite: str,
    known: str,
    selection: tuple[str, ...],
) -> None:
    """A branch that is partly mended is not green again, whatever excuses the rest, but once all of it is mended."""
    address, came = messages
    project.write("hook.txt", address)
    project.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    for build, (tests, excused, arguments) in enumerate(
        ((GREEN, "", ()), (BOTH, "", ()), (suite, known, selection), (GREEN, "", ())), 1
    ):
        project.tests(tests)
        project.write("known.txt", excused)
        job(project, build, "1/1", *arguments)
        exits = 5 if options and build == 2 else 0
        ran = finish(project, build, *options, "--webhook-url-file", "hook.txt", exits=exits)
        assert ("the webhook was called" in ran.err) is (build in {2, 4})
    assert [text.partition(" is ")[2] for text in came] == ["red: 2 failed, run 2", "green again: passed, run 4"]


def test_webhook_that_does_not_answer(project: Project, messages: tuple[str, list[str]]) -> None:
    """A message that cannot be sent in five seconds changes no exit code; an address that is none is a usage error."""
    project.tests("def test_a(): assert 0\n")
    job(project, 1, "1/1")
    project.write("hook.txt", "http://127.0.0.1:1/secret-path")
    options = ("--webhook-url-file", "hook.txt")
    ran = finish(project, 1, *options, exits=0)
    assert "the webhook was not called: ConnectionError" in ran.err
    assert "secret-path" not in ran.text
    address, came = messages
    for end, why in (("/moved", "it answered 302"), ("/slow", "no complete response within 5 s")):
        project.write("hook.txt", address + end)
        began = time.monotonic()
        assert f"the webhook was not called: {why}\n" in finish(project, 1, *options, exits=0).err
        assert time.monotonic() - began < 25
    assert len(came) == 2
    project.write("hook.txt", "secret-path")
    assert "secret-path" not in finish(project, 1, "--webhook-url-file", "hook.txt", exits=2).text
