"""Prove that the jobs of a run ran each collected test once, by what each session says that it collected.

Jobs that collect the same tests and run a part of them, as shards do, have each test once together; a job that runs all
that it collected, as one of a matrix, has each of its own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHARD: Final = re.compile(r"(.*?)([0-9]+)/([0-9]+)(.*)")


class Share(NamedTuple):
    """What one session of a job was to run: ``chosen`` of ``tests`` collected ones; ``cases`` are those that it ran.

    ``digest`` is the same in all sessions that collected the same tests.
    """

    job: str
    attempt: int
    digest: str
    tests: int
    chosen: int
    cases: frozenset[int]

    @property
    def is_part(self) -> bool:
        """Whether the session was to run a part of what it collected."""
        return self.chosen < self.tests


class Wholeness(Struct, frozen=True):
    """How many tests were collected, and how many of them no job ran, or more than one; ``jobs`` are those to blame."""

    tests: int
    missing: int
    twice: int
    jobs: tuple[str, ...]


def wholeness_of(shares: Sequence[Share]) -> Wholeness | None:
    """Return whether each collected test ran once; None if the sessions do not say enough to know."""
    parts: dict[str, list[Share]] = defaultdict(list)
    for share in shares:
        if share.is_part:
            parts[share.digest].append(share)
    # Ids that differ in each job, as with the address of an object in them: nothing belongs together.
    is_scattered = len(parts) > 1 and any(len({share.job for share in group}) == 1 for group in parts.values())
    if is_scattered or not shares:
        return None
    found = [*map(_of_parts, parts.values()), *_of_whole_jobs(share for share in shares if not share.is_part)]
    jobs = dict.fromkeys(job for each in found for job in each.jobs)
    return Wholeness(
        sum(each.tests for each in found),
        sum(each.missing for each in found),
        sum(each.twice for each in found),
        tuple(jobs),
    )


def _of_whole_jobs(shares: Iterable[Share]) -> Iterable[Wholeness]:
    """Yield what each job lacks of its own tests, in all of its attempts."""
    jobs: dict[tuple[str, str], list[Share]] = defaultdict(list)
    for share in shares:
        jobs[share.job, share.digest].append(share)
    for (job, _), group in jobs.items():
        missing = max(0, group[0].tests - len(frozenset().union(*(share.cases for share in group))))
        yield Wholeness(group[0].tests, missing, 0, (job,) if missing else ())


def _of_parts(shares: Sequence[Share]) -> Wholeness:
    """Return what parts of the same tests lack together, and what two of them have: two jobs, or one at once."""
    ran: dict[int, set[tuple[str, int]]] = defaultdict(set)
    blamed: dict[str, None] = {}
    twice = 0
    for place, share in enumerate(shares):
        for case in share.cases:
            ran[case].add((share.job, place))
    for holders in ran.values():
        attempts = Counter((shares[place].job, shares[place].attempt) for _, place in holders)
        if len({job for job, _ in holders}) > 1 or max(attempts.values()) > 1:
            twice += 1
            blamed[shares[max(place for _, place in holders)].job] = None
    missing = max(0, shares[0].tests - len(ran))
    if missing:
        done = {share.job for share in shares if len(share.cases) >= share.chosen}
        jobs = dict.fromkeys(share.job for share in shares)
        blamed |= dict.fromkeys([*_absent(jobs), *(job for job in jobs if job not in done)])
    return Wholeness(shares[0].tests, missing, twice, tuple(blamed))


def _absent(jobs: Iterable[str]) -> list[str]:
    """Return the names of shards that never came, if the others are named like ``unit 2/4``."""
    seen: dict[tuple[str, int, str], set[int]] = defaultdict(set)
    for job in jobs:
        match = _SHARD.fullmatch(job)
        if match is not None:
            seen[match[1], int(match[3]), match[4]].add(int(match[2]))
    return [
        f"{before}{number}/{total}{after}"
        for (before, total, after), numbers in seen.items()
        for number in range(1, min(total, 1000) + 1)
        if number not in numbers
    ]
