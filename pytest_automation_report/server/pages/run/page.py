"""Answer the URLs of a run's page: its views, what changes while it is open, rows of the tree, its failures as text.

A page is put together in one read transaction: what its view needs is read, and becomes the values of the templates.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import SELECTION_FIELD
from pytest_automation_report.export.documents import JunitPart, csv_table, json_document, junit_xml
from pytest_automation_report.export.results import ExportedTest
from pytest_automation_report.findings.comparison import changed_software, selection_command
from pytest_automation_report.server.api.documents import exported_run, run_view
from pytest_automation_report.server.pages import rendering
from pytest_automation_report.server.pages.drawings import failure_trend, lanes_of
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.run import details, head
from pytest_automation_report.server.pages.run.changes import ChangesView, RunChanges
from pytest_automation_report.server.pages.run.facts import (
    SILENT_US,
    THREADS_SHOWN,
    ShownRun,
    arrived_words,
    entries_of,
    jobs_sentence,
    running_now,
    shares_of,
    slowest_files,
    slowest_tests,
    to_go_of,
    waste_sentence,
)
from pytest_automation_report.server.pages.run.failures import FailureCards
from pytest_automation_report.server.pages.run.messages import says_of
from pytest_automation_report.server.pages.run.tests import TestList, TestsView, TreeRows
from pytest_automation_report.server.pages.urls import VIEWS, RunState, link, paging, run_state, single_values
from pytest_automation_report.server.pages.words import fields_of, files_in, tests_and_files, usual_words
from pytest_automation_report.server.store.findings import findings, summaries
from pytest_automation_report.server.store.overview import overview
from pytest_automation_report.server.store.reads import WholeResult, results_page, run_row
from pytest_automation_report.server.store.results import PAGE_ROWS
from pytest_automation_report.server.store.values import ApiError
from pytest_automation_report.text.node_ids import rerun_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import RunFindings, RunOverview
    from pytest_automation_report.findings.sentences import RunNumbers
    from pytest_automation_report.server.pages.drawings import Lanes, TrendPoint
    from pytest_automation_report.server.pages.run.details import DetailsView
    from pytest_automation_report.server.pages.run.facts import Phrase, Running, Slow, WorkersShare
    from pytest_automation_report.server.pages.run.failures import FailuresView
    from pytest_automation_report.server.pages.run.head import Chip, Head, HeadLine
    from pytest_automation_report.server.pages.words import Part
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun

T = TypeVar("T")

_PIECE_CHARACTERS: Final = 64 * 1024
_SEEN: Final = "seen"
_MAX_RUNS: Final = 16
# Up to so many results of an open run each page has new documents: they are never behind the results.
_FRESH_RESULTS: Final = 5_000
# Documents cost 0.2 s of a processor for 10,000 results: a page that is asked for each second spends a tenth of one.
_SECONDS_A_RESULT: Final = 2 / 10_000


class Documents(NamedTuple):
    """Findings and overview of one run."""

    findings: RunFindings
    overview: RunOverview


class RunDocuments:
    """Read or compute the documents of runs, and keep a large open run's for a while. Threads may share it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int | None], tuple[float, Documents]] = {}

    def of(self, run_id: int, base: int | None) -> Documents:
        """Return the documents of a run; raises `ApiError` for an unknown run (404) or base of another source (422)."""
        row = self.store.read(lambda connection: run_row(connection, run_id))
        is_kept = not row.is_completed and row.total_count > _FRESH_RESULTS
        with self._lock:
            until, known = self._open.get((run_id, base), (0.0, None)) if is_kept else (0.0, None)
        if known is not None and self._clock() < until:
            return known
        documents = Documents(findings(self.store, run_id, base), overview(self.store, run_id))
        with self._lock:
            self._open.pop((run_id, base), None)
            if is_kept:
                until = self._clock() + row.total_count * _SECONDS_A_RESULT
                self._open[run_id, base] = until, documents
                while len(self._open) > _MAX_RUNS:
                    self._open.pop(next(iter(self._open)))
        return documents

    def ask(self, state: RunState, question: Callable[[RunView], T], *, has_clock: bool = True) -> T:
        """Return the value of a question about a run in one read transaction; see `ShownRun` for the clock."""
        documents, now = self.of(state.run_id, state.base), rendering.now_us() if has_clock else 0
        return ask(self.store, lambda reader: question(RunView(facts_in(reader, state.run_id, documents, now), state)))


