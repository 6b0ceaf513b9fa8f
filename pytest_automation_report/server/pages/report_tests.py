"""Read the tests of a run for its report: pages of some of them, and columns of JSON with which lists are filled.

The pages are cut out of the server's HTML; their links lead inside of the file. The script has no markup of its own: a
row of a list is the macro ``leaf`` of ``parts.html``, rendered once for each kind of row that the run has, with holes
such as ``⟦function⟧`` where rows differ.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache, partial
from html import escape, unescape
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypedDict
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from markupsafe import Markup
from msgspec.structs import replace

from pytest_automation_report.server.pages.drawings import STRIP_RUNS, strip_of
from pytest_automation_report.server.pages.queries import PageReader
from pytest_automation_report.server.pages.rendering import Fragment, PageContext, macros, render_fragment
from pytest_automation_report.server.pages.run.facts import (
    ListedTest,
    ShownRun,
    entries_of,
    path_of,
    tone_of,
    tree_path,
)
from pytest_automation_report.server.pages.run.messages import says_of
from pytest_automation_report.server.pages.run.tests import Level, OpenableRow, file_branches, ordered
from pytest_automation_report.server.pages.test.handlers import NO_LINKS, CommonValues, own_context, result_context
from pytest_automation_report.server.pages.urls import CHANGE_LISTS, FLAKY, WORDS, TestState, link, paging, result_state
from pytest_automation_report.server.pages.words import STATUSES_RANKED, STATUSES_SHOWN
from pytest_automation_report.server.store.overview import facts_of
from pytest_automation_report.server.store.results import Siblings, siblings_of
from pytest_automation_report.server.store.stored import causes_in, entries_in
from pytest_automation_report.server.store.values import STATUS_IDS, ResultClass, content_hash, hexadecimal
from pytest_automation_report.text.limits import duration
from pytest_automation_report.text.node_ids import (
    NameParts,
    command_line,
    join_place,
    join_title,
    node_id,
    split_name,
)
from pytest_automation_report.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from typing_extensions import NotRequired

    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.server.pages.test.handlers import CodeLinks, TestPageContext
    from pytest_automation_report.server.store.stored import ReportedResult, StoredResult, StoredRun

_HREF: Final = re.compile(r' href="(/[^"]*)"')
_ADDRESS: Final = re.compile(r' (href|src|action|poster|data-branch|data-live|data-icon|data-page)="(/[^"]*)"')
# The time since a moment is true for a minute; the moment itself stands in the title.
_AGO: Final = re.compile(r'(<time datetime="[^"]*") title="([^"]*)" data-ago>[^<]*</time>')
_LABELLED_OUTSIDE: Final = re.compile(r"(<a\b(?=[^>]* data-outside)(?=[^>]*aria-label=)[^>]*)>")
_ARTIFACT: Final = re.compile(r"/artifacts/([0-9a-f]{64})(?:/(.*))?", re.DOTALL)


Fragments: TypeAlias = "dict[str, Fragment | None]"
"""Pages by address; None for one that the script shows in another way."""


def addresses_in(page: Fragment) -> list[str]:
    """Return the canonical addresses of all pages that a page links to, in their order."""
    return [canonical(unescape(match[1])) for match in _HREF.finditer(page.crumbs + page.content)]


# Pages of one run lead to the same places.
@lru_cache(maxsize=4096)
def canonical(address: str) -> str:
    """Return an address with its parameters in one order, without its fragment and without `from`."""
    split = urlsplit(address)
    # The state of the page that a reader came from: in the file, the browser's history has it.
    pairs = sorted(pair for pair in parse_qsl(split.query) if pair[0] != "from")
    return f"{split.path}?{urlencode(pairs)}" if pairs else split.path


@lru_cache(maxsize=4096)
def _inner(address: str) -> str:
    place = urlsplit(address).fragment
    return f"#{escape(canonical(address))}{'#' if place else ''}{escape(place)}"


def relinked(html: str, is_inside: Callable[[str], bool] | None, files: Container[str] = ()) -> str:
    """Return HTML whose links lead into the file, which holds ``files``; without ``is_inside`` all pages are in it."""

    def replaced(match: re.Match[str]) -> str:
        name, address = match[1], unescape(match[2])
        artifact = _ARTIFACT.fullmatch(address)
        if artifact is not None:
            name_ = escape(unquote(artifact[2] or ""))
            return f' data-file="{artifact[1]}" data-name="{name_}"' if artifact[1] in files else ""
        if name == "action":
            return f' data-action="{escape(canonical(address))}"'
        if name != "href":
            # The script opens nodes by itself.
            return " data-branch" if name == "data-branch" else ""
        if address.startswith("/static/"):
            return f' href="#{escape(urlsplit(address).fragment)}"'
        if is_inside is not None and not is_inside(canonical(address)):
            return " data-outside"
        return f' href="{_inner(address)}"'

    html = _AGO.sub(r"\1>\2</time>", _ADDRESS.sub(replaced, html))
    # A link that leads nowhere has no label without a role; bars of drawings have such links.
    return _LABELLED_OUTSIDE.sub(r'\1 role="img">', html)


_FIELDS_AT_ONCE: Final = 500


class _RunTests(PageReader):
    """The tests of a run, whose names are known: siblings are found without a query, in a third of the time."""

    def __init__(self, reader: PageReader, rows: Iterable[ReportedResult]) -> None:
        super().__init__(reader.connection)
        self._by_function: dict[tuple[str, str], list[ReportedResult]] = {}
        for row in rows:
            function, bracket, _ = row.name.partition("[")
            if bracket:
                self._by_function.setdefault((row.folder, function), []).append(row)

    def siblings(self, row: StoredResult) -> Siblings:
        function, bracket, _ = str(row.name).partition("[")
        known = self._by_function.get((row.folder, function), ()) if bracket else ()
        return siblings_of(row, known)


def shown_tests(tests: ReportedTests, code_links: CodeLinks) -> Fragments:
    """Return the pages of tests by address, each followed by its attempts and streams of output."""
    common = CommonValues(_RunTests(tests.facts.reader, tests.rows))
    shown, histories = set(tests.shown), tests.facts.histories
    histories.load(row.case for row in tests.rows if row.id in shown)
    common.once(("histories", tests.facts.row.id), lambda: histories)
    pages: Fragments = {}
    for result_id in tests.shown:
        _add(pages, result_id, partial(result_context, result_id, common=common), code_links)
    return pages


def tests_with_output(tests: ReportedTests) -> Fragments:
    """Return the pages that show a result's own fields, steps and output, and nothing of other results."""
    pages: Fragments = {}
    facts, ids = tests.facts, tests.with_output
    for start in range(0, len(ids), _FIELDS_AT_ONCE):
        some = ids[start : start + _FIELDS_AT_ONCE]
        for row in facts.reader.whole_results(some):
            worker = facts.worker(row.thread) or "timeline"
            _add(pages, row.id, partial(own_context, row, run=facts.row, source=facts.source, worker=worker), NO_LINKS)
    return pages


