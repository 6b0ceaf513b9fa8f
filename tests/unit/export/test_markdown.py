"""Markdown of a run for a pull request, and of one failure for an assistant."""

import re

import pytest

from pytest_automation_report.export.markdown import COMMENT_BYTES, block, code, comment, markdown_of
from support.exported import HOSTILE, a_field, a_flaky_item, a_problem, a_run, an_item, exported_from, findings_of

NEW = an_item("test_new", "failed", a_problem("Failure", "assert 1 == 2", "E   assert 1 == 2"))


def test_a_comment() -> None:
    """A comment has the verdict, what changed, new failures, reasons, flaky tests and the text of each reason."""
    text = comment(a_run(), exported_from(NEW), findings_of(), url="https://t.example.com/runs/12")
    assert (
        text
        == """\
### ❌ 1 of 4 tests failed, for 2 reasons

[run 12](<https://t.example.com/runs/12>) · `shop` · branch `main` · commit `0123456` · 1 min 15 s

**1 new failure, 2 fixed, 1 flaky** since run 11 (`fedcba9`).

#### New failures (1)

- `tests.test_a.test_new`: `assert 1 == 2`

#### Reasons (2)

- 1 test, new: `assert 1 == 2` in `tests/test_a.py`
- 1 test: `no server` in `tests/test_a.py`

#### Flaky (1)

- `tests.test_a.test_often`: failed in 3 of 20 runs

<details><summary><code>tests&#46;test&#95;a&#46;test&#95;new</code></summary>

```text
E   assert 1 == 2
```

</details>
"""
    )


def test_verdicts() -> None:
    """A run says whether all passed, that nothing ran, that it is open, and that it has no base."""
    assert comment(a_run(failure_count=0, success_count=4), []).startswith("### ✅ All 4 tests passed\n")
    assert comment(a_run(failure_count=0, success_count=0, total_count=0), []).startswith("### No test ran\n")
    assert "not completed yet" in comment(a_run(is_completed=False), [])
    assert "There is no earlier run to be compared with." in comment(a_run(), [], findings_of(base=None))


def test_without_findings_all_failures_are_listed() -> None:
    """A server without findings has no new failures: all are listed, and the rest is counted."""
    failures = exported_from(*(an_item(f"test_{number}", "failed") for number in range(30)))
    text = comment(a_run(failure_count=30), failures)
    assert "#### Failed (30)" in text
    assert "- `tests.test_a.test_19`\n- and 10 more" in text


@pytest.mark.parametrize("letter", ["x", "語", "`"])
def test_a_comment_is_never_too_long(letter: str) -> None:
    """With the longest texts in every place a comment fits, and says what it leaves out."""
    long = letter * 5000
    reasons = [
        {"title": long, "place": long, "count": 1, "kind": "new", "keys": [f"k{number}"]} for number in range(100)
    ]
    flaky = [{"folder": long, "name": long, "state": "flaky", "failed": 1, "runs": 9}] * 100
    items = [
        an_item(f"{number}{long}", "failed", a_problem("Failure", long, long), folder=long, key=f"k{number}")
        for number in range(100)
    ]
    entries = [{"key": item["key"], "folder": long, "name": long} for item in items]
    found = findings_of(reasons=reasons, flaky=flaky)
    found["tests"]["newly_failing"] = entries
    run = a_run(name=long, fields=[a_field("Branch", long), a_field("Commit", long)])
    text = comment(run, exported_from(*items), found)
    assert len(text.encode()) <= COMMENT_BYTES
    assert "The texts of further failures are left out." in text


def test_texts_of_tests_are_code_only() -> None:
    """Outside of code no text of a test is left: no tag, no mention, no reference, no control character."""
    item = an_item(HOSTILE, "failed", a_problem("Failure", HOSTILE, f"{HOSTILE}\n```\n# no heading"), folder=HOSTILE)
    found = findings_of(
        reasons=[{"title": HOSTILE, "place": HOSTILE, "count": 2, "kind": "new", "keys": [item["key"]]}] * 2
    )
    found["tests"]["newly_failing"] = [item]
    for text in (comment(a_run(), exported_from(item), found), markdown_of(exported_from(item)[0], command=HOSTILE)):
        assert "\x1b" not in text
        assert "\x00" not in text
        outside = re.sub(r"(?ms)^(`{3,})[a-z]*\n.*?\n\1$", "", text)
        outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", outside)
        assert "script" not in outside.replace("&#47;script", "").replace("&#60;script", "")
        assert "@someone" not in outside
        assert "no heading" not in outside


def test_spans_of_code() -> None:
    """A span is code without the colours of its text, and nothing for nothing."""
    assert [code("\x1b[31mred\x1b[0m"), code("")] == ["`red`", ""]


def test_blocks_of_code() -> None:
    """A block has a longer fence than any in it; of a long text the end stays."""
    assert block("a\n```\nb", 100) == "````text\na\n```\nb\n````"
    assert block("a" * 10 + "end", 5) == "```text\n... 8 characters left out ...\naaend\n```"


def test_one_failure() -> None:
    """One failure has what helps: run, changes, place, message, code, command, what came after it, attempts, output."""
    problem = a_problem(
        "Failure", "assert 1 == 2", "def test_x():\n>   assert 1 == 2\nE   assert 1 == 2\n\na.py:3: AssertionError"
    )
    second = a_problem("Error", "m", "E   OSError", "OSError")
    (test,) = exported_from(a_flaky_item("test_x", "failed", problem, second, a_field("Output", "hello", 4)))
    text = markdown_of(test, a_run(), command="pytest a::b", changes=["New failure"])
    blocks = ["assert 1 == 2", "pytest a::b", "E   OSError", "E   assert 0", "no server", "hello"]
    assert [text.index(shown) for shown in blocks] == sorted(text.index(shown) for shown in blocks)
    assert text.startswith(
        "### `tests.test_a.test_x`\n\nError, branch `main`, commit `0123456`, 3 attempts. New failure.\n"
    )
    assert "At `tests/test_a.py:3`" in text
    assert text.endswith("Attempt 2:\n\n```text\nno server\n```\n\nOutput:\n\n```text\nhello\n```\n")


def test_a_test_that_passed() -> None:
    """A test that passed is its name, place and output alone; a flaky one is called so."""
    assert (
        markdown_of(exported_from(an_item("test_x"))[0])
        == "### `tests.test_a.test_x`\n\nPassed.\n\nAt `tests/test_a.py:3`\n"
    )
    assert "\nFlaky, 3 attempts.\n" in markdown_of(exported_from(a_flaky_item("test_x"))[0])
