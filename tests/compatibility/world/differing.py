"""Runs a suite with the plugin and without it, at once, and checks that nothing but the report differs."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compatibility.real.printed import last_line, without_report
from compatibility.real.verdicts import SEVERITY, Verdict, from_junit
from support.checked_server import CheckedServer
from support.sessions import (
    TOKEN,
    Ran,
    clean_environment,
    reporting_arguments,
    run,
    session_environment,
    skip_without_workers,
)

SUITES = Path(__file__).parent / "suites"
_DELIVERED = re.compile(r"^(\d+) of (\d+) results? delivered in (\d+) threads?: ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sessions; ``xml`` are the verdicts of its JUnit XML, empty when it wrote none."""

    ran: Ran
    folder: Path
    xml: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sessions, what the server got (each test with its worker), and the reported one's seconds."""

    bare: Side
    reported: Side
    tests: Sequence[tuple[str, dict[str, Any]]]
    run: Mapping[str, Any]
    seconds: float

    @property
    def server(self) -> dict[str, Verdict]:
        """What the server got by key: how often a thread has it, and the worst status."""
        found: dict[str, Verdict] = {}
        for key in {test["key"] for _, test in self.tests}:
            rows = [(worker, test) for worker, test in self.tests if test["key"] == key]
            workers = [worker for worker, _ in rows]
            worst = max((str(test["status"]) for _, test in rows), key=SEVERITY.index)
            test = rows[0][1]
            found[key] = Verdict(f"{test['folder']}.{test['name']}", worst, max(map(workers.count, workers)))
        return found

    def statuses(self) -> dict[str, str]:
        """Return the status of each test on the server by its name."""
        return {test["name"]: test["status"] for _, test in self.tests}

    def fields(self, name: str) -> dict[str, str]:
        """Return the fields of the test with this name."""
        (test,) = (each for _, each in self.tests if each["name"] == name)
        return {each["name"]: each["value"] for each in test.get("fields", ())}


def differ(folder: Path, suite: Path | str, *arguments: str, env: Mapping[str, str] | None = None) -> Pair:
    """Run the suite (a file, a folder, or a text) bare and reported at once, in two copies, and return both sessions.

    ``{folder}`` in an argument or variable stands for the copy's folder.
    """
    copies = [_copy(suite, folder / each / "suite") for each in ("bare", "reported")]
    commands = [
        [*each, f"--junitxml={copy / 'junit.xml'}", "-o", "junit_family=xunit1", *_placed(arguments, copy)]
        for each, copy in zip(([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:automation-report"],
                               [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]), copies, strict=True)
    ]  # fmt: skip
    more = [dict(zip(env or {}, _placed(list((env or {}).values()), copy), strict=True)) for copy in copies]
    skip_without_workers(commands[0])
    with CheckedServer(folder / "store.sqlite3", TOKEN) as server:
        commands[1] += reporting_arguments(server.address)[5:]
        with subprocess.Popen(
            commands[0], cwd=copies[0], env=clean_environment(**more[0]), text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as other:  # fmt: skip
            began = time.monotonic()
            ran = run(commands[1], copies[1], session_environment(None, **more[1]))
            seconds = time.monotonic() - began
            out, err = other.communicate(timeout=120)
        _wait_for_sender(copies[1])
        return Pair(
            bare=_side(Ran(other.returncode, out, err), copies[0]),
            reported=_side(ran, copies[1]),
            tests=server.tests(),
            run={"fields": server.run_fields()},
            seconds=seconds,
        )


def check_same(pair: Pair, *, is_summed_up: bool = True) -> None:
    """Raise AssertionError where the report changed the session, or is not what the session's own XML says.

    ``is_summed_up`` is False for sessions that have no terminal.
    """
    bare, reported = pair.bare, pair.reported
    assert reported.ran.exit == bare.ran.exit, reported.ran.text
    assert last_line(reported.ran.out) == last_line(bare.ran.out), reported.ran.text
    assert reported.xml == bare.xml
    assert reported.xml
    statuses = {(each.name, each.status) for each in pair.server.values()}
    assert statuses == {(each.name, each.status) for each in reported.xml.values()}
    assert [each.name for each in pair.server.values() if each.cases > 1] == []
    check_told(pair, is_summed_up=is_summed_up)


def check_same_output(pair: Pair) -> None:
    """Raise AssertionError where anything else is printed than without the report, but for the report itself."""
    bare, reported = pair.bare, pair.reported
    assert without_report(reported.ran.out, reported.folder) == without_report(bare.ran.out, bare.folder)
    assert reported.ran.err.replace(str(reported.folder), "") == bare.ran.err.replace(str(bare.folder), "")


def check_told(pair: Pair, *, is_summed_up: bool = True) -> None:
    """Raise AssertionError unless all was delivered, and the summary says so; times must be sane."""
    reported = pair.reported
    assert "error in reporting" not in reported.ran.text
    assert "automation report" not in reported.ran.err
    if is_summed_up:
        delivered = _DELIVERED.search(reported.ran.out)
        assert delivered, reported.ran.text
        assert int(delivered[1]) == int(delivered[2]) == len(pair.tests)
    assert sorted(reported.folder.glob(".automation-report/spool/*/session.json")) == []
    for _, test in pair.tests:
        assert 0 <= test["elapsed"] <= pair.seconds * 1_000_000, test


def _placed(texts: Sequence[str], folder: Path) -> list[str]:
    return [each.replace("{folder}", str(folder)) for each in texts]


def _copy(suite: Path | str, folder: Path) -> Path:
    if isinstance(suite, Path) and suite.is_dir():
        shutil.copytree(suite, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for each in folder.rglob("suite_*.py"):
            each.rename(each.with_name(f"test_{each.name.removeprefix('suite_')}"))
        return folder
    folder.mkdir(parents=True)
    if isinstance(suite, str):
        (folder / "test_suite.py").write_text(suite, encoding="utf-8")
    else:
        shutil.copy(suite, folder / f"test_{suite.name.removeprefix('suite_')}")
    return folder


def _side(ran: Ran, folder: Path) -> Side:
    xml = folder / "junit.xml"
    return Side(ran, folder, from_junit(xml) if xml.exists() else {})


def _wait_for_sender(folder: Path) -> None:
    """Wait until the sender of a session that ended in disorder has taken the last of it away."""
    deadline = time.monotonic() + 30
    while any(folder.glob(".automation-report/spool/*/session.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
