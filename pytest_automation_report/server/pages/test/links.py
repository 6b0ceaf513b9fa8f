"""Links of a test's page: to the tests before and after it, back to the run's page, and to the code."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast
from urllib.parse import quote

from pytest_automation_report.server.pages.run.head import RunFacts
from pytest_automation_report.server.pages.run.tests import TestList
from pytest_automation_report.server.pages.state import FLAKY, RunState, run_state
from pytest_automation_report.server.pages.words import STATUSES_SHOWN
from pytest_automation_report.server.store.findings import stored_findings, summaries
from pytest_automation_report.server.store.values import RESULT_STATUSES, ApiError, hexadecimal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunOverview
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.reads import RunRecord

MOST: Final = 2_000
"""Most tests of a list through which a reader can go with previous and next."""


class Neighbours(NamedTuple):
    """Results before and after this one, None at the ends of the list; ``words`` name its place in the list."""

    before: int | None
    after: int | None
    words: str


_Value = TypeVar("_Value")


class CommonValues:
    """The values that pages of several tests share: the run, its failures, its workers.

    Owned by one page, or by the report whose pages of tests are read in one transaction; of no use after it.
    """

    def __init__(self, reader: PageReader) -> None:
        self.reader = reader
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, read: Callable[[], _Value]) -> _Value:
        """Return the value of the first call of ``read`` for this key; callers must not change it."""
        if key not in self._known:
            self._known[key] = read()
        value: _Value = self._known[key]
        return value


def neighbours_in(common: CommonValues, record: RunRecord, row: Json, origin: Mapping[str, str]) -> Neighbours | None:
    """Return the neighbours of a result in the list that ``origin``, the query of the run's page, shows.

    Without such a list they are those of its kind: other failures by reason, other flaky or skipped tests. None for
    a passed test then, and for a result that is alone in its list or not in it.
    """
    state = _state(row["run"], origin)
    tone = STATUSES_SHOWN[row["status"]].tone
    is_open_node = bool(state.opened) and not state.is_filtered and state.group != "none"
    if state.view == "tests" and is_open_node:
        return _at([other["id"] for other in common.reader.near(row)], row["id"], "test")
    has_list = state.is_filtered or state.view == "tests"
    if not has_list and tone == "fail":
        return _among_failures(common, row, state)
    if not has_list:
        kind = FLAKY if tone == "pass" and row["failed_attempts"] else "" if tone == "pass" else str(row["status"])
        if not kind:
            return None
        state = RunState(row["run"], "tests", statuses=frozenset({kind}))
    ids, has_more = common.once(("list", state), partial(_listed, common.reader, record, state))
    return _at(ids, row["id"], "test", has_more=has_more)


def _listed(reader: PageReader, record: RunRecord, state: RunState) -> tuple[list[int], bool]:
    """Return the ids of the first tests of a list, and whether it has more."""
    found = stored_findings(reader.connection, state.run_id) if state.changes else None
    facts = RunFacts(record, "", found, cast("RunOverview", {}), 0)  # a list reads nothing of the overview
    listed = TestList(facts, state, reader).first(MOST)
    return [other["id"] for other in listed.items], listed.has_more


def way_back(row: Json, origin: Mapping[str, str]) -> str:
    """Return the id of the element of the run's page that shows a result: its reason's card, or its row in a list."""
    state = _state(row["run"], origin)
    is_card = state.view in {"", "failures"} and not state.is_filtered and state.group in {"", "reason"}
    if is_card and row["fingerprint"] is not None:
        return f"reason-{hexadecimal(row['fingerprint'])}"
    return f"t-{row['id']}"


def _state(run_id: int, origin: Mapping[str, str]) -> RunState:
    try:
        return run_state(run_id, origin)
    except ApiError:
        # The reader has changed the address by hand.
        return RunState(run_id)


def _among_failures(common: CommonValues, row: Json, state: RunState) -> Neighbours | None:
    listed = common.once(("failures", row["run"]), partial(_failures, common.reader, row["run"]))
    if state.view not in {"", "failures"} or state.group not in {"", "reason"}:
        return _at([other["id"] for other in listed], row["id"], "test")
    known = common.once(("known reasons", row["run"]), partial(_known_in_base, common, row["run"], listed))
    return neighbours_of(listed, row["id"], known)


def _failures(reader: PageReader, run_id: int) -> Sequence[Json]:
    """Return the failures of a run in the order of their arrival."""
    failed = [status.id for status in RESULT_STATUSES.values() if status.is_failed]
    return sorted(reader.failures(run_id, failed), key=lambda row: int(row["id"]))


def _known_in_base(common: CommonValues, run_id: int, listed: Sequence[Json]) -> set[int]:
    reasons = {other["fingerprint"] for other in listed} - {None}
    summary = summaries(common.reader.connection, [run_id]).get(run_id)
    base = None if summary is None else summary["base"]
    return common.reader.known_reasons(base, reasons) if base and reasons else set()


def neighbours_of(rows: Sequence[Json], result_id: int, known: Collection[int] = ()) -> Neighbours | None:
    """Return the neighbours of a failure in a list of rows with id and fingerprint; None if it is not in there.

    They go from reason to reason, as the page of the run has them: new ones before the ``known`` ones of the run that
    it is compared with, and those of most tests first. If one has no reason they go from test to test.
    """
    ids = [row["id"] for row in rows]
    if any(row["fingerprint"] is None for row in rows):
        return _at(ids, result_id, "test")
    own = next((row["fingerprint"] for row in rows if row["id"] == result_id), None)
    if own is None:
        return None
    counts = Counter(row["fingerprint"] for row in rows)
    order = sorted(counts, key=lambda fingerprint: (fingerprint in known, -counts[fingerprint], fingerprint))
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row["fingerprint"], row["id"])
    return _at([firsts[fingerprint] for fingerprint in order], firsts[own], "reason")


def _at(ids: Sequence[int], result_id: int, noun: str, *, has_more: bool = False) -> Neighbours | None:
    if len(ids) < 2 or result_id not in ids:  # noqa: PLR2004 - no neighbour
        return None
    place = ids.index(result_id)
    return Neighbours(
        ids[place - 1] if place else None,
        ids[place + 1] if place + 1 < len(ids) else None,
        f"{place + 1:,} of {'more than ' if has_more else ''}{len(ids):,} {noun}s",
    )


_PLACEHOLDER: Final = re.compile(r"\{(commit|file|line)\}")
_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:|\.\.[/\\]|<")


class CodeLinks(NamedTuple):
    """Templates with ``{file}``, ``{line}`` and, for ``source``, ``{commit}``; an empty one makes no links."""

    source: str = ""
    editor: str = ""

    def source_url(self, path: str, line: int, commit: str) -> str:
        """Return the address of a line on the host of the code; empty if it has none or the commit is not known."""
        if not commit and "{commit}" in self.source:
            return ""
        return _filled(self.source, path, line, commit)

    def editor_url(self, path: str, line: int) -> str:
        """Return the address that opens a line in the editor; empty for code outside of the project."""
        return _filled(self.editor, path, line, "")


NO_LINKS: Final = CodeLinks()
"""No template is set."""


def _filled(template: str, path: str, line: int, commit: str) -> str:
    """Return a template with its placeholders filled in; no text of a test can change its scheme or host."""
    if not template or not path or _ABSOLUTE.match(path):
        return ""
    values = {"commit": commit, "file": path.replace("\\", "/"), "line": str(max(1, line))}
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe="/"), template)
