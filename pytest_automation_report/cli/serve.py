"""``automation-report serve``, ``open`` and ``html``: show the pages on a port of this machine, or in one file."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from pytest_automation_report.api.models import SERVE_PORT
from pytest_automation_report.cli.context import (
    CONNECTION,
    SIZE,
    Exit,
    NoStoreError,
    echo_stderr,
    setting_options,
    stored_at,
    stores_below,
    with_exit_codes,
)
from pytest_automation_report.cli.output import echo_result, write_file
from pytest_automation_report.cli.queries import BASE, RUN_ID, WHICH, Opened, WhichRun, opened
from pytest_automation_report.delivery.report import NO_PAGES, embedded_report
from pytest_automation_report.errors import SettingError
from pytest_automation_report.server.store.contents import DEFAULT_BYTES, FileRule
from pytest_automation_report.summary.shell import run_page
from pytest_automation_report.text.files import STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.http.guard import AccessLogEntry
    from pytest_automation_report.server.store.contents import Which
    from pytest_automation_report.server.store.store import Store


_WEB_SCHEMES: Final = frozenset({"http", "https"})
_SCRIPT_SCHEMES: Final = frozenset({"javascript", "data", "vbscript"})
_SOURCE_REMEDY: Final = "write an address with {file}, and {commit} and {line} if your host of code has them"
_EDITOR_REMEDY: Final = "write an address that your editor opens, with {file} and {line}"


def _link_template(_: click.Context, parameter: click.Parameter, template: str) -> str:
    """Return a template of links to code; raise `click.BadParameter` for one that makes no links."""
    if not template:
        return ""
    is_web = parameter.name == "source_url"
    remedy = _SOURCE_REMEDY if is_web else _EDITOR_REMEDY
    scheme, colon, _rest = template.partition(":")
    is_known = scheme in _WEB_SCHEMES if is_web else scheme.isidentifier() and scheme.lower() not in _SCRIPT_SCHEMES
    if not colon or not is_known or "{file}" not in template:
        raise click.BadParameter(f"{template!r} is no template of links: {remedy}")
    return template


@click.command()
@click.option("--open", "is_opened", is_flag=True,
              help="Open the pages in this machine's browser, on a free port if the usual one is in use.")  # fmt: skip
@click.option("--run", "run_id", type=click.IntRange(min=1), metavar="RUN_ID", help="Open this run.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=SERVE_PORT, show_default=True, help="Port; 0 takes any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on.")
@click.option("--allow-remote", is_flag=True, help="Listen on an address that other machines reach: --host 0.0.0.0.")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Answer requests for this host name, too. Can be repeated."
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the token that clients must send; default: AUTOMATION_REPORT_SERVER_TOKEN, else a new one that is "
    "stored beside the database.",
)
@click.option(
    "--pages-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the code of a link that opens the pages for a whole team, any number of times.",
)
@click.option("--max-size", type=SIZE, help="Largest size of the store, such as 20GB.")
@click.option("--max-artifacts", type=SIZE, default="2GB", show_default=True,
              help="Largest size of all stored artifacts together.")  # fmt: skip
@click.option("--rate-limit", type=click.IntRange(min=1), metavar="N",
              help="Answer N requests with the token a minute; default: all.")  # fmt: skip
@click.option(
    "--main-branch",
    "main_branches",
    multiple=True,
    metavar="[SOURCE=]NAME",
    help="Main branch of a source, or of all; default: the first of main, master, trunk and develop that has runs.",
)
@click.option("--strict-references", is_flag=True, help="Refuse runs that name an unknown configuration or milestone.")
@click.option("--revoke-browsers", is_flag=True, help="Forget all browsers that were let in: each needs a new link.")
@click.option(
    "--source-url",
    default="",
    callback=_link_template,
    metavar="TEMPLATE",
    help="Links from code to its host, such as https://github.com/me/shop/blob/{commit}/{file}#L{line}.",
)
@click.option("--editor-url", default="", callback=_link_template, metavar="TEMPLATE",
              help="Links from code to your editor, such as vscode://file/home/me/shop/{file}:{line}.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Print each request to stderr.")
@setting_options("database")
@with_exit_codes
def serve(
    host: str,
    port: int,
    *,
    token_file: Path | None,
    pages_token_file: Path | None,
    is_opened: bool,
    run_id: int | None,
    main_branches: tuple[str, ...],
    **options: Any,  # noqa: ANN401 - those of `_serve`, and the settings' options
) -> int:
    """Serve the embedded store, or one in a PostgreSQL database, on this machine until Ctrl-C or SIGTERM.

    The first line on stdout is the address alone. On stderr stand the link that opens the pages and the settings to
    report here.
    """
    from pytest_automation_report.server.http.guard import answered_hosts, listening_address  # noqa: PLC0415 - sending needs no server
    from pytest_automation_report.server.http.serving import TOKEN_VARIABLE, server_token, team_code  # noqa: PLC0415 - sending needs no server
    from pytest_automation_report.server.store.reads import run_rows  # noqa: PLC0415 - as above
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - as above

    configuration, place = stored_at({"database": options["database"]})
    # Hosts that the server would refuse end the command here.
    answered_hosts(listening_address(host, is_remote_allowed=options["allow_remote"]), options["allow_host"])
    # Before there is a token or a store: a command that cannot serve leaves no file behind.
    source = click.get_current_context().get_parameter_source("port")  # None for the command `open`
    may_move = is_opened and source in (None, ParameterSource.DEFAULT)
    if not may_move:
        _check_port(host, port)
    is_new = isinstance(place, Path) and not place.exists()
    if isinstance(place, Path) and is_new and (run_id is not None or any("=" in name for name in main_branches)):
        raise NoStoreError(place)
    # A database has no folder: then the token is kept where the store of this project would be.
    token = server_token(os.environ, configuration.database, token_file)
    made = Path(f"{configuration.database}.token")
    kept = token_file or (None if os.environ.get(TOKEN_VARIABLE, "").strip() else made)
    code = None if pages_token_file is None else team_code(pages_token_file)
    store = Store(place, max_bytes=options["max_size"])
    try:
        if run_id is not None and not store.look(partial(run_rows, run_ids=[run_id])):
            remedy = "the store has no such run: automation-report run list shows those it has"
            raise SettingError("--run", run_id, remedy)
        _set_main_branches(store, main_branches)
        empty_note = _empty_note(store, place, is_new=is_new)
        page_link = _PageLink(run_id, is_opened=is_opened)

        def announce(address: str, opening_path: str) -> None:
            click.echo(address)
            echo_stderr(f"serving {place}; Ctrl-C ends it")
            page_link.show(address, opening_path)
            if pages_token_file is not None:
                echo_stderr(f"for a team: {address}/open/CODE, with the code of {pages_token_file}")
            for line in (f"report to it: {_reporting_line(address, kept)}", empty_note):
                if line:
                    echo_stderr(line)

        for note in store.notes:
            echo_stderr(note)
        serve_on = _server(store, token, host, announce, on_link_used=page_link.show_next, team_code=code, **options)
        _serve_on_a_port(serve_on, host, port, may_move=may_move)
    finally:
        store.close()
    return Exit.DONE


def _server(
    store: Store,
    token: Token,
    host: str,
    announce: Callable[[str, str], None],
    *,
    on_link_used: Callable[[str], None],
    team_code: Token | None,
    **options: Any,  # noqa: ANN401 - of the command
) -> Callable[[int], None]:
    """Return the function that serves a store on a port; ``announce`` gets the address, and the path to the pages."""
    from pytest_automation_report.server.http.guard import ServerOptions  # noqa: PLC0415 - sending needs no server
    from pytest_automation_report.server.http.serving import ServeOptions, passes_secret  # noqa: PLC0415 - as above
    from pytest_automation_report.server.http.serving import serve as serve_store  # noqa: PLC0415 - as above
    from pytest_automation_report.server.pages.site import Pages  # noqa: PLC0415 - as above
    from pytest_automation_report.server.pages.test.handlers import CodeLinks  # noqa: PLC0415 - as above

    server_options = ServerOptions(
        are_references_strict=options["strict_references"],
        requests_per_minute=options["rate_limit"],
        log=_log_request if options["verbose"] else None,
        max_artifact_bytes=options["max_artifacts"],
    )
    passes = passes_secret(store, is_new=options["revoke_browsers"])
    links = CodeLinks(options["source_url"], options["editor_url"])
    pages = Pages(store, passes, on_link_used=on_link_used, code_links=links, team_code=team_code)
    serving = ServeOptions(
        is_remote_allowed=options["allow_remote"],
        host_names=options["allow_host"],
        server_options=server_options,
        extension=pages.extension,
    )

    def serve_on(port: int) -> None:
        def ready(address: str) -> None:
            announce(address, pages.opening_path)

        serve_store(store, token, host=host, port=port, ready=ready, options=serving)

    return serve_on


def _serve_on_a_port(serve_on: Callable[[int], None], host: str, port: int, *, may_move: bool) -> None:
    """Serve on this port, or with ``may_move`` on any free one if it is in use."""
    try:
        serve_on(port)
    except OSError as error:
        if not (may_move and error.errno == errno.EADDRINUSE):
            raise _refused(error, host, port) from error
        echo_stderr(f"port {port} is taken, by another serve perhaps: serving on a free one")
        _serve_on_a_port(serve_on, host, 0, may_move=False)


def _check_port(host: str, port: int) -> None:
    """Raise `SettingError` for a host and port that cannot be listened on."""
    from pytest_automation_report.server.http.guard import listening_address  # noqa: PLC0415 - sending needs no server
    from pytest_automation_report.server.http.serving import listening  # noqa: PLC0415 - as above

    try:
        listening(listening_address(host, is_remote_allowed=True), port).close()
    except OSError as error:
        raise _refused(error, host, port) from error


def _set_main_branches(store: Store, texts: Iterable[str]) -> None:
    """Set main branches as ``NAME`` or ``SOURCE=NAME``; raises `SettingError` for a source that the store lacks."""
    from pytest_automation_report.server.store.writes import set_main_branch, source_names  # noqa: PLC0415 - sending needs no server

    # Those of all sources first: one of a single source then wins, whatever the order of the options.
    for text in sorted(texts, key=lambda text: "=" in text):
        source, mark, branch = text.rpartition("=")
        if not branch or (mark and not source):
            raise SettingError("--main-branch", text, "write the name of a branch, or SOURCE=NAME")
        if not mark:
            store.main_branch = branch  # of sources that are still to come
        if not store.write(partial(set_main_branch, branch, source if mark else None)) and mark:
            names = ", ".join(store.look(source_names)) or "none yet"
            raise SettingError("--main-branch", text, f"the store has no source {source!r}; it has {names}")


def _empty_note(store: Store, place: object, *, is_new: bool) -> str:
    """Return a line for a store without runs, as the user may expect the runs of another folder; "" for any other."""
    from pytest_automation_report.server.store.reads import has_runs  # noqa: PLC0415 - sending needs no server

    if store.look(has_runs):
        return ""
    remedy = stores_below() or "start serve in their project's folder or name their store with --database"
    return f"this store is {'new and ' if is_new else ''}empty: {place}; if you expected runs, {remedy}"


def _refused(error: OSError, host: str, port: int) -> SettingError:
    """Return the error for a host or port that cannot be listened on."""
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRNOTAVAIL:
        return SettingError("--host", host, f"{reason}: name an address of this machine")
    return SettingError("--port", port, f"{reason}: choose another, or 0 for any free one")


def _log_request(entry: AccessLogEntry) -> None:
    echo_stderr(f"{entry.method} {entry.path} {entry.status} {entry.milliseconds:.0f} ms")


class _PageLink:
    """The link to the pages, which is opened in a browser with ``--open``; owned by `serve`."""

    def __init__(self, run_id: int | None, *, is_opened: bool) -> None:
        self._is_opened = is_opened
        self._end = "" if run_id is None else f"?run={run_id}"
        self._address = ""

    def show(self, address: str, path: str) -> None:
        """Print or open the first link."""
        self._address = address
        link = f"{address}{path}{self._end}"
        echo_stderr(f"look at it: {link}")
        if self._is_opened:
            # In a thread: a browser can take long to start, and its first request needs this server.
            threading.Thread(target=open_in_browser, args=(link,), daemon=True).start()

    def show_next(self, path: str) -> None:
        """Print a link for another browser, once the one before was used."""
        echo_stderr(f"opened; in another browser: {self._address}{path}{self._end}")


def open_in_browser(address: str) -> None:
    """Open a page in this machine's browser; say so if there is none."""
    import webbrowser  # noqa: PLC0415 - it looks for browsers when it is imported

    has_screen = sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    if not (has_screen and webbrowser.open(address)):
        echo_stderr("no browser was found here: open the address yourself")


