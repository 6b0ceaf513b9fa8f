"""The WSGI application: addresses, token, and the form of every error (floor 2)."""

from __future__ import annotations

import hmac
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

import falcon
from falcon.routing import BaseConverter

from pytest_automation_report.server import resources
from pytest_automation_report.server.refusals import RefusalError, invalid
from pytest_automation_report.server.submissions import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.model import Token
    from pytest_automation_report.server.store import Store

_logger = logging.getLogger(__name__)

_HEALTH = "/healthz"
_API = "/api/v1"
_JAVASCRIPT_MAX = 2**53 - 1
_is_idempotency_key = re.compile(r"[\x21-\x7e]{1,255}").fullmatch
_METHODS = ("GET", "POST")


def create_application(store: Store, token: Token) -> falcon.App[falcon.Request, falcon.Response]:
    """Return the WSGI application over a store that the caller opens and closes; it answers who sends the token."""
    application = falcon.App(middleware=[_Gate(token)])
    application.router_options.converters["id"] = _Id
    application.add_error_handler(Exception, _answer_failure)
    application.add_error_handler(falcon.HTTPError, _answer_http_error)
    application.add_error_handler(RefusalError, _answer_refusal)
    application.add_route(_HEALTH, resources.Health())
    runs, sources = f"{_API}/automation/runs", f"{_API}/automation/sources"
    project = f"{_API}/projects/{{project_id:id}}/automation"
    application.add_route(f"{project}/runs", resources.ProjectRuns(store))
    application.add_route(f"{project}/sources", resources.ProjectSources(store))
    application.add_route(f"{runs}/{{run_id:id}}", resources.Run(store))
    application.add_route(f"{runs}/{{run_id:id}}/append", resources.RunAppend(store))
    application.add_route(f"{runs}/{{run_id:id}}/complete", resources.RunCompletion(store))
    application.add_route(f"{runs}/{{run_id:id}}/threads", resources.RunThreads(store))
    application.add_route(f"{runs}/{{run_id:id}}/tests", resources.RunTests(store))
    application.add_route(f"{runs}/threads/{{thread_id:id}}/append", resources.ThreadAppend(store))
    application.add_route(f"{runs}/threads/{{thread_id:id}}/complete", resources.ThreadCompletion(store))
    application.add_route(f"{sources}/{{source_id:id}}", resources.Source(store))
    return application


class _Id(BaseConverter):
    """An id in an address: a number that JavaScript, too, can tell from the next one."""

    def convert(self, value: str) -> int | None:
        """Return the id; ``None`` makes the address one that does not exist."""
        if not re.fullmatch("[1-9][0-9]{0,15}", value):
            return None
        number = int(value)
        return number if number <= _JAVASCRIPT_MAX else None


class _Gate:
    """What every request passes: the token, the method, the idempotency key."""

    def __init__(self, token: Token) -> None:
        self._token = token.value.encode("utf-8", "surrogatepass")

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse a request without the token, and show that idempotency keys are known here."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if req.path == _HEALTH:
            return
        scheme, _, value = (req.auth or "").partition(" ")
        given = value.strip().encode("latin-1", "replace")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            headers = {"WWW-Authenticate": "Bearer"}
            raise RefusalError(401, "Send the token of this server: Authorization: Bearer TOKEN.", headers=headers)
        key = req.get_header("Idempotency-Key")
        if req.method != "POST" or key is None:
            return
        if not _is_idempotency_key(key):
            raise invalid({"Idempotency-Key": ["Must be 1 to 255 visible ASCII characters."]})
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


def _answer_refusal(
    req: falcon.Request,
    resp: falcon.Response,
    error: RefusalError,
    params: Mapping[str, Any],
) -> None:
    del req, params
    resp.status = error.status
    resp.set_headers(dict(error.headers))
    errors = {"errors": {name: list(texts) for name, texts in error.errors.items()}} if error.errors else {}
    _write(resp, {"message": error.message, **errors})


def _answer_http_error(
    req: falcon.Request,
    resp: falcon.Response,
    error: falcon.HTTPError,
    params: Mapping[str, Any],
) -> None:
    """Give falcon's own errors (no such address, wrong method, unreadable headers) the form of all others."""
    del req, params
    resp.status = error.status
    if error.headers:
        resp.set_headers(error.headers)
    _write(resp, {"message": error.description or error.title or "The request cannot be answered."})


def _answer_failure(
    req: falcon.Request,
    resp: falcon.Response,
    error: Exception,
    params: Mapping[str, Any],
) -> None:
    """Tell only a number that finds the details in the log."""
    del params
    number = uuid.uuid4().hex
    _logger.error("request %s failed: %s %s", number, req.method, req.path, exc_info=error)
    resp.status = falcon.HTTP_500
    _write(resp, {"message": f"The server failed; its log has the details under {number}."})


def _write(resp: falcon.Response, value: Mapping[str, object]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json_text(value).encode("utf-8", "replace")
