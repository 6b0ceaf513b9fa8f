"""Read the tests of a run for its report: one query for all results, one for all histories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.server.pages.charts import STRIP_RUNS
from pytest_automation_report.server.pages.run.changes import percent
from pytest_automation_report.server.pages.run.details import worker_names
from pytest_automation_report.server.pages.run.history import Histories
from pytest_automation_report.server.pages.run.page import THREADS_SHOWN
from pytest_automation_report.server.pages.run.reasons import marks_of
from pytest_automation_report.server.pages.statuses import ranked, shown_status
from pytest_automation_report.server.store.contents import content_hash
from pytest_automation_report.server.store.values import hexadecimal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader

MOST_PAGES: Final = 1_000
"""Most tests whose page in the file is the server's: those that failed, were flaky or changed their duration."""

MOST_OUTPUT_PAGES: Final = 1_000
"""Most other tests of which the file has fields, steps and output."""

_FAILURE: Final = 3
_DURATIONS: Final = frozenset({"slower", "faster"})
_TESTS: Final = (
    'SELECT "id", "case_id", "name", "folder", "status", "result_class", "elapsed", "file", "line", "thread_id",'
    ' "message", "failed_attempts", "fingerprint", "artifacts",'
    ' "fields" IS NOT NULL OR "steps" IS NOT NULL FROM "result" WHERE "run_id" = ? ORDER BY "id"'
)


class ReportedTest(NamedTuple):
    """One result, as the columns of its table name it; ``elapsed`` is in microseconds."""

    id: int
    case: int
    name: str
    folder: str
    status: int
    result_class: int
    elapsed: int | None
    file: str | None
    line: int | None
    thread: int
    message: str | None
    failed_attempts: int | None
    fingerprint: int | None
    artifacts: str | None
    has_more: bool
    """Whether it has fields or steps."""

    @property
    def reason(self) -> str:
        """The fingerprint of its reason; empty without one."""
        return "" if self.fingerprint is None else hexadecimal(self.fingerprint)


class ReportedTests:
    """The tests of a run, in the order of their results' ids, with their histories, workers and changes.

    ``shown`` are the ids of the results with the server's page: failures, then flaky ones, then those of another
    duration. ``with_output`` are those of others with fields, steps or output, ``left_out`` those beyond the limit.
    """

    def __init__(self, reader: PageReader, run_id: int, findings: Json) -> None:
        rows: Any = reader.connection.execute(_TESTS, (run_id,))
        self.rows: Sequence[ReportedTest] = [ReportedTest._make(row) for row in rows]
        record = reader.run(run_id, max_threads=THREADS_SHOWN)
        self.statuses = reader.statuses(record.row["project"])
        # The place of each status in lists: failures first.
        self.ranks = {status.id: place for place, status in enumerate(ranked(self.statuses))}
        self._workers = worker_names(record)
        self._histories = Histories(reader, record.row, findings)
        self._histories.load_all()
        self._findings = findings
        self._marks = marks_of(findings)
        self._changes: dict[int, list[str]] = {}
        lists = {**findings["tests"], "slower": findings["slower"], "faster": findings["faster"]}
        for name, entries in lists.items():
            for entry in entries:
                if entry.get("result"):
                    self._changes.setdefault(entry["result"], []).append(name)
        self._slower = {entry.get("result"): entry for entry in findings["slower"]}
        self._tones = {test.status: shown_status(self.statuses, test.status) for test in self.rows}
        self.shown = self._shown()
        others = [test for test in self.rows if test.has_more and test.id not in set(self.shown)]
        # What did not pass first: skipped tests have a reason.
        others.sort(key=lambda test: (self.ranks.get(test.status, 0), test.id))
        self.with_output = sorted(test.id for test in others[:MOST_OUTPUT_PAGES])
        self.left_out = {test.id for test in others[MOST_OUTPUT_PAGES:]}

    def _shown(self) -> list[int]:
        failed = [test.id for test in self.rows if test.result_class == _FAILURE]
        flaky = [test.id for test in self.rows if test.result_class != _FAILURE and test.failed_attempts]
        other = [test.id for test in self.rows if _DURATIONS & set(self._changes.get(test.id, ()))]
        return list(dict.fromkeys([*failed, *flaky, *other]))[:MOST_PAGES]

    def artifacts(self, *, only_of_failures: bool) -> dict[str, str]:
        """Return the names of stored artifacts by their hash: those of failures, or of all tests with a page."""
        shown = set(self.shown)
        names: dict[str, str] = {}
        for test in self.rows:
            is_wanted = test.result_class == _FAILURE if only_of_failures else test.id in shown
            if is_wanted and test.artifacts:
                for artifact in json.loads(test.artifacts):
                    hash_ = content_hash(str(artifact.get("url") or ""))
                    if hash_ is not None:
                        names.setdefault(hash_, str(artifact.get("name") or hash_))
        return names

    def tone(self, test: ReportedTest) -> str:
        """Return the tone of a test: that of its status, or flaky if it passed after a failed attempt."""
        tone = self._tones[test.status].tone
        return "flaky" if tone == "pass" and test.failed_attempts else tone

    def status_name(self, test: ReportedTest) -> str:
        """Return the name of a test's status."""
        return self._tones[test.status].name

    def changes(self, test: ReportedTest) -> str:
        """Return the lists of findings that a test is in, with commas between them."""
        return ",".join(self._changes.get(test.id, ()))

    @property
    def reasons(self) -> dict[str, str]:
        """The messages of the run's reasons by their fingerprints."""
        return {reason["fingerprint"]: reason["title"] for reason in self._findings["reasons"]}

    def marks(self, test: ReportedTest) -> tuple[str, ...]:
        """Return the marks of a failed test."""
        return self._marks.get(test.id, ())

    def slower(self, test: ReportedTest) -> str:
        """Return by how much a test got slower; empty if it did not."""
        entry = self._slower.get(test.id)
        return percent(entry["elapsed"], entry["median"]) if entry else ""

    def worker(self, test: ReportedTest) -> str:
        """Return the name of the worker that ran a test; empty for a thread that the run's page does not read."""
        return self._workers.name(test.thread)

    def letters(self, test: ReportedTest) -> str:
        """Return the outcomes of a test in the runs of a strip, oldest first; empty if they are not known."""
        return self._histories.letters(test.case)[-STRIP_RUNS:]
