"""xdist workers that have no disk in common with the controller: their results arrive, their annotations do not."""

import pytest

from compatibility.conformance.conforming import on_other_hosts
from support.annotated_suites import Suite

NOTICE = "annotations of tests on other hosts are not reported: "

PLAIN = """
    import pytest

    def test_prints(record_property):
        record_property("cluster", "blue")
        print("[[PROPERTY|author=Ann]]")

    def test_fails():
        assert 1 == 2

    @pytest.mark.skip(reason="later")
    def test_skipped():
        pass
"""


@pytest.fixture
def suite(suite: Suite) -> Suite:
    suite.write("elsewhere.py", on_other_hosts("gw0", "gw1"))
    return suite


def test_results_of_other_hosts_are_whole(suite: Suite) -> None:
    """Status, texts, properties and printed annotations of a test on another host are as they are on this one."""
    suite.write("test_suite.py", PLAIN)
    suite.server.is_testmo = False
    settings = ("-o", "automation_report_output=all", "-o", "automation_report_output_annotations=true")
    there = suite.report("-n2", "-p", "elsewhere", *settings, exit_status=1)
    assert NOTICE not in suite.ran.out
    here = suite.report("-n2", *settings, exit_status=1)
    assert set(there) == {"test_prints", "test_fails", "test_skipped"}
    for name, test in there.items():
        # Times differ, phases may be missing, and values of comparisons do not come from another host.
        differing = {"elapsed": 0, "started": 0, "phases": [], "comparison": None}
        assert {**test.body, **differing} == {**here[name].body, **differing}
        assert test.body["started"] > 0
    assert there["test_prints"].values["cluster"] == "blue"
    assert there["test_prints"].values["author"] == "Ann"


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("def test_it(automation_report): automation_report.field('a', 'b')", id="fixture"),
        pytest.param("def test_it(): __import__('pytest_automation_report').field('a', 'b')", id="function"),
        pytest.param("@__import__('pytest').mark.automation_report_field('a', 'b')\ndef test_it(): pass", id="marker"),
        pytest.param("def test_it(): pass", id="hook"),
    ],
)
def test_missing_annotations_are_shown_once(test: str, suite: Suite, request: pytest.FixtureRequest) -> None:
    """A test on another host arrives without what it adds, by whatever way, and the summary shows that once."""
    suite.write("test_suite.py", test)
    if request.node.callspec.id == "hook":
        suite.conftest("""
            from pytest_automation_report import Additions, Field

            def pytest_automation_report_describe_test(item, report):
                return Additions(fields=[Field("a", "b")])
            """)
    (result,) = suite.report("-n2", "-p", "elsewhere").values()
    assert result.body["status"] == "passed"
    assert "fields" not in result.body
    assert suite.ran.out.count(NOTICE) == 1, suite.ran.out
