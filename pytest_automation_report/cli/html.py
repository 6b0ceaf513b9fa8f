"""``automation-report html``: the report of a run in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.cli.whole_runs import is_ours, write_file
from pytest_automation_report.delivery.report import NO_PAGES, embedded_report
from pytest_automation_report.server.pages.report.files import DEFAULT_BYTES, FileRule
from pytest_automation_report.settings.parsers import size_bytes
from pytest_automation_report.text.files import STDOUT

if TYPE_CHECKING:
    from pytest_automation_report.api.client import Client
    from pytest_automation_report.server.pages.report.files import Which
    from pytest_automation_report.settings.configuration import Configuration


_SERVER_BYTES: Final = 8_000_000


def _size(context: click.Context, parameter: click.Parameter, given: str | None) -> int | None:
    if given is None:
        return None
    size = size_bytes(given)
    if size is None:
        raise click.BadParameter(f"{given!r}: use a size such as 500KB or 5MB", context, parameter)
    return size


@click.command("html")
@click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@click.option("-o", "--file", "file", metavar="FILE", required=True, help="The file to write; - is stdout.")
@click.option("--base", type=click.IntRange(min=1), metavar="RUN_ID",
              help="Compare with this run, and not with the one that fits best.")  # fmt: skip
@click.option("--artifacts", "which", type=click.Choice(["none", "failed", "all"]), default="failed", show_default=True,
              help="Files in the report: none, those of failures, or of all tests that have a page.")  # fmt: skip
@click.option("--artifacts-size", callback=_size, metavar="SIZE",
              help="Largest size of all these files, 5MB; others are named.")  # fmt: skip
@setting_options(*CONNECTION, "source")
@with_exit_codes
def html(
    chosen: int | None,
    *,
    file: str,
    base: int | None,
    which: Which,
    artifacts_size: int | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Write the pages of a run into one HTML file, which opens without a server and reaches no network.

    Without RUN_ID the run is the newest one of the project, or of --source. The file is complete or not there.
    """
    configuration, token = configured(options, is_source_needed=False)
    with connected_to(configuration, token) as client:
        run_id = chosen if chosen is not None else last_run(client, configuration)
        text = _report(client, configuration, run_id, base, _rule(which, artifacts_size, configuration))
        write_file(file, [text])
    if file != STDOUT:
        echo_stderr(f"run {run_id} is in {file} ({len(text.encode()) / 1000:,.0f} kB)")
    return Exit.DONE


def _rule(which: Which, max_bytes: int | None, configuration: Configuration) -> FileRule:
    """Return the rule of files; raises `click.UsageError` for more than a server sends."""
    if max_bytes is not None and max_bytes > _SERVER_BYTES and not configuration.endpoint.is_embedded:
        raise click.UsageError(
            "--artifacts-size: a server sends 8 MB of files at most; "
            "--database writes a report with more of them where its store is"
        )
    return FileRule(which, DEFAULT_BYTES if max_bytes is None else max_bytes)


def _report(client: Client, configuration: Configuration, run_id: int, base: int | None, rule: FileRule) -> str:
    """Return the report; raises `click.UsageError` for a server that has no pages."""
    if configuration.endpoint.is_embedded:
        return embedded_report(Path(configuration.endpoint.database), run_id, base, rule)
    if not is_ours(client):
        raise click.UsageError(NO_PAGES)
    return client.report_html(run_id, base, artifacts=rule.which, artifacts_size=rule.max_bytes)
