"""``automation-report run finish``: the last step of a pipeline whose jobs share a run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import requests

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.cli.context import CONNECTION, Exit, echo_result, echo_stderr, setting_options, user_shell
from pytest_automation_report.cli.findings import Limits, judge, judgements
from pytest_automation_report.cli.known import is_excused, read_known
from pytest_automation_report.cli.queries import (
    OURS_ONLY,
    RUN_ID,
    WHICH,
    Opened,
    configured_for,
    connected_to,
    echo_link,
)
from pytest_automation_report.cli.run import EXPECT_JOBS, TIMEOUT, completed_runs, echo_jobs, run
from pytest_automation_report.cli.show import digest, report_of, write_file
from pytest_automation_report.delivery.report import excerpt_from
from pytest_automation_report.findings.known import KnownFailure, KnownTests
from pytest_automation_report.findings.sentences import is_torn, told
from pytest_automation_report.recording.results import FailedTest
from pytest_automation_report.server.store.values import RunStatus
from pytest_automation_report.summary.ci_page import JobOutput, PageOfJob, failing_notes, plain
from pytest_automation_report.summary.shell import run_page
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.cli.queries import ExpectedJobs, WhichRun
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.settings.settings import Settings

_WEBHOOK_SECONDS: Final = 5
_MOST_BYTES: Final = 10_000
_FAILURES: Final = 50


@run.command("finish")
@RUN_ID
@EXPECT_JOBS
@TIMEOUT
@click.option("--gate", "is_gate", is_flag=True, help="Exit code 5 at new failures, as gate does.")
@click.option("--known", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="File of known failures for --gate, if the sessions did not have it.")  # fmt: skip
@click.option("--summary", "is_summary", is_flag=True, help="Write summary and marks for the page of this CI job.")
@click.option("--comment", type=click.Path(dir_okay=False), metavar="FILE", help="Write what failed as Markdown.")
@click.option("--html", "html_file", metavar="FILE", help="Write the pages of the run into one HTML file.")
@click.option("--webhook-url-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="File with the address that gets a message when the branch turns red or green.")  # fmt: skip
@setting_options(*CONNECTION, *WHICH)
def finish(  # noqa: PLR0913 - one for each option
    chosen: WhichRun,
    *,
    expect_jobs: ExpectedJobs | None,
    timeout: float,
    is_gate: bool,
    known: Path | None,
    is_summary: bool,
    comment: str | None,
    html_file: str | None,
    webhook_url_file: Path | None,
    **options: object,
) -> int:
    """Wait for the jobs of a run, complete it, prove that each test ran once, and print its id.

    Exit code 3: jobs or tests are missing, or tests ran twice; 5: --gate stopped. The run stays open only while jobs
    are missing.
    """
    entries = [] if known is None else read_known(known, "--known")
    webhook = "" if webhook_url_file is None else _address(webhook_url_file)
    configuration, token = configured_for(chosen, options)
    code = Exit.DONE
    comments = []
    with connected_to(configuration, token) as client:
        runs, missing = completed_runs(client, configuration, expect_jobs, timeout, measure_elapsed=True)
        reading = Opened(client, configuration)
        for run_id in runs:
            echo_result(run_id)
            finished = reading.run(run_id)
            findings = reading.findings(run_id, "change" if is_gate else None) if reading.is_ours else None
            code = max(code, _judged(finished, findings, entries, is_gate=is_gate, is_open=bool(missing)))
            failures, now = [*reading.tests(run_id, only_failures=True)], time.time_ns() // 1000
            heading, _, text = digest(reading, finished, failures, findings, now=now).markdown().partition("\n")
            comments.append("\n".join([heading, *(["", f"**{plain(missing)}**"] if missing else []), text]))
            if is_summary:
                notes = (
                    {} if findings is None else failing_notes(excerpt_from(findings, configuration.source, now), now)
                )
                _show_on_page(reading.configuration, finished, failures, notes, comments[-1])
            if html_file is not None:
                write_file(_numbered(html_file, run_id, len(runs)), [report_of(reading, run_id, None, "failed", None)])
            if webhook and findings is not None and not missing:
                _tell(webhook, reading, finished, findings, entries, is_gate=is_gate)
            echo_link(configuration, run_id)
    if comment is not None:
        write_file(comment, ["\n".join(comments)])
    return code


def _judged(
    finished: Run, findings: RunFindings | None, entries: Sequence[KnownFailure], *, is_gate: bool, is_open: bool
) -> Exit:
    """Print the proof and the verdict of a run; return the exit code."""
    code = Exit.KEPT if is_open else Exit.DONE
    if findings is None:
        echo_stderr("this server does not tell whether each test ran once")
        if is_gate:
            echo_stderr(f"--gate: findings {OURS_ONLY}", colour="red")
        return max(code, Exit.USAGE) if is_gate else code
    echo_jobs(findings)
    if is_torn(findings["whole"]):
        code = Exit.KEPT
    if not is_gate:
        echo_stderr(f"run {finished.id}: {printable(told(findings['verdict']))}")
        return code
    return max(code, judge(finished, findings, entries, Limits()))


def _show_on_page(
    configuration: Settings,
    finished: Run,
    tests: Sequence[ExportedTest],
    notes: Mapping[tuple[str, str], str],
    text: str,
) -> None:
    page = PageOfJob(
        title=f"Automation report: {finished.name}",
        url=run_page(configuration, finished.id),
        failed=len({test.key for test in tests}),
        failures=[
            FailedTest("failure", test.folder, test.name, test.message.partition("\n")[0], test.file or "", test.line)
            for test in tests[:_FAILURES]
        ],
        notes=notes,
        text=lambda most: text if len(text.encode()) <= most else "",
    )
    output = JobOutput(configuration, os.environ, root=Path.cwd(), shell=user_shell())
    if not output.is_shown:
        echo_stderr("--summary: this CI provider shows no summary", colour="yellow")
    output.show(page)
    for line in output.lines:
        click.echo(line, err=True)
    for warning in output.warnings:
        echo_stderr(warning, colour="yellow")


def _numbered(file: str, run_id: int, count: int) -> str:
    """Return the name of a run's file, with the id in it where there are several."""
    return file if count == 1 else str(Path(file).with_stem(f"{Path(file).stem}-{run_id}"))


