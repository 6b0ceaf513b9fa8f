"""``automation-report run finish``: the last step of a pipeline whose jobs share a run."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import requests
from msgspec import Struct

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.api.http import Try
from pytest_automation_report.api.models import CUT_FIELD
from pytest_automation_report.api.responses import ClientError, NoResponse, Run, parse_time
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.cli.context import (
    CONNECTION,
    Exit,
    echo_result,
    echo_stderr,
    exit_status,
    gathered,
    setting_options,
    user_shell,
)
from pytest_automation_report.cli.findings import (
    KNOWN_FILE,
    LIMITS,
    Limits,
    judge,
    judgements,
    not_whole,
    read_known,
)
from pytest_automation_report.cli.queries import (
    COMPLETED,
    EXPECT_JOBS,
    OURS_ONLY,
    TRANSIENT_ERRORS,
    WHICH,
    Opened,
    configured_for,
    connected_to,
    echo_link,
    explaining_run,
    run_jobs,
)
from pytest_automation_report.cli.run import NUMBER, TIMEOUT, completed_runs, echo_jobs, run
from pytest_automation_report.cli.show import digest, show_report, write_file
from pytest_automation_report.delivery.report import excerpt_from
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.failures.tracebacks import parse_traceback
from pytest_automation_report.findings.known import KnownTests
from pytest_automation_report.findings.sentences import is_torn, verdict_sentence
from pytest_automation_report.spool.records import FailedTest
from pytest_automation_report.summary.ci_page import (
    JobOutput,
    PageOfJob,
    ci_workspace,
    failing_notes,
    job_title,
    repository_path,
)
from pytest_automation_report.summary.lines import result_page, run_page
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import printable, quantity, string
from pytest_automation_report.text.markdown import markdown_line
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.cli.queries import ExpectedJobs
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.comparison import WantedBase
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.settings.settings import Settings

_WEBHOOK_SECONDS: Final = 5.0
_GATE: Final = {Exit.DONE: "open", Exit.STOPPED: "stopped", Exit.KEPT: "not asked"}
_DAYS: Final = 20  # runs before one that are judged to know whether its branch was red
_MOST_BYTES: Final = 10_000
_FAILURES: Final = 50
_NOT_OK: Final = 300  # a redirect leads to a page for people: the message went nowhere


def _address(_: click.Context, __: click.Parameter, file: Path | None) -> str:
    """Return the address in a file; raises `click.UsageError`, without the address: who knows it may post."""
    if file is None:
        return ""
    try:
        text = read_file(file, _MOST_BYTES).decode("utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--webhook-url-file: {file}: cannot be read: name a file with one address") from error
    if not text.startswith(("https://", "http://")) or len(text.split()) != 1:
        raise click.UsageError(f"--webhook-url-file: {file}: write one address that begins with https:// into it")
    return text


class _Named(Struct, frozen=True):
    """The names of the files to write, and whether to write onto the page of the CI job."""

    comment: str | None
    html: str | None
    junit: str | None
    code_quality: str | None
    is_summary: bool


class _Files(Struct):
    """What is written about a run, or about the runs of several configurations."""

    named: _Named
    output: JobOutput | None
    comments: list[str] = []
    runs: list[Run] = []

    def add(
        self, reading: Opened, shown: Run, findings: RunFindings | None, remarks: Iterable[str], *, is_only: bool
    ) -> None:
        """Write the summary and the report of a run, and keep its comment; remarks stand below the heading."""
        self.runs.append(shown)
        if self.output is not None or self.named.comment is not None:
            self._summarize(reading, shown, findings, remarks)
        if self.named.html is not None:
            path = Path(self.named.html)
            name = self.named.html if is_only else str(path.with_stem(f"{path.stem}-{shown.id}"))
            write_file(name, [show_report(reading, shown.id, None, "failed", None)], "--html")

    def _summarize(self, reading: Opened, shown: Run, findings: RunFindings | None, remarks: Iterable[str]) -> None:
        failures, now = [*reading.tests(shown.id, only_failures=True)], time.time_ns() // 1000
        heading, _, text = digest(reading, shown, failures, findings, now=now).markdown().partition("\n")
        text = "\n".join([heading, *(f"\n**{markdown_line(remark)}**" for remark in remarks if remark), text])
        self.comments.append(text)
        if self.output is None:
            return
        excerpt = None if findings is None else excerpt_from(findings, reading.settings.source, now)
        page = PageOfJob(
            title=job_title(shown.name, shown.config),
            url=run_page(reading.settings, shown.id),
            failed=len({test.key for test in failures}),
            failures=[*map(_failed_test, failures[:_FAILURES])],
            notes=failing_notes(excerpt),
            text=lambda most: text if len(text.encode()) <= most else "",
            urls={(test.folder, test.name): _run_page(reading, shown, test) for test in failures[:_FAILURES]},
        )
        self.output.show(page)

    def write_marks(self) -> None:
        """Print the marks of all runs."""
        if self.output is not None:
            if not self.output.is_shown:
                echo_stderr("--summary: this CI provider shows no summary", colour="yellow")
            for line in self.output.lines:
                click.echo(line, err=True)
            for warning in self.output.warnings:
                echo_stderr(warning, colour="yellow")

    def write_comment(self) -> None:
        """Write the comments of all runs into one file; a server that does not have or show them leaves none."""
        if self.named.comment is not None and self.comments:
            write_file(self.named.comment, ["\n".join(self.comments)], "--comment")

    def write_junit(self, reading: Opened) -> None:
        """Write the tests of all runs into one file of JUnit XML."""
        from pytest_automation_report.export.documents import JunitPart, junit_xml  # noqa: PLC0415 - most write none

        if self.named.junit is None or not self.runs:
            return
        facts = ci_facts(os.environ)
        path = _repository_path if facts is not None and facts.provider == "GitLab" else None
        parts = (
            JunitPart(run, reading.tests(run.id), label, partial(_run_page, reading, run), path)
            for run, label in self._labelled()
        )
        write_file(self.named.junit, junit_xml(*parts), "--junit")

    def write_code_quality(self, reading: Opened) -> None:
        """Write the failures of all runs as GitLab's Code Quality; it shows none that has no file."""
        from pytest_automation_report.export.documents import code_quality_entry  # noqa: PLC0415 - most write none

        if self.named.code_quality is None or not self.runs:
            return
        entries: dict[str, Json] = {}
        without = 0
        for shown, label in self._labelled():
            for test in reading.tests(shown.id, only_failures=True):
                failure = _failed_test(test)
                key, title = (": ".join(filter(None, (label, text))) for text in (test.key, test.title))
                texts = (key, string(title), string(failure.message), _repository_path(failure.file))
                without += not failure.file
                if failure.file:
                    entries[key] = code_quality_entry(*texts, failure.line, is_known=failure.is_known)
        written = json.dumps([*entries.values()], indent=1, ensure_ascii=False)
        write_file(self.named.code_quality, [written, "\n"], "--code-quality")
        if without:
            echo_stderr(f"--code-quality: {quantity(without, 'failure')} left out: the server names no file of it")

    def _labelled(self) -> list[tuple[Run, str]]:
        """Return the runs, each with a name that no other one has; a single one needs none."""
        amounts = Counter(run.config for run in self.runs)
        return [
            (run, "" if len(self.runs) == 1 else run.config if amounts[run.config] == 1 else f"{run.config} {run.id}")
            for run in self.runs
        ]


