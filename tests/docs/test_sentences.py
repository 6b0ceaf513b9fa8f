"""Docstrings, comments and pages are plain sentences, without words that confuse a reader."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent.parent
PACKAGE: Final = ROOT / "pytest_automation_report"

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


def breaches() -> Iterator[str]:
    """Yield each text of the package and of the pages that breaks a rule, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for text, is_docstring in code_texts(path):
            for rule in broken_rules(text, is_docstring=is_docstring):
                yield f"{path.relative_to(ROOT)}: {rule!r} in {text[:200]!r}"
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for line in CODE.sub("", path.read_text(encoding="utf-8")).splitlines():
            for rule in broken_rules(line, is_docstring=False):
                yield f"{path.relative_to(ROOT)}: {rule!r} in {line!r}"


def test_no_words_that_confuse() -> None:
    """No docstring, comment or page has words that need a second reading."""
    assert list(breaches()) == [], "write it with the words of the table in CONTRIBUTING.md"


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
