"""The tests of a run as a tree: folders, files, classes, functions and their parameters.

Folders and files come from the run's overview; the tests of one file are read when its node is opened.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.run.reasons import reduced_cells
from pytest_automation_report.server.pages.statuses import ranked, shown_status
from pytest_automation_report.text.names import class_path, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.values import StatusTable

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


@dataclass(slots=True)
class Branch:
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

    def parts(self, table: StatusTable) -> list[Json]:
        """Return the parts of its bar."""
        parts: list[Json] = []
        flaky = self.flaky
        for status in ranked(table):
            count = self.counts.get(status.id, 0)
            if status.tone == "pass" and flaky and count:
                parts.append({"tone": "flaky", "name": "flaky", "count": flaky})
                count, flaky = count - flaky, 0
            if count:
                parts.append({"tone": status.tone, "name": status.name.lower(), "count": count})
        return parts


def branches_of(files: Sequence[Json], opened: str, table: StatusTable) -> list[Branch]:
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
        _add(node, entry, table)
    if len(nodes) == 1:
        (only,) = nodes.values()
        if only.kind == "folder":
            return [_labelled(child, opened) for child in branches_of(files, only.path, table)]
    return [_joined(node, files) if node.kind == "folder" else node for node in nodes.values()]


def file_branches(files: Sequence[Json], table: StatusTable) -> list[Branch]:
    """Return a node for each file, in the order of the files."""
    nodes = [Branch(path_of(entry), path_of(entry), "file", first=entry["first"]) for entry in files]
    for node, entry in zip(nodes, files, strict=True):
        _add(node, entry, table)
    return nodes


def _joined(node: Branch, files: Sequence[Json]) -> Branch:
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


def path_of(entry: Json) -> str:
    """Return a file's path; tests without a file stand below their folder, whose dots are no slashes."""
    return str(entry["file"] or entry["folder"] or "(no folder)").replace("\\", "/")


def _add(node: Branch, entry: Json, table: StatusTable) -> None:
    for status, count in entry["counts"].items():
        node.counts[int(status)] += count
        if shown_status(table, int(status)).tone == "fail":
            node.failed += count
    node.flaky += entry["flaky"]
    node.elapsed += entry["elapsed"]
    node.first = min(node.first, entry["first"])
    node.files += 1


def file_at(files: Iterable[Json], opened: str) -> Json | None:
    """Return the file of the overview in which a node lies; None if it has none."""
    path = opened.partition("::")[0]
    return next((entry for entry in files if path_of(entry) == path), None)


def tests_below(
    rows: Sequence[Mapping[str, Any]], file: Json, opened: str, table: StatusTable
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
        node.failed += shown_status(table, row["status"]).tone == "fail"
        node.flaky += bool(row["failed_attempts"]) and shown_status(table, row["status"]).tone == "pass"
        node.elapsed += row["elapsed"] or 0
        members.setdefault(path, []).append(row)
    branches: list[Branch] = []
    for path, node in nodes.items():
        # A function without parameters is a test.
        if node.kind == "function" and len(members[path]) < _LEAST_CELLS:
            leaves += members[path]
            continue
        # The bar says enough of a function whose tests all passed.
        if node.kind == "function" and any(tone_of(row, table) != "pass" for row in members[path]):
            cells = [{"id": row["id"], "tone": tone_of(row, table), "name": row["name"]} for row in members[path]]
            node.cells = reduced_cells(cells)
        branches.append(node)
    return branches, leaves


def tone_of(row: Mapping[str, Any], table: StatusTable) -> str:
    """Return the tone of a test: that of its status, or flaky if it passed after a failed attempt."""
    tone = shown_status(table, row["status"]).tone
    return "flaky" if tone == "pass" and row.get("failed_attempts") else tone


def ordered(
    branches: Iterable[Branch], leaves: Iterable[Mapping[str, Any]], sort: str, table: StatusTable
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
            worst = min((_TONE_RANKS[part["tone"]] for part in node.parts(table)), default=9)
            return (worst, -node.failed, first)
        return (_TONE_RANKS[tone_of(node, table)], -1, first)

    return sorted([*branches, *leaves], key=key)