def _run_page(reading: Opened, run: Run, test: ExportedTest) -> str:
    """Return the address of a test's page, else of its run's; "" for the embedded store."""
    own = result_page(reading.settings, test.id) if reading.is_ours else ""
    return own or run_page(reading.settings, run.id)


def _repository_path(file: str) -> str:
    return repository_path(file, Path.cwd(), ci_workspace(os.environ))


def _failed_test(test: ExportedTest) -> FailedTest:
    """Return a failure with the last line of its traceback that is in the test's file, as the session marks it."""
    text = next((outcome.text for outcome in test.outcome_texts), "")
    first = next(iter(parse_traceback(plain(text), test.file or "")), None)
    lines = [frame.line for frame in first.frames if frame.path == test.file and frame.line] if first else []
    message = test.message.partition("\n")[0]
    line = lines[-1] if lines else test.line
    return FailedTest("failure", test.folder, test.name, message, test.file or "", line, _is_known(test))


def _is_known(test: ExportedTest) -> bool:
    """Whether the session knew a failure."""
    return test.known is not None and not test.known.is_past


def _limits(*, is_gate: bool, **given: Any) -> Limits | None:  # noqa: ANN401 - as the options are declared
    """Return the limits of the gate, None if it is not asked; raises `click.UsageError` for limits of no gate."""
    limits = Limits(**given)
    if limits != Limits() and not is_gate:
        raise click.UsageError("limits such as --new-failures are of the gate: add --gate")
    return limits if is_gate else None


_FILE: Final = partial(click.option, type=click.Path(dir_okay=False), metavar="FILE")
_FILES: Final = gathered(
    "named",
    _Named,
    click.option("--summary", "is_summary", is_flag=True, help="Write summary and marks for the job's page."),
    _FILE("--comment", help="Write what failed as Markdown."),
    _FILE("--html", help="Write the run's pages into one HTML file."),
    _FILE("--junit", help="Write all tests as JUnit XML."),
    _FILE("--code-quality", help="Write the failures as GitLab's Code Quality."),
)


