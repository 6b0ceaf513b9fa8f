"""Find the reasons of a run's failures: groups of failures with one fingerprint."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.fingerprints import masked
from pytest_automation_report.server.store.compared import MAX_TESTS, mention
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.compared import ComparedRun

__all__ = ["hexadecimal", "reasons_of"]

_MAX_REASONS: Final = 100


def hexadecimal(fingerprint: int) -> str:
    """Return a stored fingerprint as its 16 digits."""
    return fingerprint.to_bytes(8, "big", signed=True).hex()


def reasons_of(database: Database, subject: ComparedRun) -> list[Json]:
    """Return the reasons of a run's failures, those of most tests first."""
    groups: dict[int, list[int]] = {}
    for case_id, case in subject.results.cases.items():
        if case.verdict == "failed" and case.fingerprint is not None:
            groups.setdefault(case.fingerprint, []).append(case_id)
    order = sorted(groups, key=lambda fingerprint: (-len(groups[fingerprint]), fingerprint))[:_MAX_REASONS]
    before = {} if subject.base_results is None else subject.base_results.cases
    known = {case.fingerprint for case in before.values() if case.verdict == "failed"}
    reasons = []
    for fingerprint in order:
        rows = _failures(database, subject, groups[fingerprint][:MAX_TESTS])
        titles = Counter(row["message"] or "" for row in rows)
        title, _ = titles.most_common(1)[0]
        reasons.append(
            {
                "fingerprint": hexadecimal(fingerprint),
                "title": title,
                "masked": masked(title),
                "phase": rows[0]["phase"],
                "place": rows[0]["file"],
                "count": len(groups[fingerprint]),
                "messages": len(titles),
                "is_new": subject.base is not None and fingerprint not in known,
                "since": _first_run_with(database, subject.run, fingerprint),
                "keys": [row["key"] for row in rows],
            }
        )
    return reasons


def _failures(database: Database, subject: ComparedRun, cases: Sequence[int]) -> list[Json]:
    ids = [subject.results.cases[case_id].result_id for case_id in cases]
    rows: Any = (
        ResultRow.select(CaseRow.key, ResultRow.message, ResultRow.phase, ResultRow.file)
        .join(CaseRow)
        .where(ResultRow.id.in_(ids))
        .order_by(ResultRow.id)
        .dicts()
        .execute(database)
    )
    return list(rows)


def _first_run_with(database: Database, run: Json, fingerprint: int) -> Json | None:
    """Return the first run of the source with a failure of this reason."""
    rows: Any = (
        RunRow.select(RunRow.id, RunRow.commit, RunRow.created)
        .join(ResultRow, on=(ResultRow.run == RunRow.id))
        .where((ResultRow.fingerprint == fingerprint) & (RunRow.source == run["source"]) & (RunRow.id <= run["id"]))
        .order_by(RunRow.id)
        .limit(1)
        .dicts()
        .execute(database)
    )
    first = next(iter(rows), None)
    return None if first is None else mention(first)
