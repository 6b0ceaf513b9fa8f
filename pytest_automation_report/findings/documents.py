"""Declare the documents of findings, as the server makes them and pages, console, export and summaries read them.

`docs/documents.md` says what the members hold. Times and durations are in microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from pytest_automation_report.findings.flakiness import Flakiness, Verdict
from pytest_automation_report.findings.times import RunTime, Waste

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import NotRequired

    from pytest_automation_report.findings.comparison import WholeRun, Why

Mine: TypeAlias = Literal["new", "flaky", "still", "known"]
"""Whose a failure is, as `sentences.MINE` has it."""

Tone: TypeAlias = Literal["fail", "pass", "flaky", "live", "skip"]

VerdictKind: TypeAlias = Literal[
    "running", "died", "interrupted", "stopped", "ended", "not collected", "failed", "no tests", "skipped", "not whole",
    "exit", "passed", "fixture",
]  # fmt: skip

TimeShare: TypeAlias = Literal["before", "tests", "between", "waiting", "after"]


class CommitRange(TypedDict):
    """The number of ``commits`` after one, up to another: one of them has brought something."""

    commits: int
    after: str
    up_to: str


class RunMention(TypedDict):
    """A run: its commit, the author of it if the files were as in the commit, their ``changes``, when it was created.

    Of a run with which failures began ``commit``, ``author`` and ``changes`` are None if no commit need have brought
    them: the test is known to be flaky, or had passed before with the same files. ``author`` is None, too, if it is not
    known that the commit is the only one since the test passed; ``among`` has the number of the commits that it may be
    if they are several.
    """

    run: int
    commit: str | None
    author: str | None
    changes: str | None
    at: int
    among: NotRequired[CommitRange]


class BaseRun(RunMention):
    """The run that another one is compared with."""

    why: Why
    branch: str | None


class GateBase(TypedDict):
    """The run that the gate compares with, the number of failures that it finds, and the branch if it is another."""

    base: int | None
    branch: str | None
    failures: int


class EarlierSource(TypedDict):
    """An older source that has the tests of a new one, and the number of its runs."""

    name: str
    runs: int


class VerdictWords(TypedDict):
    """What is to be said: a sentence, a few words, and the part of the suite that it is about, empty for all of it."""

    kind: VerdictKind
    tone: Tone
    long: str
    short: str
    part: str


class RanTests(TypedDict):
    """Numbers of a run's tests (`sentences.RunNumbers`)."""

    finished: int
    failed: int
    passed: int
    skipped: int
    collected: int | None
    not_run: int
    files: int
    lost: int
    modules: int
    uncollected: int
    unexplained_exit: NotRequired[int]  # servers before this release have none
    fixtures: NotRequired[int]
    fixture: NotRequired[str]
    blocked: NotRequired[int]


class NamedTest(TypedDict):
    """A test; of one that is gone ``result`` is in the base, None if that was removed."""

    key: str
    folder: str
    name: str
    result: int | None


class KnownUntil(TypedDict):
    """The last day on which a file of known failures excuses a test, as 2026-12-31, and the reason."""

    until: str
    reason: str


class FormerName(TypedDict):
    """The name that a test had in the base."""

    folder: str
    name: str


class ChangedTest(NamedTest):
    """A test of a list of changes; ``since`` is the run with which its failures began, ``was`` of one that was moved.

    ``same_reason`` says of a failure that is back whether the test failed before for the same reason. ``known`` has the
    last day, and the reason, of a failure that its session's file names, also if the day was past.
    """

    status: Verdict | None
    since: RunMention | None
    kind: Mine | None
    same_reason: bool | None
    known: KnownUntil | None
    fingerprint: str | None
    was: FormerName | None


class ChangedDuration(NamedTest):
    """A test that got slower or faster: its duration, the usual one ``until`` a run, and the run of the change."""

    elapsed: int
    median: int
    ratio: float
    until: int
    since: RunMention | None


class FailureReason(TypedDict):
    """A reason of failures of one ``kind``: ``title`` is its most frequent line, ``messages`` counts different ones.

    ``mine`` has the number of its tests by that kind.
    ``same_reason`` is of its failures that are back, None if they differ. ``fixture`` says which fixture that tests
    share failed, and when.
    ``first`` is the first run of the source with it, ``since`` the run in which its oldest streak of failures began.
    """

    title: str
    masked: str
    phase: str | None
    place: str | None
    fixture: NotRequired[str | None]  # servers before this release have none
    messages: int
    keys: Sequence[str]
    fingerprint: str
    count: int
    kind: Mine | None
    mine: Mapping[str, int]
    same_reason: bool | None
    first: RunMention | None
    since: RunMention | None


class FlakyResult(NamedTest, Flakiness):
    """A test of a run that is not stable; ``is_known``: the runs before show that it is flaky."""

    is_known: bool


class FlakyTest(Flakiness):
    """A test of a source that is not stable, in one configuration."""

    key: str
    folder: str
    name: str
    config: int | None


