"""The end of a session: the wait for its sender, and what it shows to the people who started it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from msgspec import Struct, field

from pytest_automation_report.ci.detection import SUMMARY_VARIABLE
from pytest_automation_report.guards import InternalErrors, guarded
from pytest_automation_report.recording.collector import UserErrors
from pytest_automation_report.spool.folder import LAST_WORDS, Log, Process, bytes_from
from pytest_automation_report.spool.ledger import LEDGER_KINDS, LedgerState, TroubleRecord
from pytest_automation_report.spool.records import Decoder
from pytest_automation_report.summary.lines import header_line, report_lines
from pytest_automation_report.summary.shell import Shell
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from pytest_automation_report.delivery.launch import Timeouts
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.summary.lines import SessionOutcome


class TerminalReport:
    """The lines about one session, shown once: in pytest's summary, or on the standard streams if there is none.

    The parts of a session set its attributes as they become known: ``configuration`` with the spool that could be
    written, ``run_key`` of a run that jobs share, ``outcome`` after the results were counted (None until then).
    """

    def __init__(self, config: pytest.Config, setup: SessionSetup, internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self.user_errors = UserErrors()
        self.configuration = setup.configuration
        self.run_key = ""
        self.outcome: SessionOutcome | None = None
        self._config = config
        self._options = setup.options
        self._cleaner = setup.cleaner
        self._environ = setup.environ
        self._cwd = config.invocation_params.dir
        self._shell = Shell(self._cwd, setup.environ)
        self._warnings = list(setup.configuration.warnings)
        # Lines of the CI provider's page that go to stdout, such as GitHub's marks of failures.
        self._ci_lines: list[str] = []
        self._comparison: list[str] = []
        self._strict_lines: list[str] = []
        # True after the lines were written: pytest writes no summary if it stops early, or with `-p no:terminal`.
        self._is_shown = False

    def warn(self, text: str) -> None:
        """Show a warning with the outcome, once; the text must be free of secrets."""
        if text not in self._warnings:
            self._warnings.append(text)

    def header(self) -> str:
        """Return the line for the head of pytest's output, with the target of the results."""
        return printable(header_line(self.configuration, self._shell, key=self.run_key))

    @guarded
    def show_on_ci_page(self, outcome: SessionOutcome) -> None:
        """Write the outcome to the page of the CI job, if the provider has one."""
        configuration = self.configuration
        is_github = bool(self._environ.get("GITHUB_ACTIONS"))  # Failures are marked there by default.
        has_page = configuration.job_summary and self._environ.get(SUMMARY_VARIABLE)
        if configuration.ci_annotations or is_github or has_page:
            from pytest_automation_report.summary.ci_page import JobOutput  # noqa: PLC0415 - only in CI jobs

            job = JobOutput(configuration, self._environ, root=self._config.rootpath, shell=self._shell)
            job.write(configuration, outcome, self._all_warnings())
            self._ci_lines = job.lines
            self._warnings += job.troubles

    @guarded
    def compare(self, folder: SessionFolder | None) -> None:
        """Compare the results with pytest's JUnit XML, if the setting ``compare_junit`` names the file.

        Called as late as the summary: plugins write their files when the session finishes.
        """
        shown_path = self.configuration.compare_junit
        if shown_path and folder is not None and not self._is_shown:
            from pytest_automation_report.junit.sessions import comparison_lines  # noqa: PLC0415 - only if the setting is on

            path = self._cwd / Path(shown_path).expanduser()
            self._comparison = comparison_lines(folder, self._options, path, shown_path)

    def write_wait(self, max_seconds: float, report: str) -> None:
        """Print that pytest waits for the delivery, or for the report if that has a path: how long, how to end it."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        awaited = f"waiting for the last results to reach {self._shell.target(self.configuration)}"
        ends = "what is not delivered is kept"
        if report:
            awaited = f"all results are delivered, waiting for the report {self._shell.typed(Path(report))}"
            ends = "the report is written all the same"
        line = f"automation report: {awaited}, at most {max_seconds:.3g} s (Ctrl-C ends the wait; {ends})"
        with suppress(OSError, ValueError):  # A terminal that is gone or closed must not end the session differently.
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.line("")  # xdist prints its dots past the reporter, which sees no open line.
            reporter.write_line(printable(line))
            reporter.flush()

    def explain_strict(self, exit_status: int) -> None:
        """Add the line that explains our exit status: no test failed, and a result was not delivered."""
        origin = self.configuration.origins.get("strict", "strict")
        self._strict_lines = [
            f"exit status {exit_status}: no test failed, but not all results were delivered ({origin})"
        ]

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the outcome, the warnings and the next step for the rest into pytest's summary."""
        lines = self._lines(reporter.verbosity, reporter.stats)
        self._is_shown = True
        for line in self._ci_lines:
            reporter.write_line(line)
        if lines:
            # Not `section`: that leaves the line of dots open, and the first line below it would end it.
            reporter.write_sep("=", "automation report")
            for line in lines:
                reporter.write_line(line)

    def write_to_streams(self) -> None:
        """Write the same lines to stdout and stderr, unless pytest's summary has them."""
        if self._is_shown:
            return
        _write(sys.stdout, self._ci_lines)
        # The lowest verbosity if the user has switched pytest's summary off.
        is_shown = self._config.pluginmanager.has_plugin("terminalreporter")
        is_shown = is_shown and not getattr(self._config.option, "no_summary", False)
        lines = self._lines(self._config.get_verbosity() if is_shown else -2)
        if lines:
            _write(sys.stderr, ["automation report:", *lines])

    def write_html(self, folder: SessionFolder) -> None:
        """Write the run's report to stdout, behind all lines of pytest, if the setting ``html`` says so."""
        if self.configuration.html == STDOUT and folder.report.exists():
            _write(sys.stdout, [folder.report.read_text(encoding="utf-8")])

    def _lines(self, verbosity: int, stats: Mapping[str, Sequence[object]] | None = None) -> list[str]:
        lines = report_lines(
            self.configuration,
            self.outcome,
            self._all_warnings(),
            shell=self._shell,
            verbosity=verbosity,
            stats=stats,
        )
        return [*map(printable, (*lines, *self._comparison, *self._strict_lines))]

    def _all_warnings(self) -> list[str]:
        """Return all warnings; texts of users' code and of our errors may hold secrets and are cleaned here."""
        errors = [f"error in reporting: {text}" for text in self.internal_errors.texts]
        return [*self._warnings, *map(self._cleaner.string, (*self.user_errors.texts, *errors))]


