"""Send the requests of the automation runs API to a server, over one requests session.

The token goes into a header of each request and nowhere else. A request and its response have one deadline. Time-outs
of sockets hold for each read, so a server that sends a byte a second could occupy the sender for ever: each request is
made in a thread of its own, and given up at the deadline.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address, ip_network
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed leaves it out; requests relies on it, too
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue] # the same
)

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from pytest_automation_report import __version__
from pytest_automation_report.api.client import Client
from pytest_automation_report.api.models import (
    CONNECTIONS,
    DEFAULT_PORTS,
    EXTENSIONS_HEADER,
    KEEPS_HEADER,
    Token,
    announced,
    is_loopback,
)
from pytest_automation_report.api.responses import (
    ApiRequest,
    HttpOutcome,
    HttpResponse,
    NoResponse,
    OutOfTimeError,
    classify,
)
from pytest_automation_report.errors import SettingError
from pytest_automation_report.system.console import start_without_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# The longest response body that is read; a run of a thousand threads has more than a million bytes.
ANSWER_BYTES: Final = 16 * 1024 * 1024
CONNECT_SECONDS: Final = 5.0  # to one address of a host
# Idle connections are not used again after this time: their server may be about to close them.
IDLE_SECONDS: Final = 1.0

# Sockets wait longer than the deadline, so that a request that is too slow is given up, whatever it waits for.
_GRACE_SECONDS: Final = 1.0
_CHUNK_BYTES: Final = 64 * 1024
# The deadline of an upload grows with the file: it is enough for a connection of this speed.
_MIN_UPLOAD_BYTES_PER_SECOND: Final = 128 * 1024
# Seconds before a read is made again.
_READ_PAUSES: Final = (0.2, 1.0)

T = TypeVar("T")


class Try:
    """One request while it is made, for its thread and for the thread that waits."""

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        # None until a connection of ours is asked for, then False, and True when the request may be sent over it.
        self.is_connected: bool | None = None
        self._is_given_up = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def connected(self, sock: socket.socket) -> None:
        """Note that the request is about to be sent over this socket; raises `TimeoutError` if it was given up."""
        with self._lock:
            if self._is_given_up:
                raise TimeoutError("the deadline has passed")
            self.is_connected, self._socket = True, sock

    def outcome(self, request: Callable[[], T]) -> T | NoResponse:
        """Return the outcome of a request, or that there was none by the deadline."""
        outcomes: list[T | NoResponse | BaseException] = []

        def make() -> None:
            _CURRENT.set(self)
            try:
                outcomes.append(request())
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                outcomes.append(error)

        thread = threading.Thread(target=make, daemon=True)
        # It may outlive this call: `exec` would lose a signal that it gets.
        start_without_signals(thread)
        try:
            thread.join(self.deadline_seconds)
        finally:
            outcome = outcomes[0] if outcomes else self._give_up()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _give_up(self) -> NoResponse:
        """Stop the request: one that is not connected is never sent, and any other one ends with its socket."""
        with self._lock:
            self._is_given_up = True
        if self._socket is not None:
            # The server closed the connection first, or it is TLS inside of TLS, which ends by its time-out.
            with suppress(OSError, AttributeError):
                self._socket.shutdown(socket.SHUT_RDWR)
        return NoResponse(f"no complete response within {self.deadline_seconds:g} s")


# A connection finds its attempt here, since neither requests nor urllib3 can pass an object down.
_CURRENT: ContextVar[Try | None] = ContextVar("attempt", default=None)
current_attempt: Final = _CURRENT.get
"""Return the attempt whose thread this is, None outside of one."""


class _Connection(HTTPConnection):
    """An HTTP connection that tells the current attempt when it is there."""

    def connect(self) -> None:
        super().connect()
        self._tell()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they come
        # A connection that is used again.
        self._tell()
        super().request(*args, **kwargs)

    def _tell(self) -> None:
        attempt = current_attempt()
        if attempt is not None and self.sock is not None:
            attempt.connected(self.sock)
            # The deadline bounds a slow upload, and not the short time-out for connecting.
            self.timeout = attempt.deadline_seconds + _GRACE_SECONDS
            self.sock.settimeout(self.timeout)


class _TlsConnection(_Connection, HTTPSConnection):
    """`_Connection` over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls: Any = _TlsConnection


