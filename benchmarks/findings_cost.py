"""CPU time and disk space that findings cost the embedded server.

    python benchmarks/findings_cost.py --tests 10000 --runs 30 store.sqlite3

Fills a new store with runs of one suite, 2 % of whose tests fail, and computes the findings of each run after its
completion, as the server does. The last five runs are measured: the CPU time of this process, and for PostgreSQL the
wall time, too, since most of the work is the database's. Disk: the tables that only findings need, for each result.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import (
    RunSubmission,
    StoredAttachment,
    StoredTest,
    ThreadSubmission,
    json_text,
)

if TYPE_CHECKING:
    from pytest_automation_report.server.store.writes import Writer

PASSED, FAILED = 2, 3
MEASURED = 5
BATCH = 1000
FLAKY_RATE = 0.1


class Suite:
    """Tests with usual durations, of which some always fail, and some now and then."""

    def __init__(self, tests: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tests = [
            (hashlib.sha256(f"{number}".encode()).hexdigest(), f"test_{number}[case]", f"tests.test_{number // 100}")
            for number in range(tests)
        ]
        self.usual = [self.chance.lognormvariate(11.0, 1.2) for _ in range(tests)]

    def results(self) -> list[StoredTest]:
        """Return the results of one more run."""
        return [self._result(number) for number in range(len(self.tests))]

    def _result(self, number: int) -> StoredTest:
        key, name, folder = self.tests[number]
        elapsed = round(self.usual[number] * self.chance.lognormvariate(0.0, 0.15))
        is_failed = number % 100 == 0 or (number % 50 == 1 and self.chance.random() < FLAKY_RATE)
        if not is_failed:
            return StoredTest(key, name, folder, PASSED, elapsed)
        message = f"KeyError: 'article {'abcdefghijklmnopqrst'[number // 100 % 20]}'"
        fields = [{"name": "Failure", "type": 5, "value": message, "meta": {"message": message}, "is_highlight": True}]
        return StoredTest(key, name, folder, FAILED, elapsed, f"{folder}.py", 1, None, json_text(fields))


def add_run(store: Store, suite: Suite, number: int) -> int:
    """Store a completed run and return its id."""
    fields = (("Branch", "main"), ("Commit", f"{number:040x}"))
    attachments = tuple(
        StoredAttachment("fields", json_text({"name": name, "type": 1, "value": value})) for name, value in fields
    )
    run_id = store.write(lambda writer: writer.create_run(1, RunSubmission("run", "suite", attachments=attachments)))
    thread = store.write(lambda writer: writer.create_thread(run_id, ThreadSubmission()))
    results = suite.results()
    for start in range(0, len(results), BATCH):
        part = ThreadSubmission(tests=results[start : start + BATCH])

        def append(writer: Writer, part: ThreadSubmission = part) -> None:
            writer.append_to_thread(thread, part)

        store.write(append)
    store.write(lambda writer: writer.complete_run(run_id, measure_elapsed=True))
    return run_id


def disk_bytes(store: Store, *, is_postgres: bool) -> int | None:
    """Return the size of the tables that only findings need; None if SQLite cannot show it."""
    tables = ("run_document",)
    if is_postgres:
        sql = f"SELECT sum(pg_total_relation_size(name)) FROM unnest(array{list(tables)}) AS name"
    else:
        names = ", ".join(f"'{name}'" for name in tables)
        sql = (
            f"SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name IN ({names}))"
        )
    try:
        return int(store.read(lambda connection: connection.number(sql)))
    except Exception as error:  # noqa: BLE001 - a build of SQLite without the table
        print(f"disk space is not known: {error}")
        return None


def main() -> None:
    """Print CPU and wall time of the findings of the last runs, and their disk space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("store", help="a new file, or the URL of an empty PostgreSQL database")
    arguments = parser.parse_args()
    is_postgres = arguments.store.startswith("postgres")
    store = Store(PostgresDatabase(arguments.store, arguments.store) if is_postgres else Path(arguments.store))
    suite = Suite(arguments.tests, arguments.seed)
    for number in range(1, arguments.runs + 1):
        run_id = add_run(store, suite, number)
        cpu, wall = time.process_time(), time.perf_counter()
        document = findings(store, run_id)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if number > arguments.runs - MEASURED:
            print(f"run {number}: {cpu:.3f} s CPU, {wall:.3f} s wall, {document['counts']}")
    used = disk_bytes(store, is_postgres=is_postgres)
    if used is not None:
        print(f"{used} bytes, {used / arguments.tests / arguments.runs:.1f} a result")
    store.close()


if __name__ == "__main__":
    main()
