"""What a team's monitoring asks a server for: checks of health, numbers for Prometheus, lines of the log."""

import pytest
from falcon.testing import StartResponseMock, TestClient, create_environ

from pytest_automation_report.api.models import Json
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.store.values import ApiError
from support.service import API, ON_SQLITE, SECOND, TOKEN, Service, a_test

SIGNED = {"Authorization": f"Bearer {TOKEN.value}"}


def _numbers(client: TestClient) -> dict[str, float]:
    """Return all numbers by their names with labels, without our prefix."""
    answer = client.simulate_get("/metrics", headers=SIGNED)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {
        name.removeprefix("automation_report_"): float(value) for name, _, value in (x.rpartition(" ") for x in lines)
    }


@pytest.mark.postgresql
def test_health_needs_no_token_and_numbers_do(service: Service) -> None:
    """Load balancers ask whether process and database answer; the numbers are for tokens, unless they are public."""
    client = TestClient(create_application(service.store, TOKEN, ServerOptions(hosts=frozenset())))
    for path in ("/healthz", "/readyz"):
        answer = client.simulate_get(path, headers={"Host": "10.0.0.5:8000"})
        assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert client.simulate_get("/metrics", headers={"Host": "localhost"}).status_code == 401
    options = ServerOptions(are_metrics_public=True, hosts=frozenset(), requests_per_minute=1)
    public = TestClient(create_application(service.store, TOKEN, options))
    answers = [public.simulate_get("/metrics", headers={"Host": "10.0.0.5:8000"}).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429], "they are counted as pages are"
    runs = f"{API}/projects/1/automation/runs"
    assert public.simulate_get(runs, headers={"Host": "localhost"}).status_code == 401


def test_numbers_are_those_of_requests_and_store(service: Service) -> None:
    """Requests by method and status, errors by kind, appends and seconds of this server, and what the store has."""
    service.completed_run(a_test())
    client = TestClient(create_application(service.store, TOKEN))
    run = client.simulate_post(f"{API}/projects/1/automation/runs", headers=SIGNED, json={"name": "n", "source": "s"})
    runs = f"{API}/automation/runs"
    thread = client.simulate_post(f"{runs}/{run.json['id']}/threads", headers=SIGNED, json={}).json["id"]
    appended: list[list[Json]] = [[a_test(1), a_test(2)], [a_test(3)], [{}]]
    for tests in appended:
        client.simulate_post(f"{runs}/threads/{thread}/append", headers=SIGNED, json={"tests": tests})
    client.simulate_get(f"{runs}/99", headers=SIGNED)
    client.simulate_get(f"{runs}/1")
    found = _numbers(client)
    seconds = {name: found.pop(name) for name in sorted(found) if name.startswith("request_seconds_sum")}
    size = found.pop("store_bytes")
    assert found == {
        'requests_total{method="POST",status="201"}': 2,
        'requests_total{method="POST",status="204"}': 2,
        'requests_total{method="POST",status="422"}': 1,
        'requests_total{method="GET",status="404"}': 1,
        'requests_total{method="GET",status="401"}': 1,
        'errors_total{kind="invalid"}': 1,
        'errors_total{kind="not_found"}': 1,
        'errors_total{kind="token"}': 1,
        'request_seconds_count{kind="api"}': 4,
        'request_seconds_count{kind="append"}': 3,
        "appends_total": 3,
        "store_up": 1,
        "runs": 2,
        "open_runs": 1,
        "results": 4,
    }
    assert [*seconds] == [f'request_seconds_sum{{kind="{kind}"}}' for kind in ("api", "append")]
    assert all(0 < each < 60 for each in seconds.values())
    assert size > 10_000


