"""The application over a store in this process, reached by a requests session: no port, no process."""

import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from falcon.testing import TestClient
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response

from pytest_automation_report.api.models import PostgresDatabase, Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store
from support.scripted_adapter import bytes_of, response_to
from support.scripted_server.store import Reply


class StoreAdapter(BaseAdapter):
    """Answer a session's requests from a store; mount it for ``http+local://``.

    The first request opens the store, and raises `StoreError` if that fails; `close` closes it.
    """

    def __init__(self, database: Path | PostgresDatabase, token: Token, *, has_pages: bool = False) -> None:
        super().__init__()
        self._has_pages = has_pages
        self._database = database
        self._token = token
        self._lock = threading.Lock()
        self._open: tuple[Store, Any] | None = None

    def send(self, request: PreparedRequest, *_: object, **__: object) -> Response:
        """Return the application's response."""
        url = urlsplit(request.url or "")
        found = TestClient(self._application()).simulate_request(
            request.method or "GET",
            unquote(url.path or "/"),
            query_string=url.query,
            headers={**request.headers},
            body=bytes_of(request.body),
        )
        return response_to(request, Reply(found.status_code, headers=dict(found.headers), raw=found.content))

    def close(self) -> None:
        """Close the store; a later request opens it again."""
        with self._lock:
            if self._open is not None:
                store, _ = self._open
                self._open = None
                store.close()

    def _application(self) -> Any:  # noqa: ANN401 - of WSGI
        with self._lock:
            if self._open is None:
                store = Store(self._database)
                if self._has_pages:
                    application = create_application(
                        store, self._token, ServerOptions(extension=Pages(store, self._token).extension)
                    )
                else:
                    application = create_application(store, self._token)
                self._open = store, application
            return self._open[1]
