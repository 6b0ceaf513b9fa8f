"""What a reported session leaves on the page of its CI job (floor 4): a summary, and marks where they are asked for.

Written once, at the session's end. What cannot be written is told, and changes nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci import SUMMARY_VARIABLE, ci_provider
from pytest_automation_report.job_annotations import annotation_lines, link_report
from pytest_automation_report.job_summary import SUMMARY_BYTES, JobPage
from pytest_automation_report.spool import ignored_folder
from pytest_automation_report.summary import job_lines, run_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.configuration import Configuration
    from pytest_automation_report.failures import Failure
    from pytest_automation_report.summary import Ending, Shell

__all__ = ["JobOutput"]

LINKS_FILE: Final = "gitlab-annotations.json"
"""Below ``.automation-report``: what a job of GitLab names as ``artifacts:reports:annotations``."""

_AGENT: Final = "buildkite-agent"
_AGENT_SECONDS: Final = 10.0
_WORKSPACES: Final = ("GITHUB_WORKSPACE", "BUILD_SOURCESDIRECTORY")


def marked_provider(configuration: Configuration, environ: Mapping[str, str]) -> str:
    """Return the CI provider that failures are marked for, empty for none; GitHub's are unless that is switched off."""
    provider = ci_provider(environ)
    is_default = provider == "GitHub" and "ci_annotations" not in configuration.origins
    return provider if configuration.ci_annotations or is_default else ""


class JobOutput:
    """Writes for one job, by the environment that its session began with; ``troubles`` are for people."""

    def __init__(self, configuration: Configuration, environ: Mapping[str, str], *, root: Path, shell: Shell) -> None:
        self.troubles: list[str] = []
        self.lines: list[str] = []
        self._provider = marked_provider(configuration, environ)
        self._summary = environ.get(SUMMARY_VARIABLE, "").strip() if configuration.job_summary else ""
        self._environ = dict(environ) if self._provider in {"Buildkite", "GitLab"} else {}
        self._root, self._shell = root, shell
        self._workspace = next((found for name in _WORKSPACES if (found := environ.get(name, "").strip())), "")

    def write(self, configuration: Configuration, ending: Ending, troubles: Sequence[str]) -> None:
        """Write all that the job is to show; ``lines`` are then those for its output."""
        told, undelivered = job_lines(configuration, ending, troubles, shell=self._shell)
        if ending.tally.seen == 0 and not told:
            return
        page = JobPage(
            title=f"Automation report: {configuration.name}",
            tally=ending.tally,
            url=run_page(configuration, ending.tally.run),
            told=(*told, *undelivered),
        )
        if self._summary:
            self._append(Path(self._summary), page)
        if self._provider:
            self._mark(page, "; ".join(undelivered))

    def _append(self, path: Path, page: JobPage) -> None:
        """Add the summary to what the step has written before: its size is limited together."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                size = os.fstat(descriptor).st_size
                text = page.text(SUMMARY_BYTES - size - 1)
                file.write(("\n" if size and text else "").encode() + text.encode())
        except (OSError, ValueError) as error:
            self.troubles.append(f"the job's summary could not be written: {path}: {_reason(error)}")
            return
        if not text:
            self.troubles.append(f"the job's summary is not shown: {path} holds all that a step may write")

    def _mark(self, page: JobPage, undelivered: str) -> None:
        failures = [self._placed(each) for each in page.tally.failures]
        self.lines = annotation_lines(self._provider, failures, page.failed, undelivered)
        if self._provider == "Buildkite":
            self._annotate(
                page.text(SUMMARY_BYTES), "error" if page.failed else "warning" if undelivered else "success"
            )
        elif self._provider == "GitLab":
            self._write_links(link_report(failures, page.url or self._job_url, page.title))

    def _placed(self, failure: Failure) -> Failure:
        """Return a failure whose file is named as the provider names it: from the repository's root."""
        if not (failure.file and self._workspace):
            return failure
        path = os.path.relpath(self._root / failure.file, self._workspace)
        return failure if path.startswith(os.pardir) else replace(failure, file=path)

    def _annotate(self, text: str, style: str) -> None:
        """Give the text to Buildkite's agent, which shows it on the build's page, one for each job."""
        job = self._environ.get("BUILDKITE_JOB_ID", "")
        arguments = ["annotate", "--style", style, "--context", f"automation-report-{job}"]
        agent = shutil.which(_AGENT, path=self._environ.get("PATH"))
        if agent is None:
            self.troubles.append(f"the build is not annotated: {_AGENT} is not in the PATH")
            return
        try:
            subprocess.run(  # noqa: S603 - the agent that started this job
                [agent, *arguments],
                input=text.encode(),
                env=self._environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_AGENT_SECONDS,
                check=True,
            )
        except subprocess.TimeoutExpired:
            self.troubles.append(f"the build is not annotated: {_AGENT} took longer than {_AGENT_SECONDS:g} s")
        except subprocess.CalledProcessError as error:
            self.troubles.append(f"the build is not annotated: {_AGENT} ended with status {error.returncode}")
        except OSError as error:
            self.troubles.append(f"the build is not annotated: {_AGENT}: {_reason(error)}")

    def _write_links(self, report: str) -> None:
        """Write GitLab's report of links where the job can take it up as one of its artifacts."""
        folder = self._root / ".automation-report"
        try:
            ignored_folder(folder)
            (folder / LINKS_FILE).write_text(report, encoding="utf-8")
        except OSError as error:
            self.troubles.append(f"the job's links could not be written: {folder / LINKS_FILE}: {_reason(error)}")

    @property
    def _job_url(self) -> str:
        return self._environ.get("CI_JOB_URL", "").strip()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
