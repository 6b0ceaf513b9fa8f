"""A network between a sender and a server's memory, in this process, that does what real ones do to requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response

from support.scripted_adapter import response_to
from support.scripted_server.store import Reply, Store

Fate: TypeAlias = Literal[
    "lost", "applied-lost", "applied-500", "500", "429", "late", "slow-commit", "part-500", "part-422", "kill-before",
    "kill-after",
]  # fmt: skip
FATES: tuple[Fate, ...] = (
    "lost", "applied-lost", "applied-500", "500", "429", "late", "slow-commit", "part-500", "part-422", "kill-before",
    "kill-after",
)  # fmt: skip

COMMIT_SECONDS = 1.9
"""How long a server may take to commit a request that it had before its thread was completed."""


class Killed(BaseException):
    """The sender was killed while this request was under way."""


@dataclass
class Copy:
    """A request that arrives later; ``due`` is ``None`` until the network lets go of it, or when it is committed."""

    path: str
    document: object
    due: float | None
    is_let_in: bool


@dataclass
class Network(BaseAdapter):
    """Gives each POST of the sender its fate, in turn; what has none is delivered.

    ``append_fates`` are those of appends with tests alone.
    """

    store: Store
    clock: Callable[[], float]
    fates: list[Fate] = field(default_factory=list)
    append_fates: list[Fate] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)

    def send(self, request: PreparedRequest, **_: object) -> Response:  # type: ignore[override]
        """Deliver a request, or do something else with it."""
        self.commit()
        parts = urlsplit(request.url or "")
        body = request.body if isinstance(request.body, bytes) else b""
        document = json.loads(body) if body else {}
        method = request.method or "GET"
        fates = self.append_fates if "tests" in document and self.append_fates else self.fates
        fate = fates.pop(0) if method == "POST" and fates else None
        if fate is None:
            return response_to(request, self.store.apply(method, parts.path, parts.query, document))
        return self._met(fate, request, parts.path, document)

    def close(self) -> None:
        """Keep the server's memory: the session of one life ends, the network does not."""

    def let_go(self) -> None:
        """Let late copies arrive now."""
        for each in self.copies:
            each.due = self.clock() if each.due is None else each.due
        self.commit()

    def _met(self, fate: Fate, request: PreparedRequest, path: str, document: dict[str, object]) -> Response:
        if fate == "429":
            return response_to(request, Reply(429, {"message": "Too Many Attempts."}))
        if fate == "kill-before":
            raise Killed
        if fate in ("late", "slow-commit"):
            is_let_in = fate == "slow-commit"
            self.copies.append(Copy(path, document, self.clock() + COMMIT_SECONDS if is_let_in else None, is_let_in))
        elif fate.startswith("part") and "tests" in document:
            tests = document["tests"]
            assert isinstance(tests, list)
            self.store.apply("POST", path, "", {**document, "tests": tests[: len(tests) // 2]})
        elif fate in ("applied-lost", "applied-500", "kill-after"):
            self.store.apply("POST", path, "", document)
        if fate == "kill-after":
            raise Killed
        if fate in ("lost", "applied-lost", "late", "slow-commit"):
            raise requests.ConnectionError("the answer was lost")
        tests = document.get("tests", ())
        # One result alone that is refused again and again is set aside: that would be no loss of the sender's.
        status = 422 if fate == "part-422" and isinstance(tests, list) and len(tests) > 1 else 500
        return response_to(request, Reply(status, {"message": "It did not work."}))

    def commit(self) -> None:
        """Apply what is due; a copy that commits slowly was let in before its thread was completed."""
        now = self.clock()
        for each in [copy for copy in self.copies if copy.due is not None and copy.due <= now]:
            self.copies.remove(each)
            threads = [thread for thread in self.store.threads.values() if f"/threads/{thread.id}/" in each.path]
            completed = [thread.is_completed for thread in threads]
            for thread in threads if each.is_let_in else ():
                thread.is_completed = False
            self.store.apply("POST", each.path, "", each.document)
            for thread, was_completed in zip(threads, completed, strict=True):
                thread.is_completed = thread.is_completed or was_completed
