import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.api.client import created_id
from pytest_automation_report.api.responses import (
    FieldText,
    Page,
    Run,
    RunTest,
    Source,
    page_from,
    run_from,
    stored_file,
)

THREAD: dict[str, Any] = {"id": 5, "is_completed": False, "total_count": 3}
RUN: dict[str, Any] = {"id": 1, "is_completed": True, "total_count": 3}


def test_least_run() -> None:
    """A run with nothing but the required members has empty values for the rest."""
    run = run_from({"result": RUN})
    assert (run.id, run.is_completed, run.total, run.success, run.failure) == (1, True, 3, 0, 0)
    assert (run.name, run.source_id, run.created_at, run.threads, run.fields, run.tags) == ("", None, None, (), (), ())


def test_whole_run() -> None:
    """Every member that is read arrives in its place, and the document is the whole response."""
    document = {
        "result": {
            **RUN, "source_id": 3, "name": "n", "tags": ["a", "b", 4], "created_at": "c", "success_count": 1,
            "failure_count": 2, "fields": [{"name": "f", "type": 5, "value": "https://x", "meta": {"k": "v"}}],
            "threads": [{**THREAD, "fields": [{"name": "g", "value": None}]}],
        },
        "expands": {"users": [{"id": 7, "name": "Ann"}]},
    }  # fmt: skip
    run = run_from(document)
    assert (run.total, run.success, run.failure) == (3, 1, 2)
    assert (run.fields, run.tags) == ((FieldText("f", "https://x"),), ("a", "b"))
    assert (run.source_id, run.name, run.created_at, run.document) == (3, "n", "c", document)
    assert run.thread(5) == run.threads[0]
    assert run.threads[0].fields == (FieldText("g", None),)
    assert run.thread(6) is None


@pytest.mark.parametrize(("value", "read"), [(0, False), (1, True), (False, False), (True, True)])
def test_truth_values(value: object, read: bool) -> None:  # noqa: FBT001 - a table's column
    """The four spellings of a truth value read alike."""
    assert run_from({"result": {**RUN, "is_completed": value}}).is_completed is read


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_values(empty: object) -> None:
    """Null and an empty list may stand for an empty object."""
    page = page_from(Page[Run], {"result": [], "page": None, "next_page": None, "expands": empty})
    assert (page.next_page, page.total, page.result, page.expands) == (None, 0, (), {})


@pytest.mark.parametrize("name", ["project_id", "index", "artifacts", "status1_count", "unknown"])
def test_members_that_nothing_reads(name: str) -> None:
    """A member that nothing reads may have any value."""
    assert run_from({"result": {**RUN, name: object(), "threads": [{**THREAD, name: object()}]}}).id == 1


def test_unknown_field_type() -> None:
    """A field type that the contract does not know does not make the run unreadable."""
    run = run_from({"result": {**RUN, "fields": [{"name": "f", "type": 99}, {"name": 4, "value": 5}]}})
    assert run.fields == (FieldText("f", None), FieldText("", None))


def test_pages() -> None:
    """Pages have their total, the next page and their items."""
    numbers = {"page": 2, "prev_page": 1, "next_page": 3, "last_page": 9, "per_page": 100, "total": 812}
    document = {**numbers, "result": [RUN]}
    runs = page_from(Page[Run], document)
    assert (runs.next_page, runs.total, runs.document) == (3, 812, document)
    assert [run.id for run in runs.result] == [1]
    rows = [{"automation_case_id": 4}, {"automation_test_id": 8, "key": "k", "name": "n", "folder": "f"}]
    tests = page_from(Page[RunTest], {**numbers, "result": rows})
    assert tests.result == (RunTest(None, None, None, None), RunTest(8, "k", "n", "f"))
    assert page_from(Page[Source], {**numbers, "result": [{"id": 3, "name": "s"}]}).result == (Source(3, "s"),)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "Expected `object`, got `null`"),
        ({"result": {**RUN, "id": "7"}}, "Expected `int`, got `str` - at `$.result.id`"),
        ({"result": {**RUN, "id": True}}, "Expected `int`, got `bool` - at `$.result.id`"),
        ({"result": {**RUN, "id": 0}}, "Expected `int` >= 1 - at `$.result.id`"),
        ({"result": {**RUN, "id": 2**63}}, "Expected `int` <= 9223372036854775807 - at `$.result.id`"),
        ({"result": {**RUN, "source_id": -1}}, "Expected `int` >= 1 - at `$.result.source_id`"),
        ({"result": {**RUN, "total_count": None}}, "Object missing required field `total_count` - at `$.result`"),
        ({"result": {**RUN, "failure_count": -1}}, "Expected `int` >= 0 - at `$.result.failure_count`"),
        ({"result": {**RUN, "is_completed": None}}, "Object missing required field `is_completed` - at `$.result`"),
        ({"result": {**RUN, "is_completed": "no"}}, "Expected `bool`, got `str` - at `$.result.is_completed`"),
        ({"result": {**RUN, "is_completed": 2}}, "Expected `bool`, got `int` - at `$.result.is_completed`"),
        ({"result": {**RUN, "threads": {}}}, "Expected `array`, got `object` - at `$.result.threads`"),
        (
            {"result": {**RUN, "threads": [THREAD, {**THREAD, "total_count": True}]}},
            "Expected `int`, got `bool` - at `$.result.threads[1].total_count`",
        ),
        ({"result": {**RUN, "tags": "a"}}, "Expected `array`, got `str` - at `$.result.tags`"),
        ({"expands": {}}, "Object missing required field `result`"),
    ],
)
def test_bad_members(document: object, message: str) -> None:
    """A member on which decisions depend is refused with its path when it is wrong; a page without a list is none."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run_from(document)
    with pytest.raises(ValueError, match=r"missing required field `result`$"):
        page_from(Page[RunTest], {"page": 1})
    with pytest.raises(ValueError, match=r"got `array` - at `\$.expands`$"):
        page_from(Page[Run], {"result": [], "expands": [1]})


def test_deep_nesting() -> None:
    """Nesting that would exhaust the stack is just another wrong value."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    run = run_from({"result": {**RUN, "name": deep, "fields": [{"name": "f", "type": deep, "value": deep}]}})
    assert run.fields == (FieldText("f", None),)
    with pytest.raises(ValueError, match="total_count"):
        run_from({"result": {**RUN, "total_count": deep}})
    while deep:  # freeing it all at once would recurse
        deep = deep.pop()


@pytest.mark.parametrize(
    "url", [None, 7, "javascript:alert(1)", "file:///etc/passwd", "https://" + "a" * 750], ids=lambda url: str(url)[:20]
)
def test_an_address_that_makes_no_sense_is_none(url: object) -> None:
    """The response to an upload has an address that a result can refer to."""
    with pytest.raises(ValueError, match=r"url|URL"):
        stored_file({"url": url})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["", "\ud800", "result", "page", "expands", *RUN, *THREAD]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json(document: object) -> None:
    """Whatever JSON comes, a reader returns a value or raises ValueError."""
    for kind in (Run, RunTest, Source):
        with suppress(ValueError):
            page_from(Page[kind], document)  # type: ignore[valid-type]  # mypy takes it for a type of its own
    for read in (run_from, created_id):
        with suppress(ValueError):
            read(document)
