"""The tests of a run: as a tree of folders, files, classes and functions, or as one filtered list."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.server.pages import words
from pytest_automation_report.server.pages.drawings import Grid, Square, grid_of
from pytest_automation_report.server.pages.run.facts import (
    ListedTest,
    ShownRun,
    entries_of,
    tone_of,
    tree_path,
)
from pytest_automation_report.server.pages.urls import CHANGE_LISTS, FLAKY, PageNumbers, RunState, link, paging
from pytest_automation_report.server.store.results import PAGE_ROWS
from pytest_automation_report.server.store.searches import Search
from pytest_automation_report.text.node_ids import NameParts, class_path, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import FileTests, RunFindings, RunOverview
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.messages import Said
    from pytest_automation_report.server.store.stored import ListedResult, StoredRun

# In the order *failures first*.
_TONES_RANKED: Final = ("fail", "block", "warn", "flaky", "skip", "idle", "pass", "live")


class Branch(Struct):
    """A node with tests below it: a folder, file, class or function; ``first`` is the id of its first result."""

    path: str  # in URLs: a folder ends with a slash, a class or function stands after ``::``
    label: str  # its name without the parents'
    kind: str
    counts: Counter[int] = field(default_factory=Counter)  # by status id
    flaky: int = 0
    elapsed: int = 0
    first: int = 0
    files: int = 0
    cells: Grid | None = None

    @property
    def total(self) -> int:
        """The number of its tests."""
        return sum(self.counts.values())

    @property
    def parts(self) -> list[words.Part]:
        """The parts of its bar."""
        return words.parts_of(self.counts, self.flaky)


def branches_of(files: Sequence[FileTests], opened: str) -> list[Branch]:
    """Return the folders and files below a folder; one that has a folder and nothing else is one node with it."""
    nodes: dict[str, Branch] = {}
    inside = _only_folder(files, opened)
    for entry in files:
        path = tree_path(entry)
        if path.startswith(inside):
            name, slash, _ = path[len(inside) :].partition("/")
            new = Branch(f"{inside}{name}{slash}", "", "folder" if slash else "file", first=entry["first"])
            _added(nodes.setdefault(new.path, new), entry)
    for node in nodes.values():
        if node.kind == "folder":
            node.path = _only_folder(files, node.path)
        node.label = node.path[len(opened) :]
    return list(nodes.values())


def _only_folder(files: Sequence[FileTests], folder: str) -> str:
    """Return a folder, or the one below it that has all of its files, however deep."""
    paths = [path.split("/")[:-1] for entry in files if (path := tree_path(entry)).startswith(folder)]
    same = takewhile(lambda names: len({*names}) == 1, zip(*paths, strict=False))
    return "".join(f"{names[0]}/" for names in same) if paths else folder


def file_branches(files: Sequence[FileTests]) -> list[Branch]:
    """Return a node for each file, in the order of the files."""
    return [_added(Branch(tree_path(entry), tree_path(entry), "file", first=entry["first"]), entry) for entry in files]


def _added(node: Branch, entry: FileTests) -> Branch:
    """Return a node after a file's tests were added to it."""
    for status, count in entry["counts"].items():
        node.counts[int(status)] += count
    node.flaky += entry["flaky"]
    node.elapsed += entry["elapsed"]
    node.first = min(node.first, entry["first"])
    node.files += 1
    return node


def tests_below(rows: Sequence[ListedResult], file: FileTests, opened: str) -> tuple[list[Branch], list[ListedResult]]:
    """Return the nodes below a file, class or function, and its own tests; ``rows`` are the tests of the file."""
    _, _, inner = opened.partition("::")
    names = [name for name in inner.split("::") if name]
    nodes: dict[str, Branch] = {}
    members: dict[str, list[ListedResult]] = {}
    leaves: list[ListedResult] = []
    for row in rows:
        classes = [name for name in (class_path(row.file, row.folder) or "").split(".") if name]
        function = split_name(row.name).function
        where = [*classes, function]
        if where[: len(names)] != names:
            continue
        rest = where[len(names) :]
        if not rest:
            leaves.append(row)
            continue
        label = rest[0]
        path = "::".join([tree_path(file), *names, label])
        node = nodes.get(path)
        if node is None:
            node = nodes[path] = Branch(path, label, "class" if len(rest) > 1 else "function", first=row.id)
        node.counts[row.status] += 1
        node.flaky += bool(row.failed_attempts) and words.STATUSES_SHOWN[row.status].tone == "pass"
        node.elapsed += row.elapsed or 0
        members.setdefault(path, []).append(row)
    branches: list[Branch] = []
    for path, node in nodes.items():
        # A function without parameters is a test.
        if node.kind == "function" and len(members[path]) == 1:
            leaves += members[path]
            continue
        # The bar says enough of a function whose tests all passed.
        if node.kind == "function" and any(tone_of(row) != "pass" for row in members[path]):
            node.cells = grid_of([Square(row.id, tone_of(row), row.name) for row in members[path]])
        branches.append(node)
    return branches, leaves


