"""Compare a run with an earlier one: which one, and what changed; and the jobs of a run with what they collected."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypedDict

from msgspec import Struct

from pytest_automation_report.text.limits import ANCESTOR_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pytest_automation_report.findings.flakiness import Verdict


MAIN_BRANCHES: Final = ("main", "master", "trunk", "develop")
"""Names of a main branch, if none is configured: the first that has runs is it."""

Why: TypeAlias = Literal["asked", "same branch", "target branch", "main branch", "merge base", "let pass"]
"""Why a run is the base: the user asked for it, or it is the newest whole run of that branch.

``merge base``: of those of the main branch whose commit the run has, too; ``let pass``: of those of its own branch in
which the gate finds no new failure.
"""

WantedBase: TypeAlias = int | Literal["change"] | None
"""A run's id; ``change``: the run that the gate compares with, which has nothing of what it judges."""

# A run with fewer tests than this share of its base ran a part of the suite.
_WHOLE_SHARE: Final = 0.5
# A run with fewer results than this share of its collected tests was cut short.
_COMPLETE_SHARE: Final = 0.9
# A small suite may double within a day: only larger differences show that the earlier run was a part of it.
_FEW_TESTS: Final = 20


class RunFacts(Struct, frozen=True):
    """Facts of a run that the choice of a base depends on.

    ``config`` is 0 and branches are empty if not known. ``tests`` counts its tests, ``untested`` the tests that
    never began, ``collected`` the tests that were to run, 0 if not known, and ``deselected`` the tests that options and
    plugins left out. ``selection`` has the options that selected some of the tests, as ``-k`` or ``--lf``.
    ``has_died``: the session was killed. ``ancestors`` are the ids of its commit and of those that led to it, cut,
    newest first.
    """

    id: int
    config: int = 0
    branch: str = ""
    target_branch: str = ""
    is_completed: bool = True
    selection: str = ""
    tests: int = 0
    untested: int = 0
    collected: int = 0
    deselected: int = 0
    has_died: bool = False
    commit: str = ""
    changes: str = ""
    ancestors: tuple[str, ...] = ()

    @property
    def was_cut(self) -> bool:
        """Whether a noticeable part of the tests did not run: after Ctrl-C or ``-x``, or since pytest was killed."""
        return self.has_died or self.tests - self.untested < self.collected * _COMPLETE_SHARE


class Base(Struct, frozen=True):
    """The run that another one is compared with, and why it is this one."""

    run: RunFacts
    why: Why


class Changes(Struct, frozen=True):
    """Numbers of tests by what changed since the base, each sorted.

    A test that the base does not have is newly failing if it fails, and a new test in any case. A skipped test has not
    been fixed. ``passed_again`` are those fixed ones that are flaky: nobody need have fixed them. The ``moved`` ones
    are compared with what they were. Those with ``unstable_ids`` are neither new tests nor gone.
    """

    newly_failing: Sequence[int] = ()
    still_failing: Sequence[int] = ()
    fixed: Sequence[int] = ()
    passed_again: Sequence[int] = ()
    new_tests: Sequence[int] = ()
    gone: Sequence[int] = ()
    newly_skipped: Sequence[int] = ()
    not_run: Sequence[int] = ()
    moved: Sequence[int] = ()
    unstable_ids: Sequence[int] = ()


class Apart(Struct, frozen=True):
    """Tests of both runs that are compared in another way than tests with two outcomes.

    ``modules`` are files that were not collected: ``imported`` are the base's that the run collected, and
    ``known`` the tests of these, which are not new. Tests that did ``not_run`` are not gone.
    """

    modules: AbstractSet[int] = frozenset()
    imported: AbstractSet[int] = frozenset()
    known: AbstractSet[int] = frozenset()
    not_run: AbstractSet[int] = frozenset()
    flaky: AbstractSet[int] = frozenset()


_NONE: Final = Apart()


