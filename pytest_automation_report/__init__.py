"""Report pytest sessions to the Testmo automation runs API, or to an embedded server of the same API.

Python imports this module at every start of pytest that has the plugin installed, so it imports nothing itself. The
public names are loaded at their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Artifact, Field, FieldType, Link
    from pytest_automation_report.recording.functions import AutomationReport, artifact, field, link, step
    from pytest_automation_report.recording.hooks import Additions, ArtifactFile, RunAdditions, Summary

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
    **dict.fromkeys(("Additions", "ArtifactFile", "RunAdditions", "Summary"), "recording.hooks"),
    **dict.fromkeys(("AutomationReport", "artifact", "field", "link", "step"), "recording.functions"),
    **dict.fromkeys(("Artifact", "Field", "FieldType", "Link"), "api.models"),
}


def __getattr__(name: str) -> object:
    """Load a public name at its first use."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - Python has loaded it; only this function needs it

    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not loaded yet."""
    return sorted({*globals(), *__all__})
