"""Parse and check the URLs that users set: of the server, of links, of proxies, and templates for those of files.

A URL can hold a password, so no message of this module has a URL that `shown_address` did not clean.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, quote, urlsplit

from pytest_automation_report.errors import SettingError
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping


# The schemes of web addresses, each with the port of an address that names none.
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_BAD_CHARACTERS: Final = lazy_pattern(r"[\x00-\x20\x7f-\xa0\\]|\s")
# Wider than the standard: names of containers and of test machines have underscores.
_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = lazy_pattern(rf"(?=.{{1,254}}\Z){_LABEL}(\.{_LABEL})*\.?")
_API_PATH: Final = "/api/v1"
_HOST_REMEDY: Final = "write https://HOST or https://HOST:PORT, with a port from 1 to 65535"
_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def origin_from(address: str, spelling: str, *, is_http_allowed: bool, http_remedy: str) -> str:
    """Return scheme, host and port of a server's URL; an international host name in its ASCII form.

    Raises SettingError for anything but a plain web address. ``http_remedy`` is the hint for a URL without TLS on
    another machine: it names the setting that allows it.
    """
    try:
        split = urlsplit(address)
        scheme, host, port = split.scheme, _host(split), split.port
        remedy = _remedy(address, split)
    except ValueError:
        scheme, host, port, remedy = "", "", None, _spelling_remedy(address) or _HOST_REMEDY
    if not remedy and scheme == "http" and not (is_http_allowed or is_loopback(host)):
        remedy = f"the token would travel in the clear: {http_remedy}"
    if remedy:
        raise SettingError(spelling, shown_address(address), remedy)
    # An IPv6 address stands in brackets; a default port is left out, so that equal servers have equal origins.
    literal = f"[{host}]" if ":" in host else host
    return f"{scheme}://{literal}" + ("" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}")


def shown_address(address: str) -> str:
    """Return a URL for a message: without user, password, query and fragment, which may be secrets."""
    shown = re.sub(r"[?#].*", lambda match: match[0][0] + "***", address, flags=re.DOTALL)
    if "@" not in address:
        return shown
    # The last "@": a password may contain one. This must also hide the password of a URL that cannot be parsed.
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address)
    rest = address.rpartition("@")[2]
    return (scheme[0] if scheme else "") + "***@" + re.sub(r"[?#].*", "", rest, flags=re.DOTALL)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its spelling alone, which no name server can change."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
    return any(address in network for network in _LOOPBACK)


def is_loopback_origin(origin: str) -> bool:
    """Whether an origin of `origin_from` is this machine by its spelling alone."""
    return is_loopback(urlsplit(origin).hostname or "")


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https URL that a page can link to."""
    # Most values of fields are no URLs. Parsing takes 7 us in pytest's process, and this first check 1 us.
    return text[:4].lower() == "http" and not web_address_hint(text)


def web_address_hint(address: str) -> str:
    """Return the hint for a text that a page cannot link to, empty for a valid web address."""
    # Not printable are also all spaces but one, and the characters that turn the direction of writing around.
    if not address.isprintable() or " " in address or "\\" in address:
        return "write a web address without spaces"
    try:
        split = urlsplit(address)
        is_web = split.scheme in DEFAULT_PORTS and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        is_web = False
    return "" if is_web else "write a web address that begins with https:// or http://"


