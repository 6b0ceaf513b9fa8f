"""What tests call to add to their results (floor 1): functions, and the same bound to one attempt as a fixture.

In a session that is not reported everything does nothing; a value that can never be used raises in both, so that
reporting changes no verdict.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.asking import PUBLISH_ARTIFACT
from pytest_automation_report.model import FieldType
from pytest_automation_report.notes import Step
from pytest_automation_report.properties import artifact_from, is_address, is_web, kind_of, property_field, typed_field
from pytest_automation_report.rules import spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.notes import Notes, Pad
    from pytest_automation_report.properties import FieldKind

Content: TypeAlias = "str | os.PathLike[str] | bytes"
"""What an artifact is: a web address, the path of a file, or the bytes themselves."""

Made: TypeAlias = "Content | Callable[[], Content]"
"""The same, or a function that makes it, which is called where it is reported only."""

NOTES: Final = "automation-report-notes"
"""Name under which a reported session has its `Notes` among pytest's plugins."""

_NAME: Final = "Artifact"

_active: list[Notes] = []


def activate(notes: Notes) -> None:
    """Let the functions add to the tests of this session; sessions may nest."""
    _active.append(notes)


def deactivate(notes: Notes) -> None:
    """Let them add to the session around it, or do nothing."""
    if notes in _active:
        _active.remove(notes)


class AutomationReport:
    """Adds to one attempt of one test; the fixture ``automation_report``.

    It may be used in any thread or task of the test. In fixtures of a wider scope than one test use the functions of
    `pytest_automation_report`, which add to the test that runs.
    """

    __slots__ = ("_pad",)

    def __init__(self, pad: Pad | None = None) -> None:
        self._pad = pad

    def field(self, name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's word
        """Add a field.

        Without a type an address can be followed, several lines stay lines, all else is one line. A type is
        ``"string"``, ``"text"``, ``"html"``, ``"console"``, ``"url"`` or a `FieldType`; ValueError for any other.
        """
        kind = None if type is None else kind_of(type)
        if self._pad is not None:
            _add_field(self._pad, name, value, kind)

    def link(self, url: str, name: str = "Link") -> None:
        """Add a field that leads to a web address; what is none is shown as text."""
        if self._pad is not None:
            _add_field(self._pad, name, url, FieldType.URL)

    def artifact(self, content: Made, name: str | None = None, mime_type: str | None = None) -> None:
        """Add a file: the server keeps its address, not the file.

        A file without a web address is offered to the hook ``pytest_automation_report_publish_artifact``; if that gives
        none, a field tells where the file is. TypeError for what is no address, path, bytes or function.
        """
        if not (isinstance(content, (str, bytes, os.PathLike)) or callable(content)):
            raise TypeError(f"an artifact is an address, a path, bytes or a function, not {content.__class__.__name__}")
        if self._pad is not None:
            _add_artifact(self._pad, content, name, mime_type)

    def step(self, name: str) -> Step:
        """Return a context manager for a part of the test, with a status of its own; steps nest."""
        return Step(self._pad, "" if self._pad is None else _text(self._pad, name))


def field(name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's words
    """Add a field to the test that runs; see `AutomationReport.field`."""
    _here().field(name, value, type)


def link(url: str, name: str = "Link") -> None:
    """Add a field that leads to a web address to the test that runs."""
    _here().link(url, name)


def artifact(content: Made, name: str | None = None, mime_type: str | None = None) -> None:
    """Add a file to the test that runs; see `AutomationReport.artifact`."""
    _here().artifact(content, name, mime_type)


def step(name: str) -> Step:
    """Return a context manager for a part of the test that runs, with a status of its own."""
    return _here().step(name)


_SILENT: Final = AutomationReport()


def report_of(notes: Notes | None) -> AutomationReport:
    """Return what adds to the attempt that runs in a session, or to nothing when it is not reported."""
    pad = None if notes is None else notes.pad()
    return _SILENT if pad is None else AutomationReport(pad)


def _here() -> AutomationReport:
    if not _active:
        return _SILENT
    pad = _active[-1].pad_here()
    if pad is None:
        _active[-1].drop()
        return _SILENT
    return AutomationReport(pad)


def _text(pad: Pad, name: object) -> str:
    return pad.notes.clean.string(spelled(name))


def _add_field(pad: Pad, name: object, value: object, kind: FieldType | None) -> None:
    clean, title, text = pad.notes.clean, spelled(name), spelled(value)
    made = property_field(title, text, clean) if kind is None else typed_field(title, text, kind, clean)
    pad.add(field=made)


def _add_artifact(pad: Pad, content: Made, name: str | None, mime_type: str | None) -> None:
    try:
        made = content() if callable(content) else content
        if isinstance(made, bytes):
            _add_bytes(pad, made, name or _NAME, mime_type)
        elif isinstance(made, str) and is_web(made):
            _add_reference(pad, made, name or _last(made), mime_type, None)
        else:
            _add_file(pad, Path(made).absolute(), name or Path(made).name or _NAME, mime_type)
    except Exception as error:  # noqa: BLE001 - neither a user's function nor a patched file system may change a verdict
        pad.notes.troubles.add(f"artifact {name or _NAME} was not added: {error.__class__.__name__}: {error}")


def _add_reference(pad: Pad, address: str, name: str, mime_type: str | None, size: int | None) -> None:
    made = artifact_from(name, address, mime_type, size, pad.notes.clean)
    if made is None:
        _add_field(pad, name, address, None)
    else:
        pad.add(artifact=made)


def _add_file(pad: Pad, path: Path, name: str, mime_type: str | None) -> None:
    if not path.is_file():
        _add_field(pad, name, f"{path} (no such file)", None)
        return
    size = path.stat().st_size
    address = _published(pad, path)
    if address is None:
        _add_field(pad, name, path, None)
    else:
        _add_reference(pad, address, name, mime_type, size)


def _add_bytes(pad: Pad, data: bytes, name: str, mime_type: str | None) -> None:
    address = None
    if _is_published(pad):
        import tempfile  # noqa: PLC0415 - seldom needed

        with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
            path = Path(folder) / (Path(name).name or _NAME)
            path.write_bytes(data)
            address = _published(pad, path)
    if address is None:
        _add_field(pad, name, f"{len(data):,} bytes, not kept: nothing publishes them", None)
    else:
        _add_reference(pad, address, name, mime_type, len(data))


def _is_published(pad: Pad) -> bool:
    return pad.item is not None and bool(getattr(pad.item.config.hook, PUBLISH_ARTIFACT).get_hookimpls())


def _published(pad: Pad, path: Path) -> str | None:
    """Return the address that a hook gives a file, None without one."""
    item, troubles = pad.item, pad.notes.troubles
    if item is None or not _is_published(pad):
        return None
    address: object = troubles.ask(PUBLISH_ARTIFACT, lambda: getattr(item.ihook, PUBLISH_ARTIFACT)(path=path))
    if address is None:
        return None
    if isinstance(address, str) and is_address(address):
        return address
    troubles.refuse(PUBLISH_ARTIFACT, ValueError(f"{spelled(address)!r} is no web address"))
    return None


def _last(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2] or _NAME
