"""Find runs that several jobs share by their key, and wait for their jobs."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pytest_automation_report.api.client import learn_kind
from pytest_automation_report.api.models import NOTE_FIELD
from pytest_automation_report.cli.context import FACTS, configured, echo_stderr, new_run
from pytest_automation_report.delivery.launch import Runtime, timeouts_from
from pytest_automation_report.delivery.shared_run import SharedRunLookup, runs_of_key
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.errors import NotSentError, RefusedError, ThrottledError, UnknownAnswerError
from pytest_automation_report.settings.run import JOB_FIELD
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import NewRun, Token
    from pytest_automation_report.api.responses import Run, Thread
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.settings.settings import Settings

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


def connected_to(configuration: Settings, token: Token) -> AbstractContextManager[Client]:
    """Return a client of the configured server, to be used in a ``with`` statement."""
    return connected(configuration.endpoint, token, deadline_seconds=DEADLINE_SECONDS)


def configured_for(
    run_id: int | None, options: dict[str, Any], *, is_source_needed: bool = True
) -> tuple[Settings, Token]:
    """Return the configuration and token for a command on the run of this id, or on that of the settings."""
    if run_id is not None:
        options["run_id"] = str(run_id)
    return configured(options, is_source_needed=is_source_needed)


def join_or_create_run(client: Client, run: NewRun, sharing: RunSharing, *, is_late_refused: bool = False) -> int:
    """Return the id of the run that jobs share, created if missing; with ``is_late_refused`` it is an open one.

    Transient errors of the server are retried for `DEADLINE_SECONDS`, then raised; refusals are raised at once.
    """
    timeouts = timeouts_from(os.environ)
    runtime = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    lookup = SharedRunLookup(client, run, sharing.tag, timeouts, runtime, sharing.is_first, is_late_refused)

    def join_or_create() -> int:
        while (run_id := lookup.step()) is None:
            if lookup.is_waiting:
                time.sleep(timeouts.poll)
        return run_id

    run_id = retry_until(join_or_create, time.monotonic() + DEADLINE_SECONDS)
    if lookup.note:
        echo_stderr(lookup.note)
    return run_id


def find_runs(client: Client, configuration: Settings, *, is_open: bool = False) -> list[int]:
    """Return the ids of the runs that the settings name, by id or by key: of each configuration one or more.

    With ``is_open`` they are the open ones, or the newest if none is. Raises `click.UsageError` if the settings name
    neither, and `NoRunError` if no run of this build has the key.
    """
    if configuration.run_id is not None:
        return [configuration.run_id]
    new, sharing = new_run(configuration)
    if not sharing.tag:
        raise click.UsageError("which run? give its id, --run-id or --run-key")
    learn_kind(client)
    runs, others = runs_of_key(client, sharing.tag, new)
    if not runs:
        why = f"; run {others[0][0].id} of this key is of {others[0][1]}" if others else ""
        raise NoRunError(f"there is no run of the key {sharing.key!r} in this project and source{why}", 404)
    open_runs = sorted(run.id for run in runs if not run.is_completed)
    return (open_runs or [runs[0].id]) if is_open else [run.id for run in runs]


def find_run(client: Client, configuration: Settings) -> int:
    """Return the first open run that the settings name, else the newest; raises as `find_runs`."""
    return find_runs(client, configuration, is_open=True)[0]


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
    return [thread for thread in run.threads if thread.total and job in _values(thread, JOB_FIELD)]


def wait_for_jobs(client: Client, configuration: Settings, count: int, end: float) -> str:
    """Wait until the results of N jobs have arrived or their runs are completed; return "", or why not before ``end``.

    ``end`` is a time of the monotonic clock. Transient errors of the server are retried, and so is `NoRunError`; other
    refusals are raised.
    """

    def check() -> None:
        runs = [client.run(run_id) for run_id in find_runs(client, configuration)]
        arrived = sum(len(completed_jobs(run)) for run in runs)
        if arrived < count and not all(run.is_completed for run in runs):
            raise _JobsMissingError(f"{arrived} of {count} jobs are in")

    try:
        retry_until(check, end, also=(_JobsMissingError, NoRunError))
    except (_JobsMissingError, *_TRANSIENT_ERRORS) as error:
        return str(error)
    return ""


def _values(thread: Thread, name: str) -> Iterator[str]:
    return (field.value for field in thread.fields if field.name == name and field.value)
