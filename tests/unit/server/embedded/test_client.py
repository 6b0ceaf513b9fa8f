"""The embedded store answers the client as the server does: the same requests, both ways, in two stores."""

from __future__ import annotations

import inspect
import io
import itertools
import json
import sqlite3
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests

from pytest_automation_report.api.http_client import HttpClient
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
    encoded,
)
from pytest_automation_report.errors import ClientError, StoreError, ThrottledError, UnknownAnswerError
from pytest_automation_report.server.embedded import bodies
from pytest_automation_report.server.embedded.client import StoreClient
from pytest_automation_report.server.store import store as stores
from pytest_automation_report.server.store.statuses import ResultStatus
from pytest_automation_report.server.store.store import Store
from support.service import START
from support.store_adapter import StoreAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_automation_report.api.client import Client

TOKEN = Token("a-token-of-these-tests")
RUN = NewRun("run", "suite")
FAILURE = Field("Failure", "E  assert 1 == 2\n" * 3, FieldType.CONSOLE, {"message": "assert 1 == 2"}, is_highlight=True)
PICTURE = Artifact("a.png", "https://files.example/a.png", note="seen", mime_type="image/png", size=5)


class Way(NamedTuple):
    """One of the two ways, over a store in a separate file."""

    client: Client
    database: Path


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Way, Way]]:
    """Yield a client of the server and one of the embedded store, whose clocks stand still."""
    monkeypatch.setattr(stores, "_now_us", lambda: START)
    monkeypatch.setattr(stores.Store.__init__, "__kwdefaults__", {
        **(stores.Store.__init__.__kwdefaults__ or {}), "clock": lambda: START,
    })  # fmt: skip
    served, embedded = tmp_path / "served.db", tmp_path / "embedded.db"
    with requests.Session() as session, StoreClient(embedded, 1) as client:
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
    texts = [encoded(test) if isinstance(test, Test) else json.dumps(test) for test in tests]
    rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in members.items())
    return f'{{"tests":[{",".join(texts)}]{rest}}}'.encode()


def _test(number: int, status: str = "passed", **members: Any) -> Test:  # noqa: ANN401 - those of a test
    return Test(f"{number:x}", f"test_{number}", "tests.a", status, **members)


