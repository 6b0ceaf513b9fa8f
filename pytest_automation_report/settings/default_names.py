"""Names that nobody gave: the source's from project or folder, the run's from CI or the clock."""

from __future__ import annotations

import re
import sys
import unicodedata
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.text.limits import STRING_UNITS, string

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pytest_automation_report.ci.facts import BuildInfo

__all__ = ["project_name", "run_name", "source_from"]

_SHORTEST_SOURCE: Final = 2


def project_name(root: Path) -> str | None:
    """Return ``[project].name`` of the folder's pyproject.toml, ``None`` where there is none to be read."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
        # pytest brings tomli where Python has no reader of its own.
        reader: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
        document: dict[str, Any] = reader.loads(text)
    except (ImportError, OSError, ValueError, RecursionError):
        # No name is no mistake; whoever needs the file itself tells what is wrong with it.
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else None


def source_from(name: str | None) -> str:
    """Return a name made valid as a source (a letter, then letters, digits, dashes), empty when too little is left."""
    plain = unicodedata.normalize("NFKD", name or "")
    ascii_name = "".join(each for each in plain if not unicodedata.combining(each))
    valid = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).lstrip("-0123456789").rstrip("-")[:STRING_UNITS]
    return valid if len(valid) >= _SHORTEST_SOURCE else ""


def run_name(given: str, *, source: str, facts: BuildInfo, local_time: datetime) -> str:
    """Return the run's name, cut to what the server shows: the one given, else what CI builds, else by the clock."""
    if given:
        return string(given)
    parts = [part for part in (facts.ref, f"#{facts.build}" if facts.build else None) if part]
    return string(" ".join([source, *(parts or [f"{local_time:%Y-%m-%d %H:%M:%S}"])]))
