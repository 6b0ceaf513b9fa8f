"""Check each request before it is answered: the Host header, what its token may do, the limits of requests.

A foreign site can let its own name resolve to this machine (DNS rebinding): then a browser sends that site's requests
here, and lets the site read the responses. Their Host header has the site's name, so only names that are known to be
ours are answered.

The server's own token may do all. The others are in the store, which has only their hashes. They are read again after
a few seconds, so that another process can create and revoke them.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import math
import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import falcon
from msgspec import Struct

from pytest_automation_report.api.models import ARTIFACTS_PATH, EXTENSIONS, EXTENSIONS_HEADER, KEEPS_HEADER, ROLE_HEADER
from pytest_automation_report.errors import SettingError
from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES, MAX_TOTAL_BYTES
from pytest_automation_report.server.store.maintenance import PREFIX, Grant, grants, hash_of, is_of_project
from pytest_automation_report.server.store.values import ApiError, unreachable, validation_error
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.store.store import Store

    Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

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
        elif not self._store.read(lambda connection: is_of_project(connection, kind, record, grant.project or 0)):
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
            raise unreachable()
        try:
            found = self._store.read(grants)
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


_header = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?").fullmatch
_name = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?").fullmatch


def listening_address(host: str, *, is_remote_allowed: bool) -> Address:
    """Return the address to listen on; raises `SettingError` for a name, or an address that is not allowed."""
    address = _literal("127.0.0.1" if host == "localhost" else host)
    if address is None or not (address.is_loopback or is_remote_allowed):
        hint = "use an address of this machine alone: 127.0.0.1, ::1 or localhost"
        raise SettingError("--host", host, f"{hint}; others need --allow-remote and must be an IP address")
    return address


def answered_hosts(address: Address, names: Iterable[str]) -> frozenset[str]:
    """Return the hosts to answer for besides this machine's own names; raises `SettingError` for a wrong name."""
    # An address such as 0.0.0.0, which stands for all, is no host of a request.
    hosts = set() if address.is_unspecified else {str(address)}
    for name in names:
        host = _normalized(name)
        if _literal(host) is None and not _name(host):
            raise SettingError("--allow-host", name, "use the name or address of a host, without a port")
        hosts.add(host)
    return frozenset(hosts)


def is_answered(header: str | None, hosts: frozenset[str]) -> bool:
    """Return whether a Host header names this machine by a loopback address, as localhost, or by a listed host."""
    match = _header(header or "")
    if match is None:
        return False
    host = _normalized(match["host"])
    address = _literal(host)
    return host == "localhost" or host in hosts or (address is not None and address.is_loopback)


def _normalized(host: str) -> str:
    address = _literal(host)
    return str(address) if address is not None else host.lower().removesuffix(".")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


_WINDOW_SECONDS = 60.0
# How many times as many requests an address may send without the token: a page loads files, and asks for news.
_WITHOUT_TOKEN = 10


