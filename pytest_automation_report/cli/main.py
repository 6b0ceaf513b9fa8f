"""The console command ``automation-report``.

Ids and JSON are printed on stdout, messages for users on stderr. Exit codes: 0 done, 1 refused by the server, 2
usage or configuration, 3 not delivered and kept, 4 token missing or refused, 5 stopped by gate.
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from typing import Any, Final, cast

import click

from pytest_automation_report import __version__
from pytest_automation_report.cli.context import Exit, echo_stderr
from pytest_automation_report.cli.help import add_help, describe

_OF_STREAMS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
"""Errors of writing to a stream. A reader that has ended (EPIPE) is handled by click."""


_COMMANDS: Final = {
    "doctor": ("doctor", "doctor"),
    "exec": ("execute", "exec"),
    "flaky": ("flaky", "findings"),
    "gate": ("gate", "findings"),
    "html": ("html", "html"),
    "open": ("open_run", "open"),
    "run": ("run", "run", "show", "findings", "export"),
    "send": ("send", "send"),
    "serve": ("serve", "serve"),
    "spool": ("spool", "spool"),
    "store": ("store", "store"),
    "submit": ("submit", "submit"),
}
"""For each command its name in Python, its module in this folder, and the modules that add commands to it."""


class Console(click.Group):
    """The group of all commands: each is imported when it is asked for, since all together take 0.1 s.

    An error of writing to stdout is one line instead of a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None for a name that none has."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            attribute, *names = _COMMANDS[cmd_name]
            modules = [import_module(f"pytest_automation_report.cli.{module}") for module in names]
            command = cast("click.Command", getattr(modules[0], attribute))
            add_help(command, cmd_name)
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def main(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command, and end the process with its exit code."""
        try:
            return super().main(*args, **more)
        except OSError as error:
            if error.errno not in _OF_STREAMS or error.filename is not None:
                raise
            sys.stdout = None  # Python would write again at its end, and that error would change the exit code
            echo_stderr(f"stdout: cannot be written: {error.strerror or error}")
            sys.exit(Exit.USAGE)


@click.group(cls=Console, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="automation-report")
def main() -> None:
    """Report test sessions to the Testmo automation runs API, or to an embedded server of the same API.

    Settings count as they do for pytest: options, then AUTOMATION_REPORT_* variables, then pytest's ini file. The
    token comes from AUTOMATION_REPORT_TOKEN, TESTMO_TOKEN or the file of --token-file, never from an argument.

    \b
    Exit codes: 0 done, 1 refused by the server, 2 usage or configuration,
    3 not delivered and kept, or a run that is not whole,
    4 token missing or refused, 5 stopped by gate.
    """  # noqa: D301 - click reads the backslash as: keep these lines


describe(main)