def test_a_whole_session(ways: tuple[Way, Way], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with everything that a session sends has the same rows, and no body is read by the server's own code."""

    def refuse(*_: object) -> None:
        raise AssertionError("to load that code would cost more than to store the bodies")

    monkeypatch.setattr("pytest_automation_report.server.embedded.client._checked", refuse)
    outcomes = _both(
        ways,
        lambda client: client.create_run(
            NewRun("run", "suite", config="linux", milestone="m", tags=("a", "b", "a"), resources=Resources(
                (Field("Branch", "main"), Field("Commit", "abc"), Field("no value", None)),
                (Link("job", "https://ci.example/1", "note"),), (PICTURE,),
            )), key="1",
        ),
        lambda client: client.create_thread(1, Resources((Field("Worker", "gw0"),), artifacts=(PICTURE,)), key="2"),
        lambda client: client.create_thread(1, Resources(), elapsed_observed=7, elapsed_computed=0, job=JOB),
        lambda client: client.append_thread(
            1,
            _tests(
                _test(1, elapsed=5, file="test_a.py", line=3),
                _test(2, "failure", fields=(FAILURE, Field("Attempts", "2")), artifacts=(PICTURE,), assertions=2),
                _test(3, "skipped", fields=(Field("Skipped", "r\xe9ason \U0001f600 \x1b\x7f\u2028</script>"),)),
                {**_test(4).body(), "elapsed": 9, "started": 11, "phases": [2, 3, 4]},
                {**_test(5).body(), "elapsed": 3, "phases": [2, 3, 4]},
                {**_test(6, "failure").body(), "comparison": COMPARED, "steps": STEPS},
                {**_test(7).body(), "steps": []},
                {**_test(8, "failure").body(), "colours": COLOURS, "attempts": ATTEMPTS},
                {**_test(9).body(), "colours": {}, "attempts": []},
                elapsed_observed=100, elapsed_computed=5, session_started=START, running=[RUNNING],
                job=JOB, collection=COLLECTION,
            ), key="3",
        ),
        lambda client: client.append_thread(1, json.dumps({"fields": [Field("Note", "done").body()]}).encode()),
        lambda client: client.append_thread(1, b"{}"),
        lambda client: client.append_thread(1, _tests(running=[])),
        lambda client: client.append_run(1, Resources((Field("late", "v"),), (Link("l", "http://x"),))),
        lambda client: client.complete_thread(1, elapsed_observed=200, elapsed_computed=5),
        lambda client: client.complete_run(1, measure_elapsed=False),
    )  # fmt: skip
    assert outcomes == [1, 1, 2, *[None] * 7]


# Each with the properties that clients send, not in the order in which they are stored.
NODE: dict[str, object] = {"text": "\xe9'\x01", "type": "str", "size": 3000, "start": 0}
COMPARED: dict[str, object] = {
    "operator": "==",
    "right": {"type": "dict", "entries": [[NODE, {"type": "list", "items": [NODE], "start": 4, "size": 9}]]},
    "left": {"type": "Point", "fields": [["x", NODE], ["y", {"type": "list", "items": []}]]},
}
STEPS: list[dict[str, object]] = [
    {"status": "failed", "name": "outer", "elapsed": 4, "steps": [{"name": "inner", "status": "skipped", "steps": []}]},
    {"steps": [], "files": [1, 0], "name": "with files", "status": "passed"},
    {"files": [], "name": "without files", "status": "passed"},
]
COLOURS: dict[str, object] = {"Output \xe9": [[0, 3, "31"], [5, 2**63 - 1, "38;5;100;1;2;3"]], "": []}
ATTEMPTS: list[dict[str, object]] = [
    {
        "colours": COLOURS,
        "comparison": COMPARED,
        "steps": STEPS,
        "phases": [1, 2, 3],
        "output": {"Output": "text \x01"},
        "number": 1,
    },
    {"number": 999_999_999, "steps": [], "output": {}, "colours": {}},
]
JOB = {"name": "unit 2/4", "attempt": 2}
COLLECTION = {"digest": "0123456789abcdef", "tests": 108, "chosen": 27}
RUNNING: dict[str, object] = {"key": "a", "name": "test_\xe9", "folder": "c", "since": 1}


def _append(body: bytes, client: Client) -> None:
    client.append_thread(1, body)


def test_extensions_that_are_not_plain_are_stored_alike(ways: tuple[Way, Way]) -> None:
    """Extensions of other releases, malformed, too large or too deep ones have the rows of the server."""
    deep: dict[str, object] = {"type": "list", "items": []}
    step: dict[str, object] = {"name": "s", "status": "passed"}
    for _ in range(40):
        deep, step = {"type": "list", "items": [deep]}, {"name": "s", "status": "passed", "steps": [step]}
    values: tuple[object, ...] = (
        None,
        "",
        0,
        1.0,
        True,
        {},
        [],
        [1],
        ["a", 1],
        [["a", "b"]],
        [[1, NODE]],
        2**63,
        "a" * 5000,
    )
    nodes: list[dict[str, object]] = [{**NODE, name: value} for name, value in itertools.product(
        ("type", "text", "items", "entries", "fields", "size", "start", "later"), values)]  # fmt: skip
    comparisons: list[object] = [
        *values,
        *({**COMPARED, "left": node} for node in (*nodes, deep, {**NODE, "text": "x" * 70_000})),
    ]
    comparisons += [{**COMPARED, "operator": value} for value in values]
    steps: list[object] = [*values, [step], [{**STEPS[0], "name": "n" * 4000}] * 20, [{**STEPS[0], "later": 1}]]
    steps += [
        [{**STEPS[0], name: value}]
        for name, value in itertools.product(("name", "status", "elapsed", "files", "steps"), values)
    ]
    values = (*values, [[0, 1, "31"]], [[0, 1]], [[0, -1, "1"]], [[0, 1, "1;"]], [[0, 1, "1\n"]], {"a": "b"}, {"a": 1})
    colours: list[object] = [*values, *({"Output": value} for value in values), {"n" * 5000: []}]
    colours.append({"Output": [[0, 1, "31"]] * 7000})
    attempts: list[object] = [*values, [{**ATTEMPTS[0], "output": {"a": "x" * 200_000}}] * 2]
    attempts += [[{**ATTEMPTS[0], name: value}] for name, value in itertools.product((*ATTEMPTS[0], "later"), values)]
    attempts += [[{**ATTEMPTS[0], "steps": [step]}], [{"number": 10**9}], [{"number": 1, "output": {"n" * 5000: ""}}]]
    running: list[object] = [
        *values,
        [RUNNING] * 101,
        [{**RUNNING, "name": "n" * 4000}] * 20,
        [dict(reversed(RUNNING.items()))],
    ]
    running += [[{**RUNNING, name: value}] for name, value in itertools.product((*RUNNING, "later"), values)]
    _both(
        ways,
        lambda client: client.create_run(RUN),
        lambda client: client.create_thread(1, Resources()),
        *(
            partial(_append, _tests({**_test(1).body(), name: value}))
            for name, kinds in (
                ("comparison", comparisons),
                ("steps", steps),
                ("colours", colours),
                ("attempts", attempts),
            )
            for value in kinds
        ),
    )
    for value in running:
        bodies_with_it = _tests(running=value), _tests(session_started=value)
        _both(ways, *(partial(_append, body) for body in bodies_with_it))


REFUSED: list[tuple[str, Callable[[Client], object]]] = [
    ("no run", lambda client: client.create_thread(9, Resources())),
    ("no thread", lambda client: client.append_thread(9, _tests(_test(1)))),
    ("no thread to complete", lambda client: client.complete_thread(9)),
    ("no run to complete", lambda client: client.complete_run(9, measure_elapsed=True)),
    ("no run to read", lambda client: client.run(9)),
    ("no run to append to", lambda client: client.append_run(9, Resources((Field("f", "v"),)))),
    ("unknown status", lambda client: client.append_thread(1, _tests(_test(1), _test(2, "odd")))),
    ("two mistakes", lambda client: client.append_thread(1, _tests({"key": "A", "name": "", "status": "passed"}))),
    ("long name", lambda client: client.append_thread(1, _tests({**_test(1).body(), "name": "n" * 5000}))),
    ("negative time", lambda client: client.append_thread(1, _tests(_test(1, elapsed=-1)))),
    ("no integer", lambda client: client.append_thread(1, _tests({**_test(1).body(), "line": True}))),
    ("bad field", lambda client: client.append_thread(1, _tests({**_test(1).body(), "fields": [{"type": 6}]}))),
    ("bad artifact", lambda client: client.append_thread(1, _tests(_test(1, artifacts=(Artifact("a", "no url"),))))),
    ("bad run", lambda client: client.create_run(NewRun("", "suite", tags=("",)))),
    ("unknown config", lambda client: client.create_run(NewRun("run", "suite", config_id=7, milestone_id=8))),
    ("bad duration", lambda client: client.complete_thread(1, elapsed_observed=2**64)),
    ("no JSON", lambda client: client.append_thread(1, b'{"tests":[')),
    ("no object", lambda client: client.append_thread(1, b"[]")),
    ("too large", lambda client: client.append_thread(1, b'{"tests":[]' + b" " * (16 << 20) + b"}")),
    ("many values", lambda client: client.append_thread(1, b'{"tests":[' + b"[]," * 600_000 + b"[]]}")),
    ("long attachments", lambda client: client.append_run(1, Resources((Field("f", "v" * (3 << 20)),)))),
    ("completed thread", lambda client: client.append_thread(2, _tests(_test(1)))),
    ("completed twice", lambda client: client.complete_thread(2)),
    ("completed run", lambda client: client.append_run(2, Resources())),
    ("thread of a completed run", lambda client: client.create_thread(2, Resources())),
    ("used key", lambda client: client.append_thread(1, _tests(_test(1)), key="used")),
    ("no source", lambda client: client.flaky_document(99)),
    ("findings of no run", lambda client: client.findings_document(99)),
    ("base of another source", lambda client: client.findings_document(1, 77)),
]


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in REFUSED])
def test_refusals(ways: tuple[Way, Way], call: Callable[[Client], object]) -> None:
    """A refused request has an error of the same class, with the same status, message and mistakes, and no rows."""
    _both(
        ways,
        lambda client: client.create_run(RUN),
        lambda client: client.create_run(NewRun("other", "suite")),
        lambda client: client.create_thread(1, Resources()),
        lambda client: client.create_thread(2, Resources()),
        lambda client: client.complete_run(2, measure_elapsed=False),
        lambda client: client.append_thread(1, b"{}", key="used"),
    )
    (outcome,) = _both(ways, call)
    assert isinstance(outcome, tuple), "a refusal"
    assert issubclass(outcome[0], ClientError)


