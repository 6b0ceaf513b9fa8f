"""``automation-report run failed``: what failed in a run, by the keys of the tests (floor 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import CONNECTION, Exit, configured, setting_options, told, with_exit_codes
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.cli.tables import printed
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.quantities import quantity
from pytest_automation_report.run_pages import learn_kind, run_pages

if TYPE_CHECKING:
    from pytest_automation_report.client import Client

_FAILURE: Final = 3
_NOT_FOUND: Final = 404


@click.command("failed")
@click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@setting_options(*CONNECTION, "source")
@with_exit_codes
def list_failed(chosen: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the run's id, and the key of each test that failed in it, one a line.

    Without RUN_ID the run is the last one of the source that is completed. stderr tells the tests' names.
    """
    configuration, token = configured(options)
    with connected_to(configuration, token) as client:
        run = chosen if chosen is not None else _last(client, configuration.source)
        found = _failed(client, run)
    printed(run)
    for key, name in found.items():
        printed(key)
        told(name)
    told(f"{len(found)} failed in run {run}")
    return Exit.DONE


def _last(client: Client, source: str) -> int:
    """Return the source's last completed run; raises `RefusedError` where there is none among the newest."""
    learn_kind(client)
    looked_at = 0
    for page in run_pages(client, expands=("automation_sources",)):
        names = {each["id"]: each["name"] for each in page.expands.get("automation_sources", ())}
        for run in page.result:
            if run.is_completed and names.get(run.source_id) == source:
                return run.id
        looked_at += len(page.result)
    newest = quantity(looked_at, "run")
    raise RefusedError(f"there is no completed run of the source {source!r} among the newest {newest}", _NOT_FOUND)


def _failed(client: Client, run: int) -> dict[str, str]:
    """Return the failed tests' names by their keys; raises `RefusedError` where the server does not tell keys."""
    found: dict[str, str] = {}
    page: int | None = 1
    while page is not None:
        answer = client.run_tests(run, page=page, status_id=(_FAILURE,))
        for each in answer.result:
            if each.key is None:
                raise RefusedError(f"this server does not tell the keys of the tests of run {run}", _NOT_FOUND)
            found[each.key] = f"{each.folder}.{each.name}"
        page = answer.next_page
    return found
