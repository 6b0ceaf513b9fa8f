"""Code and output for a terminal become lines with colours, and nothing of them can act on the page."""

import re

import pytest

from pytest_automation_report.failures.code import colour_code
from pytest_automation_report.failures.terminal import MAX_LINES, terminal_lines
from pytest_automation_report.server.pages.rendering import style_sheet


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("plain", [[("", "plain")]]),
        ("\x1b[32m200\x1b[0m ok", [[("ansi-ok", "200"), ("", " ok")]]),
        ("\x1b[1;31mbad\nstill\x1b[m", [[("ansi-bold ansi-bad", "bad")], [("ansi-bold ansi-bad", "still")]]),
        ("\x1b[38;5;200mx\x1b[38;2;1;2;3my\x1b[33mz", [[("ansi-note", "x"), ("ansi-dim", "y"), ("ansi-warn", "z")]]),
        ("\x1b[97;104mx\x1b[7my", [[("ansi-on-info", "x"), ("ansi-info ansi-on-plain", "y")]]),
        ("\x1b[3;4;96mx", [[("ansi-italic ansi-underline ansi-aqua", "x")]]),
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


def test_coloured_parts_become_classes() -> None:
    """The colours that a client sent beside a text are those of its lines; parts that do not fit are plain."""
    spans = [(0, 2, "31"), (1, 3, "32"), (3, 7, "1;44"), (7, 99, "33"), (8, 8, "34")]
    first, second, third = map(list, terminal_lines("a<b\ncd\ne\x1b[35mf", spans).lines)
    assert (first, second) == ([("ansi-bad", "a<"), ("", "b")], [("ansi-bold ansi-on-info", "cd")])
    assert third == [("", "e"), ("ansi-note", "f")]


def test_every_colour_can_be_read() -> None:
    """Each colour of text reaches 4.5:1 on each ground, and on that of output, in light and dark."""
    style = style_sheet()
    tokens = dict(re.findall(r"--([\w-]+):light-dark\((#\w{6},#\w{6})\)", style))
    rules = re.findall(r"([^{}]*ansi-[^{}]*)\{(color|background):var\(--([\w-]+)\)", style)
    used = {name for number in range(8) for name in terminal_lines(f"\x1b[{30 + number}mx").lines[0][0][0].split()}
    used |= {name for number in range(8) for name in terminal_lines(f"\x1b[{40 + number}mx").lines[0][0][0].split()}
    selectors = " ".join(selector for selector, _, _ in rules)
    assert used <= set(re.findall(r"ansi-[\w-]+", selectors))
    inks = {token for _, kind, token in rules if kind == "color"} | {"ink"}
    grounds = {token for _, kind, token in rules if kind == "background"} | {"sunken"}
    assert (len(inks), len(grounds)) == (8, 7)
    for ink in inks:
        for ground in grounds:
            for one, other in zip(tokens[ink].split(","), tokens[ground].split(","), strict=True):
                assert _contrast(one, other) >= 4.5, (ink, ground)


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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


def test_words_have_classes() -> None:
    """Keywords, texts, numbers and comments have a class; a text of several lines is one in each of them."""
    lines = ["def total(x):", '    """Add', '    all."""', "    return x is not None and 3.5  # why"]
    by_class = [{text for class_, text in tokens if class_ == name} for tokens in colour_code(lines) for name in "k"]
    assert by_class == [{"def"}, set(), set(), {"return", "is", "not", "None", "and"}]
    assert [[class_ for class_, _ in tokens if class_] for tokens in colour_code(lines)][1:3] == [["t"], ["t"]]
    assert ("n", "3.5") in colour_code(lines)[3]
    assert ("c", "# why") in colour_code(lines)[3]


@pytest.mark.parametrize(
    "lines",
    [
        ["", "x"], ["\tdef ("], ["<script>alert(1)</script>"], ["'unended", "x = 1"], ["a\u202eb\x00"], [], [""],
        ["x" * 70_000],
    ],
    ids=["empty", "broken", "markup", "unended", "hostile", "none", "blank", "long"],
)  # fmt: skip
def test_no_character_is_lost(lines: list[str]) -> None:
    """The pieces of each line are the line, also of text that is no Python."""
    assert ["".join(text for _, text in tokens) for tokens in colour_code(lines)] == lines