def _address(file: Path) -> str:
    """Return the address in a file; raises `click.UsageError`, without the address: who knows it may post."""
    try:
        text = read_file(file, _MOST_BYTES).decode("utf-8").strip()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--webhook-url-file: {file}: cannot be read") from error
    if not text.startswith(("https://", "http://")) or len(text.split()) != 1:
        raise click.UsageError(f"--webhook-url-file: {file}: write one address that begins with https://")
    return text


def _tell(
    address: str,
    reading: Opened,
    finished: Run,
    findings: RunFindings,
    entries: Sequence[KnownFailure],
    *,
    is_gate: bool,
) -> None:
    """Post a message if the branch turned from green to red or back; of the first run of a branch only if it is red."""
    is_red, before = _is_red(findings, entries, is_gate=is_gate), _findings_before(reading, finished, is_gate=is_gate)
    if is_red == (before is not None and _is_red(before, entries, is_gate=is_gate)):
        return
    name = " ".join(filter(None, (reading.configuration.source, finished.field_value("Branch"))))
    page = run_page(reading.configuration, finished.id)
    state = "red" if is_red else "green again"
    text = f"{name} is {state}: {findings['verdict']['short']}, run {finished.id}{f' {page}' if page else ''}"
    try:
        answer = requests.post(address, json={"text": text}, timeout=_WEBHOOK_SECONDS, allow_redirects=False)
        why = "" if answer.ok else f"it answered {answer.status_code}"
    except requests.RequestException as error:  # its text has the address
        why = type(error).__name__
    echo_stderr(f"the webhook was not called: {why}" if why else f"the webhook was called: {name} is {state}")


def _findings_before(reading: Opened, finished: Run, *, is_gate: bool) -> RunFindings | None:
    """Return the findings of the last run before on the branch, whether it is whole or not; None for the first one."""
    branch, source = finished.field_value("Branch"), finished.source_id or 0
    pages = run_pages(reading.client, source_id=(source,), branch=branch, status=(RunStatus.SUCCESS, RunStatus.FAILURE))
    for other in (other for page in pages for other in page.result if other.id < finished.id):
        if other.config_id == finished.config_id and other.field_value("Branch") == branch:
            return reading.findings(other.id, "change" if is_gate else None)
    return None


def _is_red(findings: RunFindings, entries: Sequence[KnownFailure], *, is_gate: bool) -> bool:
    """Whether a run is red: its session died, or by the gate, or by any failure that is not known."""
    if findings["verdict"]["kind"] == "died":
        return True
    if is_gate:
        return any(kind.is_stopped for kind in judgements(findings, entries, Limits()))
    known, tests, ran = KnownTests(entries), findings["tests"], findings["ran"]
    excused = sum(is_excused(test, known) for name in ("newly_failing", "still_failing") for test in tests[name])
    return ran["failed"] + ran["files"] > max(excused, findings["mine"]["known"])
