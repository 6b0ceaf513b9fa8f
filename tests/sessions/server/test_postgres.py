import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from typing import TypeVar

import pytest
from falcon.testing import TestClient
from msgspec.structs import replace
from psycopg import OperationalError
from psycopg_pool import PoolClosed

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import StoreError
from pytest_automation_report.findings.documents import RunFindings
from pytest_automation_report.server.api.bodies import RunBody
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import Tokens
from pytest_automation_report.server.store import postgres
from pytest_automation_report.server.store import store as stores
from pytest_automation_report.server.store.database import StoreConnection, lock
from pytest_automation_report.server.store.findings import _computed, findings
from pytest_automation_report.server.store.findings import _keep as _keep_findings
from pytest_automation_report.server.store.reads import Reader, has_runs, run_row
from pytest_automation_report.server.store.removal import remove_unused_tests
from pytest_automation_report.server.store.store import IdempotentRequest, Store
from pytest_automation_report.server.store.values import (
    ApiError,
    RunAddition,
    StoredTest,
    ThreadSubmission,
    content_address,
    json_text,
)
from pytest_automation_report.server.store.writes import Writer
from support.clusters import Cluster, database_at
from support.service import ON_POSTGRESQL, TOKEN, Service, a_test

T = TypeVar("T")

RUN = RunBody(name="n", source="s").submission()
THREAD = ThreadSubmission()


def _keep(writer: Writer, run_id: int) -> int:
    """Keep a run until the transaction ends; return which process of PostgreSQL does so."""
    lock(writer.connection, "run", run_id)
    return _process(writer)


def _process(writer: Writer) -> int:
    return writer.connection.number("SELECT pg_backend_pid()")


def _waiting(cluster: Cluster, work: Callable[[], T]) -> Future[T]:
    """Begin something beside this; return once PostgreSQL says that somebody waits for a lock."""
    pool = ThreadPoolExecutor(1)
    begun = pool.submit(work)
    pool.shutdown(wait=False)
    deadline = time.monotonic() + 30
    while cluster.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == [(0,)]:
        assert time.monotonic() < deadline
    return begun


def _elsewhere(service: Service, change: Callable[[Writer], T]) -> T:
    with closing(Store(service.place, clock=service.clock)) as second:
        return second.write(change)


@ON_POSTGRESQL
@pytest.mark.parametrize("is_refused", [False, True])
def test_a_key_that_another_process_uses_is_waited_for(service: Service, cluster: Cluster, *, is_refused: bool) -> None:
    """While one server applies a request, another one keeps its copy waiting and takes other keys; then both agree.

    The key is free again when the first one refused the request.
    """
    same, other = IdempotentRequest("k", "f"), IdempotentRequest("other", "f")
    copies: list[Future[int | None]] = []
    with closing(Store(service.place, clock=service.clock)) as second:

        def slowly(_: Writer) -> int | None:
            copies.append(_waiting(cluster, lambda: second.change(lambda _: None, same)))
            assert second.change(lambda _: None, other) is None
            if is_refused:
                raise ApiError(422, "refused")
            return 7

        with pytest.raises(ApiError, match="refused") if is_refused else nullcontext():
            assert service.store.change(slowly, same) == 7
        assert copies[0].result(60) == (None if is_refused else 7)


@ON_POSTGRESQL
def test_an_answered_key_is_answered_while_another_server_has_its_row(service: Service) -> None:
    """A replay of an answered request takes no lock, so that no other server's transaction keeps it waiting."""
    identity = IdempotentRequest("k", "f")
    first = service.store.change(lambda _: 7, identity)
    with closing(Store(service.place)) as other, other._connections.writing() as connection:
        assert connection.change("UPDATE applied_request SET created = created WHERE key = ?", ("k",)) == 1
        assert service.store.change(lambda _: None, identity) == first