@run.command("finish")
@NUMBER
@EXPECT_JOBS
@TIMEOUT
@gathered(
    "limits",
    _limits,
    click.option("--gate", "is_gate", is_flag=True, help="Stop at new failures, as gate does: exit code 5."),
    *LIMITS,
)
@KNOWN_FILE
@_FILES
@click.option("--webhook-url-file", "webhook", type=click.Path(path_type=Path, dir_okay=False), callback=_address,
              metavar="FILE", help="File with the address to tell when the branch turns red or green.")  # fmt: skip
@setting_options(*CONNECTION, *WHICH)
def finish(
    chosen: int | None,
    *,
    expect_jobs: ExpectedJobs | None,
    timeout: float | None,
    limits: Limits | None,
    known: Path | None,
    named: _Named,
    webhook: str,
    **options: object,
) -> int:
    """Wait for the jobs of a run, complete it, and check that each test ran once.

    Exit code 3: jobs or tests are missing, or tests ran twice; 5: --gate stopped. A server that does not answer is a
    warning, with --gate exit code 3.
    """
    tests = read_known(known)
    settings, token = configured_for(chosen, options)
    marking = settings.changed(ci_annotations=True)
    output = JobOutput(marking, os.environ, root=Path.cwd(), shell=user_shell()) if named.is_summary else None
    files, code, is_gate = _Files(named, output), Exit.DONE, limits is not None
    with (
        connected_to(settings, token) as client,
        explaining_run(settings, settings.run_id),
        _warned(settings, is_gate=is_gate),
    ):
        runs, missing = completed_runs(client, settings, expect_jobs, timeout, measure_elapsed=True)
        code = Exit.KEPT if missing else Exit.DONE
        reading = Opened(client, settings)
        verdicts = _Verdicts(reading, tests, limits)
        for run_id in runs:
            echo_result(run_id)
            shown, findings = reading.run(run_id), verdicts.findings(run_id)
            judged, gate = verdicts.judged(shown, findings)
            code = max(code, judged)
            add = partial(files.add, reading, shown, findings, (missing, gate), is_only=len(runs) == 1)
            code = max(code, _tried(add, settings, is_gate=is_gate))
            if webhook and findings is not None and not missing:
                _tell(webhook, verdicts, shown, findings)
            echo_link(settings, run_id)
        junit, code_quality = partial(files.write_junit, reading), partial(files.write_code_quality, reading)
        for write in (files.write_marks, files.write_comment, junit, code_quality):
            code = max(code, _tried(write, settings, is_gate=is_gate))
    return code


@contextmanager
def _warned(settings: Settings, *, is_gate: bool) -> Iterator[None]:
    """Make a warning of the error of a server that does not answer, unless a gate asks it."""
    try:
        yield
    except TRANSIENT_ERRORS as error:
        if is_gate:
            raise
        again = "the run may still be open: run this command again when the server answers"
        echo_stderr(f"warning: {settings.url}: {error}: {again}", colour="yellow")


def _tried(write: Callable[[], None], settings: Settings, *, is_gate: bool) -> Exit:
    """Write something; return the exit code of an error, which is shown: the verdict stays what it is."""
    try:
        with _warned(settings, is_gate=is_gate):
            write()
    except (click.UsageError, SettingError, ClientError, StoreError) as error:
        code, text = exit_status(error)
        echo_stderr(f"Error: {text}", colour="red")
        return code
    return Exit.DONE


