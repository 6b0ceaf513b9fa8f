"""How long tests usually take, as a session asks that cuts or orders them."""

from typing import Any

import pytest

from support.service import SECOND, Service, a_test
from support.website import field

DAYS = 24 * 3600 * SECOND


def asked(service: Service, **query: str) -> Any:  # noqa: ANN401 - a document
    """Return the answer for a branch or a key."""
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


def test_the_first_job_settles_the_runs_of_a_key(service: Service) -> None:
    """Jobs of one key get the durations of the same runs for 30 days, of none if there were none; others do not."""
    assert asked(service, source="a-source", key="none")["runs"] == []
    a_run(service, 10)
    assert asked(service, source="a-source", key="one")["runs"] == [1]
    a_run(service, 20)
    service.clock.now += 29 * DAYS
    assert [asked(service, source="a-source", key=key)["runs"] for key in ("none", "one", "two")] == [[], [1], [2, 1]]
    assert asked(service, source="a-source", key="none")["error"] == "the first job of this run key had no durations"
    assert asked(service, source="a-source", key="one")["durations"] == {"key0": 10}
    service.clock.now += 2 * DAYS
    assert asked(service, source="a-source", key="three")["runs"] == [2, 1]
    assert [asked(service, source="a-source", key=key)["runs"] for key in ("one", "two")] == [[2, 1], [2, 1]]


def test_a_shard_with_a_run_of_its_own_is_no_source_of_durations(service: Service) -> None:
    """Without a key jobs that start later would be cut by the first ones' runs, and tests would run nowhere."""
    a_run(service, 10)
    for selection in ("--automation-report-shard=1/2", "--automation-report-shard=2/2 -k cart", "-k cart"):
        service.completed_run(a_test(0, elapsed=90), fields=[field("Selection", selection)])
    assert asked(service, source="a-source")["runs"] == [4, 1]


@pytest.mark.parametrize("key", ["run-key-7-abc", "run 2"])
def test_a_run_of_the_own_key_is_no_source_of_durations(service: Service, key: str) -> None:
    """The jobs that ran before had the durations without it, so a job that asks later gets these, too."""
    a_run(service, 10)
    own = service.new_run(tags=["run-key-7-abc"])
    service.append(service.new_thread(own), a_test(0, elapsed=90))
    service.complete(own)
    found = asked(service, source="a-source", key=key)
    assert (found["runs"], found["durations"]) == ([1], {"key0": 10})
    assert asked(service, source="a-source", key="run-key-8-abc")["runs"] == [2, 1]


@pytest.mark.parametrize("key", ["run-key-7-abc", "run 2"])
@pytest.mark.parametrize("chosen", [1, 2])
def test_jobs_without_an_answer_settle_that_all_are_cut_by_number(service: Service, key: str, chosen: int) -> None:
    """If the key's run already has a shard, no job had an answer: all go on by number; a whole session is no shard."""
    a_run(service, 10)
    own = service.new_run(tags=["run-key-7-abc"])
    collection = {"digest": "ab" * 8, "tests": 2, "chosen": chosen}
    thread = service.new_thread(own, job={"name": "unit 1/2", "attempt": 1})
    service.append(thread, a_test(0, elapsed=90), collection=collection)
    answers = [asked(service, source="a-source", key=key) for _ in range(2)]
    error = {"error": "the first job of this run key had no durations"}
    settled = {"runs": [1], "failed": [], "durations": {"key0": 10}}
    assert answers == [{"runs": [], "failed": [], "durations": {}, **error} if chosen == 1 else settled] * 2


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
