"""The official tool's commands for parallel jobs: create a run, submit a thread for each job, complete the run."""

import json
from pathlib import Path

import pytest

from compatibility.vendor.official import AUTHORITY, SecureServer, ran, tool
from pytest_automation_report.api.models import Json
from support.serving import asking
from support.sessions import TOKEN

FILES = Path(__file__).parent / "results"
RECORDED: dict[str, Json] = json.loads((FILES / "official.json").read_text(encoding="utf-8"))
FIRST, SECOND = "pytest.xml", "junit5.xml"
FIELD = {"type": "string", "name": "Branch", "value": "main"}
LINK = {"name": "CI job", "url": "https://ci.example.com/1"}


def _amount(tests: list[Json], *statuses: str) -> int:
    return sum(test["status"] in statuses for test in tests)


def _shown(server: SecureServer, folder: Path, path: str) -> Json:
    """Return what the server answers."""
    with asking(TOKEN) as session:
        answer = session.get(f"{server.address}/api/v1/{path}", verify=str(folder / AUTHORITY))
    assert answer.ok, answer.text
    shown: Json = answer.json()
    return shown


@pytest.mark.slow
def test_jobs_share_a_run(tmp_path: Path) -> None:
    """Two jobs' files are two completed threads of one run, with all that they hold, once; then it takes no more."""
    tool()
    more = tmp_path / "resources.json"
    more.write_text(json.dumps({"fields": [FIELD], "links": [LINK]}))
    about = ("--project-id", "1", "--name", "build 7", "--source", "suite", "--tags", "main", "--config", "linux")
    first, second = (("--run-id", "1", "--results", str(FILES / name)) for name in (FIRST, SECOND))
    with SecureServer(tmp_path / "store.sqlite3", TOKEN) as server:
        made = ran(server, tmp_path, "create", *about, "--milestone", "1.0", "--resources", str(more))
        assert (made.returncode, made.stdout.strip()) == (0, "1"), made.stderr
        assert ran(server, tmp_path, "submit-thread", *first).returncode == 0
        command = ("--run-resources", str(more), "--", "sh", "-c", "exit 3")
        failed = ran(server, tmp_path, "submit-thread", *second, *command)
        assert failed.returncode == 3, failed.stdout + failed.stderr
        assert not _shown(server, tmp_path, "automation/runs/1")["result"]["is_completed"]
        assert ran(server, tmp_path, "complete", "--run-id", "1").returncode == 0
        answer = _shown(server, tmp_path, "automation/runs/1?expands=automation_sources,configs,milestones")
        late = ran(server, tmp_path, "submit-thread", *first)
        assert late.returncode != 0
        assert "is completed and takes no changes" in late.stdout + late.stderr
        assert _shown(server, tmp_path, "automation/runs/1")["result"] == answer["result"]
        stored = [test for each in server.posts("/append") for test in each.body.get("tests", [])]
    _check_stored(answer["result"], answer["expands"], stored)


def _check_stored(shown: Json, expands: Json, stored: list[Json]) -> None:
    sent = [RECORDED[name]["tests"] for name in (FIRST, SECOND)]
    every = [*sent[0], *sent[1]]
    assert stored == every
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
