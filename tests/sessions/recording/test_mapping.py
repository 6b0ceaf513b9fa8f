"""Every row of the mapping on real suites: pytest's words on one side, one result of the server on the other."""

from xml.etree import ElementTree as ET

import pytest

from support.annotated_suites import CONSOLE, STRING, TEXT, URL, Reported, Suite
from support.repository import TESTS

SUITES = TESTS / "compatibility" / "conformance" / "hard"


@pytest.fixture
def outcomes(suite: Suite) -> dict[str, Reported]:
    """Report the suite that has a test for each outcome of pytest, and the one whose tests print."""
    for name in ("outcomes", "texts"):
        suite.write(f"test_{name}.py", (SUITES / f"suite_{name}.py").read_text(encoding="utf-8"))
    return suite.report("--junitxml=junit.xml", output="failed", exit_status=1)


def test_texts_of_failures(outcomes: dict[str, Reported]) -> None:
    """Tracebacks, reasons and captured texts are in console fields, with JUnit's message and the exception's type."""
    failure = outcomes["test_raises"].named["Failure"]
    assert (failure["type"], failure["is_highlight"]) == (CONSOLE, True)
    assert "test_outcomes.py:33: ValueError" in failure["value"]
    loud = outcomes["test_loud_failure"].values
    assert (loud["Output"], loud["Errors"]) == ("before\nsaid red\nafter\n", "wrong\n")
    assert loud["Log"].endswith("warned")
    expected = {
        "test_raises": ("ValueError: bad value", "ValueError", "call"),
        "test_fails": ("assert 1 == 2", "AssertionError", "call"),
        "test_setup_fails": ('failed on setup with "RuntimeError: no database"', "RuntimeError", "setup"),
        "test_fails_and_teardown_fails": ('failed on teardown with "OSError: cannot close"', "OSError", "teardown"),
        "test_leaves_by_system_exit": ("SystemExit: 3", "SystemExit", "call"),
    }
    for name, (message, kind, phase) in expected.items():
        field = "Failure" if phase == "call" else "Error"
        assert outcomes[name].named[field]["meta"] == {"message": message, "type": kind, "phase": phase}
    assert "bad value" in outcomes["test_fails_and_teardown_fails"].values["Failure"]
    assert "cannot close" in outcomes["test_setup_and_teardown_fail"].values["Error [teardown]"]
    assert outcomes["test_xpasses_strictly"].values["Failure"] == "[XPASS(strict)] bug 6"


def test_texts_of_skips(suite: Suite, outcomes: dict[str, Reported]) -> None:
    """A skip tells where and why in the words of the XML, an expected failure tells its reason."""
    cases = ET.parse(suite.root / "junit.xml").iter("testcase")
    texts = {each.attrib["name"]: child for each in cases for child in each if child.tag == "skipped"}
    for name in ("test_is_marked_skip", "test_skips_itself"):
        skipped = outcomes[name].named["Skipped"]
        assert (skipped["type"], skipped["value"]) == (CONSOLE, texts[name].text)
        assert skipped["meta"] == {"message": texts[name].attrib["message"], "type": "pytest.skip"}
    for name in ("test_xfails", "test_xfails_unrun", "test_xfails_inside"):
        reason = texts[name].attrib["message"]
        assert outcomes[name].named["Skipped"]["meta"] == {"message": reason, "type": "pytest.xfail"}
        assert outcomes[name].values["Skipped"] == reason
    assert outcomes["test_xfails_without_reason"].values["Skipped"] == "The test is marked xfail."
    assert outcomes["test_xpasses"].values["Unexpected pass"] == "bug 5"


@pytest.mark.parametrize(
    ("output", "with_output"), [("failed", ["test_bad"]), ("all", ["test_good", "test_bad"]), ("none", [])]
)
def test_output_is_kept_as_the_rules_say(suite: Suite, output: str, with_output: list[str]) -> None:
    """Captured output of all phases stays with failed tests, with all, or with none; nothing is there twice."""
    suite.tests(
        """
        import pytest
        @pytest.fixture(autouse=True)
        def around():
            print("before")
            yield
            print("after")
        def test_good():
            print("during")
        def test_bad():
            print("during")
            assert 0
        """
    )
    found = suite.report(output=output, exit_status=1)
    assert [name for name, each in found.items() if "Output" in each.values] == with_output
    assert all(found[name].values["Output"] == "before\nduring\nafter\n" for name in with_output)


def test_properties_are_fields_of_the_fitting_type(suite: Suite) -> None:
    """Properties become addresses, strings or texts, by what their values look like."""
    suite.tests(
        """
        def test_p(record_property):
            record_property("url", "https://example.org/a?b=c")
            record_property("lines", "one\\ntwo")
            record_property("number", 12)
            record_property("long", "x" * 800)
            record_property("none", None)
            record_property("not url", "see https://example.org")
        """
    )
    (found,) = suite.report("-ojunit_family=xunit1").values()
    assert found.fields == [
        ("url", "https://example.org/a?b=c", URL), ("lines", "one\ntwo", TEXT), ("number", "12", STRING),
        ("long", "x" * 800, TEXT), ("none", "None", STRING), ("not url", "see https://example.org", STRING),
    ]  # fmt: skip
