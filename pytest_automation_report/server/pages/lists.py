"""The lists: projects, suites, runs of a project, a suite; and their sections for open pages."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias, TypeVar

from msgspec.structs import replace

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import mine
from pytest_automation_report.findings.times import LAST, USUAL_RUNS, median
from pytest_automation_report.server.pages import rendering, urls, words
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, TrendPoint, failure_trend
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.rendering import PageContext
from pytest_automation_report.server.pages.runs import ListedRun, listed_runs
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.findings import findings, stored_findings, summaries, verdict_in_list
from pytest_automation_report.server.store.histories import Series, UsualTime, histories, series_of, usual_times
from pytest_automation_report.server.store.reads import find_cases
from pytest_automation_report.server.store.runs import PAGE_RUNS
from pytest_automation_report.server.store.values import ApiError, not_found
from pytest_automation_report.text.limits import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FailureReason, FindingsSummary, RunMention, VerdictWords
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun, Suite

T = TypeVar("T")

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
    words: str = ""
    letters: str = ""
    usual: UsualTime | None = None
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
    known = histories(reader.connection, series, slow, last=USUAL_RUNS)
    usual = {case: time for case, time in usual_times(reader.connection, known).items() if time is not None}
    chosen = sorted(usual, key=lambda case: (-usual[case].elapsed, case))[:RAIL_TESTS]
    longest = max(1, usual[chosen[0]].elapsed) if chosen else 1
    names = names_of(reader.connection, chosen)
    return [SuiteTest(names[case][2], case, usual=usual[case], share=usual[case].elapsed / longest) for case in chosen]


class ListContext(PageContext, frozen=True, kw_only=True):
    """What pages with lists of runs have; an open page asks for news at ``live``."""

    live: str = ""

    @property
    def uncomputed(self) -> Sequence[int]:
        """The runs on the page whose findings are not computed yet."""
        return ()


class ProjectsContext(ListContext, frozen=True, kw_only=True):
    """The list of projects: id, number of runs, and the latest run of each."""

    template: ClassVar[str] = "runs/projects.html"
    projects: Sequence[tuple[int, int, ListedRun | None]]
    has_runs: bool


class _RunsContext(ListContext, frozen=True, kw_only=True):
    """A page of a project; ``home`` is the path of its first page."""

    home: str
    open_runs: Sequence[ListedRun]
    runs: Sequence[ListedRun]

    @property
    def uncomputed(self) -> Sequence[int]:
        return [row.run.id for row in self.runs if row.is_uncomputed]


class SuitesContext(_RunsContext, frozen=True, kw_only=True):
    """The suites of a project: cards of those that ran last, and newest run and tone of the others."""

    template: ClassVar[str] = "runs/suites.html"
    project: int
    cards: Sequence[SuiteCard]
    others: Sequence[tuple[Suite, StoredRun, str]]

    @property
    def uncomputed(self) -> Sequence[int]:
        """The last runs of the cards, too."""
        of_cards = (card.runs for card in self.cards)
        return [*(runs.last.id for runs in of_cards if runs.last and runs.summary is None), *super().uncomputed]


class _FilteredContext(_RunsContext, frozen=True, kw_only=True):
    """One page of a list of runs: the filters that are chosen and all choices, and the numbers of the pages."""

    filters: urls.ListFilters
    choices: Sequence[Choice]
    total: int
    pages: urls.PageNumbers
    address_at: Callable[[int], str]


class ProjectContext(_FilteredContext, frozen=True, kw_only=True):
    """The runs of a project."""

    template: ClassVar[str] = "runs/runs.html"
    project: int


class SuiteContext(_FilteredContext, frozen=True, kw_only=True):
    """A suite: its runs on one branch, and what the findings of the last whole one say.

    ``oldest`` is the run in which the oldest failure began, ``green`` the number of last runs without a failure.
    """

    template: ClassVar[str] = "runs/suite.html"
    source: Suite
    branch: BranchRuns
    main: str  # the main branch
    has_branches: bool
    has_others: bool  # the project has other suites
    title: str
    mine: str  # whose the failures are
    oldest: RunMention | None
    green: int
    times: Sequence[TrendPoint]
    reasons: Sequence[FailureReason]
    flaky: Sequence[SuiteTest]
    flaky_count: int
    slowest: Sequence[SuiteTest]


_COMPUTING_SECONDS: Final = 0.2
Question: TypeAlias = "Callable[[PageReader], ListContext]"


def _show_list(
    store: Store, req: falcon.Request, resp: falcon.Response, project_id: int | None, question: Question
) -> None:
    """Show the list that ``question`` reads; answer an open page with its sections, or with 304."""
    if not req.path.endswith("/live"):
        live = req.path.rstrip("/") + "/live" + (f"?{req.query_string}" if req.query_string else "")
        rendering.show(req, resp, replace(_read(store, question), live=live))
        return
    # It changes with the runs, and each minute with the words for how long ago they were.
    state = _computed(store, lambda reader: reader.state(project_id), lambda state: state[1])
    if not rendering.is_known(req, resp, (state, rendering.now_us() // 60_000_000)):
        rendering.show(req, resp, replace(_read(store, question), is_live=True))


def _read(store: Store, question: Question) -> ListContext:
    return _computed(store, question, lambda context: context.uncomputed)


def _computed(store: Store, question: Callable[[PageReader], T], uncomputed: Callable[[T], Sequence[int]]) -> T:
    """Return an answer; findings that it lacks are computed, as many as take little time."""
    answer, until = ask(store, question), time.monotonic() + _COMPUTING_SECONDS
    missing = uncomputed(answer)
    # While the store is busy, or if a run was removed meanwhile, the list shows what it has.
    with suppress(ApiError):
        for run_id in takewhile(lambda _: time.monotonic() <= until, missing):
            findings(store, run_id)
    return ask(store, question) if missing else answer


def show_home(store: Store, req: falcon.Request, resp: falcon.Response) -> None:
    """Show the projects; with one project its suites, with one suite that suite."""
    project_ids = ask(store, lambda reader: reader.projects())
    if len(project_ids) != 1:
        _show_list(store, req, resp, None, partial(projects_context, project_ids=project_ids))
        return
    (project_id,) = project_ids
    sources = ask(store, lambda reader: reader.sources(project_id))
    if not urls.run_filters(req.params).is_any or req.has_param("page"):
        show_project(store, req, resp, project_id)
    elif len(sources) == 1:
        show_suite(store, req, resp, sources[0].id)
    else:
        _show_list(store, req, resp, project_id, partial(suites_context, project_id=project_id))


def show_project(store: Store, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
    """Show the runs of a project."""
    question = partial(project_context, project_id=project_id, filters=urls.run_filters(req.params))
    _show_list(store, req, resp, project_id, question)


def show_suite(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Show a suite: its runs on a branch, its trend, what fails, is flaky or slow."""
    source = ask(store, lambda reader: reader.suite(source_id))
    question = partial(suite_context, source=source, filters=urls.run_filters(req.params))
    _show_list(store, req, resp, source.project, question)


