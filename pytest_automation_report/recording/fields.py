"""Turn named values into fields, and files into artifacts.

A value gets the field type that shows it best: a URL is a link, several lines are a text. `FoundSecrets` hides in all
fields of a result the values that one of them shows to be secrets.

For a file the first of these ways that applies is used: a user's hook publishes it and returns its address; the
template of ``artifact_url`` has the address of a file that the CI uploads from its place; the spool stores a copy,
which the sender uploads. A file without an address becomes a field that names it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Field, FieldType
from pytest_automation_report.api.urls import address_of, is_web_address
from pytest_automation_report.recording.collector import PUBLISH_ARTIFACT
from pytest_automation_report.spool.artifacts import spooled_address
from pytest_automation_report.text.limits import STRING_UNITS, TEXT_UNITS, utf16_length
from pytest_automation_report.text.redaction import KnownSecrets, safe_str
from pytest_automation_report.text.visible import ColouredText, marked, unmasked, visible
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from pytest_automation_report.recording.collector import AnnotationCollector
    from pytest_automation_report.spool.records import Attempt, Step
    from pytest_automation_report.text.redaction import TextCleaner


FieldKind: TypeAlias = 'Literal["string", "text", "html", "console", "url"]'
"""Types of a field, as users write them."""

NO_NAME: Final = "(no name)"
"""Name of a field or an artifact whose own name is empty: the server requires one."""

_TYPES: Final[Mapping[str, FieldType]] = {type_.name.lower(): type_ for type_ in FieldType}
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
    is_line = len(value) <= STRING_UNITS and not value.count("\n") and utf16_length(visible(value)) <= STRING_UNITS
    if not is_line:
        return Field(name, cleaner.console(value), FieldType.TEXT)
    clean_value = cleaner.address(value) if is_web_address(value) else cleaner.string(value)
    # Redaction or a cut may have left a text that is not an address any more.
    return Field(name, clean_value, FieldType.URL if is_web_address(clean_value) else FieldType.STRING)


def field_type_of(kind: FieldType | FieldKind | int) -> FieldType:
    """Return the field type for one of the words or one of the server's numbers; ValueError for any other."""
    type_ = _TYPES.get(kind) if isinstance(kind, str) else FieldType(kind)
    if type_ is None:
        raise ValueError(f"{kind!r} is not a type of field: write {', '.join(_TYPES)}")
    return type_


