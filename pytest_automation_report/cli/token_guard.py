"""Send the user's token only where the user, and not only an ini file, allows it.

A command may run in a stranger's checkout, whose ini file is not trusted: an address, token file, certificates or plain
HTTP from it are used for a token only if the user has named them, too, or has used them before. Pytest needs no such
guard: it runs the checkout's conftest.py, which can read the environment anyway.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.api.urls import is_loopback_origin
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.configuration import token_for
from pytest_automation_report.settings.known_addresses import KnownAddresses
from pytest_automation_report.settings.table import setting
from pytest_automation_report.settings.token import token_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import PostgresDatabase, Token
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.settings.ini_file import ProjectIni
    from pytest_automation_report.settings.sources import RawSetting


def token_to_send(
    configuration: Configuration, given: Mapping[str, RawSetting], environ: Mapping[str, str], ini: ProjectIni
) -> tuple[Configuration, Token | None]:
    """Return the token that may be sent, None with the reason as the configuration's hindrance.

    An allowed address is stored, so that the ini file is enough from then on. Raises `SettingError` for a mistake in
    the user's list of addresses.
    """
    if configuration.endpoint.is_embedded:
        return configuration, None
    guard = _Guard(configuration, given, ini)
    trouble = guard.token_file_trouble(environ)
    if trouble:
        return _hindered(configuration, trouble), None
    configuration, token = token_for(configuration, environ)
    if token is None or not configuration.is_sendable:
        return configuration, token
    known = KnownAddresses(environ, ini.root)
    trouble = guard.address_trouble(known)
    if trouble:
        return _hindered(configuration, "; ".join([trouble, *known.warnings()])), None
    known.remember(configuration.url, guard.ca_file())
    return configuration, token


def check_database(given: RawSetting, database: PostgresDatabase, ini: ProjectIni) -> None:
    """Raise `SettingError` for a database server that only an ini file names: it would get the user's password."""
    if given.source == "ini file":
        remedy = f"an ini file cannot choose who gets your database password: name it with {_named('database')}"
        raise SettingError(f"{ini.path}: {setting('database').ini}", database.shown, remedy)


@dataclass(frozen=True, slots=True)
class _Guard:
    """The checks of one command's settings. Each returns the error for the user, "" if the token may be sent."""

    configuration: Configuration
    given: Mapping[str, RawSetting]
    ini: ProjectIni

    def token_file_trouble(self, environ: Mapping[str, str]) -> str:
        """Check that a token file of an ini file is below the project's folder.

        With a token in the environment the file is not read, so it is not checked either.
        """
        if not self._is_of_ini("token_file") or token_from(environ, "").is_configured:
            return ""
        real = Path(os.path.realpath(self.configuration.token_file))
        if real.is_relative_to(os.path.realpath(self.ini.root)):
            return ""
        remedy = f"an ini file can only name a file below {self.ini.root}: name this one with {_named('token_file')}"
        return str(SettingError(self._place("token_file"), self.given["token_file"].value, remedy))

    def address_trouble(self, known: KnownAddresses) -> str:
        """Check the address, and the way to it: plain HTTP, and certificates to trust."""
        origin = self.configuration.url
        not_sent = f"the token is not sent to {origin}"
        is_known = known.is_used(origin) or known.is_listed(origin)
        if self._is_of_ini("url") and not is_known:
            return (
                f"{not_sent}: only an ini file names this address ({self._place('url')}), and no token was sent"
                f" there before. If you trust it, name it with --url {origin} or {setting('url').environment},"
                f" or write it into {known.list_file or 'a list in your home folder'}"
            )
        if self._is_of_ini("allow_http") and _is_clear(origin) and not is_known:
            return (
                f"{not_sent}: it would travel in the clear, which only an ini file allows"
                f" ({self._place('allow_http')}). Use https://, or allow it with {_named('allow_http')}"
            )
        ca_file = self.ca_file()
        if self._is_of_ini("ca_file") and ca_file and not known.is_used(origin, ca_file):
            return (
                f"{not_sent}: only an ini file names the certificates to trust ({self._place('ca_file')}), and they"
                f" were not used before. If you trust them, name {ca_file} with {_named('ca_file')}"
            )
        return ""

    def ca_file(self) -> str:
        """Return the path of the certificates that a setting names, "" without the setting or without TLS."""
        is_used = "ca_file" in self.given and self.configuration.url.startswith("https:")
        return self.configuration.ca_file if is_used else ""

    def _is_of_ini(self, name: str) -> bool:
        return name in self.given and self.given[name].source == "ini file"

    def _place(self, name: str) -> str:
        """Return the source of a setting for an error message, an ini file by its whole path."""
        return f"{self.ini.path}: {setting(name).ini}" if self._is_of_ini(name) else self.given[name].origin


def _named(name: str) -> str:
    each = setting(name)
    return f"{each.plain_option} or {each.environment}"


def _is_clear(origin: str) -> bool:
    return origin.startswith("http:") and not is_loopback_origin(origin)


def _hindered(configuration: Configuration, trouble: str) -> Configuration:
    """Return the configuration with the reason why nothing is sent."""
    return replace(
        configuration,
        warnings=(*configuration.warnings, trouble),
        blocking_error=configuration.blocking_error or trouble,
    )
