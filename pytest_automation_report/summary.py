"""What the terminal says about a reported session (floor 3, pure): values in, lines out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.limits import string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.configuration import Configuration
    from pytest_automation_report.tally import Tally

_WORDS: Final = {"passed": "passed", "failure": "failed", "error": "error", "skipped": "skipped"}
_REMEDIES: Final[Mapping[str, str]] = {
    "token": "the token was refused: set AUTOMATION_REPORT_TOKEN to one that is valid for this project, then send",
    "again": "the server could not be reached",
    "throttled": "the server asks to wait",
    "unknown": "the server's answers were lost or broken",
    "refused": "the server refused it",
    "store": "the store could not be used",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How the reporting of a session ended; ``log`` are the last lines of a sender that never got ready."""

    tally: Tally
    folder: str
    is_sent: bool
    log: Sequence[str] = ()
    trouble: str = ""
    trouble_class: str = ""
    reasons: tuple[str, ...] = ()
    spool_trouble: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every result is confirmed by the server and every number adds up."""
        tally = self.tally
        return tally.is_removable and not tally.mismatches and not self.spool_trouble


def target(configuration: Configuration) -> str:
    """Return where results go, without anything secret."""
    if configuration.endpoint.is_embedded:
        return f"the embedded store {configuration.database}"
    return f"{configuration.url or 'an unknown address'}, project {configuration.project_id or 'unknown'}"


def header_line(configuration: Configuration) -> str:
    """Return the line for the head of pytest's output."""
    how = "" if configuration.delivery == "live" else ", to be sent later"
    joined = f", joining run {configuration.run_id}" if configuration.run_id is not None else ""
    return f"automation report: to {target(configuration)}, source {configuration.source}{joined}{how}"


def report_lines(
    configuration: Configuration, ending: Ending | None, troubles: Sequence[str], *, verbosity: int = 0
) -> list[str]:
    """Return the lines of the summary; with a negative verbosity only what a user must act on."""
    lines = [string(each) for each in troubles]
    if ending is None:
        return lines
    tally = ending.tally
    lines += [f"error in reporting: {string(each)}" for each in (*tally.faults, *tally.mismatches)]
    if ending.spool_trouble:
        lines.append(
            f"results could not be written to disk and are lost with this process: {string(ending.spool_trouble)}"
        )
    if tally.seen == 0:
        return lines
    if ending.is_whole:
        if verbosity < 0:
            return lines
        return [*_delivered(configuration, tally), *lines]
    return [*_delivered(configuration, tally), *lines, *_undelivered(configuration, ending)]


def send_command(configuration: Configuration) -> str:
    """Return the command that sends what this session left behind."""
    words = ["automation-report", "send", "--spool", str(configuration.spool)]
    if configuration.endpoint.is_embedded:
        words += ["--database", str(configuration.database)]
    else:
        words += ["--url", configuration.url, "--project-id", str(configuration.project_id)]
    return shlex.join(words)


def _delivered(configuration: Configuration, tally: Tally) -> list[str]:
    lines = []
    if tally.run is not None:
        lines.append(f'run {tally.run} "{string(configuration.name)}" in {target(configuration)}')
    lines.append(_collected(tally))
    statuses = ", ".join(f"{tally.counts[each]} {_WORDS[each]}" for each in _WORDS if tally.counts.get(each))
    where = f" in {_number(tally.threads, 'thread')}" if tally.threads else ""
    lines.append(f"{tally.acknowledged} of {_number(tally.seen, 'result')} delivered{where}: {statuses}")
    lines += [
        f"{count} tests share one key, the server cannot tell them apart: {string(name)}"
        for name, count in tally.repeated
    ]
    if tally.run is not None:
        lines.append(f"look at it: {_address(configuration, tally.run)}")
    return lines


def _collected(tally: Tally) -> str:
    reported = tally.seen - tally.modules
    modules = f", and {_number(tally.modules, 'module')} without tests to run" if tally.modules else ""
    if tally.expected is None:
        return f"{reported} tests reported{modules}"
    return f"{_number(tally.expected, 'test')} collected = {reported} reported + {tally.not_run} not run{modules}"


def _undelivered(configuration: Configuration, ending: Ending) -> list[str]:
    tally, lines = ending.tally, []
    if tally.rejected:
        lines.append(f"{_number(tally.rejected, 'result')} rejected by the server, kept in {ending.folder}")
    if tally.held:
        lines.append(
            f"{_number(tally.held, 'result')} held in {ending.folder}: nobody can tell whether the server has them"
        )
    lines += [f"  {string(each)}" for each in ending.reasons[:3]]
    if tally.left or not tally.is_complete:
        kept = f"{_number(tally.left, 'result')} kept in {ending.folder}" if tally.left else "the run is not completed"
        lines.append(f"{kept}{_why(ending)}")
        lines.append(f"send: {send_command(configuration)}")
    lines += [f"  sender: {string(each)}" for each in ending.log]
    return lines


def _why(ending: Ending) -> str:
    if not ending.is_sent:
        return ""
    remedy = _REMEDIES.get(ending.trouble_class, "")
    if ending.trouble:
        return f": {remedy + ' (' if remedy else ''}{string(ending.trouble)}{')' if remedy else ''}"
    if not ending.tally.is_done:
        return ": the sender did not finish within the time that pytest waits; it may go on for a while"
    return ""


def _address(configuration: Configuration, run: int) -> str:
    if configuration.endpoint.is_embedded:
        return shlex.join(["automation-report", "serve", "--database", str(configuration.database)])
    return f"{configuration.url}/automation/runs/view/{run}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
