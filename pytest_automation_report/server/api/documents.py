"""Read the query parameters and the store, and write the JSON of the API's lists and records.

Reads are functions that the store calls, since it may have to run a transaction again. Each document raises `ApiError`
for wrong ``parameters`` (422), with every mistake in one answer, and for a record that does not exist (404).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from msgspec import to_builtins
from msgspec.json import encode

from pytest_automation_report.api.responses import FieldText, Run
from pytest_automation_report.findings.sentences import brief
from pytest_automation_report.server.api.decoding import Mistakes, refuse, storable
from pytest_automation_report.server.store.compared import flaky_tests, usual_durations
from pytest_automation_report.server.store.database import MAX_THREADS
from pytest_automation_report.server.store.findings import findings, summaries, verdict_in_list
from pytest_automation_report.server.store.reads import (
    RESULT_ORDERS,
    RUN_FILTERS,
    RUN_REFERENCES,
    SOURCE_ORDERS,
    SOURCE_REFERENCES,
    USER_ID,
    Reader,
    RunFilter,
    referenced,
    results_page,
)
from pytest_automation_report.server.store.values import (
    COUNT_NAMES,
    EPOCH,
    INT64_MAX,
    ApiError,
    ResultClass,
    RunStatus,
    iso_time,
)
from pytest_automation_report.text.dates import time_from
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length

if TYPE_CHECKING:
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.reads import Item, Page, Reference, RunRecord
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import (
        Attachment,
        Named,
        NamedStatus,
        StoredRun,
        StoredThread,
        SuiteNumbers,
        TestOfRun,
    )
    from pytest_automation_report.server.store.values import PartKind

    _Attached: TypeAlias = defaultdict[tuple[PartKind, "int | None"], list[object]]
    Parameters: TypeAlias = Mapping[str, str | list[str]]
    References: TypeAlias = dict[Reference, Sequence[NamedStatus | Named]]

# Objects of the contract, whose description is their declaration: the contract's tests check each answer against it.
PageAnswer: TypeAlias = dict[str, Any]
RunAnswer: TypeAlias = dict[str, Any]
ThreadAnswer: TypeAlias = dict[str, Any]
TestAnswer: TypeAlias = dict[str, Any]
SourceAnswer: TypeAlias = dict[str, Any]
Envelope: TypeAlias = dict[str, Any]  # ``result`` with one of these, and ``expands`` with what it refers to
Asked: TypeAlias = Mapping[str, Any]  # the parameters of a request by name, with their defaults

T = TypeVar("T")
_DIGITS: Final = re.compile(r"[0-9]{1,19}").fullmatch


class Parameter(NamedTuple):
    """A parameter that may be given once; ``parse`` returns the value of its text or raises `ValueError`."""

    parse: Callable[[str], object]
    default: object = None


Query: TypeAlias = Mapping[str, Parameter]  # the parameters of a URL by name; others are ignored


def _string(text: str) -> str:
    if utf16_length(text) > STRING_UNITS:
        raise ValueError(f"Must not have more than {STRING_UNITS} characters.")
    return storable(text)


def _number(text: str) -> int:
    """Return a whole number, -1 for any other text."""
    return int(text) if _DIGITS(text) else -1


def _must_be(words: str, value: T, *, is_right: object) -> T:
    if not is_right:
        raise ValueError(f"Must be {words}.")
    return value


def in_range(allowed: range, default: int | None = None) -> Parameter:
    """Return the parameter for a whole number of a range."""
    words = f"a whole number from {allowed.start} to {allowed.stop - 1}"
    return Parameter(lambda text: _must_be(words, found := _number(text), is_right=found in allowed), default)


def _numbers(allowed: range) -> Parameter:
    words = f"whole numbers from {allowed.start} to {allowed.stop - 1}, separated by commas"

    def parse(text: str) -> frozenset[int]:
        numbers = frozenset(map(_number, text.split(",")))
        return _must_be(words, numbers, is_right=all(number in allowed for number in numbers))

    return Parameter(parse)


def one_of(allowed: Sequence[str], default: str | None = None) -> Parameter:
    """Return the parameter for one of a few words."""
    words = f"one of {', '.join(allowed)}"
    return Parameter(lambda text: _must_be(words, text, is_right=text in allowed), default)


def _some_of(allowed: Sequence[str]) -> Parameter:
    """Return the parameter for some of a few words, separated by commas; an empty text chooses no word."""
    words = f"some of {', '.join(allowed)}, each once, separated by commas"

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(text.split(",")) if text else ()
        return _must_be(words, found, is_right=set(found) <= {*allowed} and len({*found}) == len(found))

    return Parameter(parse, ())


def _tags(text: str) -> frozenset[str]:
    return frozenset(storable(_must_be("tags, separated by commas", text, is_right=text)).split(","))


def _moment(text: str) -> int:
    """Return a date with time as microseconds since 1970; a time without a zone is in UTC."""
    try:
        moment = time_from(text)
    except ValueError as error:
        raise ValueError("Must be a date and time like 2023-02-15T00:00:00.000Z.") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (aware - EPOCH) // timedelta(microseconds=1)


def _flag(*, default: bool) -> Parameter:
    words = one_of(("0", "1", "true", "false"))
    return Parameter(lambda text: words.parse(text) in ("1", "true"), default)


def _sort(orders: Iterable[str]) -> Parameter:
    words = [*orders]
    return one_of(words, words[0])


_IDS: Final = range(1, INT64_MAX + 1)
_PAGE: Final = {"page": in_range(_IDS, 1), "order": one_of(("asc", "desc"), "desc")}
_PER_PAGE: Final = Parameter(lambda text: int(str(one_of(("15", "25", "50", "100")).parse(text))), 100)
_MILLISECOND_US: Final = 1000
# Times are stored in microseconds and shown in milliseconds, so the bounds are rounded up: a run is created after the
# time that is shown for it only from the next millisecond on.
_FILTERS: Final[Mapping[RunFilter, Parameter]] = {
    "statuses": _numbers(range(2, 5)),
    "ids": _numbers(_IDS),
    "tags": Parameter(_tags),
    "text": Parameter(storable),
    "after": Parameter(lambda text: (_moment(text) // _MILLISECOND_US + 1) * _MILLISECOND_US),
    "before": Parameter(lambda text: -(-_moment(text) // _MILLISECOND_US) * _MILLISECOND_US),
}

# The parameters of one run; ``threads`` becomes the number of threads to read.
RUN_QUERY: Final[Query] = {
    "expands": _some_of(RUN_REFERENCES),
    "threads": Parameter(lambda text: MAX_THREADS if _flag(default=True).parse(text) else 0, MAX_THREADS),
}
RUN_PAGE: Final[Query] = {
    **_PAGE,
    **RUN_QUERY,
    "per_page": _PER_PAGE,
    "sort": _sort(["automation_runs:created_at"]),
    # Beside the contract, whose clients read no more than it has.
    "verdicts": _flag(default=False),
    **{name: _FILTERS[form] for name, (form, _) in RUN_FILTERS.items()},
}
"""Parameters of the list of runs."""

TEST_PAGE: Final[Query] = {
    **_PAGE,
    "per_page": in_range(range(100, 1001), 100),
    "sort": _sort(RESULT_ORDERS),
    "thread_id": in_range(_IDS),
    "status_id": _numbers(range(1, 5)),
    # Beside the contract: without the results that a later attempt of their job replaces.
    "replaced": _flag(default=True),
}
"""Parameters of the list of a run's tests."""

