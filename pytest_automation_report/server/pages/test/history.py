"""Tests across runs: the outcomes of one, since when it fails, how long it takes."""

from __future__ import annotations

from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from pytest_automation_report.findings.comparison import JobResult, deciding_result, remaining
from pytest_automation_report.findings.flakiness import by_branch
from pytest_automation_report.findings.known import names_fixture
from pytest_automation_report.findings.sentences import commit_text, moment
from pytest_automation_report.server.pages import rendering, urls
from pytest_automation_report.server.pages.drawings import TrendPoint
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.words import OUTCOME_TONES, OUTCOMES
from pytest_automation_report.server.store.findings import stored_findings
from pytest_automation_report.server.store.histories import histories, series_of, usual_times
from pytest_automation_report.server.store.results import HISTORY_ROWS
from pytest_automation_report.server.store.values import KILLED, ResultClass
from pytest_automation_report.text.limits import duration
from pytest_automation_report.text.node_ids import NameParts, command_line, read_node_id, rerun_command, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import RunMention
    from pytest_automation_report.findings.flakiness import Flakiness, Verdict
    from pytest_automation_report.server.store.histories import UsualTime
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import PastResult, StoredCase, Suite

    Branches: TypeAlias = Mapping[str, tuple[int, bool]]

CHART_RUNS: Final = 30  # most runs of one drawing of durations
# What a run's findings say of a test: the kind of its failure, or that it is flaky and passes again.
FailureKind: TypeAlias = Literal["new", "back", "flaky", "still", "known", "passed again"]
_NEWS: Final[Mapping[FailureKind, str]] = {
    "new": "New failure.",
    "back": "New failure, back after a while.",
    "flaky": "Known to be flaky.",
    "still": "It fails again.",
    "known": "Known failure.",
    "passed again": "Passed again.",
}
_PAST: Final[Mapping[str, str]] = {"f": "failed", "r": "passed on a retry", "p": "passed"}
NO_BRANCHES: Final[Branches] = {}
_VERDICTS: Final[Mapping[str, Verdict]] = {"f": "failed", "r": "passed", "p": "passed", "s": "skipped", ".": "skipped"}
_DECIDED: Final = frozenset("prf")


class RunOutcome(Struct, frozen=True):
    """The outcome of the test in one run; ``letter`` as in `store.histories`, times in microseconds."""

    result: int
    run: int
    branch: str
    commit: str
    letter: str
    elapsed: int | None
    created: int
    fingerprint: int | None = None
    message: str = ""
    changes: str = ""  # of the run's files since its commit

    @property
    def tone(self) -> str:
        """Name of the colour."""
        return OUTCOME_TONES[self.word]

    @property
    def word(self) -> str:
        """The outcome in words."""
        return OUTCOMES[self.letter]


class Piece(NamedTuple):
    """A piece of a sentence: strong, with a link to a result, or how long ago the moment ``at`` was."""

    text: str
    is_strong: bool = False
    result: int | None = None
    at: int | None = None


class BranchHistory(NamedTuple):
    """The outcomes on one branch, newest first."""

    branch: str
    outcomes: Sequence[RunOutcome]

    @property
    def letters(self) -> str:
        """The last 12 outcomes as letters, oldest first."""
        return "".join(outcome.letter for outcome in reversed(self.outcomes[:12]))

    @property
    def counts(self) -> tuple[int, int]:
        """How many runs passed at once, of how many decided ones."""
        letters = [outcome.letter for outcome in self.outcomes]
        return letters.count("p"), sum(letter in _DECIDED for letter in letters)


def outcomes_of(rows: Iterable[PastResult], current: int | None = None) -> list[RunOutcome]:
    """Return one outcome for each run of `PageReader.history`, newest first; ``current`` stands for its run."""
    by_run: dict[int, list[PastResult]] = {}
    for row in rows:
        by_run.setdefault(row.run, []).append(row)
    return [_outcome(results, current) for results in by_run.values()]


def _outcome(rows: Sequence[PastResult], current: int | None) -> RunOutcome:
    place, has_failed = deciding_result(_of_jobs(rows))
    row = next((row for row in rows if row.id == current), rows[place])
    letter = "r" if row is rows[place] and has_failed and _letter(row) == "p" else _letter(row)
    return RunOutcome(
        row.id, row.run, row.branch or "", row.commit or "", letter, row.elapsed,
        row.created, row.fingerprint, row.message or "", row.changes or "",
    )  # fmt: skip


def _of_jobs(rows: Iterable[PastResult]) -> list[JobResult]:
    return [JobResult(_VERDICTS[_letter(row)], row.job, row.attempt, row.status == 1) for row in rows]


