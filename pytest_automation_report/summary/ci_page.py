"""Failures in the words of CI providers: lines on a job's output that become marks on its page.

A provider takes a line for a command by what it begins with. Foreign text gets into such a line as one line of visible
signs, and escaped by the provider's own rules, so that it ends neither the command nor the line.

What a CI job shows of a reported session besides its log: a page in Markdown.

Foreign text (names, messages) is spelled so that it can be nothing but text: each sign that Markdown or HTML could give
a meaning is a numeric reference, which both show as the sign itself and neither reads as syntax.

What a reported session leaves on the page of its CI job: a summary, and marks where they are asked for.

Written once, at the session's end. What cannot be written is told, and changes nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.detection import SUMMARY_VARIABLE, ci_provider
from pytest_automation_report.recording.failures import SHOWN
from pytest_automation_report.spool.folder import ignored_folder
from pytest_automation_report.summary.lines import job_lines, run_page
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.recording.failures import FailedTest
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.summary.counts import SessionCounts
    from pytest_automation_report.summary.lines import SessionOutcome, Shell

__all__ = [
    "ANNOTATED",
    "SUMMARY_BYTES",
    "JobOutput",
    "JobPage",
    "annotation_lines",
    "link_report",
    "plain",
]

MAX_ANNOTATIONS: Final = 10
"""Most marks of one kind that GitHub takes of a step; more are hard to read anywhere."""


def annotation_lines(provider: str, failures: Sequence[FailedTest], failed: int, undelivered: str = "") -> list[str]:
    """Return the lines that mark failures, then what was not delivered; none for a provider without such lines.

    ``failed`` is the number of all failures, ``undelivered`` a text for people, empty when all has arrived.
    """
    mark = ANNOTATED.get(provider)
    if mark is None:
        return []
    lines = [mark("error", each, _message(each)) for each in failures[:MAX_ANNOTATIONS]]
    more = failed - len(lines)
    if more > 0:
        lines.append(mark("warning", None, f"{more} more tests failed" if lines else f"{more} tests failed"))
    if undelivered:
        lines.append(mark("warning", None, f"automation report: {undelivered}"))
    return lines


def link_report(failures: Sequence[FailedTest], url: str, title: str) -> str:
    """Return GitLab's report of links for a job's page, as JSON: the run, and each failure with its message."""
    labels = [title, *(_message(each) for each in failures[:MAX_ANNOTATIONS])]
    links = [{"external_link": {"label": string(each), "url": url}} for each in labels]
    return json.dumps({"Automation report": links}, indent=1) + "\n"


def _message(failure: FailedTest) -> str:
    return f"{failure.title}: {failure.message}" if failure.message else failure.title


def _github(kind: str, failure: FailedTest | None, message: str) -> str:
    values: dict[str, str] = {}
    if failure is not None:
        if failure.file:
            values["file"] = failure.file
            if failure.line is not None:
                values["line"] = str(failure.line)
        values["title"] = failure.name
    told = ",".join(f"{name}={_escaped(string(value), _GITHUB_VALUE)}" for name, value in values.items())
    return f"::{kind}{f' {told}' if told else ''}::{_escaped(string(message), _GITHUB_TEXT)}"


def _azure(kind: str, failure: FailedTest | None, message: str) -> str:
    values = {"type": kind}
    if failure is not None and failure.file:
        values["sourcepath"] = failure.file
        if failure.line is not None:
            values["linenumber"] = str(failure.line)
    told = "".join(f"{name}={_escaped(string(value), _AZURE_VALUE)};" for name, value in values.items())
    return f"##vso[task.logissue {told}]{_escaped(string(message), _AZURE_TEXT)}"


def _teamcity(kind: str, failure: FailedTest | None, message: str) -> str:
    # A message of the status ERROR can fail a build, which is pytest's to decide.
    del kind, failure
    return f"##teamcity[message text='{_escaped(string(message), _TEAMCITY)}' status='WARNING']"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(each, each) for each in text)


_GITHUB_TEXT: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_VALUE: Final = {**_GITHUB_TEXT, ":": "%3A", ",": "%2C"}
_AZURE_TEXT: Final = {"%": "%AZP25", "\r": "%0D", "\n": "%0A"}
_AZURE_VALUE: Final = {**_AZURE_TEXT, ";": "%3B", "]": "%5D"}
_TEAMCITY: Final = {"|": "||", "'": "|'", "[": "|[", "]": "|]", "\r": "|r", "\n": "|n"}

ANNOTATED: Final[Mapping[str, Callable[[str, FailedTest | None, str], str]]] = {
    "GitHub": _github,
    "Gitea": _github,
    "Azure": _azure,
    "TeamCity": _teamcity,
}
"""Providers that take such lines, each with the function that writes one."""


SUMMARY_BYTES: Final = 1024 * 1024
"""What GitHub shows of one step at most; Buildkite takes as much."""

_SIGNS: Final = re.compile(r"[^\w\s]|_")
_WORDS: Final = (
    ("failure", "failed"),
    ("error", "error"),
    ("passed", "passed"),
    ("skipped", "skipped"),
    ("untested", "untested"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """What a job's page tells of a session.

    ``title`` has the run's name, ``url`` is the run's web page (empty for none), ``told`` are lines for people.
    """

    title: str
    tally: SessionCounts
    url: str = ""
    told: Sequence[str] = ()

    @property
    def failed(self) -> int:
        """Number of results that failed."""
        return self.tally.counts.get("failure", 0) + self.tally.counts.get("error", 0)

    def text(self, room: int) -> str:
        """Return the page in Markdown, at most ``room`` bytes: totals, what was not delivered, failures.

        Where there is no room for all failures, some are left out; empty when there is none for the totals either.
        """
        head = self._head()
        rows = [_row(each) for each in self.tally.failures[:SHOWN]]
        while True:
            text = "\n".join([*head, *self._table(rows)])
            if len(text.encode()) <= room:
                return text
            if not rows:
                return ""
            rows = rows[: len(rows) // 2]

    def _head(self) -> list[str]:
        """Return the lines above the failures."""
        tally = self.tally
        run = "" if tally.run is None else f"run {tally.run}"
        where = f"[{run}](<{self.url}>)" if self.url and run else run
        lines = [f"### {plain(self.title)}", "", f"**{_counted(tally)}**{f' in {where}' if where else ''}", ""]
        if tally.not_run > 0:
            lines += [f"{tally.not_run} of {tally.expected} tests were not run.", ""]
        return [*lines, *(f"- {plain(each)}" for each in self.told), *([""] if self.told else [])]

    def _table(self, rows: Sequence[str]) -> list[str]:
        """Return the failures as a table, and the number of those that it leaves out."""
        more = self.failed - len(rows)
        table = ["| Failed | Message |", "| --- | --- |", *rows, ""] if rows else []
        return [*table, *([f"{more} more failed.", ""] if more > 0 and rows else [])]


def plain(text: str) -> str:
    """Return a foreign text as one line that Markdown and HTML show as it is."""
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", string(text))


def _counted(tally: SessionCounts) -> str:
    counted = [f"{tally.counts[status]} {word}" for status, word in _WORDS if tally.counts.get(status)]
    return ", ".join(counted) or "no results"


def _row(failure: FailedTest) -> str:
    # Inside of code neither names of people nor of signs and issues mean anything.
    message = f"<code>{plain(failure.message)}</code>" if failure.message else ""
    return f"| <code>{plain(failure.title)}</code> | {message} |"


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

    def write(self, configuration: Configuration, ending: SessionOutcome, troubles: Sequence[str]) -> None:
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

    def _placed(self, failure: FailedTest) -> FailedTest:
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