class _Verdicts(Struct, frozen=True):
    """Judges runs, with ``limits`` as the gate does; ``known`` failures make none red."""

    reading: Opened
    known: KnownTests
    limits: Limits | None

    def findings(self, run_id: int) -> RunFindings | None:
        """Return the findings of a run; None of a server that has none."""
        base: WantedBase = None if self.limits is None else self.limits.base or "change"
        return self.reading.findings(run_id, base) if self.reading.is_ours else None

    def judged(self, shown: Run, findings: RunFindings | None) -> tuple[Exit, str]:
        """Print the proof and the verdict of a run; return the exit code, and what the gate says if it was asked."""
        if findings is None:
            echo_stderr("this server does not tell whether each test ran once")
            for job in (jobs := _unanswered(shown)):
                what = "it got no answer, so it was cut by number, and tests may be missing or have run twice"
                echo_stderr(f"run {job} again: {what}", colour="yellow")
            if self.limits is not None:
                echo_stderr(f"--gate: findings {OURS_ONLY}", colour="red")
            return Exit.USAGE if self.limits is not None else Exit.KEPT if jobs else Exit.DONE, ""
        echo_jobs(findings)
        code = Exit.KEPT if is_torn(findings["whole"]) else Exit.DONE
        if self.limits is not None:
            judged, words = judge(shown, findings, self.known, self.limits)
            return judged if self.limits.allow_partial else max(code, judged), f"Gate {_GATE[judged]}: {words}"
        echo_stderr(f"run {shown.id}: {printable(verdict_sentence(findings['verdict']))}")
        return code, ""

    def turned(self, shown: Run, findings: RunFindings) -> bool | None:
        """Whether its branch turned red by a run, or with False green again; None if it stayed as it was.

        It turns green again once nothing fails that turned it red: neither with a limit that allows it nor as a known
        failure.
        """
        branch, source = shown.field_value("Branch"), shown.source_id or 0
        pages = run_pages(self.reading.client, source_id=(source,), branch=branch, status=COMPLETED)
        others = (other for page in pages for other in page.result if other.id < shown.id)
        alike = (each for each in others if (each.config_id, each.field_value("Branch")) == (shown.config_id, branch))
        days = [self._day(shown, findings)]
        for other in islice(alike, _DAYS):
            if (earlier := self.findings(other.id)) is not None:
                days.append(day := self._day(other, earlier))
                if day.is_red is False and not day.failed:
                    break
        was_red = is_red = False
        causes = set[str]()
        for day in reversed(days):
            was_red = is_red
            if day.is_red is not None:
                causes = day.causes | (causes & day.failed)
                is_red = day.is_red or bool(causes)
        return None if is_red == was_red else is_red

    def _day(self, shown: Run, findings: RunFindings) -> _Day:
        """Judge a run on its day.

        It is red if its session died, or ended so without a failed test, by the gate, or by any failure that was not
        known.
        """
        created = parse_time(shown.created_at)
        known = KnownTests(self.known.entries, created and created.date())
        failed = [*self.reading.tests(shown.id, only_failures=True)]
        is_red = findings["verdict"]["kind"] == "died" or bool(findings["ran"].get("unexplained_exit"))
        if self.limits is None:
            found = ((test, known.of(test.node_id, test.title, test.key)) for test in failed)
            causes = {test.key for test, entry in found if not known.excuses(entry, otherwise=_is_known(test))}
        else:
            stopped = [kind for kind in judgements(findings, known, self.limits) if kind.is_stopped]
            causes, is_red = {key for kind in stopped for key in kind.keys}, is_red or bool(stopped)
        is_told = is_red or causes or not (not_whole(shown, findings) or findings["is_partial"])
        return _Day(is_red or bool(causes) if is_told else None, causes, {test.key for test in failed})


class _Day(NamedTuple):
    """Whether a run was red, None if it was not as far as it came; what failed, and which of these made it red."""

    is_red: bool | None
    causes: set[str]
    failed: set[str]


def _unanswered(run: Run) -> list[str]:
    """Return the shards that were cut by number in their last attempt, unless the run began with such shards."""
    threads = sorted(run.threads, key=lambda thread: thread.id)
    last = {job: thread for thread in threads for job in run_jobs(thread)}
    is_other = not run.field_value(CUT_FIELD)
    return [job for job in last if is_other and any(field.name == CUT_FIELD for field in last[job].fields)]


def _tell(address: str, verdicts: _Verdicts, shown: Run, findings: RunFindings) -> None:
    """Post a message if the branch turned from green to red or back; of the first run of a branch only if it is red."""
    settings = verdicts.reading.settings
    try:
        is_red = verdicts.turned(shown, findings)
    except ClientError as error:  # no message changes an exit code
        echo_stderr(f"the webhook was not called: the run before cannot be read: {error}")
        return
    if is_red is None:
        return
    name = f"{settings.source} {shown.field_value('Branch')}".rstrip()
    state = f"{name} is {'red' if is_red else 'green again'}"
    page = run_page(settings, shown.id)
    why = _posted(address, f"{state}: {findings['verdict']['short']}, run {shown.id}{f' {page}' if page else ''}")
    echo_stderr(f"the webhook was not called: {why}" if why else f"the webhook was called: {state}")


def _posted(address: str, text: str) -> str:
    """Post a text; return why it did not arrive, "" if it did."""
    post = partial(requests.post, address, json={"text": text}, allow_redirects=False)
    try:
        # Time-outs of sockets hold for each read: a server that sends a byte a second would keep the job for ever.
        answer = Try(_WEBHOOK_SECONDS).outcome(post)
    except (requests.RequestException, OSError, ValueError) as error:  # its text has the address
        return type(error).__name__
    if isinstance(answer, NoResponse):
        return answer.reason
    return "" if answer.status_code < _NOT_OK else f"it answered {answer.status_code}"