def test_accepted_values_are_stored_alike(ways: tuple[Way, Way]) -> None:
    """Bodies of other clients and releases, which are not plain, are accepted with the rows of the server."""
    odd = {"unknown": {"deep": [1]}, "steps": [{"name": "s", "status": "passed", "elapsed": 4}]}
    _both(
        ways,
        lambda client: client.create_run(RUN),
        lambda client: client.create_thread(1, Resources()),
        lambda client: client.append_thread(1, _tests({**_test(1).body(), **odd})),
        lambda client: client.append_thread(1, _tests({**_test(2).body(), "fields": [], "artifacts": []})),
        lambda client: client.append_thread(1, _tests({**_test(3).body(), "name": "half \ud800 and nul \x00"})),
        lambda client: client.append_thread(1, _tests({**_test(4).body(), "elapsed": 2.0, "phases": [1]})),
        lambda client: client.append_thread(1, _tests(_test(5, fields=(Field("f", "v" * 2_000_000),)))),
        lambda client: client.append_thread(1, _tests({**_test(6).body(), "fields": [
            {"value": "order", "is_highlight": False, "name": "f", "meta": {}, "type": 1}, {"type": 2, "name": "g"},
        ], "artifacts": [{"url": "s3://b", "size": None, "note": None, "name": "a"}]})),
        lambda client: client.append_thread(1, _tests(running=[{"key": "a", "name": "b", "folder": "c", "since": 1}])),
    )  # fmt: skip


