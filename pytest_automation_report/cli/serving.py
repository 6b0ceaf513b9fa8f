"""``automation-report serve``: the embedded server on a port of this machine (floor 4)."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_automation_report.cli.context import Exit, setting_options, stored_at, told, with_exit_codes
from pytest_automation_report.errors import SettingError
from pytest_automation_report.model import SERVE_PORT
from pytest_automation_report.values import SIZE_REMEDY, size_bytes

if TYPE_CHECKING:
    from pytest_automation_report.server.gate import Exchange


def _size(context: click.Context, parameter: click.Parameter, given: str | None) -> int | None:
    """Return a size in bytes; what is none is a usage error that says how to write one."""
    if given is None:
        return None
    found = size_bytes(given)
    if found is None:
        raise click.BadParameter(f"{given!r} is no size; {SIZE_REMEDY}", context, parameter)
    return found


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=SERVE_PORT, show_default=True, help="Port; 0 takes any free one."
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the token that clients must have; default: AUTOMATION_REPORT_SERVER_TOKEN, else one made once "
    "and kept beside the database.",
)
@click.option("--allow-remote", is_flag=True, help="Listen on an address that other machines reach: --host 0.0.0.0.")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Answer requests for this host name, too. Can be repeated."
)
@click.option("--strict-references", is_flag=True, help="Refuse runs that name an unknown configuration or milestone.")
@click.option("--rate-limit", type=click.IntRange(min=1), metavar="N", help="Answer N requests a minute; default: all.")
@click.option("--max-size", callback=_size, metavar="SIZE", help="Take no more in a store of this size, such as 20GB.")
@click.option(
    "--max-artifacts",
    callback=_size,
    default="2GB",
    show_default=True,
    metavar="SIZE",
    help="How much the artifacts that the store keeps may have together.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the pages in this machine's browser.")
@click.option("-v", "--verbose", is_flag=True, help="Tell each request on stderr.")
@setting_options("database")
@with_exit_codes
def serve(  # noqa: PLR0913 - one for each option
    host: str,
    port: int,
    token_file: Path | None,
    *,
    allow_remote: bool,
    allow_host: tuple[str, ...],
    strict_references: bool,
    rate_limit: int | None,
    max_size: int | None,
    max_artifacts: int,
    is_opened: bool,
    verbose: bool,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Serve the embedded store, or one in a PostgreSQL database, on this machine until Ctrl-C or SIGTERM.

    The first line on stdout is the address, alone; stderr tells how to look at it and how to report to it.
    """
    from pytest_automation_report.server.gate import Rules  # noqa: PLC0415 - sending needs no server
    from pytest_automation_report.server.pages.site import Pages  # noqa: PLC0415
    from pytest_automation_report.server.serving import (  # noqa: PLC0415
        TOKEN_VARIABLE,
        ServeOptions,
        check_hosts,
        server_token,
    )
    from pytest_automation_report.server.serving import serve as serve_store  # noqa: PLC0415
    from pytest_automation_report.server.store import Store  # noqa: PLC0415

    configuration, place = stored_at(options)
    check_hosts(host, allow_host, is_remote_allowed=allow_remote)
    # A database has no folder: then the token is kept where the store of this project would be.
    token = server_token(os.environ, configuration.database, token_file)
    made = Path(f"{configuration.database}.token")
    kept = token_file or (None if os.environ.get(TOKEN_VARIABLE, "").strip() else made)
    rules = Rules(
        are_references_strict=strict_references,
        requests_per_minute=rate_limit,
        observe=_tell_request if verbose else None,
        max_artifact_bytes=max_artifacts,
    )
    store = Store(place, max_bytes=max_size)
    looking = _Looking(is_opened=is_opened)
    pages = Pages(store, token, told=looking.again)
    serving = ServeOptions(
        is_remote_allowed=allow_remote, host_names=allow_host, rules=rules, extension=pages.extension
    )

    def announce(address: str) -> None:
        click.echo(address)
        told(f"serving {place}; Ctrl-C ends it")
        looking.begin(address, pages.opening_path)
        told(f"report to it: {_reporting_line(address, kept)}")

    for note in store.notes:
        told(note)
    try:
        serve_store(store, token, host=host, port=port, ready=announce, options=serving)
    except OSError as error:
        raise _refused(error, host, port) from error
    finally:
        store.close()
    return Exit.DONE


def _refused(error: OSError, host: str, port: int) -> SettingError:
    """Return the mistake in what was asked to listen on."""
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRNOTAVAIL:
        return SettingError("--host", host, f"{reason}: name an address of this machine")
    return SettingError("--port", port, f"{reason}: choose another, or 0 for any free one")


def _tell_request(exchange: Exchange) -> None:
    told(f"{exchange.method} {exchange.path} {exchange.status} {exchange.milliseconds:.0f} ms")


class _Looking:
    """Tells where to look at the store, and opens it in a browser when that was asked for."""

    def __init__(self, *, is_opened: bool) -> None:
        self._is_opened = is_opened
        self._address = ""

    def begin(self, address: str, path: str) -> None:
        """Tell the first link."""
        self._address = address
        told(f"look at it: {address}{path}")
        if self._is_opened:
            # A browser may take its time, and the server must answer it meanwhile.
            threading.Thread(target=_open, args=(f"{address}{path}",), daemon=True).start()

    def again(self, path: str) -> None:
        """Tell the link for another browser: the one before was used."""
        told(f"opened; in another browser: {self._address}{path}")


def _open(link: str) -> None:
    import webbrowser  # noqa: PLC0415 - it looks for browsers when it is imported

    has_screen = sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    if not has_screen or not webbrowser.open(link):
        told("no browser was found here: open the link yourself")


def _reporting_line(address: str, token_file: Path | None) -> str:
    words = ["pytest", "--automation-report", "--automation-report-url", address]
    words += ["--automation-report-project-id", "1"]
    if token_file is not None:
        return shlex.join([*words, "--automation-report-token-file", str(token_file)])
    return f'AUTOMATION_REPORT_TOKEN="$AUTOMATION_REPORT_SERVER_TOKEN" {shlex.join(words)}'
