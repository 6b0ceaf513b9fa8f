"""The lists: projects, suites, runs of a project, a suite, results of a search; and their sections for open pages."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import MINE, mine
from pytest_automation_report.findings.times import HISTORY, LAST, median
from pytest_automation_report.server.pages import rendering, urls, words
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, TrendPoint, failure_trend
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.store import reads
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.findings import findings, stored_findings, summaries, verdict_in_list
from pytest_automation_report.server.store.histories import Series, histories, series_of
from pytest_automation_report.server.store.reads import RunRecord, find_cases
from pytest_automation_report.server.store.runs import PAGE_RUNS
from pytest_automation_report.server.store.values import ApiError, not_found
from pytest_automation_report.text.limits import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FindingsSummary, VerdictWords
    from pytest_automation_report.server.pages.words import Values
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun, Suite


def run_row(record: RunRecord, source: str, summary: FindingsSummary | None, bases: Mapping[int, StoredRun]) -> Values:
    """Return the values of a run in a list; ``summary`` is of its findings, ``bases`` has rows of bases by id."""
    row = record.row
    commit_link, links = words.links_of(record)
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    is_open = not row.is_completed
    not_run = 0 if is_open or summary is None else summary["not_run"]
    # Some tests that did not run have a result that says so, and a part of its status.
    missing = (row.collected or 0) - row.total_count if is_open else not_run - row.untested_count
    return {
        **words.run_values(row, source),
        "said": verdict_in_list(row, summary),
        "tags": row.tags,
        "parts": words.parts_of(words.counts_of(row), missing=missing, is_open=is_open),
        "subject": words.fields_of(record).get("Commit subject", ""),
        "commit_link": commit_link,
        "link": links[0] if links else None,
        "not_run": not_run,
        "is_uncomputed": summary is None and not is_open,
        "moved": change_words(row, summary),
        "base": None if base is None else base.id,
        "before": words.comparable_time(row, base),
    }


def run_rows(reader: PageReader, ids: Sequence[int]) -> list[Values]:
    """Return the rows of these runs, in this order."""
    records = reader.runs(ids)
    names = reader.source_names({record.row.source for record in records.values()})
    known = summaries(reader.connection, ids)
    base_ids = {summary["base"] for summary in known.values() if summary["base"]}
    bases = {row.id: row for row in reads.run_rows(reader.connection, [*base_ids])}
    return [
        run_row(records[run_id], names[records[run_id].row.source], known.get(run_id), bases)
        for run_id in ids
        if run_id in records
    ]


def change_words(row: StoredRun, summary: FindingsSummary | None) -> list[tuple[int, str, str]]:
    """Return whose failures a completed run has, and what passes again: numbers, words and tones.

    Without a base these are only its failures.
    """
    if summary is None or not summary["base"]:
        said = [(row.failure_count, "failed", "fail")]
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

    rows: Sequence[StoredRun] = ()
    points: Sequence[TrendPoint] = ()
    part: StoredRun | None = None
    last: StoredRun | None = None
    summary: FindingsSummary | None = None
    said: VerdictWords | None = None


def branch_runs(reader: PageReader, source_id: int, branch: str) -> BranchRuns:
    """Return the runs of a branch."""
    rows = reader.completed_trend(source_id, branch)
    if not rows:
        return BranchRuns()
    whole = [row for row in rows if not row.selection] or rows
    known, last = summaries(reader.connection, [row.id for row in rows]), whole[-1]
    part, summary = rows[-1] if rows[-1] is not last else None, known.get(last.id)
    return BranchRuns(whole, failure_trend(rows, known), part, last, summary, verdict_in_list(last, summary))


class SuiteCard(NamedTuple):
    """A suite, the runs of its main branch, and its newest run if that goes on.

    ``flaky`` is the number of flaky tests, None if not all tests ran; ``usual`` the time of a run in microseconds.
    """

    suite: Suite
    branch: str
    runs: BranchRuns
    running: StoredRun | None
    flaky: int | None
    usual: int | None


def card_of(reader: PageReader, source: Suite) -> SuiteCard:
    """Return the card of a suite."""
    branch = main_branch(reader.connection, source.id)
    runs, newest = branch_runs(reader, source.id, branch), reader.newest(source.id, None)
    running = newest if newest is not None and not newest.is_completed else None
    is_whole = runs.summary and not runs.summary["not_run"] and not runs.summary["verdict"]["part"]
    flaky = runs.summary["counts"]["flaky"] if runs.summary and is_whole else None
    times = [row.elapsed for row in runs.rows[:-1] if row.elapsed]
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
        SuiteTest(names[case][2], case, duration(medians[case]), share=medians[case] / max(1, medians[chosen[0]]))
        for case in chosen
    ]


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
    state = _read(store, lambda reader: dict(zip(("rows", "uncomputed"), reader.state(project_id), strict=True)))
    if not rendering.is_known(req, resp, (state, rendering.now_us() // 60_000_000)):
        rendering.show(req, resp, f"runs/{template}.html", is_live=True, **_read(store, question))


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
        show_suite(store, req, resp, sources[0].id)
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
    _show_list(store, req, resp, "suite", source.project, question)


def show_latest(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Redirect to the newest run of a suite, of one branch with ``branch``; raises `ApiError` (404) without one."""
    branch = urls.run_filters(req.params).branch
    run = ask(store, lambda reader: reader.newest(source_id, branch))
    if run is None:
        raise not_found("run of this suite and branch")
    resp.status, resp.location = 302, urls.link("run", run.id)