def _reporting_line(address: str, token_file: Path | None) -> str:
    # With "=": pytest chooses its root folder before it knows our options, and takes an existing path after a space
    # for a path to tests.
    words = ["pytest", "--automation-report", f"--automation-report-url={address}", "--automation-report-project-id=1"]
    if token_file is not None:
        return shlex.join([*words, f"--automation-report-token-file={token_file}"])
    return f'AUTOMATION_REPORT_TOKEN="$AUTOMATION_REPORT_SERVER_TOKEN" {shlex.join(words)}'


_SERVER_BYTES: Final = 8_000_000


@click.command("html")
@RUN_ID
@click.option("-o", "--file", "file", metavar="FILE", required=True, help="The file to write; - is stdout.")
@BASE
@click.option("--artifacts", "which", type=click.Choice(["none", "failed", "all"]), default="failed", show_default=True,
              help="Files in the report: none, those of failures, or of all tests that have a page.")  # fmt: skip
@click.option("--artifacts-size", type=SIZE, help="Largest size of all these files, 5MB; others are named.")
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def html(
    chosen: WhichRun,
    *,
    file: str,
    base: int | None,
    which: Which,
    artifacts_size: int | None,
    **options: Any,  # noqa: ANN401 - click passes the settings' options
) -> int:
    """Write the pages of a run into one HTML file, which opens without a server and reaches no network.

    The file is complete or not there.
    """
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
        rule = FileRule(which, DEFAULT_BYTES if artifacts_size is None else artifacts_size)
        text = _report(reading, run_id, base, rule)
        write_file(file, [text])
    if file != STDOUT:
        echo_stderr(f"run {run_id} is in {file} ({len(text.encode()) / 1000:,.0f} kB)")
    return Exit.DONE


