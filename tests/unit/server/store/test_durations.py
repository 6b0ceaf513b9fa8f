"""How long tests usually take, as a session asks that cuts or orders them."""

from typing import Any

import pytest

from support.service import SECOND, Service, a_test
from support.website import field


def asked(service: Service, **query: str) -> Any:  # noqa: ANN401 - a document
    """Return the answer for a branch or a shared run."""
    answer = service.get("/projects/1/automation/durations", "&".join(f"{k}={v}" for k, v in query.items()))
    assert answer.status_code == 200, answer.text
    return answer.json["result"]


def a_run(service: Service, *elapsed: int | None, branch: str = "", status: str = "passed", **more: Any) -> int:  # noqa: ANN401 - of a test
    """Report a completed run with a test for each duration; None: the run lacks the test."""
    tests = [a_test(number, status, elapsed=time, **more) for number, time in enumerate(elapsed) if time is not None]
    return service.completed_run(*tests, fields=[field("Branch", branch)] if branch else [])


def test_medians_of_the_last_five_runs(service: Service) -> None:
    """A test's duration is the median of the last five completed runs of the source, filled up from the main branch."""
    for elapsed in (900, 10, 20, 30):
        a_run(service, elapsed, 7, branch="main")
    a_run(service, 5000, branch="other")
    a_run(service, 40, None, 3, branch="work")
    service.append(service.new_thread(service.new_run(fields=[field("Branch", "work")])), a_test(0, elapsed=1))
    own = asked(service, source="a-source", branch="work")
    assert own == {"runs": [6, 4, 3, 2, 1], "failed": [], "durations": {"key0": 30, "key1": 7, "key2": 3}}
    a_run(service, 50, branch="main")
    assert asked(service, source="a-source", branch="main")["durations"] == {"key0": 30, "key1": 7}
    assert asked(service, source="a-source", branch="new")["runs"] == [8, 4, 3, 2, 1]
    for other in ({"source": "other"}, {}):
        assert asked(service, **other) == {"runs": [], "failed": [], "durations": {}}


def shared_run(service: Service) -> int:
    """Create the run of a pipeline's jobs, a second after what was before it."""
    service.clock.now += SECOND
    return service.new_run()


def test_runs_that_were_completed_before_the_shared_run_count(service: Service) -> None:
    """All jobs of a run get the durations of runs that were completed before it was created, not of later ones.

    A run that is completed in the same microsecond is none of them, and neither is the shared run itself.
    """
    a_run(service, 10)
    slow = service.new_run()
    service.append(service.new_thread(slow), a_test(0, elapsed=90))
    shared, other = shared_run(service), service.new_run()
    service.complete(slow)
    assert asked(service, run=str(shared)) == {"runs": [1], "failed": [], "durations": {"key0": 10}}
    service.clock.now += SECOND
    service.append(service.new_thread(shared), a_test(0, elapsed=90))
    service.complete(shared)
    assert [asked(service, run=str(each))["runs"] for each in (shared, other)] == [[1], [1]]
    assert asked(service, run=str(shared_run(service)))["runs"] == [shared, slow, 1]


def test_the_first_answer_is_everybodys(service: Service) -> None:
    """Late results of a run, and a run that is removed, change no job's tests, also not when it runs again."""
    earlier = service.run_of_jobs(("unit", 1, [a_test(0, elapsed=10), a_test(1, elapsed=20)]))
    shared = shared_run(service)
    first = asked(service, run=str(shared))
    assert first["durations"] == {"key0": 10, "key1": 20}
    service.run_of_jobs(("unit", 2, [a_test(0, elapsed=700)]), run_id=earlier)
    assert asked(service, run=str(shared_run(service)))["durations"] == {"key0": 700, "key1": 20}
    service.complete(shared)
    service.new_thread(shared, job={"name": "unit", "attempt": 2})
    assert asked(service, run=str(shared)) == first


def test_a_run_of_another_project_is_not_there(service: Service) -> None:
    """The durations of a run are its project's."""
    run = service.completed_run(a_test(0, elapsed=10))
    assert service.get("/projects/2/automation/durations", f"run={run}").status_code == 404
    assert service.get("/projects/1/automation/durations", "run=999").status_code == 404


def test_a_shard_with_a_run_of_its_own_is_no_source_of_durations(service: Service) -> None:
    """Without a key jobs that start later would be cut by the first ones' runs, and tests would run nowhere."""
    a_run(service, 10)
    for selection in ("--automation-report-shard=1/2", "--automation-report-shard=2/2 -k cart", "-k cart"):
        service.completed_run(a_test(0, elapsed=90), fields=[field("Selection", selection)])
    assert asked(service, source="a-source")["runs"] == [4, 1]


def test_what_failed_last(service: Service) -> None:
    """A test failed last if its newest result is a failure, in any job; a module without a duration is among them."""
    a_run(service, 1, 1, 1, status="failed")
    a_run(service, 1, None, 1)
    thread = service.new_thread(run := service.new_run())
    service.append(thread, a_test(2, elapsed=1), a_test(2, "failed", elapsed=3), a_test(3, "untested"))
    broken = {"key": "module", "name": "tests.b", "folder": "tests.b", "file": "tests/b.py", "status": "error"}
    service.append(thread, broken)
    service.complete(run)
    found = asked(service, source="a-source")
    assert sorted(found["failed"]) == ["key1", "key2", "module"]
    assert found["durations"] == {"key0": 1, "key1": 1, "key2": 1}


@pytest.mark.parametrize("has_later", [False, True])
def test_a_job_that_ran_again_counts_once(service: Service, *, has_later: bool) -> None:
    """The result of an earlier attempt is not counted beside that of a later one."""
    attempts = [("unit", 1, [a_test(0, "failed", elapsed=50)])]
    attempts += [("unit", 2, [a_test(0, elapsed=10)])] if has_later else []
    service.run_of_jobs(*attempts)
    found = asked(service, source="a-source")
    assert (found["failed"], found["durations"]) == (([], {"key0": 10}) if has_later else (["key0"], {"key0": 50}))
