"""Every test says what it promises."""

import ast

from support.repository import TESTS


def test_every_test_promises_something_in_one_sentence() -> None:
    """Each test of the project has a docstring whose first paragraph is a sentence."""
    wrong = []
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                promise = (ast.get_docstring(node) or "").partition("\n\n")[0]
                if not promise.endswith((".", ".)", "?")):
                    wrong.append(f"{path.relative_to(TESTS)}::{node.name}")
    assert wrong == []
