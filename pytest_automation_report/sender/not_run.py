"""The tests that a session did not come to, by name, where it is to report them (floor 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
