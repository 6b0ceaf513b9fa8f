"""Connections of the server: deadlines, refusals before a body is read, errors as JSON.

waitress itself closes only connections on which nothing moves for a minute, and each one after an answer without a
body; it stores a body before the application sees the header, and writes its own errors as plain text.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from waitress.channel import HTTPChannel  # type: ignore[import-untyped] # waitress has no types of its own
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped] # as above
from waitress.task import ErrorTask, WSGITask  # type: ignore[import-untyped] # as above

from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from waitress.adjustments import Adjustments  # type: ignore[import-untyped] # as above

    HeaderCheck: TypeAlias = Callable[[str | None], ApiError | None]
    """Returns the refusal of a request with a body, by its Authorization header."""

_JSON_HEADERS = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
_GRACE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a connection may wait for its client, in seconds.

    A request's header from its first byte on, then its body; without a request; after a refusal, for a client that
    still sends the body and reads the answer only then.
    """

    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 10.0
    drain_seconds: float = 5.0

    @property
    def shortest_seconds(self) -> float:
        """The shortest of them."""
        return min(self.header_seconds, self.body_seconds, self.idle_seconds, self.drain_seconds)


class JsonErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answers what is refused before the application sees it, in the form of all errors."""

    def execute(self) -> None:
        """Write the answer."""
        task: Any = self
        error = task.request.error
        if isinstance(error, ApiError):
            self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
            message = error.message
            task.response_headers.extend(error.headers.items())
        else:
            self.status = f"{error.code} {error.reason}"
            message = f"{error.reason}: {error.body}"
        body = json_text({"message": message}).encode()
        task.response_headers.extend(_JSON_HEADERS)
        task.channel.is_refused = True
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class KeepingTask(WSGITask):  # type: ignore[misc] # waitress has no types
    """Keeps the connection after an answer that has no body: waitress closes it, since it finds no length."""

    _is_kept = False

    def build_response_header(self) -> bytes:
        """Return the header; of HTTP/1.0 a client knows no end but that of the connection."""
        task: Any = self
        is_closed = task.request.headers.get("CONNECTION", "").lower() == "close"
        self._is_kept = self.version == "1.1" and not (task.has_body or is_closed)
        try:
            header: bytes = super().build_response_header()
        finally:
            self._is_kept = False
        return header

    def set_close_on_finish(self) -> None:
        """Close the connection after the answer, unless only its length is missing."""
        if not self._is_kept:
            super().set_close_on_finish()


class StrictParser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Refuses a request with a body by its header, so that a body without a token is never stored."""

    error: Any = None

    def __init__(self, adj: Adjustments, check: HeaderCheck) -> None:
        super().__init__(adj)
        self._check = check
        self._is_checked = False

    def parse_header(self, header_plus: bytes) -> None:
        """Read a header; refuse one with two lengths: a server that reads the other one sees another request."""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding were both given")

    def received(self, data: bytes) -> int:
        """Take bytes and return how many were used; the end of the header ends a refused request."""
        used: int = super().received(data)
        if self.headers_finished and not self._is_checked:
            self._is_checked = True
            if self.error is None and self.body_rcv is not None:
                self.error = self._check(self.headers.get("AUTHORIZATION"))
            if self.error is not None:
                self.completed = True
                self.expect_continue = False
        return used


class TimedChannel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """A connection that knows since when it has been waiting for its client."""

    task_class = KeepingTask
    error_task_class = JsonErrorTask
    is_refused = False
    close_when_flushed = False
    server: Any  # waitress's own server, of which it declares less than it has
    socket: Any  # None only before a connection is there
    _part: tuple[object, bool] = (None, False)
    _is_draining = False

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - waitress has no types
        super().__init__(*args, **options)
        self._since = time.monotonic()

    # waitress calls it as it would the class that it expects here
    def parser_class(self, adj: Adjustments) -> StrictParser:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the parser of the next request."""
        return StrictParser(adj, self.server.header_check)

    def received(self, data: bytes) -> bool:
        """Take bytes; a new request and the end of its header each begin another time."""
        if self.is_refused:
            return False
        is_taken: bool = super().received(data)
        request = self.request
        part = (request, request is not None and request.headers_finished)
        if part != self._part:
            self._part = part
            self._since = time.monotonic()
        return is_taken

    def handle_write(self) -> None:
        """Send what is there; after a refusal go on reading, since a client that still sends reads no answer.

        Closing would reset the connection under its hands: it would see an error of the network, and come again.
        """
        if not (self.is_refused and self.close_when_flushed):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)  # pyright: ignore[reportAttributeAccessIssue] # not declared by waitress
        if self.will_close:
            self.handle_close()
        elif not self.total_outbufs_len:
            self.close_when_flushed = False
            self._is_draining, self._since = True, time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client has gone
                self.handle_close()

    def close_when_late(self, now: float, deadlines: Deadlines) -> None:
        """Close the connection when its client takes too long; never while a request is answered."""
        if self._is_answering:
            self._since = now
        elif now - self._since > self._limit_seconds(deadlines):
            self.handle_close()

    def waiting_since(self, now: float) -> float | None:
        """Return since when there has been no request with a whole header; None if there is one, or for a moment."""
        is_waiting = self.request is None or not self.request.headers_finished
        return self._since if is_waiting and not self._is_answering and now - self._since > _GRACE_SECONDS else None

    @property
    def _is_answering(self) -> bool:
        return bool(self.requests or self.total_outbufs_len)

    def _limit_seconds(self, deadlines: Deadlines) -> float:
        if self._is_draining:
            return deadlines.drain_seconds
        if self.request is None:
            return deadlines.idle_seconds
        return deadlines.body_seconds if self.request.headers_finished else deadlines.header_seconds
