"""waitress' loop with an end that cuts no answer, and room for new connections."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.http.channels import TimedChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pytest_automation_report.server.http.channels import Deadlines, HeaderCheck

_DRAIN_SECONDS = 10.0
_POLL_SECONDS = 0.05
_TURN_SECONDS = 1.0
# From this part of the connections on, those without a request make room for new ones.
_FULL = 7 / 8


class Loop:
    """waitress' loop, ended by a flag: its own way, an exception in a handler, can cut an answer in two."""

    def __init__(self, server: Any, deadlines: Deadlines, check: HeaderCheck) -> None:  # noqa: ANN401 - waitress has no types
        server.channel_class = TimedChannel
        server.header_check = check
        self._server = server
        self._deadlines = deadlines
        self._turn_seconds = min(_TURN_SECONDS, deadlines.shortest_seconds)
        self._is_stopping = False
        self._replaced: dict[int, Any] = {}

    def run(self, announce: Callable[[], None]) -> None:
        """Answer requests until a signal comes, and then those that had begun."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._replaced[number] = signal.signal(number, self._stop)
        try:
            announce()
            while not self._is_stopping:
                self._turn(self._turn_seconds)
            self._server.accepting = False
            deadline = time.monotonic() + _DRAIN_SECONDS
            while self._is_answering() and time.monotonic() < deadline:
                self._turn(_POLL_SECONDS)
        finally:
            self._restore()

    def _turn(self, seconds: float) -> None:
        server = self._server
        server.asyncore.loop(
            timeout=seconds,
            use_poll=server.adj.asyncore_use_poll,
            map=server._map,  # noqa: SLF001 - waitress has no other name for its connections
            count=1,
        )
        now = time.monotonic()
        for channel in list(server.active_channels.values()):
            channel.close_when_late(now, self._deadlines)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """Close the connections that have waited longest, when there are so many that new ones would have to wait."""
        channels = list(self._server.active_channels.values())
        # waitress counts its listening socket and its trigger, too.
        excess = len(self._server._map) - int(self._server.adj.connection_limit * _FULL)  # noqa: SLF001 - as above
        if excess <= 0:
            return
        waiting = [(since, channel) for channel in channels if (since := channel.waiting_since(now)) is not None]
        for _, channel in sorted(waiting, key=lambda each: each[0])[:excess]:
            channel.handle_close()

    def _is_answering(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._is_stopping = True
        self._restore()
        self._server.pull_trigger()

    def _restore(self) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        self._replaced.clear()
