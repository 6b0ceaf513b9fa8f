"""What flaky and slow tests of a suite cost in some days."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.findings.flakiness import WINDOW, evidence_words
from pytest_automation_report.findings.times import USUAL_RUNS, change_over, median, spread
from pytest_automation_report.server.pages import rendering, urls
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of, newest_runs
from pytest_automation_report.server.store.findings import stored_findings
from pytest_automation_report.server.store.histories import (
    CaseHistory,
    Failures,
    Series,
    UsualTime,
    histories,
    series_of,
    usual_times,
)
from pytest_automation_report.server.store.reads import find_cases, mention, run_rows
from pytest_automation_report.server.store.values import DAY_US
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FlakyTest, RunMention
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import Suite

    Branches: TypeAlias = Mapping[str, tuple[int, bool]]

PERIODS: Final = (30, 90)  # days
_MOST_RUNS: Final = 500
_MOST_FLAKY: Final = 100
_SHOWN: Final = 50
# Slowest tests of each of some runs of the period, whose durations are read.
_SLOWEST_OF_RUN: Final = 30
_NO_RUN: Final = 1 << 62  # above all ids


def show_costs(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Show the flaky and the slow tests of a suite on a branch in 90 days, or 30 with ``days=30``."""
    branch, now = urls.run_filters(req.params).branch, rendering.now_us()
    days = PERIODS[0] if urls.single_values(req.params).get("days") == str(PERIODS[0]) else PERIODS[1]
    question = partial(costs_context, source_id=source_id, branch=branch, days=days, now=now)
    rendering.show(req, resp, ask(store, question))


class Cost(NamedTuple):
    """What a test cost in ``runs`` runs, in microseconds; a flaky one ``failed`` since a run, a slow one changed."""

    case: int
    cost: int
    runs: int
    since: int | None
    words: str = ""
    failed: int = 0
    usual: UsualTime | None = None
    ratio: float | None = None  # by which it got slower or faster
    weight: int = 0  # of a slow one: its median time in each of its runs


class NamedCost(NamedTuple):
    """A cost with folder and name of its test, and the run since which it is what it is."""

    cost: Cost
    folder: str
    short: NameParts
    since: RunMention | None


class CostsContext(rendering.PageContext, frozen=True, kw_only=True):
    """What cost most on a branch of a suite in some days; ``is_cut``: there are more flaky tests than were read."""

    template: ClassVar[str] = "runs/costs.html"
    source: Suite
    branch: str
    branch_query: str  # the branch in a URL
    days: int
    periods: Sequence[int]
    runs: int
    flaky: Sequence[NamedCost]
    flaky_count: int
    flaky_cost: int
    is_cut: bool
    slow: Sequence[NamedCost]


def costs_context(reader: PageReader, source_id: int, branch: str | None, days: int, now: int) -> CostsContext:
    """Return what flaky and slow tests cost; ``now`` is in microseconds since 1970."""
    connection, source = reader.connection, reader.suite(source_id)
    branch = main_branch(connection, source_id) if branch is None else branch
    first = reader.first_since(source_id, now - days * DAY_US) or _NO_RUN
    newest = [run for run in newest_runs(connection, source_id, branch) if run.id >= first]
    known = flaky_of_source(connection, source_id, branch, states=("flaky",), limit=_MOST_FLAKY) if newest else []
    flaky: list[Cost] = []
    slow: list[Cost] = []
    runs = 0
    for run in newest:
        series = series_of(connection, run, _MOST_RUNS)
        before = sum(one.id < first for one in series.runs)
        # What makes a test flaky may have been before a short period.
        longer = replace(series, runs=series.runs[min(before, max(0, len(series.runs) - WINDOW)) :])
        own = [entry for entry in known if entry["config"] == run.config]
        cases = find_cases(connection, source_id, [entry["key"] for entry in own])
        flaky += _flaky_costs(reader, longer, first, own, cases)
        slow += _slow_costs(reader, series, before, source_id)
        runs += len(series.runs) - before
    weights = [row.weight for row in slow]
    least = min(sum(weights) / 100, max(weights, default=0))  # less than a hundredth of their time is not slow
    return CostsContext(
        source=source,
        branch=branch,
        branch_query=branch or urls.NO_BRANCH,
        days=days,
        periods=PERIODS,
        runs=runs,
        flaky=_named(reader, flaky, lambda row: row.cost),
        flaky_count=len(flaky),
        flaky_cost=sum(row.cost for row in flaky),
        is_cut=len(known) == _MOST_FLAKY,
        slow=_named(reader, [row for row in slow if row.weight >= least], lambda row: row.weight),
    )


