"""The end of a session: the wait for its sender, and what it shows to the people who started it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, cast

from msgspec import Raw, Struct, field
from msgspec.json import Decoder as JsonDecoder
from msgspec.structs import replace

from pytest_automation_report.ci.detection import SUMMARY_VARIABLE
from pytest_automation_report.guards import Errors, guarded
from pytest_automation_report.session.run import has_digest
from pytest_automation_report.spool.folder import SessionFolder, bytes_from
from pytest_automation_report.spool.records import (
    Decoder,
    DoneRecord,
    ErrorRecord,
    FindingsRecord,
    ReadyRecord,
    ReportRecord,
)
from pytest_automation_report.summary.lines import Shell, header_line, report_lines
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import printable
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from pytest_automation_report.delivery.launch import Timeouts
    from pytest_automation_report.findings.documents import FindingsExcerpt
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.summary.counts import SessionOutcome


_USUAL_REPORTS: Final = "fE"  # of pytest's option -r


class TerminalReport:
    """The lines about one session, shown once: in pytest's summary, or on the standard streams without one.

    The session sets ``settings`` with the spool that could be written, ``run_key`` of a run that jobs share,
    ``outcome`` when the results are counted, and ``strict_error``, which explains our exit status.
    """

    def __init__(self, config: pytest.Config, setup: SessionSetup, internal_errors: Errors) -> None:
        self.internal_errors = internal_errors
        self.user_errors = Errors()
        self.settings = setup.settings
        self.run_key = ""
        self.outcome: SessionOutcome | None = None
        self._config, self._setup = config, setup
        self._shell = Shell(config.invocation_params.dir, setup.environ)
        self._warnings = list(setup.settings.warnings)
        # Lines of the CI provider's page that go to stdout, such as GitHub's marks of failures.
        self._ci_lines: list[str] = []
        self._comparison: list[str] = []
        self.strict_error = ""
        # True after the lines were written: pytest writes no summary if it stops early, or with `-p no:terminal`.
        self._is_shown = False
        self._is_alone = self._has_failed = False

    def warn(self, text: str) -> None:
        """Show a warning with the outcome, once; the text must be free of secrets."""
        if text not in self._warnings:
            self._warnings.append(text)

    def header(self) -> str:
        """Return the line for the head of pytest's output, with the target of the results."""
        return printable(header_line(self.settings, self._shell, key=self.run_key))

    @guarded
    def show_on_ci_page(self, outcome: SessionOutcome) -> None:
        """Write the outcome to the page of the CI job, if the provider has one."""
        settings = self.settings
        is_github = bool(self._setup.environ.get("GITHUB_ACTIONS"))  # Failures are marked there by default.
        has_page = settings.job_summary and self._setup.environ.get(SUMMARY_VARIABLE)
        if settings.ci_annotations or is_github or has_page:
            from pytest_automation_report.summary.ci_page import JobOutput  # noqa: PLC0415 - only in CI jobs

            job = JobOutput(settings, self._setup.environ, root=self._config.rootpath, shell=self._shell)
            job.write(settings, outcome, self._all_warnings())
            self._ci_lines = job.lines
            self._warnings += job.warnings

    @guarded
    def compare(self, folder: SessionFolder) -> None:
        """Compare the results with pytest's JUnit XML, which is written when the session finishes."""
        shown_path = self.settings.compare_junit
        if shown_path and not self._is_shown:
            from pytest_automation_report.junit.sessions import comparison_lines  # noqa: PLC0415 - only if the setting is on

            path = self._config.invocation_params.dir / Path(shown_path).expanduser()
            self._comparison = comparison_lines(folder, self._setup.options, path, shown_path)

    def replace_summary(self, outcome: SessionOutcome, *, has_failed: bool) -> None:
        """Let the digest stand in place of pytest's tracebacks and summary, if it is to and if it could be made.

        Not if the user asks pytest for more, or for nothing of ours (``-qq``). The texts in reports are made by now.
        """
        config, option = self._config, self._config.option
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        is_made = outcome.is_whole and outcome.findings is not None and ("digest" in outcome.findings or not has_failed)
        if reporter is None or not is_made or not has_digest(self.settings, self._setup.environ, is_alone=True):
            return
        typed = any(str(word).startswith(("--tb", "-r")) for word in config.invocation_params.args)
        usual = option.verbose in {-1, 0} and option.tbstyle == "auto" and option.reportchars == _USUAL_REPORTS
        if usual and not typed:
            self._is_alone, self._has_failed = True, has_failed
            option.tbstyle, reporter.reportchars = "no", ""

    def write_wait(self, max_seconds: float, report: str) -> None:
        """Print that pytest waits for the delivery, or for the report if that has a path."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        awaited = f"waiting for the last results to reach {self._shell.target(self.settings)}"
        ends = "what is not delivered is kept"
        if report:
            awaited = f"all results are delivered, waiting for the report {self._shell.typed(Path(report))}"
            ends = "the report is written anyway"
        line = f"automation report: {awaited}, at most {round(max_seconds, 1):g} s (Ctrl-C ends the wait; {ends})"
        with suppress(OSError, ValueError):  # A terminal that is gone or closed must not end the session differently.
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.line("")  # xdist prints its dots past the reporter, which sees no open line.
            reporter.write_line(printable(line))
            reporter.flush()

    def write_summary(self, reporter: pytest.TerminalReporter, stats: Mapping[str, Sequence[object]]) -> None:
        """Write the outcome, the warnings and the next step for the rest into pytest's summary.

        ``stats`` are pytest's reports by the words of its last line, empty if that does not count all of them.
        """
        lines = self._lines(reporter.verbosity, stats)
        self._is_shown = True
        for line in self._ci_lines:
            reporter.write_line(line)
        if self._is_alone and not self._has_failed:  # an agent reads each character
            for line in lines:
                reporter.write_line(f"automation report: {line}")
        elif lines:
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

    def write_late(self, exitstatus: int) -> None:
        """Say on stderr that the run does not know the exit status: a plugin set it behind pytest's summary."""
        from pytest_automation_report.findings.sentences import exit_words  # noqa: PLC0415 - few sessions end so

        line = f"{exit_words(exitstatus)}, which set it too late for the run: it is shown without"
        _write(sys.stderr, [f"automation report: {line}"])

    def write_html(self, folder: SessionFolder) -> None:
        """Write the run's report to stdout, behind all lines of pytest, if the setting ``html`` says so."""
        if self.settings.html == STDOUT and folder.report.exists():
            _write(sys.stdout, [folder.report.read_text(encoding="utf-8")])

    def _lines(self, verbosity: int, stats: Mapping[str, Sequence[object]] | None = None) -> list[str]:
        warnings, shell = self._all_warnings(), self._shell
        verbosity = min(verbosity, -1) if self._is_alone else verbosity
        has_link = self._has_failed or not self._is_alone
        lines = report_lines(
            self.settings, self.outcome, warnings, shell=shell, verbosity=verbosity, stats=stats, has_link=has_link
        )
        return [*map(printable, (*lines, *self._comparison, *filter(None, [self.strict_error])))]

    def _all_warnings(self) -> list[str]:
        """Return all warnings, without the secrets that texts of users' code and of our errors may hold."""
        errors = [f"error in reporting: {text}" for text in self.internal_errors.texts]
        return [*self._warnings, *map(self._setup.cleaner.string, (*self.user_errors.texts, *errors))]


