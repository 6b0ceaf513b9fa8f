"""Bodies of the API, and the markup of steps."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.json import Decoder

from pytest_automation_report.api.models import (
    CLOSING_TAG,
    OPENING_TAG,
    Artifact,
    Body,
    Field,
    FieldType,
    Link,
    NewRun,
    Resources,
    Test,
    decode,
    encode,
    parse_steps,
    step_markup,
)

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
FIELDS = st.builds(
    Field,
    TEXTS,
    st.none() | TEXTS,
    st.sampled_from(FieldType),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.booleans(),
)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
ARTIFACTS = st.builds(Artifact, TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS, NUMBERS)
TESTS = st.builds(
    Test, TEXTS, TEXTS, TEXTS, TEXTS, NUMBERS, st.none() | TEXTS, NUMBERS,
    st.lists(FIELDS, max_size=2).map(tuple), st.lists(ARTIFACTS, max_size=2).map(tuple), NUMBERS,
)  # fmt: skip


@given(TESTS)
def test_a_test_reads_back(test: Test) -> None:
    """A test of any texts, lone surrogates among them, reads back whole from its JSON."""
    assert decode(encode(test), Decoder(Test)) == test


FIELD = {"name": "Build", "value": None, "type": 1}
RUN = NewRun("n", "s", None, 3, tags=("a",), fields=(Field("Build", None),), links=(Link("l", "u"),))


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (Field("Build", None), FIELD),
        (
            Field("Log", "x", FieldType.CONSOLE, {"message": "m"}, is_highlight=True),
            {"name": "Log", "value": "x", "type": 4, "meta": {"message": "m"}, "is_highlight": True},
        ),
        (Artifact("a", "u", size=0), {"name": "a", "url": "u", "size": 0}),
        (RUN, {"name": "n", "source": "s", "config_id": 3, "tags": ["a"], "fields": [FIELD],
               "links": [{"name": "l", "url": "u"}]}),
        (Resources(), {}),
    ],
)  # fmt: skip
def test_bodies(value: Body, body: dict[str, Any]) -> None:
    """Bodies leave out what is null or empty, but for a field's value and type."""
    assert json.loads(encode(value)) == body
    assert convert(body, type(value)) == value


def test_written_steps_are_read_back() -> None:
    """Statuses and texts come back unchanged, whatever HTML the texts look like."""
    steps = [("passed", "a <b> & &amp; </test-step>"), ("failed", ""), ("skipped", "two\nlines")]
    markup = "".join(step_markup(status, text) for status, text in steps)
    assert parse_steps(f"{OPENING_TAG}{markup}{CLOSING_TAG}") == steps


STEP = '<test-step status="passed">a</test-step>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<test-steps>",
        "<test-steps><b>a</b></test-steps>",
        f"<test-steps>{STEP}</test-steps><script></script>",
        f"<test-steps>loose{STEP}</test-steps>",
        *(
            f"<test-steps>{STEP.replace(*changed)}</test-steps>"
            for changed in ((">a<", "><b>a</b><"), ("passed", "odd"), ('d"', 'd" onclick="x"'), ("</test-step>", ""))
        ),
    ],
)
def test_other_text_has_no_steps(text: str) -> None:
    """A text that is anything but steps is not parsed: its reader shows it as it is."""
    assert parse_steps(text) is None
