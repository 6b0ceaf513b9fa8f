"""A server that removes old runs and completes open ones by itself."""

import time
from pathlib import Path

from pytest_automation_report.api.models import PostgresDatabase
from support.contract import Contract
from support.service import ON_BOTH, SECOND, Service, a_test, option
from support.serving import served

DAY = 24 * 3600 * SECOND


@ON_BOTH
def test_a_server_keeps_its_store_small(tmp_path: Path, place: PostgresDatabase | Path, contract: Contract) -> None:
    """At its start it completes what was left open and removes what is old, with a line for each, beside requests."""
    service = Service(place, contract)
    now = time.time_ns() // 1000
    service.clock.now = now - 40 * DAY
    branch = "x\n10.0.0.1 (admin) created run 9"
    old = service.completed_run(a_test(), fields=[{"type": 1, "name": "Branch", "value": branch}])
    service.clock.now = now - DAY
    left = service.new_run()
    service.new_thread(left)
    service.clock.now = now
    service.append(service.new_thread(service.new_run()), a_test())
    options = ["--database", option(place), "--keep-days", "main=365, *=30", "--complete-after", "6h"]
    with served(tmp_path, *options) as (_, server):
        assert server.stderr is not None
        told = ""
        while f"removed run {old}" not in told:
            told += server.stderr.readline()
        assert server.stderr.readline().startswith("  10.0.0.1 (admin) created run 9"), "no line of its own"
    assert f"Z completed run {left}, which did not change for 6h" in told
    assert service.get(f"/automation/runs/{old}").status_code == 404
    assert service.run(left)["is_completed"]
    service.store.close()