def _write(stream: TextIO | None, lines: Sequence[str]) -> None:
    """Write lines to a standard stream; characters that its encoding lacks are written as escapes."""
    if stream is None or not lines:
        return
    text, encoding = "".join(f"{line}\n" for line in lines), stream.encoding or "ascii"
    with suppress(OSError, ValueError):  # A stream is closed or full, and no other place is left to show that.
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


_QUIET_SECONDS: Final = 1.0  # nobody wonders about a shorter wait
_MIN_PAUSE_SECONDS: Final = 0.002


class _Kind(Struct, frozen=True):
    """The kind of a record of the ledger, whatever it is."""

    kind: str = field(name="k")


_KIND: Final = JsonDecoder(_Kind)
_READ: Final = JsonDecoder(ReadyRecord | ErrorRecord | FindingsRecord | ReportRecord | DoneRecord)
# The server has responded, or, for the last, has not: each ends the error before it.
_RESPONSES: Final = frozenset({"ack", "held", "fenced", "stored", "not"})


class LedgerTail(Struct):
    """What the end of a session needs of a ledger that the sender writes; `read` applies its new records.

    ``done`` has the totals, None until the sender ends. Few sessions end without totals, and only they load the code of
    the ledger's whole state.
    """

    path: Path
    sender_pid: int = 0
    answers: int = 0
    error_class: str = ""
    findings: FindingsExcerpt | None = None
    report: ReportRecord | None = None
    done: DoneRecord | None = None
    _decoder: Decoder = field(default_factory=lambda: Decoder(JsonDecoder(Raw)))
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
                with suppress(ValueError):  # of a kind that only the ledger's state needs, or forged
                    self._apply(cast("Raw", positioned.record))
                is_new = True
        return is_new

    def _apply(self, line: Raw) -> None:
        kind = _KIND.decode(line).kind
        if kind in _RESPONSES:
            self.answers, self.error_class = self.answers + (kind != "not"), ""
            return
        match _READ.decode(line):
            case ReadyRecord(pid):
                self.sender_pid, self.done, self.report = pid, None, None
            case ErrorRecord() as error:
                self.error_class = error.error_class
            case FindingsRecord(excerpt):
                self.findings = cast("FindingsExcerpt", excerpt)
            case ReportRecord() as report:
                self.report = report
            case DoneRecord() as done:
                self.done = done

    def totals(self) -> DoneRecord:
        """Return the totals; if the sender has not ended, the totals of its records so far."""
        if self.done is not None:
            return self.done
        from pytest_automation_report.spool.sessions import ledger_from  # noqa: PLC0415 - few senders are that late

        state = ledger_from(self.path, is_strict=False)
        unfinished = DoneRecord(why="pytest stopped waiting, and the sender may still be sending")
        return state.done if state.is_done else state.totals(unfinished, {})


