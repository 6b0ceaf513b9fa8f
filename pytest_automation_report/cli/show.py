"""``automation-report run show`` and ``run export``: what a run is, what failed in it, and its other forms."""

from __future__ import annotations

import json
import time
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, get_args

import click
from msgspec import to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.client import RunExpand
from pytest_automation_report.cli.context import CONNECTION, Exit, echo_stderr, setting_options, with_exit_codes
from pytest_automation_report.cli.output import echo_result, run_line, write_file
from pytest_automation_report.cli.queries import (
    BASE,
    RUN_ID,
    WHICH,
    Opened,
    WhichRun,
    completed_jobs,
    echo_how_to_look,
    opened,
)
from pytest_automation_report.cli.run import run
from pytest_automation_report.export.markdown import comment, markdown_of
from pytest_automation_report.export.results import ExportedRun
from pytest_automation_report.findings.verdict import told
from pytest_automation_report.server.pages.words import rerun_command
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.summary.findings_lines import changes_line, reason_lines
from pytest_automation_report.summary.shell import run_page
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import cut_end
from pytest_automation_report.text.terminal import node_id, printable, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import RunFindings


_EXPANDS: Final[tuple[RunExpand, ...]] = get_args(RunExpand)
"""Records whose names are shown; the last kind has one record on our server, which says nothing."""

_FAILURES: Final = 10
_FACT_UNITS: Final = 100
_MESSAGE_UNITS: Final = 200


