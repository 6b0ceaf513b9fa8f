"""Runs that several jobs share, for the console command: found by their key, and waited for."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pytest_automation_report.api.run_pages import learn_kind, run_pages
from pytest_automation_report.cli.context import FACTS, configured, echo_stderr, new_run
from pytest_automation_report.delivery.connection import connected
from pytest_automation_report.delivery.handover import Runtime, timeouts_from
from pytest_automation_report.delivery.reconciliation import NOTE_FIELD
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
"""Settings by which a command finds the run that it is about, where no id is typed."""

_T = TypeVar("_T")
_NOW_AND_THEN: Final = (NotSentError, ThrottledError, UnknownAnswerError)
_TOLD_SECONDS: Final = 10.0


class NoRunError(RefusedError):
    """No run has the key: none of its jobs has begun, or what they made is still in their spools."""


def connected_to(configuration: Configuration, token: Token) -> AbstractContextManager[Client]:
    """Return a client of the configured server, as a context."""
    return connected(configuration.endpoint, token, deadline_seconds=DEADLINE_SECONDS)


def configured_for(
    run_id: int | None, options: dict[str, Any], *, is_source_needed: bool = True
) -> tuple[Configuration, Token]:
    """Return the configuration and token for a command about the run of this id, or of the settings."""
    if run_id is not None:
        options["run_id"] = str(run_id)
    return configured(options, is_source_needed=is_source_needed)


def join_or_create_run(client: Client, run: NewRun, sharing: RunSharing) -> int:
    """Return the id of the run that jobs share, created when there is none.

    Trouble with the server is waited out for `DEADLINE_SECONDS`, then it passes through; refusals do at once.
    """
    timeouts, end = timeouts_from(os.environ), time.monotonic() + DEADLINE_SECONDS
    runtime = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    joining = SharedRunLookup(client, run, sharing.tag, timeouts, runtime, sharing.is_first)
    found = None
    while found is None:
        try:
            found = joining.step()
        except _NOW_AND_THEN:
            if time.monotonic() > end:
                raise
            time.sleep(timeouts.retry_base * runtime.random())
        if joining.is_waiting:
            time.sleep(timeouts.poll)
    return found


def find_run(client: Client, configuration: Configuration) -> int:
    """Return the id of the run that the settings name, by id or by key; raises `click.UsageError` for none."""
    if configuration.run_id is not None:
        return configuration.run_id
    _, sharing = new_run(configuration)
    if not sharing.tag:
        raise click.UsageError("which run? give its id, --run-id or --run-key")
    learn_kind(client)
    pages = run_pages(client, tags=(sharing.tag,))
    found = [each for page in pages for each in page.result if sharing.tag in each.tags]
    if not found:
        raise NoRunError(f"there is no run of the key {sharing.key!r} in this project and source", 404)
    opened = [each.id for each in found if not each.is_completed]
    return min(opened) if opened else max(each.id for each in found)


def retry_until(call: Callable[[], _T], seconds: float, *, also: tuple[type[Exception], ...] = ()) -> _T:
    """Return what a call returns, tried again for so long on trouble with the server or on one of the errors ``also``.

    What it waits for is told; the last error passes through, and so do refusals at once.
    """
    timeouts, end = timeouts_from(os.environ), time.monotonic() + seconds
    awaited: tuple[type[Exception], ...] = (*_NOW_AND_THEN, *also)
    last, before = 0.0, ""
    while True:
        try:
            return call()
        except awaited as error:
            now, said = time.monotonic(), str(error)
            if now >= end:
                raise
        if said != before or now - last >= _TOLD_SECONDS:
            echo_stderr(f"{said}; tried again for {pluralize(round(end - now), 'second')}")
            last, before = now, said
        time.sleep(min(timeouts.join_poll, max(0.0, end - now)))


def completed_jobs(run: Run) -> set[str]:
    """Return the jobs of a run all of whose results have arrived: each has said in a thread how it ended."""
    return {job for thread in run.threads if _has(thread, NOTE_FIELD) for job in _values(thread, JOB_FIELD)}


def jobs_of(run: Run, job: str) -> list[Thread]:
    """Return the threads of a job that have results."""
    return [each for each in run.threads if each.counts.total and job in _values(each, JOB_FIELD)]


def wait_for(client: Client, run_id: int, *, jobs: int | None, end: float) -> bool:
    """Wait until so many jobs are in, or until the run is completed; return whether it came to that before ``end``.

    Trouble with the server is told and waited out, refusals pass through. ``end`` is a time of the monotonic clock.
    """
    timeouts, last, before = timeouts_from(os.environ), 0.0, ""
    while True:
        said = ""
        try:
            run = client.run(run_id)
        except _NOW_AND_THEN as error:
            said = str(error)
        else:
            found = len(completed_jobs(run))
            if run.is_completed or (jobs is not None and found >= jobs):
                return True
            said = f"{found} of {jobs} jobs are in" if jobs is not None else "it is open"
        now = time.monotonic()
        if said != before or now - last >= _TOLD_SECONDS:
            echo_stderr(f"run {run_id}: {said}")
            last, before = now, said
        if now >= end:
            return False
        time.sleep(min(timeouts.join_poll, max(0.0, end - now)))


def _has(thread: Thread, name: str) -> bool:
    return any(each.name == name for each in thread.fields)


def _values(thread: Thread, name: str) -> Iterator[str]:
    return (each.value for each in thread.fields if each.name == name and each.value)