def test_every_plain_body_is_one_of_the_server(ways: tuple[Way, Way]) -> None:
    """Each property with each kind of value, alone: what is taken as plain has the rows of the server."""
    values: tuple[object, ...] = (
        None, "", "a", "aA", "a_", "\u00e9", "\u0662", "x" * 81, 0, 1, 5, 6, -1, 1.0, 2**63, True, [], {}, ["a"],
        [1, 2, 3], {"a": "b"}, {"a": 1},
    )  # fmt: skip
    members = (
        "key", "name", "folder", "status", "elapsed", "file", "line", "assertions", "started", "phases", "fields",
        "artifacts", "other",
    )  # fmt: skip
    tests: list[dict[str, object]] = [
        {**_test(1, elapsed=9).body(), name: value} for name, value in itertools.product(members, values)
    ]
    parts = ("type", "name", "value", "meta", "is_highlight")
    tests += [
        {**_test(2).body(), "fields": [{"type": 1, "name": "f", name: value}]}
        for name, value in itertools.product(parts, values)
    ]
    parts = ("name", "note", "url", "mime_type", "size")
    tests += [
        {**_test(3).body(), "artifacts": [{"name": "a", "url": "s3://b", name: value}]}
        for name, value in itertools.product(parts, values)
    ]
    _both(
        ways,
        lambda client: client.create_run(RUN),
        lambda client: client.create_thread(1, Resources()),
        *(lambda client, test=test: client.append_thread(1, _tests(test)) for test in tests),
    )


def test_keys(ways: tuple[Way, Way]) -> None:
    """A repeated request has the first response, also after its thread was completed or its status renamed."""
    append = _tests(_test(1, "odd"), elapsed_observed=4)
    for way in ways:
        with closing(Store(way.database)) as store:
            store.write(lambda writer: writer.set_status(1, ResultStatus(7, "Odd", ("odd",), is_failed=True)))
    outcomes = _both(
        ways,
        *[lambda client: client.create_run(RUN, key="run")] * 2,
        *[lambda client: client.create_thread(1, Resources(), key="thread")] * 2,
        *[lambda client: client.append_thread(1, append, key="append")] * 2,
    )
    assert outcomes == [1, 1, 1, 1, None, None]
    for way in ways:
        with closing(Store(way.database)) as store:
            store.write(lambda writer: writer.set_status(1, ResultStatus(7, "Odd", ("strange",), is_failed=True)))
    outcomes = _both(ways, lambda client: client.append_thread(1, append, key="append"))
    assert outcomes == [None]
    assert all(way.client.knows_keys for way in ways)


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
        assert embedded.run(1).counts.total == 1


def test_reads(ways: tuple[Way, Way]) -> None:
    """Runs, results, sources and findings are read alike, with filters, pages and without threads."""
    _both(
        ways,
        lambda client: client.create_run(NewRun("run", "suite", tags=("a", "b"), milestone="m")),
        lambda client: client.create_thread(1, Resources((FAILURE,))),
        lambda client: client.append_thread(1, _tests(*(_test(number) for number in range(150)), _test(999, "error"))),
        lambda client: client.complete_run(1, measure_elapsed=True),
        lambda client: client.create_run(NewRun("second", "other")),
    )
    _both(
        ways,
        lambda client: client.run(1),
        lambda client: client.run(1, has_threads=False),
        lambda client: client.runs(),
        lambda client: client.runs(tags=("b",), status=(3,), expands=("automation_sources",), has_threads=False),
        lambda client: client.count_runs(tags=("a",), key="k"),
        lambda client: client.run_tests(1, page=2, per_page=100),
        lambda client: client.run_tests(1, thread_id=1, status_id=(3,), is_newest_first=True),
        lambda client: client.count_sources(),
        lambda client: client.findings_document(1),
        lambda client: client.findings_document(1, 2),
        lambda client: client.flaky_document(1),
        lambda client: client.flaky_document(1, "main"),
        lambda client: client.results_document(1),
        lambda client: client.results_document(1, after=149, status_id=(3,)),
    )


