"""What the documents say about tests is true: each test that they name is there and is run."""

import ast
import re
from functools import cache
from pathlib import Path

from docs.written import section
from support.repository import ROOT

_NAMED = re.compile(r"`([a-z_/]+/test_\w+\.py)::(test_\w+)`")
_EXPECTED = re.compile(r"`(sessions/console/expected/\w+/\w+\.txt)`")


def table_below(file: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    lines = re.findall(r"^\|.*\|$", section(file, heading), re.MULTILINE)
    end = next((place for place, line in enumerate(lines[2:], 2) if line.startswith("| not promised")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:end]]


PROMISES = table_below("docs/promises.md", "What we promise, and how it is tested")
THREATS = table_below("docs/security.md", "How it is tested")


@cache
def names_in(file: Path) -> set[str]:
    """Return the names of a file's tests that are not skipped whatever happens."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        each.name
        for each in tree.body
        if isinstance(each, ast.FunctionDef)
        and not any("mark.skip(" in ast.unparse(one) for one in each.decorator_list)
    }


def test_each_promise_has_its_tests() -> None:
    """Each promise, and each threat, names tests, and expected outputs, that are there."""
    assert (len(PROMISES), len(THREATS)) == (19, 25)
    for row in (*PROMISES, *THREATS):
        named = _NAMED.findall(row[-1])
        assert named, row
        assert re.sub(_NAMED, "", row[-1]).count("::") == 0, row
        for file, test in named:
            assert test in names_in(ROOT / "tests" / file), f"{file}::{test}"
        for file in _EXPECTED.findall(row[-1]):
            assert ROOT.joinpath("tests", file).exists(), file
