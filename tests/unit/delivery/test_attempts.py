"""From attempts to the result of a test: colours, files at their steps and earlier attempts, within their limits."""

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    FIELD_LIMIT,
    Artifact,
    Cause,
    Field,
    FieldType,
    OutputName,
    Step,
    Test,
    encode,
)
from pytest_automation_report.api.results import EarlierAttempt, Phases, TypedTest
from pytest_automation_report.delivery.attempts import Decorations, fold_attempts, with_kept_files
from pytest_automation_report.delivery.testmo import contract_test
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.phases import Annotations, collection_record, merge_colours, merged
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.spool.records import Attempt, FinishRecord
from pytest_automation_report.text.limits import TEXT_UNITS
from pytest_automation_report.text.visible import ColouredText, Span
from support.made_reports import NODE, PLACE, MadeReport, result_of, results_of

RED: tuple[Span, ...] = ((0, 2, "31"),)
PASSED = Attempt("passed")


def _attempt(*fields: Field, causes: tuple[Cause, ...] = (), **output: str) -> Attempt:
    streams: dict[OutputName, str] = {**output}  # type: ignore[dict-item]
    attempt = Attempt("failure", fields=fields, causes=causes, output=streams)
    return replace(attempt, colours=merge_colours(attempt))


def _failed(text: str, *fields: Field, **output: str) -> Attempt:
    return _attempt(*fields, causes=(Cause("failure", "Failure", text),), **output)


def _result(*attempts: Attempt) -> Test:
    """Return the result for a Testmo instance."""
    return contract_test(_typed(*attempts), attempts, {}, ())


def _shown(test: Test) -> dict[str, str | None]:
    return {each.name: each.value for each in test.fields}


def _typed(*attempts: Attempt) -> TypedTest:
    return fold_attempts(TypedTest("k", "n", "f", ""), attempts, RecordingOptions(), Decorations(RecordingOptions()))


def _console(name: str, text: str) -> Field:
    return Field(name, text, FieldType.CONSOLE)


def _ended(recorder: Recorder, *annotations: Annotations | None) -> FinishRecord:
    record = recorder.finish(NODE, number=1, began=0, moment=10_000, annotations=annotations)
    assert record is not None
    return record


def test_colours_of_a_module_that_cannot_be_collected_are_recorded() -> None:
    """The text of a collection error has its colours, too."""
    report = pytest.CollectReport("a.py", "failed", "\x1b[31mE\x1b[m no module", None)
    result = result_of(collection_record(report, RecordingOptions()))
    assert result.test.colours == {"Error": ((0, 1, "31"),)}


def test_of_several_fields_of_one_name_the_first_counts() -> None:
    """Colours belong to the first field of a name, so that they never stand in another one's text."""
    red = _console("a", ColouredText("red", RED))
    assert _attempt(_console("b", ColouredText("b", RED)), _console("a", "plain"), red).colours == {"b": RED}
    assert _attempt(red, red).colours == {"a": RED}


def test_colours_have_a_limit() -> None:
    """Of more coloured parts than an extension may have the first ones are sent; a text that is cut has none."""
    spans = tuple((place, place + 1, "1;31;47") for place in range(2_000))
    long, red = ColouredText("x" * 2_000, spans), ColouredText("red", RED)
    colours = _typed(_attempt(_console("a", long), _console("b", red))).colours
    assert colours == {"a": spans[: len(colours["a"])]}
    assert 16_000 < len(encode(colours)) < 32_100
    cut = _console("a", ColouredText("x" * (TEXT_UNITS + 1), RED))
    assert _typed(_attempt(cut, _console("b", red))).colours == {"b": RED}


def test_steps_have_a_limit() -> None:
    """Of more steps than an extension may have the first ones are sent, inner ones with their outer step."""
    steps = tuple(Step(f"{number}", "passed", steps=(Step("inner", "passed"),)) for number in range(1_000))
    found = _typed(Attempt("passed", steps=steps)).steps
    *whole, _ = found
    assert tuple(whole) == steps[: len(whole)]
    assert 100 < len(found) < 500


