"""Create the WSGI application: its routes, and one JSON form for every error."""

from __future__ import annotations

import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

import falcon
from falcon.routing import BaseConverter

from pytest_automation_report.server.http import resources
from pytest_automation_report.server.http.artifacts import ArtifactResource, ArtifactsResource
from pytest_automation_report.server.http.middleware import HEALTH, AccessLog, RequestGuard, ServerOptions, without_code
from pytest_automation_report.server.store.artifact_urls import PATH as ARTIFACTS
from pytest_automation_report.server.store.artifacts import ArtifactContents
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.http.middleware import Extension
    from pytest_automation_report.server.store.store import Store

_logger = logging.getLogger(__name__)

_API = "/api/v1"
# The largest number that clients in JavaScript can hold exactly.
_JAVASCRIPT_MAX = 2**53 - 1


def create_application(
    store: Store, token: Token, options: ServerOptions | None = None, extension: Extension | None = None
) -> falcon.App[falcon.Request, falcon.Response]:
    """Return the WSGI application for requests with this token; the caller opens and closes the store."""
    options = options or ServerOptions()
    middleware: list[Any] = [RequestGuard(token, options, extension)]
    if options.log is not None:
        middleware.insert(0, AccessLog(token, options.log))
    application = falcon.App(middleware=middleware)
    add_converters(application)
    application.add_error_handler(Exception, _answer_internal_error)
    application.add_error_handler(falcon.HTTPError, _answer_http_error)
    application.add_error_handler(ApiError, _answer_api_error)
    application.add_route(HEALTH, resources.HealthResource())
    _add_api_routes(application, store, options)
    contents = ArtifactContents(store, max_bytes=options.max_artifact_bytes)
    application.add_route(ARTIFACTS, ArtifactsResource(contents))
    application.add_route(f"{ARTIFACTS}/{{content_hash:hash}}", ArtifactResource(contents))
    application.add_route(f"{ARTIFACTS}/{{content_hash:hash}}/{{name}}", ArtifactResource(contents))
    for template, resource in extension.routes if extension is not None else ():
        application.add_route(template, resource)
    return application


def add_converters(application: falcon.App[falcon.Request, falcon.Response]) -> None:
    """Teach an application the converters of our URL templates: ``id`` and ``hash``."""
    application.router_options.converters["id"] = _IdConverter
    application.router_options.converters["hash"] = _HashConverter


def _add_api_routes(
    application: falcon.App[falcon.Request, falcon.Response], store: Store, options: ServerOptions
) -> None:
    """Add the routes of the API; for an id that its converter refuses, falcon answers 404."""
    for path, resource in resources.api_resources(store, options):
        application.add_route(_API + path.format("{record_id:id}"), resource)


class _IdConverter(BaseConverter):
    """An id in a URL: a positive number that JavaScript can hold exactly."""

    def convert(self, value: str) -> int | None:
        """Return the id, None for any other text."""
        if not re.fullmatch("[1-9][0-9]{0,15}", value):
            return None
        number = int(value)
        return number if number <= _JAVASCRIPT_MAX else None


class _HashConverter(BaseConverter):
    """A SHA-256 hash in a URL, in hexadecimal digits."""

    def convert(self, value: str) -> str | None:
        """Return the hash, None for any other text."""
        return value if re.fullmatch("[0-9a-f]{64}", value) else None


def _answer_api_error(
    req: falcon.Request,
    resp: falcon.Response,
    error: ApiError,
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
    """Answer falcon's own errors (unknown URL, wrong method, unreadable headers) as JSON."""
    del req, params
    resp.status = error.status
    if error.headers:
        resp.set_headers(error.headers)
    _write(resp, {"message": error.description or error.title or "The request cannot be answered."})


def _answer_internal_error(
    req: falcon.Request,
    resp: falcon.Response,
    error: Exception,
    params: Mapping[str, Any],
) -> None:
    """Log an unexpected error and answer with its log id alone: its text may have paths or data of others."""
    del params
    log_id = uuid.uuid4().hex
    _logger.error("request %s failed: %s %s", log_id, req.method, without_code(req.path), exc_info=error)
    resp.status = falcon.HTTP_500
    _write(resp, {"message": f"The server failed; its log has the details under {log_id}."})


def _write(resp: falcon.Response, value: Mapping[str, object]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json_text(value).encode("utf-8", "replace")
