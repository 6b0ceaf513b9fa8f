"""Count tests that are called slower for Python's garbage collection: ``python benchmarks/garbage.py``.

A suite with a large heap is reported ``--sessions`` times (200) to an embedded store. Its tests never change; what is
changed, every few sessions, is the number of objects that its conftest makes, so that full collections fall into other
tests. Then one test takes 0.2 s longer, for three sessions. The claims of all sessions are counted twice: with the
pauses left out, as findings are, and once more in a copy of the store that knows no pauses.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.store import Store

TESTS = 30
SUITE = """
import os
import time
import pytest

HEAP = [[number] for number in range(int(os.environ["HEAP"]))]
KEPT = []

@pytest.mark.parametrize("number", range({tests}))
def test_work(number):
    KEPT.extend([number] for _ in range(40_000))
    end = time.perf_counter() + 0.01 + 0.02 * (number % 5)
    while time.perf_counter() < end:
        sum(range(1000))
    time.sleep(float(os.environ.get("SLOWER", 0)) if number == 7 else 0)
"""
CONFTEST = 'import os\nOTHER = [[number] for number in range(int(os.environ["SHIFT"]))]\n'
_NO_PAUSES = ("UPDATE result SET paused = NULL", "UPDATE run SET speed = NULL", "DELETE FROM run_document")


def report(folder: Path, **variables: str) -> None:
    """Report one session of the suite."""
    command = [sys.executable, "-m", "pytest", "-q", "--automation-report", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, check=True)


def claims(place: Path) -> list[list[str]]:
    """Return for each run of a store the tests that it calls slower or faster, with both durations."""
    with closing(Store(place)) as store:
        runs = [run_id for (run_id,) in store.read(lambda reader: reader.execute('SELECT "id" FROM "run" ORDER BY 1'))]
        found = [findings(store, run_id) for run_id in runs]
    return [
        [f"{each['name']} {each['elapsed'] / 1e6:.3f} s, {each['median'] / 1e6:.3f} s before"
         for each in (*document["slower"], *document["faster"])]
        for document in found
    ]  # fmt: skip


def main() -> None:
    """Report the sessions and print what was claimed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--heap", type=int, default=1_500_000)
    arguments = parser.parse_args()
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as made:
        folder, heap = Path(made), str(arguments.heap)
        (folder / "test_heap.py").write_text(SUITE.format(tests=TESTS))
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "pytest.ini").write_text("[pytest]\n")
        shift = "0"
        for _ in range(arguments.sessions):
            if chance.random() < 1 / 6:
                shift = str(chance.randrange(arguments.heap // 3))
            report(folder, HEAP=heap, SHIFT=shift)
        for _ in range(3):
            report(folder, HEAP=heap, SHIFT=shift, SLOWER="0.2")
        place = folder / ".automation-report" / "store.sqlite3"
        shutil.copy(place, folder / "copy.sqlite3")
        with closing(sqlite3.connect(folder / "copy.sqlite3")) as copy:
            for statement in _NO_PAUSES:
                copy.execute(statement)
            copy.commit()
        for name, found in (("pauses left out", claims(place)), ("with pauses", claims(folder / "copy.sqlite3"))):
            unchanged, planted = found[: arguments.sessions], found[arguments.sessions :]
            print(f"{name}: {sum(map(len, unchanged))} claims in {sum(map(bool, unchanged))} unchanged sessions")
            print(f"  the planted 0.2 s: {planted}")
            for number, run in enumerate(unchanged, 1):
                print(*(f"  session {number}: {claim}" for claim in run[:3]), sep="\n", end="\n" if run else "")


if __name__ == "__main__":
    main()
