"""Read and write the URL of a run's page: each combination of filters and page number is a link."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http.request_body import storable
from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.statuses import STATUS_SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGES: Final = range(1, 10**9)
_TEXT_LENGTH: Final = 750
_number = re.compile(r"[0-9]{1,10}").fullmatch


@dataclass(frozen=True, slots=True)
class RunState:
    """Filters and page number of a run's page; no statuses, an empty text and None as folder mean all tests."""

    run_id: int
    statuses: frozenset[int] = frozenset()
    text: str = ""
    folder: str | None = None
    is_grouped: bool = False
    page: int = 1

    @property
    def is_filtered(self) -> bool:
        """Whether the page may leave tests out."""
        return bool(self.statuses or self.text or self.folder is not None)

    @property
    def query(self) -> str:
        """The query part of the URL, with its question mark; empty for the first state of a page."""
        pairs = [
            ("status", ",".join(map(str, sorted(self.statuses)))),
            ("q", self.text),
            ("group", "folder" if self.is_grouped else ""),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        pairs = [(name, value) for name, value in pairs if value]
        # An empty folder is a filter, too: tests outside of any folder.
        if self.folder is not None:
            pairs.append(("folder", self.folder))
        return f"?{urlencode(pairs, errors='replace')}" if pairs else ""

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"/runs/{self.run_id}{self.query}"

    @property
    def live_address(self) -> str:
        """The URL of the sections that change while the run is open."""
        return f"/runs/{self.run_id}/live{self.query}"

    def toggled(self, status: int) -> RunState:
        """Return the state with a status added to the chosen ones, or removed from them."""
        return replace(self, statuses=self.statuses ^ {status}, page=1)

    def address_at(self, page: int) -> str:
        """Return the URL of another page."""
        return replace(self, page=page).address

    def with_all_statuses(self) -> RunState:
        """Return the state with tests of every status."""
        return replace(self, statuses=frozenset(), page=1)

    def within(self, folder: str | None) -> RunState:
        """Return the state with the tests of one folder, or of all."""
        return replace(self, folder=folder, is_grouped=False, page=1)

    def grouped(self) -> RunState:
        """Return the state as a list of folders, or as a list of tests if it is one of folders."""
        return replace(self, folder=None, is_grouped=not self.is_grouped, page=1)

    def cleared(self) -> RunState:
        """Return the state without any filter."""
        return RunState(self.run_id, is_grouped=self.is_grouped)


def run_state(run_id: int, parameters: Mapping[str, Any]) -> RunState:
    """Return the state of a URL; raises `ApiError` (422) that lists the invalid parameters."""
    values = single_values(parameters)
    errors: dict[str, list[str]] = {}
    # Forms send empty parameters, too.
    page_text = values.get("page") or "1"
    page = int(page_text) if _number(page_text) else 0
    if page not in _PAGES:
        errors["page"] = [f"Must be a whole number from 1 to {_PAGES.stop - 1}."]
    status_texts = [text for text in values.get("status", "").split(",") if text]
    statuses = frozenset(int(text) if _number(text) else 0 for text in status_texts)
    if not all(1 <= status <= STATUS_SLOTS for status in statuses):
        errors["status"] = [f"Must be numbers of statuses from 1 to {STATUS_SLOTS}, separated by commas."]
    if values.get("group", "") not in ("", "folder"):
        errors["group"] = ["Must be folder."]
    if errors:
        raise validation_error(errors)
    return RunState(
        run_id,
        statuses,
        storable(values.get("q", "").strip())[:_TEXT_LENGTH],
        storable(values["folder"])[:_TEXT_LENGTH] if "folder" in values else None,
        values.get("group") == "folder",
        page,
    )


def single_values(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return one value for each parameter, the last one of a repeated parameter."""
    return {name: str(value[-1] if isinstance(value, list) else value) for name, value in parameters.items()}
