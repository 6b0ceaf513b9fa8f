"""``automation-report submit`` and ``exec``: report the results of any tool, from its files or by running it."""

from __future__ import annotations

import glob
import os
import secrets
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import Struct

from pytest_automation_report.api.models import Cause, Field, FieldType, Test, Token
from pytest_automation_report.api.responses import ClientError, Run
from pytest_automation_report.cli.command import CommandOutput, Ended, Interrupted, Interrupts, run_command, signal_name
from pytest_automation_report.cli.context import (
    CONNECTION,
    NEW_RUN,
    SHARING,
    Command,
    Exit,
    cleaning_options,
    command_settings,
    configured,
    echo_stderr,
    new_run,
    setting_options,
    user_shell,
)
from pytest_automation_report.cli.queries import connected_to, join_or_create_run, run_jobs
from pytest_automation_report.cli.send import delivered, left_by, sending_to
from pytest_automation_report.errors import AutomationReportError, ResultFileError, SpoolError
from pytest_automation_report.junit.results import JunitResult
from pytest_automation_report.junit.sessions import Submission
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.settings.run import timeouts_from
from pytest_automation_report.settings.settings import Settings, find_setting
from pytest_automation_report.settings.token import token_from
from pytest_automation_report.spool.records import Attempt, test_key
from pytest_automation_report.spool.sessions import session_folders
from pytest_automation_report.summary.lines import send_command
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.spool.folder import SessionFolder, SessionManifest

_RESULT_SETTINGS: Final = ("folder_prefix", "statuses", "redact", "redact_builtin", "spool")


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--ignore-parse-error", is_flag=True, help="Skip files that cannot be read.")
@click.option("--allow-empty", is_flag=True, help="Exit with 0 if there is no result to send.")
@setting_options(*CONNECTION, *NEW_RUN, *SHARING, *_RESULT_SETTINGS)
def submit(files: tuple[str, ...], *, ignore_parse_error: bool, allow_empty: bool, **options: object) -> int:
    """Send the results in JUnit XML files to a run, and print its id.

    FILES are names or patterns. A run of --run-id or --run-key stays open. If the server is down, results stay in the
    spool.
    """
    settings, token = configured(options)
    paths = [*_found(files, _refuse).values()]
    submission = Submission(settings.spool, cleaning_options(settings, token))
    try:
        _add_files(submission, paths, is_lenient=ignore_parse_error)
    except BaseException:
        submission.discard()
        raise
    if not submission.results:
        submission.discard()
        echo_stderr(f"no results in {submission.files} of {quantity(len(paths), 'file')}: nothing was sent")
        return Exit.DONE if allow_empty else Exit.USAGE
    run, sharing, ancestors = new_run(settings, token, submission.id)
    folder, session, lock = submission.finished(
        settings.endpoint,
        run,
        sharing=sharing,
        note=f"{quantity(submission.results, 'result')} submitted from {quantity(submission.files, 'file')}",
        ancestors=ancestors,
        joined_run=settings.run_id,
    )
    with closing(lock), sending_to(settings, token) as client:
        return delivered(folder, session, settings, client, prints_run=True)


def _add_files(submission: Submission, paths: Iterable[Path], *, is_lenient: bool) -> None:
    """Add the results of these files; raises `ResultFileError` for one that cannot be read, if not lenient."""
    for path in paths:
        try:
            if not submission.add_file(path):
                echo_stderr(f"{path}: no results")
        except ResultFileError as error:  # noqa: PERF203 - reading a file takes longer
            if not is_lenient:
                hint = "nothing was sent (--ignore-parse-error sends the other files)"
                raise ResultFileError(f"{error}; {hint}") from error
            echo_stderr(f"skipped: {error}")


def _found(patterns: Iterable[str], missing: Callable[[str], None]) -> dict[str, Path]:
    """Return the files that match names and patterns by their real paths; ``missing`` gets each pattern without any."""
    by_real_path: dict[str, Path] = {}
    for pattern in patterns:
        # No method of a path: it raises for a name that is too long.
        names = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - pathlib takes no absolute pattern
        paths = [Path(name) for name in names if not Path(name).is_dir()]
        if not paths:
            missing(pattern)
        for path in paths:
            by_real_path.setdefault(os.path.realpath(path), path)
    return by_real_path


