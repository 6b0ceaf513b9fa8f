"""Read a request's body as it is declared; a response lists its first 100 mistakes and counts the others.

Not every JSON reader and database accepts NUL and lone surrogates. They are escaped here, once, so that everything
behind this module can store each text.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import chain, islice
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from msgspec import DecodeError, Meta, Struct, UnsetType, ValidationError, convert
from msgspec.structs import fields

from pytest_automation_report.server.store.values import INT64_MAX, ApiError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec.json import Decoder

    from pytest_automation_report.api.models import Json

MISTAKES_LISTED: Final = 100  # most mistakes that a response lists
# A body has up to a million values, and each mistake takes microseconds to find. A batch of a usual client has fewer.
_MISTAKES_COUNTED: Final = 5100
_PATH_LENGTH: Final = 200


Mistakes: TypeAlias = dict[str, str]  # the mistakes of a body, by the dotted paths of its values


def refuse(mistakes: Mistakes) -> None:
    """Raise `ApiError` (422) if there is a mistake."""
    listed = {path[:_PATH_LENGTH]: [message] for path, message in islice(mistakes.items(), MISTAKES_LISTED)}
    if len(mistakes) > MISTAKES_LISTED:
        more = f"{'at least ' if len(mistakes) >= _MISTAKES_COUNTED else ''}{len(mistakes) - MISTAKES_LISTED} more"
        raise ApiError(
            422, f"The request has values that cannot be used: the first {MISTAKES_LISTED}, and {more}.", listed
        )
    if listed:
        raise validation_error(listed)


def examined(value: object, annotation: Any, mistakes: Mistakes, path: str = "") -> Any:  # noqa: ANN401 - any declared type
    """Return a value as its declared type and add its mistakes; if there are any, the result has no meaning."""
    try:
        return convert(value, annotation)
    except ValidationError:
        declared = _declared(annotation)
    if value is None:
        mistakes[path] = "This property may not be null."
    elif declared.struct is not None:
        if isinstance(value, dict):
            return _examined_properties(value, declared.struct, mistakes, path)
        mistakes[path] = "Must be an object."
    elif not isinstance(value, (list, dict)) or not isinstance(value, declared.container):
        mistakes[path] = f"Must be {declared.meta.description}."
    elif len(value) > (most := declared.meta.max_length or 0):
        if declared.meta.extra is not None:
            message = f"The request has {len(value)} {path}; at most {most} are taken: send fewer at once."
            raise ApiError(declared.meta.extra["status"], message)
        mistakes[path] = f"Has {len(value)} entries; at most {most} are taken."
    else:
        return _examined_entries(value, declared, mistakes, path)
    return None


class _Declared(NamedTuple):
    """A declared type taken apart: a struct, a JSON ``list`` or ``dict`` of entries of one type, or a single value."""

    struct: type[Struct] | None
    container: type | tuple[()]
    entry: Any
    meta: Meta


@lru_cache(maxsize=256)
def _declared(annotation: Any) -> _Declared:  # noqa: ANN401 - any declared type
    meta = Meta()
    if get_origin(annotation) in (Union, UnionType):  # of one type with null, or with a missing value
        (annotation,) = (one for one in get_args(annotation) if one not in (type(None), UnsetType))
    if get_origin(annotation) is Annotated:
        annotation, meta = get_args(annotation)
    if get_origin(annotation) is tuple:
        return _Declared(None, list, get_args(annotation)[0], meta)
    if get_origin(annotation) is dict:
        return _Declared(None, dict, get_args(annotation)[1], meta)
    is_struct = isinstance(annotation, type) and issubclass(annotation, Struct)
    return _Declared(annotation if is_struct else None, (), None, meta)


def _examined_properties(value: dict[str, Any], struct: type[Struct], mistakes: Mistakes, path: str) -> Any:  # noqa: ANN401 - a struct
    """Return a struct of the properties that it declares; the others, and malformed extensions, are ignored."""
    properties = _properties(struct)
    known = {declared.name: value[declared.name] for declared in properties if declared.name in value}
    if len(known) < len(value):  # perhaps the others were all that msgspec refused
        return examined(known, struct, mistakes, path)
    prefix = f"{path}." if path else ""
    ignorable: frozenset[str] = getattr(struct, "ignorable", frozenset())
    for declared in properties:
        if declared.name in known and declared.name in ignorable:
            try:
                known[declared.name] = convert(known[declared.name], declared.type)
            except ValidationError:
                del known[declared.name]
        elif declared.name in known:
            known[declared.name] = examined(known[declared.name], declared.type, mistakes, prefix + declared.name)
        elif declared.required:
            mistakes[prefix + declared.name] = "This property is required."
            known[declared.name] = None
    return struct(**known)


_properties = lru_cache(maxsize=256)(fields)


def _examined_entries(value: Any, declared: _Declared, mistakes: Mistakes, path: str) -> Any:  # noqa: ANN401 - a list or an object
    pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    entries = []
    for name, entry in pairs:
        if len(mistakes) >= _MISTAKES_COUNTED:
            break
        entries.append((name, examined(entry, declared.entry, mistakes, f"{path}.{name}")))
    return dict(entries) if isinstance(value, dict) else tuple(entry for _, entry in entries)


B = TypeVar("B", bound=Struct)

MAX_BODY_BYTES = 16 * 1024 * 1024  # largest body that is read, and largest one that a compressed body may become
MAX_VALUES = 1_000_000  # most values of a body: entries of its lists and properties of its objects
MAX_DEPTH = 64  # how deep the lists and objects of a body may be nested
_TOO_LARGE = INT64_MAX + 1
_TEXTS_AT_ONCE = 20_000
_MARKS = (b",", b"[", b"{")
# Without escapes in the text, which are taken out before: for each of them ``re`` would need memory to go back.
_JSON_TEXT = re.compile(rb'"[^"]*"?')
_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_MAYBE_UNSAFE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def check_length(length: int) -> None:
    """Raise `ApiError` (413) for a body that has too many bytes."""
    if length > MAX_BODY_BYTES:
        raise ApiError(413, f"The request body has {length} bytes; at most {MAX_BODY_BYTES} are read.")


def body_from(body: bytes, decoder: Decoder[B]) -> B:
    """Return a body as its decoder declares it; raises `ApiError`: 400 for no JSON object, 413 too large, 422 else."""
    check_length(len(body))
    if sum(map(body.count, _MARKS)) > MAX_VALUES and _has_too_many_values(body):
        raise ApiError(413, f"The request body has more than {MAX_VALUES} values: send fewer at once.")
    if b"\\u0000" not in body:  # msgspec would take it for a text like any other
        try:
            return decoder.decode(body)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            pass
    mistakes: Mistakes = {}
    value: Any = examined(_object_from(body), decoder.type, mistakes)
    refuse(mistakes)
    return cast("B", value)


def _object_from(body: bytes) -> Json:
    try:
        text = body.decode("utf-8", "surrogatepass")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_number, parse_int=_bounded)
        if _MAYBE_UNSAFE.search(body):
            value = _storable_value(value)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not readable JSON: {_reason(error)}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The request body is JSON, but no object.")
    if is_too_deep(value):
        raise ApiError(400, f"The request body is nested too deeply: more than {MAX_DEPTH} levels.")
    return value


def storable(text: str) -> str:
    """Return a text with NUL and lone surrogates escaped; all other characters stay as the client sent them."""
    return _UNSAFE.sub(lambda match: "\\x00" if match[0] == "\0" else f"\\u{ord(match[0]):04x}", text)


def _has_too_many_values(body: bytes) -> bool:
    """Count the marks outside of texts, which may have any number of them: tracebacks show source code."""
    # Before the values are made: an empty object of two bytes takes 64 of memory. The texts are taken out some thousand
    # at a time, since ``re`` needs 170 bytes of memory for each one.
    body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    values = begin = 0
    texts = islice(_JSON_TEXT.finditer(body), _TEXTS_AT_ONCE - 1, None, _TEXTS_AT_ONCE)
    for end in chain((text.end() for text in texts), [len(body)]):
        outside = _JSON_TEXT.sub(b"", body[begin:end])
        values += sum(map(outside.count, _MARKS))
        if values > MAX_VALUES:
            return True
        begin = end
    return False


def is_too_deep(value: Any) -> bool:  # noqa: ANN401 - what JSON holds is known only after it was looked at
    """Whether lists and objects are nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _number(text: str) -> float:
    """Return an integer for one that is written like 2.0, as JSON Schema has it."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _bounded(digits: str) -> int:
    """Return an integer; one with more digits than Python converts is as wrong as any that no property takes."""
    return int(digits) if len(digits) <= len(str(INT64_MAX)) + 1 else _TOO_LARGE


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)


def _storable_value(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable_value(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_storable_value(entry) for entry in value]
    return value
