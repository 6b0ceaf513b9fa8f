"""Run code of the console command in a process of its own: pytest's must not load the HTTP client."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from msgspec import to_builtins

from pytest_automation_report.delivery.launch import (
    BEGIN,
    NEEDED,
    NEEDED_EMBEDDED,
    LaunchError,
    command_for,
    folders_of,
    loader_environment,
)
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.settings.settings import Settings

_CHECKS: Final = """\
from pytest_automation_report.cli.checks import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print('; '.join(check.line for check in checks if check.state == 'failed'))
"""
_CHECKS_SECONDS: Final = 40


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
        printed = printed_by(_CHECKS, start, needed=needed, seconds=_CHECKS_SECONDS)
    except LaunchError as error:
        raise pytest.UsageError(f"{origin}: the checks could not be made: {error}: leave preflight out") from error
    if printed.strip():
        target = configuration.url or configuration.database
        raise pytest.UsageError(f"{origin}: {target} cannot be used: {printed.strip()}")


def printed_by(
    code: str,
    start: Mapping[str, object],
    *,
    needed: Iterable[str],
    seconds: int,
    environ: Mapping[str, str] | None = None,
    folder: str = "/",
) -> str:
    """Run Python code, to which ``start`` is a variable, in an interpreter of its own; return what it prints.

    ``needed`` are the packages that it imports. Raises `LaunchError` if it fails, or takes longer than ``seconds``.
    """
    line = Unpatched.encode({**start, "folders": folders_of(needed)})
    # The kernel ends it, since the clock of pytest's process may be a test's.
    alarm = f"signal.alarm({seconds})"
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and text; secrets go through the pipe
            command_for(f"'pytest_automation_report'\n{BEGIN}{alarm}\n{code}"),
            input=f"{line}\n".encode(),
            capture_output=True,
            cwd=folder,
            env=loader_environment() if environ is None else dict(environ),
            check=False,
        )
    except OSError as error:
        raise LaunchError(f"{sys.executable} could not be started: {error.strerror or error}") from error
    if done.returncode == -signal.SIGALRM:
        raise LaunchError(f"it took longer than {seconds} s")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LaunchError(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout.decode("utf-8", "replace")
