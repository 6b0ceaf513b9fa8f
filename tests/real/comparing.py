"""Runs one package's tests bare and reported, and says what differs."""

from __future__ import annotations

import functools
import re
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from checked import CheckedServer
from sessions import TOKEN, Ran, clean_environment

from real.verdicts import CLASS_OF, Verdict, from_junit, from_server, last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from real.packages import Package
    from real.workplace import Place

Target: TypeAlias = Literal["loopback", "embedded"]

ALL: Mapping[int, tuple[Target, ...]] = {0: ("loopback", "embedded"), 2: ("loopback", "embedded")}
FEW: Mapping[int, tuple[Target, ...]] = {0: ("embedded",), 2: ("loopback",)}
"""Which sessions are compared with a bare one: by the number of processes, where they report to."""

_DELIVERED = re.compile(r"^(\d+) of (\d+) results? delivered", re.MULTILINE)
_SHOWN = 5
_TOLD = 2000
_COMMON = ("--automation-report", "--automation-report-exit-wait=600", "--automation-report-source=suite")
_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Bare:
    """What a session without the plugin left."""

    ran: Ran
    verdicts: Mapping[str, Verdict]
    seconds: float


@dataclass(slots=True)
class Row:
    """One package's line of the table."""

    package: Package
    tests: int = 0
    exits: list[int] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def compare(package: Package, place: Place, work: Path, sessions: Mapping[int, tuple[Target, ...]] = ALL) -> Row:
    """Run the package's tests bare and reported, alone and on two workers, to a server and to the embedded store."""
    row = Row(package)
    work.mkdir(parents=True, exist_ok=True)
    for processes, targets in sessions.items():
        began = time.monotonic()
        ran = _run(package, place, work, processes)
        bare = Bare(ran, from_junit(work / "bare.xml"), time.monotonic() - began)
        row.tests = len(bare.verdicts)
        row.exits.append(ran.exit)
        for target in targets:
            began = time.monotonic()
            found = list(_differences(package, place, work, processes, target, bare))
            row.seconds.append((bare.seconds, time.monotonic() - began))
            row.differences += [f"-n {processes}, {target}: {each}" for each in found]
    return row


def _run(package: Package, place: Place, work: Path, processes: int, *reporting: str) -> Ran:
    tree = place.fresh(work / "tree")
    xml = work / ("reported.xml" if reporting else "bare.xml")
    xml.unlink(missing_ok=True)
    command = [str(place.python), "-m", "pytest", "-n", str(processes), f"--junitxml={xml}"]
    command += [*package.arguments, *(reporting or ("-p", "no:automation-report"))]
    env = clean_environment(AUTOMATION_REPORT_TOKEN=TOKEN) if reporting else clean_environment()
    env["PATH"] = f"{place.python.parent}:{env['PATH']}"
    done = subprocess.run(
        command, cwd=tree, env=env, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _differences(
    package: Package, place: Place, work: Path, processes: int, target: Target, bare: Bare
) -> Iterator[str]:
    """Yield what is not the same, in words."""
    session = functools.partial(_run, package, place, work, processes, *_COMMON)
    ran, stored = _to_server(session, work) if target == "loopback" else _to_store(session, work)
    yield from _session_differences(bare, ran)
    reported = from_junit(work / "reported.xml")
    yield from _outcome_differences("bare XML", bare.verdicts, "reported XML", reported)
    if target == "embedded":  # which is read back over the API, and that tells failures from errors no more
        reported = {key: Verdict(each.name, CLASS_OF[each.status], 1) for key, each in reported.items()}
    yield from _outcome_differences("XML", reported, "server", stored)
    yield from _listed("more than once in a thread", [each.name for each in stored.values() if each.cases > 1])
    delivered = _DELIVERED.search(ran.out)
    total = sum(each.cases for each in stored.values())
    if delivered is None or int(delivered[1]) != int(delivered[2]) or int(delivered[1]) < total:
        told = repr(delivered[0]) if delivered else f"nothing, at its end {ran.text[-_TOLD:]!r}"
        yield f"the server has {total} results, the summary says {told}"
    if "error in reporting" in ran.text:
        yield "an error in reporting is told"


def _to_server(session: Callable[..., Ran], work: Path) -> tuple[Ran, dict[str, Verdict]]:
    """Report to a server on the loopback device; return the session and what the server has of it."""
    _remove_store(work)
    with CheckedServer(work / "store.sqlite3", TOKEN) as server:
        ran = session(f"--automation-report-url={server.address}", "--automation-report-project-id=1")
        posted = {test["key"]: str(test["status"]) for _, test in server.tests()}
        return ran, from_server(server.address, TOKEN, posted)


def _to_store(session: Callable[..., Ran], work: Path) -> tuple[Ran, dict[str, Verdict]]:
    """Report to the embedded store; return the session and what the store has of it."""
    _remove_store(work)
    ran = session(f"--automation-report-database={work / 'store.sqlite3'}")
    with CheckedServer(work / "store.sqlite3", TOKEN) as server:
        return ran, from_server(server.address, TOKEN, None)


def _remove_store(work: Path) -> None:
    for left in work.glob("store.sqlite3*"):
        left.unlink()


def _session_differences(bare: Bare, ran: Ran) -> Iterator[str]:
    if ran.exit != bare.ran.exit:
        yield f"exit status {bare.ran.exit} bare, {ran.exit} reported"
    if last_line(ran.out) != last_line(bare.ran.out):
        yield f"last line: {last_line(bare.ran.out)!r} bare, {last_line(ran.out)!r} reported"


def _outcome_differences(
    one: str, ones: Mapping[str, Verdict], other: str, others: Mapping[str, Verdict]
) -> Iterator[str]:
    yield from _listed(f"only in the {one}", [ones[key].name for key in ones.keys() - others.keys()])
    yield from _listed(f"only in the {other}", [others[key].name for key in others.keys() - ones.keys()])
    unlike = [
        f"{ones[key].name} ({ones[key].status}, {others[key].status})"
        for key in ones.keys() & others.keys()
        if ones[key].status != others[key].status
    ]
    yield from _listed(f"other status in {one} and {other}", unlike)


def _listed(what: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{what}: {', '.join(sorted(names)[:_SHOWN])}{more}"
