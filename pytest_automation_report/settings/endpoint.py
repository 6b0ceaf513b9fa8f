"""Where results go: address, project, proxies and certificates, resolved to one endpoint.

The address of a PostgreSQL database, as a user writes it and as it may be shown.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Endpoint, PostgresDatabase
from pytest_automation_report.api.urls import is_loopback_origin, origin_from, proxies_from, shown_address
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers as values
from pytest_automation_report.settings.resolver import SettingsResolver, absolute_path, spelled_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.settings.sources import RawSetting

__all__ = [
    "PostgresDatabase",
    "endpoint_from",
    "postgres_database",
]

_EMBEDDED_PROJECT: Final = 1
_CERTIFICATE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def endpoint_from(
    found: SettingsResolver,
    environ: Mapping[str, str],
    root: Path,
    *,
    database: Path,
    is_http_allowed: bool,
) -> Endpoint:
    """Return where results go; without an address, the embedded store in the database file.

    An address or project of the environment that cannot be used is left empty or 0. Proxies and the standard variables
    for certificates are read for servers on other machines only.
    """
    project_id = found.value("project_id", values.identifier, None)
    ca_file = found.value("ca_file", lambda given: _certificates(given, root), "")
    url = found.given.get("url")
    if url is None:
        return Endpoint(EMBEDDED_ORIGIN, project_id or _EMBEDDED_PROJECT, str(database), ca_file=ca_file)
    origin = found.value("url", lambda given: _origin(given, is_http_allowed=is_http_allowed), "")
    if project_id is None and not found.refused & {"project_id", "url"}:
        place = f"{shown_address(str(url.value))} ({url.origin})"
        remedy = f"name the project at {place} that results go to: {values.IDENTIFIERS}"
        error = SettingError(spelled_like("project_id", url), None, remedy, reason="missing")
        found.refuse("project_id", error, url)
    scheme = origin.partition("://")[0]
    proxies: dict[str, str] = {}
    if origin and not is_loopback_origin(origin):
        proxies = _proxies(found, environ, scheme)
    if scheme == "https" and not ca_file and "ca_file" not in found.refused:
        ca_file = _standard_certificates(found, environ)
    return Endpoint(origin, project_id or 0, proxies=proxies, ca_file=ca_file)


def _origin(given: RawSetting, *, is_http_allowed: bool) -> str:
    """Return the server's scheme, host and port."""
    remedy = f"write https://, or allow it with {spelled_like('allow_http', given)}"
    # Whether it is one line of printable characters is for the address to tell: its message shows no password.
    address = given.value if isinstance(given.value, str) else values.text(given)
    return origin_from(address, given.origin, is_http_allowed=is_http_allowed, http_remedy=remedy)


def _certificates(given: RawSetting, root: Path) -> str:
    """Return the absolute path of a file of certificates that can be read."""
    path = absolute_path(values.text(given), root)
    if not _is_readable(path):
        raise SettingError(given.origin, given.value, f"name a file of certificates that can be read; {path} is none")
    return str(path)


def _standard_certificates(found: SettingsResolver, environ: Mapping[str, str]) -> str:
    """Return the certificates that the standard variables name, empty for the built-in ones."""
    for name in _CERTIFICATE_VARIABLES:
        value = environ.get(name, "").strip()
        if value:
            path = Path(value).absolute()
            if _is_readable(path):
                return str(path)
            remedy = "name a file of certificates that can be read, or unset it"
            found.hinder(str(SettingError(name, value, remedy)))
            return ""
    return ""


def _is_readable(path: Path) -> bool:
    """Return whether certificates can be read: from a file, or from a folder of hashed ones."""
    try:
        return (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def _proxies(found: SettingsResolver, environ: Mapping[str, str], scheme: str) -> dict[str, str]:
    """Return the proxies; a wrong one that this address needs keeps results from being sent."""
    proxies, troubles = proxies_from(environ)
    if scheme in troubles:
        found.hinder(troubles[scheme])
    return proxies


_SCHEMES: Final = ("postgresql", "postgres")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PORT = re.compile(r"\[[^\]]*\](?::[0-9]{0,5})?|[^:\[\]]*(?::[0-9]{0,5})?").fullmatch
_BAD_CHARACTERS = re.compile(r"[\s\x00-\x1f\x7f]")
_REMEDY: Final = (
    "write postgresql://USER@HOST:PORT/DATABASE, with special characters of user and password as % and two hex"
    " digits (@ is %40), or leave the password to PGPASSWORD or a .pgpass file"
)


def postgres_database(given: RawSetting) -> PostgresDatabase | None:
    """Return the database that a value of the setting ``database`` names, ``None`` when it names a file.

    Raises `SettingError` for an address that is none, or of another kind of database; it shows no password.
    """
    text = given.value.strip() if isinstance(given.value, str) else ""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise SettingError(given.origin, f"{scheme[1]}://", f"name a file, or {_REMEDY}")
    rest = text[scheme.end() :]
    url = f"{_SCHEMES[0]}://{rest}"
    try:
        split = urlsplit(url)
    except ValueError:
        raise SettingError(given.origin, f"{scheme[1]}://", _REMEDY) from None
    user, _, hosts = split.netloc.rpartition("@")
    # What stands behind a character that ends a part too early could be the rest of a password.
    is_clear = rest.count("@") <= 1 and ("@" in split.netloc) == ("@" in rest) and not split.fragment
    if not is_clear or _BAD_CHARACTERS.search(rest) or not all(map(_PORT, hosts.split(","))):
        raise SettingError(given.origin, f"{scheme[1]}://", _REMEDY)
    name = f"{user.partition(':')[0]}@" if user else ""
    return PostgresDatabase(url, f"{_SCHEMES[0]}://{name}{hosts}{split.path}")
