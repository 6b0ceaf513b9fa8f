"""Read settings without pytest, and send the user's token only where the user allows it, not the ini file alone.

The console command may run in a stranger's checkout, whose ini file is not trusted: an address, token file,
certificates or plain HTTP from it are used for a token only if the user has named them, too, or has used them before.
pytest needs no such guard: it runs the checkout's conftest.py, which can read the environment anyway. It only adds to
the used addresses.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.resolver import raw_setting, toml_document, user_place
from pytest_automation_report.settings.servers import is_loopback_origin, origin_from
from pytest_automation_report.settings.settings import SETTINGS, Settings, find_setting
from pytest_automation_report.settings.token import token_for, token_from
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import PostgresDatabase, Token
    from pytest_automation_report.settings.parsers import RawSetting

_SECTIONS: Final[Mapping[str, str]] = {
    "pytest.toml": "pytest",
    ".pytest.toml": "pytest",
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "pyproject.toml": "tool.pytest",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
"""pytest's section of each ini file, in the order in which pytest looks for the files in each folder."""


class ProjectIni(Struct, frozen=True):
    """Hold the root folder of a project, its ini file's name (empty without one) and the values in it."""

    root: Path
    name: str = ""
    values: Mapping[str, object] = {}


def project_ini(start: Path) -> ProjectIni:
    """Return the ini file that pytest would use in this folder; raises `SettingError` for one that it would refuse."""
    folders = (start, *start.parents)
    bare: ProjectIni | None = None
    for path in (folder / name for folder in folders for name in _SECTIONS):
        if path.is_file():
            values = _values(path)
            if values is not None:
                return ProjectIni(path.parent, path.name, values)
            if path.name == "pyproject.toml" and bare is None:
                # Without a section it counts only if no other file does: then its folder is the root.
                bare = ProjectIni(path.parent, path.name)
    return bare or ProjectIni(next((folder for folder in folders if (folder / "setup.py").is_file()), start))


