"""``automation-report store``: back up, check and prune the store; ``server token``: its tokens."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click
from msgspec.structs import asdict

from pytest_automation_report.api.models import is_bucket, shown_store
from pytest_automation_report.cli.context import (
    AGE,
    CommandGroup,
    Exit,
    NoStoreError,
    echo_result,
    echo_stderr,
    echo_table,
    setting_options,
    stored_at,
)
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.backup import back_up
from pytest_automation_report.server.store.checks import check_store
from pytest_automation_report.server.store.removal import old_runs, remove_runs
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.tokens import Grant, Role, create_token, grants, revoke_token
from pytest_automation_report.server.store.values import ApiError, iso_time
from pytest_automation_report.settings.servers import bucket_error
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_automation_report.server.store.removal import OldRun

_SHOWN_ERRORS: Final = 20


@contextmanager
def opened_store(options: dict[str, object]) -> Iterator[Store]:
    """Yield the store of a command; raises `NoStoreError` without one, `StoreError` for a failure of the database."""
    place = stored_at(options)[1]
    if isinstance(place, Path) and not place.exists():
        raise NoStoreError(place, "report a session here or start automation-report serve")
    store = Store(place, must_exist=True)
    try:
        yield store
    except (ApiError, store.driver_error) as error:
        raise StoreError(f"{place}: {error}") from error
    finally:
        store.close()


@click.group(cls=CommandGroup)
def store() -> None:
    """Back up, check and prune the embedded store."""


@store.command()
@setting_options("database")
def check(**options: object) -> int:
    """Check that the store is whole and its counts are right. The exit code is 1 if they are not.

    The findings are a JSON document on stdout, unless both outputs are a terminal.
    """
    with opened_store(options) as opened:
        findings = check_store(opened)
    echo_result(json.dumps(asdict(findings), indent=2))
    for error in findings.errors[:_SHOWN_ERRORS]:
        echo_stderr(error)
    if findings.errors:
        echo_stderr(quantity(len(findings.errors), "error"))
        return Exit.REFUSED
    echo_stderr(f"{quantity(findings.results, 'result')} in {quantity(findings.runs, 'run')}: all right")
    return Exit.DONE


@store.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@setting_options("database")
def backup(target: Path, **options: object) -> int:
    """Copy the store as it is now to a new FILE, also while it is served and written, and print its name."""
    _, place = stored_at(options)
    if not isinstance(place, Path):
        raise SettingError("--database", str(place), "PostgreSQL has a program of its own for this: pg_dump")
    if not place.exists():
        raise NoStoreError(place)
    size = back_up(place, target)
    echo_result(target)
    echo_stderr(f"{place}: copied to {target}, {size:,} bytes")
    return Exit.DONE


# An option and no setting: the ini file of a foreign checkout must not choose whose files are removed.
def bucket_address(_: click.Context, __: click.Parameter, address: str | None) -> str:
    """Return the address of a bucket, "" without one; raises `click.UsageError` for another one."""
    if not address:
        return ""
    if not is_bucket(address):
        raise click.BadParameter(f"{shown_store(address)!r} is no bucket: write s3://NAME, gs://NAME or az://NAME")
    if (error := bucket_error(address, "--artifact-store")) is not None:
        raise click.UsageError(str(error))
    return address


BUCKET_HELP: Final = "Bucket whose files go with their runs."


@store.command()
@click.option("--keep-runs", type=click.IntRange(min=1), metavar="N", help="Keep the newest N runs of each source.")
@click.option("--older-than", type=AGE, help="Remove runs of this age: 30m, 12h, 90d or 8w.")
@click.option("--artifact-store", callback=bucket_address, metavar="ADDRESS", help=BUCKET_HELP)
@click.option("--dry-run", is_flag=True, help="List the runs that would be removed, and remove nothing.")
@click.option("--compact", is_flag=True, help="Give the free space back to the disk: PostgreSQL locks each table until"
              " it has rewritten it, SQLite the file. Without it new results use that space.")  # fmt: skip
@setting_options("database")
def prune(
    keep_runs: int | None,
    older_than: float | None,
    artifact_store: str,
    *,
    dry_run: bool,
    compact: bool,
    **options: object,
) -> int:
    """Remove old runs with their results and the artifacts that only they refer to, and print their ids.

    Runs that are open and changed in the last day stay, and so does the newest run. Others can use the store meanwhile.
    """
    if (keep_runs is None) == (older_than is None):
        raise click.UsageError("name either --keep-runs N or --older-than AGE")
    now, artifacts = time.time_ns() // 1000, 0
    with opened_store(options) as opened:
        before = 0 if older_than is None else now - int(older_than * 1_000_000)
        runs = opened.read(partial(old_runs, now=now, before=before, beyond=keep_runs))
        if not dry_run:
            runs, artifacts = remove_old(opened, runs, artifact_store, is_compacted=compact)
    for run in runs:
        click.echo(run.id)
    what = "would be removed" if dry_run else "removed"
    echo_stderr(f"{quantity(len(runs), 'run')} with {quantity(sum(run.results for run in runs), 'result')} {what}")
    if artifacts:
        echo_stderr(f"{quantity(artifacts, 'artifact')} that no run refers to {what}")
    return Exit.DONE


def remove_old(
    opened: Store, runs: Sequence[OldRun], bucket: str = "", *, is_compacted: bool = False
) -> tuple[list[OldRun], int]:
    """Remove runs that are unchanged, and artifacts that no run refers to; return the runs and how many artifacts."""
    # Runs of many results take longer.
    with click.progressbar(length=sum(run.results + 1 for run in runs), label="removing", file=sys.stderr) as bar:
        removed, artifacts = remove_runs(opened, runs, lambda run, _: bar.update(run.results + 1), bucket)
    try:
        if is_compacted:
            opened.compact()
        elif removed or artifacts:
            opened.tidy()
    except ApiError as error:
        reason = "the disk is full" if error.kind == "disk" else "the store is in use"
        echo_stderr(f"{reason}: the store gets no smaller now, but its space is used again")
    return removed, artifacts


# A log shows names beside addresses.
_is_name: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}").fullmatch


@click.group(cls=CommandGroup)
def server() -> None:
    """Create, list and revoke the tokens of a server."""


@server.group(cls=CommandGroup)
def token() -> None:
    """Create, list and revoke the tokens of a server: any number is valid at once."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    required=True,
    help="report: write and read runs. read: change nothing. admin: all, as the server's own token.",
)
@click.option("--project", type=click.IntRange(min=1), metavar="ID", help="Project of the token; default: all.")
@setting_options("database")
def create(name: str, role: Role, project: int | None, **options: object) -> int:
    """Create a token and print it. Nobody can read it again: the store has its hash alone.

    A server of the store accepts it at once.
    """
    if not _is_name(name):
        raise SettingError("NAME", name, "use up to 64 letters, digits, dots, @, - and _")
    if role == "admin" and project is not None:
        raise SettingError("--project", project, "an admin has all projects: leave it out, or use --role report")
    with opened_store(options) as store:
        created = store.write(partial(create_token, name, role, project))
    if created is None:
        raise SettingError("NAME", name, "there is a token of this name: choose another, or revoke that one first")
    click.echo(created.value)
    echo_stderr(f"token {name} is created: {Grant(name, role, project).scope}; it is shown this once")
    return Exit.DONE


@token.command("list")
@setting_options("database")
def list_tokens(**options: object) -> int:
    """List the tokens with what they may do; their names are printed on stdout."""
    with opened_store(options) as store:
        found = [*store.read(grants).values()]
    for grant in found:
        echo_result(grant.name)
    rows = [(grant.name, grant.role, str(grant.project or "all"), iso_time(grant.created) or "") for grant in found]
    echo_table(("NAME", "ROLE", "PROJECT", "CREATED"), rows)
    echo_stderr(quantity(len(found), "token"))
    return Exit.DONE


@token.command()
@click.argument("name")
@setting_options("database")
def revoke(name: str, **options: object) -> int:
    """Revoke the token NAME: servers of the store refuse it within five seconds."""
    with opened_store(options) as store:
        is_revoked = store.write(partial(revoke_token, name))
    if not is_revoked:
        raise SettingError("NAME", name, "there is no such token: automation-report server token list shows them")
    echo_stderr(f"token {name} is revoked")
    return Exit.DONE
