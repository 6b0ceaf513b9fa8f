"""``automation-report serve``: serve a store and its pages on a port of this machine."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import threading
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource
from msgspec import Struct

from pytest_automation_report.api.models import SERVE_PORT
from pytest_automation_report.cli.context import (
    AGE,
    SIZE,
    Command,
    Exit,
    NoStoreError,
    echo_stderr,
    open_in_browser,
    setting_options,
    stored_at,
    stores_below,
)
from pytest_automation_report.cli.store import BUCKET_HELP, bucket_address
from pytest_automation_report.errors import SettingError
from pytest_automation_report.server.http.guard import (
    CODE_VARIABLE,
    TOKEN_VARIABLE,
    answered_hosts,
    listening_address,
    passes_secret,
    server_token,
    team_code,
)
from pytest_automation_report.server.http.serving import ServeOptions, listening
from pytest_automation_report.server.http.serving import serve as serve_store
from pytest_automation_report.server.pages.site import Pages, ProxyUser
from pytest_automation_report.server.pages.test.handlers import CodeLinks
from pytest_automation_report.server.store.migrations import Opening
from pytest_automation_report.server.store.reads import has_runs, run_rows
from pytest_automation_report.server.store.retention import Retention, fits
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.writes import set_main_branch, source_names
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_automation_report.server.http.guard import Address, Networks

_DATABASE_SECONDS: Final = 60.0  # a database that starts with the server may need to recover
_MOST_DAYS: Final = 100_000
_SCRIPT_SCHEMES: Final = frozenset({"javascript", "data", "vbscript"})


def _link_template(_: click.Context, parameter: click.Parameter, template: str) -> str:
    """Return a template of links to code; raises `click.BadParameter` for one that makes no links."""
    scheme, colon, _rest = template.partition(":")
    if parameter.name == "source_url":
        is_known = scheme in {"http", "https"}
        hint = "write an address with {file}, and {commit} and {line} if your host of code has them"
    else:
        is_known = scheme.isidentifier() and scheme.lower() not in _SCRIPT_SCHEMES
        hint = "write an address that your editor opens, with {file} and {line}"
    if template and not (colon and is_known and "{file}" in template):
        raise click.BadParameter(f"{template!r} is not a template for links: {hint}")
    return template


def _keep_days(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, int] | None:
    """Return days by branch; raises `click.BadParameter` for another form, or a pattern that never counts."""
    if text is None:
        return None
    pairs = [part.strip().rpartition("=") for part in text.split(",")]
    if not all(branch and days.isdecimal() and 0 < int(days) <= _MOST_DAYS for branch, _, days in pairs):
        raise click.BadParameter(f"{text!r}: write branches with days, such as main=365,*=30; * is all others")
    rules: dict[str, int] = {}
    for branch, _mark, days in pairs:
        if first := next((pattern for pattern in rules if fits(pattern, branch)), ""):
            raise click.BadParameter(f"{text!r}: {first}={rules[first]} hides {branch}={days}: write that before it")
        rules[branch] = int(days)
    return rules


def _some_time(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    """Return a time; raises `click.BadParameter` for none, which is likely meant to complete no run."""
    if seconds == 0:
        raise click.BadParameter("after no time every run is completed at once: leave it out to complete none")
    return seconds


@click.command(cls=Command)
@click.option("--open", "is_opened", is_flag=True, help="Open the pages in a browser, on a free port if need be.")
@click.option("--run", "run_id", type=click.IntRange(min=1), metavar="RUN_ID", help="Open this run.")
@click.option("--port", type=click.IntRange(0, 65535), default=SERVE_PORT, show_default=True, metavar="NUMBER",
              help="Port; 0 takes any free one.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--allow-remote", is_flag=True, help="Allow --host 0.0.0.0, which other machines reach.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Answer to this host name, too. Can be repeated.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="File of the token; AUTOMATION_REPORT_SERVER_TOKEN wins; default: a new one.")  # fmt: skip
@click.option("--pages-token-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="File of the code that opens the pages for a team; AUTOMATION_REPORT_PAGES_TOKEN wins.")  # fmt: skip
@click.option("--trusted-user-header", metavar="NAME", help="Header in which a proxy names its user.")
@click.option("--trusted-proxy", "trusted_proxies", multiple=True, metavar="ADDRESS",
              help="A proxy or its network: its X-Forwarded-For names the client. Can be repeated.")  # fmt: skip
@click.option("--metrics-public", is_flag=True, help="Answer /metrics without a token.")
@click.option("--max-size", type=SIZE, help="Largest size of the store, such as 20GB.")
@click.option("--max-artifacts", type=SIZE, default="2GB", show_default=True, help="Largest size of all artifacts.")
@click.option("--keep-days", callback=_keep_days, metavar="BRANCH=DAYS", help="Remove older runs: main=365,*=30.")
@click.option("--complete-after", type=AGE, callback=_some_time, help="Complete open runs unchanged for so long: 6h.")
@click.option("--artifact-store", callback=bucket_address, metavar="ADDRESS", help=BUCKET_HELP)
@click.option("--rate-limit", type=click.IntRange(min=1), metavar="N", help="Most requests a minute with the token.")
@click.option("--main-branch", "main_branches", multiple=True, metavar="NAME",
              help="Main branch of all sources, or SOURCE=NAME.")  # fmt: skip
@click.option("--strict-references", is_flag=True, help="Refuse unknown configurations and milestones.")
@click.option("--revoke-browsers", is_flag=True, help="Let no known browser in without a new link.")
@click.option("--source-url", default="", callback=_link_template, metavar="TEMPLATE",
              help="Link code to its host: https://github.com/me/shop/blob/{commit}/{file}#L{line}.")  # fmt: skip
@click.option("--editor-url", default="", callback=_link_template, metavar="TEMPLATE",
              help="Link code to your editor: vscode://file/home/me/shop/{file}:{line}.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log each request.")
@setting_options("database")
def serve(
    host: str,
    port: int,
    *,
    token_file: Path | None,
    pages_token_file: Path | None,
    is_opened: bool,
    run_id: int | None,
    main_branches: tuple[str, ...],
    **options: Any,  # noqa: ANN401 - handed on as they are declared
) -> int:
    """Serve a store and its pages until Ctrl-C or SIGTERM.

    The first line on stdout is the address. stderr has the link that opens the pages, and the settings to report here.
    """
    settings, place = stored_at({"database": options["database"]})
    # Hosts and ports that the server would refuse end the command here: before it leaves a token or a store behind.
    address = listening_address(host, is_remote_allowed=options["allow_remote"])
    hosts = answered_hosts(address, options["allow_host"])
    context = click.get_current_context()
    source = context.get_parameter_source("port")  # None for the command `open`
    may_move = is_opened and source in (None, ParameterSource.DEFAULT)
    listener = context.with_resource(_listener(address, port, may_move=may_move))
    is_new = isinstance(place, Path) and not place.exists()
    if isinstance(place, Path) and is_new and (run_id is not None or any("=" in name for name in main_branches)):
        raise NoStoreError(place)
    # A database has no folder: then the token is kept where the store of this project would be.
    token = server_token(os.environ, settings.database, token_file)
    is_in_environment = bool(os.environ.get(TOKEN_VARIABLE, "").strip())
    kept = token_file or (None if is_in_environment else Path(f"{settings.database}.token"))
    code = team_code(os.environ, pages_token_file)
    proxies = _proxies(options["trusted_proxies"])
    proxy_user = ProxyUser(header, proxies) if (header := options["trusted_user_header"]) else None
    if proxy_user and not proxies:
        raise click.UsageError("--trusted-user-header NAME needs the address of its proxy: --trusted-proxy ADDRESS")
    context.with_resource(_logs_on_stderr(is_verbose=options["verbose"]))
    store = Store(
        place,
        max_bytes=options["max_size"],
        are_references_strict=options["strict_references"],
        opening=Opening(wait_seconds=_DATABASE_SECONDS),
    )
    try:
        if run_id is not None and not store.read(partial(run_rows, run_ids=[run_id])):
            hint = "the store has no such run: see automation-report run list"
            raise SettingError("--run", run_id, hint)
        _set_main_branches(store, main_branches)
        empty_note = _empty_note(store, place, is_new=is_new)
        page_link = _PageLink(is_opened, "" if run_id is None else f"?run={run_id}")
        passes = passes_secret(store, is_new=options["revoke_browsers"])
        links = CodeLinks(options["source_url"], options["editor_url"])
        pages = Pages(store, passes, page_link.show_next, code_links=links, team_code=code, proxy_user=proxy_user)

        def announce(address: str) -> None:
            click.echo(address)
            echo_stderr(f"serving {place}; Ctrl-C ends it")
            page_link.show(address, pages.opening_path)
            if code is not None:
                holder = CODE_VARIABLE if os.environ.get(CODE_VARIABLE, "").strip() else pages_token_file
                echo_stderr(f"for a team: {address}/open/CODE, with the code of {holder}")
            echo_stderr(f"report to it: {_reporting_line(address, kept)}")
            if empty_note:
                echo_stderr(empty_note)

        if store.note:
            echo_stderr(store.note)
        serve_options = ServeOptions(
            hosts=hosts,
            proxies=proxies,
            requests_per_minute=options["rate_limit"],
            are_metrics_public=options["metrics_public"],
            max_artifact_bytes=options["max_artifacts"],
            extension=pages.extension,
            retention=Retention(options["keep_days"] or {}, options["complete_after"], options["artifact_store"] or ""),
        )
        serve_store(store, token, listener, ready=announce, options=serve_options)
    finally:
        store.close()
    return Exit.DONE


@contextmanager
def _logs_on_stderr(*, is_verbose: bool) -> Iterator[None]:
    """Write the server's log to stderr within the block."""
    levels = {
        "pytest_automation_report": logging.DEBUG if is_verbose else logging.INFO,
        # It warns when a request waits for a free thread, and users cannot do anything about that.
        "waitress.queue": logging.ERROR,
        # Each try to connect again would be a line; the store tells begin and end.
        "psycopg.pool": logging.ERROR,
    }
    root, handler = logging.getLogger(), _Stderr()
    before = {name: logging.getLogger(name).level for name in levels}
    root.addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


