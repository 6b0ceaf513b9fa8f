"""How often "flaky" is right on real packages' own tests, some of which are made to fail.

    python benchmarks/injected_flakiness.py --runs 30 --json injected.json [NAME ...]

Without names twelve packages are tried; each is downloaded from the package registry with its tests, and installed in a
separate environment (`tests/compatibility/real` has the list). Of a package that has many, up to 300 quick tests that
pass by themselves run, those of small files first. A small plugin lets some of them fail in a seeded way, in sessions
that report to an embedded store:

- flaky tests fail with a probability of 5, 15 or 30 % in each attempt;
- broken tests fail from one commit on, fixed ones during some commits, of which a part is mended by the next commit;
- in two runs there is an outage: of most tests, and of a part that fails for one reason.

In the world "once" each run has a new commit and each test one attempt. In the world "again" 30 % of the runs repeat
the commit of the run before, and in a third of the runs a test that failed gets a second attempt.

After each fifth run `automation-report flaky --json` is compared with the truth, as a user would who looks now and
then. ``precision``: of the tests that were called flaky the share that is. ``recall``: of the flaky tests that have
shown it (by failing in two runs at least, outages left out, or by passing after a failed attempt) the share that was
called so. ``all``: of the flaky tests that failed at all. ``suspect``: of those that were not called flaky, the tests
that were called suspect.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from compatibility.real.packages import PACKAGES, Package  # noqa: E402 - a script finds its modules by the line above
from compatibility.real.workplace import Place, UnavailableError, default_cache, prepare  # noqa: E402 - found by the path that is set above
from support.sessions import clean_environment  # noqa: E402 - found by the path that is set above

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES: Final = (
    "idna", "responses", "freezegun", "requests-mock", "jinja2", "click", "more-itertools", "toolz", "pluggy", "attrs",
    "werkzeug", "packaging",
)  # fmt: skip
MOST_TESTS: Final = 300
SLOW_SECONDS: Final = 0.2
RATES: Final = (0.05, 0.15, 0.3)
REPEATED: Final = 0.3
RERUN_EVERY: Final = 3
LOOKED_EVERY: Final = 5
STORM_SHARE: Final = 0.7
"""Share of the tests that an outage of the whole suite lets fail."""
PART_OF_STORM: Final = 25
"""Most tests that an outage of a part lets fail."""
BROKEN_RUNS: Final = 4
"""A broken test breaks so many runs before the end at least."""
TIMEOUT_SHARE: Final = 0.3
"""Share of the failures of flaky tests whose message names no test, as of a slow service."""
LIMIT_SECONDS: Final = 600
WORLDS: Final = ("once", "again")


@dataclass
class Truth:
    """Which tests of a package are made to fail, and when: flaky ones by their rate, others by (first, last) commit."""

    flaky: dict[str, float] = field(default_factory=dict)
    broken: dict[str, tuple[int, int]] = field(default_factory=dict)
    fixed: dict[str, tuple[int, int]] = field(default_factory=dict)
    storms: dict[int, list[str]] = field(default_factory=dict)
    """Tests that an outage lets fail, by run."""

    def regressions(self, commit: int) -> Iterable[str]:
        """Return the tests that this commit has broken."""
        return [test for test, (first, last) in (self.broken | self.fixed).items() if first <= commit <= last]


@dataclass(frozen=True)
class Row:
    """One package in one world; counts of tests."""

    package: str
    world: str
    tests: int
    runs: int
    injected: int
    failed: int
    shown: int
    called: int
    right: int
    right_shown: int
    suspect: int
    broken_called: list[str]
    others_called: list[str]
    missed: dict[str, str]
    """Outcomes of the flaky tests that have shown it and were not called flaky."""


class History:
    """The sessions of one package in one world, and what was called flaky after them."""

    def __init__(self, package: Package, place: Place, work: Path, *, world: str, runs: int, seed: int) -> None:
        self.package, self.place, self.work, self.world, self.runs = package, place, work, world, runs
        self.chance = random.Random(f"{package.name} {world} {seed}")
        self.tree = place.fresh(work / "tree")
        self.plugins = work / "plugins"
        self.plugins.mkdir()
        shutil.copy(Path(__file__).with_name("injected_failures.py"), self.plugins)
        (self.tree / ".gitignore").write_text("*\n")
        shutil.rmtree(self.tree / ".git", ignore_errors=True)
        self._git("init", "--quiet", "--initial-branch", "main")
        self.commit = 0
        self.files: list[str] = []
        self.outcomes: dict[str, list[str]] = {}
        self.called: set[str] = set()
        self.suspect: set[str] = set()

    def played(self) -> Row:
        """Run all sessions and compare."""
        selected = self._selected()
        truth = self._truth(selected)
        for run in range(1, self.runs + 1):
            if run == 1 or self.world == "once" or self.chance.random() >= REPEATED:
                self.commit += 1
                self._git("commit", "--quiet", "--allow-empty", "--message", f"commit {self.commit}")
            has_rerun = self.world == "again" and run % RERUN_EVERY == 0
            failures = self._failures(truth, run, has_rerun=has_rerun)
            self._session(selected, failures, has_rerun=has_rerun)
            if run % LOOKED_EVERY == 0 or run == self.runs:
                self._look()
        return self._row(selected, truth)

    def _selected(self) -> list[str]:
        """Return the tests that pass by themselves and quickly, at most 300."""
        collected = self.work / "collected.json"
        self._pytest(
            {"collected": str(collected), "selected": None, "files": None, "failures": {}}, "-p", "no:automation-report"
        )
        if not collected.exists():
            message = "its session has not come to its end"
            raise UnavailableError(message)
        found: dict[str, tuple[float, str]] = json.loads(collected.read_text())
        quick = {test: file for test, (seconds, file) in found.items() if seconds <= SLOW_SECONDS}
        sizes = Counter(quick.values())
        selected = sorted(quick, key=lambda test: (sizes[quick[test]], quick[test]))[:MOST_TESTS]
        self.files = sorted({quick[test] for test in selected})
        return selected

    def _truth(self, tests: Sequence[str]) -> Truth:
        size = max(1, min(4, len(tests) // 30))
        chosen = iter(self.chance.sample(list(tests), min(len(tests), 6 * size)))
        truth = Truth()
        for rate in RATES:
            truth.flaky |= {next(chosen): rate for _ in range(size)}
        commits = self.runs if self.world == "once" else round(self.runs * (1 - REPEATED))
        for _ in range(size):
            first = self.chance.randint(2, commits - BROKEN_RUNS)
            truth.broken[next(chosen)] = (first, self.runs)
        for number in range(size):
            first = self.chance.randint(2, commits - BROKEN_RUNS)
            truth.fixed[next(chosen)] = (first, first + (0 if number % 2 else self.chance.randint(1, 5)))
        whole, part = self.chance.sample(range(3, self.runs), 2)
        truth.storms[whole] = self.chance.sample(list(tests), round(len(tests) * STORM_SHARE))
        truth.storms[part] = self.chance.sample(list(tests), min(PART_OF_STORM, len(tests) // 3))
        return truth

    def _failures(self, truth: Truth, run: int, *, has_rerun: bool) -> dict[str, Any]:
        """Return the failures of a run, and note the outcome of each test that they concern."""
        always = 10
        failures: dict[str, Any] = {}
        for test, rate in truth.flaky.items():
            attempts = 0
            while attempts <= has_rerun and self.chance.random() < rate:
                attempts += 1
            if attempts:
                failures[test] = self._failure(test, attempts, is_timeout=self.chance.random() < TIMEOUT_SHARE)
        for test in truth.regressions(self.commit):
            failures[test] = self._failure(test, always, is_timeout=False)
        storm = truth.storms.get(run, [])
        for test in storm:
            failures[test] = {"attempts": always, "type": "TimeoutError", "message": f"no database after {run} s"}
        for test in truth.flaky:
            attempts = failures[test]["attempts"] if test in failures else 0
            letter = "w" if test in storm else "f" if attempts > has_rerun else "r" if attempts else "p"
            self.outcomes.setdefault(test, []).append(letter)
        return failures

    def _failure(self, test: str, attempts: int, *, is_timeout: bool) -> dict[str, Any]:
        if is_timeout:
            seconds = self.chance.uniform(1, 9)
            return {"attempts": attempts, "type": "TimeoutError", "message": f"no answer within {seconds:.2f} s"}
        found = self.chance.randrange(100)
        message = f"{test.rpartition('.')[2]} found {found} of {found + 1} entries"
        return {"attempts": attempts, "type": "AssertionError", "message": message}

    def _session(self, selected: Sequence[str], failures: dict[str, Any], *, has_rerun: bool) -> None:
        self._pytest(
            {"collected": None, "selected": selected, "files": self.files, "failures": failures},
            "--automation-report",
            f"--automation-report-database={self._store}",
            "--automation-report-source=suite",
            "-oautomation_report_exit_wait=600",
            *(["--reruns=1"] if has_rerun else []),
        )

    @property
    def _store(self) -> Path:
        return self.work / "store.sqlite3"

    def _environment(self) -> dict[str, str]:
        environment = clean_environment(PYTHONPATH=str(self.plugins))
        environment.pop("PYTEST_ADDOPTS")  # as in the compatibility tests: some packages' tests use Hypothesis
        environment["PATH"] = f"{self.place.python.parent}{os.pathsep}{environment['PATH']}"
        return environment

    def _pytest(self, plan: dict[str, Any], *arguments: str) -> None:
        path = self.work / "plan.json"
        path.write_text(json.dumps(plan))
        command = [str(self.place.python), "-m", "pytest", "-p", "injected_failures", "-p", "no:cacheprovider", "-q"]
        done = subprocess.run(
            [*command, *self.package.arguments, *arguments],
            cwd=self.tree,
            env={**self._environment(), "INJECTED_FAILURES": str(path)},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        if done.returncode not in {0, 1}:
            message = f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}"
            raise UnavailableError(message)

    def _git(self, *arguments: str) -> None:
        who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=self.tree, check=True, capture_output=True)

    def _look(self) -> None:
        """Read which tests the console command calls flaky."""
        command = self.place.python.with_name("automation-report")
        done = subprocess.run(
            [str(command), "flaky", "--json", "--source", "suite", "--branch", "main", "--database", str(self._store)],
            cwd=self.tree,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=True,
        )
        for test in json.loads(done.stdout)["tests"]:
            address = f"{test['folder']}.{test['name']}" if test["folder"] else test["name"]
            if test["state"] == "flaky":
                self.called.add(address)
            elif test["state"] == "suspect":
                self.suspect.add(address)

    def _row(self, selected: Sequence[str], truth: Truth) -> Row:
        failed = {test for test in truth.flaky if {"f", "r"} & {*self.outcomes[test]}}
        shown = {test for test in failed if self.outcomes[test].count("f") > 1 or "r" in self.outcomes[test]}
        others = self.called - truth.flaky.keys() - truth.broken.keys() - truth.fixed.keys()
        return Row(
            self.package.name,
            self.world,
            len(selected),
            self.runs,
            len(truth.flaky),
            len(failed),
            len(shown),
            len(self.called),
            len(self.called & truth.flaky.keys()),
            len(self.called & shown),
            len((failed - self.called) & self.suspect),
            sorted(self.called & (truth.broken.keys() | truth.fixed.keys())),
            sorted(others),
            {test: "".join(self.outcomes[test]) for test in sorted(shown - self.called)},
        )


def row_of(package: Package, cache: Path, *, world: str, runs: int, seed: int) -> Row:
    """Play one package in one world; raise `UnavailableError` if it cannot be had, or its tests do not run."""
    place = prepare(package, cache)
    if package.name != "pytest-rerunfailures":
        pip = [str(place.python), "-m", "pip", "install", "--quiet", "pytest-rerunfailures"]
        subprocess.run(pip, check=True, capture_output=True)
    with tempfile.TemporaryDirectory(prefix="injected-") as work:
        return History(package, place, Path(work), world=world, runs=runs, seed=seed).played()


def line_of(row: Row) -> str:
    """Return a line of the table."""
    shares = [_share(row.right, row.called), _share(row.right_shown, row.shown), _share(row.right, row.failed)]
    counts = (row.tests, row.runs, row.injected, row.failed, row.shown, row.called, row.right, len(row.broken_called))
    columns = "".join(f"{count:>9}" for count in (*counts, len(row.others_called), *shares, row.suspect))
    return f"{row.package:16} {row.world:6}{columns}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _sum(rows: Sequence[Row], world: str) -> Row:
    """Return the rows of a world as one."""
    chosen = [row for row in rows if row.world == world]
    return Row(
        package="all",
        world=world,
        tests=sum(row.tests for row in chosen),
        runs=sum(row.runs for row in chosen),
        injected=sum(row.injected for row in chosen),
        failed=sum(row.failed for row in chosen),
        shown=sum(row.shown for row in chosen),
        called=sum(row.called for row in chosen),
        right=sum(row.right for row in chosen),
        right_shown=sum(row.right_shown for row in chosen),
        suspect=sum(row.suspect for row in chosen),
        broken_called=[test for row in chosen for test in row.broken_called],
        others_called=[test for row in chosen for test in row.others_called],
        missed={test: outcomes for row in chosen for test, outcomes in row.missed.items()},
    )


def main() -> int:
    """Print a row for each package and world as it ends, and their sums; return 1 if a package cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder for packages and environments")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = arguments.names or NAMES
    titles = ("tests", "runs", "flaky", "failed", "shown", "called", "right", "broken", "others")
    columns = "".join(f"{title:>9}" for title in (*titles, "precision", "recall", "all", "suspect"))
    print(f"{'package':16} {'world':6}{columns}")
    rows: list[Row] = []
    missing = 0
    for package in (package for package in PACKAGES if package.name in names):
        for world in arguments.worlds:
            try:
                rows.append(row_of(package, arguments.cache, world=world, runs=arguments.runs, seed=arguments.seed))
                print(line_of(rows[-1]), flush=True)
            except UnavailableError as error:
                missing += 1
                print(f"{package.name:16} {world:6} cannot be tried: {error}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    for world in arguments.worlds:
        print(line_of(_sum(rows, world)))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
