"""The one table of settings, the rules for their spellings, and the switch that turns reporting on.

Loaded at every start of pytest, reporting or not: it imports nothing else of the package until something is asked of it
that a session without reporting never asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

__all__ = [
    "LOCAL_URL",
    "PREFIX",
    "SETTINGS",
    "SWITCH_ENVIRONMENT",
    "SWITCH_NAME",
    "SWITCH_OFF_OPTION",
    "SWITCH_OPTION",
    "Kind",
    "Setting",
    "Switch",
    "add_options",
    "file_origin",
    "file_value",
    "flag_word",
    "ini_word",
    "is_override",
    "looks_like_ours",
    "setting",
    "switch",
    "unknown_ini_names",
]

Kind: TypeAlias = Literal["text", "integer", "seconds", "flag", "list", "pairs", "choice"]
IniType: TypeAlias = Literal["string", "int", "float", "bool", "linelist"]

PREFIX: Final = "automation_report_"
"""What stands before a setting's name in ini files, and before the names that options have inside pytest."""

LOCAL_URL: Final = "local"
"""Value of the setting ``url`` for the embedded store, where an ini file or variable names a server."""

_GROUP_TITLE: Final = (
    f"reporting (other settings: {PREFIX}... in the list of ini options below, or -o {PREFIX}NAME=VALUE;"
    " see docs/settings.md)"
)

SWITCH_NAME: Final = "automation_report"
SWITCH_OPTION: Final = "--automation-report"
SWITCH_OFF_OPTION: Final = f"--no{SWITCH_OPTION[1:]}"
SWITCH_ENVIRONMENT: Final = "AUTOMATION_REPORT"

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
_INI_REMEDIES: Final[Mapping[Kind, str]] = {
    "text": "write one text, in TOML in quotes",
    "choice": "write one word, in TOML in quotes",
    "integer": "write a whole number, in native TOML without quotes",
    "seconds": "write a number of seconds, in native TOML without quotes",
    "flag": "write true or false, in native TOML without quotes",
    "list": "write one value a line, in TOML a list of texts",
    "pairs": "write one name=value a line, in TOML a list of texts",
}
_OVERRIDE: Final = "-o "
"""What an origin begins with when the value stands behind pytest's own option ``-o``, which overrides the ini file."""

_ON_WORDS: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_OFF_WORDS: Final = frozenset({"0", "false", "no", "off", "n", "f"})


