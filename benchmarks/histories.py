"""What is said of the real history of a package: how many statements are wrong, by kind.

    python benchmarks/histories.py CLONE [--commits 40] [--python python3.13] [--needs freezegun] [--json said.json]

CLONE is a git repository whose tests run with pytest. Nothing is changed in it: its newest commits that touch Python
files are made again in a scratch clone, where every second one that has tests and source comes as two, its tests first.
The plugin is installed in a scratch environment with the package and what its tests need (``--needs``, for pip), and
each commit's session is reported to an embedded store as a user's is. On top of the history come planted ones (see
`Planted`): failures, a renamed file, one more value of a parameter, tests that are left out, Ctrl-C, a part, commits
without sessions, an old checkout, a flaky test, a slow one; and with a second ``--python`` sessions of both in turn.

After each session ``run findings --json``, ``failures --format json``, ``gate`` and pytest's own summary are compared
with the truth, which `history_recorder.py` writes down and `history_truth.py` judges. The table has for each kind of
statement how many were checked and how many were wrong; those are listed below it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from history_truth import Address, Git, Session, Statement, Truth, address_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.sessions import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PROJECT: Final = Path(__file__).parents[1]
LIMIT_SECONDS: Final = 600
ALONE: Final = 5
"""How often a test runs alone to learn how long it takes."""
SOURCE: Final = "history"
LISTED: Final = 2
"""Most wrong statements of a kind that are printed of sessions with one label."""
WORLDS: Final = ("history", "planted", "pythons")
PLANTED: Final = """\
import os
import time

import pytest

SECONDS = 0.02


@pytest.mark.parametrize("value", [[number] for number in range(12)])
def test_value(value):
    assert value


@pytest.mark.parametrize("number", range(5))
def test_number(number):
    assert number < 3, "planted"


def test_broken():
    assert os.sep == "planted"


def test_fine():
    assert os.sep


def test_old_python():
    assert sys.version_info < (3, 12), "planted"


def test_wobbles():
    assert "HISTORY_WOBBLE" not in os.environ


def test_slow():
    time.sleep(SECONDS)