@ON_POSTGRESQL
def test_an_expired_key_is_applied_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers that find the same expired key at the same moment apply its request once."""
    identity, original = IdempotentRequest("k", "f"), stores._earlier_record
    service.store.change(lambda _: 7, identity)
    service.store.write(lambda writer: writer.connection.change("UPDATE applied_request SET created = 0"))
    done: list[str] = []
    reads: list[list[int | None]] = []
    with closing(Store(service.place, clock=service.clock)) as second:

        def read(connection: StoreConnection, request: IdempotentRequest, now: int) -> list[int | None]:
            earlier = original(connection, request, now)
            reads.append(earlier)
            if len(reads) == 2:
                second.change(lambda _: done.append("second"), identity)
            return earlier

        monkeypatch.setattr(stores, "_earlier_record", read)
        service.store.change(lambda _: done.append("first"), identity)
    assert len(done) == 1


@ON_POSTGRESQL
def test_writers_of_one_run_do_not_wait_for_each_other(service: Service, cluster: Cluster) -> None:
    """An append to one thread goes on while another server is in the middle of an append to another one."""
    run_id = service.new_run()
    threads = [service.new_thread(run_id) for _ in range(2)]
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    def work(writer: Writer) -> None:
        writer._open_thread(threads[0])
        service.append(threads[1], a_test())
        assert cluster.execute(statement) == [(0,)]
        writer.append_to_thread(
            threads[0], ThreadSubmission({"elapsed_observed": 1}, tests=[StoredTest("key9", "name", "folder", 2)])
        )

    with closing(Store(service.place)) as other:
        other.write(work)
    assert service.run(run_id)["total_count"] == 2


@ON_POSTGRESQL
def test_a_writer_that_waits_too_long_is_429(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a run stays locked, nothing was done and the client may repeat; nobody else waits for it, nor do readers."""
    run_id, other = service.new_run(), service.new_run()
    thread_id = service.new_thread(run_id)
    monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.05)
    with closing(Store(service.place)) as holder, holder._connections.writing() as database:
        lock(database, "run", run_id)
        with pytest.raises(ApiError) as refused:
            _elsewhere(service, lambda writer: writer.create_thread(run_id, THREAD))
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
        assert service.run(run_id)["thread_count"] == 1
        service.new_thread(other)
    service.append(thread_id, a_test())


@ON_POSTGRESQL
def test_a_full_disk_of_the_database_is_429(service: Service) -> None:
    """What PostgreSQL undoes for want of room is refused in words of its own, and can be sent again later."""
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
    with pytest.raises(ApiError, match="The disk is full") as refused:
        service.store.write(lambda writer: writer.connection.execute(full))
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "30"})
    assert service.new_run() == 1


@ON_POSTGRESQL
def test_who_stops_in_the_middle_loses_its_locks(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends a transaction that does not go on, so that others need not wait; it is then done once more."""
    run_id = service.new_run()
    monkeypatch.setattr(postgres, "_IDLE_SECONDS", 0.2)
    tries: list[int] = []

    def work(writer: Writer) -> None:
        tries.append(_keep(writer, run_id))
        if len(tries) == 1:
            service.new_thread(run_id)
        writer.create_thread(run_id, THREAD)

    with closing(Store(service.place)) as stopping:
        stopping.write(work)
    assert (len(tries), service.run(run_id)["thread_count"]) == (2, 2)


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("change", "noun"),
    [
        (lambda writer: writer.append_to_thread(1, THREAD), "thread"),
        (lambda writer: writer.complete_thread(1, {}), "thread"),
        (lambda writer: writer.create_thread(1, THREAD), "automation run"),
        (lambda writer: writer.append_to_run(1, RunAddition()), "automation run"),
        (lambda writer: writer.complete_run(1, measure_elapsed=False), "automation run"),
    ],
)
def test_completed_is_completed_for_those_who_waited(
    service: Service, cluster: Cluster, change: Callable[[Writer], None], noun: str
) -> None:
    """A change that came while another server completed the run is refused, whatever it saw before."""
    service.new_thread(service.new_run())

    def work(writer: Writer) -> Future[None]:
        writer.complete_run(1, measure_elapsed=False)
        return _waiting(cluster, lambda: _elsewhere(service, change))

    with pytest.raises(ApiError, match=f"The {noun} is completed and takes no changes."):
        service.store.write(work).result(30)


@ON_POSTGRESQL
def test_durations_that_come_at_once_are_added(service: Service, cluster: Cluster) -> None:
    """Two servers that append to one thread add to what the other one stored."""
    service.new_thread(service.new_run())
    addition = ThreadSubmission({"elapsed_observed": 5, "elapsed_computed": 7})

    def work(writer: Writer) -> Future[None]:
        writer.append_to_thread(1, addition)
        return _waiting(cluster, lambda: _elsewhere(service, lambda late: late.append_to_thread(1, addition)))

    service.store.write(work).result(30)
    (thread,) = service.store.read(lambda connection: Reader(connection).run(1, max_threads=1)).threads
    assert (thread.elapsed_observed, thread.elapsed_computed) == (10, 14)


@ON_POSTGRESQL
def test_who_waits_for_contents_keeps_none(service: Service, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are taken in one order: a test that waits for the contents of its artifact blocks no others."""
    service.new_thread(service.new_run())
    artifacts = json_text([{"name": "a.png", "url": content_address("0" * 64, "a.png")}])
    addition = ThreadSubmission(tests=[StoredTest("key", "name", "folder", 2, artifacts=artifacts)])

    def work(writer: Writer) -> Future[None]:
        lock(writer.connection, "contents")
        late = _waiting(cluster, lambda: _elsewhere(service, lambda other: other.append_to_thread(1, addition)))
        monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.05)
        assert _elsewhere(service, partial(remove_unused_tests, 1)) == 0
        return late

    service.store.write(work).result(30)
    assert service.run(1)["total_count"] == 1


