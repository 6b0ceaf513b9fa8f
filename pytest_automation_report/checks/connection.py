"""Check the way to a server: proxy, name, TLS, token, project, clock. Only reading requests are made.

Each step has a time limit. After the first one that fails the others are skipped: they would fail for the same reason.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pytest_automation_report.api.http import proxies_for, reason
from pytest_automation_report.checks.check import Check, skipped
from pytest_automation_report.checks.local import database_check
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.errors import (
    ClientError,
    NotSentError,
    RefusedError,
    SettingError,
    ThrottledError,
    TokenRefusedError,
)
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Endpoint, Token

STEP_SECONDS: Final = 10.0
"""Time limit of each step."""

_DIRECT: Final = "none for this address"
_SKEW_SECONDS: Final = 60.0
_NOT_FOUND: Final = 404
_NEW_PROJECT: Final = "There is no project with automation runs with this id."
"""Message of the embedded server for a project that it creates with the first run."""
_FORBIDDEN: Final = 403
_PORTS: Final = {"http": 80, "https": 443}
_AFTER_NAME: Final = ("TLS", "connection", "token", "project", "clock")


def connection_checks(endpoint: Endpoint, token: Token, *, step_seconds: float = STEP_SECONDS) -> list[Check]:
    """Check each step on the way to a server, or the database of the embedded one."""
    if endpoint.is_embedded:
        return [_database_check(endpoint)]
    checks = [_proxy_check(endpoint)]
    if checks[0].finding != _DIRECT:  # the proxy resolves the name and opens the connection
        return [*checks, *_request_checks(endpoint, token, step_seconds)]
    name = _name_check(endpoint, step_seconds)
    checks.append(name)
    if name.state == "failed":
        return [*checks, *skipped(_AFTER_NAME, "the name of the server is not known")]
    if endpoint.origin.startswith("https://"):
        tls = _tls_check(endpoint, step_seconds)
        checks.append(tls)
        if tls.state == "failed":
            return [*checks, *skipped(_AFTER_NAME[1:], "there is no secure connection")]
    return [*checks, *_request_checks(endpoint, token, step_seconds)]


def _database_check(endpoint: Endpoint) -> Check:
    from pytest_automation_report.server.store.schema import SCHEMA_VERSION  # noqa: PLC0415 - as above
    from pytest_automation_report.server.store.sqlite import APPLICATION_ID  # noqa: PLC0415 - remote needs none of it

    return database_check(Path(endpoint.database), application=APPLICATION_ID, newest=SCHEMA_VERSION)


def _proxy_check(endpoint: Endpoint) -> Check:
    """Report the proxy that requests go through, without user and password."""
    proxy = next(iter(proxies_for(endpoint.origin, endpoint.proxies).values()), "")
    if not proxy:
        return Check("proxy", "ok", _DIRECT)
    split = urlsplit(proxy)
    return Check("proxy", "ok", f"{split.scheme}://{split.hostname}:{split.port or _PORTS.get(split.scheme, 0)}")


def _name_check(endpoint: Endpoint, step_seconds: float) -> Check:
    """Look the server's name up, in a separate thread: a name server can need minutes, and has no time limit."""
    host, port = _host_and_port(endpoint)
    results: queue.Queue[list[Any] | Exception] = queue.Queue()

    def look_up() -> None:
        try:
            results.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    remedy = "check the address (url), this machine's DNS, or set HTTPS_PROXY"
    try:
        result = results.get(timeout=step_seconds)
    except queue.Empty:
        return Check("DNS", "failed", f"{host} was not resolved within {step_seconds:g} s", remedy)
    if isinstance(result, Exception):
        return Check("DNS", "failed", f"{host}: {_text(result)}", remedy)
    return Check("DNS", "ok", f"{host} is {', '.join(sorted({str(address[4][0]) for address in result}))}")


def _tls_check(endpoint: Endpoint, step_seconds: float) -> Check:
    """Open a TLS connection with the certificates that `requests` trusts, and close it."""
    import certifi  # noqa: PLC0415 - the certificates of requests

    host, port = _host_and_port(endpoint)
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file or certifi.where())
        with (
            socket.create_connection((host, port), timeout=step_seconds) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            return Check("TLS", "ok", f"{secure.version()}, certificate {_validity(secure)}")
    except ssl.SSLCertVerificationError as error:
        remedy = "name the file of your company's certificates with ca_file, or correct the server's certificate"
        return Check("TLS", "failed", error.verify_message or str(error), remedy)
    except ssl.SSLError as error:
        return Check("TLS", "failed", error.reason or str(error), "check that the address (url) is the server's own")
    except OSError as error:
        remedy = "check the address and port (url), a firewall, or set HTTPS_PROXY"
        return Check("TLS", "failed", f"{host}:{port}: {_text(error)}", remedy)


def _validity(secure: ssl.SSLSocket) -> str:
    certificate: Any = secure.getpeercert()
    return f"valid until {certificate.get('notAfter', 'an unknown day')}"


def _request_checks(endpoint: Endpoint, token: Token, step_seconds: float) -> list[Check]:
    """Read a source of the project: that needs the token, the project and the permission to read it."""
    dates: list[tuple[str, float]] = []
    try:
        with connected(
            endpoint,
            token,
            deadline_seconds=step_seconds,
            on_answer=lambda headers: dates.append((headers.get("Date", ""), time.time())),
        ) as client:
            client.sources(per_page=15)
    except (ClientError, SettingError, OSError) as error:
        checks = _refused(endpoint, error)
    else:
        checks = [
            Check("connection", "ok", "the server answers"),
            Check("token", "ok", "accepted"),
            Check("project", "ok", f"{endpoint.project_id} can be read"),
        ]
    return [*checks, _clock_check(dates)]


def _refused(endpoint: Endpoint, error: Exception) -> list[Check]:
    """Return the checks that an error of the one request stands for."""
    answers = Check("connection", "ok", "the server answers")
    accepted = Check("token", "ok", "accepted")
    status = error.status if isinstance(error, (RefusedError, TokenRefusedError)) else 0
    if isinstance(error, TokenRefusedError) and status == _FORBIDDEN:
        remedy = "give the token's user access to the project, or set project_id to one of theirs"
        return [answers, accepted, Check("project", "failed", string(str(error)), remedy)]
    if isinstance(error, TokenRefusedError):
        remedy = "set AUTOMATION_REPORT_TOKEN to a valid token of a user of this project"
        return [answers, Check("token", "failed", string(str(error)), remedy), *skipped(("project",), "no valid token")]
    if status == _NOT_FOUND and _NEW_PROJECT in str(error):
        return [answers, accepted, Check("project", "ok", f"{endpoint.project_id} is created with the first run")]
    if status == _NOT_FOUND:
        remedy = f"check the number of the project (project_id {endpoint.project_id}), and the address (url)"
        return [answers, accepted, Check("project", "failed", string(str(error)), remedy)]
    remedies = {
        NotSentError: "check the address (url), the proxy, and that the server runs",
        ThrottledError: "wait, the server takes no more requests for now",
    }
    remedy = remedies.get(type(error), "check that the address (url) is that of a Testmo instance")
    failed = Check("connection", "failed", string(str(error)), remedy)
    return [failed, *skipped(("token", "project"), "the server could not be asked")]


def _clock_check(dates: list[tuple[str, float]]) -> Check:
    """Compare this machine's clock with the Date header of the server's response."""
    text, received = dates[-1] if dates else ("", 0.0)
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
    return split.hostname or "", split.port or _PORTS[split.scheme]


def _text(error: BaseException) -> str:
    return reason(error) if not isinstance(error, UnicodeError) else "no name of a host"
