"""Every setting, once: a field of the class `Settings`, whose type, help, default, parser and spellings stand together.

pytest loads this module at every start, so it imports nothing else of the package before a value is parsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.api.models import Endpoint, Field, Link, Status
    from pytest_automation_report.ci.detection import FactsScope
    from pytest_automation_report.ci.facts import BuildInfo, Shard
    from pytest_automation_report.recording.options import Output
    from pytest_automation_report.settings import parsers
    from pytest_automation_report.settings.parsers import RawSetting
else:

    class _Parsers:
        """The functions of `settings.parsers`, which is imported when one of them is called."""

        def __getattr__(self, name: str) -> Callable[..., Any]:
            def parse(*arguments: Any) -> Any:  # noqa: ANN401 - as the function has them
                from pytest_automation_report.settings import parsers  # noqa: PLC0415 - see the module

                return getattr(parsers, name)(*arguments)

            return parse

    parsers = _Parsers()

Kind: TypeAlias = 'Literal["text", "integer", "seconds", "flag", "list", "pairs", "choice"]'
IniType: TypeAlias = 'Literal["string", "int", "float", "bool", "linelist"]'
Delivery: TypeAlias = 'Literal["live", "later"]'
When: TypeAlias = 'Literal["always", "ci"]'
Order: TypeAlias = 'Literal["none", "failed-first", "slowest-first"]'

PREFIX: Final = "automation_report_"
"""Prefix of a setting's name in ini files, and of an option's name inside pytest."""

TOKEN_VARIABLES: Final = ("AUTOMATION_REPORT_TOKEN", "AUTOMATION_REPORT_SERVER_TOKEN", "AUTOMATION_REPORT_PAGES_TOKEN")
"""Environment variables that have the prefix and are no settings."""

LOCAL_URL: Final = "local"
"""Value of the setting ``url`` for the embedded store, for a user whose ini file or environment names a server."""

STORE: Final = ".automation-report/store.sqlite3"
"""The default file of the embedded store, below the root folder of the project."""

# The type that pytest reads from ini files, which a value in native TOML must have exactly; the help's placeholder.
_TYPES: Final[Mapping[Kind, tuple[IniType, str]]] = {
    "text": ("string", "TEXT"),
    "choice": ("string", ""),
    "integer": ("int", "NUMBER"),
    "seconds": ("float", "SECONDS"),
    "flag": ("bool", ""),
    "list": ("linelist", "VALUE"),
    "pairs": ("linelist", "NAME=VALUE"),
}
# The kind of a setting that names none, by the type of its default; of all other defaults it is text.
_KINDS: Final[Mapping[type, Kind]] = {bool: "flag", float: "seconds", int: "integer"}


def flag_from(text: str) -> bool | None:
    """Return the flag of a word such as ``1``, ``true`` or ``off``, None for any other word."""
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on", "y", "t"}:
        return True
    return False if word in {"0", "false", "no", "off", "n", "f"} else None


def _flag(raw: RawSetting) -> bool:
    value = flag_from(raw.value) if isinstance(raw.value, str) else raw.value
    if not isinstance(value, bool):
        from pytest_automation_report.errors import SettingError  # noqa: PLC0415 - see the module

        raise SettingError(raw.origin, raw.value, "write 1 or 0 (or true or false)")
    return value


class Setting:
    """One setting; its spellings follow from its name.

    ``default`` is the value of an unset setting, as a user would write it, before anything is derived from the project
    or the CI provider: the first of the ``choices``, else empty. ``unset`` is the same as a typed value, named where it
    differs. ``parse`` returns the typed value of a raw one; if ``needs_others``, the resolver derives it, with other
    settings or from files. Few settings have an option of pytest (``is_option``): all of them would bury pytest's own
    options in ``pytest --help``.
    """

    def __init__(  # noqa: PLR0913 - the columns of the table
        self,
        help: str,  # noqa: A002 - as argparse calls it
        *,
        default: str | float | tuple[str, ...] | None = "",
        kind: Kind | None = None,
        choices: tuple[str, ...] = (),
        parse: Callable[[RawSetting], Any] | None = None,
        unset: object = None,
        is_option: bool = False,
        needs_others: bool = False,
    ) -> None:
        if choices:
            default, kind = choices[0], "choice"
        elif kind is not None:
            default = None if kind == "integer" else ()
        self.kind: Kind = kind or _KINDS.get(type(default), "text")
        # The parser follows from the kind, and that from the default.
        usual: Mapping[Kind, Callable[[RawSetting], Any]] = {
            "choice": lambda raw: parsers.choice(raw, choices),
            "integer": parsers.identifier,
            "flag": _flag,
            "text": parsers.text,
        }
        self.parse = parse or usual[self.kind]
        self.help, self.default, self.choices = help, default, choices
        self.short_help = help.partition(";")[0]  # in one line of the console command's help
        self.unset = default if unset is None else unset
        self.is_option, self.needs_others = is_option, needs_others
        self.is_list = self.kind in ("list", "pairs")
        self.ini_type: IniType = _TYPES[self.kind][0]
        self.metavar = "{" + ",".join(choices) + "}" if choices else _TYPES[self.kind][1]

    def __set_name__(self, owner: type, name: str) -> None:
        """Derive the spellings: of options, ini files and environment; ``off_option`` turns off a flag that is on."""
        spelled = name.replace("_", "-")
        self.name = name
        self.option, self.off_option = f"--automation-report-{spelled}", f"--no-automation-report-{spelled}"
        # Of the console command.
        self.plain_option, self.plain_off_option = f"--{spelled}", f"--no-{spelled}"
        # In ini files; also the option's name inside pytest.
        self.ini = PREFIX + name
        self.environment = self.ini.upper()


# A field of `Settings` has the type that its parser returns, which a test holds.
setting: Final[Any] = Setting


class Settings:
    """Every setting as a typed value; paths are absolute, ``exit_wait`` is in seconds, sizes are in bytes.

    A field is a setting; `SETTINGS` is the table of them. The members below the fields are no settings: ``endpoint``
    holds address (empty if it is invalid), project, proxies and certificates. ``origins`` maps the names of the
    settings that the user set to the spelling of each. ``warnings`` are shown once, while the tests run.
    ``blocking_error`` keeps results from being sent, ``token_error`` is about a missing token; both
    are empty for none. ``shard`` is the part of the tests that a session runs, None for all.
    """

    when: When = setting("Where a switch in an ini file counts: everywhere, or only in CI", choices=("always", "ci"))
    url: str = setting(
        "Address of Testmo or a server; unset or `local`: the embedded server", is_option=True, needs_others=True
    )
    project_id: int | None = setting(
        "Number of the project on the server; required with an address, else 1", kind="integer", is_option=True
    )
    source: str = setting(
        "Suite in which tests keep a history; default: the project's name", parse=parsers.source, is_option=True
    )
    name: str = setting(
        "Name of the run; default: source and run_key, or in CI source, branch and build, else source and local time",
        parse=parsers.line,
        is_option=True,
    )
    folder_prefix: str = setting("Text before every test's folder; default: the text of --junit-prefix")
    delivery: Delivery = setting(
        "Send results live, or later by 'automation-report send'", choices=("live", "later"), is_option=True
    )
    tags: tuple[str, ...] = setting(
        "Tags of the run; letters, digits, underscore and dash", kind="list", parse=parsers.tags, is_option=True
    )
    config: str = setting("Name of the run's configuration on the server")
    config_id: int | None = setting("Id of the run's configuration on the server", kind="integer")
    milestone: str = setting("Name of the run's milestone on the server")
    milestone_id: int | None = setting("Id of the run's milestone on the server", kind="integer")
    run_id: int | None = setting("Id of an existing run to join; it stays open", kind="integer", is_option=True)
    run_key: str = setting(
        "Key of the run that jobs share, as {pipeline}; the run stays open", parse=parsers.run_key, is_option=True
    )
    job: str = setting(
        "Name of this job in a shared run; default: the CI provider's, else the session's id", parse=parsers.line
    )
    facts: FactsScope = setting(
        "Facts that a run shows; `all`: of CI, git and versions, `ci`: all but git's", choices=("all", "ci", "none")
    )
    branch: str = setting("Branch that is tested; default: the CI provider's, else git's")
    branch_tag: bool = setting("Make the branch's name a tag of the run", default=False)
    build: str = setting("Number of the build; default: the CI provider's")
    attempt: int | None = setting("Number of the job's attempt, from 1; default: the CI provider's", kind="integer")
    job_url: str = setting("Web address of the CI job; default: the CI provider's", parse=parsers.page)
    fields: tuple[Field, ...] = setting("Fields of the run", kind="pairs", parse=parsers.fields, is_option=True)
    links: tuple[Link, ...] = setting(
        "Links of the run; web addresses, each with a name", kind="pairs", parse=parsers.links, is_option=True
    )
    order: Order = setting(
        "Order of the tests: those that failed last first, then new ones, or the modules that take longest first",
        choices=("none", "failed-first", "slowest-first"),
    )
    output: Output = setting("Tests that keep their captured output", choices=("failed", "all", "none"), is_option=True)
    output_annotations: bool = setting(
        "Read fields and artifacts from the PROPERTY and ATTACHMENT lines in the tests' output", default=False
    )
    markers: tuple[str, ...] = setting(
        "Names of your markers; each becomes a field of the tests that carry it", kind="list", parse=parsers.names
    )
    link_templates: Mapping[str, str] = setting(
        "Addresses for the markers of cases and issues: case=https://.../{} and issue=https://.../{}",
        kind="pairs",
        parse=parsers.templates,
        unset={},
    )
    statuses: Mapping[Status, str] = setting(
        "Names of the server's statuses, if they differ; for passed, failure, error and skipped",
        kind="pairs",
        parse=parsers.statuses,
        unset={},
    )
    redact: tuple[str, ...] = setting(
        "Regular expressions of texts to hide; matches become [redacted]", kind="list", parse=parsers.patterns
    )
    redact_builtin: bool = setting(
        "Hide texts that look like credentials; and values of variables named like secrets", default=True
    )
    compare_junit: str = setting(
        "File that --junitxml writes of the same session; the summary shows the keys and statuses that differ from it"
    )
    html: str = setting(
        "File for the report of the run as one HTML page, - for stdout; with Testmo only of this session",
        parse=parsers.html_file,
        is_option=True,
    )
    job_summary: bool = setting(
        "Write a summary for the page of the CI job, if the provider shows one (GITHUB_STEP_SUMMARY)", default=True
    )
    ci_annotations: bool = setting(
        "Mark failures on the CI job's page; GitHub (by default), Azure, TeamCity, Buildkite, GitLab", default=False
    )
    digest: bool = setting(
        "Show what failed in the summary, as `failures` does; on by itself for coding agents", default=False
    )
    known: str = setting("File of failures known until a date; they do not fail the session")
    owners: str = setting("CODEOWNERS file; failed tests get a field with the owners of their file")
    report_not_run: bool = setting(
        "Report the tests that a session did not reach, each as a result with the status untested", default=False
    )
    strict: bool = setting("Fail a session if not all of its results were delivered", default=False, is_option=True)
    preflight: bool = setting(
        "Check server, token, project and clock before the tests, and stop if one is wrong", default=False
    )
    exit_wait: float = setting(
        "Seconds that pytest waits for the delivery at its end, from 0 to 3600", default=30.0, parse=parsers.seconds
    )
    browser_artifacts: bool = setting(
        "Add files of pytest-playwright to tests, and a screenshot of Selenium to failed ones", default=True
    )
    artifact_size: int = setting(
        "Largest artifact that is kept, such as 500KB or 32MB", default="32MB", parse=parsers.size, unset=32_000_000
    )
    artifact_total: int = setting(
        "Largest total of waiting artifacts, such as 2GB", default="2GB", parse=parsers.size, unset=2_000_000_000
    )
    artifact_url: str = setting(
        "Address of artifacts that CI or artifact_store keeps; with {path}, {name}, {build}, {job_url} and so on",
        parse=parsers.artifact_template,
    )
    artifact_store: str = setting(
        "Bucket (s3://, gs://, az://) or folder for artifacts; without artifact_url results have signed addresses",
        needs_others=True,
    )
    token_file: str = setting("File with the API token; used if the environment has none", is_option=True)
    ca_file: str = setting("File of certificates to trust; they replace the built-in ones", needs_others=True)
    allow_http: bool = setting("Allow http:// to other machines; others can read the token then", default=False)
    spool: Path = setting(
        "Folder that keeps results until they are sent; default: .automation-report/spool",
        default=".automation-report/spool",
        parse=parsers.path,
        unset=Path(".automation-report/spool"),
        is_option=True,
    )
    keep_spool: int = setting("Days that the spool keeps unsent results; 0: for ever", default=14, parse=parsers.days)
    database: Path = setting(
        "Database file of the embedded server; `serve` and `store` also take a postgresql:// address;"
        " default: .automation-report/store.sqlite3",
        parse=parsers.path,
        is_option=True,
        needs_others=True,
    )

    endpoint: Endpoint
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    blocking_error: str
    token_error: str = ""
    shard: Shard | None = None

    # A proxy's address may hold a password, so there is no `__repr__`: an instance shows no values.
    def __init__(self, values: Mapping[str, object]) -> None:
        self.__dict__.update(values)

    def changed(self, **values: object) -> Settings:
        """Return a copy with other values."""
        return Settings({**self.__dict__, **values})

    def blocked(self, warning: str) -> Settings:
        """Return a copy with one more warning, which keeps results from being sent."""
        return self.changed(warnings=(*self.warnings, warning), blocking_error=self.blocking_error or warning)

    def with_store(self, database: Path) -> Settings:
        """Return a copy with another file of the embedded store."""
        from msgspec.structs import replace  # noqa: PLC0415 - see the module

        endpoint = self.endpoint
        if endpoint.is_embedded:
            endpoint = replace(endpoint, database=str(database))
        return self.changed(database=database, endpoint=endpoint)

    @property
    def build_info(self) -> BuildInfo:
        """The facts of the build that the user set; `facts_for` adds the facts of the CI provider and of git."""
        from pytest_automation_report.ci.facts import BuildInfo  # noqa: PLC0415 - see the module

        return BuildInfo(
            branch=self.branch or None,
            build=self.build or None,
            attempt=self.attempt,
            shard=self.shard,
            url=self.job_url or None,
        )

    @property
    def setting_error(self) -> str:
        """The wrong setting that keeps results from being sent; empty if only a token is missing."""
        is_token = self.token_error and self.blocking_error.startswith(self.token_error)
        return "" if is_token else self.blocking_error

    @property
    def is_sendable(self) -> bool:
        """Whether results can be sent; else they are kept, and ``blocking_error`` has the reason."""
        return not self.blocking_error


SETTINGS: Final = tuple(each for each in vars(Settings).values() if isinstance(each, Setting))
_BY_NAME: Final = {each.name: each for each in SETTINGS}


def setting_of(name: str) -> Setting:
    """Return the setting of that name; raises KeyError for an unknown one."""
    return _BY_NAME[name]
