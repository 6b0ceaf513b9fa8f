"""JUnit XML of a run: valid for Jenkins, and read back into the same results."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pytest_automation_report.api.models import Cause
from pytest_automation_report.export.documents import JunitPart, junit_xml
from pytest_automation_report.junit.results import JunitDocument, JunitResult
from pytest_automation_report.recording.options import RecordingOptions
from support.exported import HOSTILE, a_field, a_flaky_item, a_problem, a_run, an_item, exported_from
from support.junit_schema import mistakes

LINK = {"name": "picture.png", "url": "https://files.example.com/picture.png?a=1", "mime_type": "image/png"}
ITEMS = [
    an_item("test_ok", "passed", a_field("Output", "hello", 4), a_field("Team", "blue"), artifacts=[LINK]),
    an_item("test_fails", "failed", a_problem("Failure", "assert 1 == 2", "E   assert 1 == 2\n\nt.py:3: X")),
    an_item("test_error", "failed", a_problem("Error", 'failed on setup with "x"', "E   x", "OSError")),
    an_item("test_both", "failed", a_problem("Failure", "a", "A"), a_problem("Error", "b", "B")),
    an_item("test_skip", "skipped", a_problem("Skipped", "later", "t.py:1: later", "pytest.skip")),
    an_item("test_untested", "untested"),
    a_flaky_item("test_flaky"),
    a_flaky_item("test_rerun", "failed", a_problem("Failure", "assert 0", "E   assert 0")),
    an_item("tests.test_broken", "failed", folder="tests.test_broken", file="tests/test_broken.py"),
    an_item(f"test_h[{HOSTILE}]", "failed", a_problem("Failure", HOSTILE, HOSTILE), a_field("Errors", HOSTILE, 4)),
    an_item("test_text", "passed", a_field("Notes", "two\nlines", 2), a_field("a=b", "lost"), a_field("None", None)),
]


def written(*items: dict[str, Any]) -> str:
    return "".join(junit_xml(JunitPart(a_run(), exported_from(*items))))


def read(xml: str) -> list[JunitResult]:
    """Return what `submit` makes of a document, which does as the official tool."""
    return list(JunitDocument(RecordingOptions()).results([xml.encode()]))


def test_jenkins_accepts_it() -> None:
    """Every kind of result is valid by the schema of Jenkins, texts with markup included."""
    assert mistakes(written(*ITEMS)) == []
    assert mistakes(written()) == []
    # The rules of these tests refuse what the schema refuses.
    assert "testcase in testsuites" in mistakes("<testsuites><testcase name='a'/></testsuites>")
    wrong = "<testsuite name='a' tests='1' failures='0' line='3' time='1e-3'/>"
    assert {"testsuite lacks errors", "testsuite has line", "time 1e-3"} <= {*mistakes(wrong)}


def test_it_is_read_back_into_the_same_results() -> None:
    """Keys, folders, names, times and statuses are the same after a way through the file."""
    plain = [item for item in ITEMS if HOSTILE not in item["name"]]
    results = {result.test.key: result for result in read(written(*plain))}
    assert results.keys() == {item["key"] for item in plain}
    for item in plain:
        test = results[item["key"]].test
        assert (test.name, test.elapsed) == (item["name"], item["elapsed"])
        if item["folder"] != item["name"]:
            assert test.folder == item["folder"]
    statuses = {result.test.name: result.attempt.status for result in results.values()}
    assert statuses == {
        "test_ok": "passed", "test_fails": "failure", "test_error": "error", "test_both": "error",
        "test_skip": "skipped", "test_untested": "skipped", "test_flaky": "passed", "test_rerun": "failure",
        "tests.test_broken": "failure", "test_text": "passed",
    }  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_document_comes_in_pieces(size: int) -> None:
    """However the bytes of a document are cut, also inside of a character, the reader finds the same cases."""
    case = "<testcase classname='ü' name='日&amp;&#x1F40D;'><error/></testcase>"
    document = f"<?xml version='1.0'?><testsuites><testsuite>{case}</testsuite></testsuites>".encode()
    (result,) = JunitDocument(RecordingOptions()).results(
        document[at : at + size] for at in range(0, len(document), size)
    )
    assert (result.test.folder, result.test.name, result.attempt.status) == ("ü", "日&\U0001f40d", "error")


def test_texts_fields_and_artifacts_are_read_back() -> None:
    """Messages, outputs, the user's fields and artifacts on the web arrive; a field that no line can hold does not."""
    results = {result.test.name: result.attempt for result in read(written(*ITEMS))}
    (failure,) = results["test_fails"].causes
    text = "E   assert 1 == 2\n\nt.py:3: X"
    assert failure == Cause("failure", "Failure", text, "assert 1 == 2", "AssertionError")
    ok = results["test_ok"]
    assert ok.output == {"Output": "hello"}
    assert [(field.name, field.value) for field in ok.fields] == [("Team", "blue")]
    assert [artifact.url for artifact in ok.artifacts] == [LINK["url"]]
    assert [(field.name, field.value) for field in results["test_text"].fields] == [("Notes", "two\nlines")]


def test_attempts_are_those_of_surefire() -> None:
    """Attempts of a test that passed are flaky, those of one that failed are reruns; errors are apart from failures."""
    root = ET.fromstring(written(*ITEMS))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert [child.tag for child in cases["test_flaky"]] == ["flakyFailure", "flakyError"]
    assert [child.tag for child in cases["test_rerun"]] == ["failure", "rerunFailure", "rerunError"]
    second = cases["test_flaky"][1]
    assert (second.get("type"), second.get("message"), second.findtext("stackTrace")) == (
        "OSError", "no server", "no server",
    )  # fmt: skip


def test_attempts_are_read_back() -> None:
    """An imported test has its earlier attempts: as this package and as Surefire write them, with output or bare."""
    results = {result.test.name: result for result in read(written(*ITEMS))}
    assert [each.status for each in results["test_flaky"].earlier] == ["failure", "error"]
    (second,) = results["test_rerun"].earlier[1].causes
    assert second == Cause("error", "Error", "no server", "no server", "OSError")
    case = """<testcase name='a'><flakyFailure message='m' type='T'> at f <system-out> said </system-out></flakyFailure>
        <rerunError type='E'><stackTrace>trace</stackTrace></rerunError><flakyError/></testcase>"""
    (result,) = read(f"<testsuite>{case}</testsuite>")
    assert [(each.status, each.causes, each.output) for each in result.earlier] == [
        ("failure", (Cause("failure", "Failure", "at f", "m", "T"),), {"Output": "said"}),
        ("error", (Cause("error", "Error", "trace", "", "E"),), {}),
        ("error", (), {}),
    ]
    assert result.attempt.status == "passed"


def test_counts_and_files() -> None:
    """Each file is a suite with its counts; the whole has the sums."""
    root = ET.fromstring(written(*ITEMS))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("11", "4", "2")
    assert [(suite.get("file"), suite.get("tests"), suite.get("skipped")) for suite in root] == [
        ("tests/test_a.py", "10", "2"),
        ("tests/test_broken.py", "1", "0"),
    ]


def test_markup_in_texts_stays_text() -> None:
    """Hostile texts add no element; characters that XML lacks are written as pytest writes them."""
    root = ET.fromstring(written(ITEMS[9]))
    (case,) = root.iter("testcase")
    assert [child.tag for child in case] == ["failure", "system-err"]
    visible = HOSTILE.replace("\x1b", "#x1B").replace("\x00", "#x00")
    assert (case.get("name"), case[0].text, case[0].get("message")) == (f"test_h[{visible}]", visible, visible)
