"""Run the command of ``exec`` in the foreground (floor 4): with our input and output, and the signals we get.

``automation-report exec``: a command whose results, its own or those in files, are one run (floor 4).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.api.models import Test, Token
from pytest_automation_report.cli.context import (
    CONNECTION,
    NEW_RUN,
    SHARING,
    Exit,
    configuration_of,
    echo_stderr,
    new_run,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.interrupts import ENDING, OF_COMMAND, Interrupted, Interrupts
from pytest_automation_report.cli.run_links import user_shell
from pytest_automation_report.cli.send import delivered, left_by
from pytest_automation_report.cli.shared_runs import connected_to, jobs_of, join_or_create_run
from pytest_automation_report.cli.submit import RESULT_SETTINGS, fill, matches, rules_of
from pytest_automation_report.delivery.handover import timeouts_from
from pytest_automation_report.errors import AutomationReportError, ClientError, SpoolError
from pytest_automation_report.junit.results import JunitResult
from pytest_automation_report.junit.submission import Submission
from pytest_automation_report.recording.identity import key_of
from pytest_automation_report.recording.phases import console_field
from pytest_automation_report.settings.table import setting
from pytest_automation_report.settings.token import token_from
from pytest_automation_report.spool.folder import session_folders
from pytest_automation_report.summary.lines import send_command
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.spool.folder import SessionFolder

NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""Exit codes that shells have for commands that are not there, and for those that cannot be run."""

_SIGNAL_CODES: Final = 128
_FORWARDED: Final = ENDING | OF_COMMAND
_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code as a shell tells it, its time in microseconds, and that in words."""

    code: int
    microseconds: int
    words: str


def run_command(command: Sequence[str], environ: Mapping[str, str], interrupts: Interrupts) -> Ended:
    """Run a command to its end and forward signals to it, unless a signal to end came before.

    What a terminal sends goes to the command by itself: it is in the same group of processes.
    """
    began = time.monotonic()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child's end is ever told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    try:
        code, words = _outcome(command, environ, before, interrupts)
        if code < 0 or code > _SIGNAL_CODES:
            # Who signals each process of a job may reach us after the command, which its signal has ended.
            interrupts.note(abs(code) % _SIGNAL_CODES)
    finally:
        interrupts.allowed = 0
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    exit_code = code if code >= 0 else _SIGNAL_CODES - code
    return Ended(exit_code, round((time.monotonic() - began) * 1e6), f"{command[0]} {words}")


def _outcome(
    command: Sequence[str], environ: Mapping[str, str], mask: set[signal.Signals | int], interrupts: Interrupts
) -> tuple[int, str]:
    """Return the command's exit code, negative for a signal, and how it ended in words."""
    if interrupts.last is not None:
        return -interrupts.last, f"was not started: {signal_name(interrupts.last)} came first"
    try:
        code = _run(command, environ, mask, interrupts)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED
        return code, f"could not be started: {error.strerror or error}"
    return code, f"ended with exit code {code}" if code >= 0 else f"was ended by {signal_name(-code)}"


def _run(
    command: Sequence[str], environ: Mapping[str, str], mask: set[signal.Signals | int], interrupts: Interrupts
) -> int:
    """Return the command's exit code, negative for a signal."""

    def take_signals() -> None:
        for number in _FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)  # our handler would swallow one that comes before the exec
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    process = subprocess.Popen(  # noqa: S603 - the command is the user's own
        command,
        env=dict(environ),
        preexec_fn=take_signals,  # noqa: PLW1509 - there are no threads
    )
    while process.poll() is None:
        number, is_from_terminal = _next_signal()
        is_new = number in OF_COMMAND or (number in ENDING and interrupts.note(number)[1])
        if is_new and not is_from_terminal and process.poll() is None:
            process.send_signal(number)
    for number in signal.sigpending() & ENDING:  # sent to the command's whole group, which it did not survive
        signal.sigwait({number})
        interrupts.note(number)
    return process.returncode


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the command has got it from the terminal already."""
    waited = {*_FORWARDED, signal.SIGCHLD}
    if sys.platform == "darwin":
        number = int(signal.sigwait(waited))
        return number, number in _OF_TERMINALS and os.isatty(0)
    found = signal.sigwaitinfo(waited)
    return found.si_signo, found.si_signo in _OF_TERMINALS and found.si_code > 0


def signal_name(number: int) -> str:
    """Return the name of a signal; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


FOLDER: Final = "automation-report exec"
"""Folder of the result that stands for a command which left none."""

