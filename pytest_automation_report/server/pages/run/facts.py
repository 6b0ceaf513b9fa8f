"""All that the views of one run are made of: its row, findings and overview, its workers, tests, histories and time."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import WORKER_FIELD
from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.findings.sentences import RunNumbers
from pytest_automation_report.findings.times import USUAL_RUNS, RunTime, factor, time_to_go
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, Strip, clock, strip_of
from pytest_automation_report.server.pages.urls import FLAKY
from pytest_automation_report.server.pages.words import STATUSES_SHOWN, fields_of, told_apart
from pytest_automation_report.server.store.histories import (
    SeriesRun,
    UsualTime,
    histories,
    last_letters,
    series_of,
    usual_times,
)
from pytest_automation_report.server.store.reads import find_cases
from pytest_automation_report.text.limits import duration, quantity, whole_number
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import (
        FileTests,
        RunFindings,
        RunLanes,
        RunOverview,
        SlowTest,
        TimeShare,
    )
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.urls import RunState
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.stored import ListedResult, StoredRun, StoredThread

THREADS_SHOWN: Final = 100  # most threads that the page of a run shows
MAIN_WORKER: Final = "main"  # name of the worker that is pytest's own process
SILENT_US: Final = 60_000_000  # time without news after which the sender of an open run is silent, in microseconds


class ListedTest(NamedTuple):
    """A test in a list of a run's page; ``id`` is of its result, ``about`` stands beside its folder."""

    id: int | str
    href: str
    short: NameParts
    folder: str
    tone: str
    status: str
    time: str
    strip: Strip | str | None
    marks: tuple[str, ...]
    slower: str
    worker: str
    about: str = ""


class ShownRun(Struct, frozen=True, dict=True):
    """One run, read in one transaction.

    ``now`` is in microseconds since 1970, and 0 for a text that is read at any time later: it has no age of anything.
    """

    reader: PageReader
    record: RunRecord
    findings: RunFindings
    overview: RunOverview
    now: int = 0

    @property
    def row(self) -> StoredRun:
        """The run's row."""
        return self.record.row

    @cached_property
    def source(self) -> str:
        """The name of the run's suite."""
        return str(self.reader.suite(self.row.source).name)

    @cached_property
    def base_row(self) -> StoredRun | None:
        """The row of the run that this one is compared with."""
        base = self.findings["base"]
        return None if base is None else self.reader.known_run(base["run"])

    @property
    def longest(self) -> int | None:
        """The number of runs for which the oldest reason has failed without a break; None if none failed before."""
        reasons = (reason for reason in self.findings["reasons"] if reason["kind"] == "still")
        since = [reason["since"]["run"] for reason in reasons if reason["since"]]
        return sum(run.id >= min(since) for run in self.histories.series.runs) or None if since else None

    @cached_property
    def histories(self) -> Histories:
        """The outcomes and usual times of the run's tests."""
        return Histories(self.reader, self.row, self.base_row)

    @cached_property
    def workers(self) -> Mapping[int, str]:
        """The names of the run's threads."""
        return worker_names(self.record)

    @cached_property
    def marks(self) -> Mapping[int, tuple[str, ...]]:
        """The marks of failed tests by their results: new, back, flaky."""
        flaky = {entry["key"] for entry in entries_of(self.findings, FLAKY)}
        tests = self.findings["tests"]
        return {
            entry["result"]: marks_of(entry["kind"], is_flaky=entry["key"] in flaky)
            for entry in (*tests["newly_failing"], *tests["still_failing"])
            if entry["result"] is not None
        }

    @cached_property
    def slower(self) -> Mapping[int, str]:
        """By how much tests got slower, by their results."""
        return {entry["result"]: factor(entry["ratio"]) for entry in self.findings["slower"] if entry["result"]}

    def worker(self, thread: int) -> str:
        """Return the name of a thread; empty for one that the page does not read."""
        return self.workers.get(thread, "")

    @cached_property
    def failures(self) -> list[ListedResult]:
        """The first failures of the run, with their reasons."""
        return self.reader.failures(self.row.id)

    def listed(
        self, rows: Iterable[ListedResult], state: RunState, about: Callable[[ListedResult], str] = lambda _: ""
    ) -> list[ListedTest]:
        """Return tests for a list of the page."""
        tests = [*rows]
        self.histories.load(row.case for row in tests)
        return [
            ListedTest(
                row.id,
                state.result(row.id),
                split_name(row.name),
                row.folder,
                tone_of(row),
                STATUSES_SHOWN[row.status].name,
                duration(row.elapsed),
                strip_of(self.histories.letters(row.case)),
                self.marks.get(row.id, ()),
                self.slower.get(row.id, ""),
                self.worker(row.thread),
                about(row),
            )
            for row in tests
        ]

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The values of the run's fields by name."""
        return fields_of(self.record)

    @property
    def latest(self) -> int:
        """The time up to which the run is known, in microseconds since 1970."""
        return self.now or int(self.row.updated or self.row.created)

    @property
    def silence(self) -> int:
        """The time since the last news of the run, in microseconds."""
        return max(0, self.now - int(self.row.updated or self.row.created))

    @cached_property
    def counts(self) -> RunNumbers:
        """The numbers that the verdict is made of."""
        row, found = self.row, self.findings
        flaky = self.overview["flaky"]["count"]
        if row.is_completed:
            return RunNumbers(**found["ran"], flaky=flaky, are_results=bool(found["counts"]["in_several_jobs"]))
        files, modules, uncollected = (found["ran"][name] for name in ("files", "modules", "uncollected"))
        finished = row.total_count - row.untested_count - modules
        # Several results of one test, as subtests have them, may be more than were collected.
        collected = None if row.collected is None else max(row.collected, finished)
        return RunNumbers(
            finished=finished,
            failed=row.failure_count - uncollected,
            passed=row.success_count,
            skipped=row.status5_count - modules + uncollected,
            flaky=flaky,
            collected=collected,
            not_run=0 if collected is None else collected - finished,
            files=files,
            is_open=True,
            is_silent=self.silence >= SILENT_US,
        )


