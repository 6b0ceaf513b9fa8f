"""Read and write the URL of a run's page: each view with its filters, base, order and page number is a link."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http.request_body import storable
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.statuses import STATUS_SLOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.pages.links import Link

VIEWS: Final = ("failures", "tests", "changes", "time", "details")
"""The views of a run's page, in the order of their tabs and of the keys 1 to 5."""

CHANGES: Final = (
    "newly_failing",
    "fixed",
    "still_failing",
    "slower",
    "new_tests",
    "gone",
    "faster",
    "newly_skipped",
)
"""Lists of findings that a page can show alone, by their names in the document."""

FLAKY: Final = "flaky"
"""Stands among the numbers of statuses for tests that passed after a failed attempt."""

GROUPS: Final = ("reason", "file", "none")
SORTS: Final = ("failed", "slowest", "ran")

_PAGES: Final = range(1, 10**9)
_TEXT_LENGTH: Final = 750
_number = re.compile(r"[0-9]{1,10}").fullmatch
_run_number = re.compile(r"[0-9]{1,18}").fullmatch
_lane = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18})\.([0-9]{1,18})\.(failed|flaky|skipped|passed))?").fullmatch
_fingerprint = re.compile(r"[0-9a-f]{16}").fullmatch


@dataclass(frozen=True, slots=True)
class Lane:
    """The tests of one thread, or of one block of its lane: results of ``kind`` with ids from ``first`` to ``last``."""

    thread: int
    first: int = 0
    last: int = 0
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.thread}.{self.first}.{self.last}.{self.kind}" if self.kind else str(self.thread)

    @property
    def whole(self) -> Lane:
        """All tests of the thread."""
        return Lane(self.thread)

    @classmethod
    def of(cls, text: str) -> Lane | None:
        """Return the value of a text in an address; None for any other text."""
        match = _lane(text)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4]) if match[4] else cls(int(match[1]))


