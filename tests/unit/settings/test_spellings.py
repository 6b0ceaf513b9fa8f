"""Every spelling of every setting, read by a real pytest configuration."""

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from pytest_automation_report.api.models import Field, FieldType, Link
from pytest_automation_report.ci.detection import FactsScope
from pytest_automation_report.errors import SettingError
from pytest_automation_report.recording.options import Output
from pytest_automation_report.settings import parsers
from pytest_automation_report.settings import settings as table
from pytest_automation_report.settings.console import read_console_settings
from pytest_automation_report.settings.resolver import read_pytest_settings, settings_from
from pytest_automation_report.settings.settings import SETTINGS, Settings, find_setting, switch

PROBE = """
from pytest_automation_report.settings.settings import add_options

def pytest_addoption(parser):
    add_options(parser)
"""
NOON = datetime(2026, 3, 4, 12, 30, 15)  # noqa: DTZ001 - the name of a run tells local time
HAS_NATIVE_TOML = pytest.version_tuple >= (9, 0)


@dataclass(frozen=True)
class Sample:
    """One setting's value in TOML's own types, and what becomes of it; ``None`` for the given value itself."""

    given: str | float | bool | list[str]
    resolved: object = None


SAMPLES: Mapping[str, Sample] = {
    "when": Sample("ci"),
    "url": Sample("https://example.testmo.net/api/v1/", "https://example.testmo.net"),
    "project_id": Sample(7),
    "source": Sample("shop-tests"),
    "name": Sample("Nightly 100%"),
    "folder_prefix": Sample("web"),
    "delivery": Sample("later"),
    "tags": Sample(["nightly", "linux_x64"], ("nightly", "linux_x64")),
    "config": Sample("Chrome"),
    "config_id": Sample(11),
    "milestone": Sample("May"),
    "milestone_id": Sample(12),
    "run_id": Sample(13),
    "run_key": Sample("nightly-{build}"),
    "job": Sample("unit tests"),
    "facts": Sample("none"),
    "branch": Sample("feature/x"),
    "branch_tag": Sample(given=True),
    "build": Sample("20260304.1"),
    "attempt": Sample(2),
    "job_url": Sample("https://ann:secret@ci.example.org/7", "https://ci.example.org/7"),
    "fields": Sample(
        ["version=1.2", "page=https://example.org/a"],
        (Field("version", "1.2"), Field("page", "https://example.org/a", FieldType.URL)),
    ),
    "links": Sample(["build=https://example.org/b?c=1"], (Link("build", "https://example.org/b?c=1"),)),
    "order": Sample("failed-first"),
    "output": Sample("none"),
    "output_annotations": Sample(given=True),
    "markers": Sample(["owner", "feature"], ("owner", "feature")),
    "link_templates": Sample(
        ["case=https://example.org/cases/{}", "issue=https://example.org/browse/{}"],
        {"case": "https://example.org/cases/{}", "issue": "https://example.org/browse/{}"},
    ),
    "statuses": Sample(["failure=failed", "skipped=skip"], {"failure": "failed", "skipped": "skip"}),
    "redact": Sample([r"secret-\d+", r"pin: \S+"], (r"secret-\d+", r"pin: \S+")),
    "redact_builtin": Sample(given=False),
    "compare_junit": Sample("build/junit.xml"),
    "html": Sample("build/report.html", "{root}/build/report.html"),
    "job_summary": Sample(given=False),
    "ci_annotations": Sample(given=True),
    "digest": Sample("only"),
    "known": Sample("known.txt", "{root}/known.txt"),
    "owners": Sample("ca.pem", "{root}/ca.pem"),
    "report_not_run": Sample(given=True),
    "strict": Sample(given=True),
    "preflight": Sample(given=True),
    "exit_wait": Sample(2.5),
    "browser_artifacts": Sample(given=False),
    "artifact_size": Sample("500KB", 500_000),
    "artifact_total": Sample("3 gb", 3_000_000_000),
    "artifact_url": Sample("https://files.example.org/{path}"),
    "artifact_store": Sample("s3://bucket/folder"),
    "token_file": Sample("token.txt", "{root}/token.txt"),
    "ca_file": Sample("ca.pem", "{root}/ca.pem"),
    "allow_http": Sample(given=True),
    "spool": Sample("kept", Path("{root}/kept")),
    "keep_spool": Sample(3),
    "database": Sample("data/store.db", Path("{root}/data/store.db")),
}


