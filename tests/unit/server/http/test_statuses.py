from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import DEFAULT_STATUSES, ResultStatus
from support.contract import Contract
from support.service import Service, a_test

APPEND = "/automation/runs/threads/{}/append"
FAILED = DEFAULT_STATUSES.by_id[3]


def _changed(place: Path | PostgresDatabase, status: ResultStatus, project_id: int = 1) -> None:
    with closing(Store(place)) as store:
        store.write(lambda writer: writer.set_status(project_id, status))


def _listed(place: Path | PostgresDatabase, project_id: int = 1) -> dict[int, ResultStatus]:
    with closing(Store(place)) as store:
        return dict(store.read(lambda reader: reader.statuses(project_id)).by_id)


def test_a_project_starts_with_the_usual_statuses(place: Path | PostgresDatabase) -> None:
    """What is listed is what an unconfigured instance has, for a project that nobody used, too."""
    statuses = _listed(place, project_id=9)
    assert {number: each.aliases[0] for number, each in statuses.items()} == {
        1: "untested",
        2: "passed",
        3: "failed",
        4: "retest",
        5: "blocked",
        6: "skipped",
    }


def test_a_renamed_alias_is_what_tests_are_sent_with(place: Path | PostgresDatabase, contract: Contract) -> None:
    """The new words are taken and counted as the old ones were; the old ones are refused, with the known ones named."""
    _changed(place, replace(FAILED, name="Kaputt", aliases=("kaputt", "broken")))
    service = Service(place, contract)
    run_id = service.new_run()
    thread_id = service.new_thread(run_id)
    service.append(thread_id, a_test(1, "kaputt"), a_test(2, "broken"), a_test(3))
    for odd in ({}, {"unknown": 1}, {"elapsed": -1}):
        answer = service.post(APPEND.format(thread_id), {"tests": [a_test(4), a_test(5, "failed", **odd)]})
        assert answer.status_code == 422
        assert "kaputt" in answer.json["errors"]["tests.1.status"][0]
    run = service.run(run_id)
    assert (run["status2_count"], run["failure_count"], run["success_count"], run["total_count"]) == (2, 2, 1, 3)
    expands = service.get("/projects/1/automation/runs", "expands=statuses").json["expands"]
    assert (expands["statuses"][2]["name"], expands["statuses"][2]["aliases"]) == ("Kaputt", ["kaputt", "broken"])
    assert expands["statuses"][2]["system_name"] == "failed"
    service.store.close()
    assert [each.name for each in _listed(place).values()] == [each["name"] for each in expands["statuses"]]


def test_a_project_renames_for_itself(place: Path | PostgresDatabase, contract: Contract) -> None:
    """Another project in the same store keeps its words."""
    _changed(place, replace(DEFAULT_STATUSES.by_id[2], aliases=("ok",)), project_id=2)
    service = Service(place, contract)
    for project_id, alias, status in ((1, "passed", 204), (2, "passed", 422), (2, "ok", 204), (1, "ok", 204)):
        thread_id = service.new_thread(service.new_run(project_id))
        answer = service.post(APPEND.format(thread_id), {"tests": [a_test(status=alias)]})
        assert answer.status_code == status, (project_id, alias)
    service.store.close()


def test_a_change_counts_from_the_next_request_on(service: Service) -> None:
    """A running server need not be told; and what it took with a key before is still answered as it was."""
    run_id = service.new_run()
    thread_id = service.new_thread(run_id)
    body = {"tests": [a_test(status="failed")]}
    assert service.post(APPEND.format(thread_id), body, key="before").status_code == 204
    _changed(service.place, replace(FAILED, aliases=("kaputt",)))
    assert service.post(APPEND.format(thread_id), body).status_code == 422
    assert service.post(APPEND.format(thread_id), body, key="new").status_code == 422
    assert service.post(APPEND.format(thread_id), body, key="before").status_code == 204
    assert service.run(run_id)["total_count"] == 1


@pytest.mark.parametrize(
    ("meaning", "counts", "shown"),
    [
        ({"is_final": True, "is_passed": True}, {"success_count": 1, "completed_count": 1}, 2),
        ({"is_final": True, "is_failed": True}, {"failure_count": 1, "completed_count": 1}, 3),
        ({"is_final": True}, {"completed_count": 1}, 1),
        ({"is_final": False}, {}, 1),
    ],
)
def test_a_status_of_ones_own_has_a_count_of_its_own(
    place: Path | PostgresDatabase, contract: Contract, meaning: dict[str, bool], counts: dict[str, int], shown: int
) -> None:
    """Status 7 is counted in slot 6, and in the sums that it was said to count in."""
    _changed(place, ResultStatus(7, "Flaky", ("flaky",), **meaning))  # type: ignore[arg-type] # its flags
    _changed(place, ResultStatus(25, "Last", ("last",)))
    service = Service(place, contract)
    run_id = service.new_run()
    service.append(service.new_thread(run_id), a_test(status="flaky"))
    run = service.run(run_id)
    sums = ("success_count", "failure_count", "completed_count")
    assert (run["status6_count"], run["total_count"]) == (1, 1)
    assert {name: run[name] for name in sums if run[name]} == counts
    assert service.get(f"/automation/runs/{run_id}/tests").json["result"][0]["status"] == shown
    assert _listed(place)[25].system_name == "custom19"
    service.store.close()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (replace(FAILED, aliases=("passed",)), "belongs to status 2"),
        (replace(FAILED, aliases=()), "at least one alias"),
        (replace(FAILED, aliases=("a", "", "b")), "none is empty"),
        (ResultStatus(26, "a", ("a",)), "from 1 to 25"),
        (ResultStatus(0, "a", ("a",)), "from 1 to 25"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    place: Path | PostgresDatabase, status: ResultStatus, told: str
) -> None:
    """A mistake is an error that says what is wrong."""
    before = _listed(place)
    with pytest.raises(ValueError, match=told):
        _changed(place, status)
    assert _listed(place) == before
