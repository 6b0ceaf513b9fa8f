"""Named values as the fields that show them best (floor 1): addresses can be followed, several lines stay lines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.models import Artifact, Field, FieldType
from pytest_automation_report.text.limits import STRING_UNITS, TEXT_UNITS, utf16_length, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.text.redaction import TextCleaner

FieldKind: TypeAlias = Literal["string", "text", "html", "console", "url"]
"""How a field is shown, in words."""

NO_NAME: Final = "(no name)"

_KINDS: Final[Mapping[str, FieldType]] = {each.name.lower(): each for each in FieldType}
_ADDRESS: Final = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)
_PRINTED: Final = re.compile(r"\[\[(PROPERTY|ATTACHMENT)\|([^\r\n]*?)\]\](?=[ \t]*(?:\r?\n|\Z))")


def is_web(text: str) -> bool:
    """Whether a text is a web address, however long."""
    return _ADDRESS.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether a text is a web address that fits where the server takes one: half an address leads nowhere."""
    return is_web(text) and utf16_length(text) <= STRING_UNITS


def property_field(name: str, value: str, cleaner: TextCleaner) -> Field:
    """Return one property: an address, one line, or a text where it has more lines or is longer than a line may be."""
    value = cleaner.beside(name, value)
    name = cleaner.string(name) or NO_NAME
    is_line = len(value) <= STRING_UNITS and not value.count("\n") and utf16_length(visible(value)) <= STRING_UNITS
    if not is_line:
        return Field(name, cleaner.console(value), FieldType.TEXT)
    shown = cleaner.address(value) if _ADDRESS.fullmatch(value) else cleaner.string(value)
    return Field(name, shown, FieldType.URL if _ADDRESS.fullmatch(shown) else FieldType.STRING)


def kind_of(kind: FieldType | FieldKind | int) -> FieldType:
    """Return the type that a word, or one of the server's numbers, stands for; ValueError for any other."""
    found = _KINDS.get(kind) if isinstance(kind, str) else FieldType(kind)
    if found is None:
        raise ValueError(f"{kind!r} is no type of field: write {', '.join(_KINDS)}")
    return found


def typed_field(name: str, value: str, kind: FieldType, cleaner: TextCleaner) -> Field:
    """Return a field of this type, or of the nearest one that can hold the value whole."""
    if kind is FieldType.URL:
        return property_field(name, value, cleaner)
    value = cleaner.beside(name, value)
    name = cleaner.string(name) or NO_NAME
    if kind is FieldType.STRING:
        return Field(name, cleaner.string(value), kind)
    if kind is FieldType.HTML and utf16_length(value[: TEXT_UNITS + 1]) > TEXT_UNITS:
        kind = FieldType.TEXT  # markup that is cut is broken
    return Field(name, cleaner.console(value), kind)


def artifact_from(
    name: str, address: str, mime_type: str | None, size: int | None, cleaner: TextCleaner
) -> Artifact | None:
    """Return a reference to a stored file of ``size`` bytes, None when the address cannot be followed."""
    address = cleaner.address(address) if len(address) <= STRING_UNITS else address
    if not is_address(address):
        return None
    return Artifact(
        cleaner.string(name) or NO_NAME, address, None, cleaner.string(mime_type) if mime_type else None, size
    )


def printed_annotations(
    sections: Iterable[tuple[str, str]], cleaner: TextCleaner
) -> tuple[list[Field], list[Artifact]]:
    """Return what a test's output says about it by ``[[PROPERTY|name=value]]`` and ``[[ATTACHMENT|address]]``."""
    fields: list[Field] = []
    artifacts: list[Artifact] = []
    for heading, content in sections:
        if not heading.startswith(("Captured stdout", "Captured stderr")) or "[[" not in content:
            continue
        for word, text in _PRINTED.findall(content):
            if word == "PROPERTY":
                name, _, value = text.partition("=")
                fields.append(property_field(name.strip(), value.strip(), cleaner))
                continue
            address = text.strip()
            file_name = re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/\\").replace("\\", "/").rpartition("/")[2]
            artifact = artifact_from(file_name or address, address, None, None, cleaner)
            if artifact is None:
                fields.append(property_field("Attachment", address, cleaner))
            else:
                artifacts.append(artifact)
    return fields, artifacts


def clean_field(field: Field, cleaner: TextCleaner) -> Field:
    """Return a complete field with its value made fit to be shown: secrets hidden, cut to the limits."""
    if field.value is None:
        return field
    value = cleaner.beside(field.name, field.value)
    value = cleaner.address(value) if field.type is FieldType.URL else cleaner.console(value)
    return field if value == field.value else replace(field, value=value)
