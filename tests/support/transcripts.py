"""Shell sessions in text files: their commands run again, and print what stands in the file.

A file begins with a sentence about what it promises. A line ``$ command`` runs in bash, in a folder of its own; lines
``> ...`` go on with it. Below stand the lines of stdout, those of stderr behind ``! ``, and an exit code that is not 0
as ``[2]``. Lines ``# ...`` say what the next commands show. What differs from run to run, such as a time, is a word in
capitals.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Template

import pytest

from support.commands import run_command
from support.prepared import commands_of_scripts
from support.sessions import Ran, run

_SHELL = Path(__file__).with_name("transcripts.sh")
_MASKS = [
    (r"(?m)^! Usage: .*\n! Try .*\n! \n", ""),
    (r"\d{8}T\d{6}-[0-9a-f]{8}", "SESSION"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "TIME"),
    (r"((?:after|·) )\d+(?:\.\d+)? m?s\b", r"\1N s"),
    (r"\((just now|\d+ min ago)\)", "(AGO)"),
    (r"\b\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d UTC", "DATE"),
    (r"\b\d+ kB\b", "N kB"),
    (r"\b\d+\.\d MB\b", "N MB"),
    (r"\b[\d,]+ bytes\b", "N bytes"),
    (r"\bexec-[0-9a-f]{12}\b", "JOB"),
    (r"(?m)^(! versions ).*$", r"\1..."),
    (r"(?m)^(!   (?:Python|pytest|Plugins|OS|Packages|Job): ).*$", r"\1..."),
    (r"(?m)^! \w+ +process 1: .*$", "! ok       process 1: ..."),
    (r"\(process \d+\)", "(process N)"),
    (r"http://127\.0\.0\.1:\d{4,5}\b", "http://127.0.0.1:PORT"),
    (r"/open/[\w-]{20,}", "/open/CODE"),
    (r"--port: \d{4,5}\b", "--port: PORT"),
    (r"/shop-[0-9a-f]{8}/", "/shop-HASH/"),
    (r"\bin \d+\.\d\ds\b", "in N s"),
]
"""What differs from run to run, and from machine to machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the option that writes the files anew."""
    parser.getgroup("expected outputs").addoption(
        "--renew", action="store_true", help="write the expected outputs of commands as they are now: look at git diff"
    )


_IS_PLAIN = re.compile(r"automation-report [^|;&<>`(){}*?~!#\\\n]+")


class Transcript:
    """Runs the commands of a file in a folder; ``answers`` are commands that the test itself answers."""

    def __init__(self, path: Path, folder: Path, masks: Mapping[str, str], env: Mapping[str, str]) -> None:
        self.answers: dict[str, Callable[[], str]] = {}
        self._path, self._folder, self._env = (
            path,
            folder,
            {**env, "BASH_ENV": str(_SHELL), "COMMANDS": str(commands_of_scripts())},
        )
        own = {
            str(folder): "PROJECT",
            str(folder.parent): "HOME",
            sys.executable: "PYTHON",
            str(Path(sys.executable).parent): "BIN",
        }
        self._masks = {**masks, **own}

    def check(self, *, is_renewed: bool) -> None:
        """Compare the file with what its commands print now, or write it anew."""
        expected = self._path.read_text(encoding="utf-8")
        printed = "".join(self._printed(expected))
        if is_renewed:
            self._path.write_text(printed, encoding="utf-8")
        assert printed == expected or is_renewed

    def _printed(self, text: str) -> Iterator[str]:
        head, *commands = re.split(r"(?m)^\$ ", text)
        yield head
        for each in commands:
            lines = each.splitlines()
            end = next(
                (number for number, line in enumerate(lines[1:], 1) if line != ">" and not line.startswith("> ")),
                len(lines),
            )
            # Behind the output may stand words about the next commands.
            rest = next((number for number in range(len(lines), end, -1) if not _is_prose(lines[number - 1])), end)
            command, words = "\n".join(lines[:end]), "".join(f"{line}\n" for line in lines[rest:])
            yield f"$ {command}\n{self._output(re.sub(r'(?m)^> ?', '', command))}{words}"

    def _output(self, command: str) -> str:
        if command in self.answers:
            text = self.answers[command]()
        else:
            ran = self._ran(command)
            err = "".join(f"! {line}\n" for line in ran.err.splitlines())
            text = f"{ran.out}{err}" + (f"[{ran.exit}]\n" if ran.exit else "")
        for found, word in self._masks.items():
            text = text.replace(found, word)
        for pattern, word in _MASKS:
            text = re.sub(pattern, word, text)
        return f"{text.rstrip()}\n" if text else ""

    def _ran(self, command: str) -> Ran:
        """Run a command in bash, or in this process one that needs nothing of bash but words and variables."""
        if not _IS_PLAIN.fullmatch(command):
            return run(["bash", "-c", command], self._folder, self._env)
        words = shlex.split(Template(command).substitute(self._env))
        return run_command(self._folder, words[1:], self._env)


def _is_prose(line: str) -> bool:
    return line == "" or line.startswith("# ")
