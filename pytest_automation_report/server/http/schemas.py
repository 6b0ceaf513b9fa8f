"""What the bodies of requests must look like, with every mistake told at once.

marshmallow gives the errors; a big append in the common shape does not come here (`shapes`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length

from pytest_automation_report.server.http.mistakes import Mistakes
from pytest_automation_report.server.store.inputs import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.statuses import StatusTable

    _IntegerField: TypeAlias = fields.Field[int]
    _BooleanField: TypeAlias = fields.Field[bool]
    _PairsField: TypeAlias = fields.Field[dict[str, str]]
    _AnyField: TypeAlias = fields.Field[Any]
    _EntriesField: TypeAlias = fields.List[Any]
else:  # marshmallow 3 has no generic fields
    _IntegerField = _BooleanField = _PairsField = _AnyField = fields.Field
    _EntriesField = fields.List

NOTE_LENGTH = 80
"""Longest note, in characters."""

NAME_LENGTH = 4096
"""Longest name, folder, path or tag, in characters: pages and lists show hundreds of them at once."""

MAX_ENTRIES = 1000
"""Most fields, artifacts or links of one test, or that one request adds to a run or thread; most pairs of a meta."""

MAX_TAGS = 100
"""Most tags of a run."""

FIELD_TYPES = range(1, 6)
"""The types that a field can have."""

is_key = re.compile(r"[a-z0-9]{1,64}").fullmatch
"""Whether a text can be the key of a test."""

is_url = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL).fullmatch
"""Whether a text is an address with a scheme; which schemes a page makes links of is the page's rule."""

_Messages: TypeAlias = "dict[str, str | list[Any] | dict[Any, Any]]"

_REQUIRED: _Messages = {"required": "This property is required.", "null": "This property may not be null."}
_TEXT: _Messages = {**_REQUIRED, "invalid": "Must be a text."}
_LIST: _Messages = {**_REQUIRED, "invalid": "Must be a list."}
_OBJECT: _Messages = {**_REQUIRED, "type": "Must be an object."}


class Whole(_IntegerField):
    """An integer as JSON has it: neither ``true`` nor ``"12"`` nor 1.5."""

    def __init__(
        self,
        low: int,
        high: int = INT64_MAX,
        *,
        required: bool = False,
        allow_none: bool = False,
    ) -> None:
        super().__init__(required=required, allow_none=allow_none, error_messages=_REQUIRED)
        self._low = low
        self._high = high

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: object) -> int:
        del attr, data
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValidationError("Must be an integer.")
        if not self._low <= number <= self._high:
            raise ValidationError(f"Must be an integer from {self._low} to {self._high}.")
        return number


class Flag(_BooleanField):
    """``true`` or ``false`` and nothing that looks like them."""

    def __init__(self) -> None:
        super().__init__(error_messages=_REQUIRED)

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: object) -> bool:
        del attr, data
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class Pairs(_PairsField):
    """An object whose values are texts."""

    def __init__(self) -> None:
        super().__init__(error_messages=_REQUIRED)

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **_: object,
    ) -> dict[str, str]:
        del attr, data
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        if len(value) > MAX_ENTRIES:
            raise _too_many(len(value), MAX_ENTRIES)
        wrong = {name: ["Must be a text."] for name, entry in value.items() if not isinstance(entry, str)}
        if wrong:
            raise ValidationError(wrong)
        return value


class Entries(_EntriesField):
    """A list whose length is checked first, so that a long one costs nothing more."""

    def __init__(self, entry: _AnyField, most: int, **options: Any) -> None:  # noqa: ANN401 - marshmallow's options
        super().__init__(entry, error_messages=_LIST, **options)
        self._most = most

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **options: Any,  # noqa: ANN401 - handed through
    ) -> list[Any]:
        if isinstance(value, list) and len(value) > self._most:
            raise _too_many(len(value), self._most)
        entries: list[Any] = super()._deserialize(value, attr, data, **options)
        return entries


def _too_many(amount: int, most: int) -> ValidationError:
    return ValidationError(f"Has {amount} entries; at most {most} are taken.")


def _text(
    *,
    required: bool = False,
    allow_none: bool = False,
    least: int = 0,
    most: int | None = None,
    check: Callable[[str], None] | None = None,
) -> fields.String:
    """Return a text field; lengths are in characters."""
    length = Length(min=least or None, max=most) if least or most else None
    return fields.String(
        required=required,
        allow_none=allow_none,
        error_messages=_TEXT,
        validate=[each for each in (length, check) if each is not None],
    )


