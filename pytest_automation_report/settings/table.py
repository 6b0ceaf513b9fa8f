"""List every setting once: its name, kind, default, parser and help text.

pytest loads this module at every start, reporting or not. So it imports nothing else of the package, and a row holds
its parser's name, a function of `settings.parsers`, instead of the function. The module is long because it is a table,
of which a reader looks up one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = 'Literal["text", "integer", "seconds", "flag", "list", "pairs", "choice"]'
IniType: TypeAlias = 'Literal["string", "int", "float", "bool", "linelist"]'

PREFIX: Final = "automation_report_"
"""Prefix of a setting's name in ini files, and of an option's name inside pytest."""

OVERRIDE: Final = "-o "
"""Prefix of an origin after pytest's own option ``-o``, which overrides the ini file."""

SWITCH_NAME: Final = "automation_report"
"""Name of the switch in ini files; it turns reporting on and is no row of the table."""

LOCAL_URL: Final = "local"
"""Value of the setting ``url`` for the embedded store, for a user whose ini file or environment names a server."""

_INI_TYPES: Final[Mapping[Kind, IniType]] = {
    "text": "string",
    "choice": "string",
    "integer": "int",
    "seconds": "float",
    "flag": "bool",
    "list": "linelist",
    "pairs": "linelist",
}
_METAVARS: Final[Mapping[Kind, str]] = {
    "text": "TEXT",
    "integer": "NUMBER",
    "seconds": "SECONDS",
    "list": "VALUE",
    "pairs": "NAME=VALUE",
}
_PARSERS: Final[Mapping[Kind, str]] = {
    "text": "text",
    "integer": "identifier",
    "seconds": "seconds",
    "flag": "flag",
    "choice": "choice",
}
"""Name of the parser of each kind; the row of a list or of pairs names its parser."""

_ON_WORDS: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_OFF_WORDS: Final = frozenset({"0", "false", "no", "off", "n", "f"})


