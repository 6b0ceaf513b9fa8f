"""Serve a store on a port, and read or create the secrets that the server needs for it."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from waitress.server import create_server  # type: ignore[import-untyped] # waitress has no types

from pytest_automation_report.api.models import Token
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.http import guard
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.connections import Deadlines, Loop
from pytest_automation_report.server.http.guard import Tokens
from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.maintenance import Retention, apply_retention
from pytest_automation_report.server.store.sqlite import make_state_folder
from pytest_automation_report.server.store.values import ApiError
from pytest_automation_report.system.console import LISTENING, max_files, publish
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import open_file, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

TOKEN_VARIABLE = "AUTOMATION_REPORT_SERVER_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable that holds the server's token."""

CODE_VARIABLE = "AUTOMATION_REPORT_PAGES_TOKEN"
"""The environment variable that holds the code of the link for a team."""

CONNECTIONS = 512  # most connections at a time; fewer where the process may open few files
_TOKEN_LENGTH: Final = 16  # minimum length of a server's token; a shorter one can be guessed
_TOKEN_BYTES: Final = 4096  # maximum size of a file with a secret
# Permissions of the group and of all other users.
_OTHERS_MODE: Final = 0o077
_PORTS = range(65536)
# Descriptors that are left for the store, the log and Python itself.
_OTHER_FILES = 64
_is_token = re.compile(rf"[\x21-\x7e]{{{_TOKEN_LENGTH},}}").fullmatch
_is_code = re.compile(rf"[A-Za-z0-9_-]{{{_TOKEN_LENGTH},200}}").fullmatch
_CODE_FORM = f"{_TOKEN_LENGTH} to 200 letters, digits, - and _, such as openssl rand -hex 24 makes"
_TOKEN_FORM = f"at least {_TOKEN_LENGTH} visible ASCII characters without spaces, such as openssl rand -hex 24 makes"

_PASSES = "pages"
_SECRET = 'SELECT "value" FROM "secret" WHERE "name" = ?'  # noqa: S105 - a statement

# Most bytes of a response that wait in a temporary file for a slow client; with less, it would occupy a thread.
_UNREAD_BYTES = 1 << 30


class ServeOptions(Struct, frozen=True):
    """Settings of the server."""

    is_remote_allowed: bool = False
    host_names: tuple[str, ...] = ()  # answered besides this machine's own names
    server_options: guard.ServerOptions = guard.ServerOptions()
    deadlines: Deadlines = Deadlines()
    connections: int = CONNECTIONS
    extension: guard.Extension = guard.Extension()
    retention: Retention | None = None


_DEFAULT = ServeOptions()


def serve(
    store: Store,
    token: Token,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    options: ServeOptions = _DEFAULT,
) -> None:
    """Serve a store until SIGTERM or SIGINT; must be called in the main thread.

    ``ready`` is called with the URL once the server listens; port 0 takes any free port. Raises `SettingError` for a
    host that is not allowed, and ``OSError`` for a port that is in use.
    """
    # It warns when a request waits for a free thread, and users cannot do anything about that.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Each try to connect again would be a line; the store tells begin and end.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    address = guard.listening_address(host, is_remote_allowed=options.is_remote_allowed)
    hosts = guard.answered_hosts(address, options.host_names)
    with listening(address, port) as listener, closing(FindingsWorker(store)) as worker:
        tokens = Tokens(store, token)
        server_options = replace(options.server_options, hosts=hosts, on_run_completed=worker.add)
        application: Any = create_application(store, tokens, server_options, options.extension)
        server = _create_server(application, listener, options)
        try:
            loop = Loop(server, options.deadlines, tokens.refusal, on_turn=tokens.notice_quiet)
            with upkeep(store, options.retention, worker.add) if options.retention else nullcontext():
                loop.run(lambda: ready(_url(listener)))
        finally:
            server.task_dispatcher.shutdown()
            server.asyncore.close_all(server._map)  # noqa: SLF001 - waitress has no other name for its connections


def _create_server(application: Any, listener: socket.socket, options: ServeOptions) -> Any:  # noqa: ANN401 - waitress has no types
    return create_server(
        application,
        sockets=[listener],
        threads=4,
        connection_limit=_connection_limit(options.connections),
        channel_timeout=60,
        outbuf_high_watermark=_UNREAD_BYTES,
        # waitress refuses bodies of this size; artifacts are the largest ones.
        max_request_body_size=MAX_CONTENT_BYTES + 1,
        # select() accepts no descriptor above 1,023.
        asyncore_use_poll=True,
        ident=None,
        # Only X-Forwarded-Proto is read, see `is_encrypted`.
        clear_untrusted_proxy_headers=False,
    )


def server_token(environ: Mapping[str, str], database: Path, token_file: Path | None) -> Token:
    """Return the server's token, of the environment or a file; raises `SettingError` or `StoreError` without one."""
    given = _given(environ, TOKEN_VARIABLE, "--token-file", token_file, _is_token, _TOKEN_FORM)
    return token_beside(database) if given is None else given


def team_code(environ: Mapping[str, str], path: Path | None) -> Token | None:
    """Return the code of a link that opens the pages for a team, None without one; raises `SettingError`."""
    return _given(environ, CODE_VARIABLE, "--pages-token-file", path, _is_code, _CODE_FORM)


