"""The manifest of a session (``session.json``): its run, its destination, and the options for its results.

Pytest writes it before the first record; the sender and ``automation-report send`` read it. It never holds the token.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Field, NewRun
from pytest_automation_report.spool.records import FORMAT
from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json


# Pytest writes a deleted manifest again after the tests, which may have patched `json`: saved at import.
_encode: Final = json.JSONEncoder().encode


class SessionManifest(Value):
    """The run that one session reports, and its destination.

    Most members with a default were added later: manifests of earlier versions lack them.
    """

    id: str
    # Scheme, host and port of the server. Empty, or 0 for the project, if the settings had no usable one: then
    # ``automation-report send`` decides it.
    origin: str
    project_id: int
    # Path of the embedded store, empty for a remote server.
    database: str
    run: NewRun
    # Id of a run that exists already, None if the session creates its run.
    joined_run: int | None
    # The recording options, for the results that only the sender can create.
    rules: Json
    # Pytest's process, and its start time: ids are used again. "" where the system does not show start times.
    pid: int
    pid_birth: str = ""
    # This session completes the joined run. Others leave that to the one who created it.
    is_closing: bool = False
    # False if the times of the records do not come from a clock: `submit` makes them up from durations.
    is_measured: bool = True
    # The tag by which jobs find the run that they share, empty if the run is the session's alone.
    run_tag: str = ""
    # Whether this job creates the shared run, None if the CI provider does not number its jobs.
    is_first: bool | None = None
    # A sender was started with the session, and the manifest was written again after a test had deleted it.
    is_followed: bool = False
    is_remade: bool = False
    # Fields of each thread, to show whose it is in a run of several jobs.
    thread_fields: tuple[Field, ...] = ()
    # When the session's clock began, in microseconds since 1970, 0 if unknown.
    started_us: int = 0
    # Path of the HTML file for the report of the run, empty for none.
    report: str = ""

    @property
    def is_doubtful(self) -> bool:
        """Whether a sender may have sent any of the results, if no ledger shows which: that was deleted, too."""
        return self.is_followed and self.is_remade

    @property
    def has_destination(self) -> bool:
        """Whether server and project are known."""
        return bool(self.origin and self.project_id)

    @property
    def is_embedded(self) -> bool:
        """Whether the session's results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN


def manifest_bytes(session: SessionManifest) -> bytes:
    """Encode a manifest as the JSON that `manifest_from` reads."""
    document = {
        "format": FORMAT,
        "id": session.id,
        "origin": session.origin,
        "project_id": session.project_id,
        "database": session.database,
        "run": session.run.body(),
        "joined_run": session.joined_run,
        "rules": session.rules,
        "pid": session.pid,
        "pid_birth": session.pid_birth,
        "is_closing": session.is_closing,
        "is_measured": session.is_measured,
        "run_tag": session.run_tag,
        "is_first": session.is_first,
        "is_followed": session.is_followed,
        "is_remade": session.is_remade,
        "thread_fields": [field.body() for field in session.thread_fields],
        "started_us": session.started_us,
        "report": session.report,
    }
    return _encode(document).encode("ascii")


def manifest_from(document: dict[str, Any]) -> SessionManifest:
    """Return the manifest of a JSON document.

    Raises KeyError, TypeError, ValueError or AttributeError if the document is not a manifest.
    """
    joined_run = document["joined_run"]
    return SessionManifest(
        id=str(document["id"]),
        origin=str(document["origin"]),
        project_id=int(document["project_id"]),
        database=str(document["database"]),
        run=NewRun.from_body(document["run"]),
        joined_run=None if joined_run is None else int(joined_run),
        rules=dict(document["rules"]),
        pid=int(document["pid"]),
        pid_birth=str(document["pid_birth"]),
        is_closing=bool(document.get("is_closing", False)),
        is_measured=bool(document.get("is_measured", True)),
        run_tag=str(document.get("run_tag", "")),
        is_first=document.get("is_first"),
        is_followed=bool(document.get("is_followed", False)),
        is_remade=bool(document.get("is_remade", False)),
        thread_fields=tuple(Field.from_body(field) for field in document.get("thread_fields", ())),
        started_us=int(document.get("started_us", 0)),
        report=str(document.get("report", "")),
    )
