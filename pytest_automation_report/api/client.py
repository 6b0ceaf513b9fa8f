"""The operations of the automation runs API.

Each method makes one request and returns the parsed response, or raises a `ClientError`; the caller decides whether to
repeat it. A subclass makes the request: `api.http` sends it, a client of the embedded store applies it in this process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, TypeAlias, TypedDict, TypeVar, cast

from msgspec import convert, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    ANCESTORS,
    ARTIFACTS_PATH,
    JOB,
    SESSION,
    Json,
    NewRun,
    Resources,
    encode,
)
from pytest_automation_report.api.responses import (
    ApiRequest,
    Created,
    RefusedError,
    ResultPage,
    Run,
    RunTest,
    Source,
    page_from,
    parse_stored_file,
    run_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Unpack

    from pytest_automation_report.api.responses import StoredFile
    from pytest_automation_report.findings.comparison import WantedBase
    from pytest_automation_report.findings.documents import RunFindings, SourceFlakiness


RunExpand: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]


class RunFilters(TypedDict, total=False):
    """The filters of the list of runs: a run matches all of them, and any of several values of one."""

    status: Iterable[int]
    source_id: Iterable[int]
    tags: Iterable[str]
    # The values of these fields, which only a server of ours can filter by.
    branch: str
    commit: str
    created_after: datetime | None
    created_before: datetime | None


T = TypeVar("T")


class Client(ABC):
    """Client of one project of one server or store.

    Every method raises `NotSentError`, `ThrottledError`, `RefusedError`, `TokenRefusedError` or `UnknownAnswerError`.
    """

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        # Learnt from responses, and never forgotten: whether there was any, and whether idempotency keys are supported.
        self.has_answered = self.knows_keys = False
        self.headers: Mapping[str, str] = {}  # of the last response
        self.ends_at = inf  # of the monotonic clock: no request to a server lasts longer
        # Size of the largest file that the server stores; None for a server that is not one of ours.
        self.artifact_bytes: int | None = None
        # What the server stores beside the contract, by the names of `api.models`; others must not be sent.
        self.extensions: frozenset[str] = frozenset()

    def rest(self) -> None:  # noqa: B027 - a store in this process has no connections
        """Close idle connections, since a test may run for an hour; no request may be in flight."""

    def put_artifact(self, content: BinaryIO, size: int, name: str) -> StoredFile:
        """Upload a file of ``size`` bytes to a server of ours: while `artifact_bytes` is None, you must not call it."""
        request = ApiRequest("POST", ARTIFACTS_PATH, 201, query={"name": name}, file=(content, size))
        return self._call(request, parse_stored_file)

    def create_run(self, run: NewRun, *, key: str = "") -> int:
        """Create a run and return its id."""
        return self._create(f"/projects/{self._project_id}/automation/runs", encode(run), key)

    def append_run(self, run_id: int, resources: Resources, *, key: str = "") -> None:
        """Add fields, links and artifacts to a run."""
        self._do(f"/automation/runs/{run_id}/append", encode(resources), key)

    def complete_run(self, run_id: int, *, measure_elapsed: bool, key: str = "") -> None:
        """Complete a run and all its threads.

        Its elapsed time becomes the time since its creation, or without ``measure_elapsed`` its longest thread's.
        """
        self._do(f"/automation/runs/{run_id}/complete", encode({"measure_elapsed": measure_elapsed}), key)

    def create_thread(
        self,
        run_id: int,
        resources: Resources,
        *,
        job: Json | None = None,
        ancestors: tuple[str, ...] = (),
        key: str = "",
    ) -> int:
        """Create a thread and return its id.

        ``job``, ``ancestors`` and the ``session`` of ``resources`` are the extensions of these names; a server that has
        not announced them does not get them. Raises `ValueError` for links, which threads do not have.
        """
        if resources.links:
            raise ValueError("a thread cannot have links")
        given = {JOB: job, ANCESTORS: ancestors, SESSION: resources.session}
        extensions = {name: value for name, value in given.items() if value and name in self.extensions}
        body = encode({**to_builtins(replace(resources, session=None)), **extensions})
        return self._create(f"/automation/runs/{run_id}/threads", body, key)

    def append_thread(self, thread_id: int, body: bytes, *, key: str = "") -> None:
        """Add tests to a thread; ``body`` is the encoded JSON object of the contract's append."""
        self._do(f"/automation/runs/threads/{thread_id}/append", body, key)

    def complete_thread(
        self, thread_id: int, *, elapsed_observed: int | None = None, elapsed_computed: int | None = None, key: str = ""
    ) -> None:
        """Complete a thread, with its final elapsed times in microseconds unless they are None."""
        totals = {"elapsed_observed": elapsed_observed, "elapsed_computed": elapsed_computed}
        body = encode({name: total for name, total in totals.items() if total is not None})
        self._do(f"/automation/runs/threads/{thread_id}/complete", body, key)

    def runs(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        expands: Iterable[RunExpand] = (),
        has_threads: bool = True,
        has_verdicts: bool = False,
        **filters: Unpack[RunFilters],
    ) -> ResultPage[Run]:
        """Return a page of the project's runs that match all filters, newest first.

        With ``has_threads=False`` a server of ours leaves the threads of the runs out, and with ``has_verdicts`` it
        adds their verdicts; other servers always return threads. Raises `ValueError` for a time without a time zone.
        """
        is_ours = self.artifact_bytes is not None
        known = {name: value for name, value in filters.items() if is_ours or name not in {"branch", "commit"}}
        query = {
            "page": page, "per_page": per_page, "order": "desc", **known, "expands": expands,
            "threads": self._threads(has_threads=has_threads), "verdicts": "1" if has_verdicts and is_ours else None,
        }  # fmt: skip
        return self._read(f"/projects/{self._project_id}/automation/runs", query, partial(page_from, ResultPage[Run]))

    def count_runs(self, *, tags: Iterable[str], key: str = "") -> int:
        """Return the number of runs with one of these tags.

        With a ``key`` the client also learns whether the server supports idempotency keys.
        """
        # A page behind the last one: its response has the total and no run.
        query = {"page": 1_000_000, "per_page": PAGE_RUNS, "tags": tags}
        path = f"/projects/{self._project_id}/automation/runs"
        return self._read(path, query, partial(page_from, ResultPage[Run]), key).total

    def findings_document(self, run_id: int, base: WantedBase = None) -> RunFindings:
        """Return the findings of a run, compared with this base; only a server of ours has them."""
        return cast("RunFindings", self._read(f"/automation/runs/{run_id}/findings", {"base": base}, _result))

    def flaky_document(self, source_id: int, branch: str | None = None) -> SourceFlakiness:
        """Return the flaky tests of a source; only a server of ours has them."""
        document = self._read(f"/automation/sources/{source_id}/flaky", {"branch": branch}, _result)
        return cast("SourceFlakiness", document)

    def durations_document(self, source: str = "", branch: str = "", *, run: int | None = None) -> Json:
        """Return the usual durations of a source's tests and those that failed last; only a server of ours has them.

        All calls with one ``run`` get the same, of runs of its branch that were completed before it was created.
        """
        query = {"source": source, "branch": branch, "run": run}
        return self._read(f"/projects/{self._project_id}/automation/durations", query, _result)

    def results_document(self, run_id: int, *, after: int, status_id: Iterable[int]) -> Json:
        """Return ``tests``, whole results after that id, and ``next``, the next request's; only our server has them."""
        return self._read(f"/automation/runs/{run_id}/results", {"after": after, "status_id": status_id}, _result)

    def report_html(
        self, run_id: int, base_id: int | None = None, *, artifacts: str = "failed", artifacts_size: int | None = None
    ) -> str:
        """Return the report of a run in one HTML file; only a server of ours that has pages writes it."""
        wishes = {"base": base_id, "artifacts": artifacts, "artifacts_size": artifacts_size}
        return str(self._read(f"/automation/runs/{run_id}/report", wishes, _result)["html"])

    def run(self, run_id: int, *, has_threads: bool = True, expands: Iterable[RunExpand] = ()) -> Run:
        """Return a run with its threads; ``has_threads`` as in `runs`."""
        query = {"threads": self._threads(has_threads=has_threads), "expands": expands}
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
        has_replaced: bool = True,
    ) -> ResultPage[RunTest]:
        """Return a page of a run's results, in the server's order unless the newest are to come first.

        With ``has_replaced=False`` a server of ours leaves out results that a later attempt of their job replaces.
        """
        query = {
            "page": page, "per_page": per_page, "thread_id": thread_id, "status_id": status_id,
            "replaced": None if has_replaced or JOB not in self.extensions else "0",
            **({"sort": "automation_run_tests:id", "order": "desc"} if is_newest_first else {}),
        }  # fmt: skip
        return self._read(f"/automation/runs/{run_id}/tests", query, partial(page_from, ResultPage[RunTest]))

    def sources(self, *, page: int = 1, per_page: int = 100) -> ResultPage[Source]:
        """Return a page of the project's sources, newest first."""
        query = {"page": page, "per_page": per_page, "order": "desc"}
        return self._read(
            f"/projects/{self._project_id}/automation/sources", query, partial(page_from, ResultPage[Source])
        )

    def _threads(self, *, has_threads: bool) -> str | None:
        """Return the parameter that leaves threads out, None for a server that might refuse it: all but our own."""
        return None if has_threads or self.artifact_bytes is None else "0"

    def _create(self, path: str, body: bytes, key: str) -> int:
        return self._call(ApiRequest("POST", f"/api/v1{path}", 201, body=body, key=key), created_id)

    def _do(self, path: str, body: bytes, key: str) -> None:
        self._call(ApiRequest("POST", f"/api/v1{path}", 204, body=body, key=key), lambda _: None)

    def _read(self, path: str, query: Mapping[str, Any], parse: Callable[[object], T], key: str = "") -> T:
        return self._call(ApiRequest("GET", f"/api/v1{path}", 200, _query(query), key=key), parse)

    @abstractmethod
    def _call(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        """Make one request; return ``parse`` of the response's JSON, or raise the error of the response's class."""


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters that have a value; lists are joined with commas, times are UTC with milliseconds."""
    query: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError("the filter's time needs a time zone")
            query[name] = value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        else:
            query[name] = str(value) if isinstance(value, (str, int)) else ",".join(map(str, value or ()))
    return {name: text for name, text in query.items() if text}


def created_id(document: object) -> int:
    """Return the id of the object that a POST created; raises `ValueError` for an invalid one."""
    return convert(document, Created).id


def _result(obj: object) -> Json:
    """Return the member ``result`` of a response beside the contract; raises `ValueError` if there is none."""
    result = obj.get("result") if isinstance(obj, dict) else None
    if not isinstance(result, dict):
        raise ValueError("the response has no object result")  # noqa: TRY004 - as all readers of responses
    return result


# Runs of one page; the API allows no smaller one.
PAGE_RUNS: Final = 15
# Most runs that are looked at: a Testmo instance cannot filter by branch and commit, and answers few requests.
MOST_RUNS: Final = 300


def learn_kind(client: Client) -> None:
    """Learn whether the server can leave threads out, by a request for an empty page; once is enough."""
    if not client.has_answered:
        # The headers of a refusal are enough. If the server refuses the list itself, too, the caller gets that error.
        with suppress(RefusedError):
            client.count_runs(tags=())


def run_pages(
    client: Client, *, expands: Iterable[RunExpand] = (), **filters: Unpack[RunFilters]
) -> Iterator[ResultPage[Run]]:
    """Yield the newest `MOST_RUNS` runs that match in pages, newest first; each page is one request."""
    for page_number in range(1, MOST_RUNS // PAGE_RUNS + 1):
        page = client.runs(page=page_number, per_page=PAGE_RUNS, expands=expands, has_threads=False, **filters)
        yield replace(page, result=tuple(run for run in page.result if _matches(run, filters)))
        if page.next_page is None or not page.result:
            return


def _matches(run: Run, filters: RunFilters) -> bool:
    # A server may ignore these filters, or not know them.
    tags = {*filters.get("tags", ())}
    is_tagged = not tags or not tags.isdisjoint(run.tags)
    is_of_branch = filters.get("branch", "") in {"", run.field_value("Branch")}
    return is_tagged and is_of_branch and filters.get("commit", "") in {"", run.field_value("Commit")}
