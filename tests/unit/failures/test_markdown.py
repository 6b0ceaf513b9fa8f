"""A failure as Markdown: complete, short, and safe whatever its text has."""

import pytest

from pytest_automation_report.failures.reading import ReportedFailure, code_block, code_span, failure_markdown
from pytest_automation_report.failures.values import Comparison, Value

TEXT = """\
def test_total():
        expected = {'total': 3, 'boat': 'Anna'}
>       assert totals() == expected
E       AssertionError: assert {'total': 2, 'boat': 'Anna'} == {'total': 3, 'boat': 'Anna'}

tests/test_cart.py:12: AssertionError"""

EXPECTED = """\
### `tests.test_cart.test_total`

New failure.

At `tests/test_cart.py:12`

**`AssertionError: assert totals() == expected`**

| differs | `totals()` | `expected` |
| --- | --- | --- |
| `['total']` | `2` | `3` |

(1 equal)

`tests/test_cart.py:12` in `test_total`

```python
  def test_total():
      expected = {'total': 3, 'boat': 'Anna'}
> assert totals() == expected
```

Run it again:

```sh
pytest tests/test_cart.py::test_total
```

<https://reports.example/results/7>
""".replace("> assert", ">     assert")


def test_everything_about_a_failure() -> None:
    """The report has the name, what was said, the differing values, the code and the command."""
    failure = ReportedFailure(
        "tests.test_cart.test_total",
        TEXT,
        place="tests/test_cart.py:12",
        sentence="New failure.",
        command="pytest tests/test_cart.py::test_total",
        url="https://reports.example/results/7",
    )
    assert failure_markdown(failure) == EXPECTED


def test_little_is_known() -> None:
    """A failure of another tool has a name and a message."""
    assert failure_markdown(ReportedFailure("t", message="it broke")) == "### `t`\n\n**`it broke`**\n"


def test_hostile_text_stays_text() -> None:
    """Backticks, pipes and markup in values end neither their code nor their cell."""
    comparison = Comparison("==", Value("str", "a`|</td>"), Value("str", "``` b"))
    text = failure_markdown(ReportedFailure("a`b", TEXT, comparison=comparison))
    assert "### ``a`b``" in text
    assert "``'a`\\|</td>'``" in text
    assert "````'``` b'````" in text


@pytest.mark.parametrize(("text", "block"), [("a", "```\na\n```"), ("```\nx", "````\n```\nx\n````")])
def test_a_block_is_longer_than_its_fences(text: str, block: str) -> None:
    """A block of code has a longer fence than its text."""
    assert code_block(text) == block


@pytest.mark.parametrize(
    ("text", "span"), [("a", "`a`"), ("a\nb", "`a b`"), ("`a`", "`` `a` ``"), ("x``y", "```x``y```")]
)
def test_a_span_is_one_line(text: str, span: str) -> None:
    """A span of code is one line, whatever backticks it has."""
    assert code_span(text) == span
