"""Put the page of a run together: read what its view needs, and turn it into the values of the templates."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from pytest_automation_report.findings.comparison import command_of
from pytest_automation_report.server.pages.drawings import failure_trend
from pytest_automation_report.server.pages.links import paging
from pytest_automation_report.server.pages.queries import PAGE_ROWS, ask
from pytest_automation_report.server.pages.run.changes import (
    changed_software,
    changes_of,
    commits_since,
    details_of,
    entries_of,
    percent,
    where_it_ran,
    worker_names,
)
from pytest_automation_report.server.pages.run.exports import DOWNLOADS
from pytest_automation_report.server.pages.run.failures import FailureCards, FailuresView, Rail
from pytest_automation_report.server.pages.run.head import (
    RunFacts,
    bar_of,
    chips_of,
    counts_of,
    facts_of,
    head_of,
    tabs_of,
)
from pytest_automation_report.server.pages.run.reasons import command_for
from pytest_automation_report.server.pages.run.tests import TestList, TreeRows
from pytest_automation_report.server.pages.run.time import (
    Histories,
    lanes_of,
    running_now,
    shares_of,
    slowest_files,
    slowest_tests,
    small_lanes,
    time_of,
    time_to_go,
    waste_sentence,
)
from pytest_automation_report.server.pages.words import attached
from pytest_automation_report.server.store.findings import findings, summaries
from pytest_automation_report.server.store.overview import overview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import ChangedDuration, RunFindings, RunOverview
    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.drawings import TrendPoint
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.head import Phrase
    from pytest_automation_report.server.pages.state import RunState
    from pytest_automation_report.server.store.store import Store


THREADS_SHOWN: Final = 100
"""Most threads that the page of a run shows."""

_RAIL_LINES: Final = 4


class ShownRun(TypedDict):
    """What all views say of the run itself."""

    id: int
    name: str
    project: int
    source: str
    source_id: int
    branch: str
    is_open: bool
    total: int
    failed: int
    own_name: str


class Command(TypedDict):
    """A command of *Run again*; ``count`` is 0 for the whole run."""

    word: str
    count: int
    command: str


class BaseChoice(TypedDict):
    """The base, as numbers and as its row, and what else can be chosen; ``passed_over`` are runs between the two."""

    run: int | None
    why: str
    row: Json | None
    branch: str
    others: Sequence[Json]
    passed_over: Sequence[int]


class Frame(TypedDict):
    """What stands around the view: the values of the template ``run/run.html``."""

    home: str
    state: RunState
    view: str
    run: ShownRun
    counts: RunNumbers
    head: Json
    facts: Json
    bar: Sequence[Json]
    chips: Json
    tabs: Sequence[Json]
    trend: Sequence[TrendPoint]
    before: int | None
    after: int | None
    base: BaseChoice
    running: Sequence[Json]
    commands: Sequence[Command]
    downloads: Sequence[Json]


class TestsView(TypedDict, total=False):
    """The values of the template ``run/tests.html``: a tree of all tests, or a flat list with its pages."""

    is_flat: bool
    sort: str
    tree: Json
    files: int
    worker: str
    rows: Sequence[Json]
    total: int | None
    pages: Json | None
    suggestion: tuple[str, int] | None
    reason: Json | None


class ChangesView(TypedDict):
    """The values of the template ``run/changes.html``; ``changes`` is None if nothing can be compared with the run."""

    changes: Json | None
    commits: Sequence[Json]
    software: Sequence[Json]


class TimeView(TypedDict):
    """The values of the template ``run/time.html``."""

    shares: Sequence[Json]
    lanes: Json | None
    waste: Sequence[Phrase]
    slowest: Sequence[Json]
    slowest_share: int
    slowest_files: Sequence[Json]


class DetailsView(TypedDict):
    """The values of the template ``run/details.html``."""

    details: Json
    links: Sequence[Json]
    software: Sequence[Json]


class PageValues(NamedTuple):
    """The values of a run's page."""

    frame: Frame
    view: FailuresView | TestsView | ChangesView | TimeView | DetailsView


def page_values(store: Store, documents: Documents, state: RunState, now: int) -> PageValues:
    """Return the values of the templates of a run's page; ``now`` is in microseconds since 1970.

    Raises `ApiError` (404) for an unknown run.
    """
    return ask(store, lambda reader: _RunPage(reader, state, documents, now).values())


