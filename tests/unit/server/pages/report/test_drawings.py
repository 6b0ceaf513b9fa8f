"""Drawings of a report's pages as letters and numbers."""

from __future__ import annotations

import pytest

from pytest_automation_report.server.pages.rendering import render
from pytest_automation_report.server.pages.report.drawings import packed_strips, shown_letters
from pytest_automation_report.server.pages.run.strips import strip_of
from pytest_automation_report.server.pages.test.history import Outcome, chart
from support.report_file import bars, drawn, strip

LETTERS = ("p", "f", "s", "r.p", "ppppfffffrrrrsssss..", "fpfpfpfpfpfpfpfpfpfp")


def html_of(letters: str, *, has_now: bool = False) -> str:
    """Return the strip as the server's pages have it."""
    shown = strip_of(letters, has_now=has_now)
    leaf = {
        "id": 1, "href": "/", "tone": "pass", "status_name": "Passed", "in_function": False, "where": "", "slower": "",
        "is_new": False, "short": {"function": "a", "parameters": ""}, "strip": shown, "worker": "", "elapsed": 1,
    }  # fmt: skip
    return render("run/leaf.html", leaf=leaf)


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("has_now", [False, True])
def test_strips_are_packed_and_drawn_again(letters: str, *, has_now: bool) -> None:
    """The script makes the server's SVG of the letters, also the mark below the last run."""
    html = html_of(letters, has_now=has_now)
    packed = packed_strips(f"{html} and {html}")
    assert '<svg class="strip"' not in packed
    assert f"\x1d{letters}{'!' if has_now else ''}\x1d" in packed
    assert drawn(packed) == f"{html} and {html}"


def test_letters_of_a_row() -> None:
    """A row has at most 20 runs, from the first one that had the test; what was never decided is a failure."""
    assert shown_letters("..pw") == "pf"
    assert shown_letters("f" + "p" * 20) == "p" * 20
    assert shown_letters("...") == ""
    assert strip("") == "<span></span>"
    for letters in LETTERS:
        assert strip(shown_letters(letters)) in html_of(letters)


def test_other_drawings_stay() -> None:
    """A line without a strip, or with one of another kind, is as it was."""
    for line in ("<p>strip</p>", '<svg class="strip" width="4" height="23"><rect class="pass"/></svg>'):
        assert packed_strips(line) == line


def test_bars_of_other_runs_are_packed() -> None:
    """Bars are drawn as on the server's page; those of the report's run stay bars, since they have links."""
    outcomes = [Outcome(10 + run, run, "", "", "fprs"[run % 4], run * 40 or None, 0) for run in range(9, -1, -1)]
    drawing = chart(outcomes, outcomes[2], None)
    before, current, after = drawing.packed(7)
    assert (current, isinstance(before, str), isinstance(after, str)) == (drawing.bars[7], True, True)
    assert str(before).count("|") + str(after).count("|") == 7
    shown = drawn(f"{before}\n{after}").split("\n")
    others = [bar for bar in drawing.bars if bar.outcome.run != 7]
    assert len(shown) == len(others)
    for line, bar in zip(shown, others, strict=True):
        assert f'<rect class="{bar.outcome.tone}" x="{bar.x}" y="{bar.y}" width="8" height="{bar.height}"' in line
        assert line.count(f"#{bar.outcome.run} {bar.outcome.word}") == 2
    assert "&lt;0.1 ms" in shown[1]
    assert bars("1\n2\np\n3\n") == shown_bar("#2 passed")


def shown_bar(words: str) -> str:
    """Return a bar of a run whose test has no duration."""
    shape = '<rect class="pass" x="1" y="89" width="8" height="3" rx="1.5"/>'
    return f'<a data-outside tabindex="-1" aria-label="{words}" role="img">{shape}<title>{words}</title></a>'
