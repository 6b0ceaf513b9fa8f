"""Decide what several results of one test in a run say: results of several jobs, or of several attempts of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.findings.flakiness import Verdict

_RANK: Final[Mapping[Verdict, int]] = {"failed": 0, "passed": 1, "skipped": 2}


class JobResult(NamedTuple):
    """A result of a test: its verdict, and the job and attempt that it is of, None if these are not known."""

    verdict: Verdict
    job: str | None = None
    attempt: int | None = None


def remaining(results: Sequence[JobResult]) -> list[int]:
    """Return the places of the results that count: a later attempt of the same job replaces those before it.

    Without a job nothing says that two results are attempts of the same work, so both count.
    """
    last: dict[str, int] = {}
    for result in results:
        if result.job is not None:
            last[result.job] = max(last.get(result.job, 0), result.attempt or 1)
    return [
        place for place, result in enumerate(results) if result.job is None or (result.attempt or 1) == last[result.job]
    ]


def verdict_of(results: Sequence[JobResult]) -> tuple[int, bool]:
    """Return the place of the result that decides, and whether an earlier attempt of its job failed.

    A test failed if it failed in any job; jobs that skipped it say less than one that ran it. Two jobs may differ in
    what they run on, so only attempts of one job can show that a test is flaky.
    """
    place = min(remaining(results), key=lambda place: _RANK[results[place].verdict])
    chosen = results[place]
    has_failed = any(
        other.verdict == "failed" and other.job == chosen.job and (other.attempt or 1) < (chosen.attempt or 1)
        for other in results
        if chosen.job is not None
    )
    return place, has_failed