class _Stderr(logging.Handler):
    """Writes log lines to stderr, each with its time in UTC; a line within one begins with spaces."""

    def emit(self, record: logging.LogRecord) -> None:
        time = datetime.fromtimestamp(record.created, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        # A traceback has lines, and so may the name of a branch: none of these may look like a line of the log.
        first, *others = self.format(record).splitlines() or [""]
        for line in (f"{time} {first}", *(f"  {other}" for other in others)):
            echo_stderr(line)


def _proxies(texts: Sequence[str]) -> Networks:
    try:
        return tuple(map(ipaddress.ip_network, texts))
    except ValueError as error:
        raise SettingError("--trusted-proxy", ", ".join(texts), f"{error}: write 10.0.0.7 or 10.0.0.0/24") from error


def _listener(address: Address, port: int, *, may_move: bool) -> socket.socket:
    """Return a socket that listens, with ``may_move`` on any free port if this one is in use; raises `SettingError`."""
    try:
        return listening(address, port)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            hint = f"{reason}: name an address of this machine"
            raise SettingError("--host", str(address), hint) from error
        if not (may_move and error.errno == errno.EADDRINUSE):
            raise SettingError("--port", port, f"{reason}: choose another, or 0 for any free one") from error
    echo_stderr(f"port {port} is taken, by another serve perhaps: serving on a free one")
    return _listener(address, 0, may_move=False)


def _set_main_branches(store: Store, texts: Iterable[str]) -> None:
    """Set main branches as ``NAME`` or ``SOURCE=NAME``; raises `SettingError` for a source that the store lacks."""
    # Those of all sources first: one of a single source then wins, whatever the order of the options.
    for text in sorted(texts, key=lambda text: "=" in text):
        source, mark, branch = text.rpartition("=")
        if not branch or (mark and not source):
            raise SettingError("--main-branch", text, "write the name of a branch, or SOURCE=NAME")
        if not mark:
            store.main_branch = branch  # of sources that are still to come
        if not store.write(partial(set_main_branch, branch, source if mark else None)) and mark:
            names = ", ".join(store.read(source_names)) or "none yet"
            raise SettingError("--main-branch", text, f"the store has no source {source!r}; it has {names}")


def _empty_note(store: Store, place: object, *, is_new: bool) -> str:
    """Return a line for a store without runs, as the user may expect the runs of another folder; "" for any other."""
    if store.read(has_runs):
        return ""
    hint = stores_below() or "start serve in their project's folder or name their store with --database"
    return f"this store is {'new and ' if is_new else ''}empty: {place}; if you expected runs, {hint}"


class _PageLink(Struct):
    """The link that opens the pages."""

    is_opened: bool
    end: str  # the run that it opens
    address: str = ""

    def show(self, address: str, path: str) -> None:
        """Print the first link, and open it in a browser with ``--open``."""
        self.address, link = address, f"{address}{path}{self.end}"
        echo_stderr(f"look at it: {link}")
        if self.is_opened:
            # In a thread: a browser can take long to start, and its first request needs this server.
            threading.Thread(target=open_in_browser, args=(link,), daemon=True).start()

    def show_next(self, path: str) -> None:
        """Print a link for another browser, once the one before was used."""
        echo_stderr(f"opened; in another browser: {self.address}{path}{self.end}")


def _reporting_line(address: str, token_file: Path | None) -> str:
    # With "=": pytest chooses its root folder before it knows our options, and takes an existing path after a space
    # for a path to tests.
    words = ["pytest", "--automation-report", f"--automation-report-url={address}", "--automation-report-project-id=1"]
    if token_file is not None:
        return system.quoted([*words, f"--automation-report-token-file={token_file}"])
    return f'AUTOMATION_REPORT_TOKEN="$AUTOMATION_REPORT_SERVER_TOKEN" {system.quoted(words)}'
