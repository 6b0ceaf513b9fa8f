"""Turn runs into the rows of lists, and suites into cards: what changed, what fails, is flaky or slow."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import MINE, commit_text
from pytest_automation_report.findings.times import HISTORY, LAST, median
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, TrendPoint, failure_trend
from pytest_automation_report.server.pages.words import (
    Part,
    attached,
    comparable_time,
    counts_of,
    own_name,
    parts_of,
    run_values,
)
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.findings import summaries, verdict_in_list
from pytest_automation_report.server.store.histories import Series, histories
from pytest_automation_report.server.store.reads import RunRecord, find_cases
from pytest_automation_report.text.limits import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.findings.documents import FindingsSummary, VerdictWords
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.words import Values
    from pytest_automation_report.server.store.database import Row

_is_count = re.compile(r"[0-9]{1,9}").fullmatch


def run_row(record: RunRecord, source: str, summary: FindingsSummary | None, bases: Mapping[int, Row]) -> Values:
    """Return the values of a run in a list; ``summary`` is of its findings, ``bases`` has rows of bases by id."""
    row, fields = record.row, {field["name"].lower(): field["value"] for field in attached(record, "fields")}
    links = attached(record, "links")
    collected, not_run = (_count(fields.get(name)) for name in ("collected", "not run"))
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    is_open, said = not row["is_completed"], verdict_in_list(row, summary)
    missing = not_run or 0
    if is_open:
        missing = max(0, (collected or 0) - row["total_count"])
    elif summary is not None:
        missing = summary["not_run"]
    parts = parts_of(counts_of(row))
    if missing:
        parts.append(Part("idle", "To come" if is_open else "Not run", missing))
    return {
        **run_values(row, source),
        "said": said,
        "word": "Running" if said["kind"] == "running" else said["short"].capitalize(),
        "tone": said["tone"],
        "is_open": is_open,
        "tags": json.loads(row["tags"]),
        "total": row["total_count"],
        "parts": parts,
        "title": own_name(row["name"], source, row["branch"] or ""),
        "commit": commit_text(row["commit"], row["changes"]),
        "subject": fields.get("commit subject", ""),
        "commit_link": next((link["url"] for link in links if link["name"].lower() == "commit"), ""),
        "link": next((link for link in links if link["name"].lower() != "commit"), None),
        "not_run": 0 if is_open else missing,
        "failed": row["failure_count"],
        "is_uncomputed": summary is None and not is_open,
        "changes": change_words(row, summary),
        "base": None if base is None else base["id"],
        "before": None if base is None else comparable_time(row, base),
        # What the counts beside it do not show.
        "state": said["short"] if said["kind"] not in {"passed", "failed", "running"} else "",
        "is_part": bool(row["selection"]),
    }


def change_words(row: Row, summary: FindingsSummary | None) -> list[tuple[int, str, str]]:
    """Return whose failures a completed run has, and what passes again: numbers, words and tones.

    Without a base these are only its failures.
    """
    if summary is None or not summary["base"]:
        words = [(row["failure_count"], "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        words = [(summary["mine"][name], word, inks.get(name, "skip")) for name, word in MINE.items()]
        words += [(summary["counts"][name], name.replace("_", " "), "pass") for name in ("fixed", "passed_again")]
    return [word for word in words if word[0]]


def _count(text: str | None) -> int | None:
    return int(text) if text and _is_count(text) else None


RAIL_TESTS: Final = 10  # most flaky and slow tests beside the runs of a suite


class BranchRuns(Struct, frozen=True, dict=True):
    """The completed runs of a suite's branch, oldest first, with the summaries of their findings by run.

    A run of a part of the suite knows of its own tests alone, so it is the last one only if each run is such a part.
    """

    all: Sequence[Row]
    summaries: Mapping[int, FindingsSummary]

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The runs of the whole suite; all runs without any."""
        return [row for row in self.all if not row["selection"]] or self.all

    @property
    def last(self) -> Row | None:
        """The last one of these."""
        return self.rows[-1] if self.rows else None

    @property
    def part(self) -> Row | None:
        """A later run of a part of the suite."""
        return self.all[-1] if self.all and self.all[-1] is not self.last else None

    @property
    def summary(self) -> FindingsSummary | None:
        """What the findings of the last one say."""
        return None if self.last is None else self.summaries.get(self.last["id"])

    @property
    def said(self) -> VerdictWords | None:
        """The verdict of the last one."""
        return None if self.last is None else verdict_in_list(self.last, self.summary)

    @cached_property
    def points(self) -> list[TrendPoint]:
        """The trend of all runs."""
        return failure_trend(self.all, self.summaries)


def branch_runs(reader: PageReader, source_id: int, branch: str) -> BranchRuns:
    """Return the last completed runs of a suite's branch."""
    rows = reader.completed_trend(source_id, branch)
    return BranchRuns(rows, summaries(reader.connection, [row["id"] for row in rows]))


class SuiteCard(NamedTuple):
    """A suite: the runs of its main branch, and its newest run if that goes on."""

    suite: Row
    branch: str
    runs: BranchRuns
    running: Row | None

    @property
    def flaky(self) -> int | None:
        """The number of flaky tests; None if not all tests ran."""
        summary = self.runs.summary
        is_whole = summary and not summary["not_run"] and not summary["verdict"]["part"]
        return summary["counts"]["flaky"] if summary and is_whole else None

    @property
    def usual(self) -> int | None:
        """The usual time of a run, in microseconds."""
        times = [row["elapsed"] for row in self.runs.rows[:-1] if row["elapsed"]]
        return int(median(times)) if times else None


def card_of(reader: PageReader, source: Row) -> SuiteCard:
    """Return the card of a suite."""
    branch = main_branch(reader.connection, source["id"])
    newest = reader.newest(source["id"], None)
    running = newest if newest is not None and not newest["is_completed"] else None
    return SuiteCard(source, branch, branch_runs(reader, source["id"], branch), running)


class SuiteTest(NamedTuple):
    """A test beside the runs of a suite: its evidence or usual duration, and its last outcomes or its share of that."""

    name: str
    case: int
    words: str
    letters: str = ""
    share: float = 0


def flaky_tests(reader: PageReader, source_id: int, branch: str, series: Series) -> list[SuiteTest]:
    """Return the flaky tests of a suite's branch, most expensive first."""
    shown = flaky_of_source(reader.connection, source_id, branch, states=("flaky",), limit=RAIL_TESTS)
    cases = find_cases(reader.connection, source_id, [entry["key"] for entry in shown])
    known = histories(reader.connection, series, cases.values(), last=STRIP_RUNS)
    return [
        SuiteTest(entry["name"], case, evidence_words(entry), known[case].letters[-STRIP_RUNS:])
        for entry in shown
        if (case := cases[entry["key"]])
    ]


def slowest_tests(reader: PageReader, series: Series) -> list[SuiteTest]:
    """Return the slowest tests of a suite by their usual duration, with their share of the slowest one."""
    # The very last run may be one of a part of the suite.
    last = [run.id for run in series.runs[-LAST:]]
    # The usual times of five times as many tests as are shown are compared.
    slow = reader.slowest(last, LAST * 5 * RAIL_TESTS)
    known = histories(reader.connection, series, slow, last=HISTORY)
    medians = {case: usual for case in slow if (usual := known[case].usual()) is not None}
    chosen = sorted(medians, key=lambda case: (-medians[case], case))[:RAIL_TESTS]
    names = names_of(reader.connection, chosen)
    return [
        SuiteTest(names[case][2], case, duration(medians[case]), share=medians[case] / medians[chosen[0]])
        for case in chosen
    ]