def _values(path: Path) -> Mapping[str, object] | None:
    """Return the values of pytest's section, ``None`` when the file has none and so does not count."""
    from iniconfig import IniConfig, ParseError  # noqa: PLC0415 - pytest reads its ini file itself

    try:
        values = _toml_values(path) if path.suffix == ".toml" else _ini_values(path, IniConfig(str(path)).sections)
    except (OSError, ValueError, ParseError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise SettingError(str(path), str(error), "correct the file") from error
    # pytest uses its own files even without a section.
    return {} if values is None and path.stem.lstrip(".") == "pytest" else values


def _ini_values(path: Path, sections: Mapping[str, Mapping[str, str]]) -> Mapping[str, object] | None:
    section = _SECTIONS[path.name]
    if section not in sections and section != "pytest" and "pytest" in sections:
        raise SettingError(str(path), "[pytest]", f"pytest wants the section to be named [{section}] in this file")
    return dict(sections[section]) if section in sections else None


def _toml_values(path: Path) -> Mapping[str, object] | None:
    """Return pytest's values; in pyproject.toml the native table keeps its types, and the older one holds texts."""
    document = toml_document(path)
    if path.name != "pyproject.toml":
        loose = [name for name, value in document.items() if not isinstance(value, dict)]
        if "pytest" not in document and loose:
            raise SettingError(str(path), loose[0], "write it below [pytest]")
        return _table(document.get("pytest"))
    table = _table(_table(document.get("tool")).get("pytest"))
    texts = table.get("ini_options")
    native = {name: value for name, value in table.items() if name != "ini_options"}
    if native and texts:
        raise SettingError(str(path), "[tool.pytest] and [tool.pytest.ini_options]", "keep one of them")
    if native or texts is None:
        return native or None
    return {name: value if isinstance(value, list) else str(value) for name, value in _table(texts).items()}


def _table(value: object) -> Mapping[str, Any]:
    """Return a table of TOML, an empty one for anything else: pytest itself reports that."""
    return value if isinstance(value, dict) else {}


def read_console_settings(
    options: Mapping[str, object], environ: Mapping[str, str], ini: Mapping[str, object], *, ini_name: str = "ini file"
) -> dict[str, RawSetting]:
    """Return the settings of a console command by name: option, then environment, then ini file.

    ``options`` holds the options' values by the settings' names (``None`` where unset); ``ini`` the values of the ini
    file ``ini_name`` by their ini names, as texts or as TOML's own values.
    """
    found: dict[str, RawSetting] = {}
    for setting in SETTINGS:
        option = options.get(setting.name)
        spelled = setting.plain_off_option if option is False else setting.plain_option
        in_file = ini.get(setting.ini), f"{ini_name}: {setting.ini}"
        if raw := raw_setting(setting, (option, spelled), environ, in_file):
            found[setting.name] = raw
    return found


_MOST_BYTES: Final = 1 << 20


class KnownAddresses:
    """Look up the addresses that the user listed by hand, and those that got a token before.

    Used addresses are the names of empty files in a folder, so that several processes can add theirs at once. A list or
    folder counts if the user or root owns it, no other user can write it, and it is not in the checkout that holds
    ``root``: a foreign checkout may be the home folder of a container.
    """

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self.list_file = user_place(environ, "XDG_CONFIG_HOME", ".config", "pytest-automation-report/addresses")
        self._uses = user_place(environ, "XDG_STATE_HOME", ".local/state", "pytest-automation-report/used")

    def is_listed(self, origin: str) -> bool:
        """Whether the user's own list has this address; raises `SettingError` for a line that is no address."""
        text = b""
        if self.list_file is not None and not self._reason(self.list_file):
            with contextlib.suppress(OSError):  # there is none
                text = read_file(self.list_file, _MOST_BYTES)
        lines = map(str.strip, text.decode("utf-8", "replace").splitlines())
        return origin in {
            origin_from(line, f"{self.list_file}, line {number}", is_http_allowed=True, http_hint="")
            for number, line in enumerate(lines, 1)
            if line and not line.startswith("#")
        }

    def is_used(self, origin: str, ca_file: str = "") -> bool:
        """Whether a token was sent to this address; with a path, with these certificates."""
        if self._uses is None or self._reason(self._uses):
            return False
        return (self._uses / _name(origin, ca_file)).exists()

    def warnings(self) -> list[str]:
        """Return a warning for the list and the used addresses if they exist and do not count."""
        places = [place for place in (self.list_file, self._uses) if place is not None]
        return [f"{place} does not count: {reason}" for place in places if (reason := self._reason(place))]

    def noting(self, settings: Settings) -> Settings:
        """Return settings whose endpoint notes its use, and with the certificates that a setting names."""
        if self._uses is None or self._is_in_checkout(self._uses):
            # A file in the checkout does not count, and would show up among the changes of the checkout.
            return settings
        # The address alone, too: it stays known if the user later trusts other certificates.
        names = _name(settings.url), _name(settings.url, _ca_file(settings))
        uses = tuple(str(self._uses / name) for name in names)
        return settings.changed(endpoint=replace(settings.endpoint, uses=uses))

    def _reason(self, place: Path) -> str:
        """Return the reason why a list or folder does not count, "" if it does or is not there."""
        try:
            status = place.stat()
        except OSError as error:
            return "" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror or error})"
        if self._is_in_checkout(place):
            return "it is in the checkout"
        if status.st_uid and not system.is_own(status):
            return "it belongs to another user"
        if system.permission_bits(status) & 0o022:
            return "others can write it (chmod go-w takes that away)"
        return "" if os.access(place, os.R_OK) else "it cannot be read"

    def _is_in_checkout(self, place: Path) -> bool:
        real = Path(os.path.realpath(place))
        holders = (folder for folder in (self._root, *self._root.parents) if (folder / ".git").exists())
        checkout = next(holders, self._root)
        return real.is_relative_to(self._root) or (real.is_relative_to(checkout) and not self._is_untracked)

    @cached_property
    def _is_untracked(self) -> bool:
        """Whether git tracks no file of the project: the checkout around it is another, of a user's home perhaps."""
        import subprocess  # noqa: PLC0415 - few homes are checkouts  # nosec B404

        command = ("git", "-c", "core.fsmonitor=false", "ls-files", "--error-unmatch", "--", ".")
        with contextlib.suppress(OSError):
            run = subprocess.run(command, cwd=self._root, capture_output=True, check=False)  # noqa: S603 - nothing of the user's  # nosec B603
            return run.returncode == 1  # the checkout has no file of the folder
        return False


