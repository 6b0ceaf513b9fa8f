"""A run as all pages show it, and as a row of their lists of runs."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct

from pytest_automation_report.findings.sentences import MINE
from pytest_automation_report.server.pages import words
from pytest_automation_report.server.store import reads
from pytest_automation_report.server.store.findings import summaries, verdict_in_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.findings.documents import FindingsSummary, VerdictWords
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.stored import StoredEntry, StoredRun


class ListedRun(Struct, frozen=True):
    """A run in a list.

    ``moved`` are whose failures it has and what passes again: numbers, words and tones. ``base`` is the run that it is
    compared with, ``before`` the duration of that in microseconds, if both ran the same tests.
    """

    run: StoredRun
    source: str  # the name of its suite
    own_name: str
    said: VerdictWords
    parts: Sequence[words.Part]
    moved: Sequence[tuple[int, str, str]]
    not_run: int
    elapsed: int | None
    base: int | None
    before: int | None
    subject: str  # of its commit
    commit_link: str
    link: StoredEntry | None  # the first of its other links
    tags: Sequence[str]
    is_uncomputed: bool

    @classmethod
    def of(cls, record: RunRecord, source: str, summary: FindingsSummary | None, base: StoredRun | None) -> ListedRun:
        """Return a run as a row of a list; ``summary`` is of its findings, ``base`` the row of their base."""
        row = record.row
        commit_link, links = words.links_of(record)
        is_open = not row.is_completed
        not_run = 0 if is_open or summary is None else summary["not_run"]
        # Some tests that did not run have a result that says so, and a part of its status.
        missing = (row.collected or 0) - row.total_count if is_open else not_run - row.untested_count
        return cls(
            run=row,
            source=source,
            own_name=own_name(row, source),
            said=verdict_in_list(row, summary),
            parts=words.parts_of(words.counts_of(row), missing=missing, is_open=is_open),
            moved=_moved(row, summary),
            not_run=not_run,
            elapsed=row.elapsed,
            base=None if base is None else base.id,
            before=comparable_time(row, base),
            subject=words.fields_of(record).get("Commit subject", ""),
            commit_link=commit_link,
            link=links[0] if links else None,
            tags=row.tags,
            is_uncomputed=summary is None and not is_open,
        )


def listed_runs(reader: PageReader, ids: Sequence[int]) -> list[ListedRun]:
    """Return the rows of these runs, in this order."""
    records = reader.runs(ids)
    names = reader.source_names({record.row.source for record in records.values()})
    known = summaries(reader.connection, ids)
    base_ids = {run_id: summary["base"] for run_id, summary in known.items() if summary["base"]}
    bases = {row.id: row for row in reads.run_rows(reader.connection, [*{*base_ids.values()}])}
    return [
        ListedRun.of(record, names[record.row.source], known.get(run_id), bases.get(base_ids.get(run_id, 0)))
        for run_id in ids
        if (record := records.get(run_id))
    ]


def _moved(row: StoredRun, summary: FindingsSummary | None) -> list[tuple[int, str, str]]:
    if summary is None or not summary["base"]:
        said = [(row.failure_count, "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        said = [(summary["mine"][name], word, inks.get(name, "skip")) for name, word in MINE.items()]
        said += [(summary["counts"][name], name.replace("_", " "), "pass") for name in ("fixed", "passed_again")]
    return [each for each in said if each[0]]


def comparable_time(run: StoredRun, base: StoredRun | None) -> int | None:
    """Return the duration of a run's base, None if one of the two ran other tests or stopped before the last one."""
    if base is None or (run.selection or "") != (base.selection or ""):
        return None
    is_cut = any(row.total_count - row.untested_count < (row.collected or 0) for row in (run, base))
    return None if is_cut else base.elapsed


_is_derived = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|(#\d+ ?)*").fullmatch


def own_name(run: StoredRun, source: str) -> str:
    """Return a run's name; "" if clients derived it: its source, then branch and number of the build, or the time."""
    rest = run.name.removeprefix(source).replace(f" {run.branch or ''}", "", 1).strip()
    return "" if run.name.startswith(source) and _is_derived(rest) else run.name


def by_day(rows: Iterable[ListedRun], now: int) -> list[tuple[str, list[ListedRun]]]:
    """Return each day of this machine's time on which runs began, with these, in their order."""
    today = words.time_at(now).astimezone().date()

    def day(row: ListedRun) -> str:
        date = words.time_at(row.run.created).astimezone().date()
        return {0: "Today", 1: "Yesterday"}.get((today - date).days, f"{date:%A, %d %b %Y}".replace(" 0", " "))

    return [(title, list(group)) for title, group in groupby(rows, key=day)]
