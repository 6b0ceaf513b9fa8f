"""``automation-report status``: list and change the result statuses of a project in the embedded store."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import Exit, echo_stderr, setting_options, stored_at, with_exit_codes
from pytest_automation_report.cli.output import echo_table, is_person_reading
from pytest_automation_report.cli.store import opened_store
from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.statuses import ResultStatus, StatusTable

_COLUMNS: Final = ("id", "status", "counts as", "words for it")
_MEANINGS: Final = ("passed", "failed", "neutral", "open")


@click.group()
def status() -> None:
    """List and change the words for the statuses of a project's tests."""


@status.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print the statuses as JSON, also on a terminal.")
@setting_options("project_id", "database")
@with_exit_codes
def list_statuses(*, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the project's result statuses, as a table on a terminal and as JSON elsewhere."""
    configuration, place = stored_at(options)
    project_id = configuration.project_id
    with opened_store(place, must_exist=False) as opened:
        statuses = opened.read(lambda reader: reader.references([], project_id, ["statuses"]))["statuses"]
    if is_json or not is_person_reading():
        click.echo(json.dumps(statuses, indent=2))
        return Exit.DONE
    rows = [(row["id"], row["name"], _meaning(row), ", ".join(row["aliases"])) for row in statuses]
    echo_table(_COLUMNS, rows)
    return Exit.DONE


def _meaning(status: Json) -> str:
    """Return how results of a status are counted, as a word of --counts-as."""
    if status["is_passed"] or status["is_failed"]:
        return "passed" if status["is_passed"] else "failed"
    return "neutral" if status["is_final"] else "open"


@status.command("set")
@click.argument("status", metavar="STATUS")
@click.option("--aliases", metavar="WORDS", help="The words for it, separated by commas; they replace all it had.")
@click.option("--name", help="The name that people see.")
@click.option(
    "--counts-as",
    type=click.Choice(_MEANINGS),
    help="What results with a new status are; later it cannot change.",
)
@setting_options("project_id", "database")
@with_exit_codes
def set_status(
    status: str,
    aliases: str | None,
    name: str | None,
    counts_as: str | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Change the project's status STATUS: an id from 1 to 25, or a name such as failed.

    Ids from 7 on are free for statuses of your own, which need a name, aliases and --counts-as.
    """
    configuration, place = stored_at(options)
    project_id = configuration.project_id
    with opened_store(place, must_exist=False) as opened:
        table = opened.read(lambda reader: reader.statuses(project_id))
        changed = _changed(table, status, name, counts_as)
        if aliases is not None:
            words = dict.fromkeys(word.strip() for word in aliases.split(","))
            changed = replace(changed, aliases=tuple(words))
        try:
            opened.write(lambda writer: writer.set_status(project_id, changed))
        except ValueError as error:
            raise SettingError("--aliases", aliases or "", str(error)) from error
    echo_stderr(f"status {changed.id} ({changed.name}) of project {project_id}: {', '.join(changed.aliases)}")
    return Exit.DONE


def _changed(table: StatusTable, wanted: str, name: str | None, counts_as: str | None) -> ResultStatus:
    """Return the status with its new name, or a new status; raises `SettingError` for an invalid one."""
    from pytest_automation_report.server.store.statuses import ResultStatus  # noqa: PLC0415 - sending needs no server

    known = {word: status for status in table.statuses for word in (str(status.id), status.system_name)}
    status = known.get(wanted)
    if status is not None:
        if counts_as is not None:
            raise SettingError("--counts-as", counts_as, f"results are counted as {status.name} already")
        return replace(status, name=name) if name else status
    if not wanted.isdecimal():
        raise SettingError("STATUS", wanted, f"use an id from 1 to 25 or one of {', '.join(sorted(known))}")
    if not name or counts_as is None:
        raise SettingError("STATUS", wanted, "a new status needs --name, --aliases and --counts-as")
    return ResultStatus(
        int(wanted),
        name,
        (),
        is_final=counts_as != "open",
        is_passed=counts_as == "passed",
        is_failed=counts_as == "failed",
    )
