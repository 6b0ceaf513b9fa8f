"""Send the requests of the automation runs API over one requests session.

Each method makes exactly one request. It returns the parsed response or raises one of the `ClientError` classes; the
caller decides whether to repeat the request. The token goes into a header of each request and nowhere else.
"""

from __future__ import annotations

import json
from datetime import timezone
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from pytest_automation_report.api.artifacts import ARTIFACTS_PATH, KEEPS_HEADER, StoredFile
from pytest_automation_report.api.classification import HttpResponse, NoResponse, Outcome, RequestInfo, classify
from pytest_automation_report.api.exchange import CONNECT_SECONDS, GRACE_SECONDS, Exchange
from pytest_automation_report.api.responses import created_id, page_of_runs, page_of_sources, page_of_tests, run_from
from pytest_automation_report.api.transport import WatchedAdapter
from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import BinaryIO

    from pytest_automation_report.api.models import Json, NewRun, Resources, Token
    from pytest_automation_report.api.responses import Page, Run, RunTest

ANSWER_BYTES = 16 * 1024 * 1024
"""The longest response body that is read, in bytes. A run of a thousand threads has more than one million."""

_CHUNK_BYTES = 64 * 1024
# The deadline of an upload grows with the file: it is enough for a connection of this speed.
_MIN_UPLOAD_BYTES_PER_SECOND = 128 * 1024
_NO_CONTENT = 204
# A page behind all runs: its response has the total and no run.
_PAGE_PAST_THE_END = 1_000_000

RunExpand: TypeAlias = Literal["automation_sources"]

_Query: TypeAlias = "dict[str, str]"

T = TypeVar("T")


