import io
import random
from collections.abc import Iterator
from contextlib import closing

import pytest
from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.contents import ArtifactContents
from pytest_automation_report.server.store.database import used_bytes
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ApiError
from support.contract import Contract
from support.service import API, TOKEN, Service, a_test

ROOM = 1_000_000


@pytest.fixture
def limit(service: Service) -> int:
    """Return what a store may have that takes a little more than it takes with nothing in it."""
    return service.store.read(used_bytes) + ROOM


@pytest.fixture
def full(service: Service, limit: int, contract: Contract) -> Iterator[TestClient]:
    """Serve a store that has reached its limit, with one open run and thread."""
    thread = service.new_thread(service.new_run())
    while service.store.read(used_bytes) < limit:
        service.append(thread, *(a_test(each, folder="f" * 700) for each in range(100)))
    with closing(Store(service.place, max_bytes=limit)) as store:
        yield TestClient(contract.wsgi(create_application(store, TOKEN)))


def _post(client: TestClient, path: str, body: object, **headers: str) -> Result:
    return client.simulate_post(API + path, json=body, headers={"Authorization": f"Bearer {TOKEN.value}", **headers})


def test_a_full_store_takes_nothing_more(full: TestClient, service: Service, limit: int) -> None:
    """What would make it larger is refused and told what helps; threads and runs are completed, all is read."""
    before = service.run(1)
    for path, body in (
        ("/projects/1/automation/runs", {"name": "n", "source": "s"}),
        ("/automation/runs/1/append", {"fields": []}),
        ("/automation/runs/1/threads", {}),
        ("/automation/runs/threads/1/append", {"tests": [a_test()]}),
    ):
        answer = _post(full, path, body)
        assert answer.status_code == 422, path
        assert f"may have {limit}" in answer.json["message"]
        assert "store prune" in answer.json["message"]
    assert service.run(1) == before
    assert _post(full, "/automation/runs/threads/1/complete", {}).status_code == 204
    assert _post(full, "/automation/runs/1/complete", {}).status_code == 204
    assert service.run(1)["is_completed"]


@pytest.mark.postgresql
def test_what_was_refused_is_taken_when_there_is_room(full: TestClient, service: Service) -> None:
    """The same request with the same key is new again: free space counts as room."""
    request, key = ("/automation/runs/threads/1/append", {"tests": [a_test(999)]}), {"Idempotency-Key": "k"}
    assert _post(full, *request, **key).status_code == 422
    service.store.write(lambda writer: writer.connection.execute("DELETE FROM result WHERE id > 100"))
    if isinstance(service.place, PostgresDatabase):
        service.store.compact()  # it counts what the files have
    assert _post(full, *request, **key).status_code == 204


def test_a_full_store_keeps_no_artifact(service: Service, limit: int) -> None:
    """Contents count as all else does; one that is there already needs no room."""
    content = io.BytesIO(random.Random(1).randbytes(2 * ROOM))
    ArtifactContents(service.store).put(content)
    with closing(Store(service.place, max_bytes=limit)) as store:
        content.seek(0)
        ArtifactContents(store).put(content)
        with pytest.raises(ApiError, match="The store is full"):
            ArtifactContents(store).put(io.BytesIO(b"y"))
