"""Turn runs into rows of lists and suites into cards; show what fails, is flaky or slow, and what tests cost."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.findings.flakiness import WINDOW, evidence_words
from pytest_automation_report.findings.sentences import MINE
from pytest_automation_report.findings.times import HISTORY, LAST, change_over, median, spread
from pytest_automation_report.server.pages import rendering, urls, words
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, TrendPoint, failure_trend
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of, newest_runs
from pytest_automation_report.server.store.findings import stored_findings, summaries, verdict_in_list
from pytest_automation_report.server.store.histories import CaseHistory, Failures, Series, histories, series_of
from pytest_automation_report.server.store.reads import RunRecord, find_cases, mention, run_rows
from pytest_automation_report.server.store.values import DAY_US
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FindingsSummary, FlakyTest, RunMention, VerdictWords
    from pytest_automation_report.server.store.database import Row
    from pytest_automation_report.server.store.store import Store


def run_row(record: RunRecord, source: str, summary: FindingsSummary | None, bases: Mapping[int, Row]) -> words.Values:
    """Return the values of a run in a list; ``summary`` is of its findings, ``bases`` has rows of bases by id."""
    row, fields = record.row, {field["name"].lower(): field["value"] for field in words.attached(record, "fields")}
    commit_link, links = words.links_of(record)
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    is_open, collected = not row["is_completed"], words.collected_of(record)
    not_run = 0 if is_open or summary is None else summary["not_run"]
    # Some tests that did not run have a result that says so, and a part of its status.
    missing = (collected or 0) - row["total_count"] if is_open else not_run - row["untested_count"]
    return {
        **words.run_values(row, source),
        "said": verdict_in_list({**row, "collected": collected}, summary),
        "tags": json.loads(row["tags"]),
        "parts": words.parts_of(words.counts_of(row), missing=missing, is_open=is_open),
        "subject": fields.get("commit subject", ""),
        "commit_link": commit_link,
        "link": links[0] if links else None,
        "not_run": not_run,
        "is_uncomputed": summary is None and not is_open,
        "moved": change_words(row, summary),
        "base": None if base is None else base["id"],
        "before": words.comparable_time(row, base),
    }


def change_words(row: Row, summary: FindingsSummary | None) -> list[tuple[int, str, str]]:
    """Return whose failures a completed run has, and what passes again: numbers, words and tones.

    Without a base these are only its failures.
    """
    if summary is None or not summary["base"]:
        said = [(row["failure_count"], "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        said = [(summary["mine"][name], word, inks.get(name, "skip")) for name, word in MINE.items()]
        said += [(summary["counts"][name], name.replace("_", " "), "pass") for name in ("fixed", "passed_again")]
    return [each for each in said if each[0]]


RAIL_TESTS: Final = 10  # most flaky and slow tests beside the runs of a suite


class BranchRuns(NamedTuple):
    """The last completed runs of a suite's branch, oldest first, their trend, and what is known of the last one.

    A run of a part of the suite knows of its own tests alone. It is the last one, and among the rows, only if all runs
    are such parts; otherwise ``part`` is a later one.
    """

    rows: Sequence[Row] = ()
    points: Sequence[TrendPoint] = ()
    part: Row | None = None
    last: Row | None = None
    summary: FindingsSummary | None = None
    said: VerdictWords | None = None


def branch_runs(reader: PageReader, source_id: int, branch: str) -> BranchRuns:
    """Return the runs of a branch."""
    rows = reader.completed_trend(source_id, branch)
    if not rows:
        return BranchRuns()
    whole = [row for row in rows if not row["selection"]] or rows
    known, last = summaries(reader.connection, [row["id"] for row in rows]), whole[-1]
    part, summary = rows[-1] if rows[-1] is not last else None, known.get(last["id"])
    return BranchRuns(whole, failure_trend(rows, known), part, last, summary, verdict_in_list(last, summary))


class SuiteCard(NamedTuple):
    """A suite, the runs of its main branch, and its newest run if that goes on.

    ``flaky`` is the number of flaky tests, None if not all tests ran; ``usual`` the time of a run in microseconds.
    """

    suite: Row
    branch: str
    runs: BranchRuns
    running: Row | None
    flaky: int | None
    usual: int | None


def card_of(reader: PageReader, source: Row) -> SuiteCard:
    """Return the card of a suite."""
    branch = main_branch(reader.connection, source["id"])
    runs, newest = branch_runs(reader, source["id"], branch), reader.newest(source["id"], None)
    running = newest if newest is not None and not newest["is_completed"] else None
    is_whole = runs.summary and not runs.summary["not_run"] and not runs.summary["verdict"]["part"]
    flaky = runs.summary["counts"]["flaky"] if runs.summary and is_whole else None
    times = [row["elapsed"] for row in runs.rows[:-1] if row["elapsed"]]
    return SuiteCard(source, branch, runs, running, flaky, int(median(times)) if times else None)


class SuiteTest(NamedTuple):
    """A test beside the runs of a suite: its evidence or usual duration, and its last outcomes or its share of that."""

    name: str
    case: int
    words: str
    letters: str = ""
    share: float = 0


def flaky_tests(reader: PageReader, source_id: int, branch: str, series: Series) -> list[SuiteTest]:
    """Return the flaky tests of a suite's branch, most expensive first."""
    shown = flaky_of_source(reader.connection, source_id, branch, states=("flaky",), limit=RAIL_TESTS)
    cases = find_cases(reader.connection, source_id, [entry["key"] for entry in shown])
    known = histories(reader.connection, series, cases.values(), last=STRIP_RUNS)
    return [
        SuiteTest(entry["name"], case, evidence_words(entry), known[case].letters[-STRIP_RUNS:])
        for entry in shown
        if (case := cases[entry["key"]])
    ]


