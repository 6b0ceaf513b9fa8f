"""The pages of the architecture and of the web pages are true: rooms, records, keys and addresses are the code's."""

import re
from pathlib import Path
from typing import Any, get_args

from msgspec.json import Decoder

import pytest_automation_report
from docs.written import page, section
from pytest_automation_report.server.pages.urls import _PATHS, RunState
from pytest_automation_report.server.store.searches import Lane
from pytest_automation_report.spool.records import SPOOL_KINDS
from support.repository import ROOT

PACKAGE = Path(pytest_automation_report.__file__).parent
NAME = "docs/architecture.md"


def _kinds(decoder: Decoder[Any]) -> set[object]:
    return {kind.__struct_config__.tag for kind in get_args(decoder.type)}


def _first_cells(heading: str, column: int = 0) -> list[str]:
    """Return the names in backticks in a column of a section's table."""
    rows = [line for line in section(NAME, heading).splitlines() if line.startswith("| ")][2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[column + 1])]


def test_every_file_that_the_page_names_is_there() -> None:
    """Paths in the page are files or folders of the package or of the repository."""
    paths = set(re.findall(r"`([a-z_/]+(?:\.py|\.md|/))`", page(NAME)))
    assert len(paths) > 30
    missing = [path for path in sorted(paths) if not any((root / path).exists() for root in (PACKAGE, ROOT))]
    assert missing == []


def test_every_room_is_in_the_table() -> None:
    """The table of rooms names each folder and each module at the top of the package, and nothing else."""
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(_first_cells("Rooms", 1)) == there


def test_every_kind_of_record_is_described() -> None:
    """The table of records names the kinds of the spool, and no others."""
    assert set(_first_cells("Records", 1)) == _kinds(SPOOL_KINDS)


TEMPLATES = ROOT / "pytest_automation_report" / "server" / "pages" / "templates"


def test_each_key_is_there() -> None:
    """Keys that the dialog of the pages lists, and keys of their elements, are in the table."""
    dialog = (TEMPLATES / "base.html").read_text(encoding="utf-8").partition("<dialog")[2]
    listed = re.findall(r'\("([^"]{1,5})", "', dialog)
    keys = {part for keys in listed for part in ([keys] if keys.startswith("g ") else keys.split(" "))} - {"…"}
    missing = {key for key in keys if f"`{key}`" not in section("docs/pages.md", "Keys")}
    assert len(keys) > 20
    assert missing == set()


def test_each_address_is_there() -> None:
    """Paths that a reader opens, and the parameters of a run's page, are in the table."""
    table = section("docs/pages.md", "Addresses")
    paths = {path.format("{id}") for kind, path in _PATHS.items() if kind not in {"run-live", "run-branch", "theme"}}
    assert {path for path in paths if f"`{path}`" not in table and f"`{path.rpartition('/')[2]}`" not in table} == set()
    state = RunState(
        run_id=1,
        view="tests",
        base=2,
        statuses=frozenset("3"),
        changes=frozenset({"fixed"}),
        reason="r",
        text="q",
        folder="f",
        lane=Lane(4),
        opened="o",
        group="none",
        sort="ran",
        page=5,
    )
    assert {name for name in state.parameters if f"`{name}`" not in table} == set()