_DEFECT: Final = "error in reporting, please report it; it changes no exit code: "
_HANDED_ON: Final = ("url", "project_id", "token_file", "ca_file", "allow_http", "database", "spool", "source")


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option(
    "--results",
    "patterns",
    multiple=True,
    metavar="FILES",
    help="JUnit XML files that COMMAND writes. Can be repeated; may be patterns.",
)
@setting_options(*CONNECTION, *NEW_RUN, *SHARING, *RESULT_SETTINGS)
@with_exit_codes
def execute(command: tuple[str, ...], *, patterns: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Run COMMAND and report it as one run, which is completed however COMMAND ends.

    With --results the JUnit XML files that COMMAND wrote are sent. Sessions of pytest with --automation-report join the
    run, whose id is in AUTOMATION_REPORT_RUN_ID. A run of --run-id or --run-key stays open.

    The exit code is that of COMMAND, or 128 and the number of the signal that ended it. Errors of reporting are shown
    and change no exit code. Results that were not delivered stay in the spool for "automation-report send".
    """
    interrupts = Interrupts(timeouts_from(os.environ).same_signal)
    interrupts.install()
    configuration, token = configuration_of(options)
    job = configuration.job or f"exec-{secrets.token_hex(6)}"
    reported = _Reported(replace(configuration, job=job), token, command, interrupts)
    before = _snapshot(patterns)
    try:
        with interrupts.interruptible():
            reported.begin()
    except Interrupted:
        echo_stderr(
            "interrupted: the run may have been created: automation-report run list --open shows it", colour="yellow"
        )
        return 128 + (interrupts.last or signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the command from running
        echo_stderr(f"{_DEFECT}{error.__class__.__name__}: {error}")
    ended = run_command(command, {**os.environ, **_handed_on(options), **reported.environment()}, interrupts)
    echo_stderr(f"{ended.words} after {ended.microseconds / 1e6:.1f} s")
    try:
        reported.end(ended, _written(patterns, before))
    except (AutomationReportError, OSError) as error:
        echo_stderr(f"reporting failed, which changes no exit code: {error}")
    except Exception as error:  # noqa: BLE001 - as above: the exit code is the command's
        echo_stderr(f"{_DEFECT}{error.__class__.__name__}: {error}")
    return ended.code


@dataclass(slots=True)
class _Looked:
    """What is known before the results of a command are sent; of what was not looked at, the careful answer."""

    inner: Exit = Exit.KEPT
    has_results: bool = True
    is_interrupted: bool = False


@dataclass(slots=True)
class _Reported:
    """The run of one command; its troubles are told and never raised before the command has run."""

    configuration: Configuration
    token: Token | None
    command: Sequence[str]
    interrupts: Interrupts
    run: int | None = None
    is_own: bool = False
    _sessions: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Create the run, or find the one to join."""
        self._sessions = self._spooled()
        self.run = self.configuration.run_id
        if self.configuration.endpoint.is_embedded:
            self.token = Token("embedded")
        if self.run is not None:
            return
        if self.token is None or self.configuration.hindrance:
            echo_stderr("no run was created: the results are kept")
            return
        new, sharing = new_run(self.configuration)
        try:
            with connected_to(self.configuration, self.token) as client:
                self.run = join_or_create_run(client, new, sharing) if sharing.tag else client.create_run(new)
        except AutomationReportError as error:
            echo_stderr(f"no run was created: {error}")
            return
        self.is_own = not sharing.tag
        echo_stderr(f"run {self.run} is open")

    def environment(self) -> dict[str, str]:
        """Return what the command's sessions are to know."""
        known = {setting("job").environment: self.configuration.job}
        return known if self.run is None else {**known, setting("run_id").environment: str(self.run)}

    def end(self, ended: Ended, files: Sequence[Path]) -> None:
        """Send what the command left, and complete the run when it is its own.

        A signal to end interrupts requests alone: all that is to be sent is in the spool before exec ends.
        """
        # A token that is not sent is a secret all the same: the command finds it in its environment and may print it.
        rules = rules_of(self.configuration, self.token or token_from(os.environ, "").token or Token("none"))
        submission = Submission(self.configuration.spool, rules, observed=ended.microseconds)
        try:
            fill(submission, files, is_lenient=True)
            looked = self._looked(is_empty=not submission.results)
            if ended.code and not submission.results and not looked.has_results:
                submission.add(_failure(self.command, ended, rules))
        except BaseException:
            submission.discard()
            raise
        results = submission.results
        if not results and (self.run is None or (looked.has_results and not self.is_own)):
            submission.discard()
            return
        new, sharing = new_run(replace(self.configuration, run_id=self.run), submission.id)
        folder, session, lock = submission.finished(
            self.configuration.endpoint,
            new,
            note=ended.words,
            sharing=sharing,
            joined_run=self.run,
            is_closing=self.is_own,
        )
        try:
            if looked.is_interrupted:
                self._tell_interrupted(results, folder)
            elif self.token is None or self.configuration.hindrance or looked.inner is not Exit.DONE:
                echo_stderr(f"{folder.id}: {pluralize(results, 'result')} and the run's end are kept in {folder.path}")
            else:
                with self.interrupts.interruptible():
                    delivered(folder, session, self.configuration, self.token)
        except Interrupted:
            self._tell_interrupted(results, folder)
        finally:
            os.close(lock)

    def _looked(self, *, is_empty: bool) -> _Looked:
        """Send what the command's own sessions left, and look whether they have results where its files have none."""
        looked = _Looked()
        try:
            with self.interrupts.interruptible():
                looked.inner = self._inner()
                looked.has_results = is_empty and self._has_results()
        except Interrupted:
            return _Looked(has_results=is_empty, is_interrupted=True)
        return looked

    def _tell_interrupted(self, results: int, folder: SessionFolder) -> None:
        """Tell which run is open after a signal, and the command that sends the rest and completes it."""
        by = f"interrupted by {signal_name(self.interrupts.last or signal.SIGINT)}"
        amount, place = pluralize(results, "result"), f"kept in {folder.path}"
        command = send_command(self.configuration, user_shell())
        if self.is_own:
            echo_stderr(f"{by}: run {self.run} is open, {amount} and its end are {place}", colour="yellow")
            echo_stderr(f"complete run {self.run} with: {command}")
            return
        where = "" if self.run is None else f" for run {self.run}"
        echo_stderr(f"{by}: {amount}{where} {'is' if results == 1 else 'are'} {place}", colour="yellow")
        echo_stderr(f"send {'it' if results == 1 else 'them'} with: {command}")

    def _inner(self) -> Exit:
        """Send what sessions of this run have left in the spool: the run is not to be completed before."""
        if self.run is None or self.token is None:
            return Exit.DONE
        return left_by(self.run, self.configuration, self.token)

    def _spooled(self) -> frozenset[str]:
        """Return the sessions that the spool holds; one that cannot be read keeps no command from running."""
        try:
            return frozenset(each.id for each in session_folders(self.configuration.spool))
        except SpoolError as error:
            echo_stderr(str(error))
            return frozenset()

    def _has_results(self) -> bool:
        """Whether the command's own sessions have brought results; where nobody can tell, none are made up."""
        if self._spooled() - self._sessions:
            return True
        if self.run is None or self.token is None:
            return False
        try:
            with connected_to(self.configuration, self.token) as client:
                run = client.run(self.run)
        except ClientError as error:
            echo_stderr(f"run {self.run} cannot be looked at: {error}")
            return True
        return bool(jobs_of(run, self.configuration.job)) or (self.is_own and run.counts.total > 0)


def _failure(command: Sequence[str], ended: Ended, rules: RecordingOptions) -> JunitResult:
    """Return the result that stands for a command which failed and left none; its arguments may hold secrets."""
    name = Path(command[0]).name
    folder = f"{rules.prefix}.{FOLDER}" if rules.prefix else FOLDER
    text = f"{ended.words}, and left no results."
    fields = (console_field("Error", text, text),)
    test = Test(key_of(folder, name), name, folder, rules.alias("error"), ended.microseconds, fields=fields)
    return JunitResult(test, "error")


def _handed_on(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that were typed for us and count for the command's sessions, too."""
    given = {name: options.get(name) for name in _HANDED_ON}
    return {
        setting(name).environment: ("1" if value else "0") if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value not in (None, ())
    }


def _snapshot(patterns: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Return what tells the files of these names and patterns from those that are written later."""
    return {os.path.realpath(path): _state(path) for pattern in patterns for path in _files(pattern)}


def _written(patterns: Sequence[str], before: Mapping[str, tuple[int, int, int]]) -> list[Path]:
    """Return the files that are new or not what they were; one that is neither is of an earlier run, and told."""
    found: list[Path] = []
    seen: set[str] = set()
    for pattern in patterns:
        paths = _files(pattern)
        if not paths:
            echo_stderr(f"{pattern}: the command wrote no such file")
        for path in paths:
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            if _state(path) == before.get(real):
                echo_stderr(f"{path}: not sent: it was there before the command and has not changed")
            else:
                found.append(path)
    return found


def _files(pattern: str) -> list[Path]:
    return [each for each in matches(pattern) if each.is_file()]


def _state(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written; a file that has gone meanwhile has none of it."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
