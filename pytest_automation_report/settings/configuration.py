"""What a session is configured to do: every setting resolved to one typed value, with its origin.

Mistakes in what a user typed (command line, ini file) are errors. The same mistakes in the environment are told once
and the tests run: results are then kept instead of sent, since a guess could send them to the wrong place. Nothing in
here reads the environment or the clock by itself; of files it looks at those that settings name.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.artifacts import is_bucket
from pytest_automation_report.api.limits import ARTIFACT_BYTES, ARTIFACTS_BYTES
from pytest_automation_report.api.urls import shown_address
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import BuildInfo, with_fallbacks
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import parsers as values
from pytest_automation_report.settings.default_names import project_name, run_name, source_from
from pytest_automation_report.settings.endpoint import endpoint_from
from pytest_automation_report.settings.resolver import SettingsResolver, absolute_path, spelled_like
from pytest_automation_report.settings.sources import RawSetting, given_from, read_given
from pytest_automation_report.settings.table import LOCAL_URL, PREFIX, SETTINGS
from pytest_automation_report.settings.token import TokenResult, token_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from pytest_automation_report.api.models import Endpoint, Field, Link, Status, Token
    from pytest_automation_report.ci.discovery import FactsScope
    from pytest_automation_report.ci.facts import Shard

__all__ = [
    "OTHER_VARIABLES",
    "Configuration",
    "RawSetting",
    "TokenResult",
    "configuration_from",
    "given_from",
    "project_name",
    "read_given",
    "token_for",
    "token_from",
]

Delivery: TypeAlias = Literal["live", "later"]
Output: TypeAlias = Literal["failed", "all", "none"]
When: TypeAlias = Literal["always", "ci"]

OTHER_VARIABLES: Final = frozenset({"AUTOMATION_REPORT_TOKEN", "AUTOMATION_REPORT_SERVER_TOKEN"})
"""Environment variables of this package that are no settings."""

_STATE_FOLDER: Final = ".automation-report"
_EVERYTHING: Final = r"[\s\S]+"
_LAST_SOURCE: Final = "pytest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Every setting as a typed value; paths are absolute, ``exit_wait`` is in seconds, sizes are in bytes.

    ``endpoint`` holds the address (empty when it is unknown), project, proxies and certificates. ``hindrance`` says why
    results are kept instead of sent, empty when they can be sent. ``troubles`` are told once, while the tests run;
    ``token_trouble`` is the one of them that says why there is no token.
    ``origins`` maps settings' names to the spelling that gave them; what nobody gave is not in it. A proxy's address in
    ``endpoint`` may hold a password, so that neither it nor this value is to be printed.
    """

    endpoint: Endpoint
    source: str
    name: str
    spool: Path
    database: Path
    when: When = "always"
    folder_prefix: str = ""
    delivery: Delivery = "live"
    tags: tuple[str, ...] = ()
    config: str = ""
    config_id: int | None = None
    milestone: str = ""
    milestone_id: int | None = None
    run_id: int | None = None
    run_key: str = ""
    job: str = ""
    facts: FactsScope = "all"
    ci: str = ""
    branch: str = ""
    branch_tag: bool = False
    commit: str = ""
    pull_request: int | None = None
    build: str = ""
    attempt: int | None = None
    shard: Shard | None = None
    job_url: str = ""
    commit_url: str = ""
    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    output: Output = "failed"
    output_annotations: bool = False
    markers: tuple[str, ...] = ()
    link_templates: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[Status, str] = field(default_factory=dict)
    redact: tuple[str, ...] = ()
    redact_builtin: bool = True
    compare_junit: str = ""
    job_summary: bool = True
    ci_annotations: bool = False
    report_not_run: bool = False
    strict: bool = False
    preflight: bool = False
    exit_wait: float = 30.0
    keep_spool: int = 14
    browser_artifacts: bool = True
    artifact_size: int = ARTIFACT_BYTES
    artifact_total: int = ARTIFACTS_BYTES
    artifact_url: str = ""
    artifact_store: str = ""
    token_file: str = ""
    allow_http: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    hindrance: str = ""
    token_trouble: str = ""

    @property
    def given_facts(self) -> BuildInfo:
        """What was said about where the run is made; the rest is found out."""
        return BuildInfo(
            provider=self.ci or None,
            branch=self.branch or None,
            commit=self.commit or None,
            pull_request=self.pull_request,
            build=self.build or None,
            attempt=self.attempt,
            shard=self.shard,
            url=self.job_url or None,
            commit_url=self.commit_url or None,
        )

    @property
    def url(self) -> str:
        """The server's address, empty for the embedded server."""
        return "" if self.endpoint.is_embedded else self.endpoint.origin

    @property
    def project_id(self) -> int:
        """The project's id, 0 when it is unknown."""
        return self.endpoint.project_id

    @property
    def ca_file(self) -> str:
        """The certificates to trust instead of the built-in ones, empty for those."""
        return self.endpoint.ca_file

    @property
    def wrong_setting(self) -> str:
        """The setting that keeps results from being sent, empty when only a token is missing."""
        is_token = self.token_trouble and self.hindrance.startswith(self.token_trouble)
        return "" if is_token else self.hindrance

    @property
    def is_sendable(self) -> bool:
        """Whether results can be sent; else they are kept, and ``hindrance`` says why."""
        return not self.hindrance


