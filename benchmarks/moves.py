"""Compare which tests are said to have moved with what git says, in the history of a repository; prints a table.

    python benchmarks/moves.py CLONE ... [--commits 400]

Looks at the newest commits that rename, remove or add files of tests, or change several of them, and reads the tests of
both sides from the source; nothing is run. ``git`` counts tests of files that git calls renamed, with the same name
inside; ``found`` is how many of these are paired so, ``other`` how many are paired with another test. Of pairs that git
knows nothing of, ``same`` have the same body, ``alike`` one that is at least half the same, and ``unlike`` another one.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
from collections import Counter
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import TypeAlias

from pytest_automation_report.findings.moves import Place, pair_moved

ALIKE = 0.5
Bodies: TypeAlias = dict[Place, str]


def git(clone: Path, *arguments: str) -> str:
    """Return what git prints."""
    command = ["git", "-C", str(clone), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8", "replace")


def is_test_file(path: str) -> bool:
    """Whether pytest collects a file of this name."""
    name = path.rpartition("/")[2]
    return name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))


@cache
def tests_of(clone: Path, blob: str) -> tuple[tuple[str, str, str], ...]:
    """Return classes, name and body of the tests in a file; none of one that this Python cannot read."""
    try:
        module = ast.parse(git(clone, "cat-file", "blob", blob))
    except (SyntaxError, ValueError):
        return ()
    found: list[tuple[str, str, str]] = []
    left: list[tuple[str, ast.stmt]] = [("", statement) for statement in module.body]
    while left:
        classes, statement = left.pop()
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name.startswith("test"):
            found.append((classes, statement.name, ast.dump(statement)))
        elif isinstance(statement, ast.ClassDef) and "Test" in statement.name:
            left += [(f"{classes}.{statement.name}".lstrip("."), inner) for inner in statement.body]
    return tuple(found)


def tests_at(clone: Path, commit: str) -> Bodies:
    """Return the tests of a commit."""
    found: Bodies = {}
    for line in git(clone, "ls-tree", "-r", commit).splitlines():
        about, _, path = line.partition("\t")
        if is_test_file(path):
            found |= {Place(path, *names): body for *names, body in tests_of(clone, about.split()[2])}
    return found


def commits_of(clone: Path, count: int) -> list[str]:
    """Return the newest commits with one parent that rename, add or remove files of tests, or change several."""
    told = git(clone, "log", "--no-merges", "--min-parents=1", "-M", "--name-status", "--format=@%H")
    commits = []
    for part in told.split("@")[1:]:
        commit, *lines = filter(None, part.splitlines())
        changes = [line.split("\t") for line in lines]
        files = [kind for kind, *paths in changes if any(map(is_test_file, paths))]
        if len(files) > 1 or any(kind[0] != "M" for kind in files):
            commits.append(commit)
    return commits[:count]


def compare(clone: Path, commit: str) -> Counter[str]:
    """Return the numbers of one commit."""
    before, now = tests_at(clone, f"{commit}^"), tests_at(clone, commit)
    told = git(clone, "diff", "-M", "--diff-filter=R", "--name-status", f"{commit}^", commit).splitlines()
    renamed = {new: old for _, old, new in (line.split("\t") for line in told)}
    gone = before.keys() - now.keys()
    old_places = {place: place._replace(file=renamed.get(place.file, "")) for place in now.keys() - before.keys()}
    true = {place: old for place, old in old_places.items() if old in gone}
    pairs = pair_moved({place: place for place in before}, {place: place for place in now})
    found = Counter(git=len(true))
    for place in true.keys() & pairs.keys():
        found["found" if pairs[place] == true[place] else "other"] += 1
    for place in pairs.keys() - true.keys():
        bodies = now[place], before[pairs[place]]
        is_alike = bodies[0] == bodies[1] or SequenceMatcher(None, *bodies).ratio() >= ALIKE
        found["same" if bodies[0] == bodies[1] else "alike" if is_alike else "unlike"] += 1
    return found


def main() -> None:
    """Print a line for each repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--commits", type=int, default=400, metavar="N")
    arguments = parser.parse_args()
    columns = ("git", "found", "other", "same", "alike", "unlike")
    print(f"{'':40}commits" + "".join(f"{name:>8}" for name in columns))
    for clone in arguments.clones:
        commits = commits_of(clone, arguments.commits)
        total = sum((compare(clone, commit) for commit in commits), Counter[str]())
        print(f"{str(clone)[-40:]:40}{len(commits):7}" + "".join(f"{total[name]:8}" for name in columns))


if __name__ == "__main__":
    main()
