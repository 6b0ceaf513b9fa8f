"""``automation-report store``: back up, check and prune the embedded store."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import asdict

from pytest_automation_report.cli.context import (
    AGE,
    Exit,
    NoStoreError,
    echo_stderr,
    setting_options,
    stored_at,
    with_exit_codes,
)
from pytest_automation_report.cli.output import echo_result
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store import maintenance
from pytest_automation_report.server.store.contents import remove_unused
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ApiError, DiskFullError
from pytest_automation_report.text.terminal import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_automation_report.api.models import PostgresDatabase
    from pytest_automation_report.server.store.maintenance import OldRun

_SHOWN_PROBLEMS: Final = 20


@contextmanager
def opened_store(place: Path | PostgresDatabase) -> Iterator[Store]:
    """Yield the opened store; raises `NoStoreError` for a missing file, `StoreError` if it is busy."""
    if isinstance(place, Path) and not place.exists():
        raise NoStoreError(place)
    store = Store(place, must_exist=True)
    try:
        yield store
    except (ApiError, store.driver_error) as error:
        raise StoreError(f"{place}: {error}") from error
    finally:
        store.close()


@click.group()
def store() -> None:
    """Back up, check and prune the embedded store."""


@store.command()
@setting_options("database")
@with_exit_codes
def check(**options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Check that the store is whole and its counts are right. The exit code is 1 if they are not.

    The findings are a JSON document on stdout, unless both outputs are a terminal.
    """
    _, place = stored_at(options)
    with opened_store(place) as opened:
        findings = maintenance.check(opened)
    echo_result(json.dumps(asdict(findings), indent=2))
    for problem in findings.problems[:_SHOWN_PROBLEMS]:
        echo_stderr(problem)
    amount = len(findings.problems)
    looked_at = f"{quantity(findings.results, 'result')} in {quantity(findings.runs, 'run')}"
    echo_stderr(quantity(amount, "problem") if amount else f"{looked_at}: all right")
    return Exit.REFUSED if amount else Exit.DONE


@store.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@setting_options("database")
@with_exit_codes
def backup(target: Path, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Copy the store as it is now to a new FILE, also while it is served and written, and print its name."""
    _, place = stored_at(options)
    if not isinstance(place, Path):
        raise SettingError("--database", str(place), "PostgreSQL has a program of its own for this: pg_dump")
    if not place.exists():
        raise NoStoreError(place)
    size = maintenance.back_up(place, target)
    echo_result(target)
    echo_stderr(f"{place}: copied to {target}, {size:,} bytes")
    return Exit.DONE


@store.command()
@click.option("--keep-runs", type=click.IntRange(min=1), metavar="N", help="Keep the newest N runs of each source.")
@click.option("--older-than", type=AGE, help="Remove runs of this age: 30m, 12h, 90d or 8w.")
@click.option("--dry-run", is_flag=True, help="List the runs that would be removed, and remove nothing.")
@setting_options("database")
@with_exit_codes
def prune(keep_runs: int | None, older_than: float | None, *, dry_run: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Remove old runs with their results and the artifacts that only they refer to, and print their ids.

    Runs that are open and changed in the last day stay, and so does the newest run.
    """
    if (keep_runs is None) == (older_than is None):
        raise click.UsageError("name either --keep-runs N or --older-than AGE")
    _, place = stored_at(options)
    now = time.time_ns() // 1000
    age = None if older_than is None else int(older_than * 1_000_000)
    with opened_store(place) as opened:
        if age is not None:
            runs = opened.read(partial(maintenance.runs_before, time_us=now - age, now=now))
        else:
            runs = opened.read(partial(maintenance.runs_beyond, max_runs=keep_runs or 1, now=now))
        artifacts = 0
        if not dry_run:
            runs, artifacts = remove_old(opened, runs)
    for run in runs:
        click.echo(run.id)
    what = "would be removed" if dry_run else "removed"
    echo_stderr(f"{quantity(len(runs), 'run')} with {quantity(sum(run.results for run in runs), 'result')} {what}")
    if artifacts:
        echo_stderr(f"{quantity(artifacts, 'artifact')} that no run refers to {what}")
    return Exit.DONE


def remove_old(opened: Store, runs: Sequence[OldRun]) -> tuple[list[OldRun], int]:
    """Remove runs, each in a separate transaction so that others can write between them.

    Returns those that were removed: runs that have changed since they were chosen stay. And how many artifacts went
    because no run refers to them.
    """
    removed = []
    if runs:
        steps = sum(run.results + 1 for run in runs)
        with click.progressbar(length=steps, label="removing", file=sys.stderr) as bar:
            for run in runs:
                if opened.write(partial(maintenance.remove_unchanged, run)):
                    removed.append(run)
                bar.update(run.results + 1)
    for source in sorted({run.source for run in removed}):
        opened.write(partial(maintenance.remove_unused_tests, source))
    artifacts = opened.write(lambda writer: remove_unused(writer.connection, writer.now))
    if removed or artifacts:
        try:
            opened.compact()
        except DiskFullError:
            echo_stderr("the disk is full: the store gets no smaller now, but its space is used again")
        except ApiError:
            echo_stderr("the store is in use: it gets no smaller now, but its space is used again")
    return removed, artifacts