def branch_rows(store: Store, documents: Documents, state: RunState, now: int) -> Json:
    """Return the rows below the open node of the tree."""
    return ask(store, lambda reader: _RunPage(reader, state, documents, now).tree.children(state.opened))


def failures_text(store: Store, documents: Documents, state: RunState, now: int, site: str) -> str:
    """Return the failures of a run as Markdown, one section for each reason; ``site`` is the address of the pages."""
    return ask(store, lambda reader: _RunPage(reader, state, documents, now).text(site))


class _RunPage:
    """The page of one run in one read transaction."""

    def __init__(self, reader: PageReader, state: RunState, documents: Documents, now: int) -> None:
        record = reader.run(state.run_id, max_threads=THREADS_SHOWN)
        self.home = reader.home(record.row["project"])
        source = reader.source_name(record.row["source"])
        self.facts = RunFacts(record, source, documents.findings, documents.overview, now)
        self.reader = reader
        self.workers = worker_names(record)
        self.histories = Histories(self.reader, record.row, documents.findings)
        self.counts = counts_of(self.facts)
        self.state = state
        self.view = state.view or ("failures" if self._has_worries else "tests")

    @property
    def _has_worries(self) -> bool:
        """Whether the view of the failures has anything to show."""
        state = self.state
        is_list = state.is_filtered or bool(state.opened)
        changed = self.facts.findings["counts"] if self.facts.findings else {}
        has_any = self.facts.row["failure_count"] or self.counts.flaky or changed.get("slower") or self.counts.is_open
        return bool(has_any) and not is_list

    @cached_property
    def base_row(self) -> Json | None:
        """The row of the run that this one is compared with."""
        base = self.facts.base
        return None if base is None else self.reader.known_run(base["run"])

    @cached_property
    def tree(self) -> TreeRows:
        """The reader of the tree's rows."""
        return TreeRows(self.facts, self.state, self.reader, self.histories, self.workers)

    @cached_property
    def cards(self) -> FailureCards:
        """The reader of the failures by reason."""
        return FailureCards(self.facts, self.state, self.reader, self.histories, self.workers)

    def text(self, site: str) -> str:
        """Return the failures as Markdown."""
        is_first = len(self.reader.trend(self.facts.row)) == 1
        heading = head_of(self.facts, self.counts, self.base_row, self.cards.longest, None, is_first=is_first)["says"]
        about = f"{self.facts.source} #{self.facts.row['id']} {site}{self.state.address}"
        return "\n".join([f"# {heading}", "", about, "", *self.cards.texts(site)])

    def values(self) -> PageValues:
        """Return the values of the templates."""
        facts, state = self.facts, self.state
        run = facts.row
        trend_rows = self.reader.trend(run)
        earlier = [row["id"] for row in trend_rows if row["id"] < run["id"]]
        stretches = bar_of(facts, self.counts)
        longest = self.cards.longest if run["failure_count"] else None
        to_go = time_to_go(facts, self.counts, self.reader, self.histories) if self.counts.is_open else None
        frame: Frame = {
            "home": self.home,
            "state": state,
            "view": self.view,
            "run": {
                "id": run["id"],
                "name": run["name"],
                "project": run["project"],
                "source": facts.source,
                "source_id": run["source"],
                "branch": run["branch"] or "",
                "is_open": self.counts.is_open,
                "total": run["total_count"],
                "failed": run["failure_count"],
                "own_name": facts.own_name,
            },
            "counts": self.counts,
            "head": head_of(facts, self.counts, self.base_row, longest, to_go, is_first=not earlier),
            "facts": facts_of(facts, self.base_row),
            "bar": stretches,
            "chips": chips_of(state, self._searched(stretches), facts.findings),
            "tabs": tabs_of(state, self.view, facts),
            "trend": failure_trend(trend_rows, summaries(self.reader.connection, [row["id"] for row in trend_rows])),
            "before": earlier[-1] if earlier else None,
            "after": self.reader.next_run(run),
            "base": self._base(),
            "running": running_now(facts, self.reader, self.histories, self.workers) if self.counts.is_open else [],
            "commands": self._commands(),
            "downloads": [
                {"href": state.link(kind, run["id"], base=state.base), "word": word}
                for word, kind in (("One HTML file", "report"), *((form.word, form.kind) for form in DOWNLOADS))
            ],
        }
        views: dict[str, Callable[[], FailuresView | TestsView | ChangesView | TimeView | DetailsView]] = {
            "failures": self._failures,
            "tests": self._tests,
            "changes": self._changes,
            "time": self._time,
            "details": self._details,
        }
        return PageValues(frame, views[self.view]())

    def _commands(self) -> list[Command]:
        """Return the commands of *Run again*: for the failed tests, for the new ones, for the whole run."""
        run, found = self.facts.row, self.facts.findings
        commands: list[Command] = []
        if run["failure_count"]:
            command = f"pytest --automation-report-rerun-failed={run['id']}"
            commands.append({"word": "What failed in this run", "count": run["failure_count"], "command": command})
        new_count = found["mine"]["new"] if found else 0
        if found and 0 < new_count < run["failure_count"]:
            rows = self.reader.rows_of(entry["result"] for entry in entries_of(found, "new") if entry["result"])
            new_command = command_for(list(rows.values()), new_count)
            if new_command is not None:
                commands.append({"word": "Only what is new", "count": new_count, "command": new_command})
        whole = command_of(self.facts.field("Selection"))
        commands.append({"word": "All of it", "count": 0, "command": whole})
        return commands

    def _searched(self, stretches: list[Json]) -> list[Json]:
        """Return the stretches for the chips: with a search, or tests of one worker, their numbers are those of it."""
        if not self.state.text and self.state.lane is None:
            return stretches
        return TestList(self.facts, self.state, self.reader).matches(stretches)

    def _base(self) -> BaseChoice:
        """Return the base and the runs to choose another one from."""
        base, row = self.facts.base, self.base_row
        others = self.reader.possible_bases(self.facts.row)
        return {
            "run": None if base is None else base["run"],
            "why": "" if base is None else base["why"],
            "row": row,
            "branch": "" if row is None else row["branch"] or "",
            "others": others,
            "passed_over": self._passed_over(others),
        }

    def _passed_over(self, others: Sequence[Json]) -> list[int]:
        """Return the runs of the same branch between the base and this run, if the user chose no base."""
        base, row = self.facts.base, self.facts.row
        if base is None or self.state.base is not None or base["why"] != "same branch":
            return []
        return [other["id"] for other in others if other["id"] > base["run"] and other["branch"] == row["branch"]][:3]

    def _failures(self) -> FailuresView:
        cards = self.cards
        group = self.state.group or "reason"
        shown = {"reason": cards.by_reason, "file": cards.by_file, "none": cards.one_list}[group]()
        return {
            "group": group,
            **shown,
            "flaky": cards.flaky(),
            "slower": cards.slower(),
            "rail": self._rail(),
        }

    def _rail(self) -> Rail:
        facts = self.facts
        found = facts.findings
        slowest = slowest_tests(facts.overview, {}, _RAIL_LINES)
        slower = {entry["result"]: entry for entry in found["slower"]} if found else {}
        fixed = found["tests"]["fixed"] if found else []
        rows = self.reader.rows_of(entry["result"] for entry in fixed[:_RAIL_LINES] if entry["result"])
        self.histories.load((row["case"] for row in rows.values()), is_whole=True)
        return {
            "lanes": small_lanes(facts.overview) if facts.overview["workers"] else None,
            "slowest": [{**row, "change": _change(slower.get(row["id"]))} for row in slowest],
            "fixed": self.cards.fixed_lines(fixed[:_RAIL_LINES], rows),
            "fixed_count": found["counts"]["fixed"] if found else 0,
            "where": where_it_ran(facts, self.counts),
        }

    def _tests(self) -> TestsView:
        state = self.state
        is_flat = state.is_filtered or state.group == "none"
        sort = state.sort or "failed"
        if not is_flat:
            return {"is_flat": False, "sort": sort, "tree": self.tree.top(), "files": len(self.facts.overview["files"])}
        tests = TestList(self.facts, state, self.reader)
        rows, total = tests.page()
        return {
            "is_flat": True,
            "sort": tests.sort,
            "worker": self.workers.name(state.lane.thread) if state.lane else "",
            "rows": self.tree.leaves(rows.items, has_folder=True),
            "total": total,
            "pages": paging(state.page, total, PAGE_ROWS, has_more=rows.has_more),
            "suggestion": tests.suggestion() if not rows.items and state.text else None,
            "reason": self.cards.title_of(state.reason) if state.reason else None,
        }

    def _changes(self) -> ChangesView:
        found = self.facts.findings
        if found is None or found["base"] is None:
            return {"changes": None, "commits": [], "software": []}
        changed = [*found["tests"]["fixed"][:PAGE_ROWS], *found["tests"]["newly_failing"][:PAGE_ROWS]]
        rows = self.reader.rows_of([entry["result"] for entry in changed if entry["result"]])
        self.histories.load((row["case"] for row in rows.values()), is_whole=True)
        cases = {row["id"]: row["case"] for row in rows.values()}
        state = replace(self.state, view="changes")
        commits = commits_since(self.facts.field("Commits"), found["base"]["commit"])
        return {
            "changes": changes_of(found, state, self.histories.letters, cases),
            "commits": commits,
            "software": self._software(),
        }

    def _software(self) -> list[Json]:
        """Return the versions that differ from those of the base."""
        base = self.facts.base
        before = {} if base is None else self.reader.run_fields(base["run"])
        return changed_software(lambda name: before.get(name, ""), self.facts.field) if before else []

    def _time(self) -> TimeView:
        view, found = self.facts.overview, self.facts.findings
        time = time_of(view, None if found is None else found["time"])
        cases = [row["case"] for row in view["slowest"]]
        self.histories.load(cases)
        names = {row["id"]: row["name"] for row in view["slowest"]}
        long_blocks = [block[4] for lane in view["lanes"] for block in lane if block[3] == 1]
        names |= {row["id"]: row["name"] for row in self.reader.rows_of(long_blocks[:500]).values()}
        if view["waste"]:
            names[view["waste"]["result"]] = view["waste"]["name"]
        medians = {case: self.histories.usual(case) for case in cases}
        total = sum(entry["elapsed"] for entry in view["files"])
        slowest = slowest_tests(view, medians)
        return {
            "shares": shares_of(time) if time and time["workers"] else [],
            "lanes": lanes_of(view, self.workers.name, names, self.state.at("time")) if view["workers"] else None,
            "waste": waste_sentence(view, time, self.workers.name),
            "slowest": slowest,
            "slowest_share": round(100 * sum(row["elapsed"] for row in slowest) / total) if total else 0,
            "slowest_files": slowest_files(view),
        }

    def _details(self) -> DetailsView:
        details = details_of(self.facts, self.counts, self.workers)
        links = attached(self.facts.record, "links")
        return {"details": details, "links": links, "software": self._software()}


