"""Write foreign texts into Markdown: what Markdown or a provider would read stands in code, and nothing else does.

In code no provider makes emphasis, links, mentions of people or references to issues. A backslash or a numeric
reference would not do: GitHub looks for mentions and references in what Markdown made of them.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from pytest_automation_report.text.limits import string
from pytest_automation_report.unpatched import lazy_pattern

_READ: Final = lazy_pattern(
    r"`|[*~$](?=.)|(?<=.)[*~$]"  # code, emphasis, struck text or a label of GitLab, mathematics: none of them alone
    r"|(?<![^\W_])_(?=.)|(?<=.)_(?![^\W_])|\\(?!\w)"  # emphasis: inside of a word an underscore is none; an escape
    r"|<[A-Za-z/!?]|&(?:#|\d|\w+;)"  # HTML, an address in brackets, a character reference, an epic
    r"|\]\(|\[\[|\[[a-z_]+:\d|[+-][\]}]"  # a link, a page of a wiki, a reference or a changed text of GitLab
    r"|@\S|[#!]\d|%[\"\w]"  # people and teams, issues, merge requests, milestones
    r"|(?<![A-Za-z0-9])[A-Z][A-Z0-9_]+-\d|(?<![\w/-])(?=\d*[a-f])[0-9a-f]{7,64}(?![\w/-])"  # issues of Jira, commits
    r"|://|(?<![A-Za-z0-9])(?:www\.|mailto:|xmpp:)"  # addresses
    r"|(?<![:\d]):[a-z0-9_+-]+:(?!:)"  # pictures by their names, and no times
)
# At the beginning of a line: a list, a heading, a quotation, a line across, a task or the target of a link.
_BEGINS: Final = lazy_pattern(r"\[|>|(?:#+|[-+*=~$_]+|[0-9]{1,9}[.)])\Z")
_ENDS: Final = lazy_pattern(r"[#*~$_]+\Z")  # at its end: the end of a heading, or beside what ends bold words
# The marks around a word stay outside of its code.
_AROUND: Final = lazy_pattern(r"""([("']*)(.*?)([.,;:)"']*)\Z""")


def code_span(text: str) -> str:
    """Return a text as one span of code, whatever backticks it has; "" of an empty one."""
    text = " ".join(text.split())
    if not text:
        return ""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * (max(runs) + 1 if runs else 1)
    return f"{fence} {text} {fence}" if text.startswith("`") or text.endswith("`") else f"{fence}{text}{fence}"


def code_block(text: str, language: str = "") -> str:
    """Return a text as a block of code, whatever fences it has."""
    runs = [len(run) for run in re.findall("`{3,}", text)]
    fence = "`" * (max(runs) + 1 if runs else 3)
    return f"{fence}{language}\n{text}\n{fence}"


def markdown_line(text: str) -> str:
    """Return a sentence with foreign texts as one line that is shown as it is; words that would be read are code."""
    words = string(text).split()
    last = len(words) - 1
    marked = [
        (bool(_READ.search(word) or (not at and _BEGINS.match(word)) or (at == last and _ENDS.match(word))), word)
        for at, word in enumerate(words)
    ]
    groups = groupby(marked, key=lambda each: each[0])
    lines = ((is_read, " ".join(word for _, word in group)) for is_read, group in groups)
    return " ".join(_AROUND.sub(_coded, line, count=1) if is_read else line for is_read, line in lines)


def _coded(match: re.Match[str]) -> str:
    return f"{match[1]}{code_span(match[2])}{match[3]}"


def table_row(*cells: str) -> str:
    """Return a row of a table; a bar in a cell, also one in code, ends no cell."""
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


BAR: Final = "\\|"
