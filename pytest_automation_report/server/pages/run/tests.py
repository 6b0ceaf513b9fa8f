"""The tests of a run: as a tree of folders, files, classes, functions and parameters, and as one filtered list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.server.pages.drawings import reduced_cells
from pytest_automation_report.server.pages.links import paging
from pytest_automation_report.server.pages.queries import PAGE_ROWS, Rows
from pytest_automation_report.server.pages.run.changes import entries_of
from pytest_automation_report.server.pages.run.facts import tone_of
from pytest_automation_report.server.pages.state import FLAKY, Search
from pytest_automation_report.server.pages.words import STATUSES_RANKED, STATUSES_SHOWN, common_phrase, duration, parts
from pytest_automation_report.text.terminal import class_path, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import FileTests
    from pytest_automation_report.server.pages.run.facts import RunFacts
    from pytest_automation_report.server.pages.state import RunState

_TONE_RANKS: Final[Mapping[str, int]] = {
    "fail": 0,
    "block": 1,
    "warn": 2,
    "flaky": 3,
    "skip": 4,
    "idle": 5,
    "pass": 6,
    "live": 7,
}
"""The place of each tone in the order *failures first*."""

_LEAST_CELLS: Final = 2


class Branch(Struct):
    """A node with tests below it: a folder, file, class or function.

    ``path`` names it in URLs: a folder ends with a slash, a class or function stands after ``::``. ``label`` is its
    name without the parents'; ``counts`` has its tests by status id; ``first`` is the id of its first result.
    """

    path: str
    label: str
    kind: str
    counts: Counter[int] = field(default_factory=Counter)
    flaky: int = 0
    elapsed: int = 0
    first: int = 0
    files: int = 0
    failed: int = 0
    cells: Json | None = None

    @property
    def total(self) -> int:
        """The number of its tests."""
        return sum(self.counts.values())

    def parts(self) -> list[Json]:
        """Return the parts of its bar."""
        parts: list[Json] = []
        flaky = self.flaky
        for status in STATUSES_RANKED:
            count = self.counts.get(status.id, 0)
            if status.tone == "pass" and flaky and count:
                parts.append({"tone": "flaky", "name": "flaky", "count": flaky})
                count, flaky = count - flaky, 0
            if count:
                parts.append({"tone": status.tone, "name": status.name.lower(), "count": count})
        return parts


def branches_of(files: Sequence[FileTests], opened: str) -> list[Branch]:
    """Return the nodes below a folder (``opened`` is its path, empty at the top): its folders and its files.

    A folder that has one folder and nothing else is drawn with it, as one node.
    """
    nodes: dict[str, Branch] = {}
    for entry in files:
        path = path_of(entry)
        if not path.startswith(opened):
            continue
        name, slash, _ = path[len(opened) :].partition("/")
        node_path = f"{opened}{name}{slash}"
        node = nodes.get(node_path)
        if node is None:
            node = nodes[node_path] = Branch(
                node_path, name + slash, "folder" if slash else "file", first=entry["first"]
            )
        _add(node, entry)
    if len(nodes) == 1:
        (only,) = nodes.values()
        if only.kind == "folder":
            return [_labelled(child, opened) for child in branches_of(files, only.path)]
    return [_joined(node, files) if node.kind == "folder" else node for node in nodes.values()]


def file_branches(files: Sequence[FileTests]) -> list[Branch]:
    """Return a node for each file, in the order of the files."""
    nodes = [Branch(path_of(entry), path_of(entry), "file", first=entry["first"]) for entry in files]
    for node, entry in zip(nodes, files, strict=True):
        _add(node, entry)
    return nodes


def _joined(node: Branch, files: Sequence[FileTests]) -> Branch:
    """Return a folder, or the only folder below it, however deep."""
    paths = [path_of(entry) for entry in files if path_of(entry).startswith(node.path)]
    while True:
        rest = {path[len(node.path) :].partition("/")[0] for path in paths}
        if len(rest) != 1 or any(path.count("/", len(node.path)) == 0 for path in paths):
            return node
        name = rest.pop()
        node.label += f"{name}/"
        node.path += f"{name}/"


def _labelled(node: Branch, above: str) -> Branch:
    node.label = node.path[len(above) :]
    return node


def path_of(entry: Mapping[str, Any]) -> str:
    """Return a file's path; tests without a file stand below their folder, whose dots are no slashes."""
    return str(entry["file"] or entry["folder"] or "(no folder)").replace("\\", "/")


