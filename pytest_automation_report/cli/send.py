"""``automation-report send`` and ``spool``: deliver, list and remove the results that sessions left in the spool."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from pytest_automation_report.cli.context import (
    CONNECTION,
    Command,
    CommandGroup,
    Exit,
    command_settings,
    echo_result,
    echo_stderr,
    echo_table,
    is_person_reading,
    needed,
    setting_options,
)
from pytest_automation_report.cli.queries import echo_link
from pytest_automation_report.delivery.launch import Runtime
from pytest_automation_report.delivery.report import refusal_of_kept
from pytest_automation_report.delivery.requests import DeliveryOptions
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.errors import SettingError, SpoolError
from pytest_automation_report.findings.sentences import time_ago
from pytest_automation_report.settings.console import project_ini
from pytest_automation_report.settings.run import timeouts_from
from pytest_automation_report.settings.servers import artifact_store
from pytest_automation_report.settings.settings import LOCAL_URL, find_setting
from pytest_automation_report.spool.folder import name_some, remove_session
from pytest_automation_report.spool.log import Log
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import FinishRecord
from pytest_automation_report.spool.sessions import (
    SessionState,
    check_owner,
    discard_session,
    ledger_from,
    locked,
    others_in,
    remove_abandoned,
    session_age,
    session_files,
    session_folders,
    session_state,
)
from pytest_automation_report.summary.lines import counts_by_status, delivery_lines, report_line
from pytest_automation_report.text.limits import STRING_UNITS, printable, quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Endpoint, Token
    from pytest_automation_report.delivery.dispatcher import Delivery
    from pytest_automation_report.delivery.requests import Unknown
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.folder import Lock, SessionFolder, SessionManifest
    from pytest_automation_report.spool.ledger import LedgerState

_DEFAULTS: Final = DeliveryOptions()
_TRUST: Final = "if you trust that server (anybody who can write to a spool can write any address into it)"


@click.command(cls=Command)
@click.option(
    "--unknown", type=click.Choice(["hold", "send", "drop"]), default="hold", show_default=True,
    help="Results whose delivery is unconfirmed: keep them, send them (perhaps again), or remove them.",
)  # fmt: skip
@click.option("--new-run", is_flag=True, help="Send the rest to a new run, if the earlier one is gone or completed.")
@setting_options(*CONNECTION, "spool", "artifact_store", "artifact_url")
def send(*, unknown: Unknown, new_run: bool, **options: object) -> int:
    """Send the results that the spool holds, each of them once.

    Sessions for another server or project stay in the spool and are named. An empty spool needs no token.

    Exit codes: 0 nothing is left, 2 the folder of --spool is not there, 3 something stays in the spool, 4 the token is
    missing or refused.
    """
    settings, found_token = command_settings({**options, "html": None}, raises_errors=True)
    folders = sorted(session_folders(settings.spool), key=_turn)
    remove_abandoned(settings.spool, now=time.time())
    if settings.origins.get("spool") == "--spool" and not settings.spool.is_dir():
        hint = "name the one that a session's summary shows, or leave out --spool"
        raise click.UsageError(f"--spool: {settings.spool}: there is no such folder: {hint}")
    if not folders:
        echo_stderr(f"nothing to send in {settings.spool}")
        return Exit.DONE
    kept = f"{quantity(len(folders), 'session')} {'is' if len(folders) == 1 else 'are'} kept in {settings.spool}"
    token = needed(found_token, settings, kept=kept)
    delivery_options = DeliveryOptions(unknown, is_in_new_run=new_run)
    exits: set[Exit] = set()
    with sending_to(settings, token) as client:
        for folder in folders:
            # A completed run takes no results, so one is completed only once all other sessions are delivered.
            if _turn(folder)[0] and exits - {Exit.DONE}:
                exits.add(_kept(folder, "it completes a run, once all else is sent"))
            else:
                exits.add(_send(folder, settings, client, delivery_options))
    return Exit.TOKEN if Exit.TOKEN in exits else Exit.KEPT if exits - {Exit.DONE} else Exit.DONE


def _turn(folder: SessionFolder) -> tuple[bool, int]:
    """Return when a session is sent: in the order in which they began, one that completes a run of others last."""
    try:
        session = folder.read_session()
    except SpoolError:
        return False, 0
    return session.is_closing, session.started_us


def sending_to(settings: Settings, token: Token) -> AbstractContextManager[Client]:
    """Return a client by which sessions are sent, for a ``with`` statement."""
    return connected(settings.endpoint, token, deadline_seconds=timeouts_from(os.environ).request)


def _send(folder: SessionFolder, settings: Settings, client: Client, options: DeliveryOptions = _DEFAULTS) -> Exit:
    lock = None
    try:
        error = unsendable(folder, settings)
        lock = None if error else _lock(folder)
    except (SpoolError, FileNotFoundError) as failure:
        error = str(failure)
    if error and not folder.path.exists():
        echo_stderr(f"{folder.id}: another sender has sent it already")
        return Exit.DONE
    if error:
        return _kept(folder, error)
    if lock is None:
        return _kept(folder, f"another sender (process {ledger_from(folder.ledger).sender_pid}) is at work on it")
    try:
        # Again, and with the lock: another sender may have chosen the destination since.
        session = folder.read_session()
        unreached = "the server cannot be reached" if client.ends_at <= time.monotonic() else ""
        if error := _blocking_error(folder, session, settings) or unreached:
            return _kept(folder, error)
        if not session.has_destination:  # it is stored before anything is sent there
            to = settings.endpoint
            session = replace(session, origin=to.origin, project_id=to.project_id, database=to.database)
            folder.bind(session)
        return delivered(folder, session, settings, client, options)
    except SpoolError as failure:
        return _kept(folder, str(failure))
    finally:
        lock.close()


def left_by(run: int, settings: Settings, token: Token) -> Exit:
    """Send the results that the sessions of a run left in the spool, once their own senders have ended."""
    worst = Exit.DONE
    with sending_to(settings, token) as client:
        for folder in session_folders(settings.spool):
            try:
                session = folder.read_session()
            except SpoolError as error:
                if folder.path.exists():
                    worst = max(worst, _kept(folder, str(error)))
                continue
            if session.joined_run == run and session.origin == settings.endpoint.origin:
                worst = max(worst, _send(folder, settings, client))
    return worst


def _lock(folder: SessionFolder) -> Lock | None:
    """Return the folder's lock, None if a sender keeps it; raises `FileNotFoundError` if that sent everything."""
    timeouts = timeouts_from(os.environ)
    seconds, lock = timeouts.exit_all + timeouts.alone, locked(folder)
    if lock is None:
        echo_stderr(f"{folder.id}: waits for the sender that is at work on it, {seconds:g} seconds at most")
        lock = locked(folder, seconds)
    if lock is not None and folder.is_empty:  # the sender removed its files just before we got the lock
        lock.close()
        remove_session(folder.path, is_own=True)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder.path))
    return lock


