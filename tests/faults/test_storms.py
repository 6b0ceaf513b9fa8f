"""Several requests under way over real sockets, each of which may meet anything; a seed is one session."""

import random
from collections import Counter
from pathlib import Path

import pytest

from support.delivered_results import result_names
from support.deliveries import WrittenSession, lived
from support.scripted_server.faults import (
    Rule,
    answer,
    applied_but,
    cut,
    delayed,
    html,
    late,
    lost_answer,
    reset_before,
    reset_unapplied,
    throttled,
)
from support.scripted_server.server import ScriptedServer

RUN = 2
FAULTS = (
    applied_but(500), answer(500), lost_answer(), reset_before(), reset_unapplied(), delayed(0.03), throttled("0"),
    throttled("0.05"), answer(401), cut(3), html(), late(502, 0.2),
)  # fmt: skip
# A creation whose answer is lost is looked for later: that has tests of its own.
PATHS = (
    r"threads/\d+/append$", r"threads/\d+/append$", r"threads/\d+/complete$", r"runs/\d+/threads$",
    r"runs/\d+/append$", r"runs/\d+/complete$",
)  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take as many seeds as the option says."""
    metafunc.parametrize("seed", range(int(metafunc.config.getoption("--storms") or 0)))


def test_storm(tmp_path: Path, server: ScriptedServer, seed: int) -> None:
    """Whatever requests meet, each result arrives once, the run is told once how the session ended, and completed."""
    chance = random.Random(seed)
    is_joined = seed % 3 == 0
    if is_joined:
        server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "shared", "source": "suite"})
    written = WrittenSession(tmp_path, server.address, joined_run=RUN if is_joined else None)
    counts = [chance.randint(1, 5) for _ in range(chance.randint(2, 7))]
    expected = [[f"test_{worker}_{each}" for each in range(count)] for worker, count in enumerate(counts)]
    for worker, own in enumerate(expected):
        written.add_worker(f"gw{worker}", *own)
    written.end()
    for _ in range(chance.randint(1, 6)):
        first, count = chance.randint(1, 5), chance.randint(1, 2)
        server.script([Rule("POST", chance.choice(PATHS), chance.choice(FAULTS), first, count)])
    for _ in range(30):
        delivery = lived(written, server, max_in_flight=4)
        assert max(Counter(result_names(server)).values(), default=1) == 1
        if delivery.is_finished:
            break
    server.release()
    assert result_names(server) == sorted(name for own in expected for name in own)
    run = server.store.runs[RUN]
    assert all(thread.is_completed for thread in run.threads if thread.rows)
    assert run.is_completed is not is_joined
    places = [run.resources, *(thread.resources for thread in run.threads)]
    assert [field["name"] for place in places for field in place.get("fields", ())].count("Session") == 1
