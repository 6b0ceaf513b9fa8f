"""The help of the console command, as a newcomer reads it."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pytest_automation_report.cli.main import main

COMMON = ("--url", "--project-id", "--source", "--name")
RARE = ("--token-file", "--ca-file", "--allow-http", "--database", "--facts", "--build", "--statuses")


def below(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from below(inner, click.Context(inner, info_name=name, parent=context))


CONTEXTS = list(below(main, click.Context(main, info_name="automation-report", terminal_width=80)))
EACH = pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)


def example(context: click.Context) -> list[str]:
    """Return the words of the example, without the name of the program."""
    line = context.command.get_help(context).splitlines()[-1]
    program, *words = shlex.split(line)
    assert program == "automation-report"
    return words


def test_a_command_loads_no_other_command(tmp_path: Path) -> None:
    """A command imports its own module and none of the others, which take longer than all else."""
    script = (
        "import sys; from pytest_automation_report.cli.main import main\n"
        "main(['spool', 'list', '--json'], standalone_mode=False)\n"
        "print(*[name for name in ('spool', 'serve', 'submit', 'findings', 'exec')"
        " if f'pytest_automation_report.cli.{name}' in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stderr.splitlines()[-1] == "spool"


def test_help_names_the_exit_codes() -> None:
    """The help of the whole command has every exit code, each with its meaning."""
    _, told, codes = CONTEXTS[0].command.get_help(CONTEXTS[0]).partition("Exit codes: ")
    assert told
    assert set(re.findall(r"\b(\d) [a-z]", codes)) >= set("012345")


@EACH
def test_each_help_ends_with_an_example_that_can_be_typed(context: click.Context) -> None:
    """The example is one of that command, and its options and arguments are what the command takes."""
    words = example(context)
    path = context.command_path.split()[1:]
    assert words[: len(path)] == path
    command: click.Command = main
    parent = CONTEXTS[0]
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(parent, name)
        assert found is not None
        command = found
    assert command.make_context("example", list(words)).params


@EACH
def test_each_summary_is_a_whole_sentence(context: click.Context) -> None:
    """Lists of commands show whole sentences, none of them twice; each help and each option's help is one."""
    command = context.command
    summary = command.get_short_help_str(60)
    assert summary.endswith(".")
    assert not summary.endswith("...")
    assert [each.command.short_help for each in CONTEXTS].count(summary) == 1
    options = [each.help or "" for each in command.params if isinstance(each, click.Option)]
    assert [each for each in ((command.help or "").partition("\n\n")[0], *options) if not each.endswith(".")] == []


@EACH
def test_options_that_matter_stand_first(context: click.Context) -> None:
    """The options of the command itself and where a run goes stand before those that few need."""
    options = [each.opts[-1] for each in context.command.params if isinstance(each, click.Option)]
    rare = [options.index(each) for each in RARE if each in options]
    common = [options.index(each) for each in COMMON if each in options]
    if context.command.name != "serve":  # its token file is its own
        assert not rare or not common or max(common) < min(rare)
    for name in ("--results", "--unknown", "--json", "--fields"):
        if name in options and rare:
            assert options.index(name) < min(rare)
