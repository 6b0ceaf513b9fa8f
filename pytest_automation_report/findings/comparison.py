"""Compare a run with an earlier one: which run it is compared with, and what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.flakiness import Verdict

__all__ = ["MAIN_BRANCHES", "Base", "Changes", "RunFacts", "Why", "base_of", "changes_between", "is_partial", "since"]

MAIN_BRANCHES: Final = ("main", "master", "trunk", "develop")
"""Names of a main branch, if none is configured: the first that has runs is it."""

Key = TypeVar("Key", int, str)
"""What names a test: its key, or a number of the store."""

Why: TypeAlias = Literal["asked", "same branch", "target branch", "main branch"]
"""Why a run is the base: the user asked for it, or it is the newest whole run of that branch."""

# A run with fewer tests than this share of its base ran a part of the suite.
_WHOLE_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts of a run that the choice of a base depends on.

    ``config`` is 0 if the run has none, ``branch`` and ``target_branch`` are empty if they are not known. ``tests`` is
    the number of its tests. ``is_selection``: options as ``-k`` or ``--lf`` chose some of the tests.
    """

    id: int
    config: int = 0
    branch: str = ""
    target_branch: str = ""
    is_completed: bool = True
    is_selection: bool = False
    tests: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """The run that another one is compared with, and why it is this one."""

    run: RunFacts
    why: Why


@dataclass(frozen=True, slots=True)
class Changes(Generic[Key]):
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

    ``others`` are runs of the same source in any order. Runs of another configuration, later runs and selections are
    passed over, and so are runs with fewer than half of the tests of the run before them.
    """
    candidates = _whole(other for other in others if other.config == run.config and other.id < run.id)
    branches: list[tuple[str, Why]] = [(run.branch, "same branch")]
    if run.target_branch:
        branches.append((run.target_branch, "target branch"))
    main = main_branch or next((name for name in MAIN_BRANCHES if any(o.branch == name for o in candidates)), "")
    branches.append((main, "main branch"))
    for branch, why in branches:
        if not branch and why != "same branch":
            continue
        for other in reversed(candidates):
            if other.branch == branch:
                return Base(other, why)
    return None


def _whole(runs: Iterable[RunFacts]) -> list[RunFacts]:
    """Return the completed runs of the whole suite, oldest first."""
    whole: dict[str, RunFacts] = {}
    kept: list[RunFacts] = []
    for run in sorted(runs, key=lambda run: run.id):
        if run.is_completed and run.tests and not is_partial(run, whole.get(run.branch)):
            whole[run.branch] = run
            kept.append(run)
    return kept


def is_partial(run: RunFacts, base: RunFacts | None) -> bool:
    """Whether a run had a part of the suite: by a selection, or with fewer than half of the tests of its base."""
    return run.is_selection or (base is not None and run.tests < base.tests * _WHOLE_SHARE)


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