def _change(entry: ChangedDuration | None) -> str:
    """Return by how much a test got slower; empty if it did not."""
    return "" if entry is None else percent(entry["elapsed"], entry["median"])


_MAX_RUNS: Final = 16
_FRESH_RESULTS: Final = 5_000
"""Results of an open run up to which each page has new documents: they are never behind the results."""

# Documents cost 0.2 s of a processor for 10,000 results: a page that is asked for each second spends a tenth of one.
_SECONDS_A_RESULT: Final = 2 / 10_000


class Documents(NamedTuple):
    """Findings and overview of one run."""

    findings: RunFindings
    overview: RunOverview


class RunDocuments:
    """Read or compute the documents of runs; several threads may use it.

    Those of completed runs are in the store. Those of open runs change with each append: if the run is large they are
    kept for a time that grows with it.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int | None], tuple[float, Documents]] = {}

    def of(self, run_id: int, base: int | None) -> Documents:
        """Return the documents of a run, compared with a base or with the run that fits best.

        Raises `ApiError` for an unknown run (404), and for a base of another source (422).
        """
        row = self._store.read(lambda reader: reader.run_row(run_id))
        is_kept = not row["is_completed"] and row["total_count"] > _FRESH_RESULTS
        with self._lock:
            until, known = self._open.get((run_id, base), (0.0, None)) if is_kept else (0.0, None)
        if known is not None and self._clock() < until:
            return known
        documents = Documents(findings(self._store, run_id, base), overview(self._store, run_id))
        with self._lock:
            self._open.pop((run_id, base), None)
            if is_kept:
                until = self._clock() + row["total_count"] * _SECONDS_A_RESULT
                self._open[run_id, base] = until, documents
                while len(self._open) > _MAX_RUNS:
                    self._open.pop(next(iter(self._open)))
        return documents