@pytest.mark.parametrize("is_known", [True, False])
def test_a_server_without_its_database_is_not_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    """Any error of the database is 503 there, and is counted as one of the database."""
    client = TestClient(create_application(service.store, TOKEN))

    def away(*_: object, **__: object) -> None:
        raise ApiError(429, "gone", kind="database") if is_known else service.store.driver_error("disk I/O error")

    with monkeypatch.context() as context:
        context.setattr(service.store, "read", away)
        assert [client.simulate_get(path).status_code for path in ("/healthz", "/readyz")] == [200, 503]
    found = _numbers(client)
    assert {name: count for name, count in found.items() if name.startswith("errors_total")} == {
        'errors_total{kind="database"}': 1,
        'errors_total{kind="token"}': 0,
    }


@pytest.mark.postgresql
def test_the_age_of_a_prune_is_not_negative(service: Service) -> None:
    """The clock of the machine that pruned may be ahead."""
    service.store.write(lambda writer: writer.connection.add("moment", name="prune", time=writer.now + 5 * SECOND))
    client = TestClient(create_application(service.store, TOKEN))
    assert _numbers(client)["prune_age_seconds"] == 0
    service.clock.now += 12 * SECOND
    assert _numbers(client)["prune_age_seconds"] == 7


def test_a_method_of_any_text_is_no_number_of_its_own(service: Service) -> None:
    """A client without the token makes the numbers neither unreadable nor more: unknown methods are counted as one."""
    application = create_application(service.store, TOKEN)
    for method in ('A",STATUS="', "BREW", "BREW2"):
        application({**create_environ(), "REQUEST_METHOD": method}, StartResponseMock())
    requests = [name for name in _numbers(TestClient(application)) if name.startswith("requests_total")]
    assert requests == ['requests_total{method="other",status="401"}']


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_request_is_one_line_of_the_log(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, *, is_broken: bool
) -> None:
    """No path looks like another line, and none shows a token or the code of a link, also when the server fails."""
    caplog.set_level("DEBUG", "pytest_automation_report.server.http.application")

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    if is_broken:
        monkeypatch.setattr("pytest_automation_report.server.http.guard.RequestGuard.process_request", broken)
    client = TestClient(create_application(service.store, TOKEN))
    for text in ("\n10.0.0.1 (ci) completed run 7", "\u2028x", TOKEN.value, "open/a-code-of-a-link", f"arp_{'x' * 43}"):
        client.simulate_get(f"/{text}")
    assert len(caplog.messages) == (10 if is_broken else 5)
    told = "\n".join(caplog.messages)
    assert len(told.splitlines()) == len(caplog.messages)
    assert not [each for each in (TOKEN.value, "a-code", "x" * 43) if each in told]


@ON_SQLITE
def test_a_full_disk_is_a_line_when_it_begins_and_one_when_it_ends(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads and small changes go on meanwhile and say nothing of it; the errors are counted by their kind."""
    caplog.set_level("INFO")
    client = TestClient(create_application(service.store, TOKEN))
    thread = service.new_thread(service.new_run())
    connection = service.file._writer.raw
    caplog.clear()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    append, tests = f"{API}/automation/runs/threads/{thread}/append", [a_test(n, folder="f" * 999) for n in range(99)]
    for _ in range(3):
        assert client.simulate_post(append, headers=SIGNED, json={"tests": tests}).status_code == 429
        assert client.simulate_get(f"{API}/automation/runs/1", headers=SIGNED).status_code == 200
        assert client.simulate_post(append, headers=SIGNED, json={"elapsed_observed": 1}).status_code == 204
    assert len(caplog.messages) == 1
    connection.execute("PRAGMA max_page_count = 1000000")
    monkeypatch.setattr("pytest_automation_report.server.store.store._ROOMY_SECONDS", 0.0)
    for _ in range(2):
        assert client.simulate_post(append, headers=SIGNED, json={"tests": [a_test()]}).status_code == 204
    begin, end = caplog.messages
    assert begin.startswith(f"{service.place}: The disk is full")
    assert end == f"{service.place}: the disk is usable again, after 0 s"
    assert _numbers(client)['errors_total{kind="disk"}'] == 3
