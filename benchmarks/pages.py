"""How long the pages of a run take, and how large they are: 10,000 and 100,000 tests, 1,000 threads.

    python benchmarks/pages.py --tests 10000,100000 --json pages.json

The pages are made as ``automation-report serve`` makes them, without a socket: from the request to the last byte of
HTML. Two runs of the suite are reported, so that the second one has a base. One test in twenty failed, all for one
reason. The first page of a completed run computes its findings and its overview, once: that is the line "run, first";
all others read them. The time is that of the processor, the least of some rounds. ``benchmarks/reports.py`` has the
report in one file beside those of others.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import falcon
from falcon.testing import TestClient
from store import APPEND, Writer, body

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store

ROUNDS = 5
LIMITS_MS = {10_000: 60, 100_000: 250}
"""Budget of the server for any view of a run with this number of tests."""

NO_NEWS_MS = 1
WIRE_BYTES = 60_000
ELEMENTS = 2_500


@dataclass(frozen=True)
class Shown:
    """One page: milliseconds of the processor, size compressed, number of elements."""

    tests: int
    page: str
    milliseconds: float
    wire_bytes: int
    elements: int


class Visitor:
    """A browser that came in by the link."""

    def __init__(self, database: Path) -> None:
        self.store = Store(database)
        token = Token("benchmark")
        pages = Pages(self.store, token)
        self._client = TestClient(create_application(self.store, token, ServerOptions(extension=pages.extension)))
        (cookie,) = self._client.simulate_get(pages.opening_path).cookies.values()
        self._headers = {"Cookie": f"{cookie.name}={cookie.value}"}

    def shown(self, tests: int, name: str, path: str, rounds: int = ROUNDS, **headers: str) -> Shown:
        """Ask for a page some times."""
        address, _, query = path.partition("?")
        taken: list[float] = []
        content = b""
        for _ in range(rounds):
            begun = time.process_time()
            sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
            answer = self._client.simulate_get(address, query_string=query, headers=sent)
            taken.append((time.process_time() - begun) * 1e3)
            assert answer.status in (falcon.HTTP_200, falcon.HTTP_304), answer.text
            content = answer.content
        elements = len(re.findall(rb"<[a-z]", content))
        return Shown(tests, name, min(taken), len(gzip.compress(content, 6)), elements)

    def tag(self, path: str) -> str:
        """Return the ETag of a page."""
        return str(self._client.simulate_get(path, headers=self._headers).headers["ETag"])


def filled(writer: Writer, tests: int, threads: int = 1, *, is_open: bool = False) -> int:
    """Report a run of N tests, spread over threads, and return its id."""
    run, first_thread = writer.new_run()
    others = [writer.new_thread(run) for _ in range(threads - 1)]
    ids = [first_thread, *others]
    for number, first in enumerate(range(0, tests, APPEND)):
        writer.append(ids[number % threads], body(first, tests))
    if not is_open:
        writer.complete(run)
    return run


def views(run: int, last: int) -> dict[str, str]:
    """Return the views of a run by name."""
    path = f"/runs/{run}"
    return {
        "failures by reason": path,
        "failures by file": f"{path}?group=file",
        "failures, one list": f"{path}?group=none",
        "failures as text": f"{path}/failures.txt",
        "tests, tree": f"{path}?view=tests",
        "tests, a file": f"{path}?view=tests&open=tests/module_0.py",
        "tests, a node": f"{path}/branch?open=tests/module_0.py",
        "tests, flat": f"{path}?view=tests&group=none",
        "tests, last page": f"{path}?view=tests&group=none&page={last}",
        "tests, slowest": f"{path}?view=tests&group=none&sort=slowest",
        "search that finds much": f"{path}?q=works",
        "search of a message": f"{path}?q=assert",
        "search that finds nothing": f"{path}?q=absent",
        "changes": f"{path}?view=changes",
        "time": f"{path}?view=time",
        "details": f"{path}?view=details",
    }


LISTS = {
    "suites or suite": "/",
    "runs": "/projects/1",
    "runs, filtered": "/projects/1?source=1&status=passed",
    "suite": "/sources/1?branch=-",
    "search that finds runs and tests": "/search?q=works",
    "search everywhere that finds nothing": "/search?q=absent",
}


def measured(database: Path, tests: int) -> list[Shown]:
    """Return the cost of the pages of a run of N tests, and of an open one."""
    writer = Writer(str(database))
    filled(writer, tests)
    run = filled(writer, tests)
    going_on = filled(writer, min(tests, 10_000), is_open=True)
    writer.close()
    visitor = Visitor(database)
    try:
        visitor.shown(tests, "", "/", 1)
        pages = [visitor.shown(tests, "run, first", f"/runs/{run}", 1)]
        pages += [visitor.shown(tests, name, path) for name, path in views(run, tests // 150).items()]
        live = f"/runs/{going_on}/live"
        pages.append(visitor.shown(tests, "open run", f"/runs/{going_on}"))
        pages.append(visitor.shown(tests, "poll with news", live))
        pages.append(visitor.shown(tests, "poll without news", live, 50, If_None_Match=visitor.tag(live)))
        pages += [visitor.shown(tests, name, path) for name, path in LISTS.items()]
        of_list = "/projects/1/live"
        pages.append(visitor.shown(tests, "list, poll without news", of_list, 50, If_None_Match=visitor.tag(of_list)))
        # Its budgets are other ones: 1 s to write it for 10,000 tests, and a size of 300 KB.
        pages.append(visitor.shown(tests, "report in one file", f"/runs/{run}/report.html", 1))
        return pages
    finally:
        visitor.store.close()


def crowded(database: Path, threads: int) -> list[Shown]:
    """Return the cost of the pages of a run with N threads, in which one test in twenty failed."""
    writer = Writer(str(database))
    run = filled(writer, threads * APPEND // 25, threads)
    writer.close()
    visitor = Visitor(database)
    try:
        visitor.shown(0, "", f"/runs/{run}", 1)
        names = ("failures by reason", "tests, tree", "time", "details")
        return [visitor.shown(threads, f"{threads:,} threads: {name}", views(run, 1)[name]) for name in names]
    finally:
        visitor.store.close()


def main() -> None:
    """Measure and print the table; what is over its budget is marked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", default="10000,100000", help="sizes of the runs, separated by commas")
    parser.add_argument("--threads", type=int, default=1_000, help="threads of a run of many jobs")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    options = parser.parse_args()
    pages: list[Shown] = []
    for tests in map(int, options.tests.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            pages += measured(Path(folder) / "store.db", tests)
    with tempfile.TemporaryDirectory() as folder:
        pages += crowded(Path(folder) / "store.db", options.threads)
    print("| tests | page | CPU ms | limit ms | gzip KB | elements |")
    print("| --- | --- | --- | --- | --- | --- |")
    for page in pages:
        limit = NO_NEWS_MS if page.page.endswith("poll without news") else LIMITS_MS.get(page.tests, 60)
        is_over = page.milliseconds > limit or page.wire_bytes > WIRE_BYTES or page.elements > ELEMENTS
        mark = " !" if is_over and page.page != "run, first" else ""
        print(
            f"| {page.tests:,} | {page.page}{mark} | {page.milliseconds:.1f} | {limit} "
            f"| {page.wire_bytes / 1000:.1f} | {page.elements:,} |"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(page) for page in pages], indent=1))


if __name__ == "__main__":
    main()
