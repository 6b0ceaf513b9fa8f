"""``automation-report run``: create, fill, complete and read runs, for pipelines whose jobs share one."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.api.client import MOST_RUNS, Client, RunFilters, run_pages
from pytest_automation_report.api.models import Artifact, Field, FieldType, Link, Resources, joined, web_address_hint
from pytest_automation_report.api.responses import RefusedError, ResultPage, Run, parse_time
from pytest_automation_report.cli.context import (
    AGE,
    CONNECTION,
    NEW_RUN,
    CommandGroup,
    Exit,
    NoStoreError,
    cleaning_options,
    configured,
    echo_result,
    echo_stderr,
    echo_table,
    gathered,
    is_person_reading,
    new_run,
    setting_options,
    store_to_read,
    typed_options,
    user_shell,
)
from pytest_automation_report.cli.queries import (
    DEADLINE_SECONDS,
    EXPECT_JOBS,
    WHICH,
    NoRunError,
    NoRunsYetError,
    Opened,
    configured_for,
    connected_to,
    echo_link,
    explaining_project,
    explaining_run,
    find_runs,
    join_or_create_run,
    no_runs_yet,
    opened,
    retry_until,
    run_number,
    wait_for_jobs,
)
from pytest_automation_report.delivery.requests import UNPROCESSABLE
from pytest_automation_report.delivery.testmo import fitted_field
from pytest_automation_report.findings.sentences import is_torn, wholeness_words
from pytest_automation_report.recording.functions import FIELD_TYPES
from pytest_automation_report.server.store.values import RunStatus
from pytest_automation_report.settings.run import without_secrets
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import printable, quantity, string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.cli.queries import ExpectedJobs
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.settings.settings import Settings


def _each(option: str, values: Sequence[Any], things: Sequence[str]) -> Sequence[Any]:
    """Return a value for each thing; raises `click.UsageError` unless there is one value, or one for each."""
    if len(values) == 1:
        return [*values] * len(things)
    if len(values) != len(things):
        raise click.UsageError(f"{option}: {len(values)} for {len(things)}: give it once, or once for each")
    return values


def _pair(option: str, text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise click.UsageError(f"{option}: {text!r}: write a name, = and a value")
    return string(name.strip()), value


def _address(option: str, text: str) -> tuple[str, str]:
    name, address = _pair(option, text)
    if hint := web_address_hint(address):
        raise click.UsageError(f"{option}: after {name}=, {hint}")
    return name, address


def _field(text: str, kind: FieldType) -> Field:
    name, value = _pair("--field", text)
    if value == "-":
        value = sys.stdin.buffer.read().decode("utf-8", "replace")
    elif value.startswith("@"):
        try:
            value = Path(value[1:]).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise click.UsageError(
                f"--field: {value[1:]} cannot be read ({error.strerror or error}): name a file after @"
            ) from error
    return fitted_field(Field(name, value, kind))


def _resources(
    *,
    one_fields: Sequence[str],
    field_types: Sequence[str],
    one_links: Sequence[str],
    link_notes: Sequence[str],
    artifacts: Sequence[str],
) -> Resources:
    types = _each("--field-type", field_types or ("string",), one_fields)
    notes = _each("--link-note", link_notes or (None,), one_links)
    return Resources(
        fields=tuple(_field(text, FIELD_TYPES[kind]) for text, kind in zip(one_fields, types, strict=True)),
        links=tuple(Link(*_address("--link", text), note) for text, note in zip(one_links, notes, strict=True)),
        artifacts=tuple(Artifact(*_address("--artifact", text)) for text in artifacts),
    )


_RESOURCES: Final = gathered(
    "resources",
    _resources,
    click.option("--field", "one_fields", metavar="NAME=VALUE", multiple=True,
                 help="A field; @FILE as its value is read from the file, - from stdin. Can be repeated."),
    click.option("--field-type", "field_types", type=click.Choice([*FIELD_TYPES]), multiple=True,
                 help="Type of the fields: once for all, or once for each in the same order."),
    click.option("--link", "one_links", metavar="NAME=URL", multiple=True, help="A link. Can be repeated."),
    click.option("--link-note", "link_notes", metavar="TEXT", multiple=True,
                 help="Note of the links: once for all, or once for each in the same order."),
    click.option("--artifact", "artifacts", metavar="NAME=URL", multiple=True, help="A stored file. Can be repeated."),
)  # fmt: skip
_STATUSES: Final = {"passed": RunStatus.SUCCESS, "failed": RunStatus.FAILURE, "open": RunStatus.RUNNING}
NUMBER: Final = click.argument("chosen", metavar="[RUN_ID]", type=run_number, required=False)
"""The run that a command changes: no newest one stands for it."""


@click.group(cls=CommandGroup)
def run() -> None:
    """Create, fill, complete and read runs."""


@run.command()
@_RESOURCES
@setting_options(*CONNECTION, *NEW_RUN, "run_key")
def create(resources: Resources, **options: object) -> int:
    """Create a run and print its id. With --run-key an open run of that key is used, if there is one."""
    settings, token = configured(options)
    new, sharing, _ = new_run(settings, token)
    new = joined(new, without_secrets(resources, cleaning_options(settings, token)))
    with connected_to(settings, token) as client:
        run_id = join_or_create_run(client, new, sharing, is_late_refused=True)
    echo_result(run_id)
    echo_stderr(f'run {run_id} "{new.name}" of source {new.source} is open')
    echo_link(settings, run_id)
    return Exit.DONE


@run.command()
@NUMBER
@_RESOURCES
@setting_options(*CONNECTION, *WHICH, "fields", "links")
def append(chosen: int | None, resources: Resources, **options: object) -> int:
    """Add fields, links and artifacts to the run RUN_ID, or to the run of --run-key."""
    settings, token = configured_for(chosen, options)
    resources = joined(Resources(fields=settings.fields, links=settings.links), resources)
    if resources == Resources():
        raise click.UsageError(
            "nothing to add: give --field NAME=VALUE, --link NAME=ADDRESS or --artifact NAME=ADDRESS"
        )
    resources = without_secrets(resources, cleaning_options(settings, token))
    with connected_to(store_to_read(settings), token) as client, explaining_run(settings, settings.run_id):
        run_id = find_runs(client, settings, is_open=True)[0]
        client.append_run(run_id, resources)
    echo_stderr(f"added to run {run_id}")
    echo_link(settings, run_id)
    return Exit.DONE


_JOBS_SECONDS: Final = 1800.0
_REST_SECONDS: Final = 60.0  # to read and write what became of the runs
TIMEOUT: Final = click.option(
    "--timeout", type=AGE, help="End after this time, such as 90s; default: wait 30m with --expect-jobs, else 30s."
)


@run.command()
@NUMBER
@click.option("--measure-elapsed/--longest-thread", default=True,
              help="Time of the run: from its creation to now, or of its longest thread.")  # fmt: skip
@EXPECT_JOBS
@TIMEOUT
@setting_options(*CONNECTION, *WHICH)
def complete(
    chosen: int | None,
    *,
    measure_elapsed: bool,
    expect_jobs: ExpectedJobs | None,
    timeout: float | None,
    **options: object,
) -> int:
    """Complete the run RUN_ID, or the run of --run-key, and print its id.

    With --expect-jobs it waits for jobs first. If they are not in within --timeout, the run stays open and the exit
    code is 3. If jobs of one key have several configurations, it completes the run of each.

    It waits for a server that does not answer, too.
    """
    settings, token = configured_for(chosen, options)
    if chosen is not None:  # the run of a key may still be created
        settings = store_to_read(settings)
    with connected_to(settings, token) as client, explaining_run(settings, settings.run_id):
        runs, missing = completed_runs(client, settings, expect_jobs, timeout, measure_elapsed=measure_elapsed)
        for run_id in () if missing else runs:
            if Opened(client, settings).is_ours:
                echo_jobs(client.findings_document(run_id))
            echo_link(settings, run_id)
            echo_result(run_id)
    return Exit.KEPT if missing else Exit.DONE


def completed_runs(
    client: Client, settings: Settings, jobs: ExpectedJobs | None, timeout: float | None, *, measure_elapsed: bool
) -> tuple[list[int], str]:
    """Complete the runs that the settings name once their jobs are in; return their ids, and why they stay open."""
    began = time.monotonic()
    if timeout is None:
        timeout = DEADLINE_SECONDS if jobs is None else _JOBS_SECONDS
    else:  # of the whole command, which needs some of it afterwards; without a wait it looks once
        client.ends_at = began + (timeout or DEADLINE_SECONDS)
        timeout -= min(timeout / 4, _REST_SECONDS)
    end = began + timeout
    missing = "" if jobs is None else wait_for_jobs(client, settings, jobs, end)
    try:
        runs = sorted(retry_until(lambda: find_runs(client, settings, is_open=True), end))
    except NoRunError as error:
        why = "Error" if jobs is None else f"no job came in {quantity(round(timeout), 'second')}"
        echo_stderr(f"{why}: {error}", colour="red" if jobs is None else "yellow")
        return [], missing or str(error)
    for run_id in runs:
        if not missing:
            complete = partial(_completed, client, run_id, measure_elapsed=measure_elapsed)
            is_new = retry_until(complete, min(client.ends_at, max(end, time.monotonic() + DEADLINE_SECONDS)))
            echo_stderr(f"run {run_id} is completed" if is_new else f"run {run_id} was completed before")
        elif client.run(run_id, has_threads=False).is_completed:
            echo_stderr(f"run {run_id} was completed before: {missing}", colour="yellow")
        else:
            waited = quantity(round(timeout), "second")
            echo_stderr(f"run {run_id} stays open after {waited}: {missing}", colour="yellow")
            words = [*user_shell().command, "run", "complete", str(run_id), *typed_options(settings)]
            echo_stderr(f"to complete it anyway: {system.quoted(words)}")
    return runs, missing


@run.command("list")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page, newest runs first.")
@click.option("--per-page", type=click.Choice(["15", "25", "50", "100"]), default="25", show_default=True,
              help="Runs a page.")  # fmt: skip
@click.option("--status", "statuses", type=click.Choice([*_STATUSES]), multiple=True,
              help="Only runs of this status; open ones are not completed. Can be repeated.")  # fmt: skip
@click.option("--source", metavar="NAME", help="Only runs of this source.")
@click.option("--branch", metavar="NAME", help="Only runs of this branch.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only runs with this tag, or one of several.")
@click.option("--newer-than", type=AGE, help="Only runs that were created more recently than this: 30m, 2h or 3d.")
@click.option("--older-than", type=AGE, help="Only runs that were created longer ago than this: 30m, 2h or 3d.")
@click.option("--json", "is_json", is_flag=True, help="Print the page as the server's JSON, without threads if it can.")
@setting_options(*CONNECTION)
def list_runs(  # noqa: PLR0913 - one for each option
    page: int,
    per_page: str,
    *,
    statuses: tuple[str, ...],
    source: str | None,
    branch: str | None,
    tags: tuple[str, ...],
    newer_than: float | None,
    older_than: float | None,
    is_json: bool,
    **options: object,
) -> int:
    """Print the ids of the project's runs, one a line; their states, results and names are on stderr."""
    try:
        with opened(options) as reading, explaining_project(reading.settings):
            sources = () if source is None else (reading.source_id(source),)
            if branch is not None:
                reading.check_branch(branch, sources)
            filters: RunFilters = {
                "source_id": sources,
                "status": [_STATUSES[name] for name in statuses],
                "tags": tags,
                "branch": branch or "",
                "created_after": _ago(newer_than),
                "created_before": _ago(older_than),
            }
            listed = _listed(reading, page, int(per_page), filters)
    except (NoStoreError, NoRunsYetError) as error:
        if is_json:
            pages = dict.fromkeys(("page", "prev_page", "next_page", "last_page"))
            click.echo(json.dumps({**pages, "total": 0, "result": [], "per_page": int(per_page)}, indent=2))
        else:
            echo_stderr(error.message)
        return Exit.DONE
    if is_json:
        if not listed.document:
            raise click.UsageError("--json prints the server's own page: leave --branch out")
        click.echo(json.dumps(listed.document, indent=2))
        return Exit.DONE
    _echo_runs(reading.settings, listed.result)
    if (older := listed.total - page * int(per_page)) > 0:
        echo_stderr(f"{quantity(older, 'older run')}: --page {page + 1}")
    if not listed.result:
        echo_stderr("no runs" if page > 1 or any(filters.values()) else no_runs_yet(reading.settings))
    return Exit.DONE


