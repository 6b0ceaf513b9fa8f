"""All operations of the automation runs API, typed, over one requests session (floor 2).

A method makes exactly one request and returns what the server says, or raises one of the `ClientError` classes; what
to do then is the caller's decision. The token is a header of each request and nothing else.
"""

from __future__ import annotations

import json
from datetime import timezone
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from pytest_automation_report.api.artifacts import ARTIFACTS_PATH, KEEPS_HEADER, StoredFile
from pytest_automation_report.api.classification import Call, HttpResponse, NoResponse, Outcome, classify
from pytest_automation_report.api.exchange import CONNECT_SECONDS, GRACE_SECONDS, Exchange
from pytest_automation_report.api.responses import Run, RunPage, Source, SourcePage, TestPage, created_id
from pytest_automation_report.api.transport import WatchedAdapter
from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import BinaryIO

    from pytest_automation_report.api.models import Json, NewRun, Resources, Token

ANSWER_BYTES = 16 * 1024 * 1024
"""The longest answer that is read, in bytes; a run of a thousand threads has more than one million."""

_PIECE_BYTES = 64 * 1024

_SLOWEST_BYTES = 128 * 1024
"""A file is given the time that a line of so many bytes a second would take."""

_TYPE_OF_BODY = ("application/json", "application/octet-stream")

_NO_CONTENT = 204
_PAST_THE_END = 1_000_000

Order: TypeAlias = Literal["asc", "desc"]
RunExpand: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]
TestSort: TypeAlias = Literal["id", "name", "status", "elapsed", "created_at"]
SourceSort: TypeAlias = Literal["created_at", "ran_at", "retired_at"]

_Query: TypeAlias = "dict[str, str]"

T = TypeVar("T")


