"""Write ``settings.md`` from the table of settings: ``python docs/settings_page.py``; a test compares the two."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_automation_report.cli.main import main
from pytest_automation_report.settings.settings import SETTINGS, Setting

CONSOLE = {
    parameter.name
    for command in (main.get_command(click.Context(main), name) for name in main.list_commands(click.Context(main)))
    if command is not None
    for subcommand in (command, *getattr(command, "commands", {}).values())
    for parameter in subcommand.params
}
"""Settings that a console command has an option for."""

HEAD = """\
# Settings

Written from the code's own table by `python docs/settings_page.py`.

A setting is written as `automation_report_project_id` in pytest.ini, pytest.toml, pyproject.toml, tox.ini or setup.cfg,
or as `AUTOMATION_REPORT_PROJECT_ID` in the environment. On pytest's command line every setting can stand behind `-o`
(`-o automation_report_project_id=1`). pytest has options for the settings that people type most
(`--automation-report-project-id 1`); the column "option" marks them. The console command has shorter options
(`--project-id 1`).

The command line wins over the environment, and the environment over the ini file; an option wins over `-o`, and empty
means unset. Lists are separated by commas in options and in the environment, and are one value a line in ini files and
behind `-o`; pairs are `name=value`. In native TOML (pytest.toml, `[tool.pytest]`) numbers, flags and lists are written
without quotes:

```toml
# pytest.toml
[pytest]
automation_report = true
automation_report_when = "ci"
automation_report_url = "https://example.testmo.net"
automation_report_project_id = 1
automation_report_source = "backend"
automation_report_tags = ["nightly", "linux"]
```

Reporting is switched on by `--automation-report`, by `automation_report = true` in the ini file or by
`AUTOMATION_REPORT=1`, and off by `--no-automation-report` or `AUTOMATION_REPORT=0`. With `automation_report_when = ci`
the switch in an ini file counts only where a CI provider is detected.

A wrong value on the command line or in an ini file is a usage error before the first test. A wrong value in the
environment, a missing token or a failing server is shown once: the tests run, and the results are kept.

The flag `strict` is turned off by `--no-automation-report-strict`, every other flag by `false`, as in
`-o automation_report_job_summary=false`. Proxies and CA files are also read from `HTTPS_PROXY`, `HTTP_PROXY`,
`NO_PROXY`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `SSL_CERT_FILE` when pytest starts.

| setting | option | kind | default | meaning |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD + "\n".join(map(row, SETTINGS)), "", *map(section, SETTINGS)])


def row(setting: Setting) -> str:
    """Return a setting's row of the table of all."""
    kind = " or ".join(f"`{word}`" for word in setting.choices) or setting.kind
    default = _default(setting)
    shown = default if setting.kind == "flag" or not default else f"`{default}`"
    option = "yes" if setting.is_option else ""
    return f"| [`{setting.name}`](#{setting.name}) | {option} | {kind} | {shown} | {setting.help} |"


def section(setting: Setting) -> str:
    """Return a setting's section of the page: its help, its values and default, and its spellings."""
    values = " or ".join(f"`{word}`" for word in setting.choices) or _values(setting)
    default = _default(setting)
    option = f"`-o {setting.ini}=...`"
    if setting.is_option:
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
