"""Find the flaky tests of a run, and those of a source."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.findings.comparison import MAIN_BRANCHES
from pytest_automation_report.findings.flakiness import Outcome, flakiness_of
from pytest_automation_report.server.store.compared import MAX_TESTS
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.histories import add_run_of, failed_histories, series_of
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, RunRow, SourceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Flakiness
    from pytest_automation_report.server.store.compared import ComparedRun
    from pytest_automation_report.server.store.store import Store

__all__ = ["VERSION", "flaky_in_run", "flaky_of_source", "flaky_tests", "main_branch", "names_of"]

VERSION: Final = 1
"""Version of the document of a source's flaky tests."""

_SHOWN_STATES: Final = frozenset({"flaky", "broken", "suspect"})


def flaky_tests(store: Store, source_id: int, branch: str | None = None) -> Json:
    """Return the flaky, broken and suspect tests of a source by its completed runs on a branch.

    Without a branch it is the main branch, or that of the newest run if there is none. Raises `ApiError` (404) for an
    unknown source. A test that runs on several configurations has an entry for each.
    """
    chosen = branch if branch is not None else store.read(lambda reader: main_branch(reader.database, source_id))
    newest = store.read(lambda reader: _newest_runs(reader.database, source_id, chosen))
    for run in newest:
        store.write(partial(add_run_of, run))
    return {
        "version": VERSION,
        "source": source_id,
        "branch": chosen,
        "tests": store.read(lambda reader: flaky_of_source(reader.database, source_id, chosen)),
    }


def main_branch(database: Database, source_id: int) -> str:
    """Return the main branch of a source; raises `ApiError` (404) for an unknown source."""
    if not SourceRow.select(SourceRow.id).where(SourceRow.id == source_id).count(database):
        raise not_found("automation source")
    rows: Any = (
        RunRow.select(RunRow.branch, fn.MAX(RunRow.id))
        .where((RunRow.source == source_id) & (RunRow.is_completed == True))  # noqa: E712 - SQL, not Python
        .group_by(RunRow.branch)
        .order_by(fn.MAX(RunRow.id).desc())
        .tuples()
        .execute(database)
    )
    branches = [branch or "" for branch, _ in rows]
    return next((name for name in MAIN_BRANCHES if name in branches), branches[0] if branches else "")


def _newest_runs(database: Database, source_id: int, branch: str) -> list[Json]:
    """Return the newest completed run of each configuration."""
    is_branch = RunRow.branch == branch if branch else RunRow.branch.is_null()
    newest = (
        RunRow.select(fn.MAX(RunRow.id))
        .where((RunRow.source == source_id) & is_branch & (RunRow.is_completed == True))  # noqa: E712 - as above
        .group_by(RunRow.config)
    )
    rows: Any = RunRow.select().where(RunRow.id.in_(newest)).order_by(RunRow.id).dicts().execute(database)
    return list(rows)


def flaky_of_source(
    database: Database,
    source_id: int,
    branch: str,
    *,
    states: Collection[str] = _SHOWN_STATES,
    limit: int = MAX_TESTS,
) -> list[Json]:
    """Return the tests of these states of a source on a branch, by the runs whose findings are stored.

    Of each configuration there are at most ``limit``, those that cost most.
    """
    entries: list[Json] = []
    for run in _newest_runs(database, source_id, branch):
        series = series_of(database, run)
        if series is None:
            continue
        shown = {
            case_id: state
            for case_id, history in failed_histories(database, series).items()
            if history.has_failed(series.length)
            and (state := flakiness_of(history.outcomes_at(series, series.length))).state in states
        }
        order = sorted(shown, key=lambda case_id: (shown[case_id].state != "flaky", -shown[case_id].low, case_id))
        names = names_of(database, order[:limit])
        entries += [
            {**names[case_id], "config": run["config"], **_flaky_entry(shown[case_id])}
            for case_id in order[:limit]
            if case_id in names
        ]
    return sorted(entries, key=lambda entry: (entry["state"] != "flaky", -entry["low"], entry["key"]))[:limit]


def names_of(database: Database, cases: Iterable[int]) -> dict[int, Json]:
    """Return key, folder and name of these tests, as their last results have them; none if all were removed."""
    names: dict[int, Json] = {}
    for case_id in cases:
        rows: Any = (
            ResultRow.select(CaseRow.key, ResultRow.folder, ResultRow.name)
            .join(CaseRow)
            .where(ResultRow.case == case_id)
            .order_by(ResultRow.id.desc())
            .limit(1)
            .dicts()
            .execute(database)
        )
        names.update((case_id, row) for row in rows)
    return names


def flaky_in_run(subject: ComparedRun) -> dict[int, Json]:
    """Return the flaky, broken and suspect tests of a run by case, those that cost most first."""
    found: dict[int, Json] = {}
    series, position = subject.series, subject.position
    for case_id, case in subject.results.cases.items():
        history = subject.known.get(case_id)
        if series is None or position is None or history is None:
            # An open run, or an old one: only its own attempts say something.
            if case.verdict == "passed" and case.has_failed_attempt:
                found[case_id] = _flaky_entry(flakiness_of([Outcome(1, "passed", has_failed_attempt=True)]))
            continue
        if not history.has_failed(position):
            continue
        state = flakiness_of(history.outcomes_at(series, position))
        if state.state in _SHOWN_STATES:
            found[case_id] = _flaky_entry(state)
    order = sorted(found, key=lambda case_id: (found[case_id]["state"] != "flaky", -found[case_id]["low"], case_id))
    return {case_id: found[case_id] for case_id in order}


def _flaky_entry(state: Flakiness) -> Json:
    return {
        "state": state.state,
        "evidence": {"retries": state.retries, "commits": state.commits, "isolated": state.isolated},
        "failed": state.failed,
        "runs": state.runs,
        "low": round(state.low, 4),
        "high": round(state.high, 4),
    }
