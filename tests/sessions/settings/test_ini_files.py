import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings.console import project_ini, read_console_settings
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.resolver import project_name, read_pytest_settings, settings_from
from pytest_automation_report.settings.settings import Settings

INI = """
automation_report_source = from-{id}
automation_report_project_id = 7
automation_report_exit_wait = 2.5
automation_report_strict = true
automation_report_tags =
    one
    two
automation_report_fields = a = b
"""
NATIVE = """
automation_report_source = "from-{id}"
automation_report_project_id = 7
automation_report_exit_wait = 2.5
automation_report_strict = true
automation_report_tags = ["one", "two"]
automation_report_fields = ["a = b"]
"""
HEADS = {
    "pytest.toml": ("[pytest]", NATIVE), ".pytest.toml": ("[pytest]", NATIVE), "pytest.ini": ("[pytest]", INI),
    ".pytest.ini": ("[pytest]", INI), "pyproject.toml": ("[tool.pytest]", NATIVE), "tox.ini": ("[pytest]", INI),
    "setup.cfg": ("[tool:pytest]", INI),
}  # fmt: skip
# A number where a text belongs is a text there, and a mistake in the native table.
TEXTS = "[tool.pytest.ini_options]\nautomation_report_name = 5" + NATIVE.format(id="ini-options")
OTHER = '[project]\nname = "other"\n'


def text_of(name: str) -> str:
    """Return the text of an ini file of this name that says which file it is."""
    head, body = HEADS[name]
    return head + body.format(id=name.strip(".").replace(".", "-"))


def configuration(given: Mapping[str, RawSetting], root: Path) -> Settings:
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
    return settings_from(given, environ={}, root=root, project_name=project_name(root), local_time=moment)


ALL_FILES = {name: text_of(name) for name in HEADS}
NAMES = list(HEADS)


@pytest.mark.parametrize(
    ("files", "start"),
    [
        *[pytest.param({name: text_of(name)}, ".", id=name) for name in NAMES],
        *[
            pytest.param({each: ALL_FILES[each] for each in NAMES[place:]}, ".", id=f"{NAMES[place]} first")
            for place in range(len(NAMES) - 1)
        ],
        pytest.param({"pyproject.toml": TEXTS}, ".", id="ini_options"),
        pytest.param({"pyproject.toml": TEXTS.replace("7", '"7"')}, ".", id="ini_options with texts"),
        pytest.param({"pyproject.toml": OTHER + "[tool.pytest]\n"}, "sub/deep", id="empty table"),
        pytest.param({"pytest.ini": "", "tox.ini": text_of("tox.ini")}, ".", id="empty pytest.ini counts"),
        pytest.param({"pytest.toml": "", "tox.ini": text_of("tox.ini")}, ".", id="empty pytest.toml counts"),
        pytest.param({"tox.ini": "[tox]\n", "setup.cfg": text_of("setup.cfg")}, ".", id="tox.ini of tox alone"),
        pytest.param({"pyproject.toml": OTHER, "tox.ini": text_of("tox.ini")}, ".", id="pyproject of another"),
        pytest.param({"tox.ini": text_of("tox.ini")}, "sub/deep", id="from below"),
        pytest.param({"tox.ini": text_of("tox.ini"), "sub/setup.cfg": text_of("setup.cfg")}, "sub/deep", id="nearest"),
        pytest.param({"tox.ini": text_of("tox.ini"), "sub/pyproject.toml": OTHER}, "sub/deep", id="above a bare one"),
        pytest.param({"pyproject.toml": OTHER}, "sub/deep", id="bare pyproject"),
        pytest.param({"setup.py": ""}, "sub/deep", id="setup.py"),
        pytest.param({}, "sub/deep", id="nothing"),
    ],
)
def test_console_command_reads_what_pytest_reads(
    files: dict[str, str], start: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root folder and settings of the console command are those of a pytest that is started in the same folder."""
    has_native = any(name.endswith("pytest.toml") or "[tool.pytest]" in text for name, text in files.items())
    if pytest.version_tuple < (9,) and has_native:
        pytest.skip("this pytest knows no native TOML")
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = pytester.path / start
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    config = pytester.parseconfig()
    found = project_ini(folder)
    assert (found.root, found.name) == (config.rootpath, config.inipath.name if config.inipath else "")
    console = read_console_settings({}, {}, found.values, ini_name=found.name)
    ours, pytests = configuration(console, found.root), configuration(read_pytest_settings(config, {}), config.rootpath)
    assert vars(ours) == vars(pytests)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", text_of("pyproject.toml") + TEXTS),
        ("pyproject.toml", "[tool.pytest"),
        ("pytest.toml", "automation_report = true\n"),
        ("setup.cfg", "[pytest]\n"),
        ("tox.ini", "no section\n"),
    ],
    ids=["both tables", "no TOML", "no table", "wrong section", "no section"],
)
def test_file_that_pytest_refuses_is_refused(name: str, text: str, tmp_path: Path) -> None:
    """A file that stops pytest stops the console command too, with the file's name."""
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingError) as caught:
        project_ini(tmp_path)
    assert os.fspath(tmp_path / name) in str(caught.value)
