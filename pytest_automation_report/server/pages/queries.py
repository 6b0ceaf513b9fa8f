"""Ask the store what the pages show, in one read transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_automation_report.server.store.results import ResultReader
from pytest_automation_report.server.store.runs import RunReader
from pytest_automation_report.server.store.searching import SearchReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.server.store.store import Store

T = TypeVar("T")


class PageReader(RunReader, ResultReader, SearchReader):
    """The questions of the pages, in one read transaction."""

    def home(self, project_id: int) -> str:
        """Return the path of the page with a project's runs: ``/`` if it is the only project."""
        return "/" if self.projects() == [project_id] else f"/projects/{project_id}"


def ask(store: Store, question: Callable[[PageReader], T]) -> T:
    """Run queries of pages on one snapshot of the store and return their value."""
    return store.read(lambda connection: question(PageReader(connection)))
