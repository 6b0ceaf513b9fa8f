from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.api.models import Artifact, Field, FieldType, Link
from pytest_automation_report.api.responses import (
    Counts,
    Run,
    RunPage,
    RunTest,
    Source,
    SourcePage,
    TestPage,
    Thread,
    created_id,
)

THREAD: dict[str, Any] = {"id": 5, "is_completed": False, "total_count": 3}
RUN: dict[str, Any] = {"id": 1, "is_completed": True, "total_count": 3}
READERS = [
    Counts.from_json, Thread.from_json, Run.from_json, Run.from_row, RunPage.from_json, RunTest.from_json,
    TestPage.from_json, Source.from_json, Source.from_row, SourcePage.from_json, created_id,
]  # fmt: skip


def test_least_run() -> None:
    """A run of which only the decisive members are there reads with empty values for the rest."""
    run = Run.from_json(RUN)
    assert (run.id, run.is_completed, run.counts.total) == (1, True, 3)
    assert (run.name, run.elapsed, run.threads, run.fields, run.links, run.tags) == ("", None, (), (), (), ())
    assert (run.project_id, run.status, run.completed_at, run.counts.statuses) == (None, None, None, (0,) * 24)


def test_whole_run() -> None:
    """Every member of the contract arrives in its place."""
    run = Run.from_row({
        "result": {
            **RUN, "project_id": 2, "source_id": 3, "name": "n", "status": 2, "config_id": 4, "milestone_id": 5,
            "elapsed": 6, "tags": ["a", "b"], "thread_count": 1, "thread_active_count": 0, "thread_completed_count": 1,
            "created_at": "c", "created_by": 7, "updated_at": "u", "updated_by": 8, "completed_at": "d",
            "completed_by": 9, "success_count": 1, "failure_count": 2, "completed_count": 3, "untested_count": 0,
            "status1_count": 1, "status24_count": 2,
            "fields": [{"name": "f", "type": 5, "value": "https://x", "meta": {"k": "v"}}],
            "links": [{"name": "l", "url": "https://l", "note": "n"}],
            "artifacts": [{"name": "a", "url": "s3://a", "mime_type": "text/plain", "size": 10, "note": None}],
            "threads": [{**THREAD, "index": 1, "name": "Thread 1", "status": 4, "elapsed": None}],
        },
        "expands": {"users": [{"id": 7, "name": "Ann"}]},
    })  # fmt: skip
    assert run.counts == Counts(3, 1, 2, 3, 0, (1, *[0] * 22, 2))
    assert run.fields == (Field("f", "https://x", FieldType.URL, {"k": "v"}),)
    assert run.links == (Link("l", "https://l", "n"),)
    assert run.artifacts == (Artifact("a", "s3://a", None, "text/plain", 10),)
    assert (run.created_by, run.updated_at, run.completed_by, run.elapsed, run.tags) == (7, "u", 9, 6, ("a", "b"))
    assert run.expands["users"][0]["name"] == "Ann"
    assert run.thread(5) == run.threads[0]
    assert run.thread(6) is None


@pytest.mark.parametrize(("value", "read"), [(0, False), (1, True), (False, False), (True, True)])
def test_truth_values(value: object, read: bool) -> None:  # noqa: FBT001 - a table's column
    """The four spellings of a truth value read alike."""
    assert Thread.from_json({**THREAD, "is_completed": value}).is_completed is read
    assert Source.from_json({"id": 1, "is_retired": value}).is_retired is read


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_values(empty: object) -> None:
    """Null and an empty list may stand for an empty object."""
    page = RunPage.from_json({"result": [], "page": None, "last_page": None, "expands": empty})
    assert (page.page, page.last_page, page.total, page.result, page.expands) == (None, None, 0, (), {})
    assert Run.from_json({**RUN, "fields": [{"name": "f", "type": 1, "meta": empty}]}).fields[0].meta == {}


def test_unknown_field_type() -> None:
    """A field type that the contract does not know does not make the run unreadable."""
    assert Run.from_json({**RUN, "fields": [{"name": "f", "type": 99}]}).fields == (Field("f", None, FieldType.TEXT),)


