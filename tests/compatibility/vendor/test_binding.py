"""The official JavaScript binding reads every answer of the embedded server, and reads all of it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from compatibility.vendor.official import tool
from pytest_automation_report.api.models import SESSION, Json
from support.checked_server import CheckedServer
from support.sessions import TOKEN, clean_environment

READING = Path(__file__).with_name("reading.js")
RUNS, SOURCES = "AutomationRunsApi", "AutomationSourcesApi"
EXPANDS = "automation_sources,configs,milestones,statuses,users"
ENTRY = {"name": "n", "note": "a note", "url": "https://example.com/"}
FIELD = {"type": 4, "name": "Failure", "value": "v", "meta": {"message": "m"}, "is_highlight": True}


class Filled:
    """A server with two runs, one completed, that have everything that the API takes, and its reader."""

    def __init__(self, server: CheckedServer, binding: Path) -> None:
        self.server = server
        self._binding = binding
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {TOKEN}"
        artifact = {**ENTRY, "mime_type": "image/png", "size": 3}
        rich = {"config": "linux", "milestone": "1.0", "tags": ["a", "b"], "links": [ENTRY]}
        self.run = self._post("projects/1/automation/runs", {"name": "r", "source": "s", **rich})
        self._post(f"automation/runs/{self.run}/append", {"fields": [FIELD], "artifacts": [artifact], "links": [ENTRY]})
        thread = self._post(f"automation/runs/{self.run}/threads", {"elapsed_observed": 5})
        tests = [
            {"key": f"k{number}", "name": "n", "folder": "f", "status": status, "fields": [FIELD]}
            for number, status in enumerate(["passed", "failure", "error", "skipped", "untested"])
        ]
        addition = {"tests": tests, "fields": [FIELD], "artifacts": [artifact]}
        self._post(f"automation/runs/threads/{thread}/append", addition)
        self._post(f"automation/runs/threads/{thread}/complete", {"elapsed_computed": 7})
        self._post(f"automation/runs/{self.run}/complete", {"measure_elapsed": True})
        self._post("projects/1/automation/runs", {"name": "open", "source": "other"})

    def _post(self, path: str, body: Json) -> int:
        answer = self._session.post(f"{self.server.address}/api/v1/{path}", json=body)
        assert answer.ok, answer.text
        return int(answer.json()["id"]) if answer.content else 0

    def sent(self, path: str) -> Json:
        """Return what the server sends for this path, without the member of runs and threads that is our extension."""
        answer: Json = self._session.get(f"{self.server.address}/api/v1/{path}").json()
        runs = answer["result"] if isinstance(answer["result"], list) else [answer["result"]]
        for each in (*runs, *(thread for run in runs for thread in run.get("threads", ()))):
            each.pop(SESSION, None)
        return answer

    def read(self, *calls: tuple[object, ...]) -> list[Json]:
        """Return what the binding makes of the answers to some calls: class, operation, id and options."""
        done = subprocess.run(
            ["node", str(READING), str(self._binding), self.server.address],
            input=f"{TOKEN}\n{json.dumps(calls)}",
            env={**clean_environment(), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[Json] = json.loads(done.stdout)
        return found

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    binding = tool().parents[1] / "@testmo" / "testmo-api"
    with CheckedServer(tmp_path_factory.mktemp("binding") / "store.db", TOKEN) as server:
        found = Filled(server, binding)
        yield found
        found.close()


@pytest.mark.slow
def test_the_binding_reads_all_that_is_sent(filled: Filled) -> None:
    """Every reading operation that it has gives back every property of the answer with its value, expands included."""
    calls = {
        f"automation/runs/{filled.run}?expands={EXPANDS}": (RUNS, "getAutomationRun", filled.run, {"expands": EXPANDS}),
        f"projects/1/automation/runs?per_page=25&expands={EXPANDS}&order=asc": (
            RUNS,
            "getAutomationRunPage",
            1,
            {"perPage": 25, "expands": EXPANDS, "order": "asc", "sort": "automation_runs:created_at"},
        ),
        "projects/1/automation/runs?status=3&tags=b&source_id=1": (
            RUNS,
            "getAutomationRunPage",
            1,
            {"status": "3", "tags": "b", "sourceId": "1", "createdAfter": "2020-01-01T00:00:00.000Z"},
        ),
        "projects/1/automation/runs?status=2": (RUNS, "getAutomationRunPage", 1, {"status": "2"}),
        "automation/sources/1?expands=users": (SOURCES, "getAutomationSource", 1, {"expands": "users"}),
        "projects/1/automation/sources?expands=users": (SOURCES, "getAutomationSourcePage", 1, {"expands": "users"}),
    }
    for path, found in zip(calls, filled.read(*calls.values()), strict=True):
        sent = filled.sent(path)
        assert bool(sent["result"]) == ("status=2" not in path)
        assert found == {"made": sent}, path


@pytest.mark.slow
def test_the_binding_reads_refusals(filled: Filled) -> None:
    """It gets the status and the message of what is not there and of what makes no sense."""
    missing, wrong = filled.read(
        (RUNS, "getAutomationRun", 99, {}), (RUNS, "getAutomationRunPage", 1, {"perPage": 7, "status": "9"})
    )
    assert (missing["status"], missing["told"]["message"]) == (404, "There is no automation run with this id.")
    assert (wrong["status"], sorted(wrong["told"]["errors"])) == (422, ["per_page", "status"])
