from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.server.refusals import RefusalError
from pytest_automation_report.server.schemas import ThreadAppendBody, loaded
from pytest_automation_report.server.shapes import common_tests
from pytest_automation_report.server.submissions import test_from as row_from

_SCHEMA = ThreadAppendBody()

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4,
)
_integers = st.sampled_from([0, 1, 5, 2**63 - 1, 2**63, -1, 2.5, True, False, None, "12"])
_texts = st.sampled_from(["", "x", "a\nb", "\u00e9", "x" * 80, "y" * 81, None, 3, True])
_urls = st.sampled_from(["https://a", "s3://b", "x", "", ":", "a:", "a:\n", " http://a", "1a:b", None, 4])


def _objects(required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]) -> Any:  # noqa: ANN401
    """Objects that are nearly right: anything may be missing, wrong, or more than the contract has."""
    right = st.fixed_dictionaries(required, optional=optional)
    wrong = st.fixed_dictionaries({}, optional={**required, **optional, "unknown": _json})
    return st.one_of(right, right, wrong, _json)


_fields = _objects(
    {"type": st.sampled_from([1, 2, 3, 4, 5, 0, 6, True, 1.5, "1", None]), "name": _texts},
    {
        "value": _texts, "is_highlight": st.sampled_from([True, False, 1, "true", None]),
        "meta": st.dictionaries(st.text(max_size=2), _texts, max_size=2) | _json,
    },
)
_artifacts = _objects(
    {"name": _texts, "url": _urls}, {"note": _texts, "mime_type": _texts, "size": _integers, "extra": _json},
)
_tests = _objects(
    {
        "key": st.sampled_from(["a", "0" * 64, "0" * 65, "A", "", "a\n", None, 5]), "name": _texts, "folder": _texts,
        "status": st.sampled_from(["passed", "error", "skip", "Passed", "", None, 2, []]),
    },
    {
        "elapsed": _integers, "file": _texts, "line": _integers, "assertions": _integers, "extra": _json,
        "fields": st.lists(_fields, max_size=2) | _json, "artifacts": st.lists(_artifacts, max_size=2) | _json,
    },
)
_good_texts = st.text(min_size=1, max_size=10)
_good_tests = st.fixed_dictionaries(
    {
        "key": st.from_regex("[a-z0-9]{1,64}", fullmatch=True), "name": _good_texts, "folder": _good_texts,
        "status": st.sampled_from(["passed", "failure", "error", "skipped"]),
    },
    optional={
        "elapsed": st.integers(0, 2**63 - 1), "line": st.integers(0, 2**63 - 1), "file": st.text(max_size=5),
        "assertions": st.integers(0, 9),
        "fields": st.lists(st.fixed_dictionaries(
            {"type": st.integers(1, 5), "name": _good_texts},
            optional={
                "value": st.text() | st.none(), "is_highlight": st.booleans(),
                "meta": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
            },
        ), max_size=3),
        "artifacts": st.lists(st.fixed_dictionaries(
            {"name": _good_texts, "url": _good_texts.map("https://".__add__)},
            optional={
                "note": st.text(max_size=80) | st.none(), "mime_type": st.text() | st.none(),
                "size": st.integers(0, 2**63 - 1) | st.none(),
            },
        ), max_size=3),
        "unknown": _json,
    },
)


def _slow(tests: object) -> list[Any] | None:
    try:
        return [row_from(test) for test in loaded(_SCHEMA, {"tests": tests})["tests"]]
    except RefusalError:
        return None


@settings(max_examples=400, deadline=None)
@given(st.lists(_tests, max_size=3) | _json)
def test_what_the_fast_check_takes_is_what_the_schemas_take(tests: object) -> None:
    """Both accept the same tests with the same rows; only integers written as fractions are left to the schemas."""
    fast = common_tests(tests)
    if fast is not None or not _has_whole_fraction(tests):
        assert fast == _slow(tests)


@settings(max_examples=200, deadline=None)
@given(st.lists(_good_tests, max_size=4))
def test_what_clients_send_takes_the_fast_way(tests: list[Any]) -> None:
    """Valid tests with any properties of the contract do not need the schemas, and come out the same."""
    decoded = json.loads(json.dumps(tests))
    fast = common_tests(decoded)
    assert fast is not None
    assert fast == _slow(decoded)


def _has_whole_fraction(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_whole_fraction, value.values()))
    if isinstance(value, list):
        return any(map(_has_whole_fraction, value))
    return isinstance(value, float) and value.is_integer()
