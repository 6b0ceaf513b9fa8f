"""The requests session that our requests go through (floor 2): nothing from the environment, nothing by surprise.

No ``.netrc``, no proxy or CA variables (the settings have read those), no redirects, no cookies, no repeats, a kept
connection for each request at the same time, proxies never for loopback.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

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

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 4
"""Connections that are kept: so many requests can be under way at the same time without making new ones."""

_PORTS = {"http": 80, "https": 443}


class WatchedPool(HTTPConnectionPool):
    """A pool of connections that tell the exchange what they do."""

    ConnectionCls: Any = WatchedConnection


class WatchedTlsPool(HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls: Any = WatchedTlsConnection


_POOLS = {"http": WatchedPool, "https": WatchedTlsPool}


class WatchedAdapter(HTTPAdapter):
    """Sends over watched connections, directly or through an HTTP proxy."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._used_at: float | None = None

    def rest(self) -> None:
        """Close the kept connections if they would not be used again; no request may be under way."""
        if self._used_at is not None and monotonic() - self._used_at > IDLE_SECONDS:
            self._used_at = None
            self.close()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - requests' own signature
        """Return the pools for a proxy; raise for a kind whose connections cannot be watched."""
        if not proxy.lower().startswith(("http://", "https://")):
            raise InvalidProxyURL("only http and https proxies can be used")
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
        """Set the connection up for TLS: the last step before the network, so nothing has been sent so far."""
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
        """Send a request through the proxy that is meant for its address."""
        try:
            return super().send(request, proxies=proxies_for(request.url or "", proxies or {}), **options)
        finally:
            self._used_at = monotonic()


class DirectSession(requests.Session):
    """A session that looks at no redirect, not even to describe it: requests would read its whole body first."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return no target, whatever the answer says."""
        del resp
        return None


def new_session(*, proxies: Mapping[str, str], ca_file: str) -> requests.Session:
    """Return a session that obeys its arguments alone; whoever asks for it closes it.

    ``proxies`` has values for ``http``, ``https`` and ``no_proxy``; ``ca_file`` is the path of a CA bundle, empty for
    the built-in one.
    """
    session = DirectSession()
    session.trust_env = False
    session.verify = ca_file or True
    session.proxies.update(proxies)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update(
        {
            "User-Agent": f"pytest-automation-report/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
    )
    adapter = WatchedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def proxies_for(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy for an address by its scheme; empty for loopback and for what ``no_proxy`` names.

    ``no_proxy`` lists hosts, domains (with or without a leading dot), addresses and networks, each but the last with
    an optional port; ``*`` is everything. Raises `ValueError` for a proxy without a host.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    proxy = proxies.get(parts.scheme)
    if not proxy or _is_loopback(host):
        return {}
    port = parts.port or _PORTS.get(parts.scheme, 0)
    entries = (each.strip().lower() for each in proxies.get("no_proxy", "").split(","))
    if any(_names(each, host, port) for each in entries if each):
        return {}
    if not urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname:
        raise InvalidProxyURL("the proxy has no host")
    return {parts.scheme: proxy}


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _names(entry: str, host: str, port: int) -> bool:
    """Return whether an entry of ``no_proxy`` names the host."""
    if entry == "*":
        return True
    address = _address(host)
    if address and "/" in entry:
        try:
            return address in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        entry = name
    if address:
        return _address(entry.strip("[]")) == address
    domain = entry.removeprefix("*").removeprefix(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
