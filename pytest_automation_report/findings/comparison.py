"""Compare a run with an earlier one: which run it is compared with, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from pytest_automation_report.findings.selections import has_last_failures, includes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.flakiness import Verdict

MAIN_BRANCHES: Final = ("main", "master", "trunk", "develop")
"""Names of a main branch, if none is configured: the first that has runs is it."""

Key = TypeVar("Key", int, str)
"""What names a test: its key, or a number of the store."""

Why: TypeAlias = Literal["asked", "same branch", "target branch", "main branch"]
"""Why a run is the base: the user asked for it, or it is the newest whole run of that branch."""

# A run with fewer tests than this share of its base ran a part of the suite.
_WHOLE_SHARE: Final = 0.5
# A run with fewer results than this share of its collected tests was cut short.
_COMPLETE_SHARE: Final = 0.9
# A small suite may double within a day: only larger differences show that the earlier run was a part of it.
_FEW_TESTS: Final = 20


class RunFacts(Struct, frozen=True):
    """Facts of a run that the choice of a base depends on.

    ``config`` is 0 if the run has none, ``branch`` and ``target_branch`` are empty if they are not known. ``tests`` is
    the number of its tests, ``untested`` of those that never began, ``collected`` the number of those that were to run,
    0 if it is not known. ``selection`` has the options that selected some of the tests, as ``-k`` or ``--lf``.
    ``has_died``: the session was killed, so nothing says what its other tests would have done.
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
    has_died: bool = False

    @property
    def was_cut(self) -> bool:
        """Whether a noticeable part of the tests did not run: after Ctrl-C or ``-x``, or since pytest was killed."""
        return self.has_died or self.tests - self.untested < self.collected * _COMPLETE_SHARE

    @property
    def lacks_tests(self) -> bool:
        """Whether any test did not run, so that one without a result need not be gone."""
        return self.has_died or self.tests - self.untested < self.collected


class Base(Struct, frozen=True):
    """The run that another one is compared with, and why it is this one."""

    run: RunFacts
    why: Why


class Changes(Struct, Generic[Key], frozen=True):
    """Keys of tests by what changed since the base, each sorted.

    A test that the base does not have is newly failing if it fails, and a new test in any case. A skipped test has not
    been fixed.
    """

    newly_failing: tuple[Key, ...] = ()
    still_failing: tuple[Key, ...] = ()
    fixed: tuple[Key, ...] = ()
    new_tests: tuple[Key, ...] = ()
    gone: tuple[Key, ...] = ()
    newly_skipped: tuple[Key, ...] = ()


def base_of(run: RunFacts, others: Iterable[RunFacts], *, main_branch: str = "") -> Base | None:
    """Return the newest completed, whole run before this one: of its branch, of its target branch, of the main branch.

    ``others`` are runs of the same source in any order. Runs of another configuration and later runs are passed over,
    and so are runs of a part of the suite, unless that part has all tests of this run: the newest run of the same
    selection is taken, else the newest of a wider one, as of ``tests`` for ``-k cart tests``.
    """
    earlier = [other for other in others if other.config == run.config and other.id < run.id and other.is_completed]
    same_part = [] if has_last_failures(run.selection) else _comparable(run, earlier, run.selection)
    wider = {"", *(other.selection for other in earlier)} - {run.selection}
    whole = [
        other
        for selection in wider
        if includes(selection, run.selection)
        for other in _comparable(run, earlier, selection)
    ]
    whole.sort(key=lambda other: other.id)
    branches: list[tuple[str, Why]] = [(run.branch, "same branch")]
    if run.target_branch:
        branches.append((run.target_branch, "target branch"))
    candidates = (*same_part, *whole)
    main = main_branch or next((name for name in MAIN_BRANCHES if any(o.branch == name for o in candidates)), "")
    branches.append((main, "main branch"))
    for branch, why in branches:
        if not branch and why != "same branch":
            continue
        for other in (*reversed(same_part), *reversed(whole)):
            if other.branch == branch:
                return Base(other, why)
    return None


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
    """Whether a run had a part of its base's tests: by a selection, since it was cut short, or with fewer than half."""
    if base is None:
        return bool(run.selection)
    is_other_part = bool(run.selection) and run.selection != base.selection
    return is_other_part or run.was_cut or run.tests < base.tests * _WHOLE_SHARE


def changes_between(
    base: Mapping[Key, Verdict] | None, run: Mapping[Key, Verdict], *, has_part: bool = False
) -> Changes[Key]:
    """Return what changed between two runs; nothing if there is no base.

    ``base`` and ``run`` have the verdict of each test by its key. With ``has_part`` the run had a part of the suite:
    the tests that it does not have are not gone.
    """
    if base is None:
        return Changes()
    failing = {key for key, verdict in run.items() if verdict == "failed"}
    failed = {key for key, verdict in base.items() if verdict == "failed"}
    return Changes(
        newly_failing=_sorted(failing - failed),
        still_failing=_sorted(failing & failed),
        fixed=_sorted(key for key in failed if run.get(key) == "passed"),
        new_tests=_sorted(run.keys() - base.keys()),
        gone=() if has_part else _sorted(base.keys() - run.keys()),
        newly_skipped=_sorted(
            key for key, verdict in run.items() if verdict == "skipped" and base.get(key, "skipped") != "skipped"
        ),
    )


def since(verdicts: Sequence[tuple[int, Verdict]]) -> int | None:
    """Return the first run of the failing streak that goes on to the last run, None if the test did not fail there.

    ``verdicts`` are (run, verdict) of the runs of one branch that have the test, oldest first. Skipped runs do not end
    a streak, and do not begin one.
    """
    first = None
    for run, verdict in reversed(verdicts):
        if verdict == "passed":
            break
        if verdict == "failed":
            first = run
    return first if verdicts and verdicts[-1][1] == "failed" else None


def _sorted(keys: Iterable[Key]) -> tuple[Key, ...]:
    return tuple(sorted(keys))
