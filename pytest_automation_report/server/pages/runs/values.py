"""Read the values of the templates of lists: the runs of a project, a suite, the suites, the projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.verdict import mine
from pytest_automation_report.server.pages import charts
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.paging import paging
from pytest_automation_report.server.pages.queries import PAGE_RUNS
from pytest_automation_report.server.pages.run_summary import titled, verdict_in_list
from pytest_automation_report.server.pages.runs import suites
from pytest_automation_report.server.pages.runs.rows import run_row
from pytest_automation_report.server.pages.state import NO_BRANCH, STATUSES, RunFilters
from pytest_automation_report.server.store.compared import main_branch
from pytest_automation_report.server.store.findings import stored_findings, summaries
from pytest_automation_report.server.store.values import not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader

_LATEST_RUNS: Final = 8
# A card has about 110 elements: with more of them the page would be slow. The other suites have a line.
_CARDS_SHOWN: Final = 16
_NEVER: Final[Json] = {"id": 0}
_REASONS_SHOWN: Final = 10
_ANY: Final = RunFilters()


def project_values(reader: PageReader, project_id: int, filters: RunFilters) -> dict[str, Any]:
    """Return the values of the list of a project's runs; raises `ApiError` (404) for an unknown project."""
    if project_id not in reader.projects():
        raise not_found("project")
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "filters": filters,
        "choices": _choices(
            filters,
            sources=[(str(source["id"]), source["name"]) for source in reader.sources(project_id)],
            branches=reader.branches(project_id, filters.source),
            tags=reader.tags(project_id),
        ),
        "address_at": lambda page: link("project", project_id, **filters.at(page)),
        **_list_values(reader, project_id, filters),
    }


def suites_values(reader: PageReader, project_id: int) -> dict[str, Any]:
    """Return the values of the page with a project's suites."""
    newest = reader.newest_by_source(project_id)
    # The suite that ran last comes first.
    ordered = sorted(reader.sources(project_id), key=lambda source: -newest.get(source["id"], _NEVER)["id"])
    cards = [suites.card_of(reader, source) for source in ordered[:_CARDS_SHOWN]]
    others = [
        {**source, "run": run, "tone": verdict_in_list(run, None)["tone"]}
        for source in ordered[_CARDS_SHOWN:]
        if (run := newest.get(source["id"]))
    ]
    ids, _ = reader.completed_runs(project_id, _ANY)
    open_ids = reader.open_runs(project_id, _ANY)
    rows = run_rows(reader, project_id, ids[:_LATEST_RUNS])
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "cards": cards,
        "others": others,
        "open_runs": run_rows(reader, project_id, open_ids),
        "runs": rows,
        "uncomputed": [card["last"]["id"] for card in cards if card["last"] and card["flaky"] is None]
        + _uncomputed(rows),
    }


def suite_values(reader: PageReader, source: Json, filters: RunFilters) -> dict[str, Any]:
    """Return the values of a suite's page: its runs on a branch, and what their findings say of it."""
    source_id, project_id = source["id"], source["project"]
    rows = reader.completed_trend(source_id, filters.branch or "")
    branches = reader.branches(project_id, source_id)
    last = rows[-1] if rows else None
    document = None if last is None else stored_findings(reader.connection, last["id"])
    flaky = suites.flaky_rows(reader, source_id, filters.branch or "")
    summary = None if last is None else summaries(reader.connection, [last["id"]]).get(last["id"])
    said = None if last is None else verdict_in_list(last, summary)
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "source": source,
        "has_others": len(reader.sources(project_id)) > 1,
        "filters": filters,
        "choices": _choices(filters, sources=[], branches=branches, tags=reader.tags(project_id)),
        "address_at": lambda page: link("suite", source_id, **{**filters.at(page), "source": None}),
        "main": main_branch(reader.connection, source_id),
        "last": last,
        "said": said,
        "mine": mine(summary["mine"]) if summary else "",
        "title": "" if said is None else titled(said),
        "summary": summary,
        "green": suites.green_runs(rows),
        "failures": charts.failure_trend(rows, summaries(reader.connection, [row["id"] for row in rows])),
        "times": charts.duration_trend(rows),
        "has_branches": any(branches),
        "oldest": _oldest(document, last),
        "reasons": [] if document is None else document["reasons"][:_REASONS_SHOWN],
        "reason_count": 0 if document is None else len(document["reasons"]),
        "flaky": flaky,
        "flaky_count": max(len(flaky), summary["counts"]["flaky"] if summary else 0),
        "slowest": suites.slowest_rows(reader, source_id, filters.branch or ""),
        **_list_values(reader, project_id, filters),
    }


