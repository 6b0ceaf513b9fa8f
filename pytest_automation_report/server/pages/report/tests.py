"""Read what the report's script needs of each test: its status, time, place and the text that a search looks at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.store.artifact_urls import content_hash
from pytest_automation_report.server.store.reasons import hexadecimal
from pytest_automation_report.server.store.tables import ResultRow
from pytest_automation_report.text.limits import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader

__all__ = ["MOST_PAGES", "ReportedTests"]

MOST_PAGES: Final = 1_000
"""Most tests that have a page in the file."""

_SUCCESS, _FAILURE = 2, 3
_RANKS: Final = {_FAILURE: 0, _SUCCESS: 2}
_DURATIONS: Final = frozenset({"slower", "faster"})
_BETWEEN: Final = "\x1f"
_COLUMNS: Final = (
    ResultRow.id,
    ResultRow.name,
    ResultRow.folder,
    ResultRow.status,
    ResultRow.result_class,
    ResultRow.elapsed,
    ResultRow.file,
    ResultRow.message,
    ResultRow.failed_attempts,
    ResultRow.fingerprint,
    ResultRow.artifacts,
    ResultRow.thread,
)


class ReportedTests:
    """The tests of a run, in the order of their results' ids."""

    def __init__(self, reader: Reader, run_id: int, findings: Json) -> None:
        query: Any = ResultRow.select(*_COLUMNS).where(ResultRow.run == run_id).order_by(ResultRow.id)
        self._rows: list[Json] = list(query.dicts().execute(reader.database))
        self._changes: dict[int, list[str]] = {}
        lists = {**findings["tests"], "slower": findings["slower"], "faster": findings["faster"]}
        for name, entries in lists.items():
            for entry in entries:
                if entry.get("result"):
                    self._changes.setdefault(entry["result"], []).append(name)

    @property
    def total(self) -> int:
        """The number of results."""
        return len(self._rows)

    @property
    def ids(self) -> list[int]:
        """The ids of all results."""
        return [row["id"] for row in self._rows]

    @property
    def shown(self) -> list[int]:
        """The ids of the results that have a page: failures, then flaky ones, then those with another duration."""
        failed = [row["id"] for row in self._rows if row["result_class"] == _FAILURE]
        flaky = [row["id"] for row in self._rows if row["result_class"] != _FAILURE and row["failed_attempts"]]
        other = [row["id"] for row in self._rows if _DURATIONS & set(self._changes.get(row["id"], ()))]
        return list(dict.fromkeys([*failed, *flaky, *other]))[:MOST_PAGES]

    def artifacts(self, *, only_of_failures: bool) -> dict[str, str]:
        """Return the names of stored artifacts by their hash: those of failures, or of all tests with a page."""
        shown = set(self.shown)
        names: dict[str, str] = {}
        for row in self._rows:
            is_wanted = row["result_class"] == _FAILURE if only_of_failures else row["id"] in shown
            if is_wanted and row["artifacts"]:
                for artifact in json.loads(row["artifacts"]):
                    hash_ = content_hash(str(artifact.get("url") or ""))
                    if hash_ is not None:
                        names.setdefault(hash_, str(artifact.get("name") or hash_))
        return names

    @property
    def ranks(self) -> dict[str, int]:
        """The place of each status in the order *failed first*, by its number."""
        return {str(row["status"]): _RANKS.get(row["result_class"], 1) for row in self._rows}

    def facts(self) -> Iterator[str]:
        """Yield the facts of all tests column by column, in the order in which the script reads them.

        Columns compress better than rows. Times are in milliseconds, which is enough for an order.
        """
        rows = self._rows
        yield _column(row["status"] for row in rows)
        yield _column(1 if row["result_class"] == _SUCCESS and row["failed_attempts"] else "" for row in rows)
        yield _column(round((row["elapsed"] or 0) / 1000) for row in rows)
        yield _column(row["file"] or "" for row in rows)
        yield _column(row["folder"] for row in rows)
        yield _column(row["name"] for row in rows)
        yield _column(row["message"] or "" for row in rows)
        yield _column(",".join(self._changes.get(row["id"], ())) for row in rows)
        yield _column("" if row["fingerprint"] is None else hexadecimal(row["fingerprint"]) for row in rows)
        yield _column(row["thread"] for row in rows)
        # Ids are numbers in a row, mostly: their differences take no space.
        yield _column(row["id"] - before for row, before in zip(rows, [0, *self.ids], strict=False))


def _column(values: Iterable[object]) -> str:
    return _BETWEEN.join(visible(str(value)) for value in values)
