"""Read the extensions of a test: steps and the values of a comparison, which nest, colours, and earlier attempts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.embedded.plain import (
    ATTEMPT,
    COMPARISON,
    STEP,
    VALUE,
    is_coloured,
    is_name_or_empty,
    is_plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json

__all__ = [
    "MAX_EXTENSION_BYTES",
    "NotPlainError",
    "attempts_text",
    "colours_text",
    "compact",
    "comparison_text",
    "steps_text",
]

MAX_EXTENSION_BYTES: Final = 64 * 1024
"""Longest extension of a test or thread."""

_MAX_ATTEMPTS_BYTES: Final = 256 * 1024
_MAX_DEPTH: Final = 20
# Defaults, which the server does not store: a step without steps or files, a value from its beginning.
_LEFT_OUT: Final[tuple[tuple[str, object], ...]] = (("steps", []), ("files", []), ("start", 0))

compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Return a value as compact JSON."""


class NotPlainError(Exception):
    """An extension is left to the server's code."""


def steps_text(value: Any) -> str | None:  # noqa: ANN401 - anything that JSON can hold
    """Return the steps of a test as they are stored; raises `NotPlainError`."""
    return _nested(value, _steps)


def comparison_text(value: Any) -> str | None:  # noqa: ANN401 - anything that JSON can hold
    """Return the comparison of a test as it is stored; raises `NotPlainError`."""
    return _nested(value, _comparison)


def colours_text(value: Any) -> str | None:  # noqa: ANN401 - anything that JSON can hold
    """Return the colours of a test's fields as they are stored; raises `NotPlainError`."""
    return _nested(value, _colours)


def attempts_text(value: Any) -> str | None:  # noqa: ANN401 - anything that JSON can hold
    """Return the earlier attempts of a test as they are stored; raises `NotPlainError`."""
    return _nested(value, _attempts, _MAX_ATTEMPTS_BYTES)


def _nested(
    value: Any,  # noqa: ANN401 - anything that JSON can hold
    canonical: Callable[[Any, int], object],
    max_bytes: int = MAX_EXTENSION_BYTES,
) -> str | None:
    """Return an extension as JSON, with its properties in the order of their declarations; None if there is none."""
    if value is None or value == [] or (value == {} and canonical is _colours):
        return None
    text = compact(canonical(value, 0))
    if len(text.encode()) > max_bytes:
        raise NotPlainError
    return text


def _colours(value: Any, depth: int) -> Json:  # noqa: ANN401 - anything that JSON can hold
    del depth
    if type(value) is not dict or not all(map(is_name_or_empty, value)) or not all(map(is_coloured, value.values())):
        raise NotPlainError
    return value


def _attempts(value: Any, depth: int) -> list[Json]:  # noqa: ANN401 - as above
    if type(value) is not list:
        raise NotPlainError
    parts = {"steps": _steps, "comparison": _comparison, "colours": _colours}
    return [_part(attempt, ATTEMPT, ("number",), parts, depth) for attempt in value]


def _steps(value: Any, depth: int) -> list[Json]:  # noqa: ANN401 - as above
    if type(value) is not list or depth > _MAX_DEPTH:
        raise NotPlainError
    return [_part(step, STEP, ("name", "status"), {"steps": _steps}, depth) for step in value]


def _comparison(value: Any, depth: int) -> Json:  # noqa: ANN401 - as above
    return _part(value, COMPARISON, tuple(COMPARISON), {"left": _value, "right": _value}, depth)


def _value(value: Any, depth: int) -> Json:  # noqa: ANN401 - as above
    parts = {"items": _values, "entries": _pairs_of_values, "fields": _named_values}
    return _part(value, VALUE, ("type",), parts, depth)


def _values(value: Any, depth: int) -> list[Json]:  # noqa: ANN401 - as above
    if type(value) is not list or depth > _MAX_DEPTH:
        raise NotPlainError
    return [_value(part, depth) for part in value]


def _pairs_of_values(value: Any, depth: int) -> list[list[Json]]:  # noqa: ANN401 - as above
    if type(value) is not list or not all(type(pair) is list and len(pair) == 2 for pair in value):  # noqa: PLR2004
        raise NotPlainError
    return [_values(pair, depth) for pair in value]


def _named_values(value: Any, depth: int) -> list[list[object]]:  # noqa: ANN401 - as above
    if type(value) is not list or not all(type(pair) is list and len(pair) == 2 for pair in value):  # noqa: PLR2004
        raise NotPlainError
    if depth > _MAX_DEPTH or not all(is_name_or_empty(name) for name, _ in value):
        raise NotPlainError
    return [[name, _value(part, depth)] for name, part in value]


def _part(
    value: Any,  # noqa: ANN401 - as above
    checks: Mapping[str, Callable[[Any], bool]],
    required: Sequence[str],
    parts: Mapping[str, Callable[[Any, int], object]],
    depth: int,
) -> Json:
    """Return an object of an extension in the order of ``checks``, without its defaults."""
    if type(value) is not dict or not is_plain(value, checks, required):
        raise NotPlainError
    body: Json = {}
    for name in checks:
        if name in value and (name, value[name]) not in _LEFT_OUT:
            part = parts.get(name)
            body[name] = value[name] if part is None else part(value[name], depth + 1)
    return body
