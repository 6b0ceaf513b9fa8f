"""What all console commands share: their output and exit codes, the options and values of settings, the store.

Stdout has ids for programs. Stderr has tables and messages for users, with the ids, too: where both are one terminal,
the ids on stdout are left out.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from pytest_automation_report.api.models import Field, NewRun, PostgresDatabase, Token
from pytest_automation_report.api.responses import ClientError, RefusedError, TokenRefusedError
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.errors import (
    ForeignPlaceError,
    ResultFileError,
    SettingError,
    SpoolError,
    StoreError,
    TokenMissingError,
)
from pytest_automation_report.recording.options import RecordingOptions, secrets_from
from pytest_automation_report.settings.console import check_database, project_ini, read_console_settings, token_to_send
from pytest_automation_report.settings.parsers import SIZE_HINT, RawSetting, size_bytes
from pytest_automation_report.settings.resolver import misspelling, project_name, settings_from, spool_candidates
from pytest_automation_report.settings.run import RunSharing, configured_run, recording_options, without_secrets
from pytest_automation_report.settings.servers import postgres_database
from pytest_automation_report.settings.settings import LOCAL_URL, STORE, Settings, find_setting, looks_like_ours
from pytest_automation_report.settings.sharing import decide_sharing
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.summary.lines import Shell
from pytest_automation_report.system.console import has_screen
from pytest_automation_report.text.limits import STRING_UNITS, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.settings.console import ProjectIni


_NO_SOURCE: Final = "source"
_ADDRESS: Final = f"{__name__}.address"
# Settings of: the way to a server or store, a run's build metadata, a run to create, a run that jobs share.
CONNECTION: Final = ("url", "project_id", "token_file", "ca_file", "allow_http", "database")
FACTS: Final = ("facts", "branch", "build", "attempt")
NEW_RUN: Final = (
    "source", "name", "config", "config_id", "milestone", "milestone_id", "tags", "fields", "links", *FACTS,
    "branch_tag", "job_url",
)  # fmt: skip
SHARING: Final = ("run_id", "run_key", "job")
# Options that most users of a command need, in the order of the help.
_FIRST: Final = (
    "url", "project_id", "source", "name", "run_id", "run_key", "job", "tags", "fields", "links", "spool",
)  # fmt: skip
_PATHS: Final = frozenset({"spool", "database", "token_file", "ca_file"})


class Exit(IntEnum):
    """Exit codes of the console command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    KEPT = 3
    TOKEN = 4
    STOPPED = 5


EXIT_CODES: Final = {
    Exit.DONE: "done",
    Exit.REFUSED: "refused by the server; `store check`: the store is damaged; `known --check`: remove a line",
    Exit.USAGE: "wrong usage or configuration",
    Exit.KEPT: "results are kept, or a run is not whole; or the time to wait is over, or the server does not answer; "
    "`run finish` without `--gate` ends with 0 then",
    Exit.TOKEN: "token missing or refused",
    Exit.STOPPED: "stopped by gate; `gate`, `run finish --gate`: tests fail that did not fail before",
}
"""What they mean: up to the first semicolon in the help, all of it in the docs."""


def echo_stderr(text: str, *, colour: str = "") -> None:
    """Print one line to stderr, in this colour if colours are wanted. Errors while writing are ignored."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    line = sanitize(text, STRING_UNITS)
    try:
        click.echo(click.style(line, fg=colour) if colour else line, err=True, color=is_coloured(stream, os.environ))
    except OSError:
        sys.stderr = None  # Python would write again at its end, and that error would change the exit code


def is_coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether colours are wanted: never with NO_COLOR, always with FORCE_COLOR, else on a terminal."""
    if environ.get("NO_COLOR"):
        return False
    return environ.get("FORCE_COLOR", "0") not in {"", "0"} or stream.isatty()


def is_person_reading() -> bool:
    """Return whether both outputs are terminals."""
    outputs: tuple[TextIO | None, TextIO | None] = (sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in outputs)


def echo_result(result: object) -> None:
    """Print an id for programs on stdout, unless a user reads both outputs."""
    if not is_person_reading():
        click.echo(result)


