"""Resolve all settings of a session to one `Configuration` of typed values, each with its origin.

A mistake on the command line or in an ini file is an error. The same mistake in the environment is a warning, and the
tests run: results are then kept instead of sent, since a guess could send them to the wrong place. This module gets the
environment and the time as arguments; of the file system it checks only the paths that settings name.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pytest_automation_report.api.artifacts import is_bucket
from pytest_automation_report.api.urls import shown_address
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import BuildInfo, with_fallbacks
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings.default_names import project_name, run_name, source_from
from pytest_automation_report.settings.endpoint import endpoint_from
from pytest_automation_report.settings.resolver import SettingsResolver, absolute_path, spelled_like
from pytest_automation_report.settings.sources import RawSetting, read_console_settings, read_pytest_settings
from pytest_automation_report.settings.table import LOCAL_URL, PREFIX, SETTINGS, is_override
from pytest_automation_report.settings.token import TokenResult, token_from
from pytest_automation_report.text.files import STDOUT
from pytest_automation_report.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from pytest_automation_report.api.models import Endpoint, Field, Link, Status, Token
    from pytest_automation_report.ci.detection import FactsScope
    from pytest_automation_report.ci.facts import Shard

__all__ = [
    "OTHER_VARIABLES",
    "Configuration",
    "RawSetting",
    "TokenResult",
    "configuration_from",
    "project_name",
    "read_console_settings",
    "read_pytest_settings",
    "token_for",
    "token_from",
]

Delivery: TypeAlias = 'Literal["live", "later"]'
Output: TypeAlias = 'Literal["failed", "all", "none"]'
When: TypeAlias = 'Literal["always", "ci"]'

OTHER_VARIABLES: Final = frozenset({"AUTOMATION_REPORT_TOKEN", "AUTOMATION_REPORT_SERVER_TOKEN"})
"""Environment variables of this package that are not settings."""

_STATE_FOLDER: Final = ".automation-report"
_EVERYTHING: Final = r"[\s\S]+"
_LAST_SOURCE: Final = "pytest"
_PARSED_WITH_OTHERS: Final = frozenset({"url", "ca_file", "database", "artifact_store"})
"""Settings that functions parse here and in `endpoint`, since their values depend on other settings or on files."""


class Configuration(Value, kw_only=True):
    """Hold every setting as a typed value; paths are absolute, ``exit_wait`` is in seconds, sizes are in bytes.

    ``endpoint`` holds the address (empty if it is invalid), project, proxies and certificates. A proxy's address may
    hold a password, so neither ``endpoint`` nor this value is for printing.
    ``origins`` maps the names of the settings that the user set to the spelling of each.
    ``warnings`` are shown once, while the tests run.
    ``blocking_error`` is the warning that keeps results from being sent, empty if they can be sent.
    ``token_error`` is the warning about a missing token, empty with one.
    """

    endpoint: Endpoint
    when: When
    source: str
    name: str
    folder_prefix: str
    delivery: Delivery
    tags: tuple[str, ...]
    config: str
    config_id: int | None
    milestone: str
    milestone_id: int | None
    run_id: int | None
    run_key: str
    job: str
    facts: FactsScope
    branch: str
    branch_tag: bool
    build: str
    attempt: int | None
    shard: Shard | None
    job_url: str
    fields: tuple[Field, ...]
    links: tuple[Link, ...]
    output: Output
    output_annotations: bool
    markers: tuple[str, ...]
    link_templates: Mapping[str, str]
    statuses: Mapping[Status, str]
    redact: tuple[str, ...]
    redact_builtin: bool
    compare_junit: str
    html: str
    job_summary: bool
    ci_annotations: bool
    report_not_run: bool
    strict: bool
    preflight: bool
    exit_wait: float
    browser_artifacts: bool
    artifact_size: int
    artifact_total: int
    artifact_url: str
    artifact_store: str
    token_file: str
    allow_http: bool
    spool: Path
    keep_spool: int
    database: Path
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    blocking_error: str
    token_error: str = ""

    @property
    def build_info(self) -> BuildInfo:
        """The facts of the build that the user set; `facts_for` adds those of the CI provider and of git."""
        return BuildInfo(
            branch=self.branch or None,
            build=self.build or None,
            attempt=self.attempt,
            shard=self.shard,
            url=self.job_url or None,
        )

    @property
    def url(self) -> str:
        """The server's address, empty for the embedded server."""
        return "" if self.endpoint.is_embedded else self.endpoint.origin

    @property
    def project_id(self) -> int:
        """The project's id, 0 if it is unknown."""
        return self.endpoint.project_id

    @property
    def ca_file(self) -> str:
        """The file of certificates to trust instead of the built-in ones, empty for the built-in ones."""
        return self.endpoint.ca_file

    @property
    def setting_error(self) -> str:
        """The wrong setting that keeps results from being sent, empty if only a token is missing."""
        is_token = self.token_error and self.blocking_error.startswith(self.token_error)
        return "" if is_token else self.blocking_error

    @property
    def is_sendable(self) -> bool:
        """Whether results can be sent; else they are kept, and ``blocking_error`` has the reason."""
        return not self.blocking_error


