"""What users copy from the pages is typed: mypy's strict mode passes on every example."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.written import blocks
from support.repository import ROOT

PAGES = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")))


@pytest.mark.slow
def test_every_example_passes_mypys_strict_mode(tmp_path: Path) -> None:
    """Each Python block of the pages and each file in ``examples`` passes ``mypy --strict``."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    names = []
    for page in PAGES:
        for number, text in enumerate(text for language, text in blocks(page) if language == "python"):
            names.append(f"{re.sub(r'[^a-z]', '_', page.lower())}{number}.py")
            (tmp_path / names[-1]).write_text(text)
    assert len(names) >= 7
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    shutil.move(tmp_path / "examples" / "shop" / "shop", tmp_path / "shop")
    files = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "examples").rglob("*.py"))
    assert len(files) >= 3
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), *names, *files, "shop"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
