"""Whether the jobs of a run ran each test once: told by each session, proven by the server, asked by commands."""

import json
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import session_environment

SUITE = """\
import pytest

@pytest.mark.parametrize("number", range(12))
def test_a(number):
    pass

@pytest.mark.slow
def test_slow():
    pass
"""
# As plugins do that split a suite: pytest's own options select before or after them.
SPLIT = """\
import os

def pytest_collection_modifyitems(items, config):
    index, total = map(int, os.environ["SPLIT"].split("/"))
    left = items[index - 1 :: total]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left
"""


@pytest.fixture
def split(project: Project) -> Project:
    """Return a project whose jobs run a part of the suite each."""
    project.write("test_suite.py", SUITE)
    project.write("conftest.py", SPLIT)
    project.write("pytest.ini", "[pytest]\nmarkers = slow\n")
    return project


def _run(split: Project, server: CheckedServer, shard: str, *arguments: str, key: str = "7", part: str = "") -> None:
    name = f"unit {shard}"
    env = session_environment(None, SPLIT=part or shard, AUTOMATION_REPORT_JOB=name)
    ran = split.report("--automation-report-run-key", key, *arguments, address=server.address, env=env)
    assert ran.exit == 0, ran.text


def _complete(split: Project, server: CheckedServer, key: str = "7") -> str:
    words = ["--run-key", key, "--url", server.address, "--project-id", "1", "--source", "suite"]
    ran = console(split.root, "run", "complete", *words, exits=0)
    return ran.err


def _findings(split: Project, server: CheckedServer, run: int) -> dict[str, Any]:
    words = ["--url", server.address, "--project-id", "1"]
    found: dict[str, Any] = json.loads(console(split.root, "run", "findings", str(run), "--json", *words).out)
    return found


@pytest.mark.parametrize("arguments", [(), ("-n", "2"), ("-m", "not slow"), ("-k", "test_a")])
def test_shards_have_each_test_once(split: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """What a plugin leaves to other jobs is known, with xdist, too; what -m and -k leave out is not to run in any."""
    for number in (1, 2, 3):
        _run(split, server, f"{number}/3", *arguments)
    tests = 13 if arguments in {(), ("-n", "2")} else 12
    assert f"{tests} tests, each once" in _complete(split, server)


def test_a_run_that_lost_tests_stops_the_gate_and_is_no_base(split: Project, server: CheckedServer) -> None:
    """A shard with the number of another loses its tests and doubles the other's: exit code 3, and no comparison."""
    for number in (1, 2, 3):
        _run(split, server, f"{number}/3", key="one")
    assert "13 tests, each once" in _complete(split, server, "one")
    for number in (1, 2, 3):
        _run(split, server, f"{number}/3", key="two", part="2/3" if number == 3 else "")
    words = "4 missing, 4 twice, from unit 3/3"
    assert words in _complete(split, server, "two")
    options = ["--url", server.address, "--project-id", "1", "--source", "suite"]
    stopped = console(split.root, "gate", "2", *options)
    assert (stopped.exit, words in stopped.err) == (3, True), stopped.text
    assert console(split.root, "gate", "2", "--allow-partial", *options).exit == 0
    for number in (1, 2, 3):
        _run(split, server, f"{number}/3", key="three")
    _complete(split, server, "three")
    assert _findings(split, server, 3)["base"]["run"] == 1
    assert words in console(split.root, "run", "findings", "2", *options[:4]).err


def test_gone_tests_are_named_and_stop_the_gate_on_wish(split: Project, server: CheckedServer) -> None:
    """Tests may be deleted on purpose: the gate names them, and stops at more than ``--gone N`` of them."""
    for key, suite in (("one", SUITE), ("two", SUITE.replace("range(12)", "range(10)"))):
        split.write("test_suite.py", suite)
        _run(split, server, "1/1", key=key)
        _complete(split, server, key)
    options = ["--url", server.address, "--project-id", "1", "--source", "suite"]
    passed = console(split.root, "gate", "2", *options)
    assert (passed.exit, "gone: test_suite.test_a[10]" in passed.err) == (0, True), passed.text
    assert console(split.root, "gate", "2", "--gone", "2", *options).exit == 0
    stopped = console(split.root, "gate", "2", "--gone", "1", *options)
    assert (stopped.exit, "2 tests are gone, at most 1 is allowed" in stopped.err) == (5, True), stopped.text
    assert "2 gone, compared with run 1" in console(split.root, "run", "findings", "2", *options[:4]).err
