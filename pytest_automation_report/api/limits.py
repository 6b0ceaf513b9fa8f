"""New."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_automation_report.api.models import Field, FieldType, Test
from pytest_automation_report.text.limits import STRING_UNITS, TEXT_UNITS, _fits, cut_end, cut_middle, string

if TYPE_CHECKING:
    from collections.abc import Sequence


def fit_to_limits(test: Test) -> Test:
    """Return a test whose fields, artifacts, values and meta keep the limits; a field says how many are missing."""
    if not test.fields and not test.artifacts:
        return test
    missing: list[Field] = []
    artifacts = test.artifacts
    if len(artifacts) > ARTIFACT_LIMIT:
        artifacts = artifacts[:ARTIFACT_LIMIT]
        missing.append(_missing("Artifacts", [each.name for each in test.artifacts[ARTIFACT_LIMIT:]]))
    fields = test.fields
    if len(fields) > FIELD_LIMIT - len(missing):
        kept = FIELD_LIMIT - len(missing) - 1
        missing.append(_missing("Fields", [each.name for each in fields[kept:]]))
        fields = fields[:kept]
    return replace(test, fields=(*map(_fitted_field, fields), *missing), artifacts=artifacts)


def _missing(what: str, names: Sequence[str]) -> Field:
    """Return the field that stands for what was left out."""
    return Field(f"{what} left out", string(f"{len(names)}: {', '.join(names)}"))


def _fitted_field(field: Field) -> Field:
    """Return a field whose value and meta keep the limits; markup too long becomes text, since cut it breaks."""
    is_short = field.type in {FieldType.STRING, FieldType.URL}
    value, kind = field.value, field.type
    if value is not None and not _fits(value, STRING_UNITS if is_short else TEXT_UNITS):
        value = cut_end(value, STRING_UNITS) if is_short else cut_middle(value, TEXT_UNITS)
        kind = FieldType.TEXT if kind is FieldType.HTML else kind
    meta = {cut_end(name, STRING_UNITS): cut_end(each, STRING_UNITS) for name, each in field.meta.items()}
    if value is field.value and meta == field.meta:
        return field
    return replace(field, value=value, type=kind, meta=meta)


FIELD_LIMIT = 25
"""Most fields of a test."""


ARTIFACT_LIMIT = 25
"""Most artifacts of a test."""


ARTIFACT_BYTES = 32_000_000
"""Largest file of an artifact that is kept, in bytes, unless the settings say otherwise."""


ARTIFACTS_BYTES = 2_000_000_000
"""How much all files of a session that wait to be stored may have together, unless the settings say otherwise."""


STEP_LIMIT = 100
"""Most steps in a test's steps field."""


BATCH_TESTS = 250
"""Most tests of one append."""
