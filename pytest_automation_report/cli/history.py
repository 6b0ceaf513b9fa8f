"""What earlier runs say of a source's tests: a session that cuts or orders them runs this in a process of its own."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.cli.context import CONNECTION, Command, Exit, setting_options
from pytest_automation_report.cli.queries import WHICH, Opened, opened, project_of
from pytest_automation_report.findings.comparison import MAIN_BRANCHES
from pytest_automation_report.findings.times import median
from pytest_automation_report.server.store.values import RunStatus
from pytest_automation_report.settings.sharing import filled_key, key_tag
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json


_DEADLINE_SECONDS: Final = 3.0  # the session's first test waits


# No command of the console.
@click.command(cls=Command)
@setting_options(*CONNECTION, *WHICH)
def history(**options: object) -> int:
    """Print the usual durations of the source's tests and those that failed last, as JSON."""
    with (
        opened(options, is_source_needed=True, deadline_seconds=_DEADLINE_SECONDS) as reading,
        project_of(reading.configuration),
    ):
        configuration = reading.configuration
        facts = facts_for(configuration.build_info, configuration.facts, os.environ, Path.cwd())
        source, branch = configuration.source, facts.branch or ""
        key = "" if configuration.run_id is None else f"run {configuration.run_id}"
        if configuration.run_id is None and (filled := filled_key(configuration.run_key, facts)[0]):
            key = key_tag(source, filled)
        if reading.is_ours:
            found = reading.client.durations_document(source, branch, key)
        else:
            found = _of_newest_run(reading, branch, key)
    # pytest may read it later than the time limit of this process allows.
    system.end_after(0)
    click.echo(json.dumps(found))
    return Exit.DONE


def _of_newest_run(reading: Opened, branch: str, key: str) -> Json:
    """Return the durations in the newest completed run of the branch, else of the main branch, else of any.

    The run of the own key does not count: its other jobs were cut without it.
    """
    statuses = (RunStatus.SUCCESS, RunStatus.FAILURE)
    source_id = reading.source_id(reading.configuration.source)
    page = next(run_pages(reading.client, status=statuses, source_id=(source_id,)))
    runs = [run for run in page.result if run.is_completed and key not in {*run.tags, f"run {run.id}"}]
    if not runs:
        return {"runs": [], "failed": [], "durations": {}}
    branches = [branch, *MAIN_BRANCHES]
    newest = min(runs, key=lambda run: [(run.field_value("Branch") or "") != name for name in branches])
    durations: dict[str, list[int]] = defaultdict(list)
    failed: list[str] = []
    for test in reading.tests(newest.id, are_whole=False):
        durations[test.key].append(test.elapsed or 0)
        failed += [test.key] if test.verdict == "failed" else []
    usual = {key: round(median(times)) for key, times in durations.items()}
    return {"runs": [newest.id], "failed": failed, "durations": usual}
