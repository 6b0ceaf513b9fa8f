"""Settings as a console command resolves them, for tests of single settings."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pytest_automation_report.settings.console import read_console_settings
from pytest_automation_report.settings.resolver import settings_from
from pytest_automation_report.settings.settings import Settings

NOON = datetime(2026, 3, 4, 12, 30, 15)  # noqa: DTZ001 - the name of a run tells local time
REMOTE = {"url": "https://a.example", "project_id": 3}
"""Options that name a server."""


def resolve(
    options: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    ini: Mapping[str, object] | None = None,
    *,
    project_name: str | None = "shop",
    root: Path = Path("/root-folder"),
) -> Settings:
    """Return the settings of these options, environment and values of a file ``pytest.ini``."""
    environ = environ or {}
    raw = read_console_settings(options or {}, environ, ini or {}, ini_name="pytest.ini")
    return settings_from(raw, environ=environ, root=root, project_name=project_name, local_time=NOON)
