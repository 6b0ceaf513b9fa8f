"""Requests that are in flight at the same time, in real threads and over real sockets."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.delivered_results import assert_complete
from support.deliveries import session_of_workers
from support.scripted_server.faults import Rule, held
from support.scripted_server.server import ScriptedServer
from support.sessions import Ran, run_session, send, session_environment
from unit.delivery.test_dispatcher import APPEND, NAMES


@pytest.mark.parametrize("way", ["pytest", "send"])
def test_round_trips_of_whole_processes(tmp_path: Path, server: ScriptedServer, way: str) -> None:
    """The sender of a session, and the command, have several requests under way to a server over the network."""
    is_sent = way == "send"
    count = 3 if is_sent else 1
    note = Rule("POST", r"/runs/\d+/append$", held())
    server.script([Rule("POST", APPEND, held(), count=count), note])
    if is_sent:
        spool = tmp_path / "spool"
        spool.mkdir(mode=0o700)
        session_of_workers(spool, server, count).close()
        arguments = (*server.options, "--spool", str(spool))
        run: Callable[[], Ran] = lambda: send(tmp_path, *arguments, env=session_environment())  # noqa: E731
    else:
        (tmp_path / "test_it.py").write_text("def test_0():\n    pass\n")
        run = lambda: run_session(tmp_path, address=server.address)  # noqa: E731
    found: list[Ran] = []
    running = threading.Thread(target=lambda: found.append(run()))
    running.start()

    def are_together() -> bool:
        paths = [each.path for each in server.log if each.path.endswith(("/append", "/complete"))]
        return len(paths) == count + 1 and sum(bool(re.search(APPEND, path)) for path in paths) == count

    try:
        server.wait_until(are_together)
        assert server.log[-1].path.endswith("/append")
    finally:
        server.release()
        running.join()
    assert [each.exit for each in found] == [0]
    assert_complete(server, NAMES[:count])
