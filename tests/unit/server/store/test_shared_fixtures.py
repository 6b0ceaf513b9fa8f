"""Results of fixtures that tests share: each is stored once, beside tests that it does not fail, and counted apart."""

import pytest

from pytest_automation_report.api.models import Json
from support.service import Service, a_test

FIXTURE = {"key": "f" * 64, "folder": "conftest", "name": "server [session]", "file": "conftest.py", "line": 3}


def failed(number: int, phase: str, *, is_own: bool = False) -> Json:
    """Return a test in whose setup or teardown the fixture failed."""
    cause = {
        "kind": "error", "name": "Error", "text": "E   RuntimeError: port is taken", "phase": phase,
        "message": "RuntimeError: port is taken", "fixtures": [{**FIXTURE, "phase": phase}], "is_own": is_own,
    }  # fmt: skip
    return a_test(number, "error", causes=[cause])


def counts(service: Service, run: int) -> tuple[int, int, int]:
    """Return how many results a run has, and how many of them passed and failed."""
    shown = service.get(f"/automation/runs/{run}").json["result"]
    return shown["total_count"], shown["success_count"], shown["failure_count"]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("phase", "is_own", "expected"),
    [("teardown", False, (3, 3, 1)), ("setup", False, (3, 1, 1)), ("teardown", True, (3, 1, 3))],
    ids=["teardown", "setup", "with an error of its own"],
)
def test_a_fixture_counts_once_and_apart(
    service: Service, phase: str, expected: tuple[int, int, int], *, is_own: bool
) -> None:
    """Of two tests that report it one result is stored, which is no test's."""
    run = service.completed_run(a_test(1), failed(2, phase, is_own=is_own), failed(3, phase, is_own=is_own))
    assert counts(service, run) == expected
    found = service.get(f"/automation/runs/{run}/findings").json["result"]
    assert [reason["fixture"] for reason in found["reasons"] if reason["fixture"]] == [
        f"{phase} of fixture server (session, conftest.py:3)"
    ]
    assert (found["ran"]["fixtures"], found["ran"]["blocked"]) == (1, 2 if phase == "setup" else 0)


@pytest.mark.postgresql
def test_a_later_attempt_of_the_job_replaces_its_error(service: Service) -> None:
    """Where the job runs again without the error, the run is green; each of several jobs has an error of its own."""
    ran = [failed(1, "teardown")]
    run = service.run_of_jobs(("unit", 1, ran), ("web", 1, ran))
    assert counts(service, run)[2] == 2
    again = service.run_of_jobs(("unit", 1, ran), ("unit", 2, [a_test(1)]))
    assert counts(service, again) == (1, 1, 0)
    found = service.get(f"/automation/runs/{again}/findings").json["result"]
    assert (found["reasons"], found["verdict"]["kind"]) == ([], "passed")
