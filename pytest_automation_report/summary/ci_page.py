"""Write a session's summary and marks for its failures on the page of the CI job.

Foreign texts (names, messages) cannot end or begin a command or markup: in marks they are one line, escaped by the
provider's own rules, and in the summary, which is Markdown, what would be read stands in code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.ci.detection import SUMMARY_VARIABLE, ci_facts
from pytest_automation_report.findings.sentences import LATER, changes_line, since_words, verdict_line
from pytest_automation_report.recording.phases import SHOWN
from pytest_automation_report.summary.lines import Shell, counts_by_status, run_page, undelivered_lines, warning_lines
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import STATE_FOLDER, make_ignored_folder
from pytest_automation_report.text.limits import quantity, string
from pytest_automation_report.text.markdown import code_span, markdown_line, table_row
from pytest_automation_report.text.node_ids import join_title
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import FindingsExcerpt
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.records import FailedTest
    from pytest_automation_report.summary.counts import SessionCounts, SessionOutcome

MAX_ANNOTATIONS: Final = 10
"""Most marks of one kind that GitHub shows for a step."""

_FLAKY: Final = "flaky"  # begins the note on a failing test that is known to be flaky


def annotation_lines(provider: str, failures: Sequence[FailedTest], failed: int, undelivered: str = "") -> list[str]:
    """Return the lines that mark failures, ``failed`` in all, and then ``undelivered``, a text for users or ""."""
    mark = ANNOTATED.get(provider)
    if mark is None:
        return []
    lines = [
        mark("warning" if failure.is_known else "error", failure, _message(failure))
        for failure in failures[:MAX_ANNOTATIONS]
    ]
    more = failed - len(lines)
    if more > 0:
        lines.append(mark("warning", None, f"{quantity(more, 'more test' if lines else 'test')} failed"))
    if undelivered:
        lines.append(mark("warning", None, f"automation report: {undelivered}"))
    return lines


def failing_notes(findings: FindingsExcerpt | None) -> dict[tuple[str, str], str]:
    """Return for each failing test, by folder and name, whether it is a flaky one, and since when it fails."""
    notes: dict[tuple[str, str], str] = {}
    if findings is None or findings["base"] is None:
        return notes
    for test in findings["failing"]:
        if test["flaky"] is None:
            note = since_words(test, LATER)
        else:
            failed, runs = test["flaky"]
            note = f"{_FLAKY}, {failed} of {quantity(runs, 'run')} failed"
        notes[test["folder"], test["name"]] = note
    return notes


def marked_last(failures: Iterable[FailedTest], notes: Mapping[tuple[str, str], str]) -> list[FailedTest]:
    """Return failures with flaky and known ones last, since a provider shows ten, and in their messages why."""
    others: list[FailedTest] = []
    last: list[FailedTest] = []
    for failure in failures:
        note = notes.get((failure.folder, failure.name), "")
        is_known = failure.is_known or note.startswith("known")
        if is_known or note.startswith(_FLAKY):
            words = f"known to be {note}" if note.startswith(_FLAKY) else note or "known"
            last.append(replace(failure, message=": ".join(filter(None, (words, failure.message))), is_known=is_known))
        else:
            others.append(failure)
    return [*others, *last]


def _message(failure: FailedTest) -> str:
    title = join_title(failure.folder, failure.name)
    return f"{title}: {failure.message}" if failure.message else title


def _place(failure: FailedTest | None, file: str, line: str) -> dict[str, str]:
    """Return the file and the line of a failure, if they are known, by the provider's names for them."""
    if failure is None or not failure.file:
        return {}
    return {file: failure.file} if failure.line is None else {file: failure.file, line: str(failure.line)}


def _github(kind: str, failure: FailedTest | None, message: str) -> str:
    values = _place(failure, "file", "line") | ({} if failure is None else {"title": failure.name})
    properties = ",".join(f"{name}={_escaped(value, _GITHUB_VALUE)}" for name, value in values.items())
    return f"::{kind}{f' {properties}' if properties else ''}::{_escaped(message, _GITHUB_TEXT)}"


