"""Read the query parameters of the lists, with every mistake in one answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pytest_automation_report.server.api.decoding import Mistakes, storable
from pytest_automation_report.server.store.reads import RUN_FILTERS, RUN_REFERENCES, SOURCE_REFERENCES, RunFilter
from pytest_automation_report.server.store.values import EPOCH, INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_automation_report.api.models import Json


_DIGITS: Final = re.compile(r"[0-9]{1,19}").fullmatch


class Parameter(NamedTuple):
    """A parameter that may be given once; ``parse`` returns the value of its text or raises `ValueError`."""

    parse: Callable[[str], object]
    default: object = None


Query: TypeAlias = Mapping[str, Parameter]  # the parameters of a URL by name; others are ignored


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
    """Return the parameter for whole numbers of a range, separated by commas."""

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
    """Return the parameter for some of a few words, separated by commas; an empty text means none of them."""

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


def _sort(table: str, columns: Sequence[str]) -> Parameter:
    """Return the parameter for the column that a list is sorted by; the first one is the default."""
    words = [f"{table}:{column}" for column in columns]
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
    "sort": _sort("automation_runs", ("created_at",)),
    # Beside the contract, whose clients read no more than it has.
    "verdicts": _flag(default=False),
    **{name: _FILTERS[form] for name, (form, _) in RUN_FILTERS.items()},
}
"""Parameters of the list of runs."""

TEST_PAGE: Final[Query] = {
    **_PAGE,
    "per_page": in_range(range(100, 1001), 100),
    "sort": _sort("automation_run_tests", ("id", "name", "status", "elapsed", "created_at")),
    "thread_id": in_range(_IDS),
    "status_id": _numbers(range(1, 5)),
    # Beside the contract: without the results that a later attempt of their job replaces.
    "replaced": _flag(default=True),
}
"""Parameters of the list of a run's tests."""

# Parameters of the whole results of a run, which are beside the contract.
WHOLE_RESULTS: Final[Query] = {"after": in_range(range(INT64_MAX + 1), 0), "status_id": _numbers(range(1, 5))}
FINDINGS: Final[Query] = {"base": in_range(_IDS)}  # parameters of findings, which are beside the contract
# Parameters of the flaky tests of a source, which are beside the contract.
FLAKY: Final[Query] = {"branch": Parameter(str)}
SOURCE_QUERY: Final[Query] = {"expands": _some_of(SOURCE_REFERENCES)}  # parameters of one source
SOURCE_PAGE: Final[Query] = {
    **_PAGE,
    **SOURCE_QUERY,
    "per_page": _PER_PAGE,
    "sort": _sort("automation_sources", ("created_at", "ran_at", "retired_at")),
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