@ON_POSTGRESQL
def test_writers_in_a_circle_are_each_done_once(service: Service) -> None:
    """PostgreSQL undoes one of two transactions that wait for each other, and the store does it again."""
    runs = [service.new_run() for _ in range(2)]
    barrier = threading.Barrier(2)
    begun: list[list[int]] = []

    def both(order: list[int], writer: Writer) -> None:
        begun.append(order)
        writer.append_to_run(order[0], RunAddition())
        if begun.count(order) == 1:
            barrier.wait(30)
        writer.append_to_run(order[1], RunAddition())
        for run_id in runs:
            writer.connection.change("UPDATE run SET tags = tags || '+' WHERE id = ?", (run_id,))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda order: service.store.write(partial(both, order)), [runs, runs[::-1]]))
    assert len(begun) >= 3, "one of them was done again"
    with service.store._connections.reading() as database:
        assert database.execute("SELECT tags FROM run") == [("[]++",), ("[]++",)]


@ON_POSTGRESQL
def test_a_connection_that_was_lost_is_replaced(service: Service, cluster: Cluster) -> None:
    """One that nobody used, and one in the middle of a transaction, which is then done once more; never twice."""
    run_id = service.new_run()
    cluster.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'reports'"
    )
    assert service.run(run_id)["id"] == run_id
    tries = []

    def work(writer: Writer) -> None:
        tries.append(_keep(writer, run_id))
        thread_id = writer.create_thread(run_id, THREAD)
        if len(tries) == 1:
            cluster.execute(f"SELECT pg_terminate_backend({tries[0]})")
        writer.complete_thread(thread_id, {})

    service.store.write(work)
    assert len(tries) == 2
    assert (service.run(run_id)["thread_count"], len(service.run(run_id)["threads"])) == (1, 1)


@ON_POSTGRESQL
def test_a_connection_that_is_always_lost_is_429(service: Service, cluster: Cluster) -> None:
    """The store gives up after some tries, and has done nothing."""
    tries = []

    def work(writer: Writer) -> None:
        writer.create_run(1, RUN)
        tries.append(_process(writer))
        cluster.execute(f"SELECT pg_terminate_backend({tries[-1]})")
        writer.create_run(1, RUN)

    with pytest.raises(ApiError) as refused:
        service.store.write(work)
    assert (refused.value.status, len(tries)) == (429, 5)
    assert service.get("/projects/1/automation/runs").status_code == 404


@ON_POSTGRESQL
def test_a_read_of_one_statement_is_one_message(service: Service) -> None:
    """It needs no transaction: begin and commit would be two more messages to the database."""
    for is_single, state in ((True, "IDLE"), (False, "INTRANS")):
        found = service.store.read(lambda each: each.raw.info.transaction_status.name, is_single=is_single)
        assert found == state


