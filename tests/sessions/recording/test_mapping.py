"""Every row of the mapping on real suites: pytest's words on one side, one result of the server on the other."""

from typing import Any

import pytest

from pytest_automation_report.recording.options import RecordingOptions
from support.recorded_suites import record

OUTCOMES = """
import logging
import sys
import pytest

@pytest.fixture
def broken():
    print("in setup")
    raise RuntimeError("no database")

@pytest.fixture
def leaky():
    yield
    print("in teardown")
    raise OSError("cannot close")

@pytest.fixture
def both(leaky):
    raise RuntimeError("no database")

def test_passed():
    print("quiet")

def test_failed():
    print("said \\x1b[31mred\\x1b[0m")
    print("wrong", file=sys.stderr)
    logging.getLogger().warning("warned")
    raise ValueError("bad value")

def test_assert():
    assert 1 == 2

def test_error(broken):
    pass

def test_teardown(leaky):
    pass

def test_failed_and_teardown(leaky):
    raise ValueError("bad value")

def test_setup_and_teardown(both):
    pass

@pytest.mark.skip(reason="not today")
def test_skipped():
    pass

def test_skipped_inside():
    pytest.skip("not here")

@pytest.mark.xfail(reason="bug 1")
def test_xfail():
    assert 0

@pytest.mark.xfail(run=False, reason="hangs")
def test_xfail_not_run():
    pass

def test_xfail_inside():
    pytest.xfail("bug 2")

@pytest.mark.xfail
def test_xfail_without_reason():
    assert 0

@pytest.mark.xfail(reason="bug 3")
def test_xpass():
    pass

@pytest.mark.xfail(reason="bug 4", strict=True)
def test_xpass_strict():
    pass

def test_exit():
    raise SystemExit(3)

def test_fail_call():
    pytest.fail("told to")
"""


def test_texts_of_failures(pytester: pytest.Pytester) -> None:
    """Tracebacks, reasons and captured texts are in console fields, with JUnit's message and the exception's type."""
    pytester.makepyfile(test_outcomes=OUTCOMES)
    final = record(pytester).final
    failure = final["test_failed"].fields["Failure"]
    assert failure["type"] == 4
    assert failure["is_highlight"] is True
    assert "test_outcomes.py:27: ValueError" in failure["value"]
    assert failure["meta"] == {"message": "ValueError: bad value", "type": "ValueError", "phase": "call"}
    assert final["test_failed"].values["Output"] == "said red\n"
    assert final["test_failed"].values["Errors"] == "wrong\n"
    assert final["test_failed"].values["Log"].endswith("warned")
    assert final["test_assert"].fields["Failure"]["meta"] == {
        "message": "assert 1 == 2",
        "type": "AssertionError",
        "phase": "call",
    }
    assert final["test_error"].fields["Error"]["meta"] == {
        "message": 'failed on setup with "RuntimeError: no database"',
        "type": "RuntimeError",
        "phase": "setup",
    }
    assert final["test_error"].values["Output"] == "in setup\n"
    assert "bad value" in final["test_failed_and_teardown"].values["Failure"]
    assert final["test_failed_and_teardown"].fields["Error"]["meta"]["message"] == (
        'failed on teardown with "OSError: cannot close"'
    )
    assert "cannot close" in final["test_setup_and_teardown"].values["Error [teardown]"]
    assert final["test_xpass_strict"].values["Failure"] == "[XPASS(strict)] bug 4"
    assert final["test_exit"].fields["Failure"]["meta"] == {
        "message": "SystemExit: 3",
        "type": "SystemExit",
        "phase": "call",
    }


def test_texts_of_skips(pytester: pytest.Pytester) -> None:
    """A skip tells where and why in the words of the XML, an expected failure tells its reason."""
    pytester.makepyfile(test_outcomes=OUTCOMES)
    recorded = record(pytester)
    texts = {each.attrib["name"]: child for each in recorded.cases for child in each if child.tag == "skipped"}
    for name in ("test_skipped", "test_skipped_inside"):
        skipped = recorded.final[name].fields["Skipped"]
        assert skipped["value"] == texts[name].text
        assert skipped["meta"] == {"message": texts[name].attrib["message"], "type": "pytest.skip"}
        assert skipped["type"] == 4
    for name in ("test_xfail", "test_xfail_not_run", "test_xfail_inside"):
        reason = texts[name].attrib["message"]
        assert recorded.final[name].fields["Skipped"]["meta"] == {"message": reason, "type": "pytest.xfail"}
        assert recorded.final[name].values["Skipped"] == reason
    assert recorded.final["test_xfail_without_reason"].values["Skipped"] == "The test is marked xfail."
    assert recorded.final["test_xpass"].values["Unexpected pass"] == "bug 3"


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
