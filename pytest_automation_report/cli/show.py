"""``automation-report failures``, ``run show``, ``run export``, ``html`` and ``open``: what a run is, in every form."""

from __future__ import annotations

import json
import sys
import time
from difflib import get_close_matches
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click
from msgspec.structs import replace

from pytest_automation_report.api.client import RunExpand, run_pages
from pytest_automation_report.api.models import SELECTION_FIELD, WORKER_FIELD
from pytest_automation_report.api.responses import parse_time
from pytest_automation_report.cli.context import (
    CONNECTION,
    SIZE,
    Command,
    Exit,
    echo_result,
    echo_stderr,
    open_in_browser,
    setting_options,
)
from pytest_automation_report.cli.queries import BASE, RUN_ID, WHICH, WhichRun, completed_jobs, echo_link, opened
from pytest_automation_report.cli.run import run, run_line
from pytest_automation_report.export.digest import digest_run, markdown_text, new_keys
from pytest_automation_report.export.results import verdict_on
from pytest_automation_report.findings.sentences import compared_line, reason_lines, verdict_sentence
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import cut_end, printable, quantity
from pytest_automation_report.text.node_ids import command_line
from pytest_automation_report.text.output import encoded, write_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.cli.queries import Opened
    from pytest_automation_report.export.digest import Digest
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.server.store.contents import Which

_EXPANDS: Final[tuple[RunExpand, ...]] = get_args(RunExpand)
"""Records whose names are shown; the last kind has one record on our server, which says nothing."""

_FAILURES: Final = 10
_MANY: Final = click.IntRange(min=1)
_FACT_UNITS: Final = 100
_MESSAGE_UNITS: Final = 200


@run.command()
@RUN_ID
@click.option("--all", "is_all", is_flag=True, help="Print long facts, too, such as the packages.")
@click.option("--json", "is_json", is_flag=True, help="Print the run as the server's JSON document.")
@click.option("--test", metavar="TEST", help="Print only this test as Markdown: its node id, folder.name or key.")
@setting_options(*CONNECTION, *WHICH)
def show(chosen: WhichRun, *, is_all: bool, is_json: bool, test: str | None, **options: object) -> int:
    """Print the id of a run; what failed in it, its facts and how to look at it are on stderr.

    With --test it prints one test in full, to paste into an issue or into a chat with an assistant.
    """
    if is_json and test is not None:
        raise click.UsageError("--json and --test are two forms: choose one")
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
        if test is not None:
            whole = reading.run(run_id)
            findings = reading.findings(run_id) if reading.is_ours else None
            found = _named(list(reading.tests(run_id)), test, whole)
            again = command_line([found.node_id])
            click.echo(markdown_text(found, whole, command=again, changes=_changes(found, findings)), nl=False)
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
    echo_link(reading.settings, shown.id, is_command_shown=True)
    return Exit.DONE


