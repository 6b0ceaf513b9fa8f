"""What real suites seldom show: frozen clocks, cut short attempts, groups, odd outcomes, results made without a run."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.api.models import Test
from pytest_automation_report.delivery.attempts import unfinished_attempt
from pytest_automation_report.guards import Errors
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.phases import collection_record
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.spool.records import SPOOL_KINDS, Decoder, FinishRecord, identify
from pytest_automation_report.spool.writer import SpoolWriter
from pytest_automation_report.text.limits import STRING_UNITS
from support.made_reports import NODE, MadeReport, ended, ran, result_of

INF, NAN = float("inf"), float("nan")


def made(*reports: MadeReport, recorder: Recorder | None = None) -> Test:
    return result_of(ran(*reports, recorder=recorder)).contract()


def values(test: Test) -> dict[str, str | None]:
    return {each.name: each.value for each in test.fields}


def plain(**changes: Any) -> tuple[MadeReport, ...]:  # noqa: ANN401 - attributes of a report
    return MadeReport("setup", **changes), MadeReport("call", **changes), MadeReport("teardown", **changes)


@pytest.mark.parametrize(
    ("durations", "observed", "expected"),
    [
        ((0.001, 0.002, 0.0005), 10_000, 3500), ((0.0, 0.0, 0.0), 10_000, 10_000),
        ((0.001, -1.3e9, 1.3e9), 10_000, 10_000), ((1.3e9, 0.0, 0.0), 10_000, 10_000),
        ((0.001, -0.0005, 0.001), 10_000, 10_000), ((0.001, 0.001, 0.001), 2000, 2000),
        ((INF, 0.0, 0.0), 10_000, 10_000), ((NAN, 0.0, 0.0), 10_000, 10_000), ((0.001, INF, -INF), 10_000, 10_000),
        ((0.0, 0.0, 0.0), -5, 0),
    ],
)  # fmt: skip
def test_elapsed_survives_moved_clocks(durations: tuple[float, float, float], observed: int, expected: int) -> None:
    """Elapsed is the sum of the phases where that can be, else what was observed from outside, never negative."""
    phases = zip(("setup", "call", "teardown"), durations, strict=True)
    finished = ran(*(MadeReport(when, duration=duration) for when, duration in phases), observed=observed)
    assert finished.attempt.elapsed == expected


def test_a_test_without_a_call_is_never_passed() -> None:
    """Setup and teardown alone make an error that says so, which another attempt may still replace."""
    for phases in ((), ("setup",), ("setup", "teardown"), ("teardown",)):
        finished = ran(*map(MadeReport, phases))
        assert (finished.attempt.status, finished.is_final) == ("error", False)
        assert "did not finish" in (values(result_of(finished).contract())["Error"] or "")
        assert finished.attempt.causes[0].kind == "error"
    # What the teardown said stays beside the missing call.
    test = made(MadeReport("setup"), MadeReport("teardown", "failed", longreprtext="boom"))
    assert next(each.value for each in test.fields if each.name == "Error") == "boom"
    assert len(test.fields) == 2


@pytest.mark.parametrize(("when", "status"), [("call", "failure"), ("setup", "error"), ("teardown", "error")])
def test_an_unknown_outcome_is_never_passed(when: str, status: str) -> None:
    """An outcome that some plugin has made up is a failure that names it."""
    reports = {"setup": MadeReport("setup"), "call": MadeReport("call"), when: MadeReport(when, "exploded")}
    attempt = ran(*reports.values()).attempt
    assert attempt.status == status
    assert "'exploded'" in attempt.causes[0].text


def test_reasons_of_expected_failures_are_the_same_from_every_pytest() -> None:
    """Older versions of pytest put a word before the reason, which is not shown."""
    test = made(MadeReport("setup"), MadeReport("call", "skipped", wasxfail="reason: bug"), MadeReport("teardown"))
    assert (test.status, values(test)) == ("skipped", {"Skipped": "bug"})


def test_output_of_an_item_that_was_reset_is_kept() -> None:
    """Only what an earlier attempt has left is taken off; an item that begins afresh loses nothing."""
    recorder = Recorder(RecordingOptions(output="all"))
    rerun = MadeReport("call", "rerun", sections=[("Captured stdout call", "one\n")])
    ran(MadeReport("setup"), rerun, recorder=recorder)
    fresh = [("Captured stdout call", "two\n"), ("Captured log call", "l1"), ("Captured log teardown", "l2")]
    test = made(MadeReport("setup"), MadeReport("call"), MadeReport("teardown", sections=fresh), recorder=recorder)
    assert (values(test)["Output"], values(test)["Log"]) == ("two\n", "l1\nl2")


def test_a_property_without_a_text_does_not_hurt() -> None:
    """A property whose value cannot be shown becomes a field that says so; an empty name gets one."""

    class Bad:
        def __str__(self) -> str:
            raise KeyError

    assert values(made(*plain(user_properties=[("bad", Bad()), ("", "x")]))) == {
        "bad": "<Bad without a text: KeyError>",
        "(no name)": "x",
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("crashed", "The worker gw0 crashed while it ran this test"),
        ("died", "The process that ran this test died before it finished"),
        ("interrupted", "interrupted (Ctrl-C, pytest.exit, -x or an error of pytest) before it finished"),
    ],
)
def test_unfinished_tests_say_it_in_clear_words(kind: Any, words: str) -> None:  # noqa: ANN401 - a Literal's values
    """A test that was cut short says how, with what is known besides: an error, or untested if it was interrupted."""
    rules = RecordingOptions(redact=("se[a-z]+et",))
    attempt = unfinished_attempt(NODE, rules, kind=kind, detail="signal 9\n\x1b[1msecret", observed_us=7, worker="gw0")
    (cause,) = attempt.causes
    name, status = ("Not run", "untested") if kind == "interrupted" else ("Error", "error")
    assert words in cause.text
    assert cause.text.endswith("\n\nsignal 9\n[redacted]")
    assert (cause.name, cause.kind) == (name, status)
    assert words in cause.message
    assert (attempt.status, attempt.elapsed) == (status, 7)
    for observed, elapsed in ((None, None), (-1, 0)):
        bare = unfinished_attempt(NODE, rules, kind=kind, detail="", observed_us=observed, worker="main")
        assert bare.elapsed == elapsed


def test_collection_results() -> None:
    """A node that failed has the XML's key and, with a prefix, its module's folder; its message is what it said."""

    def failed(nodeid: str) -> pytest.CollectReport:
        return pytest.CollectReport(nodeid, "failed", "boom", None, [("Captured stdout", "printed\n")])

    rules = RecordingOptions("p")
    test = result_of(collection_record(failed("tests/test_a.py"), rules), rules).contract()
    assert (test.folder, test.name) == ("p.tests.test_a", "tests.test_a")
    assert test.key == identify("tests/test_a.py", prefix="p").key
    assert values(test) == {"Error": "boom", "Output": "printed\n"}
    assert test.fields[0].meta == {"message": "boom"}
    inner = result_of(collection_record(failed("tests/test_a.py::TestA"), RecordingOptions())).contract()
    assert (inner.folder, inner.name, inner.file) == ("tests.test_a", "TestA", "tests/test_a.py")


def test_error_of_a_collector_of_the_users_is_whole() -> None:
    """An exception in a collector has its type and all lines of its message."""
    try:
        raise ValueError("first\nsecond")  # noqa: TRY301 - its report is read
    except ValueError:
        error = pytest.ExceptionInfo.from_current()
    report = pytest.CollectReport("cases.yaml", "failed", error.getrepr(), None)
    (field,) = result_of(collection_record(report, RecordingOptions())).contract().fields
    assert field.meta == {"message": "ValueError: first\nsecond", "type": "ValueError"}


PREFIXES = st.sampled_from(["", "p", "a.b c", "\u20ac", "x\n", "p" * 760])
NODEIDS = st.one_of(
    st.builds(
        "{}.py::{}[{}]".format, st.sampled_from(["a", "b/c"]), st.sampled_from(["t", "C::t", ""]), st.text(max_size=8)
    ),
    st.sampled_from(["", "a.py", "a.py::", "a.py::C::", "a::[]", "a.py::" + "x" * 760, "a.txt::d"]),
    st.sampled_from(["a.py::t[\u202e]", "a.py::t[\x07]"]),
    st.text(max_size=12),
)


@given(PREFIXES, NODEIDS, st.sampled_from([None, -1, 0, 7]))
def test_test_that_passed_is_the_same_by_either_way(prefix: str, nodeid: str, line: int | None) -> None:
    """A test that passed is recorded without fields where folder and name show its node id, and only there."""
    rules = RecordingOptions(prefix=prefix, redact=("[ap]",))
    recorder = Recorder(rules)
    recorder.start(nodeid, ("a.py", line, "x"))
    for each in plain(nodeid=nodeid, duration=0.001):
        recorder.add(each)
    record = ended(recorder, nodeid)
    assert [field.name for field in record.attempt.fields] == (
        ["Node id"] if identify(nodeid, prefix=prefix).is_respelled else []
    )
    assert (record.attempt.status, record.is_final, record.nodeid, record.line) == ("passed", True, nodeid, line)


@pytest.mark.parametrize(
    ("nodeid", "folder", "name"),
    [
        ("test_a.py::TestA::TestB::test_x[a::b/c.py]", "test_a.TestA.TestB", "test_x[a::b/c.py]"),
        ("a.py::t[\0\x08\t\n\x0b\x0c\r\x0e\x1f ~]", "a", "t[#x00#x08\t\\n#x0B#x0C\\x0d#x0E#x1F ~]"),
        ("a.py::t[\x80\ud7ff\ud800\udfff\ue000\ufffd\uffff]", "a", "t[\\x80\ud7ff#xD800#xDFFF\ue000\ufffd#xFFFF]"),
        ("test[1].py::test_x[2]", "test[1]", "test_x[2]"),
        ("docs/a.rst::a.rst", "docs.a.rst", "a.rst"),
        ("tests/test_a.py", "tests.test_a", "tests.test_a"),
        ("../up/test_a.py::test_x", "...up.test_a", "test_x"),
        ("", "(no name)", "(no name)"),
    ],
)
def test_identity_of_a_node(nodeid: str, folder: str, name: str) -> None:
    """A node id gives folder and name by the rules of the XML, also where the XML could not be read back."""
    found = identify(nodeid)
    assert (found.folder, found.name, found.raw) == (folder, name, nodeid)


def test_the_key_of_a_node_without_a_class_is_that_of_its_name() -> None:
    """A module has no class name in the XML, so its key is made of its name alone, unless a prefix stands there."""
    assert identify("tests/test_a.py").key == sha256(b"tests.test_a").hexdigest()
    assert identify("tests/test_a.py", prefix="p").key == sha256(b"p.tests.test_a").hexdigest()


def test_the_key_is_made_before_anything_is_cut_or_cleaned() -> None:
    """Tests whose long or invisible ids look the same afterwards still have keys of their own."""
    one, other = identify("a.py::" + "x" * 2000 + "1"), identify("a.py::" + "x" * 2000 + "2")
    assert one.name == other.name
    assert len(one.name) <= STRING_UNITS
    assert one.key != other.key
    assert identify("a\ud800.py::t").key != identify("a\ud801.py::t").key
    assert identify("a\ud800.py::t").folder == "a\\ud800"


@pytest.mark.parametrize(
    ("nodeid", "is_respelled"),
    [
        ("a/b.py::C::t[x]", False), ("a.py::t[ü]", False), ("a.py", False), ("a.py::t[\x1b]", True),
        ("a.py::t[\x85]", True), ("a\x85.py::t", True), ("a.py::" + "x" * 2000, True),
    ],
)  # fmt: skip
def test_respelled_names_are_known(nodeid: str, is_respelled: bool) -> None:  # noqa: FBT001 - a column of the table
    """It is told where folder and name do not show the node id as it is."""
    assert identify(nodeid).is_respelled is is_respelled


def test_start_that_fails_does_not_give_its_result_to_another_test(tmp_path: Path) -> None:
    """A plugin that gives no location costs its test's START, not its result, and the test before it has one alone."""
    path, faults = tmp_path / "main.records", Errors()
    recording = RuntestHooks(SpoolWriter(path), RecordingOptions(), Clock(), "main", faults)
    places: dict[str, Any] = {"a.py::one": ("a.py", 1, "one"), "a.py::two": None}
    for nodeid, place in places.items():
        recording.pytest_runtest_logstart(nodeid, place)
        for when in ("setup", "call", "teardown"):
            recording.pytest_runtest_logreport(MadeReport(nodeid=nodeid, when=when))
        recording.pytest_runtest_logfinish(nodeid)
    _, _, one, two = (each.record for each in Decoder(SPOOL_KINDS).feed(path.read_bytes()))
    assert isinstance(one, FinishRecord)
    assert (one.nodeid, one.file, one.line) == ("a.py::one", "a.py", 1)
    assert isinstance(two, FinishRecord)
    assert (two.nodeid, two.attempt.status) == ("a.py::two", "passed")
    assert (len(faults.texts), recording.counts) == (1, {"passed": 2})


def test_a_repeated_call_has_what_its_test_recorded_and_printed() -> None:
    """Properties and printed marks of a call that a plugin repeats stand with that attempt, and not with the last."""
    sections = (("Captured stdout call", "[[PROPERTY|shown=1]]\n"),)
    first = MadeReport("call", "failed", longreprtext="boom", user_properties=[("seed", "1")], sections=sections)
    later: dict[str, Any] = {"user_properties": [("seed", "1"), ("seed", "2")], "sections": sections}
    recorder = Recorder(RecordingOptions(output_annotations=True))
    finished = ran(
        MadeReport("setup"), first, MadeReport("call", **later), MadeReport("teardown", **later), recorder=recorder
    )
    test = result_of(finished).contract()
    assert values(test)["Attempt 1"] == "boom\n\nseed: 1\nshown: 1"
    assert values(test)["seed"] == "2"
    assert "shown" not in values(test)
