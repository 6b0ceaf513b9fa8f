"""Resolve address, project, proxies and certificates to one endpoint, and the user's store of artifacts.

Also parses the address of a PostgreSQL database: messages show it without the password.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, ArtifactStoreConfig, Endpoint, PostgresDatabase
from pytest_automation_report.api.urls import (
    is_bucket,
    is_loopback_origin,
    origin_from,
    proxies_from,
    shown_address,
    shown_store,
    template_for,
)
from pytest_automation_report.ci.detection import facts_for
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.settings import setting_of
from pytest_automation_report.settings.sources import spelled_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.settings.parsers import RawSetting
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.settings.sources import Resolver

_EMBEDDED_PROJECT: Final = 1
_CERTIFICATE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SCHEMES: Final = ("postgresql", "postgres")
_PORT: Final = r"\[[^\]]*\](?::[0-9]{0,5})?|[^:\[\]]*(?::[0-9]{0,5})?"
_REMEDY: Final = (
    "write postgresql://USER@HOST:PORT/DATABASE, with special characters of user and password as % and two hex"
    " digits (@ is %40), or leave the password to PGPASSWORD or a .pgpass file"
)


def endpoint_from(
    resolver: Resolver,
    environ: Mapping[str, str],
    root: Path,
    *,
    project_id: int | None,
    database: Path,
    is_http_allowed: bool,
) -> Endpoint:
    """Return the endpoint that results are sent to; without an address, the embedded store in the database file.

    An invalid address in the environment becomes empty, an invalid project 0. Proxies and the standard variables for
    certificates are read for servers on other machines only.
    """
    ca_file = resolver.value("ca_file", lambda raw: _certificates(raw, root), "")
    url = resolver.raw_settings.get("url")
    if url is None:
        return Endpoint(EMBEDDED_ORIGIN, project_id or _EMBEDDED_PROJECT, str(database), ca_file=ca_file)
    origin = resolver.value("url", lambda raw: _origin(raw, is_http_allowed=is_http_allowed), "")
    if project_id is None and not resolver.refused & {"project_id", "url"}:
        server = f"{shown_address(str(url.value))} ({url.origin})"
        remedy = f"name the project at {server} that results go to: {parsers.IDENTIFIERS}"
        error = SettingError(spelled_like("project_id", url), None, remedy, reason="missing")
        resolver.refuse("project_id", error, url)
    scheme = origin.partition("://")[0]
    proxies: dict[str, str] = {}
    if origin and not is_loopback_origin(origin):
        proxies, warnings = proxies_from(environ)
        if scheme in warnings:
            # An invalid one for the address's scheme keeps results from being sent.
            resolver.block(warnings[scheme])
    if scheme == "https" and not ca_file and "ca_file" not in resolver.refused:
        ca_file = _standard_certificates(resolver, environ)
    return Endpoint(origin, project_id or 0, proxies=proxies, ca_file=ca_file)


def _origin(raw: RawSetting, *, is_http_allowed: bool) -> str:
    """Return the server's scheme, host and port."""
    remedy = f"write https://, or allow it with {spelled_like('allow_http', raw)}"
    # `origin_from` refuses control characters itself: its message shows no password, that of the text parser would.
    address = raw.value if isinstance(raw.value, str) else parsers.text(raw)
    return origin_from(address, raw.origin, is_http_allowed=is_http_allowed, http_remedy=remedy)


def _certificates(raw: RawSetting, root: Path) -> str:
    """Return the absolute path of a readable file of certificates."""
    path = root.absolute() / parsers.path(raw)
    if not _is_readable(path):
        raise SettingError(raw.origin, raw.value, f"name a file of certificates that can be read; {path} is none")
    return str(path)


def _standard_certificates(resolver: Resolver, environ: Mapping[str, str]) -> str:
    """Return the certificates that the standard variables name, empty for the built-in ones."""
    for name in _CERTIFICATE_VARIABLES:
        value = environ.get(name, "").strip()
        if value:
            path = Path(value).absolute()
            if _is_readable(path):
                return str(path)
            remedy = "name a file of certificates that can be read, or unset it"
            resolver.block(str(SettingError(name, value, remedy)))
            return ""
    return ""


