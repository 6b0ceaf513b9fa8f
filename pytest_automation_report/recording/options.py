"""The settings that decide how results are recorded, and the fields and artifacts made of named values.

Xdist workers get the settings from the leading process, the sender reads them in ``session.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from os.path import exists
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    ARTIFACT_BYTES,
    ARTIFACTS_BYTES,
    Artifact,
    Cause,
    Field,
    FieldType,
    Status,
    Step,
    Token,
    is_web_address,
)
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length
from pytest_automation_report.text.redaction import KnownSecrets, TextCleaner, cached_cleaner, secret_values
from pytest_automation_report.text.visible import ColouredText, mark_fillers, mark_picture, unmasked, visible
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.spool.records import Attempt

MARKER_PREFIX: Final = "automation_report_"
_MARKERS: Final = frozenset(f"{MARKER_PREFIX}{name}" for name in ("field", "link", "artifact", "case", "issue"))

UNTESTED: Final = "untested"
"""Status of a test that was collected and never started, or was interrupted."""

FAILED: Final = frozenset({"failure", "error"})
"""Statuses of a failed test."""

Output: TypeAlias = Literal["failed", "all", "none"]
"""Tests whose captured output is recorded."""

# Hiding a shorter token would hide parts of ordinary words.
_SHORTEST_HIDDEN: Final = 4


class RecordingOptions(Struct, frozen=True):
    """Settings of the recorder; those with the names of settings are described there.

    ``prefix`` stands before folders, as ``--junit-prefix`` does in pytest's XML. ``statuses`` maps a status to its
    alias on the wire. ``secrets`` are values to hide: each process collects them from its environment, and no file has
    them. ``artifact_size`` is in bytes, as is ``artifact_total``, for all copies that wait for their upload.
    ``owners`` is the path of a CODEOWNERS file, ``owned_folder`` the path of the tests' root in its repository.
    ``is_shared``: the run is one of several jobs, so each session describes what it collected.
    """

    prefix: str = ""
    output: Output = "failed"
    statuses: Mapping[Status, str] = field(default_factory=dict)
    redact: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    link_templates: Mapping[str, str] = field(default_factory=dict)
    output_annotations: bool = False
    redact_builtin: bool = True
    artifact_url: str = ""
    artifact_size: int = ARTIFACT_BYTES
    artifact_total: int = ARTIFACTS_BYTES
    browser_artifacts: bool = True
    secrets: tuple[str, ...] = ()
    report_not_run: bool = False
    owners: str = ""
    owned_folder: str = ""
    is_shared: bool = False

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "secrets")
        return f"RecordingOptions({', '.join(shown)})"

    @property
    def marker_names(self) -> frozenset[str]:
        """The names of all markers that add to results: ours, and the user's."""
        return _MARKERS.union(self.markers)

    def without_secrets(self) -> RecordingOptions:
        """Return the options as they may be sent or written: each process collects secrets from its environment."""
        return replace(self, secrets=())

    def for_sender(self) -> RecordingOptions:
        """Return the options without redaction: texts are clean before they reach the sender."""
        return replace(self, redact=(), redact_builtin=False, secrets=())


def cleaner_for(options: RecordingOptions) -> TextCleaner:
    """Return the cleaner for these options; raises ``re.error`` for a redaction that is not a regular expression."""
    return cached_cleaner(options.redact, options.secrets, options.redact_builtin)


def secrets_from(environ: Mapping[str, str], token: Token | None, *, is_builtin: bool) -> tuple[str, ...]:
    """Return the values to hide: the token, and with ``is_builtin`` the values of variables named like secrets."""
    own = () if token is None or len(token.value) < _SHORTEST_HIDDEN else (token.value,)
    return (*own, *(secret_values(environ, is_path=exists) if is_builtin else ()))


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
        return mark_picture(text, mask) if type(text) is ColouredText else mark_fillers(text, mask)

    def of_attempt(self, attempt: Attempt) -> Attempt:
        """Return an attempt without the values in its texts."""
        return replace(
            attempt,
            fields=tuple(map(self._field, attempt.fields)),
            causes=tuple(map(self._cause, attempt.causes)),
            output={name: self.hidden(text) for name, text in attempt.output.items()},
            notes=self.hidden(attempt.notes),
            subtests=attempt.subtests and replace(attempt.subtests, steps=self._steps(attempt.subtests.steps)),
            artifacts=tuple(replace(each, name=self.hidden(each.name)) for each in attempt.artifacts),
            steps=self._steps(attempt.steps),
            comparison=self.of_value(attempt.comparison),
            known=attempt.known and replace(attempt.known, reason=self.hidden(attempt.known.reason)),
        )

    def _steps(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        return tuple(replace(step, name=self.hidden(step.name), steps=self._steps(step.steps)) for step in steps)

    def _cause(self, cause: Cause) -> Cause:
        subtest = None if cause.subtest is None else self.hidden(cause.subtest)
        name, text, message, type_ = map(self.hidden, (cause.name, cause.text, cause.message, cause.type))
        fixtures = tuple(replace(each, message=self.hidden(each.message)) for each in cause.fixtures)
        return Cause(cause.kind, name, text, message, type_, cause.phase, subtest, fixtures, cause.is_own)

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
