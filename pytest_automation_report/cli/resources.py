"""Options for fields, links and artifacts of a run that are typed one by one, as the official tool has them."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.api.limits import fitted_field
from pytest_automation_report.api.models import Artifact, Field, FieldType, Link, Resources
from pytest_automation_report.api.urls import web_address_hint
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TYPES: Final = {kind.name.lower(): kind for kind in FieldType}


def resource_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets the keyword ``resources`` in their place."""

    @click.option("--field", "one_fields", metavar="NAME=VALUE", multiple=True,
                  help="A field; @FILE as its value is read from the file, - from stdin. Can be repeated.")  # fmt: skip
    @click.option("--field-type", "field_types", type=click.Choice([*_TYPES]), multiple=True,
                  help="Type of the fields: given once for all, or once for each in the same order.")  # fmt: skip
    @click.option("--link", "one_links", metavar="NAME=URL", multiple=True, help="A link. Can be repeated.")
    @click.option("--link-note", "link_notes", metavar="TEXT", multiple=True,
                  help="Note of the links: given once for all, or once for each in the same order.")  # fmt: skip
    @click.option("--artifact", "artifacts", metavar="NAME=URL", multiple=True,
                  help="Address of a stored file. Can be repeated.")  # fmt: skip
    @functools.wraps(command)
    def with_resources(
        *,
        one_fields: tuple[str, ...],
        field_types: tuple[str, ...],
        one_links: tuple[str, ...],
        link_notes: tuple[str, ...],
        artifacts: tuple[str, ...],
        **options: Any,  # noqa: ANN401 - click passes all other options
    ) -> Any:  # noqa: ANN401 - the command's own
        types = _each("--field-type", field_types or ("string",), one_fields)
        notes = _each("--link-note", link_notes or (None,), one_links)
        resources = Resources(
            fields=tuple(_field(text, _TYPES[kind]) for text, kind in zip(one_fields, types, strict=True)),
            links=tuple(Link(*_named("--link", text), note) for text, note in zip(one_links, notes, strict=True)),
            artifacts=tuple(Artifact(*_named("--artifact", text)) for text in artifacts),
        )
        return command(resources=resources, **options)

    return with_resources


def _each(option: str, values: Sequence[Any], things: Sequence[str]) -> Sequence[Any]:
    """Return a value for each thing; raises `click.UsageError` unless there is one value, or one for each."""
    if len(values) == 1:
        return [*values] * len(things)
    if len(values) != len(things):
        raise click.UsageError(f"{option}: {len(values)} for {len(things)}: give it once, or once for each")
    return values


def _pair(option: str, text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise click.UsageError(f"{option}: {text!r}: write a name, = and a value")
    return string(name.strip()), value


def _named(option: str, text: str) -> tuple[str, str]:
    """Return name and address of a link or an artifact."""
    name, address = _pair(option, text)
    hint = web_address_hint(address)
    if hint:
        raise click.UsageError(f"{option}: behind {name}=, {hint}")
    return name, address


def _field(text: str, kind: FieldType) -> Field:
    name, value = _pair("--field", text)
    if value == "-":
        value = sys.stdin.buffer.read().decode("utf-8", "replace")
    elif value.startswith("@"):
        try:
            value = Path(value[1:]).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise click.UsageError(f"--field: {value[1:]} cannot be read: {error.strerror or error}") from error
    return fitted_field(Field(name, value, kind))
