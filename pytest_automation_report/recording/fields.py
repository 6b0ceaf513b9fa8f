"""Turn named values into fields, and addresses of files into artifacts; hide in all of them secrets that one shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Field, FieldType
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length
from pytest_automation_report.text.redaction import KnownSecrets, TextCleaner
from pytest_automation_report.text.visible import ColouredText, marked, remarked, unmasked, visible
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.spool.records import Attempt, Step


FieldKind: TypeAlias = 'Literal["string", "text", "html", "console", "url"]'
"""Types of a field, as users write them."""

NO_NAME: Final = "(no name)"
"""Name of a field or an artifact whose own name is empty: the server requires one."""

# As the JUnit plugins of CI servers read it: alone at the end of a line.
_PRINTED: Final = lazy_pattern(r"\[\[(PROPERTY|ATTACHMENT)\|([^\r\n]*?)\]\](?=[ \t]*(?:\r?\n|\Z))")


def is_address(text: str) -> bool:
    """Whether a text is a web address that fits into the server's limit; a cut one would lead nowhere."""
    return is_web_address(text) and utf16_length(text) <= STRING_UNITS


def property_field(name: str, value: str, cleaner: TextCleaner) -> Field:
    """Return a property as a URL, a string or, if it has several lines or is too long for a string, a text."""
    # With the raw name: the clean one may be cut or redacted.
    value = cleaner.redact_by_name(name, value)
    name = cleaner.string(name) or NO_NAME
    if len(value) > STRING_UNITS or "\n" in value or utf16_length(visible(value)) > STRING_UNITS:
        return Field(name, cleaner.console(value), FieldType.TEXT)
    clean_value = cleaner.address(value) if is_web_address(value) else cleaner.string(value)
    # Redaction or a cut may have left a text that is not an address any more.
    return Field(name, clean_value, FieldType.URL if is_web_address(clean_value) else FieldType.STRING)


def artifact_from(
    name: str, address: str, mime_type: str | None, size: int | None, cleaner: TextCleaner
) -> Artifact | None:
    """Return a reference to a stored file of ``size`` bytes, None if the address cannot be followed."""
    address = cleaner.address(address) if len(address) <= STRING_UNITS else address
    if not is_address(address):
        return None
    return Artifact(
        cleaner.string(name) or NO_NAME, address, None, cleaner.string(mime_type) if mime_type else None, size
    )


def printed_annotations(
    sections: Iterable[tuple[str, str]], cleaner: TextCleaner
) -> tuple[list[Field], list[Artifact]]:
    """Return fields and artifacts that a test printed: ``[[PROPERTY|name=value]]`` and ``[[ATTACHMENT|address]]``."""
    fields: list[Field] = []
    artifacts: list[Artifact] = []
    for heading, content in sections:
        # Only printed text counts: a log line may quote such a mark. The search for "[[" passes over most output.
        if not heading.startswith(("Captured stdout", "Captured stderr")) or "[[" not in content:
            continue
        for mark, text in _PRINTED.findall(content):
            if mark == "PROPERTY":
                name, _, value = text.partition("=")
                fields.append(property_field(name.strip(), value.strip(), cleaner))
                continue
            address = text.strip()
            artifact = artifact_from(last_segment(address) or address, address, None, None, cleaner)
            if artifact is None:  # an address that cannot be followed
                fields.append(property_field("Attachment", address, cleaner))
            else:
                artifacts.append(artifact)
    return fields, artifacts


class FoundSecrets:
    """Hides these values; name, folder, key and the addresses that users open stay as they are."""

    __slots__ = ("_secrets",)

    def __init__(self, values: Iterable[str]) -> None:
        self._secrets = KnownSecrets(values)

    def hidden(self, text: str) -> str:
        """Return a text without the values; its colours stay where they were."""
        mask = self._secrets.masked(unmasked(text))
        return remarked(text, mask) if type(text) is ColouredText else marked(text, mask)

    def of_attempt(self, attempt: Attempt) -> Attempt:
        """Return an attempt without the values in its texts."""
        return replace(
            attempt,
            fields=tuple(map(self._field, attempt.fields)),
            artifacts=tuple(replace(each, name=self.hidden(each.name)) for each in attempt.artifacts),
            steps=self._steps(attempt.steps),
            comparison=self.of_value(attempt.comparison),
        )

    def _steps(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        return tuple(replace(step, name=self.hidden(step.name), steps=self._steps(step.steps)) for step in steps)

    def _field(self, field: Field) -> Field:
        value = field.value if field.value is None or field.type is FieldType.URL else self.hidden(field.value)
        meta = {name: self.hidden(text) for name, text in field.meta.items()}
        return replace(field, name=self.hidden(field.name), value=value, meta=meta)

    def of_value(self, value: Any) -> Any:  # noqa: ANN401 - what JSON holds
        """Return a value of JSON without the values in its texts."""
        if isinstance(value, dict):
            return {self.hidden(name): self.of_value(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.of_value(part) for part in value]
        return self.hidden(value) if isinstance(value, str) else value


def last_segment(address: str) -> str:
    """Return the end of the path of an address, the name of its file."""
    return re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/\\").replace("\\", "/").rpartition("/")[2]
