"""The time of a run: shares, waste, slowest tests and files; and what an open run still has to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.json import Decoder

from pytest_automation_report.findings.times import RunTime, time_to_go
from pytest_automation_report.server.pages.drawings import clock
from pytest_automation_report.server.pages.run.head import Phrase, ToGo
from pytest_automation_report.server.store.reads import find_cases
from pytest_automation_report.server.store.values import RunningTest
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunLanes, RunOverview, SlowTest, TimeShare
    from pytest_automation_report.findings.sentences import RunNumbers
    from pytest_automation_report.server.pages.run.facts import RunFacts
    from pytest_automation_report.server.store.database import Row

SLOWEST_SHOWN: Final = 10  # tests and files in the lists of the slowest
_WORTH_WORDS_PERCENT: Final = 30
_WASTES: Final[Mapping[str, str]] = {
    "Between tests": "between tests: reports, waiting for work",
    "Before the first test": "before the first tests: start of pytest, collection",
    "Waiting for the last worker": "waiting for the last worker",
    "After the last test": "after the last test: end of the session, last results",
}


class WorkersShare(NamedTuple):
    """A share of the workers' time."""

    name: str
    time: int
    percent: int
    note: str


def shares_of(time: RunTime) -> list[WorkersShare]:
    """Return the shares of the workers' time, the tests' share first."""
    names: Sequence[tuple[TimeShare, str, str]] = (
        ("tests", "Tests ran", "of the workers' time"),
        ("between", "Between tests", "reports, waiting for work"),
        ("before", "Before the first test", "start, collection"),
        ("waiting", "Waiting for the last worker", ""),
        ("after", "After the last test", "end of the session, last results"),
    )
    whole = sum(time[key] for key, *_ in names)
    return [
        WorkersShare(name, time[key], round(100 * time[key] / whole) if whole else 0, note)
        for key, name, note in names
        # A worker that is alone waits for nobody.
        if key != "waiting" or len(time["workers"]) > 1
    ]


def jobs_sentence(overview: RunLanes, time: RunTime, threads: Sequence[Row]) -> list[Phrase]:
    """Return the sentence on how even the jobs of a run cut its tests; nothing if it has no such jobs."""
    cuts = (json.loads(row["collection"]) for row in threads if row["collection"])
    jobs = {row["id"]: row["job"] for row in threads}
    spans: dict[str, tuple[int, int]] = {}
    for worker in overview["workers"]:
        job = jobs.get(worker["thread"]) or ""
        start, end = spans.get(job, (worker["start"], 0))
        spans[job] = min(start, worker["start"]), max(end, worker["end"])
    if len(spans) <= 1 or not any(each["chosen"] < each["tests"] for each in cuts):
        return []
    times = sorted(end - start for start, end in spans.values())
    words = f"The tests took {duration(times[0])} to {duration(times[-1])} a job"
    return [(f"{words}; a balanced cut would have taken {duration(time['balanced'])}", "")]


def waste_sentence(overview: RunLanes, time: RunTime, name_of: Callable[[int], str]) -> list[Phrase]:
    """Return the sentence that names the largest waste of a run; nothing if there is none worth a sentence."""
    waste = overview["waste"]
    if waste:
        sentence: list[Phrase] = [
            (name_of(waste["worker"]), "code"),
            (" began ", ""),
            (waste["name"], "code"),
            (f" at {clock(waste['start'])} and kept the other workers waiting for {duration(waste['waited'])}", ""),
        ]
        saved = overview["wall"] - max(time["balanced"], waste["elapsed"] or 0)
        if saved >= overview["wall"] // 50 and saved > 0:
            sentence.append(
                (f"; if it begins first, the run takes up to {duration(min(saved, waste['waited']))} less", "")
            )
        return sentence
    if not time["workers"]:
        return []
    # The share of the tests is no waste.
    largest = max(shares_of(time)[1:], key=lambda share: share.percent)
    if largest.percent < _WORTH_WORDS_PERCENT:
        return []
    return [(f"{largest.percent} % of the workers' time passed {_WASTES[largest.name]}", "")]


class Slow(NamedTuple):
    """A test or file of a list of the slowest; ``percent`` is of the slowest one, ``result`` the id of a test's."""

    name: str
    elapsed: int
    percent: int
    beside: str
    result: int = 0

    @property
    def short(self) -> NameParts:
        """The parts of a test's name."""
        return split_name(self.name)