"""
AUTHORS: Final = ("Ada", "Grace", "Edsger")


class NotReplayedError(Exception):
    """The clone cannot be replayed; the message says why."""


@dataclass(frozen=True)
class Step:
    """A commit that gets a session."""

    commit: str
    label: str
    is_on_main: bool = True


class Environment:
    """A scratch environment of one Python, with the plugin, the package of the tree and what its tests need."""

    def __init__(self, interpreter: str, folder: Path, tree: Path, needs: Sequence[str]) -> None:
        self.python = folder / "bin" / "python"
        if not self.python.exists():
            subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "pytest", *needs, str(PROJECT)], check=True)
        subprocess.run([*pip, "--force-reinstall", "--no-deps", str(PROJECT)], check=True)
        subprocess.run([*pip, "--editable", str(tree)], check=True)
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        self.version = subprocess.run(
            [str(self.python), "-c", version], check=True, capture_output=True, text=True
        ).stdout.strip()


class History:
    """The history of a clone, made again commit by commit."""

    def __init__(self, clone: Path, tree: Path) -> None:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(clone), str(tree)], check=True)
        self.git = Git(tree)
        self.made: dict[str, str] = {}
        self.tip = self.git("rev-parse", "HEAD")

    def steps(self, commits: int) -> list[Step]:
        """Make the newest commits again, tests first where both are touched, and return those that get a session."""
        line = self.git("rev-list", "--first-parent", "--min-parents=1", self.tip).split()
        chosen = list(islice((commit for commit in line if any(map(_is_python, self._touched(commit)))), commits))
        if not chosen:
            message = f"{self.git.folder}: no commit touches a Python file"
            raise NotReplayedError(message)
        first = chosen[-1]
        onward = self.git("rev-list", "--topo-order", "--reverse", f"{first}..{self.tip}").split()
        steps = [Step(first, "history")]
        both = 0
        for commit in onward:
            parents = [self.made.get(parent, parent) for parent in self.git("rev-parse", f"{commit}^@").split()]
            touched = [path for path in self._touched(commit) if _is_python(path)] if commit in chosen else []
            if any(map(_is_test, touched)) and not all(map(_is_test, touched)):
                both += 1
                if both % 2:
                    early = self._tests_first(commit, parents[0])
                    steps.append(Step(early, "tests first"))
                    parents[0] = early
            self.made[commit] = self._again(commit, parents)
            if commit in chosen:
                steps.append(Step(self.made[commit], "history"))
        return steps

    def _touched(self, commit: str) -> list[str]:
        return self.git.known("diff", "--name-only", "--no-renames", f"{commit}^1", commit).splitlines()

    def _again(self, commit: str, parents: Iterable[str]) -> str:
        name, email, date, text = self.git("log", "-1", "--format=%an%n%ae%n%aI%n%s", commit).split("\n", 3)
        return self.commit(f"{commit}^{{tree}}", parents, (name, email, date), text)

    def _tests_first(self, commit: str, parent: str) -> str:
        self.git("read-tree", f"{parent}^{{tree}}", env=self._index)
        for path in filter(_is_test, self._touched(commit)):
            entry = self.git("ls-tree", commit, "--", path).split()
            change = ["--add", "--cacheinfo", f"{entry[0]},{entry[2]},{path}"] if entry else ["--force-remove", path]
            self.git("update-index", *change, env=self._index)
        tree = self.git("write-tree", env=self._index)
        name, email, date = self.git("log", "-1", "--format=%an%n%ae%n%aI", commit).split("\n")
        return self.commit(tree, [parent], (name, email, date), "Tests first")

    @property
    def _index(self) -> dict[str, str]:
        return {**os.environ, "GIT_INDEX_FILE": str(self.git.folder / ".git" / "history-index")}

    def commit(self, tree: str, parents: Iterable[str], author: tuple[str, str, str], text: str) -> str:
        """Make a commit without touching the files; return its id."""
        name, email, date = author
        who = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": date}
        who |= {"GIT_COMMITTER_NAME": "history", "GIT_COMMITTER_EMAIL": "history@localhost"}
        arguments = [word for parent in parents for word in ("-p", parent)]
        return self.git("commit-tree", tree, *arguments, "-m", text or "-", env={**os.environ, **who})

    def check_out(self, step: Step) -> None:
        """Have the files of a step, on the branch main or detached."""
        self.git("checkout", "--quiet", "--force", *(["-B", "main"] if step.is_on_main else ["--detach"]), step.commit)
        self.git("clean", "--quiet", "--force", "-d")


def _is_python(path: str) -> bool:
    return path.endswith(".py")


def _is_test(path: str) -> bool:
    return _is_python(path) and any(part in {"tests", "test", "testing"} for part in path.split("/")[:-1])


class Replay:
    """The sessions of a clone and what was said of them."""

    def __init__(self, clone: Path, work: Path, arguments: argparse.Namespace) -> None:
        self.work, self.arguments = work, arguments
        self.store = work / "store.sqlite3"
        self.plugins = work / "plugins"
        self.plugins.mkdir()
        shutil.copy(Path(__file__).with_name("history_recorder.py"), self.plugins)
        self.history = History(clone.resolve(), work / "tree")
        self.environments = [
            Environment(python, arguments.environments / f"{number}-{Path(python).name}", self.tree, arguments.needs)
            for number, python in enumerate(arguments.python)
        ]
        self.truth = Truth(self.history.git, self.alone)
        self._alone: dict[tuple[str, Address], float] = {}

    @property
    def tree(self) -> Path:
        """The files that are tested."""
        return self.history.git.folder

    def play(self) -> None:
        """Replay all that was asked for."""
        steps = self.history.steps(self.arguments.commits)
        if "history" in self.arguments.worlds:
            for step in steps:
                self.session(step)
        else:
            self.session(steps[-1])
        if "planted" in self.arguments.worlds:
            Planted(self, steps[-1].commit).play()
        if "pythons" in self.arguments.worlds and len(self.environments) > 1:
            step = Step(self.truth.now.commit, "another Python")
            for number in (1, 0, 1, 0):
                self.session(step, python=number)

    def session(self, step: Step, *options: str, python: int = 0, **variables: str) -> None:
        """Run a session of a step and compare what is said of it."""
        self.history.check_out(step)
        environment = self.environments[python]
        begun = time.perf_counter()
        reported = ("--automation-report", f"--automation-report-database={self.store}")
        summary = self.pytest(environment, *reported, f"--automation-report-source={SOURCE}", *options, **variables)
        record = json.loads((self.work / "record.json").read_text())
        took = time.perf_counter() - begun
        findings, failures = self.asked("run", "findings", "--json"), self.asked("failures", "--format", "json")
        gate = self.command("gate").returncode
        label = f"{step.label}, {step.commit[:9]}, {environment.version}"
        branch = "main" if step.is_on_main else ""
        session = Session(
            findings["run"], label, step.commit, environment.version, branch, "-k" in options, record, summary
        )
        found = self.truth.add(session, findings, failures, gate)
        wrong = sum(not statement.is_right for statement in found)
        tests = Counter(session.states.values())
        counts = f"{tests['passed']:>6} passed {tests['failed']:>4} failed"
        print(
            f"run {session.run:>3} {label:45} {took:>5.1f} s {counts} {len(found):>5} statements {wrong:>4} wrong",
            flush=True,
        )
        if self.arguments.verbose:
            print(*listed(statement for statement in found if not statement.is_right), sep="\n", flush=True)

    def pytest(self, environment: Environment, *arguments: str, **variables: str) -> str:
        """Run a session in the tree, recorded; return its output."""
        record = self.work / "record.json"
        record.unlink(missing_ok=True)
        command = [str(environment.python), "-m", "pytest", "-p", "history_recorder", "-p", "no:cacheprovider"]
        command += ["-p", "no:randomly", *self.arguments.arguments, *arguments]
        more = {"PYTHONPATH": str(self.plugins), "HISTORY_RECORD": str(record), **variables}
        done = self._run(command, environment, more)
        if not record.exists():
            message = f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}"
            raise NotReplayedError(message)
        return done.stdout

    def _run(
        self, command: Sequence[str], environment: Environment, more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        variables = clean_environment(**more)
        variables.pop("PYTEST_ADDOPTS")
        variables["PATH"] = f"{environment.python.parent}{os.pathsep}{variables['PATH']}"
        return subprocess.run(
            command, cwd=self.tree, env=variables, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the console command about the newest run."""
        newest = ("--database", str(self.store), "--source", SOURCE, "--facts", "none")
        command = [str(self.environments[0].python.with_name("automation-report")), *words, *newest]
        return self._run(command, self.environments[0], {})

    def asked(self, *words: str) -> dict[str, Any]:
        """Return what a command says of the newest run."""
        done = self.command(*words)
        if done.returncode:
            message = f"automation-report {' '.join(words)} ended with {done.returncode}: {done.stderr}"
            raise NotReplayedError(message)
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def alone(self, commit: str, test: Address, session: Session) -> float:
        """Return how many seconds a test takes alone at a commit, the median of some sessions that are not reported."""
        if (commit, test) not in self._alone:
            nodeid = next(name for name in session.record["tests"] if address_of(name) == test)
            self.history.check_out(Step(commit, "alone", is_on_main=False))
            found = []
            for _ in range(ALONE):
                self.pytest(self._of(session), "-p", "no:automation-report", nodeid)
                tests = json.loads((self.work / "record.json").read_text())["tests"]
                found += [each["seconds"] for each in tests.values()]
            self._alone[commit, test] = statistics.median(found) if found else 0.0
            self.history.check_out(Step(session.commit, "back", is_on_main=bool(session.branch)))
        return self._alone[commit, test]

    def _of(self, session: Session) -> Environment:
        return next(each for each in self.environments if each.version == session.python)


