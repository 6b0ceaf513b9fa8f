"""A runner that runs the jobs of a recipe under the variables of their provider, against a server of this test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from docs.recipes import Job
from support.checked_server import CheckedServer
from support.ci_environments import PUSHES
from support.prepared import commands_of_scripts
from support.repository import ROOT
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, session_environment

# Stands in for pip, which would install this package from a registry, and for gh and curl, which would ask a provider.
STAND_IN = '#!/bin/sh\necho "$(basename $0) $*" >> "$CALLED"\n'


class Runner:
    """A runner of one provider, with a workspace for each job; ``called`` has the calls of pip, gh and curl."""

    def __init__(
        self,
        folder: Path,
        provider: str,
        server: CheckedServer | ScriptedServer | None = None,
        *,
        has_secrets: bool = True,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._folder = folder
        self._has_secrets = has_secrets
        self.called = folder / "called"
        programs = folder / "bin"
        programs.mkdir()
        for name in ("pip", "gh", "curl"):
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
        push = {name: value for name, value in PUSHES[provider].items() if value not in {"{events}", "{build}"}}
        self._env = session_environment(
            limits,
            PATH=os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"])),
            CALLED=str(self.called),
            BASH_ENV=str(commands_of_scripts()),
            **push,
        )
        self.address = server.address if server else ""
        self.said = ""

    def workspace(self, job: Job) -> Path:
        """Return the job's checkout, made at its first use."""
        place = self._folder / job.name.replace(" ", "-")
        if not place.exists():
            shutil.copytree(ROOT / "examples" / "shop", place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        return place

    def run(self, job: Job, **more: str) -> list[int]:
        """Run a job's scripts as the provider does, with more variables; return the exit statuses that it counts."""
        statuses: list[int] = []
        for step in job.steps:
            if (any(statuses) and not step.is_always) or (step.needs_secrets and not self._has_secrets):
                continue
            env = {**self._env, **job.env, **step.env, **more}
            env = {name: self._known(name, value) for name, value in env.items()}
            if not self._has_secrets:
                # Azure leaves the text of a macro that it cannot fill, the others leave nothing.
                env["AUTOMATION_REPORT_TOKEN"] = "$(AUTOMATION_REPORT_TOKEN)" if step.is_azure else ""
            done = subprocess.run(
                ["bash", "-c", f"set -e\n{self._known('', step.script)}"],
                cwd=self.workspace(job), env=env, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            self.said += f"\n$ {step.script}\n{done.stdout}{done.stderr}(exit {done.returncode})\n"
            statuses.append(0 if step.may_fail else done.returncode)
        return statuses

    def _known(self, name: str, value: str) -> str:
        """Return a value with this test's server and token in the place of a real one's."""
        if name == "AUTOMATION_REPORT_TOKEN":
            return TOKEN
        return value.replace("https://example.testmo.net", self.address)


def write_passing_tests(workspace: Path) -> None:
    """Replace the tests of a job's checkout by two for each of four jobs, which pass."""
    place = workspace / "tests"
    shutil.rmtree(place)
    place.mkdir()
    for part in range(8):
        (place / f"test_{part}.py").write_text("def test_ok():\n    pass\n")


def run_count(server: CheckedServer) -> int:
    """Return how many runs the server has; a job that asks for one of its key is given the one that is there."""
    return len({each.answer["id"] for each in server.posts("/automation/runs")})
