"""What a result looks like for a server that will not take it as it is (floor 3, pure).

A shorter form of a result is worth more than none: its key, name and status are its history.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.encoding import encoded
from pytest_automation_report.limits import cut_middle, string
from pytest_automation_report.model import Field, FieldType, Test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.sender.results import Result

Form: TypeAlias = Literal["whole", "cut", "bare"]
"""Whole as recorded; with the texts of its fields cut; with nothing but one field that says what is missing."""

CUT_UNITS: Final = 1_000
"""Longest field value of the cut form, in UTF-16 units."""

LEFT_OUT_FIELD: Final = "Left out"
"""Name of the field that says why a result has no others."""

# The words that servers are known to take for an outcome, ours first; administrators rename them.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "passed": ("passed", "pass", "success", "ok"),
    "failure": ("failure", "failed", "fail"),
    "error": ("error", "failure", "failed", "fail"),
    "skipped": ("skipped", "skip", "untested"),
}


def next_word(status: str, refused: tuple[str, ...]) -> str | None:
    """Return an alias to try for one of pytest's statuses after these, ``None`` when there is no other."""
    return next((each for each in _WORDS.get(status, ()) if each not in refused), None)


def alias_of(result: Result) -> str:
    """Return the alias that a result was recorded with."""
    return str(json.loads(result.test)["status"])


def shaped(result: Result, form: Form, why: str = "", alias: str | None = None) -> Result:
    """Return a result in another form, with another alias where one is given; ``why`` is the server's reason."""
    if form == "whole" and alias is None:
        return result
    test = Test.from_body(json.loads(result.test))
    if form == "bare":
        test = replace(test, fields=(Field(LEFT_OUT_FIELD, string(why)),), artifacts=())
    elif form == "cut":
        test = replace(test, fields=tuple(_cut(each) for each in test.fields))
    if alias is not None:
        test = replace(test, status=alias)
    return result._replace(test=encoded(test))


def _cut(field: Field) -> Field:
    """Return a field with a short value; markup becomes text, since it breaks when it is cut."""
    if field.value is None or len(field.value) <= CUT_UNITS:
        return field
    kind = FieldType.TEXT if field.type is FieldType.HTML else field.type
    return replace(field, value=cut_middle(field.value, CUT_UNITS), type=kind)
