"""The markup of steps: written and read back unchanged."""

import pytest

from pytest_automation_report.api.models import CLOSING_TAG, OPENING_TAG, parse_steps, step_markup


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
