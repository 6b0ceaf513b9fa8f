"""What earlier runs say of the tests, for a session that cuts or orders them: no command of the console.

All jobs of a shared run cut their tests by runs that were completed before that run was created, by the server's own
times: whenever a job starts, it finds the same ones.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import Struct, convert

from pytest_automation_report.api.client import learn_kind, run_pages
from pytest_automation_report.api.models import CUT_FIELD, SELECTION_FIELD, SHARD_OPTION, NewRun
from pytest_automation_report.api.responses import parse_time
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.cli.context import CONNECTION, FACTS, Command, Exit, setting_options, store_to_read
from pytest_automation_report.cli.queries import (
    COMPLETED,
    Opened,
    configured_for,
    explaining_project,
    explaining_run,
    join_or_create_run,
    retry_until,
)
from pytest_automation_report.delivery.shared_run import runs_of_key
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.findings.comparison import MAIN_BRANCHES
from pytest_automation_report.settings.run import RunSharing, timeouts_from
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.api.responses import Run

_DEADLINE_SECONDS: Final = 3.0  # of a request: the session's first test waits
_CANDIDATES: Final = 15
_NONE: Final[Json] = {"runs": [], "failed": [], "durations": {}}


class SharedRun(Struct, frozen=True):
    """The run that a job of shards reports to, as its session describes it: by its id, or by the tag of its key."""

    run: NewRun
    joined_run: int | None = None
    run_tag: str = ""
    is_first: bool | None = None


@click.command(cls=Command)
@setting_options(*CONNECTION, "source", *FACTS)
@click.pass_obj
def history(shared: SharedRun | None, /, **options: object) -> int:
    """Print the usual durations of the source's tests and those that failed last, as JSON."""
    settings, token = configured_for(None, options)
    # An order is not worth a wait. A job without an answer has other tests than the other jobs expect.
    end = time.monotonic() + (0 if shared is None else timeouts_from(os.environ).cut)
    with connected(store_to_read(settings).endpoint, token, deadline_seconds=_DEADLINE_SECONDS) as client:
        found = retry_until(partial(_found, Opened(client, settings), shared, end), end)
    # pytest may read it later than the time limit of this process allows.
    system.end_after(0)
    click.echo(json.dumps(found))
    return Exit.DONE


def answer(start: Mapping[str, Any]) -> None:
    """Run the command with these arguments, and the shared run of the session that calls it, if it has one."""
    history(start["arguments"], prog_name="automation-report", obj=convert(start["shared"], SharedRun | None))


def _found(reading: Opened, shared: SharedRun | None, end: float) -> Json:
    client, settings = reading.client, reading.settings
    learn_kind(client)
    if shared is not None:
        return _for_cut(reading, _shared_run(reading, shared, end))
    with explaining_project(settings):
        facts = facts_for(settings.build_info, settings.facts, os.environ, Path.cwd())
        if reading.is_ours:
            return client.durations_document(settings.source, facts.branch or "")
        return _of_newest_run(reading, reading.source_id(settings.source), facts.branch or "", None)


def _shared_run(reading: Opened, shared: SharedRun, end: float) -> Run:
    """Return the first run of the key, which is created if there is none.

    On Testmo a job that runs again after its completion reports to another one, and has the tests that it had.
    """
    client, run_id = reading.client, shared.joined_run
    if run_id is None:
        same, _ = runs_of_key(client, shared.run_tag, shared.run)
        sharing = RunSharing(is_shared=True, tag=shared.run_tag, is_first=shared.is_first)
        run_id = min((run.id for run in same), default=0) or join_or_create_run(client, shared.run, sharing, end=end)
    with explaining_run(reading.settings, run_id):
        return reading.run(run_id)


def _for_cut(reading: Opened, shared: Run) -> Json:
    """Return what all jobs of a run cut their tests by."""
    if shared.field_value(CUT_FIELD):
        # A job that got no answer in time created the run later: nobody can have known any durations before.
        return {**_NONE, "error": f"as the first jobs of run {shared.id}, which got no answer"}
    if reading.is_ours:
        return reading.client.durations_document(run=shared.id)
    created = _moment(shared.created_at)
    if created is None:
        return {**_NONE, "error": f"this server does not tell when run {shared.id} was created"}
    return _of_newest_run(reading, shared.source_id or 0, shared.field_value("Branch"), created)


def _of_newest_run(reading: Opened, source_id: int, branch: str, before: datetime | None) -> Json:
    """Return the durations in the newest completed run of the branch, else of the main branch, else of any.

    With ``before`` it is one that was completed earlier: also if others are completed or created between two calls.
    """
    pages = run_pages(reading.client, status=COMPLETED, source_id=(source_id,), created_before=before)
    runs = [*islice((run for page in pages for run in page.result if _counts(run, before)), _CANDIDATES)]
    if not runs:
        return _NONE
    branches = [branch, *MAIN_BRANCHES]
    newest = min(runs, key=lambda run: [(run.field_value("Branch") or "") != name for name in branches])
    tests = [*reading.tests(newest.id, are_whole=False)]
    failed = [test.key for test in tests if test.verdict == "failed"]
    return {"runs": [newest.id], "failed": failed, "durations": {test.key: test.elapsed or 0 for test in tests}}


def _counts(run: Run, before: datetime | None) -> bool:
    # A shard that has no key has a part of the tests.
    if not (run.is_completed and run.total) or run.field_value(SELECTION_FIELD).startswith(SHARD_OPTION):
        return False
    # Not at the same moment: on a server that shows whole seconds it may have been later.
    return before is None or ((completed := _moment(run.completed_at)) is not None and completed < before)


def _moment(text: str | None) -> datetime | None:
    moment = parse_time(text)
    return moment and moment.replace(tzinfo=moment.tzinfo or timezone.utc)
