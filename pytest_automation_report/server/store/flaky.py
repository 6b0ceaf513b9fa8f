"""Find the flaky tests of a run, and those of a source."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.comparison import MAIN_BRANCHES
from pytest_automation_report.findings.flakiness import flakiness_of
from pytest_automation_report.server.store.compared import MAX_TESTS, main_branch_of
from pytest_automation_report.server.store.histories import Failures, histories, series_of
from pytest_automation_report.server.store.run_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Flakiness
    from pytest_automation_report.server.store.compared import ComparedRun
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import CaseHistory
    from pytest_automation_report.server.store.store import Store

VERSION: Final = 1
"""Version of the document of a source's flaky tests."""

_SHOWN_STATES: Final = frozenset({"flaky", "broken", "suspect"})
_BRANCHES: Final = (
    'SELECT COALESCE("branch", \'\'), MAX("id") FROM "run" WHERE "source_id" = ? AND "is_completed"'
    " GROUP BY 1 ORDER BY 2 DESC"
)
# Of each configuration.
_NEWEST: Final = (
    'SELECT * FROM "run" WHERE "id" IN (SELECT MAX("id") FROM "run" WHERE "source_id" = ?'
    ' AND COALESCE("branch", \'\') = ? AND "is_completed" GROUP BY "config_id") ORDER BY "id"'
)
_NAMES: Final = (
    'SELECT r."case_id", c."key", r."folder", r."name" FROM "result" AS r JOIN "case" AS c ON c."id" = r."case_id"'
    ' WHERE r."id" IN (SELECT MAX("id") FROM "result" WHERE "case_id" IN ({ids}) GROUP BY "case_id")'
)


def flaky_tests(store: Store, source_id: int, branch: str | None = None) -> Json:
    """Return the flaky, broken and suspect tests of a source by its completed runs on a branch.

    Without a branch it is the main branch, or that of the newest run if there is none. Raises `ApiError` (404) for an
    unknown source. A test that runs on several configurations has an entry for each.
    """
    main = store.snapshot(partial(main_branch, source_id=source_id, default=store.main_branch))
    chosen = branch if branch is not None else main
    return {
        "version": VERSION,
        "source": source_id,
        "branch": chosen,
        "tests": store.snapshot(partial(flaky_of_source, source_id=source_id, branch=chosen)),
    }


def main_branch(connection: StoreConnection, source_id: int, default: str = "") -> str:
    """Return the main branch of a source; raises `ApiError` (404) for an unknown source."""
    configured = main_branch_of(connection, source_id) or default
    if configured:
        return configured
    branches = [name for name, _ in connection.execute(_BRANCHES, (source_id,))]
    return next((name for name in MAIN_BRANCHES if name in branches), branches[0] if branches else "")


def flaky_of_source(
    connection: StoreConnection,
    source_id: int,
    branch: str,
    *,
    states: Collection[str] = _SHOWN_STATES,
    limit: int = MAX_TESTS,
) -> list[Json]:
    """Return the tests of these states of a source on a branch.

    There are at most ``limit``, those that cost most.
    """
    found: list[tuple[tuple[bool, float, int], int | None, Flakiness]] = []
    for run in connection.rows(_NEWEST, (source_id, branch)):
        series = series_of(connection, run)
        failures = Failures(connection, series)
        for case_id, history in histories(connection, series, failures.unstable()).items():
            state = flakiness_of(history.outcomes(failures))
            if state.state in states:
                found.append(((state.state != "flaky", -state.low, case_id), run["config"], state))
    found.sort(key=lambda entry: entry[0])
    names = names_of(connection, [case_id for (_, _, case_id), _, _ in found[:limit]])
    return [
        {**names[case_id], "config": config, **_flaky_entry(state)}
        for (_, _, case_id), config, state in found[:limit]
        if case_id in names
    ]


def names_of(connection: StoreConnection, cases: Sequence[int]) -> dict[int, Json]:
    """Return key, folder and name of these tests, as their last results have them; none if all were removed."""
    return {
        case_id: {"key": key, "folder": folder, "name": name}
        for case_id, key, folder, name in rows_of(connection, _NAMES, cases)
    }


def flaky_in_run(subject: ComparedRun, failures: Failures, known: Mapping[int, CaseHistory]) -> dict[int, Json]:
    """Return the flaky, broken and suspect tests of a run by case, those that cost most first."""
    states = {
        case_id: flakiness_of(history.outcomes(failures))
        for case_id, history in known.items()
        if case_id in subject.results
    }
    found = {case_id: _flaky_entry(state) for case_id, state in states.items() if state.state in _SHOWN_STATES}
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
