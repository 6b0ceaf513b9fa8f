"""waitress as this server uses it (floor 2): an end that cuts no answer, deadlines for requests, errors as JSON.

waitress itself ends by an exception in a handler, closes only connections on which nothing moves at all, and writes
its own errors as plain text.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped] # waitress has no types of its own
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped] # as above
from waitress.task import ErrorTask  # type: ignore[import-untyped] # as above

from pytest_automation_report.server.submissions import json_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_DRAIN_SECONDS = 10.0
_POLL_SECONDS = 0.05
_TURN_SECONDS = 1.0
_JSON_HEADERS = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a request may take to arrive, in seconds: its header from the first byte on, then its body."""

    header_seconds: float = 10.0
    body_seconds: float = 30.0


class JsonErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answers what waitress refuses before the application sees it, in the form of all errors."""

    def execute(self) -> None:
        """Write the answer."""
        task: Any = self
        error = task.request.error
        body = json_text({"message": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        task.response_headers.extend(_JSON_HEADERS)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class StrictParser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Refuses a request that says its length in both ways: who reads the other one sees another request behind it."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read a header."""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding were both given")


class TimedChannel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """A connection that knows since when the part of a request that is arriving has been arriving."""

    error_task_class = JsonErrorTask
    parser_class = StrictParser
    _part: tuple[object, bool] = (None, False)
    _since = 0.0

    def received(self, data: bytes) -> bool:
        """Take bytes; a new request and the end of its header each begin another time."""
        is_taken: bool = super().received(data)
        request = self.request
        part = (request, request is not None and request.headers_finished)
        if part != self._part:
            self._part = part
            self._since = time.monotonic()
        return is_taken

    def close_when_late(self, now: float, deadlines: Deadlines) -> None:
        """Close the connection when a request takes too long to arrive; never while an earlier one is answered."""
        request, is_header_there = self._part
        if self.requests:
            self._since = now
        elif request is not None and request is self.request:
            limit = deadlines.body_seconds if is_header_there else deadlines.header_seconds
            if now - self._since > limit:
                self.handle_close()


class Loop:
    """waitress' loop, ended by a flag: its own way, an exception in a handler, can cut an answer in two."""

    def __init__(self, server: Any, deadlines: Deadlines) -> None:  # noqa: ANN401 - waitress has no types
        server.channel_class = TimedChannel
        self._server = server
        self._deadlines = deadlines
        self._turn_seconds = min(_TURN_SECONDS, deadlines.header_seconds, deadlines.body_seconds)
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