class Planted:
    """What happens on top of a history; each method is one story with the sessions that tell it."""

    def __init__(self, replay: Replay, commit: str) -> None:
        self.replay, self.git, self.tip = replay, replay.history.git, commit
        self.chance = random.Random(7)
        tests = [Path(path) for path in self.git("ls-tree", "-r", "--name-only", commit).splitlines() if _is_test(path)]
        texts = {path: self.git("show", f"{commit}:{path}") for path in tests}
        # A module that others import is not renamed by `git mv` alone.
        alone = [path for path in tests if not any(path.stem in text for file, text in texts.items() if file != path)]
        sizes = {path: len(texts[path]) for path in alone if path.name.startswith("test_")}
        if not sizes:
            message = f"{commit}: no file test_*.py in a folder of tests"
            raise NotReplayedError(message)
        self.largest = max(sizes, key=lambda path: sizes[path])
        self.file = self.largest.with_name("test_planted_by_history.py")
        self.commits = 0

    def play(self) -> None:
        """Tell all stories."""
        self.failures()
        self.flaky()
        self.renamed()
        self.one_more_value()
        self.left_out()
        self.interrupted()
        self.part()
        self.without_sessions()
        self.old_checkout()
        self.back()
        self.absent()
        self.slower()
        self.real_file()

    def change(self, label: str, changes: Mapping[Path, str | None]) -> Step:
        """Commit files with these texts, None for a removed one; return the commit as a step."""
        self.replay.history.check_out(Step(self.tip, label))
        for path, text in changes.items():
            place = self.replay.tree / path
            if text is None:
                place.unlink()
            else:
                place.write_text(text)
        self.git("add", "--all", "--force", *map(str, changes))
        return self._committed(label)

    def _committed(self, label: str) -> Step:
        name = AUTHORS[self.commits % len(AUTHORS)]
        date = f"2030-01-01T00:{self.commits:02}:00+00:00"
        self.commits += 1
        tree = self.git("write-tree")
        self.tip = self.replay.history.commit(tree, [self.tip], (name, f"{name}@localhost", date), label)
        return Step(self.tip, label)

    def text(self, *changes: tuple[str, str]) -> str:
        """Return the planted file's text with some parts replaced."""
        self.replay.history.check_out(Step(self.tip, "read"))
        text = (self.replay.tree / self.file).read_text()
        for old, new in changes:
            if old not in text:
                message = f"the planted file has no {old!r}"
                raise NotReplayedError(message)
            text = text.replace(old, new)
        return text

    def nothing(self, label: str) -> Step:
        """Commit something that no test looks at."""
        return self.change(label, {Path("HISTORY.planted"): f"{self.commits}\n"})

    def failures(self) -> None:
        """Add tests that fail, and go on to fail."""
        self.replay.session(self.change("planted failures", {self.file: PLANTED}))
        self.replay.session(self.nothing("failing still"))

    def flaky(self) -> None:
        """Let a test fail and pass with the same files."""
        step = self.nothing("flaky")
        self.replay.session(step, HISTORY_WOBBLE="1")
        self.replay.session(step)

    def renamed(self) -> None:
        """Rename the file of failing tests."""
        text, old = self.text(), self.file
        self.file = old.with_name("test_renamed_by_history.py")
        self.replay.session(self.change("git mv", {old: None, self.file: text}))

    def one_more_value(self) -> None:
        """Add a value at the beginning of a list of parameters, which shifts pytest's ids; then take two away."""
        more = ("[[number] for number in range(12)]", "[[99], *([number] for number in range(12))]")
        self.replay.session(self.change("one more value", {self.file: self.text(more)}))
        less = (more[1], "[[number] for number in range(1, 12)]")
        self.replay.session(self.change("two values less", {self.file: self.text(less)}))

    def left_out(self) -> None:
        """Deselect each third test, then each second, then none."""
        self.replay.session(self.nothing("left out"), HISTORY_DESELECT="3")
        self.replay.session(self.nothing("left out again"), HISTORY_DESELECT="2")
        self.replay.session(self.nothing("all of them"))

    def interrupted(self) -> None:
        """Interrupt three tests before the end, and in the middle; all run after either."""
        collected = len(self.replay.truth.now.collected)
        self.replay.session(self.nothing("Ctrl-C near the end"), HISTORY_INTERRUPT=str(collected - 3))
        self.replay.session(self.nothing("whole after Ctrl-C"))
        self.replay.session(self.nothing("Ctrl-C"), HISTORY_INTERRUPT=str(collected // 2))
        self.replay.session(self.nothing("whole after Ctrl-C"))

    def part(self) -> None:
        """Break a test that a part of the suite has first."""
        breaks = ("assert os.sep\n", "assert not os.sep\n")
        self.replay.session(self.change("broken, -k", {self.file: self.text(breaks)}), "-k", "by_history")
        self.replay.session(self.nothing("broken, whole"))
        self.replay.session(self.change("mended", {self.file: self.text((breaks[1], breaks[0]))}))

    def without_sessions(self) -> None:
        """Break a test in one of some commits that have no session."""
        self.nothing("not run")
        self.change("not run, breaks", {self.file: self.text(("assert os.sep\n", "assert not os.sep\n"))})
        self.replay.session(self.nothing("after three commits"))
        self.replay.session(self.nothing("failing still"))

    def old_checkout(self) -> None:
        """Check out an old commit, as git bisect does, and then main again."""
        old = self.replay.truth.sessions[-6].commit
        self.replay.session(Step(old, "old checkout", is_on_main=False))
        self.replay.session(self.nothing("main again"))

    def back(self) -> None:
        """Mend a test and break it again."""
        changes = ("assert not os.sep\n", "assert os.sep\n")
        self.replay.session(self.change("mended again", {self.file: self.text(changes)}))
        self.replay.session(self.change("broken again", {self.file: self.text(changes[::-1])}))

    def absent(self) -> None:
        """Take failing tests away for one session, as git stash does."""
        text = self.text()
        self.replay.session(self.change("away", {self.file: None}))
        self.replay.session(self.change("there again", {self.file: text}))

    def slower(self) -> None:
        """Let a test wait for a quarter of a second from one commit on."""
        slow = self.text(("SECONDS = 0.02", "SECONDS = 0.27"))
        self.replay.session(self.change("slower", {self.file: slow}))
        for _ in range(2):
            self.replay.session(self.nothing("slow still"))
        said = {found.subject for found in self.replay.truth.statements if found.kind == "slower" and found.is_right}
        name = ".".join(address_of(f"{self.file}::test_slow"))
        self.replay.truth.missing("slower", name, is_said=name in said)

    def real_file(self) -> None:
        """Rename the package's largest file of tests while one of its tests fails."""
        self.replay.history.check_out(Step(self.tip, "read"))
        text = (self.replay.tree / self.largest).read_text() + "\n\ndef test_planted_at_the_end():\n    assert 0\n"
        self.replay.session(self.change("a failure at the end", {self.largest: text}))
        new = self.largest.with_name(f"{self.largest.stem}_renamed.py")
        self.replay.session(self.change("git mv of the largest", {self.largest: None, new: text}))


def line_of(statement: Statement) -> str:
    """Return a wrong statement in one line."""
    what = f"{statement.kind}: {statement.subject[-90:]} ({statement.session})"
    return f"{what}: said {statement.said}; true {statement.true}"


def listed(wrong: Iterable[Statement]) -> Iterator[str]:
    """Return wrong statements in lines: of a kind, of each story the first ones, and how many there are more."""
    for (kind, story), found in groupby(sorted(wrong, key=_story), key=_story):
        all_ = list(found)
        yield from map(line_of, all_[:LISTED])
        if len(all_) > LISTED:
            yield f"{kind}: {len(all_) - LISTED} more ({story})"


def _story(statement: Statement) -> tuple[str, str]:
    return statement.kind, statement.session.split(", ")[1]


def table(statements: Iterable[Statement]) -> list[str]:
    """Return the lines of the table, with a last one for all kinds."""
    checked, wrong = Counter[str](), Counter[str]()
    for statement in statements:
        checked[statement.kind] += 1
        wrong[statement.kind] += not statement.is_right
    rows = [(kind, checked[kind], wrong[kind]) for kind in sorted(checked)]
    rows.append(("all", checked.total(), wrong.total()))
    return [
        f"{'statement':14}{'checked':>10}{'wrong':>8}",
        *(f"{kind:14}{all_:>10,}{bad:>8,}" for kind, all_, bad in rows),
    ]


def main() -> int:
    """Replay a clone and print the table; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="a git repository with its work tree or without")
    parser.add_argument("--commits", type=int, default=40, help="so many commits that touch Python files")
    parser.add_argument("--python", action="append", help="an interpreter; a second one takes turns with it")
    parser.add_argument("--needs", action="append", default=[], help="a requirement of the tests, for pip")
    parser.add_argument("--arguments", action="append", default=[], help="an argument for pytest")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    parser.add_argument("--environments", type=Path, help="folder that keeps the environments for the next time")
    parser.add_argument("--json", type=Path, help="file for all statements")
    parser.add_argument("--verbose", action="store_true", help="print wrong statements as they are found")
    arguments = parser.parse_args()
    arguments.python = arguments.python or [sys.executable]
    with tempfile.TemporaryDirectory(prefix="histories-") as folder:
        work = Path(folder)
        arguments.environments = (arguments.environments or work / "environments").resolve()
        replay = Replay(arguments.clone, work, arguments)
        try:
            replay.play()
        finally:
            statements = replay.truth.statements
            print(*table(statements), sep="\n", flush=True)
            wrong = [statement for statement in statements if not statement.is_right]
            print(*listed(wrong), sep="\n")
            if arguments.json:
                arguments.json.write_text(json.dumps([found._asdict() for found in statements], indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