def proxies_from(environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the proxies of the standard variables by scheme, as requests expects them, and warnings by scheme.

    A warning has the variable's name and never its value, which may hold a password.
    """
    proxies: dict[str, str] = {}
    warnings: dict[str, str] = {}
    for scheme in DEFAULT_PORTS:
        name, value = _standard(environ, f"{scheme}_proxy")
        if not value:
            name, value = _standard(environ, "all_proxy")
        if not value:
            continue
        proxy = value if "://" in value else f"http://{value}"
        if _is_proxy(proxy):
            proxies[scheme] = proxy
        else:
            warnings[scheme] = f"{name}: its value is not a proxy URL: write http://HOST:PORT"
    exceptions = _standard(environ, "no_proxy")[1]
    if exceptions:
        proxies["no_proxy"] = exceptions
    return proxies, warnings


def _standard(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return name and value of a standard variable; an empty one in lower case hides the one in upper case."""
    # A CGI server sets HTTP_PROXY from a request's "Proxy" header ("httpoxy").
    is_in_cgi = name == "http_proxy" and "REQUEST_METHOD" in environ
    spelling = name if name in environ or is_in_cgi else name.upper()
    return spelling, environ.get(spelling, "").strip()


def _is_proxy(proxy: str) -> bool:
    try:
        split = urlsplit(proxy)
        is_whole = bool(_host(split)) and split.port != 0
    except ValueError:
        return False
    is_clean = not _BAD_CHARACTERS.search(proxy)
    return is_clean and is_whole and split.scheme in DEFAULT_PORTS and split.path in ("", "/")


def _remedy(address: str, split: SplitResult) -> str:
    """Return the hint for a server's URL that cannot be used, empty for a valid one."""
    checks = (
        (split.scheme not in DEFAULT_PORTS, "write https:// (or http://) in front of the host"),
        ("@" in split.netloc, "write it without user and password; the token comes from AUTOMATION_REPORT_TOKEN"),
        ("?" in address or "#" in address, "write it without query and fragment"),
        (split.port == 0, _HOST_REMEDY),
        (split.path.rstrip("/") not in ("", _API_PATH), f"write scheme and host alone, or with {_API_PATH}"),
    )
    return _spelling_remedy(address) or next((remedy for is_wrong, remedy in checks if is_wrong), "")


def _spelling_remedy(address: str) -> str:
    """Return the hint for a text that is not a URL at all, empty if it looks like one."""
    if "://" not in address:
        return f"write https://{shown_address(address.lstrip('/'))}"
    if _BAD_CHARACTERS.search(address):
        return "write it without spaces, backslashes and control characters"
    return ""


def _host(split: SplitResult) -> str:
    """Return the host as requests expects it; ValueError for an invalid one."""
    host = split.hostname or ""
    if "[" in split.netloc:
        # A zone such as fe80::1%eth0 is valid on one machine only: the slash makes the address invalid.
        return str(ipaddress.IPv6Address(host.replace("%", "/")))
    if not host.isascii():
        import idna  # noqa: PLC0415  # requests brings it, and encodes as it does; few hosts need it

        host = idna.encode(host, uts46=True).decode("ascii")  # its errors are ValueErrors
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(host)
    return host


# Header of all responses of a server of ours, with the largest size of an artifact file in bytes. Only a server that
# sends it gets requests that are not in the contract.
KEEPS_HEADER: Final = "Automation-Report-Artifacts"
ARTIFACTS_PATH: Final = "/artifacts"  # to which artifact files are uploaded

# Placeholders of templates that differ from file to file, and those that are the same for the whole session.
OF_FILE: Final = ("path", "name")
OF_RUN: Final = ("build", "attempt", "shard", "branch", "commit", "job_url")
# URL schemes of buckets that can store artifacts.
BUCKETS: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")

_BRACED: Final = lazy_pattern(r"\{([^{}]*)\}")
_UNSAFE: Final = lazy_pattern(r"[^\w.,+@() -]")


def is_bucket(store: str) -> bool:
    """Whether a store is a bucket and not a folder."""
    return store.partition("://")[0] in BUCKETS and "://" in store


def shown_store(store: str) -> str:
    """Return the address of a store for a message: of a bucket without keys."""
    return shown_address(store) if is_bucket(store) else store


def braced(template: str) -> list[str]:
    """Return the names of a template's placeholders."""
    return _BRACED.findall(template)


def template_for(template: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders of `OF_RUN`; return an empty text if the value of one is missing."""
    if any(name not in values for name in braced(template) if name not in OF_FILE):
        return ""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def address_of(template: str, path: str, name: str) -> str:
    """Return the URL of one file; to a template without placeholders of `OF_FILE` the path is appended."""
    values = {"path": quote(path, safe="/"), "name": quote(name, safe="")}
    if not any(placeholder in values for placeholder in braced(template)):
        return f"{template.rstrip('/')}/{values['path']}"
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_name(name: str) -> str:
    """Return a file name that is valid on all systems: without its folder, and only the end of a long one."""
    last_part = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", last_part)[-100:].strip(" .") or "file"
