"""``automation-report run failed``: what failed in a run, by the keys of the tests (floor 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import CONNECTION, Exit, configured, setting_options, told, with_exit_codes
from pytest_automation_report.cli.last_runs import NOT_FOUND, last_of_source
from pytest_automation_report.cli.links import tell_link
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.cli.tables import printed
from pytest_automation_report.errors import RefusedError

if TYPE_CHECKING:
    from pytest_automation_report.client import Client

_FAILURE: Final = 3


@click.command("failed")
@click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@setting_options(*CONNECTION, "source")
@with_exit_codes
def list_failed(chosen: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the run's id, and the key of each test that failed in it, one a line.

    Without RUN_ID the run is the last one of the source that is completed. stderr tells the tests' names.
    """
    configuration, token = configured(options, is_source_needed=chosen is None)
    with connected_to(configuration, token) as client:
        run = chosen if chosen is not None else last_of_source(client, configuration.source, is_completed=True)
        found = _failed(client, run)
    printed(run)
    for key, name in found.items():
        printed(key)
        told(name)
    told(f"{len(found)} failed in run {run}")
    tell_link(configuration, run)
    return Exit.DONE


def _failed(client: Client, run: int) -> dict[str, str]:
    """Return the failed tests' names by their keys; raises `RefusedError` where the server does not tell keys."""
    found: dict[str, str] = {}
    page: int | None = 1
    while page is not None:
        answer = client.run_tests(run, page=page, status_id=(_FAILURE,))
        for each in answer.result:
            if each.key is None:
                raise RefusedError(f"this server does not tell the keys of the tests of run {run}", NOT_FOUND)
            found[each.key] = f"{each.folder}.{each.name}"
        page = answer.next_page
    return found