def echo_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns on stderr, numbers to the right; nothing without rows."""
    lines = [[*head], *([str(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_number = [all(isinstance(value, int) for value in column) for column in zip(*rows, strict=True)]
    for line in lines if rows else ():
        cells = zip(line, widths, is_number, strict=True)
        aligned = (cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in cells)
        echo_stderr("  ".join(aligned).rstrip())


def open_in_browser(address: str) -> None:
    """Open a page in this machine's browser; say so if there is none."""
    import webbrowser  # noqa: PLC0415 - it looks for browsers when it is imported

    if not (has_screen(os.environ) and webbrowser.open(address)):
        echo_stderr(f"no browser was found here, open this address: {address}")


def _from_here(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Return a typed path from the current folder: those in ini files start from the root folder."""
    del context, parameter
    if not given or given.startswith("~") or "://" in given:
        return given
    return str(Path.cwd() / given)


class SettingOption(click.Option):
    """The option of a setting; the help has both spellings of a switch in one."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the spelling and the help."""
        record = super().get_help_record(ctx)
        return (self.opts[0].replace("--", "--[no-]"), record[1]) if record and self.secondary_opts else record


class Command(click.Command):
    """A command whose help has the options that matter first, then the example, then the rest, one a line."""

    first: tuple[str, ...] = ()  # names of the options that matter; empty for all that are no settings

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two parts around the example."""
        first: list[tuple[str, str]] = []
        rest: list[tuple[str, str]] = []
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            is_own = "--help" not in option.opts and not isinstance(option, SettingOption)
            if record:
                (first if option.name in self.first or (is_own and not self.first) else rest).append(record)
        for title, rows in (("Options", first), ("More options", rest)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
            if rows is first:
                super().format_epilog(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing more: the example stands between the options."""


class CommandGroup(click.Group):
    """A group of such commands."""

    command_class = Command


def setting_options(*names: str) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Return a decorator of a command: it gets the options of these settings, and its errors become exit codes."""

    def decorate(function: Callable[..., int]) -> Callable[..., None]:
        command = _with_exit_codes(function)
        for name in sorted(names, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))[::-1]:
            row = find_setting(name)
            is_flag = row.kind == "flag"
            option = click.option(
                f"{row.plain_option}/{row.plain_off_option}" if is_flag else row.plain_option,
                row.name,
                cls=SettingOption,
                multiple=row.is_list,
                metavar=None if is_flag else f"{row.metavar},..." if row.is_list else row.metavar,
                default=None,
                help=f"{row.short_help}.",
                callback=_from_here if row.name in _PATHS else None,
            )
            command = option(command)
        return command

    return decorate


def gathered(name: str, make: Callable[..., object], *options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a decorator that adds options to a command, which gets what ``make`` makes of them in one keyword."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gather(**given: Any) -> Any:  # noqa: ANN401 - the command's own
            return command(**{name: make(**{each: given.pop(each) for each in names})}, **given)

        for add in reversed(options):
            add(gather)
        names = [option.name for option in vars(gather)["__click_params__"][-len(options) :]]
        return gather

    return decorate


def _with_exit_codes(function: Callable[..., int]) -> Callable[..., None]:
    """Turn the errors of a command into one line on stderr and its exit code."""

    @functools.wraps(function)
    def run(*args: object, **kwargs: object) -> None:
        context = click.get_current_context()
        try:
            done = function(*args, **kwargs)
        except (SettingError, ResultFileError) as error:
            raise click.UsageError(str(error)) from error
        except (ClientError, SpoolError, StoreError, TokenMissingError) as error:
            code, text = exit_status(error)
        else:
            context.exit(int(done))
        address = context.meta.get(_ADDRESS, "")  # of the server, if it is known
        echo_stderr(f"Error: {address + ': ' if address else ''}{text}", colour="red")
        context.exit(int(code))

    return run


def exit_status(error: Exception) -> tuple[Exit, str]:
    """Return the exit code and the text of an error that ends a command."""
    match error:
        case click.UsageError() | SettingError() | ForeignPlaceError():
            return Exit.USAGE, str(error)
        case TokenRefusedError():
            return (
                Exit.TOKEN,
                f"{str(error).rstrip('.')}: set AUTOMATION_REPORT_TOKEN to a token that is valid for this project",
            )
        case TokenMissingError():
            return Exit.TOKEN, str(error)
        case RefusedError():
            details = [f"{path}: {texts[0]}" for path, texts in error.errors.items() if texts]
            return Exit.REFUSED, "; ".join([str(error), *details])
    return Exit.KEPT, str(error)


def configured(options: dict[str, Any], *, is_source_needed: bool = True) -> tuple[Settings, Token]:
    """Return the settings and the token for these options, in the project of the current folder.

    Without ``is_source_needed`` only a run that is found by its key needs a source. Raises `SettingError` for a wrong
    value, `TokenMissingError` without a token.
    """
    settings, token = command_settings(options, raises_errors=True, is_source_needed=is_source_needed)
    return settings, needed(token, settings)


def needed(token: Token | None, settings: Settings, *, kept: str = "") -> Token:
    """Return the token of a command that needs one; raises `TokenMissingError` with the text ``kept`` in it."""
    if settings.endpoint.is_embedded:
        token = Token("embedded")
    if token is None:
        error = settings.token_error.replace("(token_file)", "(--token-file)")
        raise TokenMissingError("; ".join(filter(None, (error, kept))))
    click.get_current_context().meta[_ADDRESS] = settings.url
    return token


def command_settings(
    options: dict[str, Any], *, raises_errors: bool = False, prints_warnings: bool = True, is_source_needed: bool = True
) -> tuple[Settings, Token | None]:
    """Return the settings and the token that may be sent for these options, and print warnings.

    Only settings that the command has an option for count, also in environment and ini file. With ``raises_errors`` a
    setting that keeps results from being sent is a `click.UsageError` instead of a warning.
    """
    ini, given, unknown = _read(options)
    used = {name: raw for name, raw in given.items() if name in options}
    is_source_optional = not is_source_needed and not used.keys() & {"source", "run_key"}
    if "source" not in options or is_source_optional:
        # Only a command that creates a run needs a source: the printed `send` command has none.
        used["source"] = RawSetting("none", _NO_SOURCE)
    settings = settings_from(
        used,
        environ=os.environ,
        root=ini.root,
        project_name=project_name(ini.root),
        local_time=datetime.now().astimezone(),
    )
    settings = settings.changed(warnings=(*settings.warnings, *unknown))
    settings, token = token_to_send(settings, used, os.environ, ini)
    if raises_errors and settings.setting_error:
        raise click.UsageError(settings.setting_error)
    error = settings.blocking_error if raises_errors else ""
    for warning in settings.warnings:
        if prints_warnings and warning != error:
            echo_stderr(warning)
    return settings, token


def is_source_named(settings: Settings) -> bool:
    """Return whether the user named the source."""
    return settings.origins.get("source", _NO_SOURCE) != _NO_SOURCE


def stored_at(options: dict[str, Any]) -> tuple[Settings, Path | PostgresDatabase]:
    """Return the settings for a command on the store itself, and the store's file or database."""
    ini, raw, _ = _read(options)
    given = raw.get("database")
    if given is None or (place := postgres_database(given)) is None:
        settings = command_settings(options)[0]
        return settings, settings.database
    check_database(given, place, ini)
    return command_settings({name: value for name, value in options.items() if name != "database"})[0], place


def _read(options: dict[str, Any]) -> tuple[ProjectIni, dict[str, RawSetting], list[str]]:
    """Return the ini file, all settings that are given, and warnings; raises `SettingError` for a misspelled name."""
    ini = project_ini(Path.cwd())
    warnings = []
    for name in filter(looks_like_ours, ini.values):
        error, is_meant = misspelling(name, f"{ini.name}: {name}")
        if error is not None and is_meant:
            raise error
        if error is not None:  # it may belong to another plugin of pytest
            warnings.append(str(error))
    typed = {name: value for name, value in options.items() if value not in (None, ())}
    return ini, read_console_settings(typed, os.environ, ini.values, ini_name=ini.name or "ini file"), warnings


def cleaning_options(settings: Settings, token: Token | None) -> RecordingOptions:
    """Return how results are recorded, and which texts are hidden in them and in runs."""
    secrets = secrets_from(os.environ, token, is_builtin=settings.redact_builtin)
    return recording_options(settings, settings.folder_prefix, secrets, Path.cwd())


def new_run(
    settings: Settings, token: Token | None, session_id: str = ""
) -> tuple[NewRun, RunSharing, tuple[str, ...]]:
    """Return the run to create, with its build metadata and without secrets, how jobs share it, and its ancestors."""
    facts = facts_for(settings.build_info, settings.facts, os.environ, Path.cwd())
    sharing = decide_sharing(settings, facts)
    if sharing.warning:
        echo_stderr(sharing.warning)
    # By this field the sender finds the run of a single session again.
    own = (Field(SESSION_ID_FIELD, session_id),) if session_id and not sharing.tag else ()
    run = configured_run(settings, facts, sharing, own=own)
    return without_secrets(run, cleaning_options(settings, token)), sharing, facts.ancestors or ()


_MOST_SECONDS: Final = 36_525 * 86_400  # a hundred years before now there is still a date
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        raise click.BadParameter(f"{text!r}: use a number with s, m, h, d or w, such as 30m or 2h")
    return float(min(int(match[1]) * _UNITS[match[2]], _MOST_SECONDS))


def _bytes(text: str) -> int:
    size = size_bytes(text)
    if size is None:
        raise click.BadParameter(f"{text!r} is not a size; {SIZE_HINT}")
    return size


# What users type: a span of time such as 30m, as seconds, and a size such as 5MB, as bytes.
AGE: Final = click.types.FuncParamType(_seconds)
AGE.name = "AGE"
SIZE: Final = click.types.FuncParamType(_bytes)
SIZE.name = "SIZE"


def user_shell() -> Shell:
    """Return the shell that this command was started from."""
    return Shell(Path.cwd(), os.environ)


def typed_options(settings: Settings) -> list[str]:
    """Return the options of the way to a server or store that the user typed, for a command that is printed."""
    rows = [row for row in map(find_setting, CONNECTION) if settings.origins.get(row.name) == row.plain_option]
    values = [(row.plain_option, getattr(settings, row.name) or LOCAL_URL) for row in rows]
    return [option if value is True else f"{option}={value}" for option, value in values]


class NoStoreError(click.UsageError):
    """There is no store where the command looked; the message names the place, stores that are near, or what to do."""

    def __init__(self, place: Path, what: str = "report a session here") -> None:
        shown = user_shell().typed(place)
        hint = stores_below() or f"{what}, or name the file of a store with --database"
        super().__init__(f"there is no store {shown}: {hint}")


def store_to_read(settings: Settings) -> Settings:
    """Return the settings with the store that this project's sessions fill; raises `NoStoreError`."""
    place = settings.database
    if not settings.endpoint.is_embedded:
        return settings
    if not settings.origins.keys() & {"database", "spool"}:
        # Where the project's folder cannot be written, each source has a store in the user's: the newest counts.
        _, *candidates = spool_candidates(settings.changed(source="*"), os.environ)
        folders = [each.database.parent for each in candidates]
        stores = [path for folder in folders for path in folder.parent.glob(f"{folder.name}/*.sqlite3")]
        moved = max(stores, key=lambda path: path.stat().st_mtime, default=None)
        if moved is not None and not (place.exists() and os.access(place.parent, os.W_OK)):
            echo_stderr(f"the store of this project is {moved}, as its own folder could not be written")
            return settings.with_store(moved)
    if not place.exists():
        raise NoStoreError(place)
    return settings


def stores_below() -> str:
    """Return a hint that names the stores in folders below the current one, "" if there is none."""
    here = Path.cwd()
    # In the folders of a monorepo, none that is hidden.
    patterns = (f"{below}/{STORE}" for below in ("[!.]*", "[!.]*/[!.]*"))
    found = [str(path.relative_to(here)) for pattern in patterns for path in sorted(here.glob(pattern))]
    return f"name one of these with --database: {', '.join(found[:5])}" if found else ""
