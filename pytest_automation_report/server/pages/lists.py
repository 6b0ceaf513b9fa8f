"""The lists: projects, suites, runs of a project, a suite, results of a search; and their sections for open pages."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.findings.sentences import mine
from pytest_automation_report.server.pages import drawings, rendering, urls
from pytest_automation_report.server.pages.queries import PAGE_RUNS, PageReader, ask
from pytest_automation_report.server.pages.rows import branch_runs, card_of, flaky_tests, run_row, slowest_tests
from pytest_automation_report.server.pages.urls import mistakes_in
from pytest_automation_report.server.pages.words import common_phrase, titled
from pytest_automation_report.server.store import reads
from pytest_automation_report.server.store.compared import main_branch
from pytest_automation_report.server.store.findings import findings, stored_findings, summaries, verdict_in_list
from pytest_automation_report.server.store.histories import series_of
from pytest_automation_report.server.store.values import ApiError, hexadecimal, not_found
from pytest_automation_report.text.limits import duration
from pytest_automation_report.text.node_ids import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import falcon

    from pytest_automation_report.server.pages.words import Values
    from pytest_automation_report.server.store.database import Row
    from pytest_automation_report.server.store.store import Store


_COMPUTING_SECONDS: Final = 0.2


def _show_list(
    store: Store,
    req: falcon.Request,
    resp: falcon.Response,
    template: str,
    project_id: int | None,
    question: Callable[[PageReader], Values],
) -> None:
    """Show a template of the values that ``question`` reads; answer an open page with its sections, or with 304."""
    if not req.path.endswith("/live"):
        live = req.path.rstrip("/") + "/live" + (f"?{req.query_string}" if req.query_string else "")
        rendering.show(req, resp, f"runs/{template}.html", live=live, **_read(store, question))
        return
    # It changes with the runs, and each minute with the words for how long ago they were.
    now = rendering.now_us()
    state = _read(store, lambda reader: dict(zip(("rows", "uncomputed"), reader.state(project_id), strict=True)))
    if not rendering.is_known(req, resp, (state, now // 60_000_000)):
        rendering.set_html(resp, rendering.render(f"runs/live_{template}.html", now=now, **_read(store, question)))


def _read(store: Store, question: Callable[[PageReader], Values]) -> Values:
    """Return the values of a list; findings that it lacks are computed, as many as take little time."""
    answer, until = ask(store, question), time.monotonic() + _COMPUTING_SECONDS
    # While the store is busy, or if a run was removed meanwhile, the list shows what it has.
    with suppress(ApiError):
        for run_id in takewhile(lambda _: time.monotonic() <= until, answer["uncomputed"]):
            findings(store, run_id)
    return ask(store, question) if answer["uncomputed"] else answer


def show_home(store: Store, req: falcon.Request, resp: falcon.Response) -> None:
    """Show the projects; with one project its suites, with one suite that suite."""
    project_ids = ask(store, lambda reader: reader.projects())
    if len(project_ids) != 1:
        _show_list(store, req, resp, "projects", None, partial(projects_values, project_ids=project_ids))
        return
    (project_id,) = project_ids
    sources = ask(store, lambda reader: reader.sources(project_id))
    if not urls.run_filters(req.params).is_any or req.has_param("page"):
        show_project(store, req, resp, project_id)
    elif len(sources) == 1:
        show_suite(store, req, resp, sources[0]["id"])
    else:
        _show_list(store, req, resp, "suites", project_id, partial(suites_values, project_id=project_id))


def show_project(store: Store, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
    """Show the runs of a project."""
    question = partial(project_values, project_id=project_id, filters=urls.run_filters(req.params))
    _show_list(store, req, resp, "runs", project_id, question)


def show_suite(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Show a suite: its runs on a branch, its trend, what fails, is flaky or slow."""
    source = ask(store, lambda reader: reader.suite(source_id))
    question = partial(suite_values, source=source, filters=urls.run_filters(req.params))
    _show_list(store, req, resp, "suite", source["project"], question)


