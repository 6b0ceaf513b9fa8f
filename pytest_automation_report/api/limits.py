"""The API's limits on numbers and sizes, and the function that makes a result keep them.

The limits on texts are in `text.limits`. Numbers of fields, artifacts and tests are those of the contract; the sizes of
artifacts are ours, and settings can change them.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType, Test
from pytest_automation_report.text.limits import STRING_UNITS, TEXT_UNITS, cut_end, cut_middle, fits, string

if TYPE_CHECKING:
    from collections.abc import Sequence


FIELD_LIMIT = 25
"""Most fields of a test."""

ARTIFACT_LIMIT = 25
"""Most artifacts of a test."""

ARTIFACT_BYTES = 32_000_000
"""Default of the largest file that is stored as an artifact."""

ARTIFACTS_BYTES = 2_000_000_000
"""Default of the total size of a session's artifact files that wait for their upload."""

STEP_LIMIT = 100
"""Most steps in the steps field of a test."""

BATCH_TESTS = 250
"""Most tests of one append."""

CONNECTIONS = 4
"""Idle connections to a server that are kept: this many requests can be in flight without opening new ones.

With four the end of a session of many workers is a few round trips, and a server gets no crowd from one session.
"""


def fit_to_limits(test: Test) -> Test:
    """Return a test whose fields and artifacts keep the limits; a field lists the names of those left out."""
    if not test.fields and not test.artifacts:
        return test
    left_out: list[Field] = []
    artifacts = test.artifacts
    if len(artifacts) > ARTIFACT_LIMIT:
        artifacts = artifacts[:ARTIFACT_LIMIT]
        left_out.append(_left_out_field("Artifacts", [artifact.name for artifact in test.artifacts[ARTIFACT_LIMIT:]]))
    fields = test.fields
    if len(fields) > FIELD_LIMIT - len(left_out):
        # One place is for the field that lists the others.
        shown = FIELD_LIMIT - len(left_out) - 1
        left_out.append(_left_out_field("Fields", [field.name for field in fields[shown:]]))
        fields = fields[:shown]
    fitted = tuple(map(fitted_field, fields))
    # Nearly all tests keep the limits: this costs 0.2 us, a copy of the test 3.5.
    if not left_out and all(map(operator.is_, fitted, fields)):
        return test
    return replace(test, fields=(*fitted, *left_out), artifacts=artifacts)


def _left_out_field(title: str, names: Sequence[str]) -> Field:
    """Return the field with number and names of the fields or artifacts left out."""
    return Field(f"{title} left out", string(f"{len(names)}: {', '.join(names)}"))


def fitted_field(field: Field) -> Field:
    """Return a field whose value and meta keep the limits; too long markup becomes text, since a cut breaks it."""
    is_short = field.type in {FieldType.STRING, FieldType.URL}
    value, type_ = field.value, field.type
    if value is not None and not fits(value, STRING_UNITS if is_short else TEXT_UNITS):
        value = cut_end(value, STRING_UNITS) if is_short else cut_middle(value, TEXT_UNITS)
        type_ = FieldType.TEXT if type_ is FieldType.HTML else type_
    meta = {cut_end(name, STRING_UNITS): cut_end(text, STRING_UNITS) for name, text in field.meta.items()}
    # The same object for a field that fits, as nearly all do.
    if value is field.value and meta == field.meta:
        return field
    return replace(field, value=value, type=type_, meta=meta)
