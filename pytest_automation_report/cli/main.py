"""The console command ``automation-report``: its commands, and their summaries and examples."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from inspect import cleandoc
from io import TextIOWrapper
from typing import Any, Final, cast

import click

from pytest_automation_report import __version__
from pytest_automation_report.cli.context import EXIT_CODES, Command, Exit, SettingOption, echo_stderr

_OF_STREAMS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
"""Errors of writing to a stream. Click handles a reader that has ended (EPIPE)."""

_COMMANDS: Final = {
    "doctor": ("doctor", "doctor"),
    "exec": ("execute", "submit"),
    "failures": ("failures", "show"),
    "flaky": ("flaky", "findings"),
    "gate": ("gate", "findings"),
    "html": ("html", "show"),
    "known": ("known", "findings"),
    "open": ("open_run", "show"),
    "run": ("run", "run", "show", "findings", "finish"),
    "send": ("send", "send"),
    "serve": ("serve", "serve"),
    "server": ("server", "store"),
    "spool": ("spool", "send"),
    "store": ("store", "store"),
    "submit": ("submit", "submit"),
}
"""For each command its name in Python, its module in this folder, and the modules that add commands to it."""


class Console(click.Group):
    """The group of all commands. Each is imported when it is asked for: all together take 0.1 s."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None for an unknown name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            attribute, *names = _COMMANDS[cmd_name]
            modules = [import_module(f"pytest_automation_report.cli.{module}") for module in names]
            command = cast("click.Command", getattr(modules[0], attribute))
            add_help(command, cmd_name)
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def main(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command, and end the process with its exit code; an error of stdout is one line, no traceback."""
        if isinstance(sys.stdout, TextIOWrapper):  # pipes on Windows have an encoding without most characters
            sys.stdout.reconfigure(errors="backslashreplace")
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
    """


_CODES: Final = ", ".join(f"{code:d} {meaning.partition(';')[0]}" for code, meaning in EXIT_CODES.items())
main.help = f"{cleandoc(main.help or '')}\n\nExit codes: {_CODES}."

HELP: Final[dict[str, tuple[str, str]]] = {
    "": ("Report test results to Testmo or an embedded server.", 'exec --results "reports/*.xml" -- npm test'),
    "doctor": ("Check settings, network, token and spool.", "doctor"),
    "exec": ("Run a command and report it as one run.", 'exec --results "reports/*.xml" -- npm test'),
    "failures": ("Say what failed in a run.", "failures 71 --new --format markdown"),
    "flaky": ("List the flaky tests of a source.", "flaky --source shop --branch main"),
    "gate": ("Stop a pipeline at new failures.", "gate --new-failures 0 --known known-failures.txt"),
    "html": ("Write the pages of a run into one HTML file.", "html 71 -o report.html"),
    "known": ("Check a file of known failures.", "known known-failures.txt --check"),
    "open": ("Open the page of a run in the browser.", "open 71"),
    "run": ("Create, fill, complete and read runs.", 'run create --source shop --name "Nightly"'),
    "run append": ("Add fields and links to a run.", "run append 71 --field coverage=81%"),
    "run complete": ("Complete a run.", 'run complete --run-key "{pipeline}" --expect-jobs 4 --timeout 30m'),
    "run create": ("Create a run and print its id.", 'run create --source shop --name "Nightly"'),
    "run diff": ("Show what changed between two runs.", "run diff 70 71"),
    "run export": ("Write a run in a form that other tools read.", "run export 71 --format junit -o junit.xml"),
    "run findings": ("Show in numbers what changed in a run.", "run findings 71 --base 64"),
    "run finish": (
        "Wait for jobs, complete their run and judge it.",
        'run finish --run-key "{pipeline}" --expect-jobs 4 --gate',
    ),
    "run list": ("List the runs of the project.", "run list --status open --older-than 2h"),
    "run show": ("Show one run, or one of its tests.", "run show 71"),
    "send": ("Send the results that the spool holds.", "send --url https://example.testmo.net --project-id 1"),
    "serve": ("Serve the embedded store and its pages.", "serve --open"),
    "server": ("Manage a server.", "server token list"),
    "server token": ("Create, list and revoke the tokens of a server.", "server token list"),
    "server token create": ("Create a token and print it, once.", "server token create ci --role report --project 1"),
    "server token list": ("List the tokens.", "server token list"),
    "server token revoke": ("Revoke a token.", "server token revoke ci"),
    "spool": ("List or remove results that were not sent.", "spool list"),
    "spool drop": ("Remove sessions whose results nobody will send.", "spool drop --all"),
    "spool list": ("List the sessions in the spool.", "spool list --json"),
    "store": ("Back up, check and prune the embedded store.", "store check"),
    "store backup": ("Copy the store to a new file.", "store backup backup.sqlite3"),
    "store check": ("Check the store and its counts.", "store check"),
    "store prune": ("Remove old runs and their artifacts.", "store prune --older-than 90d --dry-run"),
    "submit": ("Send results from JUnit XML files.", 'submit "reports/**/*.xml" --source shop'),
}
"""For each command its summary in one short sentence, and the arguments of its example."""


_ADDING: Final = frozenset({"exec", "run create", "submit"})
# Options that matter most to a command, where these are not all that are no settings.
_MATTER: Final = {
    "exec": ("patterns", "source", "run_key"),
    "run create": ("source", "name", "run_key"),
    "serve": ("is_opened", "port", "allow_remote"),
    "submit": ("source", "name", "run_key"),
}
# Of commands that make no run and add no results.
_OF_READERS: Final = {
    "facts": "Find the run by facts of CI and git, CI or none.",
    "run_id": "Id of the run.",
    "run_key": "Key of the run that jobs share, as {pipeline}.",
    "source": "Name of the source; default: the project's name.",
}


def add_help(command: click.Command, path: str = "") -> None:
    """Give a command, and those below it that are loaded, their summaries and examples."""
    command.short_help, example = HELP[path]
    if isinstance(command, Command):
        command.first = _MATTER.get(path, ())
    command.epilog = f"\b\nExample:\n  automation-report {example}"
    for parameter in command.params:
        if not isinstance(parameter, SettingOption):
            continue
        if path not in _ADDING and parameter.name in _OF_READERS:
            parameter.help = _OF_READERS[parameter.name]
        if parameter.name == "database":
            is_store = path.partition(" ")[0] in {"serve", "server", "store"}  # whose store may be in a database
            what = "store, or its postgresql:// address" if is_store else "embedded store"
            parameter.help = f"File of the {what}."
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_help(inner, f"{path} {name}")


add_help(main)