def facts_in(reader: PageReader, run_id: int, documents: Documents, now: int = 0) -> ShownRun:
    """Return what the views of a run are made of; raises `ApiError` (404) for an unknown run."""
    record = reader.run(run_id, max_threads=THREADS_SHOWN)
    return ShownRun(reader, record, *documents, now)


def show_run(documents: RunDocuments, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Show one view of a run."""
    state = run_state(run_id, req.params)
    try:
        context = documents.ask(state, lambda run: run.context())
    except ApiError:
        if state.base is None:
            raise
        mistake = f"base={state.base} is left out: it must be an earlier run of this suite."
        state = replace(state, base=None, mistakes=(*state.mistakes, mistake))
        context = documents.ask(state, lambda run: run.context())
    shown = replace(
        context,
        mistakes=state.mistakes,
        live_address=_live_address(state, context.counts),
        page_url=f"{rendering.site_of(req)}{state.address}",
        is_followed=not (context.run.is_completed or context.run.failure_count),
    )
    rendering.show(req, resp, shown)


def show_changes(documents: RunDocuments, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Answer an open page with its sections that change while the run is open, or with 304 if it shows them already."""
    state = run_state(run_id, req.params)
    row = documents.store.read(lambda connection: run_row(connection, run_id))
    # Every append changes `updated`. A sender that falls silent changes nothing: the page then says so by itself.
    is_silent = rendering.now_us() - (row.updated or row.created) >= SILENT_US
    seen_row = [row.updated, row.created, row.total_count, row.status, row.is_completed]
    if rendering.is_known(req, resp, (seen_row, req.query_string, is_silent)):
        return
    context = documents.ask(state, lambda run: run.context())
    seen = single_values(req.params).get(_SEEN, "")
    # A page that shows no failure has nothing that news could move: its view comes along.
    has_view = context.view.name == "failures" and seen.startswith("0.")
    has_news = has_view and bool(context.run.failure_count)
    shown = replace(
        context,
        is_live=True,
        arrived="" if has_view else arrived_words(context.counts, seen),
        page_url=f"{rendering.site_of(req)}{state.address}",
        has_view=has_view,
        is_followed=has_view,
        next_address=_live_address(state, context.counts) if has_news else "",
    )
    rendering.show(req, resp, shown)


def show_rows(documents: RunDocuments, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Send the rows below one node of the tree; the page's script asks for them when the node is opened."""
    state = run_state(run_id, req.params)
    level = documents.ask(state, lambda run: run.tree.children(state.opened))
    rendering.set_html(resp, rendering.macros().branch(level, state))


def send_failures(documents: RunDocuments, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Send the failures of a run as Markdown, for issues, chats and language models: one section for each reason."""
    state = run_state(run_id, req.params, is_strict=True)
    text = documents.ask(state, lambda run: run.text(rendering.site_of(req)), has_clock=False)
    resp.content_type = "text/plain; charset=utf-8"
    resp.data = text.encode("utf-8", "replace")


def _live_address(state: RunState, counts: RunNumbers) -> str:
    return link("run-live", state.run_id, **state.parameters, **{_SEEN: f"{counts.failed}.{counts.finished}"})


class _Download(NamedTuple):
    """A form: its name in the menu, its kind of link, the file in its URL, its media type, its text."""

    word: str
    kind: str
    file: str
    media_type: str
    text: Callable[[Store, int, int | None], Iterator[str]]


def send_download(store: Store, form: _Download, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Send the results of a run as a file; ``base`` is the run that the findings in a JSON document compare with."""
    pieces = form.text(store, run_id, run_state(run_id, req.params, is_strict=True).base)
    # The run is read before the response begins: an unknown run is answered with its page.
    first = next(pieces)
    resp.content_type = form.media_type
    ending = form.file.rpartition(".")[2]
    resp.set_header("Content-Disposition", f'attachment; filename="run-{run_id}.{ending}"')
    resp.stream = _encoded(first, pieces)


def _encoded(first: str, pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield the text as UTF-8, in pieces that are worth a packet."""
    waiting, length = [first], len(first)
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _PIECE_CHARACTERS:
            yield "".join(waiting).encode("utf-8", "backslashreplace")
            waiting, length = [], 0
    yield "".join(waiting).encode("utf-8", "backslashreplace")


def _run(store: Store, run_id: int) -> tuple[RunRecord, str]:
    """Return a run with the name of its suite; raises `ApiError` (404) for an unknown run."""

    def read(reader: PageReader) -> tuple[RunRecord, str]:
        record = reader.run(run_id)
        return record, reader.suite(record.row.source).name

    return ask(store, read)


def _items(store: Store, run_id: int) -> Iterator[WholeResult]:
    after: int | None = 0
    while after is not None:
        results, after = store.read(partial(results_page, run_id=run_id, after=after))
        yield from results


def _tests(store: Store, run_id: int) -> Iterator[ExportedTest]:
    return map(ExportedTest.from_item, _items(store, run_id))


def _junit(store: Store, run_id: int, _: int | None) -> Iterator[str]:
    return junit_xml(JunitPart(exported_run(*_run(store, run_id)), _tests(store, run_id)))


def _json(store: Store, run_id: int, base: int | None) -> Iterator[str]:
    record, source = _run(store, run_id)
    return json_document(run_view(record), source, findings(store, run_id, base), _items(store, run_id))


def _csv(store: Store, run_id: int, _: int | None) -> Iterator[str]:
    _run(store, run_id)
    return csv_table(_tests(store, run_id))


DOWNLOADS: Final = (
    _Download("JUnit XML", "run-junit", "junit.xml", "application/xml; charset=utf-8", _junit),
    _Download("JSON with everything", "run-json", "run.json", "application/json; charset=utf-8", _json),
    _Download("CSV table", "run-csv", "tests.csv", "text/csv; charset=utf-8", _csv),
)
"""The forms, in the order of the menu."""


class RunAgain(NamedTuple):
    """A command of *Run again*: what it runs, how many these are, and its text."""

    word: str
    counted: str
    text: str


class BaseChoice(Struct, frozen=True):
    """The run that a run is compared with, None without one, and others to choose from.

    ``passed_over`` are runs since a base that nobody chose.
    """

    run: int | None
    row: StoredRun | None
    branch: str
    others: Sequence[StoredRun]
    passed_over: Sequence[int]


class TimeView(Struct, frozen=True):
    """Where the time of a run went, on a timeline and by tests and files; ``slowest_share`` is in percent of all."""

    name: ClassVar = "time"
    template: ClassVar = "run/time.html"
    shares: Sequence[WorkersShare]
    lanes: Lanes | None
    waste: Sequence[Phrase]
    slowest: Sequence[Slow]
    slowest_share: int
    slowest_files: Sequence[Slow]


class RunPageContext(rendering.PageContext, frozen=True, kw_only=True):
    """The page of a run: its head, and one of its views; an open page of an open run asks for news."""

    template: ClassVar[str] = "run/run.html"
    run: StoredRun
    source: str  # the name of its suite
    home: str  # path of the project
    state: RunState
    counts: RunNumbers
    head: Head
    line: HeadLine
    bar: Sequence[Part]
    chips: Sequence[tuple[str, Sequence[Chip]]]  # with the label of each group
    tabs: Mapping[str, int]
    trend: Sequence[TrendPoint]
    before: int | None  # the run before this one
    after: int | None
    base: BaseChoice
    running: Sequence[Running]
    commands: Sequence[RunAgain]
    downloads: Sequence[tuple[str, str]]  # their words and kinds of links
    view: FailuresView | TestsView | ChangesView | TimeView | DetailsView
    page_url: str = ""  # that others can open; a file has none
    live_address: str = ""  # of the news
    next_address: str = ""  # of the news after those that brought the view
    arrived: str = ""  # what arrived since the page was loaded
    is_followed: bool = False  # news replace the view, which shows no failure yet
    has_view: bool = False  # these news have it


class RunView:
    """One view of a run, as a state of its page has it, in one read transaction."""

    def __init__(self, facts: ShownRun, state: RunState) -> None:
        self._facts = facts
        self._reader = facts.reader
        self._state = state
        self._cards = FailureCards(facts, state)
        self.tree = TreeRows(facts, state)
        self._list = TestList(facts.reader, facts.row, facts.findings, state)
        is_list = state.is_filtered or state.opened
        has_slower = facts.findings["counts"]["slower"]
        has_worries = facts.row.failure_count or facts.counts.flaky or has_slower or facts.counts.is_open
        self.view = state.view or ("failures" if has_worries and not is_list else "tests")

    def text(self, site: str) -> str:
        """Return the failures as Markdown; ``site`` is the address of the pages."""
        is_first = len(self._reader.trend(self._facts.row)) == 1
        said = head.head_of(self._facts, None, is_first=is_first)
        heading = f"{said.heading}. {head.text_of(said.sentence)}"
        about = f"{self._facts.source} #{self._facts.row.id} {site}{self._state.address}"
        return "\n".join([f"# {heading}", "", about, "", *self._cards.texts(site)])

    def context(self) -> RunPageContext:
        """Return what ``run/run.html`` shows."""
        facts, state = self._facts, self._state
        run = facts.row
        trend_rows = self._reader.trend(run)
        earlier = [row.id for row in trend_rows if row.id < run.id]
        bar = head.bar_of(facts)
        running = running_now(facts) if facts.counts.is_open else []
        # With a search, or tests of one worker, chips count the tests that it finds.
        is_searched, tests = bool(state.text) or state.lane is not None, self._list
        views = (self._cards.view, self._tests, self._changes, self._time, self._details)
        return RunPageContext(
            home=self._reader.home(run.project),
            state=state,
            run=run,
            source=facts.source,
            counts=facts.counts,
            head=head.head_of(facts, to_go_of(facts, running), is_first=not earlier),
            line=head.head_line(facts),
            bar=bar,
            chips=head.chips_of(facts, state, tests.matches(bar), tests.changed(head.CHANGE_CHIPS))
            if is_searched
            else head.chips_of(facts, state, bar),
            tabs=head.tabs_of(facts),
            trend=failure_trend(trend_rows, summaries(self._reader.connection, [row.id for row in trend_rows])),
            before=earlier[-1] if earlier else None,
            after=self._reader.next_run(run),
            base=self._base(),
            running=running,
            commands=self._commands(),
            downloads=[("One HTML file", "report"), *((form.word, form.kind) for form in DOWNLOADS)],
            view=views[VIEWS.index(self.view)](),
        )

    def _commands(self) -> list[RunAgain]:
        """Return the commands of *Run again*: what failed, what is new, all."""
        run, found = self._facts.row, self._facts.findings
        failed, new = run.failure_count, found["mine"]["new"]
        commands: list[RunAgain] = []
        if failed:
            counted = tests_and_files(failed, self._facts.counts.uncollected)
            commands.append(RunAgain("What failed in this run", counted, rerun_command(run.id)))
        entries = entries_of(found, "new")
        # The command knows the usual base, and the failures that findings list.
        if 0 < new < failed and self._state.base is None and new == len(entries):
            counted = tests_and_files(new, files_in(entries))
            commands.append(RunAgain("Only what is new", counted, rerun_command(run.id, "new")))
        commands.append(RunAgain("All of it", "", selection_command(self._facts.fields.get(SELECTION_FIELD, ""))))
        return commands

    def _base(self) -> BaseChoice:
        base, row, run = self._facts.findings["base"], self._facts.base_row, self._facts.row
        others = self._reader.possible_bases(run)
        passed_over: list[int] = []
        if base is not None and self._state.base is None and base["why"] == "same branch":
            between = [other for other in others if other.id > base["run"] and other.config == run.config]
            passed_over = [other.id for other in between if other.branch == run.branch][:3]
        branch = "" if row is None else row.branch or ""
        return BaseChoice(None if base is None else base["run"], row, branch, others, passed_over)

    def _tests(self) -> TestsView:
        state = self._state
        if not state.is_filtered and state.group != "none":
            files = len(self._facts.overview["files"])
            tree = self.tree.children("", path_to=state.opened)
            return TestsView(is_flat=False, sort=state.sort or "failed", tree=tree, files=files)
        tests = self._list
        rows, has_more, total = tests.page()
        reasons = self._facts.findings["reasons"]
        return TestsView(
            is_flat=True,
            sort=tests.sort,
            worker=self._facts.worker(state.lane.thread) if state.lane else "",
            rows=self._facts.listed(rows, state),
            total=total,
            pages=paging(state.page, total, PAGE_ROWS, has_more=has_more),
            suggestion=tests.suggestion(self._facts.overview) if not rows and state.text else None,
            reason=next((says_of(one["title"]) for one in reasons if one["fingerprint"] == state.reason), None),
        )

    def _changes(self) -> ChangesView:
        found, histories = self._facts.findings, self._facts.histories
        if found["base"] is None:
            return ChangesView()
        changed = [*found["tests"]["fixed"][:PAGE_ROWS], *found["tests"]["newly_failing"][:PAGE_ROWS]]
        rows = self._reader.rows_of([entry["result"] for entry in changed if entry["result"]])
        histories.load((row.case for row in rows.values()), is_whole=True)
        letters = {result: histories.letters(row.case) for result, row in rows.items()}
        commits = details.commits_since(self._facts.fields.get("Commits", ""), found["base"]["commit"])
        return ChangesView(RunChanges(found, self._state, letters), commits, self._software())

    def _software(self) -> list[tuple[str, str, str]]:
        base = self._facts.findings["base"]
        before = None if base is None else self._reader.runs([base["run"]]).get(base["run"])
        return [] if before is None else changed_software(fields_of(before), self._facts.fields)

    def _time(self) -> TimeView:
        facts = self._facts
        view, histories, shares = facts.overview, facts.histories, facts.findings["time"]
        cases = [row["case"] for row in view["slowest"]]
        histories.load(cases)
        names = {row["id"]: row["name"] for row in view["slowest"]}
        long_blocks = [block[4] for lane in view["lanes"] for block in lane if block[3] == 1]
        names |= {row.id: row.name for row in self._reader.rows_of(long_blocks[:500]).values()}
        if view["waste"]:
            names[view["waste"]["result"]] = view["waste"]["name"]
        total = sum(entry["elapsed"] for entry in view["files"])
        slowest = slowest_tests(view, lambda row: usual_words(histories.usual(row["case"])))
        return TimeView(
            shares=shares_of(shares) if shares["workers"] else [],
            lanes=lanes_of(view, facts.worker, names, self._state.at("time")) if view["workers"] else None,
            waste=jobs_sentence(view, shares, facts.record.threads) or waste_sentence(view, shares, facts.worker),
            slowest=slowest,
            slowest_share=round(100 * sum(row.elapsed for row in slowest) / total) if total else 0,
            slowest_files=slowest_files(view),
        )

    def _details(self) -> DetailsView:
        return details.details_view(self._facts, self._software())
