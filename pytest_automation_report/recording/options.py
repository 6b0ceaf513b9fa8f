"""How results are made from reports (floor 1): what the settings say, as one value that workers can be sent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.api.limits import ARTIFACT_BYTES, ARTIFACTS_BYTES
from pytest_automation_report.text.redaction import TextCleaner, cached_cleaner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json, Status

Output: TypeAlias = Literal["failed", "all", "none"]
"""Which tests keep their captured output."""


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What the recorder is told.

    ``prefix`` stands before folders, ``statuses`` maps each status to its alias on the wire, ``redact`` holds regular
    expressions whose matches are hidden in fields (never in key, name or folder). ``markers`` names the user's markers
    that become fields, ``link_templates`` maps ``case`` and ``issue`` to addresses with ``{}`` in them,
    ``output_annotations`` tells whether captured output is searched for what it says about its test,
    ``report_not_run`` whether tests that a session did not come to are reported, ``redact_builtin`` whether all that
    looks like a credential is hidden. ``artifact_url`` is the template of the addresses of files that the CI uploads
    from where they are; of others at most ``artifact_size`` bytes are kept, and ``artifact_total`` of all that wait to
    be sent; ``browser_artifacts`` tells whether files of browsers attach themselves. ``secrets`` are values to hide;
    each process finds its own, they are written nowhere.
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
    secrets: tuple[str, ...] = field(default=(), repr=False)
    report_not_run: bool = False

    def alias(self, status: Status) -> str:
        """Return what a status is called on the wire; its own name when no alias is given."""
        return self.statuses.get(status, status)

    def keeps_output(self, status: Status) -> bool:
        """Whether a test with this status keeps its captured output."""
        return self.output == "all" or (self.output == "failed" and status in {"failure", "error"})

    def to_json(self) -> Json:
        """Return the rules as a JSON object, without the secrets."""
        return {
            "prefix": self.prefix,
            "output": self.output,
            "statuses": dict(self.statuses),
            "redact": list(self.redact),
            "markers": list(self.markers),
            "link_templates": dict(self.link_templates),
            "output_annotations": self.output_annotations,
            "redact_builtin": self.redact_builtin,
            "report_not_run": self.report_not_run,
            "artifact_url": self.artifact_url,
            "artifact_size": self.artifact_size,
            "artifact_total": self.artifact_total,
            "browser_artifacts": self.browser_artifacts,
        }

    def for_sender(self) -> RecordingOptions:
        """Return the rules without what hides secrets: what reaches the sender has been cleaned before."""
        return replace(self, redact=(), redact_builtin=False, secrets=())

    @classmethod
    def from_json(cls, body: Json) -> RecordingOptions:
        """Return the rules that `to_json` wrote."""
        return cls(
            body["prefix"],
            body["output"],
            dict(body["statuses"]),
            tuple(body["redact"]),
            tuple(body.get("markers", ())),
            dict(body.get("link_templates", {})),
            bool(body.get("output_annotations", False)),
            bool(body.get("redact_builtin", True)),
            report_not_run=bool(body.get("report_not_run", False)),
            artifact_url=str(body.get("artifact_url", "")),
            artifact_size=int(body.get("artifact_size", ARTIFACT_BYTES)),
            artifact_total=int(body.get("artifact_total", ARTIFACTS_BYTES)),
            browser_artifacts=bool(body.get("browser_artifacts", True)),
        )


def cleaner_for(rules: RecordingOptions) -> TextCleaner:
    """Return what cleans texts by these rules; raises ``re.error`` for a redaction that is no regular expression."""
    return cached_cleaner(rules.redact, rules.secrets, rules.redact_builtin)
