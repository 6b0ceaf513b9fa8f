"""The state of a test's page in its URL."""

from __future__ import annotations

import pytest

from pytest_automation_report.server.pages.test.url import TestState, state_of
from pytest_automation_report.server.store.errors import ApiError


def test_the_first_state_has_no_parameters() -> None:
    """A URL without parameters is the first state, which writes none; empty parameters change nothing."""
    assert state_of({}) == state_of({"attempt": "", "show": "", "out": "", "pictures": ""}) == TestState()
    assert TestState().query == {}


def test_a_state_is_written_as_it_was_read() -> None:
    """Every parameter is in the state, and in the links that keep it."""
    parameters = {
        "attempt": "2",
        "show": "pytest",
        "out": "log",
        "pictures": "slider",
        "history": "all",
        "from": "view=tests&q=a",
    }
    state = state_of(parameters)
    assert {name.rstrip("_"): value for name, value in state.query.items()} == parameters
    assert state.origin_query == {"view": "tests", "q": "a"}


def test_the_origin_is_a_query_of_a_run() -> None:
    """A path before the query, and parameters that no run's page has, are left out."""
    assert state_of({"from": "/runs/1?view=tests&evil=1"}).origin_query == {"view": "tests"}
    assert len(state_of({"from": "q=" + "x" * 5_000}).origin) == 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("attempt", "0"), ("attempt", "x"), ("show", "x"), ("out", "x"), ("pictures", "x"), ("history", "x")],
)
def test_other_values_are_refused(name: str, value: str) -> None:
    """A parameter that means nothing is named in the error."""
    with pytest.raises(ApiError) as refusal:
        state_of({name: value})
    assert name in refusal.value.errors
