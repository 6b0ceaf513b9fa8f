"""``automation-report spool``: what sessions have left in the spool, and its removal."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import (
    Exit,
    configuration_of,
    echo_stderr,
    sanitized,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.help import CommandGroup
from pytest_automation_report.cli.output import age, is_person_reading, tell_table
from pytest_automation_report.errors import SettingError
from pytest_automation_report.spool.folder import session_folders
from pytest_automation_report.spool.removal import named, others_in
from pytest_automation_report.spool.sessions import (
    abandoned_alone,
    discard_session,
    read_spooled_session,
    remove_empty,
)
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.sessions import SpooledSession


_COLUMNS: Final = ("session", "state", "age", "results")


@click.group("spool", cls=CommandGroup)
def spool() -> None:
    """List or remove results that were not sent."""


@spool.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, one object a session in a list.")
@setting_options("spool")
@with_exit_codes
def list_sessions(*, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print a line for each session with its id, state, age, results and server."""
    spool = configuration_of(options)[0].spool
    found = [read_spooled_session(each, time.time()) for each in session_folders(spool)]
    if is_json:
        click.echo(json.dumps([{**asdict(each), "left": each.left} for each in found], indent=2))
        return Exit.DONE
    if is_person_reading():
        tell_table(_COLUMNS, [_row(each) for each in found])
    else:
        for each in found:
            click.echo(sanitized("  ".join(_row(each))))
    echo_stderr(pluralize(len(found), "session") if found else "the spool is empty")
    _show_others(spool)
    return Exit.DONE


@spool.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "is_all", is_flag=True, help="Remove all sessions that nobody works on.")
@setting_options("spool")
@with_exit_codes
def drop_sessions(ids: Sequence[str], *, is_all: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Remove sessions with results that were not sent.

    Exits with 3 if a sender or pytest works on one, or if a folder holds anything that no session made: that stays.
    """
    if bool(ids) == is_all:
        raise click.UsageError("name the ids of sessions (see 'automation-report spool list'), or write --all")
    spool = configuration_of(options)[0].spool
    folders = {each.id: each for each in session_folders(spool)}
    for each in ids:
        if each not in folders:
            raise SettingError("ID", each, "write an id of 'automation-report spool list'")
    found = _dropped([folders[each] for each in ids] if ids else list(folders.values()))
    if is_all:
        remove_empty(spool)
        _show_others(spool)
    return found


def _show_others(spool: Path) -> None:
    """Print the number and the first names of what no session made and what is therefore left alone."""
    try:
        others = others_in(spool)
    except FileNotFoundError:
        return
    for each in abandoned_alone(spool, now=time.time()):
        name, _, why = each.partition(": ")
        echo_stderr(f"{name}: left alone: {why}")
    if others:
        is_one = len(others) == 1
        what = f"{len(others)} other {'file or folder' if is_one else 'files and folders'} in {spool}"
        echo_stderr(f"{what} {'is' if is_one else 'are'} left alone: {named(others)}")


def _dropped(folders: Sequence[SessionFolder]) -> Exit:
    """Remove sessions, print the ids of those that are gone, tell why others are not."""
    gone = 0
    for each in folders:
        why = discard_session(each)
        if why:
            echo_stderr(f"{each.id}: kept: {why}")
            continue
        gone += 1
        click.echo(each.id)
    echo_stderr(f"{gone} of {len(folders)} sessions removed" if folders else "there is nothing to remove")
    return Exit.DONE if gone == len(folders) else Exit.KEPT


def _row(kept: SpooledSession) -> tuple[str, ...]:
    parts = [
        (kept.left, "to be sent"),
        (kept.acknowledged, "delivered"),
        (kept.rejected, "rejected"),
        (kept.held, "held"),
    ]
    results = ", ".join(f"{count} {what}" for count, what in parts if count) or kept.trouble or "no results"
    return kept.id, kept.state, age(kept.age_seconds), f"{results}{_where(kept)}"


def _where(kept: SpooledSession) -> str:
    if kept.trouble:
        return ""
    if kept.address and kept.project_id:
        return f" for {kept.address}, project {kept.project_id}"
    known = f" for {kept.address}" if kept.address else f" for project {kept.project_id}" if kept.project_id else ""
    missing = "project" if kept.address else "address" if kept.project_id else "address and project"
    return f"{known}, for the {missing} that is configured when it is sent"