def _flaky_costs(
    reader: PageReader, series: Series, first_run: int, entries: Sequence[FlakyTest], cases: Mapping[str, int]
) -> list[Cost]:
    """Return the flaky tests that failed, or were tried again, since the first run, with the time that this took."""
    failures = Failures(reader.connection, series)
    known = histories(reader.connection, series, cases.values(), last=len(series.runs))
    rows: list[Cost] = []
    for entry in entries:
        history = known[cases[entry["key"]]]
        shown = [
            (series.runs[place].id, outcome, result.elapsed or 0)
            for (place, result), outcome in zip(history.results, history.outcomes(failures), strict=True)
            if outcome.verdict != "skipped" and not outcome.is_storm
        ]
        failed = [(run, elapsed) for run, out, elapsed in shown if out.verdict == "failed" or out.has_failed_attempt]
        costs = [elapsed for run, elapsed in failed if run >= first_run]
        if costs:
            runs = sum(run >= first_run for run, _, _ in shown)
            about = f"in its last {quantity(entry['runs'], 'run')}: {evidence_words(entry)}"
            rows.append(Cost(history.case_id, sum(costs), runs, failed[0][0], about, len(costs)))
    return rows


def _slow_costs(reader: PageReader, whole: Series, before: int, source_id: int) -> list[Cost]:
    """Return the slowest tests of some runs after the first ones, and those that just got slower."""
    series = Series(whole.runs[before:])
    cases = {case for run in spread(series.runs) for case in reader.slowest([run.id], _SLOWEST_OF_RUN)}
    document = stored_findings(reader.connection, series.last.id)
    slower = [] if document is None else [entry["key"] for entry in document["slower"][:_SHOWN]]
    cases |= set(find_cases(reader.connection, source_id, slower).values())
    known = histories(reader.connection, series, cases, last=len(series.runs))
    usual = usual_times(reader.connection, histories(reader.connection, whole, cases, last=USUAL_RUNS))
    return [_slow_cost(known[case], usual[case], len(series.runs)) for case in sorted(cases)]


def _slow_cost(history: CaseHistory, usual: UsualTime | None, runs: int) -> Cost:
    times = [result.elapsed for _, result in history.results if result.elapsed]
    # By the sum a single stall of the machine would make the slowest test of one that takes no time.
    weight = round(median(times)) * len(times) if times else 0
    cost = Cost(history.case_id, sum(times), len(times), None, usual=usual, weight=weight)
    if usual is not None and usual.since is not None and usual.before:
        return cost._replace(since=usual.since["run"], ratio=usual.elapsed / usual.before)
    durations = history.durations(runs)
    change = change_over([each.usual for each in durations], [each.elapsed for each in durations])
    return cost if change is None else cost._replace(since=durations[-change.runs].run, ratio=change.ratio)


def _named(reader: PageReader, rows: Sequence[Cost], by: Callable[[Cost], int]) -> list[NamedCost]:
    chosen = sorted(rows, key=lambda row: (-by(row), row.case))[:_SHOWN]
    names = names_of(reader.connection, [row.case for row in chosen])
    runs = run_rows(reader.connection, sorted({row.since for row in chosen if row.since}))
    since = {row.id: mention(row) for row in runs}
    return [
        NamedCost(row, names[row.case][1], split_name(names[row.case][2]), since.get(row.since or 0))
        for row in chosen
        if row.case in names
    ]
