"""Resolve the raw settings of a session to one `Settings` of typed values, each with its origin.

A mistake on the command line or in an ini file is an error. In the environment it is a warning, and the tests run:
results are then kept instead of sent, since a guess could send them to the wrong place. Of the file system only the
paths that settings name are looked at. Messages show addresses without their passwords.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
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
from pytest_automation_report.ci.detection import ci_facts, facts_for
from pytest_automation_report.ci.facts import with_fallbacks
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.pytest_config import is_override
from pytest_automation_report.settings.settings import LOCAL_URL, SETTINGS, STORE, Settings, setting_of
from pytest_automation_report.settings.sources import spelled_like, unknown_variables
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import STRING_UNITS, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

ValueT = TypeVar("ValueT")
DefaultT = TypeVar("DefaultT")

_CERTIFICATE_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Methods of the resolver parse these, since their values depend on other settings or on files.
_PARSED_WITH_OTHERS: Final = frozenset({"url", "ca_file", "database", "artifact_store"})


def settings_from(
    raw_settings: Mapping[str, RawSetting],
    *,
    environ: Mapping[str, str],
    root: Path,
    project_name: str | None,
    local_time: datetime,
    here: Path | None = None,
) -> Settings:
    """Resolve raw settings to typed values; raises `SettingError` for a mistake that a user typed.

    ``root`` is the folder that relative paths start from, ``project_name`` the name in the project's pyproject.toml.
    ``here`` is the folder in which the user called pytest: a report that pytest's option names starts from there.
    """
    # An address that stands for the embedded store is the default.
    url = raw_settings.get("url")
    is_local = url is not None and str(url.value).lower() == LOCAL_URL
    used = {name: raw for name, raw in raw_settings.items() if not (is_local and name == "url")}
    resolver = _Resolver(used, environ, root.absolute())
    resolver.warnings.extend(unknown_variables(environ))
    values = resolver.values()
    values["html"] = _html(values["html"], raw_settings.get("html"), root, here or root)
    values["database"] = resolver.database(is_server_named=url is not None)
    values["artifact_store"] = resolver.artifact_store(values["artifact_url"])
    endpoint = resolver.endpoint(values["project_id"], values["database"], is_http_allowed=values["allow_http"])
    values["source"] = values["source"] or resolver.default_source(project_name)
    settings = Settings(
        {
            **values,
            "url": "" if endpoint.is_embedded else endpoint.origin,
            "project_id": endpoint.project_id,
            "ca_file": endpoint.ca_file,
            "endpoint": endpoint,
            "origins": {name: raw.origin for name, raw in raw_settings.items() if name not in resolver.refused},
            "warnings": tuple(resolver.warnings),
            "blocking_error": resolver.blocking_error,
        }
    )
    return settings.changed(name=_run_name(settings, environ, local_time))


class _Resolver:
    """Parses raw values and decides which mistake stops the session: one that a user typed, none in the environment.

    ``blocking_error`` is the first warning that keeps results from being sent. ``refused`` holds the names of settings
    that have a wrong value in the environment, which is ignored. ``root`` is absolute.
    """

    def __init__(self, raw_settings: Mapping[str, RawSetting], environ: Mapping[str, str], root: Path) -> None:
        self.raw_settings, self.environ, self.root = raw_settings, environ, root
        self.warnings: list[str] = []
        self.blocking_error = ""
        self.refused: set[str] = set()

    def value(self, name: str, parse: Callable[[RawSetting], ValueT], default: DefaultT) -> ValueT | DefaultT:
        """Return a setting's value by this parser, the default if it is unset or refused."""
        raw = self.raw_settings.get(name)
        if raw is None:
            return default
        try:
            return parse(raw)
        except SettingError as error:
            self.refuse(name, error, raw)
            return default

    def refuse(self, name: str, error: SettingError, raw: RawSetting) -> None:
        """Raise the error of a value that a user typed; keep that of the environment, as a CI provider's."""
        if raw.source != "environment":
            raise error
        self.refused.add(name)
        self.block(str(error))

    def block(self, warning: str) -> None:
        """Note a warning that keeps results from being sent."""
        self.warnings.append(warning)
        self.blocking_error = self.blocking_error or warning

    def refuse_missing(self, name: str, url: RawSetting, remedy: str) -> None:
        """Refuse an address without the setting that it needs."""
        self.refuse(name, SettingError(spelled_like(name, url), None, remedy, reason="missing"), url)

    def values(self) -> dict[str, Any]:
        """Return the values of all settings that depend on no others, by name; paths are absolute."""
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            if setting.name not in _PARSED_WITH_OTHERS:
                default = setting.default
                # Defaults are written as a user would write them ("32MB"); "", None and False stand for themselves.
                value = default if default in (None, "", False) else setting.parse(RawSetting(default, setting.name))
                value = self.value(setting.name, setting.parse, value)
                values[setting.name] = self.root / value if isinstance(value, Path) else value
        values["token_file"] = values["token_file"] and str(self.root / parsers.expanded(values["token_file"]))
        if "redact" in self.refused:
            # The user wanted to hide something, and the pattern in the environment is invalid: hide all texts.
            values["redact"] = (r"[\s\S]+",)
        return values

    def database(self, *, is_server_named: bool) -> Path:
        """Return the file of the embedded store, the default one beside the PostgreSQL database of a named server."""
        default = self.root / STORE

        def parse(raw: RawSetting) -> Path:
            place = postgres_database(raw)
            if place is None:
                return self.root / parsers.path(raw)
            if is_server_named:
                return default
            remedy = "serve it with `automation-report serve`, and report to the address of that with"
            raise SettingError(raw.origin, place.shown, f"{remedy} {spelled_like('url', raw)}")

        return self.value("database", parse, default)

    def artifact_store(self, artifact_url: str) -> str:
        """Return the user's artifact store, None without a usable one, and a warning, empty without one."""

        def parse(raw: RawSetting) -> str:
            store = parsers.artifact_store(raw)
            if is_bucket(store):
                return store
            if not artifact_url and "artifact_url" not in self.refused:
                remedy = f"say with {spelled_like('artifact_url', raw)} where the files of a folder can be read"
                raise SettingError(raw.origin, raw.value, remedy)
            return str(self.root / parsers.expanded(store))

        return self.value("artifact_store", parse, "")

    def endpoint(self, project_id: int | None, database: Path, *, is_http_allowed: bool) -> Endpoint:
        """Return the endpoint of the results: without a valid address an empty one, without a valid project 0."""
        ca_file = self.value("ca_file", self._certificates, "")
        url = self.raw_settings.get("url")
        if url is None:
            return Endpoint(EMBEDDED_ORIGIN, project_id or 1, str(database), ca_file=ca_file)

        def parse(raw: RawSetting) -> str:
            remedy = f"write https://, or allow it with {spelled_like('allow_http', raw)}"
            # `origin_from` refuses control characters itself: its message shows no password, as the text parser's does.
            address = raw.value if isinstance(raw.value, str) else parsers.text(raw)
            return origin_from(address, raw.origin, is_http_allowed=is_http_allowed, http_remedy=remedy)

        origin = self.value("url", parse, "")
        if project_id is None and not self.refused & {"project_id", "url"}:
            remedy = (
                f"name the project at {_server(url)} that results go to: a whole number from 1 to {parsers.LARGEST_ID}"
            )
            self.refuse_missing("project_id", url, remedy)
        scheme = origin.partition("://")[0]
        proxies: dict[str, str] = {}
        # Proxies and the standard variables for certificates count for servers on other machines only.
        if origin and not is_loopback_origin(origin):
            proxies, warnings = proxies_from(self.environ)
            if scheme in warnings:
                # An invalid one for the address's scheme keeps results from being sent.
                self.block(warnings[scheme])
        if scheme == "https" and not ca_file and "ca_file" not in self.refused:
            ca_file = self._standard_certificates()
        return Endpoint(origin, project_id or 0, proxies=proxies, ca_file=ca_file)

    def _certificates(self, raw: RawSetting) -> str:
        path = self.root / parsers.path(raw)
        if not _is_readable(path):
            raise SettingError(raw.origin, raw.value, f"name a file of certificates that can be read; {path} is none")
        return str(path)

    def _standard_certificates(self) -> str:
        """Return the certificates that the standard variables name, empty for the built-in ones."""
        name = next((name for name in _CERTIFICATE_VARIABLES if self.environ.get(name, "").strip()), None)
        if name is None:
            return ""
        path = Path(self.environ[name].strip()).absolute()
        if _is_readable(path):
            return str(path)
        remedy = "name a file of certificates that can be read, or unset it"
        self.block(str(SettingError(name, self.environ[name].strip(), remedy)))
        return ""

    def default_source(self, project_name: str | None) -> str:
        """Return the source of a user who set none: the project's name, for the embedded server also the folder's.

        Refuses an address without a source, except for a joined run, which has one.
        """
        source = _source_from(project_name or "")
        if source:
            return source
        url = self.raw_settings.get("url")
        if url is not None and "run_id" not in self.raw_settings and not self.refused & {"source", "url"}:
            no_name = "no project name was found"
            reason = f"{project_name!r}, the project's name, makes none" if project_name else no_name
            remedy = f"{reason}: name the source of the runs at {_server(url)}: {parsers.SOURCES}"
            self.refuse_missing("source", url, remedy)
        return _source_from(self.root.name) or "pytest"


