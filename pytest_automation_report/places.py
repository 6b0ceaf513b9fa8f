"""Where a session is kept when the project's folder cannot be written (floor 1, pure): one place after the other.

The root folder of a project may be read-only, in containers above all. Then results are kept in the user's folder for
the state of programs, else below the system's folder for temporary files.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.configuration import Configuration

_FOLDER: Final = "pytest-automation-report"
_NAME_CHARACTERS: Final = 40


def places_for(configuration: Configuration, environ: Mapping[str, str], user: int) -> Iterator[Configuration]:
    """Yield the configuration with each place that a session may be kept in, the one that was asked for first.

    The store moves along unless its place was given. ``user`` is the number of the user, for the temporary folder: it
    is the only place that others can write too, so its folder must be the user's own and closed to them (see
    `spool.private_folder`).
    """
    yield configuration
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if Path(state).is_absolute():
        yield _moved(configuration, Path(state) / _FOLDER)
    elif Path(home).is_absolute():
        yield _moved(configuration, Path(home) / ".local" / "state" / _FOLDER)
    yield _moved(configuration, temporary_folder(environ, user))


def temporary_folder(environ: Mapping[str, str], user: int) -> Path:
    """Return this user's folder below the one for temporary files."""
    given = environ.get("TMPDIR", "")
    return (Path(given) if Path(given).is_absolute() else Path("/tmp")) / f"{_FOLDER}-{user}"  # noqa: S108 - checked to be the user's own  # nosec B108


def _moved(configuration: Configuration, base: Path) -> Configuration:
    project = sha256(str(configuration.spool).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    folder = base / f"{configuration.source[:_NAME_CHARACTERS]}-{project}"
    moved = replace(configuration, spool=folder / "spool")
    if configuration.origins.keys() & {"database", "spool"}:
        return moved  # the store's own place may do, or was asked for
    database = folder / "store.sqlite3"
    embedded = configuration.endpoint.is_embedded
    endpoint = replace(configuration.endpoint, database=str(database)) if embedded else configuration.endpoint
    return replace(moved, database=database, endpoint=endpoint)
