"""Every setting, once: a field of the class `Settings`, whose type, help, default, parser and spellings stand together.

Below it: add the options to pytest, read its ini file, decide whether a session reports. pytest loads this module at
every start, so it imports nothing else of the package before a value is parsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

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

SettingKind: TypeAlias = 'Literal["text", "integer", "seconds", "flag", "list", "pairs", "choice"]'
IniType: TypeAlias = 'Literal["string", "int", "float", "bool", "linelist"]'
DeliveryMode: TypeAlias = 'Literal["live", "later"]'
DigestMode: TypeAlias = 'Literal["auto", "true", "false", "only"]'
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
_TYPES: Final[Mapping[SettingKind, tuple[IniType, str]]] = {
    "text": ("string", "TEXT"),
    "choice": ("string", ""),
    "integer": ("int", "NUMBER"),
    "seconds": ("float", "SECONDS"),
    "flag": ("bool", ""),
    "list": ("linelist", "VALUE"),
    "pairs": ("linelist", "NAME=VALUE"),
}
# The kind of a setting that names none, by the type of its default; of all other defaults it is text.
_KINDS: Final[Mapping[type, SettingKind]] = {bool: "flag", float: "seconds", int: "integer"}


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


def _digest(raw: RawSetting) -> DigestMode:
    flag = flag_from(raw.value) if isinstance(raw.value, str) else None
    if flag is not None:
        return "true" if flag else "false"
    words: tuple[DigestMode, ...] = ("true", "false", "only", "auto")
    return parsers.choice(raw, words)


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
        kind: SettingKind | None = None,
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
        self.kind: SettingKind = kind or _KINDS.get(type(default), "text")
        # The parser follows from the kind, and that from the default.
        usual: Mapping[SettingKind, Callable[[RawSetting], Any]] = {
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
    delivery: DeliveryMode = setting(
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
    digest: DigestMode = setting(
        "Show what failed in the summary, as `failures` does; `only`, as for coding agents: in place of pytest's own",
        choices=("auto", "true", "false", "only"),
        parse=_digest,
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


def find_setting(name: str) -> Setting:
    """Return the setting of that name; raises KeyError for an unknown one."""
    return _BY_NAME[name]


SWITCH_NAME: Final = "automation_report"
"""Name of the switch in ini files; it turns reporting on and is no setting of the table."""

SWITCH_OPTION: Final = "--automation-report"
SWITCH_OFF_OPTION: Final = f"--no{SWITCH_OPTION[1:]}"
SWITCH_ENVIRONMENT: Final = "AUTOMATION_REPORT"

_GROUP_TITLE: Final = f"reporting (other settings: {PREFIX}... in the ini options below, or -o {PREFIX}NAME=VALUE)"


class Switch:
    """Hold the decision whether this session reports, and ``origin``, the spelling that decided it, empty for none.

    ``warning`` names an environment variable that has no valid value and was ignored.
    """

    def __init__(self, origin: str, warning: str = "", *, is_on: bool) -> None:
        self.is_on, self.origin, self.warning = is_on, origin, warning


def add_options(parser: pytest.Parser) -> None:
    """Register the switch, the ini value of every setting, and the options of the settings that have one."""
    # Every default is None, so that an unset value differs from one that the user set to its default.
    group = parser.getgroup("automation-report", _GROUP_TITLE)
    report = "Report this session: results go to a Testmo instance, or to an embedded server."
    turn_off = "Do not report this session, whatever ini files and environment say."
    on, off = {"action": "store_const", "const": True, "default": None}, {"action": "store_const", "const": False}
    group.addoption(SWITCH_OPTION, dest=SWITCH_NAME, **on, help=report)
    group.addoption(SWITCH_OFF_OPTION, dest=SWITCH_NAME, **off, help=turn_off)
    parser.addini(SWITCH_NAME, "Report sessions (see automation_report_when).", type="bool", default=None)
    for row in SETTINGS:
        parser.addini(row.ini, row.help + ".", type=row.ini_type, default=None)
        # argparse checks nothing, so all messages about wrong values are ours.
        text = row.help.replace("%", "%%") + "."
        if not row.is_option:
            continue
        if row.kind == "flag":
            group.addoption(row.option, dest=row.ini, **on, help=text)
            group.addoption(row.off_option, dest=row.ini, **off, help=f"Turn {row.option} off.")
        elif row.is_list:
            text += " Can be repeated; commas separate."
            group.addoption(row.option, dest=row.ini, action="append", default=None, metavar=row.metavar, help=text)
        else:
            group.addoption(row.option, dest=row.ini, default=None, metavar=row.metavar, help=text)


def unknown_ini_names(config: pytest.Config) -> list[str]:
    """Return the names in the ini file and after ``-o`` that look like ours and that no plugin has registered."""
    # No public function returns the names: getini raises for an unknown one. pytest 8.4 has the second attribute, with
    # the names of the file alone.
    values: Mapping[str, object] | None = getattr(config, "_inicfg", None)
    in_file = getattr(config, "inicfg", {}) if values is None else values
    names = dict.fromkeys([*in_file, *_overridden_names(config)])
    return [name for name in names if looks_like_ours(name) and not _is_registered(config, name)]


def is_set(config: pytest.Config, environ: Mapping[str, str], name: str) -> bool:
    """Whether environment or ini file may have a value for a setting; its parser tells."""
    row = find_setting(name)
    return row.environment in environ or config.getini(row.ini) is not None


def is_override(origin: str) -> bool:
    """Whether an origin is ``-o``, pytest's own option that overrides an ini value."""
    return origin.startswith("-o ")


