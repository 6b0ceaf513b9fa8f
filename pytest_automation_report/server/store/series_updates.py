"""Add completed runs to their series.

All is computed on a snapshot, outside of any lock: for a run of 100,000 tests that takes seconds, in which other
sessions store their results. The transaction that writes it checks first that the series is still the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from pytest_automation_report.findings.durations import usual_speed
from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.server.store.database import array_text, share_tests
from pytest_automation_report.server.store.histories import (
    CaseHistory,
    RunResults,
    Series,
    SeriesRun,
    histories,
    results_of,
    series_of,
    speed_in,
    tested_commit,
)
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.run_rows import run_rows, selected_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.sqlite import SqliteConnection
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

__all__ = ["NOT_COMPUTED", "SeriesUpdate", "add_run_of"]

NOT_COMPUTED: Final = 0
"""Version of a run's findings that says: the run was added to its series, its findings were not computed yet."""

_ATTEMPTS: Final = 3


@dataclass(slots=True)
class SeriesUpdate:
    """A series with the runs that are to be added to it; ``length`` is its stored length, None if it is not stored.

    ``known`` are the histories with the new outcomes, ``changed`` the cases of which these are, ``new`` those of them
    that have no row yet. ``results`` are those of the last added run.
    """

    series: Series
    length: int | None
    known: dict[int, CaseHistory]
    run_ids: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    new: set[int] = field(default_factory=set)
    results: RunResults | None = None

    def add(self, run: Json, results: RunResults) -> None:
        """Add the outcomes of one run."""
        speed = speed_in(results, self.known)
        series = self.series
        series.length += 1
        series.runs = [*series.runs, SeriesRun(run["id"], tested_commit(run), round(speed, 4))][-WINDOW:]
        known, run_id = self.known, run["id"]
        self.new.update(results.cases.keys() - known.keys())
        for case_id, case in results.cases.items():
            history = known.get(case_id)
            if history is None:
                history = known[case_id] = CaseHistory()
            elapsed = None if case.elapsed is None else case.elapsed / speed
            history.add(run_id, series.length, results.letter(case), elapsed)
        self.changed.update(results.cases)
        self._follow_hardware()
        self.run_ids.append(run["id"])
        self.results = results

    def _follow_hardware(self) -> None:
        """Make the speed of the last runs the usual one: all speeds are divided by it, durations get longer by it."""
        usual = usual_speed([run.speed for run in self.series.runs])
        if usual == 1.0:
            return
        self.series.runs = [
            run._replace(speed=None if run.speed is None else round(run.speed / usual, 4)) for run in self.series.runs
        ]
        for history in self.known.values():
            history.rescale(usual)
        self.changed.update(self.known)


def add_run_of(store: Store, run: Json) -> SeriesUpdate:
    """Add a completed run to its series, and before it those that completed earlier and are not in it yet.

    Returns the series with all its histories, so that findings need not read them again.
    """
    for _ in range(_ATTEMPTS):
        update, pending = store.snapshot(partial(_read, run=run))
        # Outside of the snapshot: other threads' reads wait for it.
        for other, results in pending:
            update.add(other, results)
        if not update.run_ids or store.write(partial(_apply, update, run)):
            return update
    # Other processes were faster each time: now they wait.
    return store.write(partial(_add_under_lock, run))


def _read(connection: StoreConnection, run: Json) -> tuple[SeriesUpdate, list[tuple[Json, RunResults]]]:
    """Return the series of a run as it is, and the runs that are to be added to it, with their results."""
    series = series_of(connection, run)
    if series is None:
        update = SeriesUpdate(Series(0), None, {})
    else:
        update = SeriesUpdate(series, series.length, histories(connection, series))
    pending = _pending_runs(connection, run, update.series)
    return update, [(other, results_of(connection, other)) for other in pending]


def _apply(update: SeriesUpdate, run: Json, writer: Writer) -> bool:
    """Write an update; False if the series has changed since it was computed, or one of the runs was removed."""
    connection = writer.connection
    share_tests(connection, run["source_id"])
    series = series_of(connection, run, is_locked=True)
    if (None if series is None else series.length) != update.length:
        return False
    # Removing a run may remove its tests, too, which histories refer to.
    if len(run_rows(connection, update.run_ids)) != len(update.run_ids):
        return False
    update.series.id = _new_series(connection, run) if series is None else series.id
    _write(connection, update)
    return True


def _add_under_lock(run: Json, writer: Writer) -> SeriesUpdate:
    connection = writer.connection
    share_tests(connection, run["source_id"])
    if series_of(connection, run, is_locked=True) is None:
        _new_series(connection, run)
    update, pending = _read(connection, run)
    for other, results in pending:
        update.add(other, results)
    _write(connection, update)
    return update


_INSERT_SERIES: Final = (
    'INSERT INTO "series" ("source_id", "config", "branch", "length", "runs") VALUES (?, ?, ?, ?, ?)'
    " ON CONFLICT DO NOTHING"
)
_UPDATE_SERIES: Final = 'UPDATE "series" SET "length" = ?, "runs" = ? WHERE "id" = ?'
_INSERT_FINDINGS: Final = 'INSERT INTO "run_findings" ("run_id", "version", "body", "summary") VALUES (?, ?, ?, ?)'


