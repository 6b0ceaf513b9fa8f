"""``automation-report spool``: list the sessions in the spool, and remove them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from msgspec import Struct, to_builtins

from pytest_automation_report.cli.context import (
    CommandGroup,
    Exit,
    configuration_of,
    echo_stderr,
    echo_table,
    is_person_reading,
    setting_options,
)
from pytest_automation_report.errors import SettingError, SpoolError
from pytest_automation_report.findings.sentences import ago
from pytest_automation_report.spool.folder import named
from pytest_automation_report.spool.records import FinishRecord
from pytest_automation_report.spool.sessions import (
    SpoolReader,
    State,
    age_of,
    discard_session,
    files_of,
    ledger_from,
    others_in,
    remove_abandoned,
    remove_empty,
    session_folders,
    state_of,
)
from pytest_automation_report.text.limits import STRING_UNITS, quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder


class SpooledSession(Struct, frozen=True):
    """One session in the spool, as ``spool list`` shows it; its JSON has the same names.

    ``age_seconds`` is the time since the last write, ``address`` the server's origin or the embedded store's path,
    ``error`` the reason why the session cannot be read. The counts are of results; those ``left`` remain to be sent,
    without tests that never finished.
    """

    id: str
    state: State
    age_seconds: float
    size_bytes: int
    results: int = 0
    acknowledged: int = 0
    rejected: int = 0
    held: int = 0
    name: str = ""
    address: str = ""
    project_id: int = 0
    error: str = ""
    left: int = 0


def read_spooled_session(folder: SessionFolder, now: float) -> SpooledSession:
    """Return one session with its counts; reads all its records, in pieces."""
    try:
        state, size = state_of(folder), sum(file.stat().st_size for file in files_of(folder))
        age = age_of(folder, now)
    except PermissionError as error:
        age = max(0.0, now - folder.path.stat().st_mtime)
        return SpooledSession(folder.id, "unreadable", age, 0, error=f"{folder.path}: {error.strerror}")
    try:
        session = folder.read_session()
        ledger = ledger_from(folder.ledger)
    except SpoolError as error:
        return SpooledSession(folder.id, state, age, size, error=str(error))
    records = (placed.record for _, added in SpoolReader(folder).added() for placed in added)
    results = sum(isinstance(record, FinishRecord) and record.is_final for record in records)
    acknowledged, rejected, held = (ledger.total(name) for name in ("acknowledged", "rejected", "held"))
    return SpooledSession(
        id=folder.id,
        state=state,
        age_seconds=age,
        size_bytes=size,
        results=results,
        acknowledged=acknowledged,
        rejected=rejected,
        held=held,
        left=max(0, results - acknowledged - rejected - held),
        name=session.run.name,
        address=session.database if session.is_embedded else session.origin,
        project_id=session.project_id,
    )


@click.group("spool", cls=CommandGroup)
def spool() -> None:
    """List or remove results that were not sent."""


@spool.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, one object a session in a list.")
@setting_options("spool")
def list_sessions(*, is_json: bool, **options: object) -> int:
    """Print a line for each session with its id, state, age, results and server, and the other files in the spool."""
    spool = configuration_of(options)[0].spool
    sessions = []
    for folder in session_folders(spool):
        with suppress(FileNotFoundError):  # its sender has sent it meanwhile
            sessions.append(read_spooled_session(folder, time.time()))
    if is_json:
        click.echo(json.dumps(to_builtins(sessions), indent=2))
        return Exit.DONE
    rows = [_row(session) for session in sessions]
    if is_person_reading():
        echo_table(("session", "state", "written", "results"), rows)
    else:
        for row in rows:
            click.echo(sanitize("  ".join(row), STRING_UNITS))
    echo_stderr(quantity(len(sessions), "session") if sessions else "the spool is empty")
    _show_others(spool)
    return Exit.DONE


@spool.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "is_all", is_flag=True, help="Remove all sessions that no pytest and no sender works on.")
@setting_options("spool")
def drop_sessions(ids: Sequence[str], *, is_all: bool, **options: object) -> int:
    """Remove sessions with results that were not sent.

    Exits with 3 if pytest or a sender works on one of them, or if its folder has files that no session created. Both
    are kept.
    """
    if bool(ids) == is_all:
        raise click.UsageError("name the ids of sessions (see 'automation-report spool list'), or write --all")
    spool = configuration_of(options)[0].spool
    folders = {folder.id: folder for folder in session_folders(spool)}
    for session_id in ids:
        if session_id not in folders:
            raise SettingError("ID", session_id, "write an id of 'automation-report spool list'")
    chosen = [folders[session_id] for session_id in ids or folders]
    kept = 0
    for folder in chosen:
        if reason := discard_session(folder):
            kept += 1
            echo_stderr(f"{folder.id}: kept: {reason}")
        else:
            click.echo(folder.id)
    removed = f"{len(chosen) - kept} of {quantity(len(chosen), 'session')} removed"
    echo_stderr(removed if chosen else "there is nothing to remove")
    if is_all:
        remove_empty(spool)
        _show_others(spool)
    return Exit.KEPT if kept else Exit.DONE


def _show_others(spool: Path) -> None:
    """Print the number and the first names of other files in the spool, which no command removes."""
    try:
        others = others_in(spool)
    except FileNotFoundError:
        return
    for line in remove_abandoned(spool, now=time.time(), is_dry=True):
        name, _, reason = line.partition(": ")
        echo_stderr(f"{name}: left alone: {reason}")
    if others:
        is_one = len(others) == 1
        what = f"{len(others)} other {'file or folder' if is_one else 'files and folders'} in {spool}"
        echo_stderr(f"{what} {'is' if is_one else 'are'} left alone: {named(others)}")


def _row(session: SpooledSession) -> tuple[str, ...]:
    parts = [
        (session.left, "to be sent"),
        (session.acknowledged, "delivered"),
        (session.rejected, "rejected"),
        (session.held, "held"),
    ]
    results = ", ".join(f"{count:,} {state}" for count, state in parts if count) or session.error or "no results"
    written = ago(int(session.age_seconds * 1_000_000))
    return session.id, session.state, written, f"{results}{_destination(session)}"


def _destination(session: SpooledSession) -> str:
    if session.error:
        return ""
    parts = {"address": session.address, "project": f"project {session.project_id}" if session.project_id else ""}
    known = ", ".join(filter(None, parts.values()))
    missing = " and ".join(name for name, text in parts.items() if not text)
    to = f" for {known}" if known else ""
    return f"{to}, for the {missing} that is configured when it is sent" if missing else to
