"""Write the lines of the terminal summary about a session."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import shown_store
from pytest_automation_report.settings.settings import LOCAL_URL, STORE, Settings, find_setting
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import STRING_UNITS, cut_end, quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_automation_report.spool.records import DoneRecord, ReportRecord
    from pytest_automation_report.spool.sessions import LeftoverCounts
    from pytest_automation_report.spool.writer import WriteLosses
    from pytest_automation_report.summary.counts import SessionOutcome

_REASONS: Final = 3
_LINK: Final = "look at it: "
_LINE_UNITS: Final = 70  # of a line of a session in which nothing failed, for an agent
_STATUSES: Final = ("passed", "failure", "error", "skipped", "untested")
# Verdicts that say how many tests ran.
_CUT: Final = frozenset({"died", "interrupted", "stopped", "ended", "not collected"})


def header_line(settings: Settings, shell: Shell, *, key: str = "") -> str:
    """Return the line for pytest's header; ``key`` is the key of a shared run, with its placeholders filled."""
    how = "" if settings.delivery == "live" else ", to be sent later"
    shared = f", in the run of the key {key}" if key else ""
    joined = f", joining run {settings.run_id}" if settings.run_id is not None else shared
    return f"automation report: to {shell.target(settings)}, source {settings.source}{joined}{how}"


def report_lines(
    settings: Settings,
    ending: SessionOutcome | None,
    warnings: Sequence[str],
    *,
    shell: Shell,
    verbosity: int = 0,
    stats: Mapping[str, Sequence[object]] | None = None,
    has_link: bool = True,
) -> list[str]:
    """Return the lines of the summary, for a user at this shell; without ``has_link`` none to the run's page.

    ``stats`` are pytest's reports by the words of its last line, if it writes one. With verbosity -1 a delivered
    session has its numbers, its digest or one line with what changed, and its link; below that nothing. Warnings and
    what was not delivered are always shown.
    """
    lines = warning_lines(ending, warnings)
    if ending is None or ending.tally.seen == 0:
        return lines
    if ending.leftovers is not None:
        lines += left_behind_lines(settings, ending.leftovers, shell)
    if not ending.is_whole:
        lines += undelivered_lines(settings, ending, shell)
    elif verbosity < -1:
        return lines
    is_short = ending.is_whole and verbosity < 0
    own = _delivered(settings, ending, shell, stats or {}, is_short=is_short)
    if not has_link:
        own = [cut_end(line, _LINE_UNITS) for line in own if not line.startswith(_LINK)]
    return [*own, *lines]


def _delivered(
    settings: Settings,
    ending: SessionOutcome,
    shell: Shell,
    stats: Mapping[str, Sequence[object]],
    *,
    is_short: bool,
) -> list[str]:
    tally, report, run = ending.tally, ending.report, ending.shown_run
    lines = [_counted(ending), *filter(None, [counted_otherwise(stats, tally.counts), ending.exit_words])]
    found = _findings(settings, ending)
    if is_short:
        has_digest = ending.findings is not None and "digest" in ending.findings
        found = found if has_digest else found[:1]
    else:
        lines = [*_collected(ending), *lines]
        lines += [
            f"{count} tests share one key, so the server cannot tell them apart: {sanitize(name)}"
            for name, count in tally.repeated
        ]
    lines += found
    if report is not None and report.state != "none":
        lines.append(report_line(report, shell))
    return lines if run is None else [*lines, f"{_LINK}{shell.look_at(settings, run)}"]


def counted_otherwise(stats: Mapping[str, Sequence[object]], counts: Mapping[str, int]) -> str:
    """Return why the results by status differ from pytest's last line; empty if they do not, or if it has none."""
    words = ("passed", "failed", "error", "skipped")
    ours = [counts.get("failure" if word == "failed" else word, 0) for word in words]
    if not stats or ours == [len(stats.get(word, ())) for word in words]:
        return ""
    expected = ("xfailed", "xpassed")
    nodeids = Counter(getattr(report, "nodeid", "") for word in words + expected for report in stats.get(word, ()))
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


