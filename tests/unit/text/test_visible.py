import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.text.visible import ColouredText, visible, without_ansi

# Every code point, lone surrogates included, with the troublesome ones often.
TROUBLE = st.sampled_from("\x00\x1b\r\n\t\x9f\u202e\U0001f600")
ANY = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]), TROUBLE))
# Other work on the machine must not fail a property.
patiently = settings(deadline=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\tand\nlines", "plain\tand\nlines"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("\x00\x07\x1b\x7f\x80\x9f", "\\x00\\x07\\x1b\\x7f\\x80\\x9f"),
        ("\ud800x\udfff", "\\ud800x\\udfff"),
        ("\u202a\u202e\u2066\u2069", "\\u202a\\u202e\\u2066\\u2069"),
        ("ünï\U0001f600\u00a0\u2028", "ünï\U0001f600\u00a0\u2028"),
    ],
)
def test_visible_spells_what_cannot_be_seen(text: str, expected: str) -> None:
    """Control characters, bidi controls and lone surrogates are spelled, everything else stays."""
    assert visible(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link", "xlink"),
        ("\x1b(Bx", "x"),
        ("a\x1bb", "a\x1bb"),
        ("\x1b[31", "\x1b[31"),
    ],
)
def test_ansi_sequences_go_and_lone_escapes_stay(text: str, expected: str) -> None:
    """Colours, titles and links go; an escape character that begins none of them is left to be made visible."""
    assert without_ansi(text) == expected


@patiently
@given(ANY)
def test_visible_text_can_always_be_sent(text: str) -> None:
    """Whatever the text, its visible form is UTF-8 without NUL and does not change again."""
    shown = visible(text)
    shown.encode("utf-8")
    assert "\x00" not in shown
    assert visible(shown) == shown


def test_a_text_made_of_a_coloured_one_has_no_colours() -> None:
    """A part, a longer text or a changed one is a plain text, so that no colour can stand in a wrong place."""
    text = ColouredText("red text", ((0, 3, "31"),))
    assert (text, text.spans) == ("red text", ((0, 3, "31"),))
    for other in (text[:3], text + "!", "!" + text, text.replace("red", "blue"), f"{text}"):
        assert not isinstance(other, ColouredText)