def _azure(kind: str, failure: FailedTest | None, message: str) -> str:
    values = {"type": kind} | _place(failure, "sourcepath", "linenumber")
    properties = "".join(f"{name}={_escaped(value, _AZURE_VALUE)};" for name, value in values.items())
    return f"##vso[task.logissue {properties}]{_escaped(message, _AZURE_TEXT)}"


def _teamcity(kind: str, failure: FailedTest | None, message: str) -> str:
    # Not ERROR: such a message can fail a build, and only pytest's exit code should.
    del kind, failure
    return f"##teamcity[message text='{_escaped(message, _TEAMCITY)}' status='WARNING']"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(character, character) for character in string(text))


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
"""Providers that show marks, each with the function that writes the line of one."""


SUMMARY_BYTES: Final = 1024 * 1024
"""Maximum size of a summary that GitHub shows for one step; Buildkite's is the same."""

_MAX_REASONS: Final = 20
# Rows with one message: the table of reasons has the number of all.
_MAX_ROWS_ALIKE: Final = 10
_FAILURES_FIRST: Final = ("failure", "error", "passed", "skipped", "untested")


class PageOfJob(Struct, frozen=True):
    """What a provider shows on the page of a job: a text in Markdown, and marks of failures.

    ``failures`` are the first of the ``failed`` ones, ``notes`` say more of them by folder and name, ``urls`` are the
    addresses of their own pages. ``text`` takes the largest size in bytes, and returns "" if nothing fits.
    """

    title: str
    url: str
    failed: int
    failures: Sequence[FailedTest]
    notes: Mapping[tuple[str, str], str]
    text: Callable[[int], str]
    urls: Mapping[tuple[str, str], str] = {}


