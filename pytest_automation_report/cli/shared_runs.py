"""Find runs that several jobs share by their key, and wait for their jobs."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pytest_automation_report.api.models import NOTE_FIELD
from pytest_automation_report.api.run_pages import learn_kind, run_pages
from pytest_automation_report.cli.context import FACTS, configured, echo_stderr, new_run
from pytest_automation_report.delivery.connection import connected
from pytest_automation_report.delivery.handover import Runtime, timeouts_from
from pytest_automation_report.delivery.shared_run import SharedRunLookup
from pytest_automation_report.errors import NotSentError, RefusedError, ThrottledError, UnknownAnswerError
from pytest_automation_report.settings.run import JOB_FIELD
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import NewRun, Token
    from pytest_automation_report.api.responses import Run, Thread
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.settings.run import RunSharing

DEADLINE_SECONDS: Final = 30.0

WHICH: Final = ("source", "run_id", "run_key", *FACTS)
"""Settings that name a run where no id is typed."""

_T = TypeVar("_T")
_TRANSIENT_ERRORS: Final = (NotSentError, ThrottledError, UnknownAnswerError)
_SHOWN_SECONDS: Final = 10.0
"""How often an error that stays the same is shown: CI providers end jobs whose log is silent for long."""


class NoRunError(RefusedError):
    """No run has the key: none of its jobs has begun, or their results are still in their spools."""


class _JobsMissingError(Exception):
    """Fewer jobs than expected have delivered their results."""


def connected_to(configuration: Configuration, token: Token) -> AbstractContextManager[Client]:
    """Return a client of the configured server, to be used in a ``with`` statement."""
    return connected(configuration.endpoint, token, deadline_seconds=DEADLINE_SECONDS)


def configured_for(
    run_id: int | None, options: dict[str, Any], *, is_source_needed: bool = True
) -> tuple[Configuration, Token]:
    """Return the configuration and token for a command on the run of this id, or on that of the settings."""
    if run_id is not None:
        options["run_id"] = str(run_id)
    return configured(options, is_source_needed=is_source_needed)


def join_or_create_run(client: Client, run: NewRun, sharing: RunSharing) -> int:
    """Return the id of the run that jobs share, created if missing.

    Transient errors of the server are retried for `DEADLINE_SECONDS`, then raised; refusals are raised at once.
    """
    timeouts = timeouts_from(os.environ)
    runtime = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    lookup = SharedRunLookup(client, run, sharing.tag, timeouts, runtime, sharing.is_first)

    def join_or_create() -> int:
        while (run_id := lookup.step()) is None:
            if lookup.is_waiting:
                time.sleep(timeouts.poll)
        return run_id

    return retry_until(join_or_create, time.monotonic() + DEADLINE_SECONDS)


def find_run(client: Client, configuration: Configuration) -> int:
    """Return the id of the run that the settings name, by id or by key.

    Of several runs of the key it is the first open one, else the newest. Raises `click.UsageError` if the settings name
    neither, and `NoRunError` if no run has the key.
    """
    if configuration.run_id is not None:
        return configuration.run_id
    _, sharing = new_run(configuration)
    if not sharing.tag:
        raise click.UsageError("which run? give its id, --run-id or --run-key")
    learn_kind(client)
    # A server may ignore the filter, so the tags are compared here, too.
    runs = [run for page in run_pages(client, tags=(sharing.tag,)) for run in page.result if sharing.tag in run.tags]
    if not runs:
        raise NoRunError(f"there is no run of the key {sharing.key!r} in this project and source", 404)
    open_runs = [run.id for run in runs if not run.is_completed]
    return min(open_runs) if open_runs else max(run.id for run in runs)


def retry_until(call: Callable[[], _T], end: float, *, also: tuple[type[Exception], ...] = ()) -> _T:
    """Return the result of a call, repeated until ``end`` on transient errors of the server and on errors of ``also``.

    ``end`` is a time of the monotonic clock. The errors are shown, the last one is raised, and refusals at once.
    """
    retried: tuple[type[Exception], ...] = (*_TRANSIENT_ERRORS, *also)
    shown, shown_at = "", 0.0
    while True:
        try:
            return call()
        except retried as error:
            now, reason = time.monotonic(), str(error)
            if now >= end:
                raise
        if reason != shown or now - shown_at >= _SHOWN_SECONDS:
            echo_stderr(f"{reason}; tried again for {pluralize(round(end - now), 'second')}")
            shown, shown_at = reason, now
        # Random, since the jobs of a pipeline often start, and meet a busy server, at the same moment.
        pause = timeouts_from(os.environ).join_poll * random.uniform(0.5, 1.0)  # noqa: S311 - no secret  # nosec B311
        time.sleep(min(pause, max(0.0, end - now)))


def completed_jobs(run: Run) -> set[str]:
    """Return the jobs of a run all of whose results have arrived: their thread has the field of their end."""
    ended = [thread for thread in run.threads if any(field.name == NOTE_FIELD for field in thread.fields)]
    return {job for thread in ended for job in _values(thread, JOB_FIELD)}


def jobs_of(run: Run, job: str) -> list[Thread]:
    """Return the threads of a job that have results."""
    return [thread for thread in run.threads if thread.counts.total and job in _values(thread, JOB_FIELD)]


def wait_for_jobs(client: Client, run_id: int, count: int, end: float) -> str:
    """Wait until the results of N jobs have arrived or the run is completed; return "", or why not before ``end``.

    ``end`` is a time of the monotonic clock. Transient errors of the server are retried, refusals are raised.
    """

    def check() -> None:
        run = client.run(run_id)
        arrived = len(completed_jobs(run))
        if arrived < count and not run.is_completed:
            raise _JobsMissingError(f"{arrived} of {count} jobs are in")

    try:
        retry_until(check, end, also=(_JobsMissingError,))
    except (_JobsMissingError, *_TRANSIENT_ERRORS) as error:
        return str(error)
    return ""


def _values(thread: Thread, name: str) -> Iterator[str]:
    return (field.value for field in thread.fields if field.name == name and field.value)
