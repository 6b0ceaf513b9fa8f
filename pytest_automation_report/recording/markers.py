"""Turn markers of tests into fields, links and artifacts of their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pytest_automation_report.api.models import Artifact, Field, FieldType
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.recording.fields import field_type_of, property_field, typed_field
from pytest_automation_report.recording.functions import attachment, check_content
from pytest_automation_report.recording.options import MARKER_PREFIX
from pytest_automation_report.recording.phases import Annotations
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_automation_report.recording.collector import AnnotationCollector
    from pytest_automation_report.recording.functions import LazyContent
    from pytest_automation_report.recording.options import RecordingOptions


_SIGNATURES: Final = {
    "field": "(name, value, type=None)",
    "link": "(url, name='Link')",
    "artifact": "(content, name=None, mime_type=None)",
    "case": "(*ids)",
    "issue": "(*ids)",
}
_TEMPLATED: Final = {"case": "Case", "issue": "Issue"}


class Markers:
    """Reads the markers of tests, of their classes and modules."""

    def __init__(self, options: RecordingOptions, collector: AnnotationCollector) -> None:
        self._options = options
        self._collector = collector
        self._cleaner = collector.cleaner
        self._user_errors = collector.user_errors

    def annotations(self, item: pytest.Item) -> Annotations | None:
        """Return the annotations of a test's markers, also of those added while it ran; None if there are none."""
        fields: list[Field] = []
        artifacts: list[Artifact] = []
        for node in item.listchain():
            for mark in node.own_markers:
                if mark.name in self._options.marker_names:
                    self._add(mark, item, fields, artifacts)
        return Annotations(tuple(fields), tuple(artifacts)) if fields or artifacts else None

    def _add(self, mark: pytest.Mark, item: pytest.Item, fields: list[Field], artifacts: list[Artifact]) -> None:
        try:
            annotations = self._read(mark, item)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the arguments are users' objects
            # Python's message for wrong arguments names our method (`Markers._field() missing ...`), which the
            # marker's user does not know.
            reason = safe_str(error)
            if f"{self.__class__.__name__}._" in reason:
                reason = f"write {mark.name}{_SIGNATURES[mark.name.removeprefix(MARKER_PREFIX)]}"
            self._user_errors.add(f"marker {mark.name} of {item.nodeid} cannot be used: {reason}")
            return
        for annotation in annotations:
            if isinstance(annotation, Artifact):
                artifacts.append(annotation)
            else:
                fields.append(annotation)

    def _read(self, mark: pytest.Mark, item: pytest.Item) -> Sequence[Artifact | Field]:
        """Return the annotations of one marker; TypeError or ValueError for wrong arguments."""
        # Without our prefix it is a marker of the setting `markers`.
        short = mark.name.removeprefix(MARKER_PREFIX) if mark.name.startswith(MARKER_PREFIX) else ""
        match short:
            case "field":
                return [self._field(*mark.args, **mark.kwargs)]
            case "link":
                return [self._link(*mark.args, **mark.kwargs)]
            case "artifact":
                return self._artifact(item, *mark.args, **mark.kwargs)
            case "case" | "issue":
                return self._references(short, *mark.args, **mark.kwargs)
            case _:
                pairs = (f"{name}={safe_str(value)}" for name, value in mark.kwargs.items())
                values = [*map(safe_str, mark.args), *pairs]
                return [property_field(mark.name, ", ".join(values) or "yes", self._cleaner)]

    def _field(self, name: object, value: object, type: Any = None) -> Field:  # noqa: A002, ANN401 - the marker's word
        field_type = None if type is None else field_type_of(type)
        return typed_field(safe_str(name), safe_str(value), field_type, self._cleaner)

    def _link(self, url: object, name: object = "Link") -> Field:
        return typed_field(safe_str(name), safe_str(url), FieldType.URL, self._cleaner)

    def _artifact(
        self, item: pytest.Item, content: LazyContent, name: str | None = None, mime_type: str | None = None
    ) -> Sequence[Artifact | Field]:
        if isinstance(content, str) and is_web_address(content):
            name = "Artifact" if name is None else name
        else:
            check_content(content)
        title = None if name is None else safe_str(name)
        # A relative path starts at the root folder: users start a session in any folder.
        attached = attachment(self._collector, item, content, title, mime_type, folder=item.config.rootpath)
        return [] if attached is None else [attached]

    def _references(self, short: str, *ids: object) -> list[Field]:
        if not ids:
            raise TypeError("it names none")
        template = self._options.link_templates.get(short)
        texts = map(safe_str, ids)
        values = texts if template is None else (template.replace("{}", quote(text, safe="")) for text in texts)
        return [property_field(_TEMPLATED[short], value, self._cleaner) for value in values]
