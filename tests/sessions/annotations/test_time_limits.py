"""What is raised into a test while code of ours runs: time limits, and ends of the test or of the session."""

import pytest

from compatibility.world.plugins import search_path
from support.annotated_suites import WORKERS, Suite

HANGING = """
    import time

    import pytest
    import selenium
    from pytest_automation_report import artifact, field, step

    class Slow:
        def __str__(self):
            time.sleep(60)

        def get_screenshot_as_png(self):
            return self.__str__()

    @pytest.fixture
    def driver():
        return Slow()

    def hang():
        time.sleep(60)

    def test_artifact():
        artifact(hang, "shot.png")

    def test_field():
        field("slow", Slow())

    def test_step():
        with step(Slow()):
            pass

    def test_published(tmp_path):
        (tmp_path / "a.txt").touch()
        artifact(tmp_path / "a.txt")

    def test_described():
        pass

    @pytest.mark.automation_report_artifact(hang, "shot.png")
    def test_marked():
        pass

    def test_rest():
        artifact(lambda: b"1", "quick.png")
        time.sleep(60)

    def test_screenshot_of_a_failure(driver):
        assert driver is None

    @pytest.mark.timeout(60)
    def test_last():
        pass
"""

HANGING_HOOKS = """
    import time

    def pytest_automation_report_publish_artifact(path):
        time.sleep(60)

    def pytest_automation_report_describe_test(item, report):
        if item.name == "test_described":
            time.sleep(60)
"""


@pytest.mark.parametrize("arguments", WORKERS)
def test_time_limit_of_a_test_holds_in_our_calls(arguments: tuple[str, ...], suite: Suite) -> None:
    """A test that is over its limit of pytest-timeout fails, wherever it is; the limit holds for the rest of a test."""
    path = search_path("pytest-timeout")["PYTHONPATH"]
    suite.write("selenium.py", "")
    suite.write("conftest.py", HANGING_HOOKS)
    suite.tests(HANGING)
    tests = suite.report("--timeout=1", "--timeout-method=signal", *arguments, exit_status=1, path=path)
    assert "= 6 failed, 3 passed, 2 errors in " in suite.ran.out
    names = ("test_artifact", "test_field", "test_step", "test_published", "test_rest")
    assert {tests[name].body["status"] for name in names} == {"failure"}
    assert {tests[name].body["status"] for name in ("test_described", "test_marked")} == {"error"}
    for name in (*names, "test_described", "test_marked"):
        assert "Failed: Timeout (>1.0s) from pytest-timeout" in str(tests[name].fields), name
    assert "assert driver is None" in tests["test_screenshot_of_a_failure"].values["Failure"]
    assert "test_screenshot_of_a_failure are left out: Failed: Timeout (>1.0s) from pytest-timeout" in suite.ran.out
    assert tests["test_last"].body["status"] == "passed"
    assert "error in reporting" not in suite.ran.text


ENDS = """
    import pytest
    from pytest_automation_report import artifact

    class Timeout(BaseException):
        "As gevent's."

    def end():
        END

    def test_one():
        artifact(end, "shot.png")

    def test_two():
        pass
"""


@pytest.mark.parametrize(
    ("end", "exit_status", "counts"),
    [
        ("raise Timeout", 1, "1 failed, 1 passed"),
        ("raise SystemExit(3)", 1, "1 failed, 1 passed"),
        ("pytest.fail('no')", 1, "1 failed, 1 passed"),
        ("pytest.skip('no')", 0, "1 passed, 1 skipped"),
        ("pytest.exit('enough', 7)", 7, "no tests ran"),
        ("raise KeyboardInterrupt", 2, "no tests ran"),
        ("raise TimeoutError", 0, "2 passed"),
    ],
)
def test_ends_go_on_to_the_test(end: str, exit_status: int, counts: str, suite: Suite) -> None:
    """An outcome of pytest and any error that is no `Exception` go on from an artifact's function; others are told."""
    suite.tests(ENDS.replace("END", end))
    suite.report(exit_status=exit_status)
    assert f"= {counts} in " in suite.ran.out
    assert ("artifact shot.png was not added: TimeoutError" in suite.ran.out) == (counts == "2 passed")
    assert "error in reporting" not in suite.ran.text
