"""Commands about findings: ``run findings``, ``run diff``, ``flaky``, ``gate`` and ``known``."""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from msgspec import Struct

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.api.models import SELECTION_FIELD
from pytest_automation_report.cli.context import (
    CONNECTION,
    Command,
    Exit,
    command_settings,
    echo_result,
    echo_stderr,
    gathered,
    setting_options,
)
from pytest_automation_report.cli.queries import (
    BASE,
    COMPLETED,
    RUN_ID,
    WHICH,
    WhichRun,
    opened,
    run_number,
)
from pytest_automation_report.cli.run import run
from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.known import (
    KnownFailure,
    KnownTests,
    known_failures,
    known_text,
    meant,
    names_fixture,
    session_entry,
)
from pytest_automation_report.findings.sentences import (
    commit_text,
    compared_line,
    exit_words,
    is_torn,
    moved_names,
    reason_lines,
    stop_words,
    verdict_line,
    verdict_sentence,
    wholeness_words,
)
from pytest_automation_report.findings.times import factor
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import duration, printable, quantity
from pytest_automation_report.text.node_ids import join_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import ChangedTest, RunFindings
    from pytest_automation_report.findings.flakiness import Flakiness


def read_known(path: Path | None, name: str = "--known") -> KnownTests:
    """Return the known failures of a file; raises `click.UsageError`, with the option's ``name``, if that fails."""
    try:
        return KnownTests([] if path is None else known_failures(known_text(path)))
    except ValueError as error:
        raise click.UsageError(f"{name}: {path}: {error}") from error


KNOWN_FILE: Final = click.option(
    "--known",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Known failures, if sessions had no such file.",
)


