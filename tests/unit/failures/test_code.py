"""Lines of code are split into coloured pieces, and no character is lost."""

import pytest

from pytest_automation_report.failures.highlighting import coloured


def test_words_have_classes() -> None:
    """Keywords, texts, numbers and comments have a class; a text of several lines is one in each of them."""
    lines = ["def total(x):", '    """Add', '    all."""', "    return x is not None and 3.5  # why"]
    by_class = [{text for class_, text in tokens if class_ == name} for tokens in coloured(lines) for name in "k"]
    assert by_class == [{"def"}, set(), set(), {"return", "is", "not", "None", "and"}]
    assert [[class_ for class_, _ in tokens if class_] for tokens in coloured(lines)][1:3] == [["t"], ["t"]]
    assert ("n", "3.5") in coloured(lines)[3]
    assert ("c", "# why") in coloured(lines)[3]


@pytest.mark.parametrize(
    "lines",
    [
        ["", "x"],
        ["\tdef ("],
        ["<script>alert(1)</script>"],
        ["'unended", "x = 1"],
        ["a\u202eb\x00"],
        [],
        [""],
        ["x" * 70_000],
    ],
    ids=["empty", "broken", "markup", "unended", "hostile", "none", "blank", "long"],
)
def test_no_character_is_lost(lines: list[str]) -> None:
    """The pieces of each line are the line, also of text that is no Python."""
    assert ["".join(text for _, text in tokens) for tokens in coloured(lines)] == lines