def test_pages() -> None:
    """Pages keep their numbers and read their items."""
    numbers = {"page": 2, "prev_page": 1, "next_page": 3, "last_page": 9, "per_page": 100, "total": 812}
    runs = RunPage.from_json({**numbers, "result": [RUN]})
    assert (runs.page, runs.prev_page, runs.next_page, runs.last_page, runs.per_page, runs.total) == (
        2, 1, 3, 9, 100, 812,
    )  # fmt: skip
    assert runs.result == (Run.from_json(RUN),)
    tests = TestPage.from_json({**numbers, "result": [{"automation_case_id": 4, "repository_case_id": None}]})
    assert tests.result == (RunTest(None, 4, None),)
    sources = SourcePage.from_json({**numbers, "result": [{"id": 3, "name": "s", "run_count": 2}]})
    assert (sources.result[0].name, sources.result[0].run_count) == ("s", 2)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "response: an object expected, not NoneType"),
        ({"result": {**RUN, "id": "7"}}, "result.id: an id expected, not str"),
        ({"result": {**RUN, "id": True}}, "result.id: an id expected, not bool"),
        ({"result": {**RUN, "id": 0}}, "result.id: an id expected, not int"),
        ({"result": {**RUN, "id": 2**63}}, "result.id: an id expected, not int"),
        ({"result": {**RUN, "id": 1e400}}, "result.id: an id expected, not float"),
        ({"result": {**RUN, "source_id": -1}}, "result.source_id: an id expected, not int"),
        ({"result": {**RUN, "total_count": None}}, "result.total_count: a count expected, not NoneType"),
        ({"result": {"id": 1, "is_completed": 1}}, "result.total_count: a count expected, not missing"),
        ({"result": {**RUN, "failure_count": -1}}, "result.failure_count: a count expected, not int"),
        ({"result": {**RUN, "is_completed": None}}, "result.is_completed: true or false expected, not NoneType"),
        ({"result": {**RUN, "is_completed": "no"}}, "result.is_completed: true or false expected, not str"),
        ({"result": {**RUN, "is_completed": []}}, "result.is_completed: true or false expected, not list"),
        ({"result": {**RUN, "is_completed": 2}}, "result.is_completed: true or false expected, not int"),
        ({"result": {**RUN, "threads": {}}}, "result.threads: a list expected, not dict"),
        ({"result": {**RUN, "threads": [None]}}, "result.threads.0: an object expected, not NoneType"),
        (
            {"result": {**RUN, "threads": [THREAD, {**THREAD, "total_count": True}]}},
            "result.threads.1.total_count: a count expected, not bool",
        ),
        ({"expands": {}}, "result: an object expected, not missing"),
        ({"result": RUN, "expands": [1]}, "expands: an object expected, not list"),
    ],
)
def test_bad_members(document: object, message: str) -> None:
    """A member on which decisions depend is refused with its path when it is wrong."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Run.from_row(document)


def test_page_without_result() -> None:
    """A page without its list is no empty page."""
    with pytest.raises(ValueError, match=r"^result: a list expected, not missing$"):
        TestPage.from_json({"page": 1})


MEMBER_NAMES = st.sampled_from([
    "id", "result", "expands", "threads", "fields", "links", "artifacts", "tags", "meta", "type", "is_completed",
    "total_count", "status1_count", "elapsed", "page", "next_page", "automation_case_id", "name",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBER_NAMES, inner, max_size=5),
    max_leaves=15,
)


@given(JSON)
def test_any_json(document: object) -> None:
    """Whatever JSON comes, a reader returns a value or raises ValueError."""
    for read in READERS:
        with suppress(ValueError):
            read(document)


def test_deep_nesting() -> None:
    """Nesting that would exhaust the stack is just another wrong value."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    run = Run.from_json({**RUN, "name": deep, "fields": [{"name": "f", "type": deep, "meta": {"k": deep}}]})
    assert run.fields == (Field("f", None, FieldType.TEXT),)
    with pytest.raises(ValueError, match="total_count"):
        Run.from_json({**RUN, "total_count": deep})
    while deep:  # freeing it all at once would recurse
        deep = deep.pop()
