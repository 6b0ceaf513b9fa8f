"""What real suites seldom show: frozen clocks, cut short attempts, groups, odd outcomes, results made without a run."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from pytest_automation_report.api.models import Artifact, Field, FieldType, Status, Test, encoded
from pytest_automation_report.recording.attempts import with_earlier_attempts
from pytest_automation_report.recording.extensions import encoded_extensions
from pytest_automation_report.recording.identity import identity_of
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.recording.synthetic_results import (
    AttemptResult,
    collection_test,
    passed_test,
    unfinished_test,
)
from support.recorded_suites import MadeReport

NODE = "tests/test_a.py::test_x"
PLACE = ("tests/test_a.py", 4, "test_x")
INF, NAN = float("inf"), float("nan")


def ran(*reports: MadeReport, recorder: Recorder | None = None, observed: int = 10_000) -> AttemptResult:
    recorder = recorder or Recorder(RecordingOptions())
    recorder.start(NODE, PLACE)
    for each in reports:
        recorder.add(each)
    finished = recorder.finish(NODE, observed_us=observed)
    assert finished is not None
    return finished


def values(test: Test) -> dict[str, str | None]:
    return {each.name: each.value for each in test.fields}


def plain(**changes: Any) -> tuple[MadeReport, ...]:  # noqa: ANN401 - attributes of a report
    return MadeReport("setup", **changes), MadeReport("call", **changes), MadeReport("teardown", **changes)


@pytest.mark.parametrize(
    ("durations", "observed", "expected"),
    [
        ((0.001, 0.002, 0.0005), 10_000, 3500),
        ((0.0, 0.0, 0.0), 10_000, 10_000),
        ((0.001, -1.3e9, 1.3e9), 10_000, 10_000),
        ((1.3e9, 0.0, 0.0), 10_000, 10_000),
        ((0.001, -0.0005, 0.001), 10_000, 10_000),
        ((0.001, 0.001, 0.001), 2000, 2000),
        ((INF, 0.0, 0.0), 10_000, 10_000),
        ((NAN, 0.0, 0.0), 10_000, 10_000),
        ((0.001, INF, -INF), 10_000, 10_000),
        ((0.0, 0.0, 0.0), -5, 0),
    ],
)
def test_elapsed_survives_clocks_that_tests_move(
    durations: tuple[float, float, float],
    observed: int,
    expected: int,
) -> None:
    """Elapsed is the sum of the phases where that can be, else what was observed from outside, never negative."""
    phases = zip(("setup", "call", "teardown"), durations, strict=True)
    finished = ran(*(MadeReport(when, duration=duration) for when, duration in phases), observed=observed)
    assert finished.test.elapsed == expected


def test_a_test_without_a_call_is_never_passed() -> None:
    """Setup and teardown alone make an error that says so, which another attempt may still replace."""
    for phases in ((), ("setup",), ("setup", "teardown"), ("teardown",)):
        finished = ran(*map(MadeReport, phases))
        assert (finished.status, finished.is_final) == ("error", False)
        assert "did not finish" in (values(finished.test)["Error"] or "")
        assert finished.test.fields[0].is_highlight


def test_a_failed_teardown_after_no_call_tells_both() -> None:
    """What the teardown said stays beside the missing call."""
    finished = ran(MadeReport("setup"), MadeReport("teardown", "failed", longreprtext="boom"))
    assert next(each.value for each in finished.test.fields if each.name == "Error") == "boom"
    assert len(finished.test.fields) == 2


@pytest.mark.parametrize(("when", "status"), [("call", "failure"), ("setup", "error"), ("teardown", "error")])
def test_an_unknown_outcome_is_never_passed(when: str, status: str) -> None:
    """An outcome that some plugin has made up is a failure that names it."""
    reports = {"setup": MadeReport("setup"), "call": MadeReport("call"), when: MadeReport(when, "exploded")}
    finished = ran(*reports.values())
    assert finished.status == status
    assert "'exploded'" in (finished.test.fields[0].value or "")


@dataclass
class Expected(MadeReport):
    wasxfail: str = "reason: bug"


def test_reasons_of_expected_failures_are_the_same_from_every_pytest() -> None:
    """Older versions of pytest put a word before the reason, which is not shown."""
    finished = ran(MadeReport("setup"), Expected("call", "skipped"), MadeReport("teardown"))
    assert (finished.status, values(finished.test)) == ("skipped", {"Skipped": "bug"})


def test_attempts_are_counted_in_a_row() -> None:
    """Numbers go up over attempts that are not final and begin again after one that is."""
    recorder = Recorder(RecordingOptions())
    failed = MadeReport("call", "rerun", longreprtext="x")
    assert [
        ran(MadeReport("setup"), each, MadeReport("teardown"), recorder=recorder).number
        for each in (failed, failed, MadeReport("call"), MadeReport("call"), failed)
    ] == [1, 2, 3, 1, 1]
    assert recorder.start(NODE, PLACE) == 2
    assert recorder.start(NODE, PLACE) == 3


def test_reports_without_a_start_still_make_a_result() -> None:
    """A plugin that logs no start loses nothing; a finish of nothing is nothing."""
    recorder = Recorder(RecordingOptions())
    for each in plain(location=PLACE):
        recorder.add(each)
    finished = recorder.finish(NODE, observed_us=5000)
    assert finished is not None
    assert (finished.status, finished.test.line) == ("passed", 5)
    assert recorder.finish(NODE, observed_us=5000) is None


def test_a_report_that_is_changed_afterwards_does_not_change_the_result() -> None:
    """What a report said when it arrived counts, since pytest-retry turns its first report into its last."""
    recorder = Recorder(RecordingOptions())
    recorder.start(NODE, PLACE)
    shared = MadeReport("call", "retried", longreprtext="first")
    recorder.add(MadeReport("setup"))
    recorder.add(shared)
    shared.outcome, shared.longreprtext = "failed", "second"
    recorder.add(shared)
    finished = recorder.finish(NODE, observed_us=5000)
    assert finished is not None
    assert values(finished.test) == {"Failure": "second", "Attempts": "2", "Attempt 1": "first"}


def test_a_users_note_that_reads_like_ours_stays() -> None:
    """A file keeps the note that a user's hook gave it, in the attempt that the file is of."""
    mine = Artifact("log.txt", "https://files.example/log.txt", "attempt 1: of the load test")
    first, second = (Test("k", "test_x", "test_a", status, artifacts=(mine,)) for status in ("failed", "passed"))
    folded = with_earlier_attempts(second, [first])
    assert [artifact.note for artifact in folded.artifacts] == [mine.note, f"attempt 1: {mine.note}"]


