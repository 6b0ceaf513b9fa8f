"""Report pytest sessions to the Testmo automation runs API, or to an embedded server of the same API.

Imported at every start of pytest that has this plugin installed: it imports nothing itself. What it offers to tests and
hooks is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.annotations.functions import AutomationReport, artifact, field, link, step
    from pytest_automation_report.annotations.hook_values import Additions, ArtifactFile, RunAdditions, Summary
    from pytest_automation_report.api.models import Artifact, Field, FieldType, Link

__all__ = [
    "Additions",
    "Artifact",
    "ArtifactFile",
    "AutomationReport",
    "Field",
    "FieldType",
    "Link",
    "RunAdditions",
    "Summary",
    "__version__",
    "artifact",
    "field",
    "link",
    "step",
]

__version__ = "0.1.0"

_MODULES = {
    **dict.fromkeys(("Additions", "ArtifactFile", "RunAdditions", "Summary"), "annotations.hook_values"),
    **dict.fromkeys(("AutomationReport", "artifact", "field", "link", "step"), "annotations.functions"),
    **dict.fromkeys(("Artifact", "Field", "FieldType", "Link"), "api.models"),
}


def __getattr__(name: str) -> object:
    """Load what is offered when it is first used."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - loaded by Python itself; named where it is needed

    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of all that is offered."""
    return sorted({*globals(), *__all__})