SOURCE_QUERY: Final[Query] = {"expands": _some_of(SOURCE_REFERENCES)}  # parameters of one source
SOURCE_PAGE: Final[Query] = {
    **_PAGE,
    **SOURCE_QUERY,
    "per_page": _PER_PAGE,
    "sort": _sort(SOURCE_ORDERS),
    "is_retired": _flag(default=False),
}
"""Parameters of the list of sources."""


def query_from(query: Query, parameters: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """Return the parameters with their defaults; raises `ApiError` (422) that names every bad one."""
    values: dict[str, object] = {}
    mistakes: Mistakes = {}
    for name, parameter in query.items():
        text = parameters.get(name)
        try:
            if isinstance(text, list):
                raise ValueError("May be given once only.")  # noqa: TRY004, TRY301 - a mistake like any other
            values[name] = parameter.default if text is None else parameter.parse(text)
        except ValueError as error:
            mistakes[name] = str(error)
    refuse(mistakes)
    return values


# The properties in responses; others that are stored are left out.
_PROPERTIES: Final[Mapping[PartKind, tuple[str, ...]]] = {
    "fields": ("type", "name", "value", "meta"),
    "artifacts": ("name", "note", "url", "mime_type", "size"),
    "links": ("name", "note", "url"),
}
_NOT_FOUND: Final = 404
_SOURCE_STATUSES: Final[Mapping[int | None, ResultClass]] = {
    RunStatus.SUCCESS: ResultClass.SUCCESS,
    RunStatus.FAILURE: ResultClass.FAILURE,
}


def page_view(page: Page[Item], view: Callable[[Item], object]) -> PageAnswer:
    """Return a page with its numbers and items."""
    return {**_page_numbers(page), "result": [view(item) for item in page.items]}


def _page_numbers(page: Page[Item]) -> PageAnswer:
    """Return the numbers of a page; they are null for an empty list, which has no pages."""
    last = -(-page.total // page.size) or None  # rounded up
    return {
        "page": page.number if last else None,
        "prev_page": min(page.number - 1, last) if last and page.number > 1 else None,
        "next_page": page.number + 1 if last and page.number < last else None,
        "last_page": last,
        "per_page": page.size,
        "total": page.total,
    }


# Members that have the name of their column.
_OF_RUN: Final = ("id", "name", "status", "elapsed", "is_completed", "thread_count", "thread_active_count")
_OF_TEST: Final = ("key", "name", "folder", "elapsed")


def run_view(run: RunRecord) -> RunAnswer:
    """Return a run with its threads."""
    row, attached = run.row, _attached(run.attachments)
    # A run that late results have opened again keeps the time of its completion in the store.
    completed = row.completed if row.is_completed else None
    return {
        **{name: getattr(row, name) for name in _OF_RUN},
        **{f"{name}_id": getattr(row, name) for name in ("project", "source", "config", "milestone")},
        **{name: getattr(row, name, 0) for name in COUNT_NAMES},
        **{kind: attached[kind, None] for kind in _PROPERTIES},
        "tags": [*row.tags],
        "threads": [_thread(thread, attached) for thread in run.threads],
        "thread_completed_count": row.thread_count - row.thread_active_count,
        **_moments(created=row.created, updated=row.updated, completed=completed),
        "session": to_builtins(row.session),
    }


def exported_run(run: RunRecord, source: str) -> Run:
    """Return a run as forms of export take it; ``source`` is the name of its source."""
    row, fields = run.row, [entry.body for entry in run.attachments if entry.kind == "fields" and entry.thread is None]
    return Run(
        row.id,
        row.is_completed,
        row.total_count,
        row.success_count,
        row.failure_count,
        tuple(FieldText(field.name, field.value) for field in fields),
        name=row.name,
        created_at=iso_time(row.created),
        completed_at=iso_time(row.completed if row.is_completed else None),
        elapsed=row.elapsed,
        source_id=row.source,
        document={"expands": {"automation_sources": [{"id": row.source, "name": source}]}},
    )


def test_view(row: TestOfRun) -> TestAnswer:
    """Return one result of a run."""
    return {
        **{name: getattr(row, name) for name in _OF_TEST},
        "automation_test_id": row.id,
        "automation_case_id": row.case,
        "repository_case_id": None,
        "repository_case_ids": [],
        "status": row.status,
        "thread_id": row.thread,
        "created_at": iso_time(row.created),
    }


def source_view(row: SuiteNumbers) -> SourceAnswer:
    """Return a source with the status of its latest run."""
    averages = (("test_count_average", row.test_average), ("elapsed_average", row.elapsed_average))
    return {
        **{name: getattr(row, name) for name in ("id", "name", "run_count")},
        "project_id": row.project,
        "status": int(_SOURCE_STATUSES.get(row.last_run_status, ResultClass.NEUTRAL)),
        "is_retired": False,
        **{name: None if average is None else round(average) for name, average in averages},
        "ran_at": iso_time(row.ran),
        **_moments(created=row.created, updated=None, retired=None),
    }


def _thread(row: StoredThread, attached: _Attached) -> ThreadAnswer:
    return {
        "id": row.id,
        "index": row.position,
        "name": f"Thread {row.position}",
        "status": row.status,
        "elapsed": row.elapsed_computed if row.elapsed_observed is None else row.elapsed_observed,
        "is_completed": row.is_completed,
        **{name: getattr(row, name, 0) for name in COUNT_NAMES},
        **{kind: attached[kind, row.id] for kind in ("artifacts", "fields")},
        **_moments(created=row.created, completed=row.completed),
        "session": to_builtins(row.session),
    }


def _moments(**times: int | None) -> dict[str, Any]:
    """Return when something was done and by whom, null for what was not."""
    moments: dict[str, Any] = {}
    for name, time in times.items():
        moments |= {f"{name}_at": iso_time(time), f"{name}_by": None if time is None else USER_ID}
    return moments


def _attached(attachments: Sequence[Attachment]) -> _Attached:
    views: _Attached = defaultdict(list)
    for row in attachments:
        views[row.kind, row.thread].append({name: getattr(row.body, name) for name in _PROPERTIES[row.kind]})
    return views


def run_document(connection: StoreConnection, run_id: int, query: Asked) -> Envelope:
    """Return the JSON of a run for the parameters of `RUN_QUERY`."""
    run = Reader(connection).run(run_id, query["threads"])
    return {"result": run_view(run), "expands": referenced(connection, [run.row], query["expands"])}


def _tests(connection: StoreConnection, run_id: int, query: Asked) -> PageAnswer:
    return page_view(Reader(connection).test_page(run_id, query), test_view)


def _results(connection: StoreConnection, run_id: int, query: Asked) -> Envelope:
    results, following = results_page(connection, run_id, **query)
    return {"result": {"tests": results, "next": following}}


def _sources(connection: StoreConnection, project_id: int, query: Asked) -> PageAnswer:
    page = Reader(connection).source_page(project_id, query)
    return {**page_view(page, source_view), "expands": referenced(connection, page.items, query["expands"])}


def _source(connection: StoreConnection, source_id: int, query: Asked) -> Envelope:
    row = Reader(connection).source(source_id)
    return {"result": source_view(row), "expands": referenced(connection, [row], query["expands"])}


def _run_page(connection: StoreConnection, project_id: int, query: Asked) -> tuple[Page[StoredRun], References]:
    page = Reader(connection).run_page(project_id, query)
    return page, referenced(connection, page.items, query["expands"])


class _ListedRuns(NamedTuple):
    """A page of runs, each of which is read in its turn, so that the threads of one run are in memory."""

    head: PageAnswer
    runs: Iterator[RunAnswer]

    def pieces(self) -> Iterator[bytes]:
        """Yield the JSON."""
        yield encode(self.head)[:-1] + b',"result":['
        separator = b""
        for run in self.runs:
            yield separator + encode(run)
            separator = b","
        yield b"]}"


def _runs(store: Store, project_id: int, query: Asked) -> _ListedRuns:
    page, expands = store.read(partial(_run_page, project_id=project_id, query=query))
    return _ListedRuns({**_page_numbers(page), "expands": expands}, _each_run(store, page, query))


def _each_run(store: Store, page: Page[StoredRun], query: Asked) -> Iterator[RunAnswer]:
    for row in page.items:
        try:
            yield store.read(partial(_listed_run, row.id, query))
        except ApiError as error:  # noqa: PERF203 - the others are shown
            if error.status != _NOT_FOUND:  # that one was removed since the page was read
                raise


def _listed_run(run_id: int, query: Asked, connection: StoreConnection) -> RunAnswer:
    run = Reader(connection).run(run_id, query["threads"])
    if not query["verdicts"]:
        return run_view(run)
    summary = summaries(connection, [run_id]).get(run_id)
    return {**run_view(run), "verdict": brief(verdict_in_list(run.row, summary))}


def _read(answer: Callable[[StoreConnection, int, Asked], Envelope]) -> Callable[[Store, int, Asked], Envelope]:
    """Return an answer that one snapshot of a store gives."""
    return lambda store, record_id, query: store.read(lambda connection: answer(connection, record_id, query))


class Document(NamedTuple):
    """What a GET returns."""

    query: Query
    answer: Callable[[Store, int, Asked], Envelope | _ListedRuns]

    def __call__(self, store: Store, record_id: int, parameters: Parameters) -> bytes | Iterator[bytes]:
        """Return the JSON for these parameters; raises `ApiError`."""
        found = self.answer(store, record_id, query_from(self.query, parameters))
        return found.pieces() if isinstance(found, _ListedRuns) else encode(found)

    def values(self, store: Store, record_id: int, parameters: Parameters) -> object:
        """Return the same as values of JSON, for a client in this process; raises `ApiError`."""
        found = self.answer(store, record_id, query_from(self.query, parameters))
        return to_builtins({**found.head, "result": [*found.runs]} if isinstance(found, _ListedRuns) else found)


# Whole results, findings, flaky tests and durations are beside the contract.
DOCUMENTS: Final[Mapping[str, Document]] = {
    "/projects/{}/automation/runs": Document(RUN_PAGE, _runs),
    "/projects/{}/automation/sources": Document(SOURCE_PAGE, _read(_sources)),
    "/projects/{}/automation/durations": Document(
        {**{name: Parameter(_string, "") for name in ("source", "branch")}, "run": in_range(_IDS)},
        lambda store, project_id, query: {"result": usual_durations(store, project_id, **query)},
    ),
    "/automation/runs/{}": Document(RUN_QUERY, _read(run_document)),
    "/automation/runs/{}/tests": Document(TEST_PAGE, _read(_tests)),
    "/automation/runs/{}/results": Document(
        {"after": in_range(range(INT64_MAX + 1), 0), "status_id": _numbers(range(1, 5))}, _read(_results)
    ),
    "/automation/runs/{}/findings": Document(
        {"base": Parameter(lambda text: text if text == "change" else in_range(_IDS).parse(text))},
        lambda store, run_id, query: {"result": findings(store, run_id, query["base"])},
    ),
    "/automation/sources/{}": Document(SOURCE_QUERY, _read(_source)),
    "/automation/sources/{}/flaky": Document(
        {"branch": Parameter(storable)},
        _read(lambda connection, source_id, query: {"result": flaky_tests(connection, source_id, **query)}),
    ),
}
"""What a GET returns, by its path with ``{}`` for the id of the project, run or source."""
