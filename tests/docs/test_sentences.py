"""Docstrings, comments and pages are plain sentences: a list of words that confuse a reader may only shrink.

``python tests/docs/test_sentences.py`` lowers the numbers of ``sentences.json``, beside this file, to those of today.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent.parent
PACKAGE: Final = ROOT / "pytest_automation_report"
ALLOWED: Final = Path(__file__).with_name("sentences.json")

PHRASES: Final = {
    "(floor N)": r"\(floor \d",
    "pure": r"\bpure\b",
    "nobody": r"\bnobody\b",
    "somebody": r"\bsomebody\b",
    "whoever": r"\bwhoever\b",
    "told": r"\btold\b",
    "tells": r"\btells?\b",
    "trouble": r"\btroubles?\b",
    "of its own": r"\bof (?:its|their|our) own\b",
    "so many, so much": r"\bso (?:many|much)\b",
    "what is": r"\bwhat (?:is|was|are|were|has|had)\b",
    "where there is none": r"\bwhere there is (?:none|no)\b",
    "that which": r"\bthat which\b",
}
"""Words and phrases that need a second reading, with the pattern that finds each."""

FIRST_WORDS: Final = frozenset({"What", "Who", "Where", "Which", "How"})
CLAUSE: Final = "a docstring that begins with a clause"
"""The name of the rule that a docstring begins with a verb or a noun, and not with a word such as What."""

CODE: Final = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)


def code_texts(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield a module's docstrings and comments, and whether each is a docstring."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring, True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, False


def broken_rules(text: str, *, is_docstring: bool) -> Counter[str]:
    """Return the number of times that a text breaks each rule; code in backticks does not count."""
    prose = CODE.sub("", text)
    counts = Counter({name: len(re.findall(pattern, prose, re.IGNORECASE)) for name, pattern in PHRASES.items()})
    counts[CLAUSE] = int(is_docstring and text.split(maxsplit=1)[0].strip(",.:") in FIRST_WORDS)
    return +counts


def folder_of(path: Path) -> str:
    """Return the path of the folder that a module is counted under, from the root of the repository."""
    return str(path.parent.relative_to(ROOT))


def counts_of_today() -> dict[str, dict[str, int]]:
    """Return the number of breaches by folder of the package, page and rule, without those that are zero."""
    counts: dict[str, Counter[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        folder = counts.setdefault(folder_of(path), Counter())
        for text, is_docstring in code_texts(path):
            folder.update(broken_rules(text, is_docstring=is_docstring))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        counts[str(path.relative_to(ROOT))] = broken_rules(text, is_docstring=False)
    return {place: dict(sorted(numbers.items())) for place, numbers in counts.items() if numbers}


def allowed() -> dict[str, dict[str, int]]:
    """Return the largest number of breaches that is allowed, by place and rule."""
    table: dict[str, dict[str, int]] = json.loads(ALLOWED.read_text(encoding="utf-8")) if ALLOWED.exists() else {}
    return table


def lowered(today: dict[str, dict[str, int]], table: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the table with each number lowered to that of today, never raised; zeros and empty places are left out."""
    smaller = {
        place: {rule: min(most, today.get(place, {}).get(rule, 0)) for rule, most in rules.items()}
        for place, rules in table.items()
    }
    rules_left = {place: {rule: most for rule, most in rules.items() if most} for place, rules in smaller.items()}
    return {place: rules for place, rules in rules_left.items() if rules}


def test_confusing_words_only_shrink() -> None:
    """No folder of the package and no page has more words that confuse a reader than the table allows."""
    table, today = allowed(), counts_of_today()
    grown = [
        f"{place}: {rule!r} {count} times, {table.get(place, {}).get(rule, 0)} allowed"
        for place, rules in today.items()
        for rule, count in rules.items()
        if count > table.get(place, {}).get(rule, 0)
    ]
    assert grown == [], "write it with the words of the table in CONTRIBUTING.md"


def test_table_has_no_place_that_is_gone() -> None:
    """Each place of the table is a folder or a page, and each rule one that is counted, with a number that is left."""
    rules = {*PHRASES, CLAUSE}
    for place, numbers in allowed().items():
        assert (ROOT / place).exists(), place
        assert set(numbers) <= rules, place
        assert all(number > 0 for number in numbers.values()), place


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("What a session begins with (floor 3): nobody knows.", {CLAUSE, "(floor N)", "nobody"}),
        ("Return the run that the sender told of.", {"told"}),
        ("Return ``what is`` and `nobody`.", set()),
        ("Create the run.", set()),
    ],
)
def test_rules_find_their_words(text: str, rules: set[str]) -> None:
    """Each rule finds its words in prose and passes over code in backticks."""
    assert set(broken_rules(text, is_docstring=True)) == rules


def test_table_is_never_raised() -> None:
    """The program that lowers the table raises no number, adds no place, and drops rules that nothing breaks."""
    table = {"a": {"told": 2, "pure": 3}, "b": {"told": 1}}
    today = {"a": {"told": 5, "pure": 1}, "c": {"told": 1}}
    assert lowered(today, table) == {"a": {"told": 2, "pure": 1}}


if __name__ == "__main__":
    numbers = lowered(counts_of_today(), allowed()) if ALLOWED.exists() else counts_of_today()
    ALLOWED.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{sum(sum(rules.values()) for rules in numbers.values())} left\n")
