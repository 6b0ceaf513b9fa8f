"""Where a session is kept when the project's folder cannot be written.

The root folder of a project may be read-only, in containers above all. Then results are kept in the user's folder for
the state of programs.

What a session begins with: its configuration, its rules, its folder in the spool.

What a session runs on: Python, pytest, its plugins and the system, as fields of the run.

The run that a session creates: what the settings say, where it is made, what hooks add.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_automation_report.api.models import Field, NewRun, Resources
from pytest_automation_report.ci.discovery import facts_for
from pytest_automation_report.ci.facts import BuildInfo
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.fields import clean_field
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.session.run_hook_calls import described_run
from pytest_automation_report.settings.configuration import configuration_from, project_name, read_pytest_settings
from pytest_automation_report.settings.run import common_facts, configured_run, sharing_of
from pytest_automation_report.spool.folder import SESSION_ID_FIELD, SessionFolder, new_session_folder
from pytest_automation_report.spool.liveness import process_start_time
from pytest_automation_report.spool.manifest import SessionManifest
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.annotations.hook_values import ArtifactFile
    from pytest_automation_report.annotations.user_hooks import UserErrors
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.settings.run import RunSharing

_FOLDER: Final = "pytest-automation-report"
_NAME_CHARACTERS: Final = 40


def spool_candidates(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Configuration]:
    """Yield the configuration as it is, then with spool and store in the user's folder for the state of programs.

    The store stays if the user set its place. Without an absolute home there is no second candidate.
    """
    yield configuration
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if Path(state).is_absolute():
        yield _moved(configuration, Path(state) / _FOLDER)
    elif Path(home).is_absolute():
        yield _moved(configuration, Path(home) / ".local" / "state" / _FOLDER)


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


def session_configuration(config: pytest.Config, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration of a pytest session; raises `SettingError` for what the user typed wrong."""
    return configuration_from(
        read_pytest_settings(config, environ),
        environ=environ,
        root=config.rootpath,
        project_name=project_name(config.rootpath),
        local_time=datetime.now().astimezone(),
    )


def create_session_folder(
    configuration: Configuration,
    run: NewRun,
    rules: RecordingOptions,
    sharing: RunSharing,
    environ: Mapping[str, str],
    *,
    is_followed: bool,
) -> tuple[Configuration, SessionFolder, SessionManifest]:
    """Create the session's folder in the first candidate that can be written; return that candidate's configuration.

    ``is_followed`` is whether a sender is started with the session. Raises `SpoolError` if no candidate can be written.
    """
    reasons: list[str] = []
    for candidate in spool_candidates(configuration, environ):
        try:
            return candidate, *_written(candidate, run, rules, sharing, is_followed=is_followed)
        except SpoolError as error:  # noqa: PERF203 - two candidates at most
            reasons.append(str(error))
    raise SpoolError("; ".join(reasons))


def _written(
    place: Configuration, run: NewRun, rules: RecordingOptions, sharing: RunSharing, *, is_followed: bool
) -> tuple[SessionFolder, SessionManifest]:
    """Write the session into a new folder; its id is among the fields of its own run, so that it can be found again."""
    folder = new_session_folder(place.spool, time.strftime("%Y%m%dT%H%M%S", time.gmtime()), is_hidden=True)
    own = () if sharing.tag else (Field(SESSION_ID_FIELD, folder.id),)
    session = SessionManifest(
        id=folder.id,
        origin=place.endpoint.origin,
        project_id=place.endpoint.project_id,
        database=place.endpoint.database,
        run=replace(run, resources=replace(run.resources, fields=(*own, *run.resources.fields))),
        joined_run=place.run_id,
        rules=rules.for_sender().to_json(),
        pid=os.getpid(),
        pid_birth=process_start_time(os.getpid()),
        run_tag=sharing.tag,
        is_first=sharing.is_first,
        is_followed=is_followed,
        thread_fields=sharing.thread_fields(folder.id),
    )
    try:
        folder.write_session(session)
        return folder.publish(), session
    except OSError as error:
        folder.remove()
        raise SpoolError(f"{folder.path} cannot be written: {error.strerror or error}") from error


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


def session_run(
    config: pytest.Config, configuration: Configuration, rules: RecordingOptions, troubles: UserErrors
) -> tuple[NewRun, tuple[ArtifactFile, ...], RunSharing]:
    """Return the run to create for a session, the files that hooks add to it, and how jobs share it.

    One that is joined tells of itself, one that jobs share tells what they have in common.
    """
    facts = facts_for(configuration.build_info, configuration.facts, os.environ, config.rootpath)
    sharing = sharing_of(configuration, facts)
    if configuration.run_id is not None:
        return _new_run(configuration, rules, facts=BuildInfo(), software=()), (), sharing
    if sharing.tag:
        run = _new_run(configuration, rules, facts=common_facts(facts), software=())
        run = sharing.run(run, has_name="name" in configuration.origins)
    else:
        software = software_fields(config) if configuration.facts != "none" else ()
        run = _new_run(configuration, rules, facts=facts, software=software)
    return *described_run(config, run, rules, troubles), sharing


def _new_run(
    configuration: Configuration, rules: RecordingOptions, *, facts: BuildInfo, software: tuple[Field, ...]
) -> NewRun:
    """Return the run, without secrets in its texts."""
    run = configured_run(configuration, facts, own=software)
    cleaner = cleaner_for(rules)
    return replace(
        run,
        resources=Resources(
            fields=tuple(clean_field(field, cleaner) for field in run.resources.fields),
            links=tuple(replace(each, url=cleaner.address(each.url)) for each in run.resources.links),
        ),
    )
