"""``automation-report server token``: create, list and revoke the tokens of a server."""

from __future__ import annotations

import re
from functools import partial
from typing import Final, get_args

import click

from pytest_automation_report.cli.context import (
    CommandGroup,
    Exit,
    echo_result,
    echo_stderr,
    echo_table,
    setting_options,
)
from pytest_automation_report.cli.store import opened_store
from pytest_automation_report.errors import SettingError
from pytest_automation_report.server.api.documents import iso_time
from pytest_automation_report.server.store.tokens import Grant, Role, create_token, grants, revoke_token
from pytest_automation_report.text.limits import quantity

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
        found = [*store.look(grants).values()]
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
