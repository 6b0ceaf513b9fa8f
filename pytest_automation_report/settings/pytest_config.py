"""Register the settings in pytest, read them from its ini file, and decide whether a session reports.

Loaded at every start of pytest, so it imports nothing else of the package but the table of settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.settings.settings import PREFIX, SETTINGS, Kind, flag_from, setting_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest


SWITCH_NAME: Final = "automation_report"
"""Name of the switch in ini files; it turns reporting on and is no setting of the table."""

SWITCH_OPTION: Final = "--automation-report"
SWITCH_OFF_OPTION: Final = f"--no{SWITCH_OPTION[1:]}"
SWITCH_ENVIRONMENT: Final = "AUTOMATION_REPORT"

_GROUP_TITLE: Final = f"reporting (other settings: {PREFIX}... in the ini options below, or -o {PREFIX}NAME=VALUE)"


class Switch:
    """Hold the decision whether this session reports, and ``origin``, the spelling that decided it, empty for none.

    ``is_from_arguments``: the arguments of this very session turn reporting on, which nested sessions do not inherit.
    ``warning`` names an environment variable that has no valid value and was ignored.
    """

    def __init__(self, *, is_on: bool, origin: str, is_from_arguments: bool, warning: str = "") -> None:
        self.is_on, self.origin, self.is_from_arguments, self.warning = is_on, origin, is_from_arguments, warning


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
    row = setting_of(name)
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
    is_from_arguments = bool(option) and SWITCH_OPTION in config.invocation_params.args

    def decided(origin: str, warning: str = "", *, is_on: bool) -> Switch:
        return Switch(is_on=is_on, origin=origin, is_from_arguments=is_from_arguments, warning=warning)

    if option is not None:
        warning = _tox_warning(config, environ) if option else ""
        return decided(SWITCH_OPTION if option else SWITCH_OFF_OPTION, warning, is_on=bool(option))
    word = environ.get(SWITCH_ENVIRONMENT, "").strip()
    flag = flag_from(word)
    if flag is not None:
        return decided(SWITCH_ENVIRONMENT, is_on=flag)
    warning = f"{SWITCH_ENVIRONMENT}: {word!r} cannot be used: write 1 or 0" if word else ""
    ((value, origin),) = ini_values(config, [(SWITCH_NAME, "flag")])
    if value is not False:
        warning = warning or _tox_warning(config, environ)
    return decided("" if value is None else origin, warning, is_on=bool(value) and _counts_here(config, environ))


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
    when = setting_of("when")
    ((value, origin),) = ini_values(config, [(when.ini, when.kind)])
    values = [environ.get(when.environment), value]
    # The user typed a value after -o for this session, so it wins over the environment.
    values = values[::-1] if is_override(origin) else values
    words = (value.strip() for value in values if isinstance(value, str))
    if next((word for word in words if word), when.default) != "ci":
        return True
    from pytest_automation_report.ci.detection import is_ci  # noqa: PLC0415  # others must not pay for it

    return is_ci(environ)


def ini_values(config: pytest.Config, names: Iterable[tuple[str, Kind]]) -> list[tuple[object, str]]:
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