def _name(origin: str, ca_file: str = "") -> str:
    path = os.path.realpath(ca_file).encode("utf-8", "surrogateescape")
    return f"{quote(origin, safe='')} {hashlib.sha256(path).hexdigest()}" if ca_file else quote(origin, safe="")


def token_to_send(
    settings: Settings, given: Mapping[str, RawSetting], environ: Mapping[str, str], ini: ProjectIni
) -> tuple[Settings, Token | None]:
    """Return the token that may be sent, None with the reason as the blocking error; an allowed address is noted."""
    if settings.endpoint.is_embedded:
        return settings, None
    # The settings that only the ini file has, and where.
    untrusted = {name: _place(name, ini) for name, raw in given.items() if raw.source == "ini file"}
    real_file, root = Path(os.path.realpath(settings.token_file)), os.path.realpath(ini.root)
    # With a token in the environment the file is not read.
    if "token_file" in untrusted and not real_file.is_relative_to(root) and not token_from(environ, "").is_configured:
        hint = f"an ini file can only name a file below {ini.root}: name this one with {_named('token_file')}"
        return settings.blocked(str(SettingError(untrusted["token_file"], given["token_file"].value, hint))), None
    settings, token = token_for(settings, environ)
    if token is None or not settings.is_sendable:
        return settings, token
    known = KnownAddresses(environ, ini.root)
    error = _address_error(settings, untrusted, known)
    if error:
        error = f"the token is not sent to {settings.url}: {error}"
        return settings.blocked("; ".join([error, *known.warnings()])), None
    return known.noting(settings), token


def check_database(given: RawSetting, database: PostgresDatabase, ini: ProjectIni) -> None:
    """Raise `SettingError` for a database server that only an ini file names: it would get the user's password."""
    if given.source == "ini file":
        hint = f"an ini file cannot choose who gets your database password: name it with {_named('database')}"
        raise SettingError(_place("database", ini), database.shown, hint)


def _address_error(settings: Settings, untrusted: Mapping[str, str], known: KnownAddresses) -> str:
    """Return the error of the address or of the way to it (plain HTTP, certificates to trust), "" without one."""
    origin, ca_file = settings.url, _ca_file(settings)
    is_known = known.is_used(origin) or known.is_listed(origin)
    if "url" in untrusted and not is_known:
        return (
            f"only an ini file names this address ({untrusted['url']}), and no token was sent there before. If you"
            f" trust it, name it with --url {origin} or {find_setting('url').environment},"
            f" or write it into {known.list_file or 'a list in your home folder'}"
        )
    is_clear = origin.startswith("http:") and not is_loopback_origin(origin)
    if "allow_http" in untrusted and is_clear and not is_known:
        return (
            f"it would be sent unencrypted, which only an ini file allows ({untrusted['allow_http']})."
            f" Use https://, or allow it with {_named('allow_http')}"
        )
    if "ca_file" in untrusted and ca_file and not known.is_used(origin, ca_file):
        return (
            f"only an ini file names the certificates to trust ({untrusted['ca_file']}), and they were not used"
            f" before. If you trust them, name {ca_file} with {_named('ca_file')}"
        )
    return ""


def _ca_file(settings: Settings) -> str:
    """Return the path of the certificates that a setting names, "" without the setting or without TLS."""
    return settings.ca_file if "ca_file" in settings.origins and settings.url.startswith("https:") else ""


def _place(name: str, ini: ProjectIni) -> str:
    return f"{ini.root / ini.name}: {find_setting(name).ini}"


def _named(name: str) -> str:
    each = find_setting(name)
    return f"{each.plain_option} or {each.environment}"
