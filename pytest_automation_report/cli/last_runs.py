"""Find the newest run of a project or source."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.run_pages import learn_kind, run_pages
from pytest_automation_report.cli.context import is_source_named
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.summary.lines import target
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.settings.configuration import Configuration

NOT_FOUND: Final = 404


class UnknownProjectError(RefusedError):
    """The server has no project of this id: nothing was reported to it, or the id is wrong."""


@contextmanager
def project_of(configuration: Configuration) -> Iterator[None]:
    """Turn a 404 of a request in the block into `UnknownProjectError`, which explains it."""
    try:
        yield
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        if configuration.endpoint.is_embedded:  # the only store of this folder: the id cannot be the mistake
            raise UnknownProjectError(no_runs_yet(configuration), NOT_FOUND) from error
        remedy = f"nothing was reported to project {configuration.project_id} yet, or there is no such project"
        raise UnknownProjectError(f"{error}: {remedy}", NOT_FOUND) from error


def no_runs_yet(configuration: Configuration) -> str:
    """Return the line for a project without runs."""
    return f"no runs yet in {target(configuration, Path.cwd())}"


def last_run(client: Client, configuration: Configuration) -> int:
    """Return the newest run of the source, or of the project if the settings name no source.

    Raises `RefusedError` if there is none among the newest 100.
    """
    learn_kind(client)
    with project_of(configuration):
        newest = next(run_pages(client)).result
    if not newest:
        raise RefusedError(no_runs_yet(configuration), NOT_FOUND)
    return last_of_source(client, configuration.source) if is_source_named(configuration) else newest[0].id


def last_of_source(client: Client, source: str, *, is_completed: bool = False) -> int:
    """Return the newest run of a source, or its newest completed one.

    Raises `RefusedError` if there is none among the newest 100.
    """
    learn_kind(client)
    run_count = 0
    for page in run_pages(client, expands=("automation_sources",)):
        names = {source["id"]: source["name"] for source in page.expands.get("automation_sources", ())}
        for run in page.result:
            if names.get(run.source_id) == source and (run.is_completed or not is_completed):
                return run.id
        run_count += len(page.result)
    noun, newest = "completed run" if is_completed else "run", pluralize(run_count, "run")
    raise RefusedError(f"there is no {noun} of the source {source!r} among the newest {newest}", NOT_FOUND)


def source_id_of(client: Client, source: str) -> int:
    """Return the id of a source among the newest runs; raises `RefusedError` if none of them is of it."""
    learn_kind(client)
    for page in run_pages(client, expands=("automation_sources",)):
        for row in page.expands.get("automation_sources", ()):
            if row["name"] == source:
                return int(row["id"])
    raise RefusedError(f"none of the newest runs is of the source {source!r}", NOT_FOUND)