def test_a_database_that_is_away_is_429_until_it_is_back(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was done, so it is safe to repeat; the server need not be started again, and logs begin and end."""
    caplog.set_level("INFO", "pytest_automation_report")
    place = cluster.emptied()
    try:
        with closing(Store(place)) as store:
            made = store.write(lambda writer: writer.create_run(1, RUN))
            read, write = partial(run_row, run_id=made), lambda writer: writer.create_run(1, RUN)
            cluster.control("-m", "fast", "stop")
            for ask in (lambda: store.read(read), lambda: store.write(write)):
                with pytest.raises(ApiError, match="cannot be reached") as refused:
                    ask()
                assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "5")
            tokens = Tokens(store, TOKEN)
            client = TestClient(create_application(store, tokens))
            assert [client.simulate_get(path).status_code for path in ("/healthz", "/readyz")] == [200, 503]
            numbers = client.simulate_get("/metrics", headers={"Authorization": f"Bearer {TOKEN.value}"}).text
            assert "automation_report_store_up 0\n" in numbers
            assert "automation_report_results" not in numbers
            # Such questions are asked in the thread of all connections, where each would take three seconds.
            began = time.monotonic()
            answers = [tokens.refusal("Bearer arp_unknown", "") for _ in range(20)]
            assert [each.status for each in answers if each is not None] == [429] * 20
            assert time.monotonic() - began < 20
            cluster.restart()
            assert (store.read(read).id, store.write(write)) == (made, made + 1)
            assert client.simulate_get("/readyz").status_code == 200
        ours = [each.getMessage() for each in caplog.records if each.name.startswith("pytest_automation_report")]
        assert ours[0] == f"{place}: The database of the store cannot be reached."
        assert re.fullmatch(rf"{re.escape(str(place))}: the database is usable again, after [0-9]+ s", ours[1])
        assert len(ours) == 2
    finally:
        cluster.restart()


@ON_POSTGRESQL
def test_a_read_whose_end_meets_a_crash_is_asked_again(service: Service, cluster: Cluster) -> None:
    """A read changes nothing, so it is repeated when its commit fails; while that goes on clients are told to wait."""
    run_id, deaths = service.new_run(), iter([True, False])

    def ask(connection: StoreConnection) -> int:
        pid, found = connection.number("SELECT pg_backend_pid()"), connection.number("SELECT MAX(id) FROM run")
        if next(deaths, True):
            cluster.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
        return found

    assert service.store.read(ask) == run_id
    with pytest.raises(ApiError) as refused:
        service.store.read(ask)
    assert refused.value.status == 429


@ON_POSTGRESQL
def test_a_reader_sees_one_moment(service: Service) -> None:
    """What others commit meanwhile does not show: rows and counts that are read one after another fit."""
    run_id = service.new_run()
    with service.store._connections.reading() as database:
        amounts = [database.number("SELECT COUNT(*) FROM run")]
        service.new_run()
        amounts.append(database.number("SELECT COUNT(*) FROM run"))
    assert amounts == [1, 1]
    assert service.run(run_id + 1)["id"] == run_id + 1


@ON_POSTGRESQL
def test_a_closed_store_takes_nothing(service: Service) -> None:
    """It opens no new connection, and those that are in use are closed when they are given back."""
    with service.store._connections.reading() as database:
        service.store.close()
        assert database.number("SELECT 1") == 1
    with pytest.raises(OperationalError, match="closed"):
        database.number("SELECT 1")
    with pytest.raises(PoolClosed):
        service.store.read(has_runs)


@ON_POSTGRESQL
def test_two_servers_that_compute_the_same_findings_at_once(service: Service, place: PostgresDatabase) -> None:
    """Findings of the first run of a branch are the same from both, also from one that was about to store them."""
    run_id = service.completed_run(a_test(1), a_test(2, "failed"))
    with closing(Store(place)) as second:
        found: list[RunFindings] = []

        def clock() -> int:
            if not found:  # a writer asks for the time in its transaction
                found.append(findings(second, run_id))
            return time.time_ns() // 1000

        with closing(Store(place, clock=clock)) as first:
            assert findings(first, run_id) == found[0] == findings(second, run_id)


@ON_POSTGRESQL
def test_findings_that_are_stored_while_a_job_opens_the_run_again(service: Service, cluster: Cluster) -> None:
    """Whoever stores them waits until the run is open, and then does not: the late results are in the findings."""
    run_id = service.completed_run(a_test(1))
    computed = service.store.read(partial(_computed, run_id=run_id, wanted=None))
    late = replace(THREAD, extensions={"job": "late", "attempt": 1})
    kept: list[Future[None]] = []
    with closing(Store(service.place, clock=service.clock)) as second:

        def reopen(writer: Writer) -> int:
            thread_id = writer.create_thread(run_id, late)
            kept.append(_waiting(cluster, lambda: second.write(partial(_keep_findings, *computed))))
            return thread_id

        service.clock.now += 1
        thread_id = service.store.write(reopen)
        kept[0].result(60)
        service.append(thread_id, a_test(2, "failed"))
        service.complete_thread(thread_id)
        assert findings(second, run_id)["ran"]["failed"] == 1


def test_what_is_not_ours_is_refused_and_left_alone(cluster: Cluster) -> None:
    """Tables of something else are not mixed with ours."""
    new = cluster.new()
    name = new.shown.rpartition("/")[2]
    cluster.execute("CREATE TABLE things (id INTEGER)", name)
    tables = "SELECT schemaname, tablename FROM pg_tables ORDER BY 1, 2"
    before = cluster.execute(tables, name)
    with pytest.raises(StoreError, match=f"(?s){name}.*tables of something else.*search_path"):
        Store(new)
    assert cluster.execute(tables, name) == before


def test_a_store_can_have_a_schema_of_its_own(cluster: Cluster) -> None:
    """Beside tables of something else it is served from the schema that the address names."""
    new = cluster.new()
    name = new.shown.rpartition("/")[2]
    cluster.execute("CREATE TABLE run (id INTEGER); CREATE SCHEMA reports", name)
    own = database_at(f"{new.url}&options=-csearch_path%3Dreports")
    for _ in range(2):
        with closing(Store(own)) as store:
            store.write(lambda writer: writer.create_run(1, RUN))
    assert cluster.execute("SELECT count(*) FROM reports.run", name) == [(2,)]
    assert cluster.execute("SELECT count(*) FROM public.run", name) == [(0,)]


def test_a_database_that_cannot_hold_every_text_is_refused(cluster: Cluster) -> None:
    """Its encoding has to be UTF-8."""
    with pytest.raises(StoreError, match=r"encoding is SQL_ASCII.*UTF8"):
        Store(cluster.new("SQL_ASCII"))
