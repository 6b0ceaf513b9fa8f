"""Reading a request's bytes as a JSON object (floor 2).

Texts that no JSON reader or database is sure to take (NUL, lone surrogates) are made visible here, once, so that
everything behind this module can store what it is given.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.refusals import RefusalError
from pytest_automation_report.server.submissions import INT64_MAX

if TYPE_CHECKING:
    from pytest_automation_report.model import Json

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest body that is read."""

_TOO_LARGE = INT64_MAX + 1
_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_MAYBE_UNSAFE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def object_from(body: bytes) -> Json:
    """Return the JSON object that a body holds; raises `RefusalError` (400) when it holds none."""
    try:
        value = _parsed(body.decode("utf-8", "surrogatepass"))
        if _MAYBE_UNSAFE.search(body):
            value = _visible(value)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"The request body is not readable JSON: {_reason(error)}") from error
    if not isinstance(value, dict):
        raise RefusalError(400, "The request body is JSON, but no object.")
    return value


def visible(text: str) -> str:
    """Return a text with NUL and lone surrogates spelled out."""
    return _UNSAFE.sub(_spelled, text)


def _parsed(text: str) -> Any:  # noqa: ANN401 - what JSON holds is known only after it was looked at
    """Parse strictly; a number with more digits than Python converts is one that no property takes."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "digit" not in str(error):
            raise
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_bounded)


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


def _visible(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(name): _visible(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_visible(entry) for entry in value]
    return value


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code else "\\x00"