def _html(name: str, raw: RawSetting | None, root: Path, here: Path) -> str:
    """Return the path of the report, "" for none: an option starts in ``here``, as pytest's ``--junitxml`` does."""
    if raw is None or name in {"", STDOUT}:
        return name
    is_option = raw.source == "command line" and not is_override(raw.origin)
    return str((here if is_option else root).absolute() / parsers.expanded(name))


def _server(url: RawSetting) -> str:
    return f"{shown_address(str(url.value))} ({url.origin})"


def _is_readable(path: Path) -> bool:
    """Whether certificates can be read, from a file or from a folder of hashed ones."""
    try:
        return (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def _run_name(settings: Settings, environ: Mapping[str, str], local_time: datetime) -> str:
    """Return the run's name: the user's, else one of the build, else one of the time."""
    if settings.name:
        return string(settings.name)
    facts = settings.build_info
    if settings.facts != "none":
        facts = with_fallbacks(facts, ci_facts(environ))
    parts = [part for part in (facts.ref, f"#{facts.build}" if facts.build else None) if part]
    return string(" ".join([settings.source, *(parts or [f"{local_time:%Y-%m-%d %H:%M:%S}"])]))


def project_name(root: Path) -> str | None:
    """Return ``[project].name`` of the folder's pyproject.toml, ``None`` without a readable one."""
    try:
        document = toml_document(root / "pyproject.toml")
    except (ImportError, OSError, ValueError, RecursionError):
        # A project may have no name, and other tools report a broken file.
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else None


def toml_document(path: Path) -> dict[str, Any]:
    """Return a TOML file; raises OSError or ValueError if it cannot be read."""
    text = path.read_text(encoding="utf-8")
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - only for a project that has such a file
    else:
        import tomli as tomllib  # noqa: PLC0415 - as above

    return tomllib.loads(text)


def _source_from(name: str) -> str:
    """Return a name as a valid source (a letter, then letters, digits, dashes), empty if too few characters remain."""
    plain = unicodedata.normalize("NFKD", name)
    ascii_name = "".join(character for character in plain if not unicodedata.combining(character))
    valid = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).lstrip("-0123456789").rstrip("-")[:STRING_UNITS]
    return valid if len(valid) > 1 else ""


