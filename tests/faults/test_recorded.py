"""Sessions that an earlier version spooled are sent by this one: the formats of spool and ledger stay as they were.

The sessions below ``recorded`` were written by commit 5f62a20, one for each kind of fault, against the scripted server.
``requests.jsonl`` beside one holds what the server had applied by then. A format that changes gets a new number and a
reader of the old one, not new data here.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.contract import Contract
from support.delivered_results import field_texts
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, send

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parent / "recorded"

SENT: dict[str, dict[str, str]] = {
    "later": {
        "test_again": "passed",
        "test_expected": "skipped",
        "test_fails": "failure",
        "test_kinds[a b]": "passed",
        r"test_kinds[x\ny]": "passed",
        r"test_kinds[\xe9]": "passed",
        "test_passes": "passed",
        "test_says_more": "passed",
        "test_skipped": "skipped",
        "test_torn_down": "error",
    },
    "killed": {"test_before": "passed", "test_running": "error"},
    "crashed_worker": {f"test_number[{n}]": "error" if n == 3 else "passed" for n in range(6)},
    "interrupted": {"test_before": "passed", "test_ends": "error"},
    "down": {"test_one": "passed", "test_two": "failure"},
    "remade": {"test_after": "passed", "test_before": "passed", "test_deletes": "passed"},
    "joined": {"test_one": "passed", "test_two": "failure"},
    "sender_killed": {
        "test_after": "passed",
        "test_kills": "passed",
        "test_one": "passed",
        "test_two": "failure",
    },
    "lost_answer": dict.fromkeys(("test_after", "test_kills", "test_one", "test_two"), "passed"),
    "lost_request": dict.fromkeys(("test_after", "test_kills", "test_one", "test_two"), "passed"),
}
"""Each kind with the results that the server has in the end, by name."""


def _restored(kind: str, spool: Path, server: ScriptedServer) -> Path:
    """Copy a recorded session into a spool, as one of this server, which then has what had arrived."""
    (recorded,) = [path for path in (RECORDED / kind).iterdir() if path.is_dir()]
    folder = spool / recorded.name
    shutil.copytree(recorded, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)  # a checkout has other modes than a session
    manifest = folder / "session.json"
    manifest.write_text(re.sub(r"http://127\.0\.0\.1:\d+", server.address, manifest.read_text()))
    arrived = RECORDED / kind / "requests.jsonl"
    for line in arrived.read_text().splitlines() if arrived.exists() else []:
        request = json.loads(line)
        server.store.apply(request["method"], request["path"], request["query"], request["json"])
    return folder


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server without the run of others that these tests' server begins with: ids are as recorded."""
    with ScriptedServer(token=TOKEN) as server:
        server.checks.append(Contract().check_client)
        yield server


@pytest.mark.parametrize("kind", SENT)
def test_recorded_session_is_sent(kind: str, tmp_path: Path, server: ScriptedServer) -> None:
    """A session of an earlier version arrives whole, each result once, and leaves the spool."""
    if kind == "joined":
        for name in ("another", "the run"):
            server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": name, "source": "suite"})
    folder = _restored(kind, tmp_path / "spool", server)
    ran = send(tmp_path, "--spool", "spool", "--url", server.address, "--project-id", "1")
    assert ran.exit == 0, ran.text
    assert sorted((test["name"], test["status"]) for _, _, test in server.results) == sorted(SENT[kind].items())
    assert not folder.exists()


def test_recorded_details_arrive(tmp_path: Path, server: ScriptedServer) -> None:
    """What a recorded test added, printed and met before it was run again stands in its result."""
    _restored("later", tmp_path / "spool", server)
    assert send(tmp_path, "--spool", "spool", "--url", server.address, "--project-id", "1").exit == 0
    results = {test["name"]: test for _, _, test in server.results}
    assert "what it printed" in field_texts(results["test_fails"])
    assert "what it logged" in field_texts(results["test_fails"])
    fields = {field["name"]: field["value"] for field in results["test_says_more"]["fields"]}
    assert (fields["owner"], fields["Field"]) == ("team", "value")
    assert "a step" in str(results["test_says_more"]["fields"])


def test_recorded_rejections_are_kept(tmp_path: Path, server: ScriptedServer) -> None:
    """Results that the server had refused stay where they are, and the command says so."""
    folder = _restored("rejected", tmp_path / "spool", server)
    ran = send(tmp_path, "--spool", "spool", "--url", server.address, "--project-id", "1")
    assert ran.exit == 3, ran.text
    assert "test_two" in ran.text
    assert "It is wrong." in ran.text
    assert folder.exists()
    assert server.results == []
