"""``automation-report milestone``: list the milestones of a project in the embedded store, and set their tags."""

from __future__ import annotations

import json
from typing import Any

import click

from pytest_automation_report.cli.context import Exit, echo_stderr, setting_options, stored_at, with_exit_codes
from pytest_automation_report.cli.output import echo_table, is_person_reading
from pytest_automation_report.cli.store import opened_store
from pytest_automation_report.errors import SettingError


@click.group()
def milestone() -> None:
    """List milestones, and choose their runs by tags."""


@milestone.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print the milestones as JSON, also on a terminal.")
@setting_options("project_id", "database")
@with_exit_codes
def list_milestones(*, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the project's milestones with their tags, as a table on a terminal and as JSON elsewhere."""
    from pytest_automation_report.server.store.references import milestones  # noqa: PLC0415 - sending needs no server

    configuration, place = stored_at(options)
    with opened_store(place, must_exist=False) as opened:
        rows = opened.read(lambda reader: milestones(reader.connection, configuration.project_id))
    if is_json or not is_person_reading():
        click.echo(json.dumps(rows, indent=2))
        return Exit.DONE
    echo_table(("id", "milestone", "tags"), [(row["id"], row["name"], ", ".join(row["tags"])) for row in rows])
    if not rows:
        echo_stderr("no milestones")
    return Exit.DONE


@milestone.command("set")
@click.argument("name")
@click.option("--tags", required=True, help="Tags separated by commas; they replace all it had. Empty for none.")
@setting_options("project_id", "database")
@with_exit_codes
def set_milestone(name: str, tags: str, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Set the tags of the milestone NAME, which is created if it is missing.

    A new run that has one of the tags and names no milestone belongs to it; of several such milestones to the newest.
    """
    configuration, place = stored_at(options)
    if not name.strip():
        raise SettingError("NAME", name, "a milestone needs a name")
    words = [word for word in (tag.strip() for tag in tags.split(",")) if word]
    with opened_store(place, must_exist=False) as opened:
        made = opened.write(lambda writer: writer.set_milestone(configuration.project_id, name, words))
    echo_stderr(f"milestone {made} ({name}) of project {configuration.project_id}: {', '.join(words) or 'no tags'}")
    return Exit.DONE
