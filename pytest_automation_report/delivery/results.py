"""Results that wait to be sent, and what one worker has reported so far (floor 3).

The tests that a session did not come to, by name, where it is to report them (floor 3).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from pytest_automation_report.api.models import Artifact


# One of each is made for every test: a tuple is made in half the time that a frozen dataclass takes.
class Result(NamedTuple):
    """One result; ``moment`` and ``elapsed`` in microseconds, ``test`` as the server's JSON.

    ``is_with_files`` tells that it names files which have to be stored before it can be sent.
    """

    worker: str
    offset: int
    number: int
    nodeid: str
    key: str
    status: str
    elapsed: int
    moment: int
    test: str
    is_orphan: bool = False
    is_with_files: bool = False


class Start(NamedTuple):
    """An attempt that has begun."""

    offset: int
    number: int
    moment: int
    nodeid: str
    file: str
    line: int | None


@dataclass(slots=True)
class WorkerQueue:
    """What one worker reported so far; owned by `Lanes`.

    ``began`` and ``ended`` are moments in microseconds; ``counts`` is by pytest's statuses; ``orphans`` are the
    numbers of attempts that an earlier sender reported as never finished, whatever the file says by now; ``captured``
    are the files into which its output goes; ``modules`` is the number of results that no attempt led to; ``added`` are
    the artifacts of the open attempt; ``more`` what the tests' own time is to be corrected by, in microseconds, since a
    file of results has told the time of the whole.
    """

    worker: str
    orphans: Container[int] = ()
    results: deque[Result] = field(default_factory=deque)
    counts: Counter[str] = field(default_factory=Counter)
    pid: int = 0
    collected: int | None = None
    began: int | None = None
    ended: int = 0
    position: int = 0
    is_closed: bool = False
    open: Start | None = None
    added: list[Artifact] = field(default_factory=list)
    pending_rerun: Result | None = None
    crashed_pending_rerun: Result | None = None
    interrupted: str = ""
    captured: Sequence[Sequence[object]] = ()
    modules: int = 0
    more: int = 0

    @property
    def seen(self) -> int:
        """Number of results of this lane, sent or not."""
        return sum(self.counts.values())


@dataclass(slots=True)
class NotRun:
    """Compares what was collected with what has begun; holds nothing where ``is_asked`` is false."""

    is_asked: bool
    _collected: dict[str, int] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def collect(self, offset: int, nodeids: Sequence[str]) -> None:
        """Take the tests of one record; each has an offset of its own, since its name takes more bytes than one."""
        if self.is_asked:
            for place, nodeid in enumerate(nodeids):
                self._collected.setdefault(nodeid, offset + place)

    def begin(self, nodeid: str) -> None:
        """Note that a test has begun, in whatever process."""
        if self.is_asked:
            self._begun.add(nodeid)

    def left(self) -> Iterator[tuple[int, str]]:
        """Yield offset and node id of each test that nothing has begun, in the order of their collection."""
        for nodeid, offset in self._collected.items():
            if nodeid not in self._begun:
                yield offset, nodeid
