"""Markers that become fields, links and artifacts of their tests."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pytest_automation_report.annotations.artifacts import attachment, check_content
from pytest_automation_report.api.models import Artifact, Field, FieldType
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.recording.annotations import Annotations
from pytest_automation_report.recording.fields import field_type_of, property_field, typed_field
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_automation_report.annotations.collector import AnnotationCollector
    from pytest_automation_report.annotations.hook_values import Made
    from pytest_automation_report.recording.options import RecordingOptions

_PREFIX: Final = "automation_report_"
_WRITTEN: Final = {
    "field": "(name, value, type=None)",
    "link": "(url, name='Link')",
    "artifact": "(content, name=None, mime_type=None)",
    "case": "(*ids)",
    "issue": "(*ids)",
}
_TEMPLATED: Final = {"case": "Case", "issue": "Issue"}


def marker_names(rules: RecordingOptions) -> frozenset[str]:
    """Return the names of all markers that add to results: ours, and those of the setting ``markers``."""
    return frozenset((*(f"{_PREFIX}{name}" for name in _WRITTEN), *rules.markers))


class Markers:
    """Reads the markers of tests, of their classes and modules; owned by the recording of one process."""

    def __init__(self, rules: RecordingOptions, notes: AnnotationCollector) -> None:
        self._rules = rules
        self._notes = notes
        self._cleaner = notes.cleaner
        self._troubles = notes.troubles
        self._names = marker_names(rules)
        self._parent: object = None
        self._has_inherited = False

    def added(self, item: pytest.Item) -> Annotations | None:
        """Return the annotations of a test's markers, also of those added while it ran; None if there are none."""
        # Tests of one class or module follow each other, so the chain above an item is searched once for all of them.
        if item.parent is not self._parent:
            self._parent = item.parent
            chain = item.listchain()[:-1]
            self._has_inherited = any(mark.name in self._names for node in chain for mark in node.own_markers)
        if not self._has_inherited and not self._has_own(item):
            return None
        fields: list[Field] = []
        artifacts: list[Artifact] = []
        for node in item.listchain():
            for mark in node.own_markers:
                if mark.name in self._names:
                    self._add(mark, item, fields, artifacts)
        return Annotations(tuple(fields), tuple(artifacts)) if fields or artifacts else None

    def _has_own(self, item: pytest.Item) -> bool:
        for each in item.own_markers:  # a generator would take longer than most tests have markers  # noqa: SIM110
            if each.name in self._names:
                return True
        return False

    def _add(self, mark: pytest.Mark, item: pytest.Item, fields: list[Field], artifacts: list[Artifact]) -> None:
        try:
            made = self._read(mark, item)
        except (TypeError, ValueError) as error:
            # Python's own words for wrong arguments name what reads the marker; its user knows the marker alone.
            is_pythons = f"{self.__class__.__name__}._" in str(error)
            reason = f"write {mark.name}{_WRITTEN[mark.name.removeprefix(_PREFIX)]}" if is_pythons else error
            self._troubles.add(f"marker {mark.name} of {item.nodeid} cannot be used: {reason}")
            return
        for each in made:
            if isinstance(each, Artifact):
                artifacts.append(each)
            else:
                fields.append(each)

    def _read(self, mark: pytest.Mark, item: pytest.Item) -> Sequence[Artifact | Field]:
        own: dict[str, Callable[..., Sequence[Artifact | Field]]] = {
            f"{_PREFIX}field": self._field,
            f"{_PREFIX}link": self._link,
            f"{_PREFIX}artifact": partial(self._artifact, item),
        }
        if mark.name in own:
            return own[mark.name](*mark.args, **mark.kwargs)
        short = mark.name.removeprefix(_PREFIX)
        if mark.name != short and short in _TEMPLATED:
            return self._references(short, *mark.args, **mark.kwargs)
        values = [*map(safe_str, mark.args), *(f"{name}={safe_str(value)}" for name, value in mark.kwargs.items())]
        return [property_field(mark.name, ", ".join(values) or "yes", self._cleaner)]

    def _field(self, name: object, value: object, type: Any = None) -> list[Field]:  # noqa: A002, ANN401 - the marker's word
        if type is None:
            return [property_field(safe_str(name), safe_str(value), self._cleaner)]
        return [typed_field(safe_str(name), safe_str(value), field_type_of(type), self._cleaner)]

    def _link(self, url: object, name: object = "Link") -> list[Field]:
        return [typed_field(safe_str(name), safe_str(url), FieldType.URL, self._cleaner)]

    def _artifact(
        self, item: pytest.Item, content: Made, name: str | None = None, mime_type: str | None = None
    ) -> Sequence[Artifact | Field]:
        if isinstance(content, str) and is_web_address(content):
            name = "Artifact" if name is None else name
        else:
            check_content(content)
        told = None if name is None else safe_str(name)
        made = attachment(self._notes, item, content, told, mime_type, folder=item.config.rootpath)
        return [] if made is None else [made]

    def _references(self, short: str, *ids: object) -> list[Field]:
        if not ids:
            raise TypeError("it names none")
        template = self._rules.link_templates.get(short)
        texts = map(safe_str, ids)
        values = texts if template is None else (template.replace("{}", quote(each, safe="")) for each in texts)
        return [property_field(_TEMPLATED[short], each, self._cleaner) for each in values]
