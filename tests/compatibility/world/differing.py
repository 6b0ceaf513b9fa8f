"""Runs a suite with the plugin and without it, at once, and checks that nothing but the report differs."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from msgspec import convert

from compatibility.real.printed import last_line, without_report
from compatibility.real.verdicts import SEVERITY, Verdict, from_junit
from pytest_automation_report.api.models import SessionSummary
from pytest_automation_report.api.sessions import session_fields
from support.canary import holds_token
from support.checked_server import CheckedServer
from support.processes import kill_group, running
from support.session_processes import eventually, spools
from support.sessions import TOKEN, Ran, clean_environment, reporting_arguments, session_environment

SUITES = Path(__file__).parent / "suites"
ONLY_RETRY = ("-p", "no:rerunfailures", "-p", "pytest-retry")
ONLY_FLAKY = ("-p", "no:rerunfailures", "-p", "flaky")
"""The plugins that repeat tests get in each other's way: one at a time."""

ALL_PLUGINS = {"PYTEST_ADDOPTS": "-p no:hypothesispytest"}
"""The environment of a session with plugins that other tests' sessions leave out (see `QUICK_START`)."""

_DELIVERED = re.compile(r"^(\d+) of (\d+) results? delivered(?: from \d+ workers)?: ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sessions; ``xml`` are the verdicts of its JUnit XML, empty when it wrote none."""

    ran: Ran
    folder: Path
    xml: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sessions, what the server got, and the reported one's seconds; ``has_bare_ended``: it was not killed.

    ``tests`` are with their workers, ``workers`` those of the threads, ``run`` as the server shows it, of ``runs``.
    """

    bare: Side
    reported: Side
    has_bare_ended: bool
    tests: Sequence[tuple[str, dict[str, Any]]]
    workers: Mapping[int, str]
    run: Mapping[str, Any]
    runs: int
    seconds: float

    @property
    def run_fields(self) -> dict[str, str]:
        """Its fields, and those by which pages say what its session has told."""
        made = session_fields(convert(self.run["session"], SessionSummary))
        fields = {each["name"]: each["value"] for each in self.run["fields"]}
        return {**fields, **{field.name: str(field.value) for field in made}}

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
        return {test["name"]: test["status"] for _, test in self.tests}

    def fields(self, name: str) -> dict[str, str]:
        (test,) = (each for _, each in self.tests if each["name"] == name)
        return {each["name"]: each["value"] for each in test.get("fields", ())}


def differ(
    folder: Path,
    suite: Path | str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    conftest: str = "",
    is_renamed: bool = True,
) -> Pair:
    """Run the suite (a file, a folder, or a text) bare and reported at once, in two copies, and return both sessions.

    ``{folder}`` in an argument or variable stands for the copy's folder. Files keep their names ``suite_*.py`` unless
    ``is_renamed``.
    """
    copies = [_copy(suite, folder / each / "suite", conftest, is_renamed=is_renamed) for each in ("bare", "reported")]
    more = [dict(zip(env or {}, _placed(list((env or {}).values()), copy), strict=True)) for copy in copies]
    options = [
        [f"--junitxml={copy / 'junit.xml'}", "-o", "junit_family=xunit1", *_placed(arguments, copy)] for copy in copies
    ]
    with CheckedServer(folder / "store.sqlite3", TOKEN, is_testmo=True) as server:
        bare = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:automation-report", *options[0]]
        command = [*reporting_arguments(server.address), *options[1]]
        began = time.monotonic()
        with (
            running(bare, clean_environment(**more[0]), copies[0]) as other,
            running(command, session_environment(None, **more[1]), copies[1]) as one,
        ):
            out, err = one.communicate(timeout=120)
            seconds = time.monotonic() - began
            bare_ran, has_bare_ended = _to_its_end(other)
        with suppress(AssertionError):  # what is left is told by the checks
            eventually(lambda: not spools(copies[1]), "a session that ended in disorder is sent")
        assert not holds_token((out + err).encode(errors="replace"), TOKEN)
        created = server.posts("/automation/runs")[0]
        found = requests.get(
            f"{server.address}/api/v1/automation/runs/{created.answer['id']}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        is_grouped = "loadgroup" in arguments
        return Pair(
            bare=_side(bare_ran, copies[0], is_grouped=is_grouped),
            reported=_side(Ran(one.returncode, out, err), copies[1], is_grouped=is_grouped),
            has_bare_ended=has_bare_ended,
            tests=server.tests(),
            workers=server.workers(),
            run=found.json()["result"],
            runs=len(server.runs()),
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
    assert spools(reported.folder) == []
    for _, test in pair.tests:
        assert 0 <= test["elapsed"] <= pair.seconds * 1_000_000, test


def _placed(texts: Sequence[str], folder: Path) -> list[str]:
    return [each.replace("{folder}", str(folder)) for each in texts]


def _to_its_end(process: subprocess.Popen[str]) -> tuple[Ran, bool]:
    """Return what a session did, and whether it ended of itself in time; it is killed otherwise."""
    has_ended = True
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        has_ended = False
        kill_group(process)
        out, err = process.communicate()
    return Ran(process.returncode, out, err), has_ended


def _copy(suite: Path | str, folder: Path, conftest: str, *, is_renamed: bool) -> Path:
    if isinstance(suite, Path) and suite.is_dir():
        shutil.copytree(suite, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for each in folder.rglob("suite_*.py") if is_renamed else ():
            each.rename(each.with_name(f"test_{each.name.removeprefix('suite_')}"))
    else:
        folder.mkdir(parents=True)
        name = "suite.py" if isinstance(suite, str) else suite.name.removeprefix("suite_")
        text = suite if isinstance(suite, str) else suite.read_text(encoding="utf-8")
        (folder / f"test_{name}").write_text(text, encoding="utf-8")
    if conftest:
        (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    return folder


def _side(ran: Ran, folder: Path, *, is_grouped: bool) -> Side:
    xml = folder / "junit.xml"
    return Side(ran, folder, from_junit(xml, is_grouped=is_grouped) if xml.exists() else {})
