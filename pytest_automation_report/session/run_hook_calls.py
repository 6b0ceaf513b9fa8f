"""Call users' hooks about a whole run: at its start for additions, at its end with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.annotations.hooks import DESCRIBE_RUN, FINISHED, Summary, clean_run_additions, files_of
from pytest_automation_report.api.models import SERVE_PORT, joined
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.summary.lines import RUN_PAGE, run_page
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.annotations.hooks import ArtifactFile, UserErrors
    from pytest_automation_report.api.models import NewRun
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.summary.lines import SessionOutcome


def described_run(
    config: pytest.Config, run: NewRun, options: RecordingOptions, user_errors: UserErrors
) -> tuple[NewRun, tuple[ArtifactFile, ...]]:
    """Return the run with the additions of all hooks, and the files to attach to it."""
    returned = user_errors.call(DESCRIBE_RUN, getattr(config.hook, DESCRIBE_RUN), config=config) or ()
    if not returned:
        return run, ()
    cleaner = cleaner_for(options)
    files: list[ArtifactFile] = []
    # pytest returns the value of the hook that was registered last first: reversed, its name counts.
    for value in reversed(returned):
        additions = user_errors.validated(DESCRIBE_RUN, clean_run_additions, value, cleaner)
        if additions is None:
            continue
        files += files_of(value)
        tags = tuple(dict.fromkeys((*run.tags, *additions.tags)))
        run = joined(replace(run, name=additions.name or run.name, tags=tags), additions.resources)
    return run, tuple(files)


def call_finished_hooks(
    config: pytest.Config, outcome: SessionOutcome, configuration: Settings, user_errors: UserErrors
) -> None:
    """Call the hooks with the numbers of the session."""
    user_errors.add_unknown_hooks(config)
    hook = getattr(config.hook, FINISHED)
    if not hook.get_hookimpls():
        return
    tally = outcome.tally
    summary = Summary(
        run=tally.run,
        url=run_page(configuration, tally.run) or _local_page(tally.run),
        counts=dict(tally.counts),
        delivered=tally.acknowledged,
        kept=tally.left,
        rejected=tally.rejected,
        held=tally.held,
        not_run=max(0, tally.not_run),
        is_whole=outcome.is_whole,
    )
    user_errors.call(FINISHED, hook, config=config, summary=summary)


def _local_page(run: int | None) -> str:
    """Return the address of a run of the embedded store while ``automation-report serve`` shows it; empty for none."""
    return "" if run is None else f"http://127.0.0.1:{SERVE_PORT}{RUN_PAGE.format(run=run)}"
