"""Read a whole run for the forms of `export`, from a server of ours or a Testmo instance, and write files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pytest_automation_report.api.run_pages import learn_kind
from pytest_automation_report.cli.last_runs import NOT_FOUND
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.export.results import ExportedRun, ExportedTest
from pytest_automation_report.text.files import STDOUT, encoded, write_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Json

_FAILURE: Final = 3


def is_ours(client: Client) -> bool:
    """Whether the server is ours: a Testmo instance has neither whole results nor findings."""
    learn_kind(client)
    return client.artifact_bytes is not None


def run_document(client: Client, run_id: int) -> Json:
    """Return the API's document of a run, without its threads if the server can leave them out."""
    return client.run(run_id, has_threads=False, expands=("automation_sources",)).document


def exported_run(document: Json) -> ExportedRun:
    """Return the run of a document."""
    return ExportedRun.from_document(document)


def items(client: Client, run_id: int, *, only_failures: bool = False) -> Iterator[Json]:
    """Yield the results of a run, as the server describes them.

    Raises `click.UsageError` for a server that lists no results of runs, or lists them without keys.
    """
    classes = (_FAILURE,) if only_failures else ()
    if is_ours(client):
        after: int | None = 0
        while after is not None:
            document = client.results_document(run_id, after=after, status_id=classes)
            yield from document["tests"]
            after = document["next"]
        return
    page_number: int | None = 1
    while page_number is not None:
        try:
            page = client.run_tests(run_id, page=page_number, status_id=classes)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            raise click.UsageError(
                f"this server does not list the results of run {run_id}: export from the embedded store, or from a "
                "server of automation-report serve"
            ) from error
        for item in page.document["result"]:
            # A server may ignore the filter.
            if classes and item.get("status") not in classes:
                continue
            if not item.get("key"):
                raise click.UsageError(f"this server lists the results of run {run_id} without keys")
            yield item
        page_number = page.next_page


def exported_tests(client: Client, run_id: int, *, only_failures: bool = False) -> Iterator[ExportedTest]:
    """Yield the results of a run; raises as `items`."""
    return map(ExportedTest.from_item, items(client, run_id, only_failures=only_failures))


def write_file(name: str, pieces: Iterable[str]) -> None:
    """Write a file from its pieces as `write_output` does; raises `click.UsageError` if it cannot be written.

    The name ``-`` is stdout.
    """
    if name == STDOUT:
        for piece in encoded(pieces):
            # Bytes: the text is UTF-8 in every locale, and its line ends stay as they are.
            click.echo(piece, nl=False, file=sys.stdout)
        return
    try:
        write_output(Path(name), encoded(pieces))
    except OSError as error:
        raise click.UsageError(
            f"-o {name}: cannot be written ({error.strerror or error}): name a file in a folder that exists"
        ) from error
