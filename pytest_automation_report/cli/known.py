"""``automation-report known``: the entries of a file of known failures, and those that are to be removed."""

from __future__ import annotations

from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.api.models import SELECTION_FIELD
from pytest_automation_report.cli.context import (
    CONNECTION,
    Command,
    Exit,
    configuration_of,
    echo_result,
    echo_stderr,
    setting_options,
)
from pytest_automation_report.cli.queries import opened
from pytest_automation_report.findings.known import KnownFailure, KnownTests, known_failures, known_text, meant
from pytest_automation_report.server.store.values import RunStatus
from pytest_automation_report.text.limits import printable, quantity
from pytest_automation_report.text.node_ids import title_of

if TYPE_CHECKING:
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import ChangedTest

_RUNS: Final = 10
"""Runs in a row without a failure after which a known test no longer fails."""


def read_known(path: Path | None, name: str = "--known") -> list[KnownFailure]:
    """Return the entries of a file; raises `click.UsageError`, with the option's ``name``, if it cannot be read."""
    try:
        return [] if path is None else known_failures(known_text(path))
    except (OSError, ValueError) as error:
        hint = "name a file of known failures"
        reason = f"cannot be read ({error.strerror}): {hint}" if isinstance(error, OSError) else error
        raise click.UsageError(f"{name}: {path}: {reason}") from error


KNOWN_FILE: Final = click.option(
    "--known",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of known failures, if the sessions did not have it.",
)


def entry_of(test: ChangedTest, known: KnownTests) -> KnownFailure | None:
    """Return the entry that names a test of findings, else its session's entry, which has the line 0."""
    title = title_of(test["folder"], test["name"])
    entry = known.of(title, test["key"])
    if entry is not None or not test["known"]:
        return entry
    day, _, reason = test["known"].partition(" ")
    try:
        return KnownFailure(0, date.fromisoformat(day), title, reason)
    except ValueError:  # a user's own field
        return None


def is_excused(test: ChangedTest, known: KnownTests) -> bool:
    """Whether an entry whose day is not past excuses the failure of a test."""
    entry = entry_of(test, known)
    return test["kind"] == "known" if entry is None else not entry.is_past


@click.command("known", cls=Command)
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--check", is_flag=True, help="Exit code 1 if a line is past its date, no longer fails, or names no test."
)
@setting_options(*CONNECTION, "source", "known")
def known(file: Path | None, *, check: bool, **options: object) -> int:
    """Show the known failures of FILE, by default of the setting known, and what became of them.

    A test no longer fails if it failed in none of the last ten runs of the source.
    """
    configuration, _ = configuration_of(dict(options), prints_warnings=False)
    path = file or (Path(configuration.known) if configuration.known else None)
    if path is None:
        raise click.UsageError("name a file of known failures, or set automation_report_known")
    entries = read_known(path, "FILE" if file else configuration.origins["known"])
    named, names, runs, failed = _seen(options, entries)
    is_wrong = False
    for entry in entries:
        words = f"known until {entry.until}"
        if entry.is_past:
            words = f"past: it was known until {entry.until}"
        elif entry not in named:
            words = f"names no test of the last run{meant(entry.test, names)}"
        elif entry not in failed and runs >= _RUNS:
            words = f"no longer fails: not in the last {runs} runs"
        is_right = words.startswith("known")
        is_wrong |= not is_right
        echo_stderr(f"{path}:{entry.line}: {entry.test}: {words}", colour="" if is_right else "yellow")
        if not is_right:
            echo_result(entry.test)
    echo_stderr(quantity(len(entries), "known failure"))
    return Exit.REFUSED if check and is_wrong else Exit.DONE


def _seen(
    options: dict[str, object], entries: list[KnownFailure]
) -> tuple[set[KnownFailure], list[str], int, set[KnownFailure]]:
    """Return the entries that name a test of the last run, its tests, the number of runs, and what failed in them."""
    tests = KnownTests(entries)

    def entry_of(test: ExportedTest) -> KnownFailure | None:
        return tests.of(test.node_id, test.title, test.key)

    with opened(options, is_source_needed=True) as reading:
        source = reading.source_id(reading.configuration.source)
        completed = (RunStatus.SUCCESS, RunStatus.FAILURE)
        pages = run_pages(reading.client, source_id=(source,), status=completed)
        # A part of the suite says nothing of the tests that it left out.
        whole = (run for page in pages for run in page.result if not run.field_value(SELECTION_FIELD))
        runs = [run.id for run in islice(whole, _RUNS)]
        failed = {entry for run in runs for test in reading.tests(run, only_failures=True) if (entry := entry_of(test))}
        named = {entry for run in runs[:1] for test in reading.tests(run, are_whole=False) if (entry := entry_of(test))}
        # Only whole results have node ids.
        last = runs[:1] if len(named) < len(entries) else []
        names = [printable(test.node_id) for run in last for test in reading.tests(run) if test.node_id]
    return named, names, len(runs), failed
