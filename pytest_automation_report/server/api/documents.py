"""Read the query parameters and the store, and write the JSON of the API's lists and records.

Reads are functions that the store calls, since it may have to run a transaction again. Each document raises `ApiError`
for wrong ``parameters`` (422), with every mistake in one answer, and for a record that does not exist (404).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from msgspec.json import encode
from msgspec.structs import replace

from pytest_automation_report.findings.sentences import brief
from pytest_automation_report.server.api.decoding import Mistakes, storable
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
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.reads import Item, Page, Reference, RunRecord
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.values import Kind

    _Attached: TypeAlias = defaultdict[tuple[Kind, "int | None"], list[object]]
    Parameters: TypeAlias = Mapping[str, str | list[str]]
    References: TypeAlias = dict[Reference, list[Json]]

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


def in_range(allowed: range, default: int | None = None) -> Parameter:
    """Return the parameter for a whole number of a range."""

    def parse(text: str) -> int:
        if (number := _number(text)) not in allowed:
            raise ValueError(f"Must be a whole number from {allowed.start} to {allowed.stop - 1}.")
        return number

    return Parameter(parse, default)


def _numbers(allowed: range) -> Parameter:
    def parse(text: str) -> frozenset[int]:
        numbers = frozenset(map(_number, text.split(",")))
        if any(number not in allowed for number in numbers):
            message = f"Must be whole numbers from {allowed.start} to {allowed.stop - 1}, separated by commas."
            raise ValueError(message)
        return numbers

    return Parameter(parse)


def one_of(allowed: Sequence[str], default: str | None = None) -> Parameter:
    """Return the parameter for one of a few words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"Must be one of {', '.join(allowed)}.")
        return text

    return Parameter(parse, default)


def _some_of(allowed: Sequence[str]) -> Parameter:
    """Return the parameter for some of a few words, separated by commas; an empty text chooses no word."""

    def parse(text: str) -> tuple[str, ...]:
        words = tuple(text.split(",")) if text else ()
        if not set(words) <= set(allowed) or len(set(words)) < len(words):
            raise ValueError(f"Must be some of {', '.join(allowed)}, each once, separated by commas.")
        return words

    return Parameter(parse, ())


def _tags(text: str) -> frozenset[str]:
    if not text:
        raise ValueError("Must be tags, separated by commas.")
    return frozenset(storable(text).split(","))


