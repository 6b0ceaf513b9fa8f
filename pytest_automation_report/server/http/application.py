"""Create the WSGI application: its routes, what answers them, one JSON form for every error, log and metrics."""

from __future__ import annotations

import gzip
import io
import logging
import re
import tempfile
import threading
import time
import uuid
import zlib
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import quote

import falcon
from falcon.routing import BaseConverter
from msgspec import Struct
from msgspec.json import encode

from pytest_automation_report.api.models import ARTIFACTS_PATH, file_name
from pytest_automation_report.server.api.bodies import POSTS
from pytest_automation_report.server.api.decoding import MAX_BODY_BYTES, check_length
from pytest_automation_report.server.api.documents import DOCUMENTS
from pytest_automation_report.server.http import guard
from pytest_automation_report.server.http.guard import METRICS, Tokens
from pytest_automation_report.server.store.checks import store_numbers
from pytest_automation_report.server.store.contents import (
    DOWNLOAD,
    MAX_CONTENT_BYTES,
    ArtifactContents,
    stored_artifact,
    too_large,
)
from pytest_automation_report.server.store.reads import has_runs
from pytest_automation_report.server.store.values import ApiError, json_text, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.api.bodies import PostOperation
    from pytest_automation_report.server.api.documents import Document
    from pytest_automation_report.server.store.contents import StoredContent
    from pytest_automation_report.server.store.database import Row
    from pytest_automation_report.server.store.store import Store

_logger = logging.getLogger(__name__)

_API = "/api/v1"
_OPTIONS: Final = guard.ServerOptions()
# The largest number that clients in JavaScript can hold exactly.
_JAVASCRIPT_MAX = 2**53 - 1


def create_application(
    store: Store, token: Token | Tokens, options: guard.ServerOptions = _OPTIONS
) -> falcon.App[falcon.Request, falcon.Response]:
    """Return the WSGI application for the server's token and the tokens of a store; the caller opens and closes it."""
    tokens = token if isinstance(token, Tokens) else Tokens(store, token)
    metrics = Metrics(store, tokens)
    middleware: list[Any] = [metrics, guard.RequestGuard(tokens, options)]
    application = falcon.App(middleware=middleware)
    application.router_options.converters["id"] = _IdConverter
    application.router_options.converters["hash"] = _HashConverter
    application.add_error_handler(Exception, _answer_internal_error)
    application.add_error_handler(falcon.HTTPError, _answer_http_error)
    application.add_error_handler(ApiError, _answer_api_error)
    application.add_route(guard.HEALTH, HealthResource())
    application.add_route(guard.READY, HealthResource(store))
    application.add_route(METRICS, metrics)
    for path in {**DOCUMENTS, **POSTS}:
        # For an id that its converter refuses, falcon answers 404.
        application.add_route(_API + path.format("{record_id:id}"), ApiResource(store, options, path))
    contents = ArtifactContents(store, max_bytes=options.max_artifact_bytes)
    application.add_route(ARTIFACTS_PATH, ArtifactsResource(contents))
    application.add_route(f"{ARTIFACTS_PATH}/{{content_hash:hash}}", ArtifactResource(contents))
    application.add_route(f"{ARTIFACTS_PATH}/{{content_hash:hash}}/{{name}}", ArtifactResource(contents))
    for template, resource in options.extension.routes:
        application.add_route(template, resource)
    return application


class _IdConverter(BaseConverter):
    """An id in a URL: a positive number that JavaScript can hold exactly."""

    def convert(self, value: str) -> int | None:
        is_id = re.fullmatch("[1-9][0-9]{0,15}", value) and int(value) <= _JAVASCRIPT_MAX
        return int(value) if is_id else None


class _HashConverter(BaseConverter):
    """A SHA-256 hash in a URL, in hexadecimal digits."""

    def convert(self, value: str) -> str | None:
        return value if re.fullmatch("[0-9a-f]{64}", value) else None


