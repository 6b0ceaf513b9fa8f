"""Commands about findings: ``run findings``, ``run diff``, ``flaky`` and ``gate``."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from msgspec import Struct, convert

from pytest_automation_report.cli.context import CONNECTION, Command, Exit, echo_result, echo_stderr, setting_options
from pytest_automation_report.cli.known import KNOWN_FILE, entry_of, is_excused, read_known
from pytest_automation_report.cli.queries import BASE, RUN_ID, WHICH, WhichRun, opened, run_number
from pytest_automation_report.cli.run import run
from pytest_automation_report.export.results import ExportedRun
from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.known import KnownTests
from pytest_automation_report.findings.sentences import (
    commit_text,
    compared_line,
    is_torn,
    reason_lines,
    told,
    verdict_line,
    wholeness_words,
)
from pytest_automation_report.findings.times import factor
from pytest_automation_report.text.limits import duration, printable, quantity
from pytest_automation_report.text.node_ids import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.findings.flakiness import Flakiness
    from pytest_automation_report.findings.known import KnownFailure

_COUNT: Final = click.IntRange(min=0)
_LISTS: Final = (
    "newly_failing", "still_failing", "fixed", "passed_again", "newly_skipped", "new_tests", "gone", "not_run",
)  # fmt: skip
_MOST_SHOWN: Final = 20
_JSON: Final = click.option("--json", "is_json", is_flag=True, help="Print all of it as JSON (docs: Documents).")


@run.command("findings")
@RUN_ID
@BASE
@_JSON
@setting_options(*CONNECTION, *WHICH)
def run_findings(chosen: WhichRun, *, base: int | None, is_json: bool, **options: object) -> int:
    """Show in numbers what changed in a run since an earlier one; --json prints all that is known of it.

    automation-report failures says what failed, run diff lists what changed.
    """
    with opened(options, chosen, needs_findings=True) as reading:
        document = reading.findings(reading.run_id(chosen), base)
    _show_numbers(document, is_json=is_json)
    return Exit.DONE


@run.command("diff")
@click.argument("first", metavar="RUN_A", type=run_number)
@click.argument("second", metavar="RUN_B", type=run_number)
@_JSON
@setting_options(*CONNECTION)
def diff(first: int, second: int, *, is_json: bool, **options: object) -> int:
    """Show what changed from RUN_A to RUN_B, two runs of one source."""
    with opened(options, needs_findings=True) as reading:
        document = reading.findings(reading.run_id(second), first)
    _show_numbers(document, is_json=is_json)
    if not is_json:
        show_lists(document)
    return Exit.DONE


@click.command("flaky", cls=Command)
@RUN_ID
@click.option("--branch", metavar="NAME", help="The branch; default: the run's, else the main branch.")
@_JSON
@setting_options(*CONNECTION, *(name for name in WHICH if name != "branch"))
def flaky(chosen: WhichRun, *, branch: str | None, is_json: bool, **options: object) -> int:
    """Show the flaky, broken and suspect tests of a source, or of a run's source, most failures first."""
    with opened(options, chosen, is_source_needed=True, needs_findings=True) as reading:
        run_id = reading.named_run(chosen)
        named = None if run_id is None else reading.run(run_id)
        source = reading.source_id(reading.configuration.source) if named is None else named.source_id or 0
        if branch is not None:
            reading.check_branch(branch, (source,))
        elif named is not None:
            branch = named.field_value("Branch") or None
        document = reading.client.flaky_document(source, branch)
    if is_json:
        click.echo(json.dumps(document, indent=2))
        return Exit.DONE
    for test in document["tests"]:
        echo_result(test["key"])
        echo_stderr(f"{test['state']}: {_title_of(test)}: {_rate(test)}")
    if not document["tests"]:
        where = f" on {document['branch']}" if document["branch"] else ""
        echo_stderr(f"no flaky tests{where}")
    return Exit.DONE


@click.command("gate", cls=Command)
@RUN_ID
@click.option("--new-failures", type=_COUNT, default=0, show_default=True, metavar="N", help="Allow N new failures.")
@click.option("--flaky", type=_COUNT, metavar="N", help="Allow N flaky tests; their new failures do not stop it then.")
@click.option("--gone", type=_COUNT, metavar="N", help="Allow N gone tests; they are named in any case.")
@KNOWN_FILE
@BASE
@click.option("--require-base", is_flag=True, help="Stop if there is no earlier run to compare with.")
@click.option("--allow-partial", is_flag=True, help="Judge a run that is open or not whole, too.")
@setting_options(*CONNECTION, *WHICH)
def gate(chosen: WhichRun, *, known: Path | None, base: int | None, **options: object) -> int:
    """Stop a pipeline at new failures: exit code 5, and stderr says what stopped it.

    Run it after pytest. Exit code 3 means that the run is open or not whole. Without RUN_ID it judges the run of this
    commit and branch in CI, and the newest run of the source elsewhere.
    """
    limits = convert({name: options.pop(name) for name in Limits.__struct_fields__}, Limits)
    entries = read_known(known)
    with opened(options, chosen, is_source_needed=True, needs_findings=True) as reading:
        judged = reading.run(reading.run_id(chosen, of_source=True))
        document = reading.findings(judged.id, base or "change")
    code, _ = judge(judged, document, entries, limits)
    if code == Exit.KEPT:
        echo_stderr("to judge it anyway: --allow-partial")
    return code


