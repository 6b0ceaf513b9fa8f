"""Fill the parts of the pages that are written from the code: ``python docs/reference.py``; a test compares the two.

A part stands between ``<!-- written: NAME ARGUMENT -->`` and ``<!-- end -->``; ``WRITERS`` has what writes it.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click
import msgspec

from pytest_automation_report.ci.detection import MARKS
from pytest_automation_report.ci.providers import PROVIDERS
from pytest_automation_report.cli.context import EXIT_CODES
from pytest_automation_report.cli.main import main
from pytest_automation_report.settings.settings import SETTINGS, Setting
from pytest_automation_report.spool import ledger, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DOCS: Final = Path(__file__).parent
_PART: Final = re.compile(r"(?s)(<!-- written: (\w+)(?: ([^\n]*?))? -->\n).*?(<!-- end -->)")
_KINDS: Final = {
    "text": "a text",
    "integer": "a whole number",
    "seconds": "a number of seconds",
    "flag": "on or off",
    "list": "a list: commas on the command line and in the environment, one value a line in ini files",
    "pairs": "a list of `name=value`: commas on the command line and in the environment, one a line in ini files",
}
_FACTS: Final = {
    "pipeline": "`{pipeline}`",
    "build": "`{build}`",
    "attempt": "`{attempt}`",
    "retries": "`{attempt}`, from the number of retries",
    "branch": "branch",
    "tag": "tag",
    "commit": "commit",
    "pull_request": "pull request",
    "target_branch": "target branch",
    "job": "name of the job",
    "shard": "number of a parallel job",
    "shards": "number of parallel jobs",
    "url": "link to the job",
}


def filled(page: str) -> str:
    """Return a page with its written parts as the code is now."""
    return _PART.sub(lambda part: f"{part[1]}\n{WRITERS[part[2]](part[3]).strip()}\n\n{part[4]}", page)


def commands(group: click.Group = main, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield all console commands, those of groups too, with their names."""
    context = click.Context(group, info_name="automation-report")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def settings_table(_: str) -> str:
    """Return a table of all settings."""
    head = "| setting | option | kind | default | meaning |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *map(_setting_row, SETTINGS)])


def _setting_row(setting: Setting) -> str:
    kind = " or ".join(f"`{word}`" for word in setting.choices) or setting.kind
    default = _default(setting)
    shown = default if setting.kind == "flag" or not default else f"`{default}`"
    option = "yes" if setting.is_option else ""
    return f"| [`{setting.name}`](#{setting.name}) | {option} | {kind} | {shown} | {setting.help} |"


def settings_sections(_: str) -> str:
    """Return a section for each setting: its help, values, default and spellings."""
    of_console = {parameter.name for _, command in commands() for parameter in command.params}
    return "\n".join(_setting_section(setting, is_of_console=setting.name in of_console) for setting in SETTINGS)


def _setting_section(setting: Setting, *, is_of_console: bool) -> str:
    values = " or ".join(f"`{word}`" for word in setting.choices) or _KINDS[setting.kind]
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
            f"- pytest: {option}{f'; console command: `{setting.plain_option}`' if is_of_console else ''}",
            f"- ini file: `{setting.ini}`; environment: `{setting.environment}`",
            "",
        ]
    )


def _default(setting: Setting) -> str:
    if setting.kind == "flag":
        return "on" if setting.default else "off"
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default or "")


def options(_: str) -> str:
    """Return the help of each console command."""
    parts = []
    for name, command in commands():
        context = click.Context(command, info_name=f"automation-report {name}", terminal_width=100)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def exit_codes(_: str) -> str:
    """Return the table of the console command's exit codes."""
    rows = [f"| {code:d} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows])


def record_tables(which: str) -> str:
    """Return a section for each kind of record of the spool or of the ledger: its sentence and members."""
    decoder = {"spool": records.SPOOL_KINDS, "ledger": ledger.LEDGER_KINDS}[which]
    return "\n".join(_record_section(kind) for kind in get_args(decoder.type))


def _record_section(kind: Any) -> str:  # noqa: ANN401 - a class of msgspec
    text = " ".join((inspect.getdoc(kind) or "").replace("``", "`").split())
    lines = [f"### {kind.__struct_config__.tag}", "", text, ""]
    members = msgspec.structs.fields(kind)
    types = {name: type_ for base in kind.__mro__ for name, type_ in getattr(base, "__annotations__", {}).items()}
    if members:
        lines += ["| member | type | in Python |", "| --- | --- | --- |"]
    for member in members:
        type_ = types[member.name].replace("Int64", "int").replace("|", "\\|")
        lines.append(f"| `{member.encode_name}` | `{type_}` | `{member.name}` |")
    return "\n".join([*lines, ""] if members else lines)


def recipe(file: str) -> str:
    """Return a file of `examples/ci`, in a block."""
    language = "groovy" if file == "Jenkinsfile" else "yaml"
    text = (DOCS.parent / "examples" / "ci" / file).read_text(encoding="utf-8")
    return f"```{language}\n{text}```"


def variables(provider: str) -> str:
    """Return the variables of a CI provider that are read, by what they tell."""
    row = PROVIDERS[provider]
    lines = [f"It is known by {_code(MARKS[provider])}.", "", "| found | in |", "| --- | --- |"]
    for name, words in _FACTS.items():
        value = getattr(row, name)
        if value:
            lines.append(f"| {words} | {_code((value,) if isinstance(value, str) else value)} |")
    return "\n".join(lines)


def _code(names: tuple[str, ...]) -> str:
    return ", else ".join(f"`{name}`" for name in names)


WRITERS: Final[Mapping[str, Callable[[str], str]]] = {
    "exit_codes": exit_codes,
    "options": options,
    "recipe": recipe,
    "records": record_tables,
    "settings_sections": settings_sections,
    "settings_table": settings_table,
    "variables": variables,
}


if __name__ == "__main__":
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