def text_of(sample: Sample) -> str:
    if isinstance(sample.given, bool):
        return "true" if sample.given else "false"
    return ",".join(sample.given) if isinstance(sample.given, list) else str(sample.given)


def ini_lines() -> str:
    lines = []
    for name, sample in SAMPLES.items():
        if isinstance(sample.given, list):
            lines += [f"automation_report_{name} =", *(f"    {each}" for each in sample.given)]
        else:
            lines.append(f"automation_report_{name} = {text_of(sample)}")
    return "\n".join(lines) + "\n"


def toml_lines() -> str:
    return "".join(f"automation_report_{name} = {json.dumps(each.given)}\n" for name, each in SAMPLES.items())


def arguments() -> list[str]:
    """Return the arguments of pytest that set every sample, behind -o where a setting has no option."""
    found = []
    for name, sample in SAMPLES.items():
        option = f"--automation-report-{name.replace('_', '-')}"
        if not find_setting(name).is_option:
            text = "\n".join(sample.given) if isinstance(sample.given, list) else text_of(sample)
            found.append(f"-oautomation_report_{name}={text}")
        elif isinstance(sample.given, bool):
            found.append(option if sample.given else f"--no-{option[2:]}")
        elif isinstance(sample.given, list):
            found += [f"{option}={each}" for each in sample.given]
        else:
            found.append(f"{option}={sample.given}")
    return found


def resolved(name: str, root: Path) -> object:
    sample = SAMPLES[name]
    value = sample.given if sample.resolved is None else sample.resolved
    if isinstance(value, (str, Path)):
        return type(value)(str(value).replace("{root}", str(root)))
    return value


def parsed(pytester: pytest.Pytester, *options: str) -> pytest.Config:
    (pytester.path / "ca.pem").touch()
    pytester.syspathinsert()
    pytester.makepyfile(settings_probe=PROBE)
    # The project's own plugin may be installed: this one stands in for it.
    return pytester.parseconfig("-p", "no:automation-report", "-p", "settings_probe", *options)


def read(pytester: pytest.Pytester, *options: str, environ: Mapping[str, str] | None = None) -> Settings:
    given = read_pytest_settings(parsed(pytester, *options), environ or {})
    return settings_from(given, environ=environ or {}, root=pytester.path, project_name="shop", local_time=NOON)


def check_all(found: Settings, root: Path) -> None:
    assert {name: getattr(found, name) for name in SAMPLES} == {name: resolved(name, root) for name in SAMPLES}
    assert found.warnings == ()


FILES = {
    "pytest.ini": ("pytest.ini", "[pytest]\n", ini_lines),
    "tox.ini": ("tox.ini", "[pytest]\n", ini_lines),
    "setup.cfg": ("setup.cfg", "[tool:pytest]\n", ini_lines),
    "pyproject-ini_options": ("pyproject.toml", "[tool.pytest.ini_options]\n", toml_lines),
    "pyproject-native": ("pyproject.toml", "[tool.pytest]\n", toml_lines),
    "pytest.toml": ("pytest.toml", "[pytest]\n", toml_lines),
}


def test_fields_have_the_types_of_their_parsers() -> None:
    """A field of the class is declared with the type that its parser returns, or that its kind has."""
    for each in SETTINGS:
        declared = Settings.__annotations__[each.name]
        if each.choices:
            alias = getattr(table, declared, None) or {"FactsScope": FactsScope, "Output": Output}[declared]
            words = re.findall(r"[\"'](.*?)[\"']", str(alias))
            assert tuple(words) == each.choices, each.name
        else:
            parser = inspect.getclosurevars(each.parse).nonlocals.get("name", "")
            returned = inspect.signature(getattr(parsers, parser)).return_annotation if parser else "bool"
            returned += " | None" if each.default is None else ""
            assert declared.replace("Mapping", "dict") == returned, each.name


def test_samples_cover_the_whole_table() -> None:
    """Every setting of the table is tried in every spelling."""
    assert list(SAMPLES) == [each.name for each in SETTINGS]


