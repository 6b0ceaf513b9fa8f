"""Findings in the background of a server: each run once, whoever asks, and an end that leaves nothing half done."""

import logging
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest
from falcon.testing import TestClient

from pytest_automation_report.server.http import serving
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.http.serving import FindingsWorker
from pytest_automation_report.server.store import compared
from pytest_automation_report.server.store import findings as store_findings
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.store import Store
from support.service import TOKEN, Service, a_test

VERSION = "SELECT version FROM run_document WHERE kind = 'findings' AND run_id = ?"


def a_run(service: Service) -> int:
    return service.completed_run(a_test(1))


def versions(service: Service, run: int) -> list[int]:
    return [row[0] for row in service.store.read(lambda connection: connection.execute(VERSION, (run,)))]


def ended(worker: FindingsWorker) -> None:
    """Let a worker do all that waits, and end: `close` would leave it."""
    worker._executor.shutdown()


def test_completed_runs_are_computed(service: Service) -> None:
    """Every run that was added has its findings, without a request for them; a closed worker takes no run."""
    worker = FindingsWorker(service.store)
    runs = [a_run(service) for _ in range(3)]
    for run in runs:
        worker.add(run)
    ended(worker)
    assert [versions(service, run) for run in runs] == [[compared.VERSION]] * 3
    worker.close()
    late = a_run(service)
    worker.add(late)
    assert versions(service, late) == []


def test_completion_is_reported_once_it_is_stored(service: Service) -> None:
    """The application calls with the id of a run after its completion, and not for a completion that it refuses."""
    completed: list[tuple[int, bool]] = []
    told = ServerOptions(
        on_run_completed=lambda run_id: completed.append((run_id, service.run(run_id)["is_completed"]))
    )
    client = TestClient(create_application(service.store, TOKEN, told))
    run, headers = service.new_run(), {"Authorization": f"Bearer {TOKEN.value}"}
    paths = [f"/api/v1/automation/runs/{run_id}/complete" for run_id in (run, run, 99)]
    statuses = [client.simulate_post(path, headers=headers, json={}).status_code for path in paths]
    assert (statuses, completed) == ([204, 422, 404], [(run, True)])


def test_a_run_is_computed_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that comes while the findings are computed waits for them, and computes nothing."""
    run = a_run(service)
    has_begun, may_go_on = threading.Event(), threading.Event()
    compute, calls = store_findings._computed, list[int]()

    def slow(connection: Any, **given: Any) -> Any:  # noqa: ANN401 - as they come
        calls.append(1)
        has_begun.set()
        assert may_go_on.wait(60)
        return compute(connection, **given)

    monkeypatch.setattr(store_findings, "_computed", slow)
    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(findings, service.store, run) for _ in range(3)]
        assert has_begun.wait(60)
        may_go_on.set()
    assert (len(calls), [result.result()["run"] for result in results]) == (1, [run] * 3)


def test_no_error_ends_it(service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A run that was removed, and an error of ours, are logged; the runs after them are computed all the same."""
    seen: list[int] = []

    def failing(store: object, run_id: int) -> None:
        seen.append(run_id)
        if run_id == 2:
            raise ZeroDivisionError
        findings(service.store, run_id)
        assert store is service.store

    monkeypatch.setattr(serving, "findings", failing)
    run = a_run(service)
    worker = FindingsWorker(service.store)
    with caplog.at_level(logging.DEBUG):
        for run_id in (99, 2, run):
            worker.add(run_id)
        ended(worker)
    assert (seen, versions(service, run)) == ([99, 2, run], [compared.VERSION])
    assert [record.levelname for record in caplog.records] == ["DEBUG", "ERROR"]


@pytest.mark.postgresql
def test_an_end_with_runs_that_wait(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the process the run at hand is computed to its end, and those that wait are left for later."""
    first, second = a_run(service), a_run(service)
    has_begun, may_go_on = threading.Event(), threading.Event()

    def slow(store: Store, run_id: int) -> None:
        has_begun.set()
        assert may_go_on.wait(60)
        findings(store, run_id)

    monkeypatch.setattr(serving, "findings", slow)
    worker = FindingsWorker(service.store)
    futures, submit = list[Future[None]](), worker._executor.submit
    monkeypatch.setattr(worker._executor, "submit", lambda *given: futures.append(submit(*given)))
    worker.add(first)
    worker.add(second)
    assert has_begun.wait(60)
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(worker.close)
        with pytest.raises(CancelledError):
            futures[1].result(60)
        assert not end.done()
        may_go_on.set()
    assert (versions(service, first), versions(service, second)) == ([compared.VERSION], [])
    FindingsWorker(service.store).close()
