"""``automation-report doctor``: show the settings, and check that results can be delivered with them."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from itertools import groupby
from typing import Final

import click
from msgspec import to_builtins

from pytest_automation_report.api.models import Token, shown_address
from pytest_automation_report.cli.checks import (
    Check,
    addopts_check,
    connection_checks,
    process_check,
    spool_check,
    versions,
)
from pytest_automation_report.cli.context import (
    CONNECTION,
    Command,
    Exit,
    configuration_of,
    echo_stderr,
    new_run,
    setting_options,
)
from pytest_automation_report.cli.send import unsendable
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.settings import SETTINGS, Settings
from pytest_automation_report.settings.token import TOKEN_ENVIRONMENTS, token_from
from pytest_automation_report.text.limits import quantity

_EXITS: Final = {"settings": Exit.USAGE, "token": Exit.TOKEN, "project": Exit.REFUSED}
"""Exit codes of failed checks; any other failed check exits with KEPT, since nothing can be delivered now."""

# Settings that are shown even if no user gave them.
_DERIVED: Final = ("source", "name", "spool", "database")


@click.command(cls=Command)
@click.option("--json", "is_json", is_flag=True, help="Print everything as one JSON document.")
@setting_options(*CONNECTION, "spool")
def doctor(*, is_json: bool, **options: object) -> int:
    """Check settings, network, token, project, clock, spool and versions, and say what to do.

    Reads only. Exits with 0 when all is well, 1 when the project cannot be used, 2 when settings are wrong, 3 when the
    server cannot be reached or the store not be used, 4 when the token is missing or refused.
    """
    settings: list[dict[str, str]] = []
    try:
        all_options = {**{row.name: None for row in SETTINGS}, **options}
        configuration, token = configuration_of(all_options, prints_warnings=False)
    except SettingError as error:
        checks = [Check("settings", "failed", str(error))]
    else:
        # A run with a key has another name than one without.
        settings = _settings(configuration.changed(name=new_run(configuration, token)[0].name))
        spelling = addopts_check(
            os.environ.get("PYTEST_ADDOPTS", ""),
            {row.option for row in SETTINGS if row.is_option and row.kind != "flag"},
        )
        checks = [
            _settings_check(configuration),
            *([] if spelling is None else [spelling]),
            *_server_checks(configuration, token),
            spool_check(configuration.spool, partial(unsendable, configuration=configuration)),
            process_check(os.getpid(), os.getppid()),
        ]
    if is_json:
        document = {"checks": to_builtins(checks), "settings": settings, "versions": versions()}
        click.echo(json.dumps(document, indent=2))
    else:
        _echo_report(settings, checks)
    failed = next((check.name for check in checks if check.state == "failed"), None)
    return Exit.DONE if failed is None else _EXITS.get(failed, Exit.KEPT)


def _settings_check(configuration: Settings) -> Check:
    """Report warnings and errors of the settings, but no missing token, which has a check of its own."""
    missing = configuration.token_error
    warnings = [warning for warning in configuration.warnings if not (missing and warning.startswith(missing))]
    if warnings:
        is_in_the_way = configuration.blocking_error in warnings
        return Check("settings", "failed" if is_in_the_way else "warning", "; ".join(warnings))
    where = configuration.url or "the embedded store"
    return Check("settings", "ok", f"{where}, project {configuration.project_id}, source {configuration.source}")


def _server_checks(configuration: Settings, token: Token | None) -> list[Check]:
    endpoint = configuration.endpoint
    if endpoint.is_embedded:
        return connection_checks(endpoint, Token("embedded"))
    if not endpoint.origin or not endpoint.project_id:
        return [Check("connection", "skipped", "no address and project that can be used")]
    if token is None and configuration.setting_error:
        return [Check("token", "skipped", "it is not sent before the settings are right")]
    if token is None:
        error = token_from(os.environ, configuration.token_file).error or "no token"
        what, _, hint = error.partition(": ")
        return [Check("token", "failed", what, hint)]
    return connection_checks(endpoint, token)


def _settings(configuration: Settings) -> list[dict[str, str]]:
    """Return every setting with its value and its source, without secrets."""
    rows = [
        {
            "name": row.name,
            "value": _shown(row.name, getattr(configuration, row.name)),
            "origin": configuration.origins.get(row.name, "default"),
        }
        for row in SETTINGS
    ]
    named = (name for name in TOKEN_ENVIRONMENTS if os.environ.get(name, "").strip())
    origin = next(named, configuration.token_file)
    return [*rows, {"name": "token", "value": "***" if origin else "", "origin": origin}]


def _shown(name: str, value: object) -> str:
    """Return a setting's value without secrets: the number of patterns, names of fields, addresses without users."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={shown_address(str(item))}" for key, item in value.items())
    if isinstance(value, tuple):
        if name == "redact":
            return quantity(len(value), "pattern") if value else ""
        return ", ".join(item.name if name in {"fields", "links"} else str(item) for item in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else shown_address(str(value)) if "://" in str(value) else str(value)


def _echo_report(settings: list[dict[str, str]], checks: list[Check]) -> None:
    for row in settings:
        if row["name"] == "token" or row["origin"] != "default" or row["name"] in _DERIVED:
            echo_stderr(f"setting  {row['name']} = {row['value'] or 'none'} ({row['origin'] or 'not set'})")
    # Checks that were skipped for one reason are on one line.
    for (state, line), alike in groupby(checks, lambda check: (check.state, check.line.removeprefix(check.name))):
        echo_stderr(f"{state:<8} {', '.join(check.name for check in alike)}{line}")
    echo_stderr(f"versions {', '.join(f'{name} {text}' for name, text in versions().items())}, at {sys.executable}")
