"""Processes that use the server's package, as their users start them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.prepared import popen
from support.repository import ROOT
from support.sessions import skip_without_workers

WRITER = """
import json, sys
from pathlib import Path
from pytest_automation_report.api.models import NewRun, Resources
from pytest_automation_report.server.api.embedded import StoreClient

database, run_name, appends = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with StoreClient(database, 1) as client:
    run = client.create_run(NewRun(run_name, "s"))
    thread = client.create_thread(run, Resources())
    print(run, flush=True)
    for number in range(appends):
        tests = [
            {"key": f"k{each}", "name": f"{number}.{each}", "folder": run_name, "status": "passed"}
            for each in range(20)
        ]
        client.append_thread(thread, json.dumps({"tests": tests}).encode())
        print(number, flush=True)
"""
"""Creates a run and appends batches of 20 tests; prints the run's id, then each batch once it was answered."""


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
    **more: Any,  # noqa: ANN401 - subprocess's own
) -> Iterator[subprocess.Popen[str]]:
    """Run a command as the leader of a group, its output in pipes; whatever happens, all of it is gone at the end."""
    skip_without_workers(command)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    given = {**pipes, "start_new_session": True, **more}
    with popen(command, environment, cwd=folder, **given) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                kill_group(process)


def kill_group(process: subprocess.Popen[Any]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def python(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
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