def test_groups_of_xdist_are_taken_off() -> None:
    """A node id with a group has the identity of the one without, also when the map is filled later."""
    groups: dict[str, str] = {}
    recorder = Recorder(RecordingOptions(), groups)
    recorder.start(NODE + "@g", PLACE)
    groups[NODE + "@g"] = NODE
    for each in plain(nodeid=NODE + "@g"):
        recorder.add(each)
    finished = recorder.finish(NODE + "@g", observed_us=5000)
    assert finished is not None
    assert finished.identity == identity_of(NODE)
    assert finished.test.fields == ()


def test_interleaved_tests_are_kept_apart() -> None:
    """Reports of two tests that run at once, as a controller sees them, do not mix."""
    recorder = Recorder(RecordingOptions())
    other = NODE + "2"
    for nodeid in (NODE, other):
        recorder.start(nodeid, PLACE)
    for one, two in zip(plain(), plain(nodeid=other), strict=True):
        recorder.add(one)
        two.outcome = "failed" if two.when == "call" else "passed"
        recorder.add(two)
    first, second = recorder.finish(NODE, observed_us=1), recorder.finish(other, observed_us=1)
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == ("passed", "failure")


def test_output_of_an_item_that_was_reset_is_kept() -> None:
    """Only what an earlier attempt has left is taken off; an item that begins afresh loses nothing."""
    recorder = Recorder(RecordingOptions(output="all"))
    rerun = MadeReport("call", "rerun", sections=[("Captured stdout call", "one\n")])
    ran(MadeReport("setup"), rerun, recorder=recorder)
    fresh = [("Captured stdout call", "two\n"), ("Captured log call", "l1"), ("Captured log teardown", "l2")]
    finished = ran(MadeReport("setup"), MadeReport("call"), MadeReport("teardown", sections=fresh), recorder=recorder)
    assert (values(finished.test)["Output"], values(finished.test)["Log"]) == ("two\n", "l1\nl2")


