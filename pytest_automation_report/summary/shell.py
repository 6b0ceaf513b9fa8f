"""Write commands, paths and addresses so that they work as they stand in the shell of the user who reads them."""

from __future__ import annotations

import shutil
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.settings.settings import LOCAL_URL, STORE, Settings
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


RUN_PAGE: Final = "/automation/runs/view/{run}"
"""Path of a run's web page, on Testmo's servers and on the embedded one."""

_NAME: Final = "automation-report"
_MODULE: Final = "pytest_automation_report.cli"


def run_page(configuration: Settings, run: int | None) -> str:
    """Return the web address of a run, "" for the embedded store, which is not always served."""
    return f"{configuration.url}{RUN_PAGE.format(run=run)}" if run is not None and configuration.url else ""


class Shell:
    """The shell that a process was started from: its current folder, and how the console command is typed there."""

    def __init__(self, here: Path, environ: Mapping[str, str], python: str = sys.executable) -> None:
        self._here = here
        self._path = environ.get("PATH", "")
        self._python = python

    def typed(self, path: Path) -> str:
        """Return a path as the user types it: relative if it is below the current folder."""
        return str(path.relative_to(self._here)) if path.is_relative_to(self._here) else str(path)

    def target(self, configuration: Settings) -> str:
        """Return the destination of results without secrets."""
        if configuration.endpoint.is_embedded:
            return f"the embedded store {self.typed(configuration.database)}"
        return f"{configuration.url or 'an unknown address'}, project {configuration.project_id or 'unknown'}"

    @cached_property
    def command(self) -> tuple[str, ...]:
        """The words that run the console command of this interpreter from any folder."""
        on_path = shutil.which(_NAME, path=self._path)
        own = next((found for folder in self._script_folders() if (found := shutil.which(_NAME, path=folder))), None)
        # This environment need not be activated, and another one may be.
        if on_path is not None and (own is None or _is_same_file(own, on_path)):
            return (_NAME,)
        if own is None:
            return (self._python, "-m", _MODULE)
        return (str(Path(own).parent.resolve() / _NAME),)

    def look_at(self, configuration: Settings, run: int) -> str:
        """Return how to look at a run: its web address, or the command that opens its page."""
        if not configuration.endpoint.is_embedded:
            return run_page(configuration, run)
        words = [*self.command, "open", str(run)]
        if configuration.origins.get("url", "").startswith("-"):  # an ini file may name a server, as this option shows
            words += ["--url", LOCAL_URL]
        if configuration.database != self._here / STORE:
            # Absolute: a relative path would start from the root folder of the project that the current folder is in.
            words += ["--database", str(configuration.database)]
        return system.quoted(words)

    def _script_folders(self) -> Iterator[str]:
        yield str(Path(self._python).parent)
        import sysconfig  # noqa: PLC0415 - most often the folder above has it

        yield sysconfig.get_path("scripts")
        user_scheme = sysconfig.get_preferred_scheme("user")
        if user_scheme in sysconfig.get_scheme_names():
            yield sysconfig.get_path("scripts", user_scheme)


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # removed in this moment
        return False
