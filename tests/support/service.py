"""The application over a store of its own with a clock that tests set, every exchange checked against the contract."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import Json, PostgresDatabase, Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Connections, SqliteConnection, Store
from support.contract import Contract

API = "/api/v1"
TOKEN = Token("a-token-of-these-tests")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND

ON_SQLITE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""For tests of what only SQLite has, which `sessions/server/test_on_postgresql.py` leaves out."""

ON_POSTGRESQL = pytest.mark.parametrize("place", ["postgresql"], indirect=True)
"""For tests of what only PostgreSQL has."""

ON_BOTH = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


class Clock:
    """A clock that stands still until it is moved; microseconds since 1970."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Service:
    def __init__(self, place: Path | PostgresDatabase, contract: Contract) -> None:
        self.clock = Clock()
        self.place = place
        self.store = Store(place, clock=self.clock)
        self.application = create_application(self.store, TOKEN)
        self._checked = TestClient(contract.wsgi(self.application))
        self._plain = TestClient(self.application)

    @property
    def file(self) -> Connections:
        connections = self.store._connections
        assert isinstance(connections, Connections)
        return connections

    @property
    def reader(self) -> SqliteConnection:
        """The connection to the file that reads next."""
        self.store.read(lambda connection: connection.execute("SELECT 1"))
        reader = self.file._readers.queue[-1]
        assert reader is not None
        return reader

    def post(self, path: str, body: object = None, *, key: str | None = None) -> Result:
        """Send a JSON body below /api/v1, with an idempotency key when one is given."""
        headers = {"Authorization": f"Bearer {TOKEN.value}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is None:
            return self._checked.simulate_post(API + path, headers=headers)
        headers["Content-Type"] = "application/json"
        return self._checked.simulate_post(API + path, headers=headers, body=json.dumps(body).encode())

    def get(self, path: str, query: str = "") -> Result:
        headers = {"Authorization": f"Bearer {TOKEN.value}"}
        return self._checked.simulate_get(API + path, headers=headers, query_string=query)

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> Result:
        """Send exactly this, without a check of the contract; header names with underscores for dashes."""
        sent = {"Authorization": f"Bearer {TOKEN.value}", "Content-Type": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self._plain.simulate_request(method, path, headers=sent, body=body)

    def new_run(self, project_id: int = 1, **properties: object) -> int:
        body = {"name": "a run", "source": "a-source", **properties}
        answer = self.post(f"/projects/{project_id}/automation/runs", body)
        assert answer.status_code == 201, answer.text
        run_id: int = answer.json["id"]
        return run_id

    def new_thread(self, run_id: int, **properties: object) -> int:
        answer = self.post(f"/automation/runs/{run_id}/threads", properties)
        assert answer.status_code == 201, answer.text
        thread_id: int = answer.json["id"]
        return thread_id

    def append(self, thread_id: int, *tests: Json, **properties: object) -> None:
        answer = self.post(f"/automation/runs/threads/{thread_id}/append", {"tests": tests, **properties})
        assert answer.status_code == 204, answer.text

    def complete(self, run_id: int, **properties: object) -> None:
        answer = self.post(f"/automation/runs/{run_id}/complete", properties)
        assert answer.status_code == 204, answer.text

    def complete_thread(self, thread_id: int, **properties: object) -> None:
        answer = self.post(f"/automation/runs/threads/{thread_id}/complete", properties)
        assert answer.status_code == 204, answer.text

    def completed_run(self, *tests: Json, project_id: int = 1, **properties: object) -> int:
        run_id = self.new_run(project_id, **properties)
        self.append(self.new_thread(run_id), *tests)
        self.complete(run_id)
        return run_id

    def run_of_jobs(self, *jobs: tuple[str, int, Iterable[Json]], run_id: int | None = None) -> int:
        """Report a run of these jobs, each with its attempt and its tests, in this order; the run may be there."""
        run_id = self.new_run() if run_id is None else run_id
        for name, attempt, tests in jobs:
            self.append(self.new_thread(run_id, job={"name": name, "attempt": attempt}), *tests)
        self.complete(run_id)
        return run_id

    def run(self, run_id: int) -> Json:
        answer = self.get(f"/automation/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        run: Json = answer.json["result"]
        return run


def a_test(number: int = 0, status: str = "passed", **properties: object) -> Json:
    return {"key": f"key{number}", "name": f"test_{number}", "folder": "tests.a", "status": status, **properties}


def option(place: Path | PostgresDatabase) -> str:
    """Return how a command is told of a place."""
    return str(place) if isinstance(place, Path) else place.url