@dataclass(frozen=True, slots=True)
class Setting:
    """Describe one setting; its spellings follow from its name.

    ``default`` is the value of an unset setting, before anything is derived from the project or the CI provider.
    ``is_option`` is true when pytest offers the setting as an option of its own. The others would bury pytest's own
    options in ``pytest --help``: they are written in ini files, environment variables or behind ``-o``.
    """

    name: str
    kind: Kind
    default: str | float | tuple[str, ...] | None
    help: str
    choices: tuple[str, ...] = ()
    is_option: bool = False

    @property
    def option(self) -> str:
        """Pytest's command line option; pytest knows it only when ``is_option`` is true."""
        return f"--automation-report-{self.name.replace('_', '-')}"

    @property
    def off_option(self) -> str:
        """Pytest's command line option that turns a flag off which another place turned on."""
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
        """The type that pytest reads from ini files; native TOML must have exactly this type."""
        return _INI_TYPES[self.kind]

    @property
    def metavar(self) -> str:
        """What stands for the value in help texts."""
        return "{" + ",".join(self.choices) + "}" if self.choices else _METAVARS[self.kind]


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "when",
        "choice",
        "always",
        "Where a switch in an ini file counts: everywhere, or only where a CI provider is detected",
        ("always", "ci"),
    ),
    Setting(
        "url",
        "text",
        "",
        "Address of the Testmo instance, with or without /api/v1; without it, or with `local`, to the embedded server",
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
    ),
    Setting(
        "name",
        "text",
        "",
        "Name of the run; default: source, branch and build in CI, else source and local time",
        is_option=True,
    ),
    Setting(
        "folder_prefix", "text", "", "Text that stands before every test's folder; default: that of --junit-prefix"
    ),
    Setting(
        "delivery",
        "choice",
        "live",
        "When results are sent: while the tests run, or later by 'automation-report send'",
        ("live", "later"),
        is_option=True,
    ),
    Setting("tags", "list", (), "Tags of the run: letters, digits, underscore and dash", is_option=True),
    Setting("config", "text", "", "Name of the run's configuration on the server"),
    Setting("config_id", "integer", None, "Id of the run's configuration on the server"),
    Setting("milestone", "text", "", "Name of the run's milestone on the server"),
    Setting("milestone_id", "integer", None, "Id of the run's milestone on the server"),
    Setting(
        "run_id",
        "integer",
        None,
        "Id of a run that exists: join it, add results to it and leave it open",
        is_option=True,
    ),
    Setting(
        "run_key",
        "text",
        "",
        "Key of a run that several jobs share, as {build}: the first creates it, the others find it, it stays open",
        is_option=True,
    ),
    Setting("job", "text", "", "Name of the job in a run that several share; default: one of its own for each session"),
    Setting(
        "facts",
        "choice",
        "all",
        "What a run tells by itself of where it was made: CI, git, versions; without git; or nothing",
        ("all", "ci", "none"),
    ),
    Setting("ci", "text", "", "Name of the CI provider; default for this and the next ones: what the provider tells"),
    Setting("branch", "text", "", "Branch that is tested; default: what the CI provider tells, else git"),
    Setting("branch_tag", "flag", default=False, help="Make the branch's name a tag of the run"),
    Setting("commit", "text", "", "Commit that is tested; default: what the CI provider tells, else git"),
    Setting("pull_request", "integer", None, "Number of the pull or merge request"),
    Setting("build", "text", "", "Number of the build"),
    Setting("attempt", "integer", None, "Which attempt of the job this is, from 1"),
    Setting(
        "shard", "text", None, "Which of several parallel jobs this is: 2/5, or 2 where the number of all is unknown"
    ),
    Setting("job_url", "text", "", "Web address of the CI job"),
    Setting("commit_url", "text", "", "Web address of the commit"),
    Setting("fields", "pairs", (), "Fields of the run", is_option=True),
    Setting("links", "pairs", (), "Links of the run: web addresses, each with a name", is_option=True),
    Setting(
        "output",
        "choice",
        "failed",
        "Which tests keep their captured output",
        ("failed", "all", "none"),
        is_option=True,
    ),
    Setting(
        "output_annotations",
        "flag",
        default=False,
        help="Take fields and artifacts from the PROPERTY and ATTACHMENT lines that tests print for the official tool",
    ),
    Setting("markers", "list", (), "Markers of your own that become fields of the tests that carry them"),
    Setting(
        "link_templates",
        "pairs",
        (),
        "Addresses for the markers of cases and issues: case=https://.../{} and issue=https://.../{}",
    ),
    Setting(
        "statuses",
        "pairs",
        (),
        "Words that the server has for the statuses passed, failure, error and skipped, where they differ",
    ),
    Setting("redact", "list", (), "Regular expressions; what they match in texts that are sent becomes [redacted]"),
    Setting(
        "redact_builtin",
        "flag",
        default=True,
        help="Hide also what looks like a credential, and the values of environment variables named like secrets",
    ),
    Setting(
        "compare_junit",
        "text",
        "",
        "File that --junitxml writes of the same session: the summary tells which keys and statuses differ from it",
    ),
    Setting(
        "job_summary",
        "flag",
        default=True,
        help="Write a summary for the page of the CI job, where the provider takes one (GITHUB_STEP_SUMMARY)",
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
        help="Report the tests that a session did not come to, each as a result with the status untested",
    ),
    Setting(
        "strict",
        "flag",
        default=False,
        help="Let a session fail whose results could not all be delivered",
        is_option=True,
    ),
    Setting(
        "preflight",
        "flag",
        default=False,
        help="Check server, token, project and clock before the first test, and stop the session when they are wrong",
    ),
    Setting("exit_wait", "seconds", 30.0, "How long pytest waits at its end for the delivery, from 0 to 3600 seconds"),
    Setting(
        "browser_artifacts",
        "flag",
        default=True,
        help="Add the files of pytest-playwright to its tests, and a screenshot of the Selenium driver to failed ones",
    ),
    Setting("artifact_size", "text", "32MB", "Largest file of an artifact that is kept, such as 500KB or 32MB"),
    Setting("artifact_total", "text", "2GB", "How much the files of artifacts that wait to be sent may have together"),
    Setting(
        "artifact_url",
        "text",
        "",
        "Address of artifacts that the CI, or artifact_store, keeps: with {path}, {name}, {build}, {job_url} and so on",
    ),
    Setting(
        "artifact_store",
        "text",
        "",
        "Bucket (s3://, gs://, az://) or folder that artifacts are stored in; signed addresses without artifact_url",
    ),
    Setting(
        "token_file", "text", "", "File that holds the API token, used when the environment holds none", is_option=True
    ),
    Setting("ca_file", "text", "", "File of the certificates to trust instead of the built-in ones"),
    Setting("allow_http", "flag", default=False, help="Allow an address without TLS that is not on this machine"),
    Setting(
        "spool",
        "text",
        "",
        "Folder that keeps results until they are sent; default: .automation-report/spool",
        is_option=True,
    ),
    Setting("keep_spool", "integer", 14, "Days that the spool keeps results that nobody sends; 0 keeps them for ever"),
    Setting(
        "database",
        "text",
        "",
        "Database file of the embedded server; `serve`, `store`, `status` and `milestone` also take a"
        " postgresql:// address; default: .automation-report/store.sqlite3",
        is_option=True,
    ),
)

