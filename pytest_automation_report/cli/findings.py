"""Commands about findings: ``run findings``, ``run diff``, ``flaky`` and ``gate``."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pytest_automation_report.api.run_pages import learn_kind
from pytest_automation_report.cli.context import (
    CONNECTION,
    Exit,
    configured,
    echo_stderr,
    setting_options,
    with_exit_codes,
)
from pytest_automation_report.cli.known_failures import KnownFailuresError, read_known_failures
from pytest_automation_report.cli.last_runs import last_of_source, last_run, source_id_of
from pytest_automation_report.cli.output import echo_result
from pytest_automation_report.cli.run import run
from pytest_automation_report.cli.shared_runs import connected_to
from pytest_automation_report.summary.findings_lines import changes_line, reason_lines, test_title
from pytest_automation_report.text.terminal import is_torn, pluralize, wholeness_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.cli.known_failures import KnownFailure

_RUN: Final = click.argument("chosen", metavar="[RUN_ID]", type=click.IntRange(min=1), required=False)
_ID: Final = click.IntRange(min=1)
_LISTS: Final = (
    ("newly_failing", "newly failing"),
    ("still_failing", "still failing"),
    ("fixed", "fixed"),
    ("newly_skipped", "newly skipped"),
    ("new_tests", "new"),
    ("gone", "gone"),
)
_MOST_SHOWN: Final = 20


@run.command("findings")
@_RUN
@click.option("--base", type=_ID, metavar="RUN_ID", help="Compare with this run, and not with the one that fits best.")
@click.option("--json", "is_json", is_flag=True, help="Print the document of docs/findings.md.")
@setting_options(*CONNECTION, "source")
@with_exit_codes
def run_findings(chosen: int | None, *, base: int | None, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Show what changed in a run since an earlier one, and the reasons of its failures.

    Without RUN_ID the run is the newest one of the project, or of --source.
    """
    configuration, token = configured(options, is_source_needed=False)
    with connected_to(configuration, token) as client:
        _check_server(client)
        run_id = chosen if chosen is not None else last_run(client, configuration)
        document = client.findings_document(run_id, base)
    _show(document, is_json=is_json)
    return Exit.DONE


