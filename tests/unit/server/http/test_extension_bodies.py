"""The extensions of requests: stored if they are well formed, ignored otherwise, and never a reason to refuse."""

import json
from typing import Any

import pytest

from pytest_automation_report.api.models import EXTENSIONS, EXTENSIONS_HEADER, Cause, Field, Json, Step, announced
from pytest_automation_report.api.results import ColourSpans, Phases
from pytest_automation_report.failures.values import Comparison, Value
from pytest_automation_report.server.api.bodies import MAX_ATTEMPTS_BYTES, MAX_EXTENSION_BYTES
from pytest_automation_report.server.api.decoding import MAX_DEPTH
from pytest_automation_report.server.pages.test import view_models
from pytest_automation_report.server.pages.test.view_models import StoredAttempt, earlier_attempts, last_attempt
from pytest_automation_report.server.store.stored import RESULT, THREAD, StoredResult, StoredThread, known
from pytest_automation_report.server.store.values import RunningTest
from support.service import START, TOKEN, Service, a_test

_VALUE = {
    "type": "dict",
    "entries": [[{"type": "str", "text": "a"}, {"type": "list", "items": [{"type": "Foo"}], "size": 3, "start": 2}]],
}
_POINT = {"type": "Point", "fields": [["x", {"type": "int", "text": "1"}]]}
_SENT: Json = {
    "started": 5,
    "phases": [10, 20, 30],
    "steps": [
        {
            "name": "open", "status": "passed", "elapsed": 7,
            "steps": [{"name": "type", "status": "failed", "files": [0]}],
        },
    ],
    "comparison": {"operator": "==", "left": _VALUE, "right": _POINT},
    "colours": {"Output": [[0, 3, "31"], [4, 9, "1;4;93;104"]]},
    "attempts": [
        {
            "number": 1, "output": {"Output": "text"}, "phases": [1, 2, 3],
            "steps": [{"name": "open", "status": "failed"}],
            "comparison": {"operator": "==", "left": _POINT, "right": _POINT}, "colours": {"Failure": [[0, 1, "2"]]},
            "status": "failure", "elapsed": 6, "causes": [{"kind": "failure", "name": "Failure", "text": "E   1"}],
            "fields": [{"name": "seed", "value": "1", "type": 1}],
        },
        {"number": 2},
    ],
    "causes": [{"kind": "error", "name": "Error", "text": "E   2", "message": "2", "type": "E", "phase": "setup"}],
    "output": {"Output": "printed", "Log": "logged"},
    "owner": "@web",
}  # fmt: skip
_NONE_STORED = {"started": None, "setup": None, "teardown": None, "steps": None, "comparison": None,
                "colours": None, "attempts": None, "causes": None, "output": None, "owner": None}  # fmt: skip


