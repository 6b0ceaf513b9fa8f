"""What one session reports, and where to: written once, read by whoever sends it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Field, NewRun
from pytest_automation_report.spool.records import FORMAT

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json


# A session is made again when tests have run, which patch `json`: taken once, as in `records`.
_encode: Final = json.JSONEncoder().encode


@dataclass(frozen=True, slots=True)
class SessionManifest:
    """What one session reports, and where to; written once, read by the sender and by ``automation-report send``.

    ``origin`` is empty, or ``project_id`` 0, if nobody said a usable one: who sends the session decides it then.
    ``rules`` are the recorder's, for results that only the sender can make. ``database`` is the embedded store's file,
    empty for a remote server. ``joined_run`` is the id of a run that exists already, or ``None``; ``is_closing`` tells
    that this session completes it all the same. ``run_tag`` is the tag by which jobs find a run that they share, empty
    for a run of the session's own; ``is_first`` whether this job creates it, ``None`` when nobody tells.
    ``thread_fields`` tell whose the threads in a run of others are. ``is_measured`` tells that the records' moments are
    those of a clock, not made up; ``is_followed`` that a sender was started with the session, ``is_remade`` that this
    was written again after a test had deleted it. ``pid_birth`` tells pytest's process from a later one of the same id,
    where the system can.
    """

    id: str
    origin: str
    project_id: int
    database: str
    run: NewRun
    joined_run: int | None
    rules: Json
    pid: int
    pid_birth: str = ""
    is_closing: bool = False
    is_measured: bool = True
    run_tag: str = ""
    is_first: bool | None = None
    is_followed: bool = False
    is_remade: bool = False
    thread_fields: tuple[Field, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """Whether a sender may have sent what is here, unless its ledger, which was deleted too, is here and says."""
        return self.is_followed and self.is_remade

    @property
    def has_destination(self) -> bool:
        """Whether address and project are known: not if the settings for them were wrong or missing."""
        return bool(self.origin and self.project_id)

    @property
    def is_embedded(self) -> bool:
        """Whether the session's results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN


def manifest_bytes(session: SessionManifest) -> bytes:
    """Return the session as the bytes of JSON that `manifest_from` reads."""
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
        "thread_fields": [each.body() for each in session.thread_fields],
    }
    return _encode(document).encode("ascii")


def manifest_from(document: dict[str, Any]) -> SessionManifest:
    """Return the session of a document; raises KeyError, TypeError, ValueError or AttributeError for what is none."""
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
        thread_fields=tuple(Field.from_body(each) for each in document.get("thread_fields", ())),
    )
