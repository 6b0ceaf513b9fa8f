"""Every row of the mapping on real suites: pytest's words on one side, one result of the server on the other."""

from typing import Any

import pytest

from pytest_automation_report.recording.options import RecordingOptions
from support.recorded_suites import Recorded, record
from support.repository import TESTS

SUITES = TESTS / "compatibility" / "conformance" / "hard"


@pytest.fixture
def outcomes(pytester: pytest.Pytester) -> Recorded:
    """Record the suite that has a test for each outcome of pytest, and the one whose tests print."""
    for name in ("outcomes", "texts"):
        pytester.makepyfile(**{f"test_{name}": (SUITES / f"suite_{name}.py").read_text(encoding="utf-8")})
    return record(pytester)


def test_texts_of_failures(outcomes: Recorded) -> None:
    """Tracebacks, reasons and captured texts are in console fields, with JUnit's message and the exception's type."""
    final = outcomes.final
    failure = final["test_raises"].fields["Failure"]
    assert (failure["type"], failure["is_highlight"]) == (4, True)
    assert "test_outcomes.py:33: ValueError" in failure["value"]
    loud = final["test_loud_failure"].values
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
        assert final[name].fields[field]["meta"] == {"message": message, "type": kind, "phase": phase}
    assert "bad value" in final["test_fails_and_teardown_fails"].values["Failure"]
    assert "cannot close" in final["test_setup_and_teardown_fail"].values["Error [teardown]"]
    assert final["test_xpasses_strictly"].values["Failure"] == "[XPASS(strict)] bug 6"


def test_texts_of_skips(outcomes: Recorded) -> None:
    """A skip tells where and why in the words of the XML, an expected failure tells its reason."""
    texts = {each.attrib["name"]: child for each in outcomes.cases for child in each if child.tag == "skipped"}
    for name in ("test_is_marked_skip", "test_skips_itself"):
        skipped = outcomes.final[name].fields["Skipped"]
        assert (skipped["type"], skipped["value"]) == (4, texts[name].text)
        assert skipped["meta"] == {"message": texts[name].attrib["message"], "type": "pytest.skip"}
    for name in ("test_xfails", "test_xfails_unrun", "test_xfails_inside"):
        reason = texts[name].attrib["message"]
        assert outcomes.final[name].fields["Skipped"]["meta"] == {"message": reason, "type": "pytest.xfail"}
        assert outcomes.final[name].values["Skipped"] == reason
    assert outcomes.final["test_xfails_without_reason"].values["Skipped"] == "The test is marked xfail."
    assert outcomes.final["test_xpasses"].values["Unexpected pass"] == "bug 5"


@pytest.mark.parametrize(
    ("output", "with_output"), [("failed", ["test_bad"]), ("all", ["test_good", "test_bad"]), ("none", [])]
)
def test_output_is_kept_as_the_rules_say(
    pytester: pytest.Pytester,
    output: Any,  # noqa: ANN401 - a Literal's values
    with_output: list[str],
) -> None:
    """Captured output of all phases stays with failed tests, with all, or with none; nothing is there twice."""
    pytester.makepyfile(
        test_output="""
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
    final = record(pytester, rules=RecordingOptions(output=output)).final
    assert [name for name, each in final.items() if "Output" in each.fields] == with_output
    assert all(final[name].values["Output"] == "before\nduring\nafter\n" for name in with_output)


def test_properties_are_fields_of_the_fitting_type(pytester: pytest.Pytester) -> None:
    """Properties become addresses, strings or texts, by what their values look like."""
    pytester.makepyfile(
        test_p="""
        def test_p(record_property):
            record_property("url", "https://example.org/a?b=c")
            record_property("lines", "one\\ntwo")
            record_property("number", 12)
            record_property("long", "x" * 800)
            record_property("none", None)
            record_property("not url", "see https://example.org")
    """
    )
    fields = record(pytester, "-o", "junit_family=xunit1").only().fields
    assert {name: (each["type"], each["value"]) for name, each in fields.items()} == {
        "url": (5, "https://example.org/a?b=c"),
        "lines": (2, "one\ntwo"),
        "number": (1, "12"),
        "long": (2, "x" * 800),
        "none": (1, "None"),
        "not url": (1, "see https://example.org"),
    }
