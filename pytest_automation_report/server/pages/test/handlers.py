"""The page of a test in a run, the tests before and after it there, and links to code."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.failures.markdown import ReportedFailure, failure_markdown
from pytest_automation_report.failures.terminal import terminal_lines
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.rendering import PageContext, show
from pytest_automation_report.server.pages.run.facts import THREADS_SHOWN, Histories, worker_names
from pytest_automation_report.server.pages.run.tests import TestList
from pytest_automation_report.server.pages.test import history, view_models
from pytest_automation_report.server.pages.test.view_models import TestFile, compared_pictures, files_of, preview_of
from pytest_automation_report.server.pages.urls import FLAKY, PICTURES, RunState, TestState, result_state, run_state
from pytest_automation_report.server.pages.words import STATUSES_SHOWN, fields_in
from pytest_automation_report.server.store.contents import PART_BYTES, part_of, stored_contents
from pytest_automation_report.server.store.findings import stored_findings
from pytest_automation_report.server.store.reads import began_at
from pytest_automation_report.server.store.results import NEAR, NO_SIBLINGS, Siblings
from pytest_automation_report.server.store.stored import entries_in
from pytest_automation_report.server.store.values import hashes_in, hexadecimal
from pytest_automation_report.text.node_ids import command_line, join_place, read_node_id, rerun_command, split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    import falcon

    from pytest_automation_report.api.results import Phases
    from pytest_automation_report.failures.terminal import Screen
    from pytest_automation_report.findings.flakiness import Flakiness
    from pytest_automation_report.server.pages.drawings import TrendPoint
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.test.history import (
        Branches,
        BranchHistory,
        FoundTests,
        Piece,
        Reliability,
        RunOutcome,
    )
    from pytest_automation_report.server.pages.test.view_models import (
        FailureSection,
        Preview,
        ShownAttempt,
        StepRow,
        Stream,
    )
    from pytest_automation_report.server.pages.words import ShownStatus
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import UsualTime
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import BriefResult, PastResult, StoredResult, StoredRun
    from pytest_automation_report.text.node_ids import NameParts

MOST: Final = 2_000  # most tests of a list through which a reader can go with previous and next


class Neighbours(NamedTuple):
    """Results before and after this one, None at the ends of the list; ``words`` name its place in the list."""

    before: int | None
    after: int | None
    words: str


_Value = TypeVar("_Value")


class CommonValues:
    """The values that pages of several tests share: the run, its failures, its workers; for one read transaction."""

    def __init__(self, reader: PageReader) -> None:
        self.reader = reader
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, read: Callable[[], _Value]) -> _Value:
        """Return the value of the first call of ``read`` for this key; callers must not change it."""
        if key not in self._known:
            self._known[key] = read()
        value: _Value = self._known[key]
        return value


def neighbours_in(
    common: CommonValues, record: RunRecord, row: StoredResult, origin: Mapping[str, str]
) -> Neighbours | None:
    """Return the neighbours of a result in the list that ``origin``, the query of the run's page, shows.

    Without such a list they are of its kind: other failures by reason, other flaky or skipped tests.
    """
    state = run_state(row.run, origin)
    tone = STATUSES_SHOWN[row.status].tone
    is_open_node = bool(state.opened) and not state.is_filtered and state.group != "none"
    if state.view == "tests" and is_open_node:
        near = common.reader.between(row.run, row.id - NEAR, row.id + NEAR, row.file, row.folder)
        return _at([other.id for other in near], row.id, "test")
    has_list = state.is_filtered or state.view == "tests"
    if not has_list and tone == "fail":
        return _among_failures(common, row, state)
    if not has_list:
        kind = FLAKY if tone == "pass" and row.failed_attempts else "" if tone == "pass" else str(row.status)
        if not kind:
            return None
        state = RunState(run_id=row.run, view="tests", statuses=frozenset({kind}))
    ids, has_more = common.once(("list", state), partial(_listed, common.reader, record, state))
    return _at(ids, row.id, "test", has_more=has_more)


def _listed(reader: PageReader, record: RunRecord, state: RunState) -> tuple[list[int], bool]:
    found = stored_findings(reader.connection, state.run_id)
    listed, has_more = TestList(reader, record.row, found, state).rows(1, MOST)
    return [other.id for other in listed], has_more


def way_back(row: StoredResult, origin: Mapping[str, str]) -> str:
    """Return the id of the element of the run's page that shows a result: its reason's card, or its row in a list."""
    state = run_state(row.run, origin)
    if _has_cards(state) and not state.is_filtered and row.fingerprint is not None:
        return f"reason-{hexadecimal(row.fingerprint or 0)}"
    return f"t-{row.id}"


def _has_cards(state: RunState) -> bool:
    return state.view in {"", "failures"} and state.group in {"", "reason"}


def _among_failures(common: CommonValues, row: StoredResult, state: RunState) -> Neighbours | None:
    """Return the neighbours by reason, in the order of the cards; in a list they are tests."""
    run_id = row.run
    listed = common.once(("failures", run_id), partial(common.reader.failures, run_id))
    if not _has_cards(state):
        return _at([other.id for other in listed], row.id, "test")
    firsts: dict[str, int] = {}
    for other in listed:
        firsts.setdefault(hexadecimal(other.fingerprint or 0), other.id)
    found = common.once(("findings", run_id), partial(stored_findings, common.reader.connection, run_id))
    # An open run has no stored findings: its reasons stand as they arrived.
    order = firsts if found is None else [reason["fingerprint"] for reason in found["reasons"]]
    own = firsts.get(hexadecimal(row.fingerprint or 0))
    return _at([firsts[reason] for reason in order if reason in firsts], own, "reason")


def _at(ids: Sequence[int], result_id: int | None, noun: str, *, has_more: bool = False) -> Neighbours | None:
    if len(ids) < 2 or result_id is None or result_id not in ids:  # noqa: PLR2004 - no neighbour
        return None
    place = ids.index(result_id)
    return Neighbours(
        ids[place - 1] if place else None,
        ids[place + 1] if place + 1 < len(ids) else None,
        f"{place + 1:,} of {'more than ' if has_more else ''}{len(ids):,} {noun}s",
    )


_PLACEHOLDER: Final = re.compile(r"\{(commit|file|line)\}")
_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:|\.\.[/\\]|<")


class CodeLinks(NamedTuple):
    """Templates with ``{file}``, ``{line}`` and, for ``source``, ``{commit}``; an empty one makes no links."""

    source: str = ""
    editor: str = ""

    def source_url(self, path: str, line: int, commit: str) -> str:
        """Return the address of a line on the host of the code; empty if it has none or the commit is not known."""
        return "" if not commit and "{commit}" in self.source else _filled(self.source, path, line, commit)

    def editor_url(self, path: str, line: int) -> str:
        """Return the address that opens a line in the editor; empty for code outside of the project."""
        return _filled(self.editor, path, line, "")


NO_LINKS: Final = CodeLinks()  # no template is set


def _filled(template: str, path: str, line: int, commit: str) -> str:
    """Return a template with its placeholders filled in; no text of a test can change its scheme or host."""
    if not template or not path or _ABSOLUTE.match(path):
        return ""
    values = {"commit": commit, "file": path.replace("\\", "/"), "line": str(max(1, line))}
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe="/"), template)


def show_result(
    store: Store, code_links: CodeLinks, req: falcon.Request, resp: falcon.Response, result_id: int
) -> None:
    """Show a test of a run: what failed, its attempts, files and output, its history."""
    state = result_state(req.params)
    context = ask(store, lambda reader: result_context(result_id, state, CommonValues(reader)))
    show(req, resp, replace(context, mistakes=state.mistakes, code_links=code_links))


class AttemptFiles(Struct, frozen=True):
    """The files of an attempt; ``previews`` are of texts, by the hash of their content."""

    all: Sequence[TestFile] = ()
    pictures: Sequence[TestFile] = ()
    videos: Sequence[TestFile] = ()
    others: Sequence[TestFile] = ()
    previews: Mapping[str, Preview] = {}


class ResultHistory(Struct, frozen=True):
    """What the outcomes of a test in other runs say of this one; without them nothing.

    ``branches`` are other ones than its own; ``earlier`` and ``later`` are the outcomes beside it on its own.
    """

    sentence: Sequence[Piece] = ()
    trend: Sequence[TrendPoint] = ()
    branches: Sequence[BranchHistory] = ()
    reliability: Reliability | None = None
    flakiness: Flakiness | None = None
    earlier: RunOutcome | None = None
    later: RunOutcome | None = None


class TestPageContext(PageContext, frozen=True, kw_only=True):
    """The page of a test in a run: its result, what failed, its output, and what is known of it from other results.

    A page that knows of no other result has the defaults.
    """

    __test__ = False  # pytest must not collect it
    template: ClassVar[str] = "test/test.html"
    row: StoredResult
    run: StoredRun
    source: str  # the name of its suite
    state: TestState
    status: ShownStatus
    function: NameParts
    reason: str  # the fingerprint of its failure
    command: str
    way_back: str  # id of the element of the run's page that shows it
    facts: Sequence[tuple[str, str, str]]  # name, value and web address of short fields
    code_links: CodeLinks = NO_LINKS
    # The attempt that is shown, and what it has.
    attempts: Sequence[ShownAttempt]
    attempt: int
    sections: Sequence[FailureSection]
    phases: Phases | None
    steps: Sequence[StepRow]
    texts: Sequence[tuple[str, Screen]]
    outputs: Sequence[Stream]
    stream: str  # the chosen one of them
    output: Screen | None
    picture_modes: Mapping[str, str]  # ways to show a picture beside another, with their words
    files: AttemptFiles = AttemptFiles()
    # What other results say.
    markdown: str = ""
    worker: str = ""
    offset: int | None = None  # time into the run at which it began
    usual: UsualTime | None = None
    history: ResultHistory = ResultHistory()
    jobs: Sequence[tuple[PastResult, str, bool]] = ()
    neighbours: Neighbours | None = None
    same_reason: Sequence[BriefResult] = ()
    same_count: int = 0
    siblings: Siblings = NO_SIBLINGS
    before: Sequence[BriefResult] = ()  # what ran just before it on the same worker


def result_context(result_id: int, state: TestState, common: CommonValues) -> TestPageContext:
    """Return what the page of a test shows."""
    reader = common.reader
    row = reader.test(result_id)
    run = common.once(("run", row.run), partial(reader.run, row.run, max_threads=THREADS_SHOWN))
    source = common.once(("source", run.row.source), partial(reader.suite, run.row.source))
    own = own_context(row, state, run.row, source.name)
    earlier = None if own.attempt == own.attempts[-1].number else own.attempt
    results = reader.history(row.case, row.moved_from)
    outcomes = history.outcomes_of(results, result_id)
    current = next((outcome for outcome in outcomes if outcome.result == result_id), None)
    found = common.once(("found", row.run), partial(history.found_tests, reader, row.run))
    others = common.once(("branches", row.run), partial(reader.other_branches, run.row))
    elsewhere = reader.by_branch([(row.case, 0)], others).get(0, {})
    known = _history(outcomes, current, state, found, elsewhere)
    same_reason, same_count = reader.same_reason(row)
    return replace(
        own,
        files=_files(row, reader, earlier, outcomes, current),
        history=known,
        usual=_usual(row, run, common),
        jobs=history.job_outcomes(results, row.run),
        neighbours=neighbours_in(common, run, row, state.origin_query),
        same_reason=same_reason,
        same_count=same_count,
        siblings=reader.siblings(row),
        before=reader.before(row),
        worker=common.once(("workers", row.run), partial(worker_names, run)).get(row.thread, ""),
        offset=_offset(row, run, common),
        markdown=_markdown(row, known.sentence, own.command),
    )


def own_context(row: StoredResult, state: TestState, run: StoredRun, source: str, worker: str = "") -> TestPageContext:
    """Return the page of a test that comes from its row alone."""
    status, fields = STATUSES_SHOWN[row.status], fields_in(row)
    earlier = view_models.earlier_attempts(row)
    attempts = view_models.attempts_of(earlier.values(), status, row.elapsed, row.failed_attempts)
    stored = earlier.get(state.attempt or 0) or view_models.last_attempt(row)
    outputs = view_models.outputs_of(stored)
    chosen = next((output for output in outputs if output.stream == state.out), outputs[0] if outputs else None)
    return TestPageContext(
        row=row,
        run=run,
        source=source,
        state=state,
        reason="" if row.fingerprint is None else hexadecimal(row.fingerprint),
        status=status,
        function=split_name(row.name),
        attempts=attempts,
        attempt=stored.number or attempts[-1].number,
        sections=view_models.sections_of(stored, row.file or ""),
        phases=stored.phases,
        steps=view_models.step_rows(stored.steps),
        facts=view_models.facts_of(fields, row.owner),
        texts=view_models.author_texts(fields, stored),
        command=(
            rerun_command(row.run, hexadecimal(row.fingerprint or 0))
            if (row.phase or "").startswith("fixture")  # pytest cannot run it by its name
            else command_line([read_node_id(row.file, row.folder, row.name, fields, row.line)])
        ),
        outputs=outputs,
        stream=chosen.stream if chosen else "",
        output=terminal_lines(chosen.value, chosen.spans) if chosen else None,
        picture_modes=PICTURES,
        way_back=way_back(row, state.origin_query),
        worker=worker,
    )


def _files(
    row: StoredResult,
    reader: PageReader,
    attempt: int | None,
    outcomes: Sequence[RunOutcome],
    current: RunOutcome | None,
) -> AttemptFiles:
    """Return the files of an attempt; pictures beside the ones of the last run in which the test passed."""
    contents = stored_contents(reader.connection, hashes_in(row.artifacts), row.run)
    files = [
        replace(file, shown="trace") if is_trace(reader.connection, file.hash, file.name, file.size or 0) else file
        for file in files_of(entries_in(row.artifacts), contents, attempt)
    ]
    pictures = compared_pictures([file for file in files if file.shown == "picture"])
    if current is not None and current.letter != "p" and pictures:
        pictures = _beside_earlier(pictures, reader, outcomes, current)
    texts = [file for file in files if file.shown == "text"][:6]
    return AttemptFiles(
        all=files,
        pictures=pictures,
        videos=[file for file in files if file.shown == "video"],
        others=[file for file in files if file.shown not in {"picture", "video"}],
        previews={file.hash: preview_of(part_of(reader.connection, file.hash, 0), file.size or 0) for file in texts},
    )


def _beside_earlier(
    pictures: Sequence[TestFile], reader: PageReader, outcomes: Sequence[RunOutcome], current: RunOutcome
) -> list[TestFile]:
    passed = [outcome for outcome in outcomes if outcome.letter == "p" and outcome.run < current.run]
    # Those of the same branch first.
    passed = sorted(passed, key=lambda outcome: (outcome.branch != current.branch, -outcome.run))[:5]
    stored = reader.artifacts([outcome.result for outcome in passed])
    hashes = {hash_ for text in stored.values() for hash_ in hashes_in(text)}
    contents = stored_contents(reader.connection, hashes, current.run)
    by_name: dict[str, TestFile] = {}
    for outcome in passed:
        for file in files_of(entries_in(stored.get(outcome.result)), contents, None):
            if file.shown == "picture":
                by_name.setdefault(file.name, replace(file, caption=f"#{outcome.run}, when it passed"))
    return [
        replace(picture, other=by_name[picture.name]) if picture.name in by_name and picture.other is None else picture
        for picture in pictures
    ]


def _history(
    outcomes: Sequence[RunOutcome],
    current: RunOutcome | None,
    state: TestState,
    found: FoundTests,
    elsewhere: Branches,
) -> ResultHistory:
    if current is None:
        return ResultHistory()
    on_branch = [outcome for outcome in outcomes if outcome.branch == current.branch]
    place = on_branch.index(current)
    return ResultHistory(
        sentence=history.sentence(outcomes, current.result, found, elsewhere),
        trend=history.trend_of(outcomes if state.history else on_branch, current, has_branches=bool(state.history)),
        branches=[row for row in history.branch_histories(outcomes) if row.branch != current.branch][:8],
        reliability=history.reliability(outcomes),
        flakiness=found.flaky.get(current.result),
        earlier=on_branch[place + 1] if place + 1 < len(on_branch) else None,
        later=on_branch[place - 1] if place else None,
    )


def _usual(row: StoredResult, run: RunRecord, common: CommonValues) -> UsualTime | None:
    """Return the usual time of a test before the run, as lists show it; None if it is not known."""
    run_id, reader = row.run, common.reader

    def read() -> Histories:
        found = common.once(("findings", run_id), partial(stored_findings, reader.connection, run_id))
        base = None if found is None or found["base"] is None else reader.known_run(found["base"]["run"])
        return Histories(reader, run.row, base)

    return common.once(("histories", run_id), read).usual(row.case)


def _offset(row: StoredResult, run: RunRecord, common: CommonValues) -> int | None:
    """Return how long after the begin of the run the test began, in microseconds; None if it is not known."""
    thread = common.once(("thread", row.thread), partial(common.reader.thread, row.thread))
    started = view_models.start_time(thread, row)
    return None if started is None else max(0, started - began_at(run.row, run.threads))


def _markdown(row: StoredResult, sentence: Sequence[Piece], command: str) -> str:
    stored = view_models.last_attempt(row)
    cause = next((cause for cause in stored.causes if cause.kind not in {"skipped", "xpass"}), None)
    if cause is None:
        return ""
    place = join_place(row.file, row.line)
    return failure_markdown(
        ReportedFailure(
            ".".join(part for part in (row.folder, row.name) if part),
            cause.text,
            cause.message,
            cause.type,
            place,
            "".join(piece.text for piece in sentence),
            command,
            comparison=stored.comparison,
            file=row.file or "",
        )
    )


_ZIP: Final = b"PK\x03\x04"


def is_trace(connection: StoreConnection, content_hash: str, name: str, size: int) -> bool:
    """Return whether a stored file is a trace of Playwright, by its name and by the names of its entries."""
    if "trace" not in name.lower() or not name.lower().endswith(".zip"):
        return False
    first, last = (part_of(connection, content_hash, number) for number in (0, max(0, size - 1) // PART_BYTES))
    return first.startswith(_ZIP) and (b".trace" in first or b".trace" in last)
