from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LARGE = """
import subprocess, sys
held = b"x" * 200_000_000
subprocess.Popen([sys.executable, "-c", "import time; held = b'x' * 50_000_000; time.sleep(0.3)"])
"""


@pytest.mark.parametrize(
    ("script", "options", "lines"),
    [
        ("store.py", ("--results", "1000"), 1),
        ("store.py", ("--results", "1000", "--suite", "500"), 1),
        ("pages.py", ("--tests", "500", "--threads", "20"), 32),
        ("joining.py", ("--jobs", "15"), 2),
    ],
)
def test_benchmarks_of_the_server_run(tmp_path: Path, script: str, options: tuple[str, ...], lines: int) -> None:
    """Each prints a table with a line for what it measured, and writes the same as JSON."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options, "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == lines + 2
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found) == lines
    assert all(value > 0 for line in found for name, value in line.items() if name.endswith(("_ms", "_us_per_test")))


def test_memory_of_a_process_is_its_own(tmp_path: Path) -> None:
    """A sender counts with what it needed itself, however large the session was that started it."""
    command = [sys.executable, str(ROOT / "benchmarks" / "measured.py"), str(tmp_path / "output")]
    done = subprocess.run(
        [*command, sys.executable, "-c", LARGE], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    cost = json.loads(done.stdout)
    assert cost["exit"] == 0, (tmp_path / "output").read_text()
    assert cost["peak_bytes"] > 200_000_000
    assert 50_000_000 < cost["others_peak_bytes"] < 100_000_000
