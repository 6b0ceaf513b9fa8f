"""The house of the tests: what they import of the package, where fixtures come from, what tests say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.repository import PACKAGE, TESTS

UNIT = TESTS / "unit"

MOST_NAMED_OF = 60
"""Functions of the package whose names end with "_of", at most; lower it with each that goes."""


def names_in(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, with the names from them, and the attributes that it uses."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_no_simple_queue() -> None:
    """No module uses `SimpleQueue`, whose `get` can wait without end in Python 3.10, whatever its time limit is.

    That happens when the time is over after it found the lock free and the queue empty: once in 100,000 waits of 0 s.
    """
    assert [path for path in sorted(PACKAGE.rglob("*.py")) if "SimpleQueue" in names_in(path)] == []


def test_one_word_one_class() -> None:
    """No public class, and no public alias of a type, has the name of another one in another module."""
    places: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem == "windows" and path.parent.name == "system":
            continue  # the twin of `posix`
        for node in ast.parse(path.read_text("utf-8")).body:
            name = node.name if isinstance(node, ast.ClassDef) else ""
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
                name = ast.unparse(node.target)
            elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(("dict[", "TypeVar(")):
                name = ast.unparse(node.targets[0])
            if name and not name.startswith("_") and not name.isupper():
                places.setdefault(name, []).append(path.relative_to(PACKAGE).as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_few_functions_are_called_x_of() -> None:
    """A function that acts has a verb, and one that looks up a noun: `x_of` stays for few, and becomes rarer."""
    trees = (ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py")))
    found = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    named = sorted(name for name in found if name.endswith("_of"))
    assert len(named) <= MOST_NAMED_OF, named


OURS = "pytest_automation_report"

DOORS = frozenset(
    {
        *("Store", "create_application", "Pages", "Sender", "HttpClient", "StoreClient", "serving", "main", "SETTINGS"),
        *("Settings", "settings_from", "read_console_settings", "read_pytest_settings"),
        *("Token", "Tokens", "ServerOptions", "Json", "framed", "SessionFolder", "RecordingOptions"),
        "POSTS",
    }
)
"""What a test may import by name from any module of ours, beside errors: the doors, and what is handed through them."""

OPEN = frozenset(
    {
        *("api.models", "testing", "findings", "failures", "text", "export", "ci", "junit", "server.store.searches"),
        *("api.sessions", "api.results", "api.text_fields"),
        *("session.history.cut", "session.history.estimated", "session.history.rank_tests", "session.history.History"),
        *(
            "delivery.testmo.fit_to_limits",
            "system.here",
            "server.store.search_index",
            "server.store.database.StoreConnection",
        ),
        *("server.pages.search.search_context", "server.pages.queries.ask"),
    }
)
"""What a test may import everything of: the values of the API, what users import, and rooms of rules, whose functions
tables of cases call."""

STILL_INSIDE = UNIT / "still_inside.txt"
"""The files that import more than that. No file may be added: a test reaches the code through a door."""


def is_inside(path: Path) -> bool:
    """Whether a file imports something of ours that is no door."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [(each.name, "") for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [(node.module or "", each.name) for each in node.names]
        for module, name in names:
            inner = module.removeprefix(OURS).removeprefix(".")
            is_ours = module.split(".")[0] == OURS and inner != ""
            is_open = inner in OPEN or inner.split(".")[0] in OPEN or f"{inner}.{name}" in OPEN
            if is_ours and not is_open and name not in DOORS and not name.endswith("Error"):
                return True
    return False


def test_tests_reach_the_code_through_doors() -> None:
    """A test file imports of the package a door, values of the API, errors and rules; the others are listed."""
    inside = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py") if is_inside(path)}
    assert inside - set(STILL_INSIDE.read_text("utf-8").split()) == set()


@pytest.mark.parametrize("path", sorted(TESTS.rglob("conftest.py")), ids=lambda path: path.parent.name)
def test_no_conftest_imports_another(path: Path) -> None:
    """Fixtures come from one place: the conftest.py of a folder above, or a module of `tests/support`."""
    assert not [name for name in names_in(path) if name.endswith("conftest")]


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


_STORE = PACKAGE / "server" / "store"
_is_sql = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|DROP|ALTER|PRAGMA|VACUUM)\b|.*"
    r"(?: WHERE | JOIN | FROM \"| ORDER BY | GROUP BY | LIMIT \?|\" (?:=|<|>|<>|IN|LIKE|BETWEEN|IS) )",
    re.DOTALL,
).match


def sql_in(path: Path) -> list[str]:
    """Return the texts of a file that are SQL or a part of it; docstrings are none."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said)
    return [text.value for text in texts if isinstance(text.value, str) and _is_sql(text.value)]


def test_all_sql_is_in_the_store() -> None:
    """No module outside `server/store` has a statement or a condition of one."""
    others = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.is_relative_to(_STORE)]
    assert {path.relative_to(PACKAGE).as_posix(): found for path in others if (found := sql_in(path))} == {}


def test_sql_is_recognised() -> None:
    """Nearly each module of the store that reads has statements, in single texts and in parts: the rule finds them."""
    without = {path.name for path in _STORE.glob("*.py") if not sql_in(path)}
    assert without == {"__init__.py", "buckets.py", "values.py"}
