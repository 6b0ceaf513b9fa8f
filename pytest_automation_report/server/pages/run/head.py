"""The head of a run's page: verdict, change, facts, actions, trend, bar, chips and tabs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import COLLECTED_FIELD, NOT_RUN_FIELD
from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.numbers import duration_change, quantity
from pytest_automation_report.server.pages.run.sentences import (
    SILENT_US,
    RunCounts,
    change_sentence,
    death_sentence,
    live_sentence,
    verdict,
    whole_sentence,
    words,
)
from pytest_automation_report.server.pages.run_summary import comparable_time, is_part_of
from pytest_automation_report.server.pages.state import FLAKY, VIEWS, RunState
from pytest_automation_report.server.pages.statuses import parts
from pytest_automation_report.server.store.inserts import says_death
from pytest_automation_report.text.terminal import is_torn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.values import StatusTable

_is_number = re.compile(r"[0-9]{1,9}").fullmatch

# Sizes of the trend, in units of its drawing.

_CHANGE_CHIPS: Final = (
    ("newly_failing", "New", "fail-ink"),
    ("fixed", "Fixed", "pass-ink"),
    ("slower", "Slower", "flaky-ink"),
)
_MOVES: Final = ("newly_failing", "fixed", "still_failing", "new_tests", "gone", "newly_skipped", "slower", "faster")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the views of one run are made of, read in one transaction.

    ``findings`` is None if there are none; ``overview`` is that of `store.overview`; ``now`` is in microseconds since
    1970.
    """

    record: RunRecord
    statuses: StatusTable
    source: str
    findings: Json | None
    overview: Json
    now: int

    @property
    def row(self) -> Json:
        """The run's row."""
        return self.record.row

    @property
    def own_name(self) -> str:
        """The run's name if it is not the usual one, which begins with the suite's."""
        return "" if self.row["name"].startswith(self.source) else str(self.row["name"])

    @property
    def base(self) -> Json | None:
        """The run that this one is compared with, as findings name it."""
        base: Json | None = None if self.findings is None else self.findings["base"]
        return base

    def field(self, name: str) -> str:
        """Return the value of a run's field, empty without it."""
        return next((str(field["value"]) for field in attached(self.record, "fields") if field["name"] == name), "")

    def number(self, name: str) -> int | None:
        """Return the sum of a field of the run and of its threads, as jobs that share a run send it; None without it.

        Threads that the page does not show are not read, so the number may be too small.
        """
        bodies = (json.loads(entry["body"]) for entry in self.record.attachments if entry["kind"] == "fields")
        numbers = [
            int(field["value"]) for field in bodies if field["name"] == name and _is_number(field.get("value") or "")
        ]
        return sum(numbers) if numbers else None


def counts_of(facts: RunFacts) -> RunCounts:
    """Return the numbers that the verdict is made of."""
    row = facts.row
    tones = {"fail": 0, "pass": 0, "skip": 0}
    for part in parts(row, facts.statuses):
        if part["tone"] in tones:
            tones[part["tone"]] += part["count"]
    fields = (json.loads(entry["body"]) for entry in facts.record.attachments if entry["kind"] == "fields")
    expected = facts.number(COLLECTED_FIELD)
    not_run = facts.number(NOT_RUN_FIELD)
    is_open = not row["is_completed"]
    return RunCounts(
        total=row["total_count"],
        failed=row["failure_count"],
        passed=row["success_count"],
        flaky=facts.overview["flaky"]["count"],
        skipped=tones["skip"],
        not_run=not_run or 0,
        # Several results of one test, as subtests have them, may be more than were collected.
        expected=None if expected is None else max(expected, row["total_count"]),
        reasons=0 if facts.findings is None else len(facts.findings["reasons"]),
        is_open=is_open,
        is_silent=is_open and silence_of(facts) >= SILENT_US,
        has_died=not is_open and any(map(says_death, fields)),
    )


def silence_of(facts: RunFacts) -> int:
    """Return the time since the last news of a run, in microseconds."""
    return max(0, facts.now - int(facts.row["updated"] or facts.row["created"]))


