"""Turn a file that a test adds into an artifact of its result: a reference, or a field that names the file.

The first of these ways that applies is used: a user's hook publishes the file and returns its address; the template of
``artifact_url`` has the address of a file that the CI uploads from its place; the spool stores a copy, which the sender
uploads.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import Artifact
from pytest_automation_report.api.urls import address_of, is_web_address
from pytest_automation_report.recording.fields import NO_NAME, artifact_from, is_address, property_field
from pytest_automation_report.recording.hooks import PUBLISH_ARTIFACT
from pytest_automation_report.spool.artifacts import spooled_address
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.api.models import Field
    from pytest_automation_report.recording.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.recording.hooks import LazyContent


_NAME: Final = "Artifact"


def check_content(content: object) -> None:
    """Raise TypeError for a content that can never be an artifact, before any function is called or file read."""
    if not (isinstance(content, (str, bytes, os.PathLike)) or callable(content)):
        raise TypeError(f"an artifact is an address, a path, bytes or a function, not {content.__class__.__name__}")


def attach(attempt: AttemptAnnotations, content: LazyContent, name: str | None, mime_type: str | None) -> None:
    """Add an artifact to an attempt."""
    attached = attachment(attempt.collector, attempt.item, content, name, mime_type)
    if isinstance(attached, Artifact):
        attempt.add(artifact=attached)
    elif attached is not None:
        attempt.add(field=attached)


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
            return _reference(collector, value, name or _last_segment(value), mime_type, None)
        if isinstance(value, bytes):
            return _Attachment(collector, item, name or _NAME, mime_type).of_bytes(value)
        path = ((folder or Path()) / value).absolute()
        return _Attachment(collector, item, name or path.name or _NAME, mime_type).of_file(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - neither a user's function nor a patched file system may change a verdict
        reason = f"{type(error).__name__}: {safe_str(error)}"
        collector.user_errors.add(f"artifact {safe_str(name or _NAME)} was not added: {reason}")
        return None


class _Attachment:
    """One file, or bytes, of one attempt, or of a session."""

    def __init__(
        self,
        collector: AnnotationCollector,
        item: pytest.Item | pytest.Session | None,
        name: str,
        mime_type: str | None,
    ) -> None:
        self._collector = collector
        self._item = item
        self._name = name
        self._mime_type = mime_type

    def of_file(self, path: Path) -> Artifact | Field:
        """Return the artifact of a file, or the field that names it."""
        shown = str(path)
        if not path.is_file():
            self._collector.add_missing_file("whose file is missing", shown)
            return self._field(f"{shown} (no such file)")
        size = path.stat().st_size
        address = _published(self._collector, self._item, path) or self._templated(path)
        if address is not None:
            return _reference(self._collector, address, self._name, self._mime_type, size)
        return self._spooled(path, shown)

    def of_bytes(self, data: bytes) -> Artifact | Field:
        """Return the artifact of bytes; the hook gets them as a temporary file."""
        address = None
        if _has_publishing_hook(self._item):
            import tempfile  # noqa: PLC0415 - only for bytes with a hook

            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                path = Path(folder) / (Path(self._name).name or _NAME)
                path.write_bytes(data)
                address = _published(self._collector, self._item, path)
        if address is not None:
            return _reference(self._collector, address, self._name, self._mime_type, len(data))
        return self._spooled(data, f"{len(data):,} bytes")

    def _spooled(self, content: Path | bytes, shown: str) -> Artifact | Field:
        """Return the reference to a copy in the spool."""
        cleaner = self._collector.cleaner
        try:
            name, size = self._collector.artifact_spool.add(content)
        except ValueError as error:
            self._collector.add_missing_file(f"that are not kept ({error})", shown)
            return self._field(f"{shown} (not kept: {error})")
        mime_type = cleaner.string(self._mime_type) if self._mime_type else None
        address = spooled_address(name, cleaner.string(shown))
        return Artifact(cleaner.string(safe_str(self._name)) or NO_NAME, address, None, mime_type, size)

    def _templated(self, path: Path) -> str | None:
        """Return the address by the template; None without one, and for files outside of the root folder."""
        template, item = self._collector.artifact_url, self._item
        if not template or item is None:
            return None
        # The template has the path from the root folder, so a file outside of it has no address.
        relative = os.path.relpath(path, item.config.rootpath)
        if relative.startswith(os.pardir):
            return None
        address = address_of(template, Path(relative).as_posix(), self._name)
        return address if is_address(address) else None

    def _field(self, text: str) -> Field:
        return property_field(safe_str(self._name), text, self._collector.cleaner)


def _reference(
    collector: AnnotationCollector, address: str, name: str, mime_type: str | None, size: int | None
) -> Artifact | Field:
    """Return the artifact of an address, or a field if the server would refuse the address, such as a long one."""
    artifact = artifact_from(safe_str(name), address, mime_type, size, collector.cleaner)
    return property_field(safe_str(name), address, collector.cleaner) if artifact is None else artifact


def _has_publishing_hook(item: pytest.Item | pytest.Session | None) -> bool:
    return item is not None and bool(getattr(item.config.hook, PUBLISH_ARTIFACT).get_hookimpls())


def _published(collector: AnnotationCollector, item: pytest.Item | pytest.Session | None, path: Path) -> str | None:
    """Return the address that a user's hook returns for a file, None without one."""
    if item is None or not _has_publishing_hook(item):
        return None
    # The hook relative to the item: conftests of the item's folders are called, others are not.
    address: object = collector.user_errors.call(PUBLISH_ARTIFACT, getattr(item.ihook, PUBLISH_ARTIFACT), path=path)
    if address is None:
        return None
    if isinstance(address, str) and is_address(address):
        return address
    collector.user_errors.add_hook_error(PUBLISH_ARTIFACT, ValueError(f"{safe_str(address)!r} is no web address"))
    return None


def _last_segment(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2] or _NAME