def moment(text: str | None) -> str:
    """Return a time of the server, UTC in ISO 8601, in this machine's time zone; any other text unchanged."""
    time = parse_time(text)
    return text or "" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def run_line(run: Run) -> str:
    """Return a run in one line: its id, state, counts, time and name."""
    counts = _verdict(run)
    if run.is_completed or not run.verdict:  # the verdict of an open run counts its results
        counts = f"{quantity(run.total, 'result')}, {counts}"
    return f'{run.id}: {_state(run)}, {counts}, created {moment(run.created_at)}: "{run.name}"'


def _state(run: Run) -> str:
    return "completed" if run.is_completed else "open"


def _verdict(run: Run) -> str:
    """Return the server's words about a run, or the number of its failures if the server has none."""
    return printable(run.verdict) or f"{run.failure:,} failed"


def _ago(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.now(tz=timezone.utc) - timedelta(seconds=seconds)


def _listed(reading: Opened, page: int, per_page: int, filters: RunFilters) -> ResultPage[Run]:
    """Return a page of the runs that match, picked from the newest ones where the server cannot filter by branch."""
    if reading.is_ours or not filters.get("branch"):
        return reading.client.runs(page=page, per_page=per_page, has_threads=False, has_verdicts=True, **filters)
    found = [run for each in run_pages(reading.client, **filters) for run in each.result]
    echo_stderr(f"this server cannot filter by branch: only its newest {MOST_RUNS} runs were searched")
    return ResultPage(tuple(found[(page - 1) * per_page : page * per_page]), total=len(found))


def _echo_runs(settings: Settings, runs: Sequence[Run]) -> None:
    """Print ids on stdout and a line for each run on stderr, or only a table to a person."""
    if not is_person_reading():
        for run in runs:
            click.echo(run.id)
            echo_stderr(f"{run_line(run)} {run_page(settings, run.id)}".rstrip())
        return
    head = ["run", "state", "results", "verdict", "created", "name"]
    rows = [[run.id, _state(run), run.total, _verdict(run), moment(run.created_at), run.name] for run in runs]
    if not settings.endpoint.is_embedded:
        head.append("link")
        rows = [[*row, run_page(settings, run.id)] for row, run in zip(rows, runs, strict=True)]
    echo_table(head, rows)


def echo_jobs(findings: RunFindings) -> None:
    """Print whether the jobs of a run ran each test once, and how many tests have results of several jobs."""
    whole, several = findings["whole"], findings["counts"]["in_several_jobs"]
    if whole is not None:
        echo_stderr(wholeness_words(whole), colour="red" if is_torn(whole) else "")
    if several:
        tests = quantity(several, "test")
        echo_stderr(f"several jobs ran {tests}: a test that failed in one of them counts as failed")


def _completed(client: Client, run_id: int, *, measure_elapsed: bool) -> bool:
    try:
        client.complete_run(run_id, measure_elapsed=measure_elapsed)
    except RefusedError as error:
        if error.status != UNPROCESSABLE or not client.run(run_id, has_threads=False).is_completed:
            raise
        return False
    return True
