"""``automation-report send``: delivers what sessions left in the spool, with the sender's own code (floor 4)."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any

import click

from pytest_automation_report.cli.context import CONNECTION, Exit, configured, setting_options, told, with_exit_codes
from pytest_automation_report.connection import connected
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.sender.book import ledger_from
from pytest_automation_report.sender.files import remove_delivered
from pytest_automation_report.sender.handover import limits_from
from pytest_automation_report.sender.liveness import birth_of
from pytest_automation_report.sender.log import Log
from pytest_automation_report.sender.process import Sender
from pytest_automation_report.sender.world import World
from pytest_automation_report.spool import session_folders

if TYPE_CHECKING:
    from pytest_automation_report.configuration import Configuration
    from pytest_automation_report.model import Token
    from pytest_automation_report.sender.delivery import Delivery
    from pytest_automation_report.spool import Session, SessionFolder


@click.command()
@setting_options(*CONNECTION, "spool")
@with_exit_codes
def send(**options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Send what sessions left in the spool.

    What arrived before is not sent again. Sessions for another server or project than this one's are kept and told.

    Exits with 0 when nothing is left, 3 when something is kept or another sender holds it, 4 when the token is refused.
    """
    configuration, token = configured(options)
    folders = session_folders(configuration.spool)
    if not folders:
        told(f"nothing to send in {configuration.spool}")
        return Exit.DONE
    return max(_send(folder, configuration, token) for folder in folders)


def _send(folder: SessionFolder, configuration: Configuration, token: Token) -> Exit:
    try:
        session = folder.read_session()
        hindrance = _hindrance(folder, session, configuration)
        lock = None if hindrance else folder.locked()
    except (SpoolError, FileNotFoundError) as error:
        if not folder.path.exists():
            told(f"{folder.id}: another sender has sent it meanwhile")
            return Exit.DONE
        return _kept(folder, str(error))
    if hindrance:
        return _kept(folder, hindrance)
    if lock is None:
        return _kept(folder, "another sender is at work on it, for a minute at most when its pytest has ended")
    try:
        return _deliver(folder, session, configuration, token)
    finally:
        os.close(lock)


def _kept(folder: SessionFolder, why: str) -> Exit:
    told(f"{folder.id}: kept: {why}")
    return Exit.KEPT


def _hindrance(folder: SessionFolder, session: Session, configuration: Configuration) -> str:
    endpoint = configuration.endpoint
    if (session.origin, session.project_id) != (endpoint.origin, endpoint.project_id):
        if session.is_embedded:
            return f"it is for the embedded store: send it with --project-id {session.project_id} and no address set"
        there = f"{session.origin}, project {session.project_id}"
        return f"it is for {there}: name that with --url and --project-id to send it"
    if session.is_embedded and session.database != endpoint.database:
        return f"it is for the store {session.database}: name that with --database to send it"
    is_running = session.pid_birth != "" and birth_of(session.pid) == session.pid_birth
    if is_running and not folder.has_ended:
        return f"its pytest (process {session.pid}) is still running"
    return ""


def _deliver(folder: SessionFolder, session: Session, configuration: Configuration, token: Token) -> Exit:
    before = {worker: each.acknowledged.count for worker, each in ledger_from(folder.ledger).accounts.items()}
    world = World(clock=time.monotonic, random=random.random, log=Log(folder.log).write)
    limits = limits_from(os.environ)
    with connected(configuration.endpoint, token, deadline_seconds=limits.request) as client:
        delivery = Sender(folder, session, limits, client, world).run()
    sent = sum(each.acknowledged.count for each in delivery.state.accounts.values()) - sum(before.values())
    return _told(folder, delivery, sent)


def _told(folder: SessionFolder, delivery: Delivery, sent: int) -> Exit:
    state = delivery.state
    run = "" if state.run is None else f" to run {state.run}"
    if state.done.get("torn"):
        told(f"{folder.id}: {state.done['torn']} of its files end in the middle of a record: its process was killed")
    if delivery.is_finished and not delivery.has_kept:
        told(f"{folder.id}: {_results(sent)} sent{run}, nothing is left")
        remove_delivered(folder)
        return Exit.DONE
    kept = [
        (delivery.left, "to be sent"),
        (sum(each.rejected.count for each in state.accounts.values()), "rejected by the server"),
        (sum(each.held.count for each in state.accounts.values()), "held: nobody can tell whether they arrived"),
        (int(state.done.get("damaged", 0)), "damaged records that cannot be read"),
    ]
    parts = ", ".join(f"{count} {what}" for count, what in kept if count) or "the run is not completed"
    why = delivery.stopped or state.trouble or "; ".join(state.reasons[:3])
    told(f"{folder.id}: {_results(sent)} sent{run}; kept in {folder.path}: {parts}{f' ({why})' if why else ''}")
    return Exit.TOKEN if state.trouble_class == "token" else Exit.KEPT


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"
