"""Fields of a Testmo instance, of other clients and of older stores, read once into typed values."""

from typing import Any

import pytest

from pytest_automation_report.api.models import Cause, Field, Json, Step
from pytest_automation_report.api.results import EarlierAttempt
from pytest_automation_report.api.text_fields import ReadFields, read_fields, read_result


def a_field(name: str, value: str = "", type_: int = 4, **more: Any) -> Json:  # noqa: ANN401 - members
    return {"name": name, "value": value, "type": type_, **more}


def failure(name: str = "Failure", **more: Any) -> Json:  # noqa: ANN401 - members
    return a_field(name, "E   x", meta={"message": "x", "type": "T", "phase": "call"}, is_highlight=True, **more)


def failed(*fields: Json) -> ReadFields:
    return read_result(fields, has_failed=True, has_passed=False)


def passed(*fields: Json) -> ReadFields:
    return read_result(fields, has_failed=False, has_passed=True)


def test_why_a_test_failed_what_it_printed_and_whose_it_is() -> None:
    """Marked fields are causes, streams are output, and all others stay what they are."""
    own = a_field("Output", "a second one"), a_field("request", "GET"), a_field("Owner", "web", 5)
    found = failed(
        failure(), failure("Failure [i=1]"), failure("Error [teardown]"), a_field("Output", "o"), a_field("Log", "l"),
        a_field("Owner", "@web", 1), *own,
    )  # fmt: skip
    assert [(cause.kind, cause.name, cause.subtest) for cause in found.causes] == [
        ("failure", "Failure", None), ("failure", "Failure [i=1]", "i=1"), ("error", "Error [teardown]", None),
    ]  # fmt: skip
    assert found.causes[0] == Cause("failure", "Failure", "E   x", "x", "T", "call")
    assert (found.output, found.owner, found.fields) == ({"Output": "o", "Log": "l"}, "@web", list(own))


def test_clients_that_mark_no_field() -> None:
    """The first field with a message is the cause; without any a text field of our name is."""
    assert [
        cause.name for cause in failed(a_field("a"), a_field("stack", meta={"message": "m"}), failure()).causes
    ] == ["Failure"]
    two = a_field("stack", "boom", meta={"message": "m"}), a_field("x", meta={"message": "n"})
    assert [(cause.name, cause.message) for cause in failed(*two).causes] == [("stack", "m")]
    assert [cause.name for cause in failed(a_field("x"), a_field("Error [setup]", "e")).causes] == ["Error [setup]"]
    skipped = read_fields([a_field("Skipped", "why")], has_failed=False, has_passed=False)
    assert skipped.causes == [Cause("skipped", "Skipped", "why")]


def test_a_test_that_passed() -> None:
    """Only that it passed unexpectedly is said of it; a marked field is its author's."""
    marked = failure("Hint")
    found = passed(a_field("Unexpected pass", "bug 7", 1), marked, a_field("Owner", "x", 1))
    assert found.causes == [Cause("xpass", "Unexpected pass", "bug 7")]
    assert (found.owner, [each["name"] for each in found.fields]) == ("", ["Hint", "Owner"])


def test_attempts_are_read_with_their_steps_and_fields() -> None:
    """What the plugin wrote into one text is taken apart; what is known besides stays with it."""
    text = "E   x\n\n[passed] pay\n[failed] \u203a card\nseed: 7\nurl: http://a/b: c"
    meta = {"status": "failure", "elapsed": "7", "message": "x", "type": "T"}
    known = EarlierAttempt(1, output={"Log": "l"}, colours={"Text": ((0, 1, "31"),)})
    fields = [
        a_field("Attempts", "3", 1, meta={"counts": "attempts"}), a_field("Attempt 1", text, meta=meta),
        a_field("Attempt 2", "This attempt ended as error.", meta={"status": "error", "elapsed": "soon"}),
        a_field("Attempt 3", "an author's"),
    ]  # fmt: skip
    found = read_result(fields, attempts=[known], has_failed=False, has_passed=True)
    first, second = found.attempts
    assert first == EarlierAttempt(
        1, "failure", 7, (Cause("failure", "Failure", "E   x", "x", "T"),),
        (Field("seed", "7"), Field("url", "http://a/b: c")), {"Log": "l"},
        steps=(Step("pay", "passed", steps=(Step("card", "failed"),)),), colours={"Failure": ((0, 1, "31"),)},
    )  # fmt: skip
    assert second == EarlierAttempt(2, "error")
    assert [each["name"] for each in found.fields] == ["Attempt 3"]


def test_an_attempt_whose_lines_are_not_all_fields_keeps_them() -> None:
    """Lines that nobody can take apart stay in the text, without the steps."""
    text = "E   x\n\n[passed] pay\nbody: one\ntwo"
    (attempt,) = passed(a_field("Attempt 1", text, meta={"status": "failure"})).attempts
    assert (attempt.causes[0].text, attempt.steps) == ("E   x\n\nbody: one\ntwo", (Step("pay", "passed"),))


@pytest.mark.parametrize("known", [(), (Step("timed", "passed", 5),)])
def test_steps_are_a_tree(known: tuple[Step, ...]) -> None:
    """Marks before the texts say which steps are inside of others; steps that are known with times replace them."""
    markup = "".join(
        f'<test-step status="{status}">{text}</test-step>'
        for status, text in (
            ("failed", "a &amp; b"),
            ("passed", "\u203a c"),
            ("skipped", "\u203a \u203a d (not finished)"),
        )
    )
    field = a_field("Steps", f"<test-steps>{markup}</test-steps>", 3)
    found = read_result([field], known, has_failed=True, has_passed=False)
    inner = Step("c", "passed", steps=(Step("d", "skipped", is_open=True),))
    assert (tuple(found.steps), found.fields) == (known or (Step("a & b", "failed", steps=(inner,)),), [])
    other = a_field("Steps", "<b>none</b>", 3)
    assert failed(other).fields == [other]
