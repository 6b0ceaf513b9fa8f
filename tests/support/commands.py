"""Runs console commands in this process, which has their folder and environment meanwhile."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from pytest_automation_report.cli.main import main
from support.canary import holds_token
from support.sessions import TOKEN, Ran, run, session_environment

_IN_PROCESSES = {"exec", "open", "serve"}
"""Commands that change this process, or go on until a signal comes."""


def command_runner() -> CliRunner:
    """Return click's runner with both outputs apart: before 8.2 it mixes them unless told not to."""
    options: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    return CliRunner(**options)


def run_command(
    folder: Path, arguments: Sequence[str], env: Mapping[str, str] | None = None, exits: int | None = None
) -> Ran:
    """Run a console command, and return what it left; fails if it does not end with the status ``exits``.

    It runs in this process, and what it lets go on, which would be a traceback, is raised. One that changes its
    process, or reads its environment when Python starts, has a process of its own.
    """
    env = env if env is not None else session_environment()
    is_other = arguments[0] in _IN_PROCESSES or "--help" in arguments  # click's runner has other lines of help
    if is_other or _at_the_start(env) != _at_the_start(os.environ):
        return run([sys.executable, "-m", "pytest_automation_report.cli", *arguments], folder, env, exits=exits)
    with in_surroundings(folder, env):
        done = command_runner().invoke(main, arguments, prog_name="automation-report")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    ran = Ran(done.exit_code, done.stdout, done.stderr)
    assert not holds_token(ran.text.encode(errors="replace"), TOKEN)
    assert exits is None or ran.exit == exits, ran.text
    return ran


@contextmanager
def in_surroundings(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Give this process another folder and another environment."""
    before = Path.cwd()
    with patch.dict(os.environ, env, clear=True):
        os.chdir(folder)
        time.tzset()
        try:
            yield
        finally:
            os.chdir(before)
    time.tzset()


def _at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "LANG", "LD_"))}