def configuration_from(
    given: Mapping[str, RawSetting],
    *,
    environ: Mapping[str, str],
    root: Path,
    project_name: str | None,
    local_time: datetime,
) -> Configuration:
    """Resolve what was given to one configuration.

    ``root`` is the folder that relative paths start from, ``project_name`` what the project calls itself. Raises
    SettingError for a mistake on the command line or in an ini file.
    """
    found = SettingsResolver(_without_local(given))
    found.troubles.extend(_unknown_variables(environ))
    state = root.absolute() / _STATE_FOLDER
    database = _database(found, root, state / "store.sqlite3", is_served="url" in given)
    allow_http = found.value("allow_http", values.flag, default=False)
    endpoint = endpoint_from(found, environ, root, database=database, is_http_allowed=allow_http)
    source = _source(found, project_name, root)
    name = found.value("name", values.line, "")
    given_facts = _facts(found)
    facts: FactsScope = found.choice("facts", "all", "ci", "none")
    told = given_facts if facts == "none" else with_fallbacks(given_facts, ci_facts(environ))
    token_file = found.value("token_file", values.text, "")
    artifact_url = found.value("artifact_url", values.artifact_template, "")
    return Configuration(
        endpoint=endpoint,
        source=source,
        name=run_name(name, source=source, facts=told, local_time=local_time),
        spool=found.path("spool", root, state / "spool"),
        database=database,
        when=found.choice("when", "always", "ci"),
        folder_prefix=found.value("folder_prefix", values.text, ""),
        delivery=found.choice("delivery", "live", "later"),
        tags=found.value("tags", values.tags, ()),
        config=found.value("config", values.text, ""),
        config_id=found.value("config_id", values.identifier, None),
        milestone=found.value("milestone", values.text, ""),
        milestone_id=found.value("milestone_id", values.identifier, None),
        run_id=found.value("run_id", values.identifier, None),
        run_key=found.value("run_key", values.run_key, ""),
        job=found.value("job", values.line, ""),
        facts=facts,
        ci=given_facts.provider or "",
        branch=given_facts.branch or "",
        branch_tag=found.value("branch_tag", values.flag, default=False),
        commit=given_facts.commit or "",
        pull_request=given_facts.pull_request,
        build=given_facts.build or "",
        attempt=given_facts.attempt,
        shard=given_facts.shard,
        job_url=given_facts.url or "",
        commit_url=given_facts.commit_url or "",
        fields=found.value("fields", values.fields, ()),
        links=found.value("links", values.links, ()),
        output=found.choice("output", "failed", "all", "none"),
        output_annotations=found.value("output_annotations", values.flag, default=False),
        markers=found.value("markers", values.names, ()),
        link_templates=found.value("link_templates", values.templates, {}),
        statuses=found.value("statuses", values.statuses, {}),
        redact=_redact(found),
        redact_builtin=found.value("redact_builtin", values.flag, default=True),
        compare_junit=found.value("compare_junit", values.text, ""),
        job_summary=found.value("job_summary", values.flag, default=True),
        ci_annotations=found.value("ci_annotations", values.flag, default=False),
        report_not_run=found.value("report_not_run", values.flag, default=False),
        strict=found.value("strict", values.flag, default=False),
        preflight=found.value("preflight", values.flag, default=False),
        exit_wait=found.value("exit_wait", values.seconds, 30.0),
        keep_spool=found.value("keep_spool", values.days, 14),
        browser_artifacts=found.value("browser_artifacts", values.flag, default=True),
        artifact_size=found.value("artifact_size", values.size, ARTIFACT_BYTES),
        artifact_total=found.value("artifact_total", values.size, ARTIFACTS_BYTES),
        artifact_url=artifact_url,
        artifact_store=_artifact_store(found, root, artifact_url),
        token_file=str(absolute_path(token_file, root)) if token_file else "",
        allow_http=allow_http,
        origins={name: each.origin for name, each in given.items() if name not in found.refused},
        troubles=tuple(found.troubles),
        hindrance=found.hindrance,
    )


