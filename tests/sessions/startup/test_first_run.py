"""The main job, on the embedded store and on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.checked_server import CheckedServer
from support.sessions import TOKEN, run_session

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
def test_ok():
    pass

def test_fail():
    assert 1 == 2
"""


def test_session_reports_to_a_server(tmp_path: Path) -> None:
    """A session reports each result once, in one thread of one run that is completed."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        ran = run_session(tmp_path, address=server.address)
        assert ran.exit == 1, ran.text
        assert [(worker, test["name"], test["status"]) for worker, test in server.tests()] == [
            ("main", "test_ok", "passed"),
            ("main", "test_fail", "failure"),
        ]
        assert len(server.runs()) == 1
        assert len(server.posts("/complete")) == 2
    assert "2 of 2 results delivered in 1 thread: 1 passed, 1 failed" in ran.out
