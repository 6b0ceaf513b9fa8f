"""Decide where spool and store of a project are: in its folder, or in the user's if that cannot be written.

The root folder of a project may be read-only, in containers above all. Then results are stored in the user's folder for
the state of programs.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.settings.configuration import Configuration

_FOLDER: Final = "pytest-automation-report"
_NAME_CHARACTERS: Final = 40


def spool_candidates(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Configuration]:
    """Yield the configuration as it is, then with spool and store in the user's folder for the state of programs.

    The store stays if the user set its candidate. Without an absolute home there is no second candidate.
    """
    yield configuration
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if Path(state).is_absolute():
        yield _moved(configuration, Path(state) / _FOLDER)
    elif Path(home).is_absolute():
        yield _moved(configuration, Path(home) / ".local" / "state" / _FOLDER)


def _moved(configuration: Configuration, base: Path) -> Configuration:
    # Projects with one source share the user's folder: the hash of the project's path keeps them apart.
    project = sha256(str(configuration.spool).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    folder = base / f"{configuration.source[:_NAME_CHARACTERS]}-{project}"
    moved = replace(configuration, spool=folder / "spool")
    if configuration.origins.keys() & {"database", "spool"}:
        # The user chose a place for one of them, so the store stays where it is.
        return moved
    database = folder / "store.sqlite3"
    endpoint = configuration.endpoint
    if endpoint.is_embedded:
        endpoint = replace(endpoint, database=str(database))
    return replace(moved, database=database, endpoint=endpoint)
