"""The results that wait to be sent, by worker, and the tests that a session collected but never began."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.api.models import EXTENSIONS, encode
from pytest_automation_report.delivery.attempts import NO_EXTENSIONS, Extensions
from pytest_automation_report.spool.artifacts import spooled_file

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Sequence

    from pytest_automation_report.api.models import Artifact, Json, Test
    from pytest_automation_report.spool.records import Attempt, StartRecord

_OF_TESTS: Final = frozenset(EXTENSIONS) & set(Extensions.__struct_fields__)


class Result(Struct, frozen=True):
    """One result that waits to be sent.

    ``offset`` is the place of its record in the worker's file, and identifies it within the worker. ``ended_us`` is in
    microseconds since the session began. An *orphan* is an attempt that never finished: its result is created here,
    from its START. ``attempts`` are those of the test, oldest first, of which ``test`` was folded. ``size`` is its
    length in the body of an append in bytes, with all extensions.
    """

    worker: str
    offset: int
    attempt_number: int
    nodeid: str
    status: str
    ended_us: int
    test: Test
    extensions: Extensions = NO_EXTENSIONS
    attempts: tuple[Attempt, ...] = ()
    is_orphan: bool = False
    size: int = 0

    @property
    def key(self) -> str:
        """Key of the test."""
        return self.test.key

    @property
    def elapsed(self) -> int:
        """Duration of the last attempt in microseconds, 0 if it is not known."""
        return self.test.elapsed or 0

    @property
    def has_files(self) -> bool:
        """Whether the test refers to files that must be uploaded first."""
        return any(spooled_file(artifact.url) is not None for artifact in self.test.artifacts)

    def body(self, extensions: Collection[str]) -> bytes:
        """Return the JSON of the test with those of its extensions that the server stores."""
        test = encode(self.test)
        members = encode(self.extensions) if extensions else b"{}"
        if members != b"{}" and not _OF_TESTS.issubset(extensions):
            # Nearly always all are stored.
            names = self.extensions.__struct_fields__
            shown = {name: getattr(self.extensions, name) for name in names if name in extensions}
            members = encode(Extensions(**shown))
        return test if members == b"{}" else b"%b,%b" % (test[:-1], members[1:])


class WorkerQueue(Struct):
    """The results of one worker and the state of the test that it runs; owned by `WorkerQueues`.

    ::

                START              final FINISH: a result
        idle ------------> running ------------------------------------> idle
                            | | |
                            | | |  FINISH that a rerun follows
                            | | +-----------------------------> pending rerun
                            | |
                            | |    crash report: a result
                            | +------------------------------------> closed
                            |
                            |      crash report, the test runs again
                            +---------------------> crashed, pending rerun

        pending rerun ------------> running    START of the same test
        pending rerun ------------> idle       START of another test: the attempt is the result
        crashed, pending rerun ---> closed     another worker reports the test

    CLOSE, and the end of the session, lead from every state to *closed*: an attempt that runs becomes an orphan, a
    pending rerun becomes the result. *Crashed, pending rerun* keeps the queue open: if no other worker reports the
    test, the crashed attempt is its result.

    ``started_us`` and ``ended_us`` are in microseconds since the session began. ``counts`` is by pytest's statuses.
    ``orphans`` holds the numbers of attempts that an earlier sender reported as never finished: that stands, even if
    the file has a result by now. ``collection_results`` counts results that are no outcome of a test: of a module that
    cannot be imported, of a test that was interrupted or not reached. ``collection`` is the extension of this name.
    ``elapsed_correction_us`` is added to the sum of the tests' times, since an imported file may state another time for
    the whole.
    """

    worker: str
    orphans: Container[int] = ()
    results: deque[Result] = field(default_factory=deque)
    counts: Counter[str] = field(default_factory=Counter)
    pid: int = 0
    collected: int | None = None
    collection: Json = field(default_factory=dict)
    started_us: int | None = None
    ended_us: int = 0
    position: int = 0
    is_closed: bool = False
    # The attempt that runs, and the offset of its record.
    open: StartRecord | None = None
    open_offset: int = 0
    open_artifacts: list[Artifact] = field(default_factory=list)
    pending_rerun: Result | None = None
    crashed_pending_rerun: Result | None = None
    # The test that CLOSE cut short: a crash report of it, which follows, must not become a second result.
    interrupted_nodeid: str = ""
    captured_files: Sequence[tuple[str, int, int, int]] = ()
    collection_results: int = 0
    elapsed_correction_us: int = 0

    @property
    def seen(self) -> int:
        """Number of results of this worker, sent or not."""
        return sum(self.counts.values())

    @property
    def has_activity(self) -> bool:
        """Whether the worker has results, or runs a test that will have one."""
        return bool(self.seen or self.open or self.pending_rerun or self.crashed_pending_rerun)

    def add(self, result: Result) -> None:
        """Append a result."""
        self.counts[result.status] += 1
        self.results.append(result)

    def replace(self, index: int, result: Result) -> None:
        """Put another result in the place of a waiting one."""
        self.counts[self.results[index].status] -= 1
        self.counts[result.status] += 1
        self.results[index] = result

    def start(self, offset: int, start: StartRecord) -> None:
        """Begin an attempt; a pending rerun of the same test stays pending until the attempt ends."""
        self.open, self.open_offset = start, offset
        self.ended_us = max(self.ended_us, start.moment)
        self.open_artifacts.clear()

    def finish(self, ended_us: int) -> None:
        """End the attempt that runs; its result replaces a pending rerun of the same test."""
        self.open = self.pending_rerun = None
        self.ended_us = max(self.ended_us, ended_us)

    def take_pending_rerun(self) -> Result | None:
        """Return and forget the pending rerun: no other attempt has followed it."""
        result, self.pending_rerun = self.pending_rerun, None
        return result

    def crash(self, result: Result) -> None:
        """Hold back the crashed attempt of a test that another worker runs again."""
        self.open = self.pending_rerun = None
        self.crashed_pending_rerun = result

    def release(self) -> None:
        """Close the queue of a crashed worker: another attempt of its last test has a result."""
        self.crashed_pending_rerun = None
        self.is_closed = True

    def close(self, ended_us: int) -> None:
        """Close the queue: the worker adds no results."""
        self.ended_us = max(self.ended_us, ended_us)
        self.is_closed = True


class NotRun(Struct):
    """Finds the tests that were collected but never began; holds nothing unless ``is_enabled``."""

    is_enabled: bool
    _offset_by_nodeid: dict[str, int] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def collect(self, offset: int, nodeids: Sequence[str]) -> None:
        """Add the tests of one record.

        Each test needs an offset that no other result has, though they share one record: the record's offset plus the
        test's index is unique, since a name is longer than one byte.
        """
        if self.is_enabled:
            for index, nodeid in enumerate(nodeids):
                self._offset_by_nodeid.setdefault(nodeid, offset + index)

    def begin(self, nodeid: str) -> None:
        """Note that a test has begun, in any process."""
        if self.is_enabled:
            self._begun.add(nodeid)

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield offset and node id of each test that never began, in the order of collection."""
        for nodeid, offset in self._offset_by_nodeid.items():
            if nodeid not in self._begun:
                yield offset, nodeid