class Limits(Struct, frozen=True):
    """The options of gate by which a run is judged; None allows any number of such tests."""

    new_failures: int = 0
    flaky: int | None = None
    gone: int | None = None
    require_base: bool = False
    allow_partial: bool = False


def judge(judged: Run, document: RunFindings, entries: Sequence[KnownFailure], limits: Limits) -> tuple[Exit, str]:
    """Print what stops a pipeline at a run, or that nothing does, and return the exit code and why."""
    kinds = judgements(document, entries, limits)
    for line in (line for kind in kinds for line in kind.remarks):
        echo_stderr(line)
    for line in (line for kind in kinds for line in kind.lines):
        echo_stderr(line, colour="red")
    commit = commit_text(judged.field_value("Commit"), judged.field_value("Changes"))
    config = ExportedRun.from_document(judged.document).config
    details = [printable(config), printable(judged.field_value("Branch")), commit]
    shown = ", ".join(filter(None, details))
    name = f"run {judged.id}{f' ({shown})' if shown else ''}"
    if said := verdict_line(document):
        echo_stderr(f"{name}: {said}", colour="yellow")
    if missing := _not_whole(judged, document):
        echo_stderr(f"{name} {missing}", colour="yellow")
    is_baseless = limits.require_base and document["base"] is None
    is_stopped = is_baseless or any(kind.is_stopped for kind in kinds)
    if missing and not (is_stopped or limits.allow_partial):
        return Exit.KEPT, f"run {judged.id} {missing}"
    part = " in this part of the suite" if document["verdict"]["part"] else ""
    verdict = f"{kinds[0].words}{part}{_compared(document, is_needed=is_baseless)}{kinds[0].limit}"
    more = [f"{kind.words}{kind.limit}" for kind in kinds[1:] if kind.is_stopped]
    words = "; ".join([verdict, *more])
    echo_stderr(f"{name}: {words}", colour="red" if is_stopped else "green")
    return (Exit.STOPPED if is_stopped else Exit.DONE), words.removeprefix("stopped: ")


class Judged(NamedTuple):
    """Tests of one kind: the lines that name them, their number in words, the words for a limit that they exceed.

    ``remarks`` are lines about tests that stop nothing.
    """

    lines: Sequence[str]
    words: str
    limit: str
    is_stopped: bool
    remarks: Sequence[str] = ()


def judgements(document: RunFindings, entries: Sequence[KnownFailure], limits: Limits) -> list[Judged]:
    """Return what the gate says of the new failures of a run, of its flaky tests, and of those that are gone."""
    return [
        _new_failures(document, entries, limits.new_failures, are_flaky_apart=limits.flaky is not None),
        _flaky_tests(document, limits.flaky),
        _gone_tests(document, limits.gone),
    ]


def _not_whole(judged: Run, document: RunFindings) -> str:
    """Return why results of a run may be missing, "" for a whole run."""
    if not judged.is_completed:
        return "is open: its jobs may still send results"
    if is_torn(document["whole"]):
        return f"is not whole: {wholeness_words(document['whole'])}"
    # Not after -x and --maxfail: their user wants no more than these failures.
    is_cut = document["verdict"]["kind"] in {"interrupted", "died", "ended"}
    return "is not whole: it ended before its last test" if is_cut else ""


def _compared(document: RunFindings, *, is_needed: bool) -> str:
    base = document["base"]
    if base is None:
        return f", as there is no earlier run to compare with{', which --require-base wants' if is_needed else ''}"
    branch = f" ({printable(base['branch'])})" if base["branch"] else ""
    return f" compared with run {base['run']}{branch}"