def unsendable(folder: SessionFolder, settings: Settings) -> str:
    """Return why `send` with these settings would leave a session in the spool, "" if it would send it."""
    try:
        check_owner(folder)
        return _blocking_error(folder, folder.read_session(), settings)
    except SpoolError as error:
        return str(error)


def _kept(folder: SessionFolder, why: str) -> Exit:
    echo_stderr(f"{folder.id}: kept: {why}", colour="yellow")
    return Exit.KEPT


def _blocking_error(folder: SessionFolder, session: SessionManifest, settings: Settings) -> str:
    """Return why a session is not sent with these settings, "" if it is."""
    endpoint = settings.endpoint
    if not session.has_destination:
        return _destination_error(session, endpoint)
    if (session.origin, session.project_id) != (endpoint.origin, endpoint.project_id):
        if session.is_embedded:
            return f"it is for the embedded store: send it with --url {LOCAL_URL} --project-id {session.project_id}"
        there = f"{session.origin}, project {session.project_id}"
        return f"it is for {there}: send it with --url and --project-id, {_TRUST}"
    if session.is_embedded and session.database != endpoint.database:
        return f"it is for the store {session.database}: send it with --database"
    is_running = session.is_pytest_alive and not folder.has_ended
    return f"its pytest (process {session.pid}) is still running" if is_running else ""


