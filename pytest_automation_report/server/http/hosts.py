"""Check the address that the server listens on, and the Host headers that it answers.

A foreign site can let its own name resolve to this machine (DNS rebinding): then a browser sends that site's requests
here, and lets the site read the responses. Their Host header has the site's name, so only names that are known to be
ours are answered.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_header = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?").fullmatch
_name = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?").fullmatch


def listening_address(host: str, *, is_remote_allowed: bool) -> Address:
    """Return the address to listen on; raises `SettingError` for a name, or an address that is not allowed."""
    address = _literal("127.0.0.1" if host == "localhost" else host)
    if address is None or not (address.is_loopback or is_remote_allowed):
        hint = "use an address of this machine alone: 127.0.0.1, ::1 or localhost"
        raise SettingError("--host", host, f"{hint}; others need --allow-remote and must be an IP address")
    return address


def answered_hosts(address: Address, names: Iterable[str]) -> frozenset[str]:
    """Return the hosts to answer for besides this machine's own names: the listed ones and the address listened on.

    An address such as 0.0.0.0, which stands for all, is no host of a request. Raises `SettingError` for a name that is
    not a host.
    """
    hosts = set() if address.is_unspecified else {str(address)}
    for name in names:
        host = _normalized(name)
        if _literal(host) is None and not _name(host):
            raise SettingError("--allow-host", name, "use the name or address of a host, without a port")
        hosts.add(host)
    return frozenset(hosts)


def is_answered(header: str | None, hosts: frozenset[str]) -> bool:
    """Return whether a Host header names this machine by a loopback address, as localhost, or by a listed host."""
    match = _header(header or "")
    if match is None:
        return False
    host = _normalized(match["host"])
    address = _literal(host)
    return host == "localhost" or host in hosts or (address is not None and address.is_loopback)


def _normalized(host: str) -> str:
    """Return the spelling of a host in which hosts are compared."""
    address = _literal(host)
    return str(address) if address is not None else host.lower().removesuffix(".")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
