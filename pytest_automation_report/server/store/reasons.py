"""Find the reasons of a run's failures: groups of failures with one fingerprint."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.store.compared import MAX_TESTS
from pytest_automation_report.server.store.run_rows import mention, rows_of, run_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.compared import ComparedRun
    from pytest_automation_report.server.store.database import StoreConnection

_MAX_REASONS: Final = 100
_FAILURES: Final = (
    'SELECT r."fingerprint", c."key", r."message", r."phase", r."file" FROM "result" AS r'
    ' JOIN "case" AS c ON c."id" = r."case_id" WHERE r."id" IN ({ids}) ORDER BY r."id"'
)
_KNOWN: Final = 'SELECT DISTINCT "fingerprint" FROM "result" WHERE "fingerprint" IN ({ids}) AND "run_id" = ?'
# The index has the runs of a fingerprint in their order: the first that fits ends the search.
_FIRST_RUNS: Final = (
    'WITH f ("fingerprint") AS (VALUES {values})'
    ' SELECT f."fingerprint", (SELECT r."run_id" FROM "result" AS r JOIN "run" ON "run"."id" = r."run_id"'
    ' WHERE r."fingerprint" = f."fingerprint" AND "run"."source_id" = ? ORDER BY r."run_id" LIMIT 1) FROM f'
)


def hexadecimal(fingerprint: int) -> str:
    """Return a stored fingerprint as its 16 digits."""
    return fingerprint.to_bytes(8, "big", signed=True).hex()


def reasons_of(connection: StoreConnection, subject: ComparedRun) -> list[Json]:
    """Return the reasons of a run's failures, those of most tests first."""
    groups: dict[int, list[int]] = {}
    for case in subject.results.values():
        if case.verdict == "failed" and case.fingerprint is not None:
            groups.setdefault(case.fingerprint, []).append(case.result_id)
    order = sorted(groups, key=lambda fingerprint: (-len(groups[fingerprint]), fingerprint))[:_MAX_REASONS]
    base_id = None if subject.base is None else subject.base.run.id
    known = set() if base_id is None else {row[0] for row in rows_of(connection, _KNOWN, order, (base_id,))}
    failures = _failures(connection, [result_id for group in order for result_id in groups[group][:MAX_TESTS]])
    first_runs = _first_runs(connection, subject.run, order)
    return [
        {
            **_described(failures[fingerprint]),
            "fingerprint": hexadecimal(fingerprint),
            "count": len(groups[fingerprint]),
            "is_new": base_id is not None and fingerprint not in known,
            "since": first_runs.get(fingerprint),
        }
        for fingerprint in order
    ]


def _failures(connection: StoreConnection, result_ids: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    """Return key, message, phase and file of these results, in their order, by fingerprint."""
    failures: dict[int, list[tuple[Any, ...]]] = {}
    for fingerprint, *columns in rows_of(connection, _FAILURES, sorted(result_ids)):
        failures.setdefault(fingerprint, []).append(tuple(columns))
    return failures


def _described(failures: Sequence[tuple[Any, ...]]) -> Json:
    # Its expressions take 10 ms to compile: a run without failures does not pay for them.
    from pytest_automation_report.findings.fingerprints import masked  # noqa: PLC0415

    titles = Counter(message or "" for _, message, _, _ in failures)
    title, _ = titles.most_common(1)[0]
    _, _, phase, place = failures[0]
    return {
        "title": title,
        "masked": masked(title),
        "phase": phase,
        "place": place,
        "messages": len(titles),
        "keys": [key for key, _, _, _ in failures],
    }


def _first_runs(connection: StoreConnection, run: Json, fingerprints: Sequence[int]) -> dict[int, Json]:
    """Return the first run of the source with a failure of each reason."""
    if not fingerprints:
        return {}
    sql = _FIRST_RUNS.replace("{values}", ", ".join(["(?)"] * len(fingerprints)))
    rows = connection.execute(sql, (*fingerprints, run["source"]))
    # None if the run has just been removed.
    first = {fingerprint: run_id for fingerprint, run_id in rows if run_id is not None}
    mentions = {row["id"]: mention(row) for row in run_rows(connection, sorted(set(first.values())))}
    return {fingerprint: mentions[run_id] for fingerprint, run_id in first.items()}