def _add(
    pages: Fragments,
    result_id: int,
    context_of: Callable[[TestState], TestPageContext],
    code_links: CodeLinks,
) -> None:
    def page(state: TestState) -> tuple[Fragment, str]:
        context = context_of(state)
        return render_fragment(replace(context, code_links=code_links)), context.stream

    address = link("result", result_id)
    shown, stream = page(TestState())
    pages[address] = shown
    for other in sorted(set(addresses_in(shown))):
        path, _, query = other.partition("?")
        parameters = parse_qsl(query) if path == address else ()
        if [name for name, _ in parameters] not in (["attempt"], ["out"]):
            continue
        state = result_state(dict(parameters))
        # The stream that a page begins with has no page of its own: the script shows the result's page.
        is_same = state.out == stream and state.attempt is None
        pages[other] = None if is_same else page(state)[0]


# Most tests whose page in the file is the server's: those that failed, were flaky or changed their duration.
MOST_PAGES: Final = 1_000
MOST_OUTPUT_PAGES: Final = 1_000  # most other tests whose fields, steps and output are in the file
_DURATIONS: Final = frozenset({"slower", "faster"})


class ReportedTests:
    """The tests of a run, in the order of their results' ids, with their histories, workers and changes."""

    def __init__(self, facts: ShownRun, findings: RunFindings) -> None:
        self.facts = facts
        self.rows = facts.reader.reported(facts.row.id)
        facts.histories.load_all()
        # The place of each status in lists: failures first.
        self.ranks = {status.id: place for place, status in enumerate(STATUSES_RANKED)}
        self.changes: dict[int, list[str]] = {}
        for name in (*CHANGE_LISTS, FLAKY):
            for entry in entries_of(findings, name):
                if entry["result"]:
                    self.changes.setdefault(entry["result"], []).append(name)
        self.failed = [row.id for row in self.rows if row.result_class == ResultClass.FAILURE]
        flaky = [row.id for row in self.rows if row.failed_attempts]
        others = [row.id for row in self.rows if _DURATIONS & set(self.changes.get(row.id, ()))]
        # The results with the server's page.
        self.shown = list(dict.fromkeys([*self.failed, *flaky, *others]))[:MOST_PAGES]
        # The reasons of results that have nothing else.
        skips = {row.id: _lone_reason(row.skip) for row in self.rows if row.skip}
        self.skips = {result: reason for result, reason in skips.items() if reason}
        told = {*self.shown, *self.skips}
        rest = [row for row in self.rows if row.has_more and row.id not in told]
        # Others with fields, steps or output; what did not pass first: skipped tests have a reason.
        rest.sort(key=lambda row: (self.ranks[row.status], row.id))
        self.with_output = sorted(row.id for row in rest[:MOST_OUTPUT_PAGES])
        self.left_out = {row.id for row in rest[MOST_OUTPUT_PAGES:]}

    def artifacts(self, *, only_of_failures: bool) -> dict[str, str]:
        """Return the names of stored artifacts by their hash: of failures, or of all tests with a page."""
        wanted = set(self.failed if only_of_failures else self.shown)
        names: dict[str, str] = {}
        for row in self.rows:
            if row.id in wanted and row.artifacts:
                for artifact in entries_in(row.artifacts):
                    hash_ = content_hash(artifact.url)
                    if hash_ is not None:
                        names.setdefault(hash_, artifact.name or hash_)
        return names


