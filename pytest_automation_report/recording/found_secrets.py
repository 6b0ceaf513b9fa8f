"""Hide values that one text of a result shows to be secrets in all of its texts. Few results have any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import FieldType
from pytest_automation_report.text.redaction import KnownSecrets
from pytest_automation_report.text.secret_values import marked, unmasked
from pytest_automation_report.text.visible import ColouredText
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Field, Test

# Users' tests patch `json`: saved at import.
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


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

    def of_test(self, test: Test) -> Test:
        """Return a result without the values in its fields and in the names of its files."""
        artifacts = tuple(replace(artifact, name=self.hidden(artifact.name)) for artifact in test.artifacts)
        return fit_to_limits(replace(test, fields=tuple(map(self._field, test.fields)), artifacts=artifacts))

    def _field(self, field: Field) -> Field:
        is_kept = field.value is None or field.type is FieldType.URL
        value = field.value if is_kept else self.hidden(field.value or "")
        meta = {name: self.hidden(text) for name, text in field.meta.items()}
        return replace(field, name=self.hidden(field.name), value=value, meta=meta)

    def of_json(self, text: str) -> str:
        """Return JSON without the values in its texts; ``text`` may be empty."""
        return _encode(self._of_value(json.loads(text))) if text else text

    def _of_value(self, value: Any) -> Any:  # noqa: ANN401 - what JSON holds
        if isinstance(value, dict):
            return {self.hidden(name): self._of_value(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._of_value(part) for part in value]
        return self.hidden(value) if isinstance(value, str) else value
