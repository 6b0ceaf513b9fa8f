"""Show the flaky and the slow tests of a suite over some weeks: how often they fail, what they cost, and since when."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.findings.flakiness import WINDOW, evidence_words
from pytest_automation_report.findings.times import change_over, factor, spread
from pytest_automation_report.server.pages import urls
from pytest_automation_report.server.pages.rendering import Page
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of, newest_runs
from pytest_automation_report.server.store.findings import stored_findings
from pytest_automation_report.server.store.histories import CaseHistory, Failures, Series, histories, series_of
from pytest_automation_report.server.store.reads import find_cases, mention, run_rows
from pytest_automation_report.server.store.values import DAY_US
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FlakyTest, RunMention
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.words import Values
    from pytest_automation_report.server.store.database import Row

PERIODS: Final = (30, 90)  # days
_MOST_RUNS: Final = 500
_MOST_FLAKY: Final = 100
_SHOWN: Final = 50
# Slowest tests of each of some runs of the period, whose durations are read.
_SLOWEST_OF_RUN: Final = 30
_NO_RUN: Final = 1 << 62  # above all ids
_FIRST_RUN: Final = 'SELECT MIN("id") FROM "run" WHERE "source_id" = ? AND "created" >= ?'


class CostsPage(Page):
    """The flaky and the slow tests of a suite on a branch."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Show the tests of the last 90 days, or 30 with ``days=30``; raises `ApiError` (404) for an unknown suite."""
        branch, now = urls.run_filters(req.params).branch, self.now_us()
        days = PERIODS[0] if urls.single_values(req.params).get("days") == str(PERIODS[0]) else PERIODS[1]
        values = self.read(partial(costs_values, source_id=source_id, branch=branch, days=days, now=now))
        self.show(req, resp, "runs/costs.html", **values)


class Cost(NamedTuple):
    """What a test cost in ``runs`` runs, in microseconds; a flaky one ``failed`` since a run, a slow one changed."""

    case: int
    cost: int
    runs: int
    since: int | None
    words: str = ""
    failed: int = 0
    usual: int | None = None
    ratio: float | None = None

    @property
    def change(self) -> str:
        """By how much it got slower or faster."""
        return "" if self.ratio is None else factor(self.ratio)


class _Period(NamedTuple):
    """The runs of one configuration that are looked at, and the first of them that is in the period."""

    series: Series
    first_run: int

    @property
    def runs(self) -> int:
        return sum(run.id >= self.first_run for run in self.series.runs)


def costs_values(reader: PageReader, source_id: int, branch: str | None, days: int, now: int) -> Values:
    """Return the values of the page; ``now`` is in microseconds since 1970."""
    connection, source = reader.connection, reader.suite(source_id)
    branch = main_branch(connection, source_id) if branch is None else branch
    ((found,),) = connection.execute(_FIRST_RUN, (source_id, now - days * DAY_US))
    first: int = _NO_RUN if found is None else found
    newest = [run for run in newest_runs(connection, source_id, branch) if run["id"] >= first]
    known = flaky_of_source(connection, source_id, branch, states=("flaky",), limit=_MOST_FLAKY) if newest else []
    flaky: list[Cost] = []
    slow: list[Cost] = []
    runs = 0
    for run in newest:
        period = _period(reader, run, first)
        own = [entry for entry in known if entry["config"] == run["config"]]
        flaky += _flaky_costs(reader, period, own, find_cases(connection, source_id, [entry["key"] for entry in own]))
        slow += _slow_costs(reader, period, source_id)
        runs += period.runs
    return {
        "source": source,
        "branch": branch,
        "branch_query": branch or urls.NO_BRANCH,
        "days": days,
        "periods": PERIODS,
        "runs": runs,
        "flaky": _named(reader, flaky),
        "flaky_count": len(flaky),
        "is_cut": len(known) == _MOST_FLAKY,
        "slow": _named(reader, slow),
        "flaky_cost": sum(row.cost for row in flaky),
    }


def _period(reader: PageReader, run: Row, first: int) -> _Period:
    runs = series_of(reader.connection, run, _MOST_RUNS).runs
    # What makes a test flaky may have been before a short period.
    before = sum(one.id < first for one in runs)
    return _Period(Series(runs[min(before, max(0, len(runs) - WINDOW)) :]), first)


def _flaky_costs(
    reader: PageReader, period: _Period, entries: Sequence[FlakyTest], cases: Mapping[str, int]
) -> list[Cost]:
    """Return the flaky tests that failed, or were tried again, in the period, with the time that this took."""
    series = period.series
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
        costs = [elapsed for run, elapsed in failed if run >= period.first_run]
        if costs:
            runs = sum(run >= period.first_run for run, _, _ in shown)
            words = f"in its last {quantity(entry['runs'], 'run')}: {evidence_words(entry)}"
            rows.append(Cost(history.case_id, sum(costs), runs, failed[0][0], words, len(costs)))
    return rows


def _slow_costs(reader: PageReader, period: _Period, source_id: int) -> list[Cost]:
    """Return the slowest tests of some runs of the period, and those that just got slower, with all of their time."""
    series = Series([run for run in period.series.runs if run.id >= period.first_run])
    cases = {case for run in spread(series.runs) for case in reader.slowest([run.id], _SLOWEST_OF_RUN)}
    document = stored_findings(reader.connection, series.last.id)
    slower = [] if document is None else [entry["key"] for entry in document["slower"][:_SHOWN]]
    cases |= set(find_cases(reader.connection, source_id, slower).values())
    known = histories(reader.connection, series, cases, last=len(series.runs))
    return [_slow_cost(known[case], len(series.runs)) for case in sorted(cases)]


def _slow_cost(history: CaseHistory, runs: int) -> Cost:
    durations = history.durations(runs)
    change = change_over([each.usual for each in durations], [each.elapsed for each in durations])
    times = [result.elapsed for _, result in history.results if result.elapsed]
    cost = Cost(history.case_id, sum(times), len(times), None, usual=history.usual())
    if change is None:
        return cost
    # It is usual what the test takes since it changed.
    return cost._replace(since=durations[-change.runs].run, usual=change.elapsed, ratio=change.ratio)


def _named(reader: PageReader, rows: Sequence[Cost]) -> list[tuple[Cost, str, NameParts, RunMention | None]]:
    """Return what cost most, with folder and name of each test, and the run since which it is what it is."""
    chosen = sorted(rows, key=lambda row: (-row.cost, row.case))[:_SHOWN]
    names = names_of(reader.connection, [row.case for row in chosen])
    runs = run_rows(reader.connection, sorted({row.since for row in chosen if row.since}))
    since = {row["id"]: mention(row) for row in runs}
    return [
        (row, names[row.case][1], split_name(names[row.case][2]), since.get(row.since))
        for row in chosen
        if row.case in names
    ]
