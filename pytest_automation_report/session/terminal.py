"""Show a session to the people who started it: header, summary, the page of its CI job."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_automation_report.annotations.hooks import UserErrors
from pytest_automation_report.ci.detection import SUMMARY_VARIABLE
from pytest_automation_report.guards import InternalErrors, guarded
from pytest_automation_report.summary.lines import Shell, header_line, relative_to_cwd, report_lines, target
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

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
        self._warnings = list(setup.configuration.warnings)
        # Lines of the CI provider's page that go to stdout, such as GitHub's marks of failures.
        self._ci_lines: list[str] = []
        self._comparison: list[str] = []
        self._strict_lines: list[str] = []
        # True after the lines were written: pytest writes no summary if it stops early, or with `-p no:terminal`.
        self._is_shown = False

    def warn(self, text: str) -> None:
        """Show a warning with the outcome; the text must be free of secrets."""
        self._warnings.append(text)

    def warn_once(self, text: str) -> None:
        """Show a warning unless the same text is shown already."""
        if text not in self._warnings:
            self.warn(text)

    def header(self) -> str:
        """Return the line for the head of pytest's output, with the target of the results."""
        return printable(header_line(self.configuration, self._cwd, key=self.run_key))

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
            from pytest_automation_report.junit.parsing import comparison_lines  # noqa: PLC0415 - only if the setting is on

            path = self._cwd / Path(shown_path).expanduser()
            self._comparison = comparison_lines(folder, self._options, path, shown_path)

    def write_wait(self, max_seconds: float, report: str) -> None:
        """Print that pytest waits for the delivery, or for the report if that has a path: how long, how to end it."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        awaited = f"waiting for the last results to reach {target(self.configuration, self._cwd)}"
        ends = "what is not delivered is kept"
        if report:
            awaited = f"all results are delivered, waiting for the report {relative_to_cwd(Path(report), self._cwd)}"
            ends = "the report is written all the same"
        line = f"automation report: {awaited}, at most {max_seconds:.3g} s (Ctrl-C ends the wait; {ends})"
        with suppress(OSError, ValueError):  # A terminal that is gone or closed must not end the session differently.
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.line("")  # xdist prints its dots past the reporter, which sees no open line.
            reporter.write_line(printable(line))
            reporter.flush()

    def explain_strict(self, exit_status: int) -> None:
        """Add the line that explains our exit status: all tests passed, and a result was not delivered."""
        origin = self.configuration.origins.get("strict", "strict")
        self._strict_lines = [
            f"exit status {exit_status}: all tests passed, but not all results were delivered ({origin})"
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
        lines = self._lines(_verbosity(self._config))
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

    @property
    def _shell(self) -> Shell:
        def command() -> tuple[str, ...]:
            from pytest_automation_report.summary.console_command import console_command  # noqa: PLC0415 - only to name it

            return console_command(self._environ, sys.executable)

        return Shell(self._cwd, command)

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


def _verbosity(config: pytest.Config) -> int:
    """Return pytest's verbosity, or the lowest if the user has switched pytest's summary off."""
    is_shown = config.pluginmanager.has_plugin("terminalreporter") and not getattr(config.option, "no_summary", False)
    return config.get_verbosity() if is_shown else -2