def _failures(reading: Opened, shown: Run) -> Iterator[str]:
    """Yield the verdict, what changed since the base, the reasons, and the first failed tests."""
    findings = reading.findings(shown.id) if reading.is_ours else None
    yield printable(verdict_sentence(verdict_on(shown, findings)))
    if findings is not None:
        now = time.time_ns() // 1000
        yield compared_line(findings, now)
        yield from (f"reason: {line}" for line in reason_lines(findings, now))
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
    """Return for each failed test, by its key, since when it fails."""
    if findings is None or findings["base"] is None:
        return {}
    tests = [*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"]]
    return {
        test["key"]: f" ({test['kind']})" if test["since"]["run"] == run_id else f" (since run {test['since']['run']})"
        for test in tests
        if test["since"]
    }


def _facts(shown: Run, *, is_all: bool) -> Iterator[str]:
    """Yield the fields of a run, its threads and jobs; of long fields only the names, unless ``is_all``."""
    hidden: dict[str, None] = {}
    for fact in shown.shown_fields:
        text = fact.value or ""
        is_long = fact.name == SESSION_ID_FIELD or len(text) > _FACT_UNITS or "\n" in text
        if is_long and not is_all:
            hidden[fact.name] = None
        else:
            yield f"{fact.name}: {', '.join(text.splitlines())}"
    for thread in shown.threads:
        worker = next((field.value for field in thread.fields if field.name == WORKER_FIELD), None)
        fields = ", ".join(f"{field.name} {field.value}" for field in thread.shown_fields if field.name != WORKER_FIELD)
        name = f"worker {worker}" if worker else f"thread {thread.id}"
        yield f"{name}: {quantity(thread.total, 'result')}{f' ({fields})' if fields else ''}"
    if jobs := completed_jobs(shown):
        yield f"{quantity(len(jobs), 'job')} {'is' if len(jobs) == 1 else 'are'} in: {', '.join(sorted(jobs))}"
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


_KINDS: Final = {
    "new": "New failure",
    "flaky": "The test is known to be flaky",
    "known": "Known failure",
}


def _named(tests: Sequence[ExportedTest], name: str, run: Run) -> ExportedTest:
    """Return the test of this folder and name, node id or key; raises `click.UsageError` if there is none."""
    names = {known: test for test in reversed(tests) for known in (test.key, test.title, test.node_id) if known}
    if name in names:
        return names[name]
    similar = get_close_matches(name, names, n=1)
    hint = f"did you mean {printable(similar[0])}?" if similar else "write its folder and name, its node id or its key"
    selection = printable(run.field_value(SELECTION_FIELD))
    part = f"is a part of the suite ({selection}) and " if selection else ""
    raise click.UsageError(f"--test: run {run.id} {part}has no test {printable(name)!r}: {hint}")


def _changes(test: ExportedTest, findings: RunFindings | None) -> list[str]:
    """Return how the test did in the runs before, in sentences."""
    if findings is None or findings["base"] is None:
        return []
    for entry in findings["tests"]["newly_failing"]:
        if entry["key"] == test.key:
            before = ", but in one before" if entry["same_reason"] is not None else ""
            return [f"{_KINDS[entry['kind'] or 'new']}: it did not fail in run {findings['base']['run']}{before}"]
    still_failing = findings["tests"]["still_failing"]
    since = next((entry["since"] for entry in still_failing if entry["key"] == test.key), None)
    return [f"It has failed since run {since['run']}"] if since else []


@run.command("export")
@RUN_ID
@click.option(
    "--format", "form", type=click.Choice(["junit", "ctrf", "json", "markdown", "csv"]), required=True,
    help="JUnit XML, CTRF, JSON with everything, Markdown for a comment on a pull request, or CSV.",
)  # fmt: skip
@click.option("-o", "--file", "file", metavar="FILE", default=STDOUT, help="File to write; default: stdout.")
@BASE
@setting_options(*CONNECTION, *WHICH)
def export(chosen: WhichRun, *, form: str, file: str, base: int | None, **options: object) -> int:
    """Write a run in a form that other tools read.

    A Testmo instance lists results without their texts: files from it have names, statuses and times only. The file is
    complete or not there.
    """
    with opened(options, chosen) as reading:
        write_file(file, _exported(form, reading, reading.run_id(chosen), base))
    return Exit.DONE


def write_file(name: str, pieces: Iterable[str], option: str = "-o") -> None:
    """Write the file of an option, or stdout for ``-``; raises `click.UsageError` if it cannot be written."""
    if name == STDOUT:
        for piece in encoded(pieces):
            # Bytes: the text is UTF-8 in every locale, and its line ends stay as they are.
            click.echo(piece, nl=False, file=sys.stdout)
        return
    try:
        write_output(Path(name), encoded(pieces))
    except OSError as error:
        raise click.UsageError(
            f"{option} {name}: cannot be written ({error.strerror or error}): name a file in a folder that exists"
        ) from error


def _exported(form: str, reading: Opened, run_id: int, base: int | None) -> Iterable[str]:
    from pytest_automation_report.export import documents  # noqa: PLC0415 - most commands write none

    run = reading.run(run_id)
    if form in {"junit", "csv"}:
        tests = reading.tests(run_id)
        return documents.junit_xml(documents.JunitPart(run, tests)) if form == "junit" else documents.csv_table(tests)
    findings = reading.findings(run_id, base) if reading.is_ours else None
    if form == "json":
        return documents.json_document(run.document["result"], run.source, findings, reading.items(run_id))
    if form == "ctrf":
        return [documents.ctrf_text(run, reading.tests(run_id), None if findings is None else findings["base"])]
    # The same run gives the same bytes: the digest is of the time of its end, of an open run of its begin.
    failed, end = [*reading.tests(run_id, only_failures=True)], parse_time(run.completed_at or run.created_at)
    now = 0 if end is None else round(end.timestamp() * 1_000_000)
    return [digest(reading, run, failed, findings, now=now).markdown()]


@click.command("failures", cls=Command)
@RUN_ID
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json", "keys", "nodeids"]), default="text",
              show_default=True, help="The digest, or the keys or node ids of the tests.")  # fmt: skip
