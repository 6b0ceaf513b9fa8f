"""Check each request before it is answered: the Host header, what its token may do, the limits of requests.

A foreign site can let its own name resolve to this machine (DNS rebinding): then a browser sends that site's requests
here, and lets the site read the responses. Their Host header has the site's name, so only names that are known to be
ours are answered.

The server's own token may do all. The others are in the store, which has only their hashes. They are read again after
a few seconds, so that another process can create and revoke them. Here the server's secrets are read or created, too.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import math
import os
import re
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

import falcon
from msgspec import Struct

from pytest_automation_report.api.models import (
    ARTIFACTS_PATH,
    EXTENSIONS,
    EXTENSIONS_HEADER,
    KEEPS_HEADER,
    ROLE_HEADER,
    Token,
)
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES, MAX_TOTAL_BYTES
from pytest_automation_report.server.store.store import make_state_folder
from pytest_automation_report.server.store.tokens import PREFIX, Grant, grants, hash_of, is_of_project, shared_secret
from pytest_automation_report.server.store.values import ApiError, unreachable, validation_error
from pytest_automation_report.system.console import publish
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import open_file, read_file
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.server.store.store import Store

    Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
    Networks: TypeAlias = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

_logger = logging.getLogger(__name__)

METRICS: Final = "/metrics"  # path of the numbers for Prometheus
_OWN: Final = Grant("the server's token", "admin")
_FRESH_SECONDS: Final = 5.0  # how long a token is accepted after it was revoked
_PAUSE_SECONDS: Final = 3.0  # after an unanswered question to the database, which takes as long
_QUIET_SECONDS: Final = 60.0  # without a refused request, until they count as over
OPENING = "/open/"  # path below which a code opens the pages
_find_code = re.compile(f"({OPENING}+).+", re.DOTALL).sub
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
        # The first question for the durations of a run decides how all of its jobs cut their tests.
        is_change = req.method != "GET" or (req.path.endswith("/automation/durations") and req.get_param("run"))
        if grant.role == "read" and is_change:
            raise ApiError(403, f"The token {grant.name!r} may only read.")
        # The metrics are of all projects.
        if req.path == METRICS and (grant.role == "report" or grant.project is not None):
            raise ApiError(403, f"The token {grant.name!r} may not read the metrics: it is for {grant.scope}.")
        if grant.project is None or req.path == ARTIFACTS_PATH:
            return
        kind = next((kind for start, kind in _KINDS.items() if req.path.startswith(start)), "")
        record = params.get("record_id") or params.get("content_hash") or 0
        if kind in ("", "project"):
            if record != grant.project or not kind:
                raise ApiError(403, f"The token {grant.name} is for project {grant.project} alone.")
        elif not self._store.read(partial(is_of_project, kind, record, grant.project), is_single=True):
            # As for an id that does not exist: what other projects have is nobody's business.
            raise ApiError(404, f"There is no {kind} with this id in project {grant.project}, which the token is for.")

    def shown(self, path: str) -> str:
        """Return the path of a request for the log: in one line, without tokens, and without codes of links."""
        hidden = _find_code(r"\1***", path).replace(self._own, "***")
        return quote(_find_token("***", hidden), safe="/*")

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
            found = self._store.read(grants, is_single=True)
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


def is_within(text: str, networks: Networks) -> bool:
    """Return whether an address, as a connection has it, is in one of these networks."""
    address = _literal(text.partition("%")[0])
    # A socket for IPv6 and IPv4 shows an IPv4 address in a form of IPv6.
    address = getattr(address, "ipv4_mapped", None) or address
    return address is not None and any(address in network for network in networks)


def client_address(peer: str, forwarded: str, proxies: Networks) -> str:
    """Return the address of a client: that of the connection, or what our proxies say in X-Forwarded-For.

    Each proxy appends whom it has the request from, so what stands before the first that is none of ours can be made
    up: with ``192.0.2.9, 198.51.100.7`` from the proxy, the client is 198.51.100.7.
    """
    for hop in map(str.strip, reversed(forwarded.split(","))):
        if not is_within(peer, proxies) or _literal(hop) is None:
            break
        peer = hop
    return peer


_WINDOW_SECONDS = 60.0
# How many times as many requests an address may send without the token: a page loads files, and asks for news.
_WITHOUT_TOKEN = 10


class RateLimit:
    """Allow N requests a minute, which begins with its first request; safe in several threads."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
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