def slowest_tests(reader: PageReader, series: Series) -> list[SuiteTest]:
    """Return the slowest tests of a suite by their usual duration, with their share of the slowest one."""
    # The very last run may be one of a part of the suite.
    last = [run.id for run in series.runs[-LAST:]]
    # The usual times of five times as many tests as are shown are compared.
    slow = reader.slowest(last, LAST * 5 * RAIL_TESTS)
    known = histories(reader.connection, series, slow, last=HISTORY)
    medians = {case: usual for case in slow if (usual := known[case].usual()) is not None}
    chosen = sorted(medians, key=lambda case: (-medians[case], case))[:RAIL_TESTS]
    names = names_of(reader.connection, chosen)
    return [
        SuiteTest(names[case][2], case, duration(medians[case]), share=medians[case] / medians[chosen[0]])
        for case in chosen
    ]


PERIODS: Final = (30, 90)  # days
_MOST_RUNS: Final = 500
_MOST_FLAKY: Final = 100
_SHOWN: Final = 50
# Slowest tests of each of some runs of the period, whose durations are read.
_SLOWEST_OF_RUN: Final = 30
_NO_RUN: Final = 1 << 62  # above all ids
_FIRST_RUN: Final = 'SELECT MIN("id") FROM "run" WHERE "source_id" = ? AND "created" >= ?'


def show_costs(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Show the flaky and the slow tests of a suite on a branch in 90 days, or 30 with ``days=30``."""
    branch, now = urls.run_filters(req.params).branch, rendering.now_us()
    days = PERIODS[0] if urls.single_values(req.params).get("days") == str(PERIODS[0]) else PERIODS[1]
    values = ask(store, partial(costs_values, source_id=source_id, branch=branch, days=days, now=now))
    rendering.show(req, resp, "runs/costs.html", **values)


class Cost(NamedTuple):
    """What a test cost in ``runs`` runs, in microseconds; a flaky one ``failed`` since a run, a slow one changed."""

    case: int
    cost: int
    runs: int
    since: int | None
    words: str = ""
    failed: int = 0
    usual: int | None = None
    ratio: float | None = None  # by which it got slower or faster


def costs_values(reader: PageReader, source_id: int, branch: str | None, days: int, now: int) -> words.Values:
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
        series = series_of(connection, run, _MOST_RUNS).runs
        before = sum(one.id < first for one in series)
        # What makes a test flaky may have been before a short period.
        longer = Series(series[min(before, max(0, len(series) - WINDOW)) :])
        own = [entry for entry in known if entry["config"] == run["config"]]
        cases = find_cases(connection, source_id, [entry["key"] for entry in own])
        flaky += _flaky_costs(reader, longer, first, own, cases)
        slow += _slow_costs(reader, Series(series[before:]), source_id)
        runs += len(series) - before
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


def _slow_costs(reader: PageReader, series: Series, source_id: int) -> list[Cost]:
    """Return the slowest tests of some runs of the period, and those that just got slower, with all of their time."""
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
