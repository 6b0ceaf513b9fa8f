"""What is true of the sessions of a replayed history, from raw records, and how it compares with what was said.

It shares no code with the product. The rules are short on purpose; a test's state is ``failed``, ``passed`` or
``skipped``, and ``before`` is its state in the base that the product itself names (if that session collected the test
and did not run it, its newest state before).

========================  ==============================================================================================
what is said of a test    is true if
========================  ==============================================================================================
new                       it failed, and did not fail before
still                     it failed, and failed before
fixed                     it passed, and failed before
back                      it is new, and failed in some session before the base
added                     it ran, and neither the base nor a session that was cut short knows it, by no name
gone                      the base had it, and this session, which was whole, neither collected nor deselected it
moved                     git says that its file was renamed, or its function and the values of its parameters did not
                          change; there is one candidate at each end
blame                     the commit is the only one since the newest session in which the test did not fail, and the
                          author is git's; of several commits, their number and both ends are right
since                     the session is the first of the unbroken streak in which the test failed
flaky                     the same files had both outcomes with the same Python
slower, faster            the test alone, run five times at both ends, differs as it was said
========================  ==============================================================================================
"""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Address: TypeAlias = "tuple[str, str]"
"""The folder and the name under which the product shows a test."""
UNTOLD = 1000
"""A list of findings has no more tests."""
NOT_COLLECTED = 2
"""pytest's exit status of a session that was interrupted, or could not collect a file."""


def address_of(nodeid: str) -> Address:
    """Return where and how the product shows a test or a file."""
    head, bracket, tail = nodeid.partition("[")
    file, *inside = head.split("::")
    module = file.removesuffix(".py").replace("/", ".")
    if not inside:
        return module, module
    *classes, name = inside
    return ".".join((module, *classes)), name + bracket + tail


class Git:
    """What git says of the replayed repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, ...], str] = {}

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output."""
        command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=env, check=True, capture_output=True, text=True, errors="replace"
        ).stdout.strip()

    def known(self, *arguments: str) -> str:
        """Return the output of a question whose answer does not change."""
        if arguments not in self._known:
            self._known[arguments] = self(*arguments)
        return self._known[arguments]

    def between(self, before: str, commit: str) -> list[str]:
        """Return the commits after ``before`` up to ``commit``, with all that a merge brought."""
        return self.known("rev-list", f"{before}..{commit}").split()

    def author(self, commit: str) -> str:
        """Return the name of a commit's author."""
        return self.known("log", "-1", "--format=%an", commit)

    def renamed(self, before: str, commit: str) -> dict[str, str]:
        """Return old paths by new ones."""
        lines = self.known("diff", "-M", "--diff-filter=R", "--name-status", before, commit).splitlines()
        return {new: old for _, old, new in (line.split("\t") for line in lines)}


@dataclass
class Session:
    """A session as it was recorded."""

    run: int
    label: str
    commit: str
    python: str
    branch: str
    """Empty with a detached HEAD."""
    is_part: bool
    """Whether tests were selected by an option."""
    record: dict[str, Any]
    summary: str = ""
    """What pytest printed."""

    @cached_property
    def states(self) -> dict[Address, str]:
        """The state of each test that ran, and of each file that could not be collected."""
        states = {self.names[nodeid]: test["outcome"] for nodeid, test in self.record["tests"].items()}
        return states | {
            address_of(nodeid): "failed" for nodeid in self.record["uncollected"] if nodeid.endswith(".py")
        }

    @cached_property
    def names(self) -> dict[str, Address]:
        """The address of each test of the record."""
        return {nodeid: address_of(nodeid) for nodeid in self.record["tests"]}

    @cached_property
    def collected(self) -> set[Address]:
        """All tests that the session had the duty to run."""
        return {address_of(nodeid) for nodeid in self.record["collected"]}

    @cached_property
    def deselected(self) -> set[Address]:
        """All tests that it left out."""
        return {address_of(nodeid) for nodeid in self.record["deselected"]}

    @cached_property
    def tests(self) -> dict[Address, dict[str, Any]]:
        """The record of each test by its address."""
        return {self.names[nodeid]: test for nodeid, test in self.record["tests"].items()}

    @property
    def is_cut(self) -> bool:
        """Whether the session ended before its last test."""
        return self.record["exit"] not in {0, 1} or not self.collected <= self.states.keys()

    def has_collected(self, file: Address) -> bool:
        """Whether tests of a file ran."""
        return file not in self.states and any(
            test[0] == file[0] or test[0].startswith(f"{file[0]}.") for test in self.states
        )

    def lost(self, test: Address) -> bool:
        """Whether the test's file could not be collected."""
        files = {address_of(nodeid)[0] for nodeid in self.record["uncollected"]}
        return any(test[0] == file or test[0].startswith(f"{file}.") for file in files)


