"""Runs one package's tests bare and reported, and says what differs.

Suites that nobody here wrote have tests that pass and fail by turns. When anything differs the bare session is run
again: what bare sessions differ in among themselves is no difference, and is named as unsteady.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from compatibility.real.printed import last_line
from compatibility.real.running import Session, State, Suite, Target, Way
from compatibility.real.verdicts import CLASS_OF, Verdict

_MOST_BARE = 4
"""How often a session is run bare before what differs counts."""

_DELIVERED = re.compile(r"^([\d,]+) of ([\d,]+) results? delivered", re.MULTILINE)
_SHOWN = 5
_TOLD = 2000
_WORKER = re.compile(r"^gw\d+")
_OF_THE_SPOOL = "of the spool"
_ABSENT = "absent"


@dataclass(slots=True)
class Found:
    """What a session differs in from the bare ones, and what these differ in among themselves."""

    differences: list[str] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)

    def judge(self, name: str, reported: object, bares: Sequence[object]) -> None:
        """Compare one thing: equal to that of a bare session is the same."""
        if reported in bares:
            return
        if all(each == bares[0] for each in bares):
            self.differences.append(f"{name}: {_unlike(bares[0], reported)}")
        else:
            self.unsteady.append(name)


def compare(suite: Suite, way: Way, target: Target) -> tuple[int, list[str]]:
    """Run the suite this way, bare and to the target; return the number of its tests, and what differs."""
    bares = [suite.bare(way)]
    session, stored = suite.reported(way, target)
    differences = differing(session, bares).differences
    while differences and len(bares) < _MOST_BARE:
        bares.append(suite.bare(way))
        differences = differing(session, bares).differences
    return len(bares[0].verdicts), [*differences, *undelivered(session, stored, target)]


def differing(session: Session, bares: Sequence[Session]) -> Found:
    """Say what a session did, printed, has and leaves otherwise than bare ones."""
    found = Found()
    _judge_verdicts(found, session, bares)
    is_steady = not found.unsteady
    bare_counts = [(each.has_ended, each.ran.exit, last_line(each.ran.out)) for each in bares]
    counts = (session.has_ended, session.ran.exit, last_line(session.ran.out))
    if is_steady or counts in bare_counts:
        found.judge("end, exit status and last line", counts, bare_counts)
    _judge_lines(found, session, bares, is_steady=is_steady)
    _judge_states(found, session, bares)
    return found


def undelivered(session: Session, stored: Mapping[str, Verdict], target: Target) -> Iterator[str]:
    """Yield what the server has otherwise than the session's own XML, which it must have exactly."""
    reported = session.verdicts
    if target == "embedded":  # which is read back over the API, and that tells failures from errors no more
        reported = {key: Verdict(each.name, CLASS_OF[each.status], 1) for key, each in reported.items()}
    yield from _listed("only in the XML", [reported[key].name for key in reported.keys() - stored.keys()])
    yield from _listed("only on the server", [stored[key].name for key in stored.keys() - reported.keys()])
    unlike = [
        f"{reported[key].name} ({reported[key].status}, {stored[key].status})"
        for key in reported.keys() & stored.keys()
        if reported[key].status != stored[key].status
    ]
    yield from _listed("other status in the XML and on the server", unlike)
    yield from _listed("more than once in a thread", [each.name for each in stored.values() if each.cases > 1])
    delivered = _DELIVERED.search(session.ran.out)
    total = sum(each.cases for each in stored.values())
    if delivered is None or delivered[1] != delivered[2] or int(delivered[1].replace(",", "")) < total:
        told = repr(delivered[0]) if delivered else f"nothing, at its end {session.ran.text[-_TOLD:]!r}"
        yield f"the server has {total} results, the summary says {told}"
    if "error in reporting" in session.ran.text:
        yield "an error in reporting is told"


def _judge_verdicts(found: Found, session: Session, bares: Sequence[Session]) -> None:
    names = {key: each.name for one in (session, *bares) for key, each in one.verdicts.items()}
    unlike = []
    for key, name in names.items():
        statuses = [each.verdicts[key].status if key in each.verdicts else _ABSENT for each in bares]
        status = session.verdicts[key].status if key in session.verdicts else _ABSENT
        if len(set(statuses)) > 1:
            found.unsteady.append(name)
        elif status not in statuses:
            unlike.append(f"{name} ({statuses[0]}, {status})")
    found.differences += _listed("other status bare and reported", unlike)


def _judge_lines(found: Found, session: Session, bares: Sequence[Session], *, is_steady: bool) -> None:
    """Compare what was printed: a line as often as in a bare session, in any order.

    Where tests are unsteady, so is what they print.
    """
    ours = Counter(session.lines)
    theirs = [Counter(each.lines) for each in bares]
    more = [line for line, times in ours.items() if times > max(each[line] for each in theirs)]
    less = [line for line in theirs[0] if ours[line] < min(each[line] for each in theirs)]
    if is_steady and len({frozenset(each.items()) for each in theirs}) == 1:
        found.differences += [*_listed("printed in addition", more), *_listed("not printed", less)]
    elif more or less:
        found.unsteady.append(f"printed lines: {len(more) + len(less)}")
    errors = [each.ran.err for each in bares]
    found.judge("on stderr", session.ran.err, errors)


def _judge_states(found: Found, session: Session, bares: Sequence[Session]) -> None:
    ours = _by_moment(session.states)
    theirs = [_by_moment(each.states) for each in bares]
    for name in sorted(ours.keys() | {each for states in theirs for each in states}):
        found.judge(name, ours.get(name, []), [each.get(name, []) for each in theirs])


def _by_moment(states: Mapping[str, State]) -> dict[str, list[str]]:
    """Return what processes had, by the moment and kind; workers together, since either may run any test."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for process, state in states.items():
        moment = _WORKER.sub("workers", process)
        for kind, value in state.items():
            if kind != _OF_THE_SPOOL:
                found[f"{kind} ({moment})"] += map(str, value) if isinstance(value, list) else [str(value)]
    return {name: sorted(each) for name, each in found.items()}


def _unlike(bare: object, reported: object) -> str:
    """Return what is only in one of two values."""
    if isinstance(bare, list) and isinstance(reported, list):
        ours, theirs = Counter(map(str, reported)), Counter(map(str, bare))
        if ours != theirs:
            return f"{list(theirs - ours)} bare, {list(ours - theirs)} reported"
    return f"{str(bare)[:_TOLD]!r} bare, {str(reported)[:_TOLD]!r} reported"


def _listed(what: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{what}: {', '.join(sorted(names)[:_SHOWN])}{more}"
