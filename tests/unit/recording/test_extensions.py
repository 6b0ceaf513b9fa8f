"""Extensions of results: colours, files at their steps and earlier attempts, within their limits."""

import json
from typing import Any

import pytest

from pytest_automation_report.api.models import Artifact, Field, FieldType, Test
from pytest_automation_report.recording.annotations import Annotations, TimedStep, merged
from pytest_automation_report.recording.attempts import EarlierAttempt
from pytest_automation_report.recording.extensions import (
    extensions_of,
    with_attempts,
    with_kept_files,
)
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.recording.synthetic_results import collection_test
from pytest_automation_report.text.visible import ColouredText, Span
from support.recorded_suites import MadeReport

NODE = "tests/test_a.py::test_x"
PLACE = ("tests/test_a.py", 4, "test_x")
RED: tuple[Span, ...] = ((0, 2, "31"),)


def _decoded(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(text) if text else {}


def _test(*fields: Field, artifacts: tuple[Artifact, ...] = ()) -> Test:
    return Test("k", "n", "f", "failure", fields=fields, artifacts=artifacts)


def _console(name: str, text: str, *, is_highlight: bool = False) -> Field:
    return Field(name, text, FieldType.CONSOLE, is_highlight=is_highlight)


def test_colours_of_a_module_that_cannot_be_collected_are_recorded() -> None:
    """The text of a collection error has its colours, too."""
    report = MadeReport("collect", "failed", nodeid="a.py", longreprtext="\x1b[31mE\x1b[m no module")
    result = collection_test(report, RecordingOptions())
    assert result is not None
    assert _decoded(result.extensions) == {"colours": {"Error": [[0, 1, "31"]]}}


def test_of_several_fields_of_one_name_the_first_counts() -> None:
    """Colours belong to the first field of a name, so that they never stand in another one's text."""
    red = ColouredText("red", RED)
    assert _decoded(extensions_of(_test(_console("a", "plain"), _console("a", red)), None)) == {}
    assert _decoded(extensions_of(_test(_console("a", red), _console("a", red)), None)) == {
        "colours": {"a": [[0, 2, "31"]]}
    }


def test_colours_have_a_limit() -> None:
    """Of more coloured parts than an extension may have the first ones are sent."""
    many = ColouredText("x" * 20_000, tuple((place, place + 1, "1;31;47") for place in range(16_000)))
    text = extensions_of(_test(_console("a", many), _console("b", ColouredText("red", RED))), None)
    assert 16_000 < len(text) < 32_100
    spans = _decoded(text)["colours"]["a"]
    assert spans == [[place, place + 1, "1;31;47"] for place in range(len(spans))]


def test_merged_annotations_keep_files_at_their_steps() -> None:
    """If the artifacts of several attempts become one list, the files of their steps get the places in it."""
    artifacts = tuple(Artifact(str(number), "https://e.example") for number in range(3))
    first = Annotations(artifacts=artifacts[:2], timed_steps=(TimedStep("a", "passed", 1, (), (1,)),))
    inner = TimedStep("c", "passed", 1, (), (0,))
    second = Annotations(artifacts=artifacts[2:], timed_steps=(TimedStep("b", "passed", 1, (inner,)),))
    both = merged([first, None, second])
    assert both is not None
    assert both.artifacts == artifacts
    assert (both.timed_steps[0].files, both.timed_steps[1].steps[0].files) == ((1,), (2,))


def test_printed_attachments_stand_behind_the_files_of_steps() -> None:
    """Artifacts that a test printed do not move those that its steps name."""
    recorder = Recorder(RecordingOptions(output_annotations=True))
    recorder.start(NODE, PLACE)
    sections = [("Captured stdout call", "[[ATTACHMENT|https://e.example/printed.txt]]\n")]
    for when in ("setup", "call", "teardown"):
        recorder.add(MadeReport(when, sections=sections))
    added = Annotations(
        artifacts=(Artifact("own", "https://e.example/own"),), timed_steps=(TimedStep("s", "passed", 1, (), (0,)),)
    )
    result = recorder.finish(NODE, observed_us=10_000, annotations=[added])
    assert result is not None
    assert [artifact.name for artifact in result.test.artifacts] == ["own", "printed.txt"]
    assert _decoded(result.extensions)["steps"][0]["files"] == [0]


def test_an_attempt_within_one_protocol_keeps_its_output_and_steps() -> None:
    """An attempt that a plugin hides, as pytest-retry does, has what was captured in it, and its steps with files."""
    recorder = Recorder(RecordingOptions(output="failed"))
    recorder.start(NODE, PLACE)
    recorder.add(MadeReport("setup"))
    sections = [("Captured stdout call", "\x1b[31mone\x1b[m\n")]
    recorder.add(MadeReport("call", "rerun", longreprtext="E one", sections=sections))
    sections = [*sections, ("Captured stdout call", "two\n")]
    recorder.add(MadeReport("call", sections=sections))
    recorder.add(MadeReport("teardown", sections=sections))
    hidden = Annotations(
        artifacts=(Artifact("f", "https://e.example/f"),), timed_steps=(TimedStep("s", "failed", 1, (), (0,)),)
    )
    result = recorder.finish(NODE, observed_us=10_000, annotations=[hidden, None])
    assert result is not None
    assert [artifact.note for artifact in result.test.artifacts] == ["attempt 1"]
    assert _decoded(result.extensions)["attempts"] == [
        {
            "number": 1,
            "steps": [{"name": "s", "status": "failed", "elapsed": 1, "files": [0]}],
            "output": {"Output": "one\n"},
            "colours": {"Output": [[0, 3, "31"]]},
        }
    ]


def test_output_of_attempts_is_kept_as_the_setting_has_it() -> None:
    """With ``output = none`` no attempt has output, and without anything else there is no entry for it."""
    recorder = Recorder(RecordingOptions(output="none"))
    for outcome in ("rerun", "passed"):
        recorder.start(NODE, PLACE)
        sections = [("Captured stdout call", "one\n")]
        recorder.add(MadeReport("setup", duration=0))
        recorder.add(MadeReport("call", outcome, longreprtext="E", sections=sections, duration=0))
        result = recorder.finish(NODE, observed_us=10)
    assert result is not None
    assert "attempts" not in _decoded(result.extensions)


def test_an_attempt_with_several_failures_has_no_colours_of_its_text() -> None:
    """The text of such an attempt has titles between its failures, so that their colours do not fit it."""
    test = _test(
        _console("Failure", ColouredText("red", RED), is_highlight=True), _console("Error", "x", is_highlight=True)
    )
    (entry,) = _decoded(with_attempts("", [EarlierAttempt(test, extensions_of(test, None)), _passed()]))["attempts"]
    assert entry == {"number": 2, "output": {"Log": "log"}}


def _passed() -> EarlierAttempt:
    return EarlierAttempt(_test(_console("Log", "log")), "")


def test_attempts_have_a_limit() -> None:
    """The latest attempts have their whole output; that of the first one for which there is no room is cut."""
    text = "line\n" * 3_000
    earlier = [EarlierAttempt(_test(_console("Output", text), _console("Errors", text)), "") for _ in range(20)]
    extensions = with_attempts('{"phases":[1,2,3]}', earlier)
    assert 120_000 < len(extensions) < 130_000
    found = _decoded(extensions)
    assert found["phases"] == [1, 2, 3]
    cut, *whole = found["attempts"]
    assert [entry["number"] for entry in whole] == list(range(21 - len(whole), 21))
    assert all(entry["output"] == {"Output": text, "Errors": text} for entry in whole)
    assert "characters cut" in " ".join(cut["output"].values())


def test_a_cut_output_has_no_colours() -> None:
    """Colours that may not fit a text any more are left out."""
    long = ColouredText("a\u20ac" * 8_000, RED)
    earlier = [EarlierAttempt(_test(_console("Output", long)), "") for _ in range(4)]
    earlier = [EarlierAttempt(attempt.test, extensions_of(attempt.test, None)) for attempt in earlier]
    found = _decoded(with_attempts("", earlier))["attempts"]
    assert all(("colours" in entry) == (entry["output"]["Output"] == long) for entry in found)
    assert {"colours" in entry for entry in found} == {True, False}


ARTIFACTS = (
    Artifact("a", "spooled:1 a"),
    Artifact("b", "https://e.example"),
    Artifact("c", "spooled:2 c"),
    Artifact("d", "spooled:3 d", note="attempt 1"),
    Artifact("e", "spooled:4 e", note="attempt 1: note"),
)


def _step(*files: int, **members: Any) -> Any:  # noqa: ANN401 - JSON
    return {"name": "s", **({"files": list(files)} if files else {}), **members}


def test_files_that_are_not_stored_leave_their_steps() -> None:
    """If a file becomes a field since no store takes it, the others stay at their steps."""
    extensions = json.dumps(
        {
            "phases": [1, 2, 3],
            "steps": [_step(0, 2), _step(1, steps=[_step(0)])],
            "attempts": [{"number": 1, "steps": [_step(0, 1)]}, {"number": 2, "steps": [_step(0)]}, 5],
        }
    )
    found = _decoded(with_kept_files(extensions, ARTIFACTS, [False, True, True, False, True]))
    assert found["steps"] == [_step(1), _step(0, steps=[_step()])]
    assert found["attempts"] == [{"number": 1, "steps": [_step(0)]}, {"number": 2, "steps": [_step()]}, 5]
    assert found["phases"] == [1, 2, 3]


@pytest.mark.parametrize(
    "extensions",
    ["", "[1]", "{", '{"steps":5}', '{"steps":[5,{"files":6,"steps":7},{"files":["a",null]}],"attempts":6}',
     '{"attempts":[{"steps":{}}]}', '{"steps":' + '[{"steps":' * 300 + "0" + "}]" * 300 + "}"],
)  # fmt: skip
def test_forged_extensions_stop_nothing(extensions: str) -> None:
    """A record of the spool may hold anything: its result is sent all the same."""
    assert "files" not in with_kept_files(extensions, ARTIFACTS, [False] * 5)
    (entry,) = _decoded(with_attempts(extensions, [_passed()]))["attempts"]
    assert entry == {"number": 1, "output": {"Log": "log"}}


@pytest.mark.parametrize(
    "own", ['{"steps":5,"colours":7}', '{"attempts":[{"number":1,"output":[],"colours":5}]}', '{"attempts":{}}']
)
def test_forged_extensions_of_an_attempt_stop_nothing(own: str) -> None:
    """So may the record of an attempt before."""
    found = _decoded(with_attempts("", [EarlierAttempt(_passed().test, own)]))["attempts"]
    assert found[-1]["output"] == {"Log": "log"}
