"""Fill the parts of the pages that are written from the code: ``python docs/reference.py``; a test compares the two.

A part stands between ``<!-- written: NAME ARGUMENT -->`` and ``<!-- end -->``; ``WRITERS`` has what writes it.
"""

from __future__ import annotations

import ast
import inspect
import re
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click
import msgspec

from pytest_automation_report.ci.detection import MARKS
from pytest_automation_report.ci.providers import PROVIDERS
from pytest_automation_report.cli.context import EXIT_CODES
from pytest_automation_report.cli.main import main
from pytest_automation_report.settings.settings import SETTINGS, Setting, find_setting
from pytest_automation_report.spool import ledger, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DOCS: Final = Path(__file__).parent
_PART: Final = re.compile(r"(?s)(<!-- written: (\w+)(?: ([^\n]*?))? -->\n).*?(<!-- end -->)")
_SHORT_HELPS: Final = {each.short_help for each in SETTINGS}
_FACTS: Final = {
    "pipeline": "`{pipeline}`",
    "build": "`{build}`",
    "attempt": "`{attempt}`",
    "retries": "`{attempt}`, from the number of retries",
    "execution": "which run of a job is the later one: the greater number",
    "branch": "branch",
    "tag": "tag",
    "commit": "commit",
    "pull_request": "pull request",
    "open_request": "pull request that is open for a pushed branch",
    "target_branch": "target branch",
    "job": "name of the job",
    "shard": "number of a parallel job",
    "shards": "number of parallel jobs",
    "url": "link to the job",
}


class Message(msgspec.Struct, frozen=True):
    """A message of the summary or of the console; ``part`` is found in one text of the module ``file``."""

    file: str
    part: str
    reason: str
    advice: str


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


def settings_table(names: str) -> str:
    """Return a table of these settings; each row is an anchor."""
    head = "| setting | option | values | default | meaning |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *(_setting_row(find_setting(name)) for name in names.split())])


def _setting_row(setting: Setting) -> str:
    values = " or ".join(f"`{word}`" for word in setting.choices) or setting.kind
    meaning, _, default = setting.help.partition("; default: ")
    if setting.kind == "flag":
        default = "on" if setting.default else "off"
    elif setting.default:
        default = f"`{setting.default:g}`" if isinstance(setting.default, float) else f"`{setting.default}`"
    option = "yes" if setting.is_option else ""
    return f'| <a id="{setting.name}"></a>`{setting.name}` | {option} | {values} | {default} | {meaning} |'


def options(_: str) -> str:
    """Return the help of each console command; of options that are settings only the names."""
    parts = []
    for name, command in commands():
        shown = copy(command)
        shown.add_help_option = False
        shown.params = [each for each in command.params if not _is_setting(each)]
        context = click.Context(shown, info_name=f"automation-report {name}", terminal_width=80)
        parts.append(f"## {name}\n\n```text\n{shown.get_help(context)}\n```\n")
        if settings := [f"`{each.opts[0]}`" for each in command.params if _is_setting(each)]:
            parts.append(f"[Settings](settings.md): {', '.join(settings)}\n")
    return "\n".join(parts)


def _is_setting(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and (option.help or "").removesuffix(".") in _SHORT_HELPS


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
        lines += ["| member | type | in Python, if different |", "| --- | --- | --- |"]
    for member in members:
        type_ = types[member.name].replace("Int64", "int").replace("|", "\\|")
        own = "" if member.name == member.encode_name else f"`{member.name}`"
        lines.append(f"| `{member.encode_name}` | `{type_}` | {own} |")
    return "\n".join([*lines, ""] if members else lines)


def recipe(file: str) -> str:
    """Return a file of `examples/ci`, in a block."""
    language = "groovy" if file == "Jenkinsfile" else "yaml"
    text = (DOCS.parent / "examples" / "ci" / file).read_text(encoding="utf-8")
    return f"```{language}\n{text}```"


def messages(_: str) -> str:
    """Return the table of messages: their texts from the code, with reason and advice."""
    listed = msgspec.yaml.decode((DOCS / "messages.yaml").read_bytes(), type=list[Message])
    rows = [f"| `{message_text(each)}` | {each.reason} | {each.advice} |" for each in listed]
    return "\n".join(["| message | reason | what to do |", "| --- | --- | --- |", *rows])


def message_text(message: Message) -> str:
    """Return the text of a message as the code has it; raises `ValueError` unless exactly one has its part."""
    module = import_module(f"pytest_automation_report.{message.file.removesuffix('.py').replace('/', '.')}")
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
    # The pieces of a longer text, and docstrings.
    apart = {piece for node in nodes if isinstance(node, ast.JoinedStr) for piece in node.values}
    apart |= {node.value for node in nodes if isinstance(node, ast.Expr)}
    found = [text for text in (_text(node) for node in nodes if node not in apart) if message.part in text]
    if len(found) != 1:
        raise ValueError(f"{message.file} has {len(found)} texts with {message.part!r}: correct docs/messages.yaml")
    return found[0].strip().replace("|", "\\|")


def _text(node: ast.AST) -> str:
    """Return a text of the code with `...` for its values, empty for another node."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return "..." if isinstance(node, ast.FormattedValue) else ""


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
    "messages": messages,
    "options": options,
    "recipe": recipe,
    "records": record_tables,
    "settings_table": settings_table,
    "variables": variables,
}


if __name__ == "__main__":
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
