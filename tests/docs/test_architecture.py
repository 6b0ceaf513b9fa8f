"""The page of the architecture is true: its rooms, files and kinds of records are those of the code."""

import re
from pathlib import Path
from typing import get_args

from msgspec.json import Decoder

import pytest_automation_report
from pytest_automation_report.spool.ledger import LEDGER_KINDS
from pytest_automation_report.spool.records import SPOOL_KINDS, Record
from support.repository import ROOT

PACKAGE = Path(pytest_automation_report.__file__).parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _kinds(decoder: Decoder[Record]) -> set[object]:
    return {kind.__struct_config__.tag for kind in get_args(decoder.type)}


def _first_cells(heading: str, column: int = 0) -> list[str]:
    """Return the names in backticks in a column of a section's table."""
    rows = [line for line in _section(heading).splitlines() if line.startswith("| ")][2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[column + 1])]


def test_every_file_that_the_page_names_is_there() -> None:
    """Paths in the page are files or folders of the package or of the repository."""
    paths = set(re.findall(r"`([a-z_/]+(?:\.py|\.md|/))`", PAGE))
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
    """The tables of records name the kinds of the spool and of the ledger, and no others."""
    assert set(_first_cells("Records of the spool")) == _kinds(SPOOL_KINDS)
    assert set(_first_cells("Records of the ledger")) == _kinds(LEDGER_KINDS)