class Statement(NamedTuple):
    """One thing that was said, or should have been."""

    kind: str
    is_right: bool
    session: str
    subject: str
    said: str
    true: str


class Streak(NamedTuple):
    """Since when a test has failed without passing."""

    begun: Session
    before: Session | None
    """The newest session before it in which the test did not fail."""
    is_moved: bool

    @property
    def moved(self) -> str:
        """What the kind of a statement ends with: whoever does not see that a test was moved errs again and again."""
        return ", moved" if self.is_moved else ""


@dataclass
class Truth:
    """The sessions so far, and what is true of the newest."""

    git: Git
    durations: Callable[[str, Address, Session], float]
    """Return the time of a test alone at a commit."""
    sessions: list[Session] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    @property
    def now(self) -> Session:
        """The newest session."""
        return self.sessions[-1]

    def by_run(self, run: int) -> Session:
        """Return the session of a run."""
        return next(session for session in self.sessions if session.run == run)

    def is_whole(self, session: Session) -> bool:
        """Whether a session ran its suite: no part, all but a tenth, and nothing left out that the one before ran."""
        ran = len(session.collected & session.states.keys())
        if session.is_part or not ran or ran < len(session.collected) * 0.9:
            return False
        earlier = [each for each in self.sessions[: self.sessions.index(session)] if each.branch == session.branch]
        whole = next((each for each in reversed(earlier) if not each.is_part and not each.is_cut), None)
        return whole is None or not (session.deselected & whole.states.keys())

    def add(self, session: Session, findings: dict[str, Any], failures: dict[str, Any], gate: int) -> list[Statement]:
        """Compare what was said of a new session with the truth; return the statements."""
        self.sessions.append(session)
        first = len(self.statements)
        base = self.by_run(findings["base"]["run"]) if findings["base"] else None
        self._base(findings, base)
        self._counts(findings, failures)
        if base is not None:
            self._changes(findings, base)
            self._gate(findings, gate)
        self._blame(findings, failures)
        self._flaky(findings)
        self._times(findings)
        return self.statements[first:]

    def _say(self, kind: str, subject: object, said: object, true: object, *, is_right: bool | None = None) -> None:
        right = said == true if is_right is None else is_right
        name = ".".join(subject) if isinstance(subject, tuple) else str(subject)
        label = f"run {self.now.run}, {self.now.label}"
        self.statements.append(Statement(kind, right, label, name, str(said), str(true)))

    def missing(self, kind: str, subject: str, *, is_said: bool) -> None:
        """Note whether something that was planted has been said of some session."""
        self._say(kind, subject, f"{kind}, some time" if is_said else f"never {kind}", f"{kind}, some time")

    def _base(self, findings: dict[str, Any], base: Session | None) -> None:
        now = self.now
        if now.is_part or not now.branch:
            return
        line = [each for each in self.sessions[:-1] if each.branch == now.branch and self.is_whole(each)]
        line = [each for each in line if each.python == now.python] or line
        true = line[-1].run if line else None
        self._say("base", "base", base.run if base else None, true)
        if base and findings["base"]["commit"]:
            self._say("base", "commit of the base", findings["base"]["commit"], base.commit)

    def _counts(self, findings: dict[str, Any], failures: dict[str, Any]) -> None:
        states = {test: state for test, state in self.now.states.items() if test[0] != test[1]}
        count = Counter(states.values())
        true = {"finished": len(states), **{state: count[state] for state in ("failed", "passed", "skipped")}}
        for name, number in true.items():
            self._say("counts", name, findings["ran"][name], number)
            self._say("counts", f"{name} of failures", failures["counts"][name], number)

    def before(self, test: Address, base: Session) -> str:
        """Return the state of a test before the newest session, empty if there was none."""
        if test in base.states:
            return base.states[test]
        if test not in base.collected | base.deselected and not base.lost(test):
            return ""
        earlier = reversed(self.sessions[: self.sessions.index(base)])
        return next((each.states[test] for each in earlier if test in each.states), "")

    def moved(self, base: Session) -> dict[Address, Address]:
        """Return the old addresses of tests that have a new one."""
        now = self.now
        come = {test: now.tests[test] for test in now.tests.keys() - base.states.keys() - base.collected}
        left = base.tests.keys() - now.states.keys() - now.collected - now.deselected
        went = {test: base.tests[test] for test in left if not now.lost(test)}
        renamed = self.git.renamed(base.commit, now.commit)
        pairs: dict[Address, Address] = {}
        for how in (_by_file, _by_values):
            new = {test: how(what, renamed) for test, what in come.items() if test not in pairs}
            old = {test: how(what, {}) for test, what in went.items() if test not in pairs.values()}
            counts, olds = Counter(new.values()), Counter(old.values())
            where = {what: test for test, what in old.items() if olds[what] == 1}
            pairs |= {test: where[what] for test, what in new.items() if counts[what] == 1 and what in where}
        return pairs

    def _changes(self, findings: dict[str, Any], base: Session) -> None:
        now, lists = self.now, findings["tests"]
        moved = self.moved(base)
        ran = {test: state for test, state in now.states.items() if state in {"failed", "passed"}}
        was = {test: self.before(moved.get(test, test), base) for test in now.states}
        true = {
            "new": {test for test, state in ran.items() if state == "failed" and was[test] != "failed"},
            "still": {test for test, state in ran.items() if state == "failed" and was[test] == "failed"},
            "fixed": {test for test, state in ran.items() if state == "passed" and was[test] == "failed"}
            | {file for file in base.states if file[0] == file[1] and now.has_collected(file)},
        }
        # A test of a file that could not be collected may have run before; a file is no test.
        tests = {test for test in now.tests if not base.lost(test)}
        true["added"] = {test for test in tests if not was[test]}
        if self.is_whole(now):
            left = base.tests.keys() - now.states.keys() - now.collected - now.deselected - set(moved.values())
            true["gone"] = {test for test in left if not now.lost(test)}
        said = {
            "new": addresses(lists["newly_failing"]),
            "still": addresses(lists["still_failing"]),
            "fixed": addresses(lists["fixed"]) | addresses(lists["passed_again"]),
            "added": addresses(lists["new_tests"]),
            "gone": addresses(lists["gone"]),
        }
        if any(len(tests) >= UNTOLD for tests in said.values()):
            return
        special = self._special(base, moved)
        for kind, those in true.items():
            for test in sorted(those | said[kind]):
                name = special.get(test, kind) if kind in {"added", "gone"} else kind
                name += ", moved" if test in moved and name == kind else ""
                self._say(name, test, _as(kind, test in said[kind]), _as(kind, test in those))
        for test, why in sorted(special.items()):  # what is right of them counts, too
            if test not in said["added"] | said["gone"] | true["added"] | true.get("gone", set()):
                self._say(why, test, "neither added nor gone", "neither added nor gone")
        self._pairs(lists, moved)
        earlier = self.sessions[: self.sessions.index(base)]
        for test in lists["newly_failing"]:
            if test["same_reason"] is not None:
                self._back(test, moved, earlier)
        self._first_line(len(true["new"]), findings)

    def _special(self, base: Session, moved: dict[Address, Address]) -> dict[Address, str]:
        """Return the tests that look as if they were added or gone, and why they are not."""
        now = self.now
        found = dict.fromkeys(now.deselected & base.states.keys(), "not selected")
        found |= dict.fromkeys(now.states.keys() & base.deselected, "not selected")
        found |= dict.fromkeys(now.states.keys() & base.collected - base.states.keys(), "not reached")
        both = [*moved, *moved.values()]
        return found | dict.fromkeys(both, "moved")

    def _pairs(self, lists: dict[str, Any], moved: dict[Address, Address]) -> None:
        """Look at each pair of names that the product makes."""
        for test in lists.get("moved", ()):
            new = (test["folder"], test["name"])
            was = test.get("was") or test.get("moved_from") or test
            old = (was["folder"], was["name"])
            self._say("moved", new, f"was {old}", f"was {moved.get(new)}")

    def _back(self, test: dict[str, Any], moved: dict[Address, Address], earlier: Iterable[Session]) -> None:
        new = (test["folder"], test["name"])
        names = {new, moved.get(new, new)}
        failed = [each.run for each in earlier if any(each.states.get(name) == "failed" for name in names)]
        self._say("back", new, "failed before the base", f"failed in {failed}", is_right=bool(failed))

    def _first_line(self, new: int, findings: dict[str, Any]) -> None:
        """Compare the numbers of the summary that pytest ended with."""
        lines = [line for line in self.now.summary.splitlines() if ", compared with run " in line]
        if not lines:
            return
        known = findings["mine"].get("known", 0)
        words = lines[0].partition(", compared with")[0].split(", ")
        numbers = [word.split()[0] for word in words if " new failure" in word]
        said = int(numbers[0]) if numbers and numbers[0].isdigit() else 0
        self._say("first line", lines[0].strip(), f"{said} new", f"{new - known} new")

    def _gate(self, findings: dict[str, Any], gate: int) -> None:
        """Compare the gate with its own base."""
        number = findings["gate"]["base"]
        if number is None:
            return
        base = self.by_run(number)
        moved = self.moved(base)
        failed = [test for test, state in self.now.states.items() if state == "failed"]
        new = sum(self.before(moved.get(test, test), base) != "failed" for test in failed)
        self._say("gate", f"against run {number}", findings["gate"]["failures"], new)
        if self.is_whole(self.now):
            self._say("gate", f"against run {number}", f"exit status {gate}", f"exit status {5 if new else 0}")

    def _streak(self, test: Address) -> Streak | None:
        """Return since when a test has failed."""
        names = {test}
        line = [each for each in self.sessions if each.branch == self.now.branch and each.python == self.now.python]
        begun: Session | None = None
        for position in range(len(line) - 1, -1, -1):
            session = line[position]
            state = next((session.states[name] for name in names if name in session.states), None)
            if test[0] == test[1] and session.has_collected(test):
                state = "passed"
            if state == "failed":
                begun = session
                names |= self._older_names(names, line, position)
            elif begun is None:
                return None
            elif state == "passed":
                return Streak(begun, session, len(names) > 1)
        if begun is None:
            return None
        # The test never passed: it is as old as the first session that knows it, or older than all sessions.
        older = [each for each in line[: line.index(begun)] if not names & (each.collected | each.deselected)]
        older = [each for each in older if not each.is_cut and not any(map(each.lost, names))]
        return Streak(begun, older[-1] if older else None, len(names) > 1)

    def _older_names(self, names: set[Address], line: list[Session], position: int) -> set[Address]:
        """Return the names of a test that had another one in the session before."""
        now = line[position]
        known = [each for each in line[:position] if not each.is_cut and not each.is_part]
        if not known or names & (known[-1].states.keys() | known[-1].collected):
            return set()
        then = Truth(self.git, self.durations, [*known, now])
        pairs = then.moved(known[-1])
        return {pairs[name] for name in names if name in pairs}

    def _blame(self, findings: dict[str, Any], failures: dict[str, Any]) -> None:
        lists = findings["tests"]
        for test in [*lists["newly_failing"], *lists["still_failing"]]:
            address = (test["folder"], test["name"])
            streak = self._streak(address)
            if test["since"] is not None and streak is not None and self.now.branch:
                true = f"run {streak.begun.run}"
                self._say("since" + streak.moved, address, f"run {test['since']['run']}", true)
            self._named(address, test["since"], [streak])
        keys = {test["key"]: (test["folder"], test["name"]) for tests in lists.values() for test in tests}
        for reason in findings["reasons"]:
            those = [self._streak(keys[key]) for key in reason["keys"] if key in keys]
            self._named(f"reason: {reason['title']}", reason["since"], those)
        for reason in failures["reasons"]:
            ids = [address_of(nodeid) for nodeid in reason["tests"]]
            if len(ids) == reason["count"]:
                self._named(f"failures: {reason['title']}", reason["since"], [self._streak(test) for test in ids])

    def _named(self, subject: object, since: dict[str, Any] | None, streaks: list[Streak | None]) -> None:
        """Check the commit, author or range that is named for some failures: it has to be right for the earliest."""
        if since is None or since["commit"] is None:
            return
        known = [streak for streak in streaks if streak is not None]
        if not known:
            self._say("blame", subject, since["commit"][:9], "nothing is known")
            return
        begun, before, _ = first = min(known, key=lambda streak: streak.begun.run)
        if before is None and since["author"] is None:
            return  # a run and its commit, and nobody is blamed
        commits = self.git.between(before.commit, begun.commit) if before else []
        after = f"run {before.run}, {before.commit[:9]}" if before else "no session"
        said, right = f"{since['commit'][:9]} ({since['author']})", False
        true = f"one of {len(commits)} commits after {after}, up to {begun.commit[:9]}"
        if since.get("among"):
            among = since["among"]
            said = f"one of {among['commits']} after {among['after'][:9]} up to {among['up_to'][:9]}"
            ends = (before.commit, begun.commit) if before else ()
            right = among["commits"] == len(commits) and ends == (among["after"], among["up_to"])
        elif len(commits) == 1:
            author = self.git.author(commits[0])
            true = f"{commits[0][:9]} ({author})"
            right = since["commit"] == commits[0] and since["author"] in {author, None}
        self._say("blame" + first.moved, subject, said, true, is_right=right)

    def _both_outcomes(self, test: Address) -> bool:
        """Whether the test passed and failed with the same files and the same Python."""
        seen: dict[tuple[str, str], set[str]] = {}
        names = {test}
        for position, session in reversed([*enumerate(self.sessions)]):
            tree = self.git.known("rev-parse", f"{session.commit}^{{tree}}")
            state = next((session.states[name] for name in names if name in session.states), "")
            seen.setdefault((tree, session.python), set()).add(state)
            names |= self._older_names(names, self.sessions, position) if state else set()
        return any({"failed", "passed"} <= states for states in seen.values())

    def _flaky(self, findings: dict[str, Any]) -> None:
        for test in findings["flaky"]:
            address = (test["folder"], test["name"])
            if test["state"] in {"flaky", "suspect"}:
                true = "both outcomes of the same files" if self._both_outcomes(address) else "never both outcomes"
                said = f"{test['state']}: {test['evidence']}"
                self._say("flaky", address, said, true, is_right=true.startswith("both"))
        said_flaky = addresses(findings["flaky"])
        for test, state in self.now.states.items():
            if state == "failed" and self._both_outcomes(test):
                self._say("flaky", test, "flaky" if test in said_flaky else "not flaky", "flaky")

    def _times(self, findings: dict[str, Any]) -> None:
        for name in ("slower", "faster"):
            for test in findings[name]:
                address = (test["folder"], test["name"])
                since = test["since"]["run"] if isinstance(test["since"], dict) else test["since"]
                begun = self.by_run(since) if since is not None else self.now
                earlier = [each for each in self.sessions if each.run < begun.run and address in each.states]
                if not earlier:
                    continue
                was = self.durations(earlier[-1].commit, address, self.now)
                now = self.durations(self.now.commit, address, self.now)
                right = now > was * 1.2 if name == "slower" else was > now * 1.2
                said = f"{name}: {test['median'] / 1e3:.0f} to {test['elapsed'] / 1e3:.0f} ms"
                self._say(name, address, said, f"alone {was * 1e3:.0f} to {now * 1e3:.0f} ms", is_right=right)


def addresses(tests: Iterable[dict[str, Any]]) -> set[Address]:
    """Return where some tests of the findings are."""
    return {(test["folder"], test["name"]) for test in tests}


def _as(kind: str, is_it: bool) -> str:  # noqa: FBT001 - a word for a fact
    return kind if is_it else f"not {kind}"


def _by_file(test: dict[str, Any], renamed: dict[str, str]) -> tuple[object, ...]:
    """Name a test by its old file and its id inside of it."""
    return (renamed.get(test["file"], test["file"]), test["inside"])


def _by_values(test: dict[str, Any], renamed: dict[str, str]) -> tuple[object, ...]:
    """Name a test by its function, and the values of its parameters instead of their ids."""
    values = test["params"]
    told = tuple(sorted(values.items())) if values and not any(" at 0x" in text for text in values.values()) else ()
    ids = "" if told or not values else test["inside"]
    return (renamed.get(test["file"], test["file"]), test["function"], told, ids)