@run.command("diff")
@click.argument("first", metavar="RUN_A", type=_ID)
@click.argument("second", metavar="RUN_B", type=_ID)
@click.option("--json", "is_json", is_flag=True, help="Print the document of docs/findings.md.")
@setting_options(*CONNECTION)
@with_exit_codes
def diff(first: int, second: int, *, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - as above
    """Show what changed from RUN_A to RUN_B, two runs of one source."""
    configuration, token = configured(options, is_source_needed=False)
    with connected_to(configuration, token) as client:
        _check_server(client)
        document = client.findings_document(second, first)
    _show(document, is_json=is_json)
    return Exit.DONE


@click.command("flaky")
@click.option("--branch", metavar="NAME", help="The branch; without it the main branch.")
@click.option("--json", "is_json", is_flag=True, help="Print the document of docs/findings.md.")
@setting_options(*CONNECTION, "source")
@with_exit_codes
def flaky(*, branch: str | None, is_json: bool, **options: Any) -> int:  # noqa: ANN401 - as above
    """Show the flaky, broken and suspect tests of a source, those that fail most often first."""
    configuration, token = configured(options)
    with connected_to(configuration, token) as client:
        _check_server(client)
        document = client.flaky_document(source_id_of(client, configuration.source), branch)
    if is_json:
        click.echo(json.dumps(document, indent=2))
        return Exit.DONE
    for test in document["tests"]:
        echo_result(test["key"])
        echo_stderr(f"{test['state']}: {test_title(test)}: {_rate(test)}")
    if not document["tests"]:
        where = f" on {document['branch']}" if document["branch"] else ""
        echo_stderr(f"no flaky tests{where}")
    return Exit.DONE


@click.command("gate")
@_RUN
@click.option("--new-failures", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
              help="Stop if more tests fail that did not fail before.")  # fmt: skip
@click.option("--flaky", "most_flaky", type=click.IntRange(min=0), metavar="N",
              help="Stop if more tests are flaky; new failures of flaky tests then count here alone.")  # fmt: skip
@click.option("--gone", "most_gone", type=click.IntRange(min=0), metavar="N",
              help="Stop if more tests are gone; they are named in any case.")  # fmt: skip
@click.option("--allow-partial", is_flag=True, help="Judge what is there of a run whose jobs lost tests.")
@click.option("--known", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Tests that may fail: a date, a test and a reason on each line.")  # fmt: skip
@click.option("--base", type=_ID, metavar="RUN_ID", help="Compare with this run, and not with the one that fits best.")
@setting_options(*CONNECTION, "source")
@with_exit_codes
def gate(
    chosen: int | None,
    *,
    new_failures: int,
    most_flaky: int | None,
    most_gone: int | None,
    allow_partial: bool,
    known: Path | None,
    base: int | None,
    **options: Any,  # noqa: ANN401 - as above
) -> int:
    """Stop a pipeline at new failures: exit code 5, with what stopped it on stderr; 3 for a run that is not whole.

    pytest's own exit code stays pytest's; this command is a step after it. Without RUN_ID the run is the newest
    completed one of the source.
    """
    try:
        entries = [] if known is None else read_known_failures(known)
    except KnownFailuresError as error:
        raise click.UsageError(f"--known: {error}") from error
    configuration, token = configured(options, is_source_needed=chosen is None)
    with connected_to(configuration, token) as client:
        _check_server(client)
        run_id = chosen or last_of_source(client, configuration.source, is_completed=True)
        document = client.findings_document(run_id, base)
    stops = [
        *_stopping_failures(document, entries, new_failures, are_flaky_apart=most_flaky is not None),
        *_stopping_flaky(document, most_flaky),
        *_stopping_gone(document, most_gone),
    ]
    is_partial = is_torn(document["whole"])
    if is_partial:
        echo_stderr(f"run {run_id} is not whole: {wholeness_words(document['whole'])}", colour="red")
    for line in stops:
        echo_stderr(line, colour="red")
    if document["base"] is None:
        echo_stderr(f"run {run_id} has no earlier run to be compared with: no failure of it is new")
    if stops:
        return Exit.STOPPED
    if is_partial and not allow_partial:
        return Exit.KEPT
    echo_stderr(f"run {run_id} passes the gate")
    return Exit.DONE


def _check_server(client: Client) -> None:
    """Raise a usage error for a server that is not ours: a Testmo instance has no findings."""
    learn_kind(client)
    if client.artifact_bytes is None:
        raise click.UsageError(
            "findings need the embedded store or a server of automation-report serve: this server has none"
        )


def _show(document: Json, *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps(document, indent=2))
        return
    base = document["base"]
    echo_result(document["run"])
    if base is None:
        echo_stderr(f"run {document['run']} has no earlier run to be compared with")
    else:
        line = changes_line(document, time.time_ns() // 1000)
        echo_stderr(line or f"nothing changed since run {base['run']}")
        # Runs outside of a checkout have no branch that could be named.
        why = _WHY[base["why"]] if base.get("branch") else _WHY_WITHOUT_BRANCH.get(base["why"], _WHY[base["why"]])
        echo_stderr(f"compared with run {base['run']}, {why}")
    for name, words in _LISTS:
        tests = document["tests"][name]
        for test in tests[:_MOST_SHOWN]:
            since = test["since"]
            began = f" (since run {since['run']})" if since and since["run"] != document["run"] else ""
            echo_stderr(f"  {words}: {test_title(test)}{began}")
        if document["counts"][name] > _MOST_SHOWN:
            echo_stderr(f"  {words}: and {document['counts'][name] - _MOST_SHOWN} more")
    for line in reason_lines(document):
        echo_stderr(f"  reason: {line}")


_WHY: Final = {
    "asked": "as asked for",
    "same branch": "the last one on its branch",
    "target branch": "the last one on its target branch",
    "main branch": "the last one on the main branch",
}
_WHY_WITHOUT_BRANCH: Final = {"same branch": "the last one before it"}


def _rate(test: Json) -> str:
    share = 100 * test["failed"] / test["runs"] if test["runs"] else 0.0
    return (
        f"{test['failed']} of {test['runs']} runs, {share:.1f} % ({100 * test['low']:.1f}-{100 * test['high']:.1f} %)"
    )


def _stopping_failures(
    document: Json, entries: Sequence[KnownFailure], most: int, *, are_flaky_apart: bool
) -> list[str]:
    """Return a line for each new failure if more than ``most`` are not excused, and for each entry past its date."""
    today = datetime.now(tz=timezone.utc).date()
    failing = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    names = {name: test for test in failing for name in (test_title(test), test["key"])}
    stops = []
    excused: set[str] = set()
    for entry in entries:
        if entry.test not in names:
            echo_stderr(
                f"known failure {entry.test}: it does not fail any more, or is not in this run: remove the line"
            )
        elif entry.until < today:
            stops.append(f"known failure {entry.test}: its date {entry.until} is past ({entry.reason})")
        else:
            excused.add(names[entry.test]["key"])
    states = {test["key"]: test["state"] for test in document["flaky"]}
    counted = [
        test
        for test in document["tests"]["newly_failing"]
        if test["key"] not in excused and not (are_flaky_apart and states.get(test["key"]) == "flaky")
    ]
    hidden = document["counts"]["newly_failing"] - len(document["tests"]["newly_failing"])
    if len(counted) + hidden > most:
        stops += [f"new failure: {test_title(test)}" for test in counted[:_MOST_SHOWN]]
        stops.append(f"{pluralize(len(counted) + hidden, 'new failure')}, at most {most} are allowed")
    return stops


def _stopping_flaky(document: Json, most: int | None) -> list[str]:
    if most is None or document["counts"]["flaky"] <= most:
        return []
    shown = [test for test in document["flaky"] if test["state"] == "flaky"][:_MOST_SHOWN]
    lines = [f"flaky: {test_title(test)}: {_rate(test)}" for test in shown]
    return [*lines, f"{pluralize(document['counts']['flaky'], 'flaky test')}, at most {most} are allowed"]


def _stopping_gone(document: Json, most: int | None) -> list[str]:
    """Name the tests that are gone although the run is whole; return a line if they are more than ``most``."""
    count = document["counts"]["gone"]
    for test in document["tests"]["gone"][:_MOST_SHOWN]:
        echo_stderr(f"gone: {test_title(test)}")
    if most is None or count <= most:
        return []
    allowed = f"{most} {'is' if most == 1 else 'are'} allowed"
    return [f"{pluralize(count, 'test')} {'is' if count == 1 else 'are'} gone, at most {allowed}"]
