"""What a session tells the people who started it: its header, its summary, the page of its CI job."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_automation_report.annotations.user_hooks import UserErrors
from pytest_automation_report.ci.detection import SUMMARY_VARIABLE
from pytest_automation_report.session.runtest_hooks import InternalErrors, guarded
from pytest_automation_report.summary.console_command import console_command
from pytest_automation_report.summary.lines import Shell, header_line, report_lines, target
from pytest_automation_report.text.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.summary.lines import SessionOutcome
    from pytest_automation_report.text.redaction import TextCleaner


class TerminalReport:
    """The lines about one session, told once: in pytest's summary, or at its end where it writes none.

    ``troubles`` are to be told as they are, ``hook_troubles`` and ``faults`` after they were cleaned. ``ending`` is set
    when the session's results are counted.
    """

    def __init__(
        self, config: pytest.Config, environ: Mapping[str, str], cleaner: TextCleaner, faults: InternalErrors
    ) -> None:
        self.faults = faults
        self.troubles: list[str] = []
        self.hook_troubles = UserErrors()
        self.ending: SessionOutcome | None = None
        self._here = config.invocation_params.dir
        self._root = config.rootpath
        self._environ = environ
        self._cleaner = cleaner
        self._is_told = False
        self._compared: list[str] = []
        self._last: list[str] = []
        self._config = config
        self._job_lines: list[str] = []

    def header(self, configuration: Configuration, key: str) -> str:
        """Return where results go; ``key`` is that of the run, empty where no jobs share one."""
        return printable(header_line(configuration, self._here, key=key))

    @guarded
    def show_on_job(self, configuration: Configuration, ending: SessionOutcome) -> None:
        """Tell the page of the CI job what became of the session."""
        is_github = bool(self._environ.get("GITHUB_ACTIONS"))  # where failures are marked by default
        is_shown = configuration.ci_annotations or is_github
        if is_shown or (configuration.job_summary and self._environ.get(SUMMARY_VARIABLE)):
            from pytest_automation_report.summary.ci_page import JobOutput  # noqa: PLC0415 - only where it is shown

            job = JobOutput(configuration, self._environ, root=self._root, shell=self._shell)
            job.write(configuration, ending, self._all_troubles())
            self._job_lines = job.lines
            self.troubles += job.troubles

    @guarded
    def compare(self, configuration: Configuration, folder: SessionFolder | None, rules: RecordingOptions) -> None:
        """Compare with pytest's XML: as late as the summary, when all that write at the session's end have done so."""
        shown_path = configuration.compare_junit
        if shown_path and folder is not None and not self._is_told:
            from pytest_automation_report.junit.comparison import comparison_lines  # noqa: PLC0415 - only where asked for

            path = self._here / Path(shown_path).expanduser()
            self._compared = comparison_lines(folder, rules, path, shown_path)

    def tell_wait(self, configuration: Configuration, longest: float) -> None:
        """Print that pytest waits for the delivery, and how to end that, where it writes to a terminal."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        where = target(configuration, self._here)
        line = (
            f"automation report: waiting for the last results to reach {where}, at most {longest:g} s"
            " (Ctrl-C ends the wait; what is not delivered is kept)"
        )
        with suppress(OSError, ValueError):  # a terminal that is gone or closed changes nothing about the session's end
            reporter.ensure_newline()
            if (
                self._config.get_terminal_writer().width_of_current_line
            ):  # xdist's dots, of which the reporter does not know
                reporter.line("")
            reporter.write_line(printable(line))
            reporter.flush()

    def explain_strict(self, configuration: Configuration, exit_status: int) -> None:
        """Add the line on an exit status that is ours: tests passed, and not every result was delivered."""
        origin = configuration.origins.get("strict", "strict")
        self._last = [f"exit status {exit_status}: all tests passed, but not all results were delivered ({origin})"]

    def tell(self, reporter: pytest.TerminalReporter, configuration: Configuration) -> None:
        """Say in pytest's summary what was delivered, where, and what to do about the rest."""
        lines = self._lines(configuration, reporter.verbosity, reporter.stats)
        self._is_told = True
        for line in self._job_lines:
            reporter.write_line(line)
        if lines:
            # Not `section`: that leaves the line of dots open, and the first line below it would end it.
            reporter.write_sep("=", "automation report")
            for line in lines:
                reporter.write_line(line)

    def tell_at_last(self, config: pytest.Config, configuration: Configuration) -> None:
        """Say the same on the standard streams, unless it was said."""
        if self._is_told:
            return
        _write(sys.stdout, self._job_lines)
        lines = self._lines(configuration, _verbosity(config))
        if lines:
            _write(sys.stderr, ["automation report:", *lines])

    def _lines(
        self, configuration: Configuration, verbosity: int, stats: Mapping[str, Sequence[object]] | None = None
    ) -> list[str]:
        lines = report_lines(
            configuration,
            self.ending,
            self._all_troubles(),
            shell=self._shell,
            verbosity=verbosity,
            stats=stats,
        )
        return [*map(printable, lines), *map(printable, (*self._compared, *self._last))]

    @property
    def _shell(self) -> Shell:
        return Shell(self._here, console_command(self._environ, sys.executable))

    def _all_troubles(self) -> list[str]:
        faults = [f"error in reporting: {each}" for each in self.faults.texts]
        return [*self.troubles, *map(self._cleaner.string, (*self.hook_troubles.texts, *faults))]


def _write(stream: TextIO | None, lines: Sequence[str]) -> None:
    """Write lines to a standard stream, with what its encoding does not have spelled out.

    One that is closed or takes nothing changes nothing about the end of pytest; there is nowhere left to tell it.
    """
    if stream is None or not lines:
        return
    text, encoding = "".join(f"{each}\n" for each in lines), stream.encoding or "ascii"
    with suppress(OSError, ValueError):  # the latter of a stream that is closed
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _verbosity(config: pytest.Config) -> int:
    """Return how much to tell where pytest writes no summary: as much as in one, unless that was switched off."""
    is_shown = config.pluginmanager.has_plugin("terminalreporter") and not getattr(config.option, "no_summary", False)
    return config.get_verbosity() if is_shown else -2