def job_outcomes(rows: Iterable[PastResult], run: int) -> list[tuple[PastResult, str, bool]]:
    """Return all results of the test in a run, by job and attempt, with their words; none if there is only one.

    The last value says whether a later attempt replaced the result.
    """
    own = sorted((row for row in rows if row.run == run), key=lambda row: (row.job or "", row.attempt or 1, row.id))
    kept = set(remaining(_of_jobs(own)))
    jobs = [(row, OUTCOMES[_letter(row)], place not in kept) for place, row in enumerate(own)]
    return jobs if len(jobs) > 1 else []


def _letter(row: PastResult) -> str:
    if row.status == 1 or row.fingerprint == KILLED:
        return "."
    if row.result_class == ResultClass.FAILURE:
        return "f"
    if row.result_class == ResultClass.SUCCESS:
        return "r" if row.failed_attempts else "p"
    return "s"


class FoundTests(NamedTuple):
    """What the findings of a run say of its tests, by their results."""

    kinds: Mapping[int | None, FailureKind | None] = {}
    flaky: Mapping[int | None, Flakiness] = {}
    since: Mapping[int | None, RunMention] = {}  # the runs in which failures began


NOTHING_FOUND: Final = FoundTests()


def found_tests(reader: PageReader, run_id: int) -> FoundTests:
    """Return what the findings of a run say of its tests; nothing before they are stored."""
    found = stored_findings(reader.connection, run_id)
    if found is None:
        return NOTHING_FOUND
    tests = found["tests"]
    failing = (*tests["newly_failing"], *tests["still_failing"])
    kinds: dict[int | None, FailureKind | None] = {entry["result"]: "passed again" for entry in tests["passed_again"]}
    kinds |= {entry["result"]: entry["kind"] for entry in failing}
    since = {entry["result"]: entry["since"] for entry in failing if entry["since"]}
    return FoundTests(kinds, {entry["result"]: entry for entry in found["flaky"]}, since)


def sentence(
    outcomes: Sequence[RunOutcome], current: int, found: FoundTests = NOTHING_FOUND, elsewhere: Branches = NO_BRANCHES
) -> list[Piece]:
    """Return what the outcome of a run means beside the earlier ones on its branch, and beside other branches."""
    kind, began = found.kinds.get(current), found.since.get(current)
    now = next(outcome for outcome in outcomes if outcome.result == current)
    before = [outcome for outcome in outcomes if outcome.branch == now.branch and outcome.run < now.run]
    decided = [outcome for outcome in before[: CHART_RUNS - 1] if outcome.letter in _DECIDED]
    on_branch = f" on {now.branch}" if now.branch else ""
    if now.letter == "f":
        pieces = _failing(now, decided, on_branch, kind, None if began is None else began["run"])
        if began is not None and began["commit"]:
            author = f" by {began['author']}" if began["author"] else ""
            commit = commit_text(began["commit"], began["changes"])
            pieces += [
                Piece(f" It began with {commit}{author}, "),
                Piece(moment(began["at"]), at=began["at"]),
                Piece("."),
            ]
    elif now.letter not in _DECIDED:
        pieces = [Piece("Skipped." if now.letter == "s" else "It did not finish.", is_strong=True)]
        if decided:
            last = decided[0]
            pieces += [Piece(" It last ran in "), _linked(last), Piece(f" and {_PAST[last.letter]}.")]
    else:
        pieces = _passing(now, decided, on_branch, kind)
    return [*pieces, *_on_branches(now, elsewhere)]