_COUNT: Final = click.IntRange(min=0)
_LISTS: Final = (
    "newly_failing", "still_failing", "fixed", "passed_again", "newly_skipped", "new_tests", "gone", "moved",
    "unstable_ids", "not_run",
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
        source = reading.source_id(reading.settings.source) if named is None else named.source_id or 0
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
        echo_stderr(f"{test['state']}: {_shown_title(test)}: {_rate(test)}")
    if not document["tests"]:
        where = f" on {document['branch']}" if document["branch"] else ""
        echo_stderr(f"no flaky tests{where}")
    return Exit.DONE


class Limits(Struct, frozen=True):
    """The options by which a run is judged; None allows any number of such tests, and compares with the best base."""

    new_failures: int = 0
    flaky: int | None = None
    gone: int | None = None
    base: int | None = None
    require_base: bool = False
    allow_partial: bool = False


LIMITS: Final = (
    click.option("--new-failures", type=_COUNT, default=0, show_default=True, metavar="N",
                 help="Allow N new failures."),
    click.option("--flaky", type=_COUNT, metavar="N",
                 help="Allow N flaky tests and their failures."),
    click.option("--gone", type=_COUNT, metavar="N", help="Allow N gone tests; all are named."),
    BASE,
    click.option("--require-base", is_flag=True, help="Stop if there is no earlier run to compare with."),
    click.option("--allow-partial", is_flag=True, help="Judge a run that is open or not whole, too."),
)  # fmt: skip


@click.command("gate", cls=Command)
@RUN_ID
@KNOWN_FILE
@gathered("limits", Limits, *LIMITS)
@setting_options(*CONNECTION, *WHICH)
def gate(chosen: WhichRun, *, known: Path | None, limits: Limits, **options: object) -> int:
    """Stop a pipeline at new failures: exit code 5, and stderr says what stopped it.

    Run it after pytest. Exit code 3 means that the run is open or not whole. Without RUN_ID it judges the run of this
    commit and branch in CI, and the newest run of the source elsewhere.
    """
    tests = read_known(known)
    with opened(options, chosen, is_source_needed=True, needs_findings=True) as reading:
        judged = reading.run(reading.run_id(chosen, of_source=True))
        document = reading.findings(judged.id, limits.base or "change")
    code, _ = judge(judged, document, tests, limits)
    if code == Exit.KEPT and not limits.allow_partial and not_whole(judged, document):
        echo_stderr("to judge it anyway: --allow-partial")
    return code


def judge(judged: Run, document: RunFindings, known: KnownTests, limits: Limits) -> tuple[Exit, str]:
    """Print what stops a pipeline at a run, or that nothing does, and return the exit code and why."""
    kinds = judgements(document, known, limits)
    for line in (line for kind in kinds for line in kind.remarks):
        echo_stderr(line)
    for line in (line for kind in kinds for line in kind.lines):
        echo_stderr(line, colour="red")
    commit = commit_text(judged.field_value("Commit"), judged.field_value("Changes"))
    details = [printable(judged.config), printable(judged.field_value("Branch")), commit]
    shown = ", ".join(filter(None, details))
    name = f"run {judged.id}{f' ({shown})' if shown else ''}"
    if (said := verdict_line(document)) and document["verdict"]["kind"] != "exit":
        echo_stderr(f"{name}: {said}", colour="yellow")
    for stop in document.get("stops", ()):
        echo_stderr(f"{name}: {stop_words(stop)}", colour="yellow")
    if missing := not_whole(judged, document):
        echo_stderr(f"{name} {missing}", colour="yellow")
    is_baseless = limits.require_base and document["base"] is None
    is_stopped = is_baseless or any(kind.is_stopped for kind in kinds)
    if missing and not (is_stopped or limits.allow_partial):
        return Exit.KEPT, f"run {judged.id} {missing}"
    ran = document["ran"]
    if not is_stopped and (status := ran.get("unexplained_exit")):
        unexplained = exit_words(status, has_failed=ran["failed"] + ran["files"] + ran.get("fixtures", 0) > 0)
        echo_stderr(f"{name}: {unexplained}", colour="red")
        return Exit.KEPT, f"run {judged.id}: {unexplained}"
    part = " in this part of the suite" if document["verdict"]["part"] else ""
    new, *others = kinds
    verdict = f"{new.words}{part}{_compared(document, is_needed=is_baseless)}{new.limit}"
    words = "; ".join([verdict, *(f"{kind.words}{kind.limit}" for kind in others if kind.is_stopped)])
    echo_stderr(f"{name}: {words}", colour="red" if is_stopped else "green")
    return (Exit.STOPPED if is_stopped else Exit.DONE), words


class Judged(NamedTuple):
    """Tests of one kind: the lines that name them, their number in words, the words for a limit that they exceed.

    ``remarks`` are lines about tests that stop nothing, ``keys`` those of the tests that are judged.
    """

    lines: Sequence[str]
    words: str
    limit: str
    is_stopped: bool
    remarks: Sequence[str] = ()
    keys: Sequence[str] = ()


def judgements(document: RunFindings, known: KnownTests, limits: Limits) -> list[Judged]:
    """Return what the gate says of the new failures of a run, its known failures, its flaky and its gone tests."""
    return [
        _new_failures(document, known, limits),
        _known_failures(document, known),
        _flaky_tests(document, limits.flaky),
        _gone_tests(document, limits.gone),
    ]


def not_whole(judged: Run, document: RunFindings) -> str:
    """Return why results of a run may be missing, "" for a whole run."""
    if not judged.is_completed:
        return "is open: its jobs may still send results"
    if is_torn(document["whole"]):
        return f"is not whole: {wholeness_words(document['whole'])}"
    if not document["ran"]["finished"]:
        return "is not whole: no test ran"
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
    echo_stderr(printable(verdict_sentence(document["verdict"])))
    # Runs outside of a checkout have no branch that could be named.
    is_nameless = base is not None and base["why"] == "same branch" and not base["branch"]
    why = "" if base is None else "the last one before it" if is_nameless else _WHY[base["why"]]
    echo_stderr(compared_line(document, time.time_ns() // 1000, why=why))


def show_lists(document: RunFindings) -> None:
    """Print the lists of changes, and the reasons of failures."""
    for name in _LISTS:
        words = name.removesuffix("_tests").replace("_", " ")
        tests = document["tests"].get(name, ())  # servers of earlier releases do not have all of them
        for test in tests[:_MOST_SHOWN]:
            was = f"{printable(moved_names(test)[0])} -> " if name == "moved" else ""
            echo_stderr(f"  {words}: {was}{_shown_title(test)}{_began(test, document)}")
        if tests and document["counts"][name] > _MOST_SHOWN:
            echo_stderr(f"  {words}: and {document['counts'][name] - _MOST_SHOWN} more")
    for word, durations in (("slower", document["slower"]), ("faster", document["faster"])):
        for each in durations[:_MOST_SHOWN]:
            began = f", since run {each['since']['run']}" if each["since"] else ""
            took = f"{duration(each['elapsed'])}, {duration(each['median'])} before"
            echo_stderr(f"  {word}: {_shown_title(each)} ({took}, {factor(each['ratio'])}{began})")
    for line in reason_lines(document, time.time_ns() // 1000):
        echo_stderr(f"  reason: {line}")


def _began(test: ChangedTest, document: RunFindings) -> str:
    """Return since which earlier run a test fails; nothing if it does since this one."""
    since = test["since"]
    return f" (since run {since['run']})" if since and since["run"] != document["run"] else ""


_WHY: Final = {
    "asked": "as asked for",
    "same branch": "the last one on its branch",
    "target branch": "the last one on its target branch",
    "main branch": "the last one on the main branch",
    "merge base": "the last one on the main branch of a commit that this run has, too",
    "let pass": "the last one on its branch that the gate lets pass",
}


def _rate(test: Flakiness) -> str:
    failed, low, high = (100 * share for share in (test["failed"] / max(1, test["runs"]), test["low"], test["high"]))
    rate = f"{test['failed']} of {quantity(test['runs'], 'run')} ({failed:.0f} %; likely {low:.0f} to {high:.0f} %)"
    return f"failed in {rate}: {evidence_words(test)}"


def _new_failures(document: RunFindings, known: KnownTests, limits: Limits) -> Judged:
    """Judge the new failures that no entry excuses, of these or of their session."""
    states = {test["key"]: test["state"] for test in document["flaky"]}
    counted = [
        test
        for test in document["tests"]["newly_failing"]
        if not known.excuses(_known_entry(test, known), otherwise=test["kind"] == "known")
        and (limits.flaky is None or states.get(test["key"]) != "flaky")
    ]
    count = len(counted) + document["counts"]["newly_failing"] - len(document["tests"]["newly_failing"])
    flaky = sum(test["kind"] == "flaky" for test in counted)
    lines = []
    if count > limits.new_failures:
        alike = Counter(test["fingerprint"] for test in counted)
        # Those that few others are like come first, so that an outage does not hide them.
        counted.sort(key=lambda test: alike[test["fingerprint"]])
        # Of several crashes a reason has the worker of one.
        one = (each for each in document["reasons"] if each["phase"] == "crash" and each["messages"] == 1)
        crashes = {each["fingerprint"]: f": {printable(each['title'])}" for each in one}
        lines = [
            f"{'failure of a flaky test' if test['kind'] == 'flaky' else 'new failure'}: {_shown_title(test)}"
            f"{_began(test, document)}{crashes.get(test['fingerprint'] or '', '')}"
            for test in counted[:_MOST_SHOWN]
        ]
    words = [quantity(count - flaky, "new failure")] if count > flaky else []
    if flaky:
        words.append(f"{quantity(flaky, 'failure')} of {'a flaky test' if flaky == 1 else 'flaky tests'}")
    judged = _judged(lines, " and ".join(words) or "no new failure", count, limits.new_failures)
    return judged._replace(keys=[test["key"] for test in counted])


def _known_failures(document: RunFindings, known: KnownTests) -> Judged:
    """Judge the failures that an entry names: past its date it stops the gate."""
    failing = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    found = {test["key"]: entry for test in failing if (entry := _known_entry(test, known))}
    remarks = [
        f"known failure {entry.test}: it did not fail in this run, or no test has this name: check the line"
        for entry in known.entries
        if entry not in found.values()
    ]
    keys = [key for key, entry in found.items() if known.is_past(entry)]
    past = [*dict.fromkeys(found[key] for key in keys)]
    lines = [
        f"known failure {entry.test}: its date {entry.until} is past{f' ({entry.reason})' if entry.reason else ''}"
        for entry in past[:_MOST_SHOWN]
    ]
    is_past = "is past its date" if len(past) == 1 else "are past their dates"
    return Judged(lines, f"{quantity(len(past), 'known failure')} {is_past}", "", bool(past), remarks, keys)


def _flaky_tests(document: RunFindings, most: int | None) -> Judged:
    count = document["counts"]["flaky"]
    judged = _judged((), quantity(count, "flaky test"), count, most)
    shown = [test for test in document["flaky"] if test["state"] == "flaky"][:_MOST_SHOWN] if judged.is_stopped else []
    return judged._replace(lines=[f"flaky: {_shown_title(test)}: {_rate(test)}" for test in shown])


def _gone_tests(document: RunFindings, most: int | None) -> Judged:
    count = document["counts"]["gone"]
    named = [f"gone: {_shown_title(test)}" for test in document["tests"]["gone"][:_MOST_SHOWN]]
    words = f"{quantity(count, 'test')} {'is' if count == 1 else 'are'} gone"
    return _judged((), words, count, most)._replace(remarks=named)


def _judged(lines: Sequence[str], words: str, count: int, most: int | None) -> Judged:
    """Judge tests of one kind by the largest number of them; None allows any."""
    if most is None or count <= most:
        return Judged(lines, words, "", is_stopped=False)
    limit = f", at most {most} {'is' if most == 1 else 'are'} allowed" if most else "; none is allowed"
    return Judged(lines, words, limit, is_stopped=True)


def _shown_title(test: Mapping[str, Any]) -> str:
    return printable(join_title(test["folder"], test["name"]))


_RUNS: Final = 10
"""Runs in a row without a failure after which a known test no longer fails."""


def _known_entry(test: ChangedTest, known: KnownTests) -> KnownFailure | None:
    """Return the entry that names a test of findings, else its session's entry, which has the line 0."""
    title = join_title(test["folder"], test["name"])
    of_session = None if test["known"] is None else session_entry(**test["known"], test=title)
    return known.of(title, test["key"]) or of_session


@click.command("known", cls=Command)
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option(
    "--check", is_flag=True, help="Exit code 1 if a line is past its date, no longer fails, or names no test."
)
@setting_options(*CONNECTION, "source", "known")
def known(file: Path | None, *, check: bool, **options: object) -> int:
    """Show the known failures of FILE, by default of the setting known, and what became of them.

    A test no longer fails if it failed in none of the last ten runs of the source.
    """
    settings, _ = command_settings(dict(options), prints_warnings=False)
    path = file or (Path(system.relative(settings.known, Path.cwd())) if settings.known else None)
    if path is None:
        raise click.UsageError("name a file of known failures, or set automation_report_known")
    tests = read_known(path, "FILE" if file else settings.origins["known"])
    named, names, runs, failed = _seen(options, tests)
    is_wrong = False
    for entry in tests.entries:
        words = f"known until {entry.until}"
        if tests.is_past(entry):
            words = f"past: it was known until {entry.until}"
        elif entry not in named and not (names_fixture(entry.test) and entry in failed):
            words = f"names no test of the last run{meant(entry.test, names)}"
        elif entry not in failed and runs >= _RUNS:
            words = f"no longer fails: not in the last {runs} runs"
        is_right = words.startswith("known")
        is_wrong |= not is_right
        echo_stderr(f"{path}:{entry.line}: {entry.test}: {words}", colour="" if is_right else "yellow")
        if not is_right:
            echo_result(entry.test)
    echo_stderr(quantity(len(tests.entries), "known failure"))
    return Exit.REFUSED if check and is_wrong else Exit.DONE


def _seen(options: dict[str, object], known: KnownTests) -> tuple[set[KnownFailure], list[str], int, set[KnownFailure]]:
    """Return the entries that name a test of the last run, its tests, the number of runs, and what failed in them."""

    def named_entries(tests: Iterable[ExportedTest]) -> set[KnownFailure]:
        return {entry for test in tests for entry in known.matching(test.node_id, test.title, test.key)}

    with opened(options, is_source_needed=True) as reading:
        source = reading.source_id(reading.settings.source)
        pages = run_pages(reading.client, source_id=(source,), status=COMPLETED)
        # A part of the suite says nothing of the tests that it left out.
        whole = (run for page in pages for run in page.result if not run.field_value(SELECTION_FIELD))
        runs = [run.id for run in islice(whole, _RUNS)]
        failed = {entry for run in runs for entry in named_entries(reading.tests(run, only_failures=True))}
        last = [test for run in runs[:1] for test in reading.tests(run)]
    return named_entries(last), [printable(test.node_id) for test in last if test.node_id], len(runs), failed
