"""How many requests a minute the server answers; there is one token, so there is one count.

What every request passes before its address is looked at.
"""

from __future__ import annotations

import hmac
import math
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import falcon

from pytest_automation_report.api.artifacts import KEEPS_HEADER
from pytest_automation_report.server.http.hosts import is_answered
from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES, MAX_TOTAL_BYTES
from pytest_automation_report.server.store.errors import ApiError, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Token

_WINDOW_SECONDS = 60.0


class RateLimit:
    """Lets so many requests through in each minute, which begins with its first request; safe in several threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = -math.inf
        self._amount = 0

    def wait_seconds(self) -> int:
        """Count a request that may be answered and return 0, or return after how many whole seconds it may be."""
        with self._lock:
            now = self._clock()
            if now - self._begun >= _WINDOW_SECONDS:
                self._begun, self._amount = now, 0
            if self._amount >= self._per_minute:
                return math.ceil(self._begun + _WINDOW_SECONDS - now)
            self._amount += 1
            return 0


HEALTH = "/healthz"
"""The address that tells anybody whether the server answers, and nothing else."""

_METHODS = ("GET", "POST")
_OWN_SITES = ("same-origin", "none")
_is_idempotency_key = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answered request, as it may be shown: without query, and without the token wherever it was put."""

    method: str
    path: str
    status: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What is asked of requests beyond the contract.

    ``hosts`` are answered for besides this machine's own names, ``None``: all; ``observe`` is told of every answer;
    ``max_artifact_bytes`` is how much the artifacts that the store keeps may have together.
    """

    are_references_strict: bool = False
    requests_per_minute: int | None = None
    hosts: frozenset[str] | None = None
    observe: Callable[[Exchange], None] | None = None
    max_artifact_bytes: int = MAX_TOTAL_BYTES


@dataclass(frozen=True, slots=True)
class Extension:
    """More addresses, each with its resource.

    ``admits`` says which requests for them need no token in a header, ``finish`` has the last word on every answer.
    ``answer_link`` answers a click on a link of another site and returns True, or returns False for it to be refused.
    """

    routes: Sequence[tuple[str, object]]
    admits: Callable[[falcon.Request], bool]
    finish: Callable[[falcon.Request, falcon.Response], None] | None = None
    answer_link: Callable[[falcon.Request, falcon.Response], bool] | None = None


class RequestGuard:
    """Refuses what comes from elsewhere, what has no token, what is too much and what has no such method."""

    def __init__(self, token: Token, rules: ServerOptions, extension: Extension | None = None) -> None:
        self._token = TokenCheck(token)
        self._hosts = rules.hosts
        self._extension = extension
        self._limit = None if rules.requests_per_minute is None else RateLimit(rules.requests_per_minute)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse a request, or show that files are kept and idempotency keys are known here."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if req.path == HEALTH:
            return
        self._check_host(req)
        if req.get_header("Sec-Fetch-Site", default="none") not in _OWN_SITES:
            self._answer_other_site(req, resp)
            return
        if self._extension is None or not self._extension.admits(req):
            refusal = self._token.refusal(req.auth)
            if refusal is not None:
                raise refusal
        resp.set_header(KEEPS_HEADER, str(MAX_CONTENT_BYTES))
        wait = self._limit.wait_seconds() if self._limit is not None else 0
        if wait:
            raise ApiError(429, "Too many requests in this minute.", headers={"Retry-After": str(wait)})
        key = req.get_header("Idempotency-Key")
        if key is None or (req.method != "POST" and not _is_idempotency_key(key)):
            return
        if not _is_idempotency_key(key):
            raise validation_error({"Idempotency-Key": ["Must be 1 to 255 visible ASCII characters."]})
        if req.method == "POST":
            req.context["idempotency_key"] = key
        resp.set_header("Idempotency-Key", key)

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        params: Mapping[str, Any],
    ) -> None:
        """Refuse every method that the address does not have, those that falcon would answer itself included."""
        del resp, params
        allowed = [method for method in _METHODS if hasattr(resource, f"on_{method.lower()}")]
        if req.method not in allowed:
            raise falcon.HTTPMethodNotAllowed(allowed)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001 - the signature is falcon's
    ) -> None:
        """Let the extension finish the answer."""
        del resource, req_succeeded
        if self._extension is not None and self._extension.finish is not None:
            self._extension.finish(req, resp)

    def _check_host(self, req: falcon.Request) -> None:
        """Refuse what a browser sends for a page of another site whose name leads to this machine."""
        if self._hosts is not None and not is_answered(req.get_header("Host"), self._hosts):
            raise ApiError(403, "This server does not answer for this host; serve it with --allow-host NAME.")

    def _answer_other_site(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse what a browser sends for a page of another site; a click on a link there may be answered."""
        answer_link = None if self._extension is None else self._extension.answer_link
        if answer_link is None or not _is_click(req) or not answer_link(req, resp):
            raise ApiError(403, "This server does not answer requests of other sites.")
        resp.complete = True


def _is_click(req: falcon.Request) -> bool:
    """Whether a browser wants to show the answer in a window of its own; frames and scripts say something else."""
    mode, target = req.get_header("Sec-Fetch-Mode"), req.get_header("Sec-Fetch-Dest")
    return req.method == "GET" and mode == "navigate" and target == "document"


class TokenCheck:
    """Whether an Authorization header has the server's token; the token is compared in constant time."""

    def __init__(self, token: Token) -> None:
        self._token = token.value.encode("utf-8", "surrogatepass")

    def refusal(self, authorization: str | None) -> ApiError | None:
        """Return the refusal (401) of a request with this header; None if it has the token."""
        scheme, _, value = (authorization or "").partition(" ")
        given = value.strip().encode("latin-1", "replace")
        if scheme.lower() == "bearer" and hmac.compare_digest(given, self._token):
            return None
        headers = {"WWW-Authenticate": "Bearer"}
        return ApiError(401, "Send the token of this server: Authorization: Bearer TOKEN.", headers=headers)


class AccessLog:
    """Tells of every answer, refused or not, with the time that it took."""

    def __init__(self, token: Token, observe: Callable[[Exchange], None]) -> None:
        self._token = token.value
        self._observe = observe

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note when it came."""
        del resp
        req.context["begun"] = time.perf_counter()

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001 - the signature is falcon's
    ) -> None:
        """Tell of it."""
        del resource, req_succeeded
        begun: Any = req.context["begun"]
        milliseconds = (time.perf_counter() - begun) * 1000
        path = req.path.replace(self._token, "***")
        self._observe(Exchange(req.method, path, resp.status_code, milliseconds))
