"""How fast one writer gets tests into the store, durably, as the store grows from nothing.

    python benchmarks/store.py --results 1000000 --json store.json
    python benchmarks/store.py --suite 10000            # one suite again and again: new keys in its first run only
    python benchmarks/store.py --database postgresql://USER@HOST/EMPTY

Each append has 250 tests and an idempotency key and is answered once it is on disk, through the client with which the
sender writes the embedded store. Its body is written before the time is taken. CPU is that of this process:
PostgreSQL's own is not in it. One test in twenty failed, with about 1 KB to say. Then one run of 100 results and one
with all of them are read: that must cost the same. Compare within one run: absolute values move with the machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from pytest_automation_report.api.models import NewRun, Resources
from pytest_automation_report.server.api.embedded import StoreClient
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.servers import postgres_database

APPEND = 250
STEPS = (10_000, 20_000, 50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000)
READS = 20


@dataclass(frozen=True)
class Step:
    """What appending cost from ``first`` to ``last`` results in the store, and then reading a run."""

    first: int
    last: int
    wall_us_per_test: float
    cpu_us_per_test: float
    slowest_append_ms: float
    read_small_ms: float
    read_large_ms: float


class Writer:
    """The sender's client of a store."""

    def __init__(self, database: str) -> None:
        self._client = StoreClient(postgres_database(RawSetting(database, "--database")) or Path(database), 1)

    def append(self, thread: int, body: bytes, key: str = "") -> None:
        """Add the tests of a body to a thread."""
        self._client.append_thread(thread, body, key=key)

    def read_ms(self, run: int) -> float:
        """Return the median time of reading a run, in milliseconds."""
        taken = []
        for _ in range(READS):
            begun = time.perf_counter()
            self._client.run(run)
            taken.append((time.perf_counter() - begun) * 1e3)
        return statistics.median(taken)

    def new_run(self) -> tuple[int, int]:
        """Create a run with a thread; return both ids."""
        run = self._client.create_run(NewRun("run", "suite"))
        return run, self._client.create_thread(run, Resources())

    def new_thread(self, run: int) -> int:
        """Add a thread to a run and return its id."""
        return self._client.create_thread(run, Resources())

    def complete(self, run: int) -> None:
        """Complete a run."""
        self._client.complete_run(run, measure_elapsed=True)

    def close(self) -> None:
        """Close the store."""
        self._client.close()


def body(first: int, suite: int) -> bytes:
    """Return an append of the tests from this number on."""
    return json.dumps(
        {"tests": [a_test(number % suite if suite else number) for number in range(first, first + APPEND)]}
    ).encode()


def a_test(number: int) -> dict[str, object]:
    """Return one test as the plugin sends it."""
    folder, name = f"tests.module_{number // 100}.TestSubject", f"test_that_it_works[{number}]"
    test: dict[str, object] = {
        "key": hashlib.sha256(f"{folder}.{name}".encode()).hexdigest(),
        "name": name,
        "folder": folder,
        "status": "passed" if number % 20 else "failure",
        "elapsed": 1000 + number % 997,
        "file": f"tests/module_{number // 100}.py",
        "line": number % 300,
    }
    if not number % 20:
        text = "E       AssertionError: assert 1 == 2\n" * 26
        meta = {"message": "assert 1 == 2", "type": "AssertionError"}
        test["fields"] = [{"type": 4, "name": "Failure", "value": text, "is_highlight": True, "meta": meta}]
    return test


def measured(writer: Writer, results: int, suite: int) -> list[Step]:
    """Fill the store and return a line for each step."""
    small, thread = writer.new_run()
    writer.append(thread, json.dumps({"tests": [a_test(number) for number in range(100)]}).encode())
    large, thread = writer.new_run()
    found = []
    for first, last in pairwise((0, *(step for step in STEPS if step < results), results)):
        wall, cpu, slowest = 0.0, 0.0, 0.0
        for number in range(first, last, APPEND):
            if suite and number % suite == 0:
                large, thread = writer.new_run()
            content, key = body(number, suite), f"append-{number}"
            begun, used = time.perf_counter(), time.process_time()
            writer.append(thread, content, key)
            taken = time.perf_counter() - begun
            wall, cpu, slowest = wall + taken, cpu + time.process_time() - used, max(slowest, taken)
        tests = last - first
        reads = writer.read_ms(small), writer.read_ms(large)
        found.append(Step(first, last, wall / tests * 1e6, cpu / tests * 1e6, slowest * 1e3, *reads))
        print_step(found[-1])
    return found


def print_step(step: Step) -> None:
    """Print one line of the table."""
    print(
        f"| {step.last:,} | {1e6 / step.wall_us_per_test:,.0f} | {step.wall_us_per_test:.1f} "
        f"| {step.cpu_us_per_test:.1f} | {step.slowest_append_ms:.0f} "
        f"| {step.read_small_ms:.2f} | {step.read_large_ms:.2f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=1_000_000, help="results in the store at the end")
    parser.add_argument("--suite", type=int, default=0, help="tests of a suite that runs again and again; 0: all new")
    parser.add_argument("--database", default="", help="file or URL of an empty store; default: a new SQLite file")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    given = parser.parse_args()
    print(
        "| results | tests a second | wall us a test | CPU us a test | slowest append ms"
        " | read small run ms | read large run ms |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(given.database or f"{folder}/store.db")
        try:
            found = measured(writer, given.results, given.suite)
        finally:
            writer.close()
    if given.json:
        given.json.write_text(json.dumps([asdict(step) for step in found], indent=1))


if __name__ == "__main__":
    main()
