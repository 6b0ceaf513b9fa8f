"""The kinds of records in a spool, each with the reason for it; `spool.ledger_records` has those of the ledger.

`WorkerQueues` applies all of them; other readers are named. A member with its default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.json_values import JsonError
from pytest_automation_report.api.models import Artifact, Field, Json, Status, decode_test
from pytest_automation_report.spool.records import Record
from pytest_automation_report.values import field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AGAIN: Final = "again"
"""Outcome of a crash that counts as a failure although the test runs again, as xdist does for scopes."""

# Sessions may collect 100,000 tests: several lines of 500 names stay far below the longest line.
_NAMES_PER_RECORD: Final = 500


class OpenRecord(Record, kind="open"):
    """Names the process and when it began. When pytest's leading process is dead, the sender waits for living workers.

    ``moment`` and ``began`` are in microseconds of the session; ``began`` is written if the first result came later.
    """

    pid: int
    moment: int = field(default=0, key="t")
    began: int | None = None
    worker: str = ""
    format: int = 0


class PlanRecord(Record, kind="plan"):
    """Whether xdist runs every test on every worker (``--dist each``), so that each worker's tests are expected."""

    each: bool


class CollectedRecord(Record, kind="collected"):
    """Number of collected tests, and those that share a key.

    Without it a test that never began would not be missed: `summary.counts` compares it with the number of results.
    ``collection`` is the extension of this name, empty in a run that no jobs share.
    """

    count: int
    repeated: tuple[tuple[str, int], ...] = ()
    collection: Json = field(default_factory=dict)


class IdsRecord(Record, kind="ids"):
    """Node ids of collected tests; written only for ``report_not_run``."""

    ids: tuple[str, ...]


class CapturedRecord(Record, kind="captured"):
    """Pytest's capture files, from which the sender reads the last output of a killed process.

    ``files`` has of each the stream's name, its descriptor, device and inode.
    """

    files: tuple[tuple[str, int, int, int], ...]


class StartRecord(Record, kind="start"):
    """An attempt begins. A START without PASS or FINISH is a test whose process died: only so the test is known."""

    number: int = field(key="n")
    moment: int = field(key="t")
    nodeid: str = field(key="id")
    file: str
    line: int | None = None


class ArtifactRecord(Record, kind="artifact"):
    """A file of the running attempt. A FINISH repeats it; without one, the result of the dead process has the file."""

    number: int = field(key="n")
    artifact: Artifact


class PassRecord(Record, kind="pass"):
    """The attempt passed and has nothing else to report: the short form of FINISH, see `spool.records.pass_record`."""

    number: int = field(key="n")
    moment: int = field(key="t")
    began: int
    elapsed: int
    nodeid: str = field(key="id")
    file: str
    line: int | None = None
    setup: int | None = None
    teardown: int | None = None


class FinishRecord(Record, kind="finish", has_test=True):
    """The attempt ended, with the JSON that is sent to the server.

    ``test`` is not decoded, since the sender only copies it into a batch; nor is ``extensions``, a JSON object with
    extensions of the test, empty without any.
    """

    number: int = field(key="n")
    moment: int = field(key="t")
    key: str
    status: Status
    elapsed: int
    is_final: bool = field(key="final")
    test: str
    extensions: str = field(default="", key="ext")

    def __post_init__(self) -> None:
        # A final test is sent as it stands and need not be decoded; another is merged into the next attempt's result.
        if not (self.test.startswith("{") if self.is_final else _is_test(self.test)):
            raise JsonError("the JSON of a test", self.test)


def _is_test(text: str) -> bool:
    try:
        decode_test(text)
    except (ValueError, RecursionError):
        return False
    return True


class CrashRecord(Record, kind="crash"):
    """xdist's report of a worker's death, written by the leading process: a dead worker cannot report its test.

    ``words`` is the last output of the worker, empty if the leading process could not open its capture files.
    """

    moment: int = field(key="t")
    worker: str
    nodeid: str = field(key="id")
    file: str
    outcome: str
    text: str
    line: int | None = None
    words: str = ""


class PropertyRecord(Record, kind="property"):
    """A field or an artifact of the run, not of a test."""

    field: Field | None = None
    artifact: Artifact | None = None

    def __post_init__(self) -> None:
        if self.field is None and self.artifact is None:
            raise JsonError("a field or an artifact", None)


class CloseRecord(Record, kind="close"):
    """The process ended in order, so a test that is still open was interrupted and did not crash.

    `summary.counts` reads its members: ``counts`` are the results by status, ``fault_count`` is the number of errors of
    this package and ``faults`` are the first of them, ``warnings`` are about users' annotations and hooks. ``failures``
    are the first failed tests, as `recording.failures.FailedTest` has their members. ``detail`` is the reason of an
    interruption, and ``elapsed_correction`` what the times of the results differ from the whole, in microseconds.
    """

    moment: int = field(key="t")
    counts: Mapping[str, int] = field(default_factory=dict)
    # The last is the line: items of other plugins may have one that is not an integer.
    failures: tuple[tuple[Status, str, str, str, str, Any], ...] = ()
    detail: str = ""
    warnings: tuple[str, ...] = field(default=(), key="told")
    fault_count: int = field(default=0, key="faults")
    faults: tuple[str, ...] = field(default=(), key="texts")
    elapsed_correction: int | None = field(default=None, key="more")


class EndRecord(Record, kind="end"):
    """The session ended, and how. Until then the sender waits for more.

    `SessionFolder.has_ended` and `SpoolReader.has_news` look for it.
    """

    reason: str
    moment: int = field(default=0, key="t")
    # Pytest's exit status, which a plugin may have set to anything.
    exit: Any = 0


SPOOL_KINDS: Final[Mapping[str, type[Record]]] = {
    record.kind: record
    for record in (
        OpenRecord, PlanRecord, CollectedRecord, IdsRecord, CapturedRecord, StartRecord, ArtifactRecord, PassRecord,
        FinishRecord, CrashRecord, PropertyRecord, CloseRecord, EndRecord,
    )
}  # fmt: skip
"""All kinds of records in a spool, by the names that stand in the records."""


def collected_names(nodeids: Sequence[str]) -> Iterator[bytes]:
    """Yield the IDS records, which name all collected tests.

    Written only for ``report_not_run``: the sender then reports each test that has no result as untested.
    """
    for first in range(0, len(nodeids), _NAMES_PER_RECORD):
        yield IdsRecord(tuple(nodeids[first : first + _NAMES_PER_RECORD])).framed()
