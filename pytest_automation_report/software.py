"""What a session runs on (floor 4): Python, pytest, its plugins and the system, as fields of the run."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.limits import string
from pytest_automation_report.model import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["software_fields"]


def software_fields(config: pytest.Config) -> tuple[Field, ...]:
    """Return the versions of what a session runs on."""
    implementation = platform.python_implementation()
    python = platform.python_version()
    # Read once for both: a distribution reads its file again for each that is asked of it.
    packages = [dist.metadata for _, dist in config.pluginmanager.list_plugin_distinfo()]
    values = {
        "Python": python if implementation == "CPython" else f"{python} ({implementation})",
        "pytest": pytest.__version__,
        "Plugins": ", ".join(sorted({f"{each['Name']} {each['Version']}" for each in packages})),
        "OS": ", ".join(filter(None, (_distribution(), _kernel()))),
    }
    return tuple(Field(name, string(value)) for name, value in values.items() if value)


def _distribution() -> str:
    """Return the name that a Linux distribution gives itself, or macOS's version; empty when there is neither."""
    version = platform.mac_ver()[0]
    if version:
        return f"macOS {version}"
    try:
        found: Mapping[str, str] = platform.freedesktop_os_release()
    except OSError:
        return ""
    return found.get("PRETTY_NAME", "")


def _kernel() -> str:
    """Return the kernel's name and release, and the machine; ``platform`` would start a process to know more."""
    system = os.uname()
    return f"{system.sysname} {system.release} {system.machine}"