_POOLS: Final = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Sends over connections that tell their attempts, directly or through an HTTP proxy."""

    def __init__(self) -> None:
        # urllib3 must not repeat a request that the server may have applied: the sender decides that.
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._used_at = monotonic()

    def rest(self) -> None:
        """Close the connections if they have been idle too long to be used again."""
        if monotonic() - self._used_at > IDLE_SECONDS:
            self.close()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' own signature
        """Return the connection pools for a proxy; raise for SOCKS, whose connections are not ours."""
        if not proxy.lower().startswith(("http://", "https://")):
            raise InvalidProxyURL("only http and https proxies are supported")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they come
        """Set up TLS, and note that there is no connection so far: requests calls this just before it asks for one."""
        attempt = current_attempt()
        if attempt is not None:
            attempt.is_connected = False
        super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call]  # the stubs leave it untyped

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request, through a proxy if one applies to its address."""
        options["proxies"] = proxies_for(request.url or "", options.get("proxies") or {})
        self.rest()
        self._used_at = monotonic()
        try:
            return super().send(request, *args, **options)
        finally:
            self._used_at = monotonic()


class _DirectSession(requests.Session):
    """A session that ignores redirects: to describe one, requests would read its whole body first, of any length."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        del resp


def new_session(*, proxies: Mapping[str, str], ca_file: str) -> requests.Session:
    """Return a session that depends on its arguments alone, which are as in `Endpoint`; the caller closes it.

    It reads no ``.netrc`` and no variables of proxies or certificates, follows no redirects, stores no cookies and
    repeats no requests.
    """
    session = _DirectSession()
    session.trust_env = False
    session.verify = ca_file or True
    session.proxies.update(proxies)
    # Two requests must not depend on each other by a cookie.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update(
        {
            "User-Agent": f"pytest-automation-report/{__version__}",
            "Accept": "application/json",
            # Responses are bounded in length, and a small compressed one could hide a huge one.
            "Accept-Encoding": "identity",
        }
    )
    adapter = _Adapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def proxies_for(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy for a URL by its scheme, nothing for loopback and for hosts in ``no_proxy``.

    ``no_proxy`` lists hosts, domains (with or without a leading dot), addresses and networks; all but networks may have
    a port. ``*`` matches every host. Raises `ValueError` for a proxy without a host.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    proxy = proxies.get(parts.scheme)
    if not proxy or is_loopback(host) or host.endswith(".localhost"):
        return {}
    if _is_exempt(host, parts.port or DEFAULT_PORTS.get(parts.scheme, 0), proxies.get("no_proxy", "")):
        return {}
    if not urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname:
        raise InvalidProxyURL("the proxy has no host")
    return {parts.scheme: proxy}


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``no_proxy`` lists a host, alone or with this port."""
    # The standard library compares names and ports, and knows no networks. The function of requests that does both
    # writes to the environment for the time of each call: with requests in several threads it could stay there.
    literal = f"[{host}]" if ":" in host else host
    if proxy_bypass_environment(f"{literal}:{port}", {"no": no_proxy.replace("*.", ".")}):
        return True
    for network in no_proxy.split(","):
        with suppress(ValueError):  # a name
            if ip_address(host) in ip_network(network.strip(), strict=False):
                return True
    return False