def _add(node: Branch, entry: FileTests) -> None:
    for status, count in entry["counts"].items():
        node.counts[int(status)] += count
        if STATUSES_SHOWN[int(status)].tone == "fail":
            node.failed += count
    node.flaky += entry["flaky"]
    node.elapsed += entry["elapsed"]
    node.first = min(node.first, entry["first"])
    node.files += 1


def file_at(files: Iterable[FileTests], opened: str) -> FileTests | None:
    """Return the file of the overview in which a node lies; None if it has none."""
    path = opened.partition("::")[0]
    return next((entry for entry in files if path_of(entry) == path), None)


def tests_below(
    rows: Sequence[Mapping[str, Any]], file: FileTests, opened: str
) -> tuple[list[Branch], list[Mapping[str, Any]]]:
    """Return the nodes below a file, class or function, and its own tests; ``rows`` are the tests of the file."""
    _, _, inner = opened.partition("::")
    names = [name for name in inner.split("::") if name]
    nodes: dict[str, Branch] = {}
    members: dict[str, list[Mapping[str, Any]]] = {}
    leaves: list[Mapping[str, Any]] = []
    for row in rows:
        classes = [name for name in class_path(row["file"], row["folder"]).split(".") if name]
        function = split_name(row["name"]).function
        where = [*classes, function]
        if where[: len(names)] != names:
            continue
        rest = where[len(names) :]
        if not rest:
            leaves.append(row)
            continue
        label = rest[0]
        path = "::".join([path_of(file), *names, label])
        node = nodes.get(path)
        if node is None:
            node = nodes[path] = Branch(path, label, "class" if len(rest) > 1 else "function", first=row["id"])
        node.counts[row["status"]] += 1
        node.failed += STATUSES_SHOWN[row["status"]].tone == "fail"
        node.flaky += bool(row["failed_attempts"]) and STATUSES_SHOWN[row["status"]].tone == "pass"
        node.elapsed += row["elapsed"] or 0
        members.setdefault(path, []).append(row)
    branches: list[Branch] = []
    for path, node in nodes.items():
        # A function without parameters is a test.
        if node.kind == "function" and len(members[path]) < _LEAST_CELLS:
            leaves += members[path]
            continue
        # The bar says enough of a function whose tests all passed.
        if node.kind == "function" and any(tone_of(row) != "pass" for row in members[path]):
            cells = [{"id": row["id"], "tone": tone_of(row), "name": row["name"]} for row in members[path]]
            node.cells = reduced_cells(cells)
        branches.append(node)
    return branches, leaves


def ordered(
    branches: Iterable[Branch], leaves: Iterable[Mapping[str, Any]], sort: str
) -> list[Branch | Mapping[str, Any]]:
    """Return nodes and tests in one order: failures first, slowest first, or as they ran."""

    def key(node: Branch | Mapping[str, Any]) -> tuple[float, ...]:
        first = node.first if isinstance(node, Branch) else node["id"]
        elapsed = node.elapsed if isinstance(node, Branch) else node["elapsed"] or 0
        if sort == "ran":
            return (first,)
        if sort == "slowest":
            return (-elapsed, first)
        if isinstance(node, Branch):
            worst = min((_TONE_RANKS[part["tone"]] for part in node.parts()), default=9)
            return (worst, -node.failed, first)
        return (_TONE_RANKS[tone_of(node)], -1, first)

    return sorted([*branches, *leaves], key=key)