def ordered(branches: Iterable[Branch], leaves: Iterable[ListedResult], sort: str) -> list[Branch | ListedResult]:
    """Return nodes and tests in one order: failures first, slowest first, or as they ran."""

    def key(node: Branch | ListedResult) -> tuple[float, ...]:
        first = node.first if isinstance(node, Branch) else node.id
        elapsed = node.elapsed if isinstance(node, Branch) else node.elapsed or 0
        if sort == "ran":
            return (first,)
        if sort == "slowest":
            return (-elapsed, first)
        if isinstance(node, Branch):
            parts = node.parts
            worst = min((_TONES_RANKED.index(part.tone) for part in parts), default=9)
            failed = sum(part.count for part in parts if part.tone == "fail")
            return (worst, -failed, first)
        return (_TONES_RANKED.index(tone_of(node)), -1, first)

    return sorted([*branches, *leaves], key=key)


class Level(NamedTuple):
    """Rows of the tree below ``opened``; ``hidden`` of them are on later pages."""

    rows: Sequence[ListedTest | OpenableRow]
    hidden: int
    pages: PageNumbers
    opened: str


class OpenableRow(NamedTuple):
    """A node of the tree with the addresses of the page and of the rows that open it; ``below`` if it is open."""

    node: Branch
    to: str
    branch: str
    below: Level | None = None


_MOST_LEVELS: Final = 40  # that a page opens at once: a client can nest thousands of folders, or one in itself


class TreeRows:
    """The tree of one run's tests."""

    def __init__(self, facts: ShownRun, state: RunState) -> None:
        self._facts = facts
        self._state = state

    def children(self, opened: str, *, path_to: str = "", levels: int = _MOST_LEVELS) -> Level:
        """Return the rows below a node; a node on the way to ``path_to`` has its own rows with it, down some levels."""
        nodes, leaves = self._below(opened)
        rows = ordered(nodes, leaves, self._state.sort or "failed")
        page = self._state.page if opened == self._state.opened else 1
        shown = rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        listed = self._facts.listed((row for row in shown if not isinstance(row, Branch)), self._state)
        leaves_below = {leaf.id: _leaf(leaf, opened) for leaf in listed}
        return Level(
            [self._node(row, path_to, levels) if isinstance(row, Branch) else leaves_below[row.id] for row in shown],
            max(0, len(rows) - page * PAGE_ROWS),
            paging(page, len(rows), PAGE_ROWS),
            opened,
        )

    def _below(self, opened: str) -> tuple[list[Branch], list[ListedResult]]:
        files = self._facts.overview["files"]
        path = opened.partition("::")[0]
        file = next((entry for entry in files if tree_path(entry) == path), None)
        if file is None:
            return branches_of(files, opened), []
        rows = self._facts.reader.between(self._facts.row.id, file["first"], file["last"], file["file"], file["folder"])
        return tests_below(rows, file, opened)

    def _node(self, node: Branch, path_to: str, levels: int) -> OpenableRow:
        # A folder ends with a slash.
        begin = node.path if node.kind == "folder" else f"{node.path}::"
        is_on_path = path_to == node.path or path_to.startswith(begin)
        parent, _, _ = node.path.rstrip("/").rpartition("::" if "::" in node.path else "/")
        state = self._state.to(view="tests", opened=parent if is_on_path else node.path)
        is_opened = is_on_path and levels > 0
        below = self.children(node.path, path_to=path_to, levels=levels - 1) if is_opened else None
        return OpenableRow(node, state.address, link("run-branch", state.run_id, **state.parameters), below)


def _leaf(test: ListedTest, opened: str) -> ListedTest:
    """Return a test as a row of the tree, which shows its folder above; below its function it has its parameters."""
    name = test.short
    is_below = name.parameters and opened.endswith(f"::{name.function}")
    return test._replace(folder="", short=NameParts(name.parameters[1:-1], "") if is_below else name)


_PASSED: Final = frozenset(str(status.id) for status in words.STATUSES_RANKED if status.tone == "pass")


