"""``automation-report doctor``: show the settings, and check the way to a server, step by step, and this machine.

Nothing is changed. Each step has a time limit. After the first that fails the others are skipped: they would fail for
the same reason.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import socket
import sqlite3
import ssl
import sys
import time
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby, pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import click
from msgspec import Struct, field, to_builtins

from pytest_automation_report import __version__
from pytest_automation_report.api.http import Try, proxies_for, reason
from pytest_automation_report.api.models import DEFAULT_PORTS, ROLE_HEADER, Endpoint, Token, shown_address
from pytest_automation_report.api.responses import (
    ClientError,
    NoResponse,
    NotSentError,
    ThrottledError,
    TokenRefusedError,
)
from pytest_automation_report.cli.context import (
    CONNECTION,
    Command,
    Exit,
    command_settings,
    echo_stderr,
    new_run,
    setting_options,
)
from pytest_automation_report.cli.send import unsendable
from pytest_automation_report.delivery.requests import NOT_FOUND
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.errors import SettingError, SpoolError, StoreError
from pytest_automation_report.settings.settings import SETTINGS, Settings
from pytest_automation_report.settings.token import TOKEN_ENVIRONMENTS, token_from
from pytest_automation_report.spool.folder import name_some
from pytest_automation_report.spool.sessions import delivered_state, others_in, session_folders, without_locks
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import quantity, string

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


_STEP_SECONDS: Final = 10.0
_SKEW_SECONDS: Final = 60.0
_FORBIDDEN: Final = 403
_NEW_PROJECT: Final = "There is no project with automation runs with this id."
"""Message of our server for a project that it creates with the first run."""

CheckState: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Check(Struct, frozen=True):
    """One check, with the keys of ``doctor --json``; the hint is empty if there is nothing to do."""

    name: str
    state: CheckState
    finding: str = field(name="told")
    hint: str = ""

    @property
    def line(self) -> str:
        """The check as one line of text."""
        return f"{self.name}: {self.finding}{f': {self.hint}' if self.hint else ''}"


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
    rows: list[dict[str, str]] = []
    try:
        all_options = {**{row.name: None for row in SETTINGS}, **options}
        settings, token = command_settings(all_options, prints_warnings=False)
    except SettingError as error:
        checks = [Check("settings", "failed", str(error))]
    else:
        # A run with a key has another name than one without.
        rows = _settings(settings.changed(name=new_run(settings, token)[0].name))
        spelling = addopts_check(
            os.environ.get("PYTEST_ADDOPTS", ""),
            {row.option for row in SETTINGS if row.is_option and row.kind != "flag"},
        )
        checks = [
            _settings_check(settings),
            *([] if spelling is None else [spelling]),
            *_server_checks(settings, token),
            _spool_check(settings),
            process_check(os.getpid(), os.getppid()),
        ]
    if is_json:
        document = {"checks": to_builtins(checks), "settings": rows, "versions": versions()}
        click.echo(json.dumps(document, indent=2))
    else:
        _echo_report(rows, checks)
    failed = next((check.name for check in checks if check.state == "failed"), None)
    return Exit.DONE if failed is None else _EXITS.get(failed, Exit.KEPT)


def _settings_check(settings: Settings) -> Check:
    """Report warnings and errors of the settings, but no missing token, which has a check of its own."""
    missing = settings.token_error
    warnings = [warning for warning in settings.warnings if not (missing and warning.startswith(missing))]
    if warnings:
        is_in_the_way = settings.blocking_error in warnings
        return Check("settings", "failed" if is_in_the_way else "warning", "; ".join(warnings))
    where = settings.url or "the embedded store"
    return Check("settings", "ok", f"{where}, project {settings.project_id}, source {settings.source}")


def _server_checks(settings: Settings, token: Token | None) -> list[Check]:
    endpoint = settings.endpoint
    if endpoint.is_embedded:
        return connection_checks(endpoint, Token("embedded"))
    if not endpoint.origin or not endpoint.project_id:
        return [Check("connection", "skipped", "no address and project that can be used")]
    if token is None and settings.setting_error:
        return [Check("token", "skipped", "it is not sent before the settings are right")]
    if token is None:
        error = token_from(os.environ, settings.token_file).error or "no token"
        what, _, hint = error.partition(": ")
        return [Check("token", "failed", what, hint)]
    return connection_checks(endpoint, token)


_ANSWERS: Final = Check("connection", "ok", "the server answers")
_ACCEPTED: Final = Check("token", "ok", "accepted")


def _skipped(reason: str, *names: str) -> list[Check]:
    return [Check(name, "skipped", reason) for name in names]


def print_failed_checks(start: Mapping[str, Any]) -> None:
    """Print which checks of a connection failed; a session that asks for them calls it in a process of its own."""
    checks = connection_checks(Endpoint(**start["endpoint"]), Token(start["token"]))
    click.echo("; ".join(check.line for check in checks if check.state == "failed"))


def connection_checks(endpoint: Endpoint, token: Token) -> list[Check]:
    """Check each step on the way to a server, or the database of the embedded one."""
    if endpoint.is_embedded:
        return [_database_check(Path(endpoint.database))]
    if proxy := next(iter(proxies_for(endpoint.origin, endpoint.proxies).values()), ""):
        # The proxy resolves the name and opens the connection. Its user and password are not shown.
        split = urlsplit(proxy)
        shown = f"{split.scheme}://{split.hostname}:{split.port or DEFAULT_PORTS.get(split.scheme, 0)}"
        return [Check("proxy", "ok", shown), *_request_checks(endpoint, token)]
    after = ("connection", "token", "project", "clock")
    name = _name_check(endpoint)
    checks = [Check("proxy", "ok", "none for this address"), name]
    if name.state == "failed":
        return [*checks, *_skipped("the name of the server is not known", "TLS", *after)]
    if endpoint.origin.startswith("https://"):
        tls = _tls_check(endpoint)
        checks.append(tls)
        if tls.state == "failed":
            return [*checks, *_skipped("there is no secure connection", *after)]
    return [*checks, *_request_checks(endpoint, token)]


def _name_check(endpoint: Endpoint) -> Check:
    host, port = _host_and_port(endpoint)
    hint = "check the address (url), this machine's DNS, or set HTTPS_PROXY"
    try:
        # A name server can take minutes, and the call has no time limit.
        found = Try(_STEP_SECONDS).outcome(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        why = "no name of a host" if isinstance(error, UnicodeError) else reason(error)
        return Check("DNS", "failed", f"{host}: {why}", hint)
    if isinstance(found, NoResponse):
        return Check("DNS", "failed", f"{host} was not resolved within {_STEP_SECONDS:g} s", hint)
    return Check("DNS", "ok", f"{host} is {', '.join(sorted({str(address[4][0]) for address in found}))}")


def _tls_check(endpoint: Endpoint) -> Check:
    """Open a TLS connection with the certificates that `requests` trusts, and close it."""
    import certifi  # noqa: PLC0415 - the certificates of requests

    host, port = _host_and_port(endpoint)
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file or certifi.where())
        with (
            socket.create_connection((host, port), timeout=_STEP_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            certificate: Any = secure.getpeercert()
            until = certificate.get("notAfter", "an unknown day")
            return Check("TLS", "ok", f"{secure.version()}, certificate valid until {until}")
    except ssl.SSLCertVerificationError as error:
        hint = "name the file of your company's certificates with ca_file, or correct the server's certificate"
        return Check("TLS", "failed", error.verify_message or str(error), hint)
    except ssl.SSLError as error:
        return Check("TLS", "failed", error.reason or str(error), "check that the address (url) is the server's own")
    except OSError as error:
        hint = "check the address and port (url), a firewall, or set HTTPS_PROXY"
        return Check("TLS", "failed", f"{host}:{port}: {reason(error)}", hint)


def _request_checks(endpoint: Endpoint, token: Token) -> list[Check]:
    """Read a source of the project: that needs the token, the project and the permission to read it."""
    headers: Mapping[str, str] = {}
    try:
        with connected(endpoint, token, deadline_seconds=_STEP_SECONDS) as client:
            try:
                client.sources(per_page=15)
            finally:
                headers = client.headers
    except (ClientError, SettingError, OSError) as error:
        checks = _refused(endpoint, error)
    else:
        checks = [_ANSWERS, _ACCEPTED, Check("project", "ok", f"{endpoint.project_id} can be read")]
    if headers.get(ROLE_HEADER) == "read" and _ACCEPTED in checks:
        hint = "sessions need one of role report"
        checks[checks.index(_ACCEPTED)] = Check("token", "warning", "accepted, but its role is read", hint)
    return [*checks, _clock_check(headers.get("Date", ""), time.time())]


def _refused(endpoint: Endpoint, error: Exception) -> list[Check]:
    """Return the checks that an error of the one request stands for."""
    status = error.status if isinstance(error, ClientError) else 0
    if isinstance(error, TokenRefusedError) and status == _FORBIDDEN:
        hint = "give the token's user access to the project, or set project_id to one of theirs"
        return [_ANSWERS, _ACCEPTED, Check("project", "failed", string(str(error)), hint)]
    if isinstance(error, TokenRefusedError):
        hint = "set AUTOMATION_REPORT_TOKEN to a valid token of a user of this project"
        refused = Check("token", "failed", string(str(error)), hint)
        return [_ANSWERS, refused, *_skipped("no valid token", "project")]
    if status == NOT_FOUND and _NEW_PROJECT in str(error):
        return [_ANSWERS, _ACCEPTED, Check("project", "ok", f"{endpoint.project_id} is created with the first run")]
    if status == NOT_FOUND:
        hint = f"check the number of the project (project_id {endpoint.project_id}), and the address (url)"
        return [_ANSWERS, _ACCEPTED, Check("project", "failed", string(str(error)), hint)]
    hints: dict[type, str] = {
        NotSentError: "check the address (url), the proxy, and that the server runs",
        ThrottledError: "wait, the server takes no more requests for now",
    }
    hint = hints.get(type(error), "check that the address (url) is a Testmo instance's")
    failed = Check("connection", "failed", string(str(error)), hint)
    return [failed, *_skipped("the server could not be asked", "token", "project")]


def _clock_check(text: str, received: float) -> Check:
    """Compare this machine's clock with the Date header of the server's response."""
    try:
        skew = received - parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # what the e-mail parser raises for other texts
        return Check("clock", "skipped", "the server sent no Date header")
    if abs(skew) <= _SKEW_SECONDS:
        return Check("clock", "ok", "agrees with the server's")
    side = "ahead of" if skew > 0 else "behind"
    return Check("clock", "failed", f"{abs(skew):.0f} s {side} the server's", "set this machine's clock (NTP)")


def _host_and_port(endpoint: Endpoint) -> tuple[str, int]:
    split = urlsplit(endpoint.origin)
    return split.hostname or "", split.port or DEFAULT_PORTS[split.scheme]


_PACKAGES: Final = (
    "pytest", "pytest-xdist", "requests", "urllib3", "certifi", "click", "falcon", "msgspec", "waitress",
)  # fmt: skip
_INITS: Final = frozenset({
    "systemd", "init", "launchd", "tini", "docker-init", "dumb-init", "catatonit", "s6-svscan", "runit", "runsvdir",
    "openrc-init", "supervisord", "podman-init",
})  # fmt: skip
_MOST_KEPT: Final = 3


def addopts_check(text: str, options: Collection[str]) -> Check | None:
    """Check how PYTEST_ADDOPTS spells our options that have a value; None if there is nothing to say."""
    # pytest chooses its root folder before it knows these options. It takes a value after a space that is the path of
    # an existing file for a path to tests, so that a file outside of the project moves the root folder out of it.
    try:
        words = shlex.split(text)
    except ValueError as error:
        return Check("options", "warning", f"PYTEST_ADDOPTS cannot be read: {error}", "close its quotes")
    for option, value in pairwise(words):
        if option in options and Path(value).exists():
            finding = f"PYTEST_ADDOPTS: pytest takes {value} for a path to tests, and its folder may become the root"
            return Check("options", "warning", finding, f"write {option}={value}")
    return None


def _spool_check(settings: Settings) -> Check:
    """Check that the spool can be read and locked, and count the sessions that wait in it, or cannot be sent."""
    spool = settings.spool
    try:
        folders = [folder for folder in session_folders(spool) if delivered_state(folder) is None]
        kept = [f"{folder.id}: {why}" for folder in folders if (why := unsendable(folder, settings))]
        others = others_in(spool) if spool.exists() else []
    except (OSError, SpoolError) as error:
        return Check("spool", "failed", f"{spool}: {error}", "make it readable, or set spool")
    if lock_error := _lock_error(spool):
        return Check("spool", "failed", f"{spool}: {lock_error}", "set spool to a folder on a local disk")
    if folders:
        finding = f"{quantity(len(folders), 'session')} {'waits' if len(folders) == 1 else 'wait'} in {spool}"
        if kept:
            finding += f", and automation-report send would keep {len(kept):,}: {'; '.join(kept[:_MOST_KEPT])}"
        hint = "" if len(kept) == len(folders) else "send what is left with automation-report send"
        return Check("spool", "warning", finding, hint)
    more = f"; what else it holds is left alone: {name_some(others)}" if others else ""
    return Check("spool", "ok", f"nothing waits in {spool}{more}")


def _lock_error(spool: Path) -> str:
    """Return why sessions in the spool cannot be locked, "" if they can."""
    folder = next(path for path in (spool, *spool.absolute().parents) if path.is_dir())
    with suppress(OSError), TemporaryFile(dir=folder) as file:  # if it is not writable, sessions use another folder
        try:
            system.is_lock_taken(file.fileno())
        except OSError as error:
            return without_locks(error)
    return ""


def _database_check(path: Path) -> Check:
    from pytest_automation_report.server.store.checks import first_damage  # noqa: PLC0415 - remote needs none of it
    from pytest_automation_report.server.store.migrations import (  # noqa: PLC0415 - remote needs none of it
        SCHEMA_VERSION,
        SchemaState,
        stored_state,
    )
    from pytest_automation_report.server.store.store import SqliteConnection  # noqa: PLC0415 - remote needs none of it

    if not path.exists():
        return Check("database", "ok", f"{path} is created with the first report")
    restore = "restore it, or set another database"
    try:
        size = path.stat().st_size
        with closing((connection := SqliteConnection(path, is_read_only=True)).raw):
            state = stored_state(connection, path)
            damage = first_damage(connection)
    except StoreError as error:
        return Check("database", "failed", str(error))
    except (OSError, sqlite3.Error) as error:
        return Check("database", "failed", f"{path}: {string(str(error))}", restore)
    version = state.version if state else SCHEMA_VERSION
    finding = f"{path}, {size / 1_000_000:.1f} MB, tables of version {version}"
    if damage:
        return Check("database", "failed", f"{finding}: {string(damage)}", restore)
    updated = "" if state in {None, SchemaState(SCHEMA_VERSION)} else ", updated with the next report"
    return Check("database", "ok", f"{finding}{updated}, undamaged")


def process_check(pid: int, parent: int, process_1: Path = Path("/proc/1/comm")) -> Check:
    """Check that the sender can outlive pytest: it cannot if process 1 is not an init and ends with the tests."""
    try:
        name = process_1.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return Check("process 1", "skipped", "this system does not show it")
    if name in _INITS or 1 not in {pid, parent}:
        return Check("process 1", "ok", f"{string(name)} does not end with the tests")
    finding = f"{string(name)} is not an init: when it ends, it ends the sender"
    hint = "start the container with an init (docker run --init), or set delivery = later"
    return Check("process 1", "warning", finding, hint)


def versions() -> Mapping[str, str]:
    """Return the versions of the installed packages that reporting depends on."""
    found = {"pytest-automation-report": __version__, "Python": platform.python_version(), "system": sys.platform}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _settings(settings: Settings) -> list[dict[str, str]]:
    """Return every setting with its value and its source, without secrets."""
    rows = [
        {
            "name": row.name,
            "value": _shown(row.name, getattr(settings, row.name)),
            "origin": settings.origins.get(row.name, "default"),
        }
        for row in SETTINGS
    ]
    named = (name for name in TOKEN_ENVIRONMENTS if os.environ.get(name, "").strip())
    origin = next(named, settings.token_file)
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