def configuration_from(
    raw_settings: Mapping[str, RawSetting],
    *,
    environ: Mapping[str, str],
    root: Path,
    project_name: str | None,
    local_time: datetime,
    here: Path | None = None,
) -> Configuration:
    """Resolve raw settings to one configuration.

    ``root`` is the folder that relative paths start from, ``project_name`` the name in the project's pyproject.toml.
    ``here`` is the folder in which the user called pytest: a report that pytest's option names starts from there.
    Raises SettingError for a mistake on the command line or in an ini file.
    """
    resolver = SettingsResolver(_without_local_url(raw_settings))
    resolver.warnings.extend(_unknown_variables(environ))
    values = _values(resolver, root)
    values["html"] = _html(values["html"], raw_settings.get("html"), root, here or root)
    database = _database(resolver, root, is_server_named="url" in raw_settings)
    project_id, is_http_allowed = values.pop("project_id"), values["allow_http"]
    endpoint = endpoint_from(
        resolver, environ, root, project_id=project_id, database=database, is_http_allowed=is_http_allowed
    )
    values["source"] = values["source"] or _default_source(resolver, project_name, root)
    configuration = Configuration(
        **values,
        endpoint=endpoint,
        database=database,
        artifact_store=_artifact_store(resolver, root, values["artifact_url"]),
        origins={name: raw.origin for name, raw in raw_settings.items() if name not in resolver.refused},
        warnings=tuple(resolver.warnings),
        blocking_error=resolver.blocking_error,
    )
    return replace(configuration, name=_run_name(configuration, environ, local_time))


def _values(resolver: SettingsResolver, root: Path) -> dict[str, Any]:
    """Return the values of all settings that the table has a parser for, by name; paths are absolute."""
    values: dict[str, Any] = {
        setting.name: resolver.parsed(setting) for setting in SETTINGS if setting.name not in _PARSED_WITH_OTHERS
    }
    values["spool"] = absolute_path(values["spool"] or f"{_STATE_FOLDER}/spool", root)
    values["token_file"] = str(absolute_path(values["token_file"], root)) if values["token_file"] else ""
    if "redact" in resolver.refused:
        # The user wanted to hide something, and the pattern in the environment is invalid: hide all texts.
        values["redact"] = (_EVERYTHING,)
    return values


def _html(name: str, raw: RawSetting | None, root: Path, here: Path) -> str:
    """Return the path of the report, "" for none: an option starts in ``here``, as pytest's own ``--junitxml`` does."""
    if name in {"", STDOUT}:
        return name
    is_option = raw is not None and raw.source == "command line" and not is_override(raw.origin)
    return str(absolute_path(name, here if is_option else root))


def _run_name(configuration: Configuration, environ: Mapping[str, str], local_time: datetime) -> str:
    """Return the run's name: the user's, else one from the build, else one from the time."""
    facts = configuration.build_info
    if configuration.facts != "none":
        facts = with_fallbacks(facts, ci_facts(environ))
    return run_name(configuration.name, source=configuration.source, facts=facts, local_time=local_time)