def _is_readable(path: Path) -> bool:
    """Return whether certificates can be read: from a file, or from a folder of hashed ones."""
    try:
        return (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def postgres_database(raw: RawSetting) -> PostgresDatabase | None:
    """Return the database that a value of the setting ``database`` names, ``None`` if it names a file.

    Raises `SettingError`, without the password, for an invalid address and for one of another kind of database.
    """
    text = raw.value.strip() if isinstance(raw.value, str) else ""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if scheme is None:
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise SettingError(raw.origin, f"{scheme[1]}://", f"name a file, or {_REMEDY}")
    rest = text[scheme.end() :]
    url = f"{_SCHEMES[0]}://{rest}"
    try:
        split = urlsplit(url)
    except ValueError:
        raise SettingError(raw.origin, f"{scheme[1]}://", _REMEDY) from None
    user, _, hosts = split.netloc.rpartition("@")
    # A password with an unescaped "/", "#" or "@" ends its part too early: the rest would be shown as host or path.
    is_clear = rest.count("@") <= 1 and ("@" in split.netloc) == ("@" in rest) and not split.fragment
    if (
        not is_clear
        or re.search(r"[\s\x00-\x1f\x7f]", rest)
        or not all(re.fullmatch(_PORT, host) for host in hosts.split(","))
    ):
        raise SettingError(raw.origin, f"{scheme[1]}://", _REMEDY)
    name = f"{user.partition(':')[0]}@" if user else ""
    return PostgresDatabase(url, f"{_SCHEMES[0]}://{name}{hosts}{split.path}")


_INSTALL: Final = "pip install 'obstore>=0.10'"

_VARIABLES: Final = ("AWS_", "GOOGLE_", "AZURE_", "MSI_", "IDENTITY_")
_OTHER_VARIABLES: Final = frozenset({"HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE"})


def artifact_store(
    settings: Settings, environ: Mapping[str, str], root: Path
) -> tuple[ArtifactStoreConfig | None, str]:
    """Return the user's artifact store, None without a usable one, and a warning, empty without one.

    Raises `SettingError` for a bucket without the packages that reach it, except if the environment names the bucket.
    Credentials are read at once, from the same variables as the providers' own tools read: tests may change them.
    """
    address = settings.artifact_store
    if not address:
        return None, ""
    url = _template(settings, environ, root)
    if settings.artifact_url and not url:
        reason = f"a value that {settings.artifact_url} needs is unknown"
        return None, f"artifact_url: {reason}: artifacts are not stored in {shown_store(address)}"
    if not is_bucket(address):
        return ArtifactStoreConfig(address, url), ""
    if find_spec("obstore") is None:
        origin = settings.origins.get("artifact_store", "artifact_store")
        remedy = f"a bucket needs packages that are not installed: {_INSTALL}"
        error = SettingError(origin, shown_store(address), remedy)
        if origin != setting_of("artifact_store").environment:
            raise error
        return None, str(error)
    variables = {
        name: value
        for name, value in environ.items()
        if name.startswith(_VARIABLES) or name.upper() in _OTHER_VARIABLES
    }
    return ArtifactStoreConfig(address, url, variables), ""


def files_template(settings: Settings, environ: Mapping[str, str], root: Path) -> str:
    """Return the template of the addresses of files that are not copied, empty if artifacts are stored."""
    return "" if settings.artifact_store else _template(settings, environ, root)


def _template(settings: Settings, environ: Mapping[str, str], root: Path) -> str:
    """Return ``artifact_url`` with the facts of the build filled in, empty if one of them is unknown."""
    if not settings.artifact_url:
        return ""
    needs_git = any(f"{{{name}}}" in settings.artifact_url for name in ("branch", "commit"))
    facts = facts_for(settings.build_info, "all" if needs_git else "ci", environ, root)
    return template_for(settings.artifact_url, facts.template_values())