def _findings(settings: Settings, ending: SessionOutcome) -> list[str]:
    """Return the digest, or else the lines that the sender wrote about the changes in the run."""
    findings = ending.findings
    if findings is None:
        return []
    # A user who names a source knows that it is another one.
    is_named = "source" in settings.origins or settings.run_id
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


def delivery_lines(state: DoneRecord) -> list[str]:
    """Return the lines about a delivery: the joined run, renamed statuses, and artifacts that were not stored."""
    messages = (state.join_remark, state.difference, *state.left_out)
    lines = [sanitize(message, STRING_UNITS) for message in messages if message]
    for before, now in state.renamed.items():
        renamed = f"the server does not know the status {sanitize(before)}: sent as {sanitize(now)}"
        lines.append(f"{renamed} (set automation_report_statuses)")
    return lines + [
        f"{quantity(count, 'artifact')} named in results, but not stored: {sanitize(reason, STRING_UNITS)}"
        for reason, count in state.unstored_reasons[:_REASONS]
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
    lines += [*delivery_lines(ending.state), *(sanitize(warning, STRING_UNITS) for warning in tally.warnings)]
    if ending.report is not None and ending.report.state == "none":
        lines.append(report_line(ending.report))
    lines += [
        f"no report of an earlier session in {sanitize(file, STRING_UNITS)}: {sanitize(why, STRING_UNITS)}"
        for file, why in (() if ending.leftovers is None else ending.leftovers.reports)
    ]
    lines += [f"error in reporting: {sanitize(error, STRING_UNITS)}" for error in (*tally.faults, *ending.mismatches)]
    # Each line once: every process reports an unknown hook.
    return [*dict.fromkeys((*lines, *_lost(ending.losses)))]


def counts_by_status(counts: Mapping[str, int], order: Iterable[str] = _STATUSES) -> str:
    """Return results by pytest's statuses in words: ``10 passed, 1 failed``, or in another order."""
    words = {"failure": "failed", "error": "error" if counts.get("error") == 1 else "errors"}
    return ", ".join(f"{counts[status]:,} {words.get(status, status)}" for status in order if counts.get(status))


def _counted(ending: SessionOutcome) -> str:
    tally = ending.tally
    where = f" from {tally.workers:,} workers" if tally.workers > 1 else ""
    delivered = f"{tally.acknowledged:,} of {quantity(tally.seen, 'result')} delivered{where}"
    # The verdict says that only fixtures failed, which pytest puts on tests.
    is_fixture = ending.findings is not None and ending.findings["verdict"]["kind"] == "fixture"
    return delivered if is_fixture else f"{delivered}: {counts_by_status(tally.counts)}"


def _collected(ending: SessionOutcome) -> list[str]:
    """Return the line about collected tests; none where the results, or the verdict of the run, say as much."""
    tally, skipped = ending.tally, ending.tally.skipped_modules
    is_plain = tally.expected is not None and not (tally.not_run or tally.modules)
    has_verdict = ending.findings is not None and ending.findings["verdict"]["kind"] in _CUT and not skipped
    if is_plain or has_verdict:
        return []
    tests = f"{quantity(tally.reported, 'test')} reported"
    if tally.expected is not None:
        missing = f", {tally.not_run:,} not run" if tally.not_run else ""
        tests = f"{quantity(tally.expected, 'test')} collected: {tally.reported:,} reported{missing}"
    # The modules whose tests pytest does not know.
    broken = tally.modules - skipped
    parts = [f"{quantity(broken, 'module')} could not be collected"] if broken else []
    parts += [f"{quantity(skipped, 'module')} skipped as a whole"] if skipped else []
    return [", ".join([tests, *parts])]


_HINTS: Final[Mapping[str, str]] = {
    "token": "the token was refused: set AUTOMATION_REPORT_TOKEN to one that is valid for this project, then send",
    "again": "the server could not be reached",
    "throttled": "the server asks to wait",
    "unknown": "the server's answers were lost or broken",
    "refused": "the server refused it",
    "store": "the store could not be used",
}
# Errors of these classes have the server's own words.
_SAID: Final = frozenset({"token", "refused"})


def left_behind_lines(settings: Settings, leftovers: LeftoverCounts, shell: Shell) -> list[str]:
    """Return the lines about earlier sessions that stay in the spool, or were removed because of their age."""
    lines = []
    if leftovers.kept:
        kept = f"{quantity(leftovers.kept, 'earlier session')} {'is' if leftovers.kept == 1 else 'are'} kept"
        where = shell.typed(settings.spool)
        if leftovers.elsewhere:
            # No command with an address out of a spool: everyone who can write there can write any address into it.
            some = "" if leftovers.elsewhere == leftovers.kept else f"{leftovers.elsewhere} of them "
            lines.append(f"{kept} in {where}, {some}for another server or store: see automation-report spool list")
        else:
            lines.append(f"{kept} in {where}: send with {send_command(shell, settings)}")
    if leftovers.removed:
        removed, days = quantity(leftovers.removed, "earlier session"), quantity(settings.keep_spool, "day")
        lines.append(f"{removed} removed, not sent within {days}")
    lines += [
        f"left alone in {shell.typed(settings.spool)}: {sanitize(reason)}" for reason in leftovers.alone[:_REASONS]
    ]
    if len(leftovers.alone) > _REASONS:
        more = quantity(len(leftovers.alone) - _REASONS, "more folder")
        lines.append(f"and {more} left alone: see automation-report spool list")
    return lines


def undelivered_lines(settings: Settings, ending: SessionOutcome, shell: Shell) -> list[str]:
    """Return the lines about results that the server does not have, and the command that sends them."""
    tally, folder, lines = ending.tally, shell.typed(Path(ending.folder)), []
    if tally.rejected:
        lines.append(f"{quantity(tally.rejected, 'result')} rejected by the server, kept in {folder}")
    if tally.held:
        held = quantity(tally.held, "result")
        them = "it" if tally.held == 1 else "them"
        lines.append(f"{held} held in {folder}: delivery unconfirmed: the server may or may not have {them}")
    lines += [f"  {sanitize(reason)}" for reason in ending.state.reasons[:3]]
    if tally.left or not ending.state.complete or ending.state.difference:
        kept = f"{quantity(tally.left, 'result')} kept in {folder}" if tally.left else "the run is not completed"
        if ending.state.difference:  # then all else is done
            kept = f"kept in {folder}: what the server does not have can be sent again"
        needed = (("url", settings.endpoint.origin), ("project_id", settings.project_id))
        missing = [find_setting(name).environment for name, value in needed if not value]
        lines.append(f"{kept}: set {' and '.join(missing)} first" if missing else f"{kept}{_why(ending)}")
        lines.append(f"send: {send_command(shell, settings, is_new_run=ending.state.is_run_gone)}")
    lines += [f"  sender: {sanitize(line)}" for line in ending.log]
    return lines


def _why(ending: SessionOutcome) -> str:
    if not ending.is_sent:
        return ""
    hint = _HINTS.get(ending.state.error_class, "")
    if error := sanitize(ending.state.error or ending.state.why):
        said = f'the server said: "{error}"' if ending.state.error_class in _SAID else error
        return f": {hint} ({said})" if hint else f": {error}"
    return ""


_PRINTED: Final = frozenset({"spool", "url", "database", "project_id"})
"""Settings of the printed command that are in it wherever their values came from: they name results and server."""


def send_command(shell: Shell, settings: Settings, *, is_new_run: bool = False) -> str:
    """Return the command that sends, from any folder, the results that this session left in the spool."""
    is_embedded = settings.endpoint.is_embedded
    options: dict[str, str | bool] = {
        "spool": str(settings.spool),
        # Also for the embedded store: an ini file or the environment may name a server where the command runs.
        "url": LOCAL_URL if is_embedded else settings.url,
        "database": str(settings.database) if is_embedded else "",
        "project_id": str(settings.project_id or ""),  # not known: the configured one is used
    }
    if not is_embedded:
        options["token_file"] = settings.token_file
        options["ca_file"] = settings.endpoint.ca_file
    if settings.artifact_store:
        options["artifact_store"] = shown_store(settings.artifact_store)
        options["artifact_url"] = settings.artifact_url
    if not is_embedded:
        options["allow_http"] = settings.allow_http
    words = [*shell.command, "send"]
    for name, value in options.items():
        setting = find_setting(name)
        # The environment is the same in every folder, while an ini file is only found below its own.
        is_found = name not in _PRINTED and settings.origins.get(name) in {None, setting.environment}
        if value and not is_found:
            words.append(setting.plain_option if value is True else f"{setting.plain_option}={value}")
    return system.quoted([*words, *(["--new-run"] if is_new_run else [])])


RUN_PAGE: Final = "/automation/runs/view/{run}"
"""Path of a run's web page, on Testmo's servers and on the embedded one."""

_NAME: Final = "automation-report"
_MODULE: Final = "pytest_automation_report.cli"


def run_page(settings: Settings, run: int | None) -> str:
    """Return the web address of a run, "" for the embedded store, which is not always served."""
    return f"{settings.url}{RUN_PAGE.format(run=run)}" if run is not None and settings.url else ""


def result_page(settings: Settings, result: int | None) -> str:
    """Return the web address of a result on a server of ours, "" for the embedded store."""
    return f"{settings.url}/results/{result}" if result is not None and settings.url else ""


class Shell:
    """The shell that a process was started from: its current folder, and how the console command is typed there."""

    def __init__(self, here: Path, environ: Mapping[str, str], python: str = sys.executable) -> None:
        self._here = here
        self._path = environ.get("PATH", "")
        self._python = python

    def typed(self, path: Path) -> str:
        """Return a path as the user types it: relative if it is below the current folder."""
        return str(path.relative_to(self._here)) if path.is_relative_to(self._here) else str(path)

    def target(self, settings: Settings) -> str:
        """Return the destination of results without secrets."""
        if settings.endpoint.is_embedded:
            return f"the embedded store {self.typed(settings.database)}"
        return f"{settings.url or 'an unknown address'}, project {settings.project_id or 'unknown'}"

    @cached_property
    def command(self) -> tuple[str, ...]:
        """The words that run the console command of this interpreter from any folder."""
        on_path = shutil.which(_NAME, path=self._path)
        own = next((found for folder in self._script_folders() if (found := shutil.which(_NAME, path=folder))), None)
        # This environment need not be activated, and another one may be.
        if on_path is not None and (own is None or _is_same_file(own, on_path)):
            return (_NAME,)
        if own is None:
            return (self._python, "-m", _MODULE)
        return (str(Path(own).parent.resolve() / _NAME),)

    def look_at(self, settings: Settings, run: int) -> str:
        """Return how to look at a run: its web address, or the command that opens its page."""
        if not settings.endpoint.is_embedded:
            return run_page(settings, run)
        words = [*self.command, "open", str(run)]
        if settings.origins.get("url", "").startswith("-"):  # an ini file may name a server, as this option shows
            words += ["--url", LOCAL_URL]
        if settings.database != self._here / STORE:
            # Absolute: a relative path would start from the root folder of the project that the current folder is in.
            words += ["--database", str(settings.database)]
        return system.quoted(words)

    def _script_folders(self) -> Iterator[str]:
        yield str(Path(self._python).parent)
        import sysconfig  # noqa: PLC0415 - most often the folder above has it

        yield sysconfig.get_path("scripts")
        user_scheme = sysconfig.get_preferred_scheme("user")
        if user_scheme in sysconfig.get_scheme_names():
            yield sysconfig.get_path("scripts", user_scheme)


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # removed in this moment
        return False
