"""Runs real pytest sessions with the plugin, in processes of their own, for tests of the whole way of a result."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.ci.detection import AGENTS
from support.canary import holds_token
from support.prepared import popen

SHORT_LIMITS: Mapping[str, float] = {
    "request": 5.0, "batch_age": 0.2, "poll": 0.02, "retry_base": 0.02, "retry_cap": 0.2, "throttle": 0.2,
    "read_back": 0.05, "worker_grace": 10.0, "exit_all": 20.0, "exit_progress": 10.0, "exit_down": 0.3,
    "exit_interrupted": 10.0, "alone": 5.0, "send_progress": 5.0, "cut": 1.0,
}  # fmt: skip
"""The sender's limits in seconds, for tests: waiting is short, what must not happen under load is long."""

TOKEN = "canary-2f6b8d0f-token"

OF_PROVIDERS = (
    "APPVEYOR", "BITBUCKET_", "BUILDKITE", "CI_", "CIRCLE", "CODEBUILD_", "DRONE", "FORGEJO_", "GITEA_", "GITHUB_",
    "GITLAB_", "JENKINS_", "TEAMCITY_", "TF_BUILD", "TRAVIS",
)  # fmt: skip
"""How variables begin that CI providers set, by which a session would tell of the job that runs these tests."""


QUICK_START = "-p no:hypothesispytest -p no:flaky -p no:pytest-retry -p no:time_machine -p no:unraisableexception"
"""Pytest's options of every session: no plugins that cost time; a test that needs one names it with ``-p``.

At a session's end the plugin of Hypothesis imports all of Hypothesis, two fifths of the processor time of a small
session, and pytest's for exceptions in ``__del__`` collects garbage five times, a seventh. Two of the others repeat
tests and get in the way of pytest-rerunfailures.
"""

COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""Variable by which `coverage` measures the processes that tests start, too."""


@dataclass(frozen=True)
class Ran:
    exit: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what pytest and the plugin read from it, and with these additions.

    As in an activated virtual environment: this interpreter's commands are found first.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "AUTOMATION_REPORT", "_AUTOMATION_REPORT", "TESTMO", "COV_", "COVERAGE"))
        and not name.startswith(OF_PROVIDERS)
        and name.lower() not in {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
        and name not in {"CI", *AGENTS}
    }
    measured = {name: os.environ[name] for name in (COVERAGE,) if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**own, **measured, "PATH": path, "PYTEST_ADDOPTS": QUICK_START, **more}


def session_environment(limits: Mapping[str, float] | None = None, **more: str) -> dict[str, str]:
    """Return an environment for a reported session with a token and short limits."""
    shortened = json.dumps({**SHORT_LIMITS, **(limits or {})})
    return clean_environment(AUTOMATION_REPORT_TOKEN=TOKEN, _AUTOMATION_REPORT_LIMITS=shortened, **more)


def reporting_arguments(address: str | None = None, *, python: str = sys.executable) -> list[str]:
    """Return the command that reports a session, to this address or to the embedded store."""
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "--automation-report"]
    if address is not None:
        command += ["--automation-report-url", address, "--automation-report-project-id", "1"]
        command += ["--automation-report-source", "suite"]
    return command


def skip_without_workers(command: Sequence[str]) -> None:
    """Skip the test when this interpreter is to run a command that needs pytest-xdist, and does not have it."""
    needs_it = command[0] == sys.executable and any(each.startswith(("-n", "--tx", "--dist")) for each in command)
    if needs_it and find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")


def run(
    command: list[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    exits: int | None = None,
    timeout: float = 120.0,
    **more: Any,  # noqa: ANN401 - subprocess's own
) -> Ran:
    """Run a command to its end, its streams in pipes, and return what it left.

    Fails when the tests' token is in its output, and if it does not end with the status ``exits``. Skips the test when
    the command needs pytest-xdist and that is not installed.
    """
    skip_without_workers(command)
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder, **more}
    with popen(command, env, **given) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    ran = Ran(process.returncode, out or "", err or "")
    assert not holds_token(ran.text.encode(errors="replace"), TOKEN)
    assert exits is None or ran.exit == exits, ran.text
    return ran


def run_session(
    folder: Path,
    *arguments: str,
    address: str | None = None,
    env: Mapping[str, str] | None = None,
    exits: int | None = None,
) -> Ran:
    command = [*reporting_arguments(address), *arguments]
    return run(command, folder, env if env is not None else session_environment(), exits=exits)


def send(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, exits: int | None = None) -> Ran:
    command = [sys.executable, "-m", "pytest_automation_report.cli", "send", *arguments]
    return run(command, folder, env if env is not None else session_environment(), exits=exits)