def typed_field(name: str, value: str, kind: FieldType | None, cleaner: TextCleaner) -> Field:
    """Return a field of this type, or of the nearest that can hold the whole value; without a type the fitting one."""
    if kind is None or kind is FieldType.URL:
        return property_field(name, value, cleaner)
    value = cleaner.redact_by_name(name, value)
    name = cleaner.string(name) or NO_NAME
    if kind is FieldType.STRING:
        return Field(name, cleaner.string(value), kind)
    if kind is FieldType.HTML and utf16_length(value[: TEXT_UNITS + 1]) > TEXT_UNITS:
        kind = FieldType.TEXT  # markup that is cut is broken
    return Field(name, cleaner.console(value), kind)


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
    """Return fields and artifacts that a test printed: ``[[PROPERTY|name=value]]`` and ``[[ATTACHMENT|address]]``.

    An attachment whose address cannot be followed becomes a field.
    """
    fields: list[Field] = []
    artifacts: list[Artifact] = []
    for heading, content in sections:
        # Only printed text: a log line that quotes such a mark is none. The search for "[[" passes over most output.
        if not heading.startswith(("Captured stdout", "Captured stderr")) or "[[" not in content:
            continue
        for mark, text in _PRINTED.findall(content):
            if mark == "PROPERTY":
                name, _, value = text.partition("=")
                fields.append(property_field(name.strip(), value.strip(), cleaner))
                continue
            address = text.strip()
            artifact = artifact_from(_last_segment(address) or address, address, None, None, cleaner)
            if artifact is None:
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
        if type(text) is not ColouredText:
            return marked(text, mask)
        from pytest_automation_report.text.colours import remarked  # noqa: PLC0415 - few texts have colours

        return remarked(text, mask)

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
        is_kept = field.value is None or field.type is FieldType.URL
        value = field.value if is_kept else self.hidden(field.value or "")
        meta = {name: self.hidden(text) for name, text in field.meta.items()}
        return replace(field, name=self.hidden(field.name), value=value, meta=meta)

    def of_value(self, value: Any) -> Any:  # noqa: ANN401 - what JSON holds
        """Return a value of JSON without the values in its texts."""
        if isinstance(value, dict):
            return {self.hidden(name): self.of_value(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.of_value(part) for part in value]
        return self.hidden(value) if isinstance(value, str) else value


Content: TypeAlias = "str | os.PathLike[str] | bytes"
"""An artifact: a web address, the path of a file, or the bytes themselves."""


LazyContent: TypeAlias = "Content | Callable[[], Content]"
"""The same, or a function that returns it, which is called in reported sessions only."""

_NAME: Final = "Artifact"


def check_content(content: object) -> None:
    """Raise TypeError for a content that can never be an artifact, before any function is called or file read."""
    if not (isinstance(content, (str, bytes, os.PathLike)) or callable(content)):
        raise TypeError(f"an artifact is an address, a path, bytes or a function, not {content.__class__.__name__}")


def attachment(
    collector: AnnotationCollector,
    item: pytest.Item | pytest.Session | None,
    content: LazyContent,
    name: str | None,
    mime_type: str | None,
    *,
    folder: Path | None = None,
) -> Artifact | Field | None:
    """Return the artifact or field for a file of a result or a run; None, with an error of the user, if that failed.

    ``folder`` is the folder that a relative path starts from, by default the current one.
    """
    try:
        value = content() if callable(content) else content
        if isinstance(value, str) and is_web_address(value):
            shown = safe_str(name or _last_segment(value) or _NAME)
            return _Attachment(collector, item, shown, mime_type).of_address(value)
        if isinstance(value, bytes):
            return _Attachment(collector, item, safe_str(name or _NAME), mime_type).of_bytes(value)
        path = ((folder or Path()) / value).absolute()
        return _Attachment(collector, item, safe_str(name or path.name or _NAME), mime_type).of_file(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - neither a user's function nor a patched file system may change a verdict
        reason = f"{type(error).__name__}: {safe_str(error)}"
        collector.user_errors.add(f"artifact {safe_str(name or _NAME)} was not added: {reason}")
        return None


class _Attachment(Struct):
    """One address, file or bytes of one attempt, or of a session."""

    collector: AnnotationCollector
    item: pytest.Item | pytest.Session | None
    name: str
    mime_type: str | None

    def of_address(self, address: str, size: int | None = None) -> Artifact | Field:
        """Return the artifact of an address, or a field if the server would refuse the address, such as a long one."""
        artifact = artifact_from(self.name, address, self.mime_type, size, self.collector.cleaner)
        return self._field(address) if artifact is None else artifact

    def of_file(self, path: Path) -> Artifact | Field:
        """Return the artifact of a file, or the field that names it."""
        shown = str(path)
        if not path.is_file():
            self.collector.add_missing_file("whose file is missing", shown)
            return self._field(f"{shown} (no such file)")
        size = path.stat().st_size
        address = self._published(path) or self._templated(path)
        return self._spooled(path, shown) if address is None else self.of_address(address, size)

    def of_bytes(self, data: bytes) -> Artifact | Field:
        """Return the artifact of bytes; the hook gets them as a temporary file."""
        address = None
        if self._has_hook():
            import tempfile  # noqa: PLC0415 - only for bytes with a hook

            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                path = Path(folder) / (Path(self.name).name or _NAME)
                path.write_bytes(data)
                address = self._published(path)
        if address is None:
            return self._spooled(data, f"{len(data):,} bytes")
        return self.of_address(address, len(data))

    def _spooled(self, content: Path | bytes, shown: str) -> Artifact | Field:
        """Return the reference to a copy in the spool."""
        cleaner = self.collector.cleaner
        try:
            name, size = self.collector.artifact_spool().add(content)
        except ValueError as error:
            self.collector.add_missing_file(f"that are not kept ({error})", shown)
            return self._field(f"{shown} (not kept: {error})")
        mime_type = cleaner.string(self.mime_type) if self.mime_type else None
        address = spooled_address(name, cleaner.string(shown))
        return Artifact(cleaner.string(self.name) or NO_NAME, address, None, mime_type, size)

    def _templated(self, path: Path) -> str | None:
        """Return the address by the template; None without one, and for files outside of the root folder."""
        template = self.collector.options.artifact_url
        if not template or self.item is None:
            return None
        # The template has the path from the root folder, so a file outside of it has no address.
        relative = os.path.relpath(path, self.item.config.rootpath)
        if relative.startswith(os.pardir):
            return None
        address = address_of(template, Path(relative).as_posix(), self.name)
        return address if is_address(address) else None

    def _has_hook(self) -> bool:
        return self.item is not None and bool(getattr(self.item.config.hook, PUBLISH_ARTIFACT).get_hookimpls())

    def _published(self, path: Path) -> str | None:
        """Return the address that a user's hook returns for a file, None without one."""
        if self.item is None or not self._has_hook():
            return None
        # The hook relative to the item: conftests of the item's folders are called, others are not.
        errors, hook = self.collector.user_errors, getattr(self.item.ihook, PUBLISH_ARTIFACT)
        address: object = errors.call(PUBLISH_ARTIFACT, hook, path=path)
        if address is None or (isinstance(address, str) and is_address(address)):
            return address
        errors.add_hook_error(PUBLISH_ARTIFACT, ValueError(f"{safe_str(address)!r} is no web address"))
        return None

    def _field(self, text: str) -> Field:
        return property_field(self.name, text, self.collector.cleaner)


def _last_segment(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/\\").replace("\\", "/").rpartition("/")[2]