def _write(stream: TextIO | None, lines: Sequence[str]) -> None:
    """Write lines to a standard stream; characters that its encoding lacks are written as escapes.

    Errors of a closed or full stream are ignored, since no other place is left to show them.
    """
    if stream is None or not lines:
        return
    text, encoding = "".join(f"{line}\n" for line in lines), stream.encoding or "ascii"
    with suppress(OSError, ValueError):  # ValueError: the stream is closed.
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


_QUIET_SECONDS: Final = 1.0
_MIN_PAUSE_SECONDS: Final = 0.002


class LedgerTail(Struct):
    """The state of a ledger that another process writes; `read` applies its new records."""

    path: Path
    state: LedgerState = field(default_factory=LedgerState)
    _decoder: Decoder = field(default_factory=lambda: Decoder(LEDGER_KINDS))
    _read: int = 0

    def read(self) -> bool:
        """Apply the new records; return whether there were any."""
        try:
            if self.path.stat().st_size <= self._read:
                return False
        except FileNotFoundError:
            return False
        is_new = False
        for piece in bytes_from(self.path, self._read):
            self._read += len(piece)
            for positioned in self._decoder.feed(piece):
                self.state.apply(positioned.record)
                is_new = True
        return is_new


def wait_for_sender(
    tail: LedgerTail,
    timeouts: Timeouts,
    *,
    is_interrupted: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    notify: Callable[[float, str], None],
) -> None:
    """Return when the sender is done, has died, or a time limit has passed.

    If the sender has died or never became ready, the state gets a warning. A further Ctrl-C ends the wait. ``notify``
    is called after a second, and again when only the report is awaited for a second: with the longest time in seconds
    that the wait goes on, and the path of the report, "" while results are awaited.

    The limits also hold with a clock that stands still: then the pauses between the looks count.
    """
    longest = timeouts.exit_interrupted if is_interrupted else timeouts.exit_all
    began = now = clock()
    wait = _Wait(tail, timeouts, longest, began=began, progress_at=began)
    notice = _Notice(notify, longest, began)
    try:
        while wait.look(now):
            notice.update(tail.state, now)
            # A sixteenth of the wait so far: pytest sees the last record of a short delivery 3 ms after it was written,
            # and a long wait costs little.
            pause = min(timeouts.poll / 2, max(_MIN_PAUSE_SECONDS, (now - began) / 16))
            sleep(pause)
            now = max(clock(), now + pause)
    except KeyboardInterrupt:
        return
    finally:
        wait.close()


