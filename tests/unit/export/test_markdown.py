"""Markdown of one test for an issue or an assistant."""

from pytest_automation_report.export.digest import block, code, markdown_text
from support.exported import a_field, a_flaky_item, a_problem, a_run, an_item, exported_from


def test_spans_of_code() -> None:
    """A span is code without the colours of its text, and nothing for nothing."""
    assert [code("\x1b[31mred\x1b[0m"), code("")] == ["`red`", ""]


def test_blocks_of_code() -> None:
    """A block has a longer fence than any in it; of a long text the end stays."""
    assert block("a\n```\nb", 100) == "````text\na\n```\nb\n````"
    assert block("a" * 10 + "end", 5) == "```text\n... 8 characters left out ...\naaend\n```"


def test_one_failure() -> None:
    """One failure has what helps: run, changes, place, message, code, command, what came after it, attempts, output."""
    problem = a_problem(
        "Failure", "assert 1 == 2", "def test_x():\n>   assert 1 == 2\nE   assert 1 == 2\n\na.py:3: AssertionError"
    )
    second = a_problem("Error", "m", "E   OSError", "OSError")
    (test,) = exported_from(a_flaky_item("test_x", "failed", problem, second, a_field("Output", "hello", 4)))
    text = markdown_text(test, a_run(), command="pytest a::b", changes=["New failure"])
    blocks = ["assert 1 == 2", "pytest a::b", "E   OSError", "E   assert 0", "no server", "hello"]
    assert [text.index(shown) for shown in blocks] == sorted(text.index(shown) for shown in blocks)
    assert text.startswith(
        "### `tests.test_a.test_x`\n\nError, branch `main`, commit `0123456`, 3 attempts. New failure.\n"
    )
    assert "At `tests/test_a.py:3`" in text
    assert text.endswith("Attempt 2:\n\n```text\nno server\n```\n\nOutput:\n\n```text\nhello\n```\n")


def test_a_test_that_passed() -> None:
    """A test that passed is its name, place and output alone; a flaky one is called so."""
    assert (
        markdown_text(exported_from(an_item("test_x"))[0])
        == "### `tests.test_a.test_x`\n\nPassed.\n\nAt `tests/test_a.py:3`\n"
    )
    assert "\nFlaky, 3 attempts.\n" in markdown_text(exported_from(a_flaky_item("test_x"))[0])
