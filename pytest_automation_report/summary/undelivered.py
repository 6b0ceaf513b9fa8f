"""Say which results were not delivered, why, and how to send them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import shown_store
from pytest_automation_report.settings.settings import LOCAL_URL, Settings, setting_of
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import quantity, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.spool.sessions import LeftoverCounts
    from pytest_automation_report.summary.counts import SessionOutcome
    from pytest_automation_report.summary.shell import Shell

_REASONS: Final = 3
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


def left_behind_lines(configuration: Settings, leftovers: LeftoverCounts, shell: Shell) -> list[str]:
    """Return the lines about earlier sessions that stay in the spool, or were removed because of their age."""
    lines = []
    if leftovers.kept:
        kept = f"{quantity(leftovers.kept, 'earlier session')} {'is' if leftovers.kept == 1 else 'are'} kept"
        where = shell.typed(configuration.spool)
        if leftovers.elsewhere:
            # No command with an address out of a spool: everyone who can write there can write any address into it.
            some = "" if leftovers.elsewhere == leftovers.kept else f"{leftovers.elsewhere} of them "
            lines.append(f"{kept} in {where}, {some}for another server or store: see automation-report spool list")
        else:
            lines.append(f"{kept} in {where}: send with {send_command(shell, configuration)}")
    if leftovers.removed:
        removed, days = quantity(leftovers.removed, "earlier session"), quantity(configuration.keep_spool, "day")
        lines.append(f"{removed} removed, not sent within {days}")
    lines += [
        f"left alone in {shell.typed(configuration.spool)}: {sanitize(reason)}" for reason in leftovers.alone[:_REASONS]
    ]
    if len(leftovers.alone) > _REASONS:
        more = quantity(len(leftovers.alone) - _REASONS, "more folder")
        lines.append(f"and {more} left alone: see automation-report spool list")
    return lines


def undelivered_lines(configuration: Settings, ending: SessionOutcome, shell: Shell) -> list[str]:
    """Return the lines about results that the server does not have, and the command that sends them."""
    tally, folder, lines = ending.tally, shell.typed(Path(ending.folder)), []
    if tally.rejected:
        lines.append(f"{quantity(tally.rejected, 'result')} rejected by the server, kept in {folder}")
    if tally.held:
        held = quantity(tally.held, "result")
        them = "it" if tally.held == 1 else "them"
        lines.append(f"{held} held in {folder}: delivery unconfirmed: the server may or may not have {them}")
    lines += [f"  {sanitize(reason)}" for reason in ending.state.reasons[:3]]
    if tally.left or not tally.is_complete:
        kept = f"{quantity(tally.left, 'result')} kept in {folder}" if tally.left else "the run is not completed"
        needed = (("url", configuration.endpoint.origin), ("project_id", configuration.project_id))
        missing = [setting_of(name).environment for name, value in needed if not value]
        lines.append(f"{kept}: set {' and '.join(missing)} first" if missing else f"{kept}{_why(ending)}")
        lines.append(f"send: {send_command(shell, configuration, is_new_run=ending.state.is_run_gone)}")
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


def send_command(shell: Shell, configuration: Settings, *, is_new_run: bool = False) -> str:
    """Return the command that sends, from any folder, the results that this session left in the spool."""
    is_embedded = configuration.endpoint.is_embedded
    options: dict[str, str | bool] = {
        "spool": str(configuration.spool),
        # Also for the embedded store: an ini file or the environment may name a server where the command runs.
        "url": LOCAL_URL if is_embedded else configuration.url,
        "database": str(configuration.database) if is_embedded else "",
        "project_id": str(configuration.project_id or ""),  # not known: the configured one is used
    }
    if not is_embedded:
        options["token_file"] = configuration.token_file
        options["ca_file"] = configuration.endpoint.ca_file
    if configuration.artifact_store:
        options["artifact_store"] = shown_store(configuration.artifact_store)
        options["artifact_url"] = configuration.artifact_url
    if not is_embedded:
        options["allow_http"] = configuration.allow_http
    words = [*shell.command, "send"]
    for name, value in options.items():
        setting = setting_of(name)
        # The environment is the same in every folder, while an ini file is only found below its own.
        is_found = name not in _PRINTED and configuration.origins.get(name) in {None, setting.environment}
        if value and not is_found:
            words.append(setting.plain_option if value is True else f"{setting.plain_option}={value}")
    return system.quoted([*words, *(["--new-run"] if is_new_run else [])])
