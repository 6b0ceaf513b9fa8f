"""Read and write the filters of a list of runs: each combination is a link."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.http.request_body import storable
from pytest_automation_report.server.pages.run.url import single_values
from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.statuses import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_BRANCH: Final = "-"
"""The branch in a URL of runs without one; git allows no branch of this name."""

STATUSES: Final[Mapping[str, RunStatus]] = {
    "running": RunStatus.RUNNING,
    "failed": RunStatus.FAILURE,
    "passed": RunStatus.SUCCESS,
}
"""Statuses of runs by their word in a URL."""

_PAGES: Final = range(1, 10**9)
_TEXT_LENGTH: Final = 750
_is_number = re.compile(r"[0-9]{1,10}").fullmatch
# Earlier addresses had the names and numbers of the API.
_EARLIER_NAMES: Final[Mapping[str, str]] = {"source_id": "source", "tags": "tag"}


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Conditions for the runs of a list; None is any. ``branch`` is empty for runs without a branch."""

    source: int | None = None
    branch: str | None = None
    status: str | None = None
    tag: str | None = None
    page: int = 1

    @property
    def is_any(self) -> bool:
        """Whether no run is left out."""
        return self.source is None and self.branch is None and self.status is None and self.tag is None

    @property
    def wanted(self) -> dict[str, Any]:
        """The conditions, by the names of the filters that the API's list of runs has."""
        status = None if self.status is None else int(STATUSES[self.status])
        return {"source_id": self.source, "branch": self.branch, "status": status, "tags": self.tag}

    @property
    def query(self) -> dict[str, Any]:
        """The parameters of the URL, for `link`; those of the first page without a filter are empty."""
        return {
            "source": self.source,
            # Different from no filter at all.
            "branch": NO_BRANCH if self.branch == "" else self.branch,
            "status": self.status,
            "tag": self.tag,
            "page": self.page if self.page > 1 else None,
        }

    def of_suite(self, source: int, branch: str) -> RunFilters:
        """Return the filters of a suite's page."""
        return replace(self, source=source, branch=branch)

    def at(self, page: int) -> dict[str, Any]:
        """Return the parameters of another page."""
        return replace(self, page=page).query


def run_filters(parameters: Mapping[str, Any]) -> RunFilters:
    """Return the filters of a URL; raises `ApiError` (422) that lists the invalid parameters.

    Forms send empty parameters, too: they are no filter.
    """
    values = single_values(parameters)
    values = {_EARLIER_NAMES.get(name, name): text.strip() for name, text in values.items() if text.strip()}
    errors: dict[str, list[str]] = {}
    page = int(values["page"]) if _is_number(values.get("page", "1")) and "page" in values else 1
    if page not in _PAGES or ("page" in values and not _is_number(values["page"])):
        errors["page"] = [f"Must be a whole number from 1 to {_PAGES.stop - 1}."]
    source = values.get("source")
    if source is not None and not _is_number(source):
        errors["source"] = ["Must be the number of a suite."]
    status = _status(values.get("status"))
    if status is not None and status not in STATUSES:
        errors["status"] = [f"Must be one of {', '.join(STATUSES)}."]
    if errors:
        raise validation_error(errors)
    branch, tag = (storable(values[name])[:_TEXT_LENGTH] if name in values else None for name in ("branch", "tag"))
    return RunFilters(None if source is None else int(source), "" if branch == NO_BRANCH else branch, status, tag, page)


def _status(text: str | None) -> str | None:
    """Return the word of a status; the number of the API is one, too."""
    for word, status in STATUSES.items():
        if text == str(int(status)):
            return word
    return text
