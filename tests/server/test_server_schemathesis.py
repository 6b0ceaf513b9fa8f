"""Generated requests for every operation of the contract: valid ones and broken ones, with a fixed seed.

schemathesis is no part of the test extra, since its pytest plugin makes each of the many sessions that other tests
start nearly a second slower; where it is not installed, this file is skipped.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_automation_report.server.mount import StoreAdapter
from server.service import API, TOKEN, a_test

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

schemathesis: Any = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

ORIGIN = "http://store.test"
RUNS = f"{ORIGIN}{API}/projects/1/automation/runs"
EXAMPLES = 25
EXTRA_STATUSES = ("405", "413", "415")
"""What every server answers, although the contract lists it for no operation."""

EXCLUDED = {
    "positive_data_acceptance": "what fits the schema can still name a status, configuration or run that is not there",
    "negative_data_rejection": "unknown properties and parameters are ignored, and 1.0 is an integer",
    "ignored_auth": "it would send requests past the session; test_server_requests.py tries every kind of token",
    "unsupported_method": "it would send requests past the session; test_server_requests.py tries every method",
    "use_after_free": "the contract deletes nothing",
    "object_level_authorization": "an embedded server has one user",
}
"""Checks that are left out, each with its reason."""


def _document() -> dict[str, Any]:
    text = files("pytest_automation_report").joinpath("openapi.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    error = {"description": "Error", "content": document["components"]["responses"]["NotFound"]["content"]}
    for item in document["paths"].values():
        for method in ("get", "post"):
            item.get(method, {}).get("responses", {}).update(dict.fromkeys(EXTRA_STATUSES, error))
    return document


SCHEMA = schemathesis.openapi.from_dict(_document())
OPERATIONS = {each.ok().definition.raw["operationId"]: each.ok() for each in SCHEMA.get_all_operations()}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN.value}"
        session.mount(ORIGIN, StoreAdapter(tmp_path / "store.db", TOKEN))
        yield session


def _fresh_ids(session: requests.Session) -> dict[str, int]:
    """Make a run with a thread and a result, and return the ids that addresses can have."""
    run = session.post(RUNS, json={"name": "n", "source": "s", "config": "c", "milestone": "m", "tags": ["t"]}).json()[
        "id"
    ]
    runs = f"{ORIGIN}{API}/automation/runs"
    thread = session.post(f"{runs}/{run}/threads", json={}).json()["id"]
    session.post(f"{runs}/threads/{thread}/append", json={"tests": [a_test()]})
    return {
        "project_id": 1,
        "automation_run_id": run,
        "run_id": run,
        "automation_run_thread_id": thread,
        "automation_source_id": 1,
    }


def _checks() -> list[Any]:
    known = schemathesis.checks.CHECKS.get_all_names()
    assert {"not_a_server_error", "status_code_conformance", "response_schema_conformance"} <= set(known)
    return list(schemathesis.checks.CHECKS.get_by_names([name for name in known if name not in EXCLUDED]))


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize("are_ids_known", [True, False])
def test_no_generated_request_is_answered_as_the_contract_does_not_say(
    session: requests.Session,
    operation: str,
    mode: str,
    are_ids_known: bool,  # noqa: FBT001 - a table
) -> None:
    """No request, valid or broken, for what is there or not, makes a failure or an undocumented answer."""
    cases = OPERATIONS[operation].as_strategy(generation_mode=schemathesis.GenerationMode[mode])
    statuses: set[int] = set()

    @seed(4)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
    )
    @given(case=cases)
    def exchange(case: Any) -> None:  # noqa: ANN401 - schemathesis is not there for every type checker
        if are_ids_known:
            ids = _fresh_ids(session)
            case.path_parameters = {name: ids[name] for name in case.path_parameters or {}}
        answer = case.call_and_validate(base_url=ORIGIN, session=session, checks=CHECKS)
        statuses.add(answer.status_code)

    exchange()
    if are_ids_known and mode == "POSITIVE" and operation != "appendToAutomationRunThread":
        assert min(statuses) < 300, "some of them are answered with success"


CHECKS = _checks()
