"""Runs one package's tests bare and reported, and says what differs.

Suites that nobody here wrote have tests that pass and fail by turns. When anything differs the bare session is run
again: what bare sessions differ in among themselves is no difference.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def compare(suite: Suite, way: Way, target: Target) -> tuple[int, list[str]]:
    """Run the suite this way, bare and to the target; return the number of its tests, and what differs."""
    bares = [suite.bare(way)]
    session, stored = suite.reported(way, target)
    while differences := differing(session, bares):
        if len(bares) == _MOST_BARE:
            break
        bares.append(suite.bare(way))
    return len(bares[0].verdicts), [*differences, *undelivered(session, stored, target)]


def differing(session: Session, bares: Sequence[Session]) -> list[str]:
    """Say what a session did, printed, has and leaves otherwise than bare ones that are equal in it.

    Lines are compared in any order. Where bare sessions differ in their tests, what they print says nothing.
    """
    ours, theirs = _facts(session), [_facts(each) for each in bares]
    names = [*theirs[0], *(name for name in ours if name not in theirs[0])]
    if any(each.verdicts != bares[0].verdicts for each in bares):
        names = [name for name in names if not name.startswith(("printed ", "end, "))]
    elif any(sorted(each.lines) != sorted(bares[0].lines) for each in bares):
        names = [name for name in names if not name.startswith("printed ")]
    return [
        f"{name}: {_unlike(theirs[0].get(name), ours.get(name))}"
        for name in names
        if all(each.get(name) == theirs[0].get(name) != ours.get(name) for each in theirs)
    ]


def undelivered(session: Session, stored: Mapping[str, Verdict], target: Target) -> Iterator[str]:
    """Yield what the server has otherwise than the session's own XML, which it must have exactly."""
    reported = session.verdicts
    if target == "embedded":  # which is read back over the API, and that tells failures from errors no more
        reported = {key: Verdict(each.name, CLASS_OF[each.status], 1) for key, each in reported.items()}
    yield from _listed("only in the XML", (reported[key].name for key in reported.keys() - stored.keys()))
    yield from _listed("only on the server", (stored[key].name for key in stored.keys() - reported.keys()))
    unlike = (
        f"{reported[key].name} ({reported[key].status}, {stored[key].status})"
        for key in reported.keys() & stored.keys()
        if reported[key].status != stored[key].status
    )
    yield from _listed("other status in the XML and on the server", unlike)
    yield from _listed("more than once in a thread", (each.name for each in stored.values() if each.cases > 1))
    delivered = _DELIVERED.search(session.ran.out)
    total = sum(each.cases for each in stored.values())
    if delivered is None or delivered[1] != delivered[2] or int(delivered[1].replace(",", "")) < total:
        told = repr(delivered[0]) if delivered else f"nothing, at its end {session.ran.text[-_TOLD:]!r}"
        yield f"the server has {total} results, the summary says {told}"
    if "error in reporting" in session.ran.text:
        yield "an error in reporting is told"


def _facts(session: Session) -> dict[str, object]:
    """Return all that is compared of a session, by names that tell what it is."""
    return {
        "end, exit status and last line": (session.has_ended, session.ran.exit, last_line(session.ran.out)),
        "on stderr": session.ran.err,
        **{f"status of {each.name}": each.status for each in session.verdicts.values()},
        **{f"printed {line!r}": times for line, times in Counter(session.lines).items()},
        **_by_moment(session.states),
    }


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
    """Return two values, of lists what is only in one of them."""
    if isinstance(bare, list) and isinstance(reported, list):
        ours, theirs = Counter(reported), Counter(bare)
        bare, reported = list(theirs - ours), list(ours - theirs)
    return f"{str(bare)[:_TOLD]!r} bare, {str(reported)[:_TOLD]!r} reported"


def _listed(what: str, names: Iterable[str]) -> Iterator[str]:
    found = sorted(names)
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield f"{what}: {', '.join(found[:_SHOWN])}{more}"
