"""Write the lines of the terminal summary about a session."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.limits import STRING_UNITS, quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.records import ReportRecord
    from pytest_automation_report.spool.writer import WriteLosses
    from pytest_automation_report.summary.counts import SessionCounts, SessionOutcome
    from pytest_automation_report.summary.shell import Shell

_REASONS: Final = 3
_STATUSES: Final = ("passed", "failure", "error", "skipped", "untested")


def header_line(configuration: Settings, shell: Shell, *, key: str = "") -> str:
    """Return the line for pytest's header; ``key`` is the key of a shared run, with its placeholders filled."""
    how = "" if configuration.delivery == "live" else ", to be sent later"
    shared = f", in the run of the key {key}" if key else ""
    joined = f", joining run {configuration.run_id}" if configuration.run_id is not None else shared
    return f"automation report: to {shell.target(configuration)}, source {configuration.source}{joined}{how}"


def report_lines(
    configuration: Settings,
    ending: SessionOutcome | None,
    warnings: Sequence[str],
    *,
    shell: Shell,
    verbosity: int = 0,
    stats: Mapping[str, Sequence[object]] | None = None,
) -> list[str]:
    """Return the lines of the summary, for a user at this shell.

    ``stats`` are pytest's reports by the words of its last line, if it writes one. With verbosity -1 a delivered
    session has its numbers, its digest or one line with what changed, and its link; below that nothing. Warnings and
    what was not delivered are always shown.
    """
    lines = warning_lines(ending, warnings)
    if ending is None or ending.tally.seen == 0:
        return lines
    tally = ending.tally
    if ending.leftovers is not None:
        from pytest_automation_report.summary.undelivered import left_behind_lines  # noqa: PLC0415 - rare

        lines += left_behind_lines(configuration, ending.leftovers, shell)
    if ending.is_whole and verbosity < 0:
        return [*(_shorter(configuration, ending, shell, stats or {}) if verbosity == -1 else []), *lines]
    delivered = _delivered(configuration, ending, shell, counted_otherwise(stats or {}, tally.counts))
    if ending.is_whole:
        return [*delivered, *lines]
    from pytest_automation_report.summary.undelivered import undelivered_lines  # noqa: PLC0415 - rare

    return [*delivered, *lines, *undelivered_lines(configuration, ending, shell)]


def _shorter(
    configuration: Settings, ending: SessionOutcome, shell: Shell, stats: Mapping[str, Sequence[object]]
) -> list[str]:
    found, otherwise = _findings(configuration, ending), counted_otherwise(stats, ending.tally.counts)
    has_digest = ending.findings is not None and "digest" in ending.findings
    changes = found if has_digest else found[:1]
    report = _report(ending, shell)
    return [_counted(ending.tally), *filter(None, [otherwise]), *changes, *report, *_link(configuration, ending, shell)]


def counted_otherwise(stats: Mapping[str, Sequence[object]], counts: Mapping[str, int]) -> str:
    """Return why the results by status differ from pytest's last line; empty if they do not, or if it has none."""
    words = ("passed", "failed", "error", "skipped")
    ours = [counts.get("failure" if word == "failed" else word, 0) for word in words]
    if not stats or ours == [len(stats.get(word, ())) for word in words]:
        return ""
    nodeids = Counter(getattr(report, "nodeid", "") for word in words for report in stats.get(word, ()))
    repeated = sum(1 for amount in nodeids.values() if amount > 1)
    subtests = sum(len(reports) for word, reports in stats.items() if word.startswith("subtests"))
    # xdist and pytest-forked know no phase of a test whose process died.
    crashed = sum(getattr(report, "when", "") == "???" for report in stats.get("failed", ()))
    reasons = [
        (len(stats.get("xfailed", ())), "xfailed (skipped here)"),
        (len(stats.get("xpassed", ())), "xpassed (passed here)"),
        (len(stats.get("known", ())), "known (failed here)"),
        (crashed, "crashed (error here)"),
        (len(stats.get("rerun", ())), "rerun (part of their tests here)"),
        (subtests, "subtests (part of their tests here)"),
        (repeated, "with several outcomes (one here)"),
    ]
    parts = [f"{amount:,} {text}" for amount, text in reasons if amount]
    if not parts:
        return "pytest counts differently: a plugin changes or repeats reports"
    return f"pytest counts these separately: {', '.join(parts)}"


def _findings(configuration: Settings, ending: SessionOutcome) -> list[str]:
    """Return what the sender wrote about the changes in the run, or the digest, which says all of that."""
    findings = ending.findings
    if findings is None:
        return []
    # A user who names a source knows that it is another one.
    is_named = "source" in configuration.origins or configuration.run_id
    earlier = [] if is_named or not findings["earlier_source"] else [findings["earlier_source"]]
    lines = ["", *findings["digest"].splitlines(), ""] if "digest" in findings else findings["lines"]
    return [*earlier, *lines]


