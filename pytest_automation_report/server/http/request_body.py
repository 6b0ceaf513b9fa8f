"""Read a request's body as one of the declared bodies.

Not every JSON reader and database accepts NUL and lone surrogates. They are escaped here, once, so that everything
behind this module can store each text.
"""

from __future__ import annotations

import json
import re
import zlib
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import DecodeError
from msgspec.json import Decoder

from pytest_automation_report.server.http.mistakes import Mistakes, examined
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import INT64_MAX

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.http.schemas import Body

B = TypeVar("B", bound="Body")

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest body that is read, and largest one that a compressed body may become."""

MAX_VALUES = 1_000_000
"""Most values of a body: entries of its lists and properties of its objects."""

MAX_MEMBERS = 1000
"""Most gzip members of a compressed body; usual clients send one."""

MAX_DEPTH = 64
"""How deep the lists and objects of a body may be nested."""

_GZIP = 31  # of zlib: only gzip, of any window
_PIECE_BYTES = 64 * 1024
_TOO_LARGE = INT64_MAX + 1
_TEXTS_AT_ONCE = 20_000
_MARKS = (b",", b"[", b"{")
# Without escapes in the text, which are taken out before: for each of them ``re`` would need memory to go back.
_JSON_TEXT = re.compile(rb'"[^"]*"?')
_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_MAYBE_UNSAFE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def received(req: falcon.Request, missing: bytes | None = None) -> bytes:
    """Return the body of a request; ``missing`` stands for one that was not sent, where that is allowed.

    Raises `ApiError` for a body that is too large, of another type, or compressed otherwise than by gzip.
    """
    length = req.content_length or 0
    _check_length(length)
    body = req.bounded_stream.read(length) if length else b""
    if not body:
        if missing is None:
            raise ApiError(400, "The request has no body; send a JSON object.")
        return missing
    if (req.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "The request body must be sent as application/json.")
    encoding = req.get_header("Content-Encoding", default="identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzipped(body)
    raise ApiError(415, "The request body must be sent as it is or compressed by gzip.")


def _check_length(length: int) -> None:
    """Raise `ApiError` (413) for a body that has too many bytes."""
    if length > MAX_BODY_BYTES:
        raise ApiError(413, f"The request body has {length} bytes; at most {MAX_BODY_BYTES} are read.")


def body_from(body: bytes, declared: type[B]) -> B:
    """Return a body as it is declared.

    Raises `ApiError`: 422 with every mistake, 400 for bytes that are no JSON object, 413 for more bytes than
    `MAX_BODY_BYTES`, or for more values than `MAX_VALUES`.
    """
    _check_length(len(body))
    _check_values(body)
    if b"\\u0000" not in body:  # msgspec would take it for a text like any other
        try:
            decoder: Decoder[B] = _decoder(declared)
            return decoder.decode(body)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            pass
    mistakes = Mistakes()
    value: Any = examined(_object_from(body), declared, mistakes)
    mistakes.refuse()
    return cast("B", value)


@lru_cache(maxsize=64)
def _decoder(declared: type[B]) -> Decoder[B]:
    return Decoder(declared)


def _object_from(body: bytes) -> Json:
    try:
        value = _parsed(body.decode("utf-8", "surrogatepass"))
        if _MAYBE_UNSAFE.search(body):
            value = _storable_value(value)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not readable JSON: {_reason(error)}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The request body is JSON, but no object.")
    if _is_too_deep(value):
        raise ApiError(400, f"The request body is nested too deeply: more than {MAX_DEPTH} levels.")
    return value


def storable(text: str) -> str:
    """Return a text with NUL and lone surrogates escaped; all other characters stay as the client sent them."""
    return _UNSAFE.sub(_spelled, text)


def _gunzipped(body: bytes) -> bytes:
    """Return what a gzip body holds; never more of it is made than may be read.

    A member is fed in pieces of the body: zlib copies what follows the end of a member, which for many small members
    in one piece took quadratic time.
    """
    parts, room, view, position = list[bytes](), MAX_BODY_BYTES, memoryview(body), 0
    member, members = zlib.decompressobj(_GZIP), 1
    try:
        while position < len(view):
            if member.eof:
                member, members = zlib.decompressobj(_GZIP), members + 1
            if members > MAX_MEMBERS:
                raise ApiError(400, f"The request body has more than {MAX_MEMBERS} gzip members.")
            piece = view[position : position + _PIECE_BYTES]
            parts.append(member.decompress(piece, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise ApiError(413, f"The request body holds more than {MAX_BODY_BYTES} bytes.")
            position += len(piece) - len(member.unused_data)
    except zlib.error as error:
        raise ApiError(400, "The request body is not gzip data.") from error
    if not member.eof:
        raise ApiError(400, "The request body is cut gzip data.")
    return b"".join(parts)


def _check_values(body: bytes) -> None:
    """Refuse a body of very many values before they are made: an empty object of two bytes takes 64 of memory."""
    if sum(map(body.count, _MARKS)) > MAX_VALUES and _has_too_many_values(body):
        message = f"The request body has more than {MAX_VALUES} values: send fewer at once."
        raise ApiError(413, message)


def _has_too_many_values(body: bytes) -> bool:
    """Count the marks outside of texts, which may have any number of them: tracebacks show source code.

    The texts are taken out some thousand at a time, since ``re`` needs 170 bytes of memory for each one.
    """
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


def _is_too_deep(value: Any) -> bool:  # noqa: ANN401 - what JSON holds is known only after it was looked at
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


def _parsed(text: str) -> Any:  # noqa: ANN401 - what JSON holds is known only after it was looked at
    """Parse strictly; a number with more digits than Python converts is one that no property takes."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_number)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "digit" not in str(error):
            raise
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_number, parse_int=_bounded)


def _number(text: str) -> float:
    """Return an integer for one that is written like 2.0, as JSON Schema has it."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _bounded(digits: str) -> int:
    return int(digits) if len(digits) <= len(str(INT64_MAX)) + 1 else _TOO_LARGE


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


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


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code else "\\x00"
