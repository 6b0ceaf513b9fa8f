"""Commands and servers in processes of their own over one store."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from support.processes import line_of, python, running
from support.repository import ROOT
from support.service import API, ON_SQLITE, TOKEN, Service, a_test
from support.sessions import clean_environment, run_session, session_environment
from unit.server.http.test_statuses import _changed
from unit.server.store.test_maintenance import _store, filled

if TYPE_CHECKING:
    from pathlib import Path

    from support.contract import Contract

__all__ = ["filled"]


def test_served_stores_have_their_limits(tmp_path: Path) -> None:
    """The options of the command reach the store and its artifacts."""
    options = ["--port", "0", "--max-size", "300KB", "--max-artifacts", "1KB", "--database", str(tmp_path / "store.db")]
    script = f"from pytest_automation_report.cli.main import main; main({['serve', *options]!r})"
    with python(script) as server, requests.Session() as session:
        address = line_of(server)
        session.trust_env = False
        token = (tmp_path / "store.db.token").read_text().strip()
        session.headers["Authorization"] = f"Bearer {token}"
        assert session.post(f"{address}/artifacts", data=b"x" * 1000).status_code == 201
        refused = session.post(f"{address}/artifacts", data=b"y")
        assert (refused.status_code, "at most 1000" in refused.text) == (422, True)
        runs = f"{address}{API}/projects/1/automation/runs"
        body = {"name": "n", "source": "s", "tags": [f"{number:04}" * 1000 for number in range(25)]}
        statuses = [session.post(runs, json=body).status_code for _ in range(5)]
        assert statuses[0] == 201
        assert statuses[-1] == 422


@ON_SQLITE
def test_pruning_beside_a_server_frees_the_disk(filled: Service, tmp_path: Path) -> None:
    """What was removed while another process serves the store takes no space any more, in the file or its log."""
    database = tmp_path / "store.db"
    thread_id = filled.new_thread(filled.new_run())
    for number in range(60):
        tests = [a_test(each, folder="f" * 700, name=f"{number}" * 200) for each in range(100)]
        filled.append(thread_id, *tests)
    filled.new_thread(filled.new_run())
    with closing(sqlite3.connect(database)) as other:
        other.execute("UPDATE run SET created = created - 99 * 86400000000, is_completed = 1 WHERE id = 7")
        other.commit()
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    env = clean_environment(
        PYTHONPATH=str(ROOT), AUTOMATION_REPORT_SERVER_TOKEN=TOKEN.value, AUTOMATION_REPORT_DATABASE=str(database)
    )
    with running(command, env, tmp_path) as server:
        address = line_of(server)
        before = _taken(tmp_path)
        done = _store("prune", "--older-than", "50d")
        assert (done.exit_code, done.stdout) == (0, "7\n"), done.output
        assert "in use" not in done.stderr
        assert _taken(tmp_path) < before / 4
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {TOKEN.value}"}
            assert session.get(f"{address}/api/v1/projects/1/automation/runs", headers=headers).json()["total"] == 7
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)


def _taken(folder: Path) -> int:
    """Return how many bytes a store and its log take."""
    return sum(path.stat().st_size for path in folder.glob("store.db*"))


def test_serve_opens_the_browser_of_this_machine(tmp_path: Path) -> None:
    """With --open the browser gets the link that is told; stdout has the address alone."""
    os.mkfifo(tmp_path / "told")
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "told"}\n')
    script.chmod(0o700)
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--open", "--port", "0"]
    environment = {"BROWSER": f"{script} %s", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    reading = os.open(tmp_path / "told", os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        ready, _, _ = select.select([reading], [], [], 30)
        opened = os.read(reading, 1000).decode().strip() if ready else "nothing"
        os.close(reading)
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=30)
    assert opened.startswith(f"{address}/open/")
    assert f"look at it: {opened}\n" in err
    assert (server.returncode, out) == (0, "")


def test_the_mounted_store_loads_no_pages() -> None:
    """Who only reports to the embedded store pays nothing for pages."""
    script = (
        "import sys; import pytest_automation_report.server.http.requests_adapter;"
        " print([each for each in sys.modules if 'jinja2' in each or 'server.pages' in each])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_session_reports_with_the_words_of_its_project(tmp_path: Path, contract: Contract) -> None:
    """With the plugin's setting for statuses all results of a mixed suite arrive; without it they are refused."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_suite.py").write_text("def test_ok():\n    pass\n\ndef test_fail():\n    assert 0\n")
    database = tmp_path / "store.db"
    _changed(database, "failed", "--aliases", "kaputt")
    _changed(database, "passed", "--aliases", "prima")
    words = "passed=prima\nfailure=kaputt\nerror=kaputt"
    environment = session_environment(AUTOMATION_REPORT_DATABASE=str(database))
    ran = run_session(tmp_path, f"-oautomation_report_statuses={words}", env=environment)
    assert ran.exit == 1, ran.text
    service = Service(database, contract)
    run = service.run(1)
    assert (run["status1_count"], run["status2_count"], run["total_count"]) == (1, 1, 2), ran.text
    refused = run_session(tmp_path, env=environment)
    assert "rejected by the server" in refused.text
    assert service.run(2)["total_count"] == 0
    service.store.close()