def test_every_operation_is_one_of_the_embedded_client(tmp_path: Path) -> None:
    """No operation of a client is missing for the embedded store: each is answered, or refused as the server does."""
    values: dict[str, object] = {
        "run": RUN, "resources": Resources(), "body": b"{}", "content": io.BytesIO(b"x"), "name": "x", "size": 1,
        "tags": ("a",), "measure_elapsed": True,
    }  # fmt: skip
    operations = {
        name: function
        for name, function in inspect.getmembers(StoreClient, inspect.isfunction)
        # The command that writes the report of a run reads the embedded store with its pages, without a client.
        if not name.startswith("_") and name not in {"close", "rest", "report_html", "report_beside"}
    }
    assert len(operations) >= 15
    with StoreClient(tmp_path / "store.db", 1) as client:
        client.create_run(RUN)
        client.create_thread(1, Resources())
        for name, function in operations.items():
            required = [
                parameter.name
                for parameter in inspect.signature(function).parameters.values()
                if parameter.default is parameter.empty and parameter.name != "self"
            ]
            outcome = _outcome(partial(function, client, **{each: values.get(each, 1) for each in required}))
            assert "The store failed" not in str(outcome), name


def _put(client: Client, content: bytes) -> object:
    return client.put_artifact(io.BytesIO(content), len(content), "a b.png")


def test_files(ways: tuple[Way, Way]) -> None:
    """An uploaded file has the same URL and type, is stored once, and an empty or a large one has the same outcome."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4096
    large = bytes(33 << 20)
    calls = [partial(_put, content=content) for content in (png, b"", png, large)]
    outcomes = _both(ways, *calls)
    assert outcomes[0] == outcomes[2]
    assert ways[1].client.artifact_bytes == ways[0].client.artifact_bytes == 32 << 20


def test_a_busy_store_is_asked_again(ways: tuple[Way, Way], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for too long, a request has the error after which it is repeated."""
    monkeypatch.setattr("pytest_automation_report.server.store.sqlite.BUSY_SECONDS", 0.01)
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
        with pytest.raises(UnknownAnswerError, match=r"POST /api/v1/automation/runs/1/append: 500: .*no such table"):
            client.append_run(1, Resources((Field("f", "v"),)))


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    """The error of the store is raised as it is; nothing is opened or created before the first request."""
    folder = tmp_path / "folder"
    StoreClient(folder / "store.db", 1).close()
    assert not folder.exists()
    with StoreClient(tmp_path, 1) as client, pytest.raises(StoreError, match=str(tmp_path)):
        client.run(1)


def test_a_closed_client_opens_its_store_again(tmp_path: Path) -> None:
    """SQLite removes its log when the last connection is closed; a later request opens the store again."""
    with StoreClient(tmp_path / "store.db", 1) as client:
        client.create_run(RUN)
        assert (tmp_path / "store.db-wal").exists()
        client.close()
        assert [path.name for path in tmp_path.iterdir()] == ["store.db"]
        assert client.runs().total == 1


def test_threads_may_share_a_client(tmp_path: Path) -> None:
    """Requests from several threads and of several clients at once are all stored, once."""
    with StoreClient(tmp_path / "store.db", 1) as first, StoreClient(tmp_path / "store.db", 1) as second:
        run = first.create_run(RUN)

        def work(client: Client, name: str) -> None:
            thread = client.create_thread(run, Resources(), key=name)
            for number in range(10):
                client.append_thread(thread, _tests(_test(number)), key=f"{name}-{number}")

        workers = [
            threading.Thread(target=work, args=(client, f"{position}-{number}"))
            for position, client in enumerate((first, second))
            for number in range(3)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [thread.counts.total for thread in first.run(run).threads] == [10] * 6


def test_what_is_not_plain_is_left_to_the_server() -> None:
    """Bodies of other forms are never decided here."""
    for body in (b"[]", b"{", b'{"name":"\\u0000"}', b'{"name":"\\ud800"}', b'{"a":"' + b"x" * 1_000_000 + b'"}'):
        assert bodies.document_from(body) is None
    assert bodies.document_from(b'{"name":"\\ud83d\\ude00"}') == {"name": "\U0001f600"}
    assert bodies.run_from({"name": "n", "source": "s", "color": "red"}) is None
    assert bodies.thread_from({"links": []}) is None