_BY_NAME: Final = {each.name: each for each in SETTINGS}


def setting(name: str) -> Setting:
    """Return the setting of that name; KeyError for an unknown one."""
    return _BY_NAME[name]


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether this session reports, and who said so.

    ``origin`` is the spelling that decided, empty when nothing did. ``asked_on_command_line`` is true when the
    arguments of this very session ask for reporting: nested sessions inherit ``PYTEST_ADDOPTS`` and ini files, but no
    arguments. ``trouble`` tells of an environment variable that could not be understood and was left out.
    """

    is_on: bool
    origin: str
    asked_on_command_line: bool
    trouble: str = ""


def add_options(parser: pytest.Parser) -> None:
    """Register the switch, every setting's ini value and the options of the settings that have one.

    Every default is ``None``, so that an unset value differs from one that was set to its default.
    """
    group = parser.getgroup("automation-report", _GROUP_TITLE)
    group.addoption(
        SWITCH_OPTION,
        dest=SWITCH_NAME,
        action="store_const",
        const=True,
        default=None,
        help="Report this session while it runs.",
    )
    group.addoption(
        SWITCH_OFF_OPTION,
        dest=SWITCH_NAME,
        action="store_const",
        const=False,
        help="Do not report this session, whatever ini files and environment say.",
    )
    parser.addini(SWITCH_NAME, "Report sessions (see automation_report_when).", type="bool", default=None)
    for each in SETTINGS:
        parser.addini(each.ini, each.help + ".", type=each.ini_type, default=None)
        if each.is_option:
            _add_option(group, each)
    _add_removed_options(group)


def _add_option(group: pytest.OptionGroup, each: Setting) -> None:
    """Register one setting's option; argparse checks nothing, so that all messages about wrong values are ours."""
    text = each.help.replace("%", "%%") + "."
    if each.kind == "flag":
        group.addoption(each.option, dest=each.ini, action="store_const", const=True, default=None, help=text)
        group.addoption(
            each.off_option, dest=each.ini, action="store_const", const=False, help=f"Turn {each.option} off."
        )
    elif each.kind in ("list", "pairs"):
        group.addoption(
            each.option,
            dest=each.ini,
            action="append",
            default=None,
            metavar=each.metavar,
            help=text + " Can be repeated; commas separate.",
        )
    else:
        group.addoption(each.option, dest=each.ini, default=None, metavar=each.metavar, help=text)


def _add_removed_options(group: pytest.OptionGroup) -> None:
    """Register the options that settings had once, hidden: using one is a usage error that names the ini setting.

    Without them pytest would complain of an unrecognized argument, which names no remedy. All of them are one hidden
    option of pytest, since each option costs time at every start.
    """
    import argparse  # noqa: PLC0415  # pytest has imported it; the console command never needs it

    class RefuseRemovedOption(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: object,
            option_string: str | None = None,
        ) -> None:
            del namespace, values
            parser.error(_removed_option_message(option_string or ""))

    removed = [each for each in SETTINGS if not each.is_option]
    names = [each.option for each in removed]
    names += [each.off_option for each in removed if each.kind == "flag"]
    group.addoption(
        *names,
        dest=f"{PREFIX}removed_option",
        action=RefuseRemovedOption,
        nargs="?",
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )


def _removed_option_message(option: str) -> str:
    """Return the message for an option that pytest no longer offers, with the same setting's other spellings."""
    is_off = option.startswith("--no-")
    ini = option.removeprefix("--no-" if is_off else "--").replace("-", "_")
    each = _BY_NAME[ini.removeprefix(PREFIX)]
    value = ("false" if is_off else "true") if each.kind == "flag" else each.metavar
    return (
        f"{option} is not an option of pytest: set {each.ini} in the ini file or {each.environment} in the"
        f" environment, or write -o {each.ini}={value}"
    )


def flag_word(text: str) -> bool | None:
    """Return what a word such as ``1``, ``true`` or ``off`` says, ``None`` when it says neither."""
    word = text.strip().lower()
    if word in _ON_WORDS:
        return True
    return False if word in _OFF_WORDS else None


def ini_word(name: str) -> str:
    """Return an ini file's name as we would spell it: small, with underscores."""
    return name.strip().lower().replace("-", "_").strip("_")


