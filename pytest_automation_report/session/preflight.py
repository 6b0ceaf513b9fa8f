"""Run code of the console command in a process of its own: pytest's must not load the HTTP client."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
from msgspec import to_builtins

from pytest_automation_report.delivery.launch import (
    BEGIN,
    NEEDED,
    NEEDED_CONSOLE,
    NEEDED_EMBEDDED,
    LaunchError,
    command_for,
    folders_of,
    loader_environment,
)
from pytest_automation_report.settings.settings import LOCAL_URL, Settings
from pytest_automation_report.system.here import system
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.api.models import Token

_CHECKS: Final = """\
from pytest_automation_report.cli.checks import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print('; '.join(check.line for check in checks if check.state == 'failed'))
"""
_CHECKS_SECONDS: Final = 40  # three checks of 10 s each, and the start of Python


def check_before(configuration: Settings, token: Token | None) -> None:
    """Raise `pytest.UsageError` if results cannot be sent; without a token they are sent later, which is allowed."""
    origin = configuration.origins.get("preflight", "preflight")
    if configuration.blocking_error:
        raise pytest.UsageError(f"{origin}: results cannot be sent: {configuration.blocking_error}")
    if token is None:
        return
    endpoint = configuration.endpoint
    needed = NEEDED_EMBEDDED if endpoint.is_embedded else NEEDED
    start = {"endpoint": to_builtins(endpoint), "token": token.value}
    try:
        printed = PrintingProcess(_CHECKS, start, needed=needed, seconds=_CHECKS_SECONDS).printed()
    except LaunchError as error:
        raise pytest.UsageError(f"{origin}: the checks could not be made: {error}: leave preflight out") from error
    if printed.strip():
        target = configuration.url or configuration.database
        raise pytest.UsageError(f"{origin}: {target} cannot be used: {printed.strip()}")


class PrintingProcess:
    """Python code, to which ``start`` is a variable, that runs in an interpreter of its own while pytest goes on.

    ``needed`` are the packages that it imports. Raises `LaunchError` if it cannot be started.
    """

    def __init__(
        self,
        code: str,
        start: Mapping[str, object],
        *,
        needed: Iterable[str],
        seconds: int,
        environ: Mapping[str, str] | None = None,
        folder: str = system.ROOT,
    ) -> None:
        self._seconds = seconds
        line = Unpatched.encode({**start, "folders": folders_of(needed)})
        # The system ends it, since the clock of pytest's process may be a test's.
        alarm = f"from pytest_automation_report.system.here import system\nsystem.end_after({seconds})"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text; secrets go through the pipe
                command_for(f"'pytest_automation_report'\n{BEGIN}{alarm}\n{code}"),
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
    code: str,
    arguments: Sequence[str],
    configuration: Settings,
    *,
    seconds: int,
    environ: Mapping[str, str],
    root: Path,
) -> PrintingProcess:
    """Run a command of the console on the project that a session reports to; `LaunchError` if it cannot be started."""
    start = {"arguments": [*arguments, *_connection_options(configuration)]}
    return PrintingProcess(code, start, needed=NEEDED_CONSOLE, seconds=seconds, environ=environ, folder=str(root))


def _connection_options(configuration: Settings) -> list[str]:
    options = ["--project-id", str(configuration.project_id), "--source", configuration.source]
    if configuration.endpoint.is_embedded:
        return [*options, "--url", LOCAL_URL, "--database", configuration.endpoint.database]
    options += ["--url", configuration.url, *(["--allow-http"] if configuration.allow_http else [])]
    options += ["--ca-file", configuration.ca_file] if configuration.ca_file else []
    return [*options, *(["--token-file", configuration.token_file] if configuration.token_file else [])]