HEALTH = "/healthz"  # path of the health check: the process answers
READY = "/readyz"  # path of the check that the database answers, too
PROBES = frozenset({HEALTH, READY})  # they need no token and no known host, since load balancers have neither
_EXTENSIONS = ", ".join(EXTENSIONS)
_METHODS = ("GET", "POST")
_OWN_SITES = ("same-origin", "none")
_is_idempotency_key = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


class ExtraRoutes(Struct, frozen=True):
    """Additional routes: pairs of a URL template and its resource, and what guards them."""

    routes: Sequence[tuple[str, object]] = ()
    # Returns whether a request needs no token, and raises `ApiError` to refuse it.
    authorize: Callable[[falcon.Request], bool] = lambda _: False
    finish: Callable[[falcon.Request, falcon.Response], None] = lambda _, __: None  # may change every response
    # Answers a click on a link of another site and returns True; False refuses it.
    answer_link: Callable[[falcon.Request, falcon.Response], bool] = lambda _, __: False


class ServerOptions(Struct, frozen=True):
    """Settings of the application."""

    requests_per_minute: int | None = None
    hosts: frozenset[str] | None = None  # answered besides this machine's own names; None answers all
    are_metrics_public: bool = False  # answered without a token
    max_artifact_bytes: int = MAX_TOTAL_BYTES  # of all stored artifacts together
    on_run_completed: Callable[[int], None] = lambda _: None  # called before the response: it must return at once
    extension: ExtraRoutes = ExtraRoutes()  # the pages
    proxies: Networks = ()  # whose X-Forwarded-For counts


