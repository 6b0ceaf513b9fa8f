"""Runs a suite of this folder with the plugin and without it, and checks what must be true of every session."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import requests

from support.checked_server import CheckedServer
from support.sessions import (
    TOKEN,
    Ran,
    clean_environment,
    reporting_arguments,
    session_environment,
    skip_without_workers,
)

HERE = Path(__file__).parent
IS_OLD_PYTEST = int(version("pytest").partition(".")[0]) < 9

SEVERITY = ("passed", "skipped", "failure", "error")
WORDS = {"passed": "passed", "failed": "failure", "error": "error", "skipped": "skipped", "untested": "untested"}
"""The summary's words and the statuses that they stand for."""

ALIKE = (
    "-o", "python_files=suite_*.py",
    "-o", "python_classes=Test suite_",
    "-o", "junit_family=xunit1",
    "-o", "disable_test_id_escaping_and_forfeit_all_rights_to_community_support=true",
    "--doctest-glob=*.rst",
    "--rootdir=.",
)  # fmt: skip
"""Options of every session here."""

WITHOUT_PLUGIN = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:automation-report")

ONLY_RERUNFAILURES = ("-p", "no:pytest-retry", "-p", "no:flaky")
ONLY_RETRY = ("-p", "no:rerunfailures", "-p", "no:flaky")
ONLY_FLAKY = ("-p", "no:rerunfailures", "-p", "no:pytest-retry")
"""The plugins that repeat tests get in each other's way: one at a time."""

OTHER_HOST = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_configure_node(node):
    given = node.workerinput.get("automation_report")
    if given is not None and node.gateway.id in {workers}:
        given["folder"] = "/nowhere/on/this/host"
"""
"""A conftest under which some xdist workers do not see the spool."""

_TOLD = frozenset({"Attempts", "Subtests"})
_COLLECTED = re.compile(
    r"^(\d+) tests? collected = (\d+) reported \+ (\d+) not run(?:, and (?:(\d+) modules? that could not be collected)?"
    r"(?: and )?(?:(\d+) modules? that skipped (?:itself|themselves))?)?$",
    re.MULTILINE,
)
_DELIVERED = re.compile(r"^(\d+) of (\d+) results? delivered in (\d+) threads?: (.+)$", re.MULTILINE)
_SECONDS = 60

Sent: TypeAlias = "tuple[str, dict[str, Any]]"
"""A worker and a test as it was sent."""


@dataclass(frozen=True, order=True)
class Row:
    """What the server is to have of one test; the values of some fields follow an equals sign."""

    file: str
    name: str
    folder: str
    status: str
    line: int
    fields: str


def rows(file: str, folder: str, *entries: tuple[int, str, str] | tuple[int, str, str, str]) -> list[Row]:
    """Return the rows of one folder from line (0 for none), name, status and fields between bars."""
    return [Row(file, name, folder, status, line, "|".join(fields)) for line, name, status, *fields in entries]


@dataclass(frozen=True)
class Observed:
    """One session with the plugin, and the same without, ``bare``; ``cases`` are JUnit's, worst by key."""

    ran: Ran
    bare: Ran
    has_bare_ended: bool
    folder: Path
    run: dict[str, Any]
    runs: int
    workers: Mapping[int, str]
    tests: Sequence[tuple[int, dict[str, Any]]]
    cases: Mapping[str, str]

    @property
    def sent(self) -> list[Sent]:
        """Each test with its worker."""
        return [(self.workers[thread], test) for thread, test in self.tests]

    @property
    def rows(self) -> list[Row]:
        """What the server has, in the form of a table."""
        return sorted(row_of(test) for _, test in self.tests)

    def texts(self, name: str) -> dict[str, str]:
        """Return the values of the fields of the only test with this name."""
        (test,) = (each for _, each in self.tests if each["name"] == name)
        return {each["name"]: each["value"] for each in test.get("fields", ())}

    def worker(self, name: str) -> str:
        """Return the worker of the only test with this name."""
        (worker,) = (each for each, test in self.sent if test["name"] == name)
        return worker


def row_of(test: dict[str, Any]) -> Row:
    """Return a test as it was sent in the form of a table's row."""
    fields = "|".join(
        f"{each['name']}={each['value']}" if each["name"] in _TOLD else each["name"] for each in test.get("fields", ())
    )
    return Row(test["file"], test["name"], test["folder"], test["status"], test.get("line", 0), fields)


