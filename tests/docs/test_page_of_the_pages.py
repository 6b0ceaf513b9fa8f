"""The page about the web pages has each key and each address that they have."""

import re

from pytest_automation_report.server.pages.links import _PATHS
from pytest_automation_report.server.pages.state import Lane, RunState
from support.repository import ROOT

TEXT = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
TEMPLATES = ROOT / "pytest_automation_report" / "server" / "pages" / "templates"


def section(name: str) -> str:
    """Return a section of the page."""
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_each_key_is_there() -> None:
    """Keys that the dialog of the pages lists, and keys of their elements, are in the table."""
    listed = re.findall(r'\("([^"]{1,5})", "', (TEMPLATES / "parts" / "keymap.html").read_text(encoding="utf-8"))
    keys = {part for keys in listed for part in ([keys] if keys.startswith("g ") else keys.split(" "))} - {"…"}
    missing = {key for key in keys if f"`{key}`" not in section("Keys")}
    assert len(keys) > 20
    assert missing == set()


def test_each_address_is_there() -> None:
    """Paths that a reader opens, and the parameters of a run's page, are in the table."""
    table = section("Addresses")
    paths = {path.format("{id}") for kind, path in _PATHS.items() if kind not in {"run-live", "run-branch", "theme"}}
    assert {path for path in paths if f"`{path}`" not in table and f"`{path.rpartition('/')[2]}`" not in table} == set()
    state = RunState(
        1, "tests", 2, frozenset("3"), frozenset({"fixed"}), "r", "q", "f", Lane(4), "o", "none", "ran", page=5
    )
    assert {name for name in state.parameters if f"`{name}`" not in table} == set()