class Client:
    """Client of one project on one server.

    ``origin`` has a scheme and a host and no path. The caller owns ``session`` and closes it. One request and its
    response have ``deadline_seconds`` in all, with name look-up and connecting; the deadline does not hold for the
    embedded server, which runs in this process. Raises `SettingError` for a token that cannot stand in a header. Every
    method raises `NotSentError`, `ThrottledError`, `RefusedError`, `TokenRefusedError` or `UnknownAnswerError`.
    """

    def __init__(
        self, session: requests.Session, origin: str, token: Token, *, project_id: int, deadline_seconds: float = 30.0
    ) -> None:
        if not token.value.isascii() or not token.value.isprintable() or " " in token.value or not token.value:
            raise SettingError("token", token, "use the letters, digits and signs that the server has shown")
        self._session = session
        self._origin = origin.rstrip("/")
        self._token = token
        self._project_id = project_id
        self._deadline_seconds = deadline_seconds
        # The next three are learnt from the headers of responses, and never forgotten.
        self._knows_keys = False
        self._artifact_bytes: int | None = None
        self._has_answered = False

    def __repr__(self) -> str:
        return f"Client({self._origin!r}, project_id={self._project_id})"

    @property
    def knows_keys(self) -> bool:
        """Whether the server supports idempotency keys: it returned one of ours in a response."""
        return self._knows_keys

    @property
    def has_answered(self) -> bool:
        """Whether the server answered a request, so that the other properties are known."""
        return self._has_answered

    @property
    def artifact_bytes(self) -> int | None:
        """Size of the largest file that the server stores, in bytes; None for a server that is not our embedded one."""
        return self._artifact_bytes

    def rest(self) -> None:
        """Close idle connections; no request may be in flight.

        The first test of a session may run for an hour: until it ends, the sender occupies no connection of the server.
        """
        for adapter in self._session.adapters.values():
            if isinstance(adapter, WatchedAdapter):
                adapter.rest()

    def put_artifact(self, content: BinaryIO, size: int, name: str) -> StoredFile:
        """Upload a file of ``size`` bytes to our embedded server, which stores equal contents once.

        Must not be called while `artifact_bytes` is None: no other server has this operation.
        """
        info = RequestInfo("POST", ARTIFACTS_PATH, 201)
        seconds = self._deadline_seconds + size / _MIN_UPLOAD_BYTES_PER_SECOND
        # requests would send an empty file in chunks, without a Content-Length.
        body = content if size else b""
        return self._call(info, StoredFile.from_json, body=body, query={"name": name}, deadline_seconds=seconds)

    def create_run(self, run: NewRun, *, key: str = "") -> int:
        """Create a run and return its id."""
        return self._create(f"/projects/{self._project_id}/automation/runs", run.body(), key)

    def append_run(self, run_id: int, resources: Resources, *, key: str = "") -> None:
        """Add fields, links and artifacts to a run."""
        self._do(f"/automation/runs/{run_id}/append", encoded(resources.body()), key)

    def complete_run(self, run_id: int, *, measure_elapsed: bool, key: str = "") -> None:
        """Complete a run and all its threads.

        Its elapsed time becomes the time since its creation, or without ``measure_elapsed`` that of its longest thread.
        """
        self._do(f"/automation/runs/{run_id}/complete", encoded({"measure_elapsed": measure_elapsed}), key)

    def create_thread(
        self,
        run_id: int,
        resources: Resources,
        *,
        elapsed_observed: int | None = None,
        elapsed_computed: int | None = None,
        key: str = "",
    ) -> int:
        """Create a thread with its first elapsed times, in microseconds; return its id.

        Raises `ValueError` for links, which threads do not have.
        """
        if resources.links:
            raise ValueError("a thread cannot have links")
        body = {**_elapsed(elapsed_observed, elapsed_computed), **resources.body()}
        return self._create(f"/automation/runs/{run_id}/threads", body, key)

    def append_thread(self, thread_id: int, body: bytes, *, key: str = "") -> None:
        """Add tests to a thread; ``body`` is the encoded JSON object of the contract's append."""
        self._do(f"/automation/runs/threads/{thread_id}/append", body, key)

    def complete_thread(
        self,
        thread_id: int,
        *,
        elapsed_observed: int | None = None,
        elapsed_computed: int | None = None,
        key: str = "",
    ) -> None:
        """Complete a thread, with its final elapsed times in microseconds unless they are None."""
        body = encoded(_elapsed(elapsed_observed, elapsed_computed))
        self._do(f"/automation/runs/threads/{thread_id}/complete", body, key)

    def runs(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        status: Iterable[int] = (),
        tags: Iterable[str] = (),
        created_before: datetime | None = None,
        expands: Iterable[RunExpand] = (),
        has_threads: bool = True,
    ) -> Page[Run]:
        """Return a page of the project's runs that match all filters, newest first.

        A filter matches if one of its values does. With ``has_threads=False`` our embedded server leaves the threads of
        the runs out; other servers always return them. Raises `ValueError` for a time without a time zone.
        """
        query = _query({
            "page": page, "per_page": per_page, "order": "desc", "status": status, "tags": tags,
            "created_before": _timestamp(created_before), "expands": expands,
            "threads": self._threads(has_threads=has_threads),
        })  # fmt: skip
        return self._read(f"/projects/{self._project_id}/automation/runs", query, page_of_runs)

    def count_runs(self, *, tags: Iterable[str], status: Iterable[int] = (), key: str = "") -> int:
        """Return the number of runs with one of these tags and one of these statuses.

        The request is for a page behind the last one, so that the response has no run. With a ``key`` the client also
        learns whether the server supports idempotency keys.
        """
        query = _query({"page": _PAGE_PAST_THE_END, "per_page": 15, "tags": tags, "status": status})
        path = f"/projects/{self._project_id}/automation/runs"
        return self._call(RequestInfo("GET", f"/api/v1{path}", 200), page_of_runs, query=query, key=key).total

    def findings_document(self, run_id: int, base_id: int | None = None) -> Json:
        """Return the findings of a run, compared with this base; only a server of ours has them."""
        return self._read(f"/automation/runs/{run_id}/findings", _query({"base": base_id}), _result)

    def flaky_document(self, source_id: int, branch: str | None = None) -> Json:
        """Return the flaky tests of a source; only a server of ours has them."""
        return self._read(f"/automation/sources/{source_id}/flaky", _query({"branch": branch}), _result)

    def run(self, run_id: int, *, has_threads: bool = True) -> Run:
        """Return a run with its threads; ``has_threads`` as in `runs`."""
        query = _query({"threads": self._threads(has_threads=has_threads)})
        return self._read(f"/automation/runs/{run_id}", query, run_from)

    def run_tests(
        self,
        run_id: int,
        *,
        page: int = 1,
        per_page: int = 1000,
        thread_id: int | None = None,
        status_id: Iterable[int] = (),
        is_newest_first: bool = False,
    ) -> Page[RunTest]:
        """Return a page of a run's results, in the server's order unless the newest are to come first."""
        query = _query({
            "page": page, "per_page": per_page, "thread_id": thread_id, "status_id": status_id,
            **({"sort": "automation_run_tests:id", "order": "desc"} if is_newest_first else {}),
        })  # fmt: skip
        return self._read(f"/automation/runs/{run_id}/tests", query, page_of_tests)

    def count_sources(self) -> int:
        """Return the number of the project's sources."""
        query = _query({"page": 1, "per_page": 15, "order": "desc"})
        return self._read(f"/projects/{self._project_id}/automation/sources", query, page_of_sources).total

    def _threads(self, *, has_threads: bool) -> str | None:
        """Return the parameter that leaves threads out, None for a server that might refuse it: all but our own."""
        return None if has_threads or self._artifact_bytes is None else "0"

    def _create(self, path: str, body: Json, key: str) -> int:
        return self._call(RequestInfo("POST", f"/api/v1{path}", 201), created_id, body=encoded(body), key=key)

    def _do(self, path: str, body: bytes, key: str) -> None:
        self._call(RequestInfo("POST", f"/api/v1{path}", 204), _nothing, body=body, key=key)

    def _read(self, path: str, query: _Query, parse: Callable[[object], T]) -> T:
        return self._call(RequestInfo("GET", f"/api/v1{path}", 200), parse, query=query)

    def _call(
        self,
        info: RequestInfo,
        parse: Callable[[object], T],
        *,
        body: bytes | BinaryIO | None = None,
        query: _Query | None = None,
        key: str = "",
        deadline_seconds: float | None = None,
    ) -> T:
        """Make one request and return ``parse`` of the response's JSON, or raise the error of the response's class."""
        headers: dict[str, str] = {}
        if body is not None:
            is_file = info.path == ARTIFACTS_PATH
            headers["Content-Type"] = "application/octet-stream" if is_file else "application/json"
        if key:
            headers["Idempotency-Key"] = key
        request = requests.Request(
            info.method, self._origin + info.path, headers=headers, data=body, params=query, auth=_Bearer(self._token)
        )
        with Exchange(deadline_seconds or self._deadline_seconds) as exchange:
            outcome = self._outcome(request, exchange)
        if exchange.is_overdue:
            outcome = NoResponse(f"no complete response within {exchange.deadline_seconds:g} s")
        # Raised here, outside of all handlers: an exception of requests holds the request with its token, and would
        # become the context of ours.
        return classify(info, outcome, parse, was_sent=exchange.was_sent is not False, secret=self._token.value)

    def _outcome(self, request: requests.Request, exchange: Exchange) -> Outcome:
        """Send a request and read its response. Only errors of the embedded store are raised; others are returned."""
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
        """Learn from a response whether the server stores files, which only our embedded one does.

        A proxy may answer in the server's place with an error, so only a success counts as the server's answer.
        """
        max_bytes = response.headers.get(KEEPS_HEADER, "")
        if max_bytes.isascii() and max_bytes.isdigit():
            self._artifact_bytes = int(max_bytes)
        if response.ok:
            self._has_answered = True