def _ranked(slowest: Iterable[Slow]) -> list[Slow]:
    rows = sorted(slowest, key=lambda row: -row.elapsed)[:SLOWEST_SHOWN]
    return [row._replace(percent=round(100 * row.elapsed / (rows[0].elapsed or 1))) for row in rows]


def slowest_tests(overview: RunOverview, beside: Callable[[SlowTest], str]) -> list[Slow]:
    """Return the slowest tests, with what stands beside each."""
    return _ranked(Slow(row["name"], row["elapsed"], 0, beside(row), row["id"]) for row in overview["slowest"])


def slowest_files(overview: RunOverview) -> list[Slow]:
    """Return the slowest files by the sum of their tests, with the number of these."""
    files = [entry for entry in overview["files"] if entry["elapsed"]]
    return _ranked(
        Slow(
            entry["file"] or entry["folder"] or "(no folder)",
            entry["elapsed"],
            0,
            f"{sum(entry['counts'].values()):,}",
        )
        for entry in files
    )


def arrived_words(counts: RunNumbers, seen: str) -> str:
    """Return what arrived since the page was loaded; ``seen`` has the numbers of failures and results that it shows."""
    failed, _, total = seen.partition(".")
    if not failed.isdecimal() or not total.isdecimal():
        return ""
    if counts.failed > int(failed):
        return f"{quantity(counts.failed - int(failed), 'more failure')} below"
    if not counts.is_open:
        return "The run has ended: show all of it"
    if counts.finished > int(total) and not int(total):
        return f"{quantity(counts.finished, 'result')} below"
    return ""


def to_go_of(facts: RunFacts, running: Sequence[Running]) -> ToGo | None:
    """Return the time to go by the tests that run now; None if it cannot be said."""
    counts, before = facts.counts, facts.histories.before
    if not facts.now or counts.collected is None or counts.is_silent or not 0 < counts.finished < counts.collected:
        return None
    # What the tests that have not ended took in the run before; else what the tests took so far.
    missing, threads = counts.collected - counts.finished, facts.record.threads
    known, usual = (0, 0.0) if before is None else facts.reader.usual_times(before.id, facts.row["id"])
    speed = 1.0
    if known * 2 >= counts.collected:
        speed = facts.findings["speed"]
        # Tests that are new were not in it: they count as one of the others.
        each = usual * speed
        by = "the times of the last runs" + (f" on {facts.histories.branch}" if facts.histories.branch else "")
    else:
        each = sum(row["elapsed_computed"] or 0 for row in threads) / counts.finished
        by = "the times of its tests so far"
    begun = [(each if test.median is None else test.median * speed, test.lasted) for test in running]
    to_come = max(0.0, each * missing - sum(time for time, _ in begun)) if missing > len(begun) else 0.0
    workers = sum(not row["is_completed"] and bool(row["total_count"] or running_tests(row)) for row in threads)
    return ToGo(time_to_go(to_come, begun, max(1, workers)), by) if each else None


_running: Final = Decoder(tuple[RunningTest, ...]).decode


def running_tests(thread: Row) -> tuple[RunningTest, ...]:
    """Return the tests that run in a thread, as its client last reported them."""
    return _running(thread["running"] or "[]")


class Running(NamedTuple):
    """A test that runs now: for how long in microseconds, and its usual time."""

    short: NameParts
    folder: str
    lasted: int
    median: int | None
    worker: str

    @property
    def clock(self) -> str:
        """For how long it runs, as a clock shows it."""
        return clock(self.lasted)

    @property
    def limit(self) -> int | None:
        """The time after which it is slow."""
        # Twice the median of a test of a few milliseconds is noise.
        return None if self.median is None else 2 * max(self.median, 250_000)


def running_now(facts: RunFacts) -> list[Running]:
    """Return the tests that run now, longest first; empty if the client does not send them."""
    found = [(row, test) for row in facts.record.threads for test in running_tests(row)]
    cases = find_cases(facts.reader.connection, facts.row["source"], [test.key for _, test in found])
    facts.histories.load(cases.values())
    running = []
    for row, test in found:
        lasted = max(0, facts.latest - (row["session_started"] or row["created"]) - test.since)
        median = facts.histories.median(cases[test.key]) if test.key in cases else None
        running.append(Running(split_name(test.name), test.folder, lasted, median, facts.worker(row["id"])))
    return sorted(running, key=lambda test: -test.lasted)
