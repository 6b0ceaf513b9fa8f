"""``automation-report run export``: a run in the forms of other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.cli.context import CONNECTION, Exit, configured, setting_options, with_exit_codes
from pytest_automation_report.cli.last_runs import last_run
from pytest_automation_report.cli.run import run
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.cli.whole_runs import (
    exported_run,
    exported_tests,
    is_ours,
    items,
    run_document,
    write_file,
)
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.files import STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.settings.configuration import Configuration


@run.command("export")
@click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@click.option(
    "--format", "form", type=click.Choice(["junit", "ctrf", "json", "markdown", "csv"]), required=True,
    help="JUnit XML, CTRF, JSON with everything, Markdown for a comment on a pull request, or CSV.",
)  # fmt: skip
@click.option(
    "-o", "--file", "file", metavar="FILE", default=STDOUT, help="The file to write; without it, or -, stdout."
)
@click.option("--base", type=click.IntRange(min=1), metavar="RUN_ID",
              help="Compare with this run, and not with the one that fits best (markdown, ctrf, json).")  # fmt: skip
@setting_options(*CONNECTION, "source")
@with_exit_codes
def export(chosen: int | None, *, form: str, file: str, base: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Write a run in a form that other tools read.

    Without RUN_ID the run is the newest one of the project, or of --source. A Testmo instance lists results without
    their texts: files from it have names, statuses and times only. The file is complete or not there.
    """
    configuration, token = configured(options, is_source_needed=False)
    with connected_to(configuration, token) as client:
        run_id = chosen if chosen is not None else last_run(client, configuration)
        pieces = _PIECES[form](_Request(client, configuration, run_id, base))
        write_file(file, pieces)
    return Exit.DONE


class _Request:
    """One export: the run, and where it is."""

    def __init__(self, client: Client, configuration: Configuration, run_id: int, base: int | None) -> None:
        self.client = client
        self.run_id = run_id
        self.url = run_page(configuration, run_id)
        self._base = base
        self.document = run_document(client, run_id)
        self.run = exported_run(self.document)

    @property
    def findings(self) -> Json | None:
        """The findings of the run; None for a server that has none."""
        return self.client.findings_document(self.run_id, self._base) if is_ours(self.client) else None


# The modules of the forms are imported when they are used: most commands write none.


def _junit(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.junit_xml import junit_xml  # noqa: PLC0415

    return junit_xml(request.run, exported_tests(request.client, request.run_id))


def _ctrf(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.ctrf import ctrf_text  # noqa: PLC0415

    findings = request.findings
    base = None if findings is None else findings["base"]
    yield ctrf_text(request.run, exported_tests(request.client, request.run_id), base)


def _markdown(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.markdown import comment  # noqa: PLC0415

    failures = list(exported_tests(request.client, request.run_id, only_failures=True))
    yield comment(request.run, failures, request.findings, url=request.url)


def _csv(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.csv_table import csv_table  # noqa: PLC0415

    return csv_table(exported_tests(request.client, request.run_id))


def _json(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.json_document import json_document  # noqa: PLC0415

    run = request.document["result"]
    return json_document(run, request.run.source, request.findings, items(request.client, request.run_id))


_PIECES: Final[dict[str, Callable[[_Request], Iterator[str]]]] = {
    "junit": _junit,
    "ctrf": _ctrf,
    "json": _json,
    "markdown": _markdown,
    "csv": _csv,
}