def _destination_error(session: SessionManifest, endpoint: Endpoint) -> str:
    """Return the error of a session without address or project: what is known of them must be the same."""
    if session.origin not in {"", endpoint.origin}:
        how = "send it with --url, and with its project as --project-id"
        return f"it is for {session.origin}: {how}, {_TRUST}"
    if session.project_id not in {0, endpoint.project_id}:
        return f"it is for project {session.project_id}: send it with --project-id"
    return ""


def delivered(
    folder: SessionFolder,
    session: SessionManifest,
    settings: Settings,
    client: Client,
    options: DeliveryOptions = _DEFAULTS,
    *,
    prints_run: bool = False,
) -> Exit:
    """Send a session, with its progress and outcome on stderr; the caller has the folder's lock.

    The client of a server that does not respond makes no request afterwards.
    """
    before, timeouts, report = ledger_from(folder.ledger), timeouts_from(os.environ), session.report
    # A report that the user's environment names is written wherever it is.
    is_named = settings.origins.get("html") == find_setting("html").environment and settings.html == report
    refusal = "" if not report or is_named else refusal_of_kept(project_ini(Path.cwd()).root, Path(report))
    store, error = artifact_store(settings, os.environ, Path.cwd())
    if error:
        echo_stderr(error)
    reached_by = time.monotonic() + timeouts.reach
    with Progress(sys.stderr, time.monotonic) as progress:

        def watch(delivery: Delivery) -> None:
            progress.show(delivery)
            if not (client.has_answered or client.headers or delivery.is_busy) and time.monotonic() > reached_by:
                client.ends_at = reached_by
                delivery.retry_policy.stop("again", delivery.state.error)

        followed, runtime = replace(session, report="" if refusal else report), Runtime(Log(folder.log).write)
        sender = Sender(folder, followed, timeouts, client, runtime, options=replace(options, artifact_store=store))
        sender.on_progress = watch
        delivery = sender.run()
    state = delivery.state
    if prints_run and state.run is not None:
        echo_result(state.run)
    if refusal and state.run is not None:
        hint = f"write it with automation-report html {state.run} -o {report}"
        echo_stderr(f"{folder.id}: no report in {report}: {refusal}: {hint}")
    _echo_decisions(folder, state, state.total("dropped") - before.total("dropped"))
    return _echo_outcome(folder, delivery, state.confirmed - before.confirmed, settings)


def _echo_decisions(folder: SessionFolder, state: LedgerState, dropped: int) -> None:
    for line in delivery_lines(state.done):
        echo_stderr(f"{folder.id}: {line}")
    if state.report is not None:
        echo_stderr(f"{folder.id}: {report_line(state.report)}")
    if dropped:
        gone = quantity(dropped, "result")
        echo_stderr(f"{folder.id}: {gone} dropped, as requested: the server may or may not have them")


def _echo_outcome(folder: SessionFolder, delivery: Delivery, sent: int, settings: Settings) -> Exit:
    state = delivery.state
    # With those that earlier senders sent.
    counts = sum((queue.counts for queue in delivery.queues.by_worker.values()), Counter[str]())
    arrived = _arrived(delivery, sent, has_results=bool(counts))
    if torn := state.done.torn:
        echo_stderr(f"{folder.id}: {torn} of its files end in the middle of a record: its process was killed")
    if delivery.is_finished and not delivery.state.has_kept:
        # Earlier senders may have sent some.
        total = f", {quantity(counts.total(), 'result')} in all" if counts.total() > sent else ""
        echo_stderr(f"{arrived}{total}: {counts_by_status(counts)}" if counts else arrived)
        if why := remove_session(folder.path, folder.lock, is_own=True):
            echo_stderr(f"{folder.id}: its folder is left alone: {why}")
        if state.run is not None:
            echo_link(settings, state.run, is_command_shown=True)
        return Exit.DONE
    rejected = state.total("rejected")
    remaining = [
        (state.done.left, "to be sent"),
        (rejected, "rejected by the server"),
        (state.total("held"), "held: delivery unconfirmed (--unknown=send|drop decides it)"),
        (state.done.damaged, f"damaged {'record' if state.done.damaged == 1 else 'records'} that cannot be read"),
    ]
    parts = ", ".join(f"{count:,} {what}" for count, what in remaining if count)
    parts = parts or ("the server does not show all of them" if state.difference else "the run is not completed")
    why = delivery.retry_policy.stopped or state.error or "; ".join(state.reasons[:3])
    if state.is_run_gone:
        why = f"{why}: add --new-run to send it to a new run"
    if state.run is not None and sent:
        echo_link(settings, state.run)
    if counts:
        echo_stderr(f"{folder.id}: {quantity(counts.total(), 'result')}: {counts_by_status(counts)}")
    # Last: it is what the user has to act on.
    text = f"{folder.id}: {arrived}; kept in {folder.path}: {parts}{f' ({why})' if why else ''}"
    echo_stderr(text, colour="yellow")
    if state.error_class == "token":
        return Exit.TOKEN
    return Exit.REFUSED if rejected or state.error_class == "refused" else Exit.KEPT


