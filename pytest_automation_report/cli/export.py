"""``automation-report run export``: a run in the forms of other tools."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from pytest_automation_report.cli.context import CONNECTION, Exit, setting_options, with_exit_codes
from pytest_automation_report.cli.output import write_file
from pytest_automation_report.cli.queries import BASE, RUN_ID, Opened, WhichRun, opened
from pytest_automation_report.cli.run import run
from pytest_automation_report.cli.shared_runs import WHICH
from pytest_automation_report.export.results import ExportedRun
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.files import STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.findings.documents import RunFindings


@run.command("export")
@RUN_ID
@click.option(
    "--format", "form", type=click.Choice(["junit", "ctrf", "json", "markdown", "csv"]), required=True,
    help="JUnit XML, CTRF, JSON with everything, Markdown for a comment on a pull request, or CSV.",
)  # fmt: skip
@click.option(
    "-o", "--file", "file", metavar="FILE", default=STDOUT, help="The file to write; without it, or -, stdout."
)
@BASE
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def export(chosen: WhichRun, *, form: str, file: str, base: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Write a run in a form that other tools read.

    A Testmo instance lists results without their texts: files from it have names, statuses and times only. The file is
    complete or not there.
    """
    with opened(options, chosen) as reading:
        write_file(file, _PIECES[form](_Request(reading, reading.run_id(chosen), base)))
    return Exit.DONE


class _Request:
    """One export: the run, and where it is."""

    def __init__(self, reading: Opened, run_id: int, base: int | None) -> None:
        self.run_id = run_id
        run = reading.run(run_id)
        self.url = run_page(reading.configuration, run_id)
        self.document = run.document
        self.run = ExportedRun.from_document(self.document)
        self.items = partial(reading.items, run_id)
        self.count = partial(reading.count, run)
        self.tests = partial(reading.tests, run_id)
        self._findings = partial(reading.findings, run_id, base) if reading.is_ours else None

    @property
    def findings(self) -> RunFindings | None:
        """The findings of the run; None for a server that has none."""
        return None if self._findings is None else self._findings()


# The modules of the forms are imported when they are used: most commands write none.


def _junit(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.junit_xml import junit_xml  # noqa: PLC0415

    return junit_xml(request.run, request.tests())


def _ctrf(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.ctrf import ctrf_text  # noqa: PLC0415

    findings = request.findings
    base = None if findings is None else findings["base"]
    yield ctrf_text(request.run, request.tests(), base)


def _markdown(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.markdown import comment  # noqa: PLC0415

    failures = list(request.tests(only_failures=True))
    run = replace(request.run, total=request.count(), failed=len(failures))
    yield comment(run, failures, request.findings, url=request.url)


def _csv(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.tables import csv_table  # noqa: PLC0415

    return csv_table(request.tests())


def _json(request: _Request) -> Iterator[str]:
    from pytest_automation_report.export.tables import json_document  # noqa: PLC0415

    run = request.document["result"]
    return json_document(run, request.run.source, request.findings, request.items())


_PIECES: Final[dict[str, Callable[[_Request], Iterator[str]]]] = {
    "junit": _junit,
    "ctrf": _ctrf,
    "json": _json,
    "markdown": _markdown,
    "csv": _csv,
}