class _Notice(Struct):
    """The lines that show a user for what pytest waits: one about the results, one about the report."""

    notify: Callable[[float, str], None]
    longest: float
    # When the wait began, and when that for the results or for the report alone did.
    began: float
    _since: float = 0.0
    _report: str = ""
    _is_shown: bool = False

    def __post_init__(self) -> None:
        self._since = self.began

    def update(self, state: LedgerState, now: float) -> None:
        """Show a line if its wait takes a second."""
        report = state.report.file if state.report is not None and state.is_reporting else ""
        if report != self._report:
            self._report, self._since, self._is_shown = report, now, False
        if not self._is_shown and now - self._since >= _QUIET_SECONDS:
            self._is_shown = True
            self.notify(self.longest - (now - self.began if report else 0), report)


class _Wait(Struct):
    """One wait for the sender: its limits and the progress so far; owned by `wait_for_sender`.

    A wait is over by the first of these conditions, asked in this order at each look:

    1. the sender is done;
    2. the longest wait is over (shorter after Ctrl-C, for which a user wants the prompt back);
    3. the sender has died;
    4. no response arrived for `exit_progress` seconds;
    5. the server is down, and `exit_down` seconds are over: more seconds would not help.
    """

    tail: LedgerTail
    timeouts: Timeouts
    longest: float
    began: float
    progress_at: float
    # Responses in the ledger at the last progress: more of them are progress.
    responses: int = 0
    # None until the ledger has its process id, so a death before that cannot be noticed.
    sender: Process | None = None

    def look(self, now: float) -> bool:
        """Read the ledger; return whether to wait on."""
        # Asked before the read: records that the sender wrote just before it ended are then read below.
        is_gone = self.sender is not None and not self.sender.is_alive()
        self.tail.read()
        state = self.tail.state
        if state.is_done or now - self.began >= self.longest:
            return False
        if is_gone:
            self._warn(f"the sender (process {state.sender_pid}) has died")
            return False
        self._note_progress(now)
        if self._is_useless(now):
            if not state.is_ready:
                self._warn("the sender did not become ready")
            return False
        return True

    def close(self) -> None:
        """Release the sender's process descriptor."""
        if self.sender is not None:
            self.sender.close()

    def _note_progress(self, now: float) -> None:
        """Note a response of the server, work on the report, or the sender's start, which a busy machine delays."""
        state = self.tail.state
        if self.sender is None and state.is_ready:
            self.sender = Process(state.sender_pid)
            self.progress_at = now
        if state.answers != self.responses:
            self.responses, self.progress_at = state.answers, now
        if state.is_reporting:
            self.progress_at = now  # all is delivered, so no more responses arrive: `longest` alone ends the wait

    def _is_useless(self, now: float) -> bool:
        """Whether nothing suggests that more time would bring the sender further."""
        is_down = self.tail.state.trouble_class in {"again", "unknown"}
        is_stuck = now - self.progress_at >= self.timeouts.exit_progress
        return is_stuck or (is_down and now - self.began >= self.timeouts.exit_down)

    def _warn(self, reason: str) -> None:
        """Add a warning to the state, with the reason that the sender logged before it died, if it could."""
        lines = Log(self.tail.path.with_name("sender.log")).tail(1)
        _, mark, last_words = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
        why = f"{reason}: {last_words}" if mark else reason
        self.tail.state.apply(TroubleRecord(why, "dead"))