class RequestGuard:
    """Refuse requests of other sites, without the token, above the rate limit, or with an unknown method."""

    def __init__(self, tokens: Tokens, options: ServerOptions) -> None:
        self._tokens = tokens
        self._options = options
        per_minute = options.requests_per_minute or math.inf
        self._clients, self._visitors = RateLimit(per_minute), RateLimit(_WITHOUT_TOKEN * per_minute)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Check a request, and set the headers by which clients recognise this server; raises `ApiError`."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        forwarded = req.get_header("X-Forwarded-For", default="")
        address = req.context["address"] = client_address(req.remote_addr, forwarded, self._options.proxies)
        if req.path in PROBES:
            return
        is_public, hosts = req.path == METRICS and self._options.are_metrics_public, self._options.hosts
        if hosts is not None and not is_public and not is_answered(req.get_header("Host"), hosts):
            raise ApiError(403, "This server does not answer for this host; serve it with --allow-host NAME.")
        if req.get_header("Sec-Fetch-Site", default="none") not in _OWN_SITES:
            self._answer_other_site(req, resp)
            return
        is_visitor = is_public or self._options.extension.authorize(req)
        if not is_visitor:
            try:
                grant = self._tokens.grant(req.auth, address)
            except ApiError as error:
                # Without the database the metrics still say so, to a token that was valid when it was there.
                if error.kind != "database" or req.path != METRICS:
                    raise
                grant = self._tokens.grant(req.auth, address, max_age=math.inf)
            req.context["grant"] = grant
            resp.set_header(ROLE_HEADER, grant.role)
        resp.set_header(KEEPS_HEADER, str(MAX_CONTENT_BYTES))
        resp.set_header(EXTENSIONS_HEADER, _EXTENSIONS)
        limit = self._visitors if is_visitor else self._clients
        if wait_seconds := limit.wait_seconds(address if is_visitor else ""):
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
        self._options.extension.finish(req, resp)

    def _answer_other_site(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse a request that a browser sends for a page of another site; a click there may be answered."""
        mode, target = req.get_header("Sec-Fetch-Mode"), req.get_header("Sec-Fetch-Dest")
        # For frames and scripts a browser sends other headers.
        is_click = req.method == "GET" and mode == "navigate" and target == "document"
        if not is_click or not self._options.extension.answer_link(req, resp):
            raise ApiError(403, "This server does not answer requests of other sites.")
        resp.complete = True


TOKEN_VARIABLE = "AUTOMATION_REPORT_SERVER_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable that holds the server's token."""

CODE_VARIABLE = "AUTOMATION_REPORT_PAGES_TOKEN"
"""The environment variable that holds the code of the link for a team."""

_TOKEN_LENGTH: Final = 16  # minimum length of a server's token; a shorter one can be guessed
_TOKEN_BYTES: Final = 4096  # maximum size of a file with a secret
# Permissions of the group and of all other users.
_OTHERS_MODE: Final = 0o077
_is_token = re.compile(rf"[\x21-\x7e]{{{_TOKEN_LENGTH},}}").fullmatch
_is_code = re.compile(rf"[A-Za-z0-9_-]{{{_TOKEN_LENGTH},200}}").fullmatch
_CODE_FORM = f"{_TOKEN_LENGTH} to 200 letters, digits, - and _, such as openssl rand -hex 24 makes"
_TOKEN_FORM = f"at least {_TOKEN_LENGTH} visible ASCII characters without spaces, such as openssl rand -hex 24 makes"

_PASSES = "pages"


def server_token(environ: Mapping[str, str], database: Path, token_file: Path | None) -> Token:
    """Return the server's token, of the environment or a file; raises `SettingError` or `StoreError` without one."""
    given = _given(environ, TOKEN_VARIABLE, "--token-file", token_file, _is_token, _TOKEN_FORM)
    return token_beside(database) if given is None else given


def team_code(environ: Mapping[str, str], path: Path | None) -> Token | None:
    """Return the code of a link that opens the pages for a team, None without one; raises `SettingError`."""
    return _given(environ, CODE_VARIABLE, "--pages-token-file", path, _is_code, _CODE_FORM)


def token_beside(database: Path) -> Token:
    """Return the token in the file beside a store, a new one if missing; raises `StoreError` for an unsafe file."""
    path = database.with_name(f"{database.name}.token")
    try:
        make_state_folder(database)
        if not os.path.lexists(path):
            _create_token(path)
        text = _read_private(path).strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: the server's token cannot be stored here: {_reason(error)}") from error
    if not _is_token(text):
        raise StoreError(f"{path}: holds no token; remove the file, and a new token is created")
    return Token(text)


def _read_private(path: Path) -> str:
    """Return the text of a file that only this user can read or write; raises `StoreError` for every other file."""
    hint = "remove it, and a new one is created"
    if path.is_symlink() or not path.is_file():
        raise StoreError(f"{path}: is {'a link' if path.is_symlink() else 'no file'}: {hint}")
    with open_file(path, is_foreign=True) as file:
        status = os.fstat(file.fileno())
        if not system.is_own(status):
            raise StoreError(f"{path}: belongs to user {status.st_uid}, who knows what it holds: {hint}")
        if (mode := system.permission_bits(status)) & _OTHERS_MODE:
            raise StoreError(f"{path}: others can read or write it (mode {mode:o}): {hint}")
        return file.read(_TOKEN_BYTES).decode("utf-8")


def _create_token(path: Path) -> None:
    """Write a new token to a draft and link that to its name, so that no process reads half of a token."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no Path
            file.write(f"{secrets.token_urlsafe(32)}\n")
        # Not `rename`: it would replace the token of a process that was first.
        with suppress(FileExistsError):
            publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def passes_secret(store: Store, *, is_new: bool = False) -> Token:
    """Return the secret of the store that signs the passes of browsers; ``is_new`` replaces it, which ends them all."""
    return shared_secret(store, _PASSES, is_new=is_new)


def _given(
    environ: Mapping[str, str],
    variable: str,
    option: str,
    path: Path | None,
    is_right: Callable[[str], object],
    form: str,
) -> Token | None:
    """Return the secret of a variable, else of a file; raises `SettingError` for one that cannot be used."""
    # No error has a secret in its text.
    text = environ.get(variable, "").strip()
    if text:
        if not is_right(text):
            raise SettingError(variable, Token(text), f"use {form}")
        return Token(text)
    if path is None:
        return None
    try:
        text = read_file(path, _TOKEN_BYTES).decode("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingError(option, str(path), f"it cannot be read ({_reason(error)})") from error
    if not is_right(text):
        raise SettingError(option, str(path), f"it must hold one line of {form}")
    return Token(text)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "it is not UTF-8 text")