def _answer_api_error(req: falcon.Request, resp: falcon.Response, error: ApiError, _: Mapping[str, Any]) -> None:
    req.context["error"] = error.kind
    resp.status = error.status
    resp.set_headers(dict(error.headers))
    _write(resp, error.document)


def _answer_http_error(
    _: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, __: Mapping[str, Any]
) -> None:
    """Answer falcon's own errors (unknown URL, wrong method, unreadable headers) as JSON."""
    resp.status = error.status
    if error.headers:
        resp.set_headers(error.headers)
    _write(resp, {"message": error.description or error.title or "The request cannot be answered."})


def _answer_internal_error(req: falcon.Request, resp: falcon.Response, error: Exception, _: Mapping[str, Any]) -> None:
    """Log an unexpected error and answer with its log id alone: its text may have paths or data of others."""
    log_id = uuid.uuid4().hex
    _logger.error("request %s failed: %s %s", log_id, req.method, req.context["path"], exc_info=error)
    resp.status = falcon.HTTP_500
    _write(resp, {"message": f"The server failed; its log has the details under {log_id}."})


def _write(resp: falcon.Response, value: Mapping[str, object]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json_text(value).encode("utf-8", "replace")


_PREFIX: Final = "automation_report_"
_FIRST_ERROR, _FIRST_FAILURE = 400, 500
_KINDS: Final[Mapping[int, str]] = {401: "token", 403: "forbidden", 404: "not_found", 429: "busy"}
# Numbers of the store.
_GAUGES: Final = {
    "runs": "Stored runs.",
    "open_runs": "Runs that are not completed.",
    "results": "Stored results.",
    "store_bytes": "Size of the store.",
}


class Metrics:
    """The numbers of one server; as the first middleware it sees every response, also of refused requests."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._store = store
        self._tokens = tokens
        self._lock = threading.Lock()
        self._requests = Counter[tuple[str, int]]()  # by method and status
        self._errors = Counter[str]()
        self._counts = Counter[str]()  # by what was asked for
        self._seconds = defaultdict[str, float](float)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the start time of the request, and its path for the log."""
        del resp
        req.context["started"] = time.perf_counter()
        req.context["path"] = self._tokens.shown(req.path)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,  # noqa: FBT001 - the signature is falcon's
    ) -> None:
        """Count the response, and log it."""
        del resource, req_succeeded
        started: Any = req.context["started"]
        seconds, status = time.perf_counter() - started, resp.status_code
        kind = "api" if req.path.startswith("/api/") else "other"
        if req.method == "POST" and req.path.endswith("/append"):
            kind = "append"
        # A client may send any text as its method.
        method = req.method if req.method in falcon.COMBINED_METHODS else "other"
        with self._lock:
            self._requests[method, status] += 1
            self._counts[kind] += 1
            self._seconds[kind] += seconds
            if status >= _FIRST_ERROR:
                usual = "invalid" if status < _FIRST_FAILURE else "server"
                self._errors[req.context.get("error") or _KINDS.get(status, usual)] += 1
        ended = sender_of(req), req.method, req.context["path"], status, seconds * 1000
        _logger.debug("%s: %s %s %s %.0f ms", *ended)

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer with all numbers; without a database only with the numbers of this process."""
        numbers = None
        try:
            numbers = self._store.read(store_numbers)
        except ApiError:
            _logger.debug("the metrics have no numbers of the store")
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.text = "".join(f"{line}\n" for line in self._lines(numbers))

    def _lines(self, numbers: Row | None) -> Iterator[str]:
        with self._lock:
            requests, errors = {**self._requests}, {**self._errors}
            counts, seconds = {**self._counts}, {**self._seconds}
        errors["token"] = self._tokens.refused  # and requests that were refused before their body was read
        by_status = {f'{{method="{method}",status="{status}"}}': count for (method, status), count in requests.items()}
        by_kind = {f'{{kind="{kind}"}}': count for kind, count in errors.items()}
        yield from _metric("requests_total", "counter", "Answered requests.", by_status)
        yield from _metric("errors_total", "counter", "Refused and failed requests.", by_kind)
        yield from _metric("request_seconds", "summary", "Time to answer requests.", {
            **{f'_sum{{kind="{kind}"}}': f"{total:.6f}" for kind, total in seconds.items()},
            **{f'_count{{kind="{kind}"}}': count for kind, count in counts.items()},
        })  # fmt: skip
        yield from _metric("appends_total", "counter", "Answered appends.", {"": counts.get("append", 0)})
        yield from _metric("store_up", "gauge", "1 if the database answers.", {"": int(numbers is not None)})
        if numbers is None:
            return
        for name, words in _GAUGES.items():
            yield from _metric(name, "gauge", words, {"": numbers[name]})
        if numbers["pruned"] is not None:
            # The clock of the process that pruned may be ahead of ours.
            age = max(0, self._store.now() - numbers["pruned"]) / 1_000_000
            yield from _metric("prune_age_seconds", "gauge", "Time since the last prune.", {"": f"{age:.0f}"})


def _metric(name: str, kind: str, words: str, samples: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of one metric; each sample's key is the end of its name with its labels."""
    yield f"# HELP {_PREFIX}{name} {words}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    yield from (f"{_PREFIX}{name}{end} {value}" for end, value in samples.items())


