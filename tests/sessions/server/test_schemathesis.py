"""Generated requests for every operation of the contract, valid ones and broken ones, sent to a live server.

schemathesis has an environment of its own (`.ci/run` makes `.tox/schemathesis`): in the one of the tests its pytest
plugin makes each of the many sessions that other tests start nearly a second slower.
"""

import json
import os
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from support.contract import contract
from support.processes import line_of, python
from support.repository import ROOT
from support.service import API, a_test
from support.serving import asking

EXAMPLES = 10
SEED = 4
EXTRA_STATUSES = ("405", "413", "415")
"""What every server answers, although the contract lists it for no operation."""

EXCLUDED = {
    "positive_data_acceptance": "what fits the schema can still name a status, configuration or run that is not there",
    "negative_data_rejection": "unknown properties and parameters are ignored, and 1.0 is an integer",
}
"""Checks that are left out, each with its reason."""

LINKS = {
    "createAutomationRun": ("automation_run_id", (
        "getAutomationRun", "appendToAutomationRun", "createAutomationRunThread", "completeAutomationRun",
    )),
    "createAutomationRunThread": ("automation_run_thread_id", (
        "appendToAutomationRunThread", "completeAutomationRunThread",
    )),
}  # fmt: skip
"""Which operations take the id that another one made: without them most requests are for what is not there."""

SETTINGS = """
[headers]
Authorization = "Bearer ${{SERVER_TOKEN}}"

[[operations]]
include-operation-id = "completeAutomationRunThread"
parameters = {{ automation_run_thread_id = {thread} }}
"""
"""Where schemathesis finds the token, and a thread that is open when it is asked to complete one."""


def _command() -> str:
    own = ROOT / ".tox" / "schemathesis" / "bin" / "schemathesis"
    found = str(own) if own.exists() else shutil.which("schemathesis")
    if found is None:
        pytest.skip(f"schemathesis is not installed: neither {own} nor on the path")
    return found


def _document() -> dict[str, Any]:
    document: dict[str, Any] = deepcopy(contract())
    error = {"description": "Error", "content": document["components"]["responses"]["NotFound"]["content"]}
    for operation in _operations(document).values():
        operation["responses"].update(dict.fromkeys(EXTRA_STATUSES, error))
        name, takers = LINKS.get(operation["operationId"], ("", ()))
        if takers:
            operation["responses"]["201"]["links"] = {
                taker: {"operationId": taker, "parameters": {name: "$response.body#/id"}} for taker in takers
            }
    return document


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): item[method]
        for path, item in document["paths"].items()
        for method in ("get", "post")
        if method in item
    }


def _fill(address: str, token: str) -> int:
    """Make a run with a thread and a result, and everything that a run can refer to; return the thread's id."""
    with asking(token) as session:
        run = {"name": "n", "source": "s", "config": "c", "milestone": "m", "tags": ["t"]}
        made: int = session.post(f"{address}{API}/projects/1/automation/runs", json=run).json()["id"]
        runs = f"{address}{API}/automation/runs"
        thread: int = session.post(f"{runs}/{made}/threads", json={}).json()["id"]
        assert session.post(f"{runs}/threads/{thread}/append", json={"tests": [a_test()]}).ok
        return thread


def _answered(told: str, document: dict[str, Any]) -> dict[tuple[str, str], set[int]]:
    """Return which statuses each operation was answered with, as the server tells its requests."""
    found: dict[tuple[str, str], set[int]] = {}
    for method, path in _operations(document):
        line = rf": {method} {re.sub('{[a-z_]+}', '[0-9]+', path)} ([0-9]{{3}}) "
        found[method, path] = set(map(int, re.findall(line, told, re.MULTILINE)))
    return found


@pytest.mark.slow
def test_no_generated_request_is_answered_as_the_contract_does_not_say(tmp_path: Path) -> None:
    """No request makes a failure or an undocumented answer; each operation did what it is for, and refused."""
    command, document = _command(), _document()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    serve = ["serve", "--port", "0", "-v", "--database", str(tmp_path / "store.db")]
    told = tmp_path / "told.txt"
    script = f"import sys; sys.stderr = open({str(told)!r}, 'w', buffering=1)\n"
    with python(f"{script}from pytest_automation_report.cli.main import main; main({serve!r})") as server:
        address = line_of(server)
        token = (tmp_path / "store.db.token").read_text().strip()
        _fill(address, token)

        settings = SETTINGS.format(thread=_fill(address, token))
        (tmp_path / "schemathesis.toml").write_text(settings)
        options = ["--config-file", "schemathesis.toml", "run", "openapi.json", "--url", address, "--checks", "all"]
        options += ["--exclude-checks", ",".join(EXCLUDED), "--seed", str(SEED), "--max-examples", str(EXAMPLES)]
        done = subprocess.run(
            [command, "--no-color", *options, "--continue-on-failure", "--generation-database", "none"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SERVER_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for operation, statuses in _answered(told.read_text(), document).items():
        assert statuses & {200, 201, 204}, operation
        assert {422} <= statuses < set(range(500)), operation