def test_a_property_without_a_text_does_not_hurt() -> None:
    """A property whose value cannot be shown becomes a field that says so; an empty name gets one."""

    class Bad:
        def __str__(self) -> str:
            raise KeyError

    finished = ran(*plain(user_properties=[("bad", Bad()), ("", "x")]))
    assert values(finished.test) == {"bad": "<Bad without a text: KeyError>", "(no name)": "x"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("crashed", "The worker gw0 crashed while it ran this test"),
        ("died", "The process that ran this test died before it finished"),
        ("interrupted", "interrupted (Ctrl-C, pytest.exit or -x) before it finished"),
    ],
)
def test_unfinished_tests_are_errors_in_clear_words(kind: Any, words: str) -> None:  # noqa: ANN401 - a Literal's values
    """A test that was cut short is an error that says how, with what is known besides."""
    finished = unfinished_test(
        NODE,
        PLACE,
        RecordingOptions("p", statuses={"error": "broken"}, redact=("se[a-z]+et",)),
        kind=kind,
        detail="signal 9\n\x1b[1msecret",
        observed_us=7,
        worker="gw0",
    )
    (field,) = finished.test.fields
    assert words in (field.value or "")
    assert (field.value or "").endswith("\n\nsignal 9\n[redacted]")
    assert (field.name, field.type, field.is_highlight) == ("Error", FieldType.CONSOLE, True)
    assert words in field.meta["message"]
    assert finished.is_final
    assert (finished.status, finished.test.status, finished.test.elapsed) == ("error", "broken", 7)
    assert finished.identity == identity_of(NODE, prefix="p")
    bare = unfinished_test(NODE, None, RecordingOptions(), kind=kind, detail="", observed_us=None, worker="main")
    assert bare.test.elapsed is None
    before = unfinished_test(NODE, None, RecordingOptions(), kind=kind, detail="", observed_us=-1, worker="main")
    assert before.test.elapsed == 0
    assert (bare.test.file, bare.test.line) == (None, None)


def test_collection_results() -> None:
    """A collected node is no result; a failed one has the XML's key and, with a prefix, its module's folder."""

    def collected(nodeid: str, outcome: str) -> MadeReport:
        return MadeReport("collect", outcome, nodeid, "boom", "boom", [("Captured stdout", "printed\n")])

    assert collection_test(collected("tests/test_a.py", "passed"), RecordingOptions()) is None
    finished = collection_test(collected("tests/test_a.py", "failed"), RecordingOptions("p"))
    assert finished is not None
    assert (finished.test.folder, finished.test.name) == ("p.tests.test_a", "tests.test_a")
    assert finished.test.key == identity_of("tests/test_a.py", prefix="p").key
    assert values(finished.test) == {"Error": "boom", "Output": "printed\n"}
    inner = collection_test(collected("tests/test_a.py::TestA", "failed"), RecordingOptions())
    assert inner is not None
    assert (inner.test.folder, inner.test.name, inner.test.file) == ("tests.test_a", "TestA", "tests/test_a.py")


def test_rules_travel_as_json() -> None:
    """Rules are the same after JSON and after pickle."""
    rules = RecordingOptions("p", "all", {"failure": "failed"}, ("a+", "b"))
    assert RecordingOptions.from_body(json.loads(json.dumps(rules.body()))) == rules
    assert pickle.loads(pickle.dumps(rules)) == rules


@pytest.mark.parametrize(
    "test",
    [
        Test("k", 'n"\\\n\U0001f600', "f", "passed"),
        Test("k", "n", "f", "passed", 0, "a/b.py", 1),
        Test(
            "k",
            "n",
            "f",
            "passed",
            12,
            None,
            None,
            (Field("a", "ü", FieldType.CONSOLE, {"m": "v"}, is_highlight=True),),
        ),
        Test("k", "n", "f", "passed", artifacts=(Artifact("a", "https://b"),)),
    ],
)
def test_the_line_is_the_body(test: Test) -> None:
    """The encoded line is plain ASCII without blanks and reads back as the body, in its order."""
    line = encoded(test)
    assert line == json.dumps(to_builtins(test), separators=(",", ":"))
    assert line.isascii()