def _project_of(req: falcon.Request) -> int | None:
    """Return the project that the token of a request is for, None for all."""
    grant: Any = req.context.get("grant")
    return None if grant is None else grant.project


def sender_of(req: falcon.Request) -> str:
    """Return who sent a request, for the log: the address, and the name of the token or user."""
    grant: Any = req.context.get("grant")
    name = req.context.get("user") or (grant.name if grant is not None else "")
    address: Any = req.context["address"]
    return f"{address} ({name})" if name else str(address)


CONTENT_POLICY: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
)
"""Policy of an opened file. Inline styles are allowed, since browsers use them to show pictures and videos."""

# A larger upload waits in a temporary file: its hash must be known before it can be stored.
_IN_MEMORY_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 64 * 1024
_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    # A URL has the hash of its content, so the content never changes.
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ArtifactsResource(Struct, frozen=True):
    """Uploads of artifact files."""

    contents: ArtifactContents

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the body and answer with its URL."""
        if (req.content_length or 0) > MAX_CONTENT_BYTES:
            raise too_large()
        name = req.get_param("name") or "file"
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            while part := req.bounded_stream.read(_PART_BYTES):
                body.write(part)
            body.seek(0)
            content = self.contents.put(cast("BinaryIO", body), _project_of(req))
        resp.status = 201
        _write(resp, stored_artifact(content, name))


class ArtifactResource(Struct, frozen=True):
    """A stored file. The name in its URL is for users alone: the hash identifies the file."""

    contents: ArtifactContents

    def on_get(self, req: falcon.Request, resp: falcon.Response, content_hash: str, name: str = "file") -> None:
        """Send the file, or a range of its bytes."""
        content = self.contents.find(content_hash)
        if content is None:
            raise ApiError(404, "This artifact is not stored here, or was removed.")
        start, end = _byte_range(req, content)
        resp.set_headers(_HEADERS)
        tag = f'"{content.hash}"'
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
            return
        resp.content_type = content.media_type
        disposition = "attachment" if content.media_type == DOWNLOAD else "inline"
        resp.set_header("Content-Disposition", f"{disposition}; filename*=UTF-8''{quote(file_name(name), safe='')}")
        if end - start < content.size:
            resp.status = 206
            resp.content_range = (start, end - 1, content.size)
        resp.set_stream(self.contents.read(content.hash, start, end), end - start)


def _byte_range(req: falcon.Request, content: StoredContent) -> tuple[int, int]:
    """Return the offsets of the first requested byte and of the end: of the whole file, if the request has no range."""
    requested = req.range if req.range_unit == "bytes" else None
    if requested is None:
        return 0, content.size
    first, last = requested
    # falcon writes "the last N bytes" as first = -N, and "to the end" as last = -1.
    start = max(0, content.size + first) if first < 0 else first
    end = content.size if last < 0 else min(last + 1, content.size)
    if start >= end:
        raise falcon.HTTPRangeNotSatisfiable(content.size)
    return start, end


MAX_MEMBERS = 1000  # most gzip members of a compressed body; usual clients send one
_GZIP_MEMBER = b"\x1f\x8b\x08"  # how each member begins; other data has it once in 16 MB


class HealthResource(Struct, frozen=True):
    """Health check of the server, and with a store of its database; needs no token."""

    store: Store | None = None

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 if the database does not answer."""
        if self.store is not None:
            try:
                self.store.read(has_runs, is_single=True)
            except (ApiError, self.store.driver_error) as error:
                known = error if isinstance(error, ApiError) else unreachable()
                known.status = 503
                raise known from error
        resp.data = b'{"status":"ok"}'