class Setting(Value):
    """Describe one setting; its spellings follow from its name.

    ``default`` is the value of an unset setting, as a user would write it, before anything is derived from the project
    or the CI provider. ``parser`` is the name of a function in `settings.parsers`, empty for the usual one of the kind.
    ``is_option`` is true if pytest has an option for the setting. The other settings would bury pytest's own options in
    ``pytest --help``: users write them in ini files, in environment variables or after ``-o``.
    """

    name: str
    kind: Kind
    default: str | float | tuple[str, ...] | None
    help: str
    choices: tuple[str, ...] = ()
    is_option: bool = False
    parser: str = ""

    @property
    def parser_name(self) -> str:
        """The function of `settings.parsers` that turns a raw value into the typed one."""
        return self.parser or _PARSERS[self.kind]

    @property
    def option(self) -> str:
        """The option of pytest; pytest knows it only if ``is_option`` is true."""
        return f"--automation-report-{self.name.replace('_', '-')}"

    @property
    def off_option(self) -> str:
        """The option of pytest that turns off a flag that is on in the environment or the ini file."""
        return f"--no-automation-report-{self.name.replace('_', '-')}"

    @property
    def plain_option(self) -> str:
        """The option of the console command."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def ini(self) -> str:
        """The name in pytest.ini, pytest.toml, pyproject.toml and tox.ini; also the option's name inside pytest."""
        return PREFIX + self.name

    @property
    def environment(self) -> str:
        """The environment variable."""
        return self.ini.upper()

    @property
    def ini_type(self) -> IniType:
        """The type that pytest reads from ini files; a value in native TOML must have exactly this type."""
        return _INI_TYPES[self.kind]

    @property
    def metavar(self) -> str:
        """The placeholder for the value in help texts."""
        return "{" + ",".join(self.choices) + "}" if self.choices else _METAVARS[self.kind]


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "when",
        "choice",
        "always",
        "Count a switch in an ini file everywhere, or only if a CI provider is detected",
        ("always", "ci"),
    ),
    Setting(
        "url",
        "text",
        "",
        "Address of the Testmo instance, with or without /api/v1; unset or `local`: the embedded server",
        is_option=True,
    ),
    Setting(
        "project_id",
        "integer",
        None,
        "Id of the project on the server; required with an address, else 1",
        is_option=True,
    ),
    Setting(
        "source",
        "text",
        "",
        "Name that groups runs and keeps the history of tests; default: the project's name in pyproject.toml",
        is_option=True,
        parser="source",
    ),
    Setting(
        "name",
        "text",
        "",
        "Name of the run; default: source, branch and build in CI, else source and local time",
        is_option=True,
        parser="line",
    ),
    Setting("folder_prefix", "text", "", "Text before every test's folder; default: that of --junit-prefix"),
    Setting(
        "delivery",
        "choice",
        "live",
        "Send results while the tests run, or later by 'automation-report send'",
        ("live", "later"),
        is_option=True,
    ),
    Setting("tags", "list", (), "Tags of the run: letters, digits, underscore and dash", is_option=True, parser="tags"),
    Setting("config", "text", "", "Name of the run's configuration on the server"),
    Setting("config_id", "integer", None, "Id of the run's configuration on the server"),
    Setting("milestone", "text", "", "Name of the run's milestone on the server"),
    Setting("milestone_id", "integer", None, "Id of the run's milestone on the server"),
    Setting(
        "run_id",
        "integer",
        None,
        "Id of an existing run: join it, add results to it and leave it open",
        is_option=True,
    ),
    Setting(
        "run_key",
        "text",
        "",
        "Key of a run that several jobs share, as {pipeline}: the first creates it, the others join it, it stays open",
        is_option=True,
        parser="run_key",
    ),
    Setting(
        "job",
        "text",
        "",
        "Name of the job in a run that several jobs share; default: the CI provider's, else the session's id",
        parser="line",
    ),
    Setting(
        "facts",
        "choice",
        "all",
        "Facts that a run shows of its build: those of CI, git and versions; all but git's; or none",
        ("all", "ci", "none"),
    ),
    Setting("branch", "text", "", "Branch that is tested; default: the CI provider's, else git's"),
    Setting("branch_tag", "flag", default=False, help="Make the branch's name a tag of the run"),
    Setting("build", "text", "", "Number of the build; default: the CI provider's"),
    Setting("attempt", "integer", None, "Number of the job's attempt, from 1; default: the CI provider's"),
    Setting(
        "shard",
        "text",
        None,
        "Number of this job among parallel ones: 2/5, or 2 if the total is unknown; default: the CI provider's",
        parser="shard",
    ),
    Setting("job_url", "text", "", "Web address of the CI job; default: the CI provider's", parser="page"),
    Setting("fields", "pairs", (), "Fields of the run", is_option=True, parser="fields"),
    Setting("links", "pairs", (), "Links of the run: web addresses, each with a name", is_option=True, parser="links"),
    Setting(
        "output",
        "choice",
        "failed",
        "Tests that keep their captured output",
        ("failed", "all", "none"),
        is_option=True,
    ),
    Setting(
        "output_annotations",
        "flag",
        default=False,
        help="Read fields and artifacts from the PROPERTY and ATTACHMENT lines that tests print for the official tool",
    ),
    Setting(
        "markers", "list", (), "Names of your markers; each becomes a field of the tests that carry it", parser="names"
    ),
    Setting(
        "link_templates",
        "pairs",
        (),
        "Addresses for the markers of cases and issues: case=https://.../{} and issue=https://.../{}",
        parser="templates",
    ),
    Setting(
        "statuses",
        "pairs",
        (),
        "Words of the server for the statuses passed, failure, error and skipped, if they differ",
        parser="statuses",
    ),
    Setting(
        "redact",
        "list",
        (),
        "Regular expressions; their matches in the sent texts become [redacted]",
        parser="patterns",
    ),
    Setting(
        "redact_builtin",
        "flag",
        default=True,
        help="Hide also texts that look like credentials, and the values of environment variables named like secrets",
    ),
    Setting(
        "compare_junit",
        "text",
        "",
        "File that --junitxml writes of the same session: the summary shows the keys and statuses that differ from it",
    ),
    Setting(
        "html",
        "text",
        "",
        "File that gets the report of the run as one HTML page, - for stdout; with Testmo that of this session alone",
        is_option=True,
        parser="html_file",
    ),
    Setting(
        "job_summary",
        "flag",
        default=True,
        help="Write a summary for the page of the CI job, if the provider shows one (GITHUB_STEP_SUMMARY)",
    ),
    Setting(
        "ci_annotations",
        "flag",
        default=False,
        help="Mark failures on the page of the CI job: GitHub (by default), Azure, TeamCity, Buildkite and GitLab",
    ),
    Setting(
        "report_not_run",
        "flag",
        default=False,
        help="Report the tests that a session did not reach, each as a result with the status untested",
    ),
    Setting(
        "strict",
        "flag",
        default=False,
        help="Fail a session if some of its results could not be delivered",
        is_option=True,
    ),
    Setting(
        "preflight",
        "flag",
        default=False,
        help="Check server, token, project and clock before the first test, and stop the session if one is wrong",
    ),
    Setting("exit_wait", "seconds", 30.0, "Seconds that pytest waits at its end for the delivery, from 0 to 3600"),
    Setting(
        "browser_artifacts",
        "flag",
        default=True,
        help="Add the files of pytest-playwright to its tests, and a screenshot of the Selenium driver to failed ones",
    ),
    Setting(
        "artifact_size",
        "text",
        "32MB",
        "Largest file of an artifact that is kept, such as 500KB or 32MB",
        parser="size",
    ),
    Setting(
        "artifact_total",
        "text",
        "2GB",
        "Largest total of all files of artifacts that wait to be sent, such as 2GB",
        parser="size",
    ),
    Setting(
        "artifact_url",
        "text",
        "",
        "Address of artifacts that the CI or artifact_store keeps: with {path}, {name}, {build}, {job_url} and so on",
        parser="artifact_template",
    ),
    Setting(
        "artifact_store",
        "text",
        "",
        "Bucket (s3://, gs://, az://) or folder for artifacts; without artifact_url results have signed addresses",
    ),
    Setting("token_file", "text", "", "File with the API token, used if the environment has none", is_option=True),
    Setting("ca_file", "text", "", "File of certificates to trust instead of the built-in ones"),
    Setting("allow_http", "flag", default=False, help="Allow an address without TLS that is not on this machine"),
    Setting(
        "spool",
        "text",
        "",
        "Folder that keeps results until they are sent; default: .automation-report/spool",
        is_option=True,
    ),
    Setting(
        "keep_spool",
        "integer",
        14,
        "Days that the spool keeps unsent results; 0 keeps them for ever",
        parser="days",
    ),
    Setting(
        "database",
        "text",
        "",
        "Database file of the embedded server; `serve` and `store` also take a postgresql:// address;"
        " default: .automation-report/store.sqlite3",
        is_option=True,
    ),
)

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def setting(name: str) -> Setting:
    """Return the setting of that name; raises KeyError for an unknown one."""
    return _BY_NAME[name]


def flag_from(text: str) -> bool | None:
    """Return the flag that a word such as ``1``, ``true`` or ``off`` stands for, None for any other word."""
    word = text.strip().lower()
    if word in _ON_WORDS:
        return True
    return False if word in _OFF_WORDS else None


def normalized_ini_name(name: str) -> str:
    """Return an ini file's name as the table would spell it: in small letters, with underscores."""
    return name.strip().lower().replace("-", "_").strip("_")


def is_override(origin: str) -> bool:
    """Return whether an origin is ``-o``, pytest's own option that overrides an ini value."""
    return origin.startswith(OVERRIDE)