def normalized_ini_name(name: str) -> str:
    """Return an ini file's name as the table would spell it: in small letters, with underscores."""
    return name.strip().lower().replace("-", "_").strip("_")


def looks_like_ours(name: str) -> bool:
    """Whether a user may have meant an ini file's name for us, also with wrong letters in the prefix."""
    word = normalized_ini_name(name)
    return word == "testmo_token" or (word.startswith("autom") and "rep" in word)


def _is_registered(config: pytest.Config, name: str) -> bool:
    # Asked first, since getini would parse the value of a setting, and raise for a wrong one.
    if name == SWITCH_NAME or any(row.ini == name for row in SETTINGS):
        return True
    try:
        config.getini(name)
    except (TypeError, ValueError) as error:
        return not str(error).startswith("unknown configuration value")
    return True


def switch(config: pytest.Config, environ: Mapping[str, str]) -> Switch:
    """Decide whether the session reports; raises `SettingError` if the ini file has an invalid value."""
    option = config.getoption(SWITCH_NAME)
    if option is not None:
        warning = _tox_warning(config, environ) if option else ""
        return Switch(SWITCH_OPTION if option else SWITCH_OFF_OPTION, warning, is_on=bool(option))
    word = environ.get(SWITCH_ENVIRONMENT, "").strip()
    flag = flag_from(word)
    if flag is not None:
        return Switch(SWITCH_ENVIRONMENT, is_on=flag)
    warning = f"{SWITCH_ENVIRONMENT}: {word!r} cannot be used: write 1 or 0" if word else ""
    ((value, origin),) = ini_values(config, [(SWITCH_NAME, "flag")])
    if value is not False:
        warning = warning or _tox_warning(config, environ)
    return Switch("" if value is None else origin, warning, is_on=bool(value) and _counts_here(config, environ))


def _tox_warning(config: pytest.Config, environ: Mapping[str, str]) -> str:
    """Return a warning if tox may have dropped settings and token of the environment, "" if not."""
    # tox passes on the variables alone that its configuration names. Who names ours there has seen to it.
    if "TOX_ENV_NAME" not in environ or any(name.startswith(SWITCH_ENVIRONMENT) for name in environ):
        return ""
    import re  # noqa: PLC0415 - only in tox
    from pathlib import Path  # noqa: PLC0415 - only in tox

    root = config.rootpath
    passed = re.compile(r"""AUTOMATION_(?:REPORT|\*)|pass_?env\s*=\s*\[?\s*["']?\*""")
    folders = {root, Path(environ.get("TOX_WORK_DIR") or root / ".tox").parent}
    names = ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml")
    files = [path for folder in folders for name in names if (path := folder / name).is_file()]
    try:
        if any(passed.search(path.read_text(encoding="utf-8", errors="replace")) for path in files):
            return ""
    except OSError:
        return ""  # it cannot be told
    return f"tox holds back {SWITCH_ENVIRONMENT}... variables, also the token: add pass_env = {SWITCH_ENVIRONMENT}*"


def _counts_here(config: pytest.Config, environ: Mapping[str, str]) -> bool:
    """Whether a switch in an ini file counts on this machine, by the setting ``when``."""
    when = find_setting("when")
    ((value, origin),) = ini_values(config, [(when.ini, when.kind)])
    values = [environ.get(when.environment), value]
    # The user typed a value after -o for this session, so it wins over the environment.
    values = values[::-1] if is_override(origin) else values
    words = (value.strip() for value in values if isinstance(value, str))
    if next((word for word in words if word), when.default) != "ci":
        return True
    from pytest_automation_report.ci.detection import is_ci  # noqa: PLC0415  # others must not pay for it

    return is_ci(environ)


def ini_values(config: pytest.Config, names: Iterable[tuple[str, SettingKind]]) -> list[tuple[object, str]]:
    """Return ini values, each with its origin, ``None`` when unset; raises `SettingError` where pytest refuses one."""
    import warnings  # noqa: PLC0415  # pytest has imported it; the console command reads no ini value this way

    from pytest import UsageError  # noqa: PLC0415, PT013  # the console command loads this module without pytest

    values: list[tuple[object, str]] = []
    with warnings.catch_warnings():
        # pytest warns of a list where a text belongs; the error that follows is clearer.
        warnings.simplefilter("ignore")
        for name, kind in names:
            origin = ini_origin(config, name)
            try:
                values.append((config.getini(name), origin))
            except (TypeError, ValueError, UsageError) as error:
                from pytest_automation_report.settings.parsers import refused_value  # noqa: PLC0415 - only for mistakes

                if refused := refused_value(str(error), kind, origin):
                    raise refused from error
                values.append((None, origin))
    return values


def ini_origin(config: pytest.Config, name: str) -> str:
    """Return the origin of an ini value in the user's own spelling: the file's name, or ``-o``."""
    if name in _overridden_names(config):
        return f"-o {name}"
    return f"{config.inipath.name}: {name}" if config.inipath else name


def _overridden_names(config: pytest.Config) -> list[str]:
    overrides: list[str] = config.getoption("override_ini") or []
    return [override.partition("=")[0].strip() for override in overrides]
