"""The official tool's commands for parallel jobs: create a run, submit a thread for each job, complete the run."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from compatibility.vendor.official import AUTHORITY, SecureServer, ran, tool
from pytest_automation_report.api.models import Json
from support.sessions import TOKEN

FILES = Path(__file__).parent / "results"
RECORDED: dict[str, Json] = json.loads((FILES / "official.json").read_text(encoding="utf-8"))
FIRST, SECOND = "pytest.xml", "junit5.xml"
FIELD = {"type": "string", "name": "Branch", "value": "main"}
LINK = {"name": "CI job", "url": "https://ci.example.com/1"}


class Jobs:
    """The jobs of a pipeline: each runs the tool against one server."""

    def __init__(self, server: SecureServer, folder: Path) -> None:
        self.server = server
        self._folder = folder

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the tool's commands for automation runs to its end."""
        return ran(self.server, self._folder, command, *arguments)

    def done(self, command: str, *arguments: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(command, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def resources(self, **content: object) -> str:
        """Return a file of fields and links as the tool takes it."""
        path = self._folder / "resources.json"
        path.write_text(json.dumps(content))
        return str(path)

    def shown(self, path: str) -> Json:
        """Return what the server answers."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with requests.Session() as session:
            session.trust_env = False
            authority = str(self._folder / AUTHORITY)
            answer = session.get(f"{self.server.address}/api/v1/{path}", headers=headers, verify=authority)
        assert answer.ok, answer.text
        shown: Json = answer.json()
        return shown


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    tool()
    with SecureServer(tmp_path / "store.sqlite3", TOKEN) as server:
        yield Jobs(server, tmp_path)


def _amount(tests: list[Json], *statuses: str) -> int:
    return sum(test["status"] in statuses for test in tests)


@pytest.mark.slow
def test_jobs_share_a_run(jobs: Jobs) -> None:
    """Two jobs' files are two completed threads of one run, with all that they hold, once; then it takes no more."""
    about = ("--project-id", "1", "--name", "build 7", "--source", "suite", "--tags", "main", "--config", "linux")
    more = ("--milestone", "1.0", "--resources", jobs.resources(fields=[FIELD], links=[LINK]))
    run = jobs.done("create", *about, *more).strip()
    assert run == "1"
    jobs.done("submit-thread", "--run-id", run, "--results", str(FILES / FIRST))
    resources = jobs.resources(fields=[FIELD], links=[LINK])
    arguments = ("--run-id", run, "--results", str(FILES / SECOND), "--run-resources", resources)
    failed = jobs.run("submit-thread", *arguments, "--", "sh", "-c", "exit 3")
    assert failed.returncode == 3, failed.stdout + failed.stderr
    assert not jobs.shown(f"automation/runs/{run}")["result"]["is_completed"]
    jobs.done("complete", "--run-id", run)
    sent = [RECORDED[name]["tests"] for name in (FIRST, SECOND)]
    every = [*sent[0], *sent[1]]
    stored = [test for each in jobs.server.posts("/append") for test in each.body.get("tests", [])]
    assert stored == every
    answer = jobs.shown(f"automation/runs/{run}?expands=automation_sources,configs,milestones")
    shown, expands = answer["result"], answer["expands"]
    assert {name: [each["name"] for each in found] for name, found in expands.items()} == {
        "automation_sources": ["suite"],
        "configs": ["linux"],
        "milestones": ["1.0"],
    }
    assert (shown["is_completed"], shown["tags"]) == (True, ["main"])
    assert [each["name"] for each in shown["fields"]] == ["Branch", "Branch"]
    assert [each["url"] for each in shown["links"]] == [LINK["url"]] * 2
    assert shown["total_count"] == len(every)
    assert shown["success_count"] == _amount(every, "passed")
    assert shown["failure_count"] == _amount(every, "failure", "error")
    assert [(each["is_completed"], each["total_count"]) for each in shown["threads"]] == [
        (True, len(tests)) for tests in sent
    ]
    assert shown["threads"][0]["elapsed"] == RECORDED[FIRST]["elapsed"]
    assert shown["elapsed"] > 0
    late = jobs.run("submit-thread", "--run-id", run, "--results", str(FILES / FIRST))
    assert late.returncode != 0
    assert "is completed and takes no changes" in late.stdout + late.stderr
    assert jobs.shown(f"automation/runs/{run}")["result"] == shown
