import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from support.projects import Project
from support.repository import ROOT
from support.sessions import run, session_environment

LARGE = """
import subprocess, sys
held = b"x" * 200_000_000
subprocess.Popen([sys.executable, "-c", "import time; held = b'x' * 50_000_000; time.sleep(0.3)"])
"""


def ran(folder: Path, script: str, *options: str) -> tuple[str, Any]:
    """Run a benchmark; return what it printed, and what it wrote as JSON."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options, "--json", str(folder / "found.json")]
    printed = run(command, folder, os.environ, exits=0).out
    return printed, json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize(
    ("script", "options", "lines"),
    [
        ("store.py", ("--results", "1000"), 1),
        ("store.py", ("--results", "1000", "--suite", "500"), 1),
        ("pages.py", ("--tests", "500", "--threads", "20"), 32),
        ("joining.py", ("--jobs", "15"), 2),
        ("one_file.py", ("--tests", "200", "--runs", "2", "--rounds", "1"), 6),
        ("weight.py", (".",), 13),
    ],
)
def test_benchmarks_run(tmp_path: Path, script: str, options: tuple[str, ...], lines: int) -> None:
    """Each prints a table with a line for what it measured, and writes the same as JSON."""
    printed, found = ran(tmp_path, script, *options)
    assert (len(printed.splitlines()), len(found)) == (lines + 2, lines)
    assert all(
        value > 0 for line in found for name, value in line.items() if name.endswith(("_ms", "_us_per_test", "bytes"))
    )


COUNTED = """
import json
from instructions import Count, row
bare = {("trivial", 400): Count(100, 0), ("trivial", 1400): Count(1100, 0),
        ("failing", 400): Count(100, 0), ("failing", 1400): Count(1100, 0)}
ours = {("trivial", 400): Count(1900, 3000), ("trivial", 1400): Count(4900, 8000),
        ("failing", 400): Count(2000, 3100), ("failing", 1400): Count(6000, 9100)}
print(json.dumps(row("ours", ours, bare)))
"""


def test_instructions_of_tests_and_sessions(tmp_path: Path) -> None:
    """What a test costs is the difference of two sizes beside bare pytest's; a session costs the rest of it."""
    printed = run(
        [sys.executable, "-c", COUNTED], tmp_path, {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}, exits=0
    )
    assert json.loads(printed.out) == {
        "way": "ours",
        "a passed test": 7,
        "in pytest's process": 2,
        "a test, 5 % fail": 9,
        "of it in pytest's process": 3,
        "a failed test": 47,
        "a session": 2000,
        "of it in pytest's": 1000,
    }


@pytest.mark.parametrize("only", ["embedded", "bare", "ours: server,embedded"])
def test_instructions_of_an_unknown_way(tmp_path: Path, only: str) -> None:
    """A name that is no way of reporting is refused before anything is measured, with the names that there are."""
    script = str(ROOT / "benchmarks" / "instructions.py")
    printed = run([sys.executable, script, "--only", only], tmp_path, os.environ, exits=2)
    assert (
        f"--only: {only.rsplit(',', maxsplit=1)[-1]}: name some of junitxml, ours: server, ours: embedded store"
        in printed.err
    )


def test_findings_are_right_in_worlds_whose_truth_is_known(tmp_path: Path) -> None:
    """Flaky tests: 98 % right and 80 % found in each world; slower tests: 0.5 % false alarms at most, 70 % of 2x seen.

    The same on another machine: hardly a test that waits is called slower or faster, and after some runs it is usual.
    """
    _, found = ran(tmp_path, "findings.py", "--tests", "1000", "--runs", "80")
    assert len({(row["world"], row["has_storms"]) for row in found["flaky"]}) == 8
    assert [row for row in found["flaky"] if row["precision"] < 0.98 or row["recall"] < 0.8] == []
    slower, moves = found["slower"], found["moves"]
    assert (slower["false alarms"] <= 0.005, slower["sees 2 times"] >= 0.7) == (True, True)
    for move in ("twice as fast", "half as fast"):
        assert (moves[f"{move}, alarms"] <= 0.02, moves[f"{move}, settled"] <= 12) == (True, True)


def test_memory_of_a_process_is_its_own(tmp_path: Path) -> None:
    """A sender counts with what it needed itself, however large the session was that started it."""
    command = [sys.executable, str(ROOT / "benchmarks" / "measured.py"), str(tmp_path / "output")]
    cost = json.loads(run([*command, sys.executable, "-c", LARGE], tmp_path, os.environ, exits=0).out)
    assert cost["exit"] == 0, (tmp_path / "output").read_text()
    assert cost["peak_bytes"] > 200_000_000
    assert 50_000_000 < cost["others_peak_bytes"] < 100_000_000


def test_injected_failures(tmp_path: Path) -> None:
    """The plugin of `injected_flakiness.py` lets the planned attempts of the planned tests fail, and no other."""
    project = Project(tmp_path / "project", "".join(f"def test_{name}():\n    pass\n\n" for name in "abcd"))
    project.write("other/test_other.py", "raise SystemExit")
    shutil.copy(ROOT / "benchmarks" / "injected_failures.py", tmp_path)
    suite, failure = str(project.root / "test_suite.py"), {"type": "KeyError", "message": "planned"}
    selected = [f"test_suite.test_{name}" for name in "abc"]
    plan = {
        "collected": str(tmp_path / "collected.json"),
        "selected": selected,
        "files": [suite],
        "failures": {"test_suite.test_a": {"attempts": 1, **failure}, "test_suite.test_b": {"attempts": 9, **failure}},
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    env = session_environment(PYTHONPATH=str(tmp_path), INJECTED_FAILURES=str(tmp_path / "plan.json"))
    ran = project.pytest("-p", "injected_failures", "--reruns=1", env=env)
    assert "1 failed, 2 passed, 1 deselected, 2 rerun" in ran.out
    passed = json.loads((tmp_path / "collected.json").read_text())
    assert {test: file for test, (_, file) in passed.items()} == dict.fromkeys(selected[::2], suite)