def entries_of(findings: RunFindings, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the tests of a list of findings.

    ``new`` and ``known`` are failures of that kind, ``back`` new ones of tests that failed before the base, ``flaky``
    the tests that are known to be flaky.
    """
    failing = (*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"])
    if name == "back":
        return [entry for entry in failing if entry["same_reason"] is not None]
    if name in {"new", "known"}:
        return [entry for entry in failing if entry["kind"] == name]
    if name == FLAKY:
        return [entry for entry in findings["flaky"] if entry["state"] == "flaky"]
    if name == "slower":
        return findings["slower"]
    return findings["faster"] if name == "faster" else findings["tests"][name]


def marks_of(kind: str | None, *, is_flaky: bool) -> tuple[str, ...]:
    """Return the marks of a failure of a kind: whether it is new or known, and its test flaky."""
    return (*((kind.capitalize(),) if kind in {"new", "known"} else ()), *(("Flaky",) if is_flaky else ()))


def tone_of(row: ListedResult) -> str:
    """Return the tone of a test: its status's, or flaky if it passed after a failed attempt."""
    tone = STATUSES_SHOWN[row.status].tone
    return "flaky" if tone == "pass" and row.failed_attempts else tone


def path_of(file: str | None, folder: str) -> str:
    """Return a file's path; tests without a file stand below their folder, whose dots are no slashes."""
    return (file or folder or "(no folder)").replace("\\", "/")


def tree_path(entry: FileTests) -> str:
    """Return the path of a file of the overview."""
    return path_of(entry["file"], entry["folder"])


def worker_names(record: RunRecord) -> dict[int, str]:
    """Return the names of a run's workers by thread: of their job and of pytest-xdist, else their numbers."""
    names: dict[int, str] = {}
    for entry in record.attachments:
        is_name = entry.kind == "fields" and entry.body.name == WORKER_FIELD
        if entry.thread is not None and is_name and entry.body.value:
            names[entry.thread] = entry.body.value
    # The only thread of a run needs no name if it is pytest's own process: *main* reads like a branch.
    if record.row.thread_count == 1 and MAIN_WORKER in names.values():
        names.clear()
    if len({row.job for row in record.threads}) > 1:
        for row in record.threads:
            worker = names.get(row.id, MAIN_WORKER)
            names[row.id] = " ".join(filter(None, [row.job, worker if worker != MAIN_WORKER else ""]))
    repeated = Counter(names.values())
    for row in record.threads:
        name, number = names.get(row.id, ""), f"worker {row.position}"
        if repeated[name] > 1:  # several jobs have it
            names[row.id] = f"{name}, {number}"
        elif not name and len(record.threads) > 1:
            names[row.id] = number
    return names


class Histories:
    """Outcomes and usual times of tests up to a run: of its branch, or the base's if its branch has no earlier run."""

    def __init__(self, reader: PageReader, run: StoredRun, base: StoredRun | None) -> None:
        self._connection = reader.connection
        self._run: int = run.id
        self._letters: dict[int, str] = {}
        self._usual: dict[int, UsualTime | None] = {}
        self.series = series_of(reader.connection, run)
        # The branch of the runs of this series.
        self.branch: str = run.branch or ""
        if not self.before and base is not None and base.branch != run.branch:
            self.series = replace(series_of(reader.connection, base), moved=self.series.moved)
            self.branch = base.branch or ""

    @property
    def before(self) -> SeriesRun | None:
        """The last run of the series before the one of the page; None if there is none."""
        return next((run for run in reversed(self.series.runs) if run.id < self._run), None)

    def load(self, cases: Iterable[int], *, is_whole: bool = False) -> None:
        """Read the histories of these tests: for a strip and a usual time, or whole, as findings look at them."""
        missing = {case for case in cases if is_whole or case not in self._usual}
        last = WINDOW if is_whole else USUAL_RUNS
        found = histories(self._connection, self.series, missing, last=last) if missing else {}
        self._letters |= {case: history.letters for case, history in found.items()}
        self._usual |= usual_times(self._connection, found, self._run)

    def load_all(self) -> None:
        """Read the strips of all tests, for a page that shows each test of a run."""
        self._letters |= last_letters(self._connection, self.series, STRIP_RUNS)

    def letters(self, case: int) -> str:
        """Return the outcomes of a test, one letter for each run; empty for an unknown one."""
        return self._letters.get(case, "")

    def usual(self, case: int) -> UsualTime | None:
        """Return the usual time of a test before the run, or that since a change; None if it is not known."""
        if case not in self._usual:
            self.load([case])
        return self._usual[case]


# A part of a sentence: its text, and ``b`` if it is emphasised, ``code`` for a name, or nothing.
Phrase: TypeAlias = "tuple[str, str]"
SLOWEST_SHOWN: Final = 10  # tests and files in the lists of the slowest
_WORTH_WORDS_PERCENT: Final = 30


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
        ("before", "Before the first test", "start of pytest, collection"),
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


def jobs_sentence(overview: RunLanes, time: RunTime, threads: Sequence[StoredThread]) -> list[Phrase]:
    """Return the sentence on how even the jobs of a run cut its tests; nothing if it has no such jobs."""
    cuts = (row.collection for row in threads if row.collection)
    jobs = {row.id: row.job for row in threads}
    spans: dict[str, tuple[int, int]] = {}
    for worker in overview["workers"]:
        job = jobs.get(worker["thread"]) or ""
        start, end = spans.get(job, (worker["start"], 0))
        spans[job] = min(start, worker["start"]), max(end, worker["end"])
    if len(spans) <= 1 or not any(each.chosen < each.tests for each in cuts):
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
    note = f": {largest.note}" if largest.note else ""
    return [(f"{largest.percent} % of the workers' time passed {largest.name.lower()}{note}", "")]


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
    rows = overview["slowest"]
    names = told_apart([(row["folder"], row["name"]) for row in rows])
    slow = zip(rows, names, strict=True)
    return _ranked(Slow(name, row["elapsed"], 0, beside(row), row["id"]) for row, name in slow)


def slowest_files(overview: RunOverview) -> list[Slow]:
    """Return the slowest files by the sum of their tests, with the number of these."""
    files = overview["files"]
    slow = (Slow(tree_path(entry), entry["elapsed"], 0, f"{sum(entry['counts'].values()):,}") for entry in files)
    return [row for row in _ranked(slow) if row.elapsed]


def arrived_words(counts: RunNumbers, seen: str) -> str:
    """Return what arrived since the page was loaded; ``seen`` has the numbers of failures and results that it shows."""
    failed, total = (whole_number(part) for part in seen.partition(".")[::2])
    if failed is None or total is None:
        return ""
    if counts.failed > failed:
        return f"{quantity(counts.failed - failed, 'more failure')} below"
    if not counts.is_open:
        return "The run has ended: show all of it"
    if counts.finished > total == 0:
        return f"{quantity(counts.finished, 'result')} below"
    return ""


class ToGo(NamedTuple):
    """About how many microseconds an open run still takes, and what says so; below zero it takes longer than usual."""

    time: int
    by: str


def to_go_of(facts: ShownRun, running: Sequence[Running]) -> ToGo | None:
    """Return the time to go by the tests that run now; None if it cannot be said."""
    counts, before = facts.counts, facts.histories.before
    if not facts.now or counts.collected is None or counts.is_silent or not 0 < counts.finished < counts.collected:
        return None
    # What the tests that have not ended took in the run before; else what the tests took so far.
    missing, threads = counts.collected - counts.finished, facts.record.threads
    known, usual = (0, 0.0) if before is None else facts.reader.usual_times(before.id, facts.row.id)
    speed = 1.0
    if known * 2 >= counts.collected:
        speed = facts.findings["speed"]
        # Tests that are new were not in it: they count as one of the others.
        each = usual * speed
        by = "the times of the last runs" + (f" on {facts.histories.branch}" if facts.histories.branch else "")
    else:
        each = sum(row.elapsed_computed or 0 for row in threads) / counts.finished
        by = "the times of its tests so far"
    begun = [(each if test.median is None else test.median * speed, test.lasted) for test in running]
    to_come = max(0.0, each * missing - sum(time for time, _ in begun)) if missing > len(begun) else 0.0
    workers = sum(not row.is_completed and bool(row.total_count or row.running) for row in threads)
    return ToGo(time_to_go(to_come, begun, max(1, workers)), by) if each else None


class Running(NamedTuple):
    """A test that runs now: for how long in microseconds, and its usual time."""

    short: NameParts
    folder: str
    lasted: int
    median: int | None
    worker: str

    @property
    def limit(self) -> int | None:
        """The time after which it is slow."""
        # Twice the median of a test of a few milliseconds is noise.
        return None if self.median is None else 2 * max(self.median, 250_000)


def running_now(facts: ShownRun) -> list[Running]:
    """Return the tests that run now, longest first; empty if the client does not send them."""
    found = [(row, test) for row in facts.record.threads for test in row.running or ()]
    cases = find_cases(facts.reader.connection, facts.row.source, [test.key for _, test in found])
    facts.histories.load(cases.values())
    running = []
    for row, test in found:
        lasted = max(0, facts.latest - (row.session_started or row.created) - test.since)
        usual = facts.histories.usual(cases[test.key]) if test.key in cases else None
        median = usual and usual.elapsed
        running.append(Running(split_name(test.name), test.folder, lasted, median, facts.worker(row.id)))
    return sorted(running, key=lambda test: -test.lasted)