def _moment(text: str) -> int:
    """Return a date with time as microseconds since 1970; a time without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
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

RUN_QUERY: Final[Query] = {"expands": _some_of(RUN_REFERENCES), "threads": _flag(default=True)}  # parameters of one run
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


def query_from(query: Query, parameters: Mapping[str, str | list[str]]) -> Json:
    """Return the parameters with their defaults; raises `ApiError` (422) that names every bad one."""
    values: Json = {}
    mistakes = Mistakes()
    for name, parameter in query.items():
        text = parameters.get(name)
        try:
            if isinstance(text, list):
                raise ValueError("May be given once only.")  # noqa: TRY004, TRY301 - a mistake like any other
            values[name] = parameter.default if text is None else parameter.parse(text)
        except ValueError as error:
            mistakes.add(name, str(error))
    mistakes.refuse()
    return values


T = TypeVar("T")

# The properties in responses, with the values of those that were not sent; others that are stored are left out.
_PROPERTIES: Final[Mapping[Kind, Mapping[str, object]]] = {
    "fields": {"type": None, "name": None, "value": None, "meta": {}},
    "artifacts": dict.fromkeys(("name", "note", "url", "mime_type", "size")),
    "links": dict.fromkeys(("name", "note", "url")),
}
_NOT_FOUND: Final = 404
_SOURCE_STATUSES: Final[Mapping[int | None, ResultClass]] = {
    RunStatus.SUCCESS: ResultClass.SUCCESS,
    RunStatus.FAILURE: ResultClass.FAILURE,
}


def page_view(page: Page[Item], view: Callable[[Item], Json]) -> Json:
    """Return a page with its numbers; they are null for an empty list, which has no pages."""
    last = -(-page.total // page.size) or None  # rounded up
    return {
        "page": page.number if last else None,
        "prev_page": min(page.number - 1, last) if last and page.number > 1 else None,
        "next_page": page.number + 1 if last and page.number < last else None,
        "last_page": last,
        "per_page": page.size,
        "total": page.total,
        "result": [view(item) for item in page.items],
    }


def run_view(run: RunRecord) -> Json:
    """Return a run with its threads."""
    row, attached = run.row, _attached(run.attachments)
    # A run that late results have opened again keeps the time of its completion in the store.
    completed = row["completed"] if row["is_completed"] else None
    return {
        "id": row["id"],
        "project_id": row["project"],
        "source_id": row["source"],
        "name": row["name"],
        "status": row["status"],
        "config_id": row["config"],
        "milestone_id": row["milestone"],
        "elapsed": row["elapsed"],
        "is_completed": row["is_completed"],
        **{name: row.get(name, 0) for name in COUNT_NAMES},
        "artifacts": attached["artifacts", None],
        "fields": attached["fields", None],
        "links": attached["links", None],
        "tags": json.loads(row["tags"]),
        "threads": [_thread(thread, attached) for thread in run.threads],
        "thread_count": row["thread_count"],
        "thread_active_count": row["thread_active_count"],
        "thread_completed_count": row["thread_count"] - row["thread_active_count"],
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "updated_at": iso_time(row["updated"]),
        "updated_by": _user(row["updated"]),
        "completed_at": iso_time(completed),
        "completed_by": _user(completed),
    }


def test_view(row: Mapping[str, Any]) -> Json:
    """Return one result of a run."""
    return {
        "automation_test_id": row["id"],
        "automation_case_id": row["case"],
        "repository_case_id": None,
        "repository_case_ids": [],
        "key": row["key"],
        "name": row["name"],
        "folder": row["folder"],
        "status": row["result_class"],
        "elapsed": row["elapsed"],
        "thread_id": row["thread"],
        "created_at": iso_time(row["created"]),
    }


def source_view(row: Mapping[str, Any]) -> Json:
    """Return a source with the status of its latest run."""
    return {
        "id": row["id"],
        "project_id": row["project"],
        "name": row["name"],
        "status": int(_SOURCE_STATUSES.get(row["last_run_status"], ResultClass.NEUTRAL)),
        "is_retired": False,
        "run_count": row["run_count"],
        "test_count_average": _rounded(row["test_average"]),
        "elapsed_average": _rounded(row["elapsed_average"]),
        "ran_at": iso_time(row["ran"]),
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "updated_at": None,
        "updated_by": None,
        "retired_at": None,
        "retired_by": None,
    }


def _thread(row: Json, attached: _Attached) -> Json:
    elapsed = row["elapsed_computed"] if row["elapsed_observed"] is None else row["elapsed_observed"]
    return {
        "id": row["id"],
        "index": row["position"],
        "name": f"Thread {row['position']}",
        "status": row["status"],
        "elapsed": elapsed,
        "is_completed": row["is_completed"],
        **{name: row.get(name, 0) for name in COUNT_NAMES},
        "artifacts": attached["artifacts", row["id"]],
        "fields": attached["fields", row["id"]],
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "completed_at": iso_time(row["completed"]),
        "completed_by": _user(row["completed"]),
    }


def _attached(attachments: Sequence[Json]) -> _Attached:
    views: _Attached = defaultdict(list)
    for row in attachments:
        body, properties = json.loads(row["body"]), _PROPERTIES[row["kind"]]
        views[row["kind"], row["thread"]].append({name: body.get(name, properties[name]) for name in properties})
    return views


def _user(time_us: int | None) -> int | None:
    return None if time_us is None else USER_ID


def _rounded(average: float | None) -> int | None:
    return None if average is None else round(average)


def _asked(
    store: Store, query: Json, question: Callable[[Reader], T], rows: Callable[[T], Sequence[Json]]
) -> tuple[T, References]:
    """Return the answer to a question, and the records of the wanted kinds that its rows refer to."""

    def ask(connection: StoreConnection) -> tuple[T, References]:
        found = question(Reader(connection))
        return found, referenced(connection, rows(found), query["expands"])

    return store.read(ask)


def run_document(store: Store, run_id: int, query: Json) -> Json:
    """Return the JSON of a run for the parameters of `RUN_QUERY`."""
    run, expands = _asked(store, query, lambda reader: reader.run(run_id, _most_threads(query)), lambda run: [run.row])
    return {"result": run_view(run), "expands": expands}


def _most_threads(query: Json) -> int:
    return MAX_THREADS if query["threads"] else 0


def _tests(store: Store, run_id: int, query: Json) -> Json:
    return page_view(store.read(lambda connection: Reader(connection).test_page(run_id, query)), test_view)


def _results(store: Store, run_id: int, query: Json) -> Json:
    page = partial(results_page, run_id=run_id, after=query["after"], classes=query["status_id"])
    results, following = store.read(page)
    return {"result": {"tests": results, "next": following}}


def _sources(store: Store, project_id: int, query: Json) -> Json:
    page, expands = _asked(store, query, lambda reader: reader.source_page(project_id, query), lambda page: page.items)
    return {**page_view(page, source_view), "expands": expands}


def _source(store: Store, source_id: int, query: Json) -> Json:
    row, expands = _asked(store, query, lambda reader: reader.source(source_id), lambda row: [row])
    return {"result": source_view(row), "expands": expands}


def _runs(store: Store, project_id: int, query: Json) -> Iterator[bytes]:
    page, expands = _asked(store, query, lambda reader: reader.run_page(project_id, query), lambda page: page.items)
    return _pieces(store, page, expands, query)


def _pieces(store: Store, page: Page[Json], expands: References, query: Json) -> Iterator[bytes]:
    """Yield a page of runs, each as it is in its turn, so that the threads of one run are in memory."""
    envelope = {**page_view(replace(page, items=()), dict), "expands": expands}
    envelope.pop("result")
    yield encode(envelope)[:-1] + b',"result":['
    separator = b""
    for row in page.items:
        try:
            run = store.read(partial(_listed_run, row["id"], query))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            continue  # it was removed since the page was read
        yield separator + encode(run)
        separator = b","
    yield b"]}"


def _listed_run(run_id: int, query: Json, connection: StoreConnection) -> Json:
    run = Reader(connection).run(run_id, _most_threads(query))
    if not query["verdicts"]:
        return run_view(run)
    summary = summaries(connection, [run_id]).get(run_id)
    return {**run_view(run), "verdict": brief(verdict_in_list(run.row, summary))}


class Document(NamedTuple):
    """What a GET returns."""

    query: Query
    answer: Callable[[Store, int, Json], Json | Iterator[bytes]]

    def __call__(self, store: Store, record_id: int, parameters: Parameters) -> bytes | Iterator[bytes]:
        """Return the JSON for these parameters; raises `ApiError`."""
        found = self.answer(store, record_id, query_from(self.query, parameters))
        return encode(found) if isinstance(found, dict) else found


# Whole results, findings, flaky tests and durations are beside the contract.
DOCUMENTS: Final[Mapping[str, Document]] = {
    "/projects/{}/automation/runs": Document(RUN_PAGE, _runs),
    "/projects/{}/automation/sources": Document(SOURCE_PAGE, _sources),
    "/projects/{}/automation/durations": Document(
        {name: Parameter(_string, "") for name in ("source", "branch", "key")},
        lambda store, project_id, query: {"result": usual_durations(store, project_id, **query)},
    ),
    "/automation/runs/{}": Document(RUN_QUERY, run_document),
    "/automation/runs/{}/tests": Document(TEST_PAGE, _tests),
    "/automation/runs/{}/results": Document(
        {"after": in_range(range(INT64_MAX + 1), 0), "status_id": _numbers(range(1, 5))}, _results
    ),
    "/automation/runs/{}/findings": Document(
        {"base": Parameter(lambda text: text if text == "change" else in_range(_IDS).parse(text))},
        lambda store, run_id, query: {"result": findings(store, run_id, query["base"])},
    ),
    "/automation/sources/{}": Document(SOURCE_QUERY, _source),
    "/automation/sources/{}/flaky": Document(
        {"branch": Parameter(storable)},
        lambda store, source_id, query: {"result": flaky_tests(store, source_id, query["branch"])},
    ),
}
"""What a GET returns, by its path with ``{}`` for the id of the project, run or source."""