def _failing(
    now: RunOutcome, decided: Sequence[RunOutcome], on_branch: str, kind: FailureKind | None, since: int | None
) -> list[Piece]:
    if not decided:
        is_old = since not in {None, now.run}
        fails = f"Failing since #{since}." if is_old else "It fails." if kind is None else _NEWS[kind]
        return [Piece(fails, is_strong=True), Piece(f" This is its first run{on_branch}.")]
    passed = sum(outcome.letter == "p" for outcome in decided)
    is_back = any(each.letter == "f" for each in decided)
    last = decided[0]
    if last.letter != "f":
        counts = f" and in {_of(passed, len(decided))}" if len(decided) > 1 else ", its only run before"
        return [
            Piece(_NEWS["back" if is_back and kind in {None, "new"} else kind or "new"], is_strong=True),
            Piece(f" It {_PAST[last.letter]} in "),
            _linked(last),
            Piece(f"{counts}{on_branch}."),
        ]
    if since is not None and since > last.run:
        # It was skipped since then, or failed in another configuration.
        return [
            Piece(_NEWS["back" if kind is None or kind == "new" else kind], is_strong=True),
            Piece(" It last failed in "),
            _linked(last),
            Piece(f"{on_branch}."),
        ]
    streak = [now, *takewhile(lambda outcome: outcome.letter == "f" and outcome.run >= (since or 0), decided)]
    first = streak[-1]
    if since is not None and since < first.run:
        # It began before the runs that are looked at here.
        return [
            Piece(f"Failing since #{since}", is_strong=True),
            Piece(f", for more than {len(streak)} runs{on_branch}."),
        ]
    pieces = [
        Piece(f"Failing since #{first.run}", is_strong=True, result=first.result),
        Piece(f", for {len(streak)} runs{on_branch}."),
    ]
    rest = decided[len(streak) - 1 :]
    if rest:
        passed = sum(outcome.letter in "pr" for outcome in rest)
        before = f"passed in {_of(passed, len(rest), '')}" if len(rest) > 1 else _PAST[rest[0].letter]
        pieces.append(Piece(f" Before that it {before}."))
    elif len(decided) == CHART_RUNS - 1:
        pieces[0] = Piece(f"Failing since #{first.run} or longer", is_strong=True, result=first.result)
    elif not _are_failures_alone(streak):
        pieces.append(Piece(" It never passed there." if on_branch else " It never passed."))
    return pieces


def _passing(now: RunOutcome, decided: Sequence[RunOutcome], on_branch: str, kind: FailureKind | None) -> list[Piece]:
    flaky = sum(outcome.letter == "r" for outcome in decided)
    failed = sum(outcome.letter == "f" for outcome in decided)
    if now.letter == "r":
        pieces = [Piece("Flaky.", is_strong=True), Piece(" It failed, and passed on a retry.")]
        if flaky or failed:
            pieces.append(Piece(f" In {_of(flaky + failed, len(decided))}{on_branch} an attempt failed, too."))
        return pieces
    if not decided:
        return [Piece("Passed.", is_strong=True), Piece(f" This is its first run{on_branch}.")]
    last = decided[0]
    if last.letter == "f":
        return [
            Piece(_NEWS[kind] if kind == "passed again" else "Fixed.", is_strong=True),
            Piece(" It failed in "),
            _linked(last),
            Piece(f", and in {_of(failed, len(decided))}{on_branch}." if len(decided) > 1 else "."),
        ]
    passed = sum(outcome.letter in "pr" for outcome in decided)
    return [Piece("Passed,", is_strong=True), Piece(f" as in {_of(passed, len(decided))}{on_branch}.")]


def _on_branches(now: RunOutcome, elsewhere: Branches) -> list[Piece]:
    """Return on which branches the test fails and passes; nothing if it fails on none, or if it ran on no other."""
    own = {now.branch: (now.result, now.letter == "f")} if now.letter in _DECIDED else {}
    branches = {**own, **elsewhere}
    if not elsewhere or not any(is_failed for _, is_failed in branches.values()):
        return []
    pieces = [
        Piece(text, result=elsewhere[text][0] if kind and text in elsewhere else None)
        for text, kind in by_branch(branches).sentence()
    ]
    return [Piece(" "), *pieces]


def _of(count: int, total: int, which: str = "earlier ") -> str:
    if count == total:
        return f"all {total} {which}runs" if total > 1 else f"the {which}run"
    return f"{count} of the {total} {which}runs"


def _linked(outcome: RunOutcome) -> Piece:
    return Piece(f"#{outcome.run}", result=outcome.result)


def branch_histories(outcomes: Iterable[RunOutcome]) -> list[BranchHistory]:
    """Return the outcomes by branch, newest run first."""
    by_branch: dict[str, list[RunOutcome]] = {}
    for outcome in outcomes:
        by_branch.setdefault(outcome.branch, []).append(outcome)
    return [BranchHistory(*entry) for entry in by_branch.items()]


class Reliability(NamedTuple):
    """How many of the last decided runs passed at the first attempt and were flaky."""

    passed: int
    flaky: int
    runs: int


def _are_failures_alone(outcomes: Sequence[RunOutcome]) -> bool:
    """Whether these can be of a fixture that tests share, which has no time, and no results but its failures."""
    return all(outcome.letter == "f" and outcome.elapsed is None for outcome in outcomes)


def reliability(outcomes: Iterable[RunOutcome]) -> Reliability | None:
    """Return the reliability in the last 50 decided runs; None if there is none."""
    decided = [outcome for outcome in outcomes if outcome.letter in _DECIDED][:50]
    letters = [outcome.letter for outcome in decided if not _are_failures_alone(decided)]
    return Reliability(letters.count("p"), letters.count("r"), len(letters)) if letters else None