class _Bearer(AuthBase):
    """Set the ``Authorization`` header. Being an ``auth``, it also stops requests from reading a ``.netrc``."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def encoded(body: Json) -> bytes:
    """Return a body as compact ASCII JSON; raise `ValueError` for NaN and infinity."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


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


def _elapsed(observed_us: int | None, computed_us: int | None) -> Json:
    values = {"elapsed_observed": observed_us, "elapsed_computed": computed_us}
    return {name: value for name, value in values.items() if value is not None}


def _query(values: Mapping[str, str | int | Iterable[object] | None]) -> _Query:
    """Return the query parameters that have a value; lists are joined with commas."""
    query: _Query = {}
    for name, value in values.items():
        text = str(value) if isinstance(value, (str, int)) else ",".join(map(str, value or ()))
        if text:
            query[name] = text
    return query


def _timestamp(time: datetime | None) -> str | None:
    """Return a time in the contract's format: UTC with milliseconds."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError("created_before needs a time zone")
    text = time.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _result(obj: object) -> Json:
    """Return the member ``result`` of a response beside the contract; raises ``ValueError`` if there is none."""
    result = obj.get("result") if isinstance(obj, dict) else None
    if not isinstance(result, dict):
        raise ValueError("the response has no object result")  # noqa: TRY004 - as all readers of responses
    return result


def _nothing(_: object) -> None:
    """Parse the empty body of a 204."""
