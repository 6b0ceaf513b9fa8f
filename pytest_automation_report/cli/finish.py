"""``automation-report run finish``: the last step of a pipeline whose jobs share a run."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import requests
from msgspec import Struct, convert

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.api.http import Try
from pytest_automation_report.api.models import CUT_FIELD, KNOWN_FIELD
from pytest_automation_report.api.responses import ClientError, NoResponse, Run, parse_time
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.cli.context import (
    CONNECTION,
    Exit,
    echo_result,
    echo_stderr,
    exit_of,
    setting_options,
    user_shell,
)
from pytest_automation_report.cli.findings import KNOWN_FILE, Limits, judge, judgements, not_whole, read_known
from pytest_automation_report.cli.queries import (
    COMPLETED,
    EXPECT_JOBS,
    OURS_ONLY,
    WHICH,
    Opened,
    configured_for,
    connected_to,
    echo_link,
    jobs_of,
    run_of,
)
from pytest_automation_report.cli.run import NUMBER, TIMEOUT, completed_runs, echo_jobs, run
from pytest_automation_report.cli.show import digest, report_of, write_file
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
    from collections.abc import Callable, Iterable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.cli.queries import ExpectedJobs
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import RunFindings

_WEBHOOK_SECONDS: Final = 5.0
_GATE: Final = {Exit.DONE: "open", Exit.STOPPED: "stopped", Exit.KEPT: "not asked"}
_MOST_BYTES: Final = 10_000
_FAILURES: Final = 50
_NOT_OK: Final = 300  # a redirect leads to a page for people: the message went nowhere


def _address(file: Path | None) -> str:
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


class _Files(Struct):
    """What is written about a run, or about the runs of several configurations."""

    comment: str | None
    html: str | None
    junit: str | None
    code_quality: str | None
    output: JobOutput | None = None
    comments: list[str] = []
    runs: list[Run] = []

    def add(
        self, reading: Opened, shown: Run, findings: RunFindings | None, remarks: Iterable[str], *, is_only: bool
    ) -> None:
        """Write the summary and the report of a run, and keep its comment; remarks stand below the heading."""
        self.runs.append(shown)
        if self.output is not None or self.comment is not None:
            self._summarize(reading, shown, findings, remarks)
        if self.html is not None:
            path = Path(self.html)
            name = self.html if is_only else str(path.with_stem(f"{path.stem}-{shown.id}"))
            write_file(name, [report_of(reading, shown.id, None, "failed", None)], "--html")

    def _summarize(self, reading: Opened, shown: Run, findings: RunFindings | None, remarks: Iterable[str]) -> None:
        failures, now = [*reading.tests(shown.id, only_failures=True)], time.time_ns() // 1000
        heading, _, text = digest(reading, shown, failures, findings, now=now).markdown().partition("\n")
        text = "\n".join([heading, *(f"\n**{markdown_line(remark)}**" for remark in remarks if remark), text])
        self.comments.append(text)
        if self.output is None:
            return
        excerpt = None if findings is None else excerpt_from(findings, reading.configuration.source, now)
        page = PageOfJob(
            title=job_title(shown.name, shown.config),
            url=run_page(reading.configuration, shown.id),
            failed=len({test.key for test in failures}),
            failures=[*map(_failed_test, failures[:_FAILURES])],
            notes=failing_notes(excerpt, now),
            text=lambda most: text if len(text.encode()) <= most else "",
            urls={(test.folder, test.name): _page_of(reading, shown, test) for test in failures[:_FAILURES]},
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
        """Write the comments of all runs into one file; a server without the runs leaves none."""
        if self.comment is not None and self.runs:
            write_file(self.comment, ["\n".join(self.comments)], "--comment")

    def write_junit(self, reading: Opened) -> None:
        """Write the tests of all runs into one file of JUnit XML."""
        from pytest_automation_report.export.documents import JunitPart, junit_xml  # noqa: PLC0415 - most write none

        if self.junit is None or not self.runs:
            return
        facts = ci_facts(os.environ)
        path = _repository_path if facts is not None and facts.provider == "GitLab" else None
        parts = (
            JunitPart(run, reading.tests(run.id), label, partial(_page_of, reading, run), path)
            for run, label in self._labelled()
        )
        write_file(self.junit, junit_xml(*parts), "--junit")

    def write_code_quality(self, reading: Opened) -> None:
        """Write the failures of all runs as GitLab's Code Quality; it shows none that has no file."""
        from pytest_automation_report.export.documents import code_quality_entry  # noqa: PLC0415 - most write none

        if self.code_quality is None or not self.runs:
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
        write_file(self.code_quality, [written, "\n"], "--code-quality")
        if without:
            echo_stderr(f"--code-quality: {quantity(without, 'failure')} left out: the server names no file of it")

    def _labelled(self) -> list[tuple[Run, str]]:
        """Return the runs, each with a name that no other one has; a single one needs none."""
        amounts = Counter(run.config for run in self.runs)
        return [
            (run, "" if len(self.runs) == 1 else run.config if amounts[run.config] == 1 else f"{run.config} {run.id}")
            for run in self.runs
        ]


