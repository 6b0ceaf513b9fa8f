"""Notes of exceptions are kept, however long the text around them is."""

import json
import re
import sys
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import run_session

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes since Python 3.11")

SUITE = """
import pytest
from hypothesis import given, strategies

LONG = "\\n".join(f"line {number}" for number in range(2_000))

def noted(text, note):
    error = ValueError(text)
    error.add_note(note)
    return error

def test_short():
    raise noted("no price", "NOTE short\\nNOTE in two lines")

def test_long():
    raise noted(LONG, "NOTE long")

def test_chain():
    try:
        raise noted(LONG, "NOTE inner")
    except ValueError as error:
        raise noted(LONG, "NOTE outer") from error

def test_group():
    error = ExceptionGroup("two", [noted(LONG, "NOTE first"), noted(LONG, "NOTE second"), noted(LONG, "NOTE last")])
    error.add_note("NOTE group")
    raise error

def test_compared():
    try:
        assert list(range(9)) == [9]
    except AssertionError as error:
        error.add_note("NOTE compared")
        raise

@pytest.fixture
def broken():
    raise noted(LONG, "NOTE fixture")

def test_fixture(broken):
    pass

@given(strategies.integers())
def test_given(number):
    assert number < 10
"""
NOTES = {
    "short": ["short", "in two lines"], "long": ["long"], "chain": ["inner", "outer"], "compared": ["compared"],
    "group": ["first", "second", "last", "group"], "fixture": ["fixture"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def fields_of_testmo(embedded_server: CheckedServer) -> None:
    """Let the server be as Testmo, so that all texts of a result are its fields."""
    embedded_server.is_testmo = True


@pytest.mark.parametrize("options", [(), ("--tb=short",), ("--tb=native",), ("--tb=line",), ("-n1",)], ids="".join)
def test_no_note_is_cut_away(tmp_path: Path, server: CheckedServer, options: tuple[str, ...]) -> None:
    """A note that stands where the text of a failure is cut has a field of its own, and others have none."""
    (tmp_path / "test_it.py").write_text(SUITE)
    run_session(tmp_path, *options, address=server.address)
    tests = {test["name"].removeprefix("test_"): test["fields"] for _, test in server.tests()}
    texts = {name: "\n".join(field["value"] for field in fields) for name, fields in tests.items()}
    assert {name: [note for note in notes if f"NOTE {note}" not in texts[name]] for name, notes in NOTES.items()} == {
        name: [] for name in NOTES
    }
    assert "number=10" in texts["given"]
    own = {name for name, fields in tests.items() for field in fields if field["name"] == "Notes"}
    assert own <= {"chain", "group"}


def test_notes_are_in_the_digest(project: Project) -> None:
    """Each form of it has notes and the example that hypothesis found, also below values that were compared."""
    project.write("test_it.py", SUITE.replace("range(2_000)", "range(2)"))
    project.report(exits=1)
    for form in ("text", "markdown", "json"):
        shown = console(project.root, "failures", "--format", form, "--limit", "9").out
        words = [f"NOTE {note}" for notes in NOTES.values() for note in notes]
        assert [note for note in [*words, "number=10"] if note not in shown] == [], form
    (given,) = (reason for reason in json.loads(shown)["reasons"] if "test_given" in reason["tests"][0])
    assert re.sub(r"\s+", " ", " ".join(given["notes"])).startswith(("Failing test case: test_given(", "Falsifying"))
