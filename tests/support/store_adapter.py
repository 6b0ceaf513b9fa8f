"""Mount the server on a requests session: the same application, without port and process.

Sessions without a server's URL report this way. The same client, requests and responses are used as for a server on
the network, so the delivery code has one path.
"""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from requests.adapters import BaseAdapter
from requests.models import Response
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.response import HTTPResponse

from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from requests.models import PreparedRequest

    from pytest_automation_report.api.models import PostgresDatabase, Token

    _Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class StoreAdapter(BaseAdapter):
    """Answer a session's requests from a store; mount it for ``http+local://``.

    The first request opens the store, and raises `StoreError` if that fails; `close` closes it. A body is bytes or one
    file. Time-outs, proxies and certificates are ignored.
    """

    def __init__(self, database: Path | PostgresDatabase, token: Token) -> None:
        super().__init__()
        self._database = database
        self._token = token
        self._lock = threading.Lock()
        self._open: tuple[Store, _Application] | None = None

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the signature is that of requests
        timeout: object = None,
        verify: object = True,  # noqa: FBT002 - the signature is that of requests
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the application's response."""
        del stream, timeout, verify, cert, proxies
        status, headers, body = _call(self._application(), _environ(request))
        return _response(request, status, headers, body)

    def close(self) -> None:
        """Close the store; a later request opens it again."""
        with self._lock:
            if self._open is not None:
                store, _ = self._open
                self._open = None
                store.close()

    def _application(self) -> _Application:
        with self._lock:
            if self._open is None:
                store = Store(self._database)
                self._open = store, create_application(store, self._token)
            return self._open[1]


def _environ(request: PreparedRequest) -> dict[str, Any]:
    """Return the WSGI environment of a request."""
    url = urlsplit(request.url or "")
    body, length = _body(request)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method or "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),  # as PEP 3333 has it
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "store",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        variable = name.upper().replace("-", "_")
        environ[variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}"] = value
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if length:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _body(request: PreparedRequest) -> tuple[Any, int]:
    """Return a file with the request's body, and the body's length; a body that is a file is never read as a whole."""
    body: Any = request.body
    if hasattr(body, "read"):
        return body, int(request.headers["Content-Length"])
    return io.BytesIO(body or b""), len(body or b"")


def _call(application: _Application, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the response."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> None:
        del exc_info
        started.append((status, headers))

    parts: Iterable[bytes] = application(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        # A response that is streamed from the store ends its transaction here, also after an error.
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = started[0]
    return status, headers, body


def _response(request: PreparedRequest, status: str, headers: list[tuple[str, str]], body: bytes) -> Response:
    code, _, reason = status.partition(" ")
    response = Response()
    response.status_code = int(code)
    response.reason = reason
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = HTTPResponse(
        body=io.BytesIO(body),
        headers=dict(headers),
        status=int(code),
        reason=reason,
        preload_content=False,
        request_method=request.method,
    )
    response.url = request.url or ""
    response.request = request
    return response
