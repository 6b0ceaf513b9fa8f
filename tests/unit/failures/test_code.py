"""Lines of code are split into coloured pieces, and no character is lost."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from typing import TYPE_CHECKING

import pytest
from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

from pytest_automation_report.failures.code import coloured

if TYPE_CHECKING:
    from types import ModuleType

PYGMENTS = {"Comment": "c", "Keyword": "k", "Operator.Word": "k", "Literal.String": "t", "Literal.Number": "n"}


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


def class_by_pygments(token_type: object) -> str:
    """Return the class for a type of Pygments."""
    name = str(token_type).removeprefix("Token.")
    return next((class_ for prefix, class_ in PYGMENTS.items() if f"{name}.".startswith(f"{prefix}.")), "")


@pytest.mark.parametrize("module", [ast, dataclasses, inspect, textwrap], ids=lambda module: module.__name__)
def test_colours_are_those_of_pygments(module: ModuleType) -> None:
    """Each function and class of real code is coloured as by Pygments, which takes eight times as long."""
    different = total = 0
    for part in ast.parse(inspect.getsource(module)).body:
        code = ast.get_source_segment(inspect.getsource(module), part) or ""
        wanted = [
            class_by_pygments(token_type)
            for _, token_type, text in PythonLexer().get_tokens_unprocessed(code)
            for _ in text
        ]
        found = [
            class_
            for number, tokens in enumerate(coloured(code.split("\n")))
            for class_, text in [*([("", "\n")] if number else []), *tokens]
            for _ in text
        ]
        assert len(found) == len(wanted)
        seen = [(a, b) for a, b, character in zip(wanted, found, code, strict=True) if not character.isspace()]
        total += len(seen)
        different += sum(a != b for a, b in seen)
    assert different <= total / 1_000


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ('f"{a!r} of {2:>3} {{x}}"', [("t", 'f"{'), ("", "a"), ("t", "!r} of {"), ("n", "2"), ("t", ':>3} {{x}}"')]),
        ("match value:", [("k", "match"), ("", " value:")]),
        ("match = case(1)", [("", "match = case("), ("n", "1"), ("", ")")]),
        ("b'x' rb'y' x.e1", [("t", "b'x'"), ("", " "), ("t", "rb'y'"), ("", " x.e1")]),
        ("0xFF + 1_0.5e-3j", [("n", "0xFF"), ("", " + "), ("n", "1_0.5e-3j")]),
    ],
)  # fmt: skip
def test_pieces(line: str, pieces: list[tuple[str, str]]) -> None:
    """Values in texts are code, soft keywords are words elsewhere, neighbours of one class are one piece."""
    assert coloured([line]) == [pieces]
