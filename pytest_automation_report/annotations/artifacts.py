"""From what a test adds as an artifact to what its result has of it: a reference, or a field instead.

A file goes by the first of these ways that there is: the user's hook gives its address; a template makes one, for a
file that the CI uploads from where it is; it waits in the spool for the sender, which stores it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.annotations.user_hooks import PUBLISH_ARTIFACT
from pytest_automation_report.api.artifacts import address_of
from pytest_automation_report.api.models import Artifact
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.recording.fields import NO_NAME, artifact_from, is_address, property_field
from pytest_automation_report.spool.artifacts import spooled_address
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.annotations.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.annotations.hook_values import Made
    from pytest_automation_report.api.models import Field


_NAME: Final = "Artifact"


def check_content(content: object) -> None:
    """Raise TypeError for what can never be an artifact, whatever it would lead to."""
    if not (isinstance(content, (str, bytes, os.PathLike)) or callable(content)):
        raise TypeError(f"an artifact is an address, a path, bytes or a function, not {content.__class__.__name__}")


def attach(pad: AttemptAnnotations, content: Made, name: str | None, mime_type: str | None) -> None:
    """Add an artifact to an attempt."""
    made = attachment(pad.notes, pad.item, content, name, mime_type)
    if isinstance(made, Artifact):
        pad.add(artifact=made)
    elif made is not None:
        pad.add(field=made)


def attachment(
    notes: AnnotationCollector,
    item: pytest.Item | pytest.Session | None,
    content: Made,
    name: str | None,
    mime_type: str | None,
    *,
    folder: Path | None = None,
) -> Artifact | Field | None:
    """Return what a result, or a session's run, has of an artifact, None when making it failed, which is told.

    ``folder`` is where a relative path starts, without one in the current folder.
    """
    try:
        made = content() if callable(content) else content
        if isinstance(made, str) and is_web_address(made):
            return _reference(notes, made, name or _last(made), mime_type, None)
        if isinstance(made, bytes):
            return _Attaching(notes, item, name or _NAME, mime_type).data(made)
        path = ((folder or Path()) / made).absolute()
        return _Attaching(notes, item, name or path.name or _NAME, mime_type).file(path)
    except Exception as error:  # noqa: BLE001 - neither a user's function nor a patched file system may change a verdict
        notes.troubles.add(f"artifact {name or _NAME} was not added: {error.__class__.__name__}: {error}")
        return None


class _Attaching:
    """One file, or bytes, of one attempt, or of a session."""

    def __init__(
        self, notes: AnnotationCollector, item: pytest.Item | pytest.Session | None, name: str, mime_type: str | None
    ) -> None:
        self._notes = notes
        self._item = item
        self._name = name
        self._mime_type = mime_type

    def file(self, path: Path) -> Artifact | Field:
        """Return what the result has of a file."""
        shown = str(path)
        if not path.is_file():
            self._notes.miss("that are no files, or none any more", shown)
            return self._told(f"{shown} (no such file)")
        size = path.stat().st_size
        address = _published(self._notes, self._item, path) or self._templated(path)
        if address is not None:
            return _reference(self._notes, address, self._name, self._mime_type, size)
        return self._kept(path, shown)

    def data(self, data: bytes) -> Artifact | Field:
        """Return what the result has of bytes."""
        address = None
        if _is_published(self._item):
            import tempfile  # noqa: PLC0415 - seldom needed

            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                path = Path(folder) / (Path(self._name).name or _NAME)
                path.write_bytes(data)
                address = _published(self._notes, self._item, path)
        if address is not None:
            return _reference(self._notes, address, self._name, self._mime_type, len(data))
        return self._kept(data, f"{len(data):,} bytes")

    def _kept(self, content: Path | bytes, shown: str) -> Artifact | Field:
        """Return the reference to a copy in the spool."""
        cleaner = self._notes.cleaner
        try:
            name, size = self._notes.stash.keep(content)
        except ValueError as error:
            self._notes.miss(f"that are not kept ({error})", shown)
            return self._told(f"{shown} (not kept: {error})")
        mime_type = cleaner.string(self._mime_type) if self._mime_type else None
        address = spooled_address(name, cleaner.string(shown))
        return Artifact(cleaner.string(safe_str(self._name)) or NO_NAME, address, None, mime_type, size)

    def _templated(self, path: Path) -> str | None:
        """Return the address that the template gives a file below the root folder."""
        template, item = self._notes.artifact_url, self._item
        if not template or item is None:
            return None
        place = os.path.relpath(path, item.config.rootpath)
        if place.startswith(os.pardir):
            return None
        address = address_of(template, Path(place).as_posix(), self._name)
        return address if is_address(address) else None

    def _told(self, text: str) -> Field:
        return property_field(safe_str(self._name), text, self._notes.cleaner)


def _reference(
    notes: AnnotationCollector, address: str, name: str, mime_type: str | None, size: int | None
) -> Artifact | Field:
    made = artifact_from(safe_str(name), address, mime_type, size, notes.cleaner)
    return property_field(safe_str(name), address, notes.cleaner) if made is None else made


def _is_published(item: pytest.Item | pytest.Session | None) -> bool:
    return item is not None and bool(getattr(item.config.hook, PUBLISH_ARTIFACT).get_hookimpls())


def _published(notes: AnnotationCollector, item: pytest.Item | pytest.Session | None, path: Path) -> str | None:
    """Return the address that a hook gives a file, None without one."""
    if item is None or not _is_published(item):
        return None
    address: object = notes.troubles.ask(PUBLISH_ARTIFACT, lambda: getattr(item.ihook, PUBLISH_ARTIFACT)(path=path))
    if address is None:
        return None
    if isinstance(address, str) and is_address(address):
        return address
    notes.troubles.refuse(PUBLISH_ARTIFACT, ValueError(f"{safe_str(address)!r} is no web address"))
    return None


def _last(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2] or _NAME
