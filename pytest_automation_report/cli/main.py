"""The console command ``automation-report``.

Ids and JSON are printed on stdout, messages for users on stderr. Exit codes: 0 done, 1 refused by the server, 2
usage or configuration, 3 not delivered and kept, 4 token missing or refused.
"""

from __future__ import annotations

import errno
import sys
from typing import Any, Final

import click

from pytest_automation_report import __version__
from pytest_automation_report.cli.context import Exit, echo_stderr
from pytest_automation_report.cli.doctor import doctor
from pytest_automation_report.cli.exec import execute
from pytest_automation_report.cli.export import export
from pytest_automation_report.cli.findings import flaky, gate
from pytest_automation_report.cli.help import add_help
from pytest_automation_report.cli.html import html
from pytest_automation_report.cli.milestone import milestone
from pytest_automation_report.cli.open import open_run
from pytest_automation_report.cli.run import run
from pytest_automation_report.cli.send import send
from pytest_automation_report.cli.serve import serve
from pytest_automation_report.cli.spool import spool
from pytest_automation_report.cli.status import status
from pytest_automation_report.cli.store import store
from pytest_automation_report.cli.submit import submit

_OF_STREAMS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
"""Errors of writing to a stream. A reader that has ended (EPIPE) is handled by click."""


class Console(click.Group):
    """The group of all commands; an error of writing to stdout is one line instead of a traceback."""

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
    3 not delivered and kept, 4 token missing or refused, 5 stopped by gate.
    """  # noqa: D301 - click reads the backslash as: keep these lines


main.add_command(doctor)
main.add_command(milestone)
main.add_command(execute)
main.add_command(flaky)
main.add_command(gate)
main.add_command(html)
main.add_command(open_run)
run.add_command(export)
main.add_command(run)
main.add_command(send)
main.add_command(serve)
main.add_command(spool)
main.add_command(status)
main.add_command(store)
main.add_command(submit)
add_help(main)