def spool_candidates(settings: Settings, environ: Mapping[str, str]) -> Iterator[Settings]:
    """Yield the settings as they are, then with spool and store in the user's folder: a project may be read-only."""
    yield settings
    base = user_place(environ, "XDG_STATE_HOME", ".local/state", "pytest-automation-report")
    if base is None:
        return
    # Projects with one source share the user's folder: the hash of the project's path keeps them apart.
    project = sha256(str(settings.spool).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    folder = base / f"{settings.source[:40]}-{project}"
    moved = settings.changed(spool=folder / "spool")
    if settings.origins.keys().isdisjoint({"database", "spool"}):
        # The user chose a place for neither.
        moved = moved.with_store(folder / "store.sqlite3")
    yield moved


def user_place(environ: Mapping[str, str], variable: str, default: str, name: str) -> Path | None:
    """Return a place in one of the user's own folders, None without a home folder."""
    folder, home = environ.get(variable, ""), environ.get("HOME", "")
    if Path(folder).is_absolute():
        return Path(folder) / name
    return Path(home) / default / name if Path(home).is_absolute() else None


_SCHEMES: Final = ("postgresql", "postgres")
_PORT: Final = r"\[[^\]]*\](?::[0-9]{0,5})?|[^:\[\]]*(?::[0-9]{0,5})?"
_REMEDY: Final = (
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
    url = _template(settings, environ, root)
    if settings.artifact_url and not url:
        reason = f"a value that {settings.artifact_url} needs is unknown"
        return None, f"artifact_url: {reason}: artifacts are not stored in {shown_store(address)}"
    if not is_bucket(address):
        return ArtifactStoreConfig(address, url), ""
    if find_spec("obstore") is None:
        origin = settings.origins.get("artifact_store", "artifact_store")
        remedy = "a bucket needs packages that are not installed: pip install 'obstore>=0.10'"
        error = SettingError(origin, shown_store(address), remedy)
        if origin != setting_of("artifact_store").environment:
            raise error
        return None, str(error)
    # Credentials are read at once, from the variables that the providers' own tools read: tests may change them.
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