def _arrived(delivery: Delivery, sent: int, *, has_results: bool) -> str:
    """Return the number of results sent and their run in words, or what a session without results has done."""
    run = delivery.state.run
    if has_results or run is None:
        return f"{quantity(sent, 'result')} sent{'' if run is None else f' to run {run}'}"
    return f"run {run} is completed" if delivery.state.is_complete else f"no results of its own for run {run}"


_LINE_SECONDS: Final = 10.0
# How often a line that stays the same is shown: CI providers end jobs whose log is silent for long.
_SAME_LINE_SECONDS: Final = 60.0
_BAR_SECONDS: Final = 0.5


class Progress(ExitStack):
    """Shows delivered results beside all read so far: as a bar on a terminal, as lines in a log."""

    def __init__(self, stream: TextIO | None, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream, self._clock = stream, clock
        self._last = clock()
        self._bar: Any = None
        self._line, self._line_at = "", clock()

    def show(self, delivery: Delivery) -> None:
        """Show the progress of the delivery if it is time to."""
        is_terminal = self._stream is not None and self._stream.isatty()
        if self._clock() - self._last < (_BAR_SECONDS if is_terminal else _LINE_SECONDS):
            return
        self._last = self._clock()
        read = sum(queue.counts.total() for queue in delivery.queues.by_worker.values())
        sent = delivery.state.total("acknowledged")
        if not is_terminal:
            more = "" if delivery.queues.is_decided else " so far"
            error = f": {printable(delivery.state.error)}" if delivery.state.error else ""
            line = f"sent {sent:,} of {quantity(read, 'result')}{more}{error}"
            if line != self._line or self._last - self._line_at >= _SAME_LINE_SECONDS:
                echo_stderr(line)
                self._line, self._line_at = line, self._last
            return
        if self._bar is None:
            bar = click.progressbar(length=max(1, read), label="sending", file=self._stream)
            self._bar = self.enter_context(bar)
        self._bar.length = max(1, read)
        self._bar.update(sent - self._bar.pos)


class SpooledSession(Struct, frozen=True):
    """One session in the spool, as ``spool list`` shows it; its JSON has the same names.

    ``age_seconds`` is the time since the last write, ``address`` the server's origin or the embedded store's path,
    ``error`` the reason why the session cannot be read. The counts are of results; those ``left`` remain to be sent,
    without tests that never finished.
    """

    id: str
    state: SessionState
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
        state, size = session_state(folder), sum(file.stat().st_size for file in session_files(folder))
        age = session_age(folder, now)
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
    spool = command_settings(options)[0].spool
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
    spool = command_settings(options)[0].spool
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
        remove_abandoned(spool, now=time.time())
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
        echo_stderr(f"{what} {'is' if is_one else 'are'} left alone: {name_some(others)}")


def _row(session: SpooledSession) -> tuple[str, ...]:
    parts = [
        (session.left, "to be sent"),
        (session.acknowledged, "delivered"),
        (session.rejected, "rejected"),
        (session.held, "held"),
    ]
    results = ", ".join(f"{count:,} {state}" for count, state in parts if count) or session.error or "no results"
    written = time_ago(int(session.age_seconds * 1_000_000))
    return session.id, session.state, written, f"{results}{_destination(session)}"


def _destination(session: SpooledSession) -> str:
    if session.error:
        return ""
    parts = {"address": session.address, "project": f"project {session.project_id}" if session.project_id else ""}
    known = ", ".join(filter(None, parts.values()))
    missing = " and ".join(name for name, text in parts.items() if not text)
    to = f" for {known}" if known else ""
    return f"{to}, for the {missing} that is configured when it is sent" if missing else to
