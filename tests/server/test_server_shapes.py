from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.server.refusals import RefusalError
from pytest_automation_report.server.schemas import loaded, thread_append_schema
from pytest_automation_report.server.shapes import common_tests
from pytest_automation_report.server.statuses import DEFAULT_STATUSES
from pytest_automation_report.server.submissions import test_from as row_from

_SCHEMA = thread_append_schema(DEFAULT_STATUSES)
_ABSENT = object()

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    6,
    -1,
    1.5,
    2**63 - 1,
    2**63,
    "",
    "x",
    "12",
    "true",
    "a\n",
    "A",
    "a" * 64,
    "a" * 65,
    "n" * 80,
    "n" * 81,
    "https://a",
    "s3://b",
    "https:",
    ":",
    "a:\n",
    " http://a",
    "Passed",
    "skip",
    [],
    {},
    [[]],
    [{}],
    [None],
    {"k": "v"},
    {"k": 1},
    {"k": None},
)
_good_texts = st.text(min_size=1, max_size=10)
_good_tests = st.fixed_dictionaries(
    {
        "key": st.from_regex("[a-z0-9]{1,64}", fullmatch=True),
        "name": _good_texts,
        "folder": _good_texts,
        "status": st.sampled_from(["passed", "failure", "error", "skipped"]),
    },
    optional={
        "elapsed": st.integers(0, 2**63 - 1),
        "line": st.integers(0, 2**63 - 1),
        "file": st.text(max_size=5),
        "assertions": st.integers(0, 9),
        "fields": st.lists(
            st.fixed_dictionaries(
                {"type": st.integers(1, 5), "name": _good_texts},
                optional={
                    "value": st.text() | st.none(),
                    "is_highlight": st.booleans(),
                    "meta": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
                },
            ),
            max_size=3,
        ),
        "artifacts": st.lists(
            st.fixed_dictionaries(
                {"name": _good_texts, "url": _good_texts.map("https://".__add__)},
                optional={
                    "note": st.text(max_size=80) | st.none(),
                    "mime_type": st.text() | st.none(),
                    "size": st.integers(0, 2**63 - 1) | st.none(),
                },
            ),
            max_size=3,
        ),
        "unknown": _json,
    },
)


_PROPERTIES = {
    (): ("key", "name", "folder", "status", "elapsed", "file", "line", "assertions", "fields", "artifacts", "unknown"),
    ("fields",): ("type", "name", "value", "meta", "is_highlight", "unknown"),
    ("artifacts",): ("name", "url", "note", "mime_type", "size", "unknown"),
}
_GOOD: dict[str, Any] = {
    "key": "k",
    "name": "n",
    "folder": "f",
    "status": "passed",
    "elapsed": 1,
    "file": "a.py",
    "line": 1,
    "assertions": 1,
    "fields": [{"type": 1, "name": "n", "value": "v", "meta": {"a": "b"}, "is_highlight": True}],
    "artifacts": [{"name": "a", "url": "https://a", "note": "n", "mime_type": "text/plain", "size": 1}],
}


def _slow(tests: object) -> list[Any] | None:
    try:
        return [row_from(test, DEFAULT_STATUSES) for test in loaded(_SCHEMA, {"tests": tests})["tests"]]
    except RefusalError:
        return None


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in _PROPERTIES.items() for name in names])
def test_the_fast_check_takes_what_the_schemas_take(path: tuple[str, ...], name: str) -> None:
    """Whatever stands in one property of a good test, or nothing: both accept it with the same row, or neither."""
    for odd in (*_ODD, _ABSENT):
        test = copy.deepcopy(_GOOD)
        target = test[path[0]][0] if path else test
        if odd is _ABSENT:
            target.pop(name, None)
        else:
            target[name] = odd
        assert common_tests([_GOOD, test], DEFAULT_STATUSES) == _slow([_GOOD, test]), odd
    assert common_tests([_GOOD], DEFAULT_STATUSES) is not None


@settings(max_examples=100, deadline=None)
@given(_json | st.lists(_json, max_size=2))
def test_the_fast_check_takes_no_nonsense(tests: object) -> None:
    """Whatever stands in the place of the tests is judged like the schemas judge it."""
    assert common_tests(tests, DEFAULT_STATUSES) == _slow(tests)


@settings(max_examples=200, deadline=None)
@given(st.lists(_good_tests, max_size=4))
def test_what_clients_send_takes_the_fast_way(tests: list[Any]) -> None:
    """Valid tests with any properties of the contract do not need the schemas, and come out the same."""
    decoded = json.loads(json.dumps(tests))
    fast = common_tests(decoded, DEFAULT_STATUSES)
    assert fast is not None
    assert fast == _slow(decoded)
