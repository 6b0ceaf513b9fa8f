"""Search runs and tests from the lists: by number, name, branch or commit, and in the newest run of each suite."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.http.request_body import storable
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.run.names import common_phrase
from pytest_automation_report.server.pages.run.queries import Search, with_search
from pytest_automation_report.server.pages.run.url import single_values
from pytest_automation_report.server.pages.runs.queries import RunListReader
from pytest_automation_report.server.pages.runs.values import run_rows
from pytest_automation_report.server.pages.sources import SourceReader
from pytest_automation_report.server.pages.statuses import shown_status
from pytest_automation_report.server.store.flaky import main_branch
from pytest_automation_report.server.store.tables import ResultRow, RunRow
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    import falcon
    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader

_TEXT_LENGTH: Final = 750
_RUNS_SHOWN: Final = 10
_TESTS_SHOWN: Final = 20
# Of more tests than are shown those of this very name come first.
_TESTS_COMPARED: Final = 200
# Suites whose newest run is searched; with more, those that ran last.
_SUITES_SEARCHED: Final = 20
_NAMES_COMPARED: Final = 2_000
_find_number = re.compile(r"#?([0-9]{1,18})").fullmatch


class SearchPage(Page):
    """Runs and tests that have a text."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show runs and tests with the text; the number of a run redirects to that run."""
        given = single_values(req.params)
        text = storable(given.get("q", "").strip())[:_TEXT_LENGTH]
        if (number := _find_number(text)) and self.store.read(partial(_has_run, run_id=int(number[1]))):
            resp.status, resp.location = 302, link("run", int(number[1]))
            return
        source = int(given["source"]) if re.fullmatch(r"[0-9]{1,18}", given.get("source", "")) else None
        values = self.store.read(partial(found, text=text, source_id=source)) if text else _NOTHING
        self.show(req, resp, "runs/search.html", text=text, source=source, **values)


_NOTHING: Final[Json] = {"runs": [], "suites": [], "nearest": None}


def _has_run(reader: Reader, run_id: int) -> bool:
    return bool(list(RunRow.select(RunRow.id).where(RunRow.id == run_id).tuples().execute(reader.database)))


def found(reader: Reader, text: str, source_id: int | None) -> Json:
    """Return the runs and the suites' tests that have a text, or the phrase that resembles it most."""
    database = reader.database
    runs = _runs(database, text, source_id)
    projects: dict[int, list[int]] = {}
    for run in runs:
        projects.setdefault(run["project"], []).append(run["id"])
    rows = [row for project_id, ids in projects.items() for row in run_rows(reader, project_id, ids)]
    newest = _newest_runs(reader, source_id)
    suites = [{**run, "tests": _tests(reader, run, text)} for run in newest]
    suites = [suite for suite in suites if suite["tests"]]
    nearest = None if rows or suites else common_phrase(_names(database, newest), text)
    return {"runs": rows, "suites": suites, "nearest": nearest}


def _runs(database: Database, text: str, source_id: int | None) -> list[Json]:
    """Return the newest runs with this text in their name or branch, or with a commit that begins with it."""
    condition: Any = RunRow.name.contains(text) | RunRow.branch.contains(text) | RunRow.commit.startswith(text)
    query: Any = RunRow.select(RunRow.id, RunRow.project).where(condition)
    if source_id is not None:
        query = query.where(RunRow.source == source_id)
    return list(query.order_by(RunRow.id.desc()).limit(_RUNS_SHOWN).dicts().execute(database))


def _newest_runs(reader: Reader, source_id: int | None) -> list[Json]:
    """Return the last completed run of each suite's main branch, with the name of the suite."""
    sources, runs = SourceReader(reader.database), RunListReader(reader.connection)
    rows = [source for project_id in sources.projects() for source in sources.sources(project_id)]
    newest = []
    for source in rows:
        if source_id is None or source["id"] == source_id:
            last = runs.trend(source["id"], main_branch(reader.connection, source["id"]))[-1:]
            newest += [{"suite": source["name"], "source": source["id"], **run} for run in last]
    return sorted(newest, key=lambda run: -run["created"])[:_SUITES_SEARCHED]


def _tests(reader: Reader, run: Json, text: str) -> list[Json]:
    query: Any = ResultRow.select(
        ResultRow.case, ResultRow.name, ResultRow.folder, ResultRow.status, ResultRow.elapsed, ResultRow.message
    ).where(ResultRow.run == run["id"])
    rows = with_search(query, Search(text)).limit(_TESTS_COMPARED).dicts().execute(reader.database)
    rows = sorted(rows, key=lambda row: split_name(row["name"]).function != text)[:_TESTS_SHOWN]
    statuses = reader.statuses(run["project"])
    return [{**row, "status": shown_status(statuses, row["status"])} for row in rows]


def _names(database: Database, runs: Iterable[Json]) -> list[str]:
    """Return names of tests, for the word that a misspelled one resembles."""
    ids = [run["id"] for run in runs]
    query: Any = ResultRow.select(ResultRow.name, ResultRow.folder).where(ResultRow.run.in_(ids))
    rows = query.limit(_NAMES_COMPARED).tuples().execute(database)
    return [f"{folder} {name}" for name, folder in rows]
