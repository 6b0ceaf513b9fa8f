"""The URL of a run's page: each state is a link that leads back to it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from pytest_automation_report.server.pages.run.url import Lane, RunState, run_state
from pytest_automation_report.server.store.errors import ApiError

STATES = [
    RunState(7),
    RunState(7, "tests", 3, frozenset({"3", "flaky"}), sort="slowest", page=4),
    RunState(7, "changes", changes=frozenset({"fixed", "gone"})),
    RunState(7, "tests", text="a&b=c é", folder="tests.a", reason="0123456789abcdef"),
    RunState(7, "tests", lane=Lane(5)),
    RunState(7, "tests", lane=Lane(5, 71, 79, "passed"), sort="slowest"),
    RunState(7, "tests", opened="tests/test_a.py::TestB", group="none"),
]


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_read_from_its_own_url(state: RunState) -> None:
    """Whatever a reader has chosen, the address of the page has it."""
    path, query = urlsplit(state.address).path, urlsplit(state.address).query
    assert path == "/runs/7"
    assert run_state(7, dict(parse_qsl(query))) == state


def test_the_usual_state_needs_no_parameter() -> None:
    """Empty parameters, as forms send them, and the first page are no part of the address."""
    assert run_state(7, {"q": " ", "status": "", "page": "1", "view": ""}).address == "/runs/7"


@pytest.mark.parametrize(
    "parameters",
    [
        {"page": "0"},
        {"page": "x"},
        {"status": "26"},
        {"status": "failed"},
        {"view": "all"},
        {"change": "other"},
        {"base": "main"},
        {"reason": "xyz"},
        {"sort": "name"},
        {"group": "folder"},
        {"lane": "5.71.79"},
        {"lane": "gw0"},
    ],
)
def test_an_invalid_parameter_is_named(parameters: dict[str, str]) -> None:
    """The error has the name of the parameter and its possible values."""
    with pytest.raises(ApiError) as caught:
        run_state(7, parameters)
    assert caught.value.status == 422
    assert next(iter(parameters)) in str(caught.value.errors)


def test_a_chip_turns_a_status_on_and_off() -> None:
    """A status is added to the chosen ones, then removed; the page begins anew, in the list of tests."""
    state = RunState(7, "failures", page=3)
    chosen = state.toggled("3")
    assert (chosen.view, chosen.statuses, chosen.page) == ("tests", frozenset({"3"}), 1)
    assert chosen.toggled("3").statuses == frozenset()


def test_a_test_is_opened_with_the_way_back() -> None:
    """The link to a test has the state of the page, so that its reader comes back to the same list."""
    assert RunState(7).result(9) == "/results/9"
    assert RunState(7, "tests", text="a b").result(9) == "/results/9?from=view%3Dtests%26q%3Da%2Bb"
