"""Everything that the plugin offers to tests, used once, in functions and in classes."""

import unittest
import warnings

import pytest

from pytest_automation_report import artifact, field, link, step


@pytest.fixture(scope="class")
def of_class(record_testsuite_property):
    record_testsuite_property("class", "yes")
    field("wider", "scope")
    return 1


@pytest.mark.automation_report_field("team", "web")
@pytest.mark.automation_report_link("https://example.org/l", "marked")
@pytest.mark.automation_report_artifact("https://example.org/a.txt", "marked")
@pytest.mark.automation_report_case("C1")
@pytest.mark.automation_report_issue("P-1")
def test_all(automation_report, record_property, record_testsuite_property, tmp_path):
    record_property("one", 1)
    record_testsuite_property("late", 7)
    (tmp_path / "a.txt").write_text("a")
    automation_report.field("customer", "ann")
    automation_report.link("https://example.org", "home")
    automation_report.artifact(tmp_path / "a.txt")
    automation_report.artifact(b"bytes", "b.bin")
    with automation_report.step("pay"), step("enter"):
        field("browser", "firefox")
        link("https://example.org/2", "two")
        artifact(tmp_path / "a.txt", "c.png")


class TestClass:
    def test_of_class(self, automation_report, record_testsuite_property, of_class):
        record_testsuite_property("of class", of_class)
        automation_report.field("a", "b")

    def test_fails(self, of_class, record_property):
        record_property("a", "b")
        assert of_class == 2


class TestUnit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _takes(self, automation_report, record_testsuite_property):
        automation_report.field("a", "b")
        record_testsuite_property("unit", 1)

    def test_unit(self):
        field("c", "d")


def test_server(automation_report_server):
    assert automation_report_server.runs == ()


def test_warns():
    warnings.warn("of the suite's own", UserWarning, stacklevel=1)
