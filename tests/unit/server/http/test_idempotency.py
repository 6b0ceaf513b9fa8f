import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from falcon.testing import TestClient

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Store
from support.service import API, ON_SQLITE, SECOND, TOKEN, Service, a_test

DAY = 24 * 3600 * SECOND


@pytest.mark.postgresql
def test_a_repeated_request_gets_the_first_answer_and_is_done_once(service: Service) -> None:
    """Every operation may be sent again with its key: same status, same body, nothing stored twice."""
    run = {"name": "n", "source": "s"}
    first, again = (service.post("/projects/1/automation/runs", run, key="run") for _ in range(2))
    assert (first.status_code, first.json) == (again.status_code, again.json) == (201, {"id": 1})
    first, again = (service.post("/automation/runs/1/threads", {}, key="thread") for _ in range(2))
    assert first.json == again.json == {"id": 1}
    tests = {"tests": [a_test()], "elapsed_computed": 5}
    for path, body in (
        ("/automation/runs/threads/1/append", tests),
        ("/automation/runs/1/append", {"fields": [{"type": 1, "name": "f"}]}),
        ("/automation/runs/threads/1/complete", {}),
        ("/automation/runs/1/complete", {}),
    ):
        answers = [service.post(path, body, key=path) for _ in range(3)]
        assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
    stored = service.run(1)
    assert (stored["total_count"], stored["thread_count"], len(stored["fields"])) == (1, 1, 1)
    assert stored["threads"][0]["elapsed"] == 5
    again = service.post("/automation/runs/threads/1/append", tests, key="/automation/runs/threads/1/append")
    assert again.status_code == 204, "an answer is repeated even when the thread is completed by now"


@pytest.mark.postgresql
def test_a_key_cannot_be_used_for_another_request(service: Service) -> None:
    """The same key with another body, or at another address, is 422 and changes nothing."""
    first, second = (service.new_thread(service.new_run()) for _ in range(2))
    append = "/automation/runs/threads/{}/append"
    assert service.post(append.format(first), {"tests": [a_test(1)]}, key="k").status_code == 204
    for thread, body in ((first, {"tests": [a_test(2)]}), (second, {"tests": [a_test(1)]})):
        answer = service.post(append.format(thread), body, key="k")
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])
    assert [service.run(run)["total_count"] for run in (1, 2)] == [1, 0]


@pytest.mark.postgresql
def test_a_refused_request_does_not_use_its_key_up(service: Service) -> None:
    """After a 4xx the key can be sent with a corrected request; nothing but the key makes two requests one."""
    run_id = service.new_run()
    thread_id = service.new_thread(run_id)
    path = f"/automation/runs/threads/{thread_id}/append"
    assert service.post(path, {"tests": [a_test(1, "nonsense")]}, key="k").status_code == 422
    assert service.post("/automation/runs/threads/99/append", {"tests": [a_test(1)]}, key="k").status_code == 404
    for key in ("k", None, None):
        assert service.post(path, {"tests": [a_test(1)]}, key=key).status_code == 204
    assert service.run(run_id)["total_count"] == 3


@pytest.mark.postgresql
def test_the_key_comes_back_with_every_answer(service: Service) -> None:
    """That is how a client learns that this server knows keys: on success, repetition and refusal."""
    run = {"name": "n", "source": "s"}
    bodies: tuple[dict[str, str], ...] = (run, run, {}, {"name": "other", "source": "s"})
    answers = [service.post("/projects/1/automation/runs", body, key="k-1") for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201, 422, 422]
    assert [answer.headers["idempotency-key"] for answer in answers] == ["k-1"] * 4
    assert "idempotency-key" not in service.post("/projects/1/automation/runs", run).headers
    assert service.raw("GET", f"{API}/automation/runs/1", Idempotency_Key="k").headers["idempotency-key"] == "k"
    assert "idempotency-key" not in service.raw("GET", f"{API}/automation/runs/1", Idempotency_Key="a b").headers
    assert "idempotency-key" not in service.raw("POST", f"{API}/nothing", Authorization="", Idempotency_Key="k").headers


@pytest.mark.postgresql
def test_a_key_that_is_no_word_is_refused(service: Service) -> None:
    """Keys are 1 to 255 visible ASCII characters, and others are not sent back."""
    for key in ("", "a b", "\xe9", "x" * 256):
        body = b'{"name": "n", "source": "s"}'
        answer = service.raw("POST", f"{API}/projects/1/automation/runs", body, Idempotency_Key=key)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])
        assert "idempotency-key" not in answer.headers


@pytest.mark.postgresql
def test_keys_are_forgotten_after_a_week(service: Service) -> None:
    """A store does not grow by old keys, and a week-old one is as good as new."""
    path, run = "/projects/1/automation/runs", {"name": "n", "source": "s"}
    service.post(path, run, key="old")
    service.clock.now += 6 * DAY
    for number in range(260):
        service.post(path, run, key=f"young-{number}")
    assert service.post(path, run, key="old").json == {"id": 1}
    service.clock.now += DAY
    assert service.post(path, run, key="old").json == {"id": 1}, "seven days are kept"
    service.clock.now += 1
    assert service.post(path, run, key="old").json == {"id": 262}, "and no more, purged or not"
    service.clock.now += DAY
    for number in range(260):
        service.post(path, run, key=f"new-{number}")
    assert service.post(path, run, key="old").json != {"id": 1}
    with service.store._connections.reading() as connection:
        young = "SELECT count(*) FROM applied_request WHERE key LIKE 'young%'"
        assert connection.execute(young) == [(260,)]


def test_the_same_request_at_once_is_done_once(place: Path | PostgresDatabase) -> None:
    """Copies that arrive together, in two processes' worth of stores, wait, and get the answer of the first one."""
    stores = [Store(place) for _ in range(2)]
    clients = [TestClient(create_application(store, TOKEN)) for store in stores]
    headers = {"Authorization": f"Bearer {TOKEN.value}", "Idempotency-Key": "same"}
    path, barrier = f"{API}/projects/1/automation/runs", threading.Barrier(8)

    def send(client: TestClient) -> tuple[int, str]:
        barrier.wait()
        answer = client.simulate_post(path, headers=headers, json={"name": "n", "source": "s"})
        return answer.status_code, answer.text

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(send, clients * 4))
    assert seen == [(201, '{"id":1}')] * 8
    assert clients[0].simulate_get(path, headers=headers).json["total"] == 1
    for store in stores:
        store.close()


@ON_SQLITE
def test_an_answered_key_is_answered_while_another_process_writes(service: Service, tmp_path: Path) -> None:
    """A replay of an answered request needs no write lock, so no writer of another process keeps it waiting."""
    path, run = "/projects/1/automation/runs", {"name": "n", "source": "s"}
    assert service.post(path, run, key="k").status_code == 201
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        again, changed = service.post(path, run, key="k"), service.post(path, {**run, "name": "m"}, key="k")
        other.execute("ROLLBACK")
    assert (again.status_code, again.json) == (201, {"id": 1})
    assert (changed.status_code, list(changed.json["errors"])) == (422, ["Idempotency-Key"])
