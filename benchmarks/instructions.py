"""What reporting costs in instructions, which are the same to a percent on any machine, however busy it is.

    python benchmarks/instructions.py
    python benchmarks/instructions.py 1d8b5ffb HEAD --only "ours: embedded store"

The commits are measured one after the other; without any it is the working tree, ``.``, which must not change then.

Each session runs in two sizes under valgrind's cachegrind; the instructions of all its processes are counted, those of
the sender and of git included, the server's not. The difference of the sizes gives what a test costs, what is left is
the session. Both are what a way adds to bare pytest. Of the second suite every twentieth test fails, by an assert that
compares two dicts: a failed test costs what that suite adds, less what its passed tests do.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import cost
import loads
import weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cost import Contender

SUITES: Final = ("trivial", "failing")
WAYS: Final = ("bare", "junitxml", "ours: server", "ours: embedded store")
ONE_IN: Final = 20  # tests of the suite `failing` fail


SLOW: Final = {"batch_age": 250, "poll": 2.5, "request": 600, "findings": 600, "exit_all": 3600, "exit_progress": 3600}
"""The sender's seconds: under valgrind all takes about fifty times as long as otherwise."""


class Count(NamedTuple):
    """Instructions of one session: of pytest's own process, and of all others together."""

    own: int
    others: int

    def __sub__(self, other: Count) -> Count:
        return Count(self.own - other.own, self.others - other.others)

    @property
    def all(self) -> int:
        """The instructions of all processes."""
        return self.own + self.others


def counted(contender: Contender, suite: str, tests: int) -> Count:
    """Run a session under cachegrind and return its instructions."""
    with tempfile.TemporaryDirectory() as name, cost.sink() as address:
        folder = Path(name)
        loads.write(suite, folder / "suite", tests)
        under: tuple[str, ...] = ("valgrind", "--quiet", "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes")
        under = (*under, f"--cachegrind-out-file={folder}/%p.counted")
        variables = {"PYTHONHASHSEED": "0", "_AUTOMATION_REPORT_LIMITS": json.dumps(SLOW)}
        cost.run(contender, folder / "suite", address, under=under, **variables)
        own = others = 0
        for file in folder.glob("*.counted"):
            text = file.read_text(encoding="utf-8", errors="replace")
            # A process that is killed while it writes its file has no summary, such as a git that took too long.
            number = sum(map(int, re.findall(r"^summary: (\d+)", text, re.MULTILINE)))
            if re.search("^cmd: .* -m pytest ", text, re.MULTILINE):
                own += number
            else:
                others += number
        return Count(own, others)


def row(name: str, found: Mapping[tuple[str, int], Count], bare: Mapping[tuple[str, int], Count]) -> dict[str, object]:
    """Return one line of the table: what one way adds to bare pytest."""
    added = {key: count - bare[key] for key, count in found.items()}
    small, large = sorted({size for _, size in added})
    test = {suite: added[suite, large] - added[suite, small] for suite in SUITES}
    passed, mixed = (each.all / (large - small) for each in test.values())
    return {
        "way": name,
        "a passed test": round(passed),
        "in pytest's process": round(test["trivial"].own / (large - small)),
        "a test, 5 % fail": round(mixed),
        "of it in pytest's process": round(test["failing"].own / (large - small)),
        "a failed test": round((mixed - passed) * ONE_IN + passed),
        "a session": round(added["trivial", small].all - passed * small),
        "of it in pytest's": round(added["trivial", small].own - test["trivial"].own / (large - small) * small),
    }


def measured(ways: Sequence[Contender], sizes: tuple[int, int]) -> dict[str, dict[tuple[str, int], Count]]:
    """Run each way with each suite in both sizes, two sessions at a time."""
    jobs = [(way, suite, size) for way in ways for suite in SUITES for size in sizes]
    with ThreadPoolExecutor(2) as pool:
        counts = pool.map(lambda job: counted(*job), jobs)
        found: dict[str, dict[tuple[str, int], Count]] = {way.name: {} for way in ways}
        for (way, suite, size), count in zip(jobs, counts, strict=True):
            found[way.name][suite, size] = count
    return found


def main() -> None:
    """Print the table, and write it as JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", default=["."], help="what to measure; . is the working tree")
    parser.add_argument("--sizes", default="400,1400", help="numbers of tests of the two sizes, hundreds")
    parser.add_argument("--only", default=",".join(WAYS), help="which ways beside bare pytest, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to this file, too")
    given = parser.parse_args()
    only = set(given.only.split(","))
    if (unknown := sorted(only.difference(WAYS))) or only <= {"bare"}:
        parser.error(f"--only: {', '.join(unknown) or 'bare'}: name some of {', '.join(WAYS[1:])}")
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed: apt-get install valgrind")
    small, large = map(int, given.sizes.split(","))
    ways = [way for way in cost.CONTENDERS if way.name in {"bare", *only}]
    cost.compile_all([place for name in cost.DEPENDENCIES if (place := cost.place_of(name))])
    with ExitStack() as folders:
        ours = [way for way in ways if way.plugins]
        ways = [way for way in ways if not way.plugins]
        for commit in given.commits:
            folder = weight.at_commit(commit, Path(folders.enter_context(tempfile.TemporaryDirectory())))
            cost.compile_all([folder / cost.PACKAGE.name])
            ways += [replace(way, name=f"{way.name}, {commit}", folder=str(folder)) for way in ours]
        found = measured(ways, (small, large))
    rows = [row(name, counts, found["bare"]) for name, counts in found.items() if name != "bare"]
    print(f"| {' | '.join(rows[0])} |\n|{' --- |' * len(rows[0])}")
    for each in rows:
        print(f"| {' | '.join(f'{value:,}' if isinstance(value, int) else str(value) for value in each.values())} |")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    sys.exit(main())
