"""What a page of a run shows, as its address says it: every state of a page is a link."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http.request_body import visible
from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.statuses import STATUS_SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGES: Final = range(1, 10**9)
_TEXT_LENGTH: Final = 750
_number = re.compile(r"[0-9]{1,10}").fullmatch


@dataclass(frozen=True, slots=True)
class RunState:
    """Which tests of a run are shown, and how; no statuses and an empty text mean all."""

    run_id: int
    statuses: frozenset[int] = frozenset()
    text: str = ""
    folder: str | None = None
    is_grouped: bool = False
    page: int = 1

    @property
    def is_filtered(self) -> bool:
        """Whether some tests may be missing."""
        return bool(self.statuses or self.text or self.folder is not None)

    @property
    def query(self) -> str:
        """The query part of the address, with its question mark; empty for the state that a run opens with."""
        pairs = [
            ("status", ",".join(map(str, sorted(self.statuses)))),
            ("q", self.text),
            ("group", "folder" if self.is_grouped else ""),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        given = [(name, value) for name, value in pairs if value]
        if self.folder is not None:
            given.append(("folder", self.folder))
        return f"?{urlencode(given, errors='replace')}" if given else ""

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"/runs/{self.run_id}{self.query}"

    @property
    def live_address(self) -> str:
        """The address of what changes on the page while the run is open."""
        return f"/runs/{self.run_id}/live{self.query}"

    def toggled(self, status: int) -> RunState:
        """Return the state with a status added to the chosen ones, or taken from them."""
        return replace(self, statuses=self.statuses ^ {status}, page=1)

    def address_at(self, page: int) -> str:
        """Return the address of another page."""
        return replace(self, page=page).address

    def with_all_statuses(self) -> RunState:
        """Return the state with tests of every status."""
        return replace(self, statuses=frozenset(), page=1)

    def within(self, folder: str | None) -> RunState:
        """Return the state with the tests of one folder, or of all."""
        return replace(self, folder=folder, is_grouped=False, page=1)

    def grouped(self) -> RunState:
        """Return the state as a list of folders, or of tests when it is one of folders."""
        return replace(self, folder=None, is_grouped=not self.is_grouped, page=1)

    def cleared(self) -> RunState:
        """Return the state without any filter."""
        return RunState(self.run_id, is_grouped=self.is_grouped)


def run_state(run_id: int, parameters: Mapping[str, Any]) -> RunState:
    """Return the state that an address asks for; raises `RefusalError` (422) that names a value that means nothing."""
    given = given_once(parameters)
    errors: dict[str, list[str]] = {}
    page = int(given.get("page") or 1) if _number(given.get("page") or "1") else 0
    if page not in _PAGES:
        errors["page"] = [f"Must be a whole number from 1 to {_PAGES.stop - 1}."]
    words = [word for word in given.get("status", "").split(",") if word]
    statuses = frozenset(int(word) if _number(word) else 0 for word in words)
    if not all(1 <= status <= STATUS_SLOTS for status in statuses):
        errors["status"] = [f"Must be numbers of statuses from 1 to {STATUS_SLOTS}, separated by commas."]
    if given.get("group", "") not in ("", "folder"):
        errors["group"] = ["Must be folder."]
    if errors:
        raise validation_error(errors)
    return RunState(
        run_id,
        statuses,
        visible(given.get("q", "").strip())[:_TEXT_LENGTH],
        visible(given["folder"])[:_TEXT_LENGTH] if "folder" in given else None,
        given.get("group") == "folder",
        page,
    )


def given_once(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters of which each has one value: the last that was given."""
    return {name: str(value[-1] if isinstance(value, list) else value) for name, value in parameters.items()}
