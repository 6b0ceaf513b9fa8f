import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_automation_report.api.models import (
    ARTIFACT_LIMIT,
    FIELD_LIMIT,
    Artifact,
    Field,
    FieldType,
    Test,
    fit_to_limits,
)
from pytest_automation_report.text.limits import (
    STRING_UNITS,
    TEXT_UNITS,
    console,
    cut_end,
    cut_middle,
    paragraph,
    string,
    utf16_length,
)
from pytest_automation_report.text.visible import ColouredText, visible, without_ansi

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


def test_cut_texts_say_how_much_is_missing() -> None:
    """The remark in a cut text counts exactly the characters that are gone."""
    text = "".join(f"{each:06}" for each in range(10_000))
    middle = cut_middle(text, 1000)
    head, remark, tail = middle.split("\n")
    missing = len(text) - len(head) - len(tail)
    assert remark == f"... {missing:,} characters cut ..."
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) > 450
    assert len(tail) > 450
    end, _, rest = cut_end(text, 100).partition(" ... ")
    assert text.startswith(end)
    assert rest == f"{len(text) - len(end):,} characters cut"


def test_console_text_is_cleaned_and_cut_around_its_middle() -> None:
    """A long console text keeps its two ends without colours and counts what it lacks."""
    parts = ["\x1b[31mfirst\x1b[0m\n", *["x" * 1000] * 90, "\nla\x00st"]
    text = console(*parts)
    assert text.startswith("first\nxxx")
    assert text.endswith("xxx\nla\\x00st")
    assert utf16_length(text) <= TEXT_UNITS
    assert "characters cut" in text
    assert console("\x1b[1m", "one", "\x1b[0m") == "one"


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


def _test(fields: int = 0, artifacts: int = 0) -> Test:
    return Test(
        "k",
        "n",
        "f",
        "passed",
        fields=tuple(Field(f"field {each}", "v") for each in range(fields)),
        artifacts=tuple(Artifact(f"file {each}", "https://a/b") for each in range(artifacts)),
    )


@pytest.mark.parametrize(("fields", "artifacts"), [(0, 0), (25, 25), (1, 0)])
def test_a_test_within_the_limits_is_left_alone(fields: int, artifacts: int) -> None:
    """Tests with at most 25 fields and artifacts are returned as they are."""
    assert fit_to_limits(_test(fields, artifacts)) == _test(fields, artifacts)


def test_too_many_fields_and_artifacts_are_counted() -> None:
    """Of too many fields and artifacts the first stay, and fields say how many are missing and which."""
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
