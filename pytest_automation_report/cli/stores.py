"""Find the embedded store that a command reads: who reads creates none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pytest_automation_report.cli.context import echo_stderr
from pytest_automation_report.settings.resolver import spool_candidates
from pytest_automation_report.summary.lines import relative_to_cwd

if TYPE_CHECKING:
    from pytest_automation_report.settings.settings import Settings

_STORE: Final = ".automation-report/store.sqlite3"
_BELOW: Final = ("[!.]*", "[!.]*/[!.]*")
"""Folders in which stores are looked for: those of a monorepo, none that is hidden."""

_MOST_SHOWN: Final = 5


class NoStoreError(click.UsageError):
    """There is no store where the command looked; the message says where it did, and names those that are near."""

    def __init__(self, place: Path) -> None:
        shown = relative_to_cwd(place, Path.cwd())
        remedy = stores_below() or "report a session here, or name the file of a store with --database"
        super().__init__(f"there is no store {shown}: {remedy}")


def store_to_read(configuration: Settings) -> Settings:
    """Return the configuration with the embedded store that this project's sessions fill, as it is for a server.

    That is the one in the user's folder where the project's own folder cannot be written. Raises `NoStoreError`.
    """
    place = configuration.database
    if not configuration.endpoint.is_embedded:
        return configuration
    if not configuration.origins.keys() & {"database", "spool"}:
        moved = _fallback(configuration)
        if moved is not None and not (place.exists() and os.access(place.parent, os.W_OK)):
            echo_stderr(f"the store of this project is {moved}, as its own folder could not be written")
            return configuration.with_store(moved)
    if not place.exists():
        raise NoStoreError(place)
    return configuration


def stores_below() -> str:
    """Return a remedy that names the stores in folders below the current one, "" if there is none."""
    here = Path.cwd()
    found = [path.relative_to(here) for pattern in _BELOW for path in sorted(here.glob(f"{pattern}/{_STORE}"))]
    return f"name one of these with --database: {', '.join(map(str, found[:_MOST_SHOWN]))}" if found else ""


def _fallback(configuration: Settings) -> Path | None:
    """Return the newest store of this project in the user's folder; each source has one of its own there."""
    _, *moved = spool_candidates(configuration.changed(source="*"), os.environ)
    stores = [
        path for each in moved for path in each.database.parents[1].glob(f"{each.database.parent.name}/*.sqlite3")
    ]
    return max(stores, key=lambda path: path.stat().st_mtime, default=None)
