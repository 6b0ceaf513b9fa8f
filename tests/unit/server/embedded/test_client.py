"""The embedded store answers the client as the server does: a few requests, both ways, in two stores."""

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from msgspec import to_builtins

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import (
    EMBEDDED_ORIGIN,
    Artifact,
    Field,
    FieldType,
    Link,
    NewRun,
    Resources,
    Test,
    Token,
    encode,
)
from pytest_automation_report.api.responses import ClientError, ThrottledError, UnknownAnswerError
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.api.embedded import StoreClient
from pytest_automation_report.server.store import store as stores
from pytest_automation_report.server.store.store import Store
from support.service import START
from support.store_adapter import StoreAdapter

TOKEN = Token("a-token-of-these-tests")
RUN = NewRun("run", "suite")
FAILURE = Field("Failure", "E  assert 1 == 2\n" * 3, FieldType.CONSOLE, {"message": "assert 1 == 2"}, is_highlight=True)
TOTAL = Field("Attempts", "2", meta={"counts": "attempts"})
PICTURE = Artifact("a.png", "https://files.example/a.png", note="seen", mime_type="image/png", size=5)


class Way(NamedTuple):
    """One of the two ways, over a store in a separate file."""

    client: Client
    database: Path


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Way, Way]]:
    """Yield a client of the server and one of the embedded store, whose clocks stand still."""
    monkeypatch.setattr(stores.Store.__init__, "__kwdefaults__", {
        **(stores.Store.__init__.__kwdefaults__ or {}), "clock": lambda: START,
    })  # fmt: skip
    served, embedded = tmp_path / "served.db", tmp_path / "embedded.db"
    with requests.Session() as session, StoreClient(embedded, 1, clock=lambda: START) as client:
        session.mount("http+local://", StoreAdapter(served, TOKEN))
        yield Way(HttpClient(session, EMBEDDED_ORIGIN, TOKEN, project_id=1), served), Way(client, embedded)


def _outcome(request: Callable[[], object]) -> object:
    """Return the response of a request, or class, message and members of its error."""
    try:
        return request()
    except ClientError as error:
        members = {name: getattr(error, name, None) for name in ("status", "errors", "retry_after_seconds")}
        return type(error), str(error), members


def _rows(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2').fetchall() for table in tables}


def _both(ways: tuple[Way, Way], *calls: Callable[[Client], object]) -> list[object]:
    """Make the same requests both ways, and require equal outcomes and rows; return the outcomes."""
    served, embedded = ([_outcome(lambda call=call, way=way: call(way.client)) for call in calls] for way in ways)  # type: ignore[misc] # of the defaults
    assert embedded == served
    assert _rows(ways[1].database) == _rows(ways[0].database)
    return embedded


def _tests(*tests: Test | dict[str, object], **members: object) -> bytes:
    texts = [encode(test).decode() if isinstance(test, Test) else json.dumps(test) for test in tests]
    rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in members.items())
    return f'{{"tests":[{",".join(texts)}]{rest}}}'.encode()


def _test(number: int, status: str = "passed", **members: Any) -> Test:  # noqa: ANN401 - those of a test
    return Test(f"{number:x}", f"test_{number}", "tests.a", status, **members)


def test_a_whole_session(ways: tuple[Way, Way]) -> None:
    """A run of a session has the same ids and rows both ways."""
    outcomes = _both(
        ways,
        lambda client: client.create_run(
            NewRun(
                "run", "suite", config="linux", milestone="m", tags=("a", "b", "a"),
                fields=(Field("Branch", "main"), Field("no value", None)),
                links=(Link("job", "https://ci.example/1", "note"),), artifacts=(PICTURE,),
            ), key="1",
        ),
        lambda client: client.create_thread(1, Resources((Field("Worker", "gw0"),), artifacts=(PICTURE,)), key="2"),
        lambda client: client.append_thread(
            1,
            _tests(
                _test(1, elapsed=5, file="test_a.py", line=3),
                _test(2, "failure", fields=(FAILURE, TOTAL), artifacts=(PICTURE,), assertions=2),
                {**to_builtins(_test(3)), "elapsed": 9, "started": 11, "phases": [2, 3, 4]},
                elapsed_observed=100, elapsed_computed=5, session_started=START,
            ), key="3",
        ),
        lambda client: client.append_run(1, Resources((Field("late", "v"),), (Link("l", "http://x"),))),
        lambda client: client.complete_thread(1, elapsed_observed=200, elapsed_computed=5),
        lambda client: client.complete_run(1, measure_elapsed=False),
    )  # fmt: skip
    assert outcomes == [1, 1, *[None] * 4]


def test_refusals(ways: tuple[Way, Way]) -> None:
    """A refused request has an error of the same class, with the same status, message and mistakes, and no rows."""
    _both(
        ways,
        lambda client: client.create_run(RUN),
        lambda client: client.create_thread(1, Resources()),
        lambda client: client.append_thread(1, b"{}", key="used"),
    )
    outcomes = _both(
        ways,
        lambda client: client.append_thread(9, _tests(_test(1))),
        lambda client: client.append_thread(1, _tests({"key": "A", "name": "", "status": "passed"})),
        lambda client: client.append_thread(1, b'{"tests":['),
        lambda client: client.append_thread(1, b'{"tests":[]' + b" " * (16 << 20) + b"}"),
        lambda client: client.append_thread(1, _tests(_test(1)), key="used"),
        lambda client: client.flaky_document(99),
    )
    assert all(isinstance(outcome, tuple) and issubclass(outcome[0], ClientError) for outcome in outcomes)