def _page_of(reading: Opened, run: Run, test: ExportedTest) -> str:
    """Return the address of a test's page, else of its run's; "" for the embedded store."""
    own = result_page(reading.configuration, test.id) if reading.is_ours else ""
    return own or run_page(reading.configuration, run.id)


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
    return any(field.name == KNOWN_FIELD for field in test.fields)


@run.command("finish")
@NUMBER
@EXPECT_JOBS
@TIMEOUT
@click.option("--gate", "is_gate", is_flag=True, help="Stop at new failures, as gate does: exit code 5.")
@KNOWN_FILE
@click.option("--summary", "is_summary", is_flag=True, help="Write summary and marks for the page of this CI job.")
@click.option("--comment", type=click.Path(dir_okay=False), metavar="FILE", help="Write what failed as Markdown.")
@click.option(
    "--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write the run's pages into one HTML file."
)
@click.option("--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Write all tests as JUnit XML.")
@click.option("--code-quality", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write the failures as GitLab's Code Quality.")  # fmt: skip
@click.option("--webhook-url-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="File with the address to tell when the branch turns red or green.")  # fmt: skip
@setting_options(*CONNECTION, *WHICH)
def finish(
    chosen: int | None,
    *,
    expect_jobs: ExpectedJobs | None,
    timeout: float | None,
    is_gate: bool,
    known: Path | None,
    webhook_url_file: Path | None,
    **options: object,
) -> int:
    """Wait for the jobs of a run, complete it, check that each test ran once, and print its id.

    Exit code 3: jobs or tests are missing, or tests ran twice; 5: --gate stopped. The run stays open only while jobs
    are missing.
    """
    files = convert({name: options.pop(name) for name in ("comment", "html", "junit", "code_quality")}, _Files)
    tests, webhook = read_known(known), _address(webhook_url_file)
    is_summary = options.pop("is_summary")
    configuration, token = configured_for(chosen, options)
    if is_summary:
        marking = configuration.changed(ci_annotations=True)
        files.output = JobOutput(marking, os.environ, root=Path.cwd(), shell=user_shell())
    with connected_to(configuration, token) as client, run_of(configuration, configuration.run_id):
        runs, missing = completed_runs(client, configuration, expect_jobs, timeout, measure_elapsed=True)
        code = Exit.KEPT if missing else Exit.DONE
        reading = Opened(client, configuration)
        verdicts = _Verdicts(reading, tests, is_gate)
        for run_id in runs:
            echo_result(run_id)
            shown, findings = reading.run(run_id), verdicts.findings(run_id)
            judged, gate = verdicts.judged(shown, findings)
            write = partial(files.add, reading, shown, findings, (missing, gate), is_only=len(runs) == 1)
            # The verdict stays what it is: a file that cannot be written is one more error.
            code = max(code, judged, _tried(write))
            if webhook and findings is not None and not missing:
                _tell(webhook, verdicts, shown, findings)
            echo_link(configuration, run_id)
        junit, code_quality = partial(files.write_junit, reading), partial(files.write_code_quality, reading)
        return max(code, *(_tried(write) for write in (files.write_marks, files.write_comment, junit, code_quality)))


def _tried(write: Callable[[], None]) -> Exit:
    """Write something; return the exit code of an error, which is shown."""
    try:
        write()
    except (click.UsageError, SettingError, ClientError, StoreError) as error:
        code, text = exit_of(error)
        echo_stderr(f"Error: {text}", colour="red")
        return code
    return Exit.DONE


class _Verdicts(Struct, frozen=True):
    """Judges runs, with ``is_gate`` as the gate does; ``known`` failures make none red."""

    reading: Opened
    known: KnownTests
    is_gate: bool

    def findings(self, run_id: int) -> RunFindings | None:
        """Return the findings of a run; None of a server that has none."""
        return self.reading.findings(run_id, "change" if self.is_gate else None) if self.reading.is_ours else None

    def judged(self, shown: Run, findings: RunFindings | None) -> tuple[Exit, str]:
        """Print the proof and the verdict of a run; return the exit code, and what the gate says if it was asked."""
        if findings is None:
            echo_stderr("this server does not tell whether each test ran once")
            for job in (jobs := _unanswered(shown)):
                what = "it got no answer, so it was cut by number, and tests may be missing or have run twice"
                echo_stderr(f"run {job} again: {what}", colour="yellow")
            if self.is_gate:
                echo_stderr(f"--gate: findings {OURS_ONLY}", colour="red")
            return Exit.USAGE if self.is_gate else Exit.KEPT if jobs else Exit.DONE, ""
        echo_jobs(findings)
        code = Exit.KEPT if is_torn(findings["whole"]) else Exit.DONE
        if self.is_gate:
            judged, words = judge(shown, findings, self.known, Limits())
            return max(code, judged), f"Gate {_GATE[judged]}: {words}"
        echo_stderr(f"run {shown.id}: {printable(verdict_sentence(findings['verdict']))}")
        return code, ""

    def is_red(self, shown: Run, findings: RunFindings) -> bool | None:
        """Whether a run was red on its day; None if it was not, as far as it came, and is not whole.

        It is red if its session died, or ended so without a failed test, by the gate, or by any failure that was not
        known.
        """
        if findings["verdict"]["kind"] == "died" or findings["ran"].get("unexplained_exit"):
            return True
        created = parse_time(shown.created_at)
        known = KnownTests(self.known.entries, created and created.date())
        if self.is_gate:
            is_red = any(kind.is_stopped for kind in judgements(findings, known, Limits()))
        else:
            failed = self.reading.tests(shown.id, only_failures=True)
            is_red = not all(_is_excused(test, known) for test in failed)
        return None if not is_red and not_whole(shown, findings) else is_red

    def was_red(self, finished: Run) -> bool:
        """Whether the branch was red after the runs before; False without one."""
        branch, source = finished.field_value("Branch"), finished.source_id or 0
        pages = run_pages(self.reading.client, source_id=(source,), branch=branch, status=COMPLETED)
        for other in (other for page in pages for other in page.result if other.id < finished.id):
            if other.config_id == finished.config_id and other.field_value("Branch") == branch:
                findings = self.findings(other.id)
                is_red = None if findings is None else self.is_red(other, findings)
                if is_red is not None:
                    return is_red
        return False


def _unanswered(run: Run) -> list[str]:
    """Return the shards that were cut by number in their last attempt, unless the run began with such shards."""
    threads = sorted(run.threads, key=lambda thread: thread.id)
    last = {job: thread for thread in threads for job in jobs_of(thread)}
    is_other = not run.field_value(CUT_FIELD)
    return [job for job in last if is_other and any(field.name == CUT_FIELD for field in last[job].fields)]


def _is_excused(test: ExportedTest, known: KnownTests) -> bool:
    """Whether an entry, or else one of the session, excuses a failure."""
    entry = known.of(test.node_id, test.title, test.key)
    return _is_known(test) if entry is None else not known.is_past(entry)


def _tell(address: str, verdicts: _Verdicts, shown: Run, findings: RunFindings) -> None:
    """Post a message if the branch turned from green to red or back; of the first run of a branch only if it is red."""
    configuration = verdicts.reading.configuration
    try:
        is_red = verdicts.is_red(shown, findings)
        if is_red is None or is_red == verdicts.was_red(shown):
            return
    except ClientError as error:  # no message changes an exit code
        echo_stderr(f"the webhook was not called: the run before cannot be read: {error}")
        return
    name = f"{configuration.source} {shown.field_value('Branch')}".rstrip()
    state = f"{name} is {'red' if is_red else 'green again'}"
    page = run_page(configuration, shown.id)
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
