"""Decide what the bearer of a token may do, and tell when requests with wrong tokens begin and end.

The server's own token may do all. The others are in the store, and are read again after a few seconds, so that another
process can create and revoke them.
"""

from __future__ import annotations

import hmac
import logging
import math
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import ARTIFACTS_PATH
from pytest_automation_report.server.store.tokens import PREFIX, Grant, grants, hash_of, is_of_project
from pytest_automation_report.server.store.values import ApiError, UnreachableError
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import falcon

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.store.store import Store

_logger = logging.getLogger(__name__)

METRICS: Final = "/metrics"  # path of the numbers for Prometheus
_OWN: Final = Grant("the server's token", "admin")
_FRESH_SECONDS: Final = 5.0  # how long a token is accepted after it was revoked
_PAUSE_SECONDS: Final = 3.0  # after an unanswered question to the database, which takes as long
_QUIET_SECONDS: Final = 60.0  # without a refused request, until they count as over
_find_token = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}").sub
# What a path is about, by its beginning.
_KINDS: Final[Mapping[str, str]] = {
    "/api/v1/projects/": "project",
    "/api/v1/automation/runs/threads/": "thread",
    "/api/v1/automation/runs/": "run",
    "/api/v1/automation/sources/": "source",
    f"{ARTIFACTS_PATH}/": "artifact",
}


class Tokens:
    """The tokens that a server accepts; safe in several threads. ``clock`` returns seconds."""

    def __init__(self, store: Store, own: Token, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._own = own.value
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, Grant] = {}
        self._read_at = self._failed_at = -math.inf
        self.refused = 0  # requests, in all
        # Of these, those that were refused since such requests began to come, and when the last one was.
        self._refused_lately, self._refused_at = 0, -math.inf

    def grant(self, authorization: str | None, address: str, *, max_age: float = _FRESH_SECONDS) -> Grant:
        """Return what the token of an Authorization header may do; raises `ApiError` (401) for no or a wrong one."""
        scheme, _, value = (authorization or "").partition(" ")
        sent = value.strip()
        if scheme.lower() == "bearer":
            own = self._own.encode("utf-8", "surrogatepass")
            if hmac.compare_digest(sent.encode("latin-1", "replace"), own):
                return _OWN
            if sent.startswith(PREFIX) and (grant := self._named(hash_of(sent), max_age)) is not None:
                return grant
        with self._lock:
            self.refused += 1
            self._refused_lately += 1
            self._refused_at = self._clock()
            is_first = self._refused_lately == 1
        if is_first:
            message = "%s: a wrong token or none; a line tells how many were refused, after a minute without one"
            _logger.info(message, address)
        headers = {"WWW-Authenticate": "Bearer"}
        raise ApiError(401, "Send a token of this server: Authorization: Bearer TOKEN.", headers=headers)

    def refusal(self, authorization: str | None, address: str) -> ApiError | None:
        """Return the refusal of a request before its body is read; None for a token that is known, if only of late."""
        # The thread of all connections calls this: it asks the database for unknown tokens alone.
        try:
            self.grant(authorization, address, max_age=math.inf)
        except ApiError as error:
            return error
        return None

    def check(self, grant: Grant, req: falcon.Request, params: Mapping[str, Any]) -> None:
        """Raise `ApiError` (403, 404) for a request that a token may not make."""
        if grant.role == "read" and req.method != "GET":
            raise ApiError(403, f"The token {grant.name!r} may only read.")
        if grant.role == "report" and req.path == METRICS:
            raise ApiError(403, f"The token {grant.name!r} may not read the metrics: its role is report.")
        if grant.project is None or req.path in (METRICS, ARTIFACTS_PATH):
            return
        kind = next((kind for start, kind in _KINDS.items() if req.path.startswith(start)), "")
        record = params.get("record_id") or params.get("content_hash") or 0
        if kind in ("", "project"):
            if record != grant.project or not kind:
                raise ApiError(403, f"The token {grant.name} is for project {grant.project} alone.")
        elif not self._store.look(lambda connection: is_of_project(connection, kind, record, grant.project or 0)):
            # As for an id that does not exist: what other projects have is nobody's business.
            raise ApiError(404, f"There is no {kind} with this id in project {grant.project}, which the token is for.")

    def hidden(self, text: str) -> str:
        """Return a text for the log without tokens."""
        return _find_token("***", text.replace(self._own, "***"))

    def notice_quiet(self) -> None:
        """Log the end of refused requests, once there was none for a minute."""
        with self._lock:
            refused, is_over = self._refused_lately, self._clock() - self._refused_at > _QUIET_SECONDS
            if is_over:
                self._refused_lately = 0
        if refused and is_over:
            _logger.info("no wrong token for a minute; refused before: %s", quantity(refused, "request"))

    def _named(self, digest: str, max_age: float) -> Grant | None:
        grant, now = self._known.get(digest), self._clock()
        if grant is not None and now - self._read_at <= max_age:
            return grant
        if now - self._failed_at < _PAUSE_SECONDS:
            raise UnreachableError
        try:
            found = self._store.look(grants)
        except ApiError:
            self._failed_at = self._clock()
            raise
        with self._lock:
            before, is_first = self._known, self._read_at == -math.inf
            self._known, self._read_at = found, now
        # What happened while nobody used a named token is told with the next one.
        if not is_first and before.keys() != found.keys():
            for changed in found.keys() - before.keys():
                _logger.info("token %s is new: %s", found[changed].name, found[changed].scope)
            for changed in before.keys() - found.keys():
                _logger.info("token %s is revoked", before[changed].name)
        return found.get(digest)
