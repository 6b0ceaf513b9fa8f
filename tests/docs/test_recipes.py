"""Each CI recipe is run: its lines in their order, under the variables of its provider, against a server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.recipes import FOLDER, RECIPES, Job
from support.checked_server import CheckedServer
from support.ci_environments import PUSHES
from support.repository import ROOT
from support.sessions import TOKEN, session_environment

# Stands in for the one that would install this package from a registry.
PIP = '#!/bin/sh\necho "pip $*" >> "$PIP_LOG"\n'

KILLED = """
import os, signal

def pytest_runtest_setup(item):
    if item.name == "test_unknown_article_is_refused":
        os.kill(os.getpid(), signal.SIGKILL)
"""


class Runner:
    """A runner of one provider, with a workspace for each job."""

    def __init__(self, folder: Path, provider: str, server: CheckedServer, *, has_secrets: bool = True) -> None:
        self._folder = folder
        self._has_secrets = has_secrets
        self._bin = folder / "bin"
        self._bin.mkdir()
        (self._bin / "pip").write_text(PIP)
        (self._bin / "pip").chmod(0o755)
        push = {name: value for name, value in PUSHES[provider].items() if value not in {"{events}", "{build}"}}
        self._env = session_environment(
            None,
            PATH=os.pathsep.join((str(self._bin), str(Path(sys.executable).parent), os.environ["PATH"])),
            PIP_LOG=str(folder / "pip.log"),
            **push,
        )
        self._address = server.address
        self.said = ""

    def workspace(self, job: Job) -> Path:
        """Return the job's checkout, made at its first use."""
        place = self._folder / job.name.replace(" ", "-")
        if not place.exists():
            shutil.copytree(ROOT / "examples" / "shop", place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        return place

    def run(self, job: Job, **more: str) -> list[int]:
        """Run a job's scripts as the provider does, with more variables; return their exit statuses."""
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
            statuses.append(done.returncode)
        return statuses

    def _known(self, name: str, value: str) -> str:
        """Return a value with this test's server and token in the place of a real one's."""
        if name == "AUTOMATION_REPORT_TOKEN":
            return TOKEN
        return value.replace("https://example.testmo.net", self._address)


def run_count(server: CheckedServer) -> int:
    """Return how many runs the server has; a job that asks for one of its key is given the one that is there."""
    return len({each.answer["id"] for each in server.posts("/automation/runs")})


@pytest.mark.parametrize("provider", RECIPES)
def test_recipe(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """All jobs of the recipe report to one run, which the last completes; the tests' failures stay the jobs'."""
    runner = Runner(tmp_path, provider, server)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    statuses = [runner.run(job) for job in jobs]
    assert [any(each) for each in statuses[:2]] == [True, True], runner.said  # some tests of both parts fail
    assert not any(any(each) for each in statuses[2:]), runner.said
    assert run_count(server) == 1, runner.said
    assert server.posts("/complete")[-1].path.endswith("/runs/1/complete"), runner.said
    assert len(server.tests()) == 15, runner.said
    assert not [line for line in runner.said.splitlines() if TOKEN in line]
    for job in jobs:
        assert not list(runner.workspace(job).glob(".automation-report/spool/2*")), runner.said


def test_failed_jobs_that_run_again(tmp_path: Path, server: CheckedServer) -> None:
    """In GitHub's second attempt, of one job alone, the last job waits for no other one and completes the same run."""
    runner = Runner(tmp_path, "GitHub", server)
    jobs = sorted(RECIPES["GitHub"](), key=lambda job: job.is_last)
    for job in jobs:
        runner.run(job)
    statuses = [runner.run(job, GITHUB_RUN_ATTEMPT="2") for job in (jobs[0], jobs[-1])]
    assert not any(statuses[-1]), runner.said
    assert run_count(server) == 1, runner.said
    assert "run 1 of this key was completed before: it takes these results, too" in runner.said
    assert runner.said.count("15 tests, each once") == 2, runner.said


@pytest.mark.parametrize("provider", RECIPES)
def test_cancelled_job(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """When a job dies in the middle its next step sends what it left, and the run is completed all the same."""
    runner = Runner(tmp_path, provider, server)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    (runner.workspace(jobs[0]) / "conftest.py").write_text(KILLED)
    statuses = [runner.run(job) for job in jobs]
    assert {137, -9} & set(statuses[0]), runner.said
    assert run_count(server) == 1, runner.said
    assert server.posts("/complete")[-1].path.endswith("/runs/1/complete"), runner.said
    tests = [test for _, test in server.tests()]
    keys = [each["key"] for each in tests]
    assert len(keys) == len(set(keys)), runner.said
    assert any("died" in str(each) for each in tests), runner.said


@pytest.mark.parametrize("provider", RECIPES)
def test_recipe_without_secrets(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """A pull request from a fork has no token: the tests run, nothing is sent, and only failed tests make a job red."""
    runner = Runner(tmp_path, provider, server, has_secrets=False)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    for job in jobs:
        place = runner.workspace(job) / "tests"
        shutil.rmtree(place)
        place.mkdir()
        for part in ("cart", "order"):
            (place / f"test_{part}.py").write_text("def test_ok():\n    pass\n")
    assert not any(any(runner.run(job)) for job in jobs), runner.said
    assert runner.said.count(" 1 passed in ") == 2, runner.said
    assert server.log == []


def test_every_recipe_is_run() -> None:
    """Each file of the folder is one of the recipes that are run here."""
    assert len([path for path in FOLDER.iterdir() if path.is_file()]) == len(RECIPES)