def choose_base(run: RunFacts, others: Iterable[RunFacts], *, main_branch: str = "") -> Base | None:
    """Return the newest completed, whole run before this one: of its branch, of its target branch, of the main branch.

    ``others`` are runs of the same source in any order; see `whole_before`.
    """
    newest: dict[str, RunFacts] = {other.branch: other for other in whole_before(run, others)}
    main = main_branch or next((name for name in MAIN_BRANCHES if name in newest), "")
    branches: tuple[tuple[str, Why], ...] = (
        (run.branch, "same branch"), (run.target_branch, "target branch"), (main, "main branch"),
    )  # fmt: skip
    for branch, why in branches:
        if branch in newest and (branch or why == "same branch"):
            return Base(newest[branch], why)
    return None


def whole_before(run: RunFacts, others: Iterable[RunFacts]) -> list[RunFacts]:
    """Return the completed, whole runs before this one that it can be compared with, oldest first.

    Runs of another configuration are passed over, and so are those of other pull requests. A run of a part of the suite
    counts if that part has all tests of this run: its selection is the same or wider, as ``tests`` is wider than ``-k
    cart tests``.
    """
    earlier = [
        other
        for other in others
        if other.config == run.config and other.id < run.id and other.is_completed
        if not other.target_branch or (other.branch, other.target_branch) == (run.branch, run.target_branch)
    ]
    whole = [
        other
        for selection in {other.selection for other in earlier}
        if includes(selection, run.selection)
        for other in _comparable(run, earlier, selection)
    ]
    return sorted(whole, key=lambda other: other.id)


def bases_of_change(
    run: RunFacts, whole: Sequence[RunFacts], main_branches: Sequence[str]
) -> Iterator[tuple[Why, Sequence[RunFacts]]]:
    """Yield the runs among which the gate looks for its base, best first, the runs of each newest first.

    They have nothing of what the run adds: they are of the target branch, or of the main branch, at best before the run
    left it. Of its own branch, if there is no other or if it is the main branch, only those count that the gate ``let
    pass``. ``whole`` are the `whole_before` of the run.
    """
    own = run.commit[:ANCESTOR_DIGITS]
    # A job with another checkout may have joined the run: its commits say nothing of this one.
    known = {*(run.ancestors if own in run.ancestors else (own,))}
    wanted = [*([run.target_branch] if run.target_branch else ()), *main_branches]
    # What fails with the same files is the run's own, unless no other run is there.
    for is_same in (False, True):
        for branch in wanted:
            found = [other for other in reversed(whole) if other.branch == branch]
            if branch == run.branch:
                yield "let pass", found
                continue
            state = run.commit, run.changes
            found = [other for other in found if bool(run.commit and (other.commit, other.changes) == state) == is_same]
            if branch == run.target_branch:
                yield "target branch", found
                continue
            yield "merge base", [other for other in found if other.commit[:ANCESTOR_DIGITS] in known - {""}]
            yield "main branch", found
    yield "let pass", [other for other in reversed(whole) if other.branch == run.branch]