def project_rows(reader: PageReader, project_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return one row for each project: id, number of runs, and the latest run, None if it has no runs."""
    latest_runs = reader.latest_runs(project_ids)
    rows = list[dict[str, Any]]()
    for project_id in project_ids:
        count, run_id = latest_runs.get(project_id, (0, 0))
        run = run_rows(reader, project_id, [run_id])[0] if count else None
        rows.append({"id": project_id, "count": count, "run": run})
    return rows


def _oldest(document: Json | None, last: Json | None) -> Json | None:
    """Return the run with which the oldest failure of the last run began, if that is an earlier run."""
    if document is None or last is None:
        return None
    runs = [entry["since"] for entry in document["tests"]["still_failing"] if entry["since"]]
    first = min(runs, key=lambda run: int(run["run"]), default=None)
    return first if first is not None and first["run"] < last["id"] else None


def _choices(
    filters: RunFilters, *, sources: Sequence[tuple[str, str]], branches: Sequence[str], tags: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the selects above a list of runs; those without a choice are left out.

    A suite's page has no ``sources``, and always one branch: runs of two branches are no series.
    """
    is_suite = not sources
    names = list(dict.fromkeys([*branches, *([filters.branch] if filters.branch is not None else [])]))
    shown: list[dict[str, Any]] = [
        {
            "name": "source",
            "label": "Suite",
            "any": "All suites",
            "options": sources,
            "chosen": str(filters.source or ""),
        },
        {
            "name": "branch",
            "label": "Branch",
            "any": "" if is_suite else "All branches",
            "options": [(name or NO_BRANCH, name or "(no branch)") for name in names],
            "chosen": "" if filters.branch is None else filters.branch or NO_BRANCH,
        },
        {
            "name": "status",
            "label": "Status",
            "any": "Any status",
            "options": [(word, word.capitalize()) for word in STATUSES],
            "chosen": filters.status or "",
        },
        {
            "name": "tag",
            "label": "Tag",
            "any": "Any tag",
            "options": [(tag, tag) for tag in dict.fromkeys([*tags, *([filters.tag] if filters.tag else [])])],
            "chosen": filters.tag or "",
        },
    ]
    # Runs without a branch alone leave nothing to choose.
    return [choice for choice in shown if choice["options"] and choice["options"] != [(NO_BRANCH, "(no branch)")]]


def _list_values(reader: PageReader, project_id: int, filters: RunFilters) -> dict[str, Any]:
    ids, total = reader.completed_runs(project_id, filters)
    open_ids = reader.open_runs(project_id, filters) if filters.page == 1 else []
    rows = run_rows(reader, project_id, ids)
    return {
        "open_runs": run_rows(reader, project_id, open_ids),
        "runs": rows,
        "uncomputed": _uncomputed(rows),
        "total": total + len(open_ids),
        "pages": paging(filters.page, total, PAGE_RUNS),
    }


def _uncomputed(rows: Sequence[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows if row["is_uncomputed"]]


def run_rows(reader: PageReader, project_id: int, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of these runs, in this order."""
    records = reader.runs(ids)
    names = reader.source_names({record.row["source"] for record in records.values()})
    known = summaries(reader.connection, ids)
    bases = {row["id"]: row for row in reader.run_rows([*{summary["base"] for summary in known.values()} - {None}])}
    statuses = reader.statuses(project_id)
    return [
        run_row(records[run_id], statuses, names[records[run_id].row["source"]], known.get(run_id), bases)
        for run_id in ids
        if run_id in records
    ]
