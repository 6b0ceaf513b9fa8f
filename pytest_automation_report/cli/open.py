"""``automation-report open``: show a run in the browser."""

from __future__ import annotations

from typing import Any

import click

from pytest_automation_report.cli.context import (
    CONNECTION,
    Exit,
    echo_stderr,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.output import echo_result
from pytest_automation_report.cli.queries import RUN_ID, WhichRun, opened
from pytest_automation_report.cli.serve import open_in_browser, serve
from pytest_automation_report.cli.shared_runs import WHICH
from pytest_automation_report.summary.lines import run_page


@click.command("open")
@RUN_ID
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def open_run(chosen: WhichRun, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Open the page of a run in the browser: this one, or without RUN_ID the newest run of the source.

    For a server it is the page at its address. The embedded store is served until Ctrl-C, as by serve --open.
    """
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
    configuration = reading.configuration
    if configuration.endpoint.is_embedded:
        code: int = click.get_current_context().invoke(
            serve, is_opened=True, run_id=run_id, database=str(configuration.database)
        )
        return code
    address = run_page(configuration, run_id)
    echo_result(address)
    if not open_in_browser(address):
        echo_stderr("no browser was found here: open the address yourself")
    return Exit.DONE