_MOST_STRIPS: Final = 200


class TreeRows:
    """The tree of one run's tests."""

    def __init__(self, facts: RunFacts, state: RunState) -> None:
        self._facts = facts
        self._state = state
        self._sort = state.sort or "failed"

    def top(self) -> Json:
        """Return the rows at the top, with those below the open node in their place."""
        return self.children("", path_to=self._state.opened)

    def children(self, opened: str, *, path_to: str = "") -> Json:
        """Return the rows below a node; a node on the way to ``path_to`` has its own rows with it."""
        nodes, leaves = self._below(opened)
        rows = ordered(nodes, leaves, self._sort)
        page = self._state.page if opened == self._state.opened else 1
        shown = rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        tests = [row for row in shown if not isinstance(row, Branch)]
        leaf_rows = {row["id"]: row for row in self.leaves(tests, inside=opened)}
        return {
            "rows": [
                self._node(row, path_to) if isinstance(row, Branch) else {"leaf": leaf_rows[row["id"]]} for row in shown
            ],
            "hidden": max(0, len(rows) - page * PAGE_ROWS),
            "pages": paging(page, len(rows), PAGE_ROWS),
            "opened": opened,
        }

    def leaves(self, rows: Iterable[Mapping[str, Any]], *, has_folder: bool = False, inside: str = "") -> list[Json]:
        """Return the rows of tests; ``has_folder`` shows where each is, for a list without a tree.

        ``inside`` is the node in which they stand: below a function, rows have the parameters alone.
        """
        tests = list(rows)
        self._facts.histories.load(row["case"] for row in tests[:_MOST_STRIPS])
        return [self._leaf(row, has_folder=has_folder, inside=inside) for row in tests]

    def _below(self, opened: str) -> tuple[list[Branch], list[Mapping[str, Any]]]:
        files = self._facts.overview["files"]
        file = file_at(files, opened)
        if file is None:
            return branches_of(files, opened), []
        rows = self._facts.reader.between(
            self._facts.row["id"], file["first"], file["last"], file["file"], file["folder"]
        )
        return tests_below(rows, file, opened)

    def _node(self, node: Branch, path_to: str) -> Json:
        is_on_path = bool(path_to) and (
            path_to == node.path or path_to.startswith((node.path, f"{node.path}::"))
            if node.kind == "folder"
            else path_to == node.path or path_to.startswith(f"{node.path}::")
        )
        parent = node.path.rstrip("/").rpartition("::" if "::" in node.path else "/")
        return {
            "leaf": None,
            "node": node,
            "bar": node.parts(),
            "is_open": is_on_path,
            "to": self._state.to(view="tests", opened=parent[0] if is_on_path else node.path),
            "below": self.children(node.path, path_to=path_to) if is_on_path else None,
        }

    def _leaf(self, row: Mapping[str, Any], *, has_folder: bool, inside: str) -> Json:
        values = self._facts.listed(row)
        return {
            **values,
            "href": self._state.result(row["id"]),
            "where": row["folder"] if has_folder else "",
            "tone": tone_of(row),
            "status_name": STATUSES_SHOWN[row["status"]].name,
            "in_function": inside.endswith(f"::{values['short'].function}"),
            "time": duration(row["elapsed"]),
        }