class Client:
    """The server at one origin, for one project.

    ``origin`` has a scheme and a host and no path; ``session`` stays the caller's, who closes it. One exchange takes
    at most ``deadline_seconds``, name look-up, connecting and reading the answer included (not with a session whose
    adapter calls the server in process). Raises `SettingError` for a token that cannot stand in a header. Every method
    raises `NotSentError`, `ThrottledError`, `RefusedError`, `TokenRefusedError` or `UnknownAnswerError`.
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
        self._knows_keys = False
        self._artifact_bytes: int | None = None
        self._has_answered = False

    def __repr__(self) -> str:
        return f"Client({self._origin!r}, project_id={self._project_id})"

    @property
    def knows_keys(self) -> bool:
        """Whether the server has shown that it knows idempotency keys, by naming ours in an answer."""
        return self._knows_keys

    @property
    def has_answered(self) -> bool:
        """Whether the server has answered any request, so that what it has shown is known."""
        return self._has_answered

    @property
    def artifact_bytes(self) -> int | None:
        """The largest file that the server keeps, in bytes; None unless it is one of ours, as its answers show."""
        return self._artifact_bytes

    def rest(self) -> None:
        """Close connections that are kept and have not been used for a second; no request may be under way.

        A session may run its first test for an hour: until then it takes none of the server's connections.
        """
        for adapter in self._session.adapters.values():
            if isinstance(adapter, WatchedAdapter):
                adapter.rest()

    def put_artifact(self, content: BinaryIO, size: int, name: str) -> StoredFile:
        """Have a server of ours keep a file of ``size`` bytes; one that it has is not kept twice.

        Never to be called where `artifact_bytes` is None: no other server knows this call.
        """
        call = Call("POST", ARTIFACTS_PATH, 201)
        seconds = self._deadline_seconds + size / _SLOWEST_BYTES
        body = content if size else b""
        return self._call(call, StoredFile.from_json, body=body, query={"name": name}, deadline_seconds=seconds)

    def create_run(self, run: NewRun, *, key: str = "") -> int:
        """Create a run and return its id."""
        return self._create(f"/projects/{self._project_id}/automation/runs", run.body(), key)

    def append_run(self, run_id: int, resources: Resources, *, key: str = "") -> None:
        """Add fields, links and artifacts to a run."""
        self._do(f"/automation/runs/{run_id}/append", encoded(resources.body()), key)

    def complete_run(self, run_id: int, *, measure_elapsed: bool, key: str = "") -> None:
        """Complete a run and all its threads; its time is the one since its creation, or its longest thread's."""
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
        """Create a thread with first totals in microseconds; return its id.

        Raises `ValueError` for links, which threads do not have.
        """
        if resources.links:
            raise ValueError("a thread takes no links")
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
        """Complete a thread, with final totals in microseconds where they are given."""
        body = encoded(_elapsed(elapsed_observed, elapsed_computed))
        self._do(f"/automation/runs/threads/{thread_id}/complete", body, key)

    def runs(  # noqa: PLR0913 - each is one filter of the contract
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        order: Order = "desc",
        status: Iterable[int] = (),
        source_id: Iterable[int] = (),
        tags: Iterable[str] = (),
        config_id: Iterable[int] = (),
        milestone_id: Iterable[int] = (),
        created_by: Iterable[int] = (),
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        expands: Iterable[RunExpand] = (),
        has_threads: bool = True,
    ) -> RunPage:
        """Return a page of the project's runs; the filters add up, the values of one are alternatives.

        Without ``has_threads`` a server that is known to be one of ours leaves the runs' threads out.
        Raises `ValueError` for a moment without a time zone.
        """
        query = _query({
            "page": page, "per_page": per_page, "order": order,
            "status": status, "source_id": source_id, "tags": tags, "config_id": config_id,
            "milestone_id": milestone_id, "created_by": created_by,
            "created_after": _moment(created_after), "created_before": _moment(created_before),
            "expands": expands, "threads": self._threads(has_threads=has_threads),
        })  # fmt: skip
        return self._read(f"/projects/{self._project_id}/automation/runs", query, RunPage.from_json)

    def count_runs(self, *, tags: Iterable[str], status: Iterable[int] = (), key: str = "") -> int:
        """Return how many runs have one of these tags and statuses, at the price of none: a page past the end is read.

        With a ``key`` the client learns whether the server knows idempotency keys.
        """
        query = _query({"page": _PAST_THE_END, "per_page": 15, "tags": tags, "status": status})
        path = f"/projects/{self._project_id}/automation/runs"
        return self._call(Call("GET", f"/api/v1{path}", 200), RunPage.from_json, query=query, key=key).total

    def runs_document(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        status: Iterable[int] = (),
        created_before: datetime | None = None,
    ) -> Json:
        """Return a page of the project's runs as the server's own document; a server of ours leaves the threads out.

        Raises `ValueError` as `runs` does.
        """
        query = _query({
            "page": page, "per_page": per_page, "status": status, "created_before": _moment(created_before),
            "threads": self._threads(has_threads=False),
        })  # fmt: skip
        return self._read(f"/projects/{self._project_id}/automation/runs", query, _checked(RunPage.from_json))

    def run_document(self, run_id: int) -> Json:
        """Return a run with its threads as the server's own document."""
        return self._read(f"/automation/runs/{run_id}", {}, _checked(Run.from_row))

    def run(self, run_id: int, *, expands: Iterable[RunExpand] = (), has_threads: bool = True) -> Run:
        """Return a run with its threads; without ``has_threads`` as `runs` does."""
        query = _query({"expands": expands, "threads": self._threads(has_threads=has_threads)})
        return self._read(f"/automation/runs/{run_id}", query, Run.from_row)

    def run_tests(
        self,
        run_id: int,
        *,
        page: int = 1,
        per_page: int = 1000,
        thread_id: int | None = None,
        status_id: Iterable[int] = (),
        sort: TestSort | None = None,
        order: Order | None = None,
    ) -> TestPage:
        """Return a page of a run's results."""
        query = _query({
            "page": page, "per_page": per_page, "thread_id": thread_id, "status_id": status_id,
            "sort": sort and f"automation_run_tests:{sort}", "order": order,
        })  # fmt: skip
        return self._read(f"/automation/runs/{run_id}/tests", query, TestPage.from_json)

    def sources(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        sort: SourceSort | None = None,
        order: Order = "desc",
        is_retired: bool | None = None,
        expands: Iterable[Literal["users"]] = (),
    ) -> SourcePage:
        """Return a page of the project's sources."""
        query = _query({
            "page": page, "per_page": per_page, "sort": sort and f"automation_sources:{sort}", "order": order,
            "is_retired": None if is_retired is None else int(is_retired), "expands": expands,
        })  # fmt: skip
        return self._read(f"/projects/{self._project_id}/automation/sources", query, SourcePage.from_json)

    def source(self, source_id: int, *, expands: Iterable[Literal["users"]] = ()) -> Source:
        """Return a source."""
        return self._read(f"/automation/sources/{source_id}", _query({"expands": expands}), Source.from_row)

    def _threads(self, *, has_threads: bool) -> str | None:
        """Return the parameter that leaves threads out; no server but ours knows it, and another might refuse it."""
        return None if has_threads or self._artifact_bytes is None else "0"

    def _create(self, path: str, body: Json, key: str) -> int:
        return self._call(Call("POST", f"/api/v1{path}", 201), created_id, body=encoded(body), key=key)

    def _do(self, path: str, body: bytes, key: str) -> None:
        self._call(Call("POST", f"/api/v1{path}", 204), _nothing, body=body, key=key)

    def _read(self, path: str, query: _Query, parse: Callable[[object], T]) -> T:
        return self._call(Call("GET", f"/api/v1{path}", 200), parse, query=query)

    def _call(
        self,
        call: Call,
        parse: Callable[[object], T],
        *,
        body: bytes | BinaryIO | None = None,
        query: _Query | None = None,
        key: str = "",
        deadline_seconds: float | None = None,
    ) -> T:
        """Make one request and return what ``parse`` makes of its documented success."""
        headers = {"Content-Type": _TYPE_OF_BODY[call.path == ARTIFACTS_PATH]} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        request = requests.Request(
            call.method, self._origin + call.path, headers=headers, data=body, params=query, auth=_Bearer(self._token)
        )
        with Exchange(deadline_seconds or self._deadline_seconds) as exchange:
            outcome = self._outcome(request, exchange)
        if exchange.is_overdue:
            outcome = NoResponse(f"no whole answer within {exchange.deadline_seconds:g} s")
        # Raised here, where no exception is being handled: those of requests carry the request with its token.
        return classify(call, outcome, parse, was_sent=exchange.was_sent is not False, secret=self._token.value)

    def _outcome(self, request: requests.Request, exchange: Exchange) -> Outcome:
        """Send a request and read its answer; of all errors, only the embedded store's own leave."""
        timeout = (min(CONNECT_SECONDS, exchange.deadline_seconds), exchange.deadline_seconds + GRACE_SECONDS)
        try:
            prepared = self._session.prepare_request(request)
            response = self._session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
            with response:
                key = request.headers.get("Idempotency-Key")
                if key is not None and response.headers.get("Idempotency-Key") == key:
                    self._knows_keys = True  # never back: requests to one client may be under way at the same time
                self._learn(response)
                return _answer(response)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            if exchange.was_sent is None and isinstance(error, ValueError):
                exchange.was_sent = False  # requests refuses an address or a header before it looks at the network
            return NoResponse(reason(error))

    def _learn(self, response: requests.Response) -> None:
        """Take note of whether the server keeps files; what a proxy answers in its place says nothing."""
        most = response.headers.get(KEEPS_HEADER, "")
        if most.isascii() and most.isdigit():
            self._artifact_bytes = int(most)
        if response.ok:
            self._has_answered = True


