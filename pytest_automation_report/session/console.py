"""Run functions of the console command in a process of its own; and the base of plugins that look at collected tests.

pytest's process opens no socket and no store.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import to_builtins

from pytest_automation_report.delivery.launch import (
    BEGIN,
    NEEDED_CONSOLE,
    LaunchError,
    command_for,
    loader_environment,
    package_folders,
)
from pytest_automation_report.guards import Hooks, guarded
from pytest_automation_report.settings.settings import LOCAL_URL, Settings
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import printable
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.api.models import Token

_CHECKS_SECONDS: Final = 40  # three checks of 10 s each, and the start of Python


def check_before(settings: Settings, token: Token | None) -> None:
    """Raise `pytest.UsageError` if results cannot be sent; without a token they are sent later, which is allowed."""
    origin = settings.origins.get("preflight", "preflight")
    if settings.blocking_error:
        raise pytest.UsageError(f"{origin}: results cannot be sent: {settings.blocking_error}")
    if token is None:
        return
    start = {"endpoint": to_builtins(settings.endpoint), "token": token.value}
    try:
        printed = PrintingProcess("cli.doctor.print_failed_checks", start, seconds=_CHECKS_SECONDS).printed()
    except LaunchError as error:
        raise pytest.UsageError(f"{origin}: the checks could not be made: {error}: leave preflight out") from error
    if printed.strip():
        target = settings.url or settings.database
        raise pytest.UsageError(f"{origin}: {target} cannot be used: {printed.strip()}")


class PrintingProcess:
    """A function of the package that runs in an interpreter of its own, called with ``start``.

    Its name is as within the package: "cli.show.answer_failed". pytest goes on meanwhile. Raises `LaunchError` if it
    cannot be started.
    """

    def __init__(
        self,
        function: str,
        start: Mapping[str, object],
        *,
        seconds: int,
        environ: Mapping[str, str] | None = None,
        folder: str = system.ROOT,
    ) -> None:
        self._seconds = seconds
        line = Unpatched.encode({**start, "folders": package_folders(NEEDED_CONSOLE)})
        # The system ends it, since the clock of pytest's process may be a test's.
        alarm = f"from pytest_automation_report.system.here import system\nsystem.end_after({seconds})"
        module, _, name = function.rpartition(".")
        call = f"from pytest_automation_report.{module} import {name}\n{name}(start)"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text; secrets go through the pipe
                command_for(f"'pytest_automation_report'\n{BEGIN}{alarm}\n{call}"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=loader_environment() if environ is None else dict(environ),
            )
        except OSError as error:
            raise LaunchError(f"{sys.executable} could not be started: {error.strerror or error}") from error
        stdin, self._process.stdin = self._process.stdin, None
        assert stdin is not None
        with suppress(OSError), stdin:  # it may have ended: `printed` says why
            stdin.write(f"{line}\n".encode())

    def printed(self) -> str:
        """Wait for the end and return what was printed; raises `LaunchError` for an error, or when time was up."""
        out, err = self._process.communicate()
        status = self._process.returncode
        if status == system.TIME_IS_UP:
            raise LaunchError(f"automation-report's own process took longer than {self._seconds} s")
        if status:
            lines = err.decode("utf-8", "replace").strip().splitlines()
            raise LaunchError(lines[-1] if lines else f"exit code {status}")
        return out.decode("utf-8", "replace")

    def close(self) -> None:
        """End the process, if it was not waited for."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def console_process(
    function: str,
    arguments: Sequence[str],
    settings: Settings,
    *,
    seconds: int,
    environ: Mapping[str, str],
    root: Path,
    more: Mapping[str, object] = MappingProxyType({}),
) -> PrintingProcess:
    """Run a function on the project that a session reports to, as `PrintingProcess`; `LaunchError` without a process.

    ``start`` has its arguments, as of the console command, and ``more``.
    """
    way = ("database",) if settings.endpoint.is_embedded else ("url", "allow_http", "ca_file", "token_file")
    options = console_options(settings.changed(url=settings.url or LOCAL_URL), "project_id", "source", "url", *way)
    start = {"arguments": [*arguments, *options], **more}
    return PrintingProcess(function, start, seconds=seconds, environ=environ, folder=str(root))


def console_options(settings: Settings, *names: str) -> list[str]:
    """Return the options of the console command for the settings of these names that have a value."""
    values = {f"--{name.replace('_', '-')}": getattr(settings, name) for name in names}
    return [option if value is True else f"{option}={value}" for option, value in values.items() if value]


class CollectionHooks(Hooks):
    """Base of plugins that look at the collected tests, in each process that collects.

    xdist's controller hands ``sent`` to its workers under ``key``. They all collect the same tests, and hand back what
    they ``found``: lines for the summary, and whether a session without a test passes.
    """

    key: str
    sent: Any
    found: tuple[Sequence[str], bool] = ((), False)

    @property
    def lines(self) -> Sequence[str]:
        """The lines of the summary."""
        return self.found[0]

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Tell an xdist worker, which may be on another machine, what to do."""
        node.workerinput[self.key] = self.sent

    # trylast: the exit status of other plugins counts.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Let a session pass that has no test for a good reason; tell the controller what a worker found."""
        if self.found[1] and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[self.key] = self.found

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Read what a worker found."""
        del error
        self.found = getattr(node, "workeroutput", {}).get(self.key, self.found)

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was found."""
        for line in self.lines:
            terminalreporter.write_line(printable(f"automation report: {line}"))