def _lone_reason(text: str) -> str:
    """Return why a test was skipped, if its causes have nothing else; empty otherwise."""
    first, *others = causes_in(text)
    return first.message if first.type == "pytest.skip" and not others else ""


class Column(TypedDict):
    """A value for each test; with ``at`` the places of these in ``values``, which has each of them once."""

    values: Sequence[Any]
    at: NotRequired[Sequence[int]]


class LoneTestContext(PageContext, frozen=True, kw_only=True):
    """The page of tests of one kind that have none of their own, with holes where they differ."""

    template: ClassVar[str] = "report/test.html"
    test: ListedTest
    run: StoredRun
    source: str


class ShownKind(TypedDict):
    """Tests whose markup is alike: the row of a list, and title, path and content of a page, all with holes."""

    status: str
    tone: str
    rank: int
    row: str
    page: Sequence[str]


class ShownFiles(TypedDict):
    """The rows of the tree's files, and their places in each order."""

    html: str
    orders: Mapping[str, Sequence[int]]


class TestRows(TypedDict):
    """The tests of a run, in the order of their results' ids, which ``steps`` has as differences."""

    kinds: Sequence[ShownKind]
    groups: Sequence[tuple[int, str, str, str]]
    columns: Mapping[str, Column]
    steps: Sequence[int]
    left_out: Sequence[int]
    reasons: Mapping[str, str]
    files: ShownFiles
    statuses: Mapping[str, int]
    words: Sequence[str]


def rows_of(tests: ReportedTests, findings: RunFindings) -> TestRows:
    """Return the member ``tests`` of the report's JSON."""
    facts, rows = tests.facts, tests.rows
    names = [split_name(row.name) for row in rows]
    kinds = [_kind(tests, row, name) for row, name in zip(rows, names, strict=True)]
    kind_list = sorted(set(kinds))
    shown = cache(visible)
    file_numbers = {tree_path(file): number for number, file in enumerate(facts.overview["files"])}
    groups = [(file_numbers[path_of(row.file, row.folder)], *_group(row, shown)) for row in rows]
    group_list = sorted(set(groups))
    numbers = {group: number for number, group in enumerate(group_list)}
    functions = [
        (shown(name.function), shown(join_place(row.file, row.line)), numbers[group])
        for row, name, group in zip(rows, names, groups, strict=True)
    ]
    ids = [row.id for row in rows]
    draw, says = macros().strip, macros().says
    letters = [facts.histories.letters(row.case)[-STRIP_RUNS:] for row in rows]
    strips = {text: str(draw(strip_of(text))) for text in set(letters)}
    return {
        "kinds": [_kind_values(*kind, facts) for kind in kind_list],
        "groups": group_list,
        "columns": {
            "kind": _coded(kinds, kind_list, range(len(kind_list))),
            "function": _column(functions),
            "parameters": _column([shown(name.parameters) for name in names]),
            "time": _times([row.elapsed for row in rows]),
            "strip": _column([strips[text] for text in letters]),
            "worker": _column([(shown(facts.worker(row.thread)), str(row.thread)) for row in rows]),
            "message": _column([shown(row.message or "") for row in rows]),
            "facts": _column([_facts_text(row) for row in rows]),
            "skip": _column([shown(tests.skips.get(row.id, "")) for row in rows]),
            "changes": _column([",".join(tests.changes.get(row.id, ())) for row in rows]),
            "reason": _column(["" if row.fingerprint is None else hexadecimal(row.fingerprint) for row in rows]),
        },
        # Results of one run mostly follow each other, so most steps are 1.
        "steps": [number - before for before, number in zip([0, *ids], ids, strict=False)],
        "left_out": [number for number, row in enumerate(rows) if row.id in tests.left_out],
        "reasons": {reason["fingerprint"]: says(says_of(reason["title"])) for reason in findings["reasons"]},
        "files": _files(facts),
        "statuses": STATUS_IDS,
        "words": WORDS,
    }