def show_latest(store: Store, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
    """Redirect to the newest run of a suite, of one branch with ``branch``; raises `ApiError` (404) without one."""
    branch = urls.run_filters(req.params).branch
    run = ask(store, lambda reader: reader.newest(source_id, branch))
    if run is None:
        raise not_found("run of this suite and branch")
    resp.status, resp.location = 302, urls.link("run", run.id)


# A card has about 110 elements: with more of them the page would be slow. The other suites have a line.
_CARDS_SHOWN: Final = 16


def project_context(reader: PageReader, project_id: int, filters: urls.ListFilters) -> ProjectContext:
    """Return the list of a project's runs; raises `ApiError` (404) for an unknown project."""
    if project_id not in reader.projects():
        raise not_found("project")
    sources = [(str(source.id), source.name) for source in reader.sources(project_id)]
    branches = reader.branches(project_id, filters.source)
    found = _found_runs(reader, project_id, filters)
    return ProjectContext(
        project=project_id,
        home=reader.home(project_id),
        filters=filters,
        mistakes=filters.mistakes,
        choices=_choices(filters, sources, branches, reader.tags(project_id)),
        address_at=lambda page: urls.link("project", project_id, **filters.at(page)),
        open_runs=found.open_runs,
        runs=found.runs,
        total=found.total,
        pages=found.pages,
    )


def suites_context(reader: PageReader, project_id: int) -> SuitesContext:
    """Return the page with a project's suites."""
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
    return SuitesContext(
        project=project_id,
        home=reader.home(project_id),
        cards=cards,
        others=others,
        open_runs=listed_runs(reader, open_ids),
        runs=listed_runs(reader, ids[:8]),
    )


def suite_context(reader: PageReader, source: Suite, filters: urls.ListFilters) -> SuiteContext:
    """Return a suite's page: its runs on one branch, the main one by default, and what findings say."""
    source_id, project_id = source.id, source.project
    main = main_branch(reader.connection, source_id)
    branch = main if filters.branch is None else filters.branch
    filters = replace(filters, source=source_id, branch=branch)
    runs, branches = branch_runs(reader, source_id, branch), reader.branches(project_id, source_id)
    last, summary, said = runs.last, runs.summary, runs.said
    document = None if last is None else stored_findings(reader.connection, last.id)
    still = document["tests"]["still_failing"] if document else ()
    began = [entry["since"] for entry in still if entry["since"]]
    series = None if last is None else series_of(reader.connection, last)
    flaky = flaky_tests(reader, source_id, branch, series) if series else []
    found = _found_runs(reader, project_id, filters)
    return SuiteContext(
        home=reader.home(project_id),
        filters=filters,
        mistakes=filters.mistakes,
        choices=_choices(filters, [], branches, reader.tags(project_id)),
        address_at=lambda page: urls.link("suite", source_id, **{**filters.at(page), "source": None}),
        open_runs=found.open_runs,
        runs=found.runs,
        total=found.total,
        pages=found.pages,
        source=source,
        branch=runs,
        main=main,
        has_branches=any(branches),
        has_others=len(reader.sources(project_id)) > 1,
        title="" if said is None else words.titled(said),
        mine=mine(summary["mine"]) if summary else "",
        oldest=min(began, key=lambda run: run["run"], default=None),
        # The last runs in which nothing failed.
        green=len([*takewhile(lambda row: row.total_count and not row.failure_count, reversed(runs.rows))]),
        times=[
            TrendPoint(row.id, row.elapsed or 0, duration(row.elapsed), "skip", urls.link("run", row.id))
            for row in runs.rows
        ],
        reasons=[] if document is None else document["reasons"][:10],
        flaky=flaky,
        flaky_count=max(len(flaky), summary["counts"]["flaky"] if summary else 0),
        slowest=slowest_tests(reader, series) if series else [],
    )


def projects_context(reader: PageReader, project_ids: Sequence[int]) -> ProjectsContext:
    """Return the list of projects."""
    latest = reader.latest_runs()
    found = [(project_id, *latest.get(project_id, (0, 0))) for project_id in project_ids]
    rows = {row.run.id: row for row in listed_runs(reader, [run_id for _, _, run_id in found])}
    projects = [(project_id, count, rows.get(run_id)) for project_id, count, run_id in found]
    return ProjectsContext(projects=projects, has_runs=bool(latest))


class Choice(NamedTuple):
    """A select: ``any`` is the word for no choice, if that is possible; ``options`` are values with words."""

    name: str
    label: str
    any: str
    options: Sequence[tuple[str, str]]
    chosen: str


def _choices(
    filters: urls.ListFilters, sources: Sequence[tuple[str, str]], branches: Sequence[str], tags: Sequence[str]
) -> list[Choice]:
    """Return what a list of runs lets one choose; a suite's page has no ``sources``, and always one branch."""
    branch = "" if filters.branch is None else filters.branch or urls.NO_BRANCH
    names: dict[str, None] = dict.fromkeys([*branches, *([] if filters.branch is None else [filters.branch])])
    tagged: dict[str, None] = dict.fromkeys([*tags, *([filters.tag] if filters.tag else [])])
    named = [(name or urls.NO_BRANCH, name or "(no branch)") for name in names]
    statuses = [(word, word.capitalize()) for word in urls.STATUSES]
    choices = [
        Choice("source", "Suite", "All suites", sources, str(filters.source or "")),
        # Runs without a branch alone leave nothing to choose.
        Choice("branch", "Branch", "All branches" if sources else "", named if any(names) else [], branch),
        Choice("status", "Status", "Any status", statuses, filters.status or ""),
        Choice("tag", "Tag", "Any tag", [(tag, tag) for tag in tagged], filters.tag or ""),
    ]
    return [choice for choice in choices if choice.options]


class _FoundRuns(NamedTuple):
    """The runs that the filters of a list find: open ones, a page of the completed ones, and the number of all."""

    open_runs: Sequence[ListedRun]
    runs: Sequence[ListedRun]
    total: int
    pages: urls.PageNumbers


def _found_runs(reader: PageReader, project_id: int, filters: urls.ListFilters) -> _FoundRuns:
    ids, total = reader.listed_runs(project_id, filters.wanted, filters.page, is_open=False)
    open_ids, open_total = reader.listed_runs(project_id, filters.wanted, is_open=True)
    return _FoundRuns(
        listed_runs(reader, open_ids if filters.page == 1 else []),
        listed_runs(reader, ids),
        total + open_total,
        urls.paging(filters.page, total, PAGE_RUNS),
    )