def test_merged_annotations_keep_files_at_their_steps() -> None:
    """If the artifacts of several attempts become one list, the files of their steps get the places in it."""
    artifacts = tuple(Artifact(str(number), "https://e.example") for number in range(3))
    first = Annotations(artifacts=artifacts[:2], steps=(Step("a", "passed", 1, (1,)),))
    inner = Step("c", "passed", 1, (0,))
    second = Annotations(artifacts=artifacts[2:], steps=(Step("b", "passed", 1, (), (inner,)),))
    both = merged([first, None, second])
    assert both is not None
    assert both.artifacts == artifacts
    assert (both.steps[0].files, both.steps[1].steps[0].files) == ((1,), (2,))


def test_printed_attachments_stand_behind_the_files_of_steps() -> None:
    """Artifacts that a test printed do not move those that its steps name."""
    recorder = Recorder(RecordingOptions(output_annotations=True))
    recorder.start(NODE, PLACE)
    sections = [("Captured stdout call", "[[ATTACHMENT|https://e.example/printed.txt]]\n")]
    for when in ("setup", "call", "teardown"):
        recorder.add(MadeReport(when, sections=sections))
    step = Step("s", "passed", 1, (0,))
    result = result_of(
        _ended(recorder, Annotations(artifacts=(Artifact("own", "https://e.example/own"),), steps=(step,)))
    )
    assert [artifact.name for artifact in result.test.artifacts] == ["own", "printed.txt"]
    assert result.test.steps == (step,)


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
    step = Step("s", "failed", 1, (0,))
    hidden = Annotations(artifacts=(Artifact("f", "https://e.example/f"),), steps=(step,))
    result = result_of(_ended(recorder, hidden, None))
    assert [artifact.note for artifact in result.test.artifacts] == ["attempt 1"]
    (first,) = result.test.attempts
    assert (first.number, first.status, first.steps) == (1, "failure", (step,))
    assert (first.output, first.colours) == ({"Output": "one\n"}, {"Output": ((0, 3, "31"),)})


def test_output_of_attempts_is_kept_as_the_setting_has_it() -> None:
    """With ``output = none`` no attempt has output, and without anything else there is no entry for it."""
    recorder = Recorder(RecordingOptions(output="none"))
    records = []
    for outcome in ("rerun", "passed"):
        recorder.start(NODE, PLACE)
        sections = [("Captured stdout call", "one\n")]
        recorder.add(MadeReport("setup", duration=0))
        recorder.add(MadeReport("call", outcome, longreprtext="E", sections=sections, duration=0))
        records.append(_ended(recorder))
    *_, last = results_of(records)
    assert len(last.attempts) == 2
    assert [(each.status, each.output) for each in last.test.attempts] == [("failure", {})]


def test_each_cause_of_an_attempt_has_its_colours() -> None:
    """What an attempt failed for is whole, with its colours, as of the last one; so is one that has no cause."""
    failure = Cause("failure", "Failure", ColouredText("red", RED))
    two, one = _attempt(causes=(failure, Cause("error", "Error", "x"))), _attempt(causes=(failure,))
    found = _typed(two, _attempt(Log="log"), one, PASSED).attempts
    assert found == (
        EarlierAttempt(1, "failure", causes=two.causes, colours={"Failure": RED}),
        EarlierAttempt(2, "failure", output={"Log": "log"}),
        EarlierAttempt(3, "failure", causes=one.causes, colours={"Failure": RED}),
    )


def test_attempts_have_a_limit() -> None:
    """The latest attempts have their whole output; that of the first one for which there is no room is cut."""
    text = "line\n" * 10_000
    earlier = [_attempt(Output=text, Errors=text) for _ in range(20)]
    found = _typed(*earlier, Attempt("passed", 6, 1, 3))
    assert 490_000 < len(encode(found)) < 510_000
    assert found.phases == Phases(1, 2, 3)
    assert [entry.number for entry in found.attempts] == list(range(1, 21))
    outputs = [entry.output for entry in found.attempts]
    assert outputs[-4:] == [{"Output": text, "Errors": text}] * 4
    assert "characters cut" in str(outputs)
    assert outputs[0] == {}