# What the log says of a change. Threads and their tests are in it with ``--verbose`` alone, like every request.
_WORDS: Final[Mapping[str, str]] = {
    "/projects/{}/automation/runs": "created run {created} in project {record}",
    "/automation/runs/{}/append": "added to run {record}",
    "/automation/runs/{}/complete": "completed run {record}",
}


class ApiResource:
    """A path of the contract with one id, or one beside it: what a GET of it returns, and what a POST does."""

    def __init__(self, store: Store, options: guard.ServerOptions, path: str) -> None:
        self._store = store
        self._words = _WORDS.get(path, "")
        self._on_run_completed = options.on_run_completed if path == "/automation/runs/{}/complete" else None
        # falcon answers 405 for a method that a resource does not have.
        if path in DOCUMENTS:
            self.on_get = partial(self._read, DOCUMENTS[path])
        if path in POSTS:
            self.on_post = partial(self._apply, POSTS[path])

    def _read(self, document: Document, req: falcon.Request, resp: falcon.Response, record_id: int) -> None:
        content = document(self._store, record_id, req.params)
        if isinstance(content, bytes):
            resp.data = content
        else:
            resp.stream = content

    def _apply(self, change: PostOperation, req: falcon.Request, resp: falcon.Response, record_id: int) -> None:
        body = received(req, b"{}" if change.is_body_optional else None)
        key, has_all = req.context.get("idempotency_key"), _project_of(req) is None
        created = change(self._store, record_id, body, req.path, key, has_all_projects=has_all)
        resp.status = 204 if created is None else 201
        if created is not None:
            resp.data = encode({"id": created})
        if self._words:
            _logger.info("%s %s", sender_of(req), self._words.format(created=created, record=record_id))
        if self._on_run_completed is not None:
            self._on_run_completed(record_id)


def received(req: falcon.Request, missing: bytes | None = None) -> bytes:
    """Return the body of a request, or ``missing`` for none; raises `ApiError` for one that cannot be read."""
    length = req.content_length or 0
    check_length(length)
    body = req.bounded_stream.read(length) if length else b""
    if not body:
        if missing is None:
            raise ApiError(400, "The request has no body; send a JSON object.")
        return missing
    if (req.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "The request body must be sent as application/json.")
    encoding = req.get_header("Content-Encoding", default="identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzipped(body)
    raise ApiError(415, "The request body must be sent as it is or compressed by gzip.")


def _gunzipped(body: bytes) -> bytes:
    """Return what a gzip body holds; never more of it is made than may be read."""
    # Each member costs time, whatever it holds.
    if body.count(_GZIP_MEMBER) > MAX_MEMBERS:
        raise ApiError(400, f"The request body has more than {MAX_MEMBERS} gzip members.")
    try:
        with gzip.open(io.BytesIO(body)) as file:
            content = file.read(MAX_BODY_BYTES + 1)
    except EOFError as error:
        raise ApiError(400, "The request body is cut gzip data.") from error
    except (OSError, zlib.error) as error:
        raise ApiError(400, "The request body is not gzip data.") from error
    if len(content) > MAX_BODY_BYTES:
        raise ApiError(413, f"The request body holds more than {MAX_BODY_BYTES} bytes.")
    return content
