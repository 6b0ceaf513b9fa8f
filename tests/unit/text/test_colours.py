"""Colours are kept beside a text: at their characters, whatever was redacted, escaped or cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.text.limits import TEXT_UNITS, console
from pytest_automation_report.text.redaction import TextCleaner
from pytest_automation_report.text.visible import ColouredText, StyleState, sequences_from, without_ansi

SECRET = "Zq7Lw2-Hg3Fd6-Tk9"


def _parts(text: str) -> list[tuple[str, str]]:
    """Return the coloured parts of a text with their styles."""
    return [(text[start:end], style) for start, end, style in text.spans] if isinstance(text, ColouredText) else []


@pytest.mark.parametrize(
    ("codes", "style"),
    [
        ("31", "31"),
        ("1;31", "1;31"),
        ("31;1", "1;31"),
        ("97;104", "97;104"),
        ("0", ""),
        ("", ""),
        (";", ""),
        ("1;2;3;4;22", "3;4"),
        ("4;24;3;23", ""),
        ("4:3", "4"),
        ("4;4:0", ""),
        ("21", "4"),
        ("31;39;41;49", ""),
        ("7", "47"),
        ("31;7", "41"),
        ("31;42;7", "32;41"),
        ("31;7;27", "31"),
        ("38;5;9", "91"),
        ("38;5;196", "91"),
        ("48;5;22", "40"),
        ("38;5;250", "37"),
        ("38;2;250;10;10", "91"),
        ("38:2::0:0:238", "34"),
        ("38:2:0:0:238;1", "1;34"),
        ("38:5:2", "32"),
        ("38;5;9;1;48;2;0;0;0", "1;91;40"),
        ("38;5;256", ""),
        ("38;2;1;2", ""),
        ("38;2;1;2;999", ""),
        ("38", ""),
        ("38;7;31", "41"),
        ("5;8;9;73;999999999999;31", "31"),
    ],
)
def test_a_style_has_one_spelling(codes: str, style: str) -> None:
    """However a style was switched on, it has one spelling; other colours become the nearest of 16."""
    state = StyleState()
    state.apply(codes)
    assert state.style == style


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ("plain", []),
        ("\x1b[31mbad\x1b[0m and \x1b[1;32mgood\x1b[m", [("bad", "31"), ("good", "1;32")]),
        ("\x1b[31ma\x1b[31mb\x1b[2Kc\x1b[m", [("abc", "31")]),
        ("\x1b[31mtwo\nlines\x1b[m", [("two\nlines", "31")]),
        ("\x1b[31m\n\x1b[m", []),
        ("\x1b[31m\x00\x1b[m\x00", [("\\x00", "31")]),
        ("\u202e\U0001f600\x1b[31m\u202e\U0001f600x\x1b[m", [("\\u202e\U0001f600x", "31")]),
        ("\r\x1b[31m\nx", [("\nx", "31")]),
        ("\x1b[31mx\r\x1b[32m\r\n\x1b[33my\r", [("x", "31"), ("\\x0d\n", "32"), ("y", "33")]),
        ("\x1b[31", []),
        ("\x1b]8;;https://e.example\x07\x1b[34mlink\x1b]8;;\x07 on", [("link on", "34")]),
        ("\x1b[31mred to the end", [("red to the end", "31")]),
        ("\x1b[0m\x1b[5;5H\x1b[?25l\x1b(B", []),
    ],
)
def test_colours_stand_at_their_characters(raw: str, parts: list[tuple[str, str]]) -> None:
    """Colours are at the characters that had them, also around escaped ones; other sequences leave nothing."""
    text = console(raw)
    assert _parts(text) == parts
    assert "\x1b" not in text
    assert isinstance(text, ColouredText) == bool(parts)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (f"{SECRET} \x1b[31mred\x1b[m", [("red", "31")]),
        (f"\x1b[33mbefore {SECRET} after\x1b[m", [("before ", "33"), (" after", "33")]),
        (f"\x1b[33m{SECRET[:4]}\x1b[34m{SECRET[4:]}\x1b[35mnext", [("next", "35")]),
        (f"\x1b[33ma {SECRET}{SECRET}\n{SECRET} \x1b[31mz", [("a ", "33"), ("\n", "33"), (" ", "33"), ("z", "31")]),
        (f"\x1b[33m{SECRET}", []),
    ],
)
def test_redaction_moves_colours_and_loses_those_of_secrets(raw: str, parts: list[tuple[str, str]]) -> None:
    """Colours stay at their characters where secrets were taken out, and a secret leaves neither text nor length."""
    text = TextCleaner(secrets=[SECRET]).console(raw)
    assert _parts(text) == parts
    assert SECRET not in text


def test_a_text_that_is_not_the_shown_one_has_no_colours() -> None:
    """If redaction changed a text in another way than by its mark, nothing is coloured rather than the wrong part."""
    assert _parts(console("\x1b[31mone\x1b[m two", redact=str.upper)) == []


@pytest.mark.parametrize("length", [TEXT_UNITS, 2 * TEXT_UNITS, 8 * TEXT_UNITS])
def test_long_texts_keep_the_colours_of_their_ends(length: int) -> None:
    """Of a text that is cut, both ends have their colours, and the remark between them has none."""
    text = console(
        f"\x1b[31mfirst\x1b[m {SECRET}\x1b[32m{'x' * length}\x1b[m\n\x1b[36mlast\x1b[m", redact=_without_secret
    )
    assert len(text) <= TEXT_UNITS
    (first, *middle, last) = _parts(text)
    assert (first, last) == (("first", "31"), ("last", "36"))
    assert {style for _, style in middle} == {"32"}
    assert all(set(part) == {"x"} for part, _ in middle)
    assert "characters cut" in text


def _without_secret(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


TEXTS = st.text(st.sampled_from("ab\n\r\x00\x1b[]m;13 \U0001f600"), max_size=30)
PIECES = st.lists(st.tuples(TEXTS, st.sampled_from(["", "\x1b[31m", "\x1b[m", "\x1b[1;4m", "\x1b[2J", SECRET])))


@settings(deadline=None)
@given(PIECES)
def test_the_text_is_what_it_is_without_colours(pieces: list[tuple[str, str]]) -> None:
    """Whatever the sequences, the text is that of the text without them, and its parts are in order and within it."""
    raw = "".join(text + sequence for text, sequence in pieces)
    text = console(raw, redact=_without_secret)
    assert text == console(without_ansi(raw), redact=_without_secret)
    done = 0
    for start, end, style in text.spans if isinstance(text, ColouredText) else ():
        assert done <= start < end <= len(text)
        assert style
        done = end


def test_a_coloured_text_can_be_written_with_its_sequences() -> None:
    """Each line begins with its own sequence; parts that do not fit the text or each other are left out."""
    text = console("\x1b[31mone\ntwo\x1b[m three")
    assert isinstance(text, ColouredText)
    assert sequences_from(text, text.spans) == "\x1b[31mone\x1b[m\n\x1b[31mtwo\x1b[m three"
    assert console(sequences_from(text, text.spans)) == text
    assert sequences_from("abc", [(1, 2, "1"), (1, 3, "31"), (2, 2, "32"), (2, 9, "33")]) == "a\x1b[1mb\x1b[mc"
