import pytest

from pytest_automation_report.server.store.database import MAX_THREADS
from support.service import SECOND, START, Service, a_test

FIELD = {"type": 4, "name": "Output", "value": "text", "meta": {"a": "b"}, "is_highlight": True}
ARTIFACT = {"name": "log", "url": "https://files.example.com/log", "note": "n", "mime_type": "text/plain", "size": 3}
LINK = {"name": "job", "url": "https://ci.example.com/1", "note": None}


def test_a_new_run_is_running_and_has_what_it_was_sent_with(service: Service) -> None:
    """A created run shows its properties, no threads and status 4."""
    sent = {"fields": [FIELD], "artifacts": [ARTIFACT], "links": [LINK], "config": "Chrome", "milestone": "1.0"}
    run = service.run(service.new_run(7, tags=["b", "a", "b"], **sent))
    expected = {
        "project_id": 7, "name": "a run", "status": 4, "is_completed": False, "tags": ["b", "a", "b"], "threads": [],
        "elapsed": None, "config_id": 1, "milestone_id": 1, "artifacts": [ARTIFACT], "links": [LINK], "created_by": 1,
        "fields": [{"type": 4, "name": "Output", "value": "text", "meta": {"a": "b"}}], "completed_at": None,
        "created_at": "2023-11-14T22:13:20.000Z", "updated_at": None,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected


def test_names_of_sources_and_configs_are_made_once_for_each_project(service: Service) -> None:
    """The same name in one project is the same record, in another project another one."""
    runs = [service.run(service.new_run(project, config="c", milestone="m")) for project in (1, 1, 2)]
    for name in ("source_id", "config_id", "milestone_id"):
        first, second, third = (run[name] for run in runs)
        assert first == second != third


@pytest.mark.postgresql
def test_an_id_wins_over_a_name_and_must_be_known_in_the_project(service: Service) -> None:
    """An unknown config or milestone id is refused; a known one makes the name unneeded."""
    known = service.run(service.new_run(1, config="c"))["config_id"]
    assert service.run(service.new_run(1, config="other", config_id=known))["config_id"] == known
    assert service.run(service.new_run(1, config="next"))["config_id"] == known + 1, "the unused name was not made"
    for project, name, wanted in ((1, "config_id", 99), (2, "config_id", known), (1, "milestone_id", 5)):
        answer = service.post(f"/projects/{project}/automation/runs", {"name": "r", "source": "s", name: wanted})
        assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    assert service.get("/projects/2/automation/runs").status_code == 404, "a refused run makes no project known"


def test_appending_to_a_run_adds_and_replaces_nothing(service: Service) -> None:
    """Fields, artifacts and links pile up in the order they come."""
    run_id = service.new_run(fields=[{"type": 1, "name": "first"}])
    for name in ("second", "third"):
        body = {"fields": [{"type": 1, "name": name, "value": None}], "artifacts": [ARTIFACT], "links": [LINK]}
        assert service.post(f"/automation/runs/{run_id}/append", body).status_code == 204
    run = service.run(run_id)
    assert [field["name"] for field in run["fields"]] == ["first", "second", "third"]
    assert (len(run["artifacts"]), len(run["links"])) == (2, 2)
    assert run["updated_at"] is not None


def test_threads_are_numbered_and_counted_within_their_run(service: Service) -> None:
    """Index, name and the three thread counts follow creation and completion."""
    service.new_thread(service.new_run())
    run_id = service.new_run()
    first, second = service.new_thread(run_id), service.new_thread(run_id, fields=[FIELD], artifacts=[ARTIFACT])
    service.complete_thread(first)
    run = service.run(run_id)
    assert [(each["id"], each["index"], each["name"], each["is_completed"]) for each in run["threads"]] == [
        (first, 1, "Thread 1", True),
        (second, 2, "Thread 2", False),
    ]
    assert (run["thread_count"], run["thread_active_count"], run["thread_completed_count"]) == (2, 1, 1)
    assert (run["threads"][1]["artifacts"], run["artifacts"], run["fields"]) == ([ARTIFACT], [], [])


@pytest.mark.postgresql
def test_a_run_has_no_more_threads_than_an_answer_can_hold(service: Service) -> None:
    """The last thread is made, the next one is refused and told why; what is there goes on, and so do other runs."""
    run, other = service.new_run(), service.new_run()
    made = "UPDATE run SET thread_count = ? WHERE id = ?"
    service.store.write(lambda writer: writer.connection.change(made, (MAX_THREADS - 1, run)))
    thread = service.new_thread(run)
    refused = service.post(f"/automation/runs/{run}/threads", {})
    assert refused.status_code == 422
    assert refused.json["message"] == "The automation run has 10000 threads, and can have no more; create another run."
    assert len(service.run(run)["threads"]) == 1
    service.append(thread, a_test())
    service.new_thread(other)
    assert service.post(f"/automation/runs/{run}/complete", {}).status_code == 204


def test_a_thread_shows_observed_time_before_computed_time(service: Service) -> None:
    """Creation starts the totals, appends add to them, completion replaces them."""
    run_id = service.new_run()
    thread_id = service.new_thread(run_id)

    def elapsed() -> object:
        return service.run(run_id)["threads"][-1]["elapsed"]

    shown = [elapsed()]
    for name, amount in (("computed", 5), ("computed", 6), ("observed", 0), ("observed", 7)):
        service.append(thread_id, **{f"elapsed_{name}": amount})
        shown.append(elapsed())
    service.complete_thread(thread_id, elapsed_observed=3)
    assert [*shown, elapsed()] == [None, 5, 11, 0, 7, 3]
    service.append(service.new_thread(run_id, elapsed_observed=100, elapsed_computed=1), elapsed_observed=20)
    assert elapsed() == 120


def test_a_total_beyond_64_bits_is_refused(service: Service) -> None:
    """The sum of a thread's times never becomes a fraction or an error of the server."""
    run_id = service.new_run()
    thread_id = service.new_thread(run_id, elapsed_observed=2**63 - 1)
    answer = service.post(f"/automation/runs/threads/{thread_id}/append", {"elapsed_observed": 1, "tests": [a_test()]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["elapsed_observed"])
    assert service.run(run_id)["total_count"] == 0


@pytest.mark.parametrize(
    ("body", "elapsed"),
    [({"measure_elapsed": True}, 90 * SECOND), ({"measure_elapsed": False}, 40), ({}, 40), (None, 40)],
)
def test_time_of_a_completed_run(service: Service, body: object, elapsed: int) -> None:
    """measure_elapsed chooses between the wall clock and the longest thread; a missing body means the latter."""
    run_id = service.new_run()
    for amount in (40, 30):
        service.new_thread(run_id, elapsed_computed=amount)
    service.clock.now = START + 90 * SECOND
    assert service.post(f"/automation/runs/{run_id}/complete", body).status_code == 204
    run = service.run(run_id)
    assert (run["elapsed"], run["completed_at"]) == (elapsed, "2023-11-14T22:14:50.000Z")


def test_an_empty_run_is_a_success(service: Service) -> None:
    """Its time is unknown unless it is measured, and never below zero, although the clock went back."""
    for properties, elapsed in (({}, None), ({"measure_elapsed": True}, 0)):
        run_id = service.new_run()
        service.clock.now -= SECOND
        service.complete(run_id, **properties)
        run = service.run(run_id)
        assert (run["status"], run["elapsed"], run["is_completed"], run["completed_by"]) == (2, elapsed, True, 1)


def test_completing_a_run_completes_its_open_threads_each_with_its_own_status(service: Service) -> None:
    """Status 3 is for a run or thread with a failure, 2 for all others."""
    run_id = service.new_run()
    for number, status in enumerate(("error", "skipped")):
        service.append(service.new_thread(run_id), a_test(number, status))
    service.complete(run_id, measure_elapsed=True)
    run = service.run(run_id)
    assert [run["status"], *(each["status"] for each in run["threads"])] == [3, 3, 2]
    assert all(each["is_completed"] and each["completed_at"] for each in run["threads"])
    assert (run["thread_active_count"], run["thread_completed_count"]) == (0, 2)


def test_completed_is_completed(service: Service) -> None:
    """Nothing can be added to, or completed again in, what is completed; and nothing of the attempt is kept."""
    run_id = service.new_run()
    closed, left_open = service.new_thread(run_id), service.new_thread(run_id)
    tests, run = {"tests": [a_test()]}, f"/automation/runs/{run_id}"
    threads = [f"/automation/runs/threads/{thread_id}" for thread_id in (closed, left_open)]

    def refused(*requests: tuple[str, object]) -> list[str]:
        return [path for path, body in requests if service.post(path, body).status_code == 422]

    service.complete_thread(closed)
    assert len(refused((f"{threads[0]}/append", tests), (f"{threads[0]}/complete", {}))) == 2
    service.complete(run_id)
    requests = [(f"{run}/append", {"fields": [FIELD]}), (f"{run}/threads", {}), (f"{run}/complete", {})]
    requests += [(f"{threads[1]}/append", tests), (f"{threads[1]}/complete", {})]
    assert refused(*requests) == [path for path, _ in requests]
    found = service.run(run_id)
    assert (found["total_count"], found["thread_count"], found["fields"]) == (0, 2, [])


def test_runs_are_listed_newest_first_and_equal_times_by_id(service: Service) -> None:
    """The order is that of creation, reversed unless asked otherwise, whatever the clock's resolution."""
    ids = [service.new_run() for _ in range(3)]
    service.clock.now += SECOND
    ids.append(service.new_run())
    for query, expected in (("", ids[::-1]), ("order=asc", ids)):
        listed = service.get("/projects/1/automation/runs", query).json
        assert ([run["id"] for run in listed["result"]], listed["expands"]) == (expected, {})


def test_pages_tell_their_neighbours(service: Service) -> None:
    """Every page says where it stands; one past the end is empty, with the last page as the one before."""
    ids = [service.new_run() for _ in range(31)]
    service.new_run(2)
    seen = []
    for number, before, after in ((1, None, 2), (2, 1, 3), (3, 2, None)):
        page = service.get("/projects/1/automation/runs", f"per_page=15&page={number}&order=asc").json
        assert (page["page"], page["prev_page"], page["next_page"]) == (number, before, after)
        assert (page["last_page"], page["per_page"], page["total"]) == (3, 15, 31)
        seen += [run["id"] for run in page["result"]]
    assert seen == ids
    for number in (9, 2**63 - 1):
        page = service.get("/projects/1/automation/runs", f"per_page=15&page={number}").json
        assert (page["result"], page["prev_page"], page["next_page"], page["total"]) == ([], 3, None, 31)


@pytest.mark.postgresql
def test_bounds_of_time_leave_out_the_moment_that_is_shown(service: Service) -> None:
    """A run is created neither before nor after the time that is shown for it, in any zone."""
    first = service.new_run()
    service.clock.now = START + 1_500
    second = service.new_run()
    shown = service.run(second)["created_at"]
    for query, expected in (
        (f"created_after={shown}", []),
        ("created_after=2023-11-14T22:13:20.000Z", [second]),
        (f"created_before={shown}", [first]),
        ("created_before=2023-11-14T23:13:20.002%2B01:00", [second, first]),
    ):
        listed = service.get("/projects/1/automation/runs", query).json
        assert ([run["id"] for run in listed["result"]], listed["total"]) == (expected, len(expected)), query


@pytest.mark.postgresql
def test_sources_show_what_their_runs_tell(service: Service) -> None:
    """A source counts its runs, averages their tests and times, and has the status of the latest one."""
    run_id = service.new_run()
    service.append(service.new_thread(run_id), a_test(1), a_test(2, "failure"))
    service.complete(run_id, measure_elapsed=True)
    service.new_run(1, source="other")
    source = service.get("/automation/sources/1").json["result"]
    names = ("name", "status", "run_count", "test_count_average", "elapsed_average", "is_retired")
    assert [source[name] for name in names] == ["a-source", 3, 1, 2, 0, False]
    page = service.get("/projects/1/automation/sources", "order=asc&is_retired=0").json
    assert [(each["name"], each["status"]) for each in page["result"]] == [("a-source", 3), ("other", 1)]
    assert service.get("/projects/1/automation/sources", "is_retired=true").json["total"] == 0
    for path in ("/automation/sources/3", "/projects/9/automation/sources"):
        assert service.get(path).status_code == 404


LATE = {"name": "unit 2/4", "attempt": 2}


def test_a_late_job_opens_a_completed_run_until_it_is_in(service: Service) -> None:
    """A completed run takes the threads of late jobs, is open as long as one of them is, and then says what failed.

    Other clients find it closed, as the contract says.
    """
    run = service.completed_run(a_test())
    assert service.post(f"/automation/runs/{run}/threads", {}).status_code == 422
    before = service.run(run)
    assert before["is_completed"] is True
    service.clock.now += 60 * SECOND
    late = [service.new_thread(run, job=LATE), service.new_thread(run, job={"name": "unit 3/4"})]
    opened = service.run(run)
    assert (opened["is_completed"], opened["completed_at"], opened["thread_active_count"]) == (False, None, 2)
    service.append(late[0], a_test(1, "failed"))
    service.complete_thread(late[0])
    assert service.run(run)["is_completed"] is False
    service.complete_thread(late[1])
    after = service.run(run)
    assert (after["is_completed"], after["status"], after["failure_count"]) == (True, 3, 1)
    assert (after["elapsed"], after["completed_at"] > before["completed_at"]) == (before["elapsed"], True)


def test_what_is_said_about_a_run_is_said_again_after_late_results(service: Service) -> None:
    """Findings of a completed run are stored: those that a late job makes wrong are computed anew."""
    run = service.completed_run(a_test())
    for count in (0, 1):
        found = service.get(f"/automation/runs/{run}/findings").json["result"]
        assert [reason["count"] for reason in found["reasons"]] == [1] * count
        if not count:
            late = service.new_thread(run, job=LATE)
            service.append(late, a_test(1, "failed"))
            service.complete_thread(late)
