"""Create the requests session for our requests. It depends on its arguments alone, and not on the environment.

It reads no ``.netrc`` and no variables of proxies or certificates (the settings did), follows no redirects, stores no
cookies, repeats no requests and uses no proxy for loopback. It keeps one connection for each concurrent request.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address, ip_network
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed leaves it out; requests relies on it, too
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue] # as above
)

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pytest_automation_report import __version__
from pytest_automation_report.api.exchange import (
    IDLE_SECONDS,
    WatchedConnection,
    WatchedTlsConnection,
    current_exchange,
)
from pytest_automation_report.api.limits import CONNECTIONS
from pytest_automation_report.api.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443}


class WatchedPool(HTTPConnectionPool):
    """A pool of watched connections."""

    ConnectionCls: Any = WatchedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - the class differs between versions
        """Return a connection to use; one that was idle for too long is closed, so that it connects anew.

        urllib3 2 asks each connection whether it is connected before it uses it again; urllib3 1.26 does not.
        """
        connection: Any = super()._get_conn(timeout)
        if connection.is_stale:
            connection.close()
        return connection


class WatchedTlsPool(WatchedPool, HTTPSConnectionPool):
    """A pool of watched connections over TLS."""

    ConnectionCls: Any = WatchedTlsConnection


_POOLS = {"http": WatchedPool, "https": WatchedTlsPool}


class WatchedAdapter(HTTPAdapter):
    """Send over watched connections, directly or through an HTTP proxy."""

    def __init__(self) -> None:
        # urllib3 must not repeat a request that the server may have applied: the sender decides that.
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._used_at: float | None = None

    def rest(self) -> None:
        """Close the connections if they have been idle too long to be used again; no request may be in flight."""
        if self._used_at is not None and monotonic() - self._used_at > IDLE_SECONDS:
            self._used_at = None
            self.close()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' own signature
        """Return the connection pools for a proxy; raise for SOCKS, whose connections cannot be watched."""
        if not proxy.lower().startswith(("http://", "https://")):
            raise InvalidProxyURL("only http and https proxies are supported")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(
        self,
        conn: HTTPConnectionPool,
        url: str,
        verify: bool | str,  # noqa: FBT001 - requests' own signature
        cert: str | tuple[str, str] | None,
    ) -> None:
        """Set up TLS, and note that nothing was sent so far: requests calls this just before it opens a connection."""
        exchange = current_exchange()
        if exchange:
            exchange.was_sent = False
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # the stubs leave it untyped

    def send(  # type: ignore[override]  # everything but the proxies is passed on as it comes
        self,
        request: requests.PreparedRequest,
        *,
        proxies: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Send a request, through a proxy if one applies to its address."""
        try:
            return super().send(request, proxies=proxies_for(request.url or "", proxies or {}), **options)
        finally:
            self._used_at = monotonic()


class DirectSession(requests.Session):
    """A session that ignores redirects: to describe one, requests would read its whole body first, of any length."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None for each response."""
        del resp
        return None


def new_session(*, proxies: Mapping[str, str], ca_file: str) -> requests.Session:
    """Return a session that depends on its arguments alone; the caller closes it.

    ``proxies`` has values for ``http``, ``https`` and ``no_proxy``; ``ca_file`` is the path of a CA bundle, empty for
    the built-in one.
    """
    session = DirectSession()
    session.trust_env = False
    session.verify = ca_file or True
    session.proxies.update(proxies)
    # Two requests must not depend on each other by a cookie.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update(
        {
            "User-Agent": f"pytest-automation-report/{__version__}",
            "Accept": "application/json",
            # Responses are bounded in length, and a small compressed one could hide a huge one.
            "Accept-Encoding": "identity",
        }
    )
    adapter = WatchedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def proxies_for(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy for a URL by its scheme, nothing for loopback and for hosts in ``no_proxy``.

    ``no_proxy`` lists hosts, domains (with or without a leading dot), addresses and networks; all but networks may have
    a port. ``*`` matches every host. Raises `ValueError` for a proxy without a host.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    proxy = proxies.get(parts.scheme)
    if not proxy or is_loopback(host) or host.endswith(".localhost"):
        return {}
    if _is_exempt(host, parts.port or _PORTS.get(parts.scheme, 0), proxies.get("no_proxy", "")):
        return {}
    if not urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname:
        raise InvalidProxyURL("the proxy has no host")
    return {parts.scheme: proxy}


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``no_proxy`` lists a host, alone or with this port.

    The standard library compares names and ports, and knows no networks. requests has a function for both, which writes
    ``no_proxy`` to the environment for the time of each call: with requests in several threads it could stay there.
    """
    literal = f"[{host}]" if ":" in host else host
    if proxy_bypass_environment(f"{literal}:{port}", {"no": no_proxy.replace("*.", ".")}):
        return True
    return any(_contains(entry.strip(), host) for entry in no_proxy.split(","))


def _contains(network: str, host: str) -> bool:
    """Whether a network, or a single address, contains a host's address; False for names."""
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
