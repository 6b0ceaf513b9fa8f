"""Hide values that one text of a result shows to be secrets in all of its texts. Few results have any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_automation_report.api.models import FieldType
from pytest_automation_report.text.redaction import KnownSecrets
from pytest_automation_report.text.secret_values import marked, unmasked
from pytest_automation_report.text.visible import ColouredText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Artifact, Field
    from pytest_automation_report.spool.records import Step


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

    def of_fields(self, fields: Iterable[Field]) -> tuple[Field, ...]:
        """Return fields without the values."""
        return tuple(map(self._field, fields))

    def of_artifacts(self, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
        """Return artifacts without the values in the names of their files."""
        return tuple(replace(artifact, name=self.hidden(artifact.name)) for artifact in artifacts)

    def of_steps(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """Return steps without the values in their names."""
        return tuple(replace(step, name=self.hidden(step.name), steps=self.of_steps(step.steps)) for step in steps)

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