def _facts(found: SettingsResolver) -> BuildInfo:
    """Return what was said about where the run is made."""
    return BuildInfo(
        provider=found.value("ci", values.text, None),
        branch=found.value("branch", values.text, None),
        commit=found.value("commit", values.text, None),
        pull_request=found.value("pull_request", values.identifier, None),
        build=found.value("build", values.text, None),
        attempt=found.value("attempt", values.identifier, None),
        shard=found.value("shard", values.shard, None),
        url=found.value("job_url", values.page, None),
        commit_url=found.value("commit_url", values.page, None),
    )


def _without_local(given: Mapping[str, RawSetting]) -> Mapping[str, RawSetting]:
    """Return the values without an address that stands for the embedded store: it is one that was not given."""
    url = given.get("url")
    if url is None or str(url.value).lower() != LOCAL_URL:
        return given
    return {name: each for name, each in given.items() if name != "url"}


def _database(found: SettingsResolver, root: Path, default: Path, *, is_served: bool) -> Path:
    """Return the file of the embedded store; a PostgreSQL database is nobody's but its server's.

    ``is_served`` is whether any address was given, also that of the embedded store: a PostgreSQL database then belongs
    to another server.
    """

    def read(given: RawSetting) -> Path:
        from pytest_automation_report.settings.endpoint import postgres_database  # noqa: PLC0415 - only where one is named

        place = postgres_database(given)
        if place is None:
            return absolute_path(values.text(given), root)
        if is_served:
            return default
        remedy = "serve it with `automation-report serve`, and report to the address of that with"
        raise SettingError(given.origin, place.shown, f"{remedy} {spelled_like('url', given)}")

    return found.value("database", read, default)


def _artifact_store(found: SettingsResolver, root: Path, artifact_url: str) -> str:
    """Return the user's own store of files: a bucket, or a folder that something else makes readable."""

    def read(given: RawSetting) -> str:
        store = values.artifact_store(given)
        if is_bucket(store):
            return store
        if not artifact_url and "artifact_url" not in found.refused:
            remedy = f"say with {spelled_like('artifact_url', given)} where the files of a folder can be read"
            raise SettingError(given.origin, given.value, remedy)
        return str(absolute_path(store, root))

    return found.value("artifact_store", read, "")


def _redact(found: SettingsResolver) -> tuple[str, ...]:
    """Return the patterns of what is hidden; everything is, when those that were given cannot be understood."""
    patterns = found.value("redact", values.patterns, ())
    return (_EVERYTHING,) if "redact" in found.refused else patterns


def token_for(configuration: Configuration, environ: Mapping[str, str]) -> tuple[Configuration, Token | None]:
    """Return the token for the server, read once, and the configuration that tells when there is none.

    The embedded server needs none, and a session whose results are sent later can do without.
    """
    if configuration.endpoint.is_embedded:
        return configuration, None
    result = token_from(environ, configuration.token_file)
    if result.trouble is None or configuration.delivery == "later":
        return configuration, result.token
    trouble = f"{result.trouble}; results are kept"
    told = replace(
        configuration,
        troubles=(*configuration.troubles, trouble),
        hindrance=configuration.hindrance or trouble,
        token_trouble=result.trouble,
    )
    return told, None


def _source(found: SettingsResolver, project_name: str | None, root: Path) -> str:
    """Return the source: the one given, the project's name, and for the embedded server the folder's name.

    A run that exists has one already.
    """
    source = found.value("source", values.source, "") or source_from(project_name)
    if source:
        return source
    url = found.given.get("url")
    if url is not None and "run_id" not in found.given and not found.refused & {"source", "url"}:
        place = f"{shown_address(str(url.value))} ({url.origin})"
        derived = f"{project_name!r}, the project's name, makes none" if project_name else "no project name was found"
        remedy = f"{derived}: name what groups the runs at {place}: {values.SOURCES}"
        found.refuse("source", SettingError(spelled_like("source", url), None, remedy, reason="missing"), url)
    return source_from(root.absolute().name) or _LAST_SOURCE


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a text for each environment variable that looks like one of ours and is none."""
    prefix = PREFIX.upper()
    with_fallbacks = {each.environment for each in SETTINGS}
    endings = [each.removeprefix(prefix) for each in sorted(with_fallbacks | OTHER_VARIABLES)]
    for name in sorted(environ):
        if name.startswith(prefix) and name not in with_fallbacks and name not in OTHER_VARIABLES:
            near = difflib.get_close_matches(name.removeprefix(prefix), endings, n=1)
            yield f"{name}: does nothing" + (f"; did you mean {prefix}{near[0]}?" if near else "")