@click.option("--new", "is_new_only", is_flag=True, help="Only new failures, compared as gate does.")
@click.option("--limit", type=_MANY, metavar="N", help="Show N reasons, or tests, whatever their length.")
@setting_options(*CONNECTION, *WHICH)
def failures(chosen: WhichRun, *, form: str, is_new_only: bool, limit: int | None, **options: object) -> int:
    """Say what failed in a run: the verdict, then each reason once, with the command that runs its tests again.

    The exit code is 0 if the run could be read, whatever failed in it.
    """
    with opened(options, chosen, needs_findings=is_new_only) as reading:
        run_id = reading.run_id(chosen)
        findings = reading.findings(run_id, "change" if is_new_only else None) if reading.is_ours else None
        if form in {"keys", "nodeids"}:
            tests = _failed(reading, run_id, are_whole=form == "nodeids")
            kept = new_keys(findings) if is_new_only and findings is not None else {*tests}
            names = [test.key if form == "keys" else test.runnable_id for key, test in tests.items() if key in kept]
            for name in [*dict.fromkeys(filter(None, names))][:limit]:
                click.echo(name)
            if unknown := names.count(""):
                echo_stderr(f"{quantity(unknown, 'failed test')} without a node id: the file is not known")
            return Exit.DONE
        failed, now = [*reading.tests(run_id, only_failures=True)], time.time_ns() // 1000
        told_now = digest(reading, reading.run(run_id), failed, findings, now=now, is_new_only=is_new_only)
    click.echo({"text": told_now.text, "markdown": told_now.markdown, "json": told_now.json}[form](limit), nl=False)
    return Exit.DONE


def _failed(reading: Opened, run_id: int, *, are_whole: bool) -> dict[str, ExportedTest]:
    """Return the failed tests of a run by key; of one in which several jobs failed, the last result."""
    return {test.key: test for test in reading.tests(run_id, only_failures=True, are_whole=are_whole)}


def digest(
    reading: Opened,
    shown: Run,
    failures: Sequence[ExportedTest],
    findings: RunFindings | None,
    *,
    now: int,
    is_new_only: bool = False,
) -> Digest:
    """Return the digest of a run and its failures; ``now`` is in microseconds since 1970."""
    run = replace(shown, total=reading.count(shown), failure=len(failures))
    url = run_page(reading.settings, shown.id)
    return digest_run(run, failures, findings, now=now, url=url, is_new_only=is_new_only)


def answer_failed(start: Mapping[str, Any]) -> None:
    """Run `failed_tests` with these arguments: a session that runs failed tests again calls it."""
    failed_tests(start["arguments"], prog_name="automation-report")


# No command of the console.
@click.command(cls=Command)
@RUN_ID
@click.option("--only", metavar="new|REASON")
@setting_options(*CONNECTION, *WHICH)
def failed_tests(chosen: WhichRun, *, only: str | None, **options: object) -> int:
    """Print as JSON the failed tests of a run, and its id.

    Without a named run they are what fails since the last run of the whole suite: a part has only its own tests.
    """
    with opened(options, chosen, is_source_needed=True, needs_findings=only is not None) as reading:
        run_id = first = reading.run_id(chosen, of_source=True, is_completed=True)
        if only is not None or reading.named_run(chosen) is not None:
            failed = _failed(reading, run_id, are_whole=False)
        else:
            failed, first = _failed_since_whole(reading, run_id)
        if only is not None:
            keys = _chosen_keys(reading.findings(run_id, "change" if only == "new" else None), only)
            failed = {key: test for key, test in failed.items() if key in keys}
    named = [{"key": test.key, "folder": test.folder, "name": test.name} for test in failed.values()]
    click.echo(json.dumps({"run": run_id, "first": first, "tests": named}))
    return Exit.DONE


_MOST_PARTS: Final = 25
"""Runs before the newest one in which a run of the whole suite is looked for."""


