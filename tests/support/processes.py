"""Processes that use the server's package, as their users start them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


WRITER = """
import sys
from pathlib import Path
import requests
from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.requests_adapter import StoreAdapter

database, run_name, appends = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
session = requests.Session()
session.mount("http+local://", StoreAdapter(database, Token("t")))
session.headers["Authorization"] = "Bearer t"
API = "http+local://store/api/v1"

def post(path, body):
    answer = session.post(API + path, json=body)
    assert answer.ok, answer.text
    return answer.json()["id"] if answer.content else None

run = post("/projects/1/automation/runs", {"name": run_name, "source": "s"})
thread = post(f"/automation/runs/{run}/threads", {})
print(run, flush=True)
for number in range(appends):
    tests = [
        {"key": f"k{each}", "name": f"{number}.{each}", "folder": run_name, "status": "passed"} for each in range(20)
    ]
    post(f"/automation/runs/threads/{thread}/append", {"tests": tests})
    print(number, flush=True)
session.close()
"""
"""Creates a run and appends batches of 20 tests; prints the run's id, then each batch once it was answered."""


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command with its output in pipes; whatever happens, it is gone at the end."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def python(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script as `running` does."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    with running(command, {**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        yield process


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line of a process' output; fail with what it said when it ended instead."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.strip()
