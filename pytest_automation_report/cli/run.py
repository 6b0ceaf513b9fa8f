"""``automation-report run``: create, fill, complete and read runs, for pipelines whose jobs share one."""

from __future__ import annotations

import json
import shlex
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.api.models import Resources
from pytest_automation_report.api.responses import Run, page_of_runs
from pytest_automation_report.api.run_pages import learn_kind
from pytest_automation_report.cli.context import (
    AGE,
    CONNECTION,
    NEW_RUN,
    Exit,
    configured,
    echo_stderr,
    new_run,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.failure_texts import failures_as_markdown
from pytest_automation_report.cli.last_runs import (
    NOT_FOUND,
    UnknownProjectError,
    last_of_source,
    last_run,
    no_runs_yet,
    project_of,
)
from pytest_automation_report.cli.output import echo_result, echo_table, is_person_reading, moment
from pytest_automation_report.cli.run_links import echo_how_to_look, echo_link, user_shell
from pytest_automation_report.cli.shared_runs import (
    DEADLINE_SECONDS,
    WHICH,
    completed_jobs,
    configured_for,
    connected_to,
    find_run,
    find_runs,
    join_or_create_run,
    retry_until,
    wait_for_jobs,
)
from pytest_automation_report.cli.whole_runs import is_ours
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.terminal import is_torn, pluralize, wholeness_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.settings.configuration import Configuration

_FAILURE: Final = 3


@click.command("failed")
@click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
@click.option("--json", "is_json", is_flag=True, help="Print the run's id, and key, folder and name of each test.")
@setting_options(*CONNECTION, "source")
@with_exit_codes
def list_failed(chosen: int | None, *, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Print the run's id, and the key of each test that failed in it, one a line.

    Without RUN_ID it is the last completed run of the source. The tests' names are on stderr.
    """
    configuration, token = configured(options, is_source_needed=chosen is None)
    with connected_to(configuration, token) as client:
        run = chosen if chosen is not None else last_of_source(client, configuration.source, is_completed=True)
        tests = _failed_tests(client, run)
    if is_json:
        click.echo(json.dumps({"run": run, "tests": list(tests.values())}, indent=2))
        return Exit.DONE
    echo_result(run)
    for key, test in tests.items():
        echo_result(key)
        echo_stderr(f"{test['folder']}.{test['name']}")
    echo_stderr(f"{len(tests)} failed in run {run}")
    echo_link(configuration, run)
    return Exit.DONE


def _failed_tests(client: Client, run: int) -> dict[str, dict[str, str]]:
    """Return key, folder and name of the failed tests by their keys; raises `RefusedError` without keys."""
    tests: dict[str, dict[str, str]] = {}
    page_number: int | None = 1
    learn_kind(client)  # a server of ours leaves out what a later attempt of its job has replaced
    while page_number is not None:
        page = client.run_tests(run, page=page_number, status_id=(_FAILURE,), has_replaced=False)
        for test in page.result:
            if test.key is None:
                raise RefusedError(f"this server returns no keys of the tests of run {run}", NOT_FOUND)
            tests[test.key] = {"key": test.key, "folder": test.folder or "", "name": test.name or ""}
        page_number = page.next_page
    return tests


_COLUMNS: Final = ("run", "state", "results", "failed", "created", "name")
_PAGE: Final = 25
_NO_PAGE: Final[Json] = {
    "page": None,
    "prev_page": None,
    "next_page": None,
    "last_page": None,
    "total": 0,
    "result": [],
}
"""The list of runs of a store to which nothing was reported yet, where the project does not exist either."""

_RUNNING: Final = 4
_UNPROCESSABLE: Final = 422
_RUN_ID: Final = click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
_JOBS: Final = click.option(
    "--expect-jobs", type=click.IntRange(min=1), metavar="N", help="Wait until N jobs have delivered their results."
)
_TIMEOUT: Final = click.option(
    "--timeout", type=AGE, default="30m", show_default=True, help="Give up after this time, such as 90s or 30m."
)


@click.group
def run() -> None:
    """Create, fill, complete and read runs."""


run.add_command(list_failed)


@run.command()
@setting_options(*CONNECTION, *NEW_RUN, "run_key")
@with_exit_codes
def create(**options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Create a run and print its id. With --run-key an open run of that key is used, if there is one."""
    configuration, token = configured(options)
    new, sharing = new_run(configuration)
    with connected_to(configuration, token) as client:
        run_id = (
            join_or_create_run(client, new, sharing, is_late_refused=True) if sharing.tag else client.create_run(new)
        )
    echo_result(run_id)
    echo_stderr(f'run {run_id} "{new.name}" of source {new.source} is open')
    echo_link(configuration, run_id)
    return Exit.DONE


@run.command()
@_RUN_ID
@setting_options(*CONNECTION, *WHICH, "fields", "links")
@with_exit_codes
def append(chosen: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Add fields and links to the run RUN_ID, or to the run of --run-key."""
    configuration, token = configured_for(chosen, options)
    resources = Resources(fields=configuration.fields, links=configuration.links)
    if not resources.body():
        raise click.UsageError("nothing to add: give --fields NAME=VALUE or --links NAME=ADDRESS")
    with connected_to(configuration, token) as client:
        run_id = find_run(client, configuration)
        client.append_run(run_id, resources)
    echo_stderr(f"added to run {run_id}")
    echo_link(configuration, run_id)
    return Exit.DONE


@run.command()
@_RUN_ID
@click.option(
    "--measure-elapsed/--longest-thread",
    default=True,
    help="Time of the run: from its creation to now, or that of its longest thread.",
)
@_JOBS
@_TIMEOUT
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def complete(
    chosen: int | None,
    *,
    measure_elapsed: bool,
    expect_jobs: int | None,
    timeout: float,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Complete the run RUN_ID, or the run of --run-key, and print its id.

    With --expect-jobs N the command waits until N jobs have delivered their results, in whichever of their attempts. If
    they do not within --timeout, the run stays open and the exit code is 3. A run that is completed already is left as
    it is. Where jobs of one key have different configurations, each of their runs is completed.

    The command waits for a server that does not answer: 30 seconds, or --timeout with --expect-jobs.
    """
    configuration, token = configured_for(chosen, options)
    with connected_to(configuration, token) as client:
        end = time.monotonic() + (DEADLINE_SECONDS if expect_jobs is None else timeout)
        missing = "" if expect_jobs is None else wait_for_jobs(client, configuration, expect_jobs, end)
        for run_id in retry_until(lambda: find_runs(client, configuration, is_open=True), end):
            if missing:
                waited = pluralize(round(timeout), "second")
                echo_stderr(f"run {run_id} stays open after {waited}: {missing}", colour="yellow")
                command = shlex.join([*user_shell().command, "run", "complete", str(run_id)])
                echo_stderr(f"to complete it all the same: {command}")
                continue
            is_new = retry_until(
                partial(_completed, client, run_id, measure_elapsed=measure_elapsed),
                max(end, time.monotonic() + DEADLINE_SECONDS),
            )
            echo_stderr(f"run {run_id} is completed" if is_new else f"run {run_id} was completed before")
            if is_ours(client):
                _echo_jobs(client.findings_document(run_id))
            echo_link(configuration, run_id)
            echo_result(run_id)
    return Exit.KEPT if missing else Exit.DONE


@run.command("list")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page, newest runs first.")
@click.option(
    "--per-page",
    type=click.Choice(["15", "25", "50", "100"]),
    default=str(_PAGE),
    show_default=True,
    help="Runs a page.",
)
@click.option("--open", "is_open", is_flag=True, help="Only runs that are not completed.")
@click.option("--older-than", type=AGE, help="Only runs that were created longer ago than this: 30m, 2h or 3d.")
@click.option("--json", "is_json", is_flag=True, help="Print the page as the server's JSON, without threads if it can.")
@setting_options(*CONNECTION)
@with_exit_codes
def list_runs(
    page: int,
    per_page: str,
    *,
    is_open: bool,
    older_than: float | None,
    is_json: bool,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Print the ids of the project's runs, one a line; their states, results and names are on stderr."""
    configuration, token = configured(options)
    before = None if older_than is None else datetime.now(tz=timezone.utc) - timedelta(seconds=older_than)
    with connected_to(configuration, token) as client:
        learn_kind(client)
        try:
            with project_of(configuration):
                listed = client.runs(
                    page=page,
                    per_page=int(per_page),
                    status=(_RUNNING,) if is_open else (),
                    created_before=before,
                    has_threads=False,
                )
        except UnknownProjectError:
            if not configuration.endpoint.is_embedded:
                raise
            listed = page_of_runs({**_NO_PAGE, "per_page": int(per_page)})
    if is_json:
        click.echo(json.dumps(listed.document, indent=2))
        return Exit.DONE
    runs = [run for run in listed.result if not (is_open and run.is_completed)]
    _echo_runs(configuration, runs)
    if not runs:
        is_filtered = is_open or before is not None or page > 1
        echo_stderr("no runs" if is_filtered else no_runs_yet(configuration))
    return Exit.DONE


def _echo_runs(configuration: Configuration, runs: Sequence[Run]) -> None:
    """Print ids on stdout and a line for each run on stderr, or only a table if both are one terminal."""
    links = [run_page(configuration, run.id) for run in runs]
    if not is_person_reading():
        for run, link in zip(runs, links, strict=True):
            click.echo(run.id)
            echo_stderr(f"{_line(run)}{' ' if link else ''}{link}")
    elif any(links):
        echo_table((*_COLUMNS, "link"), [(*_row(run), link) for run, link in zip(runs, links, strict=True)])
    else:
        echo_table(_COLUMNS, [_row(run) for run in runs])


@run.command()
@_RUN_ID
@click.option("--json", "is_json", is_flag=True, help="Print the run as the server's JSON document.")
@click.option("--markdown", "is_markdown", is_flag=True, help="Print its failures as Markdown, one of each reason.")
@click.option("--test", metavar="TEST", help="Print only this test as Markdown: its node id, folder.name or key.")
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def show(
    chosen: int | None,
    *,
    is_json: bool,
    is_markdown: bool,
    test: str | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Print the id of the run RUN_ID or of --run-key; its content and how to look at it are on stderr.

    Without either it is the newest run of the project, or of the source if the settings name one. With --markdown or
    --test it prints failures in full, to paste into an issue or into a chat with an assistant.
    """
    if is_json and (is_markdown or test is not None):
        raise click.UsageError("--json and --markdown are two forms: choose one")
    configuration, token = configured_for(chosen, options, is_source_needed=False)
    is_named = configuration.run_id is not None or "run_key" in configuration.origins
    with connected_to(configuration, token) as client:
        run_id = find_run(client, configuration) if is_named else last_run(client, configuration)
        if is_markdown or test is not None:
            click.echo(failures_as_markdown(client, run_id, test), nl=False)
            return Exit.DONE
        shown = client.run(run_id)
    if is_json:
        click.echo(json.dumps(shown.document, indent=2))
        return Exit.DONE
    echo_result(shown.id)
    echo_stderr(_line(shown))
    for field in shown.fields:
        echo_stderr(f"  {field.name}: {field.value}")
    for thread in shown.threads:
        fields = ", ".join(f"{field.name} {field.value}" for field in thread.fields)
        echo_stderr(
            f"  thread {thread.id}: {pluralize(thread.counts.total, 'result')}{f' ({fields})' if fields else ''}"
        )
    jobs = completed_jobs(shown)
    if jobs:
        echo_stderr(
            f"  {pluralize(len(jobs), 'job')} {'is' if len(jobs) == 1 else 'are'} in: {', '.join(sorted(jobs))}"
        )
    echo_how_to_look(configuration, shown.id)
    return Exit.DONE


def _echo_jobs(findings: Json) -> None:
    """Print whether the jobs of a run ran each test once, and how many tests have results of several jobs."""
    whole, several = findings["whole"], findings["counts"]["in_several_jobs"]
    if whole is not None:
        echo_stderr(wholeness_words(whole), colour="red" if is_torn(whole) else "")
    if several:
        tests = pluralize(several, "test")
        echo_stderr(f"{tests} with results of several jobs: one that failed in any of them failed")


def _completed(client: Client, run_id: int, *, measure_elapsed: bool) -> bool:
    """Complete a run; return whether it was open before."""
    try:
        client.complete_run(run_id, measure_elapsed=measure_elapsed)
    except RefusedError as error:
        if error.status != _UNPROCESSABLE or not client.run(run_id, has_threads=False).is_completed:
            raise
        return False
    return True


def _line(run: Run) -> str:
    counts = f"{pluralize(run.counts.total, 'result')}, {run.counts.failure} failed"
    return f'{run.id}: {_state(run)}, {counts}, created {moment(run.created_at)}: "{run.name}"'


def _row(run: Run) -> tuple[object, ...]:
    return run.id, _state(run), run.counts.total, run.counts.failure, moment(run.created_at), run.name


def _state(run: Run) -> str:
    return "completed" if run.is_completed else "open"