def _failed_since_whole(reading: Opened, run_id: int) -> tuple[dict[str, ExportedTest], int]:
    """Return the tests that failed when they ran last, and the first run that was read for it.

    That is the last run of the whole suite on the branch, or the last of `_MOST_PARTS`.
    """
    newest = reading.run(run_id)
    source = () if newest.source_id is None else (newest.source_id,)
    pages = run_pages(reading.client, source_id=source, branch=newest.field_value("Branch"))
    alike = (newest.source_id, newest.config_id)
    before = (each for page in pages for each in page.result if (each.source_id, each.config_id) == alike)
    failed: dict[str, ExportedTest] = {}
    decided: set[str] = set()
    for read in chain([newest], (each for each in islice(before, _MOST_PARTS) if each.id < newest.id)):
        run_id = read.id
        has_died = read.session.ending is not None and read.session.ending.state == "died"
        is_part = has_died or read.session.not_run > 0 or bool(read.field_value(SELECTION_FIELD))
        tests = [*reading.tests(run_id, only_failures=not is_part, are_whole=False)]
        failed |= {test.key: test for test in tests if test.verdict == "failed" and test.key not in decided}
        if not is_part:
            break
        decided |= {test.key for test in tests if test.verdict in {"passed", "failed"}}
    return failed, run_id


def _chosen_keys(found: RunFindings, only: str) -> set[str]:
    """Return the keys of a run's new failures, or of a reason's; raises `click.UsageError` if they are too many."""
    if only == "new":
        keys = new_keys(found)
        count = found["mine"]["new"]
    else:
        reason = next((each for each in found["reasons"] if each["fingerprint"] == only), None)
        if reason is None:
            raise click.UsageError(f"--only: no failure of run {found['run']} is for the reason {only!r}")
        keys, count = set(reason["keys"]), reason["count"]
    if len(keys) < count:
        raise click.UsageError(f"--only: {count:,} tests are too many to select: leave it out")
    return keys


_SERVER_BYTES: Final = 8_000_000
"""Most bytes of files that a server puts into a report."""


@click.command("html", cls=Command)
@RUN_ID
@click.option("-o", "--file", "file", metavar="FILE", required=True, help="File to write; - is stdout.")
@BASE
@click.option("--artifacts", "which", type=click.Choice(["none", "failed", "all"]), default="failed", show_default=True,
              help="Files in the report: none, of failed tests, or of all tests with a page.")  # fmt: skip
@click.option("--artifacts-size", type=SIZE, help="Largest size of all these files, 5MB; others are named.")
@setting_options(*CONNECTION, *WHICH)
def html(
    chosen: WhichRun, *, file: str, base: int | None, which: Which, artifacts_size: int | None, **options: object
) -> int:
    """Write the pages of a run into one HTML file, which opens without a server and reaches no network."""
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
        text = show_report(reading, run_id, base, which, artifacts_size)
        write_file(file, [text])
    if file != STDOUT:
        echo_stderr(f"run {run_id} is in {file} ({len(text.encode()) / 1000:,.0f} kB)")
    return Exit.DONE


def show_report(reading: Opened, run_id: int, base: int | None, which: Which, max_bytes: int | None) -> str:
    """Return the report; raises `click.UsageError` for a server that has no pages, or sends less than the files."""
    from pytest_automation_report.delivery.report import NO_PAGES, embedded_report  # noqa: PLC0415 - only for reports
    from pytest_automation_report.server.store.contents import DEFAULT_BYTES, FileRule  # noqa: PLC0415 - only for reports

    rule = FileRule(which, DEFAULT_BYTES if max_bytes is None else max_bytes)
    if reading.settings.endpoint.is_embedded:
        return embedded_report(reading.settings.database, run_id, base, rule)
    if not reading.is_ours:
        raise click.UsageError(NO_PAGES)
    if rule.max_bytes > _SERVER_BYTES:
        raise click.UsageError(
            "--artifacts-size: a server sends 8 MB of files at most; "
            "--database writes a report with more of them where its store is"
        )
    return reading.client.report_html(run_id, base, artifacts=rule.which, artifacts_size=rule.max_bytes)


@click.command("open", cls=Command)
@RUN_ID
@setting_options(*CONNECTION, *WHICH)
def open_run(chosen: WhichRun, **options: object) -> int:
    """Open the page of a run in the browser: this one, or without RUN_ID the newest run of the source.

    For a server it is the page at its address. The embedded store is served until Ctrl-C, as by serve --open.
    """
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
    settings = reading.settings
    if settings.endpoint.is_embedded:
        from pytest_automation_report.cli.serve import serve  # noqa: PLC0415 - most pages are on a server that runs

        place = str(settings.database)
        click.get_current_context().invoke(serve, is_opened=True, run_id=run_id, database=place)
        return Exit.DONE
    address = run_page(settings, run_id)
    echo_result(address)
    open_in_browser(address)
    return Exit.DONE
