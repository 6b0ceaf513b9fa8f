import pytest

from compatibility.world.differing import ONLY_RETRY
from support.annotated_suites import WORKERS, Suite

REPEATED = """
    import pytest

    runs = 0

    @pytest.fixture
    def screenshot(automation_report):
        yield
        automation_report.artifact(f"https://example.org/{runs}.png", "screen")

    def test_again(automation_report, screenshot):
        global runs
        runs += 1
        automation_report.field("run", runs)
        with automation_report.step(f"try {runs}"):
            assert runs == 3
"""


@pytest.mark.parametrize("arguments", WORKERS)
def test_rerun_tells_what_each_attempt_added(arguments: tuple[str, ...], suite: Suite) -> None:
    """With pytest-rerunfailures the result has what the last attempt added; the others' stands with those attempts."""
    pytest.importorskip("pytest_rerunfailures")
    suite.write("test_suite.py", REPEATED)
    (test,) = suite.report("--reruns=2", *arguments).values()
    assert [name for name, _, _ in test.fields] == ["Attempts", "Attempt 1", "Attempt 2", "Steps", "run"]
    assert test.values["run"] == "3"
    assert test.steps == [("passed", "try 3")]
    assert "assert 1 == 3" in test.values["Attempt 1"]
    assert test.values["Attempt 1"].endswith("\n\n[failed] try 1\nrun: 1")
    assert test.values["Attempt 2"].endswith("\n\n[failed] try 2\nrun: 2")
    assert [(each["url"][-5:], each.get("note")) for each in test.artifacts] == [
        ("3.png", None),
        ("1.png", "attempt 1"),
        ("2.png", "attempt 2"),
    ]


def test_retry_tells_what_each_attempt_added(suite: Suite) -> None:
    """With pytest-retry, too, what the first attempt added stands with it, and the result has what the last one did."""
    pytest.importorskip("pytest_retry")
    suite.tests(REPEATED.replace("runs == 3", "runs == 2"))
    (test,) = suite.report("--retries=1", *ONLY_RETRY).values()
    assert test.values["Attempt 1"].endswith("\n\n[failed] try 1\nrun: 1")
    assert (test.values["run"], test.steps) == ("2", [("passed", "try 2")])


def test_steps_stand_before_subtests(suite: Suite) -> None:
    """A test with steps and subtests shows both in one list of steps."""
    if pytest.version_tuple < (9, 0):
        pytest.skip("subtests are pytest's own from version 9")
    suite.tests("""
        def test_both(subtests, automation_report):
            with automation_report.step("prepare"):
                automation_report.field("a", "b")
            with subtests.test("one"):
                pass
    """)
    (test,) = suite.report().values()
    assert test.steps == [("passed", "prepare"), ("passed", "one")]
    assert test.values["Subtests"] == "1: 1 passed"
    assert test.values["a"] == "b"


def test_test_that_dies_is_reported_without_what_it_added(suite: Suite) -> None:
    """A test whose process dies is an error, and those before it keep what they added."""
    suite.tests("""
        import os

        def test_before(automation_report):
            automation_report.field("kept", "yes")

        def test_dies(automation_report):
            automation_report.field("lost", "yes")
            os._exit(3)
    """)
    tests = suite.report("-n1", "--max-worker-restart=0", exit_status=1)
    assert tests["test_before"].values == {"kept": "yes"}
    assert tests["test_dies"].body["status"] == "error"
    assert "lost" not in tests["test_dies"].values