def token_beside(database: Path) -> Token:
    """Return the token in the file beside a store, a new one if missing; raises `StoreError` for an unsafe file."""
    path = database.with_name(f"{database.name}.token")
    try:
        make_state_folder(path)
        if not os.path.lexists(path):
            _create_token(path)
        text = _read_private(path).strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: the server's token cannot be stored here: {_reason(error)}") from error
    if not _is_token(text):
        raise StoreError(f"{path}: holds no token; remove the file, and a new token is created")
    return Token(text)


def _read_private(path: Path) -> str:
    """Return the text of a file that only this user can read or write; raises `StoreError` for every other file."""
    hint = "remove it, and a new one is created"
    if path.is_symlink() or not path.is_file():
        raise StoreError(f"{path}: is {'a link' if path.is_symlink() else 'no file'}: {hint}")
    with open_file(path, is_foreign=True) as file:
        status = os.fstat(file.fileno())
        if not system.is_own(status):
            raise StoreError(f"{path}: belongs to user {status.st_uid}, who knows what it holds: {hint}")
        if (mode := system.permissions_of(status)) & _OTHERS_MODE:
            raise StoreError(f"{path}: others can read or write it (mode {mode:o}): {hint}")
        return file.read(_TOKEN_BYTES).decode("utf-8")


def _create_token(path: Path) -> None:
    """Write a new token to a draft and link that to its name, so that no process reads half of a token."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no Path
            file.write(f"{secrets.token_urlsafe(32)}\n")
        # Not `rename`: it would replace the token of a process that was first.
        with suppress(FileExistsError):
            publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def passes_secret(store: Store, *, is_new: bool = False) -> Token:
    """Return the secret of the store that signs the passes of browsers; ``is_new`` replaces it, which ends them all."""

    def create(writer: Writer) -> Token:
        if is_new:
            writer.connection.change('DELETE FROM "secret" WHERE "name" = ?', (_PASSES,))
        # Another server may have created it at the same moment: the first one wins.
        writer.connection.add("secret", name=_PASSES, value=secrets.token_urlsafe(32))
        ((value,),) = writer.connection.execute(_SECRET, (_PASSES,))
        return Token(value)

    rows = store.read(lambda connection: connection.execute(_SECRET, (_PASSES,)))
    return Token(rows[0][0]) if rows and not is_new else store.write(create)


def _given(
    environ: Mapping[str, str],
    variable: str,
    option: str,
    path: Path | None,
    is_right: Callable[[str], object],
    form: str,
) -> Token | None:
    """Return the secret of a variable, else of a file; raises `SettingError` for one that cannot be used."""
    # No error has a secret in its text.
    text = environ.get(variable, "").strip()
    if text:
        if not is_right(text):
            raise SettingError(variable, Token(text), f"use {form}")
        return Token(text)
    if path is None:
        return None
    try:
        text = read_file(path, _TOKEN_BYTES).decode("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingError(option, str(path), f"it cannot be read ({_reason(error)})") from error
    if not is_right(text):
        raise SettingError(option, str(path), f"it must hold one line of {form}")
    return Token(text)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "it is not UTF-8 text")


def listening(address: guard.Address, port: int) -> socket.socket:
    """Return a bound socket; waitress listens on it."""
    if port not in _PORTS:
        raise SettingError("--port", port, "use a number from 0 to 65535")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - a version of IP
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, LISTENING, 1)
        listener.bind((str(address), port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _connection_limit(wanted: int) -> int:
    """Return the largest number of connections, which is less than ``wanted`` if this process may open few files."""
    # Each connection needs a descriptor, and those with a large body need a second one for its temporary file.
    most = max_files()
    return wanted if most is None else max(16, min(wanted, (most - _OTHER_FILES) * 3 // 4))


def _url(listener: socket.socket) -> str:
    name, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(name), str(name))  # noqa: S104 - it is compared, not listened on  # nosec B104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_logger = logging.getLogger(__name__)

_UPKEEP_SECONDS: Final = 600.0
_SECONDS_TO_END: Final = 10.0  # how long the end of the process waits for the run that is being removed or completed


@contextmanager
def upkeep(store: Store, retention: Retention, on_completed: Callable[[int], None]) -> Iterator[None]:
    """Apply the retention now and every ten minutes, in a thread that ends with the block."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                apply_retention(store, retention, on_completed, is_over.is_set)
            except ApiError as error:
                _logger.info("retention: %s It is tried again in ten minutes.", error.message)
            except Exception:
                _logger.exception("retention failed; it is tried again in ten minutes")
            is_over.wait(_UPKEEP_SECONDS)

    thread = threading.Thread(target=work, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_SECONDS_TO_END)


class FindingsWorker:
    """Computes the findings of completed runs in one thread; those that it misses are computed when asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # It starts its thread with the first run: most servers of developers only show runs.
        self._executor = ThreadPoolExecutor(1, "findings")

    def add(self, run_id: int) -> None:
        """Compute the findings of a completed run soon, and return at once; do nothing after `close`."""
        with suppress(RuntimeError):
            self._executor.submit(self._compute, run_id)

    def close(self) -> None:
        """Wait for the run that is being computed, and leave the others; the store may be closed then."""
        self._executor.shutdown(cancel_futures=True)

    def _compute(self, run_id: int) -> None:
        try:
            findings(self._store, run_id)
        except ApiError as error:
            # The run was removed meanwhile, or other processes use the store: the next reader computes it.
            _logger.debug("findings of run %s: %s", run_id, error.message)
        except Exception:
            _logger.exception("findings of run %s could not be computed", run_id)