@pytest.mark.parametrize("spelling", FILES)
def test_files(pytester: pytest.Pytester, spelling: str) -> None:
    """Every setting can be given in every kind of ini file that pytest reads, in that file's own types."""
    if spelling in {"pyproject-native", "pytest.toml"} and not HAS_NATIVE_TOML:
        pytest.skip("this pytest has no native TOML")
    file, head, lines = FILES[spelling]
    (pytester.path / file).write_text(head + lines(), encoding="utf-8")
    found = read(pytester)
    check_all(found, pytester.path)
    assert found.origins == {name: f"{file}: automation_report_{name}" for name in SAMPLES}


def test_options(pytester: pytest.Pytester) -> None:
    """Every setting can be given on the command line: as an option, lists by repeating it, or behind -o."""
    found = read(pytester, *arguments())
    check_all(found, pytester.path)
    spelled = dict.fromkeys(each.partition("=")[0].replace("-oautomation", "-o automation") for each in arguments())
    assert list(found.origins.values()) == list(spelled)


def test_environment(pytester: pytest.Pytester) -> None:
    """Every setting can be given in the environment, lists with commas."""
    environ = {f"AUTOMATION_REPORT_{name.upper()}": text_of(sample) for name, sample in SAMPLES.items()}
    found = read(pytester, environ=environ)
    check_all(found, pytester.path)
    assert found.origins == {name: f"AUTOMATION_REPORT_{name.upper()}" for name in SAMPLES}


@pytest.mark.parametrize("place", ["options", "environment", "ini", "toml"])
def test_console_command(tmp_path: Path, place: str) -> None:
    """The console command resolves its plain options, the environment and ini values to the same configuration."""
    (tmp_path / "ca.pem").touch()
    options = {name: sample.given for name, sample in SAMPLES.items()} if place == "options" else {}
    environ = {f"AUTOMATION_REPORT_{name.upper()}": text_of(each) for name, each in SAMPLES.items()}
    ini: dict[str, object] = {f"automation_report_{name}": each.given for name, each in SAMPLES.items()}
    if place == "ini":
        ini = {
            f"automation_report_{name}": "\n".join(each.given) if isinstance(each.given, list) else text_of(each)
            for name, each in SAMPLES.items()
        }
    environ = environ if place == "environment" else {}
    given = read_console_settings(options, environ, ini if place in {"ini", "toml"} else {}, ini_name="pytest.ini")
    found = settings_from(given, environ=environ, root=tmp_path, project_name=None, local_time=NOON)
    check_all(found, tmp_path)
    spelled = {"options": "--config-id", "environment": "AUTOMATION_REPORT_CONFIG_ID"}
    assert found.origins["config_id"] == spelled.get(place, "pytest.ini: automation_report_config_id")


def test_defaults(pytester: pytest.Pytester) -> None:
    """What nobody gave resolves to the default of the table, or to what project and clock tell."""
    found = read(pytester)
    derived = {
        "source": "shop", "name": "shop 2026-03-04 12:30:15", "project_id": 1, "statuses": {},
        "link_templates": {}, "artifact_size": 32_000_000, "artifact_total": 2_000_000_000,
        "spool": pytester.path / ".automation-report/spool",
        "database": pytester.path / ".automation-report/store.sqlite3",
    }  # fmt: skip
    assert {each.name: getattr(found, each.name) for each in SETTINGS} == {
        each.name: derived.get(each.name, each.default) for each in SETTINGS
    }
    assert (found.origins, found.warnings, found.is_sendable) == ({}, (), True)


def test_empty_is_unset_everywhere(pytester: pytest.Pytester) -> None:
    """An empty or blank value in any place, as a text or list in native TOML, leaves the decision to the next place."""
    named = [each for each in SETTINGS if each.kind != "flag"]
    options = [f"{each.option}=" if each.is_option else f"-o{each.ini}=" for each in named]
    environ = {f"AUTOMATION_REPORT_{each.name.upper()}": "  " for each in SETTINGS}
    if HAS_NATIVE_TOML:
        empty = [f"{each.ini} = {'[]' if each.kind in ('list', 'pairs') else json.dumps('')}\n" for each in SETTINGS]
        (pytester.path / "pytest.toml").write_text("[pytest]\n" + "".join(empty), encoding="utf-8")
        assert read(pytester).origins == {}
        (pytester.path / "pytest.toml").unlink()
    pytester.makeini("[pytest]\n" + "".join(f"{each.ini} =\n" for each in named))
    found = read(pytester, *options, environ=environ)
    assert (found.origins, found.warnings) == ({}, ())