@run.command()
@RUN_ID
@click.option("--all", "is_all", is_flag=True, help="Print long facts, too, such as the packages.")
@click.option("--json", "is_json", is_flag=True, help="Print the run as the server's JSON document.")
@click.option("--markdown", "is_markdown", is_flag=True, help="Print its failures as Markdown, one of each reason.")
@click.option("--test", metavar="TEST", help="Print only this test as Markdown: its node id, folder.name or key.")
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def show(
    chosen: WhichRun,
    *,
    is_all: bool,
    is_json: bool,
    is_markdown: bool,
    test: str | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Print the id of a run; what failed in it, its facts and how to look at it are on stderr.

    With --markdown or --test it prints failures in full, to paste into an issue or into a chat with an assistant.
    """
    if is_json and (is_markdown or test is not None):
        raise click.UsageError("--json and --markdown are two forms: choose one")
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
        if is_markdown or test is not None:
            click.echo(failures_as_markdown(reading, run_id, test), nl=False)
            return Exit.DONE
        shown = reading.client.run(run_id, expands=_EXPANDS[: -1 if reading.is_ours else None])
        if is_json:
            click.echo(json.dumps(shown.document, indent=2))
            return Exit.DONE
        lines = [*_failures(reading, shown), *_records(shown), *_facts(shown, is_all=is_all)]
    echo_result(shown.id)
    echo_stderr(run_line(shown))
    for line in lines:
        echo_stderr(f"  {line}")
    echo_how_to_look(reading.configuration, shown.id)
    return Exit.DONE


def _failures(reading: Opened, shown: Run) -> Iterator[str]:
    """Yield what changed since the base, the reasons, and the first failed tests with message and since."""
    findings = reading.findings(shown.id) if reading.is_ours else None
    yield printable(told(ExportedRun.from_document(shown.document).verdict(findings)))
    if findings is not None:
        base = findings["base"]
        changes = changes_line(findings, time.time_ns() // 1000)
        yield changes or (f"nothing changed since run {base['run']}" if base else "no earlier run to be compared with")
        yield from (f"reason: {line}" for line in reason_lines(findings))
    failed = reading.count(shown, only_failures=True) if shown.failure else 0
    since = _since(shown.id, findings)
    try:
        tests = list(islice(reading.tests(shown.id, only_failures=True), _FAILURES)) if failed else []
    except click.UsageError as error:  # a server that lists no results
        yield error.message
        return
    for test in tests:
        message = cut_end(printable(test.message.partition("\n")[0]), _MESSAGE_UNITS)
        yield f"failed: {printable(test.title)}{': ' if message else ''}{message}{since.get(test.key, '')}"
    if failed > len(tests):
        yield f"and {failed - len(tests)} more"


def _since(run_id: int, findings: RunFindings | None) -> dict[str, str]:
    """Return for each failed test, by key, with which run its failures began."""
    if findings is None or findings["base"] is None:
        return {}
    tests = [*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"]]
    return {
        test["key"]: f" ({test['kind']})" if test["since"]["run"] == run_id else f" (since run {test['since']['run']})"
        for test in tests
        if test["since"]
    }


def _facts(shown: Run, *, is_all: bool) -> Iterator[str]:
    """Yield the fields of a run, its threads and jobs; long fields only if ``is_all``, else their names."""
    long = [field.name for field in shown.fields if len(field.value or "") > _FACT_UNITS or "\n" in (field.value or "")]
    left_out = [] if is_all else [SESSION_ID_FIELD, *long]
    facts = [field for field in shown.fields if field.name not in left_out]
    yield from (f"{fact.name}: {', '.join((fact.value or '').splitlines())}" for fact in facts)
    for thread in shown.threads:
        fields = ", ".join(f"{field.name} {field.value}" for field in thread.fields)
        yield f"thread {thread.id}: {quantity(thread.total, 'result')}{f' ({fields})' if fields else ''}"
    jobs = completed_jobs(shown)
    if jobs:
        yield f"{quantity(len(jobs), 'job')} {'is' if len(jobs) == 1 else 'are'} in: {', '.join(sorted(jobs))}"
    hidden = dict.fromkeys(field.name for field in shown.fields if field.name in left_out)
    if hidden:
        yield f"--all shows {', '.join(hidden)}, too"


def _records(shown: Run) -> Iterator[str]:
    """Yield the names of what a run belongs to, its results by status, and its tags."""
    result, expands = shown.document["result"], shown.document.get("expands") or {}
    for noun, member, kind in (
        ("source", "source_id", "automation_sources"),
        ("configuration", "config_id", "configs"),
        ("milestone", "milestone_id", "milestones"),
        ("created by", "created_by", "users"),
    ):
        names = {each["id"]: each["name"] for each in expands.get(kind) or ()}
        if result.get(member) in names:
            yield f"{noun}: {names[result[member]]}"
    # In the contract, `status1_count` belongs to the status with id 2.
    members = ["untested_count", *(f"status{number}_count" for number in range(1, 25))]
    counts = ((each["name"], result.get(members[each["id"] - 1])) for each in expands.get("statuses") or ())
    statuses = ", ".join(f"{count} {name}" for name, count in counts if count)
    if statuses:
        yield f"results: {statuses}"
    if shown.tags:
        yield f"tags: {', '.join(shown.tags)}"


_MOST: Final = 20
_KINDS: Final = {"new": "New failure", "back": "The failure is back", "flaky": "The test is known to be flaky"}


def failures_as_markdown(reading: Opened, run_id: int, name: str | None) -> str:
    """Return a failure of each reason of a run as Markdown, or the result of the test ``name``.

    ``name`` is a test's folder and name, its node id or its key. Raises `click.UsageError` if the run has no such test.
    """
    run = ExportedRun.from_document(reading.run(run_id).document)
    findings = reading.findings(run_id) if reading.is_ours else None
    if name is None:
        failures = list(reading.tests(run_id, only_failures=True))
        tests = _one_of_each_reason(failures, findings)
        if len(failures) > len(tests):
            echo_stderr(f"{len(tests)} of {quantity(len(failures), 'failure')}, one of each reason; --test names one")
        elif not failures:
            echo_stderr(f"no test failed in run {run_id}")
    else:
        tests = [_named(list(reading.tests(run_id)), name, run_id)]
    return "\n".join(markdown_of(test, run, command=_command(test), changes=_changes(test, findings)) for test in tests)


def _one_of_each_reason(failures: Sequence[ExportedTest], findings: RunFindings | None) -> list[ExportedTest]:
    """Return the first failure of each reason, at most 20; without findings the first failures."""
    if findings is None:
        return list(failures[:_MOST])
    first: dict[str, ExportedTest] = {}
    for test in failures:
        first.setdefault(test.fingerprint or test.key, test)
    return list(first.values())[:_MOST]


def _named(tests: Sequence[ExportedTest], name: str, run_id: int) -> ExportedTest:
    names = {known: test for test in reversed(tests) for known in (test.key, test.title, _node_id(test)) if known}
    if name in names:
        return names[name]
    similar = get_close_matches(name, [test.title for test in tests], n=1)
    remedy = f"is it {printable(similar[0])}?" if similar else "write its folder and name, its node id or its key"
    raise click.UsageError(f"--test: run {run_id} has no test {printable(name)!r}: {remedy}")


def _node_id(test: ExportedTest) -> str:
    """Return the node id of a test without its quotes, empty if it is not known."""
    field = next((field for field in test.fields if field.name == "Node id"), None)
    if field is not None:
        return field.value or ""
    return node_id(test.file, test.folder, test.name)


def _command(test: ExportedTest) -> str:
    row = {"file": test.file, "folder": test.folder, "name": test.name}
    return rerun_command(row, to_builtins(test.fields)) or ""


def _changes(test: ExportedTest, findings: RunFindings | None) -> list[str]:
    """Return how the test did in the runs before, in sentences."""
    if findings is None or findings["base"] is None:
        return []
    lists = findings["tests"]
    base = findings["base"]["run"]
    if any(entry["key"] == test.key for entry in lists["newly_failing"]):
        kind = next(entry["kind"] for entry in lists["newly_failing"] if entry["key"] == test.key)
        return [f"{_KINDS[kind or 'new']}: it did not fail in run {base}"]
    since = next((entry["since"] for entry in lists["still_failing"] if entry["key"] == test.key), None)
    return [f"It has failed since run {since['run']}"] if since else []


@run.command("export")
@RUN_ID
@click.option(
    "--format", "form", type=click.Choice(["junit", "ctrf", "json", "markdown", "csv"]), required=True,
    help="JUnit XML, CTRF, JSON with everything, Markdown for a comment on a pull request, or CSV.",
)  # fmt: skip
@click.option(
    "-o", "--file", "file", metavar="FILE", default=STDOUT, help="The file to write; without it, or -, stdout."
)
@BASE
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def export(chosen: WhichRun, *, form: str, file: str, base: int | None, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Write a run in a form that other tools read.

    A Testmo instance lists results without their texts: files from it have names, statuses and times only. The file is
    complete or not there.
    """
    with opened(options, chosen) as reading:
        write_file(file, _exported(form, reading, reading.run_id(chosen), base))
    return Exit.DONE


def _exported(form: str, reading: Opened, run_id: int, base: int | None) -> Iterable[str]:
    """Return a run in one of the forms, in pieces."""
    # The modules of the forms are imported when they are used: most commands write none.
    from pytest_automation_report.export import ctrf, junit_xml, tables  # noqa: PLC0415

    shown = reading.run(run_id)
    run = ExportedRun.from_document(shown.document)
    if form in {"junit", "csv"}:
        tests = reading.tests(run_id)
        return junit_xml.junit_xml(run, tests) if form == "junit" else tables.csv_table(tests)
    findings = reading.findings(run_id, base) if reading.is_ours else None
    if form == "json":
        return tables.json_document(shown.document["result"], run.source, findings, reading.items(run_id))
    if form == "ctrf":
        return [ctrf.ctrf_text(run, reading.tests(run_id), None if findings is None else findings["base"])]
    failures = list(reading.tests(run_id, only_failures=True))
    run = replace(run, total=reading.count(shown), failed=len(failures))
    return [comment(run, failures, findings, url=run_page(reading.configuration, run_id))]