def test_a_cut_output_has_no_colours() -> None:
    """Colours that may not fit a text any more are left out."""
    long = ColouredText("a\u20ac" * 5_000, RED)
    found = _typed(*[_attempt(Output=long)] * 40, PASSED).attempts
    assert all(entry.output.get("Output") == long for entry in found if entry.colours)
    assert {bool(entry.colours) for entry in found} == {True, False}


@pytest.mark.parametrize("times", [(5, None, None), (5, None, 2), (5, 1, None), (5, -1, 2)])
def test_an_attempt_without_phases_has_none(times: tuple[int, int | None, int | None]) -> None:
    """Phases that the session did not measure are not sent."""
    assert _typed(Attempt("passed", *times)).phases is None


def test_files_that_are_not_stored_leave_their_steps() -> None:
    """If a file becomes a field since no store takes it, the others stay at their steps."""
    files = tuple(Artifact(name, "https://e.example") for name in "abcd")
    first = Attempt("failure", artifacts=files[:2], steps=(Step("s", "passed", files=(0, 1)),))
    second = Attempt("failure", artifacts=files[:1], steps=(Step("s", "passed", files=(0,)),))
    inner = Step("t", "passed", files=(0,))
    steps = (Step("s", "passed", files=(0, 2)), Step("s", "passed", files=(1,), steps=(inner,)))
    attempts = (first, second, Attempt("passed", 6, 1, 3, artifacts=files[:3], steps=steps))
    found = with_kept_files(_typed(*attempts), attempts, [False, True, True, False, True, False])
    assert [step.files for step in found.steps] == [(1,), (0,)]
    assert found.steps[1].steps[0].files == ()
    assert [entry.steps[0].files for entry in found.attempts] == [(0,), ()]
    assert found.phases == Phases(1, 2, 3)


def test_files_of_attempts_are_numbered_and_keep_their_notes() -> None:
    """Files of earlier attempts stand behind those of the last one, with their attempt before the note of a user."""
    attempts = [
        Attempt("failure", artifacts=(Artifact(f"{number}.png", f"https://example.org/{number}", note),))
        for number, note in ((1, "attempt 1: of the load test"), (2, None), (3, "attempt 1"))
    ]
    assert [(each.name, each.note) for each in _result(*attempts).artifacts] == [
        ("3.png", "attempt 1"),
        ("1.png", "attempt 1: attempt 1: of the load test"),
        ("2.png", "attempt 2"),
    ]


def test_many_attempts_leave_room_for_the_result() -> None:
    """However many attempts there were, failure and output stay, the latest attempts are shown and all are counted."""
    earlier = [_failed(f"text {number}") for number in range(1, 41)]
    test = _result(*earlier, _failed("last", Output="out"))
    shown = _shown(test)
    assert len(test.fields) == FIELD_LIMIT
    assert (shown["Failure"], shown["Attempts"], shown["Output"]) == ("last", "41", "out")
    assert shown["Attempt 40"] == "text 40"
    assert "Attempt 1" not in shown
    crowded = _result(*earlier, _failed("last", *(Field(f"p{each}", "") for each in range(24))))
    assert list(_shown(crowded))[:5] == ["Failure", "Attempts", "Attempt 38", "Attempt 39", "Attempt 40"]
    assert len(crowded.fields) == FIELD_LIMIT


def test_an_attempt_with_two_texts_shows_both() -> None:
    """An attempt that failed in its call and in its teardown is shown with both, each under its name."""
    causes = (Cause("failure", "Failure", "calling"), Cause("error", "Error", "closing"))
    assert _shown(_result(_attempt(causes=causes), PASSED))["Attempt 1"] == ("Failure\ncalling\n\nError\nclosing")