def test_precedence(pytester: pytest.Pytester) -> None:
    """The command line goes before the environment, the environment before the ini file."""
    pytester.makeini(
        "[pytest]\nautomation_report_name = ini\nautomation_report_config = ini\nautomation_report_milestone = ini\n"
    )
    environ = {"AUTOMATION_REPORT_NAME": "environment", "AUTOMATION_REPORT_CONFIG": "environment"}
    found = read(pytester, "--automation-report-name", "option", environ=environ)
    assert (found.name, found.config, found.milestone) == ("option", "environment", "ini")
    found = read(pytester, "-oautomation_report_config=override", environ=environ)
    assert (found.name, found.config, found.milestone) == ("environment", "override", "ini")
    found = read(pytester, "-oautomation_report_name=override", "--automation-report-name=option", environ=environ)
    assert found.name == "option"


def test_flags_can_be_turned_off(pytester: pytest.Pytester) -> None:
    """A flag that an ini file turned on can be turned off by option, by -o and by environment."""
    pytester.makeini(
        "[pytest]\nautomation_report_strict = true\nautomation_report_allow_http = yes\n"
        "automation_report_preflight = yes\n"
    )
    options = ("--no-automation-report-strict", "-oautomation_report_allow_http=false")
    found = read(pytester, *options, environ={"AUTOMATION_REPORT_PREFLIGHT": "0"})
    assert (found.strict, found.allow_http, found.preflight) == (False, False, False)
    assert found.origins == {
        "strict": "--no-automation-report-strict",
        "allow_http": "-o automation_report_allow_http",
        "preflight": "AUTOMATION_REPORT_PREFLIGHT",
    }


def test_commas_in_lists(pytester: pytest.Pytester) -> None:
    r"""An option of a list can be repeated and takes commas, which a backslash keeps; ini files have a value a line."""
    options = ("--automation-report-tags=a,b", "--automation-report-tags", "c, a")
    found = read(pytester, *options, r"--automation-report-fields=one=1\, 2,two=")
    assert (found.tags, found.fields) == (("a", "b", "c"), (Field("one", "1, 2"), Field("two", "")))
    pytester.makeini("[pytest]\nautomation_report_redact =\n    x{2,3}\nautomation_report_fields = a=1, 2\n")
    found = read(pytester)
    assert (found.redact, found.fields) == (("x{2,3}",), (Field("a", "1, 2"),))


