"""Steps, facts, output and names of a test, as its page shows them."""

import json

import pytest

from pytest_automation_report.server.pages.test.view_models import (
    Fact,
    facts_of,
    other_texts,
    outputs_of,
    short_link,
    step_rows,
)
from pytest_automation_report.server.pages.words import with_defaults

STEPS = (
    '<test-steps><test-step status="passed">pay</test-step><test-step status="failed">\u203a card</test-step>'
    '<test-step status="skipped">\u203a \u203a number</test-step></test-steps>'
)
NOT_TIMED = {"steps": None}


def test_steps_of_the_contract() -> None:
    """Steps without times have their depth and status."""
    rows = step_rows(NOT_TIMED, [with_defaults({"type": 3, "name": "Steps", "value": STEPS})], None)
    assert [(row.name, row.tone, row.depth, row.elapsed) for row in rows] == [
        ("pay", "pass", 0, None),
        ("card", "fail", 1, None),
        ("number", "skip", 2, None),
    ]


def test_steps_with_times() -> None:
    """Steps that the client timed have their time and their share of the longest one."""
    stored = [
        {
            "name": "pay",
            "status": "passed",
            "elapsed": 40,
            "steps": [{"name": "card", "status": "failed", "elapsed": 10}],
        }
    ]
    rows = step_rows({"steps": json.dumps(stored)}, [], None)
    assert [(row.name, row.depth, row.elapsed, row.share) for row in rows] == [
        ("pay", 0, 40, 1.0),
        ("card", 1, 10, 0.25),
    ]


def test_steps_of_an_earlier_attempt() -> None:
    """The text of an earlier attempt has its steps in lines."""
    text = "boom\n\n[passed] pay\n[failed] \u203a card"
    fields = [with_defaults({"type": 4, "name": "Attempt 1", "value": text, "meta": {"status": "failure"}})]
    assert [(row.name, row.tone, row.depth) for row in step_rows(NOT_TIMED, fields, 1)] == [
        ("pay", "pass", 0),
        ("card", "fail", 1),
    ]
    assert step_rows(NOT_TIMED, fields, 2) == []


def test_facts_are_short() -> None:
    """Fields in one line are facts, also one named as ours; links are short, an address that is none stays text."""
    fields = [
        with_defaults(field)
        for field in (
            {"type": 5, "name": "Issue", "value": "https://jira.example/browse/HARB-207"},
            {"type": 5, "name": "bad", "value": "javascript:alert(1)"},
            {"type": 1, "name": "owner", "value": "web"},
            {"type": 1, "name": "Attempts", "value": "3", "meta": {"counts": "attempts"}},
            {"type": 1, "name": "Attempts", "value": "7"},
            {"type": 4, "name": "Output", "value": "x"},
        )
    ]
    assert facts_of(fields) == [
        Fact("Issue", "HARB-207", "https://jira.example/browse/HARB-207"),
        Fact("bad", "javascript:alert(1)", ""),
        Fact("owner", "web", ""),
        Fact("Attempts", "7", ""),
    ]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://jira.example/browse/HARB-207", "HARB-207"),
        ("https://testmo.example/repositories/1?case=C1042", "C1042"),
        ("https://grafana.example/d/7/harbour/", "harbour"),
        ("https://host.example", "host.example"),
        ("https://user:password@host.example/", "host.example"),
        ("https://host.example/" + "x" * 100, "host.example"),
        ("https://host.example/a%20b?x=1&y=2", "a b"),
    ],
)
def test_links_have_short_texts(url: str, text: str) -> None:
    """The text of a link is the part by which people know it."""
    assert short_link(url) == text


def test_streams_and_other_texts() -> None:
    """Captured streams are tabs; a user's texts are panels, whatever their names; failures and attempts are neither."""
    fields = [
        with_defaults({"type": 4, "name": name, "value": name, **others})
        for name, others in (
            ("Log", {}),
            ("Output", {}),
            ("request", {}),
            ("Failure", {"is_highlight": True}),
            ("Attempt 1", {"meta": {"status": "failure"}}),
            ("Attempt 2", {}),
            ("x", {"meta": {"message": "y"}}),
        )
    ]
    assert [output.stream for output in outputs_of(fields)] == ["stdout", "log"]
    assert [name for name, _ in other_texts(fields, None)] == ["request", "Attempt 2"]
    assert other_texts(fields, 1) == []