def _facts_text(row: ReportedResult) -> str:
    """Return what lists select by, one a line."""
    told = facts_of(row.facts, row.owner, row.is_xpass)
    return "\n".join(f"{name}:{value}".lower() for name, value in told)


def _group(row: ReportedResult, shown: Callable[[str], str]) -> tuple[str, str, str]:
    """Return the texts that tests of one class have in common: folder, node id and command, with holes for names."""
    name, folder = row.name, row.folder
    node = node_id(row.file, folder, name)
    command = command_line([node])
    node = node or join_title(folder, name)
    return shown(folder), shown(_with_hole(node, name)), shown(_with_hole(command, name))


def _kind(tests: ReportedTests, row: ReportedResult, name: NameParts) -> tuple[int, int, ListedTest]:
    """Return rank and status of a test, and its row of a list with holes where the rows of its kind differ."""
    facts = tests.facts
    listed = ListedTest(
        "⟦id⟧",
        "/results/⟦id⟧",
        NameParts("⟦function⟧", "⟦parameters⟧" if name.parameters else ""),
        "⟦folder⟧",
        tone_of(row),
        STATUSES_SHOWN[row.status].name,
        "⟦time⟧",
        Markup("⟦strip⟧"),
        facts.marks.get(row.id, ()),
        facts.slower.get(row.id, ""),
        "⟦worker⟧",
    )
    return tests.ranks[row.status], row.status, listed


def _kind_values(rank: int, status: int, test: ListedTest, facts: ShownRun) -> ShownKind:
    row = relinked(macros().leaf(test), None)
    page = render_fragment(LoneTestContext(test=test, run=facts.row, source=facts.source))
    return {
        "status": str(status),
        "tone": test.tone,
        "rank": rank,
        "row": row.strip(),
        "page": [relinked(part, None) for part in page],
    }


def _files(facts: ShownRun) -> ShownFiles:
    branches = file_branches(facts.overview["files"])
    rows = [OpenableRow(branch, link("run", facts.row.id, view="tests", open=branch.path), "/") for branch in branches]
    html = macros().branch(Level(rows, 0, paging(1, 0, 1), ""), None)
    numbers = {branch.path: number for number, branch in enumerate(branches)}
    orders = {
        sort: [numbers[branch.path] for branch in ordered(branches, (), sort)]  # type: ignore[union-attr] # no tests among them
        for sort in ("failed", "slowest", "ran")
    }
    return {"html": relinked(html, None), "orders": orders}


def _with_hole(text: str, name: str) -> str:
    """Return a text with a hole for the name of the test, so that tests of one place share it."""
    return text.replace(name, "⟦name⟧") if text.count(name) == 1 else text


def _times(microseconds: Sequence[int | None]) -> Column:
    """Return the column of the shown durations, shortest first: a test's place among them is its place by time."""
    shown = [duration(time) for time in microseconds]
    sums: dict[str, list[int]] = {}
    for text, time in zip(shown, microseconds, strict=True):
        sums.setdefault(text, []).append(-1 if time is None else time)
    means = {text: sum(times) / len(times) for text, times in sums.items()}
    return _coded(shown, sorted(means, key=lambda text: (means[text], text)))


def _column(values: Sequence[Any]) -> Column:
    distinct = set(values)
    return {"values": values} if 2 * len(distinct) > len(values) else _coded(values, sorted(distinct))


def _coded(values: Sequence[Any], distinct: Sequence[Any], shown: Sequence[Any] | None = None) -> Column:
    numbers = {value: number for number, value in enumerate(distinct)}
    return {"values": list(distinct if shown is None else shown), "at": [numbers[value] for value in values]}
