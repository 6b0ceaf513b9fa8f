"""Print how to look at a run: its web address, or the command that opens its page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.cli.context import echo_stderr
from pytest_automation_report.summary.console_command import console_command
from pytest_automation_report.summary.lines import Shell, look_at, run_page

if TYPE_CHECKING:
    from pytest_automation_report.settings.configuration import Configuration


def user_shell() -> Shell:
    """Return the shell that this command was started from."""
    return Shell(Path.cwd(), lambda: console_command(os.environ, sys.executable))


def echo_link(configuration: Configuration, run_id: int) -> None:
    """Print the web address of a run on stderr; nothing for the embedded store, which is not always served."""
    address = run_page(configuration, run_id)
    if address:
        echo_stderr(f"look at it: {address}")


def echo_how_to_look(configuration: Configuration, run_id: int) -> None:
    """Print on stderr how to look at a run, whether it is on a server or in the embedded store."""
    echo_stderr(f"look at it: {look_at(configuration, run_id, user_shell())}")
