import shutil
from pathlib import Path

import pytest

from support.repository import ROOT


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples" / "shop", tmp_path / "shop", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return tmp_path / "shop"
