"""Servers whose answers are not whole: runs have more threads than one may have, or there are no lists of results."""

import json
from contextlib import closing
from functools import partial
from typing import Any

from pytest_automation_report.api.client import PAGE_RUNS, run_pages
from pytest_automation_report.api.http import ANSWER_BYTES, HttpClient, new_session
from pytest_automation_report.api.models import Token
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.writes import Writer
from pytest_automation_report.settings.sharing import key_tag
from support.checked_server import CheckedServer
from support.crowded_runs import create_crowded_runs
from support.projects import Project, console
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN

FAILING = """
import os

def test_ok(): pass

def test_broken():
    assert "FIXED" in os.environ
"""


def _crowded(server: CheckedServer, runs: int, threads: int, **properties: object) -> list[int]:
    with closing(Store(server.database)) as store:
        return create_crowded_runs(store, runs, threads, **properties)


def _largest(server: CheckedServer) -> int:
    """Return how long the longest answer was, in bytes."""
    return max(len(json.dumps(seen.answer)) for seen in server.log)


def test_runs_of_many_threads_are_listed(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """25 runs of 1,000 threads each are a list of 25 lines, and a small JSON document that counts the threads."""
    runs = _crowded(server, 25, 1_000)
    ran = console(project.root, "run", "list", *server_options[:4])
    assert (ran.exit, ran.out.split()) == (0, [str(run) for run in reversed(runs)]), ran.text
    ran = console(project.root, "run", "list", "--json", *server_options[:4])
    listed: list[dict[str, Any]] = json.loads(ran.out)["result"]
    assert [(run["thread_count"], run["threads"]) for run in listed] == [(1_000, [])] * 25
    assert _largest(server) < ANSWER_BYTES // 16


def test_what_failed_is_found_behind_runs_of_many_threads(project: Project, server: CheckedServer) -> None:
    """A hundred runs of 170 threads, and 320 of another suite, came after the session whose failed test runs again."""
    project.write("test_suite.py", FAILING)
    assert project.report(address=server.address).exit == 1
    _crowded(server, 100, 170)
    _crowded(server, 320, 1, source="other")
    again = project.report("--automation-report-rerun-failed", address=server.address)
    assert "running again the failed tests of run 1: 1 test\n" in again.out, again.text
    assert "1 failed, 1 deselected" in again.out
    assert _largest(server) < ANSWER_BYTES // 16


def test_a_run_is_found_by_its_key(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A key with 20 completed runs of many threads finds the one that is open."""
    _crowded(server, 20, 1_000, tags=[key_tag("suite", "build-7")])
    with closing(Store(server.database)) as store:
        for run in range(1, 21):
            if run != 3:
                store.write(partial(Writer.complete_run, run_id=run, measure_elapsed=False))
    ran = console(project.root, "run", "append", "--run-key", "build-7", "--fields", "A=b", *server_options)
    look_at = f"look at it: {server.address}/automation/runs/view/3\n"
    assert (ran.exit, ran.err) == (0, f"added to run 3\n{look_at}"), ran.text
    assert _largest(server) < ANSWER_BYTES // 16


def test_runs_of_another_server_are_read_in_small_pages() -> None:
    """The newest 300 runs are read, a few at a time and no earlier ones; a page is asked for when it is needed."""
    with checked_scripted_server() as server, new_session(proxies={}, ca_file="") as session:
        for number in range(330):
            body = {"name": str(number), "source": "suite"}
            server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", body)
        client = HttpClient(session, server.address, Token(TOKEN), project_id=1)
        assert next(run_pages(client)).result[0].name == "329"
        assert len(server.log) == 1
        pages = list(run_pages(client))
        assert [len(page.result) for page in pages] == [PAGE_RUNS] * 20
        assert [run.name for page in pages for run in page.result] == [str(number) for number in range(329, 29, -1)]


def test_server_that_lists_no_results(project: Project, testmo: ScriptedServer) -> None:
    """An older Testmo instance lists no results of runs: commands that need them say so, with exit code 2."""
    place = testmo.options
    console(project.root, "run", "create", *place, "--source", "suite", exits=0)
    testmo.script([Rule("GET", "/tests", answer(404, {"message": "Not found."}), count=None)])
    refused = console(project.root, "run", "export", "1", "--format", "junit", *place, exits=2)
    assert "the results of run 1 need the embedded store or a server of automation-report serve" in refused.err