def unknown_ini_names(config: pytest.Config) -> list[str]:
    """Return the names in the ini file, and behind ``-o``, that look like ours and that nobody has registered."""
    # There is no public way to the names: getini answers for one that is known. pytest 8.4 has the second attribute.
    found: Mapping[str, object] | None = getattr(config, "_inicfg", None)
    names = list(getattr(config, "inicfg", {}) if found is None else found)
    ours = [each for each in names if looks_like_ours(each)]
    return [each for each in ours if each != SWITCH_NAME and not _is_registered(config, each)]


def looks_like_ours(name: str) -> bool:
    """Return whether an ini file's name may be meant for us, wrong letters in the prefix included."""
    word = ini_word(name)
    return word == "testmo_token" or (word.startswith("autom") and "rep" in word)


def _is_registered(config: pytest.Config, name: str) -> bool:
    """Return whether an ini name is one of ours or of another plugin."""
    if name.removeprefix(PREFIX) in _BY_NAME and name.startswith(PREFIX):
        return True
    try:
        config.getini(name)
    except (TypeError, ValueError) as error:
        return not str(error).startswith("unknown configuration value")
    return True


def switch(config: pytest.Config, environ: Mapping[str, str]) -> Switch:
    """Decide whether the session reports: command line, then environment, then ini file, else off.

    Raises SettingError when the ini file's value cannot be used.
    """
    option = config.getoption(SWITCH_NAME)
    asked = bool(option) and SWITCH_OPTION in config.invocation_params.args
    if option is not None:
        return Switch(bool(option), SWITCH_OPTION if option else SWITCH_OFF_OPTION, asked)
    word = environ.get(SWITCH_ENVIRONMENT, "").strip()
    said = flag_word(word)
    if said is not None:
        return Switch(said, SWITCH_ENVIRONMENT, asked)
    trouble = f"{SWITCH_ENVIRONMENT}: {word!r} cannot be used: write 1 or 0" if word else ""
    value, origin = file_value(config, SWITCH_NAME, "flag")
    if value is None:
        return Switch(is_on=False, origin="", asked_on_command_line=asked, trouble=trouble)
    return Switch(bool(value) and _counts_here(config, environ), origin, asked, trouble)


def _counts_here(config: pytest.Config, environ: Mapping[str, str]) -> bool:
    """Return whether a switch in an ini file counts on this machine."""
    when = setting("when")
    value, origin = file_value(config, when.ini, when.kind)
    values = [environ.get(when.environment), value]
    # A value behind -o was typed for this session, so that it goes before the environment.
    values = values[::-1] if is_override(origin) else values
    words = (value.strip() for value in values if isinstance(value, str))
    if next((word for word in words if word), when.default) != "ci":
        return True
    from pytest_automation_report.ci.detection import is_ci  # noqa: PLC0415  # others must not pay for it

    return is_ci(environ)


def file_value(config: pytest.Config, name: str, kind: Kind) -> tuple[object, str]:
    """Return an ini value (``None`` when unset or empty) and its origin, such as ``pytest.ini: automation_report_url``.

    Raises SettingError where pytest refuses the value: its own message names no remedy.
    """
    origin = file_origin(config, name)
    import warnings  # noqa: PLC0415  # pytest has imported it; the console command reads no ini value this way

    from pytest import UsageError  # noqa: PLC0415, PT013  # the console command loads this table without pytest

    try:
        with warnings.catch_warnings():
            # pytest warns of a list where a text belongs; the error that follows says it better.
            warnings.simplefilter("ignore")
            return config.getini(name), origin
    except (TypeError, ValueError, UsageError) as error:
        value = _refused_value(str(error))
        if value == "":
            return None, origin
        from pytest_automation_report.errors import SettingError  # noqa: PLC0415  # only for a wrong value

        raise SettingError(origin, value, _INI_REMEDIES[kind]) from error


def file_origin(config: pytest.Config, name: str) -> str:
    """Return where an ini value came from, in the user's own spelling."""
    overrides: list[str] = config.getoption("override_ini") or []
    if any(each.partition("=")[0].strip() == name for each in overrides):
        return f"{_OVERRIDE}{name}"
    return f"{config.inipath.name}: {name}" if config.inipath else name


def is_override(origin: str) -> bool:
    """Return whether this origin of a value is ``-o``, pytest's own option that overrides an ini value."""
    return origin.startswith(_OVERRIDE)


def _refused_value(message: str) -> object:
    """Return the value that pytest's message quotes at its end; there is no public way to the raw value."""
    import ast  # noqa: PLC0415  # only for a wrong value
    import re  # noqa: PLC0415  # only for a wrong value

    quoted = re.search(r"(?:base 10: |float: |\bgot: |\b(?:got|is) \w+: |truth value )(.*)", message, re.DOTALL)
    if quoted is None:
        return message
    try:
        value: object = ast.literal_eval(quoted[1])
    except (SyntaxError, ValueError):
        return quoted[1]
    return value