PREFIXES = st.sampled_from(["", "p", "a.b c", "\u20ac", "x\n", "p" * 760])
NODEIDS = st.one_of(
    st.builds(
        "{}.py::{}[{}]".format, st.sampled_from(["a", "b/c"]), st.sampled_from(["t", "C::t", ""]), st.text(max_size=8)
    ),
    st.sampled_from(
        [
            "",
            "a.py",
            "a.py::",
            "a.py::C::",
            "a::[]",
            "a.py::" + "x" * 760,
            "a.py::t[\u202e]",
            "a.py::t[\x07]",
            "a.txt::d",
        ]
    ),
    st.text(max_size=12),
)


@given(PREFIXES, NODEIDS, st.sampled_from([{}, {"passed": "ok"}]), st.sampled_from([None, -1, 0, 7]))
def test_test_that_passed_is_the_same_by_either_way(
    prefix: str, nodeid: str, statuses: dict[Status, str], line: int | None
) -> None:
    """What the sender makes of a test that has passed is what this process would have made."""
    rules = RecordingOptions(prefix=prefix, statuses=statuses, redact=("[ap]",))
    recorders = Recorder(rules), Recorder(rules)
    for recorder in recorders:
        recorder.start(nodeid, ("a.py", line, "x"))
        for each in plain(nodeid=nodeid, duration=0.001):
            recorder.add(each)
    finished = recorders[0].finish(nodeid, observed_us=10_000)
    times = recorders[1].finish_plain_pass(nodeid, observed_us=10_000)
    assert finished is not None
    if times is not None:
        elapsed = times[0]
        assert finished.extensions == encoded_extensions(times, None, finished.test)
        assert passed_test(nodeid, ("a.py", line, ""), rules.for_sender(), elapsed) == (
            finished.identity,
            finished.test,
        )
        assert (finished.status, finished.is_final, finished.number) == ("passed", True, 1)
    is_simple = nodeid.startswith("a.py::t[") and nodeid.isascii() and nodeid.isprintable() and len(prefix) == 1
    assert times is not None or not is_simple or prefix == "\u20ac"
    assert recorders[1].finish_plain_pass(nodeid, observed_us=10_000) is None or times is None


@dataclass
class Context:
    msg: str
    kwargs: dict[str, object]


SAID = {"sections": [("Captured stdout call", "x")]}


@pytest.mark.parametrize(
    ("reports", "rules"),
    [
        (plain()[:2], RecordingOptions()),
        ((*plain()[:1], *plain()[2:]), RecordingOptions()),
        (plain(outcome="skipped"), RecordingOptions()),
        (plain(outcome="rerun"), RecordingOptions()),
        ((plain()[0], Expected("call"), plain()[2]), RecordingOptions()),
        (plain(user_properties=[("a", 1)]), RecordingOptions()),
        (plain(**SAID), RecordingOptions(output="all")),
        (plain(**SAID), RecordingOptions(output_annotations=True)),
        ((*plain()[:2], *plain()[1:]), RecordingOptions()),
        ((*plain(), MadeReport("extra")), RecordingOptions()),
        ((plain()[0], MadeReport("call", context=Context("m", {})), *plain()[1:]), RecordingOptions()),
    ],
    ids=["cut", "no call", "skip", "rerun", "xfail", "property", "output", "printed", "again", "more", "subtest"],
)
def test_what_has_more_to_say_is_no_plain_pass(reports: tuple[MadeReport, ...], rules: RecordingOptions) -> None:
    """An attempt of which more is to be told is left for its whole result; so is what never began."""
    recorder = Recorder(rules)
    assert recorder.finish_plain_pass(NODE, observed_us=5) is None
    recorder.start(NODE, PLACE)
    for each in reports:
        recorder.add(each)
    assert recorder.finish_plain_pass(NODE, observed_us=5) is None
    assert recorder.finish(NODE, observed_us=5) is not None


def test_output_that_nobody_keeps_says_nothing() -> None:
    """A passed test whose output is not kept is a plain pass; one after a rerun is not."""
    recorder = Recorder(RecordingOptions())
    for outcome, expected in (("passed", (5, -1, -1)), ("rerun", None), ("passed", None)):
        recorder.start(NODE, PLACE)
        for each in plain(**SAID, outcome=outcome):
            recorder.add(each)
        assert recorder.finish_plain_pass(NODE, observed_us=5) == expected
        if expected is None:
            assert recorder.finish(NODE, observed_us=5) is not None
