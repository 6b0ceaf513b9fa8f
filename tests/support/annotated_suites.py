"""Small suites that annotate their tests, and what the server has of them."""

import os
import re
import sys
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.recorded import recorded
from support.sessions import Ran, run, run_session, session_environment

STRING, TEXT, HTML, CONSOLE, URL = 1, 2, 3, 4, 5

WORKERS = [pytest.param((), id="plain"), pytest.param(("-n2",), id="workers")]
"""Ways to run a suite: alone, and on two workers."""


@dataclass(frozen=True)
class Reported:
    body: dict[str, Any]

    @property
    def fields(self) -> list[tuple[str, str, int]]:
        return [(each["name"], each["value"], each["type"]) for each in self.body.get("fields", [])]

    @property
    def named(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.body.get("fields", [])}

    @property
    def values(self) -> dict[str, str]:
        return {name: value for name, value, _ in self.fields}

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body.get("artifacts", [])
        return found

    @property
    def steps(self) -> list[tuple[str, str]]:
        found = re.findall(r'<test-step status="(\w+)">(.*?)</test-step>', self.values.get("Steps", ""))
        return [(status, unescape(text)) for status, text in found]


@dataclass
class Suite:
    """A folder with tests, and the server that its sessions report to."""

    pytester: pytest.Pytester
    server: CheckedServer
    ran: Ran = field(default_factory=lambda: Ran(0, "", ""))

    def __post_init__(self) -> None:
        self.server.is_testmo = True

    @property
    def root(self) -> Path:
        return self.pytester.path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def tests(self, text: str) -> None:
        self.write("test_suite.py", text)

    def conftest(self, text: str) -> None:
        self.write("conftest.py", text)

    def report(
        self,
        *arguments: str,
        ini: str = "",
        output: str = "none",
        exit_status: int = 0,
        path: str = "",
        is_sent_at_once: bool = False,
    ) -> dict[str, Reported]:
        """Run a reported session that ends with this status; return its results by name.

        It runs in this process, and a command sends its results, unless it has workers or a sender of its own.
        """
        self.write("pytest.ini", f"[pytest]\nautomation_report_output = {output}\n" + dedent(ini))
        if is_sent_at_once or any(each.startswith("-n") for each in arguments):
            env = session_environment(PYTHONPATH=os.pathsep.join((str(self.root), path)))
            self.ran = run_session(self.root, *arguments, address=self.server.address, env=env, exits=exit_status)
        else:
            if path:
                self.pytester.syspathinsert(path)
            self.ran = recorded(self.pytester, *arguments, address=self.server.address, exits=exit_status)
        return {test["name"]: Reported(test) for _, test in self.server.tests()}

    def bare(self, *arguments: str, exit_status: int = 0) -> Ran:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return run(command, self.root, session_environment(), exits=exit_status)

    @property
    def run_fields(self) -> list[tuple[str, str]]:
        """Name and value of each field that was added to the run after its creation."""
        posts = [each for each in self.server.posts("/append") if "/threads/" not in each.path]
        return [(each["name"], each["value"]) for post in posts for each in post.body.get("fields", [])]
