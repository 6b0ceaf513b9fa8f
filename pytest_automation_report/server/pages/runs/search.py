"""Search runs and tests from the lists: by number, name, branch or commit, and in the newest run of each suite."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.run.names import common_phrase
from pytest_automation_report.server.pages.runs.values import run_rows
from pytest_automation_report.server.pages.state import short_text, single_values
from pytest_automation_report.server.pages.statuses import shown_status
from pytest_automation_report.server.store.compared import main_branch
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader

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
        text = short_text(given.get("q", "").strip())
        number = int(match[1]) if (match := _find_number(text)) else 0
        if number and self.read(lambda reader: reader.known_run(number)):
            resp.status, resp.location = 302, link("run", number)
            return
        source = int(given["source"]) if re.fullmatch(r"[0-9]{1,18}", given.get("source", "")) else None
        values = self.read(partial(found, text=text, source_id=source)) if text else _NOTHING
        self.show(req, resp, "runs/search.html", text=text, source=source, **values)


_NOTHING: Final[Json] = {"runs": [], "suites": [], "nearest": None}


def found(reader: PageReader, text: str, source_id: int | None) -> Json:
    """Return the runs and the suites' tests that have a text, or the phrase that resembles it most."""
    projects: dict[int, list[int]] = {}
    for run in reader.found_runs(text, source_id):
        projects.setdefault(run["project"], []).append(run["id"])
    rows = [row for project_id, ids in projects.items() for row in run_rows(reader, project_id, ids)]
    newest = _newest_runs(reader, source_id)
    suites = [{**run, "tests": _tests(reader, run, text)} for run in newest]
    suites = [suite for suite in suites if suite["tests"]]
    names = [] if rows or suites else reader.names([run["id"] for run in newest], _NAMES_COMPARED)
    return {"runs": rows, "suites": suites, "nearest": common_phrase(names, text)}


def _newest_runs(reader: PageReader, source_id: int | None) -> list[Json]:
    """Return the last completed run of each suite's main branch, with the name of the suite."""
    rows = [source for project_id in reader.projects() for source in reader.sources(project_id)]
    newest = []
    for source in rows:
        if source_id is None or source["id"] == source_id:
            last = reader.completed_trend(source["id"], main_branch(reader.connection, source["id"]))[-1:]
            newest += [{"suite": source["name"], "source": source["id"], **run} for run in last]
    return sorted(newest, key=lambda run: -run["created"])[:_SUITES_SEARCHED]


def _tests(reader: PageReader, run: Json, text: str) -> list[Json]:
    rows = reader.first_tests(run["id"], text, _TESTS_COMPARED)
    rows = sorted(rows, key=lambda row: split_name(row["name"]).function != text)[:_TESTS_SHOWN]
    statuses = reader.statuses(run["project"])
    return [{**row, "status": shown_status(statuses, row["status"])} for row in rows]
