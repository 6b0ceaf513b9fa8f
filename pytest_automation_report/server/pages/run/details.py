"""The details of a run: where it ran, what was delivered, its workers; what differs from the base."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import WORKER_FIELD
from pytest_automation_report.api.sessions import COLLECTED_FIELD, DESELECTED_FIELD
from pytest_automation_report.server.pages import words
from pytest_automation_report.text.limits import SHORT_COMMIT, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.server.pages.run.facts import ShownRun
    from pytest_automation_report.server.store.stored import StoredEntry, StoredThread

_ATTACHMENTS_SHOWN: Final = 200
_SHOWN_APART: Final = frozenset({"Branch", "Commit", "Commit subject", "Commits", "Packages"})
# Of a run that is created before the server has answered: then its session has told them in another way, too.
_TOLD_TWICE: Final = frozenset({COLLECTED_FIELD, DESELECTED_FIELD})
_RAIL_FIELDS: Final = ("Python", "pytest", "Platform", "Machine", "CI")


def where_it_ran(facts: ShownRun) -> list[tuple[str, str]]:
    """Return the few facts of the rail."""
    shown = [(name, value) for name in _RAIL_FIELDS if (value := facts.fields.get(name))]
    return [*shown, *([(COLLECTED_FIELD, arrived)] if (arrived := _arrived(facts)) else [])]


class ShownThread(Struct, frozen=True):
    """A worker of a run: its status in a word, its results, and what its client attached."""

    name: str
    word: str
    tone: str
    parts: Sequence[words.Part]
    total: int
    elapsed: int | None
    fields: Sequence[StoredEntry]
    artifacts: Sequence[StoredEntry]


class DetailsView(Struct, frozen=True):
    """Where a run ran, and what was delivered of it; ``software`` has another version than in the base."""

    name: ClassVar = "details"
    template: ClassVar = "run/details.html"
    fields: Sequence[StoredEntry]
    packages: Sequence[str]
    artifacts: Sequence[StoredEntry]
    links: Sequence[StoredEntry]
    threads: Sequence[ShownThread]
    hidden_threads: int
    collected: str
    software: Sequence[tuple[str, str, str]]


def details_view(facts: ShownRun, software: Sequence[tuple[str, str, str]]) -> DetailsView:
    """Return the view of the details."""
    record = facts.record
    session = record.row.session
    hidden = _SHOWN_APART if session.collected is None else _SHOWN_APART | _TOLD_TWICE
    fields = [field for field in words.attached(record, "fields") if field.name not in hidden]
    threads = [_thread(facts, row) for row in record.threads]
    return DetailsView(
        [*fields, *words.told_by(replace(session, not_run=0))][:_ATTACHMENTS_SHOWN],
        facts.fields.get("Packages", "").splitlines(),
        words.attached(record, "artifacts")[:_ATTACHMENTS_SHOWN],
        words.attached(record, "links"),
        threads,
        max(0, record.row.thread_count - len(threads)),
        _arrived(facts),
        software,
    )


def _arrived(facts: ShownRun) -> str:
    """Return the number of collected tests, and how many are to come or did not run; empty if it is not known."""
    counts, record = facts.counts, facts.record
    collected: int | None = record.row.collected
    if collected is None:
        return ""
    if collected < counts.finished:
        # Of modules that cannot be collected, or several of one test: nothing says how many tests these results are of.
        return f"{collected:,}, {quantity(counts.finished, 'result')}"
    missing = collected - counts.finished if counts.is_open else counts.not_run - counts.lost
    if not missing:
        return f"{collected:,}, all reported"
    return f"{collected:,}, {missing:,} {'to come' if counts.is_open else 'did not run'}"


def _thread(facts: ShownRun, row: StoredThread) -> ShownThread:
    word, tone = words.RUN_WORDS.get(row.status, ("Unknown", "idle"))
    observed = row.elapsed_observed
    name = facts.worker(row.id) or f"worker {row.position}"
    # The name may be the worker's own, or its job's.
    told = [*words.attached(facts.record, "fields", row.id), *words.told_by(row.session)]
    fields = [field for field in told if field.value != name]
    return ShownThread(
        name,
        word,
        tone,
        words.parts_of(words.counts_of(row)),
        row.total_count,
        row.elapsed_computed if observed is None else observed,
        [field for field in fields if field.name != WORKER_FIELD],
        words.attached(facts.record, "artifacts", row.id),
    )


def commits_since(text: str, base_commit: str | None) -> list[tuple[str, str]]:
    """Return hash and subject of a run's commits since its base, newest first; none if ``text`` does not name that."""
    commits: list[tuple[str, str]] = []
    for line in text.splitlines():
        commit, _, subject = line.strip().partition(" ")
        if commit and base_commit and (base_commit.startswith(commit) or commit.startswith(base_commit)):
            return commits
        if commit:
            commits.append((commit[:SHORT_COMMIT], subject))
    return []
