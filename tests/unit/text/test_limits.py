"""Texts are cut to their limits and made visible; colours stay beside them, at their characters."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.api.models import ARTIFACT_LIMIT, FIELD_LIMIT, Artifact, Field, FieldType, Test
from pytest_automation_report.delivery.testmo import fit_to_limits
from pytest_automation_report.failures.terminal import sequences_from
from pytest_automation_report.text.limits import (
    STRING_UNITS,
    TEXT_UNITS,
    console,
    cut_end,
    cut_middle,
    paragraph,
    string,
    utf16_length,
    whole_number,
)
from pytest_automation_report.text.redaction import TextCleaner
from pytest_automation_report.text.visible import ColouredText, StyleState, visible, without_ansi

# Every code point, lone surrogates included, with the troublesome ones often.
TROUBLE = st.sampled_from("\x00\x1b\r\n\t\x9f\u202e\U0001f600")
ANY = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]), TROUBLE))
# Other work on the machine must not fail a property.
patiently = settings(deadline=None)


@patiently
@given(ANY, st.integers(0, 60))
def test_cut_texts_keep_the_limit(text: str, units: int) -> None:
    """Cut texts have at most the units asked for, and a text that has no more is not touched."""
    for cut in (cut_middle, cut_end):
        result = cut(text, units)
        assert utf16_length(result) <= units
        if utf16_length(text) <= units:
            assert result == text


@patiently
@given(ANY)
def test_length_is_counted_in_utf_16_units(text: str) -> None:
    """A character beyond the basic plane counts two, every other one."""
    assert utf16_length(text) == sum(2 if each > "\uffff" else 1 for each in text)


@patiently
@given(st.text(st.characters(min_codepoint=0x10000), min_size=100, max_size=300), st.integers(50, 99))
def test_no_surrogate_pair_is_split(text: str, units: int) -> None:
    """Texts of two-unit characters are cut between them: what is left is a start and an end of the text."""
    head, _, tail = cut_middle(text, units).partition("\n... ")
    tail = tail.partition(" ...\n")[2]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert utf16_length(head) + utf16_length(tail) > units - 40


def test_narrowed_text_counts_what_was_skipped() -> None:
    """The count in a text of which only the ends were looked at is exact."""
    text = console("a" * 500_000, "b" * 500_000)
    head, remark, tail = text.split("\n")
    assert remark == f"... {1_000_000 - len(head) - len(tail):,} characters cut ..."
    assert set(head) == {"a"}
    assert set(tail) == {"b"}
    long = string("y" * 10_000)
    assert long == "y" * long.count("y") + f" ... {10_000 - long.count('y'):,} characters cut"
    assert len(long) <= STRING_UNITS


def test_huge_output_costs_little() -> None:
    """100 MB of output in two parts are cut in a fraction of a second and in memory of a few limits."""
    parts = ("\x1b[31m" + "x" * 50_000_000, "\r" * 50_000_000)
    tracemalloc.start()
    began = time.process_time()
    text = console(*parts)
    elapsed = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert utf16_length(text) <= TEXT_UNITS
    assert elapsed < 1
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "text",
    ["\x1b[" * 200_000, "\x1b]" + "a" * 400_000, "\x1b[" + "0" * 400_000, "\x1b[" + " " * 400_000],
    ids=["openings", "title", "numbers", "spaces"],
)
def test_unfinished_escapes_take_linear_time(text: str) -> None:
    """Texts that almost are escape sequences take no longer than others."""
    began = time.process_time()
    assert without_ansi(text) == text
    assert time.process_time() - began < 1


def test_string_is_one_line_and_paragraph_keeps_its_lines() -> None:
    """A string spells newlines, a paragraph keeps them; both keep the limit of 750 units."""
    assert string("a\nb\x1b") == "a\\nb\\x1b"
    assert paragraph("a\r\n\x1b[1mb") == "a\nb"
    for cut in (string, paragraph):
        assert utf16_length(cut("\U0001f600" * 5000)) <= STRING_UNITS


def test_redaction_comes_before_the_cut_and_after_the_colours() -> None:
    """A secret is found although colours run through it, and a cut does not leave half of it."""

    def redact(text: str) -> str:
        return text.replace("secret", "[redacted]")

    assert console("a sec\x1b[1mret", redact=redact) == "a [redacted]"
    assert string("a secret", redact) == "a [redacted]"
    assert "secr" not in string("secret" * 1000, redact)
    assert "secr" not in string("x" + "secret" * 1000, lambda text: text.replace("secret", "#"))
    assert "secr" not in console("secret" * 100_000, redact=redact)


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
        ("\x1b[1;31mred\x1b[0m", "red"), ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link", "xlink"), ("\x1b(Bx", "x"),
        ("a\x1bb", "a\x1bb"), ("\x1b[31", "\x1b[31"),
    ],
)  # fmt: skip
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


def _test(fields: int = 0, artifacts: int = 0) -> Test:
    return Test(
        "k", "n", "f", "passed", fields=tuple(Field(f"field {each}", "v") for each in range(fields)),
        artifacts=tuple(Artifact(f"file {each}", "https://a/b") for each in range(artifacts)),
    )  # fmt: skip


def test_too_many_fields_and_artifacts_are_counted() -> None:
    """Of more than 25 fields and artifacts the first stay, and fields say how many are missing and which."""
    for count in (0, 25):
        assert fit_to_limits(_test(count, count)) == _test(count, count)
    test = fit_to_limits(_test(30, 27))
    assert len(test.fields) == FIELD_LIMIT
    assert len(test.artifacts) == ARTIFACT_LIMIT
    assert [each.name for each in test.fields[:23]] == [f"field {each}" for each in range(23)]
    assert test.fields[23].value == "2: file 25, file 26"
    assert test.fields[24].value == "7: " + ", ".join(f"field {each}" for each in range(23, 30))
    assert fit_to_limits(test) == test


def test_values_and_meta_keep_their_limits() -> None:
    """Values are cut by the limit of their type, meta to 750 units, and markup that is cut is no markup any more."""
    long = "x" * 20_000
    fields = tuple(Field("n", long, kind, {"message": long}) for kind in FieldType)
    test = fit_to_limits(Test("k", "n", "f", "passed", fields=fields))
    assert [len(each.value or "") <= (750 if each.type in {1, 5} else TEXT_UNITS) for each in test.fields] == [True] * 5
    assert all(len(each.meta["message"]) <= STRING_UNITS for each in test.fields)
    assert [each.type for each in test.fields] == [1, 2, 2, 4, 5]
    assert fit_to_limits(Test("k", "n", "f", "passed", fields=(Field("n", None),))).fields[0].value is None


SECRET = "Zq7Lw2-Hg3Fd6-Tk9"


def _parts(text: str) -> list[tuple[str, str]]:
    """Return the coloured parts of a text with their styles."""
    return [(text[start:end], style) for start, end, style in text.spans] if isinstance(text, ColouredText) else []


@pytest.mark.parametrize(
    ("codes", "style"),
    [
        ("31", "31"), ("1;31", "1;31"), ("31;1", "1;31"), ("97;104", "97;104"), ("0", ""), ("", ""), (";", ""),
        ("1;2;3;4;22", "3;4"), ("4;24;3;23", ""), ("4:3", "4"), ("4;4:0", ""), ("21", "4"), ("31;39;41;49", ""),
        ("7", "47"), ("31;7", "41"), ("31;42;7", "32;41"), ("31;7;27", "31"), ("38;5;9", "91"), ("38;5;196", "91"),
        ("48;5;22", "40"), ("38;5;250", "37"), ("38;2;250;10;10", "91"), ("38:2::0:0:238", "34"),
        ("38:2:0:0:238;1", "1;34"), ("38:5:2", "32"), ("38;5;9;1;48;2;0;0;0", "1;91;40"), ("38;5;256", ""),
        ("38;2;1;2", ""), ("38;2;1;2;999", ""), ("38", ""), ("38;7;31", "41"), ("5;8;9;73;999999999999;31", "31"),
    ],
)  # fmt: skip
def test_a_style_has_one_spelling(codes: str, style: str) -> None:
    """However a style was switched on, it has one spelling; other colours become the nearest of 16."""
    state = StyleState()
    state.apply(codes)
    assert state.style == style


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ("plain", []), ("\x1b[31mbad\x1b[0m and \x1b[1;32mgood\x1b[m", [("bad", "31"), ("good", "1;32")]),
        ("\x1b[31ma\x1b[31mb\x1b[2Kc\x1b[m", [("abc", "31")]), ("\x1b[31mtwo\nlines\x1b[m", [("two\nlines", "31")]),
        ("\x1b[31m\n\x1b[m", []), ("\x1b[31m\x00\x1b[m\x00", [("\\x00", "31")]),
        ("\u202e\U0001f600\x1b[31m\u202e\U0001f600x\x1b[m", [("\\u202e\U0001f600x", "31")]),
        ("\r\x1b[31m\nx", [("\nx", "31")]),
        ("\x1b[31mx\r\x1b[32m\r\n\x1b[33my\r", [("x", "31"), ("\\x0d\n", "32"), ("y", "33")]), ("\x1b[31", []),
        ("\x1b]8;;https://e.example\x07\x1b[34mlink\x1b]8;;\x07 on", [("link on", "34")]),
        ("\x1b[31mred to the end", [("red to the end", "31")]), ("\x1b[0m\x1b[5;5H\x1b[?25l\x1b(B", []),
    ],
)  # fmt: skip
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


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("007", 7), ("9" * 9, 999_999_999)),
        *(
            (text, None)
            for text in ("9" * 10, "9" * 309, "9" * 5_000, "", "-1", "+1", " 1", "1_0", "1.5", "\u00b2", "\u0661")
        ),
        *((None, None), (7, None)),
    ],
)
def test_only_short_digits_are_a_number(text: object, number: int | None) -> None:
    """A text of a client is a number if it has at most nine digits and nothing else."""
    assert whole_number(text) == number
