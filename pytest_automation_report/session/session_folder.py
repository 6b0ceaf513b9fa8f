"""Create a session's folder in the spool: in the project's, or in the user's if that cannot be written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import to_builtins

from pytest_automation_report.api.models import Field, NewRun
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.settings.resolver import spool_candidates
from pytest_automation_report.spool.folder import SESSION_ID_FIELD, SessionFolder, new_session_folder
from pytest_automation_report.spool.liveness import process_start_time
from pytest_automation_report.spool.manifest import SessionManifest
from pytest_automation_report.unpatched import Unpatched
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.settings.settings import Settings


def create_session_folder(
    configuration: Settings,
    run: NewRun,
    options: RecordingOptions,
    sharing: RunSharing,
    environ: Mapping[str, str],
    *,
    name: str,
    is_followed: bool,
) -> tuple[Settings, SessionFolder, SessionManifest]:
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
    candidate: Settings,
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
        run=replace(run, fields=(*own_fields, *run.fields)),
        joined_run=candidate.run_id,
        rules=to_builtins(options.for_sender()),
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
