"""Send the requests of the automation runs API to a server, over one requests session.

The token goes into a header of each request and nowhere else.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING, TypeVar

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from pytest_automation_report.api.artifacts import KEEPS_HEADER
from pytest_automation_report.api.classification import HttpResponse, NoResponse, Outcome, RequestInfo, classify
from pytest_automation_report.api.client import Client
from pytest_automation_report.api.exchange import CONNECT_SECONDS, GRACE_SECONDS, Exchange
from pytest_automation_report.api.extensions import EXTENSIONS_HEADER, announced
from pytest_automation_report.api.transport import WatchedAdapter
from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pytest_automation_report.api.client import Query
    from pytest_automation_report.api.models import Token

ANSWER_BYTES = 16 * 1024 * 1024
"""The longest response body that is read, in bytes. A run of a thousand threads has more than one million."""

_CHUNK_BYTES = 64 * 1024
# The deadline of an upload grows with the file: it is enough for a connection of this speed.
_MIN_UPLOAD_BYTES_PER_SECOND = 128 * 1024
_NO_CONTENT = 204

T = TypeVar("T")


class HttpClient(Client):
    """Client of one project on one server.

    ``origin`` has a scheme and a host and no path. The caller owns ``session`` and closes it. One request and its
    response have ``deadline_seconds`` in all, with name look-up and connecting. Raises `SettingError` for a token that
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
        """Close idle connections; no request may be in flight.

        The first test of a session may run for an hour: until it ends, the sender occupies no connection of the server.
        """
        for adapter in self._session.adapters.values():
            if isinstance(adapter, WatchedAdapter):
                adapter.rest()

    def _call(
        self,
        info: RequestInfo,
        parse: Callable[[object], T],
        *,
        body: bytes | None = None,
        file: tuple[BinaryIO, int] | None = None,
        query: Query | None = None,
        key: str = "",
    ) -> T:
        """Make one request and return ``parse`` of the response's JSON, or raise the error of the response's class."""
        headers: dict[str, str] = {}
        seconds = self._deadline_seconds
        data: bytes | BinaryIO | None = body
        if body is not None:
            headers["Content-Type"] = "application/json"
        if file is not None:
            headers["Content-Type"] = "application/octet-stream"
            content, size = file
            seconds += size / _MIN_UPLOAD_BYTES_PER_SECOND
            # requests would send an empty file in chunks, without a Content-Length.
            data = content if size else b""
        if key:
            headers["Idempotency-Key"] = key
        request = requests.Request(
            info.method, self._origin + info.path, headers=headers, data=data, params=query, auth=_Bearer(self._token)
        )
        with Exchange(seconds) as exchange:
            outcome = self._outcome(request, exchange)
        if exchange.is_overdue:
            outcome = NoResponse(f"no complete response within {exchange.deadline_seconds:g} s")
        # Raised here, outside of all handlers: an exception of requests holds the request with its token, and would
        # become the context of ours.
        return classify(info, outcome, parse, was_sent=exchange.was_sent is not False, secret=self._token.value)

    def _outcome(self, request: requests.Request, exchange: Exchange) -> Outcome:
        """Send a request and read its response; return the reason if there is none."""
        # Longer than the deadline: the exchange ends a slow request, and marks it as overdue.
        timeout = (min(CONNECT_SECONDS, exchange.deadline_seconds), exchange.deadline_seconds + GRACE_SECONDS)
        try:
            prepared = self._session.prepare_request(request)
            # Streamed, so that a response that is too long is never read as a whole.
            response = self._session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
            with response:
                key = request.headers.get("Idempotency-Key")
                if key is not None and response.headers.get("Idempotency-Key") == key:
                    # Never set back: several requests may be in flight at the same time.
                    self._knows_keys = True
                self._learn_kind(response)
                return _response(response)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            if exchange.was_sent is None and isinstance(error, ValueError):
                # requests rejects an address or a header before it opens a connection.
                exchange.was_sent = False
            return NoResponse(reason(error))

    def _learn_kind(self, response: requests.Response) -> None:
        """Learn from a response whether the server stores files and extensions, which only our embedded one does.

        A proxy may answer in the server's place with an error, so only a success counts as the server's answer.
        """
        max_bytes = response.headers.get(KEEPS_HEADER, "")
        if max_bytes.isascii() and max_bytes.isdigit():
            self._artifact_bytes = int(max_bytes)
        if EXTENSIONS_HEADER in response.headers:
            self._extensions = announced(response.headers[EXTENSIONS_HEADER])
        if response.ok:
            self._has_answered = True


class _Bearer(AuthBase):
    """Set the ``Authorization`` header. Being an ``auth``, it also stops requests from reading a ``.netrc``."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def reason(error: BaseException) -> str:
    """Return the innermost cause of a failed request in a few words, without URLs: they may hold passwords."""
    if isinstance(error, ValueError):
        return f"the server's or the proxy's URL cannot be used ({type(error).__name__})"
    prefix = {"ProxyError": "proxy: ", "SSLError": "TLS: "}.get(type(error).__name__, "")
    for _ in range(10):  # a chain of causes can be a ring
        # requests and urllib3 have the cause as an attribute or as an argument.
        candidates = [error.__cause__, getattr(error, "reason", None), *reversed(error.args)]
        cause = next((candidate for candidate in candidates if isinstance(candidate, BaseException)), None)
        if cause is None:
            break
        error = cause
    return f"{prefix}{(isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__}"


def _response(response: requests.Response) -> Outcome:
    """Read the body of a response, if it is neither encoded nor too long."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"} and response.status_code != _NO_CONTENT:
        return NoResponse("the response is encoded, which the request did not allow")
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES:
            return NoResponse(f"response larger than {ANSWER_BYTES >> 20} MiB")
    headers = response.headers
    return HttpResponse(
        response.status_code,
        bytes(body),
        headers.get("Retry-After", ""),
        headers.get("Date", ""),
        headers.get("Location", ""),
    )
