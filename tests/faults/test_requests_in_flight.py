"""Requests that are in flight at the same time, in real threads and over real sockets."""

import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.delivered_results import assert_complete, result_names
from support.deliveries import WrittenSession, lived, session_of_workers
from support.scripted_server.faults import (
    Rule,
    answer,
    applied_but,
    cut,
    delayed,
    held,
    html,
    late,
    lost_answer,
    reset_before,
    reset_unapplied,
    throttled,
)
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS
from support.sessions import Ran, run_session, send, session_environment
from unit.delivery.test_in_flight import APPEND, NAMES


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


FAULTS = (
    applied_but(500), answer(500), lost_answer(), reset_before(), reset_unapplied(), delayed(0.03), throttled("0.05"),
    answer(401), cut(3), html(), late(502, 0.2),
)  # fmt: skip
# A run whose creation has no answer is looked for later: that has tests of its own.
PATHS = [path for operation, path in OPERATIONS.items() if operation != "create-run"]


@pytest.mark.parametrize("seed", range(8))
def test_any_mix_of_faults(tmp_path: Path, server: ScriptedServer, seed: int) -> None:
    """Whatever requests in flight meet, senders that follow each other deliver each result once, and the run whole."""
    chance = random.Random(seed)
    written = WrittenSession(tmp_path, server.address)
    expected = [
        [f"test_{worker}_{number}" for number in range(chance.randint(1, 5))] for worker in range(chance.randint(2, 7))
    ]
    for worker, names in enumerate(expected):
        written.add_worker(f"gw{worker}", *names)
    written.end()
    for _ in range(chance.randint(2, 6)):
        first, count = chance.randint(1, 5), chance.randint(1, 2)
        server.script([Rule("POST", chance.choice(PATHS), chance.choice(FAULTS), first, count)])
    for _ in range(30):
        delivery = lived(written, server, max_in_flight=4)
        assert max(Counter(result_names(server)).values(), default=1) == 1
        if delivery.is_finished:
            break
    server.release()
    assert_complete(server, [name for names in expected for name in names])