def trend_of(outcomes: Sequence[RunOutcome], current: RunOutcome, *, has_branches: bool) -> list[TrendPoint]:
    """Return the durations of the last runs, oldest first, or of those up to the current one if it is older."""
    shown = outcomes[:CHART_RUNS]
    if current not in shown:
        shown = [outcome for outcome in outcomes if outcome.run <= current.run][:CHART_RUNS]
    points = []
    for outcome in reversed(shown):
        elapsed = "" if outcome.elapsed is None else duration(outcome.elapsed)
        words = ", ".join(filter(None, (outcome.word, elapsed, outcome.branch if has_branches else "")))
        address = urls.link("result", outcome.result)
        points.append(TrendPoint(outcome.run, outcome.elapsed or 0, words, outcome.tone, address, elapsed))
    return points


_CALENDAR, _BRANCHES, _REASONS = 200, 20, 20


def show_case(store: Store, req: falcon.Request, resp: falcon.Response, case_id: int) -> None:
    """Show the outcomes of a test by branch, whatever the run."""
    branch = urls.run_filters(req.params).branch
    rendering.show(req, resp, ask(store, partial(case_context, case_id, branch)))


class CaseContext(rendering.PageContext, frozen=True, kw_only=True):
    """A test across runs: its outcomes by branch, newest first, and what the last one on the chosen branch means.

    ``newest`` is the row of its last result, None if its runs were removed; ``is_whole``: there are no more outcomes.
    """

    template: ClassVar[str] = "test/case.html"
    case: StoredCase
    source: Suite
    newest: PastResult | None
    function: NameParts
    outcomes: Sequence[RunOutcome]
    is_whole: bool
    branches: Sequence[BranchHistory]
    chosen: BranchHistory | None
    trend: Sequence[TrendPoint]
    usual: UsualTime | None
    reliability: Reliability | None
    reasons: Sequence[Sequence[RunOutcome]]
    sentence: Sequence[Piece]
    flakiness: Flakiness | None
    command: str


def case_context(case_id: int, branch: str | None, reader: PageReader) -> CaseContext:
    """Return what the page of a test across runs shows."""
    case = reader.case(case_id)
    rows = reader.history(case_id, case.moved_from)
    known = outcomes_of(rows)
    outcomes = known[:_CALENDAR]
    # The branch with most outcomes comes first.
    branches = sorted(branch_histories(outcomes), key=lambda row: (-len(row.outcomes), row.branch))[:_BRANCHES]
    chosen = next((row for row in branches if row.branch == branch), branches[0] if branches else None)
    on_branch = [] if chosen is None else chosen.outcomes
    shown = on_branch[0] if on_branch else None
    newest = rows[0] if rows else None
    found = found_tests(reader, shown.run) if shown else NOTHING_FOUND
    run = reader.known_run(shown.run) if shown else None
    others = {} if run is None else reader.other_branches(run)
    elsewhere = reader.by_branch([(case_id, 0)], others).get(0, {})
    own = {} if run is None else histories(reader.connection, series_of(reader.connection, run), [case_id])
    return CaseContext(
        case=case,
        source=reader.suite(case.source),
        newest=newest,
        function=split_name(newest.name if newest else case.key),
        outcomes=outcomes,
        is_whole=len(rows) < HISTORY_ROWS and len(known) <= _CALENDAR,
        branches=branches,
        chosen=chosen,
        trend=trend_of(on_branch, shown, has_branches=False) if shown else [],
        usual=usual_times(reader.connection, own).get(case_id),
        reliability=reliability(outcomes),
        reasons=_by_reason(outcomes),
        sentence=sentence(outcomes, shown.result, found, elsewhere) if shown else (),
        flakiness=found.flaky.get(shown.result) if shown else None,
        command=_command(newest) if newest else "",
    )


def _command(newest: PastResult) -> str:
    if newest.elapsed is None and names_fixture(newest.name):
        return rerun_command(newest.run)
    return command_line([read_node_id(newest.file, newest.folder, newest.name, line=newest.line)])


def _by_reason(outcomes: Sequence[RunOutcome]) -> list[list[RunOutcome]]:
    """Return the failed outcomes by reason, most runs first; ``outcomes`` are newest first."""
    failed: dict[int | None, list[RunOutcome]] = {}
    for outcome in outcomes:
        if outcome.letter == "f":
            failed.setdefault(outcome.fingerprint, []).append(outcome)
    return sorted(failed.values(), key=lambda own: -len(own))[:_REASONS]