class TestList:
    """The tests that a state of the page shows."""

    __test__ = False  # pytest must not collect it

    def __init__(self, reader: PageReader, run: StoredRun, findings: RunFindings | None, state: RunState) -> None:
        self._reader = reader
        self._run = run
        self._findings = findings
        self._state = state

    def page(self) -> tuple[list[ListedResult], bool, int | None]:
        """Return a page of the tests, whether another one follows, and the length of the list if that is known."""
        page = self._state.page
        rows, has_more = self.rows(page, PAGE_ROWS)
        if self.search.is_any:
            return rows, has_more, sum(self._counts().values())
        return rows, has_more, None if has_more else (page - 1) * PAGE_ROWS + len(rows)

    def rows(self, page: int, size: int) -> tuple[list[ListedResult], bool]:
        """Return a page of this size, and whether another one follows."""
        if self._state.changes and not self.search.ids:
            return [], False
        run_id = self._state.run_id
        return self._reader.tests(run_id, self._counts(), self.search, page, sort=self.sort, size=size)

    @property
    def sort(self) -> str:
        """The order of the list; tests of a worker stand as they ran, unless the address has another order."""
        return self._state.sort or ("ran" if self._state.lane else "failed")

    @cached_property
    def search(self) -> Search:
        """The conditions beside the statuses."""
        state = self._state
        ids: set[int] | None = None
        if state.changes:
            ids = {result for name in state.changes for result in self._results(name)}
        # A list of passed tests has the flaky ones already.
        is_flaky = FLAKY in state.statuses and not state.statuses & _PASSED
        fingerprint = int.from_bytes(bytes.fromhex(state.reason), "big", signed=True) if state.reason else None
        named = [FLAKY, *CHANGE_LISTS] if "is:" in state.text.lower() else []
        lists = {word.replace("_", "-"): self._results(word) for word in named}
        return Search(state.text, state.folder or None, fingerprint, ids, is_flaky, state.lane, lists)

    def _results(self, name: str) -> set[int]:
        """Return the results of a list of findings, or of the tests that are flaky by them."""
        entries = entries_of(self._findings, name) if self._findings else ()
        return {entry["result"] for entry in entries if entry["result"]}

    def matches(self, parts: Sequence[words.Part]) -> list[words.Part]:
        """Return the parts of the bar with the numbers of the tests that the search finds, of any status."""
        search = replace(self.search, is_flaky=False)
        found = self._reader.count_by_status(self._state.run_id, search)
        flaky = 0
        if any(part.key == FLAKY for part in parts):
            counts = self._reader.count_by_status(self._state.run_id, replace(search, is_flaky=True))
            flaky = sum(count for status, count in counts.items() if str(status) in _PASSED)
        counted = []
        for part in parts:
            count = flaky if part.key == FLAKY else found.get(int(part.key or 0), 0)
            counted.append(replace(part, count=max(0, count - flaky) if part.key in _PASSED else count))
        return counted

    def changed(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of tests that the search finds in each of these lists of findings."""
        found = {name: replace(self.search, ids=self._results(name), is_flaky=False) for name in names}
        return {
            name: sum(self._reader.count_by_status(self._state.run_id, search).values())
            for name, search in found.items()
            if search.ids
        }

    def suggestion(self, overview: RunOverview) -> tuple[str, int] | None:
        """Return a word of the run's tests that is near the search, and how many tests have it."""
        text = self._state.text
        if "::" in text or len(text) < 3:  # noqa: PLR2004 - any word is near a shorter one
            return None
        names = [str(entry["file"] or entry["folder"]) for entry in overview["files"]]
        names += [row["name"] for row in overview["slowest"]]
        names += [family["function"] for family in overview["families"]]
        names += [reason["title"] for reason in (self._findings["reasons"] if self._findings else ())]
        sample, _ = self._reader.tests(self._state.run_id, words.counts_of(self._run), Search())
        names += [row.name for row in sample]
        word = words.common_phrase(names, text)
        if word is None:
            return None
        found = self._reader.count_by_status(self._state.run_id, Search(word))
        return (word, sum(found.values())) if found else None

    def _counts(self) -> Mapping[int, int]:
        """Return the number of tests by the ids of the chosen statuses, in the order of the list."""
        wanted = {int(key) for key in self._state.statuses if key != FLAKY}
        if FLAKY in self._state.statuses:
            wanted |= {int(key) for key in _PASSED}
        return {status: count for status, count in words.counts_of(self._run).items() if not wanted or status in wanted}


class TestsView(Struct, frozen=True, kw_only=True):
    """The tests of a run: as a ``tree`` of ``files``, or flat as one page of ``rows`` that its filters leave.

    ``worker`` and ``reason`` name what the filters have; ``suggestion`` is a word near a search that finds nothing, and
    the number of tests with it.
    """

    __test__ = False  # pytest must not collect it
    name: ClassVar = "tests"
    template: ClassVar = "run/tests.html"
    is_flat: bool
    sort: str
    tree: Level | None = None
    files: int = 0
    worker: str = ""
    rows: Sequence[ListedTest] = ()
    total: int | None = None  # None if it is not known
    pages: PageNumbers | None = None
    suggestion: tuple[str, int] | None = None
    reason: Said | None = None
