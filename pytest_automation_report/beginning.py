"""What a session begins with (floor 3): its configuration, its rules, its folder in the spool."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_automation_report.configuration import configuration_from, project_name, read_given
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.model import Field, NewRun
from pytest_automation_report.places import places_for, temporary_folder
from pytest_automation_report.rules import Rules
from pytest_automation_report.sender.liveness import birth_of
from pytest_automation_report.session import Session
from pytest_automation_report.spool import SESSION_ID_FIELD, SessionFolder, new_session_folder, private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from pytest_automation_report.configuration import Configuration
    from pytest_automation_report.sharing import Sharing


def session_configuration(config: pytest.Config, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration of a pytest session; raises `SettingError` for what the user typed wrong."""
    return configuration_from(
        read_given(config, environ),
        environ=environ,
        root=config.rootpath,
        project_name=project_name(config.rootpath),
        local_time=datetime.now().astimezone(),
    )


def rules_from(
    configuration: Configuration, junit_prefix: str, secrets: tuple[str, ...], *, artifact_url: str = ""
) -> Rules:
    """Return how results are made; ``junit_prefix`` stands before folders where no other prefix is given.

    ``artifact_url`` is the template of the addresses of files that stay where they are.
    """
    return Rules(
        prefix=configuration.folder_prefix or junit_prefix,
        output=configuration.output,
        statuses=configuration.statuses,
        redact=configuration.redact,
        markers=configuration.markers,
        link_templates=configuration.link_templates,
        output_annotations=configuration.output_annotations,
        redact_builtin=configuration.redact_builtin,
        report_not_run=configuration.report_not_run,
        artifact_url=artifact_url,
        artifact_size=configuration.artifact_size,
        artifact_total=configuration.artifact_total,
        browser_artifacts=configuration.browser_artifacts,
        secrets=secrets,
    )


def spooled(
    configuration: Configuration,
    run: NewRun,
    rules: Rules,
    sharing: Sharing,
    environ: Mapping[str, str],
    *,
    is_followed: bool,
) -> tuple[Configuration, SessionFolder, Session]:
    """Return the session's folder in the first place that can be written, with what was written there.

    ``is_followed`` tells that a sender is to be started with it. The configuration that is returned names that place.
    Raises `SpoolError` when there is none.
    """
    temporary = temporary_folder(environ, os.getuid())
    refused: list[str] = []
    for place in places_for(configuration, environ, os.getuid()):
        written = functools.partial(_written, place, run, rules, sharing, is_followed=is_followed)
        found = _tried(place, written, temporary, refused)
        if found is not None:
            return place, *found
    raise SpoolError("; ".join(refused))


def _tried(
    place: Configuration,
    written: Callable[[], tuple[SessionFolder, Session]],
    temporary: Path,
    refused: list[str],
) -> tuple[SessionFolder, Session] | None:
    """Return what was written in a place, None when that cannot be done, and add the reason."""
    try:
        if place.spool.is_relative_to(temporary):
            private_folder(temporary)
        return written()
    except SpoolError as error:
        refused.append(str(error))
        return None


def _written(
    place: Configuration, run: NewRun, rules: Rules, sharing: Sharing, *, is_followed: bool
) -> tuple[SessionFolder, Session]:
    """Write the session into a new folder; its id is among the fields of its own run, so that it can be found again."""
    folder = new_session_folder(place.spool, time.strftime("%Y%m%dT%H%M%S", time.gmtime()), is_hidden=True)
    own = () if sharing.tag else (Field(SESSION_ID_FIELD, folder.id),)
    session = Session(
        id=folder.id,
        origin=place.endpoint.origin,
        project_id=place.endpoint.project_id,
        database=place.endpoint.database,
        run=replace(run, resources=replace(run.resources, fields=(*own, *run.resources.fields))),
        joined_run=place.run_id,
        rules=rules.for_sender().to_json(),
        pid=os.getpid(),
        pid_birth=birth_of(os.getpid()),
        run_tag=sharing.tag,
        is_first=sharing.is_first,
        is_followed=is_followed,
        thread_fields=sharing.thread_fields(folder.id),
    )
    try:
        folder.write_session(session)
        return folder.shown(), session
    except OSError as error:
        folder.remove()
        raise SpoolError(f"{folder.path} cannot be written: {error.strerror or error}") from error
