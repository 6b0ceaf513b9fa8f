from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.server.http.fast_validation import common_test
from pytest_automation_report.server.http.fast_validation import tests_from as rows_from
from pytest_automation_report.server.http.mistakes import Mistakes
from pytest_automation_report.server.http.schemas import MAX_ENTRIES, NAME_LENGTH, loaded
from pytest_automation_report.server.http.schemas import test_schema as schema_of
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import test_from as row_from
from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES

if TYPE_CHECKING:
    from pytest_automation_report.server.store.inputs import StoredTest

_SCHEMA = schema_of(DEFAULT_STATUSES)
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
    2.0,
    5.0,
    "n" * NAME_LENGTH,
    "n" * (NAME_LENGTH + 1),
    "https://" + "n" * NAME_LENGTH,
    [{"type": 2.0, "name": "n"}],
    [{"name": "n", "url": "https://a", "size": 2.0}],
    [{"type": 1, "name": "n"}] * MAX_ENTRIES,
    [{"type": 1, "name": "n"}] * (MAX_ENTRIES + 1),
    [{"name": "a", "url": "https://a"}] * (MAX_ENTRIES + 1),
    dict.fromkeys(map(str, range(MAX_ENTRIES + 1)), "v"),
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


def _slow(test: Any) -> StoredTest | None:  # noqa: ANN401 - anything that JSON holds
    try:
        return row_from(loaded(_SCHEMA, test), DEFAULT_STATUSES)
    except ApiError:
        return None


def _fast(test: object) -> StoredTest | None:
    return common_test(test, DEFAULT_STATUSES)


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
        assert _fast(test) == _slow(test), odd
    assert _fast(_GOOD) is not None


@settings(max_examples=100, deadline=None)
@given(_json)
def test_the_fast_check_takes_no_nonsense(test: object) -> None:
    """Whatever stands in the place of a test is judged like the schemas judge it."""
    assert _fast(test) == _slow(test)


@pytest.mark.parametrize("tests", [None, {}, "text", 3, {"0": _GOOD}])
def test_what_is_no_list_holds_no_tests(tests: object) -> None:
    """Anything but a list in the place of the tests is one mistake."""
    mistakes = Mistakes()
    assert rows_from(tests, DEFAULT_STATUSES, mistakes) == []
    with pytest.raises(ApiError) as refused:
        mistakes.refuse()
    assert list(refused.value.errors) == ["tests"]


@settings(max_examples=200, deadline=None)
@given(st.lists(_good_tests, max_size=4))
def test_what_clients_send_takes_the_fast_way(tests: list[Any]) -> None:
    """Valid tests with any properties of the contract do not need the schemas, and come out the same."""
    decoded = json.loads(json.dumps(tests))
    fast = [_fast(test) for test in decoded]
    assert None not in fast
    assert fast == [_slow(test) for test in decoded]
