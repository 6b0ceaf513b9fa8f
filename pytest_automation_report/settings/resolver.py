"""Resolve the raw settings of a session to one `Settings` of typed values, each with its origin.

A mistake on the command line or in an ini file is an error. The same mistake in the environment is a warning, and the
tests run: results are then kept instead of sent, since a guess could send them to the wrong place. This module gets the
environment and the time as arguments; of the file system it checks only the paths that settings name.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.urls import is_bucket, shown_address
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import with_fallbacks
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.endpoint import endpoint_from, postgres_database
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.pytest_config import is_override
from pytest_automation_report.settings.settings import LOCAL_URL, SETTINGS, Settings
from pytest_automation_report.settings.sources import Resolver, spelled_like, toml_document, unknown_variables
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.text.limits import STRING_UNITS, string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_STATE_FOLDER: Final = ".automation-report"
_EVERYTHING: Final = r"[\s\S]+"
_LAST_SOURCE: Final = "pytest"
_SHORTEST_SOURCE: Final = 2
_PARSED_WITH_OTHERS: Final = frozenset({"url", "ca_file", "database", "artifact_store"})
"""Settings that functions parse here and in `endpoint`, since their values depend on other settings or on files."""


def settings_from(
    raw_settings: Mapping[str, RawSetting],
    *,
    environ: Mapping[str, str],
    root: Path,
    project_name: str | None,
    local_time: datetime,
    here: Path | None = None,
) -> Settings:
    """Resolve raw settings to typed values.

    ``root`` is the folder that relative paths start from, ``project_name`` the name in the project's pyproject.toml.
    ``here`` is the folder in which the user called pytest: a report that pytest's option names starts from there.
    Raises SettingError for a mistake on the command line or in an ini file.
    """
    # An address that stands for the embedded store is the default.
    url = raw_settings.get("url")
    is_local = url is not None and str(url.value).lower() == LOCAL_URL
    resolver = Resolver({name: raw for name, raw in raw_settings.items() if not (is_local and name == "url")})
    resolver.warnings.extend(unknown_variables(environ))
    values = _values(resolver, root)
    values["html"] = _html(values["html"], raw_settings.get("html"), root, here or root)
    values["database"] = _database(resolver, root, is_server_named=url is not None)
    values["artifact_store"] = _artifact_store(resolver, root, values["artifact_url"])
    endpoint = endpoint_from(
        resolver,
        environ,
        root,
        project_id=values["project_id"],
        database=values["database"],
        is_http_allowed=values["allow_http"],
    )
    values["source"] = values["source"] or _default_source(resolver, project_name, root)
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


def _values(resolver: Resolver, root: Path) -> dict[str, Any]:
    """Return the values of all settings that depend on no others, by name; paths are absolute."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.name not in _PARSED_WITH_OTHERS:
            default = setting.default
            # Defaults are written as a user would write them ("32MB"); "", None and False stand for themselves.
            value = default if default in (None, "", False) else setting.parse(RawSetting(default, setting.name))
            values[setting.name] = resolver.value(setting.name, setting.parse, value)
    values["spool"] = root.absolute() / (values["spool"] or f"{_STATE_FOLDER}/spool")
    values["token_file"] = values["token_file"] and str(root.absolute() / parsers.expanded(values["token_file"]))
    if "redact" in resolver.refused:
        # The user wanted to hide something, and the pattern in the environment is invalid: hide all texts.
        values["redact"] = (_EVERYTHING,)
    return values


def _html(name: str, raw: RawSetting | None, root: Path, here: Path) -> str:
    """Return the path of the report, "" for none: an option starts in ``here``, as pytest's own ``--junitxml`` does."""
    if raw is None or name in {"", STDOUT}:
        return name
    is_option = raw.source == "command line" and not is_override(raw.origin)
    return str((here if is_option else root).absolute() / parsers.expanded(name))


def _database(resolver: Resolver, root: Path, *, is_server_named: bool) -> Path:
    """Return the file of the embedded store; only a server uses a PostgreSQL database.

    ``is_server_named`` is whether the user set any address, also that of the embedded store: a PostgreSQL database then
    belongs to another server, and the sender uses the default file.
    """
    default = root.absolute() / _STATE_FOLDER / "store.sqlite3"

    def parse(raw: RawSetting) -> Path:
        place = postgres_database(raw)
        if place is None:
            return root.absolute() / parsers.path(raw)
        if is_server_named:
            return default
        remedy = "serve it with `automation-report serve`, and report to the address of that with"
        raise SettingError(raw.origin, place.shown, f"{remedy} {spelled_like('url', raw)}")

    return resolver.value("database", parse, default)


def _artifact_store(resolver: Resolver, root: Path, artifact_url: str) -> str:
    """Return the user's store of files: a bucket, or a folder that another program serves under ``artifact_url``."""

    def parse(raw: RawSetting) -> str:
        store = parsers.artifact_store(raw)
        if is_bucket(store):
            return store
        if not artifact_url and "artifact_url" not in resolver.refused:
            remedy = f"say with {spelled_like('artifact_url', raw)} where the files of a folder can be read"
            raise SettingError(raw.origin, raw.value, remedy)
        return str(root.absolute() / parsers.expanded(store))

    return resolver.value("artifact_store", parse, "")


def _run_name(settings: Settings, environ: Mapping[str, str], local_time: datetime) -> str:
    """Return the run's name, cut to the server's limit: the user's, else one of the build, else one of the time."""
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


def _default_source(resolver: Resolver, project_name: str | None, root: Path) -> str:
    """Return the source of a user who set none: the project's name, for the embedded server also the folder's name.

    Refuse an address without a source, except for a joined run, which has one.
    """
    source = _source_from(project_name or "")
    if source:
        return source
    url = resolver.raw_settings.get("url")
    if url is not None and "run_id" not in resolver.raw_settings and not resolver.refused & {"source", "url"}:
        server = f"{shown_address(str(url.value))} ({url.origin})"
        reason = f"{project_name!r}, the project's name, makes none" if project_name else "no project name was found"
        remedy = f"{reason}: name the source of the runs at {server}: {parsers.SOURCES}"
        resolver.refuse("source", SettingError(spelled_like("source", url), None, remedy, reason="missing"), url)
    return _source_from(root.absolute().name) or _LAST_SOURCE


def _source_from(name: str) -> str:
    """Return a name as a valid source (a letter, then letters, digits, dashes), empty if too few characters remain."""
    plain = unicodedata.normalize("NFKD", name)
    ascii_name = "".join(character for character in plain if not unicodedata.combining(character))
    valid = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).lstrip("-0123456789").rstrip("-")[:STRING_UNITS]
    return valid if len(valid) >= _SHORTEST_SOURCE else ""


def spool_candidates(settings: Settings, environ: Mapping[str, str]) -> Iterator[Settings]:
    """Yield the settings as they are, then with spool and store in the user's folder for the state of programs.

    The root folder of a project may be read-only, in containers above all. The store stays if the user set its
    candidate. Without an absolute home there is no second candidate.
    """
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
