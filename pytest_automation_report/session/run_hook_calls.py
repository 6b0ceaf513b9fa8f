"""The hooks about a whole run: what they add to it at its start, what they are told at its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_automation_report.annotations.hook_values import Summary
from pytest_automation_report.annotations.user_hooks import DESCRIBE_RUN, FINISHED, added_to_run, files_of
from pytest_automation_report.api.models import SERVE_PORT, Resources
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.summary.lines import RUN_PAGE, run_page

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.annotations.hook_values import ArtifactFile
    from pytest_automation_report.annotations.user_hooks import UserErrors
    from pytest_automation_report.api.models import NewRun
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.summary.lines import SessionOutcome


def described_run(
    config: pytest.Config, run: NewRun, rules: RecordingOptions, troubles: UserErrors
) -> tuple[NewRun, tuple[ArtifactFile, ...]]:
    """Return the run with what hooks add to it, and the files that it is to have.

    The name of the hook that was registered last counts.
    """
    hook = getattr(config.hook, DESCRIBE_RUN)
    answers = troubles.ask(DESCRIBE_RUN, lambda: hook(config=config)) or ()
    cleaner = cleaner_for(rules)
    files: list[ArtifactFile] = []
    for answer in reversed(answers):
        added = troubles.checked(DESCRIBE_RUN, added_to_run, answer, cleaner)
        if added is None:
            continue
        files += files_of(answer)
        resources = Resources(
            fields=(*run.resources.fields, *added.resources.fields),
            links=(*run.resources.links, *added.resources.links),
            artifacts=(*run.resources.artifacts, *added.resources.artifacts),
        )
        tags = tuple(dict.fromkeys((*run.tags, *added.tags)))
        run = replace(run, name=added.name or run.name, tags=tags, resources=resources)
    return run, tuple(files)


def call_finished_hooks(
    config: pytest.Config, ending: SessionOutcome, configuration: Configuration, troubles: UserErrors
) -> None:
    """Tell hooks what became of the session's results."""
    troubles.add_unknown_hooks(config)
    tally = ending.tally
    summary = Summary(
        run=tally.run,
        url=run_page(configuration, tally.run) or _local_page(tally.run),
        counts=dict(tally.counts),
        delivered=tally.acknowledged,
        kept=tally.left,
        rejected=tally.rejected,
        held=tally.held,
        not_run=max(0, tally.not_run),
        is_whole=ending.is_whole,
    )
    hook = getattr(config.hook, FINISHED)
    troubles.ask(FINISHED, lambda: hook(config=config, summary=summary))


def _local_page(run: int | None) -> str:
    """Return the address of a run of the embedded store while ``automation-report serve`` shows it; empty for none."""
    return "" if run is None else f"http://127.0.0.1:{SERVE_PORT}{RUN_PAGE.format(run=run)}"