def _without_local_url(raw_settings: Mapping[str, RawSetting]) -> Mapping[str, RawSetting]:
    """Return the settings without an address that stands for the embedded store: it is the default."""
    url = raw_settings.get("url")
    if url is None or str(url.value).lower() != LOCAL_URL:
        return raw_settings
    return {name: raw for name, raw in raw_settings.items() if name != "url"}


def _database(resolver: SettingsResolver, root: Path, *, is_server_named: bool) -> Path:
    """Return the file of the embedded store; only a server uses a PostgreSQL database.

    ``is_server_named`` is whether the user set any address, also that of the embedded store: a PostgreSQL database then
    belongs to another server, and the sender uses the default file.
    """
    default = root.absolute() / _STATE_FOLDER / "store.sqlite3"

    def parse(raw: RawSetting) -> Path:
        from pytest_automation_report.settings.endpoint import postgres_database  # noqa: PLC0415 - only where one is named

        place = postgres_database(raw)
        if place is None:
            return absolute_path(parsers.text(raw), root)
        if is_server_named:
            return default
        remedy = "serve it with `automation-report serve`, and report to the address of that with"
        raise SettingError(raw.origin, place.shown, f"{remedy} {spelled_like('url', raw)}")

    return resolver.value("database", parse, default)


def _artifact_store(resolver: SettingsResolver, root: Path, artifact_url: str) -> str:
    """Return the user's store of files: a bucket, or a folder that another program serves under ``artifact_url``."""

    def parse(raw: RawSetting) -> str:
        store = parsers.artifact_store(raw)
        if is_bucket(store):
            return store
        if not artifact_url and "artifact_url" not in resolver.refused:
            remedy = f"say with {spelled_like('artifact_url', raw)} where the files of a folder can be read"
            raise SettingError(raw.origin, raw.value, remedy)
        return str(absolute_path(store, root))

    return resolver.value("artifact_store", parse, "")


def token_for(configuration: Configuration, environ: Mapping[str, str]) -> tuple[Configuration, Token | None]:
    """Read the token for the server; return it, and the configuration with a blocking error if it is missing.

    The embedded server needs none, and a session whose results are sent later can do without.
    """
    if configuration.endpoint.is_embedded:
        return configuration, None
    result = token_from(environ, configuration.token_file)
    if result.error is None or configuration.delivery == "later":
        return configuration, result.token
    warning = f"{result.error}; results are kept"
    blocked = replace(
        configuration,
        warnings=(*configuration.warnings, warning),
        blocking_error=configuration.blocking_error or warning,
        token_error=result.error,
    )
    return blocked, None


def _default_source(resolver: SettingsResolver, project_name: str | None, root: Path) -> str:
    """Return the source of a user who set none: the project's name, for the embedded server also the folder's name.

    Refuse an address without a source, except for a joined run, which has one.
    """
    source = source_from(project_name)
    if source:
        return source
    url = resolver.raw_settings.get("url")
    if url is not None and "run_id" not in resolver.raw_settings and not resolver.refused & {"source", "url"}:
        server = f"{shown_address(str(url.value))} ({url.origin})"
        reason = f"{project_name!r}, the project's name, makes none" if project_name else "no project name was found"
        remedy = f"{reason}: name the source of the runs at {server}: {parsers.SOURCES}"
        resolver.refuse("source", SettingError(spelled_like("source", url), None, remedy, reason="missing"), url)
    return source_from(root.absolute().name) or _LAST_SOURCE


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each environment variable that has our prefix and is not a setting."""
    prefix = PREFIX.upper()
    known = {setting.environment for setting in SETTINGS} | OTHER_VARIABLES
    endings = [name.removeprefix(prefix) for name in sorted(known)]
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known:
            near = difflib.get_close_matches(name.removeprefix(prefix), endings, n=1)
            yield f"{name}: does nothing" + (f"; did you mean {prefix}{near[0]}?" if near else "")