class RateLimit:
    """Allow N requests a minute, which begins with its first request; safe in several threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._minute_began = -math.inf
        self._counts = Counter[str]()

    def wait_seconds(self, sender: str = "") -> int:
        """Count a request of a sender, "" for all, if it is allowed, and return 0; else the seconds to wait."""
        with self._lock:
            now = self._clock()
            if now - self._minute_began >= _WINDOW_SECONDS:
                self._minute_began = now
                self._counts.clear()
            if self._counts[sender] >= self._per_minute:
                return math.ceil(self._minute_began + _WINDOW_SECONDS - now)
            self._counts[sender] += 1
            return 0


OPENING = "/open/"  # path below which a code opens the pages: the log of requests hides the code
HEALTH = "/healthz"  # path of the health check: the process answers
READY = "/readyz"  # path of the check that the database answers, too
PROBES = frozenset({HEALTH, READY})  # they need no token and no known host, since load balancers have neither
_EXTENSIONS = ", ".join(EXTENSIONS)
_METHODS = ("GET", "POST")
_OWN_SITES = ("same-origin", "none")
_find_code = re.compile(f"({OPENING}+).+")
_is_idempotency_key = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


class ServerOptions(Struct, frozen=True):
    """Settings of the application."""

    requests_per_minute: int | None = None
    hosts: frozenset[str] | None = None  # answered besides this machine's own names; None answers all
    are_metrics_public: bool = False  # answered without a token
    max_artifact_bytes: int = MAX_TOTAL_BYTES  # of all stored artifacts together
    on_run_completed: Callable[[int], None] = lambda _: None  # called before the response: it must return at once


class Extension(Struct, frozen=True):
    """Additional routes: pairs of a URL template and its resource, and what guards them."""

    routes: Sequence[tuple[str, object]] = ()
    # Returns whether a request needs no token, and raises `ApiError` to refuse it.
    authorize: Callable[[falcon.Request], bool] = lambda _: False
    finish: Callable[[falcon.Request, falcon.Response], None] = lambda _, __: None  # may change every response
    # Answers a click on a link of another site and returns True; False refuses it.
    answer_link: Callable[[falcon.Request, falcon.Response], bool] = lambda _, __: False


class RequestGuard:
    """Refuse requests of other sites, without the token, above the rate limit, or with an unknown method."""

    def __init__(self, tokens: Tokens, options: ServerOptions, extension: Extension) -> None:
        self._tokens = tokens
        self._public_path = METRICS if options.are_metrics_public else None
        self._hosts = options.hosts
        self._extension = extension
        per_minute = options.requests_per_minute
        self._clients = None if per_minute is None else RateLimit(per_minute)
        self._visitors = None if per_minute is None else RateLimit(_WITHOUT_TOKEN * per_minute)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Check a request, and set the headers by which clients recognise this server; raises `ApiError`."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if req.path in PROBES:
            return
        is_public = req.path == self._public_path
        if self._hosts is not None and not is_public and not is_answered(req.get_header("Host"), self._hosts):
            raise ApiError(403, "This server does not answer for this host; serve it with --allow-host NAME.")
        if req.get_header("Sec-Fetch-Site", default="none") not in _OWN_SITES:
            self._answer_other_site(req, resp)
            return
        is_visitor = is_public or self._extension.authorize(req)
        if not is_visitor:
            grant = self._tokens.grant(req.auth, req.remote_addr)
            req.context["grant"] = grant
            resp.set_header(ROLE_HEADER, grant.role)
        resp.set_header(KEEPS_HEADER, str(MAX_CONTENT_BYTES))
        resp.set_header(EXTENSIONS_HEADER, _EXTENSIONS)
        limit = self._visitors if is_visitor else self._clients
        wait_seconds = 0 if limit is None else limit.wait_seconds(req.remote_addr if is_visitor else "")
        if wait_seconds:
            raise ApiError(429, "Too many requests in this minute.", headers={"Retry-After": str(wait_seconds)})
        key = req.get_header("Idempotency-Key")
        if key is not None and _is_idempotency_key(key):
            req.context["idempotency_key"] = key
            # Clients know by it that the key was honoured.
            resp.set_header("Idempotency-Key", key)
        elif key is not None and req.method == "POST":  # other requests need no key
            raise validation_error({"Idempotency-Key": ["Must be 1 to 255 visible ASCII characters."]})

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: Mapping[str, Any]
    ) -> None:
        """Refuse what the token may not do, and methods that the resource lacks: falcon would answer OPTIONS itself."""
        del resp
        allowed = [method for method in _METHODS if hasattr(resource, f"on_{method.lower()}")]
        if req.method not in allowed:
            raise falcon.HTTPMethodNotAllowed(allowed)
        grant: Any = req.context.get("grant")
        if grant is not None:
            self._tokens.check(grant, req, params)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001 - the signature is falcon's
    ) -> None:
        """Let the extension finish the response."""
        del resource, req_succeeded
        self._extension.finish(req, resp)

    def _answer_other_site(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse a request that a browser sends for a page of another site; a click there may be answered."""
        mode, target = req.get_header("Sec-Fetch-Mode"), req.get_header("Sec-Fetch-Dest")
        # For frames and scripts a browser sends other headers.
        is_click = req.method == "GET" and mode == "navigate" and target == "document"
        if not is_click or not self._extension.answer_link(req, resp):
            raise ApiError(403, "This server does not answer requests of other sites.")
        resp.complete = True


def without_code(path: str) -> str:
    """Return the path of a request for a log: whoever has the code of a link is let in."""
    return _find_code.sub(r"\1***", path)
