"""The common beginning of two texts."""

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.text.visible import common_length


@given(st.text("ab"), st.text("ab"), st.text("ab"))
def test_common_length(start: str, left: str, right: str) -> None:
    """The length is that of the longest text with which both begin."""
    one, other = start + left, start + right
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    assert common_length(one, other) == len(list(same))
