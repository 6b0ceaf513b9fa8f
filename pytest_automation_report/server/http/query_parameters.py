"""Query parameters of the lists, with every mistake told at once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from pytest_automation_report.server.http.request_body import visible
from pytest_automation_report.server.http.schemas import loaded
from pytest_automation_report.server.store.inputs import INT64_MAX
from pytest_automation_report.server.store.references import RUN_REFERENCES, SOURCE_REFERENCES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_automation_report.api.models import Json

    _AnyField: TypeAlias = fields.Field[Any]
else:  # marshmallow 3 has no generic fields
    _AnyField = fields.Field

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DIGITS = re.compile(r"[0-9]{1,19}").fullmatch


class _Parameter(_AnyField):
    """A parameter that may be given once; ``parse`` raises ValidationError."""

    def __init__(self, name: str, default: object = None) -> None:
        super().__init__(load_default=default, data_key=name)

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: object) -> object:
        del attr, data
        if not isinstance(value, str):
            raise ValidationError("May be given once only.")
        return self.parse(value)

    def parse(self, text: str) -> object:
        """Return the value that a text stands for."""
        raise NotImplementedError


class Number(_Parameter):
    """A whole number of a range."""

    def __init__(self, name: str, allowed: Collection[int], default: int | None = None) -> None:
        super().__init__(name, default)
        self._allowed = allowed

    def parse(self, text: str) -> int:
        """Return the number."""
        number = _number(text)
        if number not in self._allowed:
            allowed = self._allowed
            words = (
                f"a whole number from {allowed.start} to {allowed.stop - 1}"
                if isinstance(allowed, range)
                else f"one of {', '.join(map(str, allowed))}"
            )
            raise ValidationError(f"Must be {words}.")
        return number


class Word(_Parameter):
    """One of a few words."""

    def __init__(self, name: str, allowed: Collection[str], default: str) -> None:
        super().__init__(name, default)
        self._allowed = allowed

    def parse(self, text: str) -> str:
        """Return the word."""
        if text not in self._allowed:
            raise ValidationError(f"Must be one of {', '.join(self._allowed)}.")
        return text


class Words(_Parameter):
    """Some of a few words, separated by commas; nothing means none of them."""

    def __init__(self, name: str, allowed: Collection[str]) -> None:
        super().__init__(name, ())
        self._allowed = allowed

    def parse(self, text: str) -> tuple[str, ...]:
        """Return the words as they came."""
        words = tuple(text.split(",")) if text else ()
        if not set(words) <= set(self._allowed) or len(set(words)) < len(words):
            raise ValidationError(f"Must be some of {', '.join(self._allowed)}, each once, separated by commas.")
        return words


class Tags(_Parameter):
    """Tags, separated by commas, as they are stored."""

    def parse(self, text: str) -> frozenset[str]:
        """Return the tags."""
        if not text:
            raise ValidationError("Must be tags, separated by commas.")
        return frozenset(visible(text).split(","))


class Numbers(_Parameter):
    """Whole numbers of a range, separated by commas."""

    def __init__(self, name: str, allowed: range) -> None:
        super().__init__(name)
        self._allowed = allowed

    def parse(self, text: str) -> frozenset[int]:
        """Return the numbers."""
        numbers = frozenset(map(_number, text.split(",")))
        if any(number not in self._allowed for number in numbers):
            raise ValidationError(
                f"Must be whole numbers from {self._allowed.start} to {self._allowed.stop - 1}, separated by commas.",
            )
        return numbers


class Moment(_Parameter):
    """A date with time; microseconds since 1970, a time without a zone is in UTC."""

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def parse(self, text: str) -> int:
        """Return the moment."""
        try:
            moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        except ValueError as error:
            raise ValidationError("Must be a date and time like 2023-02-15T00:00:00.000Z.") from error
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return (aware - _EPOCH) // timedelta(microseconds=1)


_IDS = range(1, INT64_MAX + 1)
_ORDERS = ("asc", "desc")
_PAGE_SIZES = (15, 25, 50, 100)
_FLAGS = ("0", "1", "true", "false")
_RUN_STATUSES = range(2, 5)


class _Query(Schema):
    class Meta:
        unknown = EXCLUDE

    page = Number("page", _IDS, 1)
    order = Word("order", _ORDERS, "desc")


class RunPageQuery(_Query):
    """Parameters of the list of runs."""

    per_page = Number("per_page", _PAGE_SIZES, 100)
    sort = Word("sort", ("automation_runs:created_at",), "automation_runs:created_at")
    status = Numbers("status", _RUN_STATUSES)
    state = Numbers("state", _RUN_STATUSES)
    source_id = Numbers("source_id", _IDS)
    config_id = Numbers("config_id", _IDS)
    milestone_id = Numbers("milestone_id", _IDS)
    created_by = Numbers("created_by", _IDS)
    tags = Tags("tags")
    expands = Words("expands", RUN_REFERENCES)
    threads = Word("threads", _FLAGS, "1")
    created_after = Moment("created_after")
    created_before = Moment("created_before")


class RunQuery(Schema):
    """Parameters of one run."""

    class Meta:
        """What marshmallow takes from here."""

        unknown = EXCLUDE

    expands = Words("expands", RUN_REFERENCES)
    threads = Word("threads", _FLAGS, "1")


class SourceQuery(Schema):
    """Parameters of one source."""

    class Meta:
        """What marshmallow takes from here."""

        unknown = EXCLUDE

    expands = Words("expands", SOURCE_REFERENCES)


class TestPageQuery(_Query):
    """Parameters of the list of a run's tests."""

    __test__ = False  # pytest must not collect it

    per_page = Number("per_page", range(100, 1001), 100)
    sort = Word(
        "sort",
        tuple(f"automation_run_tests:{name}" for name in ("id", "name", "status", "elapsed", "created_at")),
        "automation_run_tests:id",
    )
    thread_id = Number("thread_id", _IDS)
    status_id = Numbers("status_id", range(1, 5))


class SourcePageQuery(_Query):
    """Parameters of the list of sources."""

    per_page = Number("per_page", _PAGE_SIZES, 100)
    sort = Word(
        "sort",
        tuple(f"automation_sources:{name}" for name in ("created_at", "ran_at", "retired_at")),
        "automation_sources:created_at",
    )
    expands = Words("expands", SOURCE_REFERENCES)
    is_retired = Word("is_retired", _FLAGS, "0")


def is_set(query: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter that is a flag is set, by the request or by its default."""
    return query[name] in ("1", "true")


def query_from(schema: Schema, parameters: Mapping[str, Any]) -> Json:
    """Return the parameters with their defaults; raises `RefusalError` (422) that names every bad one."""
    return loaded(schema, parameters)


def _number(text: str) -> int:
    """Return a whole number, -1 for what is none."""
    return int(text) if _DIGITS(text) else -1