class HttpClient(Client):
    """Client of one project on one server, over a session that the caller closes.

    One request and its response have ``deadline_seconds`` in all, with name look-up and connecting. A GET that is
    answered with 500 or 503 is made again, twice at most: it changes nothing. Raises `SettingError` for a token that
    cannot stand in a header.
    """

    def __init__(
        self, session: requests.Session, origin: str, token: Token, *, project_id: int, deadline_seconds: float = 30.0
    ) -> None:
        if not token.value.isascii() or not token.value.isprintable() or " " in token.value or not token.value:
            raise SettingError("token", token, "use the letters, digits and signs that the server has shown")
        super().__init__(project_id)
        self._session = session
        self._origin = origin.rstrip("/")
        self._token = token
        self._deadline_seconds = deadline_seconds

    def __repr__(self) -> str:
        return f"HttpClient({self._origin!r}, project_id={self._project_id})"

    def rest(self) -> None:
        """Close connections that have been idle for `IDLE_SECONDS`; see `Client.rest`."""
        for adapter in self._session.adapters.values():
            if isinstance(adapter, _Adapter):
                adapter.rest()

    def _call(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        prepared, seconds = self._prepared(request)
        pauses = [*_READ_PAUSES] if request.method == "GET" else []
        while True:
            seconds = min(seconds, self.ends_at - monotonic())
            if seconds <= 0:
                raise OutOfTimeError("no time is left")
            attempt = Try(seconds)
            outcome = attempt.outcome(partial(self._outcome, prepared, attempt))
            # A server that is being restarted, or that met another one at a wrong moment.
            if not (pauses and isinstance(outcome, HttpResponse) and outcome.status in {500, 503}):
                break
            sleep(pauses.pop(0))
        # Raised here, outside of all handlers: an exception of requests holds the request with its token, and would
        # become the context of ours.
        return classify(request, outcome, parse, was_sent=attempt.is_connected is not False, secret=self._token.value)

    def _prepared(self, request: ApiRequest) -> tuple[requests.Request, float]:
        """Return a request as `requests` takes it, and its deadline in seconds."""
        headers = {"Authorization": f"Bearer {self._token.value}"}
        if request.key:
            headers["Idempotency-Key"] = request.key
        seconds = self._deadline_seconds
        data: bytes | BinaryIO | None = request.body
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        elif request.file is not None:
            headers["Content-Type"] = "application/octet-stream"
            content, size = request.file
            seconds += size / _MIN_UPLOAD_BYTES_PER_SECOND
            # requests would send an empty file in chunks, without a Content-Length.
            data = content if size else b""
        url = self._origin + request.path
        return requests.Request(request.method, url, headers, data=data, params=request.query), seconds

    def _outcome(self, request: requests.Request, attempt: Try) -> HttpOutcome:
        """Send a request and read its response; return the reason if there is none."""
        seconds = attempt.deadline_seconds
        timeout = (min(CONNECT_SECONDS, seconds), seconds + _GRACE_SECONDS)
        try:
            # Streamed, so that a response that is too long is never read as a whole.
            prepared = self._session.prepare_request(request)
            response = self._session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
            with response:
                key = request.headers.get("Idempotency-Key")
                if key is not None and response.headers.get("Idempotency-Key") == key:
                    # Never set back: several requests may be in flight at the same time.
                    self.knows_keys = True
                self._learn_kind(response)
                return _response(response)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            if attempt.is_connected is None and isinstance(error, ValueError):
                # requests refuses an address or a header before it opens a connection.
                attempt.is_connected = False
            return NoResponse(reason(error))

    def _learn_kind(self, response: requests.Response) -> None:
        """Learn from a response whether the server stores files and extensions, which only one of ours does."""
        self.headers = response.headers
        max_bytes = response.headers.get(KEEPS_HEADER, "")
        if max_bytes.isascii() and max_bytes.isdigit():
            self.artifact_bytes = int(max_bytes)
        if EXTENSIONS_HEADER in response.headers:
            self.extensions = announced(response.headers[EXTENSIONS_HEADER])
        if response.ok:  # a proxy may answer in the server's place with an error
            self.has_answered = True


def reason(error: BaseException) -> str:
    """Return the innermost cause of a failed request in a few words, without URLs: they may hold passwords."""
    if isinstance(error, ValueError):
        return f"the server's or the proxy's URL cannot be used ({type(error).__name__})"
    prefix = {"ProxyError": "proxy: ", "SSLError": "TLS: "}.get(type(error).__name__, "")
    for _ in range(10):  # a chain of causes can be a ring
        # requests and urllib3 have the cause as an attribute or as an argument.
        candidates = [error.__cause__, getattr(error, "reason", None), *reversed(error.args)]
        if isinstance(error, NewConnectionError):
            candidates.append(error.__context__)  # urllib3 1.26 names no cause
        cause = next((candidate for candidate in candidates if isinstance(candidate, BaseException)), None)
        if cause is None:
            break
        error = cause
    return f"{prefix}{(isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__}"


def _response(response: requests.Response) -> HttpOutcome:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"} and response.status_code != 204:  # noqa: PLR2004 - no content
        return NoResponse("the response is encoded, which the request did not allow")
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES:
            return NoResponse(f"response larger than {ANSWER_BYTES >> 20} MiB")
    retry_after, date, location = (response.headers.get(name, "") for name in ("Retry-After", "Date", "Location"))
    return HttpResponse(response.status_code, bytes(body), retry_after, date, location)
