"""Run waitress's loop so that its end cuts no response, and new connections find room."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.http.channels import TimedChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pytest_automation_report.server.http.channels import Deadlines, HeaderCheck

# Longest time for the responses that are under way when the signal comes.
_DRAIN_SECONDS = 10.0
_POLL_SECONDS = 0.05
# Longest time between two checks of the deadlines.
_TURN_SECONDS = 1.0
# Part of it for which no other check follows: with 80 connections a check takes as long as an answer.
_PAUSE = 0.1
# Part of the allowed connections from which on those without a request are closed. At the limit itself waitress
# accepts no more connections, so room is made before.
_FULL = 7 / 8


class Loop:
    """waitress's loop, ended by a flag.

    waitress itself ends its loop by an exception out of a signal handler, which can cut a response in two.
    """

    def __init__(self, server: Any, deadlines: Deadlines, check: HeaderCheck) -> None:  # noqa: ANN401 - waitress has no types
        server.channel_class = TimedChannel
        server.header_check = check
        self._server = server
        self._deadlines = deadlines
        self._turn_seconds = min(_TURN_SECONDS, deadlines.shortest_seconds)
        self._next_check = 0.0
        self._is_stopping = False
        # The handlers that were set before, by signal number.
        self._previous_handlers: dict[int, Any] = {}

    def run(self, announce: Callable[[], None]) -> None:
        """Answer requests until SIGTERM or SIGINT, and then finish those that had begun."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous_handlers[number] = signal.signal(number, self._stop)
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
        if now >= self._next_check:
            self._next_check = now + self._turn_seconds * _PAUSE
            for channel in list(server.active_channels.values()):
                channel.close_if_late(now, self._deadlines)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """Close the connections that have waited longest for a request, if the server is nearly full."""
        # waitress counts its listening socket and its trigger, too.
        excess = len(self._server._map) - int(self._server.adj.connection_limit * _FULL)  # noqa: SLF001 - as above
        if excess <= 0:
            return
        channels = list(self._server.active_channels.values())
        waiting = [(since, channel) for channel in channels if (since := channel.waiting_since(now)) is not None]
        waiting.sort(key=lambda pair: pair[0])
        for _, channel in waiting[:excess]:
            channel.handle_close()

    def _is_answering(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._is_stopping = True
        # At once, so that a second signal ends a server that does not come to its end.
        self._restore()
        self._server.pull_trigger()  # the loop may be waiting for bytes

    def _restore(self) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()
