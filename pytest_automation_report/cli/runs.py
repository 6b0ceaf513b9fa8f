"""``automation-report run``: runs by hand, for pipelines whose jobs share one (floor 4)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import click

from pytest_automation_report.cli.context import (
    CONNECTION,
    NEW_RUN,
    Exit,
    configured,
    new_run,
    setting_options,
    told,
    with_exit_codes,
)
from pytest_automation_report.connection import connected
from pytest_automation_report.model import Resources

_DEADLINE_SECONDS: Final = 30.0
_PAGE: Final = 25


@click.group()
def run() -> None:
    """Create, fill, complete and read runs."""


@run.command()
@setting_options(*CONNECTION, *NEW_RUN)
@with_exit_codes
def create(**options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Create a run and print its id."""
    configuration, token = configured(options)
    new = new_run(configuration)
    with connected(configuration.endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        made = client.create_run(new)
    click.echo(made)
    told(f'run {made} "{new.name}" of source {new.source} is open')
    return Exit.DONE


@run.command()
@click.argument("run_id", type=click.IntRange(min=1))
@setting_options(*CONNECTION, "fields", "links")
@with_exit_codes
def append(run_id: int, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Add fields and links to the run RUN_ID."""
    configuration, token = configured(options)
    resources = Resources(fields=configuration.fields, links=configuration.links)
    if not resources.body():
        raise click.UsageError("nothing to add: give --fields NAME=VALUE or --links NAME=ADDRESS")
    with connected(configuration.endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        client.append_run(run_id, resources)
    told(f"added to run {run_id}")
    return Exit.DONE


@run.command()
@click.argument("run_id", type=click.IntRange(min=1))
@click.option(
    "--measure-elapsed/--longest-thread",
    default=True,
    help="The run's time: from its creation to now, or that of its longest thread.",
)
@setting_options(*CONNECTION)
@with_exit_codes
def complete(run_id: int, *, measure_elapsed: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Complete the run RUN_ID: nothing can be added to it any more."""
    configuration, token = configured(options)
    with connected(configuration.endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        client.complete_run(run_id, measure_elapsed=measure_elapsed)
    told(f"run {run_id} is completed")
    return Exit.DONE


@run.command("list")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page, newest runs first.")
@click.option(
    "--per-page",
    type=click.Choice(["15", "25", "50", "100"]),
    default=str(_PAGE),
    show_default=True,
    help="Runs a page.",
)
@setting_options(*CONNECTION)
@with_exit_codes
def list_runs(page: int, per_page: str, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print a page of the project's runs as JSON."""
    configuration, token = configured(options)
    with connected(configuration.endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        click.echo(json.dumps(asdict(client.runs(page=page, per_page=int(per_page))), indent=2))
    return Exit.DONE


@run.command()
@click.argument("run_id", type=click.IntRange(min=1))
@setting_options(*CONNECTION)
@with_exit_codes
def show(run_id: int, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the run RUN_ID with its threads as JSON."""
    configuration, token = configured(options)
    with connected(configuration.endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        click.echo(json.dumps(asdict(client.run(run_id)), indent=2))
    return Exit.DONE
