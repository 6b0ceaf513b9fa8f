"""Read the rows of the tree of a run's tests: the top, the rows below an open node, the rows of a flat list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.charts import strip_of
from pytest_automation_report.server.pages.numbers import duration
from pytest_automation_report.server.pages.paging import paging
from pytest_automation_report.server.pages.queries import PAGE_ROWS
from pytest_automation_report.server.pages.run.changes import percent
from pytest_automation_report.server.pages.run.reasons import marks_of
from pytest_automation_report.server.pages.run.tree import (
    Branch,
    branches_of,
    file_at,
    ordered,
    tests_below,
    tone_of,
)
from pytest_automation_report.server.pages.statuses import shown_status
from pytest_automation_report.text.names import class_path, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.details import WorkerNames
    from pytest_automation_report.server.pages.run.head import RunFacts
    from pytest_automation_report.server.pages.run.history import Histories
    from pytest_automation_report.server.pages.state import RunState

_MOST_STRIPS: Final = 200


class TreeRows:
    """The tree of one run's tests."""

    def __init__(
        self, facts: RunFacts, state: RunState, reader: PageReader, histories: Histories, workers: WorkerNames
    ) -> None:
        self._facts = facts
        self._state = state
        self._reader = reader
        self._histories = histories
        self._workers = workers
        self._sort = state.sort or "failed"
        found = facts.findings or {}
        self._slower = {entry.get("result"): entry for entry in found.get("slower", ())}
        self._marks = marks_of(found) if found else {}

    def top(self) -> Json:
        """Return the rows at the top, with those below the open node in their place."""
        return self.children("", path_to=self._state.opened)

    def children(self, opened: str, *, path_to: str = "") -> Json:
        """Return the rows below a node; a node on the way to ``path_to`` has its own rows with it."""
        nodes, leaves = self._below(opened)
        rows = ordered(nodes, leaves, self._sort, self._facts.statuses)
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
        self._histories.load(row["case"] for row in tests[:_MOST_STRIPS])
        return [self._leaf(row, has_folder=has_folder, inside=inside) for row in tests]

    def _below(self, opened: str) -> tuple[list[Branch], list[Mapping[str, Any]]]:
        files = self._facts.overview["files"]
        file = file_at(files, opened)
        if file is None:
            return branches_of(files, opened, self._facts.statuses), []
        rows = self._reader.between(self._facts.row["id"], file["first"], file["last"], file["file"], file["folder"])
        return tests_below(rows, file, opened, self._facts.statuses)

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
            "bar": node.parts(self._facts.statuses),
            "is_open": is_on_path,
            "to": self._state.to(view="tests", opened=parent[0] if is_on_path else node.path),
            "below": self.children(node.path, path_to=path_to) if is_on_path else None,
        }

    def _leaf(self, row: Mapping[str, Any], *, has_folder: bool, inside: str) -> Json:
        classes = class_path(row["file"], row["folder"])
        name = split_name(row["name"])
        slower = self._slower.get(row["id"])
        return {
            **row,
            "short": name,
            "classes": classes,
            "where": row["folder"] if has_folder else "",
            "tone": tone_of(row, self._facts.statuses),
            "status_name": shown_status(self._facts.statuses, row["status"]).name,
            "strip": strip_of(self._histories.letters(row["case"])),
            "worker": self._workers.name(row["thread"]),
            "slower": percent(slower["elapsed"], slower["median"]) if slower else "",
            "marks": self._marks.get(row["id"], ()),
            "in_function": inside.endswith(f"::{name.function}"),
            "href": self._state.result(row["id"]),
            "time": duration(row["elapsed"]),
        }
