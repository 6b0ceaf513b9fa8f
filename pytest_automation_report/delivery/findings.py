"""Ask the server at the end of a delivery: what changed in a completed run, for pytest's summary.

All results are delivered by then. An error or a slow answer costs the summary these lines, and nothing else.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pytest_automation_report.errors import AutomationReportError, SpoolError
from pytest_automation_report.spool.ledger_records import FindingsRecord
from pytest_automation_report.text.limits import cut_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.records import Record

T = TypeVar("T")

_MAX_FAILING: Final = 200
"""Most failing tests of an excerpt; the page of a CI job shows 50."""

_TEXT_UNITS: Final = 240
_MIN_FREE_BYTES: Final = 1024 * 1024
_COUNTS: Final = ("newly_failing", "still_failing", "fixed", "flaky", "slower", "gone")


class LateAnswer(Generic[T]):
    """What a separate thread returns that asks the server, or writes a report: the sender can stop to wait for it.

    ``what`` names it in the log. The thread may go on after `wait`: the embedded store and a report have no deadline.
    """

    def __init__(self, what: str, ask: Callable[[], T], log: Callable[[str], None]) -> None:
        self._what, self._ask, self._log = what, ask, log
        self._answer: T | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None) -> T | None:
        """Wait at most this long, without a limit for None; return the answer, None if there is none so far."""
        self._thread.join(None if seconds is None else max(0.0, seconds))
        if self._thread.is_alive():
            self._log(f"no {self._what} within {seconds:.1f} s")
            return None
        return self._answer

    def await_end(self, seconds: float) -> None:
        """Wait at most this long until the request has ended, with an answer or without."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except (AutomationReportError, KeyError, TypeError, ValueError, AttributeError) as error:
            # A release of the server before findings refuses the URL; a later one may have another document.
            self._log(f"no {self._what}: {error!r}")


def write_excerpt(ledger: LedgerFile, excerpt: Json | None, log: Callable[[str], None]) -> None:
    """Write an excerpt to the ledger, unless there is none or the disk is nearly full: the totals need the rest."""
    if excerpt is not None:
        write_unless_full(ledger, log, FindingsRecord(excerpt))


def write_unless_full(ledger: LedgerFile, log: Callable[[str], None], record: Record) -> None:
    """Write a record for the summary to the ledger, unless the disk is nearly full: the totals need the rest."""
    try:
        disk = os.statvfs(ledger.folder)
        if disk.f_bavail * disk.f_frsize > _MIN_FREE_BYTES:
            ledger.write(record)
    except (OSError, SpoolError) as error:
        log(f"the {record.kind} could not be written: {error}")


def excerpt_from(document: Json) -> Json:
    """Return the members of a document that a summary shows, with its texts cut to a safe length.

    ``failing`` has the failing tests: each with the run in which its failures began, null if they are new in this
    run, and with its failed runs and all its runs if it is a flaky test. Raises KeyError, TypeError, ValueError or
    AttributeError for a document of another form.
    """
    base = document["base"]
    earlier = document["earlier_source"]
    flaky = {test["key"]: test for test in document["flaky"] if test["state"] == "flaky"}
    tests = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    return {
        "base": None if base is None else {name: base[name] for name in ("run", "commit", "at")},
        "earlier_source": None if earlier is None else {"name": _cut(earlier["name"]), "runs": int(earlier["runs"])},
        "counts": {name: int(document["counts"][name]) for name in _COUNTS},
        "reasons": [
            {"count": int(reason["count"]), "is_new": bool(reason["is_new"]), "title": _cut(reason["title"]),
             "since": None if reason["since"] is None else int(reason["since"]["run"])}
            for reason in document["reasons"]
        ],
        "failing": [_failing(test, flaky.get(test["key"]), document["run"]) for test in tests[:_MAX_FAILING]],
    }  # fmt: skip


def _failing(test: Json, flaky: Json | None, run_id: int) -> Json:
    since = None if test["since"] is None or test["since"]["run"] == run_id else int(test["since"]["run"])
    rate = None if flaky is None else [int(flaky["failed"]), int(flaky["runs"])]
    return {"folder": _cut(test["folder"]), "name": _cut(test["name"]), "since": since, "flaky": rate}


def _cut(text: str) -> str:
    return cut_end(str(text), _TEXT_UNITS)
