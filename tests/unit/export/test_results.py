"""Runs and results are read from both lists of the API."""

from pytest_automation_report.api.models import Cause
from pytest_automation_report.api.results import EarlierAttempt
from pytest_automation_report.export.results import ExportedTest
from support.exported import a_field, a_flaky_item, a_problem, a_run, an_item, exported_from


def test_a_failure_with_an_error_after_it() -> None:
    """A failed call and a failed teardown are two texts of one test, which is an error."""
    item = an_item("test_x", "failed", a_problem("Failure", "m", "t"), a_problem("Error [teardown]", "n", "u", ""))
    (test,) = exported_from(item)
    assert test.outcome_texts == [
        Cause("failure", "Failure", "t", "m", "AssertionError"),
        Cause("error", "Error [teardown]", "u", "n"),
    ]
    assert (test.verdict, test.is_error, test.message) == ("failed", True, "m")


def test_fields_of_the_user_are_apart() -> None:
    """Outputs, attempts, steps and texts of failures are no fields of the user, even in a test that passed."""
    fields = [a_field("Output", "o", 4), a_field("Steps", "<test-steps></test-steps>", 3), a_field("Team", "blue")]
    (test,) = exported_from(a_flaky_item("test_x", "passed", *fields))
    assert [field.name for field in test.user_fields] == ["Team"]
    assert (test.output, test.steps) == ({"Output": "o"}, ())


def test_attempts() -> None:
    """Attempts come in their order with status, message and type; a passed test of several is flaky."""
    (test,) = exported_from(a_flaky_item("test_x"))
    assert (test.attempt_count, test.is_flaky) == (3, True)
    causes = (
        Cause("failure", "Failure", "E   assert 0", "assert 0"),
        Cause("error", "Error", "no server", "no server", "OSError"),
    )
    assert test.earlier_attempts == (
        EarlierAttempt(1, "failure", causes=causes[:1]), EarlierAttempt(2, "error", causes=causes[1:]),
    )  # fmt: skip
    (failed,) = exported_from(a_flaky_item("test_x", "failed"))
    assert not failed.is_flaky


def test_fields_of_users_are_no_attempts() -> None:
    """A user's fields with the names of ours stay fields, and the test has one attempt."""
    fields = a_field("Attempts", "7"), a_field("Attempt 1", "mine", 4)
    (test,) = exported_from(an_item("test_x", "passed", *fields))
    assert (test.attempt_count, test.is_flaky, test.earlier_attempts) == (1, False, ())
    assert [field.name for field in test.user_fields] == ["Attempts", "Attempt 1"]


def test_a_list_without_texts() -> None:
    """A Testmo instance lists names, statuses and times alone: everything else is empty, and neutral means skipped."""
    items = [{"key": "k", "name": "n", "folder": "f", "status": status, "elapsed": None} for status in (1, 2, 3)]
    tests = [ExportedTest.from_item(item) for item in items]
    assert [test.verdict for test in tests] == ["skipped", "passed", "failed"]
    assert [(test.outcome_texts, test.fields, test.attempt_count) for test in tests] == [([], (), 1)] * 3


def test_untested_is_neither_skipped_nor_failed() -> None:
    """A neutral status with another name is no skip."""
    assert exported_from(an_item("test_x", "untested"))[0].verdict == "other"


def test_a_field_of_an_unknown_type() -> None:
    """A newer server may have other types: such a field is a string, and missing members are empty."""
    (test,) = exported_from(an_item("test_x", "passed", {"name": "New", "type": 99}))
    assert [(field.type, field.value) for field in test.fields] == [(1, None)]


def test_a_run() -> None:
    """Source, branch, commit and links of a run are read from its document."""
    run = a_run()
    assert (run.source, run.config, run.field_value("Branch"), run.field_value("Commit")[:4]) == (
        "shop",
        "",
        "main",
        "0123",
    )
    assert [(link.name, link.url) for link in run.links] == [("CI job", "https://ci.example.com/7")]