class _Bearer(AuthBase):
    """Sets the header of the token; as an ``auth`` it also keeps requests from looking for a ``.netrc``."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def encoded(body: Json) -> bytes:
    """Return a body as the JSON that goes on the wire; raise `ValueError` for numbers that JSON does not have."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def reason(error: BaseException) -> str:
    """Return in a few words why a request failed: the innermost cause, without addresses, which may hold passwords."""
    if isinstance(error, ValueError):
        return f"the address, or its proxy's, cannot be used ({type(error).__name__})"
    kind = {"ProxyError": "proxy: ", "SSLError": "TLS: "}.get(type(error).__name__, "")
    for _ in range(10):  # a chain of causes can be a ring
        inner = [error.__cause__, getattr(error, "reason", None), *reversed(error.args)]
        cause = next((each for each in inner if isinstance(each, BaseException)), None)
        if cause is None:
            break
        error = cause
    return f"{kind}{(isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__}"


def _answer(response: requests.Response) -> Outcome:
    """Return the answer when it is one that can be read."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"} and response.status_code != _NO_CONTENT:
        return NoResponse("the answer is encoded, which was not asked for")
    body = bytearray()
    for piece in response.iter_content(_PIECE_BYTES):
        body += piece
        if len(body) > ANSWER_BYTES:
            return NoResponse(f"answer larger than {ANSWER_BYTES >> 20} MiB")
    headers = response.headers
    return HttpResponse(
        response.status_code,
        bytes(body),
        headers.get("Retry-After", ""),
        headers.get("Date", ""),
        headers.get("Location", ""),
    )


def _elapsed(observed: int | None, computed: int | None) -> Json:
    values = {"elapsed_observed": observed, "elapsed_computed": computed}
    return {name: value for name, value in values.items() if value is not None}


def _query(values: Mapping[str, str | int | Iterable[object] | None]) -> _Query:
    """Return the parameters that have a value, lists with commas."""
    query: _Query = {}
    for name, value in values.items():
        text = str(value) if isinstance(value, (str, int)) else ",".join(str(each) for each in value or ())
        if text:
            query[name] = text
    return query


def _moment(moment: datetime | None) -> str | None:
    """Return a moment as the contract writes it, in UTC with milliseconds."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("created_after and created_before need a time zone")
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _checked(read: Callable[[object], object]) -> Callable[[object], Json]:
    """Return a reader that gives back the document itself, once it was seen to be a good one."""

    def document(obj: object) -> Json:
        read(obj)
        return cast("Json", obj)

    return document


def _nothing(_: object) -> None:
    """Read the answer to a request that answers nothing."""
