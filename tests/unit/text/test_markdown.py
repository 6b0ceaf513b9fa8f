"""Foreign texts in Markdown: what Markdown or a provider would read stands in code, and nothing else is changed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_automation_report.text.limits import string
from pytest_automation_report.text.markdown import code_block, code_span, markdown_line, table_row

UNCHANGED = [
    "tests.test_cart.test_a_b[1-2]", "test_a[x|y]", "tests/test_a.py::TestCart::test_a_b", "assert 1 == 2", "a < b & c",
    "x [1, 2] (3)", "a.b!", "100% of 5", "C:\\new\\dir", "'Ann' said \"no\"...", "2 * 3 ~ 6", "1.5 s, 12,345 tests",
    "résumé_日本", "no. 12 - it's + 3 = 4 > 1", "key: value; R&D", "#heading", "a@ b", "x86_64 and run 1234567",
    "at 23:32:04",
]  # fmt: skip

IN_CODE = {
    "__init__": "`__init__`", "(_private)": "(`_private`)", "a*b": "`a*b`", "**bold words** x": "`**bold words**` x",
    "~~no~~": "`~~no~~`", "<b>": "`<b>`", "test_a[<lambda>]": "`test_a[<lambda>]`", "a &lt; b": "a `&lt`; b",
    "[text](address)": "`[text](address`)", "see [[page]]": "see `[[page]]`", "`a` b": "`` `a` `` b", "\\*": "`\\*`",
    "#12": "`#12`", "shop/cart#12, or !3.": "`shop/cart#12`, or `!3`.", "GH-12": "`GH-12`", "SHOP-7": "`SHOP-7`",
    "@user, @org/team": "`@user, @org/team`", "a@b.example": "`a@b.example`", "~bug %v1 $5": "`~bug %v1 $5`",
    "https://a.example/b_c.": "`https://a.example/b_c`.", "www.a.example": "`www.a.example`", ":tada:": "`:tada`:",
    "since 9d5b37a, (Ann)": "since `9d5b37a`, (Ann)", "- x": "`-` x", "1. x": "`1`. x", "# x #": "`#` x `#`",
    "> x": "`>` x", "[x] y": "`[x]` y", "[a]: b": "`[a]`: b", "a\n\n# b": "a\\n\\n# b", "$x$ {+a+}": "`$x$ {+a+}`",
}  # fmt: skip

# What GitHub, GitLab, Azure and Bitbucket look for in what Markdown made of a text, outside of code.
REFERENCES = re.compile(
    r"@\w|(?<!\w)[#!$%~&]\d|\w#\d|://|(?<![a-z0-9])www\.|:tada:|[A-Z]{2}-\d|(?<!\w)[0-9a-f]*[a-f][0-9a-f]{6,}(?!\w)"
)
CONTEXTS = {
    "paragraph": "{}\n", "heading": "### {}\n", "bold": "**{}**\n", "item": "- {}\n",
    "cell": "| a | b |\n| --- | --- |\n| {} | c |\n",
}  # fmt: skip
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(context: str, line: str) -> tuple[str, str]:
    """Return what a reader sees of a line, and the part of it that is outside of code; fail if it has any markup."""
    if context == "cell":
        line = table_row(line)[2:-2]
    shown: list[str] = []
    outside: list[str] = []
    inline = [token for token in MARKDOWN.parse(CONTEXTS[context].format(line)) if token.type == "inline"]
    (token, *after) = inline[2:] if context == "cell" else inline
    assert [each.content for each in after] == (["c"] if context == "cell" else [])
    for child in token.children or []:
        assert child.type in {"text", "code_inline"} or (context, child.tag) == ("bold", "strong"), child
        shown.append(child.content)
        outside.append(child.content if child.type == "text" else "\n")
    return "".join(shown), "".join(outside)


@pytest.mark.parametrize("text", UNCHANGED)
def test_what_nobody_reads_is_unchanged(text: str) -> None:
    """A name or a message without special meaning is written as it is."""
    assert markdown_line(text) == text


@pytest.mark.parametrize(("text", "written"), IN_CODE.items())
def test_what_would_be_read_stands_in_code(text: str, written: str) -> None:
    """Only the words that Markdown or a provider would read stand in code, without the marks around them."""
    assert markdown_line(text) == written


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("text", [*UNCHANGED, *IN_CODE])
def test_nothing_is_read(context: str, text: str) -> None:
    """A reader of Markdown shows each text as it is, makes nothing of it, and leaves no mention or reference."""
    shown, outside = rendered(context, markdown_line(text))
    assert shown == " ".join(string(text).split())
    assert not REFERENCES.search(outside)


SIGNS = st.sampled_from([*"`*_~$\\<>[]()#!@&|:;.,-+=/{}%^'\"01aZü ", "  ", "](", "<!--", "&lt;", "www.a", "://", "```"])


@given(context=st.sampled_from([*CONTEXTS]), text=st.lists(SIGNS, min_size=1, max_size=12).map("".join))
def test_no_text_is_read(context: str, text: str) -> None:
    """Whatever signs a text has, a reader of Markdown shows it as it is, as a sentence and as code."""
    expected = " ".join(string(text).split())
    if expected:
        for line in (markdown_line(text), code_span(string(text))):
            shown, _ = rendered(context, line)
            assert shown == expected


@pytest.mark.parametrize(
    ("text", "span"), [("a", "`a`"), ("a\nb", "`a b`"), ("`a`", "`` `a` ``"), ("x``y", "```x``y```"), (" ", "")]
)
def test_a_span_is_one_line(text: str, span: str) -> None:
    """A span of code is one line, whatever backticks it has."""
    assert code_span(text) == span


def test_a_block_ends_at_its_own_fence() -> None:
    """A text with fences cannot end its block of code."""
    assert code_block("a\n```\n# b", "sh") == "````sh\na\n```\n# b\n````"
