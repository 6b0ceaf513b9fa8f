"""A server of the API for tests: an honest memory, and faults by script.

It imports nothing of the package, so that both cannot share a mistake, and ignores ``Idempotency-Key``::

    with ScriptedServer() as server:
        server.script([Rule("POST", r"/append$", lost_answer())])
        ...
        assert len(server.results) == 250

It is reached over real sockets (`listener`), or without any, by requests sessions of this process (`in_process`).
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from support.scripted_server.faults import Fault, ResetByScriptError, Rule
from support.scripted_server.listener import Listener
from support.scripted_server.store import Reply, Store

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    Check = Callable[[str, str, str, bytes | None], None]
    """Takes method, path, query and body of a request; raises `AssertionError` for a bad one."""


@dataclass
class Seen:
    """One request as it arrived; ``status`` is 0 while, or when, it gets no answer."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""
    json: Any = None
    is_applied: bool = False
    status: int = 0

    def take_body(self, body: bytes) -> None:
        """Set the body; one that is no JSON has the value None, and is refused as such."""
        self.body = body
        with suppress(ValueError):
            self.json = json.loads(body) if body else {}


SERVERS_IN_PROCESS: dict[str, ScriptedServer] = {}
"""The servers that are up in this process without a socket, by their origins: for these the name service."""

_NUMBERS = itertools.count(1)


