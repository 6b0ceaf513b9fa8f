"""Derive the names that a user did not set: the source from project or folder, the run from CI or the time."""

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

_SHORTEST_SOURCE: Final = 2


def project_name(root: Path) -> str | None:
    """Return ``[project].name`` of the folder's pyproject.toml, ``None`` without a readable one."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
        # pytest installs tomli for a Python without a TOML reader.
        reader: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
        document: dict[str, Any] = reader.loads(text)
    except (ImportError, OSError, ValueError, RecursionError):
        # A project may have no name, and other tools report a broken file.
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else None


def source_from(name: str | None) -> str:
    """Return a name as a valid source (a letter, then letters, digits, dashes), empty if too few characters remain."""
    plain = unicodedata.normalize("NFKD", name or "")
    ascii_name = "".join(character for character in plain if not unicodedata.combining(character))
    valid = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).lstrip("-0123456789").rstrip("-")[:STRING_UNITS]
    return valid if len(valid) >= _SHORTEST_SOURCE else ""


def run_name(name: str, *, source: str, facts: BuildInfo, local_time: datetime) -> str:
    """Return the run's name, cut to the server's limit: the user's, else one of the build, else one of the time."""
    if name:
        return string(name)
    parts = [part for part in (facts.ref, f"#{facts.build}" if facts.build else None) if part]
    return string(" ".join([source, *(parts or [f"{local_time:%Y-%m-%d %H:%M:%S}"])]))
