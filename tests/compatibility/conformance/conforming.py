"""Runs a suite of this folder with the plugin and without it, and checks what must be true of every session."""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from compatibility.real.verdicts import IS_OLD_PYTEST, SEVERITY
from compatibility.world.differing import Pair, differ
from support.session_processes import spools

HERE = Path(__file__).parent
WORDS = {"passed": "passed", "failed": "failure", "error": "error", "skipped": "skipped", "untested": "untested"}
"""The summary's words and the statuses that they stand for."""

ALIKE = (
    "-o", "python_files=suite_*.py",
    "-o", "python_classes=Test suite_",
    "-o", "disable_test_id_escaping_and_forfeit_all_rights_to_community_support=true",
    "--doctest-glob=*.rst",
    "--rootdir=.",
)  # fmt: skip
"""Options of every session here."""

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
    r"^(\d+) tests? collected: (\d+) reported(?:, (\d+) not run)?"
    r"(?:, (\d+) modules? could not be collected)?(?:, (\d+) modules? skipped as a whole)?$",
    re.MULTILINE,
)
_CUT = re.compile(
    r"^(?:(?:Stopped|Interrupted|Ended|The session died).* after (?:\d+ of )?(\d+)"
    r"|.*(?:could not be collected|Collection failed))",
    re.MULTILINE,
)
"""The verdict of a run that says which tests ran, and their number if that has been collected."""
_DELIVERED = re.compile(r"^(\d+) of (\d+) results? delivered(?: from (\d+) workers)?: (.+)$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Row:
    """What the server is to have of one test; the values of some fields follow an equals sign."""

    file: str
    name: str
    folder: str
    status: str
    line: int
    fields: str


def expected(table: str) -> list[Row]:
    """Return the rows of a table in ``expected.txt``."""
    text = (HERE / "expected.txt").read_text(encoding="utf-8")
    text = text.replace("{q}", "" if IS_OLD_PYTEST else "'").replace("{x}", "x" * 718)
    rows: list[Row] = []
    for section in re.findall(rf"^\[{table}\] (.+\n(?:.+\n)+)", text, re.MULTILINE):
        heading, *lines = section.splitlines()
        file, folder = heading.split()
        for line in lines:
            test, _, fields = line.partition(" = ")
            number, status, name = test.split(" ", 2)
            rows.append(Row(file, name, folder, status, int(number), fields))
    return rows


def rows_of(pair: Pair) -> list[Row]:
    """Return what the server has, in the form of a table."""
    rows = []
    for _, test in pair.tests:
        fields = [
            f"{each['name']}={each['value']}" if each["name"] in _TOLD else each["name"]
            for each in test.get("fields", ())
        ]
        line = test.get("line", 0)
        rows.append(Row(test["file"], test["name"], test["folder"], test["status"], line, "|".join(fields)))
    return sorted(rows)


def observe(suite: str, tmp_path: Path, *arguments: str, conftest: str = "") -> Pair:
    """Run a suite of this folder twice at once, reported and not; again when that shows nothing of the plugin.

    That is when one of the two met an internal error: xdist's schedulers have races of their own after crashes, which
    the session without the plugin meets as well. And when the session without the plugin did not end: the threads of
    the oldest pytest-rerunfailures spin once a worker has gone, and rarely keep the interpreter from its end.
    """
    for each in ("first", "second", "third"):
        pair = differ(tmp_path / each, HERE / suite, *ALIKE, *arguments, conftest=conftest, is_renamed=False)
        errors = ["INTERNALERROR" in side.ran.text for side in (pair.reported, pair.bare)]
        if pair.has_bare_ended and not any(errors):
            break
    return pair


def check(
    pair: Pair,
    rows: Iterable[Row] | None,
    *,
    processes: int,
    collected: int | None,
    repeated: Container[str] = (),
    unknown_to_xml: Iterable[str] = (),
) -> None:
    """Raise AssertionError where the session breaks what holds for all, or the server has other ``rows``.

    ``collected`` is the number of tests that pytest collected, ``None`` where it writes no summary; ``repeated`` names
    the tests that occur more than once on one worker, ``unknown_to_xml`` those that the JUnit XML tells otherwise.
    """
    if rows is not None:
        found, foreseen = Counter(rows_of(pair)), Counter(rows)
        surplus = [f"+ {each}" for each in sorted((found - foreseen).elements())]
        missing = [f"- {each}" for each in sorted((foreseen - found).elements())]
        assert [*surplus, *missing] == [], "\n".join([*surplus, *missing])
    _check_workers(pair, processes)
    assert pair.reported.ran.exit == pair.bare.ran.exit, (
        f"{pair.reported.ran.text}\nWithout the plugin: {pair.bare.ran.text}"
    )
    _check_server(pair, repeated)
    _check_keys(pair, unknown_to_xml)
    if collected is not None:
        _check_summary(pair, collected)
    assert spools(pair.reported.folder) == []


def _check_workers(pair: Pair, processes: int) -> None:
    """Raise AssertionError unless each test is in the thread of who ran it, and modules in the controller's."""
    for worker, test in pair.tests:
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


def _is_module(test: dict[str, Any]) -> bool:
    return "line" not in test and f".{test['folder']}".endswith(f".{test['name']}")


def _check_server(pair: Pair, repeated: Container[str]) -> None:
    run_, threads = pair.run, pair.run["threads"]
    assert pair.runs == 1
    assert run_["is_completed"]
    assert (run_["thread_count"], run_["thread_active_count"]) == (len(threads), 0)
    assert all(each["is_completed"] for each in threads)
    assert len(set(pair.workers.values())) == len(threads) == len(pair.workers)
    counts = [name for name in threads[0] if name.endswith("_count")]
    assert {name: run_[name] for name in counts} == {name: sum(each[name] for each in threads) for name in counts}
    by_worker = Counter(worker for worker, _ in pair.tests)
    # A worker that only ran what crashed it, and another has run again, has a thread without a result.
    assert Counter({pair.workers[each["id"]]: each["total_count"] for each in threads}) == by_worker
    assert run_["success_count"] == sum(test["status"] == "passed" for _, test in pair.tests)
    seen = Counter((worker, test["folder"], test["name"]) for worker, test in pair.tests)
    assert [each for each, count in seen.items() if count > 1 and each[-1] not in repeated] == []


def _check_keys(pair: Pair, unknown_to_xml: Iterable[str]) -> None:
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    for _, test in pair.tests:
        statuses[test["key"]].append(test["status"])
        if all(each["name"] != "Node id" for each in test.get("fields", ())):
            address = test["folder"] if _is_module(test) else f"{test['folder']}.{test['name']}"
            assert test["key"] == sha256(address.encode()).hexdigest(), f"the key of {address} is of another name"
    left_out = {test["key"] for _, test in pair.tests if test["name"] in set(unknown_to_xml)}
    worst = {key: max(each, key=SEVERITY.index) for key, each in statuses.items() if key not in left_out}
    cases = {key: verdict.status for key, verdict in pair.reported.xml.items()}
    if cases:
        names = {test["key"]: test["name"] for _, test in pair.tests}
        differing = {*worst.items()} ^ {(key, each) for key, each in cases.items() if key not in left_out}
        assert not differing, sorted((names.get(key, key), each) for key, each in differing)


def _check_summary(pair: Pair, collected: int) -> None:
    out = pair.reported.ran.out
    delivered = _DELIVERED.search(out)
    assert delivered, out
    total, workers = len(pair.tests), len({*pair.workers.values()} - {"controller"})
    assert (int(delivered[1]), int(delivered[2]), int(delivered[3] or 1)) == (total, total, workers), out[-3000:]
    told = {
        WORDS[word.replace("errors", "error")]: int(number)
        for number, word in (each.split(" ") for each in delivered[4].split(", "))
    }
    assert told == Counter(test["status"] for _, test in pair.tests)
    assert "error in reporting" not in out, out[-1500:]
    assert "automation report" not in pair.reported.ran.err
    counted = _COLLECTED.search(out)
    if counted is None:  # not said where each collected test has its result, or where the verdict says as much
        cut = _CUT.search(out)
        assert collected == (total if cut is None else int(cut[1] or collected))
        return
    assert int(counted[1]) == collected == int(counted[2]) + int(counted[3] or 0)
    assert int(counted[2]) + int(counted[4] or 0) + int(counted[5] or 0) + told.get("untested", 0) == total