def _row(service: Service, table: str) -> Any:  # noqa: ANN401 - a row of any table
    return service.store.read(lambda connection: connection.row(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1"))


def _thread(service: Service) -> StoredThread:
    """Return the last thread."""
    return service.store.read(
        lambda store: known("thread", THREAD.first(store, "FROM thread ORDER BY id DESC LIMIT 1"))
    )


def _result(service: Service) -> StoredResult:
    """Return the last result."""
    return service.store.read(lambda store: known("test", RESULT.first(store, "FROM result ORDER BY id DESC LIMIT 1")))


def _stored(service: Service, **properties: Any) -> StoredResult:  # noqa: ANN401 - members of any type
    """Return the result of a test that was sent with these properties."""
    service.append(service.new_thread(service.new_run()), a_test(elapsed=100, **properties))
    return _result(service)


@pytest.mark.parametrize(("before", "counted"), [(700_000, 700_000), (-5, 0), (3_600_000_000, 0)])
def test_the_time_of_a_run_is_that_of_its_session(service: Service, before: int, counted: int) -> None:
    """What passed before the sender created the run counts; the difference of two clocks, or an outage, does not."""
    run = service.new_run()
    service.new_thread(run, session_started=service.clock.now - before)
    service.new_thread(run, session_started=service.clock.now - before)
    service.clock.now += 2_000_000
    service.post(f"/automation/runs/{run}/complete", {"measure_elapsed": True})
    assert service.run(run)["elapsed"] == 2_000_000 + counted


@pytest.mark.postgresql
def test_the_extensions_of_a_test_are_stored_and_read(service: Service) -> None:
    """All of them come back as they were sent, and the start on the axis of all threads."""
    thread_id = service.new_thread(service.new_run(), session_started=START)
    service.append(thread_id, a_test(elapsed=100, **_SENT))
    row, thread = _result(service), _thread(service)
    assert view_models.start_time(thread, row) == START + 5
    nodes = (Step("open", "passed", 7, steps=(Step("type", "failed", files=(0,)),)),)
    part = Value("list", items=(Value("Foo"),), size=3, start=2)
    left = Value("dict", entries=((Value("str", "a"), part),))
    point = Value("Point", fields=(("x", Value("int", "1")),))
    colours: ColourSpans = {"Output": ((0, 3, "31"), (4, 9, "1;4;93;104"))}
    assert last_attempt(row) == StoredAttempt(
        0, causes=(Cause("error", "Error", "E   2", "2", "E", "setup"),), output={"Output": "printed", "Log": "logged"},
        phases=Phases(10, 60, 30), steps=nodes, comparison=Comparison("==", left, point), colours=colours,
    )  # fmt: skip
    first = StoredAttempt(
        1, "failure", 6, (Cause("failure", "Failure", "E   1"),), (Field("seed", "1"),), {"Output": "text"},
        Phases(1, 2, 3), (Step("open", "failed"),), {"Failure": ((0, 1, "2"),)}, Comparison("==", point, point),
    )  # fmt: skip
    assert earlier_attempts(row) == {1: first, 2: StoredAttempt(2)}
    assert (row.owner, row.failed_attempts) == ("@web", 2)


def test_a_thread_knows_its_job_and_what_its_session_collected(service: Service) -> None:
    """Both, and the session's start, may come with the creation or an append; what is malformed is left out."""
    run = service.new_run()
    service.new_thread(run, job={"name": "unit 2/4", "attempt": 2})
    assert [_row(service, "thread")[name] for name in ("job", "attempt", "collection")] == ["unit 2/4", 2, None]
    service.new_thread(run, job={"name": "unit 2/4", "attempt": 0})
    assert _row(service, "thread")["job"] is None, "attempts count from 1: results of a job are replaced by a later one"
    collection = {"digest": "0123456789abcdef", "tests": 108, "chosen": 27}
    thread_id = service.new_thread(run, job="unit")
    service.append(thread_id, a_test(), job={"name": "unit"}, collection=collection, session_started=START)
    malformed = {"job": {"name": ""}, "collection": {**collection, "digest": "?"}, "session_started": "soon"}
    service.append(thread_id, a_test(1), **malformed)
    row = _row(service, "thread")
    assert (row["job"], row["attempt"], json.loads(row["collection"])) == ("unit", 1, collection)
    assert (row["session_started"], service.run(run)["total_count"]) == (START, 2)


@pytest.mark.postgresql
@pytest.mark.parametrize("malformed", ["6db1db8c0f", ["6db1db8c0"], ["no digits!"], ["6db1db8c0f"] * 201, [7]])
def test_the_commits_that_led_to_a_run(service: Service, malformed: object) -> None:
    """A run has the commits of its first thread that sent some; what is no list of them is ignored."""
    run = service.new_run()
    service.new_thread(run, ancestors=["6db1db8c0f", "a1b2c3d4e5"])
    service.new_thread(run, ancestors=malformed)
    service.new_thread(run)
    assert _row(service, "run")["ancestors"] == "6db1db8c0f a1b2c3d4e5"


def test_a_test_without_extensions_has_none(service: Service) -> None:
    """Without extensions the columns are null, and reading them gives nothing."""
    row, thread = _stored(service), _thread(service)
    assert {name: getattr(row, name) for name in _NONE_STORED} == _NONE_STORED
    assert (last_attempt(row), earlier_attempts(row)) == (StoredAttempt(0), {})
    assert (view_models.start_time(thread, row), thread.running) == (None, None)


def _nested(depth: int) -> Json:
    step: Json = {"name": "n", "status": "passed"}
    for _ in range(depth - 1):
        step = {"name": "n", "status": "passed", "steps": [step]}
    return step


def _compared(right: Json) -> Json:
    return {"operator": "==", "left": _VALUE, "right": right}


def _nested_value(depth: int) -> Json:
    value: Json = {"type": "int", "text": "1"}
    for _ in range(depth - 1):
        value = {"type": "list", "items": [value]}
    return value


_LARGE = "x" * MAX_EXTENSION_BYTES
_DEEPEST = MAX_DEPTH // 2  # each step, and each value, is an object in a list
_STEP = {"name": "n", "status": "passed"}
_MALFORMED: dict[str, list[object]] = {
    "started": [-1, "5", None, 2**63],
    "phases": [[1, 2], [1, 2, 3, 4], [1, 2, -3], "1, 2, 3", [60, 0, 60]],
    "steps": [
        "open", [], [{"name": "n"}], [{"name": "n", "status": "flying"}], [{**_STEP, "files": [-1]}],
        [_nested(_DEEPEST + 1)], [_STEP] * 5000,
    ],
    "comparison": [
        1,
        {"operator": "==", "left": _VALUE},
        _compared({"text": "no type"}),
        _compared(_nested_value(_DEEPEST + 1)),
        _compared({"type": "str", "text": _LARGE}),
    ],
    "colours": [
        [],
        {},
        {_LARGE: [[0, 1, "31"]]},
        {"Output": [[0, 1, "31"]] * 8000},
        *({"Output": [span]} for span in ([0, 1], [0, -1, "31"], [0, 1, "31m<script>"], [0, 1, ""], [0, 1, "31;"])),
    ],
    "attempts": [
        [], {}, [{"output": {"Output": "text"}}], [{"number": 0}], [{"number": 1, "output": {"Output": 5}}],
        [{"number": 1, "steps": [_nested(_DEEPEST + 1)]}],
        [{"number": 1, "comparison": _compared(_nested_value(33))}],
        [{"number": 1, "output": {"Output": "x" * MAX_ATTEMPTS_BYTES}}],
        [{"number": 1, "causes": [{"kind": "boredom", "name": "n", "text": "t"}]}], [{"number": 1, "fields": [{}]}],
    ],
    "causes": [{}, [{}], [{"kind": "boredom", "name": "n", "text": "t"}], [{"kind": "error", "name": "n", "text": 5}]],
    "output": [[], {"Stream": "x"}, {"Output": 5}],
    "owner": [5, ["@web"], "w" * 5000],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in _MALFORMED for value in _MALFORMED[name]])
def test_a_malformed_extension_is_ignored(service: Service, name: str, value: object) -> None:
    """A result with an extension that cannot be stored is stored without it, and with the others."""
    row, complete = _stored(service, **{**_SENT, name: value}), _stored(service, **_SENT)
    missing = ("setup", "teardown") if name == "phases" else (name,)
    assert {column: getattr(row, column) for column in _NONE_STORED} == {
        column: None if column in missing else getattr(complete, column) for column in _NONE_STORED
    }


def test_a_malformed_extension_does_not_hide_another_mistake(service: Service) -> None:
    """A request that must be refused is refused, and the answer names its mistake and no extension."""
    thread_id = service.new_thread(service.new_run())
    body = {"tests": [a_test(started="soon", elapsed=-1)], "running": 5}
    answer = service.post(f"/automation/runs/threads/{thread_id}/append", body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["tests.0.elapsed"]


def test_steps_may_be_nested_to_the_limit(service: Service) -> None:
    """Steps and values at the greatest depth are stored, without properties of newer clients."""
    row = _stored(service, steps=[{"name": "n", "status": "passed", "colour": ["red"]}])
    assert last_attempt(row).steps == (Step("n", "passed"),)
    deepest = _compared(_nested_value(_DEEPEST))
    row = _stored(service, steps=[_nested(_DEEPEST)], comparison=deepest)
    stored = last_attempt(row)
    assert (len(stored.steps), stored.comparison is not None) == (1, True)


_RUNNING = {"key": "k1", "name": "test_1", "folder": "tests.a", "since": 9}


def test_the_running_test_is_that_of_the_last_append(service: Service) -> None:
    """An append replaces the running tests, and one without this extension leaves them as they are."""
    thread_id = service.new_thread(service.new_run())
    service.append(thread_id, running=[_RUNNING])
    assert _thread(service).running == (RunningTest("k1", "test_1", "tests.a", 9),)
    service.append(thread_id, a_test())
    service.append(thread_id, running=[{"key": "k1"}])
    service.append(thread_id, running=[_RUNNING] * 101)
    assert len(_thread(service).running or ()) == 1
    service.append(thread_id, running=[])
    assert _thread(service).running == ()


def test_nothing_runs_in_a_completed_thread(service: Service) -> None:
    """The completion of a thread, or of its run, clears the running tests."""
    for complete in (
        lambda _, thread_id: service.complete_thread(thread_id),
        lambda run_id, _: service.complete(run_id),
    ):
        thread_id = service.new_thread(run_id := service.new_run())
        service.append(thread_id, running=[_RUNNING])
        complete(run_id, thread_id)
        assert _row(service, "thread")["running"] is None


def test_the_server_announces_its_extensions(service: Service) -> None:
    """Every answer to a client with the token lists the extensions; of the names those of this release count."""
    run_id = service.new_run()
    assert announced(service.get(f"/automation/runs/{run_id}").headers[EXTENSIONS_HEADER]) == set(EXTENSIONS)
    for path, token in (("/healthz", TOKEN.value), ("/api/v1/automation/runs/1", "wrong")):
        answer = service.raw("GET", path, Authorization=f"Bearer {token}")
        assert EXTENSIONS_HEADER.lower() not in answer.headers
    for header, names in (
        ("", ""),
        ("started", "started"),
        (" steps ,lanes,, started", "steps started"),
        ("Started", ""),
    ):
        assert announced(header) == set(names.split())