def test_keys_are_the_same_for_both_ways(tmp_path: Path) -> None:
    """A request that was served is a repetition for the embedded client of the same store, and the other way round."""
    database = tmp_path / "store.db"
    with requests.Session() as session, StoreClient(database, 1) as embedded:
        session.mount("http+local://", StoreAdapter(database, TOKEN))
        served = HttpClient(session, EMBEDDED_ORIGIN, TOKEN, project_id=1)
        assert served.create_run(RUN, key="a") == embedded.create_run(RUN, key="a") == 1
        assert embedded.create_thread(1, Resources(), key="b") == served.create_thread(1, Resources(), key="b") == 1
        for client in (served, embedded, served):
            client.append_thread(1, _tests(_test(1)), key="c")
        assert embedded.run(1).total == 1


def test_reads(ways: tuple[Way, Way]) -> None:
    """Runs, results, sources and findings are read alike, with filters, pages and without threads."""
    _both(
        ways,
        lambda client: client.create_run(NewRun("run", "suite", tags=("a", "b"), milestone="m")),
        lambda client: client.create_thread(1, Resources((FAILURE,))),
        lambda client: client.append_thread(1, _tests(*(_test(number) for number in range(150)), _test(999, "error"))),
        lambda client: client.complete_run(1, measure_elapsed=True),
    )
    _both(
        ways,
        lambda client: client.run(1),
        lambda client: client.runs(tags=("b",), status=(3,), expands=("automation_sources",), has_threads=False),
        lambda client: client.count_runs(tags=("a",), key="k"),
        lambda client: client.run_tests(1, thread_id=1, status_id=(3,), is_newest_first=True),
        lambda client: client.sources(),
        lambda client: client.findings_document(1),
        lambda client: client.flaky_document(1, "main"),
        lambda client: client.durations_document("suite", ""),
        lambda client: client.durations_document(run=1),
        lambda client: client.results_document(1, after=149, status_id=(3,)),
    )


def test_files(ways: tuple[Way, Way]) -> None:
    """An uploaded file has the same URL and type, is stored once, and an empty or a large one has the same outcome."""

    def put(content: bytes, client: Client) -> object:
        return client.put_artifact(io.BytesIO(content), len(content), "a b.png")

    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4096
    outcomes = _both(ways, *(partial(put, content) for content in (png, b"", png, bytes(33 << 20))))
    assert outcomes[0] == outcomes[2]
    assert ways[1].client.artifact_bytes == ways[0].client.artifact_bytes == 32 << 20


def test_a_busy_store_is_asked_again(ways: tuple[Way, Way], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for too long, a request has the error after which it is repeated."""
    monkeypatch.setattr("pytest_automation_report.server.store.store.BUSY_SECONDS", 0.01)
    served, embedded = ways
    for way in ways:
        with closing(Store(way.database)), closing(sqlite3.connect(way.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ThrottledError) as caught:
                way.client.create_run(RUN)
            assert caught.value.retry_after_seconds == 1.0
            other.execute("ROLLBACK")
    assert served.client.create_run(RUN) == embedded.client.create_run(RUN) == 1


def test_a_damaged_store_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    """An error that no request should have is neither a success nor a refusal, and its message has the reason."""
    database = tmp_path / "store.db"
    with StoreClient(database, 1) as client:
        client.create_run(RUN)
        with closing(sqlite3.connect(database)) as other:
            other.execute("DROP TABLE attachment")
        with pytest.raises(UnknownAnswerError, match=r"^500: .*no such table"):
            client.append_run(1, Resources((Field("f", "v"),)))


def test_a_store_is_open_while_it_is_used(tmp_path: Path) -> None:
    """Nothing is made before the first request, whose error is the store's; after `close` a request opens it again."""
    folder = tmp_path / "folder"
    StoreClient(folder / "store.db", 1).close()
    assert not folder.exists()
    with StoreClient(tmp_path, 1) as client, pytest.raises(StoreError, match=str(tmp_path)):
        client.run(1)
    with StoreClient(folder / "store.db", 1) as client:
        client.create_run(RUN)
        assert (folder / "store.db-wal").exists()
        client.close()
        assert [path.name for path in folder.iterdir()] == ["store.db"], "SQLite removes its log at the end"
        assert client.runs().total == 1


def test_threads_may_share_a_client(tmp_path: Path) -> None:
    """Requests from several threads and of several clients at once are all stored, once."""
    with StoreClient(tmp_path / "store.db", 1) as first, StoreClient(tmp_path / "store.db", 1) as second:
        run = first.create_run(RUN)

        def work(client: Client, name: str) -> None:
            thread = client.create_thread(run, Resources(), key=name)
            for number in range(10):
                client.append_thread(thread, _tests(_test(number)), key=f"{name}-{number}")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, [first, second] * 3, "abcdef"))
        assert [thread.total for thread in first.run(run).threads] == [10] * 6
