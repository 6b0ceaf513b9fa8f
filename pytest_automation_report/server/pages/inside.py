"""Read pages inside of this process, without a connection and without a pass: for the report in one file."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import falcon

from pytest_automation_report.server.http.application import add_converters
from pytest_automation_report.server.pages.page import WITHOUT_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIRST_REDIRECT = 300


class Inside:
    """The pages of these routes; owned by the site, and used by one report at a time or by several."""

    def __init__(self, routes: Iterable[tuple[str, object]]) -> None:
        self._application: falcon.App[falcon.Request, falcon.Response] = falcon.App()
        add_converters(self._application)
        self._application.add_error_handler(Exception, _raise)
        for template, resource in routes:
            self._application.add_route(template, resource)

    def __call__(self, address: str) -> str:
        """Return the HTML of a page by its address; it shows moments, and not the time since them.

        Raises `ApiError` as the page does, and `LookupError` for an address that is no page.
        """
        path, _, query = address.partition("?")
        statuses: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            del headers, exc_info
            statuses.append(status)
            return io.BytesIO().write

        body = b"".join(self._application(_environ(path, query), start))  # type: ignore[arg-type]
        if not statuses or int(statuses[0][:3]) >= _FIRST_REDIRECT:
            raise LookupError(f"{address}: {statuses[0] if statuses else 'no answer'}")
        return body.decode("utf-8")


def _environ(path: str, query: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "report",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        WITHOUT_CLOCK: True,
    }


def _raise(req: falcon.Request, resp: falcon.Response, error: Exception, params: Mapping[str, Any]) -> None:
    del req, resp, params
    if isinstance(error, falcon.HTTPError):
        raise LookupError(error.title or error.status) from error  # noqa: TRY004 - no address of a page
    raise error