def _new_series(connection: StoreConnection, run: Json) -> int:
    """Insert the series of a run and return its id; of two writers at once the second waits, and finds the row."""
    connection.change(_INSERT_SERIES, (run["source_id"], run["config_id"] or 0, run["branch"] or "", 0, "[]"))
    series = series_of(connection, run, is_locked=True)
    assert series is not None
    return series.id


_COLUMNS: Final = '"case_id", "position", "outcomes", "durations", "median", "since"'
# Not FROM unnest(...): PostgreSQL copies such rows first, which takes a fifth of the time of an update.
_FROM_ARRAYS: Final = (
    "SELECT unnest(?::bigint[]), unnest(?::bigint[]), unnest(?::text[]), unnest(?::text[]), unnest(?::bigint[]),"
    " unnest(?::bigint[])"
)
_INSERT: Final = f'INSERT INTO "case_history" ({_COLUMNS}, "series_id") '
_INSERT_IN_SQLITE: Final = f"{_INSERT}VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_IN_POSTGRES: Final = f"{_INSERT}{_FROM_ARRAYS}, ?::bigint"
# Not INSERT ... ON CONFLICT: PostgreSQL takes twice as long for it.
_UPDATE_IN_SQLITE: Final = (
    'UPDATE "case_history" SET "position" = ?2, "outcomes" = ?3, "durations" = ?4, "median" = ?5, "since" = ?6'
    ' WHERE "series_id" = ?7 AND "case_id" = ?1'
)
_UPDATE_IN_POSTGRES: Final = (
    'UPDATE "case_history" AS h SET "position" = n."position", "outcomes" = n."outcomes",'  # noqa: S608 - as above  # nosec B608
    ' "durations" = n."durations", "median" = n."median", "since" = n."since"'
    f" FROM ({_FROM_ARRAYS}) AS n ({_COLUMNS})"
    ' WHERE h."case_id" = n."case_id" AND h."series_id" = ?'
)


def _write(connection: StoreConnection, update: SeriesUpdate) -> None:
    """Write the series, and the histories that the added runs have changed."""
    series = update.series
    connection.change(_UPDATE_SERIES, (series.length, json_text(series.runs), series.id))
    new, stored = sorted(update.new), sorted(update.changed - update.new)
    if connection.is_postgres:
        _write_arrays(connection, _INSERT_IN_POSTGRES, update, new)
        _write_arrays(connection, _UPDATE_IN_POSTGRES, update, stored)
    else:
        _write_rows(cast("SqliteConnection", connection), _INSERT_IN_SQLITE, update, new)
        _write_rows(cast("SqliteConnection", connection), _UPDATE_IN_SQLITE, update, stored)
    for run_id in update.run_ids:
        connection.change(_INSERT_FINDINGS, (run_id, NOT_COMPUTED, "{}", "{}"))


def _write_arrays(connection: StoreConnection, sql: str, update: SeriesUpdate, cases: Sequence[int]) -> None:
    if not cases:
        return
    changed = [update.known[case_id] for case_id in cases]
    columns: tuple[Sequence[str | int | None], ...] = (
        cases,
        [history.position for history in changed],
        [history.outcomes for history in changed],
        [history.durations for history in changed],
        [history.median for history in changed],
        [history.since for history in changed],
    )
    connection.execute(sql, (*map(array_text, columns), update.series.id))


def _write_rows(connection: SqliteConnection, sql: str, update: SeriesUpdate, cases: Sequence[int]) -> None:
    series_id, known = update.series.id, update.known
    rows = (
        (case_id, history.position, history.outcomes, history.durations, history.median, history.since, series_id)
        for case_id in cases
        for history in (known[case_id],)
    )
    connection.execute_many(sql, rows)


_PENDING: Final = (
    '"source_id" = ? AND COALESCE("branch", \'\') = ? AND COALESCE("config_id", 0) = ? AND "id" >= ? AND "is_completed"'
    ' AND "id" NOT IN (SELECT "run_id" FROM "run_findings" WHERE "run_id" >= ?)'
    ' ORDER BY "completed" DESC, "id" DESC LIMIT ?'
)


def _pending_runs(connection: StoreConnection, run: Json, series: Series) -> Sequence[Json]:
    """Return the completed runs up to this one that its series lacks, in the order of their completion.

    Of a store from before there were series, only the last hundred runs are added: older ones say nothing any more.
    """
    oldest = series.runs[0].id if series.runs else 0
    values = (run["source_id"], run["branch"] or "", run["config_id"] or 0, oldest, oldest, WINDOW)
    pending = selected_runs(connection, _PENDING, values)[::-1]
    ends = [place for place, other in enumerate(pending) if other["id"] == run["id"]]
    return pending[: ends[0] + 1] if ends else []
