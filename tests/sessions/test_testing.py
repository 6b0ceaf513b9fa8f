"""The fixture for users' own tests: a server that remembers what it has taken."""

import gzip
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.models import Artifact, Endpoint, Field, Link, NewRun, Resources, Test, Token, encode
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.testing import ReceivedRun, ReceivedThread, RecordingServer, recording_server
from support.projects import MIXED, Project, console
from support.repository import ROOT
from support.sessions import run_session, session_environment

PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RecordingServer]:
    with recording_server(tmp_path) as server:
        yield server


@pytest.fixture
def client(server: RecordingServer) -> Iterator[Client]:
    with connected(Endpoint(server.url, 1), Token(server.token), deadline_seconds=10.0) as client:
        yield client


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_example_of_the_page_runs(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """The page's example runs as it is written, also among other tests in workers."""
    (example,) = re.findall(r"```python\n(# test_our_hooks.py\n.*?)```", PAGE, re.DOTALL)
    project = Project(tmp_path)
    project.write("test_our_hooks.py", str(example))
    ran = project.pytest("-W", "error", "test_our_hooks.py", *workers, env=session_environment(), exits=0)
    assert "1 passed" in ran.out


def test_all_that_is_sent(server: RecordingServer, client: Client) -> None:
    """Runs, threads and tests can be read as values, in their order, with what was added to them since."""
    new = NewRun("n", "suite", tags=("a",), fields=(Field("f", "1"),))
    run = client.create_run(new)
    client.append_run(run, Resources(links=(Link("l", "https://example.org"),)))
    first, second = (
        client.create_thread(run, Resources(fields=(Field("w", "gw0"),))),
        client.create_thread(run, Resources()),
    )
    tests = [
        Test(f"k{each}", f"t{each}", "f", "passed", artifacts=(Artifact("a", "https://e.org"),)) for each in range(3)
    ]
    for thread, test in ((first, tests[0]), (second, tests[1]), (first, tests[2])):
        client.append_thread(thread, encode({"tests": [test]}))
    client.complete_thread(first)
    assert server.runs == (
        ReceivedRun(
            run,
            NewRun("n", "suite", tags=("a",), fields=(Field("f", "1"),), links=(Link("l", "https://example.org"),)),
            (
                ReceivedThread(first, Resources((Field("w", "gw0"),)), (tests[0], tests[2]), is_completed=True),
                ReceivedThread(second, Resources(), (tests[1],)),
            ),
        ),
    )
    client.complete_run(run, measure_elapsed=True)
    assert server.runs[0].is_completed
    assert server.runs[0].tests == (tests[0], tests[2], tests[1])


def test_what_was_refused_or_repeated(server: RecordingServer, client: Client) -> None:
    """What the server refuses is not remembered, and what is repeated under one key is remembered once."""
    with pytest.raises(Exception, match="422"):
        client.create_run(NewRun("", "suite"))
    made = [client.create_run(NewRun("n", "suite"), key="1" * 32) for _ in range(2)]
    assert made[0] == made[1]
    assert [each.id for each in server.runs] == made[:1]
    thread = client.create_thread(made[0], Resources())
    for _ in range(2):
        client.append_thread(thread, encode({"tests": [Test("k", "t", "f", "passed")]}), key="2" * 32)
    assert len(server.runs[0].tests) == 1


def test_packed_bodies(server: RecordingServer) -> None:
    """A body that was compressed is read."""
    body: dict[str, Any] = {"name": "n", "source": "suite"}
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Authorization": f"Bearer {server.token}",
    }
    url = f"{server.url}/api/v1/projects/1/automation/runs"
    request = urllib.request.Request(url, gzip.compress(json.dumps(body).encode()), headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 201
    assert [each.run for each in server.runs] == [NewRun("n", "suite")]


def test_sessions_and_console_command(server: RecordingServer, tmp_path: Path) -> None:
    """Sessions and the console command report to it by its environment."""
    project = Project(tmp_path, MIXED)
    env = {**session_environment(), **server.environment}
    assert run_session(tmp_path, env=env).exit == 1
    assert console(project.root, "run", "create", "--name", "second", env=env).exit == 0
    first, second = server.runs
    assert {each.name: each.status for each in first.tests} == {
        "test_ok": "passed",
        "test_fail": "failure",
        "test_skip": "skipped",
    }
    assert (first.is_completed, second.is_completed) == (True, False)
    assert second.run.name == "second"