def show_latest(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Redirect to the newest run of a suite, of one branch with ``branch``; raises `ApiError` (404) without one."""
    branch = urls.run_filters(req.params).branch
    run = ask(store, lambda reader: reader.newest(source_id, branch))
    if run is None:
        raise not_found("run of this suite and branch")
    resp.status, resp.location = 302, urls.link("run", run["id"])


_find_number = re.compile(r"#?([0-9]{1,18})").fullmatch


def show_search(store: Store, req: falcon.Request, resp: falcon.Response) -> None:
    """Show the runs, reasons and tests that a search finds; the number of a run redirects to that run."""
    given = urls.single_values(req.params)
    text = urls.short_text(given.get("q", "").strip())
    number = int(match[1]) if (match := _find_number(text)) else 0
    if number and ask(store, lambda reader: reader.known_run(number)):
        resp.status, resp.location = 302, urls.link("run", number)
        return
    source = int(given["source"]) if re.fullmatch(r"[0-9]{1,18}", given.get("source", "")) else None
    values = (
        ask(store, partial(found, text=text, source_id=source))
        if text
        else dict.fromkeys(("runs", "suites", "reasons"), ()) | dict.fromkeys(("nearest", "looked"))
    )
    rendering.show(req, resp, "runs/search.html", text=text, source=source, mistakes=mistakes_in(text, ()), **values)


_REASONS_SHOWN: Final = 20
_SUITES_SHOWN: Final = 20


def found(reader: PageReader, text: str, source_id: int | None) -> Values:
    """Return the runs, reasons and tests that a search finds in all stored runs, or the word that resembles it most."""
    projects: dict[int, list[int]] = {}
    for run in reader.found_runs(text, source_id):
        projects.setdefault(run["project"], []).append(run["id"])
    rows = [row for ids in projects.values() for row in run_rows(reader, ids)]
    sources = [source for project_id in reader.projects() for source in reader.sources(project_id)]
    sources = [source for source in sources if source_id in {None, source["id"]}]
    suites = []
    for source in sources:
        tests = reader.tests_of_source(source["id"], text, 200)
        # If there are more tests than are shown, tests of this very name come first.
        tests = sorted(tests, key=lambda row: split_name(row["name"]).function != text)[:20]
        if tests:
            suites.append((source, tests))
    suites.sort(key=lambda suite: -max(row["run"] for row in suite[1]))
    reasons = reader.reasons(text, source_id, _REASONS_SHOWN)
    names: list[str] = []
    if not (rows or suites or reasons):
        newest = (reader.newest(source["id"], None) for source in sources)
        names = reader.names([run["id"] for run in newest if run], 2_000)
    return {
        "runs": rows,
        "suites": suites[:_SUITES_SHOWN],
        "reasons": [(row, hexadecimal(row["fingerprint"])) for row in reasons],
        "nearest": common_phrase(names, text),
        "looked": reader.looked_at(source_id),
    }


# A card has about 110 elements: with more of them the page would be slow. The other suites have a line.
_CARDS_SHOWN: Final = 16


def project_values(reader: PageReader, project_id: int, filters: urls.ListFilters) -> Values:
    """Return the values of the list of a project's runs; raises `ApiError` (404) for an unknown project."""
    if project_id not in reader.projects():
        raise not_found("project")
    sources = [(str(source["id"]), source["name"]) for source in reader.sources(project_id)]
    return {
        "address_at": lambda page: urls.link("project", project_id, **filters.at(page)),
        **_list_values(reader, project_id, filters, sources),
    }


def suites_values(reader: PageReader, project_id: int) -> Values:
    """Return the values of the page with a project's suites."""
    newest = reader.newest_by_source(project_id)
    # Those that fail come first, then those that ran last.
    ordered = sorted(reader.sources(project_id), key=lambda source: -newest.get(source["id"], {"id": 0})["id"])
    cards = [card_of(reader, source) for source in ordered[:_CARDS_SHOWN]]
    cards.sort(key=lambda card: not (card.runs.last and card.runs.last["failure_count"]))
    others = [
        (source, run, verdict_in_list(run, None)["tone"])
        for source in ordered[_CARDS_SHOWN:]
        if (run := newest.get(source["id"]))
    ]
    ids, _ = reader.completed_runs(project_id, urls.ListFilters())
    rows = run_rows(reader, ids[:8])
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "cards": cards,
        "others": others,
        "open_runs": run_rows(reader, reader.open_runs(project_id, urls.ListFilters())),
        "runs": rows,
        "uncomputed": [card.runs.last["id"] for card in cards if card.runs.last and card.runs.summary is None]
        + _uncomputed(rows),
    }


