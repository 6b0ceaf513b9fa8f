"""Processes that write one store at the same time, killed and not."""

import random
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_automation_report.server.store.checks import check_store
from pytest_automation_report.server.store.store import Store
from support.contract import Contract
from support.processes import WRITER, line_of, python
from support.service import Service
from unit.server.store.test_maintenance import _store

assert sys.platform != "win32"


def test_processes_that_make_a_store_and_write_at_once_lose_nothing(tmp_path: Path, contract: Contract) -> None:
    """Three processes find no file, all use one, and every answered append of each is there."""
    database = tmp_path / "made" / "store.db"
    with ExitStack() as stack:
        writers = [stack.enter_context(python(WRITER, str(database), f"run {number}", "15")) for number in range(3)]
        runs = []
        for writer in writers:
            output, errors = writer.communicate(timeout=60)
            assert writer.returncode == 0, errors
            runs.append(int(output.split()[0]))
    service = Service(database, contract)
    assert sorted(runs) == [1, 2, 3]
    for run_id in runs:
        run = service.run(run_id)
        page = service.get(f"/automation/runs/{run_id}/tests", "per_page=1000&order=asc").json
        assert [test["folder"] for test in page["result"]] == [run["name"]] * 300
        assert [test["name"] for test in page["result"]] == [f"{n}.{m}" for n in range(15) for m in range(20)]
        assert run["total_count"] == run["threads"][0]["total_count"] == page["total"] == 300
    service.store.close()


@pytest.mark.slow
def test_every_answered_append_survives_a_killed_writer(tmp_path: Path, contract: Contract, kills: int) -> None:
    """After each SIGKILL in a stream of appends, what was answered is there, and every append is whole."""
    database = tmp_path / "store.db"
    chance = random.Random(4)
    for kill in range(kills):
        with python(WRITER, str(database), f"run {kill}", "10000") as writer:
            run_id = int(line_of(writer))
            last_read = chance.randrange(12)
            for number in range(last_read + 1):
                assert line_of(writer) == str(number)
            spin_until = time.perf_counter() + chance.random() * 0.01
            while time.perf_counter() < spin_until:
                pass
            writer.kill()
            assert writer.stdout is not None
            answered = last_read + 1 + len(writer.stdout.read().splitlines(keepends=True))
        service = Service(database, contract)
        total = service.run(run_id)["total_count"]
        with service.store._connections.reading() as reading:
            stored = reading.number("SELECT COUNT(*) FROM result WHERE run_id = ?", (run_id,))
        service.store.close()
        assert total == stored
        assert (total % 20, total // 20 - answered in (0, 1)) == (0, True), (kill, total, answered)
    service = Service(database, contract)
    findings = check_store(service.store)
    service.store.close()
    assert (findings.runs, findings.errors) == (kills, ())


def test_a_backup_is_of_one_moment_while_another_process_writes(tmp_path: Path) -> None:
    """Every append that was answered before is in it, none of the later ones in part, and the writer goes on."""
    store = tmp_path / "store.db"
    with python(WRITER, str(store), "a run", "10000") as writer:
        for _ in range(11):
            line_of(writer)
        done = _store("backup", "--database", str(store), str(tmp_path / "copy.db"))
        assert done.exit_code == 0, done.output
        answered = int(line_of(writer))
        writer.send_signal(signal.SIGKILL)
    copy = Store(tmp_path / "copy.db")
    found = check_store(copy)
    copy.close()
    assert found.errors == ()
    assert found.results % 20 == 0
    assert 10 * 20 <= found.results <= (answered + 100) * 20
