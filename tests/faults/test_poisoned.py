"""A spool that somebody else has written, as a fork's CI job may: it is data, and leads to no file and no host."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.spool.records import framed
from support.delivered_results import assert_one_run, result_names
from support.fault_projects import NUMBERED
from support.records import line
from support.scripted_server.server import ScriptedServer
from support.session_processes import sent, spools
from support.sessions import TOKEN, clean_environment, run, run_session

assert sys.platform != "win32"

SECRET = "what-only-this-machine-should-know"


def test_record_names_no_file_and_no_host(tmp_path: Path, server: ScriptedServer, session: Path) -> None:
    """Whatever addresses and paths a spool has: no other host is asked, no file of this machine is read or sent."""
    secret, pipe = tmp_path / "secret", tmp_path / "pipe"
    secret.write_text(SECRET)
    os.mkfifo(pipe)  # whoever reads it waits for ever
    with ScriptedServer(token=TOKEN) as elsewhere:
        places = [f"{elsewhere.address}/picture.png", secret.as_uri(), pipe.as_uri(), str(pipe), f"@{pipe}"]
        attempt = {
            "status": "passed",
            "fields": [{"type": 5, "name": "Link", "value": each} for each in places],
            "artifacts": [{"name": "Log", "url": each} for each in places],
        }
        more = {"path": str(pipe), "file": str(pipe), "url": elsewhere.address, "origin": elsewhere.address}
        where = {"id": "test_it.py::test_poisoned", "line": 0, **more}
        (session / "gw7.records").write_bytes(
            line("open", format=1, worker="gw7", pid=0, t=0, **more)
            + line("start", n=9, t=0, **where)
            + line("finish", n=9, t=1, began=0, attempt=attempt, **where)
        )
        (session / "gw8.records").symlink_to(secret)
        document = json.loads((session / "session.json").read_text())
        run = {**document["run"], "links": [{"name": "Job", "url": each} for each in places]}
        (session / "session.json").write_text(json.dumps({**document, **more, "origin": server.address, "run": run}))
        ran = sent(tmp_path, server)
        assert f"kept: {session / 'gw8.records'} is a link or a pipe" in ran.err
        (session / "gw8.records").unlink()
        ran = sent(tmp_path, server)
        assert elsewhere.connection_count == 0
    assert result_names(server) == sorted([*NUMBERED, "test_poisoned"])
    assert_one_run(server)
    assert all(SECRET.encode() not in each.body for each in server.log)
    assert SECRET not in ran.text
    assert secret.read_text() == SECRET


def listed(folder: Path) -> list[dict[str, Any]]:
    ran = run(
        [sys.executable, "-m", "pytest_automation_report.cli", "spool", "list", "--json"],
        folder,
        clean_environment(),
        exits=0,
    )
    sessions: list[dict[str, Any]] = json.loads(ran.out)
    return sessions


UNUSABLE = [
    line("finish"),
    line("close", t="soon", counts={}),
    line("start", n=[], t={}, id=5, file=None, line="x"),
    framed(b'{"k":"collected","count":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    framed(b'{"k":"close","t":1e400,"counts":{}}'),
    line("of-a-later-version", anything=1),
]


def test_records_of_wrong_content(tmp_path: Path, server: ScriptedServer, session: Path) -> None:
    """Records whose checksum is right and that say nothing are passed over and counted; the results around arrive."""
    path = session / "main.records"
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(b"".join([first, b"\n", *UNUSABLE, rest]))
    assert ("kept", 4) in [(each["state"], each["results"]) for each in listed(tmp_path)]
    ran = sent(tmp_path, server, exits=3)
    assert f"{len(UNUSABLE)} damaged records that cannot be read" in ran.err
    assert result_names(server) == NUMBERED
    assert_one_run(server)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (line("intent", i=1), "Object missing required field `op`"),
        (line("stored", name="a", file={"url": "file:///etc/passwd"}), "not a URL for an artifact"),
    ],
)
def test_ledger_of_wrong_content(
    tmp_path: Path, server: ScriptedServer, session: Path, record: bytes, says: str
) -> None:
    """Where it is not known what was sent nothing is, it is told, and other sessions are sent."""
    (session / "ledger").write_bytes(record)
    assert run_session(tmp_path, "--automation-report-delivery", "later", address=server.address).exit == 0
    told = f"{session / 'ledger'}: a record cannot be used: {says}"
    # In any order: both sessions may have begun in one second.
    sessions = [(kept["results"], kept["error"].startswith(told)) for kept in listed(tmp_path)]
    assert sorted(sessions) == [(0, True), (4, False)]
    ran = sent(tmp_path, server, exits=3)
    assert f"kept: {told}" in ran.err
    assert "4 results sent" in ran.err
    assert result_names(server) == NUMBERED
    assert spools(tmp_path) == [session]
