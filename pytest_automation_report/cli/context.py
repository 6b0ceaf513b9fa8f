"""Share between the console commands: options of settings, the configuration, output on stderr, exit codes."""

from __future__ import annotations

import functools
import os
import re
import sys
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TextIO

import click

from pytest_automation_report.api.models import Field, Token
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.errors import (
    ClientError,
    RefusedError,
    ResultFileError,
    SettingError,
    SpoolError,
    StoreError,
    TokenMissingError,
    TokenRefusedError,
)
from pytest_automation_report.settings.console import check_database, project_ini, token_to_send
from pytest_automation_report.settings.parsers import SIZE_REMEDY, RawSetting, size_bytes
from pytest_automation_report.settings.pytest_config import looks_like_ours
from pytest_automation_report.settings.resolver import postgres_database, project_name, settings_from, spool_candidates
from pytest_automation_report.settings.run import configured_run, sharing_of
from pytest_automation_report.settings.settings import STORE, setting_of
from pytest_automation_report.settings.sources import misspelling, read_console_settings
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.summary.shell import Shell
from pytest_automation_report.text.limits import STRING_UNITS
from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_automation_report.api.models import NewRun, PostgresDatabase
    from pytest_automation_report.settings.console import ProjectIni
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.settings.settings import Settings


P = ParamSpec("P")

_NO_SOURCE: Final = "source"
_ADDRESS: Final = f"{__name__}.address"

CONNECTION: Final = ("url", "project_id", "token_file", "ca_file", "allow_http", "database")
FACTS: Final = ("facts", "branch", "branch_tag", "build", "attempt", "shard", "job_url")
"""Settings of a run's build metadata, for each command that creates a run."""

NEW_RUN: Final = (
    "source", "name", "config", "config_id", "milestone", "milestone_id", "tags", "fields", "links", *FACTS,
)  # fmt: skip
"""Settings of a run that is to be created."""


_FIRST: Final = (
    "url", "project_id", "source", "name", "run_id", "run_key", "job", "tags", "fields", "links", "spool",
)  # fmt: skip

_PATHS: Final = frozenset({"spool", "database", "token_file", "ca_file"})

SHARING: Final = ("run_id", "run_key", "job")
"""Settings about a run that several jobs share."""


class Exit(IntEnum):
    """Exit codes of the console command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    KEPT = 3
    TOKEN = 4
    STOPPED = 5


def echo_stderr(text: str, *, colour: str = "") -> None:
    """Print one line to stderr, in this colour if colours are wanted. Errors while writing are ignored."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    line = sanitize(text, STRING_UNITS)
    try:
        click.echo(click.style(line, fg=colour) if colour else line, err=True, color=is_coloured(stream, os.environ))
    except OSError:
        # Python would write again at its end, and that error would change the exit code.
        sys.stderr = None  # as in a process that was started without stderr


