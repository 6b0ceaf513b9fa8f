"""Plugins that repeat tests, each as it is installed: one result with the last outcome and what came before."""

import pytest

from compatibility.world.differing import ONLY_RETRY
from support.annotated_suites import Suite
from support.needs import HAS_SUBTESTS

FLAKY_TEST = """
import pytest
runs = 0
def test_third_time(record_property):
    global runs
    runs += 1
    print("run", runs)
    record_property("run", runs)
    assert runs == 3
def test_never():
    raise ValueError("never")
def test_always():
    pass
"""


def test_rerunfailures_is_one_result_with_its_attempts(suite: Suite) -> None:
    """With pytest-rerunfailures the attempts before the last are fields of the last, and none counts as the result."""
    pytest.importorskip("pytest_rerunfailures")
    suite.tests(FLAKY_TEST)
    found = suite.report("--reruns=2", output="all", exit_status=1)
    statuses = {name: each.body["status"] for name, each in found.items()}
    assert statuses == {"test_third_time": "passed", "test_never": "failure", "test_always": "passed"}
    third = found["test_third_time"]
    assert list(third.values) == ["Attempts", "Attempt 1", "Attempt 2", "Output", "run"]
    assert third.values["Attempts"] == "3"
    for number in (1, 2):
        assert f"assert {number} == 3" in third.values[f"Attempt {number}"]
        meta = third.named[f"Attempt {number}"]["meta"]
        assert (meta["status"], int(meta["elapsed"]) > 0) == ("failure", True)
    assert (third.values["Output"], third.values["run"]) == ("run 3\n", "3")
    assert list(found["test_never"].values) == ["Failure", "Attempts", "Attempt 1", "Attempt 2"]


def test_a_users_field_with_the_name_of_ours_stays(suite: Suite) -> None:
    """A user's own field Attempts stays with each attempt and changes no number."""
    pytest.importorskip("pytest_rerunfailures")
    suite.tests(FLAKY_TEST.replace('"run", runs', '"Attempts", 7'))
    third = suite.report("--reruns=2", exit_status=1)["test_third_time"]
    assert [name for name, _, _ in third.fields] == ["Attempts", "Attempt 1", "Attempt 2", "Attempts"]
    assert [third.fields[place][1] for place in (0, 3)] == ["3", "7"]
    assert all("Attempts: 7" in text for _, text, _ in third.fields[1:3])


@pytest.mark.skipif(not HAS_SUBTESTS, reason="pytest-rerunfailures does not know the subtests of pytest-subtests")
def test_rerun_of_failed_subtests(suite: Suite) -> None:
    """An attempt that failed by a subtest alone is shown by that subtest's traceback."""
    pytest.importorskip("pytest_rerunfailures")
    suite.tests(
        """
        runs = 0
        def test_s(subtests):
            global runs
            runs += 1
            with subtests.test("inner"):
                assert runs == 2
        """
    )
    (found,) = suite.report("--reruns=2").values()
    assert found.body["status"] == "passed"
    assert "assert 1 == 2" in found.values["Attempt 1"]
    assert found.values["Subtests"] == "1: 1 passed"


@pytest.mark.parametrize("outcome", ["retried", "again", "rerun"])
def test_pytest_retry_is_one_result_with_its_attempts(suite: Suite, outcome: str) -> None:
    """With pytest-retry, whatever it calls a repeated attempt, the first is a field of the last."""
    pytest.importorskip("pytest_retry")
    suite.tests(FLAKY_TEST.replace("runs == 3", "runs == 2"))
    options = ("--retries=1", f"--retry-outcome={outcome}", *ONLY_RETRY)
    found = suite.report(*options, output="all", exit_status=1)
    statuses = {name: each.body["status"] for name, each in found.items()}
    assert statuses == {"test_third_time": "passed", "test_never": "failure", "test_always": "passed"}
    second = found["test_third_time"]
    assert list(second.values) == ["Attempts", "Attempt 1", "Output", "run"]
    assert (second.values["Attempts"], "assert 1 == 2" in second.values["Attempt 1"]) == ("2", True)
    assert (second.values["Output"], second.values["run"]) == ("run 2\n", "2")
    assert list(found["test_never"].values) == ["Failure", "Attempts", "Attempt 1"]
