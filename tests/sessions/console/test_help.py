"""The help of the console command, beside the texts in ``expected/empty/help.txt``."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pytest_automation_report.cli.main import main


def below(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from below(inner, click.Context(inner, info_name=name, parent=context))


CONTEXTS = list(below(main, click.Context(main, info_name="automation-report", terminal_width=80)))


def test_a_command_loads_no_other_command(tmp_path: Path) -> None:
    """A command imports its own module and none of the others, which take longer than all else."""
    script = (
        "import sys; from pytest_automation_report.cli.main import main\n"
        "main(['spool', 'list', '--json'], standalone_mode=False)\n"
        "print(*[name for name in ('send', 'serve', 'submit', 'findings', 'command')"
        " if f'pytest_automation_report.cli.{name}' in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stderr.splitlines()[-1] == "send"


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_each_help_has_whole_sentences_and_an_example_that_can_be_typed(context: click.Context) -> None:
    """Its summary, which no other command has, and each option's help end with a period; the example is its own.

    The whole help takes 45 lines at most.
    """
    command = context.command
    summary = command.get_short_help_str(60)
    assert [each.command.short_help for each in CONTEXTS].count(summary) == 1
    options = [each.help or "" for each in command.params if isinstance(each, click.Option)]
    texts = (summary, (command.help or "").partition("\n\n")[0], *options)
    assert [each for each in texts if not each.endswith(".") or each.endswith("...")] == []
    lines = command.get_help(context).splitlines()
    assert len(lines) <= 45
    program, *words = shlex.split(lines[lines.index("  Example:") + 1])
    path = context.command_path.split()[1:]
    assert (program, words[: len(path)]) == ("automation-report", path)
    command = main
    while isinstance(command, click.Group):
        name, *words = words
        inner = command.get_command(CONTEXTS[0], name)
        assert inner is not None
        command = inner
    assert command.make_context("example", list(words)).params


def test_a_help_file_has_each_command() -> None:
    """A new command has its help among the expected texts."""
    expected = Path(__file__).with_name("expected") / "empty" / "help.txt"
    commands = [line for line in expected.read_text(encoding="utf-8").splitlines() if line.startswith("$ ")]
    assert sorted(commands) == sorted(f"$ {context.command_path} --help" for context in CONTEXTS)