class SessionStop(TypedDict):
    """What ended a session of a run early; ``job`` is that of several, and ``running`` has workers and node ids.

    The ``error`` of a session whose process died is not known: it is empty.
    """

    job: str | None
    error: str
    place: str
    running: Sequence[tuple[str, str]]


class RunFindings(TypedDict):
    """The findings of a run; ``known`` says until when its known failures are, empty without any.

    Documents of earlier releases have no ``stops``.
    """

    version: int
    run: int
    base: BaseRun | None
    gate: GateBase
    earlier_source: EarlierSource | None
    is_partial: bool
    whole: WholeRun | None
    speed: float
    verdict: VerdictWords
    ran: RanTests
    mine: Mapping[str, int]
    known: str
    counts: Mapping[str, int]
    tests: Mapping[str, Sequence[ChangedTest]]
    reasons: Sequence[FailureReason]
    stops: NotRequired[Sequence[SessionStop]]
    flaky: Sequence[FlakyResult]
    slower: Sequence[ChangedDuration]
    faster: Sequence[ChangedDuration]
    time: RunTime


class FindingsSummary(TypedDict):
    """What a list of runs shows of findings: id of the base, numbers of reasons and of tests that did not run."""

    base: int | None
    gate: GateBase
    verdict: VerdictWords
    mine: Mapping[str, int]
    counts: Mapping[str, int]
    not_run: int
    reasons: int


class SourceFlakiness(TypedDict):
    """The flaky, broken and suspect tests of a source on a branch."""

    version: int
    source: int
    branch: str
    tests: Sequence[FlakyTest]


class ReasonExcerpt(TypedDict):
    """A reason of failures in a session's summary."""

    count: int
    kind: Mine | None
    mine: Mapping[str, int]
    same_reason: bool | None
    title: str
    since: RunMention | None


class FailureExcerpt(TypedDict):
    """A failing test in a session's summary; ``flaky`` has its failed runs and all its runs if it is flaky."""

    folder: str
    name: str
    kind: Mine | None
    same_reason: bool | None
    since: RunMention | None
    flaky: Sequence[int] | None


class FindingsExcerpt(TypedDict):
    """The part of a run's findings that a session's summary shows, with short texts.

    ``lines``, ``earlier_source`` and ``digest`` are ready text; the second is empty unless the source is new.
    """

    lines: Sequence[str]
    earlier_source: str
    digest: NotRequired[str]
    base: RunMention | None
    gate: NotRequired[GateBase | None]
    whole: NotRequired[WholeRun | None]
    verdict: VerdictWords
    mine: Mapping[str, int]
    known: str
    counts: Mapping[str, int]
    reasons: Sequence[ReasonExcerpt]
    failing: Sequence[FailureExcerpt]


class FileTests(TypedDict):
    """The tests of a file, or of a folder if they have no file; ``counts`` are by status id, as text."""

    file: str | None
    folder: str
    counts: dict[str, int]
    flaky: int
    elapsed: int
    first: int
    last: int


class FlakyResults(TypedDict):
    """The number of results that passed after a failed attempt, and the ids of the last of them."""

    count: int
    results: Sequence[int]


class SlowTest(TypedDict):
    """One of the slowest results of a run."""

    id: int
    case: int
    name: str
    folder: str
    file: str | None
    elapsed: int


Cell: TypeAlias = tuple[int, str]
"""The id of a result, and two letters of its outcome."""

BlockRow: TypeAlias = tuple[int, int, str, int, int, int]
"""Tests in a lane: start, end, two letters of the outcome, number of tests, id of the first and last result."""


class TestAxis(TypedDict):
    """Something by which the tests of a function differ; ``of`` has the place of each cell's value in ``values``."""

    name: str
    values: Sequence[str]
    of: Sequence[int]


class TestCells(TypedDict):
    """The tests of a function, and their axes."""

    cells: Sequence[Cell]
    axes: Sequence[TestAxis]


class TestFamily(TestCells):
    """A function with failures that has parameters, or that several jobs ran, and a cell for each of its results.

    ``parameters`` counts those that differ: two jobs may have run each.
    """

    file: str
    folder: str
    function: str
    parameters: int
    count: int


class LaneOwner(TypedDict):
    """A worker with a lane; ``busy`` is the time of its tests, ``began`` and ``over`` are those of `WorkerTime`."""

    thread: int
    position: int
    tests: int
    busy: int
    start: int
    end: int
    began: int
    over: int | None


class WorkerWaste(Waste):
    """The test for which the other workers waited."""

    name: str
    elapsed: int | None


class RunLanes(TypedDict):
    """The lanes of the workers, in the order of ``workers``."""

    wall: int
    is_exact: bool
    worker_count: int
    workers: Sequence[LaneOwner]
    lanes: Sequence[Sequence[BlockRow]]
    waste: WorkerWaste | None


class RunOverview(RunLanes):
    """The overview of a run for its pages: tests by file, where its time went, and fields that differ with counts."""

    version: int
    files: Sequence[FileTests]
    flaky: FlakyResults
    slowest: Sequence[SlowTest]
    families: Sequence[TestFamily]
    facts: Mapping[str, Mapping[str, int]]