class JobPage(Struct, frozen=True, kw_only=True):
    """The summary of a session for a job's page; ``url`` is the run's address.

    ``exit_words`` say of pytest's exit status what neither results nor findings say.
    """

    title: str
    tally: SessionCounts
    run: int | None = None
    url: str = ""
    warnings: Sequence[str] = ()
    findings: FindingsExcerpt | None = None
    exit_words: str = ""

    @property
    def failed(self) -> int:
        """Number of results that failed."""
        return self.tally.counts.get("failure", 0) + self.tally.counts.get("error", 0)

    def text(self, max_bytes: int) -> str:
        """Return the page in Markdown, "" if not even its totals fit into ``max_bytes``; failures may be left out."""
        lines, notes = self._head(), failing_notes(self.findings)
        since = [("Since", "---")] if notes else []
        head = [table_row(*cells) for cells in zip(("Failed", "---"), ("Message", "---"), *since, strict=True)]
        rows = []
        same: Counter[str] = Counter()
        for failure in self.tally.failures[:SHOWN]:
            same[failure.message] += 1
            if same[failure.message] > _MAX_ROWS_ALIKE:
                continue
            title = join_title(failure.folder, failure.name)
            note = [markdown_line(notes.get((failure.folder, failure.name), ""))] if notes else []
            rows.append(table_row(code_span(string(title)), code_span(string(failure.message)), *note))
        while True:
            table = [*head, *rows, ""] if rows else []
            if rows and self.failed > len(rows):
                table += [f"{self.failed - len(rows):,} more failed.", ""]
            text = "\n".join([*lines, *table])
            if len(text.encode()) <= max_bytes:
                return text
            if not rows:
                return ""
            rows = rows[: len(rows) // 2]

    def _head(self) -> list[str]:
        """Return the lines above the failures."""
        tally = self.tally
        run = "" if self.run is None else f"run {self.run}"
        where = f"[{run}](<{self.url}>)" if self.url and run else run
        counted = counts_by_status(tally.counts, _FAILURES_FIRST) or "no results"
        if self.findings is not None and self.findings["verdict"]["kind"] == "fixture":
            counted = self.findings["verdict"]["short"]  # pytest puts the error on a test
        # Of a shard there are no findings, whose line of changes has the known failures.
        known = sum(failure.is_known for failure in tally.failures) if self.findings is None else 0
        least = "at least " if self.failed > len(tally.failures) else ""
        counted += f", {least}{known:,} known" if known else ""
        lines = [f"### {markdown_line(self.title)}", "", f"**{counted}**{f' in {where}' if where else ''}", ""]
        lines += [f"**{markdown_line(self.exit_words)}**", ""] if self.exit_words else []
        if self.findings is not None:
            verdict = verdict_line(self.findings, has_counts=True)
            lines += [f"**{markdown_line(verdict)}**", ""] if verdict else []
        elif tally.not_run > 0:
            lines += [f"{tally.not_run:,} of {tally.expected:,} tests did not run.", ""]
        lines += self._changes()
        return [*lines, *(f"- {markdown_line(warning)}" for warning in self.warnings), *([""] if self.warnings else [])]

    def _changes(self) -> list[str]:
        """Return what changed since an earlier run, and a table of reasons if more than one test fails."""
        findings = self.findings
        if findings is None or findings["base"] is None:
            return []
        line = changes_line(findings, LATER)
        lines = [markdown_line(line), ""] if line else []
        reasons = findings["reasons"] if self.failed > 1 else []
        lines += ["| Reason | Tests | Since |", "| --- | --- | --- |"] if reasons else []
        for reason in reasons[:_MAX_REASONS]:
            since = markdown_line(since_words(reason, LATER))
            lines.append(table_row(code_span(string(reason["title"])), str(reason["count"]), since))
        lines += [""] if reasons else []
        more = len(reasons) - _MAX_REASONS
        return [*lines, *([f"{quantity(more, 'more reason')}.", ""] if more > 0 else [])]


def job_title(name: str, config: str) -> str:
    """Return the heading of a run on the page of a job."""
    return f"Automation report: {name}{f' ({config})' if config else ''}"


LINKS_FILE: Final = "gitlab-annotations.json"
"""A job of GitLab names this file in ``.automation-report`` as ``artifacts:reports:annotations``."""

_AGENT: Final = "buildkite-agent"
_AGENT_SECONDS: Final = 10.0
_WORKSPACES: Final = ("GITHUB_WORKSPACE", "BUILD_SOURCESDIRECTORY", "CI_PROJECT_DIR")


def ci_workspace(environ: Mapping[str, str]) -> str:
    """Return the folder into which the provider checked the repository out, "" if it is not known."""
    return next((folder for name in _WORKSPACES if (folder := environ.get(name, "").strip())), "")


def repository_path(file: str, root: Path, workspace: str) -> str:
    """Return the path of a file below ``root`` from the repository's root, as providers need it."""
    path = system.relative(root / file, workspace) if file and workspace else file
    return file if path.startswith(os.pardir) else path


class JobOutput:
    """Writes the summary of a session, or of some runs, and marks into ``lines``; ``warnings`` are for users."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, root: Path, shell: Shell) -> None:
        self.warnings: list[str] = []
        self.lines: list[str] = []
        self._failed = 0
        self._texts: list[str] = []
        self._links: list[dict[str, dict[str, str]]] = []
        # The provider that failures are marked for, "" for none: GitHub's are marked by default.
        facts = ci_facts(environ)
        provider = (facts and facts.provider) or ""
        is_default = provider == "GitHub" and "ci_annotations" not in settings.origins
        is_marked = provider in {*ANNOTATED, "Buildkite", "GitLab"} and (settings.ci_annotations or is_default)
        self._provider = provider if is_marked else ""
        self._summary = environ.get(SUMMARY_VARIABLE, "").strip() if settings.job_summary else ""
        self._environ = dict(environ) if self._provider in {"Buildkite", "GitLab"} else {}
        self._root, self._shell = root, shell
        self._workspace = ci_workspace(environ)

    def write(self, settings: Settings, ending: SessionOutcome, warnings: Sequence[str]) -> None:
        """Write the summary and the marks, if there is anything to say."""
        lines, is_whole = warning_lines(ending, warnings), ending.is_whole or ending.tally.seen == 0
        undelivered = [] if is_whole else undelivered_lines(settings, ending, self._shell)
        if ending.tally.seen == 0 and not lines:
            return
        page = JobPage(
            title=job_title(settings.name, settings.config),
            tally=ending.tally,
            run=ending.shown_run,
            url=run_page(settings, ending.shown_run),
            warnings=(*lines, *undelivered),
            findings=ending.findings,
            exit_words=ending.exit_words,
        )
        notes = failing_notes(page.findings)
        shown = PageOfJob(page.title, page.url, page.failed, page.tally.failures, notes, page.text)
        self.show(shown, "; ".join(undelivered))

    @property
    def is_shown(self) -> bool:
        """Whether the provider shows anything of it."""
        return bool(self._summary or self._provider)

    def show(self, page: PageOfJob, undelivered: str = "") -> None:
        """Write a page and its marks where the provider shows them."""
        if self._summary:
            self._append(Path(self._summary), page)
        if self._provider:
            self._mark(page, undelivered)

    def _append(self, path: Path, page: PageOfJob) -> None:
        """Append the summary to the file, whose size is limited for all commands of the step together."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | system.NO_WAIT, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                size = os.fstat(descriptor).st_size
                text = page.text(SUMMARY_BYTES - size - 1)
                file.write(("\n" if size and text else "").encode() + text.encode())
        except (OSError, ValueError) as error:
            self.warnings.append(f"the job's summary could not be written: {path}: {_reason(error)}")
            return
        if not text:
            self.warnings.append(f"the job's summary is not shown: {path} holds all that a step may write")

    def _mark(self, page: PageOfJob, undelivered: str) -> None:
        failures = marked_last(map(self._with_path, page.failures), page.notes)
        self.lines += annotation_lines(self._provider, failures, page.failed, undelivered)
        # These providers keep what is written last: it has the runs before, too.
        if self._provider == "Buildkite":
            self._failed += page.failed
            self._texts.append(page.text(SUMMARY_BYTES))
            style = "error" if self._failed else "warning" if undelivered else "success"
            self._annotate("\n".join(self._texts), style)
        elif self._provider == "GitLab":
            url = page.url or self._environ.get("CI_JOB_URL", "").strip()
            shown = failures[:MAX_ANNOTATIONS]
            own = [(_message(failure), page.urls.get((failure.folder, failure.name)) or url) for failure in shown]
            links = ((page.title, url), *own)
            self._links += [{"external_link": {"label": string(label), "url": to}} for label, to in links]
            self._write_links()

    def _with_path(self, failure: FailedTest) -> FailedTest:
        return replace(failure, file=repository_path(failure.file, self._root, self._workspace))

    def _annotate(self, text: str, style: str) -> None:
        """Send the text to Buildkite's agent, which shows one text for each job on the build's page."""
        context = f"automation-report-{self._environ.get('BUILDKITE_JOB_ID', '')}"
        agent = shutil.which(_AGENT, path=self._environ.get("PATH"))
        why = f"{_AGENT} is not in the PATH" if agent is None else ""
        try:
            if agent is not None:
                subprocess.run(  # noqa: S603 - the agent of this job
                    [agent, "annotate", "--style", style, "--context", context],
                    input=text.encode(),
                    env=self._environ,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_AGENT_SECONDS,
                    check=True,
                )
        except subprocess.TimeoutExpired:
            why = f"{_AGENT} took longer than {_AGENT_SECONDS:g} s"
        except subprocess.CalledProcessError as error:
            why = f"{_AGENT} ended with status {error.returncode}"
        except OSError as error:
            why = f"{_AGENT}: {_reason(error)}"
        if why:
            self.warnings.append(f"the build is not annotated: {why}")

    def _write_links(self) -> None:
        """Write GitLab's report of links for a job's page to the file that the job names as an artifact."""
        report = Unpatched.encode({"Automation report": self._links}) + "\n"
        folder = self._root / STATE_FOLDER
        try:
            make_ignored_folder(folder)
            (folder / LINKS_FILE).write_text(report, encoding="utf-8")
        except OSError as error:
            self.warnings.append(f"the job's links could not be written: {folder / LINKS_FILE}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
