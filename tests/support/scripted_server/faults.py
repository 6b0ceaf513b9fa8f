"""What the scripted server can be told to do instead of answering well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from support.scripted_server.store import Reply


class ResetByScriptError(ConnectionError):
    """The connection is to be reset, by a fault."""


@dataclass(frozen=True)
class Fault:
    """One way of misbehaving.

    ``applies``: whether the request is applied, and when. ``reply``: what is answered instead of the API's answer.
    ``reset``: the connection is reset before the body is read, or in place of the answer. ``holds``: the answer waits
    for ``server.release()``. ``late_seconds``: when a late request is applied without a release.
    ``cut_bytes``: the answer's body loses its end.
    """

    applies: Literal["now", "no", "later"] = "now"
    reply: Reply | None = None
    reset: Literal["", "before", "after"] = ""
    holds: bool = False
    delay_seconds: float = 0.0
    late_seconds: float | None = None
    byte_seconds: float = 0.0
    cut_bytes: int = 0


@dataclass
class Rule:
    """Applies a fault to matches number ``first`` up to ``first + count - 1`` of a method and path (``None``: all)."""

    method: str
    path: str
    fault: Fault
    first: int = 1
    count: int | None = 1
    seen: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Count a request that matches and return whether the fault is its fate; ``path`` is found anywhere in it."""
        if self.method not in ("*", method) or not re.search(self.path, path):
            return False
        self.seen += 1
        return self.seen >= self.first and (self.count is None or self.seen < self.first + self.count)


def answer(status: int, document: Any = None, headers: dict[str, str] | None = None) -> Fault:  # noqa: ANN401 - any JSON
    """Answer this and apply nothing."""
    return Fault(applies="no", reply=Reply(status, document, headers or {}))


def applied_but(status: int, document: Any = None) -> Fault:  # noqa: ANN401 - any JSON
    """Apply, then answer something else, such as 500."""
    return Fault(reply=Reply(status, {"message": "Server error."} if document is None else document))


def lost_answer() -> Fault:
    """Apply, then reset the connection."""
    return Fault(reset="after")


def reset_before() -> Fault:
    """Reset the connection with the body unread and nothing applied."""
    return Fault(applies="no", reset="before")


def reset_unapplied() -> Fault:
    """Read the whole request, apply nothing, reset the connection."""
    return Fault(applies="no", reset="after")


def late(status: int = 502, seconds: float | None = None) -> Fault:
    """Answer an error at once and apply after ``seconds``, or when ``server.release()`` is called."""
    return Fault(applies="later", late_seconds=seconds, reply=Reply(status, {"message": "Bad gateway."}))


def held() -> Fault:
    """Apply, and answer when ``server.release()`` is called."""
    return Fault(holds=True)


def hang() -> Fault:
    """Apply nothing and answer nothing until ``server.release()`` is called."""
    return Fault(applies="no", holds=True, reset="after")


def delayed(seconds: float) -> Fault:
    """Apply, and answer after some time."""
    return Fault(delay_seconds=seconds)


def slow(byte_seconds: float) -> Fault:
    """Apply, and answer one byte at a time."""
    return Fault(byte_seconds=byte_seconds)


def cut(missing_bytes: int) -> Fault:
    """Apply, and close the connection before the answer's body is complete."""
    return Fault(cut_bytes=missing_bytes)


def html(status: int = 200) -> Fault:
    """Answer a web page, as captive portals and gateways do."""
    page = b"<!doctype html><title>Welcome</title><p>Please sign in."
    return Fault(applies="no", reply=Reply(status, headers={"Content-Type": "text/html"}, raw=page))


def redirect(url: str, status: int = 302) -> Fault:
    """Send the client elsewhere."""
    return Fault(applies="no", reply=Reply(status, headers={"Location": url}, raw=b""))


def throttled(retry_after: str | None = None) -> Fault:
    """Answer 429."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault(applies="no", reply=Reply(429, {"message": "Too Many Attempts."}, headers))
