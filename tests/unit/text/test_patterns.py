"""`text.patterns`: expressions are compiled when they are used."""

import re

import pytest

from pytest_automation_report.text.patterns import lazy_pattern


def test_nothing_is_compiled_before_the_first_use() -> None:
    """An expression that nobody uses costs nothing, even if it is none."""
    broken = lazy_pattern("(")
    with pytest.raises(re.error):
        broken.search("a")


def test_it_behaves_as_a_compiled_expression() -> None:
    """All methods that the package uses are those of one compiled expression, flags included."""
    lazy, compiled = lazy_pattern("b+", re.IGNORECASE), re.compile("b+", re.IGNORECASE)
    text = "aBbcb"
    assert [match.span() for match in lazy.finditer(text)] == [match.span() for match in compiled.finditer(text)]
    assert lazy.sub("-", text) == compiled.sub("-", text) == "a-c-"
    assert lazy.split(text) == compiled.split(text)
    assert lazy.match(text) is None
    assert lazy.search(text, 3) is not None
    assert lazy.fullmatch("BB") is not None
    assert lazy.pattern == "b+"
    assert getattr(lazy.search, "__self__", None) is getattr(lazy.match, "__self__", None)
