import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.text.terminal import printable, sanitize

CORPUS = {
    "plain text, 100 % fine (é, 日本)": "plain text, 100 % fine (é, 日本)",
    "tests/test_a.py::test_x[1]": "tests/test_a.py::test_x[1]",
    "two\nlines\r\nand\ttabs": "two\\nlines\\nand\\ttabs",
    "over\rwritten": "over\\x0dwritten",
    "\x1b[31mred\x1b[0m": "\\x1b[31mred\\x1b[0m",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "\x9b31m": "\\x9b31m",
    "back\x08\x7fspace\x00": "back\\x08\\x7fspace\\x00",
    "a\u202etxt.exe\u2066": "a\\u202etxt.exe\\u2066",
    "zero\u200bwidth\u2028\ufeff": "zero\\u200bwidth\\u2028\\ufeff",
    "lone \ud800 surrogate": "lone \\ud800 surrogate",
    "::add-mask::secret": "| ::add-mask::secret",
    "  ::error file=a.py::text": "|   ::error file=a.py::text",
    "told: ::add-mask::x": "told: ::add-mask::x",
    "##[error]text": "# #[error]text",
    "a ##[command]x ##[group]": "a # #[command]x # #[group]",
    "##vso[task.setvariable variable=a]b": "# #vso[task.setvariable variable=a]b",
    "x ##teamcity[testFailed]": "x # #teamcity[testFailed]",
    "###vso[x]": "## #vso[x]",
    "## a heading": "## a heading",
    "section_start:1:a": "| section_start:1:a",
    "--- a group": "| --- a group",
    "+++ open": "| +++ open",
    "~~~ dim": "| ~~~ dim",
    "^^^ +++": "| ^^^ +++",
    "-1 of 2": "-1 of 2",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), CORPUS.items(), ids=range(len(CORPUS)))
def test_no_terminal_or_runner_obeys_a_foreign_text(text: str, expected: str) -> None:
    """Controls are spelled out, commands of CI runners broken, all other text stays."""
    assert sanitize(text) == printable(text) == expected


@given(st.text(st.sampled_from("#:[a\n\t \x1b\u202e\ud800-+~^vso") | st.characters(), max_size=80))
def test_any_text_is_one_printable_line(text: str) -> None:
    """Whatever the text, nothing of it moves a cursor, ends a line or is a runner's command, and cleaning ends."""
    shown = printable(text)
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in shown)
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert not shown.lstrip().startswith("::")
    assert printable(shown) == shown
    shown.encode()


def test_foreign_texts_are_short() -> None:
    """A foreign text has 200 units at most and says how much is missing."""
    shown = sanitize("x" * 10_000)
    assert 195 < len(shown) <= 200
    assert shown.endswith("characters cut")
    assert sanitize("x" * 200) == "x" * 200
