"""What stands in the README and in the pages of ``docs``: their fenced blocks, and how their commands are run."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from support.prepared import commands_of_scripts
from support.repository import ROOT
from support.sessions import clean_environment

# Parts of a page that are written from the code have a test of their own.
_WRITTEN = re.compile(r"<!-- written: .*?<!-- end -->", re.DOTALL)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


PAGES = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")))
"""The README and the pages, by their paths from the project's folder."""


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    return page(name).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of each fenced block of a page, without those that are written from the code."""
    return _BLOCK.findall(_WRITTEN.sub("", page(name)))


def block(name: str, part: str) -> str:
    """Return the one block of a page that has this text, commands without their prompt."""
    (found,) = (text for _, text in blocks(name) if part in text)
    return re.sub(r"^\$ ", "", found, flags=re.MULTILINE)


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """Return an environment in which programs of these folders, then this interpreter's, are found first."""
    path = os.pathsep.join((*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"]))
    return clean_environment(PATH=path, **more)


def bash(
    script: str, folder: Path, env: Mapping[str, str], exits: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, at most five minutes, and return what it left; fail if its exit status is another."""
    given = {**env, "BASH_ENV": str(commands_of_scripts())}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert exits in {None, done.returncode}, done.stdout + done.stderr
    return done
