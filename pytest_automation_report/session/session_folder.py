"""Create a session's folder in the spool: in the project's, or in the user's if that cannot be written.

The root folder of a project may be read-only, in containers above all. Then results are stored in the user's folder for
the state of programs.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import Field, NewRun
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SESSION_ID_FIELD, SessionFolder, new_session_folder
from pytest_automation_report.spool.liveness import process_start_time
from pytest_automation_report.spool.manifest import SessionManifest
from pytest_automation_report.unpatched import Unpatched
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.settings.run import RunSharing

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


def create_session_folder(
    configuration: Configuration,
    run: NewRun,
    options: RecordingOptions,
    sharing: RunSharing,
    environ: Mapping[str, str],
    *,
    name: str,
    is_followed: bool,
) -> tuple[Configuration, SessionFolder, SessionManifest]:
    """Create the session's folder in the first candidate that can be written; return that candidate's configuration.

    ``is_followed`` is whether a sender is started with the session. Raises `SpoolError` if no candidate can be written.
    """
    reasons: list[str] = []
    for candidate in spool_candidates(configuration, environ):
        try:
            return candidate, *_written(candidate, run, options, sharing, name=name, is_followed=is_followed)
        except SpoolError as error:  # noqa: PERF203 - two candidates at most
            reasons.append(str(error))
    raise SpoolError("; ".join(reasons))


def _written(
    candidate: Configuration,
    run: NewRun,
    options: RecordingOptions,
    sharing: RunSharing,
    *,
    name: str,
    is_followed: bool,
) -> tuple[SessionFolder, SessionManifest]:
    """Write the session's manifest into a new folder; raises `SpoolError` if that is impossible."""
    # Hidden until the manifest is written: a sender of another session must not find half of it.
    folder = new_session_folder(candidate.spool, name, is_hidden=True)
    # Its id is a field of the run it creates, so that the sender recognises the run after an unknown response. A run
    # that jobs share is recognised by its tag.
    own_fields = () if sharing.tag else (Field(SESSION_ID_FIELD, folder.id),)
    manifest = SessionManifest(
        id=folder.id,
        origin=candidate.endpoint.origin,
        project_id=candidate.endpoint.project_id,
        database=candidate.endpoint.database,
        run=replace(run, resources=replace(run.resources, fields=(*own_fields, *run.resources.fields))),
        joined_run=candidate.run_id,
        rules=options.for_sender().body(),
        pid=os.getpid(),
        pid_birth=process_start_time(os.getpid()),
        run_tag=sharing.tag,
        is_first=sharing.is_first,
        is_followed=is_followed,
        thread_fields=sharing.thread_fields(folder.id),
        job=sharing.thread_job(folder.id),
        started_us=int(Unpatched.wall() * 1_000_000),
        report=candidate.html,
    )
    try:
        folder.write_session(manifest)
        return folder.publish(), manifest
    except OSError as error:
        folder.remove()
        raise SpoolError(f"{folder.path} cannot be written: {error.strerror or error}") from error
