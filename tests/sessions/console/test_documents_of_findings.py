"""What ``run findings --json`` and ``run diff --json`` print, key by key beside docs/documents.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.projects import Project, console
from support.repository import ROOT

SUITE = """
import pytest
def test_fails(): assert {fails}
def test_again(): assert {again}
def test_gone_{number}(): pass
@pytest.mark.parametrize("n", range(2))
def test_other(n): pass
"""


def described() -> dict[str, str]:
    """Return the text beside each member of the document, by its name; names that share a row share the text."""
    text = (ROOT / "docs" / "documents.md").read_text("utf-8")
    table = text.partition("## Findings of a run")[2].partition("| member | holds |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ", 1) for line in table.splitlines() if line.startswith("| `")]
    return {name: holds for names, holds in rows for name in re.findall(r"`(\w+)`", names)}


def undescribed(value: Any, holds: str) -> set[str]:  # noqa: ANN401 - what JSON holds
    """Return the members at any depth that a text does not name."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = {name for name in value if f"`{name}`" not in holds} if isinstance(value, dict) else set()
    return own.union(*(undescribed(each, holds) for each in inner))


@pytest.mark.parametrize("command", [("run", "findings", "3", "--json"), ("run", "diff", "1", "3", "--json")])
def test_documents_are_as_described(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The document is printed bare; its members, and theirs, are those that the page describes, none more or less."""
    project = Project(tmp_path)
    for number, (fails, again) in enumerate([(True, False), (True, True), (False, False)]):
        project.tests(SUITE.format(fails=fails, again=again, number=number))
        project.report()
    document, rows = json.loads(console(tmp_path, *command, exits=0).out), described()
    assert document["run"] == 3
    assert document.keys() == rows.keys()
    assert document["tests"]["newly_failing"]
    assert document["reasons"]
    # Lists of changes and kinds of failures have a page of their own; counts have the names of all lists.
    page = (ROOT / "docs" / "findings.md").read_text("utf-8").partition("## What changed")[2]
    names = " ".join(f"`{name}`" for name in rows)
    more = {"tests": page, "mine": page, "reasons": page, "counts": page + names}
    missing = {name: undescribed(value, rows[name] + more.get(name, "")) for name, value in document.items()}
    assert {name: found for name, found in missing.items() if found} == {}
