"""Parse what names a place on the network: of a server with its proxies and certificates, a database, artifacts.

A URL can hold a password, so no message of this module has a URL that `shown_address` did not clean.
"""

from __future__ import annotations

import ipaddress
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from pytest_automation_report.api.models import (
    DEFAULT_PORTS,
    ArtifactStoreConfig,
    PostgresDatabase,
    is_bucket,
    is_loopback,
    shown_address,
    shown_store,
    template_for,
)
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.settings import Settings, find_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.settings.parsers import RawSetting

_BAD_CHARACTERS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]|\s")
# Wider than the standard: names of containers and of test machines have underscores.
_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(\.{_LABEL})*\.?")
_API_PATH: Final = "/api/v1"
_HOST_HINT: Final = "write https://HOST or https://HOST:PORT, with a port from 1 to 65535"
_CERTIFICATE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def origin_from(address: str, spelling: str, *, is_http_allowed: bool, http_hint: str) -> str:
    """Return scheme, host and port of a server's URL; an international host name in its ASCII form.

    Raises SettingError for anything but a plain web address. ``http_hint`` is the hint for a URL without TLS on
    another machine: it names the setting that allows it.
    """
    try:
        split = urlsplit(address)
        scheme, host, port = split.scheme, _host(split), split.port
        hint = _hint(address, split)
    except ValueError:
        scheme, host, port, hint = "", "", None, _spelling_hint(address) or _HOST_HINT
    if not hint and scheme == "http" and not (is_http_allowed or is_loopback(host)):
        hint = f"the token would be sent unencrypted: {http_hint}"
    if hint:
        raise SettingError(spelling, shown_address(address), hint)
    # An IPv6 address stands in brackets; a default port is left out, so that equal servers have equal origins.
    literal = f"[{host}]" if ":" in host else host
    return f"{scheme}://{literal}" + ("" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}")


def is_loopback_origin(origin: str) -> bool:
    """Whether an origin of `origin_from` is this machine by its spelling alone."""
    return is_loopback(urlsplit(origin).hostname or "")


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


def _hint(address: str, split: SplitResult) -> str:
    """Return the hint for a server's URL that cannot be used, empty for a valid one."""
    checks = (
        (split.scheme not in DEFAULT_PORTS, "write https:// (or http://) before the host"),
        ("@" in split.netloc, "write it without user and password; the token comes from AUTOMATION_REPORT_TOKEN"),
        ("?" in address or "#" in address, "write it without query and fragment"),
        (split.port == 0, _HOST_HINT),
        (split.path.rstrip("/") not in ("", _API_PATH), f"write scheme and host alone, or with {_API_PATH}"),
    )
    return _spelling_hint(address) or next((hint for is_wrong, hint in checks if is_wrong), "")


def _spelling_hint(address: str) -> str:
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


def certificates(raw: RawSetting, root: Path) -> str:
    """Return the path of the certificates that a setting names; a relative one starts from ``root``."""
    path = root / parsers.path(raw)
    if not _is_readable(path):
        raise SettingError(raw.origin, raw.value, f"name a file of certificates that can be read; {path} cannot")
    return str(path)


def standard_certificates(environ: Mapping[str, str]) -> str:
    """Return the certificates that the standard variables name, empty for the built-in ones."""
    name = next((name for name in _CERTIFICATE_VARIABLES if environ.get(name, "").strip()), None)
    if name is None:
        return ""
    path = Path(environ[name].strip()).absolute()
    if not _is_readable(path):
        raise SettingError(name, environ[name].strip(), "name a file of certificates that can be read, or unset it")
    return str(path)


def _is_readable(path: Path) -> bool:
    """Whether certificates can be read, from a file or from a folder of hashed ones."""
    try:
        return (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


_SCHEMES: Final = ("postgresql", "postgres")
_PORT: Final = r"\[[^\]]*\](?::[0-9]{0,5})?|[^:\[\]]*(?::[0-9]{0,5})?"
_HINT: Final = (
    "write postgresql://USER@HOST:PORT/DATABASE, with special characters of user and password as % and two hex"
    " digits (@ is %40), or leave the password to PGPASSWORD or a .pgpass file"
)


def postgres_database(raw: RawSetting) -> PostgresDatabase | None:
    """Return the database that the setting ``database`` names, None for a file; no error shows the password."""
    text = raw.value.strip() if isinstance(raw.value, str) else ""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if scheme is None:
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise SettingError(raw.origin, f"{scheme[1]}://", f"name a file, or {_HINT}")
    rest = text[scheme.end() :]
    url = f"{_SCHEMES[0]}://{rest}"
    try:
        split = urlsplit(url)
    except ValueError:
        raise SettingError(raw.origin, f"{scheme[1]}://", _HINT) from None
    user, _, hosts = split.netloc.rpartition("@")
    # A password with an unescaped "/", "#" or "@" ends its part too early: the rest would be shown as host or path.
    is_clear = rest.count("@") <= 1 and ("@" in split.netloc) == ("@" in rest) and not split.fragment
    if (
        not is_clear
        or re.search(r"[\s\x00-\x1f\x7f]", rest)
        or not all(re.fullmatch(_PORT, host) for host in hosts.split(","))
    ):
        raise SettingError(raw.origin, f"{scheme[1]}://", _HINT)
    name = f"{user.partition(':')[0]}@" if user else ""
    return PostgresDatabase(url, f"{_SCHEMES[0]}://{name}{hosts}{split.path}")


_VARIABLES: Final = ("AWS_", "GOOGLE_", "AZURE_", "MSI_", "IDENTITY_")
_OTHER_VARIABLES: Final = frozenset({"HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE"})


def artifact_store(
    settings: Settings, environ: Mapping[str, str], root: Path
) -> tuple[ArtifactStoreConfig | None, str]:
    """Return the user's artifact store, None without a usable one, and a warning, empty without one.

    Raises `SettingError` for a bucket without the packages that reach it, except if the environment names the bucket.
    """
    address = settings.artifact_store
    if not address:
        return None, ""
    url = files_template(settings, environ, root)
    if settings.artifact_url and not url:
        reason = f"a value that {settings.artifact_url} needs is unknown"
        return None, f"artifact_url: {reason}: artifacts are not stored in {shown_store(address)}"
    if not is_bucket(address):
        return ArtifactStoreConfig(address, url), ""
    origin = settings.origins.get("artifact_store", "artifact_store")
    if (error := bucket_error(address, origin)) is not None:
        if origin != find_setting("artifact_store").environment:
            raise error
        return None, str(error)
    # Credentials are read at once, from the variables that the providers' own tools read: tests may change them.
    variables = {
        name: value
        for name, value in environ.items()
        if name.startswith(_VARIABLES) or name.upper() in _OTHER_VARIABLES
    }
    return ArtifactStoreConfig(address, url, variables), ""


def bucket_error(address: str, origin: str) -> SettingError | None:
    """Return the error of a bucket if the packages that reach it are missing."""
    if find_spec("obstore") is not None:
        return None
    hint = "a bucket needs packages that are not installed: pip install 'obstore>=0.10'"
    return SettingError(origin, shown_store(address), hint)


def files_template(settings: Settings, environ: Mapping[str, str], root: Path) -> str:
    """Return ``artifact_url`` with the facts of the build filled in, empty if one of them is unknown."""
    if not settings.artifact_url:
        return ""
    needs_git = any(f"{{{name}}}" in settings.artifact_url for name in ("branch", "commit"))
    facts = facts_for(settings.build_info, "all" if needs_git else "ci", environ, root)
    return template_for(settings.artifact_url, facts.template_values())