def _refuse(pattern: str) -> None:
    if os.path.isdir(pattern):  # noqa: PTH112 - false for a name that is too long
        raise ResultFileError(f"{pattern}: is a folder: name its files, as in {pattern.rstrip('/')}/**/*.xml")
    raise ResultFileError(f"{pattern}: no such file, and no match: quote patterns, as in 'reports/**/*.xml'")


_FOLDER: Final = "automation-report exec"  # of the result that reports a failed command without results
_DEFECT: Final = "error in reporting, which does not change the exit code; please report it: "
# Settings typed for ``exec`` that the command's own pytest sessions get through their environment.
_INHERITED: Final = (*CONNECTION, "spool", "source")


@click.command("exec", cls=Command, context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--results", "patterns", multiple=True, metavar="FILES", help="JUnit XML files that COMMAND writes.")
@click.option("--no-output", is_flag=True, help="Do not send what COMMAND prints.")
@setting_options(*CONNECTION, *NEW_RUN, *SHARING, *_RESULT_SETTINGS)
def execute(command: tuple[str, ...], *, patterns: tuple[str, ...], no_output: bool, **options: object) -> int:
    """Run COMMAND, report it as one run, and exit with COMMAND's own exit code.

    The run has the files of --results, and what COMMAND's own pytest --automation-report sent. A run of --run-id or
    --run-key stays open.
    """
    interrupts = Interrupts(timeouts_from(os.environ).same_signal)
    interrupts.install()
    try:
        return _run_and_report(command, patterns, interrupts, options, has_output=not no_output)
    finally:
        interrupts.ignore()


def _run_and_report(
    command: tuple[str, ...],
    patterns: tuple[str, ...],
    interrupts: Interrupts,
    options: dict[str, Any],
    *,
    has_output: bool,
) -> int:
    # A setting without an option here: where tests keep no output, the command's is not sent either.
    settings, token = command_settings({**options, "output": None})
    job = settings.job or f"exec-{secrets.token_hex(6)}"
    command_run = _CommandRun(settings.changed(job=job), token, command, interrupts)
    # Files of an earlier run that stay as they are were not written by the command.
    before = {real: _state(path) for real, path in _found(patterns, lambda _: None).items()}
    try:
        with interrupts.interruptible():
            command_run.begin()
    except Interrupted:
        echo_stderr(
            "interrupted: the run may have been created: automation-report run list --status open shows it",
            colour="yellow",
        )
        return 128 + (interrupts.last or signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the command from running
        echo_stderr(f"{_DEFECT}{error.__class__.__name__}: {error}")
    output = CommandOutput()
    try:
        if has_output and settings.output != "none":
            output.open()
    except OSError as error:
        echo_stderr(f"the command's output is not sent: {error.strerror or error}")
    environ = {**os.environ, **_inherited(options), **command_run.environment()}
    ended = run_command(command, environ, interrupts, output)
    echo_stderr(f"{ended.words} after {ended.microseconds / 1e6:.1f} s")
    try:
        command_run.end(ended, _new_files(patterns, before), output)
    except (AutomationReportError, OSError) as error:
        echo_stderr(f"reporting failed, which does not change the exit code: {error}")
    except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the command from running: the exit code is the command's
        echo_stderr(f"{_DEFECT}{error.__class__.__name__}: {error}")
    return ended.code


class _CommandRun(Struct):
    """The run of one command."""

    settings: Settings
    token: Token | None
    command: Sequence[str]
    interrupts: Interrupts
    run: int | None = None
    is_own: bool = False  # created here and not shared: it is completed at the end
    # Whether all results of the command's own pytest sessions are sent; else the run stays open.
    _are_sessions_sent: bool = False
    _is_interrupted: bool = False
    _earlier_sessions: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Create the run, or find the one to join; errors of the API are shown."""
        self._earlier_sessions = self._session_ids()
        self.run = self.settings.run_id
        if self.settings.endpoint.is_embedded:
            self.token = Token("embedded")
        if self.run is not None:
            return
        if self.token is None or self.settings.blocking_error:
            echo_stderr("no run was created: the results are kept")
            return
        new, sharing, _ = new_run(self.settings, self.token)
        try:
            with connected_to(self.settings, self.token) as client:
                self.run = join_or_create_run(client, new, sharing)
        except AutomationReportError as error:
            echo_stderr(f"no run was created: {error}")
            return
        self.is_own = not sharing.tag
        echo_stderr(f"run {self.run} is open")

    def environment(self) -> dict[str, str]:
        """Return the variables by which the command's own pytest sessions join the run."""
        job = {find_setting("job").environment: self.settings.job}
        return job if self.run is None else {**job, find_setting("run_id").environment: str(self.run)}

    def end(self, ended: Ended, files: Sequence[Path], output: CommandOutput) -> None:
        """Write all results of the command into the spool, then send them, and complete the run if it is our own."""
        # A token that is not sent is a secret, too: the command has it in its environment and may print it.
        rules = cleaning_options(self.settings, self.token or token_from(os.environ, "").token or Token("none"))
        submission = Submission(self.settings.spool, rules, observed=ended.microseconds)
        try:
            _add_files(submission, files, is_lenient=True)
            has_inner_results = self._send_sessions(is_empty=not submission.results)
            if ended.code and not submission.results and not has_inner_results:
                submission.add(_failure(self.command, ended, rules))
            if field := _output_field(output, ended, rules):
                submission.add_property(field)
        except BaseException:
            submission.discard()
            raise
        results = submission.results
        if not results and (self.run is None or (has_inner_results and not self.is_own)):
            submission.discard()
            return
        new, sharing, ancestors = new_run(self.settings.changed(run_id=self.run), self.token, submission.id)
        folder, session, lock = submission.finished(
            self.settings.endpoint,
            new,
            note=ended.words,
            sharing=sharing,
            ancestors=ancestors,
            joined_run=self.run,
            is_closing=self.is_own,
        )
        with closing(lock):
            self._deliver(folder, session, results)

    def _deliver(self, folder: SessionFolder, session: SessionManifest, results: int) -> None:
        try:
            if self._is_interrupted:
                self._echo_interrupted(results, folder)
            elif self.token is None or self.settings.blocking_error or not self._are_sessions_sent:
                end = " and the run's end" if self.is_own or self.run is None else ""  # others complete a joined run
                echo_stderr(f"{folder.id}: kept in {folder.path}: {quantity(results, 'result')}{end}")
            else:
                with self.interrupts.interruptible(), sending_to(self.settings, self.token) as client:
                    delivered(folder, session, self.settings, client)
                    if not results and self.is_own:
                        self._echo_counts()
        except Interrupted:
            self._echo_interrupted(results, folder)

    def _send_sessions(self, *, is_empty: bool) -> bool:
        """Send what the command's own sessions left; with ``is_empty`` return whether they may have results."""
        try:
            with self.interrupts.interruptible():
                # The run is not completed before: a completed run takes no results.
                if self.run is None or self.token is None:
                    self._are_sessions_sent = True
                else:
                    self._are_sessions_sent = left_by(self.run, self.settings, self.token) is Exit.DONE
                return is_empty and self._has_results()
        except Interrupted:
            self._is_interrupted = True
            return is_empty

    def _echo_interrupted(self, results: int, folder: SessionFolder) -> None:
        """After a signal print which run is open, and the command that completes it."""
        amount = quantity(results, "result")
        if self.is_own:
            state, hint = f"run {self.run} is open, {amount} and its end are", f"complete run {self.run}"
        else:
            where = "" if self.run is None else f" for run {self.run}"
            state = f"{amount}{where} {'is' if results == 1 else 'are'}"
            hint = f"send {'it' if results == 1 else 'them'}"
        by = signal_name(self.interrupts.last or signal.SIGINT)
        echo_stderr(f"interrupted by {by}: {state} kept in {folder.path}", colour="yellow")
        echo_stderr(f"{hint} with: {send_command(user_shell(), self.settings)}")

    def _echo_counts(self) -> None:
        """Print the results of a run that only the command's own sessions have sent to."""
        counts = self._read_run()
        if counts is None:
            return
        others = counts.total - counts.success - counts.failure
        parts = [(counts.success, "passed"), (counts.failure, "failed"), (others, "others")]
        by_status = ", ".join(f"{count:,} {word}" for count, word in parts if count)
        echo_stderr(f"run {self.run}: {quantity(counts.total, 'result')}{f': {by_status}' if by_status else ''}")

    def _session_ids(self) -> frozenset[str]:
        """Return the ids of the sessions in the spool; a spool that cannot be read is shown and counts as empty."""
        try:
            return frozenset(folder.id for folder in session_folders(self.settings.spool))
        except SpoolError as error:
            echo_stderr(str(error))
            return frozenset()

    def _has_results(self) -> bool:
        """Return whether the command's own sessions have results; True where that cannot be found out."""
        if self._session_ids() - self._earlier_sessions:
            return True
        if self.run is None or self.token is None:
            return False
        run = self._read_run()
        if run is None or (self.is_own and run.total):
            return True
        return any(thread.total and self.settings.job in run_jobs(thread) for thread in run.threads)

    def _read_run(self) -> Run | None:
        """Return the run as the server has it; if that cannot be found out, print why and return None."""
        assert self.token is not None
        assert self.run is not None
        try:
            with connected_to(self.settings, self.token) as client:
                return client.run(self.run)
        except ClientError as error:
            echo_stderr(f"run {self.run} cannot be read: {error}")
            return None


def _failure(command: Sequence[str], ended: Ended, rules: RecordingOptions) -> JunitResult:
    name = Path(command[0]).name or command[0]  # without arguments, which may hold secrets
    folder = f"{rules.prefix}.{_FOLDER}" if rules.prefix else _FOLDER
    text = f"{ended.words}, and left no results."
    status = rules.statuses.get("error", "error")
    test = Test(test_key(folder, name), name, folder, status, ended.microseconds)
    return JunitResult(test, Attempt("error", ended.microseconds, causes=(Cause("error", "Error", text, text),)))


def _output_field(output: CommandOutput, ended: Ended, rules: RecordingOptions) -> Field | None:
    """Return the field with the command's output and exit code, None if it printed nothing."""
    head, missing, tail = output.text()
    if not (head.strip() or tail.strip()):
        return None
    how = f"{ended.words} after {ended.microseconds / 1e6:.1f} s"
    head, tail = head.lstrip("\n"), tail.rstrip()
    parts = (head, f"{tail}\n\n{how}") if missing else (f"{head.rstrip()}\n\n{how}", "")
    # The official tool's field has this name, too.
    return Field("Output", cleaner_for(rules).console_ends(parts[0], missing, parts[1]), FieldType.CONSOLE)


def _inherited(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables with the settings that were typed for ``exec`` and are for the command's sessions, too."""
    typed = {name: options[name] for name in _INHERITED if options[name] is not None}
    return {
        find_setting(name).environment: str(int(value) if isinstance(value, bool) else value)
        for name, value in typed.items()
    }


def _new_files(patterns: Sequence[str], before: Mapping[str, tuple[int, int, int]]) -> list[Path]:
    """Return the matching files that the command wrote, and name those that it did not."""
    found = _found(patterns, lambda pattern: echo_stderr(f"{pattern}: the command wrote no such file"))
    new = {real for real, path in found.items() if path.is_file() and _state(path) != before.get(real)}
    for path in (path for real, path in found.items() if real not in new):
        echo_stderr(f"{path}: not sent: it was there before the command and has not changed")
    return [found[real] for real in found if real in new]


def _state(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written: time, size, inode; zeros for a file that was removed meanwhile."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0, 0
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
