"""Results that come after the completion of their run."""

from support.service import SECOND, Service, a_test

LATE = {"name": "unit 2/4", "attempt": 2}


def _complete_thread(service: Service, thread_id: int) -> None:
    service.post(f"/automation/runs/threads/{thread_id}/complete", {})


def test_a_late_job_opens_a_completed_run_until_it_is_in(service: Service) -> None:
    """A completed run takes the threads of late jobs, is open as long as one of them is, and then says what failed."""
    run = service.new_run()
    service.append(service.new_thread(run), a_test())
    service.post(f"/automation/runs/{run}/complete", {"measure_elapsed": True})
    before = service.run(run)
    service.clock.now += 60 * SECOND
    late = [service.new_thread(run, job=LATE), service.new_thread(run, job={"name": "unit 3/4"})]
    opened = service.run(run)
    assert (opened["is_completed"], opened["completed_at"], opened["thread_active_count"]) == (False, None, 2)
    service.append(late[0], a_test(1, "failed"))
    _complete_thread(service, late[0])
    assert service.run(run)["is_completed"] is False
    _complete_thread(service, late[1])
    after = service.run(run)
    assert (after["is_completed"], after["status"], after["failure_count"]) == (True, 3, 1)
    assert (after["elapsed"], after["completed_at"] > before["completed_at"]) == (before["elapsed"], True)


def test_what_is_said_about_a_run_is_said_again_after_late_results(service: Service) -> None:
    """Findings of a completed run are stored: those that a late job makes wrong are computed anew."""
    run = service.new_run()
    service.append(service.new_thread(run), a_test())
    service.post(f"/automation/runs/{run}/complete", {})
    assert service.get(f"/automation/runs/{run}/findings").json["result"]["reasons"] == []
    late = service.new_thread(run, job=LATE)
    service.append(late, a_test(1, "failed"))
    _complete_thread(service, late)
    found = service.get(f"/automation/runs/{run}/findings").json["result"]
    assert [reason["count"] for reason in found["reasons"]] == [1]


def test_a_thread_without_a_job_is_refused(service: Service) -> None:
    """Other clients find a completed run closed, as the contract says."""
    run = service.new_run()
    service.post(f"/automation/runs/{run}/complete", {})
    assert service.post(f"/automation/runs/{run}/threads", {}).status_code == 422
    assert service.run(run)["is_completed"] is True
