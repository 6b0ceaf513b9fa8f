"""Where results go: address, project, proxies and certificates, resolved to one endpoint (floor 1)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report import values
from pytest_automation_report.address import is_loopback_origin, origin_from, proxies_from, shown_address
from pytest_automation_report.errors import SettingError
from pytest_automation_report.model import EMBEDDED_ORIGIN, Endpoint
from pytest_automation_report.resolution import Resolution, absolute_path, spelled_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.given import Given

__all__ = ["endpoint_from"]

_EMBEDDED_PROJECT: Final = 1
_CERTIFICATE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def endpoint_from(
    found: Resolution,
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


def _origin(given: Given, *, is_http_allowed: bool) -> str:
    """Return the server's scheme, host and port."""
    remedy = f"write https://, or allow it with {spelled_like('allow_http', given)}"
    # Whether it is one line of printable characters is for the address to tell: its message shows no password.
    address = given.value if isinstance(given.value, str) else values.text(given)
    return origin_from(address, given.origin, is_http_allowed=is_http_allowed, http_remedy=remedy)


def _certificates(given: Given, root: Path) -> str:
    """Return the absolute path of a file of certificates that can be read."""
    path = absolute_path(values.text(given), root)
    if not _is_readable(path):
        raise SettingError(given.origin, given.value, f"name a file of certificates that can be read; {path} is none")
    return str(path)


def _standard_certificates(found: Resolution, environ: Mapping[str, str]) -> str:
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


def _proxies(found: Resolution, environ: Mapping[str, str], scheme: str) -> dict[str, str]:
    """Return the proxies; a wrong one that this address needs keeps results from being sent."""
    proxies, troubles = proxies_from(environ)
    if scheme in troubles:
        found.hinder(troubles[scheme])
    return proxies
