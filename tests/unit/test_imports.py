"""The modules of the package: what imports what is checked by folders from the next commits on."""

from __future__ import annotations

from pathlib import Path

import pytest_automation_report

ROOT = Path(pytest_automation_report.__file__).parent


def test_every_folder_is_a_package() -> None:
    """Each folder with modules has an `__init__`."""
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