def _lost(losses: WriteLosses) -> list[str]:
    lines, error = [], sanitize(losses.error, STRING_UNITS)
    if losses.results or losses.records:
        what = quantity(losses.results, "result") if losses.results else "the session's end"
        lines.append(f"lost {what}, which could not be written to disk: {error}")
    if losses.shortened:
        short = quantity(losses.shortened, "result")
        lines.append(f"sent {short} without texts, which could not be written to disk: {error}")
    return lines


def unstored_lines(unstored: Sequence[tuple[str, int]]) -> list[str]:
    """Return the lines about artifacts that were not stored: their number by reason."""
    return [
        f"{quantity(count, 'artifact')} named in results, but not stored: {sanitize(reason, STRING_UNITS)}"
        for reason, count in unstored[:_REASONS]
    ]


def report_line(report: ReportRecord, shell: Shell | None = None) -> str:
    """Return the line about the report of a run: its path as it is typed in this shell, or why not."""
    path = Path(report.file)
    file = sanitize(str(path) if shell is None else shell.typed(path), STRING_UNITS)
    if report.state == "none":
        return f"no report in {file}: {sanitize(report.why, STRING_UNITS)}"
    note = report.why if report.state == "written" else "still being written"
    return f"report: {file}{f' ({sanitize(note)})' if note else ''}"


def warning_lines(ending: SessionOutcome | None, warnings: Sequence[str]) -> list[str]:
    """Return the warnings and errors, without those about undelivered results."""
    lines = [sanitize(warning, STRING_UNITS) for warning in warnings]
    if ending is None:
        return lines
    tally = ending.tally
    lines += [
        sanitize(message, STRING_UNITS)
        for message in (ending.state.join_remark, ending.state.difference, *tally.warnings)
        if message
    ]
    for before, now in ending.state.renamed.items():
        renamed = f"the server does not know the status {sanitize(before)}: sent as {sanitize(now)}"
        lines.append(f"{renamed} (set automation_report_statuses)")
    lines += unstored_lines(ending.state.unstored_reasons)
    if ending.report is not None and ending.report.state == "none":
        lines.append(report_line(ending.report))
    lines += [
        f"no report of an earlier session in {sanitize(file, STRING_UNITS)}: {sanitize(why, STRING_UNITS)}"
        for file, why in (() if ending.leftovers is None else ending.leftovers.reports)
    ]
    lines += [f"error in reporting: {sanitize(error, STRING_UNITS)}" for error in (*tally.faults, *tally.mismatches)]
    # Each line once: every process reports an unknown hook.
    return [*dict.fromkeys((*lines, *_lost(ending.losses)))]


def counts_by_status(counts: Mapping[str, int], order: Iterable[str] = _STATUSES) -> str:
    """Return results by pytest's statuses in words: ``10 passed, 1 failed``, or in another order."""
    words = {"failure": "failed", "error": "error" if counts.get("error") == 1 else "errors"}
    return ", ".join(f"{counts[status]:,} {words.get(status, status)}" for status in order if counts.get(status))


def _counted(tally: SessionCounts) -> str:
    where = f" from {tally.workers:,} workers" if tally.workers > 1 else ""
    delivered = f"{tally.acknowledged:,} of {quantity(tally.seen, 'result')} delivered{where}"
    return f"{delivered}: {counts_by_status(tally.counts)}"


def _delivered(configuration: Settings, ending: SessionOutcome, shell: Shell, otherwise: str) -> list[str]:
    tally = ending.tally
    # Where each collected test has its result, the numbers of results say all.
    is_plain = tally.expected is not None and not (tally.not_run or tally.modules)
    lines = [*([] if is_plain else [_collected(tally)]), _counted(tally), *filter(None, [otherwise])]
    lines += [
        f"{count} tests share one key, so the server cannot tell them apart: {sanitize(name)}"
        for name, count in tally.repeated
    ]
    lines += _findings(configuration, ending)
    return [*lines, *_report(ending, shell), *_link(configuration, ending, shell)]


def _report(ending: SessionOutcome, shell: Shell) -> list[str]:
    report = ending.report
    return [] if report is None or report.state == "none" else [report_line(report, shell)]


def _link(configuration: Settings, ending: SessionOutcome, shell: Shell) -> list[str]:
    run = ending.tally.run
    return [] if run is None else [f"look at it: {shell.look_at(configuration, run)}"]


def _collected(tally: SessionCounts) -> str:
    tests = f"{quantity(tally.reported, 'test')} reported"
    if tally.expected is not None:
        missing = f", {tally.not_run:,} not run" if tally.not_run else ""
        tests = f"{quantity(tally.expected, 'test')} collected: {tally.reported:,} reported{missing}"
    # The modules whose tests pytest does not know.
    skipped = tally.skipped_modules
    broken = tally.modules - skipped
    parts = [f"{quantity(broken, 'module')} could not be collected"] if broken else []
    parts += [f"{quantity(skipped, 'module')} skipped as a whole"] if skipped else []
    return ", ".join([tests, *parts])