class ScriptedServer:
    """Listens on 127.0.0.1 while its context is open; with ``tls`` for https.

    While the context `in_process` is open instead, it has an address of no network, for sessions on which a
    `support.scripted_adapter.ScriptedAdapter` is mounted.

    ``store`` is its memory, to look at when nothing is under way, or to change (delete a run); ``port`` is the one that
    it listens on, or did. Its clock is ``skew_seconds`` behind. With ``keeps_artifacts`` it is one of the project's
    own, which keeps files, too: by their hash, in ``artifacts``. It announces ``extensions``, as the project's own do,
    unless there are none.
    """

    def __init__(
        self,
        *,
        token: str = "scripted-token",
        tls: ssl.SSLContext | None = None,
        keeps_artifacts: bool = False,
        extensions: str = "",
    ) -> None:
        self.token = token
        self.extensions = extensions
        self.keeps_artifacts = keeps_artifacts
        self.artifacts: dict[str, bytes] = {}
        self.checks: list[Check] = []
        self.violations: list[str] = []
        self.connection_count = 0
        self.is_up = False
        self.skew_seconds = 0.0
        self._tls = tls
        self.store = Store()
        self._rules: list[Rule] = []
        self._log: list[Seen] = []
        self._late: list[tuple[threading.Timer | None, Callable[[], None]]] = []
        self.changed = threading.Condition(threading.RLock())
        self._is_released = False
        self._listener: Listener | None = None
        self.port = 0
        self._host = ""

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self.down()
        for timer, _ in self._late:
            if timer:
                timer.cancel()
                timer.join()
        if kind is None and self.violations:
            raise AssertionError("\n".join(self.violations))

    @contextmanager
    def in_process(self) -> Iterator[Self]:
        """Be up without a socket; each server has a host name of its own."""
        self._host = f"scripted-{next(_NUMBERS)}.test"
        SERVERS_IN_PROCESS[self.address] = self
        try:
            with self:
                yield self
        finally:
            del SERVERS_IN_PROCESS[self.address]

    @property
    def address(self) -> str:
        if self._host:
            return f"http://{self._host}"
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def options(self) -> list[str]:
        return ["--url", self.address, "--project-id", "1"]

    @property
    def open_connections(self) -> int:
        with self.changed:
            return len(self._listener.connections) if self._listener else 0

    @property
    def log(self) -> list[Seen]:
        """The requests so far, in the order of arrival."""
        with self.changed:
            return list(self._log)

    @property
    def results(self) -> list[tuple[int, int, dict[str, Any]]]:
        """Every test that was applied, as (run id, thread id, test): the oracle."""
        with self.changed:
            return list(self.store.results)

    def script(self, rules: Sequence[Rule]) -> None:
        """Add rules; the first whose turn it is decides a request's fate."""
        with self.changed:
            self._rules.extend(rules)

    def forget(self) -> None:
        with self.changed:
            self._rules.clear()

    def release(self) -> None:
        """Apply what is to be applied late, answer what is held, and hold nothing from now on."""
        with self.changed:
            self._is_released = True
            late, self._late = self._late, []
            self.changed.notify_all()
        for timer, apply in late:
            if timer:
                timer.cancel()
                timer.join()
            apply()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return once the condition holds, which is tried after each change; fail after some time."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), f"it did not happen within {seconds} s"

    def up(self) -> None:
        """Answer from now on; a server with sockets listens on the same port as before."""
        if not self._host:
            self._listener = Listener(self, self.port, self._tls)
            self.port = self._listener.port
        self.is_up = True

    def down(self) -> None:
        """Answer no more, end what is held, and reset all connections; the memory stays."""
        with self.changed:
            self.is_up = False
            self.changed.notify_all()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def restart(self, *, tls: ssl.SSLContext | None) -> None:
        """Go on with this encryption, on the same port and with the same memory."""
        self.down()
        self._tls = tls
        self.up()

    # For the listener and the adapter, which carry requests and answers.

    def received(self, method: str, path: str, query: str, headers: dict[str, str]) -> tuple[Seen, Fault]:
        """Note a request, of which the body is still to come, and return it with its fate."""
        seen = Seen(method, path, query, headers)
        with self.changed:
            self._log.append(seen)
            self.changed.notify_all()
            taken = [rule for rule in self._rules if rule.takes(seen.method, seen.path)]
        return seen, taken[0].fault if taken else Fault()

    def respond(self, seen: Seen, fault: Fault) -> Reply:
        """Check a request, whose body was read, do to it what its fate is, and return the whole answer.

        Waits as long as the fault says. Raises `ResetByScriptError` for a connection that is to be reset instead, and
        `ConnectionError` when the server goes down meanwhile.
        """
        self._check(seen)
        reply = Reply(500, {"message": "Server error."})
        if fault.applies == "now":
            reply = self.applied(seen)
        elif fault.applies == "later":
            self._apply_later(seen, fault.late_seconds)
        if fault.holds or fault.delay_seconds:
            self.hold(None if fault.holds else fault.delay_seconds)
        if fault.reset:
            raise ResetByScriptError("reset by script")
        reply = fault.reply or reply
        with self.changed:
            seen.status = reply.status
            self.changed.notify_all()
        return self._complete(reply)

    def _complete(self, reply: Reply) -> Reply:
        """Return an answer with all its headers, without those that it empties, and the bytes of its body."""
        body = reply.raw
        if body is None:
            body = b"" if reply.document is None else json.dumps(reply.document).encode()
        headers = {
            "Date": formatdate(time.time() - self.skew_seconds, usegmt=True),
            "Content-Type": "application/json",
            **reply.headers,
        }
        if self.keeps_artifacts:
            headers["Automation-Report-Artifacts"] = "33554432"
        if self.extensions:
            headers["Automation-Report-Extensions"] = self.extensions
        if reply.status != 204:
            headers.setdefault("Content-Length", str(len(body)))
        return Reply(reply.status, headers={name: value for name, value in headers.items() if value}, raw=body)

    def applied(self, seen: Seen) -> Reply:
        """Apply a request and return the API's answer."""
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"message": "Unauthenticated."})
        if seen.path == "/artifacts" and self.keeps_artifacts:
            return self._kept(seen)
        with self.changed:
            reply = self.store.apply(seen.method, seen.path, seen.query, seen.json)
            seen.is_applied = reply.status < 300
            self.changed.notify_all()
        return reply

    def _kept(self, seen: Seen) -> Reply:
        found, name = sha256(seen.body).hexdigest(), parse_qs(seen.query)["name"][0]
        with self.changed:
            self.artifacts[found] = seen.body
            seen.is_applied = True
            self.changed.notify_all()
        url = f"http+local://store/artifacts/{found}/{quote(name, safe='')}"
        return Reply(201, {"url": url, "name": name, "mime_type": "application/x-told", "size": len(seen.body)})

    def _check(self, seen: Seen) -> None:
        """Let the checks see a request; what they find is kept in ``violations`` and fails the test at the end."""
        body = seen.body if seen.method == "POST" else None
        try:
            for check in self.checks:
                check(seen.method, seen.path, seen.query, body)
        except AssertionError as error:
            with self.changed:
                self.violations.append(f"{seen.method} {seen.path}: {error}")

    def _apply_later(self, seen: Seen, seconds: float | None) -> None:
        """Apply a request after some time or at the release, whichever is first."""
        done = threading.Lock()

        def apply() -> None:
            if done.acquire(blocking=False):  # never twice
                self.applied(seen)

        timer = None if seconds is None else threading.Timer(seconds, apply)
        with self.changed:
            self._late.append((timer, apply))
        if timer:
            timer.start()

    def hold(self, seconds: float | None) -> None:
        """Wait for some time, or for the release; raise `ConnectionError` when the server goes down meanwhile."""
        with self.changed:
            self.changed.wait_for(lambda: not self.is_up or (seconds is None and self._is_released), seconds)
            if not self.is_up:
                raise ConnectionError("the server went down")