def observe(suite: str, tmp_path: Path, *arguments: str, conftest: str = "", is_left_alone: bool = False) -> Observed:
    """Run a suite of this folder twice at once, reported and not; again when that shows nothing of the plugin.

    That is when only one of the two met an internal error: xdist's schedulers have races of their own after crashes.
    And when the session without the plugin did not end: the threads of the oldest pytest-rerunfailures spin once a
    worker has gone, and rarely keep the interpreter from its end. ``is_left_alone`` tells that pytest will not live to
    the end, so that its sender ends after it.
    """
    for each in ("first", "second", "third"):
        observed = _observe(suite, tmp_path / each, *arguments, conftest=conftest, is_left_alone=is_left_alone)
        errors = ["INTERNALERROR" in ran.text for ran in (observed.ran, observed.bare)]
        if observed.has_bare_ended and errors[0] == errors[1]:
            break
    return observed


def _observe(suite: str, tmp_path: Path, *arguments: str, conftest: str, is_left_alone: bool) -> Observed:
    reported, bare = (_copy(suite, tmp_path / each, conftest) for each in ("reported", "bare"))
    xml = reported / "junit.xml"
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        command = [*reporting_arguments(server.address), *ALIKE, f"--junitxml={xml}", *arguments]
        with (
            _process([*WITHOUT_PLUGIN, *ALIKE, *arguments], bare, clean_environment()) as other,
            _process(command, reported, session_environment()) as one,
        ):
            out, err = one.communicate(timeout=_SECONDS)
            bare_ran, has_bare_ended = _to_its_end(other)
        if is_left_alone:
            _wait_for_sender(reported)
        (created,) = server.posts("/automation/runs")
        found = requests.get(
            f"{server.address}/api/v1/automation/runs/{created.answer['id']}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        appends = [each for each in server.posts("/append") if "/threads/" in each.path]
        return Observed(
            ran=Ran(one.returncode, out, err),
            bare=bare_ran,
            has_bare_ended=has_bare_ended,
            folder=reported,
            run=found.json()["result"],
            runs=len(server.runs()),
            workers=server.workers(),
            tests=[(int(each.path.split("/")[-2]), test) for each in appends for test in each.body.get("tests", [])],
            cases=_cases(xml, is_grouped="loadgroup" in arguments) if xml.exists() else {},
        )


def check_rows(observed: Observed, expected: Iterable[Row]) -> None:
    """Raise AssertionError unless the server has exactly what the table has."""
    found, foreseen = Counter(observed.rows), Counter(expected)
    surplus = [f"+ {each}" for each in sorted((found - foreseen).elements())]
    missing = [f"- {each}" for each in sorted((foreseen - found).elements())]
    assert [*surplus, *missing] == [], "\n".join([*surplus, *missing])


def check(
    observed: Observed, *, collected: int | None, repeated: Container[str] = (), unknown_to_xml: Iterable[str] = ()
) -> None:
    """Raise AssertionError where the session breaks what holds for all.

    ``collected`` is the number of tests that pytest collected, ``None`` where it writes no summary; ``repeated`` names
    the tests that occur more than once on one worker, ``unknown_to_xml`` those that the JUnit XML tells otherwise.
    """
    assert observed.ran.exit == observed.bare.exit, f"{observed.ran.text}\nWithout the plugin: {observed.bare.text}"
    _check_server(observed, repeated)
    _check_keys(observed, unknown_to_xml)
    if collected is not None:
        _check_summary(observed, collected)
    assert spools(observed.folder) == []


def check_workers(observed: Observed, *, processes: int) -> None:
    """Raise AssertionError unless each test is in the thread of who ran it, and modules in the controller's."""
    for worker, test in observed.sent:
        if not processes:
            assert worker == "main"
        elif _is_module(test):
            assert worker == "controller"
        else:
            assert re.fullmatch(r"gw\d+", worker), f"{test['name']} is in the thread of {worker}"
        texts = {each["name"]: each["value"] for each in test.get("fields", ())}
        crashed = re.match(r"The worker (\S+) crashed", texts.get("Error", ""))
        assert crashed is None or crashed.group(1) == worker or "Attempts" in texts


def on_other_hosts(*workers: str) -> str:
    """Return the conftest under which these xdist workers run on other hosts."""
    return OTHER_HOST.replace("{workers}", repr(workers))


def spools(folder: Path) -> list[Path]:
    """Return the sessions that are left in a folder's spool."""
    return sorted(each.parent for each in folder.glob(".automation-report/spool/*/session.json"))


@contextmanager
def _process(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a command as the leader of a group, of which nothing is left behind."""
    skip_without_workers(command)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=dict(env), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _to_its_end(process: subprocess.Popen[str]) -> tuple[Ran, bool]:
    """Return what a session did, and whether it ended of itself in time; it is killed otherwise."""
    has_ended = True
    try:
        out, err = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        has_ended = False
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return Ran(process.returncode, out, err), has_ended


def _copy(suite: str, folder: Path, conftest: str) -> Path:
    shutil.copytree(HERE / suite, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if conftest:
        (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    return folder


def _wait_for_sender(folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while spools(folder):
        assert time.monotonic() < deadline, "the sender left results behind"
        time.sleep(0.02)


def _is_module(test: dict[str, Any]) -> bool:
    return "line" not in test and f".{test['folder']}".endswith(f".{test['name']}")


def _cases(xml: Path, *, is_grouped: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ET.parse(xml).iter("testcase"):
        if "name" not in case.attrib or case.attrib["classname"] == "pytest":
            continue  # a crash that pytest-rerunfailures has made an attempt, or an internal error of pytest
        name = re.sub(r"@[^@\]]*$", "", case.attrib["name"]) if is_grouped else case.attrib["name"]
        if IS_OLD_PYTEST:  # pytest 8 spells what is beyond 16 bits, and so a newer pytest has changed the test's key
            name = re.sub("#x1F40D", "\U0001f40d", name)
        folder = case.attrib["classname"]
        key = sha256((f"{folder}.{name}" if folder else name).encode()).hexdigest()
        statuses = [found.get(key, "passed"), *(each.tag for each in case if each.tag in SEVERITY)]
        found[key] = max(statuses, key=SEVERITY.index)
    return found


def _check_server(observed: Observed, repeated: Container[str]) -> None:
    run_, threads = observed.run, observed.run["threads"]
    assert observed.runs == 1
    assert run_["is_completed"]
    assert (run_["thread_count"], run_["thread_active_count"]) == (len(threads), 0)
    assert all(each["is_completed"] for each in threads)
    assert len(set(observed.workers.values())) == len(threads) == len(observed.workers)
    counts = [name for name in threads[0] if name.endswith("_count")]
    assert {name: run_[name] for name in counts} == {name: sum(each[name] for each in threads) for name in counts}
    by_thread = Counter(thread for thread, _ in observed.tests)
    assert {each["id"]: each["total_count"] for each in threads} == by_thread
    assert run_["success_count"] == sum(test["status"] == "passed" for _, test in observed.tests)
    seen = Counter((thread, test["folder"], test["name"]) for thread, test in observed.tests)
    assert [each for each, count in seen.items() if count > 1 and each[-1] not in repeated] == []


def _check_keys(observed: Observed, unknown_to_xml: Iterable[str]) -> None:
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    for _, test in observed.tests:
        statuses[test["key"]].append(test["status"])
        if all(each["name"] != "Node id" for each in test.get("fields", ())):
            address = test["folder"] if _is_module(test) else f"{test['folder']}.{test['name']}"
            assert test["key"] == sha256(address.encode()).hexdigest(), f"the key of {address} is of another name"
    left_out = {test["key"] for _, test in observed.tests if test["name"] in set(unknown_to_xml)}
    worst = {key: max(each, key=SEVERITY.index) for key, each in statuses.items() if key not in left_out}
    if observed.cases:
        names = {test["key"]: test["name"] for _, test in observed.tests}
        differing = {*worst.items()} ^ {(key, each) for key, each in observed.cases.items() if key not in left_out}
        assert not differing, sorted((names.get(key, key), each) for key, each in differing)


def _check_summary(observed: Observed, collected: int) -> None:
    out = observed.ran.out
    delivered = _DELIVERED.search(out)
    assert delivered, out
    total, threads = len(observed.tests), len(observed.run["threads"])
    assert tuple(map(int, delivered.groups()[:3])) == (total, total, threads), out[-3000:]
    told = {WORDS[word]: int(number) for number, word in (each.split(" ") for each in delivered[4].split(", "))}
    assert told == Counter(test["status"] for _, test in observed.tests)
    counted = _COLLECTED.search(out)
    assert counted, out
    assert int(counted[1]) == collected == int(counted[2]) + int(counted[3])
    assert int(counted[2]) + int(counted[4] or 0) + int(counted[5] or 0) + told.get("untested", 0) == total
    assert "error in reporting" not in out, out[-1500:]
    assert "automation report" not in observed.ran.err
