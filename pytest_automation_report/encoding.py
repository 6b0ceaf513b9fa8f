"""A test as the line of JSON that is spooled and sent (floor 1); made once, a few microseconds each.

The encoders are taken when this module is imported: tests patch ``json``, and their patches must not reach results.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.model import Test

_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def encoded(test: Test) -> str:
    """Return the test's body as compact ASCII JSON."""
    if test.fields or test.artifacts or test.assertions is not None:
        return _encode(test.body())
    elapsed = "" if test.elapsed is None else f',"elapsed":{test.elapsed}'
    file = "" if test.file is None else f',"file":{_quoted(test.file)}'
    line = "" if test.line is None else f',"line":{test.line}'
    return (
        f'{{"key":{_quoted(test.key)},"name":{_quoted(test.name)},"folder":{_quoted(test.folder)},'
        f'"status":{_quoted(test.status)}{elapsed}{file}{line}}}'
    )