def _many(schema: type[Schema], name: str, most: int = MAX_ENTRIES) -> _AnyField:
    """Return a list field for a property; not under its own name, since schemas have a ``fields`` of their own."""
    entry = fields.Nested(schema, error_messages=_OBJECT)
    return Entries(entry, most, data_key=name, attribute=name)


def _check_key(value: str) -> None:
    if not is_key(value):
        raise ValidationError("Must be 1 to 64 of the characters a-z and 0-9.")


def _check_url(value: str) -> None:
    if not is_url(value):
        raise ValidationError("Must be an address with a scheme, like https://.")


class _Body(Schema):
    """Properties that the contract does not have are ignored."""

    class Meta:
        unknown = EXCLUDE

    error_messages = {"type": "Must be an object."}  # noqa: RUF012 - marshmallow's own way to name its texts


class FieldBody(_Body):
    """A field of a run, thread or test."""

    type = Whole(FIELD_TYPES.start, FIELD_TYPES.stop - 1, required=True)
    name = _text(required=True, least=1, most=NAME_LENGTH)
    value = _text(allow_none=True)
    meta = Pairs()
    is_highlight = Flag()


class ArtifactBody(_Body):
    """A file that is stored elsewhere."""

    name = _text(required=True, least=1, most=NAME_LENGTH)
    url = _text(required=True, check=_check_url)
    note = _text(allow_none=True, most=NOTE_LENGTH)
    mime_type = _text(allow_none=True, most=NAME_LENGTH)
    size = Whole(0, allow_none=True)


class LinkBody(_Body):
    """A web address of a run."""

    name = _text(required=True, least=1, most=NAME_LENGTH)
    url = _text(required=True, check=_check_url)
    note = _text(allow_none=True, most=NOTE_LENGTH)


class TestBody(_Body):
    """One result of one test; which words are a status is the project's rule (`test_schema`)."""

    __test__ = False  # pytest must not collect it

    key = _text(required=True, check=_check_key)
    name = _text(required=True, least=1, most=NAME_LENGTH)
    folder = _text(required=True, least=1, most=NAME_LENGTH)
    status = _text(required=True, least=1)
    elapsed = Whole(0)
    file = _text(most=NAME_LENGTH)
    line = Whole(0)
    assertions = Whole(0)
    field_list = _many(FieldBody, "fields")
    artifact_list = _many(ArtifactBody, "artifacts")


class RunAppendBody(_Body):
    """What is added to a run."""

    field_list = _many(FieldBody, "fields")
    artifact_list = _many(ArtifactBody, "artifacts")
    link_list = _many(LinkBody, "links")


class RunBody(RunAppendBody):
    """A run to create."""

    name = _text(required=True, least=1, most=NAME_LENGTH)
    source = _text(required=True, least=1, most=NAME_LENGTH)
    config = _text(most=NAME_LENGTH)
    config_id = Whole(1)
    milestone = _text(most=NAME_LENGTH)
    milestone_id = Whole(1)
    tags = Entries(_text(least=1, most=NAME_LENGTH), MAX_TAGS)


class RunCompletionBody(_Body):
    """How the elapsed time of a completed run is found."""

    measure_elapsed = Flag()


class ThreadCompletionBody(_Body):
    """The final durations of a thread, in microseconds."""

    elapsed_observed = Whole(0)
    elapsed_computed = Whole(0)


class ThreadBody(ThreadCompletionBody):
    """A thread to create."""

    field_list = _many(FieldBody, "fields")
    artifact_list = _many(ArtifactBody, "artifacts")


@lru_cache(maxsize=64)
def test_schema(statuses: StatusTable) -> Schema:
    """Return the schema of one test of a project with these statuses."""
    known = ", ".join(statuses.by_alias)

    def check(value: str) -> None:
        if value not in statuses.by_alias:
            raise ValidationError(f"Is no known status; known are {known}.")

    return TestBody.from_dict({"status": _text(required=True, check=check)})()


def loaded(schema: Schema, body: Mapping[str, Any]) -> Json:
    """Return the known properties of a body; raises `RefusalError` (422) that names its bad entries."""
    mistakes = Mistakes()
    result = checked(schema, body, mistakes)
    mistakes.refuse()
    return result


def checked(schema: Schema, body: object, mistakes: Mistakes, path: str = "") -> Json:
    """Return the known properties of a body or a part of it; add its mistakes, with which it is empty."""
    try:
        result = schema.load(body)  # type: ignore[arg-type] # marshmallow itself refuses other types than objects
    except ValidationError as error:
        mistakes.add(path, error.messages)
        return {}
    assert isinstance(result, dict)
    return result