def _report(reading: Opened, run_id: int, base: int | None, rule: FileRule) -> str:
    """Return the report; raises `click.UsageError` for a server that has no pages, or sends less than the files."""
    if reading.configuration.endpoint.is_embedded:
        return embedded_report(reading.configuration.database, run_id, base, rule)
    if not reading.is_ours:
        raise click.UsageError(NO_PAGES)
    if rule.max_bytes > _SERVER_BYTES:
        raise click.UsageError(
            "--artifacts-size: a server sends 8 MB of files at most; "
            "--database writes a report with more of them where its store is"
        )
    return reading.client.report_html(run_id, base, artifacts=rule.which, artifacts_size=rule.max_bytes)


@click.command("open")
@RUN_ID
@setting_options(*CONNECTION, *WHICH)
@with_exit_codes
def open_run(chosen: WhichRun, **options: Any) -> int:  # noqa: ANN401 - click passes the settings' options
    """Open the page of a run in the browser: this one, or without RUN_ID the newest run of the source.

    For a server it is the page at its address. The embedded store is served until Ctrl-C, as by serve --open.
    """
    with opened(options, chosen) as reading:
        run_id = reading.run_id(chosen)
    configuration = reading.configuration
    if configuration.endpoint.is_embedded:
        code: int = click.get_current_context().invoke(
            serve, is_opened=True, run_id=run_id, database=str(configuration.database)
        )
        return code
    address = run_page(configuration, run_id)
    echo_result(address)
    open_in_browser(address)
    return Exit.DONE