class TestList:
    """The tests that a state of the page shows."""

    __test__ = False  # pytest must not collect it

    def __init__(self, facts: RunFacts, state: RunState) -> None:
        self._facts = facts
        self._state = state
        self._reader = facts.reader

    def page(self) -> tuple[Rows, int | None]:
        """Return a page of the tests, and the length of the list; None if it is not known before its last page."""
        page, counts, search = self._state.page, self._counts(), self.search
        if search.is_any and self.sort == "failed":
            return self._reader.tests(self._state.run_id, counts, page), sum(counts.values())
        rows = self._rows(page, PAGE_ROWS)
        if search.is_any:
            return rows, sum(counts.values())
        return rows, None if rows.has_more else (page - 1) * PAGE_ROWS + len(rows.items)

    def first(self, most: int) -> Rows:
        """Return the first tests of the list, without its pages."""
        return self._rows(1, most)

    def _rows(self, page: int, size: int) -> Rows:
        run_id, counts, search = self._state.run_id, self._counts(), self.search
        if self._state.changes and not search.ids:
            return Rows([], has_more=False)
        if self.sort == "failed":
            return self._reader.found_tests(run_id, counts, search, page, size=size)
        is_slowest_first = self.sort == "slowest"
        return self._reader.ordered_tests(run_id, counts, search, page, is_slowest_first=is_slowest_first, size=size)

    @property
    def sort(self) -> str:
        """The order of the list; tests of a worker stand as they ran, unless the address has another order."""
        return self._state.sort or ("ran" if self._state.lane else "failed")

    @property
    def search(self) -> Search:
        """The conditions beside the statuses."""
        state = self._state
        ids: set[int] | None = None
        if state.changes:
            found = self._facts.findings
            entries = [] if found is None else [each for name in state.changes for each in entries_of(found, name)]
            ids = {entry["result"] for entry in entries if entry["result"]}
        # Flaky beside other statuses only widens a list of passed tests, which then has all of them.
        is_flaky = state.statuses == {FLAKY}
        fingerprint = int.from_bytes(bytes.fromhex(state.reason), "big", signed=True) if state.reason else None
        return Search(state.text, state.folder or None, fingerprint, ids, is_flaky, state.lane)

    def matches(self, stretches: Sequence[Json]) -> list[Json]:
        """Return the stretches of the bar with the numbers of the tests that the search finds, of any status."""
        search = replace(self.search, is_flaky=False)
        found = self._reader.count_by_status(self._state.run_id, search)
        flaky = 0
        if any(stretch["key"] == FLAKY for stretch in stretches):
            flaky = sum(self._reader.count_by_status(self._state.run_id, replace(search, is_flaky=True)).values())
        passed = {str(status.id) for status in STATUSES_RANKED if status.tone == "pass"}
        counted = []
        for stretch in stretches:
            count = flaky if stretch["key"] == FLAKY else found.get(int(stretch["key"] or 0), 0)
            counted.append({**stretch, "count": max(0, count - flaky) if stretch["key"] in passed else count})
        return counted

    def suggestion(self) -> tuple[str, int] | None:
        """Return a word of the run's tests near the one that is searched, and how many tests have it."""
        text = self._state.text
        if "::" in text or len(text) < 3:  # noqa: PLR2004 - any word is near a shorter one
            return None
        entries = self._facts.overview["files"]
        names = [str(entry["file"] or entry["folder"]) for entry in entries]
        names += [row["name"] for row in self._facts.overview["slowest"]]
        names += [family["function"] for family in self._facts.overview["families"]]
        names += [reason["title"] for reason in (self._facts.findings["reasons"] if self._facts.findings else ())]
        sample = self._reader.tests(self._state.run_id, self._all_counts(), 1)
        names += [row["name"] for row in sample.items]
        word = common_phrase(names, text)
        if word is None:
            return None
        found = self._reader.count_by_status(self._state.run_id, Search(word))
        return (word, sum(found.values())) if found else None

    def _counts(self) -> Mapping[int, int]:
        """Return the number of tests by the ids of the chosen statuses, in the order of the list."""
        wanted = {int(key) for key in self._state.statuses if key != FLAKY}
        counts = self._all_counts()
        if FLAKY in self._state.statuses:
            wanted |= {status.id for status in STATUSES_RANKED if status.tone == "pass"}
        return {status: count for status, count in counts.items() if not wanted or status in wanted}

    def _all_counts(self) -> dict[int, int]:
        return {part["status"].id: part["count"] for part in parts(self._facts.row)}