def wait_for_sender(
    tail: LedgerTail,
    timeouts: Timeouts,
    notify: Callable[[float, str], None],
    *,
    is_interrupted: bool,
    clock: Callable[[], float] = Unpatched.counter,
    sleep: Callable[[float], None] = Unpatched.sleep,
) -> DoneRecord:
    """Return the totals when the sender is done, has died, or a time limit has passed; Ctrl-C ends the wait, too.

    If the sender has died or never became ready, that is the totals' error. ``notify`` is called after a second, and
    again after a second in which only the report is awaited: with the longest time in seconds that the wait goes on,
    and the path of the report, "" while results are awaited.
    """
    longest = timeouts.exit_interrupted if is_interrupted else timeouts.exit_all
    began = now = clock()
    wait = _Wait(tail, timeouts, longest, notify, began, progress_at=began, awaited_since=began)
    try:
        while wait.look(now):
            wait.show(now)
            # A sixteenth of the wait so far: pytest sees the last record of a short delivery 3 ms after it was written,
            # and a long wait costs little.
            pause = min(timeouts.poll / 2, max(_MIN_PAUSE_SECONDS, (now - began) / 16))
            sleep(pause)
            now = max(clock(), now + pause)  # the clock may stand still
    except KeyboardInterrupt:
        pass  # a user who ends the wait
    finally:
        if wait.sender is not None:
            wait.sender.close()
    totals = tail.totals()
    return replace(totals, error=wait.death, error_class="dead") if wait.death else totals


class _Wait(Struct):
    """One wait for the sender: its limits, and the progress so far.

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
    notify: Callable[[float, str], None]
    began: float
    progress_at: float
    # Responses in the ledger at the last progress: more of them are progress.
    responses: int = 0
    # None until the ledger has its process id, so a death before that cannot be noticed.
    sender: system.Process | None = None
    # The path of the report if that alone is awaited, since when, and whether the user was told.
    awaited: str = ""
    awaited_since: float = 0.0
    is_told: bool = False
    # Why the sender cannot end any more, empty if it can.
    death: str = ""

    def look(self, now: float) -> bool:
        """Read the ledger; return whether to wait on."""
        # Asked before the read: records that the sender wrote just before it ended are then read below.
        is_gone = self.sender is not None and not self.sender.is_alive()
        tail = self.tail
        tail.read()
        if tail.done is not None or now - self.began >= self.longest:
            return False
        if is_gone:
            self.death = self._death(f"the sender (process {tail.sender_pid}) has died")
            return False
        if self.sender is None and tail.sender_pid:
            self.sender = system.Process(tail.sender_pid)
            self.progress_at = now  # a busy machine delays the sender's start
        # While it works on the report no more responses arrive: `longest` alone ends the wait.
        if tail.answers != self.responses or self._report_file:
            self.responses, self.progress_at = tail.answers, now
        is_down = tail.error_class in {"again", "unknown"} and now - self.began >= self.timeouts.exit_down
        if not is_down and now - self.progress_at < self.timeouts.exit_progress:
            return True
        if not tail.sender_pid:
            self.death = self._death("the sender did not become ready")
        return False

    @property
    def _report_file(self) -> str:
        """The path of the HTML report while it is being written, else empty."""
        report = self.tail.report
        return report.file if report is not None and report.state == "begun" else ""

    def show(self, now: float) -> None:
        """Tell the user what pytest waits for, if that takes a second: the results, or the report."""
        report = self._report_file
        if report != self.awaited:
            self.awaited, self.awaited_since, self.is_told = report, now, False
        if not self.is_told and now - self.awaited_since >= _QUIET_SECONDS:
            self.is_told = True
            self.notify(self.longest - (now - self.began if report else 0), report)

    def _death(self, reason: str) -> str:
        """Return the reason, with the error that the sender logged before it died, if it could."""
        from pytest_automation_report.spool.log import LAST_WORDS, Log  # noqa: PLC0415 - only without the ledger's end

        lines = Log(self.tail.path.with_name("sender.log")).tail(1)
        _, mark, last_words = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
        return f"{reason}: {last_words}" if mark else reason
