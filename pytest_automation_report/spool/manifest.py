"""The manifest of a session (``session.json``): its run, its destination, and the options for its results.

Pytest writes it before the first record; the sender and ``automation-report send`` read it. It never holds the token.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import Final

from msgspec import Struct, field
from msgspec.json import Decoder

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Field, Int64, Json, NewRun
from pytest_automation_report.spool.records import FORMAT


class SessionManifest(Struct, frozen=True, omit_defaults=True, tag_field="format", tag=FORMAT):
    """The run that one session reports, and its destination."""

    id: str
    # Scheme, host and port of the server. Empty, or 0 for the project, if the settings had no usable one: then
    # ``automation-report send`` decides it.
    origin: str
    project_id: Int64
    # Path of the embedded store, empty for a remote server.
    database: str
    run: NewRun
    # Id of a run that exists already, None if the session creates its run.
    joined_run: Int64 | None
    # The recording options, for the results that only the sender can create.
    rules: Json
    # Pytest's process, and its start time: ids are used again. "" where the system does not show start times.
    pid: Int64
    pid_birth: str = ""
    # This session completes the joined run. Others leave that to the one who created it.
    is_closing: bool = False
    # False if the times of the records do not come from a clock: `submit` makes them up from durations.
    is_measured: bool = True
    # The tag by which jobs find the run that they share, empty if the run is the session's alone.
    run_tag: str = ""
    # Whether this job creates the shared run, None if the CI provider does not number its jobs.
    is_first: bool | None = None
    # A sender was started with the session: unlike one that is kept for later, the next session delivers it.
    is_followed: bool = False
    # Fields of each thread, to show whose it is in a run of several jobs.
    thread_fields: tuple[Field, ...] = ()
    # The job of each thread in such a run, as `api.models.JOB` describes it; empty for a separate run.
    job: Json = field(default_factory=dict)
    # Of an imported session with results of several hosts: which host's a worker's records are.
    hosts: Mapping[str, str] = field(default_factory=dict)
    # When the session's clock began, in microseconds since 1970, 0 if unknown.
    started_us: Int64 = 0
    # Path of the HTML file for the report of the run, empty for none.
    report: str = ""

    @property
    def has_destination(self) -> bool:
        """Whether server and project are known."""
        return bool(self.origin and self.project_id)

    @property
    def is_embedded(self) -> bool:
        """Whether the session's results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN


class ManifestFormat(Struct, frozen=True):
    """The part of a manifest that every version has."""

    format: Int64


FORMATS: Final = Decoder(ManifestFormat)
"""Decodes the format of a manifest."""

MANIFESTS: Final = Decoder(SessionManifest)
"""Decodes a manifest."""