@dataclass(frozen=True, slots=True)
class RunState:
    """State of a run's page; an empty value is the usual one.

    ``view`` is empty for the usual view: failures if there are any, else tests. ``statuses`` has numbers of statuses
    and maybe `FLAKY`. ``changes`` has names of lists of findings, ``reason`` a fingerprint. ``opened`` is the node of
    the tree that is open: a file, a folder (with a slash at its end), or ``file::name``. ``link`` writes the URLs.
    ``lane`` is a worker, by its thread, or one block of its lane.
    """

    run_id: int
    view: str = ""
    base: int | None = None
    statuses: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    reason: str = ""
    text: str = ""
    folder: str = ""
    lane: Lane | None = None
    opened: str = ""
    group: str = ""
    sort: str = ""
    page: int = 1
    link: Link = field(default=link, compare=False, repr=False)

    @property
    def is_filtered(self) -> bool:
        """Whether the page may leave tests out."""
        return bool(self.statuses or self.changes or self.reason or self.text or self.folder or self.lane)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the URL; none for the usual state of a page."""
        pairs = {
            "view": self.view,
            "base": str(self.base) if self.base is not None else "",
            "status": ",".join(sorted(self.statuses, key=lambda status: (not status.isdecimal(), status))),
            "change": ",".join(change for change in CHANGES if change in self.changes),
            "reason": self.reason,
            "q": self.text,
            "folder": self.folder,
            "lane": str(self.lane or ""),
            "open": self.opened,
            "group": self.group,
            "sort": self.sort,
            "page": str(self.page) if self.page > 1 else "",
        }
        return {name: value for name, value in pairs.items() if value}

    @property
    def address(self) -> str:
        """The URL of the page."""
        return self.link("run", self.run_id, **self.parameters)

    @property
    def live_address(self) -> str:
        """The URL of the sections that change while the run is open."""
        return self.link("run-live", self.run_id, **self.parameters)

    @property
    def branch_address(self) -> str:
        """The URL of the rows below the open node of the tree."""
        return self.link("run-branch", self.run_id, **self.parameters)

    def result(self, result_id: int) -> str:
        """Return the URL of a test of the run, from which the reader finds back to this state."""
        return self.link("result", result_id, **({"from": urlencode(self.parameters)} if self.parameters else {}))

    def to(self, **values: Any) -> RunState:  # noqa: ANN401 - the fields of this class
        """Return the state with these fields changed, on its first page."""
        return replace(self, **{"page": 1, **values})

    def at(self, view: str, **values: Any) -> RunState:  # noqa: ANN401 - the fields of this class
        """Return a view of the same run and base, without the filters of the present one but with these values."""
        return RunState(self.run_id, view, self.base, link=self.link, **values)

    def only(self, status: str) -> RunState:
        """Return the list of the tests with one status."""
        return self.at("tests", statuses=frozenset({status}))

    def only_change(self, change: str) -> RunState:
        """Return one list of findings."""
        return self.at("changes", changes=frozenset({change}))

    def without_statuses(self) -> RunState:
        """Return the state with tests of every status, whatever changed."""
        return self.to(statuses=frozenset(), changes=frozenset())

    def toggled(self, status: str) -> RunState:
        """Return the list of tests with a status added to the chosen ones, or removed from them."""
        return self.to(view="tests", opened="", group="", statuses=self.statuses ^ {status})

    def with_change(self, change: str) -> RunState:
        """Return the list of tests with a list of findings added to the chosen ones, or removed from them."""
        return self.to(view="tests", opened="", group="", changes=self.changes ^ {change})

    def address_at(self, page: int) -> str:
        """Return the URL of another page."""
        return replace(self, page=page).address

    def cleared(self) -> RunState:
        """Return the state without any filter."""
        return RunState(self.run_id, self.view, self.base, group=self.group, sort=self.sort, link=self.link)


def run_state(run_id: int, parameters: Mapping[str, Any]) -> RunState:
    """Return the state of a URL; raises `ApiError` (422) that lists the invalid parameters."""
    values = single_values(parameters)
    errors: dict[str, list[str]] = {}
    # Forms send empty parameters, too.
    page_text, base_text = values.get("page") or "1", values.get("base", "")
    page = int(page_text) if _number(page_text) else 0
    if page not in _PAGES:
        errors["page"] = [f"Must be a whole number from 1 to {_PAGES.stop - 1}."]
    if base_text and not _run_number(base_text):
        errors["base"] = ["Must be the number of a run."]
    statuses = _list_of(values, "status")
    if not all(text == FLAKY or (_number(text) and 1 <= int(text) <= STATUS_SLOTS) for text in statuses):
        errors["status"] = [f"Must be numbers of statuses from 1 to {STATUS_SLOTS}, or {FLAKY}, separated by commas."]
    changes = _list_of(values, "change")
    if not changes <= set(CHANGES):
        errors["change"] = [f"Must be some of {', '.join(CHANGES)}, separated by commas."]
    if values.get("reason") and not _fingerprint(values["reason"]):
        errors["reason"] = ["Must be the 16 digits of a reason."]
    lane = Lane.of(values.get("lane", ""))
    if values.get("lane") and lane is None:
        errors["lane"] = ["Must be the number of a thread, or THREAD.FIRST.LAST.KIND."]
    for name, words in (("view", VIEWS), ("group", GROUPS), ("sort", SORTS)):
        if values.get(name, "") not in ("", *words):
            errors[name] = [f"Must be one of {', '.join(words)}."]
    if errors:
        raise validation_error(errors)
    return RunState(
        run_id,
        values.get("view", ""),
        int(base_text) if base_text else None,
        frozenset(text if text == FLAKY else str(int(text)) for text in statuses),
        frozenset(changes),
        values.get("reason", ""),
        _text_of(values.get("q", "").strip()),
        _text_of(values.get("folder", "")),
        lane,
        _text_of(values.get("open", "")),
        values.get("group", ""),
        values.get("sort", ""),
        page,
    )


def single_values(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return one value for each parameter, the last one of a repeated parameter."""
    return {name: str(value[-1] if isinstance(value, list) else value) for name, value in parameters.items()}


def _list_of(values: Mapping[str, str], name: str) -> set[str]:
    return {text for text in values.get(name, "").split(",") if text}


def _text_of(text: str) -> str:
    return storable(text)[:_TEXT_LENGTH]