def suite_values(reader: PageReader, source: Row, filters: urls.ListFilters) -> Values:
    """Return the values of a suite's page: its runs on one branch, the main one by default, and what findings say."""
    source_id, project_id = source["id"], source["project"]
    main = main_branch(reader.connection, source_id)
    branch = main if filters.branch is None else filters.branch
    filters = replace(filters, source=source_id, branch=branch)
    runs = branch_runs(reader, source_id, branch)
    last, summary, said = runs.last, runs.summary, runs.said
    document = None if last is None else stored_findings(reader.connection, last["id"])
    still = document["tests"]["still_failing"] if document else ()
    began = [entry["since"] for entry in still if entry["since"]]
    series = None if last is None else series_of(reader.connection, last)
    flaky = flaky_tests(reader, source_id, branch, series) if series else []
    return {
        "branch": runs,
        "source": source,
        "has_others": len(reader.sources(project_id)) > 1,
        "address_at": lambda page: urls.link("suite", source_id, **{**filters.at(page), "source": None}),
        "main": main,
        "mine": mine(summary["mine"]) if summary else "",
        "title": "" if said is None else titled(said),
        # The last runs in which nothing failed.
        "green": len([*takewhile(lambda row: row["total_count"] and not row["failure_count"], reversed(runs.rows))]),
        "times": [
            drawings.TrendPoint(
                row["id"], row["elapsed"] or 0, duration(row["elapsed"]), "skip", urls.link("run", row["id"])
            )
            for row in runs.rows
        ],
        "oldest": min(began, key=lambda run: run["run"], default=None),
        "reasons": [] if document is None else document["reasons"][:10],
        "flaky": flaky,
        "flaky_count": max(len(flaky), summary["counts"]["flaky"] if summary else 0),
        "slowest": slowest_tests(reader, series) if series else [],
        **_list_values(reader, project_id, filters, []),
    }


def projects_values(reader: PageReader, project_ids: Sequence[int]) -> Values:
    """Return the values of the list of projects: id, number of runs, and the latest run."""
    latest_runs = reader.latest_runs(project_ids)
    rows = []
    for project_id in project_ids:
        count, run_id = latest_runs.get(project_id, (0, 0))
        rows.append((project_id, count, run_rows(reader, [run_id])[0] if count else None))
    return {"projects": rows, "has_runs": bool(latest_runs), "uncomputed": []}


_Choice: TypeAlias = "tuple[str, str, str, Sequence[tuple[str, str]], str]"
"""A select: its name and label, the word for no choice or "", values with words, and the chosen value."""


def _list_values(
    reader: PageReader, project_id: int, filters: urls.ListFilters, sources: Sequence[tuple[str, str]]
) -> Values:
    """Return the values of a list of runs; a suite's page has no ``sources`` to choose from, and always one branch."""
    branches, tags = reader.branches(project_id, filters.source), reader.tags(project_id)
    branch = "" if filters.branch is None else filters.branch or urls.NO_BRANCH
    names: dict[str, None] = dict.fromkeys([*branches, *([] if filters.branch is None else [filters.branch])])
    tagged: dict[str, None] = dict.fromkeys([*tags, *([filters.tag] if filters.tag else [])])
    named = [(name or urls.NO_BRANCH, name or "(no branch)") for name in names]
    choices: list[_Choice] = [
        ("source", "Suite", "All suites", sources, str(filters.source or "")),
        # Runs without a branch alone leave nothing to choose.
        ("branch", "Branch", "All branches" if sources else "", named if any(names) else [], branch),
        ("status", "Status", "Any status", [(word, word.capitalize()) for word in urls.STATUSES], filters.status or ""),
        ("tag", "Tag", "Any tag", [(tag, tag) for tag in tagged], filters.tag or ""),
    ]
    ids, total = reader.completed_runs(project_id, filters)
    open_ids = reader.open_runs(project_id, filters) if filters.page == 1 else []
    rows = run_rows(reader, ids)
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "filters": filters,
        "mistakes": filters.mistakes,
        "choices": [choice for choice in choices if choice[3]],
        "has_branches": any(branches),
        "open_runs": run_rows(reader, open_ids),
        "runs": rows,
        "uncomputed": _uncomputed(rows),
        "total": total + len(open_ids),
        "pages": urls.paging(filters.page, total, PAGE_RUNS),
    }


def _uncomputed(rows: Sequence[Values]) -> list[int]:
    return [row["id"] for row in rows if row["is_uncomputed"]]


def run_rows(reader: PageReader, ids: Sequence[int]) -> list[Values]:
    """Return the rows of these runs, in this order."""
    records = reader.runs(ids)
    names = reader.source_names({record.row["source"] for record in records.values()})
    known = summaries(reader.connection, ids)
    base_ids = {summary["base"] for summary in known.values() if summary["base"]}
    bases = {row["id"]: row for row in reads.run_rows(reader.connection, [*base_ids])}
    return [
        run_row(records[run_id], names[records[run_id].row["source"]], known.get(run_id), bases)
        for run_id in ids
        if run_id in records
    ]
