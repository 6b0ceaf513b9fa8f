"""Plugins that repeat tests, each as it is installed: one result with the last outcome and what came before."""

from __future__ import annotations

import pytest

from pytest_automation_report.recording.options import RecordingOptions
from support.recorded_suites import HAS_SUBTESTS, record

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
ALL = RecordingOptions(output="all")


def test_rerunfailures_is_one_result_with_its_attempts(pytester: pytest.Pytester) -> None:
    """With pytest-rerunfailures the attempts before the last are fields of the last, and none counts as the result."""
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(test_f=FLAKY_TEST)
    recorded = record(pytester, "-p", "pytest_rerunfailures", "--reruns", "2", rules=ALL)
    rows = [(each.body["name"], each.status, each.is_final, each.number) for each in recorded.results]
    assert rows == [
        ("test_third_time", "failure", False, 1),
        ("test_third_time", "failure", False, 2),
        ("test_third_time", "passed", True, 3),
        ("test_never", "failure", False, 1),
        ("test_never", "failure", False, 2),
        ("test_never", "failure", True, 3),
        ("test_always", "passed", True, 1),
    ]
    third = recorded.final["test_third_time"]
    assert list(third.fields) == ["Attempts", "Attempt 1", "Attempt 2", "Output", "run"]
    assert third.values["Attempts"] == "3"
    assert "assert 1 == 3" in third.values["Attempt 1"]
    assert "assert 2 == 3" in third.values["Attempt 2"]
    assert third.fields["Attempt 1"]["meta"]["status"] == "failure"
    elapsed = [third.fields[f"Attempt {number}"]["meta"]["elapsed"] for number in (1, 2)]
    assert all(text.isdigit() and int(text) > 0 for text in elapsed)
    assert (third.values["Output"], third.values["run"]) == ("run 3\n", "3")
    second = recorded.results[1]
    assert list(second.fields) == ["Failure", "Attempts", "Attempt 1", "Output", "run"]
    assert second.values["Attempts"] == "2"
    assert list(recorded.final["test_never"].fields) == ["Failure", "Attempts", "Attempt 1", "Attempt 2"]


def test_a_users_field_with_the_name_of_ours_stays(pytester: pytest.Pytester) -> None:
    """A user's own field Attempts stays with each attempt and changes no number."""
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(
        test_f="""
        runs = 0
        def test_third_time(record_property):
            global runs
            runs += 1
            record_property("Attempts", 7)
            record_property("Attempt 1", "mine")
            assert runs == 3
        """
    )
    third = record(pytester, "-p", "pytest_rerunfailures", "--reruns", "2", rules=ALL).final["test_third_time"]
    fields = [(each["name"], each["value"]) for each in third.body["fields"] if each["name"].startswith("Attempt")]
    assert [name for name, _ in fields] == ["Attempts", "Attempt 1", "Attempt 2", "Attempts", "Attempt 1"]
    assert [fields[place][1] for place in (0, 3, 4)] == ["3", "7", "mine"]
    assert all("Attempts: 7\nAttempt 1: mine" in text for _, text in fields[1:3])


@pytest.mark.skipif(not HAS_SUBTESTS, reason="pytest-rerunfailures does not know the subtests of pytest-subtests")
def test_rerun_of_failed_subtests(pytester: pytest.Pytester) -> None:
    """An attempt that failed by a subtest alone is shown by that subtest's traceback."""
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(
        test_f="""
        runs = 0
        def test_s(subtests):
            global runs
            runs += 1
            with subtests.test("inner"):
                assert runs == 2
    """
    )
    recorded = record(pytester, "-p", "pytest_rerunfailures", "--reruns", "2")
    assert [(each.status, each.is_final) for each in recorded.results] == [("failure", False), ("passed", True)]
    assert list(recorded.results[0].fields) == ["Failure [inner]", "Subtests", "Steps"]
    assert "assert 1 == 2" in recorded.final["test_s"].values["Attempt 1"]
    assert recorded.final["test_s"].values["Subtests"] == "1: 1 passed"


@pytest.mark.parametrize("outcome", ["retried", "again", "rerun"])
def test_pytest_retry_is_one_result_with_its_attempts(pytester: pytest.Pytester, outcome: str) -> None:
    """With pytest-retry, whatever it calls a repeated attempt, the first is a field of the last."""
    pytest.importorskip("pytest_retry")
    pytester.makepyfile(test_f=FLAKY_TEST.replace("runs == 3", "runs == 2"))
    recorded = record(
        pytester, "-p", "pytest_retry.retry_plugin", "--retries", "1", "--retry-outcome", outcome, rules=ALL
    )
    rows = [(each.body["name"], each.status, each.is_final) for each in recorded.results]
    assert rows == [
        ("test_third_time", "passed", True),
        ("test_never", "failure", True),
        ("test_always", "passed", True),
    ]
    second = recorded.final["test_third_time"]
    assert list(second.fields) == ["Attempts", "Attempt 1", "Output", "run"]
    assert second.values["Attempts"] == "2"
    assert "assert 1 == 2" in second.values["Attempt 1"]
    assert (second.values["Output"], second.values["run"]) == ("run 2\n", "2")
    assert list(recorded.final["test_never"].fields) == ["Failure", "Attempts", "Attempt 1"]