def _show_numbers(document: RunFindings, *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps(document, indent=2))
        return
    base = document["base"]
    echo_result(document["run"])
    echo_stderr(printable(told(document["verdict"])))
    # Runs outside of a checkout have no branch that could be named.
    is_nameless = base is not None and base["why"] == "same branch" and not base["branch"]
    why = "" if base is None else "the last one before it" if is_nameless else _WHY[base["why"]]
    echo_stderr(compared_line(document, time.time_ns() // 1000, why=why))


def show_lists(document: RunFindings) -> None:
    """Print the lists of changes, and the reasons of failures."""
    for name in _LISTS:
        words = name.removesuffix("_tests").replace("_", " ")
        tests = document["tests"][name]
        for test in tests[:_MOST_SHOWN]:
            since = test["since"]
            began = f" (since run {since['run']})" if since and since["run"] != document["run"] else ""
            echo_stderr(f"  {words}: {_title_of(test)}{began}")
        if document["counts"][name] > _MOST_SHOWN:
            echo_stderr(f"  {words}: and {document['counts'][name] - _MOST_SHOWN} more")
    for word, durations in (("slower", document["slower"]), ("faster", document["faster"])):
        for each in durations[:_MOST_SHOWN]:
            began = f", since run {each['since']['run']}" if each["since"] else ""
            took = f"{duration(each['elapsed'])}, {duration(each['median'])} before"
            echo_stderr(f"  {word}: {_title_of(each)} ({took}, {factor(each['ratio'])}{began})")
    for line in reason_lines(document, time.time_ns() // 1000):
        echo_stderr(f"  reason: {line}")


_WHY: Final = {
    "asked": "as asked for",
    "same branch": "the last one on its branch",
    "target branch": "the last one on its target branch",
    "main branch": "the last one on the main branch",
}


def _rate(test: Flakiness) -> str:
    failed, low, high = (100 * share for share in (test["failed"] / max(1, test["runs"]), test["low"], test["high"]))
    rate = f"{test['failed']} of {quantity(test['runs'], 'run')} ({failed:.0f} %; likely {low:.0f} to {high:.0f} %)"
    return f"failed in {rate}: {evidence_words(test)}"


def _new_failures(
    document: RunFindings, entries: Sequence[KnownFailure], most: int, *, are_flaky_apart: bool
) -> Judged:
    """Judge the new failures that no entry excuses, of these or of their session.

    An entry past its date stops the gate, too.
    """
    known = KnownTests(entries)
    failing = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    found = dict.fromkeys(entry for test in failing if (entry := entry_of(test, known)))
    remarks = [
        f"known failure {entry.test}: it did not fail in this run, or no test has this name: check the line"
        for entry in entries
        if entry not in found
    ]
    past = [entry for entry in found if entry.is_past]
    lines = [
        f"known failure {entry.test}: its date {entry.until} is past{f' ({entry.reason})' if entry.reason else ''}"
        for entry in past[:_MOST_SHOWN]
    ]
    states = {test["key"]: test["state"] for test in document["flaky"]}
    counted = [
        test
        for test in document["tests"]["newly_failing"]
        if not is_excused(test, known) and not (are_flaky_apart and states.get(test["key"]) == "flaky")
    ]
    count = len(counted) + document["counts"]["newly_failing"] - len(document["tests"]["newly_failing"])
    flaky = sum(test["kind"] == "flaky" for test in counted)
    if count > most:
        alike = Counter(test["fingerprint"] for test in counted)
        # Those that few others are like come first, so that an outage does not hide them.
        counted.sort(key=lambda test: alike[test["fingerprint"]])
        lines += [
            f"{'failure of a flaky test' if test['kind'] == 'flaky' else 'new failure'}: {_title_of(test)}"
            for test in counted[:_MOST_SHOWN]
        ]
    words = [quantity(count - flaky, "new failure")] if count > flaky else []
    if flaky:
        words.append(f"{quantity(flaky, 'failure')} of {'a flaky test' if flaky == 1 else 'flaky tests'}")
    stopped = ""
    if past:
        is_past = "is past its date" if len(past) == 1 else "are past their dates"
        stopped = f"stopped: {quantity(len(past), 'known failure')} {is_past}; "
    said = stopped + (" and ".join(words) or "no new failure")
    return Judged(lines, said, _limit(count, most), bool(past) or count > most, remarks)


def _flaky_tests(document: RunFindings, most: int | None) -> Judged:
    count = document["counts"]["flaky"]
    is_stopped = most is not None and count > most
    shown = [test for test in document["flaky"] if test["state"] == "flaky"][:_MOST_SHOWN] if is_stopped else []
    lines = [f"flaky: {_title_of(test)}: {_rate(test)}" for test in shown]
    return Judged(lines, quantity(count, "flaky test"), _limit(count, most or 0), is_stopped)


def _gone_tests(document: RunFindings, most: int | None) -> Judged:
    count = document["counts"]["gone"]
    named = [f"gone: {_title_of(test)}" for test in document["tests"]["gone"][:_MOST_SHOWN]]
    words = f"{quantity(count, 'test')} {'is' if count == 1 else 'are'} gone"
    return Judged([], words, _limit(count, most or 0), most is not None and count > most, named)


def _limit(count: int, most: int) -> str:
    if count <= most:
        return ""
    return f", at most {most} {'is' if most == 1 else 'are'} allowed" if most else "; none is allowed"


def _title_of(test: Mapping[str, Any]) -> str:
    return printable(title_of(test["folder"], test["name"]))