def is_coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether colours are wanted: never with NO_COLOR, always with FORCE_COLOR, else on a terminal."""
    if environ.get("NO_COLOR"):
        return False
    return environ.get("FORCE_COLOR", "0") not in {"", "0"} or stream.isatty()


def _from_here(context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """Return a typed path from the current folder: those in ini files start from the root folder."""
    del context, parameter
    if not given or given.startswith("~") or "://" in given:
        return given
    return str(Path.cwd() / given)


def setting_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options of these settings to a command, without the plugin's prefix."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        # Those that most users of a command need stand first; all others stay in their order.
        for name in sorted(names, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))[::-1]:
            row = setting_of(name)
            if row.kind == "flag":
                switch = f"{row.plain_option}/{row.plain_off_option}"
                option = click.option(switch, row.name, default=None, help=f"{row.help}.")
            else:
                is_list = row.kind in {"list", "pairs"}
                option = click.option(
                    row.plain_option,
                    row.name,
                    multiple=is_list,
                    metavar=row.metavar,
                    default=None,
                    help=f"{row.help}.{' Can be repeated; commas separate.' if is_list else ''}",
                    callback=_from_here if row.name in _PATHS else None,
                )
            command = option(command)
        return command

    return decorate


def configured(options: dict[str, Any], *, is_source_needed: bool = True) -> tuple[Settings, Token]:
    """Return the configuration and the token for these options, in the project of the current folder.

    Without ``is_source_needed`` only a run that is found by its key needs a source.
    Raises `SettingError` for a wrong value, also in the environment: unlike pytest, a command has nothing to do without
    it. Raises `TokenMissingError` without a token.
    """
    configuration, token = configuration_of(options, raises_errors=True, is_source_needed=is_source_needed)
    return configuration, needed(token, configuration)


def needed(token: Token | None, configuration: Settings, *, kept: str = "") -> Token:
    """Return the token of a command that needs one; raises `TokenMissingError` with the text ``kept`` in it."""
    if configuration.endpoint.is_embedded:
        token = Token("embedded")
    if token is None:
        trouble = configuration.token_error.replace("(token_file)", "(--token-file)")
        raise TokenMissingError("; ".join(filter(None, (trouble, kept))))
    click.get_current_context().meta[_ADDRESS] = configuration.url
    return token


def configuration_of(
    options: dict[str, Any], *, raises_errors: bool = False, prints_warnings: bool = True, is_source_needed: bool = True
) -> tuple[Settings, Token | None]:
    """Return the configuration and the token for these options; warnings are printed if ``prints_warnings``.

    The token is one that may be sent there, None if there is none. Only the settings that the command has an option for
    count, also in environment and ini file. With ``raises_errors`` a setting that keeps results from being sent is a
    `click.UsageError`, instead of a warning.
    """
    ini = project_ini(Path.cwd())
    given = _given(options, ini)
    used = {name: raw for name, raw in given.items() if name in options}
    is_source_optional = not is_source_needed and not used.keys() & {"source", "run_key"}
    if "source" not in options or is_source_optional:
        # Only a command that creates a run needs a source: the printed `send` command has none.
        used["source"] = RawSetting("none", _NO_SOURCE)
    configuration = settings_from(
        used,
        environ=os.environ,
        root=ini.root,
        project_name=project_name(ini.root),
        local_time=datetime.now().astimezone(),
    )
    # A name that resembles no setting may belong to another plugin of pytest.
    unknown = [str(error) for error, is_meant in _misspelled(ini) if not is_meant]
    configuration = configuration.changed(warnings=(*configuration.warnings, *unknown))
    configuration, token = token_to_send(configuration, used, os.environ, ini)
    if raises_errors and configuration.setting_error:
        raise click.UsageError(configuration.setting_error)
    error = configuration.blocking_error if raises_errors else ""
    for trouble in configuration.warnings:
        if prints_warnings and trouble != error:
            echo_stderr(trouble)
    return configuration, token


def is_source_named(configuration: Settings) -> bool:
    """Return whether the user named the source, in an option, the environment or the ini file."""
    return configuration.origins.get("source", _NO_SOURCE) != _NO_SOURCE


def stored_at(options: dict[str, Any]) -> tuple[Settings, Path | PostgresDatabase]:
    """Return the configuration for a command on the store itself, and the store's file or database.

    Raises `SettingError` for a wrong value.
    """
    ini = project_ini(Path.cwd())
    given = _given(options, ini).get("database")
    place = None if given is None else postgres_database(given)
    if given is None or place is None:
        configuration, _ = configuration_of(options)
        return configuration, configuration.database
    check_database(given, place, ini)
    configuration, _ = configuration_of({name: value for name, value in options.items() if name != "database"})
    return configuration, place


def _misspelled(ini: ProjectIni) -> Iterator[tuple[SettingError, bool]]:
    """Yield an error for each name in the ini file that looks like ours, and whether a setting was meant."""
    for name in filter(looks_like_ours, ini.values):
        error, is_meant = misspelling(name, f"{ini.name}: {name}")
        if error is not None:
            yield error, is_meant


def _given(options: dict[str, Any], ini: ProjectIni) -> dict[str, RawSetting]:
    for error, is_meant in _misspelled(ini):
        if is_meant:
            raise error
    return read_console_settings(
        {name: value for name, value in options.items() if value not in (None, ())},
        os.environ,
        ini.values,
        ini_name=ini.name or "ini file",
    )


def new_run(configuration: Settings, session_id: str = "") -> tuple[NewRun, RunSharing]:
    """Return the run to create, with its build metadata, and how jobs share it.

    The run of a single session has the session's id as a field, by which the sender finds it again.
    """
    facts = facts_for(configuration.build_info, configuration.facts, os.environ, Path.cwd())
    sharing = sharing_of(configuration, facts)
    if sharing.warning:
        echo_stderr(sharing.warning)
    own = (Field(SESSION_ID_FIELD, session_id),) if session_id and not sharing.tag else ()
    return configured_run(configuration, facts, sharing, own=own), sharing


def with_exit_codes(command: Callable[P, int]) -> Callable[P, None]:
    """Turn the errors of a command into one line on stderr and its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (SettingError, ResultFileError) as error:
            raise click.UsageError(str(error)) from error
        except TokenRefusedError as error:
            code = _failed(
                Exit.TOKEN, f"{error}: set AUTOMATION_REPORT_TOKEN to a token that is valid for this project"
            )
        except TokenMissingError as error:
            code = _failed(Exit.TOKEN, str(error))
        except RefusedError as error:
            details = [f"{path}: {texts[0]}" for path, texts in error.errors.items() if texts]
            code = _failed(Exit.REFUSED, "; ".join([str(error), *details]))
        except (ClientError, SpoolError, StoreError) as error:
            code = _failed(Exit.KEPT, str(error))
        click.get_current_context().exit(int(code))

    return run


