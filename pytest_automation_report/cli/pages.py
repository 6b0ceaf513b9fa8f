"""``automation-report html`` and ``open``: write the pages of a run into one file, show them in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import CONNECTION, SIZE, Exit, echo_stderr, setting_options, with_exit_codes
from pytest_automation_report.cli.output import echo_result, write_file
from pytest_automation_report.cli.queries import BASE, RUN_ID, Opened, WhichRun, opened
from pytest_automation_report.cli.serve import open_in_browser, serve
from pytest_automation_report.cli.shared_runs import WHICH
from pytest_automation_report.delivery.report import NO_PAGES, embedded_report
from pytest_automation_report.server.pages.report.files import DEFAULT_BYTES, FileRule
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.files import STDOUT

if TYPE_CHECKING:
    from pytest_automation_report.server.pages.report.files import Which
    from pytest_automation_report.settings.settings import Settings


_SERVER_BYTES: Final = 8_000_000


@click.command("html")
@RUN_ID
@click.option("-o", "--file", "file", metavar="FILE", required=True, help="The file to write; - is stdout.")
@BASE
@click.option("--artifacts", "which", type=click.Choice(["none", "failed", "all"]), default="failed", show_default=True,
              help="Files in the report: none, those of failures, or of all tests that have a page.")  # fmt: skip
@click.option("--artifacts-size", type=SIZE, help="Largest size of all these files, 5MB; others are named.")
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def html(
    chosen: WhichRun,
    *,
    file: str,
    base: int | None,
    which: Which,
    artifacts_size: int | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Write the pages of a run into one HTML file, which opens without a server and reaches no network.

    The file is complete or not there.
    """
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
        text = _report(reading, run_id, base, _rule(which, artifacts_size, reading.configuration))
        write_file(file, [text])
    if file != STDOUT:
        echo_stderr(f"run {run_id} is in {file} ({len(text.encode()) / 1000:,.0f} kB)")
    return Exit.DONE


def _rule(which: Which, max_bytes: int | None, configuration: Settings) -> FileRule:
    """Return the rule of files; raises `click.UsageError` for more than a server sends."""
    if max_bytes is not None and max_bytes > _SERVER_BYTES and not configuration.endpoint.is_embedded:
        raise click.UsageError(
            "--artifacts-size: a server sends 8 MB of files at most; "
            "--database writes a report with more of them where its store is"
        )
    return FileRule(which, DEFAULT_BYTES if max_bytes is None else max_bytes)


def _report(reading: Opened, run_id: int, base: int | None, rule: FileRule) -> str:
    """Return the report; raises `click.UsageError` for a server that has no pages."""
    if reading.configuration.endpoint.is_embedded:
        return embedded_report(reading.configuration.database, run_id, base, rule)
    if not reading.is_ours:
        raise click.UsageError(NO_PAGES)
    return reading.client.report_html(run_id, base, artifacts=rule.which, artifacts_size=rule.max_bytes)


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
