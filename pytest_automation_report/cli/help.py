"""Examples and summaries of the commands."""

from __future__ import annotations

from typing import Final

import click

HELP: Final[dict[str, tuple[str, str]]] = {
    "": ("Report test results to Testmo or an embedded server.", 'exec --results "reports/*.xml" -- npm test'),
    "doctor": ("Check settings, network, token and spool.", "doctor"),
    "exec": ("Run a command and report it as one run.", 'exec --results "reports/*.xml" -- npm test'),
    "flaky": ("List the flaky tests of a source.", "flaky --source shop --branch main"),
    "gate": ("Stop a pipeline at new failures.", "gate --new-failures 0 --known known-failures.txt"),
    "html": ("Write the pages of a run into one HTML file.", "html 71 -o report.html"),
    "open": ("Open the page of a run in the browser.", "open 71"),
    "run": ("Create, fill, complete and read runs.", 'run create --source shop --name "Nightly"'),
    "run append": ("Add fields and links to a run.", "run append 71 --field coverage=81%"),
    "run complete": ("Complete a run.", 'run complete --run-key "{pipeline}" --expect-jobs 4 --timeout 30m'),
    "run create": ("Create a run and print its id.", 'run create --source shop --name "Nightly"'),
    "run diff": ("Show what changed between two runs.", "run diff 70 71"),
    "run export": (
        "Write a run in a form that other tools read.",
        "run export 71 --format junit -o junit.xml",
    ),
    "run failed": ("Print the keys of a run's failed tests.", "run failed 71"),
    "run findings": ("Show what changed in a run, and why tests fail.", "run findings 71 --base 64"),
    "run list": ("List the runs of the project.", "run list --status open --older-than 2h"),
    "run show": ("Show one run, or its failures as Markdown.", "run show 71"),
    "send": ("Send the results that the spool holds.", "send --url https://example.testmo.net --project-id 1"),
    "serve": ("Serve the embedded store and its pages.", "serve --open"),
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

_ADDRESSES: Final = frozenset({"serve", "store"})
"""Commands that work in the store itself, which may be in a database."""


def add_help(command: click.Command, path: str) -> None:
    """Give a command and those below it their summaries and examples."""
    describe(command, path)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_help(inner, f"{path} {name}")


def describe(command: click.Command, path: str = "") -> None:
    """Give a command its summary and example."""
    if path in HELP:
        command.short_help, example = HELP[path]
        command.epilog = f"\b\nExample:\n  automation-report {example}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name == "database":
            is_store = path.partition(" ")[0] in _ADDRESSES
            parameter.help = (
                "File of the store, or its postgresql:// address; default: .automation-report/store.sqlite3."
                if is_store
                else "File of the embedded store, used without --url; default: .automation-report/store.sqlite3."
            )