# A card has about 110 elements: with more of them the page would be slow. The other suites have a line.
_CARDS_SHOWN: Final = 16


def project_values(reader: PageReader, project_id: int, filters: urls.ListFilters) -> Values:
    """Return the values of the list of a project's runs; raises `ApiError` (404) for an unknown project."""
    if project_id not in reader.projects():
        raise not_found("project")
    sources = [(str(source.id), source.name) for source in reader.sources(project_id)]
    return {
        "address_at": lambda page: urls.link("project", project_id, **filters.at(page)),
        **_list_values(reader, project_id, filters, sources),
    }


def suites_values(reader: PageReader, project_id: int) -> Values:
    """Return the values of the page with a project's suites."""
    newest = reader.newest_by_source(project_id)
    # Those that fail come first, then those that ran last.
    ordered = sorted(reader.sources(project_id), key=lambda source: -newest[source.id].id if source.id in newest else 0)
    cards = [card_of(reader, source) for source in ordered[:_CARDS_SHOWN]]
    cards.sort(key=lambda card: not (card.runs.last and card.runs.last.failure_count))
    others = [
        (source, run, verdict_in_list(run, None)["tone"])
        for source in ordered[_CARDS_SHOWN:]
        if (run := newest.get(source.id))
    ]
    ids, _ = reader.listed_runs(project_id, {}, is_open=False)
    open_ids, _ = reader.listed_runs(project_id, {}, is_open=True)
    rows = run_rows(reader, ids[:8])
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "cards": cards,
        "others": others,
        "open_runs": run_rows(reader, open_ids),
        "runs": rows,
        "uncomputed": [card.runs.last.id for card in cards if card.runs.last and card.runs.summary is None]
        + _uncomputed(rows),
    }


def suite_values(reader: PageReader, source: Suite, filters: urls.ListFilters) -> Values:
    """Return the values of a suite's page: its runs on one branch, the main one by default, and what findings say."""
    source_id, project_id = source.id, source.project
    main = main_branch(reader.connection, source_id)
    branch = main if filters.branch is None else filters.branch
    filters = replace(filters, source=source_id, branch=branch)
    runs = branch_runs(reader, source_id, branch)
    last, summary, said = runs.last, runs.summary, runs.said
    document = None if last is None else stored_findings(reader.connection, last.id)
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
        "title": "" if said is None else words.titled(said),
        # The last runs in which nothing failed.
        "green": len([*takewhile(lambda row: row.total_count and not row.failure_count, reversed(runs.rows))]),
        "times": [
            TrendPoint(row.id, row.elapsed or 0, duration(row.elapsed), "skip", urls.link("run", row.id))
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
    latest = reader.latest_runs()
    found = [(project_id, *latest.get(project_id, (0, 0))) for project_id in project_ids]
    rows = {row["id"]: row for row in run_rows(reader, [run_id for _, _, run_id in found])}
    projects = [(project_id, count, rows.get(run_id)) for project_id, count, run_id in found]
    return {"projects": projects, "has_runs": bool(latest), "uncomputed": []}


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
    ids, total = reader.listed_runs(project_id, filters.wanted, filters.page, is_open=False)
    open_ids, open_total = reader.listed_runs(project_id, filters.wanted, is_open=True)
    rows = run_rows(reader, ids)
    return {
        "project": project_id,
        "home": reader.home(project_id),
        "filters": filters,
        "mistakes": filters.mistakes,
        "choices": [choice for choice in choices if choice[3]],
        "has_branches": any(branches),
        "open_runs": run_rows(reader, open_ids if filters.page == 1 else []),
        "runs": rows,
        "uncomputed": _uncomputed(rows),
        "total": total + open_total,
        "pages": urls.paging(filters.page, total, PAGE_RUNS),
    }


def _uncomputed(rows: Sequence[Values]) -> list[int]:
    return [row["id"] for row in rows if row["is_uncomputed"]]
