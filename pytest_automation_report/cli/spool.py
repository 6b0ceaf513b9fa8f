"""``automation-report spool``: list the sessions in the spool, and remove them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import to_builtins

from pytest_automation_report.cli.context import Exit, configuration_of, echo_stderr, setting_options, with_exit_codes
from pytest_automation_report.cli.output import age, echo_table, is_person_reading
from pytest_automation_report.errors import SettingError
from pytest_automation_report.spool.cleaning import (
    discard_session,
    named,
    others_in,
    read_spooled_session,
    remove_abandoned,
    remove_empty,
)
from pytest_automation_report.spool.folder import session_folders
from pytest_automation_report.text.limits import STRING_UNITS
from pytest_automation_report.text.terminal import quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_automation_report.spool.cleaning import SpooledSession
    from pytest_automation_report.spool.folder import SessionFolder


_COLUMNS: Final = ("session", "state", "age", "results")


@click.group("spool")
def spool() -> None:
    """List or remove results that were not sent."""


@spool.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, one object a session in a list.")
@setting_options("spool")
@with_exit_codes
def list_sessions(*, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print a line for each session with its id, state, age, results and server, and the other files in the spool."""
    spool = configuration_of(options)[0].spool
    sessions = [read_spooled_session(folder, time.time()) for folder in session_folders(spool)]
    if is_json:
        click.echo(json.dumps([{**to_builtins(session), "left": session.left} for session in sessions], indent=2))
        return Exit.DONE
    if is_person_reading():
        echo_table(_COLUMNS, [_row(session) for session in sessions])
    else:
        for session in sessions:
            click.echo(sanitize("  ".join(_row(session)), STRING_UNITS))
    echo_stderr(quantity(len(sessions), "session") if sessions else "the spool is empty")
    _show_others(spool)
    return Exit.DONE


@spool.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "is_all", is_flag=True, help="Remove all sessions that no pytest and no sender works on.")
@setting_options("spool")
@with_exit_codes
def drop_sessions(ids: Sequence[str], *, is_all: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
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
    code = _drop([folders[session_id] for session_id in ids] if ids else list(folders.values()))
    if is_all:
        remove_empty(spool)
        _show_others(spool)
    return code


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


def _drop(folders: Sequence[SessionFolder]) -> Exit:
    """Remove sessions; print the ids of those that are removed, and why the others are kept."""
    removed = 0
    for folder in folders:
        reason = discard_session(folder)
        if reason:
            echo_stderr(f"{folder.id}: kept: {reason}")
            continue
        removed += 1
        click.echo(folder.id)
    told = f"{removed} of {quantity(len(folders), 'session')} removed"
    echo_stderr(told if folders else "there is nothing to remove")
    return Exit.DONE if removed == len(folders) else Exit.KEPT


def _row(session: SpooledSession) -> tuple[str, ...]:
    parts = [
        (session.left, "to be sent"),
        (session.acknowledged, "delivered"),
        (session.rejected, "rejected"),
        (session.held, "held"),
    ]
    results = ", ".join(f"{count:,} {state}" for count, state in parts if count) or session.trouble or "no results"
    return session.id, session.state, age(session.age_seconds), f"{results}{_destination(session)}"


def _destination(session: SpooledSession) -> str:
    if session.trouble:
        return ""
    if session.address and session.project_id:
        return f" for {session.address}, project {session.project_id}"
    known, missing = "", "address and project"
    if session.address:
        known, missing = f" for {session.address}", "project"
    elif session.project_id:
        known, missing = f" for project {session.project_id}", "address"
    return f"{known}, for the {missing} that is configured when it is sent"