def changed_software(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the name, and both versions, of what differs between two runs, by the values of their fields."""
    known = {name: (before.get(name, ""), after.get(name, "")) for name in ("Python", "OS", "Packages")}
    changed = [(name, *known[name]) for name in ("Python", "OS") if all(known[name]) and len({*known[name]}) > 1]
    # Without a list of all packages pytest's plugins are compared.
    names = ("Packages",) if all(known["Packages"]) else ("pytest", "Plugins")
    old, new = (_versions([(name, fields.get(name, "")) for name in names]) for fields in (before, after))
    # Clients send 16,384 characters: a list that was cut at its end shows nothing of the packages after it.
    is_cut = any(len(text) > 16_000 for text in known["Packages"])  # noqa: PLR2004 - as said
    packages = old.keys() & new.keys() if is_cut else old.keys() | new.keys()
    if old and new:
        changed += [
            (name, old.get(name, ""), new.get(name, "")) for name in sorted(packages) if old.get(name) != new.get(name)
        ]
    return changed


def _versions(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for field_name, value in fields:
        for part in value.replace(", ", "\n").split("\n"):
            name, blank, version = part.rpartition(" ")
            if blank:
                versions[name.lower()] = version
            elif version:
                versions[field_name.lower()] = version
    return versions


def commits_between(passed: RunFacts, failed: RunFacts) -> int | None:
    """Return how many commits a run has that an earlier one had not, 0 if that one had all; None if it is not known.

    A merge commit counts with all that it brought. Of two branches, and of two checkouts one of which has less history,
    nothing is known:

    >>> old = RunFacts(1, commit="b", ancestors=("b", "a"))
    >>> new = RunFacts(2, commit="d", ancestors=("d", "c", "b", "a"))
    >>> shallow = RunFacts(1, commit="b", ancestors=("b",))
    >>> commits_between(old, new), commits_between(new, old), commits_between(shallow, new)
    (2, 0, None)
    """
    old, new, ancestors = passed.commit[:ANCESTOR_DIGITS], failed.commit[:ANCESTOR_DIGITS], failed.ancestors
    known = {*passed.ancestors}
    if new in known:
        return 0
    if not old or old not in ancestors or new not in ancestors:
        return None
    # What is listed behind the earlier commit is as old, unless that checkout was a shallow one.
    return None if {*ancestors[ancestors.index(old) :]} - known else len({*ancestors} - known)


def _comparable(run: RunFacts, earlier: Iterable[RunFacts], selection: str) -> list[RunFacts]:
    """Return the runs of this selection that a run can be compared with, oldest first."""
    whole: dict[str, RunFacts] = {}
    kept: list[RunFacts] = []
    for other in sorted(earlier, key=lambda other: other.id):
        if other.selection != selection or not other.tests or other.was_cut:
            continue
        before = whole.get(other.branch)
        if before is not None and is_partial(other, before):
            continue
        # No run before it shows that it was interrupted, but the run itself does.
        is_small = run.tests - other.tests > _FEW_TESTS and is_partial(other, run)
        if before is None and selection == run.selection and is_small:
            continue
        whole[other.branch] = other
        kept.append(other)
    return kept


def is_partial(run: RunFacts, base: RunFacts | None) -> bool:
    """Whether a run had a part of its base's tests: by a selection, by being cut short, or with less than half.

    A plugin or conftest that deselected 6 more of 20 tests made it a part, too. A new test that is left out by a rule
    does not: as many run as before.
    """
    if base is None:
        return bool(run.selection)
    is_other_part = bool(run.selection) and run.selection != base.selection
    # Of fewer tests, too, it is whole if it ran all that it collected, and no plugin deselected more than in the base.
    is_known_whole = run.collected and run.deselected <= base.deselected
    is_left_out = not run.selection and run.deselected > base.deselected and run.tests < base.tests
    return is_other_part or run.was_cut or is_left_out or (not is_known_whole and run.tests < base.tests * _WHOLE_SHARE)


def changes_between(
    base: Mapping[int, Verdict] | None, run: Mapping[int, Verdict], *, has_part: bool = False, apart: Apart = _NONE
) -> Changes:
    """Return what changed between the verdicts of two runs; of a part of the suite no test is gone."""
    not_run = apart.not_run - run.keys()
    if base is None:
        return Changes(not_run=sorted(not_run))
    failing = {key for key, verdict in run.items() if verdict == "failed"}
    failed = {key for key, verdict in base.items() if verdict == "failed"}
    fixed = apart.imported | {key for key in failed if run.get(key) == "passed"}
    skipped = {key for key, verdict in run.items() if verdict == "skipped"}
    return Changes(
        newly_failing=sorted(failing - failed),
        still_failing=sorted(failing & failed),
        fixed=sorted(fixed - apart.flaky),
        passed_again=sorted(fixed & apart.flaky),
        new_tests=sorted(run.keys() - base.keys() - apart.modules - apart.known),
        gone=[] if has_part else sorted(base.keys() - run.keys() - apart.modules - apart.not_run),
        newly_skipped=sorted(key for key in skipped if base.get(key, "skipped") != "skipped"),
        not_run=sorted(not_run),
    )


# Options that select by the last failures: each such run has other tests.
_BY_LAST_FAILURES: Final = frozenset({"--lf", "--sw", "--automation-report-rerun-failed"})
# Options that select tests, each with its value; a client may send others, and a command is copied into a terminal.
_SELECTING: Final = ("-k ", "-m ", "--deselect=", "--ignore=", "--ignore-glob=")
# Options whose value is the next word; each selects among the tests that the others leave.
_WITH_VALUE: Final = frozenset({"-k", "-m"})


def includes(wide: str, narrow: str) -> bool:
    """Whether one selection has all tests of another: it has no further option, and its paths lead to the other's.

    The empty selection is the whole suite. A selection of the last failures includes none, not even the same one.
    """
    (wide_options, wide_paths), (options, paths) = _parts(wide), _parts(narrow)
    if wide_options & _BY_LAST_FAILURES:
        return False
    # Another path, or one in its folder, module, class or parametrized function.
    is_below = all(
        any(path == other or path.startswith((f"{other}/", f"{other}::", f"{other}[")) for other in wide_paths)
        for path in paths
    )
    return wide_options <= options and (not wide_paths or (bool(paths) and is_below))


def selection_command(selection: str) -> str:
    """Return the command that runs the tests of a selection; the whole suite's if it is not one of tests by name."""
    try:
        words = shlex.split(selection)
    except ValueError:  # an unclosed quote: a long selection is cut
        words = []
    # The last failures are others by now, and pytest reads a file of options from a word that begins with "@".
    is_usable = all(option.startswith(_SELECTING) for option in _parts(selection)[0])
    if not is_usable or any(word.startswith("@") for word in words):
        words = []
    return shlex.join(["pytest", "--automation-report", *words])


@lru_cache(maxsize=256)
def _parts(selection: str) -> tuple[frozenset[str], tuple[str, ...]]:
    try:
        words = iter(shlex.split(selection))
    except ValueError:
        # Of another program than ours: an unclosed quote. As one option it is included in nothing but the whole suite.
        return frozenset({selection}), ()
    options, paths = set(), []
    for word in words:
        if word in _WITH_VALUE:
            options.add(f"{word} {next(words, '')}")
        elif word.startswith("-"):
            options.add(word)
        elif word:
            paths.append(word)
    return frozenset(options), tuple(paths)


SHARD_NAME: Final = re.compile(r"(.*?)([0-9]+)/([0-9]+)(.*)")


class Share(NamedTuple):
    """What one session of a job was to run; ``digest`` is the same in all that collected the same tests."""

    job: str
    attempt: int
    cases: frozenset[int]  # that it ran
    digest: str
    tests: int  # collected
    chosen: int


class WholeRun(TypedDict):
    """How many tests were collected, and how many of them no job ran, or more than one.

    ``cases`` is the number of different tests that ran: jobs that ran all of the same tests collected each of them.
    ``of_jobs`` is the number of jobs that ran them, ``jobs`` are those to blame.
    """

    tests: int
    cases: int
    of_jobs: int
    missing: int
    twice: int
    jobs: Sequence[str]


def judge_wholeness(shares: Sequence[Share]) -> WholeRun | None:
    """Return whether each collected test ran once; None if the sessions do not say enough to know."""
    # Where a file could not be collected at first, an attempt that ran all of its tests replaces those before it.
    shares = [share for share in shares if not any(_is_replaced_by(other, share) for other in shares)]
    # The sessions that left tests to others are one suite. Any other job has a suite of its own, in all its attempts.
    suites: dict[tuple[str | None, str], list[Share]] = defaultdict(list)
    for share in shares:
        suites[None if share.chosen < share.tests else share.job, share.digest].append(share)
    cut = [{share.job for share in suite} for (job, _), suite in suites.items() if job is None]
    # Ids that differ in each job, as with the address of an object in them: nothing belongs together.
    is_scattered = len(cut) > 1 and any(len(jobs) == 1 for jobs in cut)
    if is_scattered or not shares:
        return None
    found = [_of_suite(suite, is_cut=job is None) for (job, _), suite in suites.items()]
    return {
        "tests": sum(each["tests"] for each in found),
        "cases": len(frozenset[int]().union(*(share.cases for share in shares))),
        "of_jobs": sum(each["of_jobs"] for each in found),
        "missing": sum(each["missing"] for each in found),
        "twice": sum(each["twice"] for each in found),
        "jobs": list(dict.fromkeys(job for each in found for job in each["jobs"])),
    }


def _is_replaced_by(other: Share, share: Share) -> bool:
    is_later = other.job == share.job and other.attempt > share.attempt
    return is_later and other.tests > share.tests and len(other.cases) >= other.chosen


def _of_suite(shares: Sequence[Share], *, is_cut: bool) -> WholeRun:
    """Return what the sessions of a suite lack together and, if it is cut, what two of them have."""
    whole: dict[str, int] = {}
    for share in shares:
        if len(share.cases) >= share.chosen:
            whole[share.job] = max(share.attempt, whole.get(share.job, 0))
    ran: dict[int, list[Share]] = defaultdict(list)
    for share in shares:
        for case in share.cases:
            # An attempt before one that ran all of its tests may have had another cut: it is no second holder.
            ran[case] += [share] if is_cut and share.attempt >= whole.get(share.job, 0) else []
    # Two jobs have it, or one at once.
    twice = [
        held
        for held in ran.values()
        if len({share.job for share in held}) > 1 or len({share.attempt for share in held}) < len(held)
    ]
    blamed = dict.fromkeys(held[-1].job for held in twice)
    missing = max(0, shares[0].tests - len(ran))
    jobs = dict.fromkeys(share.job for share in shares)
    if missing:
        blamed |= dict.fromkeys([*(absent_shards(jobs) if is_cut else ()), *(job for job in jobs if job not in whole)])
    return {
        "tests": shares[0].tests, "cases": len(ran), "of_jobs": len(jobs), "missing": missing, "twice": len(twice),
        "jobs": [*blamed],
    }  # fmt: skip


def absent_shards(jobs: Iterable[str]) -> list[str]:
    """Return the names of shards that never came, if the others are named like ``unit 2/4``."""
    matches = [match for job in jobs if (match := SHARD_NAME.fullmatch(job))]
    came = {(match[1], int(match[2]), int(match[3]), match[4]) for match in matches}
    return [
        f"{before}{number}/{total}{after}"
        for before, total, after in dict.fromkeys((match[1], int(match[3]), match[4]) for match in matches)
        for number in range(1, min(total, 1000) + 1)
        if (before, number, total, after) not in came
    ]


_RANK: Final[Mapping[Verdict, int]] = {"failed": 0, "passed": 1, "skipped": 2}


class JobResult(NamedTuple):
    """A result of a test with its job and attempt; ``is_untested``: that was interrupted in the test, or before it."""

    verdict: Verdict
    job: str | None = None
    attempt: int | None = None
    is_untested: bool = False


def remaining(results: Sequence[JobResult]) -> list[int]:
    """Return the places of the results that count: a later attempt of the same job replaces those before it."""
    # Without a job nothing says that two results are attempts of the same work, so both count.
    jobs: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    for result in results:
        if result.job is not None:
            jobs[result.job].append((result.attempt or 1, result.is_untested))
    return [
        place
        for place, result in enumerate(results)
        if result.job is None or not is_replaced(result.attempt or 1, jobs[result.job], is_untested=result.is_untested)
    ]


def is_replaced(attempt: int, others: Iterable[tuple[int, bool]], *, is_untested: bool) -> bool:
    """Whether a result is replaced by others of its job; one of an interrupted attempt says nothing of the test."""
    return any(
        (is_untested or not other_untested) if other > attempt else is_untested and not other_untested
        for other, other_untested in others
        if other != attempt
    )


def deciding_result(results: Sequence[JobResult]) -> tuple[int, bool]:
    """Return the place of the result that decides, and whether an earlier attempt of its job failed.

    A test failed if it failed in any job; only attempts of one job can show that a test is flaky.
    """
    place = min(remaining(results), key=lambda place: _RANK[results[place].verdict])
    chosen = results[place]
    has_failed = any(
        other.verdict == "failed" and other.job == chosen.job and (other.attempt or 1) < (chosen.attempt or 1)
        for other in results
        if chosen.job is not None
    )
    return place, has_failed