def _failed(code: Exit, text: str) -> Exit:
    """Print an error, with the server's address if it is known; return its exit code."""
    address = click.get_current_context().meta.get(_ADDRESS, "")
    echo_stderr(f"Error: {address + ': ' if address else ''}{text}", colour="red")
    return code


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        raise click.BadParameter(f"{text!r}: use a number with s, m, h, d or w, such as 30m or 2h")
    return float(int(match[1]) * _UNITS[match[2]])


def _bytes(text: str) -> int:
    size = size_bytes(text)
    if size is None:
        raise click.BadParameter(f"{text!r} is no size; {SIZE_REMEDY}")
    return size


AGE: Final = click.types.FuncParamType(_seconds)
"""A span of time as users type it, in seconds."""
AGE.name = "AGE"

SIZE: Final = click.types.FuncParamType(_bytes)
"""A size as users type it, such as 500KB or 5MB, in bytes."""
SIZE.name = "SIZE"


# Folders in which stores are looked for: those of a monorepo, none that is hidden.
_BELOW: Final = ("[!.]*", "[!.]*/[!.]*")
_MOST_SHOWN: Final = 5


def user_shell() -> Shell:
    """Return the shell that this command was started from."""
    return Shell(Path.cwd(), os.environ)


class NoStoreError(click.UsageError):
    """There is no store where the command looked; the message says where it did, and names those that are near."""

    def __init__(self, place: Path) -> None:
        shown = user_shell().typed(place)
        remedy = stores_below() or "report a session here, or name the file of a store with --database"
        super().__init__(f"there is no store {shown}: {remedy}")


def store_to_read(configuration: Settings) -> Settings:
    """Return the configuration with the embedded store that this project's sessions fill, as it is for a server.

    That is the one in the user's folder where the project's own folder cannot be written. Raises `NoStoreError`.
    """
    place = configuration.database
    if not configuration.endpoint.is_embedded:
        return configuration
    if not configuration.origins.keys() & {"database", "spool"}:
        moved = _fallback(configuration)
        if moved is not None and not (place.exists() and os.access(place.parent, os.W_OK)):
            echo_stderr(f"the store of this project is {moved}, as its own folder could not be written")
            return configuration.with_store(moved)
    if not place.exists():
        raise NoStoreError(place)
    return configuration


def stores_below() -> str:
    """Return a remedy that names the stores in folders below the current one, "" if there is none."""
    here = Path.cwd()
    found = [path.relative_to(here) for pattern in _BELOW for path in sorted(here.glob(f"{pattern}/{STORE}"))]
    return f"name one of these with --database: {', '.join(map(str, found[:_MOST_SHOWN]))}" if found else ""


def _fallback(configuration: Settings) -> Path | None:
    """Return the newest store of this project in the user's folder; each source has one of its own there."""
    _, *moved = spool_candidates(configuration.changed(source="*"), os.environ)
    stores = [
        path for each in moved for path in each.database.parents[1].glob(f"{each.database.parent.name}/*.sqlite3")
    ]
    return max(stores, key=lambda path: path.stat().st_mtime, default=None)