def test_overrides_and_addopts(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest's -o and PYTEST_ADDOPTS give settings and the switch, too."""
    added = "--automation-report --automation-report-name=addopts -oautomation_report_redact=x{2,3}"
    monkeypatch.setenv("PYTEST_ADDOPTS", added)
    turned = switch(parsed(pytester), {})
    assert (turned.is_on, turned.origin) == (True, "--automation-report")
    found = read(pytester, "-o", "automation_report_project_id=5")
    assert (found.name, found.redact, found.project_id) == ("addopts", ("x{2,3}",), 5)
    assert found.origins["redact"] == "-o automation_report_redact"
    assert found.origins["project_id"] == "-o automation_report_project_id"


WHOLE = "cannot be used: write a whole number, in native TOML without quotes"
SECONDS = "cannot be used: write a number of seconds, in native TOML without quotes"
FLAG = "cannot be used: write true or false, in native TOML without quotes"
TEXTS = "cannot be used: write one value a line, in TOML a list of texts"
INI_MISTAKES: Mapping[str, list[tuple[str, str]]] = {
    "tox.ini": [
        ("project_id = seven", f"'seven' {WHOLE}"), ("project_id = 7.5", f"'7.5' {WHOLE}"),
        ("exit_wait = 10s", f"'10s' {SECONDS}"), ("strict = perhaps", f"'perhaps' {FLAG}"),
        ("project_id = 0", "0 cannot be used: write a whole number from 1 to 9007199254740991"),
        ("exit_wait = nan", "nan cannot be used: write a number of seconds from 0 to 3600, without a unit"),
        ("output = some", "'some' cannot be used: write failed or all or none"),
    ],
    # pytest's own messages about a wrong type in native TOML have no hint.
    "pytest.toml": [
        ('project_id = "7"', f"'7' {WHOLE}"), ("project_id = true", f"True {WHOLE}"),
        ("name = 7", "7 cannot be used: write one text, in TOML in quotes"),
        ("delivery = 1979-05-27", "'datetime.date(1979, 5, 27)' cannot be used: write one word, in TOML in quotes"),
        ('tags = "a"', f"'a' {TEXTS}"), ("tags = [1]", f"1 {TEXTS}"),
        ('fields = "a=1"', "'a=1' cannot be used: write one name=value a line, in TOML a list of texts"),
        ('strict = "yes"', f"'yes' {FLAG}"), ('exit_wait = "5"', f"'5' {SECONDS}"),
    ],
    "pyproject.toml": [
        ('name = ["a", "b"]', "('a', 'b') cannot be used: write one text, in TOML in quotes"),
        ("tags = [1, 2]", f"1 {TEXTS}"), ('project_id = ["7"]', f"['7'] {WHOLE}"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "line", "message"), [(file, *mistake) for file, mistakes in INI_MISTAKES.items() for mistake in mistakes]
)
def test_mistakes_in_ini_files(pytester: pytest.Pytester, file: str, line: str, message: str) -> None:
    """A wrong value in an ini file is an error that names file, setting, value and hint, whoever finds it."""
    if file == "pytest.toml" and not HAS_NATIVE_TOML:
        pytest.skip("this pytest has no native TOML")
    head = "[tool.pytest.ini_options]" if file == "pyproject.toml" else "[pytest]"
    (pytester.path / file).write_text(f"{head}\nautomation_report_{line}\n", encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read(pytester)
    assert str(caught.value) == f"{file}: automation_report_{line.partition(' ')[0]}: {message}"


SWITCHES: list[tuple[tuple[str, ...], dict[str, str], str, tuple[bool, str]]] = [
    ((), {}, "", (False, "")),
    (("--automation-report",), {}, "", (True, "--automation-report")),
    (("--no-automation-report",), {"AUTOMATION_REPORT": "1"}, "true", (False, "--no-automation-report")),
    (("--automation-report", "--no-automation-report"), {}, "", (False, "--no-automation-report")),
    (("--no-automation-report", "--automation-report"), {}, "", (True, "--automation-report")),
    ((), {"AUTOMATION_REPORT": "1"}, "false", (True, "AUTOMATION_REPORT")),
    ((), {"AUTOMATION_REPORT": " OFF "}, "true", (False, "AUTOMATION_REPORT")),
    ((), {"AUTOMATION_REPORT": " "}, "true", (True, "tox.ini: automation_report")),
    ((), {}, "false", (False, "tox.ini: automation_report")),
    (("-o", "automation_report=true"), {}, "false", (True, "-o automation_report")),
]


@pytest.mark.parametrize(("options", "environ", "ini", "expected"), SWITCHES)
def test_switch(
    pytester: pytest.Pytester,
    options: tuple[str, ...],
    environ: dict[str, str],
    ini: str,
    expected: tuple[bool, str],
) -> None:
    """The switch is decided by command line, then environment, then ini file, and is off else."""
    if ini:
        pytester.makeini(f"[pytest]\nautomation_report = {ini}\n")
    found = switch(parsed(pytester, *options), environ)
    assert (found.is_on, found.origin) == expected
    assert found.warning == ""


@pytest.mark.parametrize("when", ["ini", "override", "environment"])
def test_switch_only_in_ci(pytester: pytest.Pytester, when: str) -> None:
    """With when = ci, an ini switch counts only where a CI provider is detected; other switches always count."""
    line = "automation_report_when = ci\n" if when == "ini" else ""
    pytester.makeini(f"[pytest]\nautomation_report = true\n{line}")
    options = ("-oautomation_report_when=ci",) if when == "override" else ()
    environ = {"AUTOMATION_REPORT_WHEN": {"environment": " ci ", "override": "always"}.get(when, "")}
    config = parsed(pytester, *options)
    assert not switch(config, environ).is_on
    assert switch(config, {**environ, "GITLAB_CI": "true"}).is_on
    assert switch(config, {**environ, "AUTOMATION_REPORT": "1"}).is_on
