"""``automation-report open``: show a run in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytest_automation_report.cli.context import (
    CONNECTION,
    Exit,
    configured,
    echo_stderr,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.last_runs import last_run
from pytest_automation_report.cli.output import echo_result
from pytest_automation_report.cli.serve import open_in_browser, serve
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.summary.lines import run_page

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Token
    from pytest_automation_report.settings.configuration import Configuration


@click.command("open")
@click.argument("run_id", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@setting_options(*CONNECTION, "source")
@with_exit_codes
def open_run(run_id: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Open the page of a run in the browser: this one, or without RUN_ID the last run of the source.

    For a server it is the page at its address. The embedded store is served until Ctrl-C, as by serve --open.
    """
    configuration, token = configured(options, is_source_needed=False)
    chosen = run_id if run_id is not None else _last_run(configuration, token)
    if configuration.endpoint.is_embedded:
        code: int = click.get_current_context().invoke(
            serve, is_opened=True, run_id=chosen, database=options["database"]
        )
        return code
    address = run_page(configuration, chosen)
    echo_result(address)
    if not open_in_browser(address):
        echo_stderr("no browser was found here: open the address yourself")
    return Exit.DONE


def _last_run(configuration: Configuration, token: Token) -> int:
    with connected_to(configuration, token) as client:
        return last_run(client, configuration)
