"""What a job costs that joins a run which many have joined before it.

    python benchmarks/joining.py --jobs 1000 --json joining.json
    python benchmarks/joining.py --database postgresql://USER@HOST/EMPTY

Each job looks for the run by its key, as the sender does, makes a thread, adds 20 tests, says how it ended and
completes the thread; through the client of the embedded store. After each step of jobs the run is read as
``run complete --expect-jobs`` reads it; bytes are those of that answer. PostgreSQL's own CPU is not in it.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from store import a_test

from pytest_automation_report.api.models import Ending, Field, NewRun, Resources, SessionSummary, encode
from pytest_automation_report.cli.queries import completed_jobs
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.shared_run import SharedRunLookup
from pytest_automation_report.server.api.embedded import StoreClient
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.run import JOB_FIELD
from pytest_automation_report.settings.servers import postgres_database
from pytest_automation_report.settings.sharing import key_tag

if TYPE_CHECKING:
    from pytest_automation_report.api.client import Client

STEPS = (10, 100, 200, 300, 400, 500, 600, 700, 800, 900)
TESTS = 20
TAG = key_tag("suite", "build-7")


@dataclass(frozen=True)
class Step:
    """What jobs ``first`` to ``last`` cost each in milliseconds, and then reading the run."""

    first: int
    last: int
    find_ms: float
    report_ms: float
    read_ms: float
    read_bytes: int


def measured(client: Client, jobs: int) -> list[Step]:
    """Let so many jobs join, one after the other, and return a line for each step."""
    found = []
    tests = json.dumps([a_test(number) for number in range(TESTS)])
    for first, last in pairwise((0, *(step for step in STEPS if step < jobs), jobs)):
        finding, reporting, run = 0.0, 0.0, 0
        for job in range(first, last):
            begun = time.perf_counter()
            run = joined(client)
            between = time.perf_counter()
            report(client, run, job, tests)
            finding, reporting = finding + between - begun, reporting + time.perf_counter() - between
        begun = time.perf_counter()
        shared = client.run(run)
        reading = time.perf_counter() - begun
        assert len(completed_jobs(shared)) == last
        size, amount = len(json.dumps(shared.document)), last - first
        found.append(Step(first, last, finding / amount * 1e3, reporting / amount * 1e3, reading * 1e3, size))
        print_step(found[-1])
    return found


def joined(client: Client) -> int:
    """Return the run of the key, as the sender finds or makes it."""
    world = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    joining = SharedRunLookup(client, NewRun("shared", "suite", tags=(TAG,)), TAG, Timeouts(), world)
    while True:
        run = joining.step()
        if run is not None:
            return run


def report(client: Client, run: int, job: int, tests: str) -> None:
    """Do what the sender does for a job of one process."""
    whose = (Field("Worker", "main"), Field(JOB_FIELD, f"20261125T160407-{job:08x}"), Field("Shard", f"{job + 1}/1000"))
    key = f"job-{job}"
    thread = client.create_thread(run, Resources(fields=whose), key=f"{key}-1")
    client.append_thread(thread, f'{{"elapsed_observed":1000,"tests":{tests}}}'.encode(), key=f"{key}-2")
    client.append_thread(thread, encode({"session": SessionSummary(ending=Ending("ended"))}), key=f"{key}-3")
    client.complete_thread(thread, elapsed_observed=1000, elapsed_computed=1000, key=f"{key}-4")


def print_step(step: Step) -> None:
    """Print one line of the table."""
    costs = f"{step.find_ms:>10.2f} {step.report_ms:>10.2f} {step.read_ms:>10.2f} {step.read_bytes:>12,}"
    print(f"{step.first:>6} {step.last:>6} {costs}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument(
        "--database", default="", help="address of an empty PostgreSQL database; a new SQLite file if empty"
    )
    parser.add_argument("--json", type=Path, help="file for all measurements")
    options = parser.parse_args()
    print(f"{'from':>6} {'to':>6} {'find ms':>10} {'report ms':>10} {'read ms':>10} {'read bytes':>12}")
    print("-" * 60)
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or f"{folder}/store.sqlite3"
        place = postgres_database(RawSetting(database, "--database")) or Path(database)
        with StoreClient(place, 1) as client:
            found = measured(client, options.jobs)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1))


if __name__ == "__main__":
    main()
