"""Output for a terminal becomes lines with colours, and nothing of it can act on the page."""

from __future__ import annotations

import pytest

from pytest_automation_report.failures.terminal import MAX_LINES, terminal_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("plain", [[("", "plain")]]),
        ("\x1b[32m200\x1b[0m ok", [[("ansi-ok", "200"), ("", " ok")]]),
        ("\x1b[1;31mbad\nstill\x1b[m", [[("ansi-bad ansi-bold", "bad")], [("ansi-bad ansi-bold", "still")]]),
        ("\x1b[38;5;200mx\x1b[38;2;1;2;3my\x1b[33mz", [[("", "x"), ("", "y"), ("ansi-warn", "z")]]),
        ("\x1b[2mdim\x1b[22m", [[("ansi-dim", "dim")]]),
        ("a\x1b[2Kb\x1b]0;title\x07c\x1b]8;;https://e.example\x1b\\d", [[("", "abcd")]]),
        ("10%\r50%\r100%\n", [[("", "100%")]]),
        ("a\r\nb", [[("", "a")], [("", "b")]]),
        ("\x1b[31", [[("", "\\x1b[31")]]),
        ("a\u202eb\x00", [[("", "a\\u202eb\\x00")]]),
        ("\x1b[" + "1;" * 100 + "m", [[("", "\\x1b[" + "1;" * 100 + "m")]]),
        ("", [[]]),
    ],
)
def test_colours_are_classes(text: str, lines: list[list[tuple[str, str]]]) -> None:
    """Colours become classes of the style sheet, other sequences vanish, what is left is visible."""
    assert [list(line) for line in terminal_lines(text).lines] == lines


def test_long_output_keeps_its_ends() -> None:
    """Of too many lines the first and the last ones stay, with their true numbers."""
    screen = terminal_lines("\n".join(f"line {number}" for number in range(1, 20_001)))
    assert len(screen.lines) == MAX_LINES
    assert screen.omitted == 20_000 - MAX_LINES
    assert all(line[0][1] == f"line {number}" for number, line in screen.numbered)


def test_many_long_lines_are_cut() -> None:
    """However long the lines are, the shown text has a limit, and the last lines are among it."""
    screen = terminal_lines("\n".join(f"{number} " + "x" * 9_000 for number in range(500)))
    assert 0 < screen.omitted == 500 - len(screen.lines)
    assert sum(len(text) for line in screen.lines for _, text in line) <= 400_000
    numbers = [(number, int(line[0][1].partition(" ")[0]) + 1) for number, line in screen.numbered]
    assert all(number == true for number, true in numbers)
    assert numbers[-1][0] == 500


def test_a_line_of_a_megabyte_is_cut() -> None:
    """A very long line ends with the number of characters that are left out."""
    (line,) = terminal_lines("x" * 1_000_000).lines
    assert line[-1][1] == " … 990,000 more characters"
    assert sum(len(text) for _, text in line) < 11_000
