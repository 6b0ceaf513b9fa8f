"""Writes ``settings.md`` from the table of settings: ``python docs/settings_page.py``; a test compares the two."""

from __future__ import annotations

from pathlib import Path

from pytest_automation_report.cli.main import main
from pytest_automation_report.settings.table import SETTINGS, Setting

CONSOLE = {
    parameter.name
    for command in main.commands.values()
    for each in (command, *getattr(command, "commands", {}).values())
    for parameter in each.params
}
"""Settings that any console command has an option for."""

HEAD = """\
# Settings

Written from the code's own table by `python docs/settings_page.py`.

Each setting has four spellings: `pytest --automation-report-project-id 1`, `automation_report_project_id` in
pytest.ini, pytest.toml, pyproject.toml, tox.ini or setup.cfg, `AUTOMATION_REPORT_PROJECT_ID` in the environment, and
`--project-id` for the console command. The command line wins over the environment, and that over the ini file; empty
means unset. Lists are separated by commas on the command line and in the environment, and are one value a line in ini
files; pairs are `name=value`. In native TOML (pytest.toml, `[tool.pytest]`) numbers, flags and lists are written as
such, without quotes.

Reporting is switched on by `--automation-report`, by `automation_report = true` in the ini file or by
`AUTOMATION_REPORT=1`, and off by `--no-automation-report` or `AUTOMATION_REPORT=0`. With `automation_report_when = ci`
the switch in an ini file counts only where a CI provider is detected.

What you mistype on the command line or in an ini file is a usage error before the first test. When something is wrong
with the environment, the token or the server, the session shows it once, the tests run, and the results are kept.

Flags can be turned off by their opposite, such as `--no-automation-report-strict`. Proxies and CA files are also taken
from `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `SSL_CERT_FILE`, as they are
when pytest starts.

| setting | kind | default | what it is |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD + "\n".join(map(row, SETTINGS)), "", *map(section, SETTINGS)])


def row(setting: Setting) -> str:
    """Return a setting's row of the table of all."""
    kind = " or ".join(f"`{each}`" for each in setting.choices) or setting.kind
    default = _default(setting)
    shown = default if setting.kind == "flag" or not default else f"`{default}`"
    return f"| [`{setting.name}`](#{setting.name}) | {kind} | {shown} | {setting.help} |"


def section(setting: Setting) -> str:
    """Return what the page says of one setting: what it is, its values and default, and its four spellings."""
    values = " or ".join(f"`{each}`" for each in setting.choices) or _values(setting)
    default = _default(setting)
    option = f"`{setting.option}`" + (f" and `{setting.off_option}`" if setting.kind == "flag" else "")
    return "\n".join(
        [
            f"## {setting.name}",
            "",
            f"{setting.help}.",
            "",
            f"- values: {values}{f'; default: `{default}`' if default else ''}",
            f"- pytest: {option}{f'; console command: `{setting.plain_option}`' if setting.name in CONSOLE else ''}",
            f"- ini file: `{setting.ini}`; environment: `{setting.environment}`",
            "",
        ]
    )


def _values(setting: Setting) -> str:
    kinds = {
        "text": "a text",
        "integer": "a whole number",
        "seconds": "a number of seconds",
        "flag": "on or off",
        "list": "a list: commas on the command line and in the environment, one value a line in ini files",
        "pairs": "a list of `name=value`: commas on the command line and in the environment, one a line in ini files",
    }
    return kinds[setting.kind]


def _default(setting: Setting) -> str:
    if setting.kind == "flag":
        return "on" if setting.default else "off"
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default or "")


if __name__ == "__main__":
    (Path(__file__).parent / "settings.md").write_text(page(), encoding="utf-8")
