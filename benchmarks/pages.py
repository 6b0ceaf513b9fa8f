"""How long the pages of a run take, and how large they are, with 10,000 and with 100,000 tests in it.

    python benchmarks/pages.py --tests 10000,100000 --json pages.json

The pages are made as ``automation-report serve`` makes them, without a socket: from the request to the last byte of
HTML. One test in twenty failed. Before each run's pages one page is thrown away, so that templates are compiled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import falcon
from falcon.testing import TestClient
from store import APPEND, Writer, body

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store

ROUNDS = 5
LIMITS = {10_000: 0.3, 100_000: 1.0}


@dataclass(frozen=True)
class Shown:
    """One page: its median and its slowest time, and its size."""

    tests: int
    page: str
    milliseconds: float
    slowest_ms: float
    size_bytes: int


class Visitor:
    """A browser that came in by the link."""

    def __init__(self, database: Path) -> None:
        self.store = Store(database)
        token = Token("benchmark")
        pages = Pages(self.store, token)
        self._client = TestClient(create_application(self.store, token, extension=pages.extension))
        (cookie,) = self._client.simulate_get(pages.opening_path).cookies.values()
        self._headers = {"Cookie": f"{cookie.name}={cookie.value}"}

    def shown(self, tests: int, name: str, path: str) -> Shown:
        """Ask for a page some times."""
        address, _, query = path.partition("?")
        taken, size = [], 0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = self._client.simulate_get(address, query_string=query, headers=self._headers)
            taken.append((time.perf_counter() - begun) * 1e3)
            assert answer.status == falcon.HTTP_200, answer.text
            size = len(answer.content)
        return Shown(tests, name, statistics.median(taken), max(taken), size)


def filled(database: Path, tests: int) -> int:
    """Report a run of so many tests in one thread, and return its id."""
    writer = Writer(str(database))
    run, thread = writer.new_run()
    for first in range(0, tests, APPEND):
        writer.post(f"/automation/runs/threads/{thread}/append", body(first, tests))
    writer.post(f"/automation/runs/{run}/complete", b"{}")
    writer.close()
    return run


def measured(database: Path, tests: int) -> list[Shown]:
    """Return what the pages of a run of so many tests cost."""
    run = filled(database, tests)
    visitor = Visitor(database)
    last = tests // 200
    paths = {
        "runs": "/",
        "run": f"/runs/{run}",
        "run, last page": f"/runs/{run}?page={last}",
        "run, failures": f"/runs/{run}?status=3",
        "run, search that finds much": f"/runs/{run}?q=works",
        "run, search that finds nothing": f"/runs/{run}?q=absent",
        "run, by folder": f"/runs/{run}?group=folder",
        "run, one folder": f"/runs/{run}?folder=tests.module_0.TestSubject",
        "run, what is new": f"/runs/{run}/live",
        "test": "/results/1",
    }
    try:
        visitor.shown(tests, "", "/")
        return [visitor.shown(tests, name, path) for name, path in paths.items()]
    finally:
        visitor.store.close()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", default="10000,100000", help="sizes of the runs, separated by commas")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    given = parser.parse_args()
    found: list[Shown] = []
    for tests in map(int, given.tests.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found += measured(Path(folder) / "store.db", tests)
    print("| tests in the run | page | ms | slowest ms | limit ms | KB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for each in found:
        limit = f"{LIMITS[each.tests] * 1e3:.0f}" if each.tests in LIMITS else ""
        print(
            f"| {each.tests:,} | {each.page} | {each.milliseconds:.1f} | {each.slowest_ms:.1f} | {limit} "
            f"| {each.size_bytes / 1024:.0f} |"
        )
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=1))


if __name__ == "__main__":
    main()