def head_of(facts: RunFacts, counts: RunCounts, base_row: Json | None, longest: int | None, to_go: int | None) -> Json:
    """Return heading, sentence and title of the page."""
    heading, tone = verdict(counts)
    whole = None if facts.findings is None else facts.findings["whole"]
    if is_torn(whole) and tone == "pass":
        heading, tone = f"{quantity(counts.passed, 'test')} passed, the run is not whole", "skip"
    branch = facts.row["branch"] or ""
    sentence = whole_sentence(whole)
    if counts.is_open:
        sentence = live_sentence(counts, to_go, branch, silence_of(facts) if counts.is_silent else None)
    else:
        sentence += death_sentence(facts.findings) if counts.has_died else []
        # Without the tests that are missing nobody can say that nothing changed.
        if counts.failed or not is_torn(whole):
            sentence += change_sentence(counts, facts.findings, (base_row or {}).get("branch") or "", branch, longest)
    sign = {"fail": f"✗ {counts.failed:,} failed", "pass": "✓ passed", "live": f"● {counts.total:,}"}.get(tone, "–")  # noqa: RUF001 - typography
    if counts.is_open:
        sign = f"● {counts.total:,}{f'/{counts.expected:,}' if counts.expected is not None else ''}"
        sign += f" ✗ {counts.failed:,}" if counts.failed else ""
    elif counts.has_died:
        sign = "✗ died"
    return {
        "heading": heading,
        "tone": tone,
        "sentence": sentence,
        "says": f"{heading}. {words(sentence)}",
        "title": f"{sign} · {facts.own_name or facts.source} #{facts.row['id']}",
        "has_died": counts.has_died,
    }


def facts_of(facts: RunFacts, base_row: Json | None) -> Json:
    """Return the line of facts below the verdict: the value ``facts`` of the templates, which do not get `RunFacts`."""
    row = facts.row
    links = attached(facts.record, "links")
    by_name = {link["name"]: link["url"] for link in links}
    return {
        "branch": row["branch"],
        "commit": row["commit"],
        "commit_url": by_name.get("Commit", ""),
        "subject": facts.field("Commit subject"),
        "created": row["created"],
        "elapsed": facts.now - row["created"] if not row["is_completed"] else row["elapsed"],
        "is_open": not row["is_completed"],
        "change": None if base_row is None else duration_change(row["elapsed"], comparable_time(row, base_row)),
        "selection": row["selection"] if base_row is not None and is_part_of(row, base_row) else "",
        "threads": row["thread_count"],
        "links": [link for link in links if link["name"] != "Commit"][:4],
        "tags": json.loads(row["tags"])[:8],
    }


def bar_of(facts: RunFacts, counts: RunCounts) -> list[Json]:
    """Return the stretches of the bar: one for each status, flaky ones apart, and the tests to come of an open run."""
    stretches: list[Json] = []
    flaky = counts.flaky
    for part in parts(facts.row, facts.statuses):
        count = part["count"]
        if counts.flaky and part["tone"] in {"skip", "idle", "pass"} and not any(s["key"] == FLAKY for s in stretches):
            stretches.append({"tone": "flaky", "name": "Flaky", "count": counts.flaky, "key": FLAKY})
        if part["tone"] == "pass":
            count, flaky = max(0, count - flaky), max(0, flaky - count)
        if count:
            status = part["status"]
            stretches.append({"tone": part["tone"], "name": status.name, "count": count, "key": str(status.id)})
    missing = counts.not_run if not counts.is_open else max(0, (counts.expected or 0) - counts.total)
    if missing:
        name = "To come" if counts.is_open else "Not run"
        stretches.append({"tone": "idle", "name": name, "count": missing, "key": ""})
    return stretches


def chips_of(state: RunState, stretches: Sequence[Json], findings: Json | None) -> Json:
    """Return the chips of statuses and of changes; each is a link to the list of its tests."""
    chips: list[Json] = []
    keys = {"fail": "f", "flaky": "x"}
    for stretch in stretches:
        if stretch["key"]:
            is_on = stretch["key"] in state.statuses
            # A key belongs to the first chip of its tone: a project may have several failed statuses.
            chip_key = keys.pop(stretch["tone"], "")
            address = state.toggled(stretch["key"]).address
            chips.append({**stretch, "address": address, "is_on": is_on, "chip_key": chip_key})
    changed = {} if findings is None else findings["counts"]
    changes = [
        {
            "name": name,
            "ink": ink,
            "count": changed[change],
            "address": state.with_change(change).address,
            "is_on": change in state.changes,
            "chip_key": "n" if change == "newly_failing" else "",
        }
        for change, name, ink in _CHANGE_CHIPS
        if changed.get(change) and (findings or {}).get("base") is not None
    ]
    to_come = next((stretch for stretch in stretches if not stretch["key"]), None)
    return {"statuses": chips, "changes": changes, "to_come": to_come}


def tabs_of(state: RunState, view: str, facts: RunFacts) -> list[Json]:
    """Return the tabs of the views with their numbers."""
    findings = facts.findings
    reasons = 0 if findings is None else len(findings["reasons"])
    # Old results have no reason, and are failures nonetheless.
    failures = reasons or facts.row["failure_count"]
    moved = sum(findings["counts"][name] for name in _MOVES if name != "still_failing") if findings else 0
    numbers = {"failures": failures, "tests": facts.row["total_count"], "changes": moved}
    return [
        {
            "view": name,
            "name": name.capitalize(),
            "count": numbers.get(name) or None,
            "is_bad": name == "failures",
            "address": state.at(name).address,
            "is_on": name == view,
        }
        for name in VIEWS
    ]
